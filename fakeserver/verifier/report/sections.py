"""What a report says beside the timeline, in its order: the same for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from fakeserver.clock import MINUTE_MS, duration_text
from fakeserver.history import PollEnded
from fakeserver.scenario import Scenario
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.hazards import exercised
from fakeserver.verifier.report.margins import labelled_margins
from fakeserver.verifier.report.saved import saved_before
from fakeserver.verifier.report.words import error_text, plain

if TYPE_CHECKING:
    from fakeserver.verifier.promise import Promise
    from fakeserver.verifier.verdict import Finding, Verdict

EVENTS_NAMED_MAX = 3
"""A headline names the events that it is about where they are so few."""

PAUSE_MS_MIN = 10 * MINUTE_MS
"""A pause before the last poll that readers ask about."""


class Section(NamedTuple):
    """A paragraph with its label; what `is_code` is to be typed, and stands on one line."""

    label: str
    text: str
    is_code: bool = False


def headline(verdict: Verdict) -> tuple[str, str]:
    """Return the outcome in one word, and what there is to say of it."""
    if verdict.findings:
        finding = verdict.findings[0]
        return "BROKEN", plain(f"{finding.rule}  {_message(finding)}{_named(verdict, finding)}")
    if verdict.outcome == "kept":
        return "KEPT", f"the promise held in {_worlds(verdict)}"
    if verdict.exercised and verdict.examples:
        return "INCONCLUSIVE", f"not all was tried; the promise held in {_worlds(verdict)} so far"
    return "INCONCLUSIVE", "nothing was proved"


def about(verdict: Verdict) -> Iterator[str]:
    """Yield what was tried: the API, the promise, the seed, the world."""
    yield verdict.dialect
    yield f"profile {verdict.profile}"
    yield from _promised(verdict.promise)
    if verdict.seed is not None:
        yield f"seed {verdict.seed}"
    yield from _shards(verdict)
    if verdict.found_at is not None:
        yield f"example {verdict.found_at}"
    if verdict.shrunk_from is not None and verdict.shrunk_from > _events_in(verdict):
        events = "event" if verdict.shrunk_from == 1 else "events"
        yield f"shrunk from {verdict.shrunk_from} {events}"


def _shards(verdict: Verdict) -> Iterator[str]:
    """Say which part of a search it is about, if it is a part."""
    search = verdict.search
    if search is not None and len(search.shards) < search.shards_of:
        word = "shard" if len(search.shards) == 1 else "shards"
        yield f"{word} {', '.join(map(str, search.shards))} of {search.shards_of}"


def sections(verdict: Verdict) -> Iterator[Section]:
    """Yield the paragraphs: why, what helps, what was in the world, how to see it again."""
    if verdict.findings and verdict.scenario is not None:
        evidence = Evidence(verdict.scenario, verdict.history, verdict.promise)
        yield from _explanation(evidence, verdict)
        yield from _said("Switches", _switches(verdict.scenario))
        yield from _others(evidence, verdict)
        yield from _said("Calm", _calm(evidence))
        yield Section("Hazards", f"in this world: {', '.join(exercised(evidence)) or 'none'}.")
    else:
        yield Section("Hazards", _hazards(verdict))
    if verdict.notes:
        yield Section("Notes", "; ".join(verdict.notes) + ".")
    yield from _said("Next", _next(verdict))
    for label, sentence in labelled_margins(verdict.margins):
        yield Section(label, sentence)
    for command in (verdict.replay, *(margin.replay for margin in verdict.margins)):
        if command:
            yield Section("Replay", command, is_code=True)


def _next(verdict: Verdict) -> str | None:
    """Name what to try after a search that was kept with one answer to each open question."""
    if verdict.outcome != "kept" or verdict.profile != "default" or verdict.search is None:
        return None
    return "The same with --profile documented tries every answer to what the document leaves open."


def _said(label: str, text: str | None) -> Iterator[Section]:
    if text:
        yield Section(label, text)


def _named(verdict: Verdict, finding: Finding) -> str:
    """Name the events of a finding that only counts them."""
    counts = finding.rule in ("LOST", "DUPLICATED", "LATE")
    if not counts or not 0 < len(finding.event_ids) <= EVENTS_NAMED_MAX or not verdict.scenario:
        return ""
    names = {event.id: f"e{number}" for number, event in enumerate(verdict.scenario.events, 1)}
    return f": {', '.join(names.get(i, repr(i)) for i in finding.event_ids)}"


def _switches(scenario: Scenario) -> str | None:
    """Name the switches that are not at their default: after shrinking, those that matter."""
    pairs = [f"{name}={value}" for name, value in sorted(scenario.settings.items())]
    return f"{', '.join(pairs)} (fakeserver explain NAME)." if pairs else None


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


def _calm(evidence: Evidence) -> str | None:
    """Say why the last poll comes so late: the pause is the judge's."""
    polls = evidence.polls
    if len(polls) < 2 or not evidence.in_calm(polls[-1].number) or not evidence.is_complete:
        return None
    first, last = evidence.scenario.calm_from + 1, polls[-1].number
    pause_ms = polls[-1].started_at - polls[-2].started_at
    if first == last or pause_ms < PAUSE_MS_MIN:
        return None
    about_ms = round(pause_ms / MINUTE_MS) * MINUTE_MS  # a minute more or less tells nothing
    return (
        f"From poll {first} on no fault is on; the judge lets {duration_text(about_ms)} pass "
        "before the last poll, for clients that hold events back."
    )


