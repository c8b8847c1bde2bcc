"""Which blocks of rows can hold a match, told by the least and the greatest value in each.

Blocks stand in an order, and what people ask for is bound up with it: whoever walks by id asks for
stamps that rise with the ids, more or less. So for each field it is kept how far the values have
risen up to a block, and how low they still fall after it. Both only rise, so where matches begin,
where all rows match and where matches end is found by halving, whatever the length of the log.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple

from fakeserver.clock import Instant
from fakeserver.query import Condition
from fakeserver.table import VISIBLE_AT

Share = Literal["all", "some", "none"]
"""How many rows of a block pass."""
Piece = tuple[int, int, Share]
"""From a block to before another one, of which rows pass so."""
Span = tuple[int, int, tuple[int, ...]]
"""From a block to before another one, and the numbers of the tests that are open there."""


class Test(NamedTuple):
    """What a row must pass: `admits` judges its value of `field`.

    `condition` is what it comes from, where its operator says which values in a range pass.
    """

    field: str
    admits: Callable[[Any], bool]
    condition: Condition | None


def visible_by(at: Instant) -> Test:
    """Return the test whether a row is visible as of `at`."""
    return met(Condition(VISIBLE_AT, "<=", at))


def met(condition: Condition) -> Test:
    """Return the test whether a row meets `condition`."""
    # A condition of its own kind may admit values as it likes, nulls among them.
    usual = type(condition) is Condition
    return Test(condition.field, condition.admits, condition if usual else None)


class Bounds:
    """The extremes of one field in each block, and of all blocks up to and from each on."""

    def __init__(self, extremes: Iterable[tuple[Any, Any]]) -> None:
        pairs = list(extremes)
        self.lows = [low for low, _ in pairs]
        self.highs = [high for _, high in pairs]
        self._up_low: list[Any] = []
        self._up_high: list[Any] = []
        self._down_low: list[Any] = []
        self._down_high: list[Any] = []
        self.refresh(0)

    def refresh(self, start: int) -> None:
        """Take in that blocks from `start` on have changed, in number too."""
        self._up_low = _risen(self._up_low, self.lows, start, min)
        self._up_high = _risen(self._up_high, self.highs, start, max)
        self._down_low = _to_fall(self._down_low, self.lows, start, min)
        self._down_high = _to_fall(self._down_high, self.highs, start, max)

    def pieces(self, test: Test) -> list[Piece]:
        """Return which blocks pass a test, without gaps and in their order."""
        condition, count = test.condition, len(self.lows)
        if condition is None or not count:
            return [(0, count, "some")]
        if condition.operator in ("=", "in", "not in"):
            values = (condition.value,) if condition.operator == "=" else condition.value
            rest: Share = "all" if condition.operator == "not in" else "none"
            return _filled([self._around(value) for value in values], count, rest)
        value, takes_equal = condition.value, condition.operator in (">", "<=")
        rising = bisect_right if takes_equal else bisect_left
        up_low = _fallen(self._up_low, value, takes_equal)
        down_high = _fallen(self._down_high, value, takes_equal)
        if condition.operator in (">", ">="):
            start, all_until = rising(self._up_high, value), up_low
            end, all_from = down_high, rising(self._down_low, value)
        else:
            start, all_until = up_low, rising(self._up_high, value)
            end, all_from = rising(self._down_low, value), down_high
        if start >= end:
            return [(0, count, "none")]
        if all_until >= all_from:
            return [(0, count, "all")]
        some_from, some_until = max(start, all_until), min(end, all_from)
        pieces: list[Piece] = [(0, start, "none")] if start else []
        if start < all_until:
            pieces.append((start, all_until, "all"))
        if some_from < some_until:
            pieces.append((some_from, some_until, "some"))
        if all_from < end:
            pieces.append((all_from, end, "all"))
        if end < count:
            pieces.append((end, count, "none"))
        return pieces

    def _around(self, value: Any) -> tuple[int, int]:
        """Return from which block to before which there can be rows with that value."""
        start = max(
            bisect_left(self._up_high, value),
            _fallen(self._up_low, value, True),  # noqa: FBT003
        )
        end = min(
            bisect_right(self._down_low, value),
            _fallen(self._down_high, value, False),  # noqa: FBT003
        )
        return start, end


def _risen(old: list[Any], values: list[Any], start: int, pick: Callable[..., Any]) -> list[Any]:
    del old[start:]
    if start:
        old += list(accumulate(values[start:], pick, initial=old[-1]))[1:]
    else:
        old += accumulate(values, pick)
    return old


def _to_fall(old: list[Any], values: list[Any], start: int, pick: Callable[..., Any]) -> list[Any]:
    old[start:] = list(accumulate(reversed(values[start:]), pick))[::-1]
    for place in range(start - 1, -1, -1):
        new = pick(values[place], old[place + 1]) if place + 1 < len(old) else values[place]
        if new == old[place]:
            break
        old[place] = new
    return old


def _fallen(values: Sequence[Any], value: Any, takes_equal: bool) -> int:  # noqa: FBT001 - hot
    """Return the place of the first of `values`, which fall, below `value`, or equal to it."""
    # Where a field rises with the order, these hardly fall at all: one look at an end is enough.
    first, last = values[0], values[-1]
    if first < value or (takes_equal and first == value):
        return 0
    if last > value or (last == value and not takes_equal):
        return len(values)
    low, high = 1, len(values) - 1
    while low < high:
        place = (low + high) // 2
        if values[place] < value or (takes_equal and values[place] == value):
            high = place
        else:
            low = place + 1
    return low


def _filled(spans: Iterable[tuple[int, int]], count: int, rest: Share) -> list[Piece]:
    """Return `spans` as pieces in which some rows pass, with `rest` between them."""
    pieces: list[Piece] = []
    done = 0
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if done < start:
            pieces.append((done, start, rest))
        if done < end:
            pieces.append((max(done, start), end, "some"))
            done = end
    if done < count:
        pieces.append((done, count, rest))
    return pieces


def together(tests: Iterable[Sequence[Piece]], count: int) -> list[Span]:
    """Return the blocks in which rows can pass all tests, and which tests are open there."""
    spans: list[Span] = [(0, count, ())] if count else []
    for number, pieces in enumerate(tests):
        spans = _met_by(spans, pieces, number)
    return spans


def _met_by(spans: Iterable[Span], pieces: Sequence[Piece], number: int) -> list[Span]:
    """Return the parts of `spans` in which rows can pass test `number` too, told by its pieces."""
    found: list[Span] = []
    place = 0
    for start, end, open_there in spans:
        low = start
        while low < end:
            _, piece_end, share = pieces[place]
            if piece_end <= low:
                place += 1
                continue
            high = min(end, piece_end)
            if share == "all":
                found.append((low, high, open_there))
            elif share == "some":
                found.append((low, high, (*open_there, number)))
            low = high
    return found
