"""Which blocks of rows can hold a match, told by the least and the greatest value in each.

Blocks stand in an order, and what people ask for is bound up with it: whoever walks by id asks for
stamps that rise with the ids, more or less. So for each field it is kept how far the values have
risen up to a block, and how low they still fall after it. Both only rise, so where matches begin,
where all rows match and where matches end is found by halving, whatever the length of the log.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
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
        admits = test.admits
        if condition.operator in (">", ">="):
            start, all_until = _first(self._up_high, admits), _first_not(self._up_low, admits)
            end, all_from = _first_not(self._down_high, admits), _first(self._down_low, admits)
        else:
            start, all_until = _first(self._up_low, admits), _first_not(self._up_high, admits)
            end, all_from = _first_not(self._down_low, admits), _first(self._down_high, admits)
        if start >= end:
            return [(0, count, "none")]
        if all_until >= all_from:
            return [(0, count, "all")]
        pieces: list[Piece] = [
            (0, start, "none"),
            (start, all_until, "all"),
            (max(start, all_until), min(end, all_from), "some"),
            (all_from, end, "all"),
            (end, count, "none"),
        ]
        return [piece for piece in pieces if piece[0] < piece[1]]

    def _around(self, value: Any) -> tuple[int, int]:
        """Return from which block to before which there can be rows with that value."""
        start = max(
            bisect_left(self._up_high, value),
            _first(self._up_low, lambda low: bool(low <= value)),
        )
        end = min(
            _first(self._down_low, lambda low: bool(low > value)),
            _first(self._down_high, lambda high: bool(high < value)),
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


def _first(values: Sequence[Any], holds: Callable[[Any], bool]) -> int:
    """Return the place of the first value that holds, where all after it do too."""
    return bisect_left(values, True, key=holds)  # noqa: FBT003 - what a key is compared with


def _first_not(values: Sequence[Any], holds: Callable[[Any], bool]) -> int:
    """Return the place of the first value that does not hold, where none after it does."""
    return bisect_left(values, True, key=lambda value: not holds(value))  # noqa: FBT003


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


def together(
    tests: Sequence[Sequence[Piece]], count: int
) -> list[tuple[int, int, tuple[int, ...]]]:
    """Return the blocks in which rows can pass all tests, and which tests are open there."""
    edges = sorted(
        {edge for pieces in tests for low, high, _ in pieces for edge in (low, high)} | {0, count}
    )
    found: list[tuple[int, int, tuple[int, ...]]] = []
    places = [0] * len(tests)
    for low, high in pairwise(edges):
        shares = []
        for number, pieces in enumerate(tests):
            while pieces[places[number]][1] <= low:
                places[number] += 1
            shares.append(pieces[places[number]][2])
        if "none" not in shares:
            found.append((low, high, tuple(n for n, share in enumerate(shares) if share == "some")))
    return found
