"""The judge as a whole: pure, silent in doubt, and deaf to the histories of other scenarios."""

import json
from typing import Any

import msgspec
import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import ScenarioError, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.history import (
    Delivered,
    Exchange,
    PollStarted,
    to_lines,
)
from fakeserver.scenario import Scenario
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.theory import order_and_delay

from .worlds import by_id, by_key, event, get, poll, world

DOCUMENTS = {name: find_dialect(name).document_client for name in DIALECTS}


def accused(verdict):
    return [(finding.rule, finding.cause) for finding in verdict.findings]


# Purity


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("example", range(8))
def test_same_arguments_same_verdict_and_nothing_changes(dialect, example):
    scenario = generate_scenario(dialect=dialect, seed=3, example=example)
    history = run(scenario, DOCUMENTS[dialect])
    before = scenario.to_json(), to_lines(history)
    first, second = judge(scenario, history), judge(scenario, history)
    assert first == second
    assert first.to_json() == second.to_json()
    assert (scenario.to_json(), to_lines(history)) == before
    copy = Scenario.from_json(before[0])
    assert json.loads(judge(copy, history).to_json()) == json.loads(first.to_json())


def test_the_order_of_judging_does_not_matter():
    worlds = [generate_scenario(dialect="saleschannel", seed=4, example=n) for n in range(6)]
    runs = [(scenario, run(scenario, DOCUMENTS["saleschannel"])) for scenario in worlds]
    forwards = [judge(*pair) for pair in runs]
    assert [judge(*pair) for pair in reversed(runs)] == forwards[::-1]
    assert {verdict.outcome for verdict in forwards} > {"broken"}


def test_without_a_promise_the_default_one_counts():
    scenario = world([event(2, 1)])
    history = run(scenario, by_id)
    assert judge(scenario, history) == judge(scenario, history, Promise())


# Outcomes


def test_inconclusive_without_a_hazard():
    scenario = world([event(2, 1)], page_size=10)
    verdict = judge(scenario, run(scenario, by_id))
    assert (verdict.outcome, verdict.exercised, verdict.exit_status) == ("inconclusive", {}, 3)


def test_kept_with_a_hazard():
    scenario = world([event(2, 1), event(3, 1)])
    verdict = judge(scenario, run(scenario, by_id))
    assert (verdict.outcome, verdict.exit_status) == ("kept", 0)
    assert verdict.exercised["tie-group-over-limit"] == 1


def test_broken_even_without_a_hazard():
    def only_looks(feed):
        get(feed, {"since_id": 1})

    scenario = world([event(2, 1)], page_size=10)
    verdict = judge(scenario, run(scenario, only_looks))
    assert (verdict.outcome, verdict.exit_status) == ("broken", 1)
    assert accused(verdict) == [("LOST", "served-not-delivered")]


def test_a_run_that_was_cut_short_proves_nothing():
    scenario = world([event(2, 1), event(3, 1)])
    history = run(scenario, by_id)
    last = max(place for place, step in enumerate(history) if isinstance(step, PollStarted))
    assert judge(scenario, history[:last]).outcome == "inconclusive"
    assert judge(scenario, ()).outcome == "inconclusive"


def test_whatever_stopped_the_client_is_told_first():
    def endless(feed):
        while True:
            get(feed, {"since_id": 1, "limit": 2})

    scenario = world([event(2, 1), event(3, 2)])
    verdict = judge(scenario, run(scenario, endless))
    assert accused(verdict) == [("STUCK", None)]
    assert "e1 and e2" in " ".join(verdict.findings[0].why)


