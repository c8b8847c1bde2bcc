"""What one request is to each event: what it asked for, what its limit cut off, what came back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fakeserver.history import Exchange
from fakeserver.query import ID, RECORDED_AT, Query, value_of
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.sorting import in_order
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.report.coverage.model import Cell

TOP_OF_TEXT = "\U0010ffff"
"""Above any id that is a text."""
BOUNDS = (">", ">=", "<", "<=", "=")


class Asked(NamedTuple):
    """The cells of a request by event, and what it is to keys `above` and `below` all events."""

    cells: dict[EventId, Cell]
    above: Cell
    below: Cell


def asked(evidence: Evidence, exchange: Exchange, axis: str) -> Asked:
    """Return what `exchange` asked for; nothing where the API refuses it."""
    query = evidence.meant(exchange)
    if query is None:
        return Asked({}, "", "")
    seen_at = (exchange.at if exchange.as_of is None else exchange.as_of) - query.lag_ms
    events = evidence.scenario.events
    rows = in_order([e for e in events if query.matches(e)], query.order, query.nulls)
    returned = frozenset(exchange.event_ids)
    cells: dict[EventId, Cell] = {}
    rank = 0
    for row in rows:
        is_visible = row.visible_at <= seen_at
        cells[row.id] = _cell(query, rank)
        if row.id in returned:
            cells[row.id] = "returned"
        elif is_visible and exchange.is_sound and query.endpoint == "list":
            cells[row.id] = "cut"  # it was there and did not come: the limit, whatever the order
        rank += is_visible
    low, high = _ends(events, query, axis)
    first, last = _rank_of_ends(query, axis, rank)
    return Asked(
        cells,
        above=_end_cell(query, axis, high, last),
        below=_end_cell(query, axis, low, first),
    )


def _rank_of_ends(query: Query, axis: str, count: int) -> tuple[int, int]:
    """Return how many of `count` rows come before one below all others, and one above them.

    Sorted by another field both may come last: then they are asked for if there is room left.
    """
    if not query.order or query.order[0].field != axis:
        return count, count
    return (count, 0) if query.order[0].descending else (0, count)


def _cell(query: Query, rank: int) -> Cell:
    """Return what a row is to `query` that has so many rows before it."""
    if query.endpoint == "count" or rank < query.offset:
        return "cut"
    return "asked" if query.limit is None or rank < query.offset + query.limit else "cut"


def _end_cell(query: Query, axis: str, value: Any, rank: int) -> Cell:
    conditions = [c for c in query.conditions if c.field == axis]
    return _cell(query, rank) if all(c.admits(value) for c in conditions) else ""


def _ends(events: Sequence[LoggedEvent], query: Query, axis: str) -> tuple[Any, Any]:
    """Return a value of the key below all events and bounds of `query`, and one above them."""
    bounds = [c.value for c in query.conditions if c.field == axis and c.operator in BOUNDS]
    values = [value_of(event, axis) for event in events]
    known = [value for value in (*values, *bounds) if value is not None]
    if any(isinstance(value, str) for value in known):
        return "", TOP_OF_TEXT
    return min(known, default=0) - 1, max(known, default=0) + 1


def key_axis(evidence: Evidence) -> tuple[str, str]:
    """Choose the key by what the client pages by: its field, and why in words.

    That is the field on which more of its requests set a bound; where they set as many on both, or
    none at all (page numbers), the one by which they are sorted.
    """
    meant = (evidence.meant(evidence.exchange(place)) for place in evidence.exchanges)
    queries = [query for query in meant if query is not None and query.endpoint == "list"]
    counts = {
        field: sum(any(c.field == field for c in query.conditions) for query in queries)
        for field in (ID, RECORDED_AT)
    }
    if counts[ID] != counts[RECORDED_AT]:
        field = max(counts, key=lambda name: counts[name])
        return field, f"{counts[field]} of {len(queries)} requests say by it where to begin"
    sorts = [key.field for query in queries for key in query.order[:1]]
    field = next((name for name in sorts if name in counts), RECORDED_AT)
    if not queries:
        return field, "nothing was asked"
    by_page = "pages are asked for by number, and " if any(q.offset for q in queries) else ""
    return field, f"{by_page}rows come sorted by it"
