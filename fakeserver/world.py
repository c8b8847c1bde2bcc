"""What is happening: the only object that changes. One clock, one log, one lock, and the steps."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

from fakeserver.clock import Instant, SimulatedClock
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Answer, Ask
from fakeserver.history import AnyStep, Exchange, History
from fakeserver.log import EventLog
from fakeserver.scenario import Scenario


class World:
    """A scenario being played. Raises `ScenarioError` for one that its API can't have.

    Simulated time moves by what the scenario says a request costs, and by `advance` and
    `advance_to`; nothing else. Safe to use from several threads. `before_ask`, where set, is
    called ahead of every request and may raise `RunStopped` to end the client.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.dialect = find_dialect(scenario.dialect)
        self.dialect.check(scenario)
        self.settings = self.dialect.settings(scenario.settings)
        self.log = EventLog(scenario.events)
        self.before_ask: Callable[[], None] | None = None
        self._clock = SimulatedClock(scenario.starts_at)
        self._steps: list[AnyStep] = []
        self._last_exchange: Exchange | None = None
        self._exchanges = 0
        self._lock = RLock()

    @property
    def now(self) -> Instant:
        """The simulated instant, ms since the epoch."""
        return self._clock.now

    @property
    def history(self) -> History:
        """The steps so far."""
        with self._lock:
            return tuple(self._steps)

    @property
    def last_step(self) -> AnyStep | None:
        """The newest step, or None."""
        return self._steps[-1] if self._steps else None

    @property
    def last_exchange(self) -> Exchange | None:
        """The newest request with its answer, or None."""
        return self._last_exchange

    def advance(self, ms: int) -> Instant:
        """Let `ms` milliseconds pass and return the new instant."""
        with self._lock:
            return self._clock.advance(ms)

    def advance_to(self, instant: Instant) -> Instant:
        """Let time pass until `instant`, if that is ahead, and return the new instant."""
        with self._lock:
            return self._clock.advance_to(instant)

    def record(self, step: AnyStep) -> None:
        """Append a step to the history."""
        with self._lock:
            self._steps.append(step)

    def ask(self, ask: Ask) -> tuple[Answer, Instant]:
        """Answer one request as of now, record it, let it cost its time.

        Returns the answer and the instant it speaks of. Raises what `before_ask` raises, and then
        nothing is recorded.
        """
        with self._lock:
            if self.before_ask is not None:
                self.before_ask()
            at = self._clock.now
            answer = self.dialect.answer(ask, self.log, at, self.settings, salt=self._exchanges)
            self._exchanges += 1
            self._last_exchange = Exchange(
                at=at,
                method=ask.method,
                target=ask.target,
                status=answer.status,
                event_ids=answer.event_ids,
                problem=answer.problem,
            )
            self._steps.append(self._last_exchange)
            self._clock.advance(self.scenario.request_ms)
            return answer, at
