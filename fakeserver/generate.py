"""Drawing worlds. Chance is an argument; the same chance draws the same scenario on every machine.

Each world has its own subset of hazards (swarm testing): most faults need one hazard and are
hidden by others, so a world with all of them at once finds less than many worlds with a few each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random

import msgspec

from fakeserver.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant, at, from_datetime, zone
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Dialect, Settings
from fakeserver.errors import UsageError
from fakeserver.oddities import made_odd, rows_at_once, transient_faults
from fakeserver.profile import Profile, SwitchValue
from fakeserver.scenario import PATIENCE_MS, Crash, CrashPoint, LoggedEvent, Poll, Scenario

FIRST_DAY = at("2026-01-05T00:00:00Z")
DAYS = 700
"""Worlds lie in two years, so that both changes of the clock and a leap day occur."""
WALK_REQUESTS = (1, 2, 4)
"""Appends during a walk fall within so many requests of its start; few walks are longer."""
GAPS_MS = tuple(seconds * SECOND_MS for seconds in (10, 30, 60, 120, 300, 600))
"""Pauses between polls; the sales channel's document says 10 s."""
STORM_POLLS_MAX = 4
REQUEST_MS = (40, 250, 1_500)
"""What one answer costs: a fast server, a usual one, and one slow enough for things to happen."""
PAGE_SIZES = (2, 2, 3, 3, 4, 5, 6)
"""Small pages put an edge between almost any two events."""
EVENTS_DRAWN_MAX = 400
"""A world is run whole; more events than this find nothing that fewer do not."""
TIE_GROUP_MAX = 64

