"""The log: which rows a query finds at an instant, ordered, cut and counted."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from random import Random

from fakeserver.clock import Instant
from fakeserver.errors import ScenarioError
from fakeserver.index import Tree, in_order, met, visible_by
from fakeserver.query import ID, Condition, Nulls, Query, SortKey
from fakeserver.scenario import EventId, LoggedEvent

SCANNED_MAX = 300
"""Up to so many rows it costs less to look at each than to keep an index."""
GROWTH_MAX = 0.5
"""An index that lacks more than this share of the rows is built anew: that costs less."""


class Selection:
    """The `rows` of one page in order, and how many rows `matched` before the cut.

    They are counted when somebody asks, which must be before the log changes.
    """

    __slots__ = ("_matched", "rows")

    def __init__(self, rows: tuple[LoggedEvent, ...], matched: int | Callable[[], int]) -> None:
        self.rows = rows
        self._matched = matched

    @property
    def matched(self) -> int:
        """How many rows meet the conditions of the query."""
        if not isinstance(self._matched, int):
            self._matched = self._matched()
        return self._matched


class EventLog:
    """An append-only log of events, each of which becomes visible at its own instant."""

    def __init__(self, events: Iterable[LoggedEvent]) -> None:
        self._rows: list[LoggedEvent] = []
        self._shown: tuple[LoggedEvent, ...] | None = None
        self._by_id: dict[EventId, LoggedEvent] = {}
        self._visible_at: list[Instant] = []
        self._trees: dict[tuple[tuple[SortKey, ...], Nulls], Tree] = {}
        self.append(events)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def events(self) -> tuple[LoggedEvent, ...]:
        """All events, visible or not, in the order in which they were appended."""
        if self._shown is None:
            self._shown = tuple(self._rows)
        return self._shown

    def append(self, events: Iterable[LoggedEvent]) -> None:
        """Append events, all or none. Raises `ScenarioError` for an id that is there already."""
        new = list(events)
        by_id = {event.id: event for event in new}
        if len(by_id) < len(new) or not self._by_id.keys().isdisjoint(by_id):
            raise ScenarioError(f"there is an event {self._clash(new)!r} already")
        self._rows += new
        self._by_id |= by_id
        self._shown = None

    def _clash(self, new: Iterable[LoggedEvent]) -> EventId:
        """Return the first id that stands here already, or a second time in `new`."""
        seen: set[EventId] = set()
        for event in new:
            if event.id in self._by_id or event.id in seen:
                break
            seen.add(event.id)
        return event.id

    def find(self, event_id: EventId) -> LoggedEvent | None:
        """Return the event with that id, visible or not, or None."""
        return self._by_id.get(event_id)

    def visible_count(self, at: Instant) -> int:
        """Return how many events are visible as of `at`.

        The number names the set, because events become visible one after the other and stay so.
        """
        if not self._visible_at:
            self._visible_at = sorted(row.visible_at for row in self._rows)
        for place in range(len(self._visible_at), len(self._rows)):
            insort(self._visible_at, self._rows[place].visible_at)
        return bisect_right(self._visible_at, at)

    def select(self, query: Query, at: Instant, *, salt: int = 0) -> Selection:
        """Answer `query` as of `at`; `salt` decides the order of ties where the query shuffles.

        A request sees one instant: every row with ``visible_at <= at`` and no other.
        """
        rows = self._candidates(query.conditions)
        if len(rows) > SCANNED_MAX and not query.is_shuffled:
            return self._look_up(query, at)
        found = [row for row in rows if row.visible_at <= at]
        for condition in query.conditions:
            found = list(filter(condition.holds, found))
        if query.is_shuffled:
            Random(salt).shuffle(found)  # noqa: S311 - reproducible, not secret
        found = in_order(found, query.order, query.nulls)
        end = None if query.limit is None else query.offset + query.limit
        return Selection(tuple(found[query.offset : end]), len(found))

    def _candidates(self, conditions: tuple[Condition, ...]) -> list[LoggedEvent]:
        """Return the rows to look at: all, or the one whose id is asked for."""
        for condition in conditions:
            if condition.field == ID and condition.operator == "=" and len(self) > SCANNED_MAX:
                row = self._by_id.get(condition.value)
                return [] if row is None else [row]
        return self._rows

    def _look_up(self, query: Query, at: Instant) -> Selection:
        tests = [visible_by(at), *map(met, query.conditions)]
        tree = self._tree(query.order, query.nulls)
        rows = tree.page(tests, query.offset, query.limit)
        return Selection(tuple(rows), lambda: tree.count(tests))

    def _tree(self, order: tuple[SortKey, ...], nulls: Nulls) -> Tree:
        """Return the index for an order; built when first needed, then kept up to date."""
        tree = self._trees.get((order, nulls))
        if tree is None or tree.rows_seen < GROWTH_MAX * len(self._rows):
            tree = self._trees[order, nulls] = Tree(order, nulls, self._rows)
        tree.catch_up(self._rows)
        return tree
