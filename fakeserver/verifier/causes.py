"""Why: the cause of a loss, decided from the history, and the proof in sentences."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fakeserver.clock import clock_text, duration_text
from fakeserver.history import Exchange, Killed, Saved
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.verdict import lines_of

CAUSES = {
    "unobservable": "No request at any time could have returned the event; never held against a "
    "client.",
    "never-asked": "From the moment it was visible, no request covered the event.",
    "cut-by-limit": "A request covered the event, but the page ended before it and the client did "
    "not go on.",
    "served-not-delivered": "A page held the event, and the client did not deliver it.",
    "saved-before-delivered": "The client saved a checkpoint past the event before it delivered "
    "it, and was killed in between.",
}
"""The causes of `LOST`, in words."""

SHOWN_REQUESTS_MAX = 3


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """One lost event with its cause and proof."""

    event: LoggedEvent
    cause: str
    steps: tuple[int, ...] = ()
    why: tuple[str, ...] = ()
    allowed: str | None = None
    would: str | None = None


class _Asked(msgspec.Struct):
    """The requests after an event was visible, by what they had to do with it."""

    served: list[int]
    cut: list[int]
    missed: list[int]


def explain_loss(evidence: Evidence, event: LoggedEvent) -> Loss:
    """Decide why `event` was never delivered, and prove it."""
    asked = _sort_requests(evidence, event)
    if asked.served:
        return _served(evidence, event, asked.served)
    if asked.cut:
        return _cut(evidence, event, asked)
    if _is_unobservable(evidence, event):
        return Loss(event=event, cause="unobservable")
    return _never_asked(evidence, event, asked.missed)


def _sort_requests(evidence: Evidence, event: LoggedEvent) -> _Asked:
    asked = _Asked([], [], [])
    for place in evidence.exchanges:
        exchange = evidence.exchange(place)
        if exchange.at < event.visible_at:
            continue
        if event.id in exchange.event_ids:
            asked.served.append(place)
            continue
        query = evidence.query(exchange)
        if query is None or query.endpoint != "list":
            continue
        (asked.cut if query.matches(event) else asked.missed).append(place)
    return asked


def _is_unobservable(evidence: Evidence, event: LoggedEvent) -> bool:
    """Whether no legal request can return `event` (impossibility I1).

    With an inclusive stamp as the only key and a cap on the limit, the rows of one stamp beyond the
    cap are out of reach. A dialect that pages by id reaches every visible event (`overlap_rows` 0).
    """
    cap = evidence.dialect.limit_max(evidence.settings)
    if not evidence.dialect.overlap_rows or cap is None or event.recorded_at is None:
        return False
    before = 0
    for other in evidence.scenario.events:
        if other.id == event.id:
            return before >= cap
        before += other.recorded_at == event.recorded_at
    return False


def _birth(evidence: Evidence, event: LoggedEvent) -> str:
    name = evidence.name(event.id)
    if event.recorded_at is None:
        since = clock_text(event.visible_at)
        return f"{name} (id {event.id}) has no stamp and was visible from {since} on."
    if event.late_by_ms:
        return (
            f"{name} (id {event.id}) was recorded at {clock_text(event.recorded_at)} and became "
            f"visible at {clock_text(event.visible_at)}, {duration_text(event.late_by_ms)} later."
        )
    return (
        f"{name} (id {event.id}) was recorded at {clock_text(event.recorded_at)}, visible at once."
    )


def _served(evidence: Evidence, event: LoggedEvent, served: list[int]) -> Loss:
    place = served[-1]
    poll = evidence.poll_of[place]
    name = evidence.name(event.id)
    saved = killed = None
    for later in range(place + 1, len(evidence.history)):
        step = evidence.history[later]
        if evidence.poll_of[later] != poll:
            break
        if isinstance(step, Saved):
            saved = later
        if isinstance(step, Killed):
            killed = later
    if killed is not None and saved is not None:
        return Loss(
            event=event,
            cause="saved-before-delivered",
            steps=(place, saved, killed),
            why=(
                _birth(evidence, event),
                f"Poll {poll} received {name}, saved its checkpoint, and was killed before it "
                "delivered.",
                "The restarted client went on from that checkpoint, behind the event, and no later "
                "request covered it.",
            ),
            allowed="A program can be killed between any two of its steps.",
            would="Deliver first, then save; or do both in one step (feed.commit).",
        )
    position = evidence.exchange(place).event_ids.index(event.id) + 1
    count = len(evidence.exchange(place).event_ids)
    times = "once" if len(served) == 1 else f"{len(served)} times"
    return Loss(
        event=event,
        cause="served-not-delivered",
        steps=tuple(served),
        why=(
            _birth(evidence, event),
            f"{name} was served {times}, the last time in poll {poll} as row {position} of "
            f"{count}, and the client dropped it.",
        ),
        allowed=_ties_allowed(evidence, event),
        would="Decide by its id whether an event was delivered already, not by its place in the "
        "page or its stamp.",
    )


def _cut(evidence: Evidence, event: LoggedEvent, asked: _Asked) -> Loss:
    place = asked.cut[-1]
    exchange = evidence.exchange(place)
    query = evidence.query(exchange)
    assert query is not None  # noqa: S101 - only understood requests are sorted
    name, poll = evidence.name(event.id), evidence.poll_of[place]
    rows = len(exchange.event_ids)
    why = [
        _birth(evidence, event),
        f"The last request that covered it, in poll {poll}, asked for "
        f"{evidence.words(query, exchange.at)}; {_page_end(rows, query.limit)}, and {name} was "
        "not among them.",
    ]
    clamped = query.limit is not None and (query.limit_asked or 0) > query.limit
    if clamped:
        why.append(
            f"It asked for {query.limit_asked} rows; the server never returns more than "
            f"{query.limit}."
        )
    later = [later for later in asked.missed if later > place]
    why.append(
        _later_requests(evidence, later)
        if later
        else "The client took that page for the last one and never asked again."
    )
    return Loss(
        event=event,
        cause="cut-by-limit",
        steps=(place,),
        why=tuple(why),
        allowed=_promises(evidence, "limit", "A server may return fewer rows than were asked for")
        if clamped
        else _ties_allowed(evidence, event),
        would="Go on from the last row received until a page brings nothing new; a page shorter "
        "than the limit asked for does not prove the end."
        if clamped
        else "Go on from the last row received, inclusive of its stamp, until a page brings "
        "nothing new.",
    )


def _page_end(rows: int, limit: int | None) -> str:
    if rows == 0:
        return "no rows came back"
    end = "the page ended" if limit is not None and rows >= limit else "the answer ended"
    return f"{end} after {rows} row{'s' if rows > 1 else ''}"


def _never_asked(evidence: Evidence, event: LoggedEvent, missed: list[int]) -> Loss:
    since = clock_text(event.visible_at)
    why = [_birth(evidence, event)]
    if not missed:
        why.append(f"From {since} on, when it could be read, the client sent no request for rows.")
    else:
        why.append(f"From {since} on, when it could be read, " + _what_was_asked(evidence, missed))
    would = _remedy(evidence, event)
    allowed = _ties_allowed(evidence, event)
    if event.late_by_ms:
        allowed = _promises(
            evidence,
            "late",
            f"An event may become visible up to {duration_text(evidence.late_by_ms_max)} after it "
            "was recorded",
        )
    return Loss(
        event=event,
        cause="never-asked",
        steps=tuple(missed[:SHOWN_REQUESTS_MAX]),
        why=tuple(why),
        allowed=allowed,
        would=would,
    )


def _what_was_asked(evidence: Evidence, places: Iterable[int]) -> str:
    words = _distinct_words(evidence, places)
    if len(words) == 1:
        return f"every request asked for {words[0]}."
    if len(words) <= SHOWN_REQUESTS_MAX:
        return f"the requests asked for {'; '.join(words)}. None of them covers it."
    return f"no request covered it: they asked for {words[0]}; then … {words[-1]}."


def _later_requests(evidence: Evidence, places: list[int]) -> str:
    return "After that " + _what_was_asked(evidence, places)


def _distinct_words(evidence: Evidence, places: Iterable[int]) -> list[str]:
    words: dict[str, None] = {}
    for place in places:
        exchange = evidence.exchange(place)
        query = evidence.query(exchange)
        if query is not None:
            words[evidence.words(query, exchange.at)] = None
    return list(words)


def _remedy(evidence: Evidence, event: LoggedEvent) -> str | None:
    """Name a request that would have read `event`, tried against the log before it is said."""
    after = [poll for poll in evidence.polls if poll.started_at >= event.visible_at]
    before = [poll for poll in evidence.polls if poll.started_at < event.visible_at]
    if not after:
        return None
    asked_from = before[-1].started_at if before else after[0].started_at
    remedy = evidence.dialect.remedy(evidence.scenario, event, asked_from, evidence.settings)
    if remedy is None:
        return None
    answer = evidence.dialect.answer(
        remedy.ask, evidence.log, after[0].started_at, evidence.settings
    )
    if event.id not in answer.event_ids:
        return None
    return f"{remedy.says}, reads {evidence.name(event.id)} in poll {after[0].number}."


def _promises(evidence: Evidence, word: str, says: str) -> str:
    return f'{says} (contracts/{evidence.dialect.name}/PROMISES.md, "{word}").'


def _ties_allowed(evidence: Evidence, event: LoggedEvent) -> str | None:
    """Say that stamps may be equal, where this event's is."""
    same = [
        evidence.name(other.id)
        for other in evidence.scenario.events
        if other.recorded_at == event.recorded_at
    ]
    if len(same) < 2:
        return None
    return _promises(evidence, "ties", f"Stamps need not be unique, and {lines_of(same)} share one")


