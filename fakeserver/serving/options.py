"""What a server is asked to serve: one frozen value, and the world that it makes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal

import msgspec

from fakeserver.clock import (
    INSTANT_MAX,
    INSTANT_MIN,
    PACE_MAX,
    Instant,
    PacedClock,
    SimulatedClock,
    at,
    duration_text,
)
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Settings
from fakeserver.errors import UsageError
from fakeserver.generate import check_whole
from fakeserver.profile import MeasuredLateness, SwitchValue
from fakeserver.scenario import Scenario
from fakeserver.stream import LATE_BY_MS_MAX, RATE_MAX, RATE_MIN, Stream
from fakeserver.world import World

ClockMode = Literal["real", "paced", "simulated"]
CLOCK_MODES: tuple[ClockMode, ...] = ("real", "paced", "simulated")
Wall = Callable[[], int]
"""Tells real time, in ms since the epoch."""

SIMULATED_START = at("2026-03-02T09:00:00Z")
"""A Monday morning: without a real clock every run begins at the same instant."""
BACKLOG_DEFAULT = 200
"""Two pages of the usual size and more, so that a first walk has several."""
BACKLOG_MAX = 10_000_000
"""Half of what a log holds, so that a stream can flow on; drawing it takes a minute or two."""
RATE_PER_S_DEFAULT = 0.2
"""Twelve a minute: enough to see something happen, few enough to follow by eye."""
EVENTS_PER_S_MAX = RATE_MAX
"""Rate times pace: what can be drawn and served in one second of real time."""
PAGE_SIZE_DEFAULT = 50
"""Suggested to clients where the API has no default of its own."""
STEPS_MAX = 100_000
"""Steps of history that are kept: some 120 MB with a hundred rows each."""


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides a served world, together with the wall clock.

    | option | meaning |
    |---|---|
    | `dialect`, `profile`, `settings` | the API, the set of answers it may give, and switches pinned |
    | `measured` | what a measured profile is called whose values are pinned in `settings`, or empty |
    | `lateness` | how late events are, within `late_by_ms_max`, where that was measured |
    | `seed`, `backlog`, `rate_per_s` | the stream: which, how much history (events), how fast |
    | `late_by_ms_max` | the lateness that the stream keeps, ms; None: what the profile documents |
    | `scenario` | a fixed world instead of a stream |
    | `clock`, `pace` | ``real``, ``paced`` (so many times as fast) or ``simulated`` (stands still) |
    | `starts_at` | where a paced or simulated clock starts; None: a paced one now, a simulated one always at the same instant, and either at the start of its scenario |

    Raises `UsageError` that names the option, what came, and what was expected.
    """  # noqa: E501 - a table row is a line

    dialect: str
    profile: str = "default"
    settings: dict[str, SwitchValue] = {}
    seed: int = 0
    scenario: Scenario | None = None
    backlog: int = BACKLOG_DEFAULT
    rate_per_s: float = RATE_PER_S_DEFAULT
    clock: ClockMode = "real"
    pace: float = 1.0
    starts_at: Instant | None = None
    late_by_ms_max: int | None = None
    measured: str = ""
    lateness: MeasuredLateness | None = None

    def __post_init__(self) -> None:
        find_dialect(self.dialect).profile(self.profile).narrowed(**self.settings)
        check_whole(seed=self.seed, backlog=self.backlog)
        _check_stream(self)
        _check_clock(self)
        if self.scenario is not None and self.scenario.dialect != self.dialect:
            raise UsageError(
                f"scenario: expected a world of {self.dialect}, got one of {self.scenario.dialect}"
            )

    def chosen_settings(self) -> Settings:
        """Return one value for each switch: pinned, the profile's only one, or one by the seed."""
        if self.scenario is not None:
            return find_dialect(self.dialect).settings(self.scenario.settings)
        profile = find_dialect(self.dialect).profile(self.profile).narrowed(**self.settings)
        random = Random(f"fakeserver settings {self.dialect} {self.profile} {self.seed}")  # noqa: S311
        return {
            name: values[0] if len(values) == 1 else random.choice(values)
            for name, values in profile.allowed.items()
        }

    def start(self, wall: Wall) -> Instant:
        """Return the instant at which the clock of a new world stands."""
        if self.clock == "real":
            return wall()
        if self.starts_at is not None:
            return self.starts_at
        if self.scenario is not None:
            return self.scenario.starts_at
        return SIMULATED_START if self.clock == "simulated" else wall()


