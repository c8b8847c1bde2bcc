"""Clues: each sentence where its fact holds, and not where it only nearly does."""

from contextlib import suppress
from datetime import timedelta
from urllib.request import Request, urlopen

import msgspec
import pytest

from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN
from fakeserver.fault import Fault
from fakeserver.verifier import judge as judge_module
from fakeserver.verifier.clues.elsewhere import WORLDS_MAX, needs_more_rows, with_pattern
from fakeserver.verifier.diagnosis.traces import holds_id
from fakeserver.verifier.judge import OUR_SLIP, judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.report.saved import CHECKPOINT_CHARS_MAX
from fakeserver.verifier.report.sections import sections
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify

from .test_proofs import proof, stamp
from .worlds import by_id, event, get, oldest_first, poll, world


def verdict_on(scenario, client, promise=None):
    return judge(scenario, run(scenario, client), promise)


def section(verdict, label):
    return next((part.text for part in sections(verdict) if part.label == label), None)


# Clocks


@pytest.mark.parametrize(("hours", "is_own_clock"), [(26, False), (27, True)])
def test_a_bound_further_ahead_than_zones_are_apart_is_from_another_clock(hours, is_own_clock):
    def ahead(feed):
        low = feed.now() + timedelta(hours=hours)
        for row in get(feed, oldest_first(low.isoformat().replace("+00:00", "Z"), 10)):
            feed.deliver(row)

    verdict = verdict_on(world([event("a", 5)], dialect="saleschannel"), ahead)
    lost = verdict.findings[0]
    assert lost.rule == "LOST"
    assert f"the bound lay {hours // 24} d {hours % 24} h" in " ".join(lost.why)
    assert ("it is from another clock, or was kept from" in lost.why[-1]) == is_own_clock
    assert ("feed.now()" in lost.would) == is_own_clock
    assert (lost.fault_class == "C36") == is_own_clock


def test_a_bound_far_ahead_that_was_found_later_was_not_kept_from_another_world():
    def ahead(feed):
        low = feed.now() + timedelta(days=9)
        key = low.isoformat().replace("+00:00", "Z") if feed.checkpoint else stamp(0)
        for row in get(feed, oldest_first(key, 10)):
            feed.deliver(row)
        feed.save(1)

    lost = verdict_on(world([event("a", 50)], dialect="saleschannel"), ahead).findings[0]
    assert lost.why[-1].endswith("it is from another clock.")
    assert lost.would.endswith("for a program.")


# What was kept, and what was not


def from_a_store(store):
    """A client that keeps the highest id outside of the feed, and passes rows before delivery."""

    def client(feed):
        while page := get(feed, {"since_id": store.get("id", 1), "limit": 2}):
            store["id"] = page[-1]["id"]
            for row in page:
                feed.deliver(row)

    return client


BROUGHT = "The first request of this world asked for ids above 9, though nothing had been read"


def test_a_place_that_was_brought_from_another_world():
    lost = verdict_on(world([event(2, 1)]), from_a_store({"id": 9})).findings[0]
    assert (lost.rule, lost.cause) == ("LOST", "never-asked")
    assert BROUGHT in lost.why[-1]
    assert lost.would.startswith("Begin each poll from feed.checkpoint, and keep the place with")


@pytest.mark.parametrize("told", ["read", "counted", "saved"])
def test_a_place_that_this_world_told_was_not_brought(told):
    def client(feed):
        if feed.checkpoint is None:
            if told == "read":
                get(feed, {"limit": 1, "order": "id desc"})
            elif told == "counted":
                feed.urllib_opener().open(feed.url("/com/events/count.json")).close()
            feed.save(9)
            if told == "saved":
                return
        for row in get(feed, {"since_id": 9, "limit": 2}):
            feed.deliver(row)

    lost = verdict_on(world([event(2, 1, visible=50), event(9, 1)]), client).findings[0]
    assert "The first request of this world" not in " ".join(lost.why)


def test_a_place_below_all_events_was_not_brought():
    def skips(feed):
        since = 2 if feed.checkpoint is None else 9
        for row in get(feed, {"since_id": since, "limit": 2}):
            feed.deliver(row)
        feed.save(1)

    lost = verdict_on(world([event(3, 50)]), skips).findings[0]
    assert (lost.rule, lost.cause) == ("LOST", "never-asked")
    assert "The first request of this world" not in " ".join(lost.why)


