"""From what happened to the map of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fakeserver.clock import SECOND_MS, clock_text, duration_text, to_text
from fakeserver.query import ID
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.report.coverage.asked import Asked, asked, key_axis
from fakeserver.verifier.report.coverage.columns import Moment, moments, with_times
from fakeserver.verifier.report.coverage.lanes import LANES_MAX, Draft, drafts
from fakeserver.verifier.report.coverage.model import Cell, Column, CoverageMap, Dot, Lane
from fakeserver.verifier.report.words import plain, short

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Finding

EVENTS_MAPPED_MAX = 2_000
"""In a larger log nothing would be seen, and each request is laid beside each event."""
STRANGE_LANES_MAX = 4
"""Ids that the log never held have a lane each, up to so many."""
LINKS_MAX = 8
"""Pairs of deliveries that are joined; more lines would hide what they join."""


def coverage_map(evidence: Evidence, findings: Sequence[Finding]) -> CoverageMap | None:
    """Return the map of one world; None for a log too large to be drawn (`EVENTS_MAPPED_MAX`)."""
    if len(evidence.scenario.events) > EVENTS_MAPPED_MAX:
        return None
    axis, why = key_axis(evidence)
    found = moments(evidence, findings[0].steps if findings else ())
    answers = {
        moment.column.places: _asked(evidence, moment.column, axis)
        for moment in found
        if moment.column.kind in ("request", "gap")
    }
    lanes = drafts(evidence, findings, axis, [answer.cells for answer in answers.values()])
    found = with_times(found, {instant for lane in lanes for instant in lane.instants})
    columns = tuple(_with_cells(moment.column, answers, lanes) for moment in found)
    dots = tuple(_dots(evidence, found, lanes, findings))
    return CoverageMap(
        axis="id" if axis == ID else "recorded_at",
        axis_why=why,
        lanes=(
            *_with_ties(_lane(evidence, lane, columns, axis) for lane in lanes),
            *_strange_lanes(evidence),
        ),
        columns=columns,
        dots=dots,
        links=tuple(_links(dots, findings)),
        pause=_pause(evidence, columns, findings),
        rule=findings[0].rule if findings else None,
        calm_column=_calm(evidence, columns),
        limits=tuple(_limits(evidence, columns, lanes)),
    )


def _asked(evidence: Evidence, column: Column, axis: str) -> Asked:
    """Return what a column asked for; of requests that are not drawn, what they returned."""
    if column.kind == "request":
        return asked(evidence, evidence.exchange(column.places[0]), axis)
    ids = {i for place in column.places for i in evidence.exchange(place).event_ids}
    return Asked(dict.fromkeys(ids, "returned"), "", "")


def _with_cells(
    column: Column, answers: dict[tuple[int, ...], Asked], lanes: Sequence[Draft]
) -> Column:
    answer = answers.get(column.places) if column.kind in ("request", "gap") else None
    if answer is None:
        return column
    cells = tuple(_cell_of([answer.cells.get(i, "") for i in lane.event_ids]) for lane in lanes)
    return replace(column, cells=cells, above=answer.above, below=answer.below)


def _cell_of(cells: Sequence[Cell]) -> Cell:
    """Return the one cell of a fold: of cells that differ, what came is what counts."""
    if len(set(cells)) == 1:
        return cells[0]
    order: tuple[Cell, ...] = ("returned", "some", "asked", "cut")
    best = next(cell for cell in order if cell in cells)
    return "some" if best == "returned" else best


def _lane(evidence: Evidence, lane: Draft, columns: Sequence[Column], axis: str) -> Lane:
    times = {column.at: n for n, column in enumerate(columns) if column.kind == "time"}
    events = lane.events
    first, last = evidence.name(events[0].id), evidence.name(events[-1].id)
    recorded, visible = lane.instants
    return Lane(
        name=first if len(events) == 1 else f"{first}…{last}",
        key=_key_text(events[0], axis) if len(events) == 1 else _fold_text(lane),
        event_ids=lane.event_ids,
        recorded=times[recorded],
        visible=times[visible],
        is_lost=lane.is_lost,
        is_accused=lane.is_accused,
        said=plain("; ".join(_story(evidence, event) for event in events[:3]))
        + (f"; and {len(events) - 3} more" if len(events) > 3 else ""),
    )


def _fold_text(lane: Draft) -> str:
    lost = f", {lane.lost_count} lost" if lane.lost_count else ""
    return f"{len(lane.events)} events{lost}"


def _key_text(event: LoggedEvent, axis: str) -> str:
    if axis == ID:
        return f"id {short(str(event.id))}"
    return "no stamp" if event.recorded_at is None else clock_text(event.recorded_at)


def _story(evidence: Evidence, event: LoggedEvent) -> str:
    name = f"{evidence.name(event.id)} (id {event.id})"
    if event.recorded_at is None:
        return f"{name}: without a stamp, visible from {clock_text(event.visible_at)}"
    said = f"{name}: stamped {to_text(event.recorded_at)}"
    if event.late_by_ms:
        return f"{said}, hidden for {duration_text(event.late_by_ms)}"
    if event.recorded_at > event.visible_at:
        return f"{said}, visible from {clock_text(event.visible_at)}: its stamp lies in the future"
    return f"{said}, visible at once"


def _with_ties(lanes: Iterable[Lane]) -> list[Lane]:
    result: list[Lane] = []
    for lane in lanes:
        tied = bool(result) and lane.key == result[-1].key and len(lane.event_ids) == 1
        result.append(replace(lane, is_tied=tied))
    return result


def _strange_ids(evidence: Evidence) -> list[EventId]:
    """Return ids that were delivered and no event has."""
    ids = dict.fromkeys(evidence.delivered(place).event_id for place in evidence.deliveries)
    return [i for i in ids if evidence.log.find(i) is None]


def _strange_lanes(evidence: Evidence) -> list[Lane]:
    return [
        Lane(
            name=short(repr(event_id)),
            key="never in the log",
            event_ids=(event_id,),
            is_accused=True,
            said=f"id {short(repr(event_id))}: no event of the log has it",
        )
        for event_id in _strange_ids(evidence)[:STRANGE_LANES_MAX]
    ]


def _dots(
    evidence: Evidence,
    found: Sequence[Moment],
    lanes: Sequence[Draft],
    findings: Sequence[Finding],
) -> Iterable[Dot]:
    lane_of = {i: number for number, lane in enumerate(lanes) for i in lane.event_ids}
    for number, event_id in enumerate(_strange_ids(evidence)[:STRANGE_LANES_MAX]):
        lane_of[event_id] = len(lanes) + number
    steps = (findings[0].steps if findings else ())[: 2 * LINKS_MAX]
    seen: Counter[object] = Counter()
    dots: dict[object, Dot] = {}
    for number, moment in enumerate(found):
        for place in moment.delivered:
            step = evidence.delivered(place)
            # A snapshot hands everything over again in each poll.
            poll = evidence.poll_of[place] if evidence.promise.mode == "snapshot" else 0
            seen[step.event_id, poll] += 1
            if step.event_id not in lane_of:
                continue
            dot = _dot(evidence, place, seen[step.event_id, poll], is_evidence=place in steps)
            dot = replace(dot, lane=lane_of[step.event_id], column=number)
            alike = dot.lane, number, dot.is_repeat, dot.is_altered, dot.is_evidence and place
            before = dots.get(alike)
            dots[alike] = dot if before is None else replace(before, times=before.times + 1)
    return dots.values()


def _dot(evidence: Evidence, place: int, count: int, *, is_evidence: bool) -> Dot:
    """Return the dot of a delivery, the `count`-th of its event, without its place on the map."""
    step = evidence.delivered(place)
    again = f", for the {_ordinal(count)} time" if count > 1 else ""
    when = f"poll {evidence.poll_of[place]}, {clock_text(step.at)}"
    return Dot(
        lane=0,
        column=0,
        place=place,
        is_repeat=count > 1,
        is_altered=step.event is not None and evidence.log.find(step.event_id) is not None,
        is_evidence=is_evidence,
        said=f"{short(evidence.name(step.event_id))} delivered in {when}{again}",
    )


def _links(dots: Sequence[Dot], findings: Sequence[Finding]) -> Iterable[tuple[int, int]]:
    """Return the pairs of dots that a finding about deliveries sets against each other."""
    if not findings or findings[0].rule not in ("DUPLICATED", "OUT_OF_ORDER"):
        return
    number = {dot.place: n for n, dot in enumerate(dots)}
    steps = findings[0].steps[: 2 * LINKS_MAX]
    for first, second in zip(steps[::2], steps[1::2], strict=False):
        if first in number and second in number:
            yield number[first], number[second]


def _pause(
    evidence: Evidence, columns: Sequence[Column], findings: Sequence[Finding]
) -> tuple[int, int, str] | None:
    """Return the pause that was too short, where the finding is about one."""
    if not findings or findings[0].rule != "IMPOLITE":
        return None
    places = findings[0].steps
    found = [n for n, column in enumerate(columns) if not set(places).isdisjoint(column.places)]
    first, last = evidence.exchange(places[0]), evidence.exchange(places[-1])
    waited = duration_text(last.at - first.at)
    if first.retry_after_s is not None:
        waited += f", not {duration_text(round(first.retry_after_s * SECOND_MS))}"
    return found[0], found[-1], waited


def _ordinal(count: int) -> str:
    return {2: "second", 3: "third"}.get(count, f"{count}th")


def _calm(evidence: Evidence, columns: Sequence[Column]) -> int | None:
    if evidence.scenario.is_open:
        return None
    first = evidence.scenario.calm_from + 1
    return next((n for n, column in enumerate(columns) if column.poll >= first), None)


def _limits(evidence: Evidence, columns: Sequence[Column], lanes: Sequence[Draft]) -> Iterable[str]:
    """Say what the map leaves out, and why."""
    gaps = [column.times for column in columns if column.kind == "gap"]
    if gaps:
        what = f"{sum(gaps)} requests" if sum(gaps) else "Some steps"
        yield (
            f"{what} are not drawn: of a long run its start, its end and the evidence tell the "
            "story. Where they stand, only what was returned and delivered is shown."
        )
    if any(len(lane.events) > 1 for lane in lanes):
        yield (
            f"There are {LANES_MAX} lanes at most, for as many fit on a screen: neighbours that "
            "fared alike share one, and where that is not enough, those next to each other."
        )
    strange = len(_strange_ids(evidence)) - STRANGE_LANES_MAX
    if strange > 0:
        yield f"{strange} more ids that the log never held are not drawn."
