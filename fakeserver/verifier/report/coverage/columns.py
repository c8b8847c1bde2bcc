"""The columns of a map: what a client did, request by request, and when the log changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from fakeserver.clock import Instant, clock_text, duration_text
from fakeserver.history import (
    AnyStep,
    Delivered,
    Exchange,
    Killed,
    PollEnded,
    PollStarted,
    Restarted,
    Saved,
    Slept,
)
from fakeserver.scenario import EventId
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import failure, remark
from fakeserver.verifier.report.coverage.model import Act, Answer, Column
from fakeserver.verifier.report.words import error_text, plain

COLUMNS_DRAWN_MAX = 60
"""A screen wide and some more; of a longer walk the start, the end and the evidence tell all."""
HEAD_DRAWN, TAIL_DRAWN = 24, 12
"""So many of its first and last columns are drawn."""
EVIDENCE_DRAWN_MAX = 6
"""A finding may name each request of a walk, and a client may be killed in each poll: the first
ones are as good as all."""
ACTS_SHOWN_MAX = 12
"""A client may save a thousand times between two requests; the first ones tell."""
ENDS = ("killed", "raised", "stopped")
"""What ends a poll before its time."""
ALIKE_MIN = 4
"""Fewer equal requests in a row are drawn one by one: so it is seen that they are equal."""
CHECKPOINT_CHARS_MAX = 60
"""A longer one is a heap of ids."""


class Moment(msgspec.Struct, kw_only=True):
    """A column being made: its steps, and what was delivered in it (places in the history)."""

    column: Column
    what: tuple[object, ...] = ()
    delivered: list[int] = msgspec.field(default_factory=list)
    acts: list[Act] = msgspec.field(default_factory=list)


def moments(evidence: Evidence, steps_shown: Iterable[int]) -> list[Moment]:
    """Return the columns of a history in their order, alike ones folded, long walks cut.

    `steps_shown` are the places of the evidence, which is drawn in any case.
    """
    shown = frozenset(steps_shown)
    found = list(_folded(_all_moments(evidence), evidence, shown))
    instances = {poll.number: poll.instance for poll in evidence.polls}
    for moment in found:
        moment.column = replace(moment.column, instance=instances.get(moment.column.poll, 1))
    return list(_cut(found)) if len(found) > COLUMNS_DRAWN_MAX else found


def with_times(columns: Sequence[Moment], instants: Iterable[Instant]) -> list[Moment]:
    """Return `columns` with one more for each of `instants`, before what happened at it.

    An event that becomes visible at the instant of a request is seen by it.
    """
    result: list[Moment] = []
    left = sorted(set(instants), reverse=True)
    for moment in columns:
        while left and left[-1] <= moment.column.at:
            result.append(_time(left.pop()))
        result.append(moment)
    return [*result, *map(_time, reversed(left))]


def _time(at: Instant) -> Moment:
    return Moment(column=Column(kind="time", at=at, said=clock_text(at)))


def _all_moments(evidence: Evidence) -> Iterator[Moment]:
    current: Moment | None = None
    poll = 0
    for place, step in enumerate(evidence.history):
        before = current
        if isinstance(step, PollStarted):
            poll = step.poll
            current = _call(step.at, poll)
        elif isinstance(step, Exchange):
            current = _request(evidence, place, step, poll)
        else:
            current = _noted(current, place, step, _act(place, step), poll)
        if before is None or current is before:
            continue
        # A call that comes to nothing is a column; one that sends a request is that request.
        if not isinstance(step, Exchange) or not _is_idle_call(before):
            yield before
    if current is not None:
        yield current


def _noted(
    current: Moment | None, place: int, step: AnyStep, act: Act | None, poll: int
) -> Moment | None:
    """Write a step down in the column where it belongs, and return that one."""
    if current is None or (act is None and not isinstance(step, Delivered)):
        return current
    if current.acts and current.acts[-1].kind == "slept":
        current = _call(step.at, poll)  # what follows a sleep happens later
    if isinstance(step, Delivered):
        current.delivered.append(place)
    elif act is not None:
        current.acts.append(act)
    return current


def _is_idle_call(moment: Moment) -> bool:
    return moment.column.kind == "call" and not moment.delivered and not moment.acts


def _call(at: Instant, poll: int) -> Moment:
    return Moment(column=Column(kind="call", at=at, poll=poll, said=f"poll {poll} called"))


def _request(evidence: Evidence, place: int, exchange: Exchange, poll: int) -> Moment:
    answer, mark = _answer(exchange)
    column = Column(
        kind="request",
        at=exchange.at,
        poll=poll,
        places=(place,),
        answer=answer,
        mark=mark,
        fault=exchange.fault,
        said=_said(evidence, exchange, poll),
    )
    return Moment(column=column, what=(exchange.target, exchange.status, exchange.event_ids, mark))


def _answer(exchange: Exchange) -> tuple[Answer, str]:
    """Return what became of a request, and the two or three letters that stand above it."""
    mark = "none" if exchange.status == 0 else str(exchange.status)
    if failure(exchange) is not None:
        return "failed", "cut" if exchange.fault == "truncated-body" else mark
    if exchange.status != 200 or exchange.problem is not None:
        return "refused", mark if exchange.status != 200 else "?"
    return ("old", "old") if exchange.as_of is not None else ("whole", "")


def _said(evidence: Evidence, exchange: Exchange, poll: int) -> str:
    """Tell a request in one sentence."""
    query = evidence.meant(exchange)
    words = unquote(exchange.target) if query is None else evidence.words(query, exchange.at)
    rows = [evidence.name(event_id) for event_id in exchange.event_ids]
    count = "no rows" if not rows else f"{len(rows)} row{'s' if len(rows) > 1 else ''}"
    came = failure(exchange) or (count if exchange.status == 200 else str(exchange.status))
    if rows and len(rows) <= 8:
        came += f": {' '.join(rows)}"
    odd = remark(exchange)
    told = f"poll {poll}, {clock_text(exchange.at)}: asked for {words}; got {came}"
    return plain(f"{told} ({odd})" if odd else told)


def _act(place: int, step: AnyStep) -> Act | None:
    if isinstance(step, Saved):
        text = plain(msgspec.json.encode(step.checkpoint).decode("utf-8", "replace"))
        shown = text if len(text) <= CHECKPOINT_CHARS_MAX else f"{text[:CHECKPOINT_CHARS_MAX]}…"
        return Act(kind="saved", place=place, text=f"saved {shown}")
    if isinstance(step, Slept):
        return Act(kind="slept", place=place, text=f"slept {duration_text(step.ms)}")
    if isinstance(step, Killed):
        return Act(kind="killed", place=place, text=f"killed {step.point.replace('-', ' ')}")
    if isinstance(step, Restarted):
        return Act(kind="restarted", place=place, text="restarted")
    return _bad_end(place, step) if isinstance(step, PollEnded) else None


def _bad_end(place: int, ended: PollEnded) -> Act | None:
    if ended.ending == "raised":
        return Act(kind="raised", place=place, text=f"raised {error_text(ended.error or '')}")
    if ended.ending == "stopped":
        return Act(kind="stopped", place=place, text="stopped by the judge")
    return None


def _folded(found: Iterable[Moment], evidence: Evidence, shown: frozenset[int]) -> Iterator[Moment]:
    """Close each column; of those alike in a row the first stays, the rest are one."""

    def likeness(moment: Moment) -> object:
        ids: list[EventId] = [evidence.delivered(place).event_id for place in moment.delivered]
        acts = [(act.kind, act.text) for act in moment.acts]
        return moment.column.kind, moment.column.poll, moment.what, ids, acts

    for _, run in groupby(found, key=likeness):
        alike = [_closed(moment, shown) for moment in run]
        if len(alike) < ALIKE_MIN:
            yield from alike
        else:
            yield alike[0]
            yield _as_one(alike[1:])


def _closed(moment: Moment, shown: frozenset[int]) -> Moment:
    places = {*moment.column.places, *moment.delivered, *(act.place for act in moment.acts)}
    few = len(moment.acts) <= ACTS_SHOWN_MAX
    acts = [
        act
        for number, act in enumerate(moment.acts)
        if few or number < ACTS_SHOWN_MAX or act.kind in ENDS
    ]
    moment.column = replace(
        moment.column, acts=tuple(acts), is_evidence=not places.isdisjoint(shown)
    )
    return moment


def _as_one(run: Sequence[Moment]) -> Moment:
    """Return one column for a run of columns that are alike."""
    first = run[0].column
    return _joined(run, replace(first, said=f"{first.said} ({len(run)} times)", times=len(run)))


def _gap(run: Sequence[Moment]) -> Moment:
    """Return one column for a run of columns that are not drawn."""
    requests = sum(moment.column.times for moment in run if moment.column.asks)
    acts = {act.kind: act for moment in run for act in reversed(moment.column.acts)}
    column = replace(
        run[0].column,
        kind="gap",
        answer="whole",
        mark="",
        fault=None,
        times=requests,
        acts=tuple(acts.values()),
        said=f"{requests} requests, not drawn" if requests else f"{len(run)} steps, not drawn",
    )
    return _joined(run, column)


def _joined(run: Sequence[Moment], column: Column) -> Moment:
    places = tuple(place for moment in run for place in moment.column.places)
    is_evidence = any(moment.column.is_evidence for moment in run)
    return Moment(
        column=replace(column, places=places, is_evidence=is_evidence),
        delivered=[place for moment in run for place in moment.delivered],
    )


def _cut(found: Sequence[Moment]) -> Iterator[Moment]:
    """Keep the first and last columns and the evidence with what surrounds it."""
    count = len(found)
    kept = {*range(HEAD_DRAWN), *range(count - TAIL_DRAWN, count)}
    ends = [n for n, moment in enumerate(found) if any(a.kind in ENDS for a in moment.column.acts)]
    witnesses = [n for n, moment in enumerate(found) if moment.column.is_evidence]
    for place in (*witnesses[:EVIDENCE_DRAWN_MAX], *ends[:EVIDENCE_DRAWN_MAX]):
        kept |= {place - 1, place, place + 1}
    for keep, run in groupby(range(count), key=kept.__contains__):
        columns = [found[place] for place in run]
        if keep or len(columns) < ALIKE_MIN:
            yield from columns
        else:
            yield _gap(columns)
