"""What was worked out before, kept as long as there is room for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

BYTES_MAX = 32 * 2**20
"""Some 500 pages of a hundred events: what a few clients ask for again and again is less."""
ENTRIES_MAX = 4_096
"""Small answers cost memory beside their bytes too."""


class Cache(Generic[T]):
    """A bounded memory: what was not asked for the longest goes first."""

    def __init__(self, *, bytes_max: int = BYTES_MAX, entries_max: int = ENTRIES_MAX) -> None:
        self._bytes_max = bytes_max
        self._entries_max = entries_max
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> T | None:
        """Return what is kept under `key`, or None."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        return kept[0]

    def keep(self, key: Hashable, value: T, size: int) -> None:
        """Keep `value`, which takes `size` bytes, under a `key` that is new."""
        self._kept[key] = value, size
        self._bytes += size
        while self._bytes > self._bytes_max or len(self._kept) > self._entries_max:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed


BODIES_BYTES_MAX = 64 * 2**20
"""Some 100,000 events as JSON: all of most logs, and of a longer one what clients read now."""
BODY_COSTS = 150
"""What the entry of a small body costs beside its bytes."""
BLOCK_BODIES = 256
"""Bodies of neighbours are kept so many together: a page is cut out of a few lists."""

Block = list[bytes | None]


class Bodies:
    """Events as JSON: each is written once, and kept as long as it is asked for and there is room.

    Nothing is moved for each body. There are two halves: what is asked for is in the young one, and
    when that is full it becomes the old one, which is forgotten whole.
    """

    def __init__(self, *, bytes_max: int = BODIES_BYTES_MAX) -> None:
        self._half_max = bytes_max // 2
        self._young: dict[Hashable, Block] = {}
        self._old: dict[Hashable, Block] = {}
        self._bytes = 0

    def of(
        self, rows: Sequence[int], write: Callable[[int], bytes], *, way: Hashable = None
    ) -> list[bytes]:
        """Return the bodies of `rows`, told by their numbers in the log, in a list of their own.

        What is not kept, `write` makes for its place in `rows`; `way` tells ways of writing apart.
        """
        if isinstance(rows, range) and rows:
            found = self._run(min(rows[0], rows[-1]), max(rows[0], rows[-1]), way)
            if rows.step < 0:
                found.reverse()
        else:
            found = [self._block(way, row // BLOCK_BODIES)[row % BLOCK_BODIES] for row in rows]
        if None in found:
            for place, body in enumerate(found):
                if body is None:
                    found[place] = self._keep(way, rows[place], write(place))
        if self._bytes > self._half_max:
            self._old, self._young, self._bytes = self._young, {}, 0
        return found  # type: ignore[return-value]

    def _run(self, first: int, last: int, way: Hashable) -> Block:
        """Return what is kept of the rows from `first` to `last`."""
        found: Block = []
        for number in range(first // BLOCK_BODIES, last // BLOCK_BODIES + 1):
            start = number * BLOCK_BODIES
            found += self._block(way, number)[max(0, first - start) : last + 1 - start]
        return found

    def _block(self, way: Hashable, number: int) -> Block:
        block = self._young.get((way, number))
        if block is None:
            block = self._old.pop((way, number), []) or [None] * BLOCK_BODIES
            self._young[way, number] = block
            self._bytes += sum(len(body) + BODY_COSTS for body in block if body is not None)
        return block

    def _keep(self, way: Hashable, row: int, body: bytes) -> bytes:
        self._block(way, row // BLOCK_BODIES)[row % BLOCK_BODIES] = body
        self._bytes += len(body) + BODY_COSTS
        return body