HAZARD_ODDS: Mapping[str, float] = {
    "tie-at-page-edge": 0.5,
    "tie-group-over-limit": 0.2,
    "late-visible": 0.5,
    "append-during-walk": 0.4,
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
"""How often each hazard that the generator can plant goes into a world."""

CRASH_POINTS: Mapping[str, tuple[CrashPoint, ...]] = {
    "crash-before-save": ("before-save", "before-deliver", "after-deliver"),
    "crash-after-save": ("after-save",),
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The frame of a world, before its events: what was decided about it.

    `busy` is the start of the one poll during whose walk most events are appended: a few of them
    in each walk would show less than many in one.
    """

    hazards: frozenset[str]
    late_by_ms_max: int
    stamp_ms: int
    page_size: int
    limit: int
    ties_max: int
    request_ms: int
    starts_at: Instant
    storm: tuple[Instant, ...]
    busy: Instant


def generate_scenario(
    *,
    dialect: str = "haravan",
    profile: Profile | str = "default",
    seed: int = 0,
    example: int = 0,
    page_size: int | None = None,
    late_by_ms_max: int | None = None,
    hazards: Collection[str] | None = None,
) -> Scenario:
    """Return the world number `example` of `seed`: the same one on every machine.

    See `draw_scenario` for the other arguments. Raises `ProfileError` and `UsageError`.
    """
    chosen = find_dialect(dialect).profile(profile) if isinstance(profile, str) else profile
    scenario = draw_scenario(
        Random(f"fakeserver {chosen.dialect} {chosen.name} {seed} {example}"),  # noqa: S311
        profile=chosen,
        page_size=page_size,
        late_by_ms_max=late_by_ms_max,
        hazards=hazards,
    )
    return msgspec.structs.replace(scenario, origin=f"seed {seed}, example {example}")


def draw_scenario(
    random: Random,
    *,
    profile: Profile,
    page_size: int | None = None,
    late_by_ms_max: int | None = None,
    hazards: Collection[str] | None = None,
) -> Scenario:
    """Draw a world of `profile`.

    `page_size` pins the suggested page size (rows), `late_by_ms_max` the lateness that the server
    keeps (ms; default: what the profile documents), and `hazards` those that may be planted
    (default: all). `random` may be anything with the methods of `random.Random`, Hypothesis'
    ``st.randoms()`` among them. Raises `UsageError` for an unknown hazard.
    """
    dialect = find_dialect(profile.dialect)
    settings = {
        name: values[0] if len(values) == 1 else random.choice(values)
        for name, values in profile.allowed.items()
    }
    plan = _draw_plan(random, dialect, settings, page_size, late_by_ms_max, hazards)
    stamps = _draw_stamps(random, plan, settings)
    events = tuple(
        LoggedEvent(
            id=event_id,
            recorded_at=stamp,
            visible_at=stamp + draw_lateness(random, plan.late_by_ms_max),
            fields=fields,
        )
        for stamp, (event_id, fields) in zip(
            stamps, dialect.tell(random, settings, stamps), strict=True
        )
    )
    if "late-visible" in plan.hazards:
        events = _make_late(random, plan, events)
    events = made_odd(random, settings, events, plan.late_by_ms_max)
    polls, calm_from = _draw_polls(random, plan, events)
    return Scenario(
        dialect=dialect.name,
        profile=profile.name,
        settings=_changed(settings, dialect),
        starts_at=plan.starts_at,
        request_ms=plan.request_ms,
        page_size=plan.page_size,
        late_by_ms_max=plan.late_by_ms_max,
        events=events,
        polls=transient_faults(random, settings, polls, calm_from),
        calm_from=calm_from,
    )


def _changed(settings: Settings, dialect: Dialect) -> dict[str, SwitchValue]:
    """Return only what differs from the defaults: that is what a reader wants to know."""
    return {
        switch.name: settings[switch.name]
        for switch in dialect.switches
        if settings[switch.name] != switch.default
    }


def _draw_plan(
    random: Random,
    dialect: Dialect,
    settings: Settings,
    page_size: int | None,
    late_by_ms_max: int | None,
    hazards: Collection[str] | None,
) -> Plan:
    unknown = sorted(set(hazards or ()) - set(HAZARD_ODDS))
    if unknown:
        raise UsageError(
            f"can't plant the hazards {', '.join(unknown)}; known are {', '.join(HAZARD_ODDS)}"
        )
    late = dialect.late_by_ms_max(settings) if late_by_ms_max is None else late_by_ms_max
    cap = dialect.limit_max(settings)
    odds = {name: odd for name, odd in HAZARD_ODDS.items() if hazards is None or name in hazards}
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
        stamp_ms=dialect.stamp_ms,
        page_size=size,
        limit=limit,
        # A right client can pass a group of ties only with a limit above it (theorems T1 and T4),
        # and it finds that limit by doubling.
        ties_max=TIE_GROUP_MAX if cap is None else max(1, min(TIE_GROUP_MAX, (cap - 1) // 2)),
        request_ms=random.choice([ms for ms in REQUEST_MS if ms >= least_ms]),
        starts_at=starts_at,
        storm=storm,
        busy=random.choice(storm),
    )


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


def _draw_stamps(random: Random, plan: Plan, settings: Settings) -> list[Instant]:
    """Draw when each event is recorded, in order, as the log would stamp it."""
    stamps: list[Instant] = []
    count = _draw_count(random, plan)
    while len(stamps) < count:
        moment = _draw_moment(random, plan)
        moment -= moment % plan.stamp_ms
        group = max(_draw_group(random, plan), rows_at_once(random, settings))
        stamps.extend([moment] * min(group, plan.ties_max, count - len(stamps)))
    return sorted(stamps)


def _draw_count(random: Random, plan: Plan) -> int:
    if "empty-log" in plan.hazards and random.random() < 0.5:
        return random.choice((0, 1))
    pages = random.choice((1, 1, 2, 2, 3))
    count = pages * plan.limit
    if "exact-multiple-of-limit" not in plan.hazards:
        count += random.randint(-1, max(2, plan.limit // 2))
    # Only what does not fit on a page makes a walk, and shows that there was a cap.
    if plan.hazards & {"backlog", "clamped-limit", "append-during-walk"}:
        count += plan.limit
    return max(0, min(count, EVENTS_DRAWN_MAX))


def _draw_group(random: Random, plan: Plan) -> int:
    """Draw how many events share a stamp."""
    if "tie-group-over-limit" in plan.hazards and random.random() < 0.3:
        return min(plan.limit + random.randint(0, 2), plan.ties_max)
    if "tie-at-page-edge" in plan.hazards and random.random() < 0.4:
        return min(random.randint(2, max(2, plan.limit - 1)), plan.ties_max)
    return 1


def _draw_moment(random: Random, plan: Plan) -> Instant:
    """Draw an instant of the storm: before it, in a burst, between polls, or during a walk."""
    if "empty-log" in plan.hazards:
        return random.randint(plan.storm[0] + 1, plan.storm[-1] + MINUTE_MS)
    if plan.hazards & {"backlog", "clamped-limit"} and random.random() < 0.6:
        return random.randint(plan.starts_at - 30 * MINUTE_MS, plan.storm[0])
    if "append-during-walk" in plan.hazards and random.random() < 0.7:
        return _draw_moment_of_walk(random, plan)
    if "late-visible" in plan.hazards and random.random() < 0.4:
        return plan.busy - random.randint(0, plan.late_by_ms_max)
    if random.random() < 0.7:
        return random.choice(plan.storm) - random.randint(0, 20 * SECOND_MS)
    return random.randint(plan.starts_at, plan.storm[-1] + 1)


def _draw_moment_of_walk(random: Random, plan: Plan) -> Instant:
    """Draw an instant just before the busy poll, which makes its walk a long one, or during it."""
    if random.random() < 0.5:
        return plan.busy - random.randint(0, 20 * SECOND_MS)
    moment = plan.busy + random.randint(1, random.choice(WALK_REQUESTS) * plan.request_ms)
    moment += -moment % plan.stamp_ms
    # Recorded now, or so long ago that it may have been hidden until now.
    hidden = "late-visible" in plan.hazards and random.random() < 0.3
    return moment - plan.late_by_ms_max if hidden else moment


def draw_lateness(random: Random, late_by_ms_max: int) -> int:
    """Draw how long an event is hidden, ms: usually not, at times seconds, under 1 % minutes."""
    if late_by_ms_max == 0:
        return 0
    kind = random.random()
    if kind < 0.008:
        return random.randint(min(MINUTE_MS, late_by_ms_max), late_by_ms_max)
    if kind < 0.2:
        return random.randint(0, min(20 * SECOND_MS, late_by_ms_max))
    return 0


def _make_late(
    random: Random, plan: Plan, events: tuple[LoggedEvent, ...]
) -> tuple[LoggedEvent, ...]:
    """Hide a few events until after a poll that could have read them."""
    changed = list(events)
    for _ in range(min(len(changed), random.randint(1, 3))):
        number = random.randrange(len(changed))
        changed[number] = _hidden(changed[number], _draw_hiding(random, plan, changed[number]))
    if "append-during-walk" not in plan.hazards:
        return tuple(changed)
    # Hidden as long as may be, and then there in the middle of a walk that has passed it: this
    # tells a look-back from the start of a poll from one that starts at its end.
    walk_ms = max(WALK_REQUESTS) * plan.request_ms
    latest = [_hidden(event, plan.late_by_ms_max) for event in changed]
    return tuple(
        late if any(0 < late.visible_at - poll <= walk_ms for poll in plan.storm) else event
        for event, late in zip(changed, latest, strict=True)
    )


def _draw_hiding(random: Random, plan: Plan, event: LoggedEvent) -> int:
    """Draw how long an event is hidden, ms: where possible until after a poll."""
    waits = [poll - event.visible_at + event.late_by_ms for poll in plan.storm]
    misses = [wait for wait in waits if 0 <= wait < plan.late_by_ms_max]
    # Past the last poll that may miss it is where a look-back that is too short gives up.
    least = random.choice((max(misses), random.choice(misses))) + 1 if misses else 1
    if random.random() < 0.2:
        return plan.late_by_ms_max
    return random.randint(least, plan.late_by_ms_max)


def _hidden(event: LoggedEvent, late_by_ms: int) -> LoggedEvent:
    later = late_by_ms - event.late_by_ms
    return msgspec.structs.replace(event, visible_at=event.visible_at + later)


def _draw_polls(
    random: Random, plan: Plan, events: tuple[LoggedEvent, ...]
) -> tuple[tuple[Poll, ...], int]:
    """Return all polls and the number of those that belong to the storm."""
    crashes = _draw_crashes(random, plan)
    storm = [
        Poll(
            starts_at=start,
            restart=number > 0 and "restart" in plan.hazards and random.random() < 0.5,
            crash=crashes.get(number),
        )
        for number, start in enumerate(plan.storm)
    ]
    # The walk of the last stormy poll must be over before the calm begins.
    after_walk = plan.storm[-1] + plan.request_ms * (10 + 2 * len(events))
    visible = max((event.visible_at for event in events), default=plan.storm[-1])
    gap = random.choice(GAPS_MS)
    calm_at = max(after_walk, visible, plan.storm[-1] + gap) + SECOND_MS
    calm = (calm_at, calm_at + gap, calm_at + gap + max(PATIENCE_MS, plan.late_by_ms_max))
    return (*storm, *(Poll(starts_at=start) for start in calm)), len(storm)


def _draw_crashes(random: Random, plan: Plan) -> dict[int, Crash]:
    """Return at most one crash a poll of the storm, by the poll's place."""
    crashes: dict[int, Crash] = {}
    for hazard, points in CRASH_POINTS.items():
        if hazard in plan.hazards:
            crashes[random.randrange(len(plan.storm))] = Crash(
                point=random.choice(points), nth=random.choice((1, 1, 1, 2, 3))
            )
    return crashes
