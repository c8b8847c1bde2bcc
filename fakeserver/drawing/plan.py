"""The frame of a world: its hazards, sizes and times, before any event."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random

import msgspec

from fakeserver.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant, at, from_datetime, zone
from fakeserver.dialects.base import Dialect, Settings
from fakeserver.drawing.faults import FAULT_ODDS
from fakeserver.errors import UsageError

FIRST_DAY = at("2026-01-05T00:00:00Z")
DAYS = 700
"""Worlds lie in two years, so that both changes of the clock and a leap day occur."""
GAPS_MS = tuple(seconds * SECOND_MS for seconds in (10, 30, 60, 120, 300, 600))
"""Pauses between polls; the sales channel's document says 10 s."""
STORM_POLLS_MAX = 4
REQUEST_MS = (40, 250, 1_500)
"""What one answer costs: a fast server, a usual one, and one slow enough for things to happen."""
PAGE_SIZES = (2, 2, 3, 3, 4, 5, 6)
"""Small pages put an edge between almost any two events."""
TIE_GROUP_MAX = 64

WORLD_ODDS: Mapping[str, float] = {
    "tie-at-page-edge": 0.5,
    "tie-group-over-limit": 0.2,
    "late-visible": 0.6,
    "append-during-walk": 0.5,
    "clamped-limit": 0.06,
    "exact-multiple-of-limit": 0.3,
    "empty-log": 0.1,
    "restart": 0.3,
    "crash-before-save": 0.25,
    "crash-after-save": 0.25,
    "zone-shift": 0.25,
    "long-outage": 0.2,
    "backlog": 0.3,
}
"""How often each hazard that shapes a world goes into it; the faults are drawn last."""
HAZARD_ODDS: Mapping[str, float] = {**WORLD_ODDS, **FAULT_ODDS}
"""Every hazard that the generator can plant.

Where hazards are chosen, the others are kept out as far as a world decides that: lateness, ties,
restarts, crashes, outages and faults. The rest depends on when a client asks and for how much.
"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The frame of a world, before its events: what was decided about it.

    `late_by_ms_max` is the lateness that the server promises, `hidden_ms_max` what it makes use of.
    `busy` is the start of the one poll during whose walk most events are appended: a few of them
    in each walk would show less than many in one.
    """

    hazards: frozenset[str]
    late_by_ms_max: int
    hidden_ms_max: int
    stamp_ms: int
    page_size: int
    limit: int
    ties_max: int
    request_ms: int
    starts_at: Instant
    storm: tuple[Instant, ...]
    busy: Instant

    @property
    def undisturbed(self) -> int | None:
        """The place of a poll that failures and kills had better leave alone, or None.

        Where an event becomes visible late in the middle of a walk, only a walk that goes on reads
        what is younger: this tells a look-back from the start of a poll from other ones.
        """
        if self.hazards >= {"append-during-walk", "late-visible"}:
            return self.storm.index(self.busy)
        return None


