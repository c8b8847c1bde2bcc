"""The lanes of a map: events in the order of the key, neighbours that fared alike as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from fakeserver.clock import Instant
from fakeserver.query import value_of
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.report.coverage.model import Cell

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Finding

LANES_MAX = 24
"""More do not fit on a screen beside each other."""
NAMED_LANES_MAX = 8
"""Events of a finding that keep a lane of their own; the others fared as these did."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A lane to be: its events, in the order of the key, and what the findings say of them."""

    events: tuple[LoggedEvent, ...]
    lost_count: int = 0
    is_accused: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether all of it is lost: of a fold that is lost in part the line would lie."""
        return self.lost_count == len(self.events)

    @property
    def event_ids(self) -> tuple[EventId, ...]:
        """The ids of its events."""
        return tuple(event.id for event in self.events)

    @property
    def instants(self) -> tuple[Instant, Instant]:
        """When its first event was recorded, and when its last became visible."""
        visible = max(event.visible_at for event in self.events)
        return min(min(_starts(event), visible) for event in self.events), visible


def _starts(event: LoggedEvent) -> Instant:
    return event.visible_at if event.recorded_at is None else event.recorded_at


def drafts(
    evidence: Evidence,
    findings: Sequence[Finding],
    axis: str,
    answers: Sequence[Mapping[EventId, Cell]],
) -> list[Draft]:
    """Return the lanes from the lowest key to the highest; many events are folded.

    `answers` say for each request that is drawn what it was to each event. Neighbours with the
    same answers and deliveries fold first, then whatever is left, but for what the findings name.
    """
    lost = {i for finding in findings if finding.rule == "LOST" for i in finding.event_ids}
    accused = {i for finding in findings[:1] for i in finding.event_ids}
    events = sorted(evidence.scenario.events, key=lambda event: _rank(event, axis))
    if len(events) <= LANES_MAX:
        return [_draft([event], lost, accused) for event in events]
    named = set([i for finding in findings[:1] for i in finding.event_ids][:NAMED_LANES_MAX])
    counts: dict[EventId, int] = {}
    for place in evidence.deliveries:
        event_id = evidence.delivered(place).event_id
        counts[event_id] = counts.get(event_id, 0) + 1

    def likeness(event: LoggedEvent) -> object:
        own = event.id if event.id in named else None
        cells = tuple(answer.get(event.id, "") for answer in answers)
        return own, cells, counts.get(event.id, 0), event.id in lost, event.late_by_ms > 0

    runs = [list(run) for _, run in groupby(events, key=likeness)]
    if len(runs) > LANES_MAX:
        runs = _fewer(runs, named)
    return [_draft(run, lost, accused) for run in runs]


def _rank(event: LoggedEvent, axis: str) -> tuple[bool, Any]:
    value = value_of(event, axis)
    return value is not None, 0 if value is None else value


def _draft(events: Sequence[LoggedEvent], lost: set[EventId], accused: set[EventId]) -> Draft:
    ids = {event.id for event in events}
    return Draft(
        events=tuple(events),
        lost_count=len(ids & lost),
        is_accused=not ids.isdisjoint(lost | accused),
    )


def _fewer(runs: list[list[LoggedEvent]], named: set[EventId]) -> list[list[LoggedEvent]]:
    """Join neighbours until the lanes fit, the shortest pair first; what is named stays alone."""
    result = [list(run) for run in runs]
    while len(result) > LANES_MAX:
        pairs = [
            (len(result[n]) + len(result[n + 1]), n)
            for n in range(len(result) - 1)
            if not named & {event.id for event in (*result[n], *result[n + 1])}
        ]
        if not pairs:
            break
        _, n = min(pairs)
        result[n : n + 2] = [result[n] + result[n + 1]]
    return result
