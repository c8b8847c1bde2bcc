"""Behind the cursor: what a lower bound that left an event out was reckoned from.

A client that looks back starts a poll at some moment minus some span (theorem T2). Both are read
from the bounds of its polls: a span that is the same in each, whatever came between, is no chance.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fakeserver.clock import HOUR_MS, MINUTE_MS, SECOND_MS, Instant
from fakeserver.history import Exchange, Saved
from fakeserver.query import ID, RECORDED_AT, Condition
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.diagnosis.traces import (
    LOWER,
    ended_well,
    ends_its_poll,
    is_filter_dropped,
    lower_bound,
    newest_served,
    rows_asked,
)
from fakeserver.verifier.evidence import Evidence, PollView, RowsAsked

ZONES_MS_MAX = 26 * HOUR_MS
"""From UTC-12 to UTC+14: no two zones of the world are further apart."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """How a poll started: its lower bound `low`, and the moments that it may be reckoned from.

    `now` is its own start, `start` and `end` those of the last poll that ended well before it (None
    where there was none), `newest` the newest stamp served by then.
    """

    low: Instant
    now: Instant
    start: Instant | None
    end: Instant | None
    newest: Instant | None


def left_behind(evidence: Evidence, event: LoggedEvent) -> str | None:  # noqa: PLR0911 - a kind each
    """Return the class of an event that no request covered once it could be read.

    Snapshots begin anew each time: what is missing in one says nothing about looking back.
    """
    asked = first_chance(evidence, event)
    if asked is None or asked.query is None or evidence.promise.mode == "snapshot":
        return None
    failing = [c for c in asked.query.conditions if not c.holds(event)]
    if len(failing) == 1 and failing[0].field not in (ID, RECORDED_AT):
        return "C30" if is_filter_dropped(evidence, asked, failing[0].field) else None
    if len(failing) != 1 or failing[0].operator not in LOWER:
        return "C16" if is_empty_window(evidence, asked, failing) else None
    if failing[0].field == ID:
        return _behind_an_id(evidence, event)
    if failing[0].field != RECORDED_AT:
        return None
    if event.recorded_at is None:
        return "C35"
    if not event.late_by_ms and evidence.late_by_ms(event):
        return "C10"
    return _behind_a_stamp(evidence, asked, failing[0])


def is_empty_window(evidence: Evidence, asked: RowsAsked, failing: list[Condition]) -> bool:
    """Whether a window that ended before an event had no rows, and the poll ended there."""
    if len(failing) != 1 or failing[0].field != RECORDED_AT or failing[0].operator in LOWER:
        return False
    is_empty = asked.exchange.is_sound and not asked.exchange.event_ids
    return is_empty and ends_its_poll(evidence, asked)


def future_row(evidence: Evidence, this: Start) -> tuple[LoggedEvent, Instant] | None:
    """Return the row whose stamp became the bound though it lay ahead, and when it was read."""
    for page in rows_asked(evidence):
        for event_id in page.exchange.event_ids:
            row = evidence.log.find(event_id)
            if row is not None and row.recorded_at == this.low > page.exchange.at:
                return row, page.exchange.at
    return None


def first_chance(evidence: Evidence, event: LoggedEvent) -> RowsAsked | None:
    """Return the first request of the first poll that found the event visible."""
    for poll in evidence.polls:
        asked = rows_asked(evidence, poll)
        if asked and poll.started_at >= event.visible_at:
            return asked[0]
    return None


def _behind_an_id(evidence: Evidence, event: LoggedEvent) -> str | None:
    """Tell a late event from ids that do not grow with time: what was read before it decides."""
    above = [
        row
        for asked in rows_asked(evidence)
        if asked.exchange.at < event.visible_at
        for event_id in asked.exchange.event_ids
        if (row := evidence.log.find(event_id)) is not None and _is_above(row, event)
    ]
    if not above:
        return None
    if event.late_by_ms and any(
        (row.recorded_at or 0) >= (event.recorded_at or 0) for row in above
    ):
        return "C09"
    return None if event.late_by_ms else "C05"


def _is_above(row: LoggedEvent, event: LoggedEvent) -> bool:
    return isinstance(row.id, int) and isinstance(event.id, int) and row.id > event.id


def _behind_a_stamp(  # noqa: PLR0911 - a kind each
    evidence: Evidence, asked: RowsAsked, bound: Condition
) -> str | None:
    poll = evidence.polls[evidence.poll_of[asked.place] - 1]
    this = start_of(evidence, poll)
    if this is None or this.low != bound.value:
        return None
    before = evidence.polls[poll.number - 2] if poll.number > 1 else None
    if before is not None and not ended_well(before) and _saves(evidence, before):
        return "C24" if _saves(evidence, before, unread=True) else None
    if future_row(evidence, this) is not None:
        return "C36"
    if this.low > this.now:
        return _ahead_of_now(evidence, this)
    others = [start for other in evidence.polls if (start := start_of(evidence, other)) != this]
    starts = [start for start in others if start is not None]
    if this.start is None or this.end is None:
        return "C08" if any(s.now - s.low == this.now - this.low for s in starts) else None
    late = evidence.late_by_ms_max
    if not late or this.low <= this.start - late:
        return None  # it looked back as far as it must: something else kept the event out
    if late in (this.end - this.low, None if this.newest is None else this.newest - this.low):
        return "C08"
    if this.low == this.newest or _is_just_behind(this):
        return "C06" if _hands_over_young_rows(evidence, poll, late) else None
    if this.low == this.end != this.start:
        return "C36"
    return _by_the_span(this, [s for s in starts if s.start is not None], late)


def _saves(evidence: Evidence, poll: PollView, *, unread: bool = False) -> bool:
    """Whether a poll saved anything; `unread`: before it had asked for anything."""
    for step in evidence.steps_of(poll):
        if isinstance(step, Saved):
            return True
        if unread and isinstance(step, Exchange):
            return False
    return False


def _ahead_of_now(evidence: Evidence, this: Start) -> str | None:
    """A bound later than the request: from a stamp ahead of its time, or in another zone.

    Less than a minute is no zone: it may be rounding, or a clock that is fast. More than zones can
    be apart is a clock of the client's own.
    """
    if this.newest is not None and this.newest + SECOND_MS >= this.low:
        return "C36"
    if this.low - this.now > ZONES_MS_MAX:
        return "C36"
    is_far = this.low - this.now >= MINUTE_MS
    return "C32" if is_far and "shop_zone" in evidence.settings else None


def _is_just_behind(this: Start) -> bool:
    """Whether the bound is the newest stamp plus up to a second, as people write ``> key``."""
    return this.newest is not None and this.newest < this.low <= this.newest + SECOND_MS


def _hands_over_young_rows(evidence: Evidence, poll: PollView, late: int) -> bool:
    """Whether some row was delivered so young that the client holds nothing back worth the name.

    One that does would be the other class: it waits, and not long enough.
    """
    ages = [
        evidence.polls[evidence.poll_of[place] - 1].started_at - event.recorded_at
        for event_id, place in evidence.first_delivery.items()
        if (event := evidence.log.find(event_id)) is not None
        and event.recorded_at is not None
        and evidence.poll_of[place] <= poll.number
    ]
    return bool(ages) and 2 * min(ages) < late


def _by_the_span(this: Start, others: list[Start], late: int) -> str | None:
    """Name what the spans from each moment to the bound have in common in several polls."""
    if not others:
        return None
    everywhere = [this, *others]
    slack = MINUTE_MS if all(s.low % MINUTE_MS == 0 for s in everywhere) else 1
    spans = [_span(s, "start") for s in everywhere]
    if all(span is not None and 0 <= span < slack for span in spans):
        return "C06"
    classes = set(_classes_of_spans(this, others, late, slack=slack))
    return classes.pop() if len(classes) == 1 else None


def _classes_of_spans(this: Start, others: list[Start], late: int, *, slack: int) -> Iterator[str]:
    """Yield a class for each moment from which the bound lies the same span in every poll.

    `slack` is what rounding keeps a span below, ms. The poll's own start need recur in one other
    poll only, if that came after another pause: such a client may take the later of two bounds.
    """
    for name in ("start", "end", "newest"):
        spans = [span for s in (this, *others) if (span := _span(s, name)) is not None]
        if len(spans) > len(others) and max(spans) - min(spans) < slack and spans[0] > 0:
            yield "C07" if spans[0] < late else "C08"
    own = this.now - this.low
    for other in others:
        same = abs(other.now - other.low - own) < slack
        if same and abs((_span(other, "start") or 0) - (_span(this, "start") or 0)) >= slack:
            yield "C07" if own < late else "C08"


def _span(start: Start, name: str) -> int | None:
    moment: Instant | None = getattr(start, name)
    return None if moment is None else moment - start.low


def start_of(evidence: Evidence, poll: PollView) -> Start | None:
    """Return how a poll started, or None where its first request has no lower bound on stamps."""
    asked = rows_asked(evidence, poll)
    bound = lower_bound(asked[0].query, RECORDED_AT) if asked else None
    if bound is None:
        return None
    last = last_good(evidence, poll)
    ended = None if last is None else last.ended
    return Start(
        low=round(bound.value),
        now=asked[0].exchange.at,
        start=None if last is None else last.started_at,
        end=None if ended is None else ended.at,
        newest=newest_served(evidence, asked[0].place),
    )


def last_good(evidence: Evidence, poll: PollView) -> PollView | None:
    """Return the last poll before `poll` that ended well, if any did."""
    return next((p for p in reversed(evidence.polls[: poll.number - 1]) if ended_well(p)), None)
