"""What was worked out before, kept as long as there is room for it."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate
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
"""Bodies of neighbours are kept so many together: a page is cut out of a few blocks."""


class _Block:
    """The bodies of neighbours; and once all are there, all of them as one text too."""

    __slots__ = ("missing", "parts", "starts", "text", "was_read")

    def __init__(self) -> None:
        self.parts: list[bytes | None] = [None] * BLOCK_BODIES
        self.missing = BLOCK_BODIES
        self.was_read = False
        self.text = memoryview(b"")
        self.starts = array("I")

    def put(self, place: int, body: bytes) -> int:
        """Keep the body at `place`, and return how many bytes more the block holds now."""
        self.missing -= self.parts[place] is None
        self.parts[place] = body
        if self.missing:
            return len(body)
        whole = b",".join(self.parts) + b","  # type: ignore[arg-type]  # none is missing
        self.text = memoryview(whole)
        ends = (len(part) + 1 for part in self.parts)  # type: ignore[arg-type]
        self.starts = array("I", accumulate(ends, initial=0))
        return len(body) + len(whole)

    @property
    def size(self) -> int:
        """How many bytes it holds, what the entries cost included."""
        return len(self.text) + sum(len(body) + BODY_COSTS for body in self.parts if body)


class Bodies:
    """Events as JSON: each is written once, and kept as long as it is asked for and there is room.

    Nothing is moved for each body. There are two halves: what is asked for is in the young one, and
    when that is full it becomes the old one, which is forgotten whole.
    """

    def __init__(self, *, bytes_max: int = BODIES_BYTES_MAX) -> None:
        self._half_max = bytes_max // 2
        self._young: dict[Hashable, _Block] = {}
        self._old: dict[Hashable, _Block] = {}
        self._bytes = 0

    def joined(
        self,
        rows: Sequence[int],
        write: Callable[[int], bytes],
        *,
        way: Hashable = None,
        within: tuple[bytes, bytes],
        size: int,
    ) -> bytes:
        """Return the bodies of `rows`, of which there are some, with commas between them.

        `within` is what stands before the first and after the last, `size` how many rows the log
        has; the rest as for `of`. Where somebody comes back to neighbours, as on a walk, those
        beside them are written too.
        """
        opening, closing = within
        if isinstance(rows, range) and rows.step == 1:
            pieces = self._cut(rows, write, way, size)
            if pieces is not None:
                return b"".join((opening, *pieces, closing))
        bodies = self.of(rows, write, way=way)
        # So a long body is copied once, not three times.
        bodies[0] = opening + bodies[0]
        bodies[-1] += closing
        return b",".join(bodies)

    def of(
        self, rows: Sequence[int], write: Callable[[int], bytes], *, way: Hashable = None
    ) -> list[bytes]:
        """Return the bodies of `rows`, told by their numbers in the log, in a list of their own.

        What is not kept, `write` makes for a number; `way` tells ways of writing apart.
        """
        if isinstance(rows, range) and rows:
            found = self._run(min(rows[0], rows[-1]), max(rows[0], rows[-1]), way)
            if rows.step < 0:
                found.reverse()
        else:
            found = [
                self._block(way, row // BLOCK_BODIES).parts[row % BLOCK_BODIES] for row in rows
            ]
        if None in found:
            for place, body in enumerate(found):
                if body is None:
                    found[place] = self._keep(way, rows[place], write(rows[place]))
        self._forget()
        return found  # type: ignore[return-value]

    def _cut(
        self, rows: range, write: Callable[[int], bytes], way: Hashable, size: int
    ) -> list[memoryview] | None:
        """Return `rows`, which rise, as they stand in whole blocks, or None."""
        pieces: list[memoryview] = []
        number, place = divmod(rows.start, BLOCK_BODIES)
        end = rows.stop - number * BLOCK_BODIES
        while True:
            block = self._block(way, number)
            if block.missing and not self._fill(block, number, write, size):
                return None
            starts = block.starts
            if end <= BLOCK_BODIES:
                pieces.append(block.text[starts[place] : starts[end] - 1])  # without a comma
                break
            pieces.append(block.text[starts[place] :])
            number, place, end = number + 1, 0, end - BLOCK_BODIES
        self._forget()
        return pieces

    def _fill(self, block: _Block, number: int, write: Callable[[int], bytes], size: int) -> bool:
        """Write what a block lacks, where it has been read before, and return whether it is whole.

        Whoever reads one page and no other pays for that page alone.
        """
        first = number * BLOCK_BODIES
        if not block.was_read or first + BLOCK_BODIES > size:
            block.was_read = True
            return False
        for place, body in enumerate(block.parts):
            if body is None:
                self._bytes += block.put(place, write(first + place)) + BODY_COSTS
        return True

    def _run(self, first: int, last: int, way: Hashable) -> list[bytes | None]:
        """Return what is kept of the rows from `first` to `last`."""
        found: list[bytes | None] = []
        for number in range(first // BLOCK_BODIES, last // BLOCK_BODIES + 1):
            start = number * BLOCK_BODIES
            found += self._block(way, number).parts[max(0, first - start) : last + 1 - start]
        return found

    def _block(self, way: Hashable, number: int) -> _Block:
        block = self._young.get((way, number))
        if block is None:
            block = self._old.pop((way, number), None) or _Block()
            self._young[way, number] = block
            self._bytes += block.size
        return block

    def _keep(self, way: Hashable, row: int, body: bytes) -> bytes:
        block = self._block(way, row // BLOCK_BODIES)
        self._bytes += block.put(row % BLOCK_BODIES, body) + BODY_COSTS
        return body

    def _forget(self) -> None:
        """Let go of what was not asked for lately, where there is no room for more."""
        if self._bytes > self._half_max:
            self._old, self._young, self._bytes = self._young, {}, 0
