"""Faults are drawn last, into the storm, and only where they may be."""

from collections import Counter
from math import prod

import pytest
from msgspec.structs import replace

from fakeserver.dialects import DIALECTS
from fakeserver.drawing import faults, plan
from fakeserver.drawing.faults import DRAWN, FAULT_ODDS
from fakeserver.fault import Fault
from fakeserver.generate import generate_scenario
from fakeserver.scenario import Scenario

WORLDS = 300
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def worlds(dialect: str, **options) -> list[Scenario]:
    return [generate_scenario(dialect=dialect, example=n, **options) for n in range(WORLDS)]


def planted(scenario: Scenario) -> list[Fault]:
    return [fault for poll in scenario.polls for fault in poll.faults]


def without_faults(scenario: Scenario) -> Scenario:
    polls = tuple(replace(poll, faults=()) for poll in scenario.polls)
    return replace(scenario, polls=polls)


@each_dialect
def test_each_kind_comes_about_as_often_as_its_odds_and_each_once_a_world(dialect):
    drawn = [Counter(fault.kind for fault in planted(world)) for world in worlds(dialect)]
    assert all(count == 1 for kinds in drawn for count in kinds.values())
    total = sum(drawn, Counter())
    assert set(total) == set(DRAWN)
    assert all(0.4 < total[kind] / (WORLDS * FAULT_ODDS[kind]) < 1.8 for kind in DRAWN), total
    spared = sum(not kinds for kinds in drawn)
    expected = prod(1 - odds for odds in FAULT_ODDS.values()) * WORLDS
    assert 0.6 * expected < spared < 1.6 * expected


@each_dialect
def test_the_calm_has_none(dialect):
    for world in worlds(dialect):
        assert not any(poll.faults for poll in world.polls[world.calm_from :])


@each_dialect
def test_a_world_is_the_same_with_and_without_them(dialect, monkeypatch):
    """So what was found in a world without faults is found there still."""
    with_them = worlds(dialect)
    monkeypatch.setattr(faults, "FAULT_ODDS", dict.fromkeys(DRAWN, 0.0))
    assert [without_faults(world) for world in with_them] == worlds(dialect)
    assert any(planted(world) for world in with_them)


@each_dialect
def test_only_those_that_a_world_may_have_are_drawn(dialect):
    chosen = ("truncated-body", "backlog")
    kinds = {f.kind for world in worlds(dialect, hazards=chosen) for f in planted(world)}
    assert kinds == {"truncated-body"}
    assert not any(planted(world) for world in worlds(dialect, hazards=plan.WORLD_ODDS))


def test_their_fields_differ():
    """What is always the same would show one mistake of many."""
    drawn = [fault for dialect in DIALECTS for w in worlds(dialect) for fault in planted(w)]
    errors = [fault for fault in drawn if fault.kind == "server-error"]
    assert {fault.status for fault in errors} == {500, 502, 503}
    assert {fault.retry_after_s for fault in errors if fault.status == 503} >= {None, 1.0, 5.0}
    assert {fault.retry_after_s for fault in errors if fault.status != 503} == {None}
    assert len({fault.retry_after_s for fault in drawn if fault.kind == "rate-limited"}) == 4
    assert len({fault.ms for fault in drawn if fault.kind == "slow-answer"}) == 5
    assert {fault.nth for fault in drawn} == {1, 2, 3}
    assert {fault.times for fault in drawn} == {1, 2, 3, None}
    assert min(fault.nth for fault in drawn if fault.kind == "token-expired") == 2


def test_what_is_there_already_stays():
    """The profile plans a 422 of its own."""
    found = [
        [fault.kind for fault in poll.faults]
        for world in worlds("haravan", profile="haravan-live-2026")
        for poll in world.polls
    ]
    both = [kinds for kinds in found if len(kinds) > 1 and "transient-422" in kinds]
    assert both
    assert all(kinds[0] == "transient-422" for kinds in both)
