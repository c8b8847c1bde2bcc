"""The rows of a long log in one order, in blocks: any page of them found without looking at each.

A block is a run of neighbours in the order. Where these are neighbours in the log as well, as with
the ids and stamps of a stream, it is only a range. A query passes over blocks in which nothing
matches, takes whole those in which all rows do, and looks at single rows in the few where some do
(`bounds`). How many rows of a kind blocks have is added up once for each set of kinds that is asked
for. So pages far behind cost what first pages do, and so does counting.

An order that falls is kept the other way round and read from its end: what is new comes to stand
where little has to be moved.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from fakeserver.bounds import Bounds, Piece, Test, together
from fakeserver.columns import Column, LabelColumn, count_of, joined
from fakeserver.query import Condition, Nulls, SortKey
from fakeserver.sorting import Ranking, sorted_blocks
from fakeserver.table import VISIBLE_AT, Table

BLOCK_ROWS = 256
"""So many rows are looked at one by one where a block matches in part; twice as many split it."""
ADMITTED_MAX = 16
"""Sets of kinds for which the rows of blocks are added up; each costs a number a block."""


class Plan(NamedTuple):
    """Rows that pass: `spans` of blocks with the tests that are open there; of `kinds`, or all."""

    spans: list[tuple[int, int, tuple[Test, ...]]]
    kinds: frozenset[int] | None


class Order:
    """The rows of `table` in the order of `keys`, those that tie by age."""

    def __init__(self, keys: tuple[SortKey, ...], nulls: Nulls, table: Table) -> None:
        self._table = table
        self._ranking = Ranking(keys, nulls, table)
        self._blocks = list(sorted_blocks(self._ranking, table.size, BLOCK_ROWS))
        self.rows_seen = table.size
        self._ends = [0]
        self._bounds: dict[str, Bounds | None] = {}
        self._counts: list[array[int]] = []
        self._sums: dict[frozenset[int], list[int]] = {}
        self._changed_from: int | None = 0
        self._visible: tuple[Test, list[Piece]] | None = None

    # What comes later

    def catch_up(self) -> None:
        """Take in the rows that have joined the table since."""
        if self.rows_seen < self._table.size:
            rank = self._ranking.rank
            for row in range(self.rows_seen, self._table.size):
                self._insert(row, rank)
            self.rows_seen = self._table.size
        if self._changed_from is not None:
            self._refresh(self._changed_from)

    def _insert(self, row: int, rank: Callable[[int], Any]) -> None:
        blocks = self._blocks
        if not blocks:
            blocks.append(range(row, row + 1))
            self._know_anew(0, 0)
            return
        place, within = self._place(rank(row), rank)
        block = blocks[place]
        if isinstance(block, range) and within == len(block) and block.stop == row:
            blocks[place] = range(block.start, row + 1)
        else:
            if not isinstance(block, array):
                block = blocks[place] = array("I", block)
            block.insert(within, row)
        whole = blocks[place]
        if len(whole) <= 2 * BLOCK_ROWS:
            self._know_of(row, place)
        else:
            blocks[place : place + 1] = [whole[:BLOCK_ROWS], whole[BLOCK_ROWS:]]
            self._know_anew(place, place + 1)

    def _place(self, key: Any, rank: Callable[[int], Any]) -> tuple[int, int]:
        """Return the block to which a row of that rank belongs, and its place there."""
        backwards, blocks = self._ranking.is_backwards, self._blocks
        last = rank(blocks[-1][-1])
        if last < key or (not backwards and not key < last):
            return len(blocks) - 1, len(blocks[-1])  # most of what is new
        find = bisect_left if backwards else bisect_right
        place = max(0, find(blocks, key, key=lambda block: rank(block[0])) - 1)
        return place, find(blocks[place], key, key=rank)

    def _know_of(self, row: int, place: int) -> None:
        """Take in that `row` has joined a block."""
        for field, bounds in self._bounds.items():
            value = self._table.column(field)[row]
            if bounds is not None and value is not None:
                bounds.lows[place] = min(bounds.lows[place], value)
                bounds.highs[place] = max(bounds.highs[place], value)
        if self._counts:
            code, counts = self._table.kinds.codes[row], self._counts[place]
            counts.extend([0] * (code + 1 - len(counts)))
            counts[code] += 1
        self._changed(place)

    def _know_anew(self, first: int, last: int) -> None:
        """Take in that the blocks from `first` to `last` stand in the place of one or none."""
        parts = self._blocks[first : last + 1]
        for field, bounds in list(self._bounds.items()):
            if bounds is None or not bounds.lows:
                del self._bounds[field]  # there may be values now
                continue
            before = bounds.lows[first], bounds.highs[first]
            found = [self._extremes(field, part) or before for part in parts]
            bounds.lows[first : first + 1] = [low for low, _ in found]
            bounds.highs[first : first + 1] = [high for _, high in found]
        if self._counts:
            self._counts[first : first + 1] = map(self._table.kinds.counts, parts)
        self._changed(first)

    def _changed(self, place: int) -> None:
        self._changed_from = place if self._changed_from is None else min(place, self._changed_from)

    def _refresh(self, start: int) -> None:
        """Add up anew what has changed from block `start` on."""
        self._visible = None
        del self._ends[start + 1 :]
        sizes = map(len, self._blocks[start:])
        self._ends += list(accumulate(sizes, initial=self._ends[-1]))[1:]
        for bounds in self._bounds.values():
            if bounds is not None:
                bounds.refresh(start)
        for sums in self._sums.values():
            del sums[start + 1 :]
        self._changed_from = None

    # What is asked

    def plan(self, tests: Sequence[Test], kinds: frozenset[int] | None) -> Plan:
        """Return where the rows are that pass all `tests` and are of one of the `kinds`."""
        count = len(self._blocks)
        spans = together([self._pieces(test, count) for test in tests], count)
        named = [(a, b, tuple(map(tests.__getitem__, open_there))) for a, b, open_there in spans]
        return Plan(named, kinds)

    def run(self, bound: Condition, limit: int, visible: Sequence[Test]) -> range | None:
        """Return the first `limit` rows behind a bound on the first key that pass `visible` tests.

        None where a look does not show them to be a run. So are most pages of a walk: neighbours
        in the log, all of them visible.
        """
        if bound.operator not in (">", ">=") or self._ranking.is_backwards:
            return None
        bounds, column = self._known(bound.field), self._table.column(bound.field)
        if bounds is None or column.has_null:
            return None
        blocks = self._blocks
        find = bisect_right if bound.operator == ">" else bisect_left
        first = last = find(bounds.highs, bound.value)
        if not self._goes_on(first, first):
            return None
        start = blocks[first][0] + _edge(find, blocks[first], column, bound.value)
        while blocks[last][-1] < start + limit - 1:
            last += 1
            if not self._goes_on(first, last):
                return None
        for test in visible:
            if not self._all_pass(test, first, last):
                return None
        return range(start, start + limit)

    def _all_pass(self, test: Test, first: int, last: int) -> bool:
        """Whether all rows of the blocks from `first` to `last` pass, by one piece of them."""
        for low, end, share in self._pieces(test, len(self._blocks)):
            if low <= first < end:
                return share == "all" and last < end
        return False

    def _goes_on(self, first: int, place: int) -> bool:
        """Whether there is a block at `place`, a run that goes on from the one before if any."""
        if place == len(self._blocks) or not isinstance(self._blocks[place], range):
            return False
        return place == first or self._blocks[place][0] == self._blocks[place - 1][-1] + 1

    def _pieces(self, test: Test, count: int) -> list[Piece]:
        """Return which of the `count` blocks pass a test; the last answer about time is kept."""
        if self._visible is not None and self._visible[0] is test:
            return self._visible[1]
        bounds = self._known(test.field)
        found: list[Piece] = [(0, count, "some")]
        if bounds is not None:
            found = bounds.pieces(test)
        if self._may_lack(test.field):
            found = [(a, b, "some" if share == "all" else share) for a, b, share in found]
        if test.field == VISIBLE_AT:
            self._visible = test, found
        return found

    def page(self, plan: Plan, offset: int, limit: int | None) -> Sequence[int]:
        """Return the rows of a plan without the first `offset`, at most `limit`."""
        found: Sequence[int] = range(0)
        missing = self._table.size if limit is None else limit
        backwards = self._ranking.is_backwards
        for start, end, tests in reversed(plan.spans) if backwards else plan.spans:
            if missing <= 0:
                break
            if tests:
                parts = self._looked_at(start, end, tests, plan.kinds)
            else:
                total = self._sum(start, end, plan.kinds)
                if offset >= total:
                    offset -= total
                    continue
                parts = self._taken(start, end, offset, plan.kinds)
                offset = 0
            for part in parts:
                if offset >= len(part):
                    offset -= len(part)
                    continue
                got = part[offset : offset + missing]
                found = joined(found, got) if found else got
                missing -= len(got)
                offset = 0
                if missing <= 0:
                    break
        return found

    def count(self, plan: Plan) -> int:
        """Return how many rows there are in a plan."""
        return sum(
            sum(map(len, self._looked_at(start, end, tests, plan.kinds)))
            if tests
            else self._sum(start, end, plan.kinds)
            for start, end, tests in plan.spans
        )

    def count_up_to(self, value: Any, *, otherwise: Any) -> tuple[int, Any]:
        """Return how many rows have at most that value of the first key, and the next value.

        No row lacks it. Where there is no next value it is `otherwise`.
        """
        field = self._ranking.field
        bounds = self._known(field)
        if bounds is None:
            return 0, otherwise
        get = self._table.column(field).get
        place = bisect_right(bounds.lows, value) - 1
        if place < 0:
            return 0, bounds.lows[0]
        block = self._blocks[place]
        within = bisect_right(block, value, key=get)
        if within < len(block):
            return self._ends[place] + within, get(block[within])
        next_low = bounds.lows[place + 1] if place + 1 < len(bounds.lows) else otherwise
        return self._ends[place + 1], next_low

    def _looked_at(
        self, start: int, end: int, tests: tuple[Test, ...], kinds: frozenset[int] | None
    ) -> Iterator[Sequence[int]]:
        """Yield the rows that pass, block by block, in the order that was asked for."""
        backwards = self._ranking.is_backwards
        for place in range(end - 1, start - 1, -1) if backwards else range(start, end):
            rows = self._of_kinds(place, kinds)
            for test in tests:
                rows = self._passing(rows, test)
            yield rows[::-1] if backwards else rows

    def _passing(self, rows: Sequence[int], test: Test) -> Sequence[int]:
        """Return those of `rows`, which stand in order, that pass a test."""
        column = self._table.column(test.field)
        if test.condition is not None and not column.has_null and self._ranking.is_by(test.field):
            operator, value = test.condition.operator, test.condition.value
            if operator in (">=", "<"):
                edge = _edge(bisect_left, rows, column, value)
                return rows[edge:] if operator == ">=" else rows[:edge]
            if operator in (">", "<="):
                edge = _edge(bisect_right, rows, column, value)
                return rows[edge:] if operator == ">" else rows[:edge]
        values = column.values(rows)
        return [row for row, value in zip(rows, values, strict=True) if test.admits(value)]

    def _taken(
        self, start: int, end: int, skipped: int, kinds: frozenset[int] | None
    ) -> Iterator[Sequence[int]]:
        """Yield all rows of the kinds after the first `skipped`, block by block."""
        sums = self._sums_of(kinds)
        if self._ranking.is_backwards:
            target = sums[end] - skipped
            place = bisect_left(sums, target, start + 1, end + 1) - 1
            yield self._of_kinds(place, kinds)[: target - sums[place]][::-1]
            for each in range(place - 1, start - 1, -1):
                yield self._of_kinds(each, kinds)[::-1]
        else:
            target = sums[start] + skipped
            place = bisect_right(sums, target, start, end) - 1
            yield self._of_kinds(place, kinds)[target - sums[place] :]
            for each in range(place + 1, end):
                yield self._of_kinds(each, kinds)

    def _of_kinds(self, place: int, kinds: frozenset[int] | None) -> Sequence[int]:
        block = self._blocks[place]
        if kinds is None:
            return block
        codes = self._table.kinds.of(block)
        return [row for row, code in zip(block, codes, strict=True) if code in kinds]

    def _sum(self, start: int, end: int, kinds: frozenset[int] | None) -> int:
        sums = self._sums_of(kinds)
        return sums[end] - sums[start]

    def _sums_of(self, kinds: frozenset[int] | None) -> list[int]:
        """Return how many rows of the kinds there are before each block, and in all."""
        if kinds is None:
            return self._ends
        if not self._counts:
            self._counts = [self._table.kinds.counts(block) for block in self._blocks]
        sums = self._sums.pop(kinds, None) or [0]
        if len(sums) <= len(self._blocks):
            counts = (count_of(each, kinds) for each in self._counts[len(sums) - 1 :])
            sums += list(accumulate(counts, initial=sums[-1]))[1:]
        if len(self._sums) >= ADMITTED_MAX:
            del self._sums[next(iter(self._sums))]
        self._sums[kinds] = sums
        return sums

    # What is known of blocks

    def _known(self, field: str) -> Bounds | None:
        """Return the bounds of a field, or None where it has no value at all.

        A block in which all rows lack it has those of another: nothing is said of nulls by them.
        """
        if field not in self._bounds:
            extremes = [self._extremes(field, block) for block in self._blocks]
            last = next((each for each in extremes if each is not None), None)
            known = [last := each or last for each in extremes]
            found = [each for each in known if each is not None]
            self._bounds[field] = Bounds(found) if found else None
        return self._bounds[field]

    def _extremes(self, field: str, rows: Sequence[int]) -> tuple[Any, Any] | None:
        """Return the least and the greatest value among `rows`, or None where there is none."""
        column = self._table.column(field)
        values = column.values(rows)
        if column.has_null:
            values = [value for value in values if value is not None]
        return (min(values), max(values)) if values else None

    def _may_lack(self, field: str) -> bool:
        """Whether there may be nulls that only a look at the row tells."""
        return self._table.column(field).has_null and not self._table.has_nulls_by_kind(field)


def _edge(find: Any, rows: Sequence[int], column: Column | LabelColumn, value: Any) -> int:
    """Return how many of `rows`, which stand in the order of `column`, `find` puts before it."""
    if isinstance(rows, range) and isinstance(column, Column) and rows.step == 1:
        return int(find(column.store, value, rows.start, rows.stop)) - rows.start
    return int(find(rows, value, key=column.get))
