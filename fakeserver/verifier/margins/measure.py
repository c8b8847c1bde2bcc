"""Measuring: run a client in the worlds of each axis until it is known where it stops standing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import get_args

import msgspec

from fakeserver.errors import UsageError
from fakeserver.history import Exchange
from fakeserver.profile import Profile
from fakeserver.profile_file import find_profile
from fakeserver.scenario import Scenario
from fakeserver.verifier.clients import Client
from fakeserver.verifier.doorkeeper import Doorkeeper, doorkeeper
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.judge import judge
from fakeserver.verifier.margins import worlds
from fakeserver.verifier.margins.axes import Axis, axes
from fakeserver.verifier.margins.bisection import Bisection
from fakeserver.verifier.margins.worlds import Setup
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.verdict import Margin, MarginAxis, Verdict
from fakeserver.verifier.watchdog import POLL_SECONDS_MAX

PAGE_SIZE = 50
"""What a client is told unless somebody says otherwise: a usual page, as one API here has it."""
RUNS_MAX = 600
"""Worlds of one axis. The longest, 606,799 steps of lateness, is doubled and halved through in some
40 values of 6 worlds; twice that is left for one that is not monotone."""

GoOn = Callable[[str, int], bool]
"""Called before each world with the axis and the worlds so far; False ends the measurement."""


def measure_margins(  # noqa: PLR0913 - keyword only, each with a default
    client: Client,
    *,
    dialect: str,
    profile: Profile | str = "default",
    promise: Promise | None = None,
    seed: int = 0,
    page_size: int | None = None,
    without: Collection[str] = (),
    only: Collection[MarginAxis] | None = None,
    poll_seconds_max: float = POLL_SECONDS_MAX,
    go_on: GoOn | None = None,
) -> tuple[Margin, ...]:
    """Return how far `client`, which keeps `promise`, stands on each axis. See `Margin`.

    The arguments are those of `verify`; with ``tie-at-page-edge`` among `without`, no two events
    share a stamp but where ties are what is measured. `only` chooses axes. Ctrl-C and a `go_on`
    that returns False end it: then what is known so far is returned. Raises `UsageError` and
    `ProfileError` for arguments that don't fit, and `HarnessError` for a slip of ours.

        for margin in measure_margins(follow, dialect="haravan"):
            print(margin.axis, margin.passes_at, margin.fails_at)
    """
    chosen = find_profile(dialect, profile) if isinstance(profile, str) else profile
    if chosen.dialect != dialect:
        raise UsageError(f"profile {chosen.name!r} belongs to {chosen.dialect!r}, not {dialect!r}")
    promise = promise or Promise()
    setup = Setup(
        profile=chosen,
        seed=seed,
        page_size=page_size or PAGE_SIZE,
        asked=page_size or PAGE_SIZE,
        is_pinned=page_size is not None,
        late_by_ms_max=promise.late_by_ms_max,
        has_ties="tie-at-page-edge" not in without,
    )
    measurings = list(_measurings(setup, client, promise, only))
    try:
        setup = msgspec.structs.replace(setup, asked=_asked(setup, client, promise))
        measurings = list(_measurings(setup, client, promise, only))
        for measuring in measurings:
            if not measuring.run(go_on or _always, poll_seconds_max):
                break
    except KeyboardInterrupt:
        pass
    return tuple(measuring.margin() for measuring in measurings)


def _measurings(
    setup: Setup, client: Client, promise: Promise, only: Collection[MarginAxis] | None
) -> Iterator[_Measuring]:
    for name in set(only or ()) - set(get_args(MarginAxis)):
        known = ", ".join(get_args(MarginAxis))
        raise UsageError(f"can't measure {name!r}; known are {known}")
    for axis in axes(setup):
        if only is None or axis.name in only:
            yield _Measuring(axis, setup, client, promise)


def _always(_axis: str, _runs: int) -> bool:
    return True


def _asked(setup: Setup, client: Client, promise: Promise) -> int:
    """Return how many rows the client asks for when told `setup.page_size`, at most.

    Some can't be told. One that names no limit gets what the server gives.
    """
    scenario = worlds.tied(setup, 1, 0)
    history = run(scenario, client)
    evidence = Evidence(scenario, history, promise)
    queries = [evidence.meant(step) for step in history if isinstance(step, Exchange)]
    limits = [query.limit_asked or query.limit for query in queries if query is not None]
    return max((limit for limit in limits if limit), default=setup.page_size)


class _Measuring:
    """One axis: what was tried on it, and what the breaks were."""

    def __init__(self, axis: Axis, setup: Setup, client: Client, promise: Promise) -> None:
        self._axis = axis
        self._setup = setup
        self._client = client
        self._promise = promise
        self._bisection = Bisection(axis.last)
        self._broken: dict[int, Verdict] = {}
        self._runs = 0
        self._finished = False

    def run(self, go_on: GoOn, poll_seconds_max: float) -> bool:
        """Try values until the boundary is known. Return whether to go on with the next axis."""
        with doorkeeper(poll_seconds_max=poll_seconds_max) as keeper:
            while (step := self._bisection.next_step()) is not None:
                for scenario in self._worlds(step):
                    # A poll that took too much real time would take it again in other worlds.
                    if self._runs >= RUNS_MAX or keeper.overran is not None:
                        return True
                    if not go_on(self._axis.name, self._runs):
                        return False
                    verdict = self._judge(scenario, keeper)
                    if verdict.findings:
                        self._broken[step] = verdict
                        break
                self._bisection.learn(step, stood=step not in self._broken)
        self._finished = True
        return True

    def margin(self) -> Margin:
        """Return what is known by now."""
        axis, found = self._axis, self._bisection
        broken = None if found.breaks is None else self._broken[found.breaks]
        finding = None if broken is None else broken.findings[0]
        ended = axis.ends_with if broken is None else "break"
        return Margin(
            axis=axis.name,
            unit=axis.unit,
            passes_at=None if found.stands is None else axis.value(found.stands),
            fails_at=None if found.breaks is None else axis.value(found.breaks),
            ended=ended if self._finished else "unfinished",
            end=axis.value(axis.last),
            why=axis.why,
            stands_again=tuple(map(axis.value, found.stands_again)),
            rule=None if finding is None else finding.rule,
            cause=None if finding is None else finding.cause,
            scenario=None if broken is None else broken.scenario,
            promise=None if broken is None else broken.promise,
            runs=self._runs,
            page_size=self._setup.page_size,
        )

    def _worlds(self, step: int) -> Iterator[Scenario]:
        value = self._axis.value(step)
        for number in range(self._axis.worlds):
            scenario = self._axis.world(self._setup, value, number)
            yield msgspec.structs.replace(
                scenario, origin=f"margin {self._axis.name} {value}, seed {self._setup.seed}"
            )

    def _judge(self, scenario: Scenario, keeper: Doorkeeper) -> Verdict:
        """Judge one world, with the promised lateness widened to what it shows.

        Beside an order the delay is widened with it: no client keeps a shorter one (I6).
        """
        self._runs += 1
        promise = self._promise
        late, delay = promise.late_by_ms_max, promise.delay_ms_max
        if late is not None:
            late = max(late, scenario.late_by_ms_max)
        if delay is not None and promise.order != "none":
            delay = max(delay, scenario.late_by_ms_max)
        promise = msgspec.structs.replace(promise, late_by_ms_max=late, delay_ms_max=delay)
        return judge(scenario, run(scenario, self._client, keeper=keeper), promise)
