"""LATE: what counts as a delay, and all that is never charged."""

import pytest
from msgspec.structs import replace

from fakeserver.errors import UsageError
from fakeserver.fault import Fault
from fakeserver.history import Exchange
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify

from .worlds import by_id, event, get, poll, world

AT_ONCE = Promise(delay_ms_max=0)


def late(verdict):
    return [finding.event_ids for finding in verdict.findings if finding.rule == "LATE"]


def judged(scenario, client, promise=AT_ONCE):
    verdict = judge(scenario, run(scenario, client), promise)
    assert {finding.rule for finding in verdict.findings} <= {"LATE"}, verdict.text()
    return verdict


def a_poll_later(feed):
    """Deliver what the poll before read."""
    state = feed.checkpoint or {"since": 1, "waiting": []}
    for event_id in state["waiting"]:
        feed.deliver(event_id)
    since, waiting = state["since"], []
    while page := get(feed, {"since_id": since, "limit": feed.page_size}):
        waiting += [row["id"] for row in page]
        since = page[-1]["id"]
    feed.save({"since": since, "waiting": waiting})


def test_what_a_poll_reads_is_due_in_it():
    scenario = world([event(2, 1), event(3, 30)])
    assert late(judged(scenario, by_id)) == []
    assert late(judged(scenario, a_poll_later)) == [(2, 3)]


@pytest.mark.parametrize(("delay_ms", "found"), [(9_000, [(2,)]), (9_001, [])])
def test_due_to_the_millisecond(delay_ms, found):
    # Visible at 1 s; the first poll begins at 10 s.
    verdict = judged(world([event(2, 1)]), a_poll_later, Promise(delay_ms_max=delay_ms))
    assert late(verdict) == found


def test_a_slow_walk_is_not_charged():
    scenario = world(
        [event(number, 1) for number in range(2, 12)], polls=(10, 400, 500, 600), request=20
    )
    assert late(judged(scenario, by_id)) == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="server-error", status=503, times=None),
        Fault(kind="rate-limited", retry_after_s=30, times=None),
        Fault(kind="dropped-connection", times=None),
        Fault(kind="stale-read", ms=9_500, times=None),
        Fault(kind="slow-answer", ms=1_000, times=None),
    ],
    ids=lambda fault: fault.kind,
)
def test_a_poll_with_faults_is_no_chance(fault):
    class FromTheSecondOn:
        count = 0

        def poll(self, feed):
            self.count += 1
            if self.count > 1:
                by_id(feed)
            else:
                get(feed, {"since_id": 1, "limit": 10})

    scenario = world([event(2, 1)], polls=(poll(10, faults=[fault]), 120, 180, 240))
    assert late(judged(scenario, FromTheSecondOn)) == []
    assert late(judged(world([event(2, 1)]), FromTheSecondOn)) == [(2,)]


def test_a_poll_that_was_killed_is_no_chance():
    scenario = world([event(2, 1)], polls=(poll(10, crash="before-save"), 120, 180, 240))
    verdict = judged(scenario, a_poll_later)
    # Read again in the second poll, which was one.
    assert (late(verdict), verdict.findings[0].steps[0]) == ([(2,)], 6)
    assert late(judged(scenario, by_id)) == []


def test_sleeping_on_what_was_read_is_charged():
    def sleepy(feed):
        page = get(feed, {"since_id": feed.checkpoint or 1, "limit": 10})
        feed.sleep(30)
        for row in page:
            feed.deliver(row)
            feed.save(row["id"])

    scenario = world([event(2, 50)], polls=(10, 120, 300, 400))
    assert late(judged(scenario, sleepy, Promise(delay_ms_max=29_999))) == [(2,)]
    assert late(judged(scenario, sleepy, Promise(delay_ms_max=30_000))) == []
    limited = world([event(2, 50)], polls=(10, 120, 300, 400), rate_limit="bucket-80-4")
    assert late(judged(limited, sleepy, AT_ONCE)) == []


def test_a_pause_between_two_pages_is_polite():
    def polite(feed):
        since = feed.checkpoint or 1
        while page := get(feed, {"since_id": since, "limit": 1}):
            for row in page:
                feed.deliver(row)
            since = page[-1]["id"]
            feed.save(since)
            feed.sleep(20)

    scenario = world([event(number, 50) for number in range(2, 6)], polls=(10, 120, 300, 400))
    assert late(judged(scenario, polite)) == []
    assert late(judged(scenario, endless(lambda feed, _: polite(feed)))) == []


def endless(work):
    def client(feed):
        state = {}
        while True:
            work(feed, state)
            feed.sleep(10)

    return client


def test_an_endless_client_is_charged_for_its_sleeps():
    def at_once(feed, state):
        while page := get(feed, {"since_id": state.get("since", 1), "limit": 2}):
            for row in page:
                feed.deliver(row)
            state["since"] = page[-1]["id"]

    def seven_rounds_later(feed, state):
        page = get(feed, {"since_id": state.get("since", 1), "limit": 2})
        state["rounds"] = state.get("rounds", 0) + bool(page)
        if state["rounds"] == 7:
            for row in page:
                feed.deliver(row)
            state["since"], state["rounds"] = page[-1]["id"], 0

    scenario = world([event(2, 5)], polls=(10, 300, 360, 420))
    assert late(judged(scenario, endless(at_once))) == []
    assert late(judged(scenario, endless(seven_rounds_later))) == [(2,)]
    slow = judged(scenario, endless(seven_rounds_later), Promise(delay_ms_max=60_000))
    assert late(slow) == []


