"""Open scenarios: a client that nobody here calls is judged by what it had the chance to read."""

import pytest
from msgspec.structs import replace

from fakeserver.errors import ScenarioError, UsageError
from fakeserver.history import AnyStep, Delivered, Exchange, PollEnded, PollStarted, Restarted
from fakeserver.scenario import Scenario
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from tests.verdict.worlds import event, ms, world


def opened(*events) -> Scenario:
    return world(events, polls=(), calm_from=0)


def poll(number: int, at: float, *steps: AnyStep, ended: bool = True) -> list[AnyStep]:
    """One poll of a history, as whoever watches the requests writes it down."""
    end = [PollEnded(at=ms(at), poll=number, ending="returned")] if ended else []
    return [PollStarted(at=ms(at), poll=number), *steps, *end]


def asked(at: float, since_id: int, *ids: int) -> Exchange:
    target = f"/com/events.json?since_id={since_id}&limit=2"
    return Exchange(at=ms(at), method="GET", target=target, status=200, event_ids=ids)


def delivered(at: float, *ids: int) -> list[Delivered]:
    return [Delivered(at=ms(at), event_id=event_id) for event_id in ids]


LATE = (event(1, 0, visible=20), event(2, 1))


def test_who_never_asked_again_is_accused():
    history = (
        *poll(1, 10, asked(10, 0, 2), *delivered(10, 2), asked(10, 2)),
        *poll(2, 30, asked(30, 2)),
    )
    verdict = judge(opened(*LATE), tuple(history))
    assert [(f.rule, f.cause, f.event_ids) for f in verdict.findings] == [
        ("LOST", "never-asked", (1,))
    ]


def test_who_looked_back_is_spared():
    history = (
        *poll(1, 10, asked(10, 0, 2), *delivered(10, 2), asked(10, 2)),
        *poll(2, 30, asked(30, 0, 1, 2), *delivered(30, 1)),
    )
    assert judge(opened(*LATE), tuple(history)).outcome == "kept"


@pytest.mark.parametrize("ended", [True, False])
def test_what_appeared_in_the_last_poll_is_not_owed_yet(ended):
    history = poll(1, 10, asked(10, 0, 2), *delivered(10, 2), asked(25, 2), ended=ended)
    verdict = judge(opened(*LATE), tuple(history))
    assert verdict.findings == ()


def test_a_poll_under_way_owes_nothing():
    history = poll(1, 30, asked(30, 0, 1, 2), ended=False)
    verdict = judge(opened(*LATE), tuple(history))
    assert (verdict.outcome, verdict.findings) == ("inconclusive", ())


def test_polls_still_count_up():
    history = (*poll(1, 10), *poll(3, 20))
    with pytest.raises(ScenarioError, match="starts poll 3, but poll 2 comes next"):
        judge(opened(*LATE), history)


def test_an_open_scenario_has_no_calm():
    with pytest.raises(ScenarioError, match="without polls there is no calm"):
        world(LATE, polls=(), calm_from=2)


def test_nobody_knows_when_to_call_a_client():
    with pytest.raises(UsageError, match="expected a scenario with polls, got an open one"):
        run(opened(*LATE), lambda feed: None)


def test_the_file_is_read_back():
    scenario = opened(*LATE)
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert scenario.is_open
    assert not world(LATE).is_open


def test_a_restart_and_a_failure_excuse_a_repeat_each():
    first = (asked(10, 0, 2), *delivered(10, 2))
    failed = Exchange(at=ms(30), method="GET", target="/com/events.json", status=503)
    history = (
        *poll(1, 10, *first),
        Restarted(at=ms(20)),
        *poll(2, 30, asked(30, 0, 2), *delivered(30, 2), replace(failed, fault="server-error")),
        *poll(3, 50, asked(50, 0, 2), *delivered(50, 2)),
    )
    assert judge(opened(event(2, 1)), history).findings == ()
    once_more = poll(4, 70, asked(70, 0, 2), *delivered(70, 2))
    verdict = judge(opened(event(2, 1)), (*history, *once_more))
    assert [(f.rule, f.event_ids) for f in verdict.findings] == [("DUPLICATED", (2,))]


# What a failed or old answer leaves in doubt

DOUBTFUL = "1 event not delivered: no whole poll could read it yet"
FIRST_POLL = poll(1, 10, asked(10, 0, 2), *delivered(10, 2), asked(10, 2))


def failed(at: float, since_id: int) -> Exchange:
    return replace(asked(at, since_id), status=503, fault="server-error")


def old(at: float, as_of: float, since_id: int, *ids: int) -> Exchange:
    return replace(asked(at, since_id, *ids), as_of=ms(as_of), fault="stale-read")


def paged(exchange: Exchange, page: int) -> Exchange:
    return replace(exchange, target=f"/com/events.json?page={page}&limit=2")


@pytest.mark.parametrize(
    "steps",
    [
        (failed(30, 0), asked(30, 2)),
        (asked(30, 0, 1, 2), failed(30, 0), asked(30, 2)),
        (old(30, 15, 0, 2), asked(30, 2)),
        (paged(failed(30, 0), 1), paged(asked(30, 0), 2)),
    ],
    ids=["failed", "failed-the-second-time", "old", "then-the-next-page"],
)
def test_what_a_bad_answer_was_for_is_in_doubt(steps):
    verdict = judge(opened(*LATE), (*FIRST_POLL, *poll(2, 30, *steps)))
    assert (verdict.findings, verdict.notes) == ((), (DOUBTFUL,))


@pytest.mark.parametrize(
    "steps",
    [
        (failed(30, 0), asked(30, 0, 1, 2), asked(30, 2)),
        (failed(30, 2), asked(30, 2)),
        (old(30, 25, 0, 1, 2), asked(30, 2)),
        (old(30, 15, 0, 2), asked(30, 0, 1, 2), asked(30, 2)),
        (paged(failed(30, 0), 2), paged(asked(30, 0, 2, 1), 1), asked(30, 2)),
    ],
    ids=["asked-again", "for-others", "old-but-whole", "old-then-new", "an-earlier-page"],
)
def test_a_bad_answer_excuses_nothing_else(steps):
    verdict = judge(opened(*LATE), (*FIRST_POLL, *poll(2, 30, *steps)))
    assert [(f.rule, f.event_ids) for f in verdict.findings] == [("LOST", (1,))]


def test_repeats_are_noted_in_an_open_world_too():
    history = poll(1, 10, asked(10, 0, 2), *delivered(10, 2, 2), asked(10, 2))
    verdict = judge(opened(event(2, 1)), tuple(history), Promise(delivery="at-least-once"))
    assert (verdict.findings, verdict.notes) == ((), ("1 repeat allowed by at-least-once",))


@pytest.mark.parametrize(("status", "is_excused"), [(200, False), (400, True)])
def test_a_refused_request_may_have_ended_a_poll(status, is_excused):
    refused = replace(asked(10, 2), status=status)
    again = poll(2, 30, asked(30, 0, 2), *delivered(30, 2), asked(30, 2))
    history = (*poll(1, 10, asked(10, 0, 2), *delivered(10, 2), refused), *again)
    rules = {finding.rule for finding in judge(opened(event(2, 1)), history).findings}
    assert ("DUPLICATED" not in rules) == is_excused