OUTLIVED = "Poll 2 began a new life of the client and asked for ids above 3, though nothing had"


def test_a_place_that_outlived_a_crash():
    polls = (poll(10, crash="after-deliver"), 120, 180, 240)
    scenario = world([event(2, 1), event(3, 2)], polls=polls)
    lost = verdict_on(scenario, from_a_store({})).findings[0]
    assert lost.event_ids == (3,)
    assert OUTLIVED in lost.why[-1]
    assert lost.would.startswith("Keep the place with feed.save")


def test_a_place_that_outlived_a_crash_is_not_blamed_for_what_was_dropped():
    def drops(feed, store={}):  # noqa: B006 - that is what it is about
        for row in get(feed, {"since_id": store.get("id", 1), "limit": 2}):
            if row["id"] == 2:
                feed.deliver(row)
            store["id"] = row["id"]

    scenario = world(
        [event(2, 1), event(3, 2)], polls=(10, poll(60, restart=True), 99, 180, 240), calm_from=2
    )
    lost = verdict_on(scenario, drops).findings[0]
    assert lost.cause == "served-not-delivered"
    assert "new life of the client" not in " ".join(lost.why)


def from_nothing(save):
    """A client that reads the whole log in each poll, and delivers it."""

    def client(feed):
        for row in get(feed, {"since_id": 1, "limit": 2}):
            feed.deliver(row)
        save(feed)

    return client


NULL = "All that was saved is null, so each poll began from nothing: does the wrapped function"
NEVER = "Nothing was ever saved (feed.save was never called), so each poll began from nothing."


@pytest.mark.parametrize(
    ("save", "said", "would"),
    [
        (lambda feed: feed.save(None), NULL, "Save what the next poll is to go on from, once"),
        (lambda feed: None, NEVER, "Save what the next poll is to go on from (feed.save;"),
        (lambda feed: feed.save(7), None, "Drop, by id, every row delivered before;"),
    ],
)
def test_what_saves_nothing_is_told_that(save, said, would):
    repeat = verdict_on(world([event(2, 1)]), from_nothing(save)).findings[0]
    assert repeat.rule == "DUPLICATED"
    assert (said or "Row") in " ".join((*repeat.why, "Row"))
    assert ("began from nothing" in " ".join(repeat.why)) == (said is not None)
    assert repeat.would.startswith(would)


def test_a_page_that_was_cut_is_told_that_nothing_was_saved_and_how_to_go_on():
    rows = [event(number, number) for number in (2, 3, 4)]
    lost = verdict_on(world(rows), from_nothing(lambda feed: feed.save(None))).findings[0]
    assert (lost.rule, lost.cause) == ("LOST", "cut-by-limit")
    assert NULL in lost.why[-1]
    assert lost.would.startswith("Go on from the last row")


def test_who_remembers_without_saving_did_not_begin_from_nothing():
    class Remembers:
        def __init__(self):
            self.known = set()

        def poll(self, feed):
            for row in get(feed, {"since_id": 1, "limit": 2}):
                if row["id"] not in self.known:
                    feed.deliver(row)
                    self.known.add(row["id"])

    scenario = world([event(2, 1)], polls=(10, poll(60, restart=True), 120, 180, 240), calm_from=2)
    repeat = verdict_on(scenario, Remembers).findings
    assert all("began from nothing" not in " ".join(finding.why) for finding in repeat)
    once = verdict_on(scenario, Remembers, Promise(delivery="exactly-once")).findings[0]
    assert once.rule == "DUPLICATED"
    assert "began from nothing" not in " ".join(once.why)


# What was dropped


def window(drops):
    """A client that reads the whole log in each poll and delivers what is new, but for `drops`."""

    def client(feed):
        known = feed.checkpoint or []
        rows = get(feed, {"since_id": 1, "limit": 10})
        for place, row in enumerate(rows):
            if row["id"] not in known and not drops(place, row, known):
                feed.deliver(row)
                known.append(row["id"])
        feed.save(known)

    return client


FIRST = "The first row of a page was not delivered where it was new, "


