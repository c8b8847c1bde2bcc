"""A slow judge, written from the definitions alone, agrees with the real one on mutated runs."""

from functools import lru_cache
from random import Random

import msgspec
import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.history import (
    Delivered,
    Killed,
    PollEnded,
    PollStarted,
    Restarted,
    Saved,
)
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run

REFERENCES = {name: find_dialect(name).reference_client for name in DIALECTS}
DOCUMENTS = {name: find_dialect(name).document_client for name in DIALECTS}


def slow_lost(scenario, history, promise):
    """Every event no later than promised must be delivered when the last poll has ended."""
    starts = [step for step in history if isinstance(step, PollStarted)]
    ends = [step for step in history if isinstance(step, PollEnded)]
    whole = len(starts) == len(ends) == len(scenario.polls)
    if not whole or ends[-1].ending not in ("returned", "raised", "slept"):
        return set()
    late = scenario.late_by_ms_max if promise.late_by_ms_max is None else promise.late_by_ms_max
    delivered = {step.event_id for step in history if isinstance(step, Delivered)}
    return {e.id for e in scenario.events if e.visible_at - e.recorded_at <= late} - delivered


def slow_duplicated(history, promise):
    """A repeat needs an excuse: a stop since the last delivery, with no save before that stop."""
    if promise.delivery == "at-least-once":
        return set()
    found = set()
    for again, step in enumerate(history):
        if not isinstance(step, Delivered):
            continue
        before = [
            place
            for place, other in enumerate(history[:again])
            if isinstance(other, Delivered) and other.event_id == step.event_id
        ]
        if before and (
            promise.delivery == "exactly-once" or not excused(history, before[-1], again)
        ):
            found.add(step.event_id)
    return found


def excused(history, before, again):
    for place in range(before, again):
        stop = history[place]
        if isinstance(stop, (Killed, Restarted)) or (
            isinstance(stop, PollEnded) and stop.ending == "raised"
        ):
            return not any(isinstance(step, Saved) for step in history[before:place])
    return False


def slow_invented(scenario, history):
    delivered = {step.event_id for step in history if isinstance(step, Delivered)}
    return delivered - {event.id for event in scenario.events}


@lru_cache
def real_runs():
    return [
        (scenario, run(scenario, client))
        for dialect in DIALECTS
        for example in range(25)
        for scenario in [generate_scenario(dialect=dialect, seed=8, example=example)]
        for client in (REFERENCES[dialect], DOCUMENTS[dialect])
    ]


INSERTED = {
    "invent": Delivered(at=0, event_id="nobody's"),
    "kill": Killed(at=0, point="before-save"),
    "restart": Restarted(at=0),
    "save": Saved(at=0, checkpoint=None),
}


def mutated(random, history):
    """Drop, repeat and move deliveries and saves; kill, restart and fail; at times cut short."""
    steps = list(history)
    first = 1
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        kinds = (Delivered, Saved)
        places = [place for place, step in enumerate(steps) if isinstance(step, kinds)]
        if not places:
            break
        place = random.choice(places)
        step, target = steps[place], random.randint(first, len(steps))
        how = random.choice(("drop", "repeat", "move", *INSERTED))
        if how in ("drop", "move"):
            del steps[place]
        if how != "drop":
            steps.insert(min(target, len(steps)), INSERTED.get(how, step))
    if random.random() < 0.2:
        ends = [place for place, step in enumerate(steps) if isinstance(step, PollEnded)]
        place = random.choice(ends)
        steps[place] = msgspec.structs.replace(steps[place], ending="raised", error="E: no")
    return steps[: random.randint(first, len(steps))] if random.random() < 0.1 else steps


@pytest.mark.parametrize("number", range(10))
def test_a_slow_judge_agrees(number):
    random = Random(number)
    seen = set()
    for scenario, history in real_runs():
        steps = tuple(mutated(random, history))
        promise = Promise(
            delivery=random.choice(("at-least-once", "effectively-once", "exactly-once")),
            late_by_ms_max=random.choice((None, 0, 5_000)),
        )
        found = {rule: set() for rule in ("LOST", "DUPLICATED", "INVENTED")}
        for finding in judge(scenario, steps, promise).findings:
            found.setdefault(finding.rule, set()).update(finding.event_ids)
        assert found["LOST"] == slow_lost(scenario, steps, promise)
        assert found["DUPLICATED"] == slow_duplicated(steps, promise)
        assert found["INVENTED"] == slow_invented(scenario, steps)
        seen.update(rule for rule, ids in found.items() if ids)
    assert seen >= {"LOST", "DUPLICATED", "INVENTED"}
