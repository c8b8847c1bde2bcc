"""Changes to a client's traffic, made by the harness while the client itself stays as it is.

A broken world is played again with a change; where it is kept then, the report can say what would
have helped, and by how much. What the client asks is changed after it was parsed, so a change is
the same for every API and through every door; the history shows what the client itself asked, with
the rows that it got. What a client can't observe, the drop of a repeat, is done to the history.
"""

from __future__ import annotations

import msgspec

from fakeserver.clock import SECOND_MS
from fakeserver.history import AnyStep, Delivered, Exchange, History, Killed, PollEnded, Saved
from fakeserver.log import EventLog
from fakeserver.query import ID, RECORDED_AT, Condition, Query
from fakeserver.scenario import EventId
from fakeserver.verifier.failures import is_failure

RETRIES_MAX = 20
"""With waits that double from a second on, twelve days: longer than any outage that we draw."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What the harness does in place of the client. The default changes nothing.

    | field | change |
    |---|---|
    | `drops_repeats` | an event that was delivered is not delivered again |
    | `saves_last` | a save counts only when its poll has ended well |
    | `in_one_step` | deliveries become durable with the save that follows them |
    | `sends_again` | a request that failed is sent again, until it is answered |
    | `is_inclusive` | a lower bound on stamps lets its own stamp in |
    | `limit_min` | no request asks for fewer rows, as far as the server's cap allows |
    | `look_back_ms` | each poll starts so much further back, by stamp or by id |
    """

    drops_repeats: bool = False
    saves_last: bool = False
    in_one_step: bool = False
    sends_again: bool = False
    is_inclusive: bool = False
    limit_min: int | None = None
    look_back_ms: int = 0


class ChangedTraffic:
    """One run under a `change`: what is asked in place of a client's requests, and sent again."""

    def __init__(self, change: Change, log: EventLog, *, limit_max: int | None) -> None:
        self._change = change
        self._log = log
        self._limit_max = limit_max
        self._first: Query | None = None
        self._failed = 0

    def start_poll(self) -> None:
        """The next request for rows is the first of a poll."""
        self._first = None

    def query(self, asked: Query) -> Query:
        """Return what is answered in place of `asked`."""
        if asked.endpoint != "list":
            return asked
        first, self._first = self._first, self._first or asked
        return msgspec.structs.replace(
            asked,
            conditions=tuple(self._condition(c, asked, first) for c in asked.conditions),
            limit=self._limit(asked.limit),
        )

    def _condition(self, condition: Condition, asked: Query, first: Query | None) -> Condition:
        field, operator, value = condition.field, condition.operator, condition.value
        if operator not in (">", ">="):
            return condition
        if field == RECORDED_AT:
            if self._change.is_inclusive:
                operator = ">="
            if first is None or _is_same_window(condition, asked, first):
                value -= self._change.look_back_ms
        if field == ID and first is None and isinstance(value, int) and self._change.look_back_ms:
            value = self._rewound(value)
        return Condition(field, operator, value)

    def _rewound(self, bound: int) -> int:
        """Return the highest id below all those recorded since `look_back_ms` before `bound`."""
        below = {
            event.id: event.recorded_at
            for event in self._log.events
            if isinstance(event.id, int) and event.id <= bound and event.recorded_at is not None
        }
        since = max(below.values(), default=0) - self._change.look_back_ms
        return min((i for i, stamp in below.items() if stamp >= since), default=bound + 1) - 1

    def _limit(self, limit: int | None) -> int | None:
        if limit is None or self._change.limit_min is None:
            return limit
        wanted = max(limit, self._change.limit_min)
        return wanted if self._limit_max is None else min(wanted, self._limit_max)

    def send_again(self, exchange: Exchange) -> int | None:
        """Return after how many ms a failed request is sent again, or None to let it be."""
        if not self._change.sends_again or not is_failure(exchange):
            self._failed = 0
            return None
        self._failed += 1
        if self._failed > RETRIES_MAX:
            return None
        ordered = round(1000 * (exchange.retry_after_s or 0))
        return int(max(ordered, SECOND_MS * 2 ** (self._failed - 1)))


def _is_same_window(bound: Condition, asked: Query, first: Query) -> bool:
    """Whether a later page of a walk has the bound of the first one: it walks by something else.

    A walk whose position is the bound itself goes on from what it got, and is left alone.
    """
    return bound in first.conditions and _position(asked) != _position(first)


def _position(query: Query) -> tuple[object, ...]:
    return (query.offset, *(c for c in query.conditions if c.field == ID))


def changed_history(history: History, change: Change) -> History:
    """Return `history` as it is with what `change` does to deliveries, unseen by the client."""
    steps = list(history)
    if change.in_one_step:
        steps = _without_unsaved(steps)
    if change.drops_repeats:
        steps = _without_repeats(steps)
    return tuple(steps)


def _without_unsaved(steps: list[AnyStep]) -> list[AnyStep]:
    """Drop what was delivered since the last save when a client was killed, or its poll raised."""
    kept: list[AnyStep] = []
    unsaved: list[int] = []
    for step in steps:
        stops = isinstance(step, Killed)
        if isinstance(step, PollEnded):
            stops = step.ending == "raised"
        if stops:
            for place in reversed(unsaved):
                del kept[place]
        if stops or isinstance(step, (Saved, PollEnded)):
            unsaved.clear()
        elif isinstance(step, Delivered):
            unsaved.append(len(kept))
        kept.append(step)
    return kept


def _without_repeats(steps: list[AnyStep]) -> list[AnyStep]:
    seen: set[EventId] = set()
    kept: list[AnyStep] = []
    for step in steps:
        if isinstance(step, Delivered):
            if step.event_id in seen:
                continue
            seen.add(step.event_id)
        kept.append(step)
    return kept
