"""Worlds for tests with Hypothesis: those of the generator, and small when they are shrunk."""

import sys
from collections.abc import Callable, Collection
from inspect import signature
from itertools import pairwise
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, settings

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import ProfileError, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.scenario import Scenario
from fakeserver.strategies import scenarios

FOUND = settings(
    max_examples=200,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
POLLS_LEAST = 4
"""A storm of one and a calm of three: no world has fewer."""


SEARCHES = 8
"""What Hypothesis begins with depends on the modules that are loaded, and one search in three for a
late event ends in a world that no single step makes smaller."""


def counted(scenario: Scenario) -> dict[str, int]:
    """What a world has that a simple one lacks."""
    return {
        "events": len(scenario.events),
        "polls": len(scenario.polls) - POLLS_LEAST,
        "faults": sum(len(poll.faults) for poll in scenario.polls),
        "crashes": sum(poll.crash is not None for poll in scenario.polls),
        "late_ms": sum(event.late_by_ms for event in scenario.events),
    }


def simple(**others: int) -> dict[str, int]:
    """Nothing but one event, and what is said."""
    return {"events": 1, "polls": 0, "faults": 0, "crashes": 0, "late_ms": 0} | others


def smallest(
    predicate: Callable[[Scenario], bool],
    expected: dict[str, int],
    *,
    dialect: str = "haravan",
    hazards: Collection[str] | None = None,
) -> dict[str, int]:
    """What the world has that Hypothesis shrinks to, in the first search that gets so far."""
    strategy = scenarios(dialect, hazards=hazards)
    found = {}
    for seed in range(SEARCHES):
        found = counted(find(strategy, predicate, settings=FOUND, random=Random(seed)))
        if found == expected:
            break
    return found


def test_it_shrinks_to_the_least_lateness() -> None:
    def is_late(world: Scenario) -> bool:
        return any(event.late_by_ms > 60_000 for event in world.events)

    expected = simple(late_ms=60_001)
    assert smallest(is_late, expected, hazards=["late-visible"]) == expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_shrinks_to_two_events_of_one_moment(dialect: str) -> None:
    def has_tie(world: Scenario) -> bool:
        return any(a.recorded_at == b.recorded_at for a, b in pairwise(world.events))

    expected = simple(events=2)
    assert smallest(has_tie, expected, dialect=dialect) == expected


def test_it_shrinks_to_one_fault() -> None:
    expected = simple(faults=1)
    assert smallest(lambda world: any(poll.faults for poll in world.polls), expected) == expected


def test_it_takes_what_the_generator_takes() -> None:
    words = set(signature(generate_scenario).parameters) - {"seed", "example"}
    assert set(signature(scenarios).parameters) == words


def test_a_profile_has_a_dialect_of_its_own() -> None:
    profile = find_dialect("saleschannel").profile("transactional")
    drawn = find(scenarios(profile=profile), lambda _: True, settings=FOUND)
    assert (drawn.dialect, drawn.profile) == ("saleschannel", "transactional")
    assert drawn.origin == "drawn by Hypothesis"


def test_what_does_not_fit_is_told_before_the_test() -> None:
    with pytest.raises(ProfileError, match="no dialect is called 'omni'"):
        scenarios("omni")
    with pytest.raises(UsageError, match="can't plant the hazards storm"):
        scenarios(hazards=["storm"])
    with pytest.raises(UsageError, match="belongs to 'saleschannel', not 'haravan'"):
        scenarios("haravan", find_dialect("saleschannel").profile("default"))


def test_without_hypothesis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(UsageError, match=r"pip install 'fakeserver\[hypothesis\]'"):
        scenarios()
