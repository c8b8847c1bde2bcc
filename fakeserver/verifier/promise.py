"""What a client promises; a verdict is always about a promise."""

from __future__ import annotations

from typing import Literal

import msgspec

from fakeserver.errors import UsageError

Delivery = Literal["at-least-once", "effectively-once", "exactly-once"]
Order = Literal["none", "recorded", "id"]
Mode = Literal["incremental", "snapshot"]

LATE_BY_MS_LIMIT = 7 * 86_400_000
"""A week: the longest lateness in our list of real APIs is two days."""


class Promise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the client under test promises.

    | field | values |
    |---|---|
    | `delivery` | ``at-least-once``: repeats are notes · ``effectively-once``: no repeats, except after a crash, and then only of events since the last durable save · ``exactly-once``: never |
    | `order` | ``none`` · ``recorded``: never an earlier stamp after a later one · ``id``: ids rise |
    | `late_by_ms_max` | lateness to stand, ms; None: what the profile documents |
    | `delay_ms_max` | from visible to delivered, ms; None: any. Not judged yet |
    | `mode` | ``incremental`` · ``snapshot``. The second is not judged yet |

    Raises `UsageError` for a value that does not exist, or one that is not judged yet.
    """  # noqa: E501 - a table row is a line

    delivery: Delivery = "effectively-once"
    order: Order = "none"
    late_by_ms_max: int | None = None
    delay_ms_max: int | None = None
    mode: Mode = "incremental"

    def __post_init__(self) -> None:
        _check("delivery", self.delivery, ("at-least-once", "effectively-once", "exactly-once"))
        _check("order", self.order, ("none", "recorded", "id"))
        _check("mode", self.mode, ("incremental", "snapshot"))
        late = self.late_by_ms_max
        if late is not None and not 0 <= late <= LATE_BY_MS_LIMIT:
            raise UsageError(
                f"late_by_ms_max: expected 0 to {LATE_BY_MS_LIMIT} (a week), got {late}"
            )
        if self.mode == "snapshot":
            raise UsageError("mode: snapshot is not judged yet; use incremental")
        if self.delay_ms_max is not None:
            raise UsageError("delay_ms_max: the delay is not judged yet; leave it out")


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{name}: expected {' or '.join(known)}, got {value!r}")
