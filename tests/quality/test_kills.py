"""Killed before and after every single step of a poll: no right client loses anything by it.

What a client does in a poll is counted in a run without a kill; then it is killed at the first
request, the second, and so on to the last save. So it is held to every crash there is in a world,
and not to those that a generator happens to draw.
"""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

import pytest
from msgspec.structs import replace

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.history import Delivered, Exchange, History, Killed, PollEnded, Saved
from fakeserver.scenario import Crash, CrashPoint, Scenario
from fakeserver.verifier.judge import judge
from fakeserver.verifier.runner import doorkeeper, run

from .right_clients import RIGHT, Right

POINTS: tuple[CrashPoint, ...] = get_args(CrashPoint)
COMMITS = ("before-commit", "after-commit")
WORLDS = 2
CHANCES = 200


def quiet_worlds(right: Right) -> Iterator[Scenario]:
    """Worlds with events to read in their first poll, and nothing that stops a client."""
    example, found = 0, 0
    while found < WORLDS:
        scenario = generate_scenario(
            dialect=right.dialect,
            profile=right.profiles[0],
            example=example,
            late_by_ms_max=right.late_by_ms_max[0],
            hazards=("tie-at-page-edge", "late-visible", "append-during-walk", "backlog"),
        )
        example += 1
        first = scenario.polls[0].starts_at
        if 3 <= sum(event.visible_at <= first for event in scenario.events) <= 7:
            found += 1
            yield scenario


def steps_of_the_poll(history: History, place: int) -> Counter[str]:
    """How many requests, deliveries and saves the poll at `place` has; commits count as saves."""
    polls: list[Counter[str]] = [Counter()]
    for step in history:
        for kind, name in ((Exchange, "request"), (Delivered, "deliver"), (Saved, "save")):
            polls[-1][name] += isinstance(step, kind)
        if isinstance(step, PollEnded):
            polls.append(Counter())
    return polls[place]


def killed_at(scenario: Scenario, place: int, crash: Crash) -> Scenario:
    """The same world with a crash in the poll at `place`."""
    polls = list(scenario.polls)
    polls[place] = replace(polls[place], crash=crash)
    return replace(scenario, polls=tuple(polls))


def kills(right: Right, scenario: Scenario) -> Iterator[tuple[CrashPoint, History, Scenario]]:
    """Run the client once for every step of its first stormy polls, killed before and after it."""
    with doorkeeper() as keeper:
        usual = run(scenario, right.client, keeper=keeper)
        for place in range(min(2, scenario.calm_from)):
            counts = steps_of_the_poll(usual, place)
            counts["commit"] = counts["save"]
            for point in POINTS:
                for nth in range(1, counts[point.partition("-")[2]] + 1):
                    world = killed_at(scenario, place, Crash(point=point, nth=nth))
                    yield point, run(world, right.client, keeper=keeper), world


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.file)
def test_a_right_client_is_spared_wherever_it_is_killed(right: Right) -> None:
    met: Counter[CrashPoint] = Counter()
    for scenario in quiet_worlds(right):
        for point, history, world in kills(right, scenario):
            killed = any(isinstance(step, Killed) for step in history)
            met[point] += killed
            # Who commits has no delivery to be killed at, and the others no commit.
            assert killed or point in COMMITS or "deliver" in point
            for promise in right.strongest_promises(right.profiles[0]):
                if promise.late_by_ms_max == right.late_by_ms_max[0]:
                    verdict = judge(world, history, promise)
                    assert verdict.findings == (), verdict.text()
    wanted = {"before-request", "after-request"}
    if right.mode == "incremental":  # a snapshot has nothing to save
        wanted |= {"before-save", "after-save"}
    assert wanted <= {point for point, count in met.items() if count}
    assert any(met[point] for point in ("before-deliver", "before-commit"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_drawn_worlds_kill_at_every_point_and_have_outages_and_backlogs(dialect: str) -> None:
    """All but the points of a commit: there the points of a save do the same."""
    client = find_dialect(dialect).reference_client
    killed: Counter[str] = Counter()
    met: Counter[str] = Counter()
    with doorkeeper() as keeper:
        for example in range(CHANCES):
            scenario = generate_scenario(dialect=dialect, example=example)
            verdict = judge(scenario, run(scenario, client, keeper=keeper))
            killed.update(s.point for s in verdict.history if isinstance(s, Killed))
            met.update(verdict.exercised)
    assert set(killed) == set(POINTS) - set(COMMITS)
    wanted = ("long-outage", "backlog", "crash-before-save", "crash-after-save")
    assert min(met[name] for name in wanted) >= CHANCES // 20, met