def make_clock(mode: ClockMode, pace: float, now: Instant, wall: Wall) -> SimulatedClock:
    """Return a clock of that mode that stands at `now`."""
    if mode == "simulated":
        return SimulatedClock(now)
    return PacedClock(now, 1 if mode == "real" else pace, wall)


def build_world(options: ServeOptions, wall: Wall, *, clock: SimulatedClock | None = None) -> World:
    """Return the world that `options` ask for, at its start.

    `clock` takes the place of the one in the options, and says when the stream starts. Raises
    `UsageError` for a scenario that its API can't have, and for what the stream can't do.
    """
    if clock is None:
        clock = make_clock(options.clock, options.pace, options.start(wall), wall)
    if options.scenario is not None:
        return World(options.scenario, clock=clock, steps_max=STEPS_MAX)
    dialect, settings, starts_at = (
        find_dialect(options.dialect),
        options.chosen_settings(),
        clock.now,
    )
    stream = Stream(
        dialect,
        settings,
        options.seed,
        options.rate_per_s,
        options.late_by_ms_max,
        options.lateness,
    )
    scenario = Scenario(
        dialect=options.dialect,
        profile=options.measured or options.profile,
        settings={
            s.name: settings[s.name] for s in dialect.switches if settings[s.name] != s.default
        },
        origin=f"served, seed {options.seed}",
        starts_at=starts_at,
        request_ms=0,
        page_size=_page_size(settings),
        late_by_ms_max=stream.late_by_ms_max,
        events=(),
        polls=(),
        calm_from=0,
    )
    return World(scenario, clock=clock, stream=stream, backlog=options.backlog, steps_max=STEPS_MAX)


def _page_size(settings: Settings) -> int:
    return int(settings.get("limit_default") or PAGE_SIZE_DEFAULT)


def _check_stream(options: ServeOptions) -> None:
    if not 0 <= options.backlog <= BACKLOG_MAX:
        raise UsageError(f"backlog: expected 0 to {BACKLOG_MAX} events, got {options.backlog}")
    rate = options.rate_per_s
    if rate != 0 and not RATE_MIN <= rate <= RATE_MAX:
        raise UsageError(
            f"rate_per_s: expected 0, or {RATE_MIN:g} (one event a day) to {RATE_MAX}, got {rate:g}"
        )
    late = options.late_by_ms_max
    if late is not None and not 0 <= late <= LATE_BY_MS_MAX:
        raise UsageError(
            f"late_by_ms_max: expected 0 to {LATE_BY_MS_MAX} ms ({duration_text(LATE_BY_MS_MAX)}), "
            f"got {late}"
        )


def _check_clock(options: ServeOptions) -> None:
    if options.clock not in CLOCK_MODES:
        raise UsageError(f"clock: expected {', '.join(CLOCK_MODES)}, got {options.clock!r}")
    if not 0 < options.pace <= PACE_MAX:
        raise UsageError(f"pace: expected above 0 and at most {PACE_MAX}, got {options.pace:g}")
    if options.pace != 1 and options.clock != "paced":
        raise UsageError(
            f"pace: a {options.clock} clock has none, got {options.pace:g}; make the clock paced"
        )
    check_load(options.rate_per_s, options.pace)
    start = options.starts_at
    if start is None:
        return
    if options.clock == "real":
        raise UsageError(
            f"starts_at: a real clock shows the present, got {start} ms; make the clock paced"
        )
    if not INSTANT_MIN <= start <= INSTANT_MAX:
        raise UsageError(f"starts_at: expected a time in the years 1 to 9999, got {start} ms")


def check_load(rate_per_s: float, pace: float) -> None:
    """Raise `UsageError` where a stream would have to make more than a machine can follow."""
    if rate_per_s * pace > EVENTS_PER_S_MAX:
        raise UsageError(
            f"pace: {rate_per_s:g} events a second, {pace:g} times as fast, are "
            f"{rate_per_s * pace:g} in a second of real time, over {EVENTS_PER_S_MAX}; "
            "take a lower pace or rate"
        )
