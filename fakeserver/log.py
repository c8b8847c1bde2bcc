"""The log: which rows a query finds at an instant, ordered, cut and counted."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Hashable, Iterable, Sequence
from random import Random

from fakeserver.bounds import Test, met, visible_by
from fakeserver.cache import Bodies
from fakeserver.clock import INSTANT_MAX, INSTANT_MIN, Instant
from fakeserver.order import Order, Plan
from fakeserver.query import ID, RECORDED_AT, Condition, Nulls, Query, SortKey, value_of
from fakeserver.rows import NumberedRows, Rows, stamps_of
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.shelf import Redraw, Shelf
from fakeserver.sorting import arrange, in_order
from fakeserver.table import VISIBLE_AT, Table, has_value

SCANNED_MAX = 300
"""Up to so many rows it costs less to look at each than to keep an index."""
GROWTH_MAX = 0.5
"""An index that lacks more than this share of the rows is built anew: that costs less."""
KEPT_MAX = 20_000
"""Up to so many drawn events are kept as they are, 22 MB; of a longer log the rest is drawn again
when it is asked for, which costs it some 60 bytes an event instead of 1.1 KB."""


class Selection:
    """The `rows` of one page in order, and how many rows `matched` before the cut.

    They are counted when somebody asks, which must be before the log changes. `bodies` are those
    that were written before for the same log and settings, if any are kept.
    """

    __slots__ = ("_matched", "_shelf", "bodies", "rows")

    def __init__(self, rows: Rows, matched: int | Callable[[], int], shelf: Shelf) -> None:
        self.rows = rows
        self._matched = matched
        self._shelf = shelf
        self.bodies: Bodies | None = None

    def written(
        self,
        rows: Rows,
        write: Callable[[LoggedEvent], bytes],
        *,
        way: Hashable = None,
        within: tuple[bytes, bytes] = (b"[", b"]"),
    ) -> bytes:
        """Return some or all of the rows as a JSON array, those known as they were written.

        `write` writes one; `way` tells ways of writing apart under the same settings; None is the
        usual one. `within` is what stands before the first row and after the last.
        """
        opening, closing = within
        if not rows:
            return opening + closing
        if self.bodies is None:
            return opening + b",".join(map(write, rows)) + closing
        numbers = rows.numbers if isinstance(rows, NumberedRows) else self._shelf.numbers(rows)
        shelf = self._shelf
        return self.bodies.joined(
            numbers, lambda row: write(shelf.event(row)), way=way, within=within, size=shelf.size
        )

    @property
    def matched(self) -> int:
        """How many rows meet the conditions of the query."""
        if not isinstance(self._matched, int):
            self._matched = self._matched()
        return self._matched


class EventLog:
    """An append-only log of events, each of which becomes visible at its own instant.

    Of long logs `labels` and `numbers` name the fields that queries ask for: those with few values,
    and others that are whole numbers. `redraw` returns the events of a piece that was appended by
    `append_drawn`.
    """

    def __init__(
        self,
        events: Iterable[LoggedEvent] = (),
        *,
        labels: tuple[str, ...] = (),
        numbers: tuple[str, ...] = (),
        redraw: Redraw | None = None,
    ) -> None:
        self._shelf = Shelf(redraw)
        self._fields = labels, numbers
        self._table: Table | None = None
        self._shown: tuple[LoggedEvent, ...] | None = None
        self._visible_at: list[Instant] = []
        # Of a long log: for so many rows, from when and until when so many are visible.
        self._counted = (0, INSTANT_MAX, INSTANT_MIN, 0)
        self._visible: tuple[int, int, list[Test]] = 0, 0, []
        self._latest: tuple[int, float] = 0, INSTANT_MIN
        self._orders: dict[tuple[tuple[SortKey, ...], Nulls], Order] = {}
        self.append(events)

    def __len__(self) -> int:
        return self._shelf.size

    @property
    def events(self) -> tuple[LoggedEvent, ...]:
        """All events, visible or not, in the order in which they were appended."""
        if self._shown is None or len(self._shown) < len(self):
            shown = tuple(self.between(0, len(self)))
            if not self._shelf.is_whole:
                return shown
            self._shown = shown
        return self._shown

    def between(self, start: int, end: int) -> Sequence[LoggedEvent]:
        """Return the events from place `start` to before `end` in the order of appending."""
        if self._shelf.is_whole:
            return self._shelf.kept[start:end]
        return [self._shelf.event(number) for number in range(len(self))[start:end]]

    def append(self, events: Iterable[LoggedEvent]) -> None:
        """Append events, all or none. Raises `ScenarioError` for an id that is there already."""
        ids = None if self._shelf.is_whole else self._indexed().ids
        self._shelf.keep(events, ids)

    def append_drawn(self, piece: int, place: int, events: Sequence[LoggedEvent]) -> None:
        """Append events that a stream has drawn, and would draw again: those from `place` on.

        Raises `ScenarioError` for an id that is there already.
        """
        if not events:
            return
        if len(self) + len(events) > KEPT_MAX:
            table = self._indexed()
            if self._shelf.put_drawn(piece, place, [event.id for event in events]):
                table.extend(events)
                return
        self.append(events)

    def find(self, event_id: EventId) -> LoggedEvent | None:
        """Return the event with that id, visible or not, or None."""
        number = self._number(event_id)
        return None if number is None else self._shelf.event(number)

    def has(self, event_id: EventId) -> bool:
        """Whether there is an event with that id, visible or not."""
        return self._number(event_id) is not None

    def stamp_of(self, event_id: EventId) -> Instant | None:
        """Return the stamp of an event, or None where it has none or there is no such event."""
        number = self._number(event_id)
        if number is None:
            return None
        if self._shelf.is_whole:
            return self._shelf.kept[number].recorded_at
        return stamps_of(NumberedRows([number], self._shelf, self._indexed()))[0]

    @property
    def latest_stamp(self) -> float:
        """The latest stamp of all, ms, as exactly as it is stored; no event is recorded later."""
        size, latest = self._latest
        if size < len(self):
            if self._shelf.is_whole:
                new = [value_of(row, RECORDED_AT) for row in self._shelf.kept[size:]]
            else:
                new = list(self._indexed().recorded.store[size:])
            latest = max([latest, *(stamp for stamp in new if stamp is not None)])
            self._latest = len(self), latest
        return latest

    @property
    def highest_id(self) -> EventId | None:
        """The highest id of all, or None in an empty log."""
        return self._shelf.highest_id

    def _number(self, event_id: EventId) -> int | None:
        return self._shelf.number(event_id, None if self._table is None else self._table.ids)

    def visible_count(self, at: Instant) -> int:
        """Return how many events are visible as of `at`.

        The number names the set, because events become visible one after the other and stay so.
        """
        size = self._shelf.size
        if size > SCANNED_MAX:
            known_size, since, until, count = self._counted
            if known_size != size or not since <= at < until:
                order = self._order((SortKey(VISIBLE_AT),), "first")
                count, until = order.count_up_to(at, otherwise=INSTANT_MAX + 1)
                self._counted = size, at, until, count
            return count
        rows = self._shelf.kept
        if not self._visible_at:
            self._visible_at = sorted(row.visible_at for row in rows)
        for place in range(len(self._visible_at), len(rows)):
            insort(self._visible_at, rows[place].visible_at)
        return bisect_right(self._visible_at, at)

    def select(self, query: Query, at: Instant, *, salt: int = 0) -> Selection:
        """Answer `query` as of `at`; `salt` decides the order of ties where the query shuffles.

        A request sees one instant: every row with ``visible_at <= at`` and no other.
        """
        if self._shelf.size > SCANNED_MAX:
            return self._look_up(query, at, salt)
        found = [row for row in self._shelf.kept if row.visible_at <= at]
        for condition in query.conditions:
            found = _meeting(found, condition)
        if query.is_shuffled:
            Random(salt).shuffle(found)  # noqa: S311 - reproducible, not secret
        found = in_order(found, query.order, query.nulls)
        end = None if query.limit is None else query.offset + query.limit
        return Selection(tuple(found[query.offset : end]), len(found), self._shelf)

    # Long logs

    def _indexed(self) -> Table:
        """Return what is known of all rows by column."""
        if self._table is None:
            self._table = Table(self._shelf, *self._fields)
        if self._table.size < self._shelf.size:
            self._table.catch_up()
        return self._table

    def _order(self, keys: tuple[SortKey, ...], nulls: Nulls) -> Order:
        """Return the index for an order; built when first needed, then kept up to date."""
        table = self._indexed()
        order = self._orders.get((keys, nulls))
        if order is None or order.rows_seen < GROWTH_MAX * table.size:
            order = self._orders[keys, nulls] = Order(keys, nulls, table)
        order.catch_up()
        return order

    def _look_up(self, query: Query, at: Instant, salt: int) -> Selection:
        table = self._indexed()
        rows = self._candidates(query.conditions, table)
        if rows is None and not query.is_shuffled:
            page = self._run(query, at, table)
            if page is None:
                order, plan = self._plan(query, at, table)
                page = order.page(plan, query.offset, query.limit)
            shown = NumberedRows(page, self._shelf, table)
            return Selection(shown, lambda: Order.count(*self._plan(query, at, table)), self._shelf)
        tests, kinds = self._tests(query, at, table)
        if rows is None:
            order = self._order((), "first")
            rows = list(order.page(order.plan(tests, kinds), 0, None))
        else:
            rows = self._passing(rows, tests, kinds)
        if query.is_shuffled:
            Random(salt).shuffle(rows)  # noqa: S311 - reproducible, not secret
        arrange(rows, query.order, query.nulls, table)
        end = None if query.limit is None else query.offset + query.limit
        page = rows[query.offset : end]
        return Selection(NumberedRows(page, self._shelf, table), len(rows), self._shelf)

    def _run(self, query: Query, at: Instant, table: Table) -> Sequence[int] | None:
        """Return the page of a walk where one look shows it to be a run of rows, or None.

        The bound behind which the walk goes on is the first condition, and no other leaves out any.
        """
        conditions, keys = query.conditions, query.order
        if not conditions or not keys or query.offset or not query.limit:
            return None
        bound, others = conditions[0], conditions[1:]
        if bound.field != keys[0].field or type(bound) is not Condition:
            return None
        if others and not self._takes_all(others, table):
            return None
        return self._order(keys, query.nulls).run(bound, query.limit, self._visibility(at))

    def _takes_all(self, conditions: tuple[Condition, ...], table: Table) -> bool:
        """Whether conditions speak of labels only, and rows of all kinds meet them."""
        return all(map(table.is_label, conditions)) and table.kinds.admitted(conditions) is None

    def _plan(self, query: Query, at: Instant, table: Table) -> tuple[Order, Plan]:
        """Return the index for a query's order, and where in it the rows of the query are."""
        order = self._order(query.order, query.nulls)
        return order, order.plan(*self._tests(query, at, table))

    def _tests(
        self, query: Query, at: Instant, table: Table
    ) -> tuple[list[Test], frozenset[int] | None]:
        """Return what single rows must pass, and of which kinds they must be (None: of any)."""
        tests, of_kinds = [*self._visibility(at)], []
        for condition in query.conditions:
            if table.is_label(condition):
                of_kinds.append(condition)
                continue
            tests.append(met(condition))
            if table.has_nulls_by_kind(condition.field) and type(condition) is Condition:
                of_kinds.append(has_value(condition.field))
        return tests, table.kinds.admitted(tuple(of_kinds)) if of_kinds else None

    def _visibility(self, at: Instant) -> Sequence[Test]:
        """Return what passes the rows that are visible as of `at`, the same as long as they are."""
        count, size = self.visible_count(at), self._shelf.size
        if self._visible[:2] != (size, count):
            self._visible = size, count, [visible_by(at)] if count < size else []
        return self._visible[2]

    def _candidates(self, conditions: tuple[Condition, ...], table: Table) -> list[int] | None:
        """Return the rows to look at where a condition names them, in their order, or None."""
        for condition in conditions:
            if condition.operator not in ("=", "in") or type(condition) is not Condition:
                continue
            values = (condition.value,) if condition.operator == "=" else condition.value
            if condition.field == ID:
                numbers = map(self._number, dict.fromkeys(values))
                return sorted(number for number in numbers if number is not None)
            if condition.field in table.numbers:
                found = (table.with_number(condition.field, each) for each in dict.fromkeys(values))
                return sorted(row for rows in found for row in rows)
        return None

    def _passing(
        self, rows: list[int], tests: list[Test], kinds: frozenset[int] | None
    ) -> list[int]:
        table = self._indexed()
        for test in tests:
            values = table.column(test.field).values(rows)
            rows = [row for row, value in zip(rows, values, strict=True) if test.admits(value)]
        codes = table.kinds.of(rows)
        return [
            row for row, code in zip(rows, codes, strict=True) if kinds is None or code in kinds
        ]


def _meeting(rows: list[LoggedEvent], condition: Condition) -> list[LoggedEvent]:
    """Return those of `rows` that meet a condition: as `holds` says, with a call less for each."""
    field, admits = condition.field, condition.admits
    if field == ID:
        return [row for row in rows if admits(row.id)]
    if field == RECORDED_AT:
        return list(filter(condition.holds, rows))
    return [row for row in rows if admits(row.fields.get(field))]
