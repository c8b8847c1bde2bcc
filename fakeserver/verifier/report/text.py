"""A verdict as text for people: headline, what happened, why, what would have helped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fakeserver.clock import duration_text
from fakeserver.history import PollEnded
from fakeserver.scenario import Scenario
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.hazards import exercised
from fakeserver.verifier.report.margins import labelled_margins
from fakeserver.verifier.report.timeline import timeline
from fakeserver.verifier.report.words import error_text, plain, wrapped

if TYPE_CHECKING:
    from fakeserver.verifier.promise import Promise
    from fakeserver.verifier.verdict import Finding, Verdict

LABEL_WIDTH = 9


def verdict_text(verdict: Verdict, *, width: int = 100) -> str:
    """Return the report; lines have at most `width` characters where words allow."""
    lines = [*_headline(verdict, width), ""]
    if verdict.findings and verdict.scenario is not None:
        evidence = Evidence(verdict.scenario, verdict.history, verdict.promise)
        lines += [*timeline(evidence, verdict.findings[0], width), ""]
        lines += _explanation(verdict, width)
        lines += _paragraph("Switches", _switches(verdict.scenario), width)
        lines += _others(evidence, verdict.findings, width)
        lines += _paragraph(
            "Hazards", f"in this world: {', '.join(exercised(evidence)) or 'none'}.", width
        )
    else:
        lines += _paragraph("Hazards", _hazards(verdict), width)
    if verdict.notes:
        lines += _paragraph("Notes", "; ".join(verdict.notes) + ".", width)
    for label, sentence in labelled_margins(verdict.margins):
        lines += _paragraph(label, sentence, width)
    for command in (verdict.replay, *(margin.replay for margin in verdict.margins)):
        lines += [f"  {'Replay':<{LABEL_WIDTH}}{command}"] if command else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _switches(scenario: Scenario) -> str | None:
    """Name the switches that are not at their default: after shrinking, those that matter."""
    pairs = [f"{name}={value}" for name, value in sorted(scenario.settings.items())]
    return f"{', '.join(pairs)} (fakeserver explain NAME)." if pairs else None


def _headline(verdict: Verdict, width: int) -> Iterator[str]:
    if verdict.findings:
        finding = verdict.findings[0]
        left = plain(f"BROKEN  {finding.rule}  {_message(finding)}")
    elif verdict.outcome == "kept":
        left = f"KEPT  the promise held in {_worlds(verdict)}"
    elif verdict.exercised and verdict.examples:
        left = f"INCONCLUSIVE  not all was tried; the promise held in {_worlds(verdict)} so far"
    else:
        left = "INCONCLUSIVE  nothing was proved"
    parts = [verdict.dialect, f"profile {verdict.profile}", *_promised(verdict.promise)]
    if verdict.seed is not None:
        parts.append(f"seed {verdict.seed}")
    if verdict.found_at is not None:
        parts.append(f"example {verdict.found_at}")
    if verdict.shrunk_from is not None and verdict.shrunk_from > _events_in(verdict):
        events = "event" if verdict.shrunk_from == 1 else "events"
        parts.append(f"shrunk from {verdict.shrunk_from} {events}")
    right = " · ".join(parts)
    if len(left) + len(right) + 4 <= width:
        yield f"{left}    {right}"
    else:
        yield from wrapped(left, width, head="", indent=" " * 8)
        yield from wrapped(right, width, head=" " * 8, indent=" " * 8)


def _promised(promise: Promise) -> Iterator[str]:
    yield promise.delivery
    if promise.order != "none":
        yield f"order {promise.order}"
    if promise.late_by_ms_max is not None:
        yield f"late by up to {duration_text(promise.late_by_ms_max)}"
    if promise.delay_ms_max is not None:
        yield f"delay up to {duration_text(promise.delay_ms_max)}"
    if promise.mode != "incremental":
        yield promise.mode
    if promise.instances != 1:
        yield f"{promise.instances} instances"


def _worlds(verdict: Verdict) -> str:
    return "1 world" if verdict.examples == 1 else f"{verdict.examples} worlds"


def _events_in(verdict: Verdict) -> int:
    return 0 if verdict.scenario is None else len(verdict.scenario.events)


def _message(finding: Finding) -> str:
    return error_text(finding.message) if finding.rule == "CRASHED" else finding.message


def _explanation(verdict: Verdict, width: int) -> Iterator[str]:
    finding = verdict.findings[0]
    if finding.cause and finding.rule == "LOST":  # elsewhere it stands in the headline
        yield from _paragraph("Cause", finding.cause, width)
    yield from _paragraph("Class", _class(finding), width)
    yield from _paragraph("Why", " ".join(finding.why), width)
    yield from _paragraph("Allowed", finding.allowed, width)
    shows = finding.rule == "CRASHED" and verdict.replay
    would = f"{finding.would} The replay shows it again." if shows else finding.would
    yield from _paragraph("Would", would, width)
    yield from _paragraph("Tried", None if finding.tried is None else finding.tried.sentence, width)


def _class(finding: Finding) -> str | None:
    """Name the fault class, and a thread that tells of the same."""
    if finding.fault_class is None:
        return None
    text = f"{finding.fault_class} {FAULT_CLASSES[finding.fault_class].name}"
    return text if finding.thread is None else f"{text}; similar: {finding.thread}"


def _others(evidence: Evidence, findings: tuple[Finding, ...], width: int) -> Iterator[str]:
    for finding in findings[1:]:
        if not _is_of_a_refusal(evidence, finding, findings[0]):
            yield from _paragraph("Also", f"{finding.rule}: {_message(finding)}.", width)


def _is_of_a_refusal(evidence: Evidence, finding: Finding, first: Finding) -> bool:
    """Whether a poll raised on a refusal that was told first: that is no second mistake."""
    ended = evidence.history[finding.steps[-1]] if finding.steps else None
    if finding.rule != "CRASHED" or not isinstance(ended, PollEnded):
        return False
    asked = evidence.polls[ended.poll - 1].exchanges
    problem = evidence.exchange(asked[-1]).problem if asked else None
    code = (problem or "").partition(":")[0]
    return first.rule == "ILLEGAL_REQUEST" and code == first.cause


def _paragraph(label: str, text: str | None, width: int) -> Iterator[str]:
    if text:
        head, indent = f"  {label:<{LABEL_WIDTH}}", " " * (LABEL_WIDTH + 2)
        yield from wrapped(text, width, head=head, indent=indent)


def _hazards(verdict: Verdict) -> str:
    met = ", ".join(
        name if verdict.examples == 1 else f"{name} {count}"
        for name, count in sorted(verdict.exercised.items())
    )
    text = f"met: {met or 'none'}"
    if verdict.not_exercised:
        text += f"; never came up: {', '.join(verdict.not_exercised)}"
    return text + "."
