"""Clues to an event that was served and dropped: what it has in common with all that were."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from fakeserver.clock import clock_text
from fakeserver.history import Delivered, Exchange, Killed, PollEnded
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.clues import carried
from fakeserver.verifier.clues.clue import Clue, joined, poll_of
from fakeserver.verifier.diagnosis.traces import ended_well, rows_asked, saved_unread
from fakeserver.verifier.evidence import Evidence, RowsAsked
from fakeserver.verifier.verdict import lines_of

BY_ID = (
    "Decide by its id alone whether an event was delivered already: not by its place in the page, "
    "its stamp or its content, nor by whether its id is above the last one."
)
BY_OWN_ID = "drop a row only where its own id was delivered before"

LOOKED_AT_MAX = 50
"""Lost events that are compared with what was delivered: more would show nothing else."""


class _Page(msgspec.Struct, frozen=True):
    """A page that the client was done with: its new rows by their place, and what became of them.

    `is_first` says that it was the first of its poll. `passed` and `dropped` are places of rows,
    from 0; a row that had been delivered before is in neither.
    """

    is_first: bool
    ids: tuple[EventId, ...]
    passed: frozenset[int]
    dropped: frozenset[int]


def clue(evidence: Evidence, event: LoggedEvent) -> Clue | None:
    """Look at what was dropped, at what was delivered, and how the two differ."""
    if any(evidence.log.find(event_id) is None for event_id in evidence.first_delivery):
        return None  # something else was delivered in its place, and that was told
    if not any(event.id in asked.ids for asked in rows_asked(evidence)):
        return None  # it stood on no page: it was asked for alone, by its id
    cut_short = _cut_short(evidence, event)
    if cut_short is not None:
        return cut_short
    pages = _pages(evidence)
    found = [
        _first_rows(evidence, event, pages),
        *(look(evidence, event, pages) for look in (_by_text, _by_order, _by_stamp, _by_content)),
    ]
    told = [clue for clue in found if clue is not None]
    if len(told) > 1:  # several explain it: what to do is the same
        return Clue(why=tuple(said for clue in told for said in clue.why), would=BY_ID)
    return joined(told)


def pattern(evidence: Evidence) -> Clue | None:
    """Say that only first rows are dropped, where other rows show that these are not."""
    pages = _pages(evidence)
    for event in _lost(evidence, pages):
        found = _first_rows(evidence, event, pages, least=1)
        if found is not None and any(page.passed for page in pages):
            return found
    return None


def _pages(evidence: Evidence) -> list[_Page]:
    found, polls = [], set()
    for asked in rows_asked(evidence):
        number = evidence.poll_of[asked.place]
        page = _page(evidence, asked, is_first=number not in polls)
        polls.add(number)
        found += [] if page is None else [page]
    return found


def _cut_short(evidence: Evidence, event: LoggedEvent) -> Clue | None:
    """The poll that had the event in hand was ended, and had passed it by then."""
    served = [asked for asked in rows_asked(evidence) if event.id in asked.ids]
    poll = poll_of(evidence, served[-1])
    if not saved_unread(evidence, poll):
        return None if ended_well(poll) else carried.outlived(evidence, event)
    return Clue(
        why=(
            f"Poll {poll.number} had saved before it asked for anything, and the next one went on "
            "from there.",
        ),
        would="Save where the next poll begins when this one has delivered what it read, not "
        "before it asks.",
    )


def _page(evidence: Evidence, asked: RowsAsked, *, is_first: bool) -> _Page | None:
    """Return what became of the rows of a page, or None where the client was not done with it."""
    if not asked.exchange.event_ids:
        return None
    delivered: set[EventId] = set()
    for step in evidence.history[asked.place + 1 :]:
        if isinstance(step, Exchange):
            break
        if isinstance(step, (Killed, PollEnded)):
            if isinstance(step, Killed) or step.ending not in ("returned", "slept"):
                return None
            break
        if isinstance(step, Delivered):
            delivered.add(step.event_id)
    ids = asked.exchange.event_ids
    fresh = [
        (place, event_id)
        for place, event_id in enumerate(ids)
        if evidence.first_delivery.get(event_id, asked.place) >= asked.place
    ]
    return _Page(
        is_first,
        ids,
        frozenset(place for place, event_id in fresh if event_id in delivered),
        frozenset(place for place, event_id in fresh if event_id not in delivered),
    )


def _first_rows(
    evidence: Evidence, event: LoggedEvent, pages: list[_Page], *, least: int = 2
) -> Clue | None:
    """Only first rows are dropped, each of them: of all pages, or of all but a poll's first.

    Not said of fewer than `least`: once may be chance.
    """
    if any(page.dropped - {0} for page in pages):
        return None
    for which, some in (("", pages), (" after the first of its poll", _later(pages))):
        first = [page for page in some if 0 in page.passed | page.dropped]
        dropped = [page for page in first if 0 in page.dropped]
        if len(dropped) < least or len(dropped) != len(first):
            continue
        if not any(page.ids[0] == event.id for page in dropped):
            continue
        others = sum(len(page.passed - {0}) for page in pages)
        others += 0 if not which else sum(0 in page.passed for page in pages)
        times = f"{len(dropped)} of {len(first)} time{'s' if len(first) > 1 else ''}"
        name = evidence.name(event.id)
        if not others:
            return Clue(
                why=(
                    f"{name} was the first row of its page each time; no page of this world held "
                    "another new row, so whether only first rows are dropped does not show.",
                ),
                would="Look at what happens between the answer and the delivery. Where the first "
                f"row of a page is skipped as one that is known: {BY_OWN_ID}.",
            )
        return Clue(
            why=(
                f"The first row of a page{which} was not delivered where it was new, {times}; all "
                f"other new rows were, {others} of {others}.",
            ),
            would=f"Don't skip the first row of a page as one that is known: {BY_OWN_ID}.",
        )
    return None


def _later(pages: list[_Page]) -> list[_Page]:
    return [page for page in pages if not page.is_first]


def _lost(evidence: Evidence, pages: list[_Page]) -> list[LoggedEvent]:
    """Return what was served and never delivered, the first of it where that is much."""
    ids = dict.fromkeys(page.ids[place] for page in pages for place in sorted(page.dropped))
    gone = [event_id for event_id in ids if event_id not in evidence.first_delivery]
    return [
        event
        for event_id in gone[:LOOKED_AT_MAX]
        if (event := evidence.log.find(event_id)) is not None
    ]


def _known(evidence: Evidence, event: LoggedEvent) -> list[LoggedEvent]:
    """Return what had been delivered when `event` first came, or stood before it on that page."""
    served = next(asked for asked in rows_asked(evidence) if event.id in asked.ids)
    before = set(served.exchange.event_ids[: served.exchange.event_ids.index(event.id)])
    return [
        row
        for event_id, place in evidence.first_delivery.items()
        if (row := evidence.log.find(event_id)) is not None
        and (place < served.place or event_id in before)
    ]


def _by_stamp(evidence: Evidence, event: LoggedEvent, pages: list[_Page]) -> Clue | None:
    """Everything that was dropped shares its stamp with something that had been delivered."""
    twins = {
        lost.id: [k for k in _known(evidence, lost) if k.recorded_at == lost.recorded_at]
        for lost in _lost(evidence, pages)
    }
    if event.recorded_at is None or not twins.get(event.id) or not all(twins.values()):
        return None
    names = lines_of(evidence.name(twin.id) for twin in twins[event.id])
    return Clue(
        why=(
            f"It has the stamp of {names}, {clock_text(event.recorded_at)}, which had been "
            "delivered by then.",
        ),
        would="Recognise what was delivered by its id, not by its stamp: events of one stamp are "
        "different events.",
    )


def _by_text(evidence: Evidence, event: LoggedEvent, pages: list[_Page]) -> Clue | None:
    """Everything that was dropped has an id that is higher as a number and lower as text."""
    above = {
        lost.id: [
            known
            for known in _known(evidence, lost)
            if _is_above(lost.id, known.id) and str(known.id) > str(lost.id)
        ]
        for lost in _lost(evidence, pages)
    }
    if not above.get(event.id) or not all(above.values()):
        return None
    known = above[event.id][0]
    return Clue(
        why=(
            f"Its id is above that of {evidence.name(known.id)} ({known.id}), which had been "
            "delivered by then, and below it if the two are compared as text.",
        ),
        would="Compare ids as numbers, not as text.",
    )


def _by_order(evidence: Evidence, event: LoggedEvent, pages: list[_Page]) -> Clue | None:
    """Everything that was dropped has an id below one that had been delivered by then."""
    above = {
        lost.id: [known for known in _known(evidence, lost) if _is_above(known.id, lost.id)]
        for lost in _lost(evidence, pages)
    }
    if not above.get(event.id) or not all(above.values()):
        return None
    name = evidence.name(above[event.id][0].id)
    return Clue(
        why=(f"Its id is below that of {name}, which had been delivered by then.",), would=BY_ID
    )


def _is_above(one: EventId, other: EventId) -> bool:
    return type(one) is type(other) and one > other  # type: ignore[operator]


def _by_content(evidence: Evidence, event: LoggedEvent, pages: list[_Page]) -> Clue | None:  # noqa: ARG001
    """It differs from one that was delivered by its id and times alone."""
    truth = evidence.dialect.render_event(event, evidence.settings)
    for known in _known(evidence, event):
        other = evidence.dialect.render_event(known, evidence.settings)
        names = [name for name in truth if truth[name] != other.get(name)]
        if all(name == "id" or _is_time(truth[name]) for name in names):
            return Clue(
                why=(
                    f"It differs from {evidence.name(known.id)}, which had been delivered by "
                    f"then, by its {lines_of(names)} alone.",
                ),
                would="Recognise what was delivered by its id, not by its content: two events may "
                "say the same.",
            )
    return None


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True
