"""The classes of lost events, by their cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fakeserver.clock import MINUTE_MS, SECOND_MS
from fakeserver.history import Exchange, Killed, PollEnded, Saved
from fakeserver.query import ID, RECORDED_AT
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.diagnosis.late import left_behind
from fakeserver.verifier.diagnosis.traces import (
    LOWER,
    counts_rows,
    ended_well,
    ends_its_poll,
    is_clamped,
    is_full,
    is_newest_first,
    is_page_of_ties,
    last_covering,
    lower_bound,
    next_asked,
    next_page,
    rows_asked,
    saved_unread,
    skipped_page,
)
from fakeserver.verifier.evidence import Evidence, RowsAsked
from fakeserver.verifier.failures import is_failure
from fakeserver.verifier.verdict import Finding

Decide = Callable[[Evidence, LoggedEvent], str | None]


def diagnose(evidence: Evidence, finding: Finding) -> str | None:
    """Name the class by the first of the events that share a cause: the one that was proved."""
    event = evidence.log.find(finding.event_ids[0])
    decide = BY_CAUSE.get(finding.cause or "")
    return None if event is None or decide is None else decide(evidence, event)


# Cut by the limit


def _cut(evidence: Evidence, event: LoggedEvent) -> str | None:  # noqa: PLR0911 - a kind each
    asked = last_covering(evidence, event)
    if asked is None or asked.query is None:
        return None
    if skipped_page(evidence, event, asked) is not None:
        return "C26"
    if asked.query.offset and not asked.exchange.event_ids:
        return "C04" if asked.query.is_shuffled else "C12"
    if is_page_of_ties(evidence, asked):
        return "C03"
    if is_clamped(asked.query):
        return _clamped(evidence, asked)
    if _steps_over_a_tie(evidence, event, asked):
        return "C01"
    if head_saved_too_soon(evidence, event, asked):
        return "C22"
    if _order_flips(evidence, event, asked) or _stops_at_a_known_row(evidence, asked):
        return "C21"
    if (found := _by_the_next_page(evidence, event, asked)) is not None:
        return found
    return "C20" if _reads_so_many_pages_only(evidence, asked) else None


def _clamped(evidence: Evidence, asked: RowsAsked) -> str | None:
    """A client that asks for the number of rows counts its pages with the limit it asked for."""
    if not ends_its_poll(evidence, asked):
        return None
    return "C18" if counts_rows(evidence) else "C15"


def _steps_over_a_tie(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> bool:
    """Whether the page ended within a group of equal stamps, and the next one began behind it."""
    after = next_asked(evidence, asked)
    rows = asked.exchange.event_ids
    last = evidence.log.find(rows[-1]) if rows else None
    bound = None if after is None else lower_bound(after.query, RECORDED_AT)
    if last is None or bound is None or last.recorded_at is None:
        return False
    step = bound.value - last.recorded_at
    beyond = step == 0 if bound.operator == ">" else 0 < step <= SECOND_MS
    return beyond and last.recorded_at == event.recorded_at and is_full(asked)


def head_saved_too_soon(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> bool:
    """Whether a newest-first walk saved, was ended, and the next one began behind the event."""
    assert asked.query is not None  # noqa: S101 - the caller looked
    after = next_asked(evidence, asked)
    if not is_newest_first(asked.query) or after is None or not _is_below(event, after):
        return False
    saved = False
    poll = evidence.polls[evidence.poll_of[asked.place] - 1]
    for step in evidence.history[poll.exchanges[0] : after.place]:
        saved = saved or isinstance(step, Saved)
        raised = isinstance(step, PollEnded) and step.ending == "raised"
        if saved and (raised or isinstance(step, Killed)):
            return True
    return False


def _is_below(event: LoggedEvent, asked: RowsAsked) -> bool:
    """Whether a lower bound of the request leaves the event out."""
    return asked.query is not None and any(
        c.field in (ID, RECORDED_AT) and c.operator in LOWER and not c.holds(event)
        for c in asked.query.conditions
    )


def _order_flips(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> bool:
    """Whether a walk went on upwards from a page that came newest first."""
    after = next_asked(evidence, asked)
    if asked.query is None or after is None or after.query is None:
        return False
    same_poll = evidence.poll_of[asked.place] == evidence.poll_of[after.place]
    flips = is_newest_first(asked.query) and not is_newest_first(after.query)
    return same_poll and flips and _is_below(event, after)


def _by_the_next_page(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> str | None:
    """Name what the next page of a walk began at, where it left out what had not been read."""
    found = next_page(evidence, event, asked)
    rows = [row for i in asked.exchange.event_ids if (row := evidence.log.find(i)) is not None]
    if found is None or not rows or asked.query is None or not asked.query.order:
        return None
    bound, first, last = round(found[1].value), rows[0].recorded_at, rows[-1].recorded_at
    if first is None or last is None or event.recorded_at is None:
        return None
    if is_newest_first(asked.query):
        walk = rows_asked(evidence, evidence.polls[evidence.poll_of[asked.place] - 1])
        alike = all(page.query is not None and is_newest_first(page.query) for page in walk)
        alike = alike and all(page.query is not None and not page.query.offset for page in walk)
        return "C21" if alike and last == bound != first else None
    if asked.query.order[0].field == ID and event.recorded_at < bound == last:
        return "C23"
    unit = next((unit for unit in (MINUTE_MS, SECOND_MS) if not bound % unit), None)
    is_rounded = unit is not None and last % unit and 0 < bound - last < unit
    return "C31" if is_rounded and last <= event.recorded_at < bound else None


def _stops_at_a_known_row(evidence: Evidence, asked: RowsAsked) -> bool:
    """Whether newest-first pages are read up to the first that holds a row delivered before.

    Not said of one that has gone on behind such a page.
    """
    if asked.query is None or not is_newest_first(asked.query):
        return False
    if not is_full(asked) or not ends_its_poll(evidence, asked) or not _knows(evidence, asked):
        return False
    passed = [
        _knows(evidence, other)
        for other in rows_asked(evidence)
        if is_full(other) and not ends_its_poll(evidence, other)
    ]
    return bool(passed) and not any(passed)


def _knows(evidence: Evidence, asked: RowsAsked) -> bool:
    """Whether a page holds a row of an earlier poll; pages of one walk may share rows."""
    number = evidence.poll_of[asked.place]
    known = (evidence.first_delivery.get(event_id) for event_id in asked.ids)
    return any(place is not None and evidence.poll_of[place] < number for place in known)


def _reads_so_many_pages_only(evidence: Evidence, asked: RowsAsked) -> bool:
    """Whether every poll reads the same number of pages at most, and this one had more to read.

    Not said of one that reads newest first and meets rows it knows: it may stop at those. Nor of
    one that asks for the number of rows: it reckons with that.
    """
    if asked.query is None or not is_full(asked) or not ends_its_poll(evidence, asked):
        return False
    if is_newest_first(asked.query) and _knows(evidence, asked):
        return False
    if counts_rows(evidence):
        return False
    counts = [len(rows_asked(evidence, poll)) for poll in evidence.polls]
    poll = evidence.polls[evidence.poll_of[asked.place] - 1]
    return max(counts) == len(rows_asked(evidence, poll))


# Served, and not delivered


def _served(evidence: Evidence, event: LoggedEvent) -> str | None:
    """Name what the client took the event for, where nothing else fits what it dropped."""
    served = [asked for asked in rows_asked(evidence) if event.id in asked.ids]
    last = last_covering(evidence, event)
    if last is not None and event.id not in last.ids:
        return "C21" if _order_flips(evidence, event, last) else None
    if not served:  # but alone, as one event that was asked for by its id
        return None
    if saved_unread(evidence, evidence.polls[evidence.poll_of[served[-1].place] - 1]):
        return "C24"
    delivers_others = any(evidence.log.find(i) is None for i in evidence.first_delivery)
    if delivers_others or not evidence.first_delivery or _ends_badly_after(evidence, served[-1]):
        return None
    known = _delivered_by_then(evidence, served[0])
    fitting = [
        *(["C02"] if all(asked.exchange.event_ids[0] == event.id for asked in served) else ()),
        *(["C34"] if _is_lower_as_text(event, known) else ()),
        *(["C37"] if _has_a_twin(evidence, event, known) else ()),
    ]
    return fitting[0] if len(fitting) == 1 else None


def _ends_badly_after(evidence: Evidence, asked: RowsAsked) -> bool:
    """Whether the client was killed, or raised, before it was done with that page."""
    for step in evidence.history[asked.place + 1 :]:
        if isinstance(step, Exchange):
            return False
        if isinstance(step, (Killed, PollEnded)):
            return isinstance(step, Killed) or step.ending == "raised"
    return False


def _delivered_by_then(evidence: Evidence, asked: RowsAsked) -> set[EventId]:
    """Return what was delivered before the client was done with that page."""
    after = next((place for place in evidence.exchanges if place > asked.place), None)
    return {i for i, place in evidence.first_delivery.items() if after is None or place < after}


def _has_a_twin(evidence: Evidence, event: LoggedEvent, known: set[EventId]) -> bool:
    """Whether one of the same stamp was delivered."""
    if event.recorded_at is None:
        return False
    return any(other.id in known for other in evidence.by_stamp[event.recorded_at])


def _is_lower_as_text(event: LoggedEvent, known: set[EventId]) -> bool:
    """Whether the id is above one that was delivered as a number, and below it as text."""
    if not isinstance(event.id, int):
        return False
    return any(isinstance(i, int) and i < event.id and str(i) > str(event.id) for i in known)


# Failed


def _failed(evidence: Evidence, event: LoggedEvent) -> str | None:
    asked = last_covering(evidence, event)
    if asked is None:
        return None
    if not is_failure(asked.exchange):
        return "C10"
    poll = evidence.polls[evidence.poll_of[asked.place] - 1]
    if ended_well(poll):
        return "C29" if asked.exchange.fault == "token-expired" else "C26"
    if saved_unread(evidence, poll):
        return "C24"
    return "C22" if head_saved_too_soon(evidence, event, asked) else None


def _saved_first(evidence: Evidence, event: LoggedEvent) -> str:  # noqa: ARG001 - one of a table
    return "C24"


BY_CAUSE: Mapping[str, Decide] = {
    "never-asked": left_behind,
    "cut-by-limit": _cut,
    "served-not-delivered": _served,
    "failed-not-retried": _failed,
    "saved-before-delivered": _saved_first,
}
