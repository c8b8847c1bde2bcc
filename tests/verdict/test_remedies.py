"""What would have helped is tried, and is as small as it is said to be."""

import asyncio
import json
from contextlib import suppress
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import msgspec
import pytest

from fakeserver.dialects import find_dialect
from fakeserver.errors import FeedClosed, HarnessError
from fakeserver.fault import Fault
from fakeserver.history import Delivered, Exchange, Saved
from fakeserver.verifier.changes import RETRIES_MAX, Change, changed_history
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.remedies import RUNS_MAX, with_tried
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify

from .worlds import by_id, by_key, event, get, ms, oldest_first, poll, world

LATE = world([event(2, 2, visible=50), event(3, 3)])


def tried(scenario, client, promise=None, runs=None):
    """The change that helps a client that is broken in `scenario`, or None."""

    def judge_with(change):
        if runs is not None:
            runs.append(change)
        return judge(scenario, run(scenario, client, change=change), promise)

    broken = judge_with(Change())
    assert broken.outcome == "broken"
    return with_tried(broken, judge_with).findings[0].tried


# One change


def test_a_poll_that_starts_further_back():
    found = tried(LATE, by_id)
    assert (found.changes, found.amount_ms) == (("look-back", "drop-repeats"), 1_000)
    assert found.sentence == (
        "With each poll asking again, by a lower since_id, for the events of the 1 s before the "
        "newest that it had passed, and repeats dropped by id, the promise holds in this world. "
        "Other worlds may need all of 1 min."
    )


def test_a_poll_that_starts_from_an_id_and_a_stamp():
    def by_both(feed):
        since, low = feed.checkpoint or [1, "1970-01-01 00:00:00"]
        while page := get(feed, {"since_id": since, "created_at_min": low, "limit": 2}):
            for row in page:
                feed.deliver(row)
            since, low = page[-1]["id"], page[-1]["created_at"][:19].replace("T", " ")
            feed.save([since, low])

    assert tried(LATE, by_both).sentence.startswith(
        "With the lower bound of each poll (created_at_min) 1 s earlier, and each poll asking "
        "again, by a lower since_id, for the events of the 1 s before the newest that it had "
        "passed, and repeats "
    )


def test_repeats_are_left_to_a_client_that_drops_them_itself():
    def knows_ids(feed):
        since, seen = feed.checkpoint or [1, []]
        while page := get(feed, {"since_id": since, "limit": 2}):
            for row in page:
                if row["id"] not in seen:
                    feed.deliver(row)
            since, seen = page[-1]["id"], [*seen, *(row["id"] for row in page)]
            feed.save([since, seen])

    assert tried(LATE, knows_ids).changes == ("look-back",)


def test_a_window_that_starts_further_back_does_so_on_each_of_its_pages():
    def window(feed):
        low = feed.checkpoint or "1970-01-01 00:00:00"
        feed.save(f"{feed.now():%Y-%m-%d %H:%M:%S}")
        since = 1
        while page := get(feed, {"since_id": since, "created_at_min": low, "limit": 2}):
            for row in page:
                feed.deliver(row)
            since = page[-1]["id"]

    rows = [event(number, 13 + number, visible=130) for number in range(2, 8)]
    scenario = world(rows, polls=(10, 120, 180, 240, 700), calm_from=2, late=300)
    found = tried(scenario, window)
    assert found.changes == ("look-back",)
    assert found.amount_ms == ms(120 - 15)
    assert found.sentence == (
        "With the lower bound of each poll (created_at_min) 1 min 45 s earlier, the promise "
        "holds in this world; with 1 min 44 s it does not. Other worlds may need all of 5 min."
    )


def test_a_key_that_starts_further_back():
    scenario = world([event("a", 2, visible=50), event("b", 3)], dialect="saleschannel")
    found = tried(scenario, by_key)
    assert found.changes == ("look-back", "drop-repeats")
    assert found.amount_ms == 1_000
    assert "(createdAt) 1 s earlier" in found.sentence
    assert found.sentence.endswith("; with 999 ms it does not. Other worlds may need all of 1 min.")


def first_page_of_ties(feed):
    """Ask once for what was recorded from 00:00:01 on, two rows at most."""
    seen = feed.checkpoint or []
    for row in get(feed, oldest_first("1970-01-01T00:00:01.000Z", 2)):
        if row["id"] not in seen:
            feed.deliver(row)
            seen.append(row["id"])
    feed.save(seen)


