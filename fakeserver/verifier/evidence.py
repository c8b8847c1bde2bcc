"""A history laid out for the rules: which poll each step belongs to, who delivered what when."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

import msgspec

from fakeserver.clock import Instant
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Ask, Refused
from fakeserver.history import (
    AnyStep,
    Delivered,
    Exchange,
    History,
    Killed,
    PollEnded,
    PollStarted,
    Saved,
)
from fakeserver.log import EventLog
from fakeserver.query import ID, RECORDED_AT, Condition, Query
from fakeserver.scenario import EventId, LoggedEvent, Scenario
from fakeserver.verifier.failures import is_failure
from fakeserver.verifier.promise import Promise


class PollView(msgspec.Struct, kw_only=True):
    """One poll: its `number` from 1, when it started, the places of its exchanges, how it ended.

    `instance` is the one that polled (`Poll`).
    """

    number: int
    started_at: Instant
    instance: int = 1
    exchanges: list[int] = msgspec.field(default_factory=list)
    ended: PollEnded | None = None


class RowsAsked(NamedTuple):
    """A request for rows, at its `place`: what it meant, and the ids that its answer held."""

    place: int
    exchange: Exchange
    query: Query | None
    ids: frozenset[EventId]


class Evidence:
    """Scenario, history and promise, indexed. Steps are named by their place in the history."""

    def __init__(self, scenario: Scenario, history: History, promise: Promise) -> None:
        self.scenario = scenario
        self.history = history
        self.promise = promise
        self.dialect = find_dialect(scenario.dialect)
        self.settings = self.dialect.settings(scenario.settings)
        self.log = EventLog(
            scenario.events, labels=self.dialect.labels, numbers=self.dialect.numbers
        )
        self._settings_key = tuple(self.settings.items())
        self.polls: list[PollView] = []
        self.poll_of: list[int] = []
        self.exchanges: list[int] = []
        self.deliveries: list[int] = []
        self._index()

    def _index(self) -> None:
        for place, step in enumerate(self.history):
            if isinstance(step, PollStarted):
                self.polls.append(
                    PollView(number=step.poll, started_at=step.at, instance=step.instance)
                )
            self.poll_of.append(self.polls[-1].number if self.polls else 0)
            if isinstance(step, Exchange):
                self.exchanges.append(place)
                if self.polls:
                    self.polls[-1].exchanges.append(place)
            elif isinstance(step, Delivered):
                self.deliveries.append(place)
            elif isinstance(step, PollEnded) and self.polls:
                self.polls[-1].ended = step

    @cached_property
    def late_by_ms_max(self) -> int:
        """The lateness that the client must stand: its promise, or what the scenario keeps."""
        promised = self.promise.late_by_ms_max
        return self.scenario.late_by_ms_max if promised is None else promised

    @cached_property
    def is_complete(self) -> bool:
        """Whether every poll of the scenario was played to an end of the client's own.

        An open scenario has no plan to be held against; there the last poll must have ended.
        """
        if not self.polls:
            return False
        if not self.scenario.is_open and self.polls[-1].number != len(self.scenario.polls):
            return False
        ended = self.polls[-1].ended
        return ended is not None and ended.ending in ("returned", "slept", "raised")

    @cached_property
    def first_delivery(self) -> dict[EventId, int]:
        """For each delivered id the place of its first delivery."""
        first: dict[EventId, int] = {}
        for place in self.deliveries:
            first.setdefault(self.delivered(place).event_id, place)
        return first

    @cached_property
    def delivers_first(self) -> bool:
        """Whether the client is seen to deliver a whole page, and only then to save."""
        page: tuple[EventId, ...] = ()
        delivered: set[EventId] = set()
        for step in self.history:
            if isinstance(step, Exchange):
                page = step.event_ids
                delivered.clear()
            elif isinstance(step, Delivered):
                delivered.add(step.event_id)
            elif isinstance(step, Saved):
                if page and delivered.issuperset(page):
                    return True
                page = ()
        return False

    @cached_property
    def names(self) -> dict[EventId, str]:
        """Short names for people: ``e1``, ``e2`` … in the order of the log."""
        return {event.id: f"e{number}" for number, event in enumerate(self.scenario.events, 1)}

    @cached_property
    def by_stamp(self) -> dict[Instant | None, list[LoggedEvent]]:
        """The events of each stamp, in the order of the log."""
        found: dict[Instant | None, list[LoggedEvent]] = {}
        for event in self.scenario.events:
            found.setdefault(event.recorded_at, []).append(event)
        return found

    def name(self, event_id: EventId) -> str:
        """The short name of an event, or the id itself where the log has none such."""
        return self.names.get(event_id, repr(event_id))

    def delivered(self, place: int) -> Delivered:
        """The delivery at `place`."""
        step = self.history[place]
        assert isinstance(step, Delivered)  # noqa: S101
        return step

    def exchange(self, place: int) -> Exchange:
        """The request and answer at `place`."""
        step = self.history[place]
        assert isinstance(step, Exchange)  # noqa: S101
        return step

    def is_unheard(self, place: int) -> bool:
        """Whether the client was killed after it sent the request at `place`, before its answer."""
        after = self.history[place + 1 : place + 2]
        return self.exchange(place).status == 0 and any(isinstance(s, Killed) for s in after)

    def steps_of(self, poll: PollView) -> list[AnyStep]:
        """The steps of one poll, its start and end among them."""
        return [
            step for place, step in enumerate(self.history) if self.poll_of[place] == poll.number
        ]

    def is_undisturbed(self, poll: PollView) -> bool:
        """Whether `poll` came to an end of the client's own, and no fault met it.

        Any other poll proves nothing about what its client would have read and delivered in it:
        neither one that was killed, stopped or raised, nor one with a failed, slow or old answer.
        """
        ended = poll.ended
        return (
            ended is not None
            and ended.ending in ("returned", "slept")
            and not any(
                exchange.fault is not None or exchange.as_of is not None or is_failure(exchange)
                for exchange in map(self.exchange, poll.exchanges)
            )
        )

    def was_called(self, poll: PollView) -> bool:
        """Whether the client was called for `poll`, and did not sleep into it.

        Who sleeps into a poll may be in the middle of a walk when it begins.
        """
        before = self.polls[poll.number - 2].ended if poll.number > 1 else None
        return before is None or before.ending != "slept"

    def in_calm(self, poll_number: int) -> bool:
        """Whether that poll (from 1) belongs to the calm; an open scenario has none."""
        return not self.scenario.is_open and poll_number > self.scenario.calm_from

    def query(self, exchange: Exchange) -> Query | None:
        """What a request meant whose answer shows what the log held then, else None.

        An answer that was refused, lost, cut or older than its request shows nothing.
        """
        return self.meant(exchange) if exchange.is_sound else None

    def meant(self, exchange: Exchange) -> Query | None:
        """What a request meant, whatever became of it, or None for one that the API refuses."""
        return _parse(self.scenario.dialect, exchange.target, self._settings_key)

    @cached_property
    def asked(self) -> tuple[RowsAsked, ...]:
        """Every request, read once: a lost event is looked for in all of them."""
        exchanges = ((place, self.exchange(place)) for place in self.exchanges)
        return tuple(
            RowsAsked(place, exchange, self.meant(exchange), frozenset(exchange.event_ids))
            for place, exchange in exchanges
        )

    def late_by_ms(self, event: LoggedEvent) -> int:
        """How long after its stamp `event` could be missing from an answer, in ms.

        That is its own lateness, and longer where an old answer lacked it later still.
        """
        last = self._withheld.get(event.id)
        if last is None:
            return event.late_by_ms
        since = event.visible_at if event.recorded_at is None else event.recorded_at
        return max(event.late_by_ms, last + 1 - since)

    @cached_property
    def _withheld(self) -> dict[EventId, Instant]:
        """For each event that an old answer lacked, the last instant at which one did."""
        last: dict[EventId, Instant] = {}
        for exchange in map(self.exchange, self.exchanges):
            if exchange.as_of is not None:
                last |= dict.fromkeys(self.lacking(exchange), exchange.at)
        return last

    def lacking(self, exchange: Exchange) -> Iterator[EventId]:
        """Yield the events that an answer lacks because it shows the log as of an earlier instant.

        With page numbers these are also the rows that the missing ones would have pushed onto the
        page, and where it is not full all that follow: a client takes it for the last. Where ties
        come in any order, that may be any row.
        """
        for event in self.scenario.events:
            if exchange.as_of is not None and exchange.as_of < event.visible_at <= exchange.at:
                yield event.id
        query = self.meant(exchange)
        if query is not None and query.offset:
            full = query.limit is not None and len(exchange.event_ids) >= query.limit
            asked = query if full else msgspec.structs.replace(query, limit=None)
            if query.is_shuffled:  # nobody knows which rows would have stood there
                asked = msgspec.structs.replace(query, offset=0, limit=None)
            rows = self.log.select(asked, exchange.at).rows
            yield from (row.id for row in rows if row.id not in exchange.event_ids)

    def words(self, query: Query, near: Instant) -> str:
        """What `query` covers, in words; times of another day than `near` are dated."""
        return self.dialect.words(query, near)

    @cached_property
    def list_queries(self) -> tuple[Query, ...]:
        """What the requests for rows meant, each meaning once."""
        queries = (self.query(self.exchange(place)) for place in self.exchanges)
        return tuple(dict.fromkeys(q for q in queries if q is not None and q.endpoint == "list"))

    @cached_property
    def scopes(self) -> tuple[tuple[Condition, ...], ...]:
        """Conditions on the content of events, for each kind of request for rows.

        A client that asks only for orders, every time, does not promise products; one that asks
        for orders and for products by turns promises both. A bound (``>=`` and the like) counts
        only where it stands in every request: elsewhere it is how far a walk has got.
        """
        kinds = [
            tuple(c for c in query.conditions if c.field not in (ID, RECORDED_AT))
            for query in self.list_queries
        ]
        return tuple(
            dict.fromkeys(
                tuple(
                    condition
                    for condition in kind
                    if condition.operator in ("=", "in", "not in")
                    or all(condition in other for other in kinds)
                )
                for kind in kinds
            )
        )

    def in_scope(self, event: LoggedEvent) -> bool:
        """Whether `event` is one of those that the client asks for at all."""
        return not self.scopes or any(
            all(condition.holds(event) for condition in scope) for scope in self.scopes
        )

    def owed(self) -> list[LoggedEvent]:
        """Events that the client owes by the end of the calm; see `open_world` where there is none.

        Not owed: what was missing later than promised, and what lies outside `scopes`. Nothing
        appears after the last poll has started, for all is visible when the calm begins (`Scenario`
        sees to that).
        """
        if not self.is_complete:
            return []
        return [
            event
            for event in self.scenario.events
            if self.late_by_ms(event) <= self.late_by_ms_max and self.in_scope(event)
        ]


@lru_cache(maxsize=8192)
def _parse(dialect: str, target: str, settings: tuple[tuple[str, object], ...]) -> Query | None:
    path, _, query = target.partition("?")
    ask = Ask(path=path, query=query, headers={"authorization": f"Bearer {TOKEN}"})
    try:
        return find_dialect(dialect).parse(ask, dict(settings))  # type: ignore[arg-type]
    except Refused:
        return None
