"""The journal: each request with what it covered, what was special about its page, and hints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from fakeserver.clock import INSTANT_MAX, to_text
from fakeserver.dialects.base import TOKEN, Ask, Refused
from fakeserver.history import Exchange, History
from fakeserver.query import RECORDED_AT, Condition, Query
from fakeserver.rows import stamps_of, visible_at_of
from fakeserver.serving.hints import hints
from fakeserver.world import World


def entry(world: World, number: int, exchange: Exchange) -> dict[str, Any]:
    """Return request `number` as the control API shows it."""
    query = understood(world, exchange)
    ids = exchange.event_ids
    return {
        "number": number,
        "at": to_text(exchange.at),
        "method": exchange.method,
        "target": exchange.target,
        "status": exchange.status,
        "event_ids": ids,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "rows": len(ids),
        "fault": exchange.fault,
        "problem": exchange.problem,
        "flags": flags(world, exchange),
        "hints": hints(world, exchange, query),
        "covers": None if query is None else world.dialect.words(query, exchange.at),
    }


def exchanges_of(history: History) -> list[Exchange]:
    """Return the requests among the steps."""
    return [step for step in history if isinstance(step, Exchange)]


def understood(world: World, exchange: Exchange) -> Query | None:
    """Return what a request meant, or None where the API refuses it."""
    path, _, query = exchange.target.partition("?")
    ask = Ask(
        path=path,
        query=query,
        method=exchange.method,
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    try:
        return world.dialect.parse(ask, world.settings)
    except Refused:
        return None


def flags(world: World, exchange: Exchange) -> list[str]:
    """Return what is special about a page of rows.

    ``short`` and ``empty``: fewer rows than the limit, or none. ``tie-at-edge``: the first or last
    row has the stamp of the row beyond it. ``late-hidden``: an event of the range that the page
    covers was recorded by then and not visible.
    """
    query = understood(world, exchange)
    if query is None or query.endpoint != "list" or not exchange.is_sound:
        return []
    with world.lock:  # whoever asks the log keeps its indexes up to date
        return list(_flags(world, exchange, query))


def _flags(world: World, exchange: Exchange, query: Query) -> Iterator[str]:
    ids = exchange.event_ids
    full = query.limit is not None and len(ids) >= query.limit
    if not ids:
        yield "empty"
    elif not full:
        yield "short"
    if ids and _tie_at_edge(world, exchange, query):
        yield "tie-at-edge"
    if _late_hidden(world, exchange, query):
        yield "late-hidden"


def _tie_at_edge(world: World, exchange: Exchange, query: Query) -> bool:
    """Whether the row just before or just after the page has the stamp of an outer row."""
    ids = exchange.event_ids
    edges = {world.log.stamp_of(ids[0]), world.log.stamp_of(ids[-1])} - {None}
    at = exchange.at - query.lag_ms
    places = [query.offset - 1, query.offset + len(ids)]
    beyond = [
        stamp
        for place in places
        if place >= 0
        for stamp in stamps_of(world.log.select(replace(query, offset=place, limit=1), at).rows)
    ]
    return any(stamp in edges for stamp in beyond)


def _late_hidden(world: World, exchange: Exchange, query: Query) -> bool:
    """Whether the page would hold another row if no event were ever late."""
    recorded = Condition(RECORDED_AT, "<=", exchange.at)
    asked = replace(query, conditions=(*query.conditions, recorded))
    found = world.log.select(asked, INSTANT_MAX).rows
    return any(instant > exchange.at for instant in visible_at_of(found))
