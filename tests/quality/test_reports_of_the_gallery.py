"""The verdict on every faulty client, in every form: valid, whole, and drawn as its cause says."""

import json
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from fakeserver.resources import contract_path
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.report.coverage.build import coverage_map
from tests.verdict.test_report_page import Reader

from .faulty_clients import FAULTY
from .power import searched

SCHEMA = json.loads(contract_path("verdict", "verdict.schema.json").read_text(encoding="utf-8"))
EXAMPLES = 60
TOUCHES = {
    "never-asked": lambda cells: not cells,
    "cut-by-limit": lambda cells: cells == {"cut"},
    "failed-not-retried": lambda cells: cells <= {"cut"},
    "served-not-delivered": lambda cells: "returned" in cells,
    "saved-before-delivered": lambda cells: "returned" in cells,
}
"""What the requests that got a whole answer are to a lost event, once it is visible."""


@pytest.mark.nightly
@pytest.mark.parametrize("faulty", FAULTY, ids=lambda faulty: f"{faulty.dialect}-{faulty.name}")
def test_every_form_of_a_verdict(faulty):
    verdict = searched(faulty, 0, examples=EXAMPLES)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(verdict.to_json()))
    assert ET.fromstring(verdict.to_junit()).tag == "testsuites"
    assert Reader(verdict.to_html()).ids
    text = verdict.text(width=80, with_map=True)
    assert "No map" not in text, "a shrunk world has room for a map"
    assert all(len(line) <= 80 for line in text.splitlines())
    if verdict.scenario is None or verdict.promise.mode == "snapshot":
        return
    evidence = Evidence(verdict.scenario, verdict.history, verdict.promise)
    coverage = coverage_map(evidence, verdict.findings)
    for finding in verdict.findings:
        if finding.rule == "LOST":
            place = next(
                n for n, lane in enumerate(coverage.lanes) if finding.event_ids[0] in lane.event_ids
            )
            later = coverage.columns[coverage.lanes[place].visible :]
            whole = [column for column in later if column.asks and column.answer == "whole"]
            cells = {column.cells[place] for column in whole} - {""}
            assert TOUCHES[finding.cause](cells), (finding.cause, cells)
