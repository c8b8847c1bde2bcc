"""What several diagnoses look for in a history: walks, pages, and the bounds of a request."""

from __future__ import annotations

from fakeserver.clock import Instant
from fakeserver.query import RECORDED_AT, Condition, Query
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.evidence import Evidence, PollView, RowsAsked

LOWER = (">", ">=")


def rows_asked(evidence: Evidence, poll: PollView | None = None) -> list[RowsAsked]:
    """Return the requests for a list of rows that the API understood, of one poll or of all."""
    return [
        asked
        for asked in evidence.asked
        if asked.query is not None
        and asked.query.endpoint == "list"
        and (poll is None or evidence.poll_of[asked.place] == poll.number)
    ]


def lower_bound(query: Query | None, field: str) -> Condition | None:
    """Return the lower bound of `query` on `field`, if it has exactly one."""
    conditions = () if query is None else query.conditions
    found = [c for c in conditions if c.field == field and c.operator in LOWER]
    return found[0] if len(found) == 1 else None


def is_newest_first(query: Query) -> bool:
    """Whether rows come from the end of the log."""
    return bool(query.order) and query.order[0].descending


def is_full(asked: RowsAsked) -> bool:
    """Whether the page holds as many rows as it may."""
    limit = None if asked.query is None else asked.query.limit
    return limit is not None and len(asked.exchange.event_ids) >= limit


def is_clamped(query: Query) -> bool:
    """Whether the server took less than the limit that was asked for."""
    return query.limit is not None and (query.limit_asked or 0) > query.limit


def starts_at(query: Query, event: LoggedEvent) -> bool:
    """Whether `query` asks for stamps from exactly that of `event` on."""
    bound = lower_bound(query, RECORDED_AT)
    return bound is not None and bound.operator == ">=" and bound.value == event.recorded_at


def is_page_of_ties(evidence: Evidence, asked: RowsAsked) -> bool:
    """Whether a page is full and holds one stamp only, and that is the one it was asked from."""
    rows = [evidence.log.find(event_id) for event_id in asked.exchange.event_ids]
    query = asked.query
    return (
        query is not None
        and len(rows) == query.limit
        and all(row is not None and starts_at(query, row) for row in rows)
    )


def ended_well(poll: PollView) -> bool:
    """Whether a poll came to an end of its own, so that what it saved is meant."""
    return poll.ended is not None and poll.ended.ending in ("returned", "slept")


def newest_served(evidence: Evidence, before: int) -> Instant | None:
    """Return the newest stamp that was served before the step at `before`."""
    rows = [
        evidence.log.find(event_id)
        for asked in rows_asked(evidence)
        if asked.place < before
        for event_id in asked.exchange.event_ids
    ]
    stamps = [row.recorded_at for row in rows if row is not None and row.recorded_at is not None]
    return max(stamps, default=None)
