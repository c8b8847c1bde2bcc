"""Freshness and snapshots, worked out slowly: for `brute_force`.

Both speak of polls as a whole. A poll proves nothing that met a fault or did not come to an end of
the client's own, and neither does one that began or ended in the middle of a walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fakeserver.dialects import find_dialect
from fakeserver.history import Delivered, Exchange, PollEnded, PollStarted, Slept
from fakeserver.scenario import EventId, LoggedEvent

from .brute_evidence import (
    Case,
    asked_for,
    event_of,
    failed,
    is_sound,
    lateness,
    meaning,
    out_of_reach,
    promised_lateness,
    steps,
)

Placed = tuple[int, object]
"""A step with its place in the history."""


class Polled(NamedTuple):
    """A poll: its number from 1, the steps, when it began, and how it ended, if that is told."""

    number: int
    steps: list[Placed]
    start: int
    ending: str | None

    def told(self, kind: Any) -> list[Any]:
        return [step for _, step in self.steps if isinstance(step, kind)]


def polls(case: Case) -> list[Polled]:
    found: list[list[Placed]] = []
    for place, step in enumerate(case.history):
        if isinstance(step, PollStarted):
            found.append([])
        if found:
            found[-1].append((place, step))
    return [polled(number, inside) for number, inside in enumerate(found, start=1)]


def polled(number: int, inside: list[Placed]) -> Polled:
    endings = [step.ending for _, step in inside if isinstance(step, PollEnded)]
    start = inside[0][1]
    assert isinstance(start, PollStarted)
    return Polled(number, inside, start.at, endings[-1] if endings else None)


def went_well(poll: Polled) -> bool:
    if any(failed(step) or step.fault or step.as_of is not None for step in poll.told(Exchange)):
        return False
    return poll.ending in ("returned", "slept")


def slept_into(all_polls: list[Polled], poll: Polled) -> bool:
    """Whether the client slept from the poll before into this one."""
    return poll.number > 1 and all_polls[poll.number - 2].ending == "slept"


# Freshness


def late(case: Case) -> Iterator[EventId]:
    """An event that had been visible for the delay when a poll began, and was not delivered in it.

    Or for which the client slept too long, in polls that began then.
    """
    if case.promise.delay_ms_max is None:
        return
    for event in case.scenario.events:
        places = [
            place
            for place, step in enumerate(case.history)
            if isinstance(step, Delivered) and step.event_id == event.id
        ]
        in_time = lateness(case, event) <= promised_lateness(case)
        if places and in_time and not out_of_reach(case, event) and kept(case, event, places[0]):
            yield event.id


def kept(case: Case, event: LoggedEvent, place: int) -> bool:
    """Whether the client kept an event waiting that it first delivered at that place."""
    delay = case.promise.delay_ms_max or 0
    all_polls = polls(case)
    due = [
        poll
        for poll in all_polls
        if poll.start >= event.visible_at + delay and poll.steps[0][0] < place and went_well(poll)
    ]
    missed = [
        poll
        for poll in due
        if poll.steps[-1][0] < place
        and poll.ending == "returned"
        and not slept_into(all_polls, poll)
    ]
    slept = max([slept_on(event, place, run) for run in in_a_row(due)], default=0)
    dialect = find_dialect(case.scenario.dialect)
    is_limited = dialect.rate_limit(dialect.settings(case.scenario.settings)) is not None
    return bool(missed) or (slept > delay and not is_limited)


def in_a_row(some: list[Polled]) -> Iterator[list[Polled]]:
    """Cut a list of polls where one is missing: what was read may be gone with it."""
    run: list[Polled] = []
    for poll in some:
        if run and run[-1].number + 1 != poll.number:
            yield run
            run = []
        run.append(poll)
    if run:
        yield run


def slept_on(event: LoggedEvent, place: int, run: list[Polled]) -> int:
    """How long the client slept in these polls once it had read the event, until that place."""
    taken = [pair for poll in run for pair in poll.steps if pair[0] < place]
    reads = [at for at, step in taken if isinstance(step, Exchange) and event.id in step.event_ids]
    return sum(
        step.ms for at, step in taken if isinstance(step, Slept) and at > min(reads, default=at)
    )


# Snapshots


def whole_polls(case: Case) -> Iterator[Polled]:
    """The polls that show a snapshot: nothing went wrong, and they hold whole walks alone."""
    all_polls = polls(case)
    for poll in all_polls:
        ends_whole = all(begins_anew(case, all_polls, p) for p in all_polls[poll.number :][:1])
        if went_well(poll) and begins_anew(case, all_polls, poll) and ends_whole:
            yield poll


def begins_anew(case: Case, all_polls: list[Polled], poll: Polled) -> bool:
    """Whether a walk begins with the poll: it was called, or asks what the client first asked."""
    if not slept_into(all_polls, poll):
        return True
    asked, first = poll.told(Exchange), steps(case, Exchange)
    return bool(asked) and asked[0].target == first[0].target


def walks(poll: Polled) -> Iterator[list[EventId]]:
    """The deliveries of a poll; an endless client may walk several times, and sleeps in between."""
    walk: list[EventId] = []
    for _, step in poll.steps:
        if isinstance(step, Delivered):
            walk.append(step.event_id)
        if isinstance(step, Slept) and poll.ending == "slept":
            yield walk
            walk = []
    yield walk


def lacking(case: Case, event: LoggedEvent) -> Polled | None:
    """The first snapshot that lacks an event which was there when its poll began."""
    for poll in whole_polls(case):
        delivered = [step.event_id for step in poll.told(Delivered)]
        served = [event_id for step in poll.told(Exchange) for event_id in step.event_ids]
        if poll.start < event.visible_at or event.id in delivered or not asked_for(case, event):
            continue
        if event.id in served or not out_of_reach(case, event):
            return poll
    return None


def lost_in_snapshot(case: Case) -> Iterator[EventId]:
    for event in case.scenario.events:
        if lacking(case, event) is not None:
            yield event.id


def cause_in_snapshot(case: Case, event: LoggedEvent) -> str:
    """Why the first snapshot that lacks the event does: by the requests of that poll alone."""
    poll = lacking(case, event)
    assert poll is not None
    asked = poll.told(Exchange)
    if any(event.id in step.event_ids for step in asked):
        return "served-not-delivered"
    queries = [meaning(case, step) for step in asked if is_sound(step)]
    covering = [q for q in queries if q is not None and q.endpoint == "list" and q.matches(event)]
    return "cut-by-limit" if covering else "never-asked"


def duplicated_in_snapshot(case: Case) -> Iterator[EventId]:
    for poll in whole_polls(case):
        for ids in walks(poll):
            yield from (event_id for place, event_id in enumerate(ids) if event_id in ids[:place])


def walked(case: Case) -> Iterator[list[LoggedEvent]]:
    """The events of each walk in the order in which they came first, without news of its poll."""
    for poll in whole_polls(case):
        for ids in walks(poll):
            found = [event for i in dict.fromkeys(ids) if (event := event_of(case, i)) is not None]
            yield [event for event in found if event.visible_at <= poll.start]
