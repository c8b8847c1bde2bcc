"""Rows that a query found, told by their numbers: events only where somebody looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from fakeserver.clock import Instant
from fakeserver.columns import as_run
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.shelf import Shelf
from fakeserver.table import Table


class NumberedRows(Sequence[LoggedEvent]):
    """The events with these `numbers`; ids and instants are known without them."""

    __slots__ = ("_ids", "_numbers", "_shelf", "_table")
    __hash__ = None  # type: ignore[assignment]  # it equals a tuple, and has not its hash

    def __init__(self, numbers: Sequence[int], shelf: Shelf, table: Table) -> None:
        self._numbers = numbers
        self._shelf = shelf
        self._table = table
        self._ids: tuple[EventId, ...] | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> LoggedEvent: ...
    @overload
    def __getitem__(self, place: slice) -> NumberedRows: ...
    def __getitem__(self, place: int | slice) -> LoggedEvent | NumberedRows:
        if isinstance(place, slice):
            return NumberedRows(self._numbers[place], self._shelf, self._table)
        return self._shelf.event(self._numbers[place])

    def __iter__(self) -> Iterator[LoggedEvent]:
        return map(self._shelf.event, self._numbers)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (tuple, NumberedRows)):
            return tuple(self) == tuple(other)
        return NotImplemented

    def __repr__(self) -> str:
        return f"NumberedRows({tuple(self)!r})"

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of the rows in the log, from 0."""
        return self._numbers

    @property
    def ids(self) -> tuple[EventId, ...]:
        """The ids of the rows."""
        if self._ids is None:
            self._ids = tuple(self._table.ids.values(as_run(self._numbers)))
        return self._ids

    @property
    def stamps(self) -> list[float | None]:
        """What the log has stored as the stamp of each row, which may be finer than a ms."""
        return list(map(self._table.recorded.get, self._numbers))

    @property
    def visible_at(self) -> list[Instant]:
        """From when on each row is visible."""
        return list(map(self._table.visible_at.get, self._numbers))


Rows = tuple[LoggedEvent, ...] | NumberedRows
"""Rows of a log: of a short one the events themselves."""


def ids_of(rows: Rows) -> tuple[EventId, ...]:
    """Return the ids of `rows`, in their order."""
    return rows.ids if isinstance(rows, NumberedRows) else tuple(row.id for row in rows)


def stamps_of(rows: Rows) -> list[Instant | None]:
    """Return the stamps of `rows` as the log shows them, to the millisecond."""
    if not isinstance(rows, NumberedRows):
        return [row.recorded_at for row in rows]
    return [None if stamp is None else int(stamp // 1) for stamp in rows.stamps]


def visible_at_of(rows: Rows) -> list[Instant]:
    """Return from when on each of the `rows` is visible."""
    if isinstance(rows, NumberedRows):
        return rows.visible_at
    return [row.visible_at for row in rows]