def explain_repeat(evidence: Evidence, first: int, again: int) -> tuple[tuple[str, ...], str]:
    """Prove a repeat: when it was delivered, and which request brought it again."""
    event_id = evidence.delivered(first).event_id
    name = evidence.name(event_id)
    polls = evidence.poll_of[first], evidence.poll_of[again]
    where = (
        f"poll {polls[0]} and again in poll {polls[1]}"
        if polls[0] != polls[1]
        else (f"poll {polls[0]} twice")
    )
    why = [f"{name} (id {event_id}) was delivered in {where}."]
    source = _server_of(evidence, event_id, again)
    if source is not None:
        exchange = evidence.exchange(source)
        query = evidence.query(exchange)
        if query is not None:
            row = exchange.event_ids.index(event_id) + 1
            why.append(
                f"The second time it was row {row} of a request for "
                f"{evidence.words(query, exchange.at)}."
            )
    event = evidence.log.find(event_id)
    if event is not None:
        same = [
            evidence.name(other.id)
            for other in evidence.scenario.events
            if other.recorded_at == event.recorded_at
        ]
        if len(same) > 1:
            why.append(
                f"{lines_of(same)} share the stamp {clock_text(event.recorded_at or 0)}, so a page "
                f"that starts there repeats more than one row."
            )
    would = (
        "Keep, with the checkpoint, the ids delivered at and after the key that the next request "
        "starts from, and drop those."
    )
    return tuple(why), would


