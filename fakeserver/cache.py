"""What was worked out before, kept as long as there is room for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
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