def draw_plan(
    random: Random,
    dialect: Dialect,
    settings: Settings,
    page_size: int | None,
    late_by_ms_max: int | None,
    hazards: Collection[str] | None,
) -> Plan:
    """Decide which hazards a world has, how large its pages are and when its storm is.

    The arguments are those of `generate.draw_scenario`. Raises `UsageError` for an unknown hazard.
    """
    unknown = sorted(set(hazards or ()) - set(HAZARD_ODDS))
    if unknown:
        raise UsageError(
            f"can't plant the hazards {', '.join(unknown)}; known are {', '.join(HAZARD_ODDS)}"
        )
    late = dialect.late_by_ms_max(settings) if late_by_ms_max is None else late_by_ms_max
    cap = dialect.limit_max(settings)
    odds = {name: odd for name, odd in WORLD_ODDS.items() if hazards is None or name in hazards}
    chosen = {name for name, odd in odds.items() if random.random() < odd}
    if late == 0:
        chosen.discard("late-visible")
    if cap is None or settings.get("limit_over_max") == "reject":
        chosen.discard("clamped-limit")
    size = page_size or random.choice(PAGE_SIZES)
    if page_size is None and cap is not None:
        over = cap + random.choice((1, cap, 4 * cap))
        size = over if "clamped-limit" in chosen else min(size, cap)
    limit = size if cap is None else min(size, cap)
    starts_at = _draw_start(random, settings, shift="zone-shift" in chosen)
    storm = _draw_storm(random, starts_at, outage="long-outage" in chosen)
    # An append falls into a walk only where a request takes longer than a stamp is fine.
    least_ms = dialect.stamp_ms if "append-during-walk" in chosen else 0
    return Plan(
        hazards=frozenset(chosen),
        late_by_ms_max=late,
        hidden_ms_max=late if hazards is None or "late-visible" in hazards else 0,
        stamp_ms=dialect.stamp_ms,
        page_size=size,
        limit=limit,
        ties_max=_ties_max(cap, limit, hazards),
        request_ms=random.choice([ms for ms in REQUEST_MS if ms >= least_ms]),
        starts_at=starts_at,
        storm=storm,
        busy=random.choice(storm),
    )


def _ties_max(cap: int | None, limit: int, hazards: Collection[str] | None) -> int:
    """Return how many events may share a stamp.

    A right client can pass a group of ties only with a limit above it (theorems T1 and T4), and it
    finds that limit by doubling.
    """
    passable = TIE_GROUP_MAX if cap is None else max(1, min(TIE_GROUP_MAX, (cap - 1) // 2))
    if hazards is None or "tie-group-over-limit" in hazards:
        return passable
    return max(1, min(passable, limit - 1)) if "tie-at-page-edge" in hazards else 1


def _draw_start(random: Random, settings: Settings, *, shift: bool) -> Instant:
    """Draw when the world begins; with `shift` shortly before the shop's clocks change."""
    zone_name = settings.get("shop_zone")
    changes = _clock_changes(str(zone_name)) if shift and zone_name else ()
    if changes:
        # The hour before the change is the one that clocks set back will show again.
        return random.choice(changes) - random.randint(0, 90) * MINUTE_MS
    day = FIRST_DAY + random.randrange(DAYS) * DAY_MS
    # A daily rhythm: most shops are busy by day, and a few events come at night.
    hour = random.choice((9, 10, 11, 12, 14, 15, 16, 17, 19, 20, 21, 2))
    return day + hour * HOUR_MS + random.randrange(60) * MINUTE_MS


@lru_cache(maxsize=16)
def _clock_changes(zone_name: str) -> tuple[Instant, ...]:
    """Return the instants, to the hour, at which the clocks of a zone change in our two years."""
    where = zone(zone_name)
    hours = (
        datetime.fromtimestamp(FIRST_DAY / 1000, UTC) + timedelta(hours=number)
        for number in range(DAYS * 24)
    )
    changes: list[Instant] = []
    before = None
    for hour in hours:
        offset = hour.astimezone(where).utcoffset()
        if before is not None and offset != before:
            changes.append(from_datetime(hour))
        before = offset
    return tuple(changes)


def _draw_storm(random: Random, starts_at: Instant, *, outage: bool) -> tuple[Instant, ...]:
    """Draw when the polls of the storm start."""
    gap = random.choice(GAPS_MS)
    start = starts_at + random.choice((0, MINUTE_MS, 10 * MINUTE_MS)) + random.randrange(gap)
    polls = [start]
    for _ in range(random.randint(0, STORM_POLLS_MAX - 1)):
        start += gap + random.randrange(-gap // 4, gap // 4 + 1)
        polls.append(start)
    if outage:
        cut = random.randint(1, len(polls))
        shift = random.randint(1, 48) * HOUR_MS
        polls = [*polls[:cut], *(poll + shift for poll in polls[cut:])]
        if cut == len(polls):
            polls.append(polls[-1] + shift)
    return tuple(polls)
