"""The polls of a world: its storm, its crashes and restarts, and the calm at its end."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import msgspec

from fakeserver.clock import SECOND_MS
from fakeserver.drawing.plan import GAPS_MS, Plan
from fakeserver.scenario import PATIENCE_MS, Crash, CrashPoint, LoggedEvent, Poll

CRASH_POINTS: Mapping[str, tuple[CrashPoint, ...]] = {
    "crash-before-save": ("before-save", "before-deliver", "after-deliver"),
    "crash-after-save": ("after-save",),
}
"""A commit is a save too: who commits is killed there at the points of a save."""
REQUEST_POINTS: tuple[CrashPoint, ...] = ("before-request", "after-request")
KILL_WEIGHT = 10
"""A poll is killed so much more often than one that had better be left alone."""
REQUEST_SHARE = 0.35
"""Of the kills short of a save; more of them would leave too few between deliver and save."""


def draw_polls(
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


def draw_kills_at_requests(random: Random, polls: tuple[Poll, ...]) -> tuple[Poll, ...]:
    """Move some of the kills that come short of a save to a request.

    Drawn when all else of a world is, so that it is the same world with and without them.
    """
    changed = list(polls)
    for place, poll in enumerate(polls):
        if poll.crash is None or poll.crash.point not in CRASH_POINTS["crash-before-save"]:
            continue
        if random.random() < REQUEST_SHARE:
            crash = Crash(point=random.choice(REQUEST_POINTS), nth=poll.crash.nth)
            changed[place] = msgspec.structs.replace(poll, crash=crash)
    return tuple(changed)


def draw_instances(random: Random, polls: tuple[Poll, ...], instances: int) -> tuple[Poll, ...]:
    """Say which of so many instances polls when: any of them, and the first one first."""
    if instances == 1:
        return polls
    turns = (1, *(random.randint(1, instances) for _ in polls[1:]))
    return tuple(
        msgspec.structs.replace(poll, instance=turn)
        for poll, turn in zip(polls, turns, strict=True)
    )


def _draw_crashes(random: Random, plan: Plan) -> dict[int, Crash]:
    """Return at most one crash a poll of the storm, by the poll's place."""
    crashes: dict[int, Crash] = {}
    weights = [1 if place == plan.undisturbed else KILL_WEIGHT for place in range(len(plan.storm))]
    for hazard, points in CRASH_POINTS.items():
        if hazard in plan.hazards:
            crashes[random.choices(range(len(plan.storm)), weights)[0]] = Crash(
                point=random.choice(points), nth=random.choice((1, 1, 1, 2, 3))
            )
    return crashes