def test_first_rows_are_named_with_how_often():
    rows = [event(number, number) for number in (2, 3, 4)]
    why, finding = proof(world(rows), window(lambda place, row, known: place == 0), "LOST")
    assert why.endswith(f"{FIRST}4 of 4 times; all other new rows were, 2 of 2.")
    assert finding.would == (
        "Don't skip the first row of a page as one that is known: drop a row only where its own "
        "id was delivered before."
    )


def test_first_rows_are_not_named_where_one_of_them_came_through():
    rows = [event(2, 1), event(3, 100)]

    def skips_the_second_page(feed):
        for since_id, deliver in ((1, True), (2, False)):
            for row in get(feed, {"since_id": since_id, "limit": 1}):
                if deliver and not feed.checkpoint:
                    feed.deliver(row)
        feed.save(1)

    why, finding = proof(world(rows), skips_the_second_page, "LOST")
    assert FIRST not in why
    assert finding.would.startswith("Decide by its id")


def test_a_second_row_that_was_dropped_speaks_against_first_rows():
    rows = [event(number, number) for number in (2, 3, 4)]
    why, _ = proof(world(rows), window(lambda place, row, known: place < 2), "LOST")
    assert FIRST not in why


def test_a_page_that_was_cut_short_tells_nothing_of_its_rows():
    def raises_with_it(feed):
        for row in get(feed, {"since_id": 1, "limit": 10})[1:]:
            feed.deliver(row)
        raise ValueError("no")

    scenario = world([event(2, 1), event(3, 2)])
    lost = next(f for f in verdict_on(scenario, raises_with_it).findings if f.rule == "LOST")
    assert FIRST not in " ".join(lost.why)


@pytest.mark.parametrize(
    ("ids", "stamps", "said"),
    [
        ((9, 10), (1, 2), "and below it if the two are compared as text."),
        ((11, 10), (1, 2), "Its id is below that of e1, which had been delivered by then."),
        ((2, 3), (1, 1), "It has the stamp of e1, 00:00:01, which had been delivered by then."),
        ((2, 3), (1, 2), "It differs from e1, which had been delivered by then, by its "),
    ],
    ids=["text", "order", "stamp", "content"],
)
def test_what_a_dropped_row_has_in_common_with_a_delivered_one(ids, stamps, said):
    rows = [event(event_id, at) for event_id, at in zip(ids, stamps, strict=True)]
    drops = window(lambda place, row, known: row["id"] == ids[1])
    limits = world(rows)

    def client(feed):  # each by itself, the one that is delivered first
        if feed.now().timestamp() < 11:
            get(feed, {"since_id": ids[0] - 1, "limit": 1})
            feed.deliver(ids[0])
            feed.save([ids[0]])
        else:
            drops(feed)

    why, _ = proof(limits, client, "LOST")
    assert said in why


def test_what_was_delivered_later_is_no_reason():
    """The twin came only afterwards: nothing was known of it when the row was dropped."""
    rows = [event(2, 1), event(3, 1, visible=100)]
    why, _ = proof(world(rows), window(lambda place, row, known: row["id"] == 2), "LOST")
    assert "which had been delivered by then" not in why


# Elsewhere


def test_other_worlds_tell_what_becomes_of_other_rows():
    def skips_first(feed):
        since = feed.checkpoint or 1
        while page := get(feed, {"since_id": since, "limit": feed.page_size}):
            for row in page[1:]:
                feed.deliver(row)
            since = page[-1]["id"]
            feed.save(since)

    first = verify(skips_first, dialect="haravan", promise=Promise(late_by_ms_max=0))
    why = " ".join(first.findings[0].why)
    assert "The client delivered nothing in any poll." in why
    assert "In example " in why
    assert why.endswith("of 1 time; all other new rows were, 12 of 12.") or " times; " in why
    assert first.findings[0].would.startswith("Don't skip the first row of a page")


def test_other_worlds_are_silent_of_who_delivers_nothing():
    def reads(feed):
        get(feed, {"since_id": 1, "limit": 2})

    verdict = verify(reads, dialect="haravan", promise=Promise(late_by_ms_max=0))
    assert needs_more_rows(verdict)
    assert "In example " not in " ".join(verdict.findings[0].why)


