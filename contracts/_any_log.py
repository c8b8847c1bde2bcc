"""Trying a law in many logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from fakeserver.dialects import find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.profile import SwitchValue
from fakeserver.scenario import Scenario

from ._logs import LOGS, Log
from ._targets import Target

SEED = 4

Law = Callable[[Any, Any], None]
"""A function of a log and of Hypothesis' `data`, that asserts."""


class World(NamedTuple):
    """A scenario that reports show by its origin: it may have hundreds of events."""

    scenario: Scenario | None

    def __repr__(self) -> str:
        """Say how to draw it again."""
        return "as it is" if self.scenario is None else f"({self.scenario.origin})"


class AnyLog:
    """The worlds of one profile, and how many of them a law is tried in."""

    def __init__(self, target: Target, dialect: str, profile: str, examples: int) -> None:
        self.target = target
        self._dialect = dialect
        self._profile = profile
        self._examples = examples
        self._as_it_is: Log | None = None

    def __call__(self, law: Law) -> None:
        """Try `law` in generated worlds; skip the test where a log has no settled row."""

        def in_a_log_with_rows(log: Log, data: Any) -> None:
            if not log.rows:
                pytest.skip("no row of the log is settled")
            law(log, data)

        self.even_without_rows(in_a_log_with_rows)

    def even_without_rows(self, law: Law) -> None:
        """Try a law that has something to say of a log without settled rows as well."""
        self.over(st.integers(0, 100_000).map(self._draw))(law)

    def over(self, scenarios: st.SearchStrategy[Scenario | None]) -> Callable[[Law], None]:
        """Return a function that tries a law in certain worlds."""

        def run(law: Law) -> None:
            @settings(
                max_examples=self._examples,
                deadline=None,
                database=None,
                # Not shrunk: a world with a lower number is no smaller, and a server that is not
                # ours should not be asked a thousand times for the sake of a nicer report.
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(world=scenarios.map(World), data=st.data())
            def trial(world: World, data: Any) -> None:
                law(self._open(world.scenario), data)

            trial()

        return run

    def values_of(self, switch: str) -> tuple[SwitchValue, ...]:
        """Return what the profile allows for a switch."""
        return find_dialect(self._dialect).profile(self._profile).allowed[switch]

    def _draw(self, example: int) -> Scenario | None:
        if not self.target.plays:
            return None
        scenario = generate_scenario(
            dialect=self._dialect, profile=self._profile, seed=SEED, example=example
        )
        assume(scenario.events)
        return scenario

    def _open(self, scenario: Scenario | None) -> Log:
        if scenario is not None:
            return LOGS[self._dialect](self.target.play(scenario))
        if self._as_it_is is None:
            self._as_it_is = LOGS[self._dialect](self.target.api(self._dialect))
        return self._as_it_is
