"""What several diagnoses look for in a history: walks, pages, and the bounds of a request."""

from __future__ import annotations

from typing import Any

from fakeserver.clock import Instant
from fakeserver.history import Exchange, PollEnded, Saved
from fakeserver.query import RECORDED_AT, Condition, Query
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence, PollView, RowsAsked
from fakeserver.verifier.failures import is_failure

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


def last_covering(evidence: Evidence, event: LoggedEvent) -> RowsAsked | None:
    """Return the last request that asked for `event` when it could be read, answered or not."""
    covering = [
        asked
        for asked in rows_asked(evidence)
        if asked.exchange.at >= event.visible_at and asked.query and asked.query.matches(event)
    ]
    return covering[-1] if covering else None


def next_asked(evidence: Evidence, asked: RowsAsked) -> RowsAsked | None:
    """Return the request for rows after `asked`, in whatever poll."""
    return next((later for later in rows_asked(evidence) if later.place > asked.place), None)


def ends_its_poll(evidence: Evidence, asked: RowsAsked) -> bool:
    """Whether the client asked for nothing more in that poll, and ended it as one that is done."""
    poll = evidence.polls[evidence.poll_of[asked.place] - 1]
    return ended_well(poll) and rows_asked(evidence, poll)[-1].place == asked.place


def counts_rows(evidence: Evidence) -> bool:
    """Whether the client asks for the number of rows somewhere."""
    return any(a.query is not None and a.query.endpoint == "count" for a in evidence.asked)


def skipped_page(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> RowsAsked | None:
    """Return the last page before this one that began earlier, if it failed: it was left out."""
    poll = evidence.polls[evidence.poll_of[asked.place] - 1]
    before = [
        page
        for page in rows_asked(evidence, poll)
        if page.place < asked.place
        and page.query is not None
        and page.query.matches(event)
        and page.query.offset < (0 if asked.query is None else asked.query.offset)
    ]
    return before[-1] if before and is_failure(before[-1].exchange) else None


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


def holds_id(checkpoint: Any, event_id: EventId) -> bool:
    """Whether an id is a key or a value somewhere in a checkpoint."""
    if isinstance(checkpoint, dict):
        return any(holds_id(part, event_id) for pair in checkpoint.items() for part in pair)
    if isinstance(checkpoint, list):
        return any(holds_id(part, event_id) for part in checkpoint)
    return str(checkpoint) == str(event_id)


def has_key(checkpoint: Any, key: str) -> bool:
    """Whether a dict somewhere in a checkpoint has that key."""
    if isinstance(checkpoint, dict):
        return key in checkpoint or any(has_key(part, key) for part in checkpoint.values())
    return isinstance(checkpoint, list) and any(has_key(part, key) for part in checkpoint)


def last_saved(evidence: Evidence, before: int) -> Saved | None:
    """Return the last save before the step at `before`."""
    steps = reversed(evidence.history[:before])
    return next((step for step in steps if isinstance(step, Saved)), None)


def saved_unread(evidence: Evidence, poll: PollView) -> bool:
    """Whether a poll saved before it had asked for anything, and was then cut short."""
    if ended_well(poll):
        return False
    for step in evidence.steps_of(poll):
        if isinstance(step, Saved):
            return True
        if isinstance(step, (Exchange, PollEnded)):
            return False
    return False


def is_filter_dropped(evidence: Evidence, asked: RowsAsked, field: str) -> bool:
    """Whether another request of the same poll came without the condition on `field`."""
    poll = evidence.polls[evidence.poll_of[asked.place] - 1]
    return any(
        page.query is not None and all(c.field != field for c in page.query.conditions)
        for page in rows_asked(evidence, poll)
    )


def is_bound_dropped(evidence: Evidence, event: LoggedEvent, source: RowsAsked) -> bool:
    """Whether the first request of a poll kept `event` out by its stamp, and this one had no bound.

    `source` is the request that brought it.
    """
    walk = rows_asked(evidence, evidence.polls[evidence.poll_of[source.place] - 1])
    bound = lower_bound(walk[0].query, RECORDED_AT)
    if bound is None or bound.holds(event) or source.query is None:
        return False
    return all(c.field != RECORDED_AT for c in source.query.conditions)


def next_page(
    evidence: Evidence, event: LoggedEvent, asked: RowsAsked
) -> tuple[RowsAsked, Condition] | None:
    """Return the next request of the same poll, and its bound on stamps that left `event` out."""
    after = next_asked(evidence, asked)
    if after is None or evidence.poll_of[after.place] != evidence.poll_of[asked.place]:
        return None
    bound = lower_bound(after.query, RECORDED_AT)
    return None if bound is None or bound.holds(event) else (after, bound)
