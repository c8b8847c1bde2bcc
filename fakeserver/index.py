"""Rows in one order, found without looking at each: a tree that knows what its branches hold.

Every node can say, for each field that was ever asked about, the least and the greatest value of
the rows below it, or all of them where they are few. So a query passes over branches in which
nothing matches, takes whole those in which everything does, and looks at single rows only where it
must. That holds for bounds on any field, for rows that are still hidden, for offsets and for
counting; and a row that comes late in the middle changes one path.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from fakeserver.clock import Instant
from fakeserver.query import Condition, Nulls, SortKey, value_of
from fakeserver.scenario import LoggedEvent

LEAF_ROWS = 128
"""So many rows are looked at one by one where a leaf matches in part; twice as many split it."""
BRANCHES = 16
"""As many are passed over, at most, on each level of the tree; twice as many split a branch."""
FEW_VALUES = 8
"""A field with so few values below a node is known exactly: a subject type, a verb, no value."""

VISIBLE_AT = "visible at"
"""The name under which a node knows when its rows become visible; no field has a space in it."""

Share = Literal["all", "some", "none"]
"""How many of the rows below a node pass."""
Rank = Callable[[LoggedEvent], Any]
_T = TypeVar("_T")


class Summary:
    """What is known of one field below a node: extremes, whether any is null, the values if few."""

    __slots__ = ("few", "has_null", "high", "low")

    def __init__(self, values: Sequence[Any] = ()) -> None:
        known = [value for value in values if value is not None]
        self.low: Any = min(known, default=None)
        self.high: Any = max(known, default=None)
        self.has_null = len(known) < len(values)
        self.few: set[Hashable] | None = None
        self._limit(set(known))

    def add(self, value: Any) -> None:
        """Take in the value of one more row."""
        if value is None:
            self.has_null = True
            return
        if self.low is None:
            self.low = self.high = value
        elif value < self.low:
            self.low = value
        elif value > self.high:
            self.high = value
        if self.few is not None:
            self._limit(self.few | {value})

    def include(self, other: Summary) -> None:
        """Take in all that another summary knows."""
        self.has_null |= other.has_null
        if other.low is not None:
            self.add(other.low)
            self.add(other.high)
        if self.few is not None:
            self._limit(None if other.few is None else self.few | other.few)

    def _limit(self, few: set[Hashable] | None) -> None:
        self.few = None if few is None or len(few) > FEW_VALUES else few


class Test(NamedTuple):
    """What a row must pass: `admits` judges its value of `field`, `share` those below a node."""

    field: str
    admits: Callable[[Any], bool]
    share: Callable[[Summary], Share]


def visible_by(at: Instant) -> Test:
    """Return the test whether a row is visible as of `at`."""
    return Test(
        VISIBLE_AT,
        lambda instant: instant <= at,
        lambda known: "all" if known.high <= at else "none" if known.low > at else "some",
    )


def met(condition: Condition) -> Test:
    """Return the test whether a row meets `condition`."""
    admits = condition.admits
    # A condition of its own kind may admit values as it likes, nulls among them.
    operator = condition.operator if type(condition) is Condition else None

    def share(known: Summary) -> Share:
        if known.few is not None:
            found = {admits(value) for value in known.few}
            if known.has_null:
                found.add(admits(None))
            return "some" if len(found) == 2 else "all" if True in found else "none"
        # The extremes speak for all values between them.
        least, most = False, True
        if operator in (">", ">="):
            least, most = admits(known.low), admits(known.high)
        elif operator in ("<", "<="):
            least, most = admits(known.high), admits(known.low)
        elif operator == "=":
            most = known.low <= condition.value <= known.high
        elif operator == "in":
            most = any(known.low <= value <= known.high for value in condition.value)
        return "none" if not most else "all" if least and not known.has_null else "some"

    return Test(condition.field, admits, share)


class Tree:
    """Rows in the order of `keys`, those that tie by age. `rows` come in the order of age."""

    def __init__(self, keys: Sequence[SortKey], nulls: Nulls, rows: Sequence[LoggedEvent]) -> None:
        self._rank = _rank_by(keys, nulls)
        self.rows_seen = len(rows)
        nodes: list[_Node] = [
            _Leaf(part) for part in _parts(in_order(rows, keys, nulls), LEAF_ROWS)
        ]
        while len(nodes) > 1:
            nodes = [_Branch(part) for part in _parts(nodes, BRANCHES)]
        self._root = nodes[0] if nodes else _Leaf([])

    def catch_up(self, rows: Sequence[LoggedEvent]) -> None:
        """Take in those of `rows`, which come in the order of age, that were not there before."""
        for place in range(self.rows_seen, len(rows)):
            row = rows[place]
            other = self._root.insert(row, self._rank(row), self._rank)
            if other is not None:
                self._root = _Branch([self._root, other])
        self.rows_seen = len(rows)

    def page(self, tests: Sequence[Test], offset: int, limit: int | None) -> list[LoggedEvent]:
        """Return the rows that pass all `tests`, without the first `offset`, at most `limit`."""
        found: list[LoggedEvent] = []
        missing = len(self._root) if limit is None else limit
        if missing == 0:
            return found
        for part in self._root.passing(tests):
            if offset >= len(part):
                offset -= len(part)
                continue
            got = part.cut(offset, offset + missing)
            found += got
            missing -= len(got)
            offset = 0
            if missing == 0:
                break
        return found

    def count(self, tests: Sequence[Test]) -> int:
        """Return how many rows pass all `tests`."""
        return sum(len(part) for part in self._root.passing(tests))


class _Node:
    """A part of the tree: what a leaf and a branch share. Only a whole tree may be empty."""

    __slots__ = ("_summaries",)

    def __init__(self) -> None:
        self._summaries: dict[str, Summary] = {}

    def __len__(self) -> int:
        raise NotImplementedError

    @property
    def first(self) -> LoggedEvent:
        """The first row."""
        raise NotImplementedError

    def summarise(self, field: str) -> Summary:
        """Return what is known of a field; found out when first asked, then kept up to date."""
        known = self._summaries.get(field)
        if known is None:
            known = self._summaries[field] = self._summary(field)
        return known

    def _summary(self, field: str) -> Summary:
        raise NotImplementedError

    def _note(self, row: LoggedEvent) -> None:
        for field, summary in self._summaries.items():
            summary.add(_read(row, field))

    def insert(self, row: LoggedEvent, key: Any, rank: Rank) -> _Node | None:
        """Put `row`, whose rank is `key`, after those that tie with it.

        Returns the node that now follows this one, if it became too large for one.
        """
        raise NotImplementedError

    def cut(self, start: int, stop: int) -> list[LoggedEvent]:
        """Return the rows from place `start` to before `stop`."""
        raise NotImplementedError

    def passing(self, tests: Sequence[Test]) -> Iterator[_Node]:
        """Yield, in order, nodes of which every row passes, which hold all rows that do."""
        undecided: list[Test] = []
        for test in tests if len(self) else ():
            share = test.share(self.summarise(test.field))
            if share == "none":
                return
            if share == "some":
                undecided.append(test)
        if undecided:
            yield from self._passing_below(undecided)
        else:
            yield self

    def _passing_below(self, tests: Sequence[Test]) -> Iterator[_Node]:
        raise NotImplementedError


class _Leaf(_Node):
    __slots__ = ("_rows",)

    def __init__(self, rows: list[LoggedEvent]) -> None:
        super().__init__()
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def first(self) -> LoggedEvent:
        return self._rows[0]

    def _summary(self, field: str) -> Summary:
        return Summary([_read(row, field) for row in self._rows])

    def insert(self, row: LoggedEvent, key: Any, rank: Rank) -> _Node | None:
        self._rows.insert(bisect_right(self._rows, key, key=rank), row)
        if len(self._rows) <= 2 * LEAF_ROWS:
            self._note(row)
            return None
        self._summaries.clear()
        other = _Leaf(self._rows[LEAF_ROWS:])
        del self._rows[LEAF_ROWS:]
        return other

    def cut(self, start: int, stop: int) -> list[LoggedEvent]:
        return self._rows[start:stop]

    def _passing_below(self, tests: Sequence[Test]) -> Iterator[_Node]:
        rows = self._rows
        for field, admits, _ in tests:
            rows = [row for row in rows if admits(_read(row, field))]
        if rows:
            yield _Leaf(rows)


class _Branch(_Node):
    __slots__ = ("_nodes", "_size")

    def __init__(self, nodes: list[_Node]) -> None:
        super().__init__()
        self._nodes = nodes
        self._size = sum(map(len, nodes))

    def __len__(self) -> int:
        return self._size

    @property
    def first(self) -> LoggedEvent:
        return self._nodes[0].first

    def _summary(self, field: str) -> Summary:
        summary = Summary()
        for node in self._nodes:
            summary.include(node.summarise(field))
        return summary

    def insert(self, row: LoggedEvent, key: Any, rank: Rank) -> _Node | None:
        self._note(row)
        self._size += 1
        place = bisect_right(self._nodes, key, lo=1, key=lambda node: rank(node.first)) - 1
        new = self._nodes[place].insert(row, key, rank)
        if new is not None:
            self._nodes.insert(place + 1, new)
        if len(self._nodes) <= 2 * BRANCHES:
            return None
        self._summaries.clear()
        other = _Branch(self._nodes[BRANCHES:])
        del self._nodes[BRANCHES:]
        self._size -= len(other)
        return other

    def cut(self, start: int, stop: int) -> list[LoggedEvent]:
        found: list[LoggedEvent] = []
        for node in self._nodes:
            if start < len(node):
                found += node.cut(max(0, start), stop)
            start -= len(node)
            stop -= len(node)
            if stop <= 0:
                break
        return found

    def _passing_below(self, tests: Sequence[Test]) -> Iterator[_Node]:
        for node in self._nodes:
            yield from node.passing(tests)


def in_order(
    rows: Sequence[LoggedEvent], keys: Sequence[SortKey], nulls: Nulls
) -> list[LoggedEvent]:
    """Return `rows` sorted by `keys`; those that tie stay as they are, in both directions."""
    ordered = list(rows)
    for key in reversed(keys):
        _sort(ordered, key, nulls_first=nulls == "first")
    return ordered


def _sort(rows: list[LoggedEvent], key: SortKey, *, nulls_first: bool) -> None:
    null_is_low = nulls_first != key.descending

    def rank(row: LoggedEvent) -> tuple[bool, Any]:
        value = value_of(row, key.field)
        return ((value is None) != null_is_low, 0 if value is None else value)

    rows.sort(key=rank, reverse=key.descending)


def _rank_by(keys: Sequence[SortKey], nulls: Nulls) -> Rank:
    """Return what puts a single row where `in_order` would put it."""
    fields = [(key.field, _Falling if key.descending else _as_it_is) for key in keys]
    null_is_low = nulls == "first"

    def rank(row: LoggedEvent) -> Any:
        values = [(value_of(row, field), turn) for field, turn in fields]
        return [
            ((value is None) != null_is_low, 0 if value is None else turn(value))
            for value, turn in values
        ]

    return rank


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


def _read(row: LoggedEvent, field: str) -> Any:
    return row.visible_at if field == VISIBLE_AT else value_of(row, field)


def _parts(items: list[_T], size: int) -> Iterator[list[_T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
