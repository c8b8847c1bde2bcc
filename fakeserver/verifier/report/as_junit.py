"""A verdict as JUnit XML: what ``--junit`` writes, for CI servers.

There is no standard, only what the readers have in common: ``testsuites`` around ``testsuite``
around ``testcase``, a ``failure`` or an ``error`` with a one-line message and a text, and
``system-out``. The promise is one test case, always of the same name, so that a server can follow
it from run to run; each further accusation is one more.

``kept`` passes and ``broken`` is a failure. ``inconclusive`` is an error, because that is what the
format has for a test which could not be carried out: skipped ones are shown as green, and nothing
was proved. No time is written but 0: the same seed gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from fakeserver.verifier.report.sections import about, headline
from fakeserver.verifier.report.text import verdict_text
from fakeserver.verifier.report.words import plain

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Finding, Verdict

WIDTH = 100
"""Of the text in it; a web page does not tell how wide it is."""


def verdict_junit(verdict: Verdict) -> bytes:
    """Return the XML, in UTF-8."""
    client = verdict.client or "the client"
    suite = ET.Element("testsuite")
    _properties(suite, verdict)
    text = _text(verdict_text(verdict, width=WIDTH))
    case = _case(suite, verdict, f"{client} keeps its promise ({_promise(verdict)})")
    if verdict.outcome != "kept":
        word, said = headline(verdict)
        kind = "failure" if verdict.outcome == "broken" else "error"
        _problem(case, kind, _kind(verdict.findings[0]) if verdict.findings else word, said, text)
    seen: Counter[str] = Counter()
    for finding in verdict.findings[1:]:
        seen[_kind(finding)] += 1
        again = f" ({seen[_kind(finding)]})" if seen[_kind(finding)] > 1 else ""
        other = _case(suite, verdict, f"{client}: {_kind(finding)}{again}")
        proof = "\n".join(filter(None, (*finding.why, finding.allowed, finding.would)))
        _problem(other, "failure", _kind(finding), finding.message, _text(proof))
    ET.SubElement(suite, "system-out").text = text
    counts = _counts(suite)
    name = plain(f"fakeserver {verdict.dialect} {client}")
    suite.attrib = {"name": name, **counts, "skipped": "0", "time": "0"}
    root = ET.Element("testsuites", {"name": "fakeserver", **counts, "time": "0"})
    root.append(suite)
    ET.indent(root, "  ")
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'.encode("utf-8", "replace")


def _promise(verdict: Verdict) -> str:
    """What was promised, without what differs from run to run."""
    parts = [*about(verdict)]
    return ", ".join(part for part in parts[2:] if not part.startswith(VARYING))


VARYING = ("seed ", "example ", "shrunk ", "shard")
"""Parts of what a report is about that would give the same test another name each time."""


def _properties(suite: ET.Element, verdict: Verdict) -> None:
    values = {
        "dialect": verdict.dialect,
        "profile": verdict.profile,
        "outcome": verdict.outcome,
        "seed": verdict.seed,
        "examples": verdict.examples,
        "replay": verdict.replay,
    }
    box = ET.SubElement(suite, "properties")
    for name, value in values.items():
        if value is not None:
            ET.SubElement(box, "property", {"name": f"fakeserver.{name}", "value": _attr(value)})


def _case(suite: ET.Element, verdict: Verdict, name: str) -> ET.Element:
    where = f"fakeserver.{verdict.dialect}.{verdict.profile}"
    attributes = {"classname": _attr(where), "name": _attr(name), "time": "0"}
    return ET.SubElement(suite, "testcase", attributes)


def _problem(case: ET.Element, tag: str, kind: str, message: str, text: str) -> None:
    problem = ET.SubElement(case, tag, {"message": _attr(message), "type": _attr(kind)})
    problem.text = text


def _kind(finding: Finding) -> str:
    return f"{finding.rule} {finding.cause}" if finding.cause else finding.rule


def _counts(suite: ET.Element) -> dict[str, str]:
    found = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
    return {name: str(len(suite.findall(path))) for name, path in found.items()}


def _attr(value: object) -> str:
    """Return a value on one line, without what XML can't hold."""
    return plain(str(value))


def _text(text: str) -> str:
    """Return a text with its lines, without what XML can't hold: control characters and the like.

    Nothing is lost to a reader: they are written as a programmer would.
    """
    return "\n".join(plain(line) for line in text.split("\n"))
