"""Whether one assignment of visibility times explains recorded answers, read in one certain way.

An event that is shown was visible by then; one that is missing from a page which had to hold it was
not visible yet. Where the second comes after the first, nothing explains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec

from fakeserver.clock import Instant
from fakeserver.fidelity.trace.recordings import Recorded
from fakeserver.fidelity.trace.rows import SCOPED_ONLY, Page, Values, compare, matches
from fakeserver.query import Query
from fakeserver.scenario import EventId


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded request, with the rows of its answer (None for one without rows: a count)."""

    recorded: Recorded
    page: Page | None
    count: int | None = None


class Contradiction(msgspec.Struct, frozen=True, kw_only=True):
    """What nothing explains: a sentence, and the places of the requests that show it (from 0)."""

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


def page_problem(query: Query, page: Page, *, finer: bool) -> str | None:
    """Say what is wrong with one page by itself, or return None."""
    if query.limit is not None and page.raw > query.limit:
        return f"it has {page.raw} rows, and at most {query.limit} were to come"
    if len(set(page.ids)) < len(page.ids):
        twice = next(each for each in page.ids if page.ids.count(each) > 1)
        return f"the event {twice} stands on it twice"
    for event_id, values in zip(page.ids, page.values, strict=True):
        for condition in query.conditions:
            if matches(Query(conditions=(condition,)), values, finer=finer) is False:
                return f"the event {event_id} does not meet {_words(condition)}"
    ordered = in_order(query, list(zip(page.ids, page.values, strict=True)))
    for (id_a, a), (id_b, b) in pairwise(ordered):
        if compare(query, a, b) == 1:
            return f"the event {id_b} stands behind {id_a}, and belongs before it"
    return None


def _words(condition: Any) -> str:
    value = condition.value
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{condition.field} {condition.operator} {shown}"


def in_order(query: Query, rows: list[Any]) -> list[Any]:
    """Return the rows of a page in the order in which the log was cut.

    A page before a cursor is cut from its end and shown the other way round.
    """
    return rows[::-1] if getattr(query, "side", "start") == "before" else rows


def had_to_hold(query: Query, page: Page, values: Values) -> bool:
    """Whether an event that meets `query` had to be on `page`, if it was visible.

    A page is one stretch of the list: what belongs between its rows had to be on it; what belongs
    before the first, if nothing was skipped; what belongs behind the last, if there was room.
    """
    has_room = query.limit is None or page.raw < query.limit
    if not page.values:
        return query.offset == 0 and has_room
    ordered = in_order(query, list(page.values))
    behind_first = query.offset == 0 or compare(query, ordered[0], values) == -1
    before_last = has_room or compare(query, values, ordered[-1]) == -1
    return behind_first and before_last


def check_all(
    answered: Sequence[Answered],
    queries: Sequence[Query | None],
    events: dict[EventId, Values],
    *,
    finer: bool,
) -> tuple[dict[EventId, Visibility], Contradiction | None]:
    """Return when each event became visible, or the contradiction that comes first."""
    found = {event_id: Visibility() for event_id in events}
    events = _with_scope(answered, queries, events)
    for place, (each, query) in enumerate(zip(answered, queries, strict=True)):
        for event_id in each.page.ids if each.page is not None else ():
            _note_shown(found[event_id], place, answered)
        if query is None or each.page is None or each.page.raw != len(each.page.ids):
            continue
        on_page = set(each.page.ids)
        for event_id, values in events.items():
            if (
                event_id not in on_page
                and matches(query, values, finer=finer)
                and had_to_hold(query, each.page, values)
            ):
                _note_missing(found[event_id], place, answered)
    return found, _first_contradiction(found, answered)


def _with_scope(
    answered: Sequence[Answered],
    queries: Sequence[Query | None],
    events: dict[EventId, Values],
) -> dict[EventId, Values]:
    """Note which events the list of the whole log has shown: others may belong to no such list."""
    listed: set[EventId] = set()
    for each, query in zip(answered, queries, strict=True):
        if query is None or each.page is None:
            continue
        if any(condition.field == SCOPED_ONLY for condition in query.conditions):
            listed.update(each.page.ids)
    return {
        event_id: {**values, SCOPED_ONLY: False} if event_id in listed else values
        for event_id, values in events.items()
    }


def _note_shown(visibility: Visibility, place: int, answered: Sequence[Answered]) -> None:
    recorded = answered[place].recorded
    if visibility.shown is None or recorded.ends < answered[visibility.shown].recorded.ends:
        visibility.shown = place
    if recorded.seen_until is not None:
        known = visibility.not_after
        visibility.not_after = (
            recorded.seen_until if known is None else min(known, recorded.seen_until)
        )


def _note_missing(visibility: Visibility, place: int, answered: Sequence[Answered]) -> None:
    recorded = answered[place].recorded
    if visibility.missing is None or recorded.starts > answered[visibility.missing].recorded.starts:
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
        if missing.recorded.starts >= shown.recorded.ends and (
            worst is None or visibility.missing < worst.places[-1]
        ):
            worst = Contradiction(
                says=f"the event {event_id} was shown, and later missing from a page that had to "
                "hold it",
                places=(visibility.shown, visibility.missing),
            )
    return worst