def allowed_for_repeat(evidence: Evidence, event_id: EventId) -> str | None:
    """Say why the API may serve this event twice."""
    event = evidence.log.find(event_id)
    return None if event is None else _ties_allowed(evidence, event)


def _server_of(evidence: Evidence, event_id: EventId, place: int) -> int | None:
    """Return the newest exchange before `place` that served the event."""
    for exchange in reversed(evidence.exchanges):
        if exchange < place and event_id in evidence.exchange(exchange).event_ids:
            return exchange
    return None


def explain_stuck(
    evidence: Evidence, last: int | None, missing: list[str]
) -> tuple[tuple[str, ...], str | None, str]:
    """Prove that a stopped poll got nowhere: what it asked last, what it never reached."""
    why: list[str] = []
    allowed = None
    would = "End the poll when a page brings nothing new, and go on in the next one."
    if last is not None:
        exchange: Exchange = evidence.exchange(last)
        query = evidence.query(exchange)
        asked = exchange.target if query is None else evidence.words(query, exchange.at)
        rows = lines_of(evidence.name(event_id) for event_id in exchange.event_ids) or "no rows"
        why.append(f"Its last request asked for {asked} and got {rows}.")
        stamps = {
            event.recorded_at
            for event_id in exchange.event_ids
            if (event := evidence.log.find(event_id)) is not None
        }
        if len(stamps) == 1 and query is not None and len(exchange.event_ids) == query.limit:
            why.append(
                f"All {len(exchange.event_ids)} rows share one stamp and fill the page, so a "
                "request from that stamp on returns them for ever."
            )
            allowed = _promises(evidence, "ties", "Any number of events may share a stamp")
            would = (
                "When a full page ends where it began, ask again with a larger limit (theorem T4)."
            )
    if missing:
        why.append(f"It never reached {lines_of(missing[:5])}.")
    return tuple(why), allowed, would
