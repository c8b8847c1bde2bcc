"""How many requests were sent, and how few would have done: a bound that right clients keep."""

from math import ceil

import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.verdict import Requests

from .worlds import by_key, event, get, oldest_first, world

REFERENCES = {name: find_dialect(name).reference_client for name in DIALECTS}
DOCUMENTS = {name: find_dialect(name).document_client for name in DIALECTS}


def accused(verdict):
    return [(finding.rule, finding.cause) for finding in verdict.findings]


def requests_of(scenario, client) -> Requests:
    verdict = judge(scenario, run(scenario, client), Promise(late_by_ms_max=0))
    assert accused(verdict) == []
    return verdict.requests


@pytest.mark.parametrize(
    ("events", "limit"), [(1, 2), (2, 2), (3, 2), (9, 3), (10, 3), (11, 4), (10, 11), (30, 7)]
)
def test_the_loop_of_theorem_t1_needs_what_the_theorem_says(events, limit):
    rows = [event(f"c{n:02}", n) for n in range(events)]
    requests = requests_of(
        world(rows, dialect="saleschannel", polls=(60, 120, 180, 240), page_size=limit, late=0),
        by_key,
    )
    idle = 3 * (1 if limit > 1 else 2)
    assert requests.count == 1 + (events - 1) // (limit - 1) + idle
    assert requests.lower_bound == max(1, ceil((events - 1) / (limit - 1))) + idle


@pytest.mark.parametrize(("events", "limit"), [(0, 2), (1, 2), (2, 2), (3, 2), (9, 3), (10, 3)])
def test_since_id_needs_one_request_a_page_and_one_to_see_the_end(events, limit):
    def until_a_short_page(feed):
        since = feed.checkpoint or 1
        while True:
            page = get(feed, {"since_id": since, "limit": limit})
            for row in page:
                feed.deliver(row)
                since = row["id"]
            feed.save(since)
            if len(page) < limit:
                return

    rows = [event(n + 2, n) for n in range(events)]
    requests = requests_of(world(rows, page_size=limit), until_a_short_page)
    assert requests.count == events // limit + 1 + 3
    assert requests.lower_bound == max(1, ceil(events / limit)) + 3
    assert requests.ratio == round(requests.count / requests.lower_bound, 2)


def test_rows_that_are_left_for_later_polls_are_not_counted_twice():
    def one_page_a_poll(feed):
        since = feed.checkpoint or 1
        for row in get(feed, {"since_id": since, "limit": 2}):
            feed.deliver(row)
            feed.save(row["id"])

    requests = requests_of(world([event(n + 2, n) for n in range(8)]), one_page_a_poll)
    assert (requests.count, requests.lower_bound, requests.ratio) == (4, 4, 1.0)


def test_one_request_without_a_limit_brings_everything():
    def whole_list(feed):
        seen = set(feed.checkpoint or ())
        for row in get(feed, {"$orderBy[createdAt]": "asc"}):
            if row["id"] not in seen:
                feed.deliver(row)
        feed.save(sorted(seen | {f"c{n:02}" for n in range(20)}))

    rows = [event(f"c{n:02}", n / 2) for n in range(20)]
    requests = requests_of(world(rows, dialect="saleschannel", late=0), whole_list)
    assert (requests.count, requests.lower_bound) == (4, 4)


def test_a_filter_that_leaves_out_known_rows_needs_no_overlap():
    def without_known(feed):
        key, known = feed.checkpoint or ("1960-01-01T00:00:00.000Z", [])
        while True:
            query = oldest_first(key, 2)
            if known:
                query["$filter[id][notIn]"] = ",".join(known)
            page = get(feed, query)
            for row in page:
                feed.deliver(row)
                known = [*known, row["id"]] if row["createdAt"] == key else [row["id"]]
                key = row["createdAt"]
            feed.save([key, known])
            if len(page) < 2:
                return

    rows = [event(f"c{n:02}", n) for n in range(9)]
    requests = requests_of(world(rows, dialect="saleschannel", late=0), without_known)
    assert (requests.count, requests.lower_bound) == (5 + 3, 5 + 3)


