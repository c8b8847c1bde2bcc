"""Telling the polls of a client apart that nobody here calls: by its pauses and its walks."""

from __future__ import annotations

from msgspec.structs import replace

from fakeserver.clock import MINUTE_MS, Instant
from fakeserver.history import (
    AnyStep,
    Delivered,
    Exchange,
    History,
    PollEnded,
    PollStarted,
    Restarted,
    Saved,
    Slept,
)
from fakeserver.query import ID, RECORDED_AT, Query
from fakeserver.serving.journal import understood
from fakeserver.verifier.failures import is_failure
from fakeserver.world import World


def with_polls(world: World, steps: History, *, gap_ms: int, now: Instant) -> History:
    """Return `steps` with the starts and ends of the polls that they seem to make.

    A poll starts with a request for rows before which there was no other for `gap_ms`, or since
    which the clock was moved; but not with one that goes on with a walk under way, or asks again
    after a failure. So within a poll a client must not pause that long after a page that is not
    full, and nobody may move the clock; where polls are taken for one, the judge only knows less.
    What is no request for rows belongs to the poll it stands in. `now` ends the last one.
    """
    told: list[AnyStep] = []
    poll = 0
    before: Exchange | None = None
    rested = False
    for step in steps:
        if isinstance(step, Slept):
            rested = True
        elif isinstance(step, Exchange) and _asks_for_rows(world, step):
            paused = before is None or rested or step.at - before.at - before.took_ms >= gap_ms
            if poll == 0 or (paused and before is not None and not goes_on(world, before, step)):
                poll = _next(told, poll, step.at)
            before, rested = step, False
        elif poll == 0 and isinstance(step, (Exchange, Delivered, Saved, Restarted)):
            poll = _next(told, poll, step.at)
        told.append(step)
    if poll:
        told.append(PollEnded(at=now, poll=poll, ending="returned"))
    return tuple(told)


def _next(told: list[AnyStep], poll: int, at: Instant) -> int:
    if poll:
        told.append(PollEnded(at=at, poll=poll, ending="returned"))
    told.append(PollStarted(at=at, poll=poll + 1))
    return poll + 1


def _asks_for_rows(world: World, step: Exchange) -> bool:
    """Whether `step` asks for a page, be it refused: no count, no HEAD, no browser's icon."""
    query = understood(world, step)
    if query is None:
        return step.target.partition("?")[0] == world.dialect.list_path
    return step.method == "GET" and query.endpoint == "list"


def goes_on(world: World, before: Exchange, step: Exchange) -> bool:
    """Whether `step` reads on where the page of `before` ended, or asks again what failed.

    After a page that was not full there is nothing to read on.
    """
    if before.status != 200 or is_failure(before):
        return True
    page, query = understood(world, before), understood(world, step)
    if page is None or query is None or not page.limit or len(before.event_ids) < page.limit:
        return False
    return _is_next_page(page, query) or _starts_at_edge(world, before, query)


def _is_next_page(page: Query, query: Query) -> bool:
    """Whether only the page number has grown."""
    turned = replace(page, offset=query.offset, limit=query.limit, limit_asked=query.limit_asked)
    return query.offset > page.offset and turned == query


def _starts_at_edge(world: World, before: Exchange, query: Query) -> bool:
    """Whether a bound is the id or the stamp of the first or last row; a stamp to the minute."""
    edges = [world.log.find(event_id) for event_id in (before.event_ids[0], before.event_ids[-1])]
    ids = {row.id for row in edges if row is not None}
    stamps = [row.recorded_at for row in edges if row is not None and row.recorded_at is not None]
    return any(
        (condition.field == ID and condition.value in ids)
        or (
            condition.field == RECORDED_AT
            and isinstance(condition.value, (int, float))
            and any(abs(stamp - condition.value) < MINUTE_MS for stamp in stamps)
        )
        for condition in query.conditions
    )