def test_other_worlds_are_asked_only_where_nothing_was_delivered():
    asked = []

    def worlds():
        for number in range(WORLDS_MAX):
            asked.append(number)
            yield number, verdict_on(world(), by_id)

    broken = verdict_on(world([event(2, 1)]), lambda feed: get(feed, {"since_id": 1}))
    assert with_pattern(broken, worlds()) == broken
    assert len(asked) == WORLDS_MAX
    late = verdict_on(world([event(2, 2, visible=50), event(3, 3)]), by_id)
    assert not needs_more_rows(late), "that was never asked for"
    snapshot = Promise(mode="snapshot")
    missing = verdict_on(world([event(2, 1)]), lambda feed: get(feed, {"since_id": 1}), snapshot)
    assert not needs_more_rows(missing)


# Its own numbers


@pytest.mark.parametrize(
    ("low", "said"),
    [
        (65, "00:01:05 on: that is 55 s before the start of poll 2, the last that succeeded"),
        (120, "00:02:00 on: that is the start of poll 2, the last that succeeded (00:02:00)."),
        (121, "00:02:01 on: that is 1 s after the start of poll 2, the last that succeeded"),
        (10, "00:00:10 on: that is the stamp of e2, the newest that it had read."),
    ],
)
def test_how_far_a_poll_looked_back(low, said):
    """The third poll, at three minutes, asks from `low` on; an event of before is visible then."""
    rows = [event(2, 5, visible=130), event(3, 10)]

    def client(feed):
        since = stamp_text(0 if feed.now().timestamp() < 150 else low)
        for row in get(feed, {"since_id": 1, "created_at_min": since, "limit": 10}):
            if row["id"] not in (feed.checkpoint or []):
                feed.deliver(row)
        feed.save([3])

    scenario = world(rows, polls=(20, 120, 180, 240, 400), calm_from=2, late=150)
    why, _ = proof(scenario, client, "LOST")
    assert f"Poll 3 asked from {said}" in why
    assert "It would have to be 2 min 30 s before" in why


def stamp_text(seconds):
    return f"1970-01-01 00:{seconds // 60:02}:{seconds % 60:02}"


def test_no_number_is_said_where_nothing_may_be_late_and_it_looked_back():
    def client(feed):
        low = "1970-01-01 00:00:00" if feed.checkpoint is None else "1970-01-01 00:01:00"
        with suppress(OSError):
            get(feed, {"since_id": 1, "created_at_min": low, "limit": 10})
        feed.save(1)

    polls = (poll(10, faults=[Fault(kind="server-error")]), 120, 180, 240)
    scenario = world([event(2, 5)], polls=polls, late=0)
    lost = verdict_on(scenario, client, Promise(late_by_ms_max=0)).findings[0]
    assert (lost.rule, lost.cause) == ("LOST", "failed-not-retried")
    assert "asked from" not in " ".join(lost.why)


# Pages


def test_a_full_page_of_known_rows_is_named_and_one_with_news_is_not():
    rows = [event(2, 1), event(3, 100)]

    def stops_at_one(feed):
        for row in get(feed, {"since_id": 1, "limit": 1}):
            if row["id"] != feed.checkpoint:
                feed.deliver(row)
            feed.save(row["id"])

    why, _ = proof(world(rows), stops_at_one, "LOST")
    assert "No poll asked for more than 1 page, though the last of them was full." in why
    assert "had been delivered before" not in why, "the first poll ended at a page that was new"

    def goes_on_over_news(feed):
        since, known = 1, feed.checkpoint or []
        while page := get(feed, {"since_id": since, "limit": 1}):
            if page[0]["id"] in known:
                break
            feed.deliver(page[0])
            since, known = page[0]["id"], [*known, page[0]["id"]]
        feed.save(known)

    why, _ = proof(world(rows), goes_on_over_news, "LOST")
    assert "That page was full (1 of 1 rows), and all of its rows had been delivered" in why
    assert "No poll asked for more than" not in why


