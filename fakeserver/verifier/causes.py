"""Why: the cause of a loss, decided from the history, and the proof in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fakeserver.clock import clock_text
from fakeserver.history import Exchange
from fakeserver.query import ID, RECORDED_AT, Query, value_of
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier import proofs
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import failure, is_failure, remark
from fakeserver.verifier.impossible import is_out_of_reach
from fakeserver.verifier.in_hand import explain_served
from fakeserver.verifier.proofs import (
    FAILURES_ALLOWED,
    KILLS_ALLOWED,
    SHOWN_REQUESTS_MAX,
    Loss,
    birth,
    late_allowed,
    promised,
    ties_allowed,
    what_was_asked,
)

CAUSES = {
    "unobservable": "No request that pages by the API's key could ever have returned the event; "
    "never held against a client.",
    "never-asked": "From the moment it was visible, no request covered the event.",
    "cut-by-limit": "A request covered the event, but the page ended before it and the client did "
    "not go on.",
    "failed-not-retried": "The last request that covered the event failed, or its answer was older "
    "than it, and the client did not ask again.",
    "served-not-delivered": "A page held the event, and the client did not deliver it.",
    "saved-before-delivered": "The client saved a checkpoint past the event before it delivered "
    "it, and was killed, or failed, in between.",
}
"""The causes of `LOST`, in words."""


class _Asked(msgspec.Struct):
    """The requests after an event was visible, by what they had to do with it."""

    served: list[int]
    cut: list[int]
    failed: list[int]
    missed: list[int]


def explain_loss(evidence: Evidence, event: LoggedEvent) -> Loss:
    """Decide why `event` was never delivered, and prove it."""
    asked = _sort_requests(evidence, event)
    if asked.served:
        return explain_served(evidence, event, asked.served)
    # Before the cut: a request that covers an event out of reach is cut by the server's cap alone.
    if is_out_of_reach(evidence, event):
        return Loss(event=event, cause="unobservable")
    if asked.failed and max(asked.failed) > max(asked.cut, default=-1):
        return _failed(evidence, event, asked)
    if asked.cut:
        return _cut(evidence, event, asked)
    return _never_asked(evidence, event, asked.missed)


def _sort_requests(evidence: Evidence, event: LoggedEvent) -> _Asked:
    asked = _Asked([], [], [], [])
    for place, exchange, query, ids in evidence.asked:
        if exchange.at < event.visible_at:
            continue
        if event.id in ids:
            asked.served.append(place)
            continue
        if not exchange.is_sound and exchange.as_of is None and not is_failure(exchange):
            continue
        if query is None or query.endpoint != "list":
            continue
        covered = asked.cut if exchange.is_sound else asked.failed
        (covered if query.matches(event) else asked.missed).append(place)
    return asked


def _cut(evidence: Evidence, event: LoggedEvent, asked: _Asked) -> Loss:
    place = asked.cut[-1]
    exchange = evidence.exchange(place)
    query = evidence.query(exchange)
    assert query is not None  # noqa: S101 - only understood requests are sorted
    name, poll = evidence.name(event.id), evidence.poll_of[place]
    rows = len(exchange.event_ids)
    asked_for = evidence.words(query, exchange.at)
    why = [
        birth(evidence, event),
        f"The last request that covered it, in poll {poll}, asked for {asked_for}; "
        + (f"{_page_end(rows, query.limit)}, and {name} was not among them." if rows else "")
        + ("" if rows else f"no rows came back, for {_passed(evidence, event, query, exchange)}."),
    ]
    clamped = query.limit is not None and (query.limit_asked or 0) > query.limit
    if clamped:
        why.append(
            f"It asked for {query.limit_asked} rows; the server never returns more than "
            f"{query.limit}."
        )
    later = [later for later in asked.missed if later > place]
    if rows or later:
        why.append(
            _later_requests(evidence, event, later)
            if later
            else "The client took that page for the last one and never asked again."
        )
    return Loss(
        event=event,
        cause="cut-by-limit",
        steps=(place,),
        why=tuple(why),
        allowed=promised(evidence, "limit", "A server may return fewer rows than were asked for")
        if clamped
        else late_allowed(evidence, event) or ties_allowed(evidence, event),
        would=proofs.past_the_cap(evidence, exchange, query)
        or _would_ask_from_the_last_stamp(evidence, event, exchange, later)
        or _would_go_on(evidence, event, rows=rows, clamped=clamped),
    )


def _failed(evidence: Evidence, event: LoggedEvent, asked: _Asked) -> Loss:
    place = asked.failed[-1]
    exchange = evidence.exchange(place)
    query = evidence.meant(exchange)
    assert query is not None  # noqa: S101 - only understood requests are sorted
    asked_for = evidence.words(query, exchange.at)
    came, allowed, would = _instead_of_a_page(evidence, event, place)
    later = [later for later in asked.missed if later > place]
    return Loss(
        event=event,
        cause="failed-not-retried",
        steps=(place,),
        why=(
            birth(evidence, event),
            f"The last request that covered it, in poll {evidence.poll_of[place]}, asked for "
            f"{asked_for}, {came}",
            _later_requests(evidence, event, later)
            if later
            else "The client sent no request for rows after that.",
        ),
        allowed=allowed,
        would=would,
    )


def _instead_of_a_page(
    evidence: Evidence, event: LoggedEvent, place: int
) -> tuple[str, str | None, str | None]:
    """Say what became of a request without a page, what allows that, and what would have helped."""
    exchange = evidence.exchange(place)
    if evidence.is_unheard(place):
        return (
            "and the client was killed before it heard the answer.",
            KILLS_ALLOWED,
            "Save only what was delivered; start again from there, and send the same request.",
        )
    what = failure(exchange)
    if what is not None:
        return (
            f"and failed: {what}.",
            FAILURES_ALLOWED,
            "Take only a whole answer with the status 200 for a page. After anything else move "
            "nothing on, and send the same request again, now or in the next poll.",
        )
    came = f"and was answered from {remark(exchange)}."
    return came, late_allowed(evidence, event), _remedy(evidence, event)


def _would_ask_from_the_last_stamp(
    evidence: Evidence, event: LoggedEvent, exchange: Exchange, later: list[int]
) -> str | None:
    """Say what helps where a page ended within a group of equal stamps, and the next left it out.

    A group that no page holds with a row to spare is not read so: there is nothing to say.
    """
    last = evidence.log.find(exchange.event_ids[-1]) if exchange.event_ids else None
    after = evidence.meant(evidence.exchange(later[0])) if later else None
    if last is None or after is None or last.recorded_at is None:
        return None
    failing = {(c.field, c.operator) for c in after.conditions if not c.holds(event)}
    if last.recorded_at != event.recorded_at or not failing:
        return None
    if not failing <= {(RECORDED_AT, ">"), (RECORDED_AT, ">=")}:
        return None
    ties = len(evidence.by_stamp[event.recorded_at])
    larger = ""
    if after.limit is not None and after.limit <= ties:
        cap = evidence.dialect.limit_max(evidence.settings)
        if cap is not None and cap <= ties:
            return None
        larger = f", with a limit above the {ties} rows that share it"
    return (
        f"Ask from the last row's stamp on, itself included (>=){larger}, and drop by id what was "
        "delivered already."
    )


def _would_go_on(evidence: Evidence, event: LoggedEvent, *, rows: int, clamped: bool) -> str | None:
    """Say what a client whose last page was cut should have done."""
    if not rows:  # it did go on until nothing came: the page was not the trouble
        return _remedy(evidence, event)
    if clamped:
        return (
            "Go on from the last row received until a page brings nothing new; a page shorter than "
            "the limit asked for does not prove the end."
        )
    return (
        "Go on from the last row received, with its stamp or id, until a page brings nothing new."
    )


def _passed(evidence: Evidence, event: LoggedEvent, query: Query, exchange: Exchange) -> str:
    """Say where the event stood when a page behind it was asked for."""
    whole = msgspec.structs.replace(query, offset=0, limit=None)
    rows = evidence.log.select(whole, exchange.at).rows
    place = [row.id for row in rows].index(event.id) + 1
    return f"{evidence.name(event.id)} stood at row {place} by then, before that page"


def _page_end(rows: int, limit: int | None) -> str:
    end = "the page ended" if limit is not None and rows >= limit else "the answer ended"
    return f"{end} after {rows} row{'s' if rows > 1 else ''}"


def _never_asked(evidence: Evidence, event: LoggedEvent, missed: list[int]) -> Loss:
    since = clock_text(event.visible_at)
    why = [birth(evidence, event)]
    if not missed:
        why.append(f"From {since} on, when it could be read, the client sent no request for rows.")
    else:
        asked = what_was_asked(evidence, event, missed)
        why.append(f"From {since} on, when it could be read, {asked}")
        why += _filtered_out(evidence, event, missed)
    would = _remedy(evidence, event)
    allowed = late_allowed(evidence, event) or ties_allowed(evidence, event)
    return Loss(
        event=event,
        cause="never-asked",
        steps=tuple(missed[:SHOWN_REQUESTS_MAX]),
        why=tuple(why),
        allowed=allowed,
        would=would,
    )


def _filtered_out(evidence: Evidence, event: LoggedEvent, places: Iterable[int]) -> Iterator[str]:
    """Say which of the event's own fields a filter excluded, if one did."""
    fields = {
        condition.field
        for place in places
        if (query := evidence.meant(evidence.exchange(place))) is not None
        for condition in query.conditions
        if condition.field not in (ID, RECORDED_AT) and not condition.holds(event)
    }
    for field in sorted(fields):
        yield f"Its {field} is {value_of(event, field)}."


