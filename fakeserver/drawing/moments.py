"""When the events of a world are recorded, and when they become visible."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec

from fakeserver.clock import MINUTE_MS, SECOND_MS, Instant
from fakeserver.dialects.base import Settings
from fakeserver.drawing.plan import Plan
from fakeserver.oddities import rows_at_once
from fakeserver.profile import MeasuredLateness
from fakeserver.scenario import LoggedEvent

WALK_REQUESTS = (1, 2, 4)
"""Appends during a walk fall within so many requests of its start; few walks are longer."""
EVENTS_DRAWN_MAX = 400
"""A world is run whole; more events than this find nothing that fewer do not."""


def draw_stamps(random: Random, plan: Plan, settings: Settings) -> list[Instant]:
    """Draw when each event is recorded, in order, as the log would stamp it."""
    stamps: Counter[Instant] = Counter()
    count = _draw_count(random, plan)
    while (missing := count - stamps.total()) > 0:
        moment = _draw_moment(random, plan)
        moment -= moment % plan.stamp_ms
        while stamps[moment] >= plan.ties_max:  # two groups at one moment are one
            moment += plan.stamp_ms
        group = max(_draw_group(random, plan), rows_at_once(random, settings))
        stamps[moment] += min(group, plan.ties_max - stamps[moment], missing)
    return sorted(stamps.elements())


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
    # A walk that goes on after a late event has appeared in it, and read a younger one, is longer.
    if plan.hazards >= {"append-during-walk", "late-visible"}:
        count += 2 * plan.limit
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
    # Recorded now, or so long ago that it may have been hidden until now: early in the walk, which
    # then has time to go on and read what is younger.
    hidden = "late-visible" in plan.hazards and random.random() < 0.3
    requests = 1 if hidden else random.choice(WALK_REQUESTS)
    moment = plan.busy + random.randint(1, requests * plan.request_ms)
    moment += -moment % plan.stamp_ms
    return moment - plan.late_by_ms_max if hidden else moment


def draw_lateness(
    random: Random, late_by_ms_max: int, measured: MeasuredLateness | None = None
) -> int:
    """Draw how long an event is hidden, ms: as measured, but never longer than `late_by_ms_max`.

    Where nothing was measured it is usually not, at times seconds, under 1 % minutes.
    """
    if late_by_ms_max == 0:
        return 0
    if measured is not None:
        return min(measured.at(random.random(), random.random()), late_by_ms_max)
    kind = random.random()
    if kind < 0.008:
        return random.randint(min(MINUTE_MS, late_by_ms_max), late_by_ms_max)
    if kind < 0.2:
        return random.randint(0, min(20 * SECOND_MS, late_by_ms_max))
    return 0


def make_late(
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
