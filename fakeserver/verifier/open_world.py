"""Worlds that somebody else plays: what their client owes, though nobody hears how its polls end.

A loss is charged only where the client had its chance: in a poll that began when the event could
be read, that asked for events of its kind, and of which nothing was left failed. What it had no
chance to read yet, and what it may be holding back, is told in notes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from fakeserver.clock import INSTANT_MIN, Instant
from fakeserver.history import Exchange, PollStarted, Saved
from fakeserver.query import ID, RECORDED_AT, Condition, Query
from fakeserver.scenario import PATIENCE_MS, EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence, PollView
from fakeserver.verifier.failures import is_failure


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Events in scope, visible at the last request and never delivered.

    `owed` were to be read in some poll, `held_back` may be waiting in the client until nothing
    earlier can appear, and `undecided` had no chance yet.
    """

    owed: tuple[LoggedEvent, ...] = ()
    held_back: tuple[LoggedEvent, ...] = ()
    undecided: tuple[LoggedEvent, ...] = ()


class Doubt(msgspec.Struct, frozen=True):
    """A request for rows that may have brought a poll nothing of what it was for.

    `query` is what it meant, None where that is unknown; `lacking` the events that an old answer
    lacked, None for an answer that never came; `healed` what sound requests asked for after it, if
    they did not only turn to the next page.
    """

    query: Query | None
    lacking: frozenset[EventId] | None
    healed: tuple[Query, ...]

    def covers(self, event: LoggedEvent) -> bool:
        """Whether the client may lack `event` for this request's sake."""
        if self.lacking is not None:
            meant = event.id in self.lacking
        else:
            meant = self.query is None or self.query.matches(event)
        return meant and not any(query.matches(event) for query in self.healed)


class Chance(msgspec.Struct, frozen=True, kw_only=True):
    """What one poll, over and done, gave its client a chance to read."""

    poll: int
    started_at: Instant
    kinds: tuple[tuple[Condition, ...], ...]
    doubts: tuple[Doubt, ...]

    def included(self, event: LoggedEvent) -> bool:
        """Whether a right client has read `event` by the end of this poll."""
        return (
            event.visible_at <= self.started_at
            and any(all(condition.holds(event) for condition in kind) for kind in self.kinds)
            and not any(doubt.covers(event) for doubt in self.doubts)
        )


class Frontier(msgspec.Struct, frozen=True, kw_only=True):
    """How far a client that delivers by stamp has got: to the stamp `newest`, in the poll `poll`.

    It may keep an event until nothing earlier can appear, and so has delivered nothing later
    (theorem T3): for the promised lateness, and for `PATIENCE_MS` where it shows that it holds
    back what it has.
    """

    newest: Instant
    poll: int
    patience_ms: int

    def may_keep(self, event: LoggedEvent, chance: Chance | None, last: Instant) -> bool:
        """Whether `event` may be waiting since its last `chance`, or since the request at `last`.

        Of one stamp a poll delivers all or, cut short, some; whoever polls again has the rest.
        """
        if event.recorded_at is None or event.recorded_at < self.newest:
            return False
        if event.recorded_at == self.newest and chance is not None and chance.poll >= self.poll:
            return False
        read_at = last if chance is None else chance.started_at
        return read_at - event.recorded_at < self.patience_ms


def missing(evidence: Evidence) -> Missing:
    """Sort the events that were not delivered by what an open world shows about them."""
    if not evidence.exchanges:
        return Missing()
    asked = [place for place in evidence.exchanges if _asks_for_rows(evidence, place)]
    # Who never asked for rows had no chance of any, and is not certified for that.
    last = evidence.exchange((asked or evidence.exchanges)[-1]).at
    frontier = _frontier(evidence)
    chances = [chance for poll in reversed(evidence.polls) for chance in _chance(evidence, poll)]
    found: dict[str, list[LoggedEvent]] = {"owed": [], "held_back": [], "undecided": []}
    for event in evidence.scenario.events:
        if not _is_missing(evidence, event, last):
            continue
        chance = next((chance for chance in chances if chance.included(event)), None)
        if frontier.may_keep(event, chance, last):
            found["held_back"].append(event)
        else:
            found["undecided" if chance is None else "owed"].append(event)
    return Missing(**{name: tuple(events) for name, events in found.items()})


