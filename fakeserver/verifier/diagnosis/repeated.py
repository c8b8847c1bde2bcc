"""The classes of repeats: what brought the event again, and why the client did not know it."""

from __future__ import annotations

from fakeserver.history import Exchange, Killed, PollEnded, Restarted, Saved
from fakeserver.query import RECORDED_AT
from fakeserver.scenario import EventId
from fakeserver.verifier.diagnosis.traces import (
    holds_id,
    is_bound_dropped,
    last_saved,
    lower_bound,
    rows_asked,
    starts_at,
)
from fakeserver.verifier.evidence import Evidence, RowsAsked
from fakeserver.verifier.failures import is_failure
from fakeserver.verifier.proofs import server_of, shifted_by
from fakeserver.verifier.verdict import Finding


def diagnose(evidence: Evidence, finding: Finding) -> str | None:  # noqa: PLR0911 - a kind each
    """Name the class of the first repeat: the one that was proved."""
    first, again = finding.steps[:2]
    event = evidence.log.find(evidence.delivered(first).event_id)
    source = None if event is None else _asked_at(evidence, server_of(evidence, event.id, again))
    if event is None or source is None or source.query is None:
        return None
    if _instance(evidence, first) != _instance(evidence, again):
        return "C39"
    stop = _stop_between(evidence, first, again)
    if stop is not None:
        return "C25" if _is_not_saved(evidence, event.id, first, stop) else None
    origin = server_of(evidence, event.id, first)
    if origin == source.place:  # both pages were read before anything was delivered
        origin = server_of(evidence, event.id, source.place)
    if origin is None:
        return None
    failed = _failed_between(evidence, origin, source.place)
    if failed:  # the walk was begun again
        return "C29" if all(step.fault == "token-expired" for step in failed) else "C27"
    if is_bound_dropped(evidence, event, source):
        return "C30"
    if source.query.offset:
        shift = shifted_by(evidence, source.query, origin, source.place)
        return "C12" if shift is not None else "C04" if source.query.is_shuffled else None
    if starts_at(source.query, event):
        return "C02"
    return _of_a_later_poll(evidence, event.id, first, again)


def _instance(evidence: Evidence, place: int) -> int:
    return evidence.polls[evidence.poll_of[place] - 1].instance


def _asked_at(evidence: Evidence, place: int | None) -> RowsAsked | None:
    return next((asked for asked in rows_asked(evidence) if asked.place == place), None)


def _stop_between(evidence: Evidence, first: int, again: int) -> int | None:
    for place in range(first, again):
        step = evidence.history[place]
        if isinstance(step, (Killed, Restarted)):
            return place
        if isinstance(step, PollEnded) and step.ending == "raised":
            return place
    return None


def _is_not_saved(evidence: Evidence, event_id: EventId, first: int, stop: int) -> bool:
    """Whether nothing was saved since the first delivery, or less than the client knew itself."""
    if not any(isinstance(step, Saved) for step in evidence.history[first:stop]):
        return True
    last = last_saved(evidence, stop)
    is_held = last is not None and holds_id(last.checkpoint, event_id)
    return not is_held and _knew(evidence, event_id, first, stop)


def _knew(evidence: Evidence, event_id: EventId, first: int, stop: int) -> bool:
    """Whether the client dropped the event when it was served again before the stop."""
    return any(first < asked.place < stop and event_id in asked.ids for asked in evidence.asked)


def _failed_between(evidence: Evidence, origin: int, source: int) -> list[Exchange]:
    """Return the requests that failed between two pages of one poll."""
    if evidence.poll_of[origin] != evidence.poll_of[source]:
        return []
    places = [place for place in evidence.exchanges if origin <= place < source]
    return [step for step in map(evidence.exchange, places) if is_failure(step)]


def _of_a_later_poll(evidence: Evidence, event_id: EventId, first: int, again: int) -> str | None:
    """Tell a checkpoint that went back from a memory that is too short.

    The first begins a poll where an earlier one began, or before; the second drops other rows that
    it reads again.
    """
    before, after = evidence.poll_of[first], evidence.poll_of[again]
    if before == after:
        return None
    if not any(isinstance(step, Saved) for step in evidence.history[:again]):
        return "C25"
    lows = [_low_of(evidence, number) for number in range(before, after + 1)]
    if any(low is None for low in lows[1:]):
        return None  # a bound that is missing may be a first poll, or a walk by another key
    if len(lows) > 2 and any((lows[-1] or 0) < (low or 0) for low in lows[1:-1]):
        return "C25"
    if lows[0] is not None and (lows[-1] or 0) <= lows[0]:
        return "C25"
    return _short_memory(evidence, event_id, after)


def _low_of(evidence: Evidence, number: int) -> float | None:
    asked = rows_asked(evidence, evidence.polls[number - 1])
    bound = lower_bound(asked[0].query, RECORDED_AT) if asked else None
    return None if bound is None else float(bound.value)


def _short_memory(evidence: Evidence, event_id: EventId, number: int) -> str:
    """Whether other rows that are read again in that poll are dropped, or all come twice."""
    return "C38" if known_by_others(evidence, event_id, number) else "C02"


def known_by_others(evidence: Evidence, event_id: EventId, number: int) -> list[EventId]:
    """Return which other rows a poll read again, and did not deliver again."""
    asked = rows_asked(evidence, evidence.polls[number - 1])
    known = dict.fromkeys(
        i
        for page in asked
        for i in page.exchange.event_ids
        if i != event_id and evidence.first_delivery.get(i, page.place) < page.place
    )
    repeated = {
        evidence.delivered(place).event_id
        for place in evidence.deliveries
        if evidence.poll_of[place] == number
    }
    return [i for i in known if i not in repeated]
