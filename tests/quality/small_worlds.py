"""All small worlds: up to four events, three instants, three polls and a calm, pages of 2 and 3.

Time is counted in beats of half the lateness that the server promises. Events are stamped at beats
0, 1 and 2 and visible at once or later; three polls start at beats 0 to 4, or follow each other
without a pause while each request takes a beat, so that the log grows in the middle of a walk. All
that differs is enumerated, from small to large: the order in the log of events that share a stamp,
the beats of the polls, and what theorems speak of besides (order of ids, shuffled ties, polls that
start a millisecond too early to see what the beat brings). So what holds in each of these worlds
holds without luck, and the first one that a client breaks is a smallest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, combinations_with_replacement, product

import msgspec
from msgspec.structs import replace

from fakeserver.clock import MINUTE_MS, at
from fakeserver.profile import SwitchValue
from fakeserver.scenario import PATIENCE_MS, Crash, CrashPoint, LoggedEvent, Poll, Scenario
from tests.verdict.worlds import HARAVAN_FIELDS, SALESCHANNEL_FIELDS

EVENTS_MAX = 4
INSTANTS = (0, 1, 2)
POLLS = 3
LIMITS = (2, 3)
BEAT_MS = 5 * MINUTE_MS // 2
LATE_MS = 2 * BEAT_MS
"""What the example clients stand."""
START = at("2026-03-02T05:00:00Z")
ID_FIRST = 8
"""So that four ids are 8, 9, 10, 11: as text they come in another order."""
CRASH_POINTS: tuple[CrashPoint, ...] = (
    "before-request",
    "after-request",
    "before-deliver",
    "after-deliver",
    "before-save",
    "after-save",
)

Row = tuple[int, int]
"""The beat at which an event is recorded, and that at which it is visible."""


class Pace(msgspec.Struct, frozen=True):
    """The beats at which polls start, how long before (ms), and how long a request takes (ms)."""

    beats: tuple[int, ...]
    early_ms: int = 0
    request_ms: int = 0


QUICK = tuple(Pace(beats) for beats in combinations(range(5), POLLS))
EARLY = tuple(replace(pace, early_ms=1) for pace in QUICK)
SLOW = tuple(Pace((beat, beat + 1, beat + 2), request_ms=BEAT_MS) for beat in INSTANTS)


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """A set of worlds: all combinations of what its fields list.

    `late_beats` are the latenesses that an event may have, in beats.
    """

    dialect: str
    late_beats: tuple[int, ...] = (0,)
    paces: tuple[Pace, ...] = (*QUICK, *SLOW)
    ids: tuple[str, ...] = ("rising",)
    settings: tuple[dict[str, SwitchValue], ...] = ({},)
    limits: tuple[int, ...] = LIMITS
    crashes: tuple[tuple[int, Crash] | None, ...] = (None,)
    instants: tuple[int, ...] = INSTANTS
    events_min: int = 0
    events_max: int = EVENTS_MAX

    def __len__(self) -> int:
        around = (self.paces, self.ids, self.settings, self.limits, self.crashes)
        count = sum(1 for _ in self.logs())
        for choices in around:
            count *= len(choices)
        return count

    def logs(self) -> Iterator[tuple[Row, ...]]:
        """Yield every log, small ones first: stamps rise, and behind one stamp comes any row."""
        for count in range(self.events_min, self.events_max + 1):
            for stamps in combinations_with_replacement(self.instants, count):
                for lateness in product(self.late_beats, repeat=count):
                    yield tuple((s, s + late) for s, late in zip(stamps, lateness, strict=True))

    def worlds(self, *, every: int = 1) -> Iterator[Scenario]:
        """Yield the worlds, small ones first; only one in `every`."""
        choices = (self.paces, self.ids, self.settings, self.limits, self.crashes)
        number = 0
        for log in self.logs():
            for pace, ids, settings, limit, crash in product(*choices):
                if number % every == 0:
                    events = tuple(_events(self.dialect, log, ids))
                    late_ms = max(self.late_beats) * BEAT_MS
                    yield _world(self.dialect, events, late_ms, pace, settings, limit, crash)
                number += 1


def crashes() -> tuple[tuple[int, Crash], ...]:
    """Every crash at the first or second request, deliver or save of a poll, with its place."""
    return tuple(
        (place, Crash(point=point, nth=nth))
        for place, point, nth in product(range(POLLS), CRASH_POINTS, (1, 2))
    )


def _events(dialect: str, log: tuple[Row, ...], ids: str) -> Iterator[LoggedEvent]:
    numbers = list(range(ID_FIRST, ID_FIRST + len(log)))
    if ids == "falling":
        numbers.reverse()
    elif ids == "turned":  # the first in the log has the highest, the others rise
        numbers = numbers[-1:] + numbers[:-1]
    for number, (recorded, visible) in zip(numbers, log, strict=True):
        yield LoggedEvent(
            id=number if dialect == "haravan" else f"c{number}",
            recorded_at=START + recorded * BEAT_MS,
            visible_at=START + visible * BEAT_MS,
            fields=HARAVAN_FIELDS if dialect == "haravan" else SALESCHANNEL_FIELDS,
        )


def _world(
    dialect: str,
    events: tuple[LoggedEvent, ...],
    late_by_ms_max: int,
    pace: Pace,
    settings: dict[str, SwitchValue],
    limit: int,
    crash: tuple[int, Crash] | None,
) -> Scenario:
    """Build a world whose calm is as long and as patient as in a drawn one."""
    storm = [Poll(starts_at=START + beat * BEAT_MS - pace.early_ms) for beat in pace.beats]
    if crash is not None:
        storm[crash[0]] = replace(storm[crash[0]], crash=crash[1])
    calm = START + (pace.beats[-1] + 1) * BEAT_MS
    calm = max(calm, START + 5 * BEAT_MS, *(event.visible_at for event in events))
    starts = (calm, calm + BEAT_MS, calm + BEAT_MS + PATIENCE_MS)
    return Scenario(
        dialect=dialect,
        settings=settings,
        starts_at=START - BEAT_MS,
        request_ms=pace.request_ms,
        page_size=limit,
        late_by_ms_max=late_by_ms_max,
        events=events,
        polls=(*storm, *(Poll(starts_at=start) for start in starts)),
        calm_from=len(storm),
    )