def test_a_larger_limit_up_to_the_cap():
    def ties(names, **settings):
        return world([event(name, 1) for name in names], dialect="saleschannel", **settings)

    found = tried(ties("abcd"), first_page_of_ties)
    assert (found.changes, found.limit) == (("raise-limit",), 4)
    assert found.sentence == (
        "With a limit of at least 4 in every request, the promise holds in this world; with 3 it "
        "does not."
    )
    assert tried(ties("abcdefgh", limit_max=None), first_page_of_ties).limit == 8
    assert tried(ties("abcdefgh", limit_max=5), first_page_of_ties).limit == 5


def test_a_limit_as_large_as_a_small_log_is_no_remedy():
    """Where no stamp fills a page, a larger limit only puts the mistake off."""
    rows = [event(name, 1 + number) for number, name in enumerate("abcd")]
    assert tried(world(rows, dialect="saleschannel"), first_page_of_ties) is None


def test_an_inclusive_bound():
    rows = [event("a", 1), event("b", 2), event("c", 2)]

    def after(feed):
        key, seen = (feed.checkpoint or ["1970-01-01T00:00:00.000Z", []])[:2]
        while True:
            page = get(feed, oldest_first(key, 2, "gt"))
            fresh = [row for row in page if row["id"] not in seen]
            for row in fresh:
                feed.deliver(row)
            if not fresh:
                return
            key, seen = page[-1]["createdAt"], [*seen, *(row["id"] for row in page)]
            feed.save([key, seen])

    found = tried(world(rows, dialect="saleschannel"), after)
    assert found.changes == ("inclusive-bound",)


def test_repeats_that_are_dropped():
    def forgetful(feed):
        for row in get(feed, {"since_id": 1}):
            feed.deliver(row)

    found = tried(world([event(2, 1)]), forgetful)
    assert found.changes == ("drop-repeats",)
    assert found.sentence == "With repeats dropped by id, the promise holds in this world."


def test_a_failed_request_that_is_sent_again():
    def window(feed):
        low = feed.checkpoint or "1970-01-01 00:00:00"
        feed.save(f"{feed.now():%Y-%m-%d %H:%M:%S}")
        with suppress(OSError):
            for row in get(feed, {"since_id": 1, "created_at_min": low}):
                feed.deliver(row)

    for kind in ("server-error", "dropped-connection", "truncated-body"):
        polls = (poll(10, faults=[Fault(kind=kind, times=3)]), 120, 180, 240)
        found = tried(world([event(2, 1)], polls=polls), window)
        assert found.changes == ("retry",), kind


def test_saves_that_wait_for_the_end_of_their_poll():
    def saves_first(feed):
        since = feed.checkpoint or 1
        rows = get(feed, {"since_id": since})
        if rows:
            feed.save(rows[-1]["id"])
        for row in rows:
            feed.deliver(row)

    scenario = world([event(2, 1)], polls=(poll(10, crash="after-save"), 120, 180, 240))
    assert tried(scenario, saves_first).changes == ("save-last",)


def test_deliveries_that_become_durable_with_their_save():
    rows = [event(2, 1), event(3, 2)]
    polls = (poll(10, crash="after-deliver", nth=2), 120, 180, 240)
    scenario = world(rows, polls=polls)
    history = run(scenario, by_id, change=Change(in_one_step=True))
    assert judge(scenario, history, Promise(delivery="exactly-once")).outcome != "broken"
    assert [step.event_id for step in history if isinstance(step, Delivered)] == [2, 3]


# Two changes


def test_two_changes_together():
    rows = [event("a", 2, visible=50), event("b", 3), *(event(name, 100) for name in "cde")]

    def one_page_after_the_last_key(feed):
        key, seen = feed.checkpoint or ["1970-01-01T00:00:00.000Z", []]
        for row in get(feed, oldest_first(key, 2)):
            if row["id"] not in seen:
                feed.deliver(row)
            key, seen = row["createdAt"], [*seen, row["id"]]
        feed.save([key, seen])

    found = tried(world(rows, dialect="saleschannel"), one_page_after_the_last_key)
    assert set(found.changes) >= {"raise-limit", "look-back"}
    assert found.limit
    assert found.amount_ms


# Every kind of client and door