WEEK_MS = 7 * 86_400_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            {"delivery": "once"},
            "delivery: expected at-least-once or effectively-once or exactly-once, got 'once'",
        ),
        ({"order": "time"}, "order: expected none or recorded or id, got 'time'"),
        ({"mode": "deltas"}, "mode: expected incremental or snapshot, got 'deltas'"),
        ({"late_by_ms_max": -1}, "late_by_ms_max: expected 0 to 604800000 (a week), got -1"),
        (
            {"late_by_ms_max": WEEK_MS + 1},
            "late_by_ms_max: expected 0 to 604800000 (a week), got 604800001",
        ),
        ({"delay_ms_max": -1}, "delay_ms_max: expected 0 to 604800000 (a week), got -1"),
        (
            {"delay_ms_max": WEEK_MS + 1},
            "delay_ms_max: expected 0 to 604800000 (a week), got 604800001",
        ),
        ({"instances": 0}, "instances: expected 1 to 2, got 0"),
        ({"instances": 3}, "instances: expected 1 to 2, got 3"),
        (
            {"delay_ms_max": 0, "mode": "snapshot"},
            "delay_ms_max: a snapshot has no delay, for what is visible when a poll begins is owed "
            "in that poll; leave it out, or promise mode=incremental",
        ),
        *(
            (
                {"order": order, "late_by_ms_max": 2_000, "delay_ms_max": 1_999},
                f"order={order} and delay_ms_max=1999 exclude each other: "
                f"{order_and_delay(2_000, 1_999)}; allow a delay of 2 s or more, promise a shorter "
                "lateness, or no order",
            )
            for order in ("recorded", "id")
        ),
    ],
)
def test_what_is_not_judged_can_not_be_promised(words, says):
    with pytest.raises(UsageError) as refused:
        Promise(**words)
    assert str(refused.value) == says


@pytest.mark.parametrize(
    "words",
    [
        {"late_by_ms_max": WEEK_MS, "delay_ms_max": WEEK_MS, "order": "id"},
        {"late_by_ms_max": 0, "delay_ms_max": 0, "order": "recorded"},
        {"late_by_ms_max": WEEK_MS, "delay_ms_max": 0},
        {"mode": "snapshot", "order": "recorded", "late_by_ms_max": 1},
        {"instances": 2},
    ],
)
def test_what_can_just_be_promised(words):
    promise = Promise(**words)
    assert {name: getattr(promise, name) for name in words} == words


def test_a_world_of_two_instances_takes_a_promise_of_two():
    one, two = (world([event(2, 1)], polls=(10, poll(20, instance=n), 120, 180)) for n in (1, 2))
    assert judge(one, run(one, by_id)).findings == ()
    with pytest.raises(UsageError) as refused:
        judge(two, run(two, by_id))
    assert str(refused.value) == (
        "instances: the world has polls of 2 instances of the client, and the promise is of 1; "
        "promise instances=2 (--instances 2), or take another world"
    )
    for scenario in (one, two):
        assert judge(scenario, run(scenario, by_id), Promise(instances=2)).findings == ()


def test_a_repeat_by_another_instance_is_told_as_one():
    class Remembers:
        since = 1

        def poll(self, feed):
            for row in get(feed, {"since_id": self.since}):
                feed.deliver(row)
                self.since = row["id"]

    scenario = world([event(2, 1)], polls=(10, poll(20, instance=2), 120, 180))
    (finding,) = judge(scenario, run(scenario, Remembers), Promise(instances=2)).findings
    assert finding.rule == "DUPLICATED"
    assert finding.why[-1] == (
        "Instance 1 delivered it in poll 1 and had saved nothing when instance 2 delivered it in "
        "poll 2."
    )
    assert finding.allowed == ("Two instances may take turns over one checkpoint (--instances 2).")


@pytest.mark.parametrize(
    ("words", "name"),
    [({"mode": "snapshot"}, "mode=snapshot"), ({"delay_ms_max": 0}, "delay_ms_max")],
)
def test_what_nobody_can_judge_in_an_open_world(words, name):
    opened = world([event(2, 1)], polls=(), calm_from=0)
    assert judge(opened, (), Promise(order="id")).findings == ()
    with pytest.raises(UsageError) as refused:
        judge(opened, (), Promise(**words))
    assert str(refused.value) == (
        f"{name} can't be judged in an open world, where nobody hears when the client delivers, "
        "and in which poll; leave it out, or run the client with 'fakeserver verify'"
    )


def test_every_owed_event_is_visible_when_the_calm_begins():
    # So a complete run never owes an event that appeared during its last poll.
    with pytest.raises(ScenarioError, match="becomes visible only at"):
        world([event(2, 121)])
    assert world([event(2, 120)]).calm_at == 120_000


# Histories of other scenarios


def a_run() -> tuple[Scenario, list[Any]]:
    scenario = world([event(2, 1), event(3, 2, visible=20)])
    return scenario, list(run(scenario, by_id))


def place_of(history, kind, number=0):
    return [place for place, step in enumerate(history) if isinstance(step, kind)][number]


def test_a_history_with_more_polls_is_refused():
    scenario, history = a_run()
    shorter = msgspec.structs.replace(scenario, polls=scenario.polls[1:], calm_from=0)
    with pytest.raises(ScenarioError, match="starts poll 4 of 3"):
        judge(shorter, [msgspec.structs.replace(s, at=s.at + 10**9) for s in history])