def _explanation(evidence: Evidence, verdict: Verdict) -> Iterator[Section]:
    finding = verdict.findings[0]
    if finding.cause and finding.rule == "LOST":  # elsewhere it stands in the headline
        yield Section("Cause", finding.cause)
    yield from _said("Class", _class(finding))
    yield from _said("Why", " ".join(finding.why))
    yield from _said("Saved", saved_before(evidence, finding))
    yield from _said("Allowed", finding.allowed)
    again = " The replay shows it again." if finding.rule == "CRASHED" and verdict.replay else ""
    yield from _said("Would", finding.would and f"{finding.would}{again}")
    yield from _said("Tried", None if finding.tried is None else finding.tried.sentence)


def _class(finding: Finding) -> str | None:
    """Name the fault class, and a thread that tells of the same."""
    if finding.fault_class is None:
        return None
    text = f"{finding.fault_class} {FAULT_CLASSES[finding.fault_class].name}"
    return text if finding.thread is None else f"{text}; similar: {finding.thread}"


def _others(evidence: Evidence, verdict: Verdict) -> Iterator[Section]:
    first, *others = verdict.findings
    for finding in others:
        if not _is_of_a_refusal(evidence, finding, first):
            cause = f" {finding.cause}" if finding.cause and finding.rule == "LOST" else ""
            said = f"{_message(finding)}{_named(verdict, finding)}"
            yield Section("Also", f"{finding.rule}{cause}: {said}.")


def _is_of_a_refusal(evidence: Evidence, finding: Finding, first: Finding) -> bool:
    """Whether a poll raised on a refusal that was told first: that is no second mistake."""
    ended = evidence.history[finding.steps[-1]] if finding.steps else None
    if finding.rule != "CRASHED" or not isinstance(ended, PollEnded):
        return False
    asked = evidence.polls[ended.poll - 1].exchanges
    problem = evidence.exchange(asked[-1]).problem if asked else None
    code = (problem or "").partition(":")[0]
    return first.rule == "ILLEGAL_REQUEST" and code == first.cause


def _hazards(verdict: Verdict) -> str:
    met = ", ".join(
        name if verdict.examples == 1 else f"{name} {count}"
        for name, count in sorted(verdict.exercised.items())
    )
    text = f"met: {met or 'none'}"
    if verdict.not_exercised:
        text += f"; never came up: {', '.join(verdict.not_exercised)}"
    return text + "."
