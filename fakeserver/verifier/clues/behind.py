"""Clues to an event that no request covered: from where the client asked, in its own numbers."""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.clock import MINUTE_MS, Instant, as_datetime, clock_text, duration_text, zone
from fakeserver.query import ID, RECORDED_AT, Condition
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.clues import carried
from fakeserver.verifier.clues.clue import Clue, joined, poll_of, stamped
from fakeserver.verifier.clues.cut import ids_not_in_time
from fakeserver.verifier.diagnosis.late import (
    ZONES_MS_MAX,
    Start,
    first_chance,
    future_row,
    is_empty_window,
    last_good,
    start_of,
)
from fakeserver.verifier.diagnosis.traces import LOWER, is_filter_dropped, rows_asked
from fakeserver.verifier.evidence import Evidence, PollView, RowsAsked


def clue(evidence: Evidence, event: LoggedEvent) -> Clue | None:  # noqa: PLR0911 - a kind each
    """Look at the first request that could have asked for `event`, and at what it left out."""
    asked = first_chance(evidence, event)
    if asked is None or asked.query is None:
        return None
    failing = [c for c in asked.query.conditions if not c.holds(event)]
    if len(failing) != 1:
        return None
    condition = failing[0]
    if condition.field not in (ID, RECORDED_AT):
        return _filter(evidence, event, asked, condition)
    if condition.operator not in LOWER:
        return _empty_window(evidence, asked, condition)
    if condition.field == ID:
        return _behind_an_id(evidence, event, asked, condition)
    this = start_of(evidence, poll_of(evidence, asked))
    if this is None or this.low != round(condition.value) or event.recorded_at is None:
        return None
    return _behind_a_stamp(evidence, poll_of(evidence, asked), this)


def _filter(
    evidence: Evidence, event: LoggedEvent, asked: RowsAsked, condition: Condition
) -> Clue | None:
    """A filter that went with some requests of a walk, and not with others."""
    if not is_filter_dropped(evidence, asked, condition.field):
        return None
    name = evidence.name(event.id)
    return Clue(
        why=(
            f"The first request of poll {poll_of(evidence, asked).number} had a filter that "
            f"leaves out {name}, and a later page of it had none.",
        ),
        would="Send the same filter with every page of a walk, or with none: what the first page "
        "leaves out lies behind the later ones.",
    )


def _empty_window(evidence: Evidence, asked: RowsAsked, condition: Condition) -> Clue | None:
    """A window that ended before the event had no rows, and that was taken for the end."""
    if not is_empty_window(evidence, asked, [condition]):
        return None
    until = clock_text(round(condition.value), near=asked.exchange.at)
    return Clue(
        why=(
            f"Poll {poll_of(evidence, asked).number} asked up to {until} only, got no rows, and "
            "asked for nothing later.",
        ),
        would="A window without rows is not the end: go on with the next one, until a window "
        "reaches the present.",
    )


def _behind_an_id(
    evidence: Evidence, event: LoggedEvent, asked: RowsAsked, bound: Condition
) -> Clue | None:
    """From which id it asked, and how far below the highest that is; or that it was not told it."""
    untold = carried.brought(evidence, event) or carried.outlived(evidence, event)
    if untold is not None:
        return untold
    before = [page for page in rows_asked(evidence) if page.place < asked.place]
    ids = [i for page in before for i in page.exchange.event_ids if isinstance(i, int)]
    if not ids or not isinstance(event.id, int) or not isinstance(bound.value, int):
        return None
    highest = max(ids)
    said = []
    if bound.value < highest:
        said.append(
            f"It went back by {highest - bound.value} from the highest id that it had read "
            f"({highest}); the id of {evidence.name(event.id)} is {highest - event.id} below that."
        )
    elif bound.value == highest:
        said.append(
            f"{highest} is the highest id that it had read, that of {evidence.name(highest)}."
        )
    for page in before:
        unordered = ids_not_in_time(evidence, event, page.exchange)
        if unordered is not None:
            said.append(unordered)
            break
    return Clue(why=tuple(said)) if said else None


def _behind_a_stamp(evidence: Evidence, poll: PollView, this: Start) -> Clue | None:
    ahead = _ahead(evidence, this)
    if ahead is not None:
        return ahead
    said = _own_number(evidence, poll, this)
    return None if said is None else Clue(why=(said,))


def _ahead(evidence: Evidence, this: Start) -> Clue | None:
    """A bound that lay ahead of its time: taken from an event, or written in another zone."""
    future = future_row(evidence, this)
    if future is not None:
        row, at = future
        return Clue(
            why=(
                f"That is the stamp of {stamped(evidence, row)}, which lay ahead of the time when "
                f"it was read, {clock_text(at)}.",
            ),
            would="Never go on from a stamp that lies ahead of the time of the poll: take that "
            "time in its place.",
        )
    if this.low - this.now < MINUTE_MS:
        return None
    said = (
        f"When that was asked it was {clock_text(this.now)}: the bound lay "
        f"{duration_text(this.low - this.now)} ahead."
    )
    if this.low - this.now > ZONES_MS_MAX:
        return joined([Clue(why=(said,)), _from_elsewhere(evidence, this)])
    return joined([Clue(why=(said,)), _zone(evidence, this.low)])