def _later_requests(evidence: Evidence, event: LoggedEvent, places: list[int]) -> str:
    return "After that " + what_was_asked(evidence, event, places)


def _remedy(evidence: Evidence, event: LoggedEvent) -> str | None:
    """Name a request that would have read `event`, tried against the log before it is said."""
    after = [poll for poll in evidence.polls if poll.started_at >= event.visible_at]
    if not after:
        return None
    before = [
        poll.started_at
        for poll in evidence.polls
        if poll.started_at < event.visible_at
        and poll.ended is not None
        and poll.ended.ending in ("returned", "slept")
    ]
    asked_from = before[-1] if before else None
    remedy = evidence.dialect.remedy(evidence.scenario, event, asked_from, evidence.settings)
    if remedy is None:
        return None
    answer = evidence.dialect.answer(
        remedy.ask, evidence.log, after[0].started_at, evidence.settings
    )
    if event.id not in answer.event_ids:
        return None
    says = remedy.says if _asks_for_times(evidence) else remedy.plainly or remedy.says
    return f"{says}, reads {evidence.name(event.id)} in poll {after[0].number}."


def _asks_for_times(evidence: Evidence) -> bool:
    """Whether any request of the client had a bound on stamps."""
    queries = (query for *_, query, _ in evidence.asked if query is not None)
    return any(c.field == RECORDED_AT for query in queries for c in query.conditions)