def _is_missing(evidence: Evidence, event: LoggedEvent, last: Instant) -> bool:
    return (
        event.id not in evidence.first_delivery
        and event.visible_at <= last
        and evidence.late_by_ms(event) <= evidence.late_by_ms_max
        and evidence.in_scope(event)
    )


def _asks_for_rows(evidence: Evidence, place: int) -> bool:
    """Whether the request at `place` is for rows, answered or not; a refused one by its path."""
    exchange = evidence.exchange(place)
    query = evidence.meant(exchange)
    if exchange.method != "GET":
        return False
    if query is None:
        return exchange.target.partition("?")[0] == evidence.dialect.list_path
    return query.endpoint == "list"


def _chance(evidence: Evidence, poll: PollView) -> Iterator[Chance]:
    """Yield what `poll` gave a chance to read: nothing where it ended badly, or is under way."""
    places = [place for place in poll.exchanges if _asks_for_rows(evidence, place)]
    if not places:
        return
    last = evidence.exchange(places[-1])
    if not _came(last) or (poll is evidence.polls[-1] and _is_full(evidence, last)):
        return
    sound = [query for place in places if (query := evidence.query(evidence.exchange(place)))]
    yield Chance(
        poll=poll.number,
        started_at=poll.started_at,
        kinds=tuple(dict.fromkeys(_kind(query) for query in sound)),
        doubts=tuple(_doubts(evidence, places)),
    )


def _came(exchange: Exchange) -> bool:
    """Whether a whole page came, be it an old one; after anything else a client may have ended."""
    return exchange.status == 200 and not is_failure(exchange)


def _is_full(evidence: Evidence, exchange: Exchange) -> bool:
    """Whether a page may have a next one: a verdict asked for now comes in the middle of a walk."""
    query = evidence.meant(exchange)
    return query is not None and query.limit is not None and len(exchange.event_ids) >= query.limit


def _kind(query: Query) -> tuple[Condition, ...]:
    return tuple(c for c in query.conditions if c.field not in (ID, RECORDED_AT))


def _doubts(evidence: Evidence, places: list[int]) -> Iterator[Doubt]:
    for number, place in enumerate(places):
        exchange = evidence.exchange(place)
        if exchange.is_sound:
            continue
        meant = evidence.meant(exchange)
        offset = 0 if meant is None else meant.offset
        later = (evidence.query(evidence.exchange(after)) for after in places[number + 1 :])
        yield Doubt(
            meant,
            frozenset(evidence.lacking(exchange)) if _came(exchange) else None,
            tuple(dict.fromkeys(q for q in later if q is not None and q.offset <= offset)),
        )


def _frontier(evidence: Evidence) -> Frontier:
    newest, poll = INSTANT_MIN, 0
    for event_id, place in evidence.first_delivery.items():
        event = evidence.log.find(event_id)
        if event is not None and event.recorded_at is not None and event.recorded_at > newest:
            newest, poll = event.recorded_at, evidence.poll_of[place]
    patience_ms = max(PATIENCE_MS if _holds_back(evidence, newest) else 0, evidence.late_by_ms_max)
    return Frontier(newest=newest, poll=poll, patience_ms=patience_ms)


def _holds_back(evidence: Evidence, newest: Instant) -> bool:
    """Whether the client was served what it delivered later, or keeps what it was served last.

    A calm is patient with such a client for `PATIENCE_MS`.
    """
    delivered_in = {i: evidence.poll_of[place] for i, place in evidence.first_delivery.items()}
    served: frozenset[EventId] = frozenset()
    for asked in evidence.asked:
        if any(delivered_in.get(i, 0) > evidence.poll_of[asked.place] for i in asked.ids):
            return True
        served = asked.ids or served
    rows = (evidence.log.find(event_id) for event_id in served)
    return any(row and row.recorded_at is not None and row.recorded_at > newest for row in rows)


def excuses(evidence: Evidence) -> Counter[EventId]:
    """For each event how many repeats of it a failed or refused request may have brought about.

    Nobody hears that a poll raised; any such request may have ended one. What the poll was served
    before it, and no save followed, is delivered again by whoever starts again from the last save.
    Where among the requests a delivery was reported does not matter: many report at the end.
    """
    excused: Counter[EventId] = Counter()
    unsaved: set[EventId] = set()
    for step in evidence.history:
        if isinstance(step, (PollStarted, Saved)):
            unsaved.clear()
        elif isinstance(step, Exchange):
            if is_failure(step) or step.status >= 400:
                excused.update(unsaved)
            unsaved.update(step.event_ids)
    return excused
