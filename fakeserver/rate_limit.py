"""A limit on requests: a leaky bucket that lets through or refuses, and never makes anyone wait."""

from __future__ import annotations

import msgspec

from fakeserver.clock import Instant


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The bucket of one API.

    It holds `size` requests and leaks `leak_per_s` a second. Every answer says in `header` how full
    it is (``used/size``); a refusal carries ``Retry-After: retry_after``.
    """

    size: int
    leak_per_s: int
    header: str
    retry_after: str


class Bucket:
    """How full the bucket of a `RateLimit` is; a refused request does not fill it.

    Counts in thousandths of a request: a leak of 4 a second is 4 of them a millisecond, so nothing
    is ever rounded.
    """

    def __init__(self, limit: RateLimit, now: Instant) -> None:
        self.limit = limit
        self._level = 0
        self._at = now

    def take(self, now: Instant) -> bool:
        """Let a request in, or say False where the bucket has no room for a whole one."""
        self._leak(now)
        if self._level > (self.limit.size - 1) * 1000:
            return False
        self._level += 1000
        return True

    def used(self, now: Instant) -> int:
        """How many requests are in it; one that has leaked in part still counts."""
        self._leak(now)
        return -(-self._level // 1000)

    def header(self, now: Instant) -> tuple[str, str]:
        """The header that every answer carries, such as ``X-…-Call-Limit: 32/80``."""
        return self.limit.header, f"{self.used(now)}/{self.limit.size}"

    def _leak(self, now: Instant) -> None:
        # A clock may be set back; what has leaked stays out.
        self._level = max(0, self._level - max(0, now - self._at) * self.limit.leak_per_s)
        self._at = now
