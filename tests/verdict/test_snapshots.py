"""Snapshots: each poll owes what was visible at its start, once, and is judged by itself."""

import pytest

from fakeserver.fault import Fault
from fakeserver.history import Slept
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify

from .worlds import event, get, oldest_first, poll, world

SNAPSHOT = Promise(mode="snapshot")
TWO = (event(2, 1), event(3, 1))


def everything(feed):
    since = 1
    while page := get(feed, {"since_id": since, "limit": feed.page_size}):
        for row in page:
            feed.deliver(row)
        since = page[-1]["id"]


def accused(scenario, client, promise=SNAPSHOT):
    verdict = judge(scenario, run(scenario, client), promise)
    return [(finding.rule, finding.cause, finding.event_ids) for finding in verdict.findings]


def test_everything_in_every_poll():
    scenario = world([*TWO, event(4, 60)])
    verdict = judge(scenario, run(scenario, everything), SNAPSHOT)
    assert (verdict.outcome, verdict.findings, verdict.notes) == ("kept", (), ())
    # Three polls with two pages and an empty one, and a first one without the event 4.
    assert (verdict.requests.count, verdict.requests.lower_bound) == (11, 7)
    assert "snapshot" in verdict.text().splitlines()[0]


def test_what_was_too_late_for_others_is_owed_once_it_is_there():
    def forgets_the_late_one(feed):
        for row in get(feed, {"since_id": 1, "limit": 10}):
            if row["id"] != 2:
                feed.deliver(row)

    scenario = world([event(2, 1, visible=90), event(3, 1)], late=60)
    found = accused(scenario, forgets_the_late_one)
    assert found == [("LOST", "served-not-delivered", (2,))]


@pytest.mark.parametrize(
    "bad",
    [
        poll(10, faults=[Fault(kind="server-error", status=500)]),
        poll(10, faults=[Fault(kind="slow-answer", ms=1)]),
        poll(10, crash="after-deliver"),
    ],
    ids=["failed", "slow", "killed"],
)
def test_a_poll_that_was_disturbed_shows_no_snapshot(bad):
    class OnlyTheFirstIsWrong:
        polls = 0

        def poll(self, feed):
            OnlyTheFirstIsWrong.polls += 1
            if OnlyTheFirstIsWrong.polls > 1:
                everything(feed)
                return
            feed.deliver(3)
            feed.deliver(3)
            get(feed, {"since_id": 1, "limit": 1})

    scenario = world(TWO, polls=(bad, 120, 180, 240))
    assert accused(scenario, OnlyTheFirstIsWrong) == []
    OnlyTheFirstIsWrong.polls = 0
    healthy = world(TWO)
    assert {rule for rule, _, _ in accused(healthy, OnlyTheFirstIsWrong)} == {"LOST", "DUPLICATED"}


def test_what_appears_during_a_poll_may_be_there_or_not():
    def first_page_alone(feed):
        for row in get(feed, {"since_id": 1, "limit": 10}):
            feed.deliver(row)
        get(feed, {"since_id": 3, "limit": 10})

    scenario = world([*TWO, event(4, 1, visible=11)], request=2)
    assert accused(scenario, everything) == []
    assert accused(scenario, first_page_alone) == []


def test_each_poll_is_judged_by_its_own_requests():
    """The event is served in each poll but the second, which is the one that lacks it."""

    class Odd:
        count = 0

        def poll(self, feed):
            Odd.count += 1
            if Odd.count == 2:
                for row in get(feed, {"since_id": 2, "limit": 10}):
                    feed.deliver(row)
                return
            everything(feed)

    scenario = world(TWO)
    verdict = judge(scenario, run(scenario, Odd), SNAPSHOT)
    (finding,) = verdict.findings
    assert (finding.cause, finding.event_ids) == ("never-asked", (2,))
    assert finding.message == "1 of 2 events was missing from a snapshot"
    assert " ".join(finding.why) == (
        "e1 (id 2) was visible from 00:00:01 on, so it was there when poll 2 began, at 00:02:00. "
        "No request of the poll covered it: it asked for ids above 2, lowest first."
    )


def test_a_poll_that_asks_nothing_lacks_everything():
    assert accused(world(TWO), lambda feed: None) == [("LOST", "never-asked", (2, 3))]


def test_a_repeat_within_a_poll():
    def twice(feed):
        everything(feed)
        everything(feed)

    assert accused(world(TWO), twice) == [("DUPLICATED", None, (2, 3))]
    noted = judge(
        world(TWO), run(world(TWO), twice), Promise(delivery="at-least-once", mode="snapshot")
    )
    assert (noted.findings, noted.notes) == ((), ("8 repeats allowed by at-least-once",))


def test_an_endless_client_sleeps_between_its_walks():
    def endless(feed):
        while True:
            everything(feed)
            feed.sleep(25)

    scenario = world(TWO)
    assert accused(scenario, endless, Promise(mode="snapshot", delivery="exactly-once")) == []
    verdict = judge(scenario, run(scenario, endless), SNAPSHOT)
    assert verdict.outcome == "kept"


def test_an_endless_client_that_lacks_an_event_is_accused():
    def endless(feed):
        while True:
            for row in get(feed, {"since_id": 1, "limit": 1}):
                feed.deliver(row)
            feed.sleep(25)

    assert accused(world(TWO), endless) == [("LOST", "cut-by-limit", (3,))]


