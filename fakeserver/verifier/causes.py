"""Why: the cause of a loss, decided from the history, and the proof in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fakeserver.clock import clock_text, duration_text
from fakeserver.history import AnyStep, Delivered, Exchange, Killed, PollEnded, Saved
from fakeserver.query import ID, RECORDED_AT, Query, value_of
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier import proofs
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import failure, is_failure, remark
from fakeserver.verifier.impossible import is_out_of_reach
from fakeserver.verifier.proofs import (
    SHOWN_REQUESTS_MAX,
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

KILLS_ALLOWED = "A program can be killed between any two of its steps."
FAILURES_ALLOWED = "Any request over a network can fail."


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
    failed: list[int]
    missed: list[int]


def explain_loss(evidence: Evidence, event: LoggedEvent) -> Loss:
    """Decide why `event` was never delivered, and prove it."""
    asked = _sort_requests(evidence, event)
    if asked.served:
        return _served(evidence, event, asked.served)
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
        f"{name} (id {event.id}) was recorded at {clock_text(event.recorded_at)} and visible at "
        "once."
    )


def _served(evidence: Evidence, event: LoggedEvent, served: list[int]) -> Loss:
    too_early = _saved_too_early(evidence, served)
    if too_early is not None:
        return _saved_before_delivered(evidence, event, served, too_early)
    place = served[-1]
    poll = evidence.poll_of[place]
    name = evidence.name(event.id)
    position = evidence.exchange(place).event_ids.index(event.id) + 1
    count = len(evidence.exchange(place).event_ids)
    times = "once" if len(served) == 1 else f"{len(served)} times"
    killed = _killed_with_the_page(evidence, place)
    what = (
        "and the client was killed before it delivered it. No later answer held it."
        if killed
        else "and the client dropped it."
    )
    return Loss(
        event=event,
        cause="served-not-delivered",
        steps=tuple(served),
        why=(
            _birth(evidence, event),
            f"{name} was served {times}, the last time in poll {poll} as row {position} of "
            f"{count}, {what}",
        ),
        allowed=KILLS_ALLOWED if killed else ties_allowed(evidence, event),
        would="Start again from what was saved, and ask for everything that was not delivered yet."
        if killed
        else "Decide by its id whether an event was delivered already, not by its place in the "
        "page or its stamp.",
    )


def _killed_with_the_page(evidence: Evidence, place: int) -> bool:
    """Whether the client was killed after the answer at `place`, before it asked on or ended."""
    for step in evidence.history[place + 1 :]:
        if isinstance(step, Killed):
            return True
        if isinstance(step, (Exchange, PollEnded)):
            return False
    return False


def _saved_too_early(evidence: Evidence, served: list[int]) -> tuple[int, int, int] | None:
    """Return the places of a page, the save after it, and the stop before it was delivered.

    Only the first save after a page with the event counts: from then on the checkpoint may say
    that the event is done. Where anything was delivered between the two, the page was handed over
    first, as it should be; who then lacks the event has dropped it. More pages and saves may follow
    before the first delivery; who has begun to deliver and asks on is done with the page as well.
    Nor where the event is served again, and dropped again, to a client that is seen to deliver a
    page before it saves: that one drops it wherever it meets it.
    """
    for place in served:
        saved, delivers = None, False
        for later in range(place + 1, len(evidence.history)):
            step = evidence.history[later]
            if saved is not None and _is_stop(step):
                drops = served[-1] > later and evidence.delivers_first
                return None if drops else (place, saved, later)
            if isinstance(step, PollEnded) or (delivers and isinstance(step, Exchange)):
                break
            if isinstance(step, Delivered):
                if saved is None:
                    return None
                delivers = True
            if saved is None and isinstance(step, Saved):
                saved = later
        if saved is not None:
            return None
    return None


def _is_stop(step: AnyStep) -> bool:
    """Whether the client was killed, or its poll raised: what it had in hand is gone."""
    return isinstance(step, Killed) or (isinstance(step, PollEnded) and step.ending == "raised")


def _saved_before_delivered(
    evidence: Evidence, event: LoggedEvent, served: list[int], too_early: tuple[int, int, int]
) -> Loss:
    name, poll = evidence.name(event.id), evidence.poll_of[too_early[0]]
    again = [place for place in served if place > too_early[2]]
    is_killed = isinstance(evidence.history[too_early[2]], Killed)
    stopped, then = ("was killed", "restarted client") if is_killed else ("raised", "next poll")
    failed = any(is_failure(evidence.exchange(p)) for p in evidence.polls[poll - 1].exchanges)
    return Loss(
        event=event,
        cause="saved-before-delivered",
        steps=too_early,
        why=(
            _birth(evidence, event),
            f"Poll {poll} received {name}, saved its checkpoint, and {stopped} before it "
            "delivered.",
            f"The {then} went on from that checkpoint, behind the event, and "
            + (
                f"dropped it when it was served again in poll {evidence.poll_of[again[0]]}."
                if again
                else "no later request covered it."
            )
            + (proofs.TWO_STEPS if evidence.promise.delivery == "exactly-once" else ""),
        ),
        allowed=KILLS_ALLOWED if is_killed else FAILURES_ALLOWED if failed else None,
        would="Deliver first, then save; or do both in one step (feed.commit).",
    )


def _cut(evidence: Evidence, event: LoggedEvent, asked: _Asked) -> Loss:
    place = asked.cut[-1]
    exchange = evidence.exchange(place)
    query = evidence.query(exchange)
    assert query is not None  # noqa: S101 - only understood requests are sorted
    name, poll = evidence.name(event.id), evidence.poll_of[place]
    rows = len(exchange.event_ids)
    asked_for = evidence.words(query, exchange.at)
    why = [
        _birth(evidence, event),
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
            _later_requests(evidence, later)
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
            _birth(evidence, event),
            f"The last request that covered it, in poll {evidence.poll_of[place]}, asked for "
            f"{asked_for}, {came}",
            _later_requests(evidence, later)
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
    why = [_birth(evidence, event)]
    if not missed:
        why.append(f"From {since} on, when it could be read, the client sent no request for rows.")
    else:
        why.append(f"From {since} on, when it could be read, " + what_was_asked(evidence, missed))
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


def _later_requests(evidence: Evidence, places: list[int]) -> str:
    return "After that " + what_was_asked(evidence, places)


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
    return f"{remedy.says}, reads {evidence.name(event.id)} in poll {after[0].number}."
