"""What the client of an open world owes, worked out slowly: for `brute_force`.

Nobody hears how the polls of such a client end. So an event is owed only where a poll gave it a
chance: one that was over, began when the event could be read, asked for events of its kind, and
left nothing failed that might have brought it.
"""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.dialects import find_dialect
from fakeserver.history import Delivered, Exchange, PollStarted, Saved
from fakeserver.scenario import EventId, LoggedEvent

from .brute_evidence import (
    HOUR_MS,
    Case,
    asked_for,
    content,
    event_of,
    failed,
    is_sound,
    lacks,
    lateness,
    meaning,
    poll_at,
    promised_lateness,
    steps,
)


def excuse_in_open(case: Case, event: LoggedEvent) -> str | None:
    """Why the client need not have delivered an event, if there is a reason."""
    asked = [step for step in steps(case, Exchange) if is_for_rows(case, step)]
    if not asked or event.visible_at > asked[-1].at:
        return "not visible when it last asked"
    if lateness(case, event) > promised_lateness(case):
        return "too late"
    if not asked_for(case, event):
        return "outside of what was asked for"
    chances = [poll for poll in polls(case) if had_chance(case, poll, event)]
    if may_hold_back(case, event, chances):
        return "may be held back"
    return None if chances else "no chance yet"


def polls(case: Case) -> list[list[object]]:
    """The steps of each poll, its start first."""
    found: list[list[object]] = []
    for step in case.history:
        if isinstance(step, PollStarted):
            found.append([])
        if found:
            found[-1].append(step)
    return found


def start_of(poll: list[object]) -> int:
    assert isinstance(poll[0], PollStarted)
    return poll[0].at


def number_of(poll: list[object]) -> int:
    assert isinstance(poll[0], PollStarted)
    return poll[0].poll


def is_for_rows(case: Case, step: Exchange) -> bool:
    """Whether it asks for a page; where it was refused, its path must tell."""
    if step.method != "GET":
        return False
    query = meaning(case, step)
    if query is None:
        return step.target.split("?")[0] == find_dialect(case.scenario.dialect).list_path
    return query.endpoint == "list"


def had_chance(case: Case, poll: list[object], event: LoggedEvent) -> bool:
    """Whether a right client has read the event by the end of this poll."""
    asked = [step for step in poll if isinstance(step, Exchange) and is_for_rows(case, step)]
    if not asked or start_of(poll) < event.visible_at:
        return False
    if not whole_page(asked[-1]):
        return False  # who failed at last may come back to the same poll
    if poll == polls(case)[-1] and may_go_on(case, asked[-1]):
        return False
    if not any(is_sound(step) and is_of_kind(case, step, event) for step in asked):
        return False
    return not any(in_doubt(case, asked[number:], event) for number in range(len(asked)))


def whole_page(step: Exchange) -> bool:
    """Whether a page came whole, be it an old one."""
    return step.status == 200 and not failed(step)


def may_go_on(case: Case, step: Exchange) -> bool:
    """Whether a full page came: the walk may be under way."""
    query = meaning(case, step)
    return query is not None and query.limit is not None and len(step.event_ids) >= query.limit


def is_of_kind(case: Case, step: Exchange, event: LoggedEvent) -> bool:
    """Whether the filters of a request, all but its place in the log, admit the event."""
    query = meaning(case, step)
    assert query is not None
    return all(condition.holds(event) for condition in content(query.conditions))


def in_doubt(case: Case, asked: list[Exchange], event: LoggedEvent) -> bool:
    """Whether the first of these requests failed to bring the event, and no later one made up.

    Who only turns to the next page does not make up for the one before it.
    """
    first = asked[0]
    if is_sound(first):
        return False
    query = meaning(case, first)
    if whole_page(first):
        may_lack = first.as_of is not None and lacks(case, first, event)
    else:
        may_lack = query is None or query.matches(event)
    return may_lack and not any(makes_up(case, first, later, event) for later in asked[1:])


def makes_up(case: Case, first: Exchange, later: Exchange, event: LoggedEvent) -> bool:
    missed, query = meaning(case, first), meaning(case, later)
    if query is None or not is_sound(later) or not query.matches(event):
        return False
    return query.offset <= (0 if missed is None else missed.offset)


def may_hold_back(case: Case, event: LoggedEvent, chances: list[list[object]]) -> bool:
    """Whether a client that sorts by stamp may keep the event until nothing earlier can appear.

    It has delivered nothing later, and of the same stamp nothing before a poll that could read the
    rest. It waits as long as the promised lateness, or an hour where it shows that it holds back.
    """
    done = [
        (place, row)
        for place, step in enumerate(case.history)
        if isinstance(step, Delivered) and (row := event_of(case, step.event_id)) is not None
    ]
    stamps = [row.recorded_at for _, row in done if row.recorded_at is not None]
    newest = max(stamps, default=None)
    if event.recorded_at is None or (newest is not None and event.recorded_at < newest):
        return False
    if event.recorded_at == newest and chances:
        first = min(place for place, row in done if row.recorded_at == newest)
        if poll_at(case, first) <= number_of(chances[-1]):
            return False
    asked = [step for step in steps(case, Exchange) if is_for_rows(case, step)]
    read_at = start_of(chances[-1]) if chances else asked[-1].at
    patience = max(promised_lateness(case), HOUR_MS if shows_patience(case, newest) else 0)
    return read_at - event.recorded_at < patience


def shows_patience(case: Case, newest: int | None) -> bool:
    """Whether the client delivered in a later poll what it was served, or keeps the last rows."""
    pages = [(n, step) for n, step in enumerate(case.history) if isinstance(step, Exchange)]
    for number, page in pages:
        for event_id in page.event_ids:
            places = [
                place
                for place, step in enumerate(case.history)
                if isinstance(step, Delivered) and step.event_id == event_id
            ]
            if places and poll_at(case, places[0]) > poll_at(case, number):
                return True
    last = [page.event_ids for _, page in pages if page.event_ids][-1:]
    rows = [event_of(case, event_id) for ids in last for event_id in ids]
    kept = [row.recorded_at for row in rows if row is not None and row.recorded_at is not None]
    return any(newest is None or stamp > newest for stamp in kept)


def repeats_excused(case: Case, event_id: EventId) -> int:
    """How many repeats failed or refused requests may have brought about.

    Any of them may have ended a poll; what that poll was served before it, and no save followed,
    is delivered again by whoever starts again from the last save.
    """
    count = 0
    for poll in polls(case):
        for number, step in enumerate(poll):
            if isinstance(step, Exchange) and (failed(step) or step.status >= 400):
                count += event_id in served_since_save(poll[:number])
    return count


def served_since_save(taken: list[object]) -> Iterator[EventId]:
    for step in reversed(taken):
        if isinstance(step, Saved):
            return
        if isinstance(step, Exchange):
            yield from step.event_ids
