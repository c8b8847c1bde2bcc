"""The world that is being served, and what can be done to it from outside.

It is replaced by `reset` and `load`; everything else happens to the present one, under its lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from typing import Any

import msgspec
from msgspec.structs import replace

from fakeserver.app import FakeServer
from fakeserver.clock import INSTANT_MAX, Instant, SimulatedClock, as_datetime, to_text
from fakeserver.delivery import delivered
from fakeserver.errors import UsageError
from fakeserver.fault import Fault
from fakeserver.history import AnyStep, Delivered, History, Restarted, Saved, Slept
from fakeserver.scenario import EventId, LoggedEvent, Scenario
from fakeserver.serving.appending import NewEvent, check_shown, make_events
from fakeserver.serving.options import (
    ClockMode,
    ServeOptions,
    Wall,
    build_world,
    check_load,
    make_clock,
)
from fakeserver.serving.problems import Problem
from fakeserver.serving.restoring import check_same, fingerprint, restore
from fakeserver.serving.state import ClockFact, Facts, FaultsFact, State, Stored
from fakeserver.world import World

JUMP_EVENTS_MAX = 200_000
"""What a stream may record in one jump of the clock: some ten seconds of drawing."""


class Served:
    """One world being served, with its clock, history and state file.

    `world` and `server` are the present ones; take them once and use those. `resets` counts how
    often another world took their place. Raises `UsageError` for options or a state file that
    can't be used.
    """

    world: World
    server: FakeServer

    def __init__(self, options: ServeOptions, wall: Wall, *, state: State | None = None) -> None:
        self.options = options
        self.resets = 0
        self.steps_before = self.exchanges_before = 0
        self._wall = wall
        self._state = state
        if state is None or state.is_new:
            self._begin(options)
        else:
            self._resume(options, state.read())

    @property
    def today(self) -> date:
        """The day on the wall clock, in UTC."""
        return as_datetime(self._wall()).date()

    @property
    def seed(self) -> int | None:
        """The seed of the stream, or None where a scenario is served."""
        return None if self.present.scenario is not None else self.present.seed

    @contextmanager
    def playing(self) -> Iterator[World]:
        """Hold the present world still, and let nobody replace it meanwhile."""
        while True:
            world = self.world
            with world.lock:
                if world is self.world:
                    yield world
                    return

    # Another world in its place

    def reset(self) -> None:
        """Go back to the start: the world of the options, its clock where it stood at first."""
        with self.playing():
            self.resets += 1
            self._begin(self.options)

    def load(self, scenario: Scenario) -> None:
        """Let `scenario` become the world; its clock stands. Raises `UsageError`."""
        with self.playing():
            options = ServeOptions(dialect=scenario.dialect, scenario=scenario, clock="simulated")
            world = build_world(options, self._wall)
            check_shown(world.dialect, world.settings, scenario.events)
            self.resets += 1
            self._install(world, options)

    def _begin(self, options: ServeOptions) -> None:
        world = build_world(options, self._wall)
        if options.scenario is not None:
            check_shown(world.dialect, world.settings, world.log.events)
        self._install(world, options)

    def _install(self, world: World, options: ServeOptions) -> None:
        self.steps_before = self.exchanges_before = self.trial_from = 0
        self.mode: ClockMode = options.clock
        if self._state is not None:
            self._state.begin(
                Facts(
                    options=self.options,
                    scenario=None if options is self.options else options.scenario,
                    starts_at=world.scenario.starts_at,
                    fingerprint=fingerprint(world),
                    resets=self.resets,
                ),
                ClockFact(mode=options.clock, pace=world.pace, now=world.now),
            )
        self._take(world, options)

    def _take(self, world: World, options: ServeOptions) -> None:
        self.present = options
        world.on_record = lambda number, step: self._record(world, number, step)
        # The world first: what the new server records is kept from its first step on.
        self.world = world
        self.server = FakeServer(world)

    def _record(self, world: World, number: int, step: AnyStep) -> None:
        """Keep a step; one of a world that has been replaced meanwhile is of no interest."""
        if self._state is not None and world is self.world:
            exchanges = self.exchanges_before + world.exchanges_recorded
            self._state.record(self.steps_before + number, exchanges, step)

    # A world that was left

    def _resume(self, options: ServeOptions, stored: Stored) -> None:
        facts = stored.facts
        check_same(options, facts.options)
        self.options, self.resets = facts.options, facts.resets
        present = self.options
        if facts.scenario is not None:
            present = ServeOptions(
                dialect=facts.scenario.dialect, scenario=facts.scenario, clock="simulated"
            )
        world = build_world(present, self._wall, clock=SimulatedClock(facts.starts_at))
        if fingerprint(world) != facts.fingerprint:
            raise UsageError(
                "state: another version of fakeserver made it, and its stream is no longer the "
                "same; name another file, or delete this one to start afresh"
            )
        restore(world, stored)
        asked_clock = (options.clock, options.pace)
        clock = stored.clock
        if asked_clock != (facts.options.clock, facts.options.pace):
            clock = replace(clock, mode=options.clock, pace=options.pace)
            self.options = replace(self.options, clock=options.clock, pace=options.pace)
        self.mode = clock.mode
        world.set_clock(lambda now: self._make_clock(clock.mode, clock.pace, now))
        self.steps_before, self.exchanges_before = stored.steps_before, stored.exchanges_before
        self.trial_from = stored.trial_from
        self._take(world, present)

    def _make_clock(self, mode: ClockMode, pace: float, now: Instant) -> SimulatedClock:
        now = max(now, self._wall()) if mode == "real" else now
        return make_clock(mode, pace, now, self._wall)

    # The clock

    def set_clock(
        self,
        *,
        to: Instant | None = None,
        mode: ClockMode | None = None,
        pace: float | None = None,
    ) -> None:
        """Move the clock to the instant `to`, and let it run as `mode` and `pace` say.

        What is None stays, but a real clock that is moved goes on as a paced one. Raises `Problem`
        for a time that is past, or so far ahead that the stream would have to draw too much.
        """
        with self.playing() as world:
            self._set_clock(world, world.now, to, mode, pace)

    def advance(self, ms: int) -> None:
        """Let `ms` milliseconds pass. Raises `Problem` as `set_clock` does."""
        with self.playing() as world:
            before = world.now  # looked at once: a clock that runs would be past it at the next
            self._set_clock(world, before, before + ms)

    def _set_clock(
        self,
        world: World,
        before: Instant,
        to: Instant | None,
        mode: ClockMode | None = None,
        pace: float | None = None,
    ) -> None:
        mode, pace = self._chosen(world, to, mode, pace)
        target = self._wall() if mode == "real" else before if to is None else to
        _check_jump(world, before, target)
        world.set_clock(lambda now: make_clock(mode, pace, max(now, target), self._wall))
        self.mode = mode
        self._moved(world, before)
        world.catch_up()  # whoever jumps waits for what is drawn, not the client that asks next

    def _chosen(
        self, world: World, to: Instant | None, mode: ClockMode | None, pace: float | None
    ) -> tuple[ClockMode, float]:
        """Return the mode and the pace that are meant. Raises `Problem` where they contradict."""
        if mode in ("real", "simulated") and pace is not None:
            raise Problem(422, "no-pace", f"a {mode} clock has no pace; leave it out, or say paced")
        if mode == "real" and to is not None:
            raise Problem(422, "no-now", "a real clock shows the present; leave now out")
        if mode is None:
            runs = (
                pace is not None or self.mode == "paced" or (self.mode == "real" and to is not None)
            )
            mode = "paced" if runs else self.mode
        if pace is None:
            pace = world.pace if world.pace else 1.0
        try:
            check_load(world.stream.rate_per_s if world.stream else 0, pace)
        except UsageError as error:
            raise Problem(422, "too-fast", str(error)) from error
        return mode, pace

    def _moved(self, world: World, before: Instant) -> None:
        with self._together():
            now = world.now
            if now > before:
                world.record(Slept(at=before, ms=now - before))
            if self._state is not None:
                self._state.put_clock(ClockFact(mode=self.mode, pace=world.pace, now=now))

    def _together(self) -> Any:
        return nullcontext() if self._state is None else self._state.together()

    # Events, faults, deliveries

    def append(self, events: Iterable[NewEvent]) -> tuple[int, tuple[LoggedEvent, ...]]:
        """Append events of one's own; return the number of the first, and them as logged.

        Raises `UsageError` for what can't be an event of this API, or has an id that is taken.
        """
        with self.playing() as world:
            if world.last_exchange is not None:
                # What is recorded now is visible now, and not late; a clock that stands still
                # moves on to the next stamp for that.
                stamp_ms = 1 if world.pace else world.dialect.stamp_ms
                after = world.last_exchange.at + 1
                world.advance_to(after + -after % stamp_ms)
            made = make_events(world, events, seed=self.present.seed)
            check_shown(world.dialect, world.settings, made)
            taken = [event.id for event in made if world.log.has(event.id)]
            if taken:
                raise Problem(
                    409, "id-taken", f"there is an event {taken[0]!r} already; take another id"
                )
            logged = world.append(made)
            if self._state is not None:
                # The very instant: what the stream records afterwards stands behind them.
                self._state.append(world.joined_until, logged)
            return len(world.log) - len(logged) + 1, logged

    def arm(self, faults: tuple[Fault, ...]) -> None:
        """Let faults hit the requests from now on. Raises `ScenarioError` for too many."""
        with self.playing() as world:
            world.arm(faults)
            if self._state is not None:
                after = self.exchanges_before + world.exchanges_recorded
                self._state.put_faults(FaultsFact(faults=faults, armed_after=after))

    def deliver(
        self,
        events: Iterable[dict[str, Any] | EventId],
        *,
        restarted: bool = False,
        checkpoint: Any = msgspec.UNSET,
    ) -> int:
        """Record what a client delivered (and saved), and return how much it has by now.

        Raises `UsageError` for what is no event; then nothing is recorded.
        """
        with self.playing() as world:
            at = world.now
            steps: list[AnyStep] = [Restarted(at=at)] if restarted else []
            for event in events:
                steps.append(
                    delivered(
                        event,
                        at=at,
                        log=world.log,
                        dialect=world.dialect,
                        settings=world.settings,
                    )
                )
            if checkpoint is not msgspec.UNSET:
                steps.append(Saved(at=at, checkpoint=checkpoint))
            with self._together():
                for step in steps:
                    world.record(step)
            return sum(isinstance(step, Delivered) for step in self.trial[0])

    def forget(self) -> None:
        """Let a new client start from nothing: what was asked and delivered is judged no more."""
        with self.playing() as world:
            self.trial_from = self.steps_before + world.steps_dropped + len(world.history)
            if self._state is not None:
                self._state.put_trial(self.trial_from)

    @property
    def trial(self) -> tuple[History, int]:
        """The steps of the present client, and how many of them are no longer kept."""
        with self.playing() as world:
            dropped = self.steps_before + world.steps_dropped
            skipped = self.trial_from - dropped
            return world.history[max(0, skipped) :], max(0, -skipped)

    @property
    def exchanges_recorded(self) -> int:
        """How many requests have been answered since the world began."""
        return self.exchanges_before + self.world.exchanges_recorded


def _check_jump(world: World, before: Instant, target: Instant) -> None:
    if target < before:
        raise Problem(
            409,
            "clock-back",
            f"the clock can't go back from {to_text(before)} to {to_text(target)}; POST reset "
            "starts again",
        )
    rate = world.stream.rate_per_s if world.stream else 0
    if target > INSTANT_MAX or (target - before) / 1000 * rate > JUMP_EVENTS_MAX:
        raise Problem(
            409,
            "too-far",
            f"a jump of {(target - before) // 1000} seconds is too far: at {rate:g} events a "
            f"second it may record {JUMP_EVENTS_MAX} events at most, and time ends with 9999",
        )
