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


class Bodies:
    """Events as JSON: each is written once, and kept as long as it is asked for and there is room.

    They come in bunches, a page at a time, so nothing is moved for each. There are two halves: what
    is asked for is in the young one, and when that is full it becomes the old
    one, which is forgotten whole.
    """

    def __init__(self, *, bytes_max: int = BODIES_BYTES_MAX) -> None:
        self._half_max = bytes_max // 2
        self._young: dict[Hashable, bytes] = {}
        self._old: dict[Hashable, bytes] = {}
        self._bytes = 0

    def of(self, keys: Sequence[Hashable], write: Callable[[int], bytes]) -> list[bytes]:
        """Return what is kept under each of `keys`; what is not, `write` makes for its place."""
        bodies: list[bytes | None] = list(map(self._young.get, keys))
        if None in bodies:
            for place, key in enumerate(keys):
                if bodies[place] is None:
                    known = self._old.get(key)
                    self._young[key] = bodies[place] = write(place) if known is None else known
                    self._bytes += len(self._young[key]) + BODY_COSTS
            if self._bytes > self._half_max:
                self._old, self._young, self._bytes = self._young, {}, 0
        return bodies  # type: ignore[return-value]
