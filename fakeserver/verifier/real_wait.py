"""Waiting in real time where a server ordered it, for clients that know no other."""

from __future__ import annotations

import time

from fakeserver.clock import SECOND_MS
from fakeserver.history import Exchange


class RealWait:
    """Sees whether a client has waited in earnest for as long as ``Retry-After`` said.

    Libraries that try again by themselves do (urllib3's `Retry`), and programs in other languages.
    What counts is the ordered pause, not what a clock measured beyond it: so the same client has
    the same history each time.
    """

    def __init__(self) -> None:
        self._asked_at_s: float | None = None

    def start_poll(self) -> None:
        """Forget the requests of the poll before."""
        self._asked_at_s = None

    def before_request(self, last: Exchange | None) -> int:
        """Return the pause that was ordered with `last` and is over in real time, in ms; else 0."""
        before, self._asked_at_s = self._asked_at_s, time.monotonic()
        if before is None or last is None or not last.retry_after_s:
            return 0
        is_over = self._asked_at_s - before >= last.retry_after_s
        return round(last.retry_after_s * SECOND_MS) if is_over else 0