def test_a_number_of_pages_is_not_blamed_where_new_rows_are_counted():
    """Its last pages hold rows that it knows: who counts new rows takes such a page for short."""
    rows = [event(2, 1), event(3, 100), event(4, 101)]

    def counts_fresh(feed):
        known = feed.checkpoint or []
        for row in get(feed, {"since_id": 1, "limit": 2}):
            if row["id"] not in known:
                feed.deliver(row)
                known.append(row["id"])
        feed.save(known)

    why, _ = proof(world(rows), counts_fresh, "LOST")
    assert "No poll asked for more than" not in why


def test_so_many_pages_is_said_of_two_polls_at_least():
    rows = [event(number, number) for number in (2, 3, 4)]

    def one_page_once(feed):
        if feed.checkpoint:
            return
        for row in get(feed, {"since_id": 1, "limit": 2}):
            feed.deliver(row)
        feed.save(1)

    why, _ = proof(world(rows), one_page_once, "LOST")
    assert "No poll asked for more than" not in why


# Other rules


@pytest.mark.parametrize(
    ("strange", "said"),
    [
        (7, "It is the subject_id of e1, which was served; the id of e1 is 2."),
        ("Product", "It is the subject_type of e1, which was served"),
        (8, None),
    ],
)
def test_an_id_that_is_another_field(strange, said):
    def client(feed):
        for _ in get(feed, {"since_id": 1}):
            feed.deliver(strange)

    found = verdict_on(world([event(2, 1)]), client).findings[0]
    assert found.rule == "INVENTED"
    assert (said in " ".join(found.why)) if said else ("It is the" not in " ".join(found.why))
    assert found.would.startswith("Deliver as the id of an event its id") == (said is not None)


def test_an_id_from_within_another_field():
    def client(feed):
        for row in get(feed, oldest_first(stamp(0), 5)):
            feed.deliver(row["details"]["transactionId"])

    found = verdict_on(world([event("a", 1)], dialect="saleschannel"), client).findings[0]
    assert "It is the details.transactionId of e1" in " ".join(found.why)


def test_an_id_of_what_was_not_served_is_not_traced():
    def client(feed):
        feed.deliver(7)
        get(feed, {"since_id": 1})

    found = verdict_on(world([event(2, 1)]), client).findings[0]
    assert (found.rule, len(found.why)) == ("INVENTED", 1)


@pytest.mark.parametrize(("slept", "is_said"), [(0.003, True), (0.004, False), (1, False)])
def test_seconds_taken_for_milliseconds(slept, is_said):
    def hasty(feed):
        opener = feed.urllib_opener()
        for _ in range(2):
            try:
                opener.open(feed.url("/com/events.json?since_id=1")).close()
            except OSError:
                feed.sleep(slept)

    polls = (poll(10, faults=[Fault(kind="server-error", retry_after_s=3)]), 120, 180, 240)
    why, _ = proof(world(polls=polls), hasty, "IMPOLITE")
    assert ("It slept for 3 ms: the 3 of Retry-After are seconds." in why) is is_said


def standing(since_id):
    """A client that asks for ever above the same id, once it has read from the start."""

    def client(feed):
        for row in get(feed, {"since_id": 1, "limit": 2}):
            feed.deliver(row)
        while True:
            get(feed, {"since_id": since_id, "limit": 2})

    return client


def test_a_place_that_is_the_largest_as_text():
    scenario = world([event(9, 1), event(10, 2), event(11, 3)])
    why, finding = proof(scenario, standing(9), "STUCK")
    assert "Of the ids that it read 11 is the largest as a number, and 9, from which" in why
    assert finding.would.startswith("Take the largest id as a number, not as text")
    assert finding.fault_class == "C34"
    why, finding = proof(scenario, standing(8), "STUCK")
    assert "as text" not in why
    assert "The last row of that page, e2 (id 10), lies beyond where the request began" in why
    assert finding.fault_class == "C19"


@pytest.mark.parametrize(("key", "is_said"), [(1.0, True), (1.2, False)])
def test_a_place_that_was_cut_to_the_second(key, is_said):
    rows = [event("a", 1.2), event("b", 1.4), event("c", 1.6)]
    text = stamp(1) if key == 1 else "1970-01-01T00:00:01.200Z"

    def client(feed):
        while True:
            for row in get(feed, oldest_first(text, 2)):
                feed.deliver(row)

    promise = Promise(delivery="at-least-once")
    why, finding = proof(world(rows, dialect="saleschannel"), client, "STUCK", promise)
    said = "It asked from the stamp of its last row, e2 (00:00:01.400), cut to the second"
    assert (said in why) is is_said
    assert ("lies beyond where the request began" in why) is not is_said
    assert finding.would.startswith("Ask from the last row's stamp as it was") is is_said


