"""What is happening: the only object that changes. One clock, one log, one lock, and the steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from threading import RLock

from msgspec.structs import replace

from fakeserver.armed_faults import ArmedFaults, Outcome, exchange_of, too_many
from fakeserver.clock import INSTANT_MAX, INSTANT_MIN, Instant, SimulatedClock
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Answer, Ask, Known, Refused
from fakeserver.errors import RunStopped, ScenarioError
from fakeserver.fault import Fault
from fakeserver.history import AnyStep, Exchange, History
from fakeserver.log import KEPT_MAX, EventLog
from fakeserver.query import Query
from fakeserver.rate_limit import Bucket
from fakeserver.scenario import LoggedEvent, Scenario
from fakeserver.stream import Stream

EVENTS_MAX = 20_000_000
"""What a log holds, some 1.2 GB of memory; a stream that has filled it dries up."""
OWN_EVENTS_MAX = 1_000_000
"""So many may be appended by hand, 1.1 GB: nobody could draw them again."""

TRANSIENT_EVERY = 50
"""Of the requests to an open world with ``transient_422``: often enough to meet one in a long walk.
Other worlds plan it as a fault, so that it is over when the calm begins."""


class World:
    """A scenario being played. Raises `ScenarioError` for one that its API can't have.

    `clock` is by default a simulated one at the scenario's start: it moves by what the scenario
    says a request costs, and by `advance` and `advance_to`, and by nothing else. What `stream`
    has recorded since the scenario's start joins the log before anybody looks; the last `backlog`
    events that it recorded until then are there at the start, behind those of the scenario. Of the
    steps the newest `steps_max` are kept (default: all), and `steps_dropped` counts the others.

    Safe to use from several threads: what happens happens one after the other. `before_ask`, where
    set, is called ahead of every request and may raise `RunStopped` to end the client; `after_ask`
    is called when the answer is there and not sent yet, and may do the same. `change`, where set,
    returns what is answered in place of a request; `send_again`, where set, after how many ms a
    request is sent once more before its client hears anything, or None. `on_record`, where
    set, is called with the number (from 1) of each step and the step, under the lock, before
    anybody sees it; and again for a step that is corrected.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        clock: SimulatedClock | None = None,
        stream: Stream | None = None,
        backlog: int = 0,
        steps_max: int | None = None,
    ) -> None:
        self.scenario = scenario
        self.stream = stream
        self.dialect = find_dialect(scenario.dialect)
        self.dialect.check(scenario)
        self.settings = self.dialect.settings(scenario.settings)
        self.log = EventLog(
            scenario.events,
            labels=self.dialect.labels,
            numbers=self.dialect.numbers,
            redraw=None if stream is None else stream.redraw,
        )
        self._known = Known()
        if stream is not None:
            for drawn in stream.backlog_pieces(backlog, scenario.starts_at):
                self.log.append_drawn(*drawn)
            self.log.visible_count(scenario.starts_at)  # everybody asks for it
            self._write_ahead()
        self.before_ask: Callable[[], None] | None = None
        self.after_ask: Callable[[], None] | None = None
        self.change: Callable[[Query], Query] | None = None
        self.send_again: Callable[[Exchange], int | None] | None = None
        self.on_record: Callable[[int, AnyStep], None] | None = None
        self._clock = SimulatedClock(scenario.starts_at) if clock is None else clock
        self._joined_until = scenario.starts_at
        self._steps: deque[AnyStep] = deque(maxlen=steps_max)
        self._steps_recorded = 0
        self._last_exchange: Exchange | None = None
        self._exchanges = 0
        self._own_events = 0
        transient = scenario.is_open and self.settings.get("transient_422") == "now-and-then"
        self._transient_every = TRANSIENT_EVERY if transient else None
        self._faults = ArmedFaults(transient_every=self._transient_every)
        limit = self.dialect.rate_limit(self.settings)
        self._bucket = None if limit is None else Bucket(limit, self._clock.now)
        self._lock = RLock()

    @property
    def now(self) -> Instant:
        """The simulated instant, ms since the epoch."""
        with self._lock:
            return self._clock.now

    @property
    def lock(self) -> AbstractContextManager[object]:
        """Held whenever something happens; take it to look twice and see the same instant."""
        return self._lock

    @property
    def pace(self) -> float:
        """How many times as fast as real time the clock runs by itself; 0 for not at all."""
        return self._clock.pace

    @property
    def truth(self) -> tuple[LoggedEvent, ...]:
        """Every event that is recorded by now, in the order of the log, hidden ones too.

        A long log is drawn again for it; `catch_up` and the log itself tell cheaper what is there.
        """
        with self._lock:
            self._join_stream(self._clock.now)
            return self.log.events

    @property
    def joined_until(self) -> Instant:
        """The instant at which somebody last looked: all that is recorded by then is in the log."""
        return self._joined_until

    @property
    def history(self) -> History:
        """The steps so far."""
        with self._lock:
            return tuple(self._steps)

    @property
    def steps_dropped(self) -> int:
        """How many steps are no longer in the history, because newer ones took their place."""
        with self._lock:
            return self._steps_recorded - len(self._steps)

    @property
    def exchanges_recorded(self) -> int:
        """How many requests have been answered, those that the history no longer has included."""
        return self._exchanges

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

    def set_clock(self, make: Callable[[Instant], SimulatedClock]) -> Instant:
        """Go on with another clock, made from the present instant, which is returned.

        ``set_clock(SimulatedClock)`` stops time,
        ``set_clock(lambda now: PacedClock(now, 60, wall))`` lets it run.
        """
        with self._lock:
            self._clock = make(self._clock.now)
            return self._clock.now

    def catch_up(self) -> None:
        """Let what the stream has recorded by now join the log, which the next look would do."""
        with self._lock:
            self._join_stream(self._clock.now)

    def append(self, events: Iterable[LoggedEvent]) -> tuple[LoggedEvent, ...]:
        """Append all of `events` to the log, or none, and return them as they were logged.

        None of them is visible before now if a request has been answered that did not show it:
        its `visible_at` is moved. Raises `ScenarioError` for an id that is taken, an event that
        the API can't have, and a log that is full.
        """
        with self._lock:
            if self._last_exchange is not None:
                # Within a millisecond of a request it would have to be both in it and not.
                self._clock.advance_to(self._last_exchange.at + 1)
            now = self._clock.now
            self._join_stream(now)
            last = self._last_exchange
            least = INSTANT_MIN if last is None else min(INSTANT_MAX, last.at + 1)
            logged = tuple(_visible_from(event, least) for event in events)
            for event in logged:
                self.dialect.check_event(event)
                _check_instants(event)
            self._check_room(len(logged))
            self.log.append(logged)
            self._own_events += len(logged)
            return logged

    def record(self, step: AnyStep) -> None:
        """Append a step to the history."""
        with self._lock:
            self._steps.append(step)
            self._steps_recorded += 1
            if isinstance(step, Exchange):
                self._last_exchange = step
                self._exchanges += 1
            if self.on_record is not None:
                self.on_record(self._steps_recorded, step)

    def arm(self, faults: Iterable[Fault]) -> None:
        """Let `faults` hit the requests from now on, in place of what was armed before.

        Raises `ScenarioError` for more of them than anybody needs.
        """
        armed = ArmedFaults(faults, transient_every=self._transient_every)
        with self._lock:
            self._faults = armed

    @property
    def armed(self) -> tuple[tuple[Fault, int | None], ...]:
        """The faults that can still hit, and how many requests each; None: without end."""
        with self._lock:
            return self._faults.left()

    def ask(
        self, ask: Ask, *, timeout_ms: int | None = None, may_leave: bool = False
    ) -> tuple[Outcome, Exchange]:
        """Answer one request as of now, record it, let it cost its time.

        `timeout_ms` is how long its client waits, None for ever; `may_leave` says that this turns
        out only while it waits (`wait_over`). Returns what becomes of the request and the step that
        was recorded. Raises what `before_ask` raises, and then nothing is recorded; and what
        `after_ask` raises, and then the step says that no answer arrived.
        """
        with self._lock:
            outcome, exchange = self._ask(ask, timeout_ms=timeout_ms, may_leave=may_leave)
            while self.send_again and (wait_ms := self.send_again(exchange)) is not None:
                self._clock.advance(wait_ms)
                outcome, exchange = self._ask(ask, timeout_ms=timeout_ms, may_leave=may_leave)
            return outcome, exchange

    def _ask(
        self, ask: Ask, *, timeout_ms: int | None, may_leave: bool
    ) -> tuple[Outcome, Exchange]:
        if self.before_ask is not None:
            self.before_ask()
        at = self._clock.now
        self._join_stream(at)
        if self._faults.are_none:
            outcome = Outcome(answer=self._answer(ask, at, at), as_of=at)
        else:
            outcome = self._faults.meet(
                ask,
                at,
                answer=partial(self._answer, ask, at),
                refuse=self._refuse,
                timeout_ms=timeout_ms,
                may_leave=may_leave,
            )
        exchange = exchange_of(ask, at, outcome)
        self.record(exchange)
        self._clock.spend(self.scenario.request_ms + outcome.wait_ms)
        self._let_arrive(ask, outcome, exchange)
        if self._bucket is not None:
            outcome = replace(outcome, header=self._bucket.header(at))
        return outcome, exchange

    def _let_arrive(self, ask: Ask, outcome: Outcome, exchange: Exchange) -> None:
        """Give `after_ask` its chance to end the client before it hears the answer."""
        if self.after_ask is None:
            return
        try:
            self.after_ask()
        except RunStopped:
            unheard = Outcome(answer=outcome.answer, as_of=exchange.at, ending="dropped")
            self._correct(exchange, exchange_of(ask, exchange.at, unheard))
            raise

    def wait_over(
        self, ask: Ask, outcome: Outcome, exchange: Exchange, *, has_left: bool
    ) -> tuple[Outcome, Exchange]:
        """Say how the wait for a slow answer ended. Returns what `ask` would, had it known.

        The step of a client that has left is corrected.
        """
        with self._lock:
            if not has_left:
                self._faults.forget(ask, outcome)
                return outcome, exchange
            outcome = replace(outcome, ending="timed-out")
            lost = exchange_of(ask, exchange.at, outcome)
            self._correct(exchange, lost)
            return outcome, lost

    def _correct(self, exchange: Exchange, corrected: Exchange) -> None:
        """Put another step in the place of `exchange`, if the history still has it."""
        for place in range(len(self._steps) - 1, -1, -1):
            if self._steps[place] is exchange:
                self._steps[place] = corrected
                if self.on_record is not None:
                    self.on_record(self.steps_dropped + place + 1, corrected)
                break
        if self._last_exchange is exchange:
            self._last_exchange = corrected

    def _answer(self, ask: Ask, at: Instant, as_of: Instant) -> Answer:
        """Answer a request that came at `at` from the log as of an instant, or say: too many."""
        if self._bucket is not None and not self._bucket.take(at):
            return self._refuse(too_many(self._bucket.limit))
        return self.dialect.answer(
            ask,
            self.log,
            as_of,
            self.settings,
            salt=self._exchanges,
            known=self._known,
            change=self.change,
        )

    def _refuse(self, refused: Refused) -> Answer:
        """Put into the API's words what is no fault of the request."""
        body = self.dialect.refusal_body(refused, self.settings)
        return Answer(status=refused.status, body=body, headers=refused.headers)

    def _write_ahead(self) -> None:
        """Write all events of a backlog as JSON, where they are kept, so that no client waits."""
        if len(self.log) <= KEPT_MAX:
            everything = Query()
            selection = self.log.select(everything, INSTANT_MAX)
            selection.bodies = self._known.bodies
            self.dialect.render(everything, selection, self.settings)

    def _join_stream(self, until: Instant) -> None:
        """Let what the stream has recorded up to `until` join the log, as far as there is room."""
        if until <= self._joined_until:
            return
        for drawn in self.stream.pieces(self._joined_until, until) if self.stream else ():
            # An event that somebody appended under an id of the stream stands in for the stream's.
            new = [event for event in drawn.events if not self.log.has(event.id)]
            room = EVENTS_MAX - len(self.log)
            if len(new) == len(drawn.events) <= room:
                self.log.append_drawn(*drawn)
            else:
                self.log.append(new[:room])
            if room < len(new):
                break
        self._joined_until = until

    def _check_room(self, count: int) -> None:
        room = min(EVENTS_MAX - len(self.log), OWN_EVENTS_MAX - self._own_events)
        if count > room:
            raise ScenarioError(
                f"a log holds {EVENTS_MAX} events, {OWN_EVENTS_MAX} of them appended by hand: "
                f"there is room for {room}, not for {count}; start afresh"
            )


def _check_instants(event: LoggedEvent) -> None:
    instants = (
        event.visible_at,
        event.visible_at if event.recorded_at is None else event.recorded_at,
    )
    if not all(INSTANT_MIN <= instant <= INSTANT_MAX for instant in instants):
        raise ScenarioError(f"event {event.id!r} has an instant outside the years 1 to 9999")


def _visible_from(event: LoggedEvent, least: Instant) -> LoggedEvent:
    if event.visible_at >= least:
        return event
    return replace(event, visible_at=least)
