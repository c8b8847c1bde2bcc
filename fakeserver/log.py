"""The log: which rows a query finds at an instant, ordered, cut and counted."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec

from fakeserver.clock import Instant
from fakeserver.query import Query, SortKey, value_of
from fakeserver.scenario import EventId, LoggedEvent


class Selection(msgspec.Struct, frozen=True):
    """The `rows` of one page in order, and how many rows `matched` before the cut."""

    rows: tuple[LoggedEvent, ...]
    matched: int


class EventLog:
    """An append-only log of events, each of which becomes visible at its own instant."""

    def __init__(self, events: Iterable[LoggedEvent]) -> None:
        self.events = tuple(events)
        self._by_id = {event.id: event for event in self.events}

    def find(self, event_id: EventId) -> LoggedEvent | None:
        """Return the event with that id, visible or not, or None."""
        return self._by_id.get(event_id)

    def select(self, query: Query, at: Instant, *, salt: int = 0) -> Selection:
        """Answer `query` as of `at`; `salt` decides the order of ties where the query shuffles.

        A request sees one instant: every row with ``visible_at <= at`` and no other.
        """
        found = [event for event in self.events if event.visible_at <= at and query.matches(event)]
        if query.ties_shuffled:
            Random(salt).shuffle(found)  # noqa: S311 - reproducible, not secret
        for key in reversed(query.order):
            _sort(found, key, nulls_first=query.nulls == "first")
        end = None if query.limit is None else query.offset + query.limit
        return Selection(tuple(found[query.offset : end]), len(found))


def _sort(events: list[LoggedEvent], key: SortKey, *, nulls_first: bool) -> None:
    """Sort in place, stably: rows that tie stay as they are, in both directions."""

    def rank(event: LoggedEvent) -> tuple[bool, Any]:
        value = value_of(event, key.field)
        null_is_low = nulls_first != key.descending
        return ((value is None) != null_is_low, 0 if value is None else value)

    events.sort(key=rank, reverse=key.descending)