def test_a_token_that_later_requests_lack():
    def client(feed):
        for headers in (feed.headers, {}):
            with suppress(OSError):
                urlopen(Request(f"{feed.base_url}/com/events.json", headers=headers)).close()

    why, finding = proof(world([event(2, 1)]), client, "ILLEGAL_REQUEST")
    assert why.endswith("Requests before it were answered: they had one.")
    assert finding.would == "Send that header with every request."

    def never(feed):
        with suppress(OSError):
            urlopen(f"{feed.base_url}/com/events.json").close()

    why, _ = proof(world([event(2, 1)]), never, "ILLEGAL_REQUEST")
    assert "they had one" not in why


LIMIT = {"haravan": "limit", "saleschannel": "$limit"}
REFUSING = {"limit_over_max": "reject", "limit_max": 50}


def asking_for(*queries):
    """A client that raises for what is refused, and after its last answer in any case."""

    def client(feed):
        http = feed.requests_session()
        path = find_dialect(feed.dialect).list_path
        for query in queries:
            answer = http.get(feed.url(path), params=query)
        answer.raise_for_status()
        raise TypeError("'<' not supported between instances of 'str' and 'NoneType'")

    return client


def crash(client, *, dialect="haravan", rows=(), **settings):
    verdict = verdict_on(world(rows, dialect=dialect, **settings), client)
    return next(finding for finding in verdict.findings if finding.rule == "CRASHED")


@pytest.mark.parametrize(("dialect", "status"), [("haravan", 422), ("saleschannel", 400)])
def test_a_limit_that_was_refused_is_told_with_the_cap(dialect, status):
    client = asking_for({}, {LIMIT[dialect]: 51})
    finding = crash(client, dialect=dialect, **REFUSING)
    assert finding.why == (
        f"The answer just before was {status}; no fault was on in poll 2.",
        f"The API refused that request with {status} because its limit, 51, is above the cap, 50.",
    )
    assert finding.would == "Ask for 50 rows at most, or again for fewer when a limit is refused."


@pytest.mark.parametrize(
    ("queries", "settings"),
    [
        ([{"limit": 50}], REFUSING),
        ([{"limit": 51}], {"limit_max": 50}),
        ([{"limit": 51}, {"limit": 50}], REFUSING),
        ([{"limit": 0}], REFUSING),
    ],
    ids=["at the cap", "clamped", "refused before", "refused for another reason"],
)
def test_a_limit_that_was_not_what_was_refused_is_not_blamed(queries, settings):
    finding = crash(asking_for(*queries), **settings)
    assert "cap" not in " ".join(finding.why)
    assert finding.would.startswith("Look at test_clues.py:")


def swallowing(limit):
    """A client that takes a refusal for the end of the log."""

    def client(feed):
        http = feed.requests_session()
        query = {"since_id": 1, "limit": limit}
        answer = http.get(feed.url("/com/events.json"), params=query)
        if answer.status_code == 200:
            feed.deliver(answer.json()["events"][0])

    return client


def test_a_loss_behind_a_limit_that_was_refused_each_time_is_told_with_the_cap():
    verdict = verdict_on(world([event(2, 1)], **REFUSING), swallowing(51))
    (finding,) = verdict.findings
    assert (finding.rule, finding.cause) == ("LOST", "never-asked")
    assert finding.why[-1] == (
        "The API refused each request since then with 422 because the limit, 51, is above the cap, "
        "50."
    )
    assert finding.would == "Ask for 50 rows at most, or again for fewer when a limit is refused."
    spared = verdict_on(world([event(2, 1), event(3, 2)], **REFUSING), swallowing(50))
    assert not any("cap" in said for finding in spared.findings for said in finding.why)


