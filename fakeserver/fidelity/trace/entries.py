"""One entry of a file in which a client recorded."""

from __future__ import annotations

import msgspec

from fakeserver.clock import Instant


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a file, before anybody asked whether it is ours. Times are ms, or None.

    `item` is what its kind of file calls an entry.
    """

    item: str
    number: int
    method: str
    url: str
    status: int
    body: bytes
    encoding: str = ""
    starts: Instant | None = None
    took_ms: int = 0
    date: Instant | None = None
