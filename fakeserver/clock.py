"""Time: integers in milliseconds since the epoch. Nothing in the core reads the wall clock.

Text exists only at the edge: `to_text` writes an instant, `at` reads one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from fakeserver.errors import UsageError

Instant = int
"""Milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored (as POSIX does)."""

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_MIN = -62_135_596_800_000
"""0001-01-01T00:00:00Z: the first instant that a `datetime` can show."""
INSTANT_MAX = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z: the last one."""


PACE_MAX = 1_000_000
"""Eleven days in a second: more would skip over everything that a client could react to."""


class SimulatedClock:
    """A clock that moves only when told to. The unit is milliseconds.

    `pace` is how many times as fast as real time it runs by itself: 0, not at all.
    """

    pace: float = 0

    def __init__(self, now: Instant) -> None:
        self._now = now

    @property
    def now(self) -> Instant:
        """The current simulated instant."""
        return self._now

    def advance(self, ms: int) -> Instant:
        """Move `ms` milliseconds forward (never back) and return the new instant.

        It ends where the calendar does. Raises `UsageError` for a negative step.
        """
        if ms < 0:
            raise UsageError(f"a clock can't go back: asked to advance by {ms} ms")
        self._now = min(INSTANT_MAX, self._now + ms)
        return self.now

    def advance_to(self, instant: Instant) -> Instant:
        """Move to `instant`, or stay if that is already past, and return the new instant."""
        ahead = instant - self.now
        return self.advance(ahead) if ahead > 0 else self.now

    def spend(self, ms: int) -> None:
        """Let something that takes `ms` milliseconds happen."""
        self.advance(ms)


class PacedClock(SimulatedClock):
    """A clock that runs `pace` times as fast as `wall`, which tells real time in ms.

    It starts at `now`, can be moved forward like any other, and never goes back, not even when
    `wall` does: it goes on from where it was then. It ends where the calendar does. `spend` leaves
    it alone, because what takes time in reality takes it anyway.

    Raises `UsageError` for a pace that is not above 0 and at most `PACE_MAX`.
    """

    def __init__(self, now: Instant, pace: float, wall: Callable[[], int]) -> None:
        if not 0 < pace <= PACE_MAX:  # so written, it refuses NaN too
            raise UsageError(f"expected a pace above 0 and at most {PACE_MAX}, got {pace}")
        super().__init__(now)
        self.pace = pace
        self._wall = wall
        self._wall_start = self._wall_seen = wall()

    @property
    def now(self) -> Instant:
        """The current simulated instant."""
        wall = self._wall()
        if wall < self._wall_seen:
            self._now += int((self._wall_seen - self._wall_start) * self.pace)
            self._wall_start = wall
        self._wall_seen = wall
        return min(INSTANT_MAX, self._now + int((wall - self._wall_start) * self.pace))

    def spend(self, ms: int) -> None:
        """Do nothing: real time passes by itself."""


def as_datetime(instant: Instant) -> datetime:
    """Return `instant` as an aware `datetime` in UTC, exact to the millisecond."""
    return EPOCH + timedelta(milliseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Return an aware `datetime` as an `Instant`, cutting below the millisecond.

    Raises `UsageError` for a naive one: without an offset it names no instant.
    """
    if moment.tzinfo is None:
        raise UsageError(f"expected a datetime with an offset, got the naive {moment.isoformat()}")
    return (moment - EPOCH) // timedelta(milliseconds=1)


def at(text: str) -> Instant:
    """Read ISO 8601 with an offset: ``at("2026-03-01T12:00:05Z")``. Raises `UsageError`."""
    try:
        instant = from_datetime(datetime.fromisoformat(text))
    except ValueError as error:
        raise UsageError(f"expected ISO 8601 with an offset, got {text!r}: {error}") from error
    if not INSTANT_MIN <= instant <= INSTANT_MAX:
        raise UsageError(f"expected a time in the years 1 to 9999 of UTC, got {text!r}")
    return instant


@lru_cache(maxsize=4096)
def to_text(instant: Instant) -> str:
    """Write an instant as ``2026-03-01T12:00:05.000Z``: always UTC, always milliseconds."""
    # Not by a `datetime`: a page has hundreds of instants, and most are of the same few days.
    day, ms = divmod(instant, DAY_MS)
    second, ms = divmod(ms, SECOND_MS)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{_day_text(day)}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"


@lru_cache(maxsize=1024)
def _day_text(day: int) -> str:
    """Write the day that is so many days after 1970-01-01."""
    # Not strftime: what its %Y makes of a year before 1000 differs from machine to machine.
    return (EPOCH + timedelta(days=day)).date().isoformat()


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """Return the time zone called `name` (an IANA name). Raises `UsageError` if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UsageError(
            f"expected the name of an IANA time zone such as 'Asia/Ho_Chi_Minh', got {name!r}"
        ) from error


def clock_text(instant: Instant, *, near: Instant | None = None) -> str:
    """Write the time of day (UTC) for people: ``12:00:05``, with ``.250`` only for a fraction.

    An instant of another day than `near` gets its date: ``2020-01-01 00:00:00``.
    """
    moment = as_datetime(instant)
    with_date = near is not None and instant // DAY_MS != near // DAY_MS
    text = f"{moment.date().isoformat()} {moment:%H:%M:%S}" if with_date else f"{moment:%H:%M:%S}"
    return text if instant % 1000 == 0 else f"{text}.{instant % 1000:03d}"


def duration_text(ms: int) -> str:
    """Write a span for people: ``0 s``, ``250 ms``, ``2 min 38 s``, ``1 h 5 min``, ``2 d 3 h``."""
    if ms < 0:
        return "-" + duration_text(-ms)
    units = (("d", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS), ("s", SECOND_MS), ("ms", 1))
    parts: list[str] = []
    for name, size in units:
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts) if parts else "0 s"