ALL_IDS = ",".join(f"c{n:02}" for n in range(9))


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ({"$filter[createdAt][equals]": "1970-01-01T00:00:03.000Z"}, 8),
        ({"$filter[id][equals]": "c03"}, 8),
        ({"$filter[createdAt][lte]": "1970-01-01T00:00:03.000Z"}, 8),
        ({"$filter[createdAt][gte]": "1970-01-01T00:00:03.000Z"}, 8),
        ({"$filter[id][in]": ALL_IDS}, 8),
        ({"$filter[createdAt][lt]": "1970-01-01T00:00:03.000Z"}, 5),
        ({"$filter[createdAt][gt]": "1970-01-01T00:00:03.000Z"}, 5),
        ({"$filter[id][not]": "c03"}, 5),
    ],
)
def test_which_filters_leave_out_known_rows(query, pages):
    """By the loop of theorem T1 alone, 9 rows take 8 pages of 2; without overlap they take 5."""

    def looks_once_more(feed):
        by_key(feed)
        get(feed, {**query, "$limit": 2})

    rows = [event(f"c{n:02}", n) for n in range(9)]
    scenario = world(rows, dialect="saleschannel", polls=(60, 120, 180, 240), late=0)
    assert requests_of(scenario, looks_once_more).lower_bound == pages + 3


def test_rows_that_come_again_after_a_quiet_poll_are_not_needed_again():
    def now_and_then(feed):
        known, since = feed.checkpoint or 0, 1
        if feed.now().timestamp() == 120:
            get(feed, {"since_id": 99, "limit": 2})
            return
        while page := get(feed, {"since_id": since, "limit": 2}):
            for row in page:
                if row["id"] > known:
                    feed.deliver(row)
            since = page[-1]["id"]
        feed.save(since)

    requests = requests_of(world([event(n + 2, n) for n in range(4)]), now_and_then)
    assert (requests.count, requests.lower_bound) == (3 + 1 + 3 + 3, 2 + 1 + 1 + 1)


def test_who_asks_for_no_list_is_measured_by_the_pages_that_it_was_told_of():
    def one_by_one(feed):
        if feed.checkpoint is None:
            for number in range(2, 7):
                feed.urllib_opener().open(feed.url(f"/com/events/{number}.json")).close()
                feed.deliver(number)
            feed.save(1)

    requests = requests_of(world([event(n, 1) for n in range(2, 7)]), one_by_one)
    assert (requests.count, requests.lower_bound) == (5, 3)


def test_what_nobody_wanted_is_not_needed():
    rows = [event(n + 2, n, subject_type="Order" if n < 2 else "Page") for n in range(8)]

    def orders(feed):
        for row in get(feed, {"filter": "Order", "since_id": feed.checkpoint or 1, "limit": 2}):
            feed.deliver(row)
            feed.save(row["id"])

    verdict = judge(world(rows), run(world(rows), orders))
    assert (verdict.requests.count, verdict.requests.lower_bound) == (4, 4)
    assert verdict.notes == ("6 events outside the filters of every request, not counted",)


def test_rows_that_are_read_again_are_not_needed_again():
    def all_of_it(feed):
        seen, since = set(feed.checkpoint or ()), 1
        while page := get(feed, {"since_id": since, "limit": 2}):
            for row in page:
                if row["id"] not in seen:
                    feed.deliver(row)
            since = page[-1]["id"]
            seen.update(row["id"] for row in page)
        feed.save(sorted(seen))

    requests = requests_of(world([event(n + 2, n) for n in range(8)]), all_of_it)
    assert (requests.count, requests.lower_bound) == (4 * 5, 4 + 3)


def test_rows_that_are_never_delivered_are_not_needed():
    def all_but_pages(feed):
        since = feed.checkpoint or 1
        while page := get(feed, {"since_id": since, "limit": 2}):
            since = page[-1]["id"]
        feed.save(since)

    scenario = world([event(n + 2, n) for n in range(8)])
    requests = judge(scenario, run(scenario, all_but_pages)).requests
    assert (requests.count, requests.lower_bound) == (5 + 3, 4)


def test_without_requests_there_is_nothing_to_compare():
    scenario = world()
    requests = judge(scenario, run(scenario, lambda feed: None)).requests
    assert (requests.count, requests.lower_bound, requests.ratio) == (0, 0, None)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_lower_bound_is_below_what_right_clients_send(dialect):
    for example in range(60):
        scenario = generate_scenario(dialect=dialect, profile="documented", seed=5, example=example)
        for client in (REFERENCES[dialect], DOCUMENTS[dialect]):
            requests = judge(scenario, run(scenario, client)).requests
            assert 0 < requests.lower_bound <= requests.count
