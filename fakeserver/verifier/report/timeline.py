"""What happened, line by line: the log, and each poll with its requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

import msgspec

from fakeserver.clock import Instant, clock_text, duration_text, to_text
from fakeserver.history import (
    Delivered,
    Exchange,
    Killed,
    PollEnded,
    Restarted,
    Saved,
    Slept,
)
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence, PollView
from fakeserver.verifier.failures import failure, remark
from fakeserver.verifier.report.words import error_text, laid_out

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Finding

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
"""The half of a longer one tells nothing: that it was saved does (``saved …``)."""


class Entry(NamedTuple):
    """One line of the timeline: when, a label such as ``poll 1``, and what happened, in parts."""

    at: Instant
    label: str
    parts: tuple[str, ...]


def timeline(evidence: Evidence, finding: Finding, width: int) -> Iterator[str]:
    """Yield the lines of a world: what was recorded, asked, answered, delivered and saved."""
    found = entries(evidence, finding)
    first = found[0].at if found else evidence.scenario.starts_at
    label_width = max((len(entry.label) for entry in found), default=0)
    label_width += 2 if label_width else 0
    yield f"  {'':<{label_width}}{to_text(first)[:10]}, times in UTC"
    for entry in found:
        head = f"  {entry.label:<{label_width}}{clock_text(entry.at, near=first)}  "
        yield from laid_out(entry.parts, width, head=head)


def entries(evidence: Evidence, finding: Finding | None) -> list[Entry]:
    """Return what happened, in order; of a large log what `finding` is about, the rest in runs."""
    found = [*_event_entries(evidence, finding), *_poll_entries(evidence)]
    if not evidence.scenario.events:
        found.insert(0, _entry(evidence.scenario.starts_at, "", "the log is empty, and stays so"))
    return sorted(found, key=lambda entry: entry.at)


def _entry(at: Instant, label: str, *parts: str) -> Entry:
    return Entry(at, label, parts)


def _event_entries(evidence: Evidence, finding: Finding | None) -> Iterator[Entry]:
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
        yield _entry(_shown_at(events[0]), "", f"{first} to {last} recorded{seen}, until {until}")


def _told(evidence: Evidence, finding: Finding | None) -> set[EventId]:
    """Choose the events worth a line: all of a few, else those of the finding and their like."""
    ids = [event.id for event in evidence.scenario.events]
    if len(ids) <= EVENTS_SHOWN_MAX:
        return set(ids)
    if finding is None:
        return set()
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


def _entries_of_event(evidence: Evidence, event: LoggedEvent) -> Iterator[Entry]:
    name = evidence.name(event.id)
    if event.recorded_at is None or event.recorded_at > event.visible_at:
        null = event.recorded_at is None
        stamp = "without a stamp" if null else f"stamped {clock_text(event.recorded_at or 0)}"
        yield _entry(event.visible_at, "", f"{name} visible, {stamp}")
    elif event.late_by_ms:
        hidden = duration_text(event.late_by_ms)
        yield _entry(event.recorded_at, "", f"{_recorded(name, event)}, hidden for {hidden}")
        yield _entry(event.visible_at, "", f"{name} visible")
    else:
        yield _entry(event.recorded_at, "", f"{_recorded(name, event)} and visible")


def _recorded(name: str, event: LoggedEvent) -> str:
    # A short id is worth showing: it tells what since_id means. A long one is noise.
    return f"{name} (id {event.id}) recorded" if isinstance(event.id, int) else f"{name} recorded"


def _poll_entries(evidence: Evidence) -> Iterator[Entry]:
    quiet: list[tuple[PollView, list[Entry]]] = []
    for poll in evidence.polls:
        found = list(_entries_of(evidence, poll))
        if quiet and [e.parts for e in found] == [e.parts for e in quiet[0][1]]:
            quiet.append((poll, found))
            continue
        yield from _folded(quiet)
        quiet = [(poll, found)]
    yield from _folded(quiet)


def _folded(quiet: list[tuple[PollView, list[Entry]]]) -> Iterator[Entry]:
    """Show polls that went alike once, and say how often."""
    if not quiet:
        return
    yield from quiet[0][1]
    if len(quiet) == 2:
        poll = quiet[1][0]
        yield _entry(poll.started_at, f"poll {poll.number}", "the same")
    elif len(quiet) > 2:
        first, last = quiet[1][0], quiet[-1][0]
        label = f"poll {first.number}-{last.number}"
        yield _entry(first.started_at, label, f"the same, until {clock_text(last.started_at)}")


def _entries_of(evidence: Evidence, poll: PollView) -> Iterator[Entry]:
    """One entry a request, with what the client did before the next one."""
    done = _requests_of(evidence, poll)
    several = any(other.instance > 1 for other in evidence.polls)
    by = f"instance {poll.instance}: " if several else ""
    if not done:
        yield _entry(poll.started_at, f"poll {poll.number}", f"{by}sent no request")
        return
    groups = [list(group) for _, group in groupby(done, key=lambda pair: pair[1])]
    shown = 0
    for group in groups[:EXCHANGES_SHOWN_MAX]:
        at, (first, *rest) = group[0]
        again = f"{len(group)} times " if len(group) > 1 else ""
        label, who = ("", "") if shown else (f"poll {poll.number}", by)
        yield _entry(at, label, f"{who}{again}{first}", *rest)
        shown += len(group)
    if shown < len(done):
        yield _entry(done[-1][0], "", f"… and {len(done) - shown} more requests")


def _requests_of(evidence: Evidence, poll: PollView) -> list[tuple[Instant, list[str]]]:
    """Say for each request of a poll when it was sent, what came back, and what was done then."""
    said: list[tuple[Instant, list[str]]] = []
    delivered: list[str] = []
    known = _known_before(evidence, poll)
    left = Counter(step.event_id for step in evidence.steps_of(poll) if isinstance(step, Delivered))

    def add(at: Instant, text: str) -> None:
        if not said:
            said.append((at, []))
        said[-1][1].append(text)

    for step in evidence.steps_of(poll):
        if isinstance(step, Delivered):
            delivered.append(evidence.name(step.event_id))
            known.add(step.event_id)
            left[step.event_id] -= 1
            continue
        if delivered:
            add(step.at, f"delivered {_some(delivered)}")
            delivered = []
        if isinstance(step, Exchange):
            said.append((step.at, [*_exchange_parts(evidence, step)]))
            if _comes_to_nothing(evidence, step, known, left):
                add(step.at, "delivered none")
        elif text := _said(step):
            add(step.at, text)
    return said


def _known_before(evidence: Evidence, poll: PollView) -> set[EventId]:
    """Return what had been delivered when `poll` began; a snapshot begins anew."""
    if evidence.promise.mode == "snapshot":
        return set()
    return {i for i, p in evidence.first_delivery.items() if evidence.poll_of[p] < poll.number}


def _comes_to_nothing(
    evidence: Evidence, page: Exchange, known: set[EventId], left: Counter[EventId]
) -> bool:
    """Whether a page holds new events, and none of them is among what is `left` to deliver.

    An id that no event has may stand for one of them: then there is nothing to say.
    """
    fresh = {event_id for event_id in page.event_ids if event_id not in known}
    return bool(fresh) and not any(
        count and (event_id in fresh or evidence.log.find(event_id) is None)
        for event_id, count in left.items()
    )


def _said(step: object) -> str:  # noqa: PLR0911 - one return a kind of step
    if isinstance(step, Saved):
        text = msgspec.json.encode(step.checkpoint).decode()
        return f"saved {text}" if len(text) <= CHECKPOINT_CHARS_MAX else "saved …"
    if isinstance(step, Killed):
        return f"KILLED {step.point.replace('-', ' ')}"
    if isinstance(step, Restarted):
        return "restarted"
    if isinstance(step, Slept):
        return f"slept {duration_text(step.ms)}"
    if isinstance(step, PollEnded) and step.ending == "raised":
        return f"raised {error_text(step.error or '')}"
    if isinstance(step, PollEnded) and step.ending == "stopped":
        return "stopped by the judge"
    return ""


def _exchange_parts(evidence: Evidence, exchange: Exchange) -> tuple[str, str]:
    rows = [evidence.name(event_id) for event_id in exchange.event_ids]
    query = evidence.meant(exchange)
    is_page = query is not None and query.endpoint == "list"
    result = _some(rows) if rows else "no rows" if is_page else f"answered {exchange.status}"
    if odd := remark(exchange):
        result += f" ({odd})"
    if exchange.status != 200:
        result = f"answered {exchange.status}"
    result = failure(exchange) or result
    target = unquote(exchange.target)
    if len(target) > LITERAL_TARGET_MAX and query is not None:
        limit = "" if query.limit_asked is None else f", limit {query.limit_asked}"
        target = f"{evidence.words(query, exchange.at)}{limit}"
    return f"{exchange.method} {target}", f"→ {result}"


def _some(names: list[str]) -> str:
    if len(names) <= ROWS_SHOWN_MAX:
        return " ".join(names)
    return " ".join(names[:ROWS_SHOWN_MAX]) + f" … ({len(names)} rows)"
