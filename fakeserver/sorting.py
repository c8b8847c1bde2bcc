"""Putting the rows of a long log in order: what is nearly in order costs little, and little memory.

The rows of a log stand nearly in the order of their ids and stamps. So they are sorted in chunks,
and a row leaves as soon as no later chunk has a lower one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate, islice
from operator import le, lt
from typing import Any

from msgspec.structs import replace

from fakeserver.query import Nulls, SortKey, value_of
from fakeserver.scenario import LoggedEvent
from fakeserver.table import Table

CHUNK_ROWS = 4_096
"""Enough that a sort pays, few enough that they are nothing beside the log."""

Rank = Callable[[int], Any]


def in_order(
    rows: Sequence[LoggedEvent], keys: Sequence[SortKey], nulls: Nulls
) -> list[LoggedEvent]:
    """Return `rows` sorted by `keys`; those that tie stay as they are, in both directions."""
    ordered = list(rows)
    for key in reversed(keys):
        _sort(ordered, partial(_value, key.field), key, nulls)
    return ordered


def _value(field: str, row: LoggedEvent) -> Any:
    return value_of(row, field)


def arrange(rows: list[int], keys: Sequence[SortKey], nulls: Nulls, table: Table) -> None:
    """Sort rows of `table` by `keys`; those that tie stay as they are, in both directions."""
    for key in reversed(keys):
        column = table.column(key.field)
        if column.has_null:
            _sort(rows, column.get, key, nulls)
        else:
            rows.sort(key=column.get, reverse=key.descending)


def _sort(rows: list[Any], get: Callable[[Any], Any], key: SortKey, nulls: Nulls) -> None:
    rows.sort(key=_with_nulls(get, key, nulls), reverse=key.descending)


def _with_nulls(get: Callable[[Any], Any], key: SortKey, nulls: Nulls) -> Callable[[Any], Any]:
    null_is_low = (nulls == "first") != key.descending

    def rank(row: Any) -> tuple[bool, Any]:
        value = get(row)
        return ((value is None) != null_is_low, 0 if value is None else value)

    return rank


class Ranking:
    """What puts the rows of `table`, which may grow, in the order of `keys`, those that tie by age.

    An order whose first key falls `is_backwards`: here all is the other way round, age too.
    """

    def __init__(self, keys: tuple[SortKey, ...], nulls: Nulls, table: Table) -> None:
        self.is_backwards = bool(keys) and keys[0].descending
        if self.is_backwards:
            keys = tuple(replace(key, descending=not key.descending) for key in keys)
            nulls = "last" if nulls == "first" else "first"
        self._keys, self._nulls, self._table = keys, nulls, table

    @property
    def field(self) -> str:
        """The field of the first key."""
        return self._keys[0].field

    def is_by(self, field: str) -> bool:
        """Whether a field is the first key."""
        return bool(self._keys) and self._keys[0].field == field

    @property
    def rank(self) -> Rank:
        """What puts a single row where `sort` would put it, for the table as it is now."""
        keys, null_low = self._keys, self._nulls == "first"
        columns = [self._table.column(key.field) for key in keys]
        if len(keys) == 1 and not columns[0].has_null:
            return columns[0].get
        fields = [
            (column.get, _Falling if key.descending else _as_it_is)
            for column, key in zip(columns, keys, strict=True)
        ]

        def rank(row: int) -> Any:
            values = [(get(row), turn) for get, turn in fields]
            return [
                ((value is None) != null_low, 0 if value is None else turn(value))
                for value, turn in values
            ]

        return rank

    def sort(self, rows: list[int]) -> None:
        """Put `rows` in order."""
        rows.sort(reverse=self.is_backwards)
        arrange(rows, self._keys, self._nulls, self._table)

    def runs(self, count: int) -> Iterator[Sequence[int]]:
        """Yield the first `count` rows of the table in order, in pieces."""
        if self._is_age(count):
            yield range(count)
            return
        column = self._table.column(self.field)
        chunks = [range(n, min(n + CHUNK_ROWS, count)) for n in range(0, count, CHUNK_ROWS)]
        if column.has_null:
            rows = list(range(count))
            self.sort(rows)
            yield rows
            return
        lowest = list(accumulate((min(column.values(c)) for c in reversed(chunks)), min))[::-1]
        waiting: list[int] = []
        enough = 0
        for chunk, later in zip(chunks[:-1], lowest[1:], strict=True):
            waiting += chunk
            if len(waiting) >= enough:
                self.sort(waiting)
                end = bisect_left(waiting, later, key=column.get)
                yield waiting[:end]
                del waiting[:end]
                enough = 2 * len(waiting)  # so that no row is sorted again and again
        waiting += chunks[-1]
        self.sort(waiting)
        yield waiting

    def _is_age(self, count: int) -> bool:
        """Whether the first `count` rows stand in order as they are."""
        if not self._keys or not count:
            return True
        column = self._table.column(self.field)
        if len(self._keys) > 1 or column.has_null:
            return False
        rises = lt if self.is_backwards else le
        for start in range(0, count, CHUNK_ROWS):
            values = column.values(range(start, min(start + CHUNK_ROWS + 1, count)))
            if not all(map(rises, values, islice(values, 1, None))):
                return False
        return True


def sorted_blocks(ranking: Ranking, count: int, size: int) -> Iterator[Sequence[int]]:
    """Yield the first `count` rows in order, in blocks of `size`; the last may be smaller."""
    rest: list[int] = []
    for run in ranking.runs(count):
        if isinstance(run, range):
            yield from (run[start : start + size] for start in range(0, len(run), size))
            continue
        rest += run
        whole = len(rest) - len(rest) % size
        yield from map(_packed, (rest[start : start + size] for start in range(0, whole, size)))
        del rest[:whole]
    if rest:
        yield _packed(rest)


def _packed(rows: list[int]) -> Sequence[int]:
    """Return `rows` as a range, where they are one, or in an array."""
    run = range(rows[0], rows[0] + len(rows))
    return run if rows == list(run) else array("I", rows)


def _as_it_is(value: Any) -> Any:
    return value


class _Falling:
    """A value that sorts the other way round."""

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]  # it is compared, and nothing else

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Falling) and self.value == other.value

    def __lt__(self, other: _Falling) -> bool:
        return bool(other.value < self.value)
