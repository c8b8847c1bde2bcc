"""Worlds drawn by hand: each verdict is written down as data, and the judge must arrive at it.

``fixtures/histories/README.md`` says what lies there. No verdict in it was taken from the judge.
"""

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.base import TOKEN, Ask
from fakeserver.history import Exchange, load_history
from fakeserver.log import EventLog
from fakeserver.scenario import Scenario
from fakeserver.verifier.causes import CAUSES, explain_loss
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import is_failure
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.rules import RULES

FOLDER = Path(__file__).parents[2] / "fixtures" / "histories"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in FOLDER.glob("*.expected.json"))
NOT_IN_THE_TARGET = ("no-token", "no-role")
"""Refusals for what a header holds: a history keeps none."""


class Finding(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    rule: str
    cause: str | None
    fault_class: str | None = None
    event_ids: list[int | str]
    steps: list[int]


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    """The verdict on one promise."""

    promise: Promise
    outcome: str
    findings: list[Finding]
    notes: list[str]


class Drawing(msgspec.Struct, forbid_unknown_fields=True):
    """What is known of one world: its verdicts, and which accusations it only seems to deserve."""

    about: str
    spares: list[str]
    unobservable: list[int | str]
    exercised: list[str]
    verdicts: list[Expected]


def load(name):
    scenario = Scenario.load(FOLDER / f"{name}.scenario.json")
    history = load_history(FOLDER / f"{name}.history.jsonl")
    text = (FOLDER / f"{name}.expected.json").read_bytes()
    return scenario, history, msgspec.json.decode(text, type=Drawing)


@pytest.fixture(params=NAMES)
def drawn(request):
    return load(request.param)


def test_the_verdict_is_the_one_that_was_drawn(drawn):
    scenario, history, drawing = drawn
    for expected in drawing.verdicts:
        verdict = judge(scenario, history, expected.promise)
        found = Expected(
            promise=verdict.promise,
            outcome=verdict.outcome,
            findings=[
                Finding(
                    rule=finding.rule,
                    cause=finding.cause,
                    fault_class=finding.fault_class,
                    event_ids=list(finding.event_ids),
                    steps=list(finding.steps),
                )
                for finding in verdict.findings
            ],
            notes=list(verdict.notes),
        )
        assert found == expected
        assert sorted(verdict.exercised) == sorted(drawing.exercised)


def test_every_finding_argues(drawn):
    scenario, history, drawing = drawn
    for expected in drawing.verdicts:
        for finding in judge(scenario, history, expected.promise).findings:
            assert finding.message
            assert finding.why
            assert finding.would or finding.cause == "never-asked"
            assert all(sentence.endswith(".") for sentence in finding.why)


def test_the_unobservable_events_are_those_that_were_drawn(drawn):
    scenario, history, drawing = drawn
    evidence = Evidence(scenario, history, drawing.verdicts[0].promise)
    missing = [event for event in evidence.owed() if event.id not in evidence.first_delivery]
    losses = [explain_loss(evidence, event) for event in missing]
    found = [loss.event.id for loss in losses if loss.cause == "unobservable"]
    assert found == drawing.unobservable


def test_the_drawn_answers_are_those_of_the_fake(drawn):
    scenario, history, _ = drawn
    dialect = find_dialect(scenario.dialect)
    settings = dialect.settings(scenario.settings)
    for step in history:
        if not isinstance(step, Exchange) or (step.problem or "").startswith(NOT_IN_THE_TARGET):
            continue
        path, _, query = step.target.partition("?")
        ask = Ask(path=path, query=query, headers={"authorization": f"Bearer {TOKEN}"})
        as_of = step.at if step.as_of is None else step.as_of
        answer = dialect.answer(ask, EventLog(scenario.events), as_of, settings)
        if is_failure(step):
            assert step.event_ids == ()
            continue
        assert answer.status == step.status
        assert (answer.problem or "").partition(":")[0] == (step.problem or "").partition(":")[0]
        stamps = {event.id: event.recorded_at for event in scenario.events}
        if settings.get("ties") == "shuffled":
            assert [stamps[i] for i in answer.event_ids] == [stamps[i] for i in step.event_ids]
        else:
            assert answer.event_ids == step.event_ids


def test_every_rule_has_a_culprit_and_an_innocent():
    culprits, innocents = Counter(), Counter()
    for name in NAMES:
        _, _, drawing = load(name)
        for expected in drawing.verdicts:
            for finding in expected.findings:
                culprits[finding.rule] += 1
                if finding.rule == "LOST":
                    culprits[f"LOST {finding.cause}"] += 1
        culprits["LOST unobservable"] += bool(drawing.unobservable)
        innocents.update(drawing.spares)
    wanted = {*RULES, *(f"LOST {cause}" for cause in CAUSES)}
    assert wanted - set(culprits) == set()
    assert wanted - set(innocents) == set()
    assert set(innocents) <= wanted


def test_an_innocent_is_not_accused_of_what_it_is_spared(drawn):
    scenario, history, drawing = drawn
    first = drawing.verdicts[0]
    accused = {
        text
        for finding in judge(scenario, history, first.promise).findings
        for text in (finding.rule, f"{finding.rule} {finding.cause}")
    }
    assert accused.isdisjoint(drawing.spares)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_has_culprits_and_innocents(dialect):
    drawings = [load(name)[2] for name in NAMES if name.startswith(f"{dialect}-")]
    assert sum(any(v.findings for v in drawing.verdicts) for drawing in drawings) >= 10
    assert sum(bool(drawing.spares) for drawing in drawings) >= 8


def test_every_file_belongs_to_a_world():
    endings = ("scenario.json", "history.jsonl", "expected.json")
    files = {f"{name}.{ending}" for name in NAMES for ending in endings}
    assert {path.name for path in FOLDER.iterdir()} == files | {"README.md"}
    assert len(NAMES) >= 60


def test_what_is_drawn_says_the_same_in_both_files():
    for name in NAMES:
        scenario, _, drawing = load(name)
        assert scenario.origin == drawing.about
        assert scenario.dialect == name.partition("-")[0]
        assert json.loads((FOLDER / f"{name}.expected.json").read_text(encoding="utf-8"))