def live(feed):
    since = feed.checkpoint or 1
    path = find_dialect(feed.dialect).list_path
    while True:
        target = f"{feed.url(path)}?{urlencode({'since_id': since, 'limit': 2})}"
        with urlopen(Request(target, headers=feed.headers), timeout=20) as response:
            page = json.load(response)["events"]
        if not page:
            return
        for row in page:
            feed.deliver(row)
        since = page[-1]["id"]
        feed.save(since)


async def in_async(feed):
    await asyncio.sleep(0)
    by_id(feed)


def endless(feed):
    with suppress(FeedClosed):
        while True:
            by_id(feed)
            feed.sleep(10)


class Follower:
    def poll(self, feed):
        by_id(feed)


@pytest.mark.parametrize("client", [live, in_async, endless, Follower])
def test_any_client_is_helped(client):
    found = tried(LATE, client)
    assert found.changes[0] == "look-back"
    assert found.amount_ms == 1_000


# What is recorded


def test_the_history_shows_what_the_client_asked_and_the_rows_that_it_got():
    history = run(LATE, by_id, change=Change(look_back_ms=1_000))
    asked = [step for step in history if isinstance(step, Exchange)]
    assert (asked[2].target, asked[2].event_ids) == ("/com/events.json?since_id=3&limit=2", (2, 3))


def test_a_request_that_is_sent_again_is_recorded_each_time_and_not_for_ever():
    outage = poll(10, faults=[Fault(kind="server-error", times=None)])
    scenario = world([event(2, 1)], polls=(outage, 20_000_000, 20_000_060, 20_000_120))

    def asks_once(feed):
        with suppress(OSError):
            get(feed, {"since_id": 1})

    history = run(scenario, asks_once, change=Change(sends_again=True))
    failed = [step.at for step in history if isinstance(step, Exchange) and step.status != 200]
    assert len(failed) == RETRIES_MAX + 1
    assert failed[1] - failed[0] == 1_000
    assert failed[2] - failed[1] == 2_000


def test_a_save_that_waits_is_seen_by_its_client_and_lost_with_it():
    seen = []

    def saves_twice(feed):
        seen.append(feed.checkpoint)
        feed.save(1)
        feed.save(2)
        seen.append(feed.checkpoint)

    scenario = world(polls=(poll(10, crash="after-save", nth=2), 120, 180, 240))
    history = run(scenario, saves_twice, change=Change(saves_last=True))
    assert seen == [None, None, 2, 2, 2, 2, 2]
    assert [step.checkpoint for step in history if isinstance(step, Saved)] == [2, 2, 2]


def test_no_change_changes_nothing():
    assert run(LATE, by_id, change=Change()) == run(LATE, by_id)
    assert changed_history(run(LATE, by_id), Change()) == run(LATE, by_id)


# What it never does


def test_nothing_is_said_where_nothing_helps():
    def drops(feed):
        get(feed, {"since_id": 1})

    assert tried(world([event(2, 1)]), drops) is None


@pytest.mark.parametrize("error", [HarnessError("ours"), ZeroDivisionError()])
def test_a_slip_of_ours_says_nothing(error):
    broken = judge(LATE, run(LATE, by_id))

    def fails(change):
        raise error

    assert with_tried(broken, fails) == broken


def test_ctrl_c_is_passed_on():
    def interrupted(change):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with_tried(judge(LATE, run(LATE, by_id)), interrupted)


def test_the_number_of_runs_is_bounded_and_no_change_is_tried_twice():
    def never_content(feed):
        for row in get(feed, {"created_at_min": "1970-01-01 00:00:05", "limit": 1}):
            feed.deliver({**row, "message": "another"})
        raise ValueError("no")

    runs = []
    assert tried(LATE, never_content, runs=runs) is None
    assert len(runs) == len(set(runs)) <= RUNS_MAX + 1


def test_a_run_that_was_cut_short_proves_nothing():
    broken = judge(LATE, run(LATE, by_id))
    cut = msgspec.structs.replace(broken, history=broken.history[:3], findings=())
    assert with_tried(broken, lambda change: cut).findings[0].tried is None


def test_a_search_says_what_it_tried_and_always_the_same():
    first, again = (verify(by_id, dialect="haravan", examples=50) for _ in range(2))
    assert first.findings[0].tried is not None
    assert first == again
    assert f"  Tried    {first.findings[0].tried.sentence}" in first.text(width=300)
    told = json.loads(first.to_json())["findings"][0]["tried"]
    assert told["changes"] == ["look-back", "drop-repeats"]
    assert told["amount_ms"] == first.findings[0].tried.amount_ms