def test_what_was_never_delivered_is_lost_and_not_late():
    def drops_all(feed):
        get(feed, {"since_id": 1, "limit": 10})

    scenario = world([event(2, 1)])
    verdict = judge(scenario, run(scenario, drops_all), AT_ONCE)
    assert [finding.rule for finding in verdict.findings] == ["LOST"]


# Told apart


def test_sleeps_of_several_polls_are_added_up():
    """An endless client that reads in one poll, and delivers when it has slept through the next."""

    def sixth_round(feed, state):
        state["round"] = state.get("round", 0) + 1
        page = get(feed, {"since_id": 1})
        if state["round"] == 6:
            for row in page:
                feed.deliver(row)

    scenario = world([event(2, 5)], polls=(100, 130, 160, 400))
    verdict = judged(scenario, endless(sixth_round), Promise(delay_ms_max=49_999))
    (finding,) = verdict.findings
    assert finding.why == (
        "e1 (id 2) was visible from 00:00:05 on.",
        "Poll 2 began at 00:02:10, 2 min 5 s later, and read it; the client slept for 50 s before "
        "it delivered e1.",
        "e1 was delivered in poll 2, at 00:02:30.",
    )
    verdict = judged(scenario, endless(sixth_round), Promise(delay_ms_max=50_000))
    assert late(verdict) == []


def test_who_did_not_read_is_told_to():
    def only_from_the_second_on(feed):
        if feed.now().timestamp() > 60:
            by_id(feed)

    (finding,) = judged(world([event(2, 1)]), only_from_the_second_on).findings
    assert finding.why == (
        "e1 (id 2) was visible from 00:00:01 on.",
        "Poll 1 began at 00:00:10, 9 s later, and could read it, but ended without delivering it.",
        "e1 was delivered in poll 2, at 00:02:00.",
    )
    assert finding.would == (
        "Read in every poll whatever is visible by then, and deliver it before the poll ends."
    )


def test_who_slept_and_returned_without_delivering():
    def sleeps_on_it(feed):
        if feed.checkpoint is None:
            get(feed, {"since_id": 1})
            feed.sleep(20)
            feed.save(1)
        else:
            by_id(feed)

    (finding,) = judged(world([event(2, 1), event(3, 2)]), sleeps_on_it).findings
    assert finding.message == "2 events were delivered later than the promised delay of 0 s"
    assert finding.why[1] == (
        "Poll 1 began at 00:00:10, 9 s later, and read it, but ended without delivering it."
    )


def test_the_first_poll_is_always_a_call():
    """However the last one ended."""
    scenario = world([event(2, 1)])
    history = run(scenario, a_poll_later)
    asleep = (*history[:-1], replace(history[-1], ending="slept"))
    assert late(judge(scenario, asleep, AT_ONCE)) == [(2,)]


def test_an_old_answer_is_a_fault_by_whatever_name():
    def a_poll_late(feed):
        if feed.checkpoint is None:
            get(feed, {"since_id": 1})
            feed.save(1)
        else:
            by_id(feed)

    scenario = world([event(2, 1)])
    history = run(scenario, a_poll_late)
    assert late(judge(scenario, history, AT_ONCE)) == [(2,)]
    old = tuple(
        replace(step, as_of=step.at - 1)
        if isinstance(step, Exchange) and step.at < 60_000
        else step
        for step in history
    )
    assert late(judge(scenario, old, AT_ONCE)) == []


def test_the_proof():
    verdict = judged(world([event(2, 1)]), a_poll_later)
    (finding,) = verdict.findings
    assert finding.message == "1 event was delivered later than the promised delay of 0 s"
    assert " ".join(finding.why) == (
        "e1 (id 2) was visible from 00:00:01 on. Poll 1 began at 00:00:10, 9 s later, and read it, "
        "but ended without delivering it. e1 was delivered in poll 2, at 00:02:00."
    )
    assert "I6" in (finding.would or "")
    assert "delay up to 0 s" in verdict.text(width=200)


def test_an_order_and_a_short_delay_exclude_each_other():
    scenario = world([event(2, 1)], late=60)
    history = run(scenario, by_id)
    promise = Promise(order="recorded", delay_ms_max=59_999)
    with pytest.raises(UsageError, match="I6"):
        judge(scenario, history, promise)
    with pytest.raises(UsageError, match=r"late by up to 5 min.*\(I6\)"):
        verify(by_id, dialect="haravan", promise=promise)
    assert judge(scenario, history, Promise(order="recorded", delay_ms_max=60_000)).findings == ()


def test_the_longest_lateness_of_a_profile_decides():
    # Its worlds are late by up to five minutes, but for those where the switch has its default.
    promise = Promise(order="recorded", delay_ms_max=1_000)
    with pytest.raises(UsageError, match="late by up to 5 min"):
        verify(by_id, dialect="saleschannel", profile="adversarial", promise=promise)


@pytest.mark.parametrize("promise", [AT_ONCE, Promise(mode="snapshot")])
def test_in_an_open_world_nobody_hears_when(promise):
    scenario = world([event(2, 1)], polls=(), calm_from=0)
    with pytest.raises(UsageError, match="can't be judged in an open world"):
        judge(scenario, (), promise)
