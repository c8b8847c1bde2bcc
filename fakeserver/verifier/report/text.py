"""A verdict as text for people: headline, what happened, why, what would have helped."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from fakeserver.clock import Instant, clock_text, duration_text
from fakeserver.dialects.base import TOKEN
from fakeserver.history import (
    Delivered,
    Exchange,
    Killed,
    PollEnded,
    Restarted,
    Saved,
    Slept,
)
from fakeserver.scenario import EventId, LoggedEvent, Scenario
from fakeserver.verifier.evidence import Evidence, PollView
from fakeserver.verifier.failures import failure, remark
from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.hazards import exercised
from fakeserver.verifier.report.margins import labelled_margins

if TYPE_CHECKING:
    from fakeserver.verifier.promise import Promise
    from fakeserver.verifier.verdict import Finding, Verdict

LITERAL_TARGET_MAX = 58
"""A longer request line is told in words instead: nobody reads a wrapped query string."""
ROWS_SHOWN_MAX = 12
"""Rows of one page that are named; the rest is counted."""
EXCHANGES_SHOWN_MAX = 6
"""Different requests of one poll that are shown; of a long walk the first few tell the story."""
EVENTS_SHOWN_MAX = 12
"""Up to so many events have a line each; of more, those do that the finding is about."""
FOLDED_EVENTS_MIN = 3
"""Fewer in a row are not worth folding."""
CHECKPOINT_CHARS_MAX = 40
LABEL_WIDTH = 9


def verdict_text(verdict: Verdict, *, width: int = 100) -> str:
    """Return the report; lines have at most `width` characters where words allow."""
    lines = [*_headline(verdict, width), ""]
    if verdict.findings and verdict.scenario is not None:
        evidence = Evidence(verdict.scenario, verdict.history, verdict.promise)
        lines += [*_timeline(evidence, verdict.findings[0], width), ""]
        lines += _explanation(verdict.findings[0], width)
        lines += _paragraph("Switches", _switches(verdict.scenario), width)
        lines += _others(verdict.findings[1:], width)
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


def plain(text: str) -> str:
    """Return `text` on one line, without the token and without what a terminal would obey.

    Ids, errors and checkpoints are a client's own and may hold anything.
    """
    text = text.replace(TOKEN, "<token>")
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char in "\n\r\t" else repr(char)[1:-1]
        for char in text
    )


def _headline(verdict: Verdict, width: int) -> Iterator[str]:
    if verdict.findings:
        finding = verdict.findings[0]
        left = plain(f"BROKEN  {finding.rule}  {finding.message}")
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
        yield from textwrap.wrap(left, width, subsequent_indent="        ")
        yield from textwrap.wrap(right, width, initial_indent="        ", subsequent_indent=" " * 8)


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


def _worlds(verdict: Verdict) -> str:
    return "1 world" if verdict.examples == 1 else f"{verdict.examples} worlds"


def _events_in(verdict: Verdict) -> int:
    return 0 if verdict.scenario is None else len(verdict.scenario.events)


class _Entry(msgspec.Struct, frozen=True):
    """One line of the timeline: when, a label such as ``poll 1``, and what happened."""

    at: Instant
    label: str
    text: str


def _timeline(evidence: Evidence, finding: Finding, width: int) -> Iterator[str]:
    entries = [*_event_entries(evidence, finding), *_poll_entries(evidence)]
    entries.sort(key=lambda entry: entry.at)
    first = entries[0].at if entries else 0
    label_width = max((len(entry.label) for entry in entries), default=0)
    label_width += 2 if label_width else 0
    for entry in entries:
        when = clock_text(entry.at, near=first)
        head = f"  {entry.label:<{label_width}}{when}  "
        yield from textwrap.wrap(
            plain(entry.text),
            width,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        )


def _event_entries(evidence: Evidence, finding: Finding) -> Iterator[_Entry]:
    """Show each event of a small world; of a large one those that matter, and the rest in runs."""
    told = _told(evidence, finding)
    for is_told, run in groupby(evidence.scenario.events, key=lambda event: event.id in told):
        events = list(run)
        if is_told or len(events) < FOLDED_EVENTS_MIN:
            for event in events:
                yield from _entries_of_event(evidence, event)
            continue
        first, last = evidence.name(events[0].id), evidence.name(events[-1].id)
        hidden = sum(event.late_by_ms > 0 for event in events)
        until = clock_text(max(_shown_at(event) for event in events))
        seen = f", {hidden} of them hidden for a while" if hidden else " and visible"
        yield _Entry(_shown_at(events[0]), "", f"{first} to {last} recorded{seen}, until {until}")


def _told(evidence: Evidence, finding: Finding) -> set[EventId]:
    """Choose the events worth a line: all of a few, else those of the finding and their like."""
    ids = [event.id for event in evidence.scenario.events]
    if len(ids) <= EVENTS_SHOWN_MAX:
        return set(ids)
    named = list(finding.event_ids[:FOLDED_EVENTS_MIN])
    for place in finding.steps:
        step = evidence.history[place]
        if isinstance(step, Exchange):
            named += [*step.event_ids[:1], *step.event_ids[-1:]]
    places = [ids.index(event_id) for event_id in named if event_id in ids]
    return {
        ids[near]
        for place in places
        for near in range(max(0, place - 1), place + 2)
        if near < len(ids)
    }


def _shown_at(event: LoggedEvent) -> Instant:
    return event.visible_at if event.recorded_at is None else event.recorded_at


def _entries_of_event(evidence: Evidence, event: LoggedEvent) -> Iterator[_Entry]:
    name = evidence.name(event.id)
    if event.recorded_at is None or event.recorded_at > event.visible_at:
        stamp = "no stamp" if event.recorded_at is None else clock_text(event.recorded_at)
        yield _Entry(event.visible_at, "", f"{name} visible, stamped {stamp}")
    elif event.late_by_ms:
        hidden = duration_text(event.late_by_ms)
        yield _Entry(event.recorded_at, "", f"{_recorded(name, event)}, hidden for {hidden}")
        yield _Entry(event.visible_at, "", f"{name} visible")
    else:
        yield _Entry(event.recorded_at, "", f"{_recorded(name, event)} and visible")


def _recorded(name: str, event: LoggedEvent) -> str:
    # A short id is worth showing: it tells what since_id means. A long one is noise.
    return f"{name} (id {event.id}) recorded" if isinstance(event.id, int) else f"{name} recorded"


def _poll_entries(evidence: Evidence) -> Iterator[_Entry]:
    quiet: list[tuple[PollView, list[_Entry]]] = []
    for poll in evidence.polls:
        entries = list(_entries_of(evidence, poll))
        if quiet and [e.text for e in entries] == [e.text for e in quiet[0][1]]:
            quiet.append((poll, entries))
            continue
        yield from _folded(quiet)
        quiet = [(poll, entries)]
    yield from _folded(quiet)


def _folded(quiet: list[tuple[PollView, list[_Entry]]]) -> Iterator[_Entry]:
    """Show polls that went alike once, and say how often."""
    if not quiet:
        return
    yield from quiet[0][1]
    if len(quiet) == 2:
        poll = quiet[1][0]
        yield _Entry(poll.started_at, f"poll {poll.number}", "the same")
    elif len(quiet) > 2:
        first, last = quiet[1][0], quiet[-1][0]
        label = f"poll {first.number}-{last.number}"
        yield _Entry(first.started_at, label, f"the same, until {clock_text(last.started_at)}")


def _entries_of(evidence: Evidence, poll: PollView) -> Iterator[_Entry]:
    """One entry a request, with what the client did before the next one."""
    done = _requests_of(evidence, poll)
    if not done:
        yield _Entry(poll.started_at, f"poll {poll.number}", "sent no request")
        return
    groups = [list(group) for _, group in groupby(done, key=lambda pair: pair[1])]
    shown = 0
    for group in groups[:EXCHANGES_SHOWN_MAX]:
        at, text = group[0]
        again = f"   ({len(group)} times)" if len(group) > 1 else ""
        yield _Entry(at, "" if shown else f"poll {poll.number}", text + again)
        shown += len(group)
    if shown < len(done):
        yield _Entry(done[-1][0], "", f"… and {len(done) - shown} more requests")


def _requests_of(evidence: Evidence, poll: PollView) -> list[tuple[Instant, str]]:
    """Say for each request of a poll when it was sent, what came back, and what was done then."""
    said: list[tuple[Instant, list[str]]] = []
    delivered: list[str] = []

    def add(at: Instant, text: str) -> None:
        if not said:
            said.append((at, []))
        said[-1][1].append(text)

    for step in evidence.steps_of(poll):
        if isinstance(step, Delivered):
            delivered.append(evidence.name(step.event_id))
            continue
        if delivered:
            add(step.at, f"delivered {_some(delivered)}")
            delivered = []
        if isinstance(step, Exchange):
            said.append((step.at, [_exchange_text(evidence, step)]))
        elif text := _said(step):
            add(step.at, text)
    return [(at, "   ".join(texts)) for at, texts in said]


def _said(step: object) -> str:  # noqa: PLR0911 - one return a kind of step
    if isinstance(step, Saved):
        text = msgspec.json.encode(step.checkpoint).decode()
        shown = text if len(text) <= CHECKPOINT_CHARS_MAX else text[:CHECKPOINT_CHARS_MAX] + "…"
        return f"saved {shown}"
    if isinstance(step, Killed):
        return f"KILLED {step.point.replace('-', ' ')}"
    if isinstance(step, Restarted):
        return "restarted"
    if isinstance(step, Slept):
        return f"slept {duration_text(step.ms)}"
    if isinstance(step, PollEnded) and step.ending == "raised":
        return f"raised {step.error}"
    if isinstance(step, PollEnded) and step.ending == "stopped":
        return "stopped by the judge"
    return ""


def _exchange_text(evidence: Evidence, exchange: Exchange) -> str:
    rows = [evidence.name(event_id) for event_id in exchange.event_ids]
    result = _some(rows) if rows else "-"
    if odd := remark(exchange):
        result += f" ({odd})"
    if exchange.status != 200:
        result = f"answered {exchange.status}"
    result = failure(exchange) or result
    target = unquote(exchange.target)
    query = evidence.meant(exchange)
    if len(target) > LITERAL_TARGET_MAX and query is not None:
        limit = "" if query.limit_asked is None else f", limit {query.limit_asked}"
        target = f"{evidence.words(query, exchange.at)}{limit}"
    return f"{exchange.method} {target}   → {result}"


def _some(names: list[str]) -> str:
    if len(names) <= ROWS_SHOWN_MAX:
        return " ".join(names)
    return " ".join(names[:ROWS_SHOWN_MAX]) + f" … ({len(names)} rows)"


def _explanation(finding: Finding, width: int) -> Iterator[str]:
    if finding.cause:
        yield from _paragraph("Cause", finding.cause, width)
    yield from _paragraph("Class", _class(finding), width)
    yield from _paragraph("Why", " ".join(finding.why), width)
    yield from _paragraph("Allowed", finding.allowed, width)
    yield from _paragraph("Would", finding.would, width)
    yield from _paragraph("Tried", None if finding.tried is None else finding.tried.sentence, width)


def _class(finding: Finding) -> str | None:
    """Name the fault class, and a thread that tells of the same."""
    if finding.fault_class is None:
        return None
    text = f"{finding.fault_class} {FAULT_CLASSES[finding.fault_class].name}"
    return text if finding.thread is None else f"{text}; the same happened in {finding.thread}"


def _others(findings: tuple[Finding, ...], width: int) -> Iterator[str]:
    for finding in findings:
        yield from _paragraph("Also", f"{finding.rule}: {finding.message}.", width)


def _paragraph(label: str, text: str | None, width: int) -> Iterator[str]:
    if text:
        yield from textwrap.wrap(
            plain(text),
            width,
            initial_indent=f"  {label:<{LABEL_WIDTH}}",
            subsequent_indent=" " * (LABEL_WIDTH + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )


def _hazards(verdict: Verdict) -> str:
    met = ", ".join(
        name if verdict.examples == 1 else f"{name} {count}"
        for name, count in sorted(verdict.exercised.items())
    )
    text = f"met: {met or 'none'}"
    if verdict.not_exercised:
        text += f"; never came up: {', '.join(verdict.not_exercised)}"
    return text + "."