def test_an_event_that_was_read_alone_and_dropped_is_lost_without_a_clue():
    """It stood on no page, so nothing is said of pages."""

    def alone(feed):
        http = feed.requests_session()
        http.get(feed.url("/com/events/2.json")).raise_for_status()
        page = http.get(feed.url("/com/events.json"), params={"since_id": 2, "limit": 9}).json()
        for row in page["events"]:
            feed.deliver(row)

    verdict = verdict_on(world([event(2, 1), event(3, 2)]), alone)
    lost = next(finding for finding in verdict.findings if finding.rule == "LOST")
    assert (lost.cause, lost.event_ids) == ("served-not-delivered", (2,))
    assert verdict.text()


# What was saved


@pytest.mark.parametrize(
    ("checkpoint", "held"),
    [
        ({"seen": {"2": "00:00:01"}}, True),
        ([1, [2]], True),
        ("2", True),
        ({"low": "2026-02-02"}, False),
        (None, False),
        (22, False),
    ],
)
def test_an_id_in_a_checkpoint(checkpoint, held):
    assert holds_id(checkpoint, 2) is held


def saves(checkpoint):
    """A client that delivers everything in every poll, and saves the same each time."""

    def client(feed):
        for row in get(feed, {"since_id": 1, "limit": 10}):
            feed.deliver(row)
        feed.save(checkpoint)

    return client


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ({"seen": [2]}, 'last in poll 1, with the id of e1: {"seen": [2]}'),
        ({"seen": []}, 'last in poll 1, without the id of e1: {"seen": []}'),
        ({"low": "2"}, 'last in poll 1, with the id of e1: {"low": "2"}'),
        ({"low": "12"}, None),  # nobody can tell, and the timeline shows it
        ({"low": "12", "more": 9 * "wide"}, 'last in poll 1: {"low": "12", "more": '),
    ],
)
def test_what_was_saved_before_a_repeat(checkpoint, said):
    shown = section(verdict_on(world([event(2, 1)]), saves(checkpoint)), "Saved")
    assert shown is None if said is None else shown.startswith(said)


def test_a_long_checkpoint_is_cut_and_none_is_said_to_be_none():
    verdict = verdict_on(world([event(2, 1)]), saves({"seen": [], "more": 999 * "w "}))
    shown = section(verdict, "Saved")
    assert shown.endswith("…")
    assert len(shown) < CHECKPOINT_CHARS_MAX + 60
    at_the_cut = {"seen": [], "more": (CHECKPOINT_CHARS_MAX - 40) * "w" + TOKEN + 99 * "w"}
    shown = section(verdict_on(world([event(2, 1)]), saves(at_the_cut)), "Saved")
    assert TOKEN[:8] not in shown, "half a token is still one"

    def forgets(feed):
        for row in get(feed, {"since_id": 1, "limit": 10}):
            feed.deliver(row)

    assert section(verdict_on(world([event(2, 1)]), forgets), "Saved") == "nothing before that."


def test_saves_had_no_part_in_what_one_poll_repeats():
    def twice(feed):
        rows = get(feed, {"since_id": feed.checkpoint or 1, "limit": 10})
        for row in rows * 2:
            feed.deliver(row)
            feed.save(row["id"])

    assert section(verdict_on(world([event(2, 1)]), twice), "Saved") is None


# The calm


def test_the_pause_before_the_last_poll_is_the_judges():
    late = [event(2, 2, visible=50), event(3, 3)]
    verdict = verdict_on(world(late, polls=(10, 120, 180, 3_800)), by_id)
    assert section(verdict, "Calm") == (
        "From poll 2 on no fault is on; the judge lets 1 h pass before the last poll, for clients "
        "that hold events back."
    )
    assert section(verdict_on(world(late), by_id), "Calm") is None, "a minute is no pause"
    cut = msgspec.structs.replace(verdict, history=verdict.history[:5])
    assert section(cut, "Calm") is None, "the last poll never came"


# Slips of ours


@pytest.mark.parametrize("part", ["with_clues", "diagnosed"])
def test_a_slip_of_ours_costs_no_verdict(monkeypatch, part):
    def slips(*_):
        raise IndexError("list index out of range")

    monkeypatch.setattr(judge_module, part, slips)
    verdict = verdict_on(world([event(2, 1)]), lambda _: None)
    (finding,) = verdict.findings
    assert (verdict.outcome, finding.rule) == ("broken", "LOST")
    assert finding.why[-1] == f"{OUR_SLIP} (IndexError)."
