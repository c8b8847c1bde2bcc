"""Every event that a fake shows keeps the schema of its API, under every documented profile."""

import json

import pytest
from jsonschema import Draft202012Validator

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.resources import contract_path

WORLDS = 25


def validator(dialect: str) -> Draft202012Validator:
    """The published schema of one event, formats checked."""
    schema = json.loads(contract_path(dialect, "event.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("profile", ["default", "documented"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_event_keeps_the_schema(dialect: str, profile: str) -> None:
    """The innocent: what the fake renders, in many worlds."""
    check, faked, shown = validator(dialect), find_dialect(dialect), 0
    for example in range(WORLDS):
        scenario = generate_scenario(dialect=dialect, profile=profile, seed=1, example=example)
        settings = faked.settings(scenario.settings)
        for event in scenario.events:
            served = faked.render_event(event, settings)
            assert [error.message for error in check.iter_errors(served)] == []
            shown += 1
    assert shown > WORLDS


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("broken", [{"id": None}, {"id": ""}])
def test_a_broken_event_is_refused(dialect: str, broken: dict[str, object]) -> None:
    """The culprit: the same event with an id that no API shows."""
    scenario = next(
        world
        for example in range(WORLDS)
        if (world := generate_scenario(dialect=dialect, seed=1, example=example)).events
    )
    faked = find_dialect(dialect)
    served = faked.render_event(scenario.events[0], faked.settings(scenario.settings))
    assert list(validator(dialect).iter_errors(served | broken))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_reports_point_to_is_there(dialect: str) -> None:
    """A report names a heading of PROMISES.md; it must exist."""
    promises = contract_path(dialect, "PROMISES.md").read_text(encoding="utf-8")
    headings = {line[3:] for line in promises.splitlines() if line.startswith("## ")}
    assert headings >= {"late", "ties", "limit", "order", "appends", "times", "content"}