def test_a_walk_that_was_slept_into_is_none():
    def polite(feed):
        """Sleep a minute between two pages: the next poll is due in the middle of the walk."""
        since = 1
        while page := get(feed, {"since_id": since, "limit": 1}):
            for row in page:
                feed.deliver(row)
            since = page[-1]["id"]
            feed.sleep(61)

    assert accused(world(TWO, polls=(10, 70, 300, 600)), polite) == []


def test_who_shows_no_whole_snapshot_proves_nothing():
    def endless(feed):
        """Never asks twice for the same."""
        limit = 10
        while True:
            limit += 1
            for row in get(feed, {"since_id": 1, "limit": limit}):
                feed.deliver(row)
            feed.sleep(25)

    searched = verify(endless, dialect="haravan", promise=SNAPSHOT, examples=3)
    assert (searched.outcome, searched.exit_status) == ("inconclusive", 3)
    assert "no poll could be judged as a snapshot, so nothing was proved" in searched.notes
    verdict = judge(world(TWO), run(world(TWO), endless), SNAPSHOT)
    assert (verdict.outcome, verdict.findings) == ("inconclusive", ())
    assert verdict.notes == ("1 world without a poll that could be judged as a snapshot",)


def test_what_no_request_of_any_poll_is_for_is_noted():
    def orders(feed):
        for row in get(feed, {"since_id": 1, "filter": "Order"}):
            feed.deliver(row)

    scenario = world([event(2, 1, subject_type="Order"), event(3, 1)])
    verdict = judge(scenario, run(scenario, orders), SNAPSHOT)
    assert verdict.findings == ()
    assert verdict.notes == ("1 event outside the filters of every request, not counted",)


def test_a_repeat_on_the_next_page_of_one_walk():
    """Between two sleeps lies one walk, with all its requests."""

    def endless(feed):
        while True:
            for since_id in (1, 2, 1):
                for row in get(feed, {"since_id": since_id, "limit": 1}):
                    feed.deliver(row)
            feed.sleep(25)

    assert accused(world(TWO), endless) == [("DUPLICATED", None, (2,))]


def test_a_sleep_in_the_middle_of_a_call_parts_no_walks():
    def sleepy(feed):
        for _ in range(2):
            everything(feed)
            feed.sleep(1)

    history = run(world(TWO), sleepy)
    assert accused(world(TWO), sleepy) == [("DUPLICATED", None, (2, 3))]
    slept = max(place for place, step in enumerate(history) if isinstance(step, Slept))
    cut_short = judge(world(TWO), history[: slept + 1], SNAPSHOT)
    assert [finding.rule for finding in cut_short.findings] == ["DUPLICATED"]


def test_what_lies_behind_rows_that_nobody_can_read_is_owed():
    scenario = world([event("a", None, visible=1), event("b", 1)], dialect="saleschannel", late=0)
    assert accused(scenario, lambda feed: None) == [("LOST", "never-asked", ("b",))]


def test_only_requests_for_rows_are_told():
    def asks_on(feed):
        for target in ("events/count.json", "events.json?limit=x", "events.json?since_id=9"):
            try:
                feed.urllib_opener().open(feed.url(f"/com/{target}")).close()
            except OSError:
                continue

    scenario = world([event(2, 1)])
    history = run(scenario, asks_on)
    (finding,) = (f for f in judge(scenario, history, SNAPSHOT).findings if f.rule == "LOST")
    assert finding.why[1] == (
        "No request of the poll covered it: it asked for ids above 9, lowest first."
    )
    assert [history[step].target for step in finding.steps] == ["/com/events.json?since_id=9"]


def test_a_request_of_long_ago_is_dated():
    def from_tomorrow(feed):
        get(feed, oldest_first("1970-01-03T00:00:00.000Z", 10))

    scenario = world([event("a", 1)], dialect="saleschannel", late=0)
    (finding,) = judge(scenario, run(scenario, from_tomorrow), SNAPSHOT).findings
    assert finding.why[1] == (
        "No request of the poll covered it: it asked for createdAt from 1970-01-03 00:00:00, "
        "oldest first."
    )


def test_memory_is_no_hazard():
    scenario = world(
        [event(2, 1, visible=30), *(event(number, 2) for number in range(3, 9))],
        polls=(10, poll(20, restart=True), 4_000, 4_060, 4_120),
        calm_from=2,
    )

    class Whole:
        def poll(self, feed):
            everything(feed)

    history = run(scenario, Whole)
    memory = {"late-visible", "restart", "long-outage", "backlog"}
    assert memory & judge(scenario, history).exercised.keys()
    verdict = judge(scenario, history, SNAPSHOT)
    assert verdict.outcome == "kept"
    assert not memory & verdict.exercised.keys()


def test_what_appears_at_the_very_start_of_a_poll_is_owed_in_it():
    scenario = world([event(2, 1, visible=10)])
    (finding,) = judge(scenario, run(scenario, lambda feed: None), SNAPSHOT).findings
    assert "it was there when poll 1 began" in finding.why[0]


def test_what_appears_at_the_very_start_of_a_poll_has_its_place_in_the_order():
    def backwards_at_first(feed):
        rows = get(feed, {"since_id": 1, "limit": 10})
        for row in rows if feed.checkpoint else reversed(rows):
            feed.deliver(row)
        feed.save(1)

    promise = Promise(mode="snapshot", order="recorded")
    for visible, rules in ((10, ["OUT_OF_ORDER"]), (10.001, [])):
        scenario = world([event(2, 1, visible=visible), event(3, 2)], request=1)
        found = judge(scenario, run(scenario, backwards_at_first), promise).findings
        assert [finding.rule for finding in found] == rules
