"""The JSON of a verdict keeps its schema, and the schema lets no misspelt name through."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from fakeserver import history
from fakeserver.fault import Fault
from fakeserver.history import load_history
from fakeserver.resources import contract_path
from fakeserver.scenario import Crash, LoggedEvent, Poll, Scenario
from fakeserver.verifier.causes import CAUSES
from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.hazards import HAZARDS
from fakeserver.verifier.judge import judge
from fakeserver.verifier.margins.measure import measure_margins
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.report.as_json import FORMAT
from fakeserver.verifier.search import verify
from fakeserver.verifier.verdict import (
    BrokenWorld,
    Finding,
    Impossible,
    Margin,
    MarginAxis,
    Outcome,
    RuleName,
    Searched,
    Tried,
    Verdict,
)

from .worlds import by_id

HISTORIES = Path(__file__).parents[2] / "fixtures" / "histories"
NAMES = sorted(p.name.removesuffix(".expected.json") for p in HISTORIES.glob("*.expected.json"))
SCHEMA = json.loads(contract_path("verdict", "verdict.schema.json").read_text(encoding="utf-8"))
DEFS = SCHEMA["$defs"]
OPEN = {"fields", "checkpoint", "event", "settings", "exercised"}
"""What holds names that are not ours: those of an API, of a client, of switches and hazards."""


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


def verdicts(name: str) -> Iterator[Verdict]:
    scenario = Scenario.load(HISTORIES / f"{name}.scenario.json")
    steps = load_history(HISTORIES / f"{name}.history.jsonl")
    expected = json.loads((HISTORIES / f"{name}.expected.json").read_text(encoding="utf-8"))
    promises = [msgspec.convert(one["promise"], Promise) for one in expected["verdicts"]]
    for promise in [*promises, Promise(delivery="exactly-once", order="recorded")]:
        yield judge(scenario, steps, promise)


@pytest.fixture(scope="module")
def reports() -> list[dict[str, Any]]:
    """What the judge says of every world drawn by hand, under each promise that it has."""
    return [json.loads(verdict.to_json()) for name in NAMES for verdict in verdicts(name)]


def test_every_verdict_keeps_the_schema(validator, reports):
    for report in reports:
        validator.validate(report)


def test_the_verdicts_are_of_every_kind(reports):
    """Else the test above would prove less than it says."""
    findings = [finding for report in reports for finding in report["findings"]]
    assert {report["outcome"] for report in reports} == set(get_args(Outcome))
    assert {finding["rule"] for finding in findings} == set(get_args(RuleName))
    causes = {finding["cause"] for finding in findings if finding["rule"] == "LOST"}
    assert causes == CAUSES.keys() - {"unobservable"}
    steps = {step["step"] for report in reports for step in report["history"]}
    assert steps == {tag_of(step) for step in STEPS}


def test_a_verdict_of_a_search_keeps_the_schema(validator):
    kept = verify(by_id, dialect="haravan", promise=Promise(late_by_ms_max=0), examples=20)
    broken = verify(by_id, dialect="haravan", examples=20)
    found = [json.loads(verdict.to_json()) for verdict in (kept, broken)]
    assert [report["outcome"] for report in found] == ["kept", "broken"]
    assert found[1]["findings"][0]["tried"]["changes"]
    for report in found:
        validator.validate(report)


def test_margins_keep_the_schema(validator):
    promise = Promise(late_by_ms_max=0)
    margins = measure_margins(
        by_id,
        dialect="haravan",
        promise=promise,
        go_on=lambda axis, _runs: axis == "late_by_ms",
    )
    assert margins[0].fails_at
    verdict = Verdict(
        outcome="kept", dialect="haravan", profile="default", promise=promise, margins=margins
    )
    report = json.loads(verdict.to_json())
    assert set(report["margins"]) == set(get_args(MarginAxis))
    validator.validate(report)


# A closed schema


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every name in a JSON value that is one of ours."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*way, name)
            if name not in OPEN:
                yield from places(inner, (*way, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*way, number))


def misspelt(report: dict[str, Any], way: tuple[Any, ...]) -> dict[str, Any]:
    copy = json.loads(json.dumps(report))
    inside = copy
    for name in way[:-1]:
        inside = inside[name]
    inside[f"{way[-1]}_"] = inside.pop(way[-1])
    return copy


@pytest.mark.parametrize(
    "name", ["haravan-lost-after-a-503", "haravan-repeat-of-unsaved-killed", "haravan-invented"]
)
def test_a_misspelt_name_is_found(validator, name):
    report = json.loads(next(verdicts(name)).to_json())
    validator.validate(report)
    ways = list(places(report))
    assert len(ways) > 80
    for way in ways:
        assert not validator.is_valid(misspelt(report, way)), way


def test_an_accusation_needs_a_broken_verdict(validator):
    report = json.loads(next(verdicts("haravan-invented")).to_json())
    assert not validator.is_valid({**report, "outcome": "kept"})
    assert not validator.is_valid({**report, "findings": []})


# The schema and the structs say the same

STEPS = get_args(history.AnyStep)


def tag_of(step: type[msgspec.Struct]) -> Any:
    return step.__struct_config__.tag


def names(struct: type[msgspec.Struct]) -> set[str]:
    return set(struct.__struct_fields__)


def properties(schema: dict[str, Any]) -> set[str]:
    assert schema["additionalProperties"] is False
    return set(schema["properties"])


@pytest.mark.parametrize(
    ("definition", "struct", "left_out"),
    [
        ("finding", Finding, set()),
        ("tried", Tried, set()),
        ("impossible", Impossible, set()),
        ("promise", Promise, set()),
        ("margin", Margin, {"axis", "scenario"}),
        ("scenario", Scenario, set()),
        ("event", LoggedEvent, set()),
        ("poll", Poll, set()),
        ("fault", Fault, set()),
        ("broken_world", BrokenWorld, set()),
    ],
)
def test_the_schema_has_the_fields_that_are_written(definition, struct, left_out):
    assert properties(DEFS[definition]) == names(struct) - left_out


def test_the_schema_has_what_is_written_of_a_search():
    beside = {"client", "found_at", "shrunk_from"}
    assert properties(DEFS["search"]) == names(Searched) | beside


def test_the_schema_knows_every_step():
    known = {step["properties"]["step"]["const"]: step for step in DEFS["step"]["oneOf"]}
    assert known.keys() == {tag_of(step) for step in STEPS}
    for step in STEPS:
        assert properties(known[tag_of(step)]) == names(step) | {"step"}


def test_the_schema_knows_every_name():
    assert DEFS["rule"]["enum"] == list(get_args(RuleName))
    assert set(DEFS["hazard"]["enum"]) == set(HAZARDS)
    assert set(SCHEMA["properties"]["outcome"]["enum"]) == set(get_args(Outcome))
    assert set(SCHEMA["properties"]["margins"]["properties"]) == set(get_args(MarginAxis))
    assert properties(DEFS["poll"]["properties"]["crash"]) == names(Crash)
    pattern = DEFS["finding"]["properties"]["fault_class"]["pattern"]
    for name in FAULT_CLASSES:
        jsonschema.validate(name, {"pattern": pattern})


def test_the_version_is_the_one_that_is_written(reports):
    assert SCHEMA["$id"] == f"urn:fakeserver:verdict:{FORMAT}"
    assert SCHEMA["properties"]["format"]["const"] == FORMAT
    assert {report["format"] for report in reports} == {FORMAT}