def test_a_history_that_leaves_out_a_poll_is_refused():
    scenario, history = a_run()
    second, third = (place_of(history, PollStarted, number) for number in (1, 2))
    with pytest.raises(ScenarioError, match="starts poll 3, but poll 2 comes next"):
        judge(scenario, (*history[:second], *history[third:]))


def test_a_history_that_plays_a_poll_twice_is_refused():
    scenario, history = a_run()
    with pytest.raises(ScenarioError, match="starts poll 1, but poll 5 comes next"):
        judge(scenario, (*history, *history))


def test_a_history_whose_polls_start_too_early_is_refused():
    scenario, history = a_run()
    later = msgspec.structs.replace(
        scenario,
        polls=tuple(msgspec.structs.replace(p, starts_at=p.starts_at + 1) for p in scenario.polls),
    )
    with pytest.raises(ScenarioError, match="step 1 starts poll 1 before its time"):
        judge(later, history)


def test_a_history_with_unknown_events_is_refused():
    scenario, history = a_run()
    fewer = msgspec.structs.replace(scenario, events=scenario.events[1:])
    with pytest.raises(ScenarioError, match="serves the event 2, which the scenario does not have"):
        judge(fewer, history)


def test_a_history_that_serves_an_event_before_it_is_visible_is_refused():
    scenario, history = a_run()
    hidden = msgspec.structs.replace(
        scenario, events=(event(2, 1, visible=11), *scenario.events[1:])
    )
    with pytest.raises(ScenarioError, match="serves the event 2 before it is visible"):
        judge(hidden, history)


@pytest.mark.parametrize("kind", [Exchange, Delivered])
def test_a_history_that_begins_in_a_poll_is_refused(kind):
    scenario, history = a_run()
    with pytest.raises(ScenarioError, match="step 1 comes before any poll"):
        judge(scenario, history[place_of(history, kind) :])


def test_a_refusal_says_what_to_do():
    scenario, history = a_run()
    with pytest.raises(ScenarioError, match=r"not of this scenario.*judge each history with the"):
        judge(scenario, history[1:])


def test_an_old_answer_withholds_what_has_no_stamp():
    """Its lateness counts from when it was visible, until after the answer that lacked it."""
    scenario = world(
        [event("a", 1), event("b", None, visible=10)],
        dialect="saleschannel",
        polls=(5, 100, 120, 180, 240),
        calm_from=2,
        null_created_at=True,
    )
    history = run(scenario, by_key)
    place = place_of(history, Exchange, -1)
    old = msgspec.structs.replace(history[place], as_of=9_999, fault="stale-read")
    history = (*history[:place], old, *history[place + 1 :])
    late_by_ms = old.at + 1 - 10_000
    for late_by_ms_max, count in ((late_by_ms, None), (late_by_ms - 1, 1)):
        verdict = judge(scenario, history, Promise(late_by_ms_max=late_by_ms_max))
        assert verdict.counted.get("too-late") == count


# A client's own way with ids and fields


def test_an_id_as_text_is_the_same_id():
    def as_text(feed):
        for row in get(feed, {"since_id": feed.checkpoint or 1, "limit": 10}):
            feed.deliver({**row, "id": str(row["id"]), "seen_at": "now"})
            feed.save(row["id"])

    scenario = world([event(2, 1), event(3, 1)])
    verdict = judge(scenario, run(scenario, as_text), Promise(order="id"))
    assert accused(verdict) == []


def test_ids_as_text_are_ordered_as_numbers():
    scenario = world(
        [event(name, at) for name, at in (("9", 1), ("10", 2), ("b", 3), ("c7", 4))],
        dialect="saleschannel",
        page_size=10,
        late=0,
    )
    in_order = run(scenario, by_key)
    assert accused(judge(scenario, in_order, Promise(order="id"))) == []
    places = [place for place, step in enumerate(in_order) if isinstance(step, Delivered)]
    swapped = list(in_order)
    swapped[places[0]], swapped[places[1]] = swapped[places[1]], swapped[places[0]]
    verdict = judge(scenario, swapped, Promise(order="id"))
    assert accused(verdict) == [("OUT_OF_ORDER", None)]
    assert verdict.findings[0].event_ids == ("9", "10")
    assert "with id 9, came after e2, with id 10" in " ".join(verdict.findings[0].why)
