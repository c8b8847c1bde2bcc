"""LATE: an event was delivered later than the promise allows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fakeserver.clock import clock_text, duration_text
from fakeserver.history import Slept
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.evidence import Evidence, PollView
from fakeserver.verifier.impossible import is_out_of_reach
from fakeserver.verifier.rules.rule import Rule, events_text
from fakeserver.verifier.verdict import Finding


class _Overdue(NamedTuple):
    """An event, its delivery's place, the poll that should have delivered it, and the sleep, ms."""

    event: LoggedEvent
    place: int
    poll: PollView
    slept_ms: int


def late(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of events that the client kept waiting for longer than `Promise.delay_ms_max`.

    What is measured, in ms of simulated time: an event is *due* `delay_ms_max` after it became
    visible, and a poll that begins when it is due, or later, must deliver it. So it is late when

    - a poll for which the client was called when the event was due ended, and had not delivered
      it, nor had an earlier one; or
    - in polls that began when it was due, the client had read it, and then slept for more than
      `delay_ms_max` in all before it delivered it. An endless client, which sleeps from poll to
      poll, is measured by this alone. Sleeping before an event is read is charged to nobody: that
      may be polite.

    That is fair because the runner, and not the client, decides when polls begin: time in which
    nobody calls the client is never charged, be it before its first chance or after. Nor is what a
    poll costs: requests, slow answers and pauses that the server orders or a limit on requests
    suggests. No chance is a poll that met a fault, raised, was killed or stopped
    (`Evidence.is_undisturbed`), nor one that the client slept into: it may begin in the middle of a
    walk. Never late are events that were missing longer than promised, those that no request need
    return, and those that were not delivered at all: of them `LOST` speaks. In an open world nobody
    hears when the client delivers, so the promise is refused there (`judge`).

    All right clients but those that hold back keep a delay of 0. A client that holds back (theorem
    T3) keeps one as long as it holds, and none that is shorter: impossibility I6.
    """
    allowed_ms = evidence.promise.delay_ms_max
    if allowed_ms is None:
        return
    starts = [poll.started_at for poll in evidence.polls]
    sleeps = _own_sleeps(evidence)
    overdue = []
    for event in evidence.scenario.events:
        due = bisect_left(starts, event.visible_at + allowed_ms)
        found = _overdue(evidence, event, evidence.polls[due:], sleeps, allowed_ms)
        if found is not None:
            overdue.append(found)
    if not overdue:
        return
    first = overdue[0]
    was_served = _was_served(evidence, first)
    yield Finding(
        rule="LATE",
        event_ids=tuple(found.event.id for found in overdue),
        steps=(evidence.poll_of.index(first.poll.number), first.place),
        message=f"{events_text(len(overdue))} delivered later than the promised delay of "
        f"{duration_text(allowed_ms)}",
        why=tuple(_why(evidence, first, was_served=was_served)),
        would="Deliver an event in the poll that reads it. Who holds events back can promise no "
        "delay shorter than that; a strict order needs it (theorem T3, impossibility I6)."
        if was_served
        else "Read in every poll whatever is visible by then, and deliver it before the poll ends.",
    )


def _overdue(
    evidence: Evidence,
    event: LoggedEvent,
    polls: Iterable[PollView],
    sleeps: list[tuple[int, int]],
    allowed_ms: int,
) -> _Overdue | None:
    """Return how the client kept `event` waiting, which was due in `polls`; None if it did not."""
    place = evidence.first_delivery.get(event.id)
    if place is None or evidence.late_by_ms(event) > evidence.late_by_ms_max:
        return None
    slept_ms, read_at = 0, None
    for poll in polls:
        if poll.number > evidence.poll_of[place]:
            return None
        if not evidence.is_undisturbed(poll):
            slept_ms, read_at = 0, None  # what it had read may be gone with that poll
            continue
        if read_at is None:
            read_at = next((at for at in poll.exchanges if _served(evidence, at, event)), None)
        if read_at is not None:
            slept_ms += sum(
                ms
                for at, ms in sleeps
                if read_at < at < place and evidence.poll_of[at] == poll.number
            )
        is_over = poll.number < evidence.poll_of[place] and _is_whole_call(evidence, poll)
        if (is_over or slept_ms > allowed_ms) and not is_out_of_reach(evidence, event):
            return _Overdue(event, place, poll, 0 if is_over else slept_ms)
    return None


def _is_whole_call(evidence: Evidence, poll: PollView) -> bool:
    """Whether the client was called for `poll` and returned from it."""
    is_return = poll.ended is not None and poll.ended.ending == "returned"
    return is_return and evidence.was_called(poll)


def _served(evidence: Evidence, place: int, event: LoggedEvent) -> bool:
    return event.id in evidence.exchange(place).event_ids


def _own_sleeps(evidence: Evidence) -> list[tuple[int, int]]:
    """Return place and length (ms) of each sleep that nothing but the client decided."""
    if evidence.dialect.rate_limit(evidence.settings) is not None:
        return []  # pauses keep that limit
    steps = enumerate(evidence.history)
    return [(place, step.ms) for place, step in steps if isinstance(step, Slept)]


def _was_served(evidence: Evidence, found: _Overdue) -> bool:
    """Whether the poll that should have delivered an event, or one before it, had read it."""
    return any(
        _served(evidence, place, found.event)
        for place in evidence.exchanges
        if evidence.poll_of[place] <= found.poll.number and place < found.place
    )


def _why(evidence: Evidence, found: _Overdue, *, was_served: bool) -> Iterator[str]:
    event, poll = found.event, found.poll
    name, at = evidence.name(event.id), poll.started_at
    age = duration_text(at - event.visible_at)
    yield f"{name} (id {event.id}) was visible from {clock_text(event.visible_at)} on."
    begun = f"Poll {poll.number} began at {clock_text(at)}, {age} later"
    read = "read it" if was_served else "could read it"
    if found.slept_ms:
        slept = duration_text(found.slept_ms)
        yield f"{begun}, and {read}; the client slept for {slept} before it delivered {name}."
    else:
        yield f"{begun}, and {read}, but ended without delivering it."
    last = evidence.history[found.place].at
    yield f"{name} was delivered in poll {evidence.poll_of[found.place]}, at {clock_text(last)}."


LATE = Rule(
    name="LATE",
    accuses="An event that had been visible for as long as the promised delay when a poll began "
    "was not delivered by the end of that poll, or only after the client had slept on it for "
    "longer.",
    spares="Time in which nobody calls the client; polls with faults, or that were killed or "
    "raised; what requests, slow answers and ordered pauses cost; events later than promised, or "
    "never delivered (LOST).",
    source="L1 'delivery deadline', theorem T3, impossibility I6",
    apply=late,
)
