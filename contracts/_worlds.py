"""Worlds built for certain laws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

from fakeserver.clock import HOUR_MS, MINUTE_MS, SECOND_MS, from_datetime
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Settings
from fakeserver.scenario import LoggedEvent, Scenario

ZONE = "America/New_York"
"""A zone that a Haravan profile allows and whose clocks change by an hour, twice a year."""
YEAR = 2026
EVENTS_MAX = 24


@lru_cache(maxsize=2)
def clock_changes() -> tuple[datetime, datetime]:
    """Return the instants of `YEAR` at which clocks in `ZONE` skip an hour, and repeat one."""
    hours = [datetime(YEAR, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(365 * 24)]
    offsets = [hour.astimezone(ZoneInfo(ZONE)).utcoffset() for hour in hours]
    skips, repeats = (n for n in range(1, len(hours)) if offsets[n] != offsets[n - 1])
    return hours[skips], hours[repeats]


def at_clock_change(change: datetime, *, settings: Settings, seed: int) -> Scenario:
    """Return a Haravan world with events, ties among them, in the hours around `change`."""
    random = Random(f"clock change {seed}")  # noqa: S311 - reproducible, not secret
    dialect = find_dialect("haravan")
    chosen = {**settings, "shop_zone": ZONE}
    middle = from_datetime(change)
    stamps = sorted(
        middle + random.randint(-9, 9) * random.choice((HOUR_MS // 4, MINUTE_MS, SECOND_MS))
        for _ in range(random.randint(4, EVENTS_MAX))
    )
    told = dialect.tell(random, dialect.settings(chosen), stamps)
    return Scenario(
        dialect=dialect.name,
        settings=chosen,
        origin=f"around {change.isoformat()} in {ZONE}",
        starts_at=stamps[0],
        request_ms=0,
        page_size=EVENTS_MAX,
        late_by_ms_max=0,
        events=tuple(
            LoggedEvent(id=event_id, recorded_at=stamp, visible_at=stamp, fields=fields)
            for stamp, (event_id, fields) in zip(stamps, told, strict=True)
        ),
        polls=(),
        calm_from=0,
    )
