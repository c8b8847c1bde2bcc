"""Snapshots: what a poll owes that promises everything visible at its start, once.

Each poll is judged by itself, in the storm as in the calm: the calm only makes sure that there are
three polls without faults, crashes and restarts, when everything is visible. So neither lateness
nor what the client remembers decides anything: what the log shows when a poll begins is owed in
that poll, however late it came, and delivered again in the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fakeserver.clock import clock_text
from fakeserver.history import Delivered, Slept
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence, PollView
from fakeserver.verifier.impossible import is_out_of_reach
from fakeserver.verifier.proofs import Loss, promised
from fakeserver.verifier.verdict import lines_of

WORDS_MAX = 3
"""Different requests of a poll that a sentence names."""


class Snapshot(NamedTuple):
    """A poll that can be judged, and the places of its deliveries, walk by walk.

    There are several walks only where an endless client slept between them, within one poll.
    """

    poll: PollView
    walks: tuple[tuple[int, ...], ...]


def snapshots(evidence: Evidence) -> Iterator[Snapshot]:
    """Yield the polls that show a whole snapshot.

    None is shown by a poll that met a fault, raised, was killed or stopped
    (`Evidence.is_undisturbed`). Where a poll began or ended in a sleep of the client, that may have
    been in the middle of a walk; it was not, if the poll that begins there asks first what the very
    first poll asked first.
    """
    first = evidence.exchanges[0] if evidence.exchanges else None
    anew = {
        poll.number
        for poll in evidence.polls
        if evidence.was_called(poll)
        or (
            first is not None
            and poll.exchanges
            and evidence.exchange(poll.exchanges[0]).target == evidence.exchange(first).target
        )
    }
    walks = _walks(evidence)
    for poll in evidence.polls:
        ends_whole = poll is evidence.polls[-1] or poll.number + 1 in anew
        if poll.number in anew and ends_whole and evidence.is_undisturbed(poll):
            yield Snapshot(poll, tuple(tuple(walk) for walk in walks[poll.number]))


def _walks(evidence: Evidence) -> dict[int, list[list[int]]]:
    """Return the places of the deliveries of each poll, cut at sleeps where it ended in one."""
    ended = {poll.number: poll.ended for poll in evidence.polls}
    walks: dict[int, list[list[int]]] = {poll.number: [[]] for poll in evidence.polls}
    for place, step in enumerate(evidence.history):
        number = evidence.poll_of[place]
        if isinstance(step, Delivered):
            walks[number][-1].append(place)
        elif isinstance(step, Slept) and number:
            end = ended[number]
            if end is not None and end.ending == "slept":
                walks[number].append([])
    return walks


def repeats(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """Yield the places of a first delivery and of each repeat of it in one walk."""
    for snapshot in snapshots(evidence):
        for walk in snapshot.walks:
            seen: dict[EventId, int] = {}
            for place in walk:
                first = seen.setdefault(evidence.delivered(place).event_id, place)
                if first != place:
                    yield first, place


def firsts(evidence: Evidence) -> Iterator[list[int]]:
    """Yield for each walk the places at which events that were there at its start came first."""
    for snapshot in snapshots(evidence):
        for walk in snapshot.walks:
            seen: dict[EventId, int] = {}
            for place in walk:
                event = evidence.log.find(evidence.delivered(place).event_id)
                if event is not None and event.visible_at <= snapshot.poll.started_at:
                    seen.setdefault(event.id, place)
            yield list(seen.values())


def losses(evidence: Evidence) -> Iterator[Loss]:
    """Yield for each event the first snapshot that lacks it, in the order of the log.

    A snapshot lacks what was visible when its poll began, lies in the scope of the client's
    requests, and was not delivered in that poll. Unless a page of that poll held it, it lacks
    nothing that no request can return. What appeared during the poll may be there or not.
    """
    lacked: dict[EventId, PollView] = {}
    for poll, walks in snapshots(evidence):
        there = {evidence.delivered(place).event_id for walk in walks for place in walk}
        for event in evidence.scenario.events:
            if event.visible_at <= poll.started_at and event.id not in there:
                unread = not _pages_with(evidence, poll, event)
                if unread and is_out_of_reach(evidence, event):
                    continue
                lacked.setdefault(event.id, poll)
    for event in evidence.scenario.events:
        if event.id in lacked and evidence.in_scope(event):
            yield _explained(evidence, event, lacked[event.id])


def _pages_with(evidence: Evidence, poll: PollView, event: LoggedEvent) -> list[int]:
    return [place for place in poll.exchanges if event.id in evidence.exchange(place).event_ids]


def _explained(evidence: Evidence, event: LoggedEvent, poll: PollView) -> Loss:
    """Decide from the requests of `poll` alone why it did not deliver `event`, and prove it."""
    served = _pages_with(evidence, poll, event)
    if served:
        return _served(evidence, event, poll, served)
    asked = [place for place in poll.exchanges if _is_for_rows(evidence, place)]
    cut = [place for place in asked if _covers(evidence, place, event)]
    if cut:
        return _cut(evidence, event, poll, cut[-1])
    words = list(dict.fromkeys(_words(evidence, place) for place in asked))
    if not words:
        said = "The poll sent no request for rows."
    elif len(words) <= WORDS_MAX:
        said = f"No request of the poll covered it: it asked for {lines_of(words)}."
    else:
        said = f"No request of the poll covered it: it asked for {words[0]}, then … {words[-1]}."
    return Loss(
        event=event,
        cause="never-asked",
        steps=tuple(asked[:WORDS_MAX]),
        why=(_there(evidence, event, poll), said),
        would="Begin every poll at the start of the log, not where the last one ended: a snapshot "
        "has all that is visible.",
    )


def _served(evidence: Evidence, event: LoggedEvent, poll: PollView, served: list[int]) -> Loss:
    name, rows = evidence.name(event.id), evidence.exchange(served[-1]).event_ids
    earlier = evidence.first_delivery.get(event.id, served[-1])
    known = (
        f" It was delivered in poll {evidence.poll_of[earlier]}, but each poll is a snapshot of "
        "its own."
        if evidence.poll_of[earlier] < poll.number
        else ""
    )
    return Loss(
        event=event,
        cause="served-not-delivered",
        steps=tuple(served),
        why=(
            _there(evidence, event, poll),
            f"{name} was row {rows.index(event.id) + 1} of {len(rows)} of a page in that poll, and "
            f"the client dropped it.{known}",
        ),
        would="Deliver every row of the log in every poll, whatever earlier polls delivered; drop, "
        "by its id, only what this poll has delivered.",
    )


def _cut(evidence: Evidence, event: LoggedEvent, poll: PollView, place: int) -> Loss:
    exchange = evidence.exchange(place)
    query = evidence.query(exchange)
    assert query is not None  # noqa: S101 - only understood requests are said to cover
    rows = len(exchange.event_ids)
    clamped = query.limit is not None and (query.limit_asked or 0) > query.limit
    return Loss(
        event=event,
        cause="cut-by-limit",
        steps=(place,),
        why=(
            _there(evidence, event, poll),
            f"The last request of the poll that covered it asked for {_words(evidence, place)}; "
            f"{rows} row{'' if rows == 1 else 's'} came, and {evidence.name(event.id)} was not "
            "among them.",
        ),
        allowed=promised(evidence, "limit", "A server may return fewer rows than were asked for")
        if clamped
        else None,
        would="Go on from the last row received, in the same poll, until a page brings nothing "
        "new; a short page does not prove the end.",
    )


def _there(evidence: Evidence, event: LoggedEvent, poll: PollView) -> str:
    return (
        f"{evidence.name(event.id)} (id {event.id}) was visible from "
        f"{clock_text(event.visible_at)} on, so it was there when poll {poll.number} began, at "
        f"{clock_text(poll.started_at)}."
    )


def _is_for_rows(evidence: Evidence, place: int) -> bool:
    query = evidence.query(evidence.exchange(place))
    return query is not None and query.endpoint == "list"


def _covers(evidence: Evidence, place: int, event: LoggedEvent) -> bool:
    query = evidence.query(evidence.exchange(place))
    return query is not None and query.matches(event)


def _words(evidence: Evidence, place: int) -> str:
    exchange = evidence.exchange(place)
    query = evidence.query(exchange)
    assert query is not None  # noqa: S101 - only requests for rows are put into words
    return evidence.words(query, exchange.at)
