"""Whether one assignment of visibility times explains recorded answers, read in one certain way.

An event that is shown was visible by then; one that is missing from a page which had to hold it was
not visible yet. Where the second comes after the first, nothing explains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from fakeserver.clock import Instant, to_text
from fakeserver.fidelity.trace.recordings import Recorded
from fakeserver.fidelity.trace.rows import Page, Values, compare, matches, meets
from fakeserver.query import RECORDED_AT, Condition, Query
from fakeserver.scenario import EventId


class Answered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A recorded request, with the rows of its answer (None for one without rows: a count)."""

    recorded: Recorded
    page: Page | None


Kind = Literal["refused", "limit", "twice", "condition", "order"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one answer, read in one way: a sentence, and what it is about.

    `rows` are the events in question, `field` the one that a condition is about.
    """

    kind: Kind
    says: str
    rows: tuple[EventId, ...] = ()
    field: str = ""


class Contradiction(msgspec.Struct, frozen=True, kw_only=True):
    """What nothing explains: a sentence, and the places of the requests that show it (from 0).

    The last of them is the one that the sentence calls "it".
    """

    says: str
    places: tuple[int, ...]


class Visibility(msgspec.Struct, kw_only=True):
    """When an event became visible: after it was last missing, and when it was first shown.

    By the server's clock in ms, None where that is not known; and by the places of the requests.
    """

    missing: int | None = None
    shown: int | None = None
    not_before: Instant | None = None
    not_after: Instant | None = None


Events = Mapping[EventId, Values]
"""What is known of each event, by all that was recorded."""


def page_problem(query: Query, page: Page, events: Events, *, finer: bool) -> Problem | None:
    """Say what is wrong with one page by itself, or return None."""
    if query.limit is not None and page.raw > query.limit:
        says = f"it has {page.raw} rows, and at most {query.limit} were to come"
        return Problem(kind="limit", says=says)
    if len(set(page.ids)) < len(page.ids):
        twice = next(each for each in page.ids if page.ids.count(each) > 1)
        return Problem(kind="twice", says=f"the event {twice} stands on it twice", rows=(twice,))
    for event_id in page.ids:
        for condition in query.conditions:
            if meets(condition, events[event_id], finer=finer) is False:
                says = f"the event {event_id} does not meet {_words(condition)}"
                return Problem(kind="condition", says=says, rows=(event_id,), field=condition.field)
    for a, b in pairwise(in_order(query, page.ids)):
        if compare(query, events[a], events[b]) == 1:
            says = f"the event {b} stands behind {a}, and belongs before it"
            return Problem(kind="order", says=says, rows=(a, b))
    return None


def _words(condition: Condition) -> str:
    """Write a condition for people, a time as a time."""
    value = condition.value
    if condition.field == RECORDED_AT and isinstance(value, int):
        return f"{condition.field} {condition.operator} {to_text(value)}"
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{condition.field} {condition.operator} {shown}"


def in_order(query: Query, ids: tuple[EventId, ...]) -> tuple[EventId, ...]:
    """Return the rows of a page in the order in which the log was cut.

    A page before a cursor is cut from its end and shown the other way round.
    """
    return ids[::-1] if getattr(query, "side", "start") == "before" else ids


def had_to_hold(query: Query, page: Page, values: Values, events: Events) -> bool:
    """Whether an event that meets `query` had to be on `page`, if it was visible.

    A page is one stretch of the list: what belongs between its rows had to be on it; what belongs
    before the first, if nothing was skipped; what belongs behind the last, if there was room.
    """
    has_room = query.limit is None or page.raw < query.limit
    if not page.ids:
        return query.offset == 0 and has_room
    ordered = in_order(query, page.ids)
    behind_first = query.offset == 0 or compare(query, events[ordered[0]], values) == -1
    before_last = has_room or compare(query, values, events[ordered[-1]]) == -1
    return behind_first and before_last


def missing_from(query: Query, page: Page, events: Events, *, finer: bool) -> tuple[EventId, ...]:
    """Return the events that had to be on a page, had they been visible, and are not on it."""
    if page.raw != len(page.ids):
        return ()
    on_page = set(page.ids)
    return tuple(
        event_id
        for event_id, values in events.items()
        if event_id not in on_page
        and matches(query, values, finer=finer)
        and had_to_hold(query, page, values, events)
    )


def check_all(
    answered: Sequence[Answered],
    read: Iterable[tuple[int, Query | None]],
    events: Events,
    missing: Callable[[Query, Page], Iterable[EventId]],
) -> tuple[dict[EventId, Visibility], Contradiction | None]:
    """Return when each event became visible, or the contradiction that comes first.

    `read` are places of requests, each with what it means; no other is looked at. `missing` is
    `missing_from` of these events.
    """
    found = {event_id: Visibility() for event_id in events}
    for place, query in read:
        page = answered[place].page
        if page is None:
            continue
        for event_id in page.ids:
            _note_shown(found[event_id], place, answered)
        for event_id in () if query is None else missing(query, page):
            _note_missing(found[event_id], place, answered)
    return found, _first_contradiction(found, answered)


def _note_shown(visibility: Visibility, place: int, answered: Sequence[Answered]) -> None:
    recorded = answered[place].recorded
    if visibility.shown is None or recorded.is_before(answered[visibility.shown].recorded):
        visibility.shown = place
    if recorded.seen_until is not None:
        known = visibility.not_after
        visibility.not_after = (
            recorded.seen_until if known is None else min(known, recorded.seen_until)
        )


def _note_missing(visibility: Visibility, place: int, answered: Sequence[Answered]) -> None:
    recorded = answered[place].recorded
    if visibility.missing is None or answered[visibility.missing].recorded.is_before(recorded):
        visibility.missing = place
    if recorded.seen_from is not None:
        known = visibility.not_before
        visibility.not_before = (
            recorded.seen_from if known is None else max(known, recorded.seen_from)
        )


def _first_contradiction(
    found: dict[EventId, Visibility], answered: Sequence[Answered]
) -> Contradiction | None:
    worst: Contradiction | None = None
    for event_id, visibility in found.items():
        if visibility.shown is None or visibility.missing is None:
            continue
        shown, missing = answered[visibility.shown], answered[visibility.missing]
        if shown.recorded.is_before(missing.recorded) and (
            worst is None or visibility.missing < worst.places[-1]
        ):
            worst = Contradiction(
                says=f"the event {event_id} was shown, and later missing from a page that had to "
                "hold it",
                places=(visibility.shown, visibility.missing),
            )
    return worst