def _from_elsewhere(evidence: Evidence, this: Start) -> Clue:
    """A bound that no zone explains: of another clock, or kept from another world."""
    first = carried.untold_start(evidence)
    may_be_kept = first is not None and first.exchange.at == this.now
    world = ", or was kept from another world" if may_be_kept else ""
    return Clue(
        why=(f"No two zones are so far apart: it is from another clock{world}.",),
        would="Time is simulated here. Take it from feed.now(), or let the client's own clock be "
        "simulated: --patch-time, fakeserver.PatchedTime(client), or FAKESERVER_NOW for a program."
        + (f" {carried.BEGIN_FROM_CHECKPOINT}" if may_be_kept else ""),
    )


def _zone(evidence: Evidence, low: Instant) -> Clue | None:
    name = evidence.settings.get("shop_zone")
    if not isinstance(name, str):
        return None
    if as_datetime(low).astimezone(zone(name)).fold:
        return Clue(
            why=(f"In {name} that hour comes twice, and this is the later one.",),
            would="Where a local time comes twice, ask from the earlier one on: an hour more "
            "costs repeats, an hour less costs events.",
        )
    return Clue(
        would=f"Write times in the zone in which the API reads them: here {name} (shop_zone)."
    )


def _own_number(evidence: Evidence, poll: PollView, this: Start) -> str | None:
    """Say what the bound of a poll is, from each moment that it may be reckoned from."""
    late = duration_text(evidence.late_by_ms_max) if evidence.late_by_ms_max else None
    asked = f"Poll {poll.number} asked from {clock_text(this.low, near=this.now)} on: that is"
    own = _own_span(evidence, poll, this)
    last = last_good(evidence, poll)
    if last is None or this.start is None:
        back = own or f"{duration_text(this.now - this.low)} before its own start"
        return f"{asked} {back}, and no poll had succeeded by then."
    start = f"the start of poll {last.number}, the last that succeeded ({clock_text(this.start)})"
    what = next(_reckoned(evidence, last, this), own)
    if what is not None:
        return f"{asked} {what}." + (f" It would have to be {late} before {start}." if late else "")
    if late is None:
        return None
    apart = duration_text(abs(this.start - this.low))
    side = f"{apart} {'before' if this.low < this.start else 'after'} " if apart != "0 s" else ""
    return f"{asked} {side}{start}. It would have to be {late} before that."


def _reckoned(evidence: Evidence, last: PollView, this: Start) -> Iterator[str]:
    """Yield what the bound is exactly: a moment of the run, or the lateness before one."""
    late, newest = evidence.late_by_ms_max, _newest(evidence, this)
    if newest is not None and this.low == this.newest:
        yield f"the stamp of {newest}, the newest that it had read"
    if this.low == this.end != this.start:
        yield f"the end of poll {last.number}"
    if not late or this.start is None or this.end is None:
        return
    if this.low == this.end - late != this.start - late:
        end = f"the end of poll {last.number} ({clock_text(this.end)})"
        yield f"{duration_text(late)} before {end}"
    if newest is None or this.newest is None:
        return
    if this.low == this.newest - late != this.start - late:
        stamp = f"the stamp of {newest}, the newest that it had read ({clock_text(this.newest)})"
        yield f"{duration_text(late)} before {stamp}"


def _newest(evidence: Evidence, this: Start) -> str | None:
    """Name an event that had been served by then, and whose stamp is the newest of all."""
    ids = (i for page in rows_asked(evidence) for i in page.exchange.event_ids)
    rows = (evidence.log.find(event_id) for event_id in ids)
    found = (row for row in rows if row is not None and row.recorded_at == this.newest)
    row = next(found, None) if this.newest is not None else None
    return None if row is None else evidence.name(row.id)


def _own_span(evidence: Evidence, poll: PollView, this: Start) -> str | None:
    """Say that it is so long before its own start, where it is so in a later poll as well.

    Not where that one came as long after the poll before it: then it may be reckoned from that.
    """
    slack = MINUTE_MS if this.low % MINUTE_MS == 0 else 1
    span = this.now - this.low
    for number in range(poll.number + 1, len(evidence.polls) + 1):
        other = start_of(evidence, evidence.polls[number - 1])
        if other is None or other.start is None or other.now == this.now:
            continue
        pause, before = other.now - other.start, this.start and this.now - this.start
        is_alike = abs(other.now - other.low - span) < slack
        is_apart = before is None or abs(pause - before) >= slack
        if is_alike and is_apart and span > 0:
            text = duration_text(span - span % slack)
            return f"{text} before its own start, as in poll {number}"
    return None
