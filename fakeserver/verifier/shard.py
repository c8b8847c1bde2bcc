"""A part of a search that one machine of several does: every n-th world."""

from __future__ import annotations

import re
from typing import NamedTuple

from fakeserver.errors import UsageError

SHARDS_MAX = 1000
"""More machines than any CI runs at once; each shard plays the first worlds for itself."""


class Shard(NamedTuple):
    """The `number`-th (from 1) of `of` shards: the worlds number - 1, number - 1 + of, and so on.

    So each has as many as any other, and the first worlds, which find most, are spread over all.
    """

    number: int
    of: int

    @staticmethod
    def parse(text: str) -> Shard:
        """Read ``2/4``. Raises `UsageError`."""
        match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text, re.ASCII)
        if match is None:
            raise UsageError(f"shard: expected K/N, as in 2/4, got {text!r}")
        return Shard(int(match[1]), int(match[2])).checked()

    def checked(self) -> Shard:
        """Return the shard itself. Raises `UsageError` for one that can't be."""
        if not 1 <= self.of <= SHARDS_MAX or not 1 <= self.number <= self.of:
            raise UsageError(
                f"shard: expected K/N with K from 1 to N, and N at most {SHARDS_MAX}, got {self}"
            )
        return self

    def worlds(self, examples: int) -> range:
        """Return the numbers of its worlds among the first `examples`."""
        return range(self.number - 1, examples, self.of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Shard(1, 1)
