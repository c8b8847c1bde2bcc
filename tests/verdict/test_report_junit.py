"""The JUnit XML of a verdict: what CI servers read, and nothing that XML can't hold."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from fakeserver.dialects.base import TOKEN
from fakeserver.history import load_history
from fakeserver.scenario import Scenario
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify
from fakeserver.verifier.verdict import Finding, Verdict

from .worlds import by_id, event, get, world

HISTORIES = Path(__file__).parents[2] / "fixtures" / "histories"
NAMES = sorted(p.name.removesuffix(".expected.json") for p in HISTORIES.glob("*.expected.json"))
SHAPE = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time"},
        {"properties", "testcase", "system-out"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"classname", "name", "time"}, {"failure", "error"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "system-out": (set(), set()),
}
"""Attributes and children of each element, all of them in what the common readers share."""
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def judged(name, promise=None):
    scenario = Scenario.load(HISTORIES / f"{name}.scenario.json")
    return judge(scenario, load_history(HISTORIES / f"{name}.history.jsonl"), promise)


def read(verdict):
    """Parse the XML and hold it against the shape."""
    root = ET.fromstring(verdict.to_junit())
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = SHAPE[element.tag]
        assert set(element.attrib) == attributes
        assert {child.tag for child in element} <= children
    suite = root.find("testsuite")
    cases = suite.findall("testcase")
    counts = {"tests": len(cases)}
    counts["failures"] = len(suite.findall("testcase/failure"))
    counts["errors"] = len(suite.findall("testcase/error"))
    for counted in (root, suite):
        assert {name: int(counted.get(name)) for name in counts} == counts
    assert len({case.get("name") for case in cases}) == len(cases), "a server tells them by name"
    return suite


@pytest.mark.parametrize("name", NAMES)
def test_every_verdict_has_the_shape(name):
    verdict = judged(name, Promise(delivery="exactly-once", order="recorded"))
    suite = read(verdict)
    assert len(suite.findall("testcase/failure")) == len(verdict.findings)
    assert len(suite.findall("testcase/error")) == (verdict.outcome == "inconclusive")


def test_kept_passes():
    verdict = verify(by_id, dialect="haravan", promise=Promise(late_by_ms_max=0), examples=5)
    suite = read(msgspec.structs.replace(verdict, outcome="kept", client="a.py:follow"))
    (case,) = suite.findall("testcase")
    assert case.get("name") == "a.py:follow keeps its promise (effectively-once, late by up to 0 s)"
    assert case.get("classname") == "fakeserver.haravan.default"
    assert list(case) == []
    assert suite.find("system-out").text.startswith("KEPT  the promise held in 5 worlds")


def test_broken_fails_with_the_report():
    verdict = judged("haravan-lost-and-repeated")
    first, second = read(verdict).findall("testcase")
    failure = first.find("failure")
    assert failure.get("type") == "LOST cut-by-limit"
    assert failure.get("message").startswith("LOST  1 of ")
    assert failure.text == verdict.text()
    assert second.find("failure").get("type") == "DUPLICATED"
    assert second.find("failure").text.startswith(verdict.findings[1].why[0])


def test_inconclusive_is_an_error():
    suite = read(judged("haravan-nothing-exercised"))
    error = suite.find("testcase/error")
    assert error.get("type") == "INCONCLUSIVE"
    assert error.get("message") == "nothing was proved"


def test_the_name_of_a_case_does_not_hang_on_the_seed():
    verdict = judged("haravan-lost-never-asked")
    names = {
        read(msgspec.structs.replace(verdict, seed=seed, found_at=seed))
        .find("testcase")
        .get("name")
        for seed in (1, 2)
    }
    assert len(names) == 1


NASTY = "\x00\x1b[2J]]>\ud800\ufffe\u202e<failure>&amp;\r\n\tend"


def test_what_xml_can_not_hold_is_written_out():
    def nasty(feed):
        feed.deliver(NASTY)
        for row in get(feed, {"since_id": 1}):
            feed.deliver({**row, "message": NASTY.replace("\ud800", "")})
        raise ValueError(NASTY + TOKEN)

    scenario = world([event(2, 1)])
    verdict = judge(scenario, run(scenario, nasty))
    rules = [finding.rule for finding in verdict.findings]
    assert {"CRASHED", "INVENTED", "ALTERED"} <= set(rules)
    for first in verdict.findings:
        others = [finding for finding in verdict.findings if finding != first]
        one = msgspec.structs.replace(verdict, findings=(first, *others), client=NASTY)
        text = one.to_junit().decode("utf-8")
        assert not NOT_XML.search(text)
        assert TOKEN not in text
        suite = read(one)
        assert "\\x1b" in suite.get("name")
        assert suite.find("testcase/failure").get("type").startswith(first.rule)


def test_accusations_alike_are_cases_of_their_own():
    finding = Finding(rule="CRASHED", message="a")
    verdict = Verdict(
        outcome="broken",
        dialect="haravan",
        profile="p",
        promise=Promise(),
        findings=(finding, finding, finding),
    )
    names = [case.get("name") for case in read(verdict).findall("testcase")]
    assert names[1:] == ["the client: CRASHED", "the client: CRASHED (2)"]
