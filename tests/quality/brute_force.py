"""A judge that is slow and obvious: each rule as its definition reads, and nothing else.

Written from the design's table of rules and from what the docstrings of the rules promise. Where it
and the real judge disagree, one of the two has a bug: `test_brute_force`.

A rule is a function from a `Case` to what it accuses: ids of events, or places in the history
(from 0) where it speaks of what the client did. To add a rule, write that function and put it into
`RULES`; `FIRST_ONLY` says that the real one tells no more than the first it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from fakeserver.dialects import find_dialect
from fakeserver.history import (
    AnyStep,
    Delivered,
    Exchange,
    Killed,
    PollEnded,
    PollStarted,
    Restarted,
    Saved,
    Slept,
)
from fakeserver.scenario import EventId, LoggedEvent

from .brute_evidence import (
    Case,
    event_of,
    excuse_in_plan,
    failed,
    is_sound,
    lateness,
    meaning,
    out_of_reach,
    poll_at,
    promised_lateness,
    steps,
    was_delivered,
    was_served,
)
from .brute_open import excuse_in_open, repeats_excused
from .brute_promises import (
    cause_in_snapshot,
    duplicated_in_snapshot,
    late,
    lost_in_snapshot,
    walked,
)

NOBODYS_FAULT = ("limit-over-max", "no-role", "no-such-event", "no-such-parent")
"""Refusals that a right client may meet."""
ANYBODYS = ("unknown-path", "no-token")
"""Refusals that need not be the client's where anybody may ask: in an open world."""


# The rules


def lost(case: Case) -> Iterator[EventId]:
    """An owed event that was not delivered by the end of the calm, or of a snapshot's poll."""
    if case.promise.mode == "snapshot":
        yield from lost_in_snapshot(case)
        return
    for event in case.scenario.events:
        if not was_delivered(case, event) and excuse(case, event) is None:
            yield event.id


def excuse(case: Case, event: LoggedEvent) -> str | None:
    """Why a client need not have delivered an event, if there is a reason."""
    reason = excuse_in_open(case, event) if case.scenario.is_open else excuse_in_plan(case, event)
    if reason is None and out_of_reach(case, event) and not was_served(case, event):
        return "out of reach"
    return reason


def duplicated(case: Case) -> Iterator[EventId]:
    """A repeat that the promise forbids."""
    if case.promise.delivery == "at-least-once":
        return
    if case.promise.mode == "snapshot":
        yield from duplicated_in_snapshot(case)
        return
    for event_id in {step.event_id for step in steps(case, Delivered)}:
        places = [
            place
            for place, step in enumerate(case.history)
            if isinstance(step, Delivered) and step.event_id == event_id
        ]
        repeats = list(pairwise(places))
        if case.promise.delivery == "effectively-once":
            repeats = [pair for pair in repeats if not was_stopped(case, *pair)]
            if case.scenario.is_open:
                repeats = repeats[repeats_excused(case, event_id) :]
        if repeats:
            yield event_id


def was_stopped(case: Case, before: int, again: int) -> bool:
    """Whether the client was stopped between two deliveries, and had not saved until then."""
    for step in case.history[before:again]:
        if isinstance(step, Saved):
            return False
        if isinstance(step, (Killed, Restarted)) or (
            isinstance(step, PollEnded) and step.ending == "raised"
        ):
            return True
    return False


def invented(case: Case) -> Iterator[EventId]:
    """An id that the log never held."""
    for step in steps(case, Delivered):
        if event_of(case, step.event_id) is None:
            yield step.event_id


def altered(case: Case) -> Iterator[EventId]:
    """A delivered field that differs from what was served; more fields are welcome."""
    dialect = find_dialect(case.scenario.dialect)
    settings = dialect.settings(case.scenario.settings)
    for step in steps(case, Delivered):
        event = event_of(case, step.event_id)
        if event is None or step.event is None:
            continue
        served = dialect.render_event(event, settings)
        shared = set(served) & set(step.event) - {"id"}
        if any(step.event[name] != served[name] for name in shared):
            yield event.id


def out_of_order(case: Case) -> Iterator[EventId]:
    """A first delivery after that of an event that should have come later."""
    if case.promise.order == "none":
        return
    for events in walked(case) if case.promise.mode == "snapshot" else [in_time(case)]:
        done: list[LoggedEvent] = []
        for event in events:
            if case.promise.order == "recorded" and event.recorded_at is None:
                continue
            if any(comes_first(case, event, other) for other in done):
                yield event.id
            done.append(event)


def in_time(case: Case) -> list[LoggedEvent]:
    """The events in the order in which they were delivered first, but for those too late."""
    ids = dict.fromkeys(step.event_id for step in steps(case, Delivered))
    found = [event for event_id in ids if (event := event_of(case, event_id)) is not None]
    return [event for event in found if lateness(case, event) <= promised_lateness(case)]


def comes_first(case: Case, event: LoggedEvent, other: LoggedEvent) -> bool:
    if case.promise.order == "recorded":
        return (event.recorded_at or 0) < (other.recorded_at or 0)
    if isinstance(event.id, int) and isinstance(other.id, int):
        return event.id < other.id
    numbers = str(event.id).isdecimal(), str(other.id).isdecimal()
    if all(numbers) and int(event.id) != int(other.id):
        return int(event.id) < int(other.id)
    return str(event.id) < str(other.id) if numbers[0] == numbers[1] else numbers[0]


def stuck(case: Case) -> Iterator[int]:
    """A poll that had to be stopped."""
    for place, step in enumerate(case.history):
        if isinstance(step, PollEnded) and step.ending == "stopped":
            yield place


def crashed(case: Case) -> Iterator[int]:
    """A poll of the calm that raised, unless it was told to ask more slowly."""
    if case.scenario.is_open:
        return
    for place, step in enumerate(case.history):
        if not isinstance(step, PollEnded) or step.ending != "raised":
            continue
        asked = [
            other
            for number, other in enumerate(case.history)
            if isinstance(other, Exchange) and poll_at(case, number) == step.poll
        ]
        in_calm = step.poll > case.scenario.calm_from
        if in_calm and all(other.status != 429 for other in asked):
            yield place


def illegal_request(case: Case) -> Iterator[int]:
    """A request that the profile does not accept."""
    for place, step in enumerate(case.history):
        if isinstance(step, Exchange) and step.problem is not None:
            code = step.problem.split(": ")[0]
            anybodys = case.scenario.is_open and code in ANYBODYS
            if code not in NOBODYS_FAULT and not anybodys:
                yield place


def impolite(case: Case) -> Iterator[int]:
    """A request sent again too soon, or again and again though nothing is new."""
    if case.scenario.is_open:
        return  # anybody may have sent it
    for first, poll in polls_at(case):
        for number, step in enumerate(poll):
            taken = poll[: number + 1]
            if isinstance(step, Exchange) and (too_soon(taken) or hammers(case, taken, poll)):
                yield first + number


def polls_at(case: Case) -> Iterator[tuple[int, list[AnyStep]]]:
    """The steps of each poll, its start first, with the place of that in the history."""
    starts = [n for n, step in enumerate(case.history) if isinstance(step, PollStarted)]
    for start, end in pairwise([*starts, len(case.history)]):
        yield start, list(case.history[start:end])


def too_soon(taken: list[AnyStep]) -> bool:
    """Whether a poll that has got so far was told, of its last request, to wait until later.

    Who counts from the Date of the answer, which has no fractions, counts from that second.
    """
    for step in asked_before(taken):
        was_told = step.retry_after_s is not None and step.fault != "truncated-body"
        since = step.at // 1000 * 1000
        if was_told and taken[-1].at < since + (step.retry_after_s or 0) * 1000:
            return True
    return False


def asked_before(taken: list[AnyStep]) -> list[Exchange]:
    """The requests that were the same as the last one."""
    last = taken[-1]
    assert isinstance(last, Exchange)
    return [
        step
        for step in taken[:-1]
        if isinstance(step, Exchange) and (step.method, step.target) == (last.method, last.target)
    ]


def hammers(case: Case, taken: list[AnyStep], poll: list[AnyStep]) -> bool:
    """Whether the last request is the 20th that brought nothing new, with less than 1 s of sleep.

    New is what the poll had not been served before. Of one that was stopped that is no news.
    """
    idle: list[int] = []
    for number, step in enumerate(taken):
        if isinstance(step, Exchange) and is_news(taken[:number], step):
            idle = []
        elif step in (taken[-1], *asked_before(taken)) and is_idle_page(case, step):
            idle.append(number)
    if idle[-1:] != [len(taken) - 1] or len(idle) < 20:
        return False
    slept_ms = sum(step.ms for step in taken[idle[-20] :] if isinstance(step, Slept))
    ends = [step.ending for step in poll if isinstance(step, PollEnded)]
    return slept_ms < 1000 and ends[-1:] != ["stopped"]


def is_news(taken: list[AnyStep], step: Exchange) -> bool:
    known = [i for before in taken if isinstance(before, Exchange) for i in before.event_ids]
    return any(event_id not in known for event_id in step.event_ids)


def is_idle_page(case: Case, step: AnyStep) -> bool:
    assert isinstance(step, Exchange)
    query = meaning(case, step)
    return is_sound(step) and query is not None and query.endpoint == "list"


# Why an event was lost


def cause_in_run(case: Case, event: LoggedEvent) -> str:
    """Why an owed event was lost: what its requests did, from when it could be read."""
    since = [
        (place, step)
        for place, step in enumerate(case.history)
        if isinstance(step, Exchange) and step.at >= event.visible_at
    ]
    served = [place for place, step in since if event.id in step.event_ids]
    if served:
        is_early = saved_before_delivered(case, served)
        return "saved-before-delivered" if is_early else "served-not-delivered"
    covering = [step for _, step in since if covers(case, step, event)]
    if not covering:
        return "never-asked"
    return "cut-by-limit" if is_sound(covering[-1]) else "failed-not-retried"


def covers(case: Case, step: Exchange, event: LoggedEvent) -> bool:
    """Whether a request for rows asked for the event, and got a page or failed to get one."""
    query = meaning(case, step)
    if query is None or query.endpoint != "list" or not query.matches(event):
        return False
    return is_sound(step) or failed(step) or step.as_of is not None


def saved_before_delivered(case: Case, served: list[int]) -> bool:
    """Whether the first page with the event that led to anything led to a save, and to a stop."""
    for page in served:
        for place in range(page + 1, len(case.history)):
            step = case.history[place]
            if isinstance(step, Delivered):
                return False
            if isinstance(step, Saved):
                stop = stop_after(case, place)
                drops = stop is not None and served[-1] > stop and delivers_first(case)
                return stop is not None and not drops
            if isinstance(step, PollEnded):
                break
    return False


def stop_after(case: Case, saved: int) -> int | None:
    """Where the client was killed, or raised, before it had delivered anything and asked on."""
    delivers = False
    for place, step in enumerate(case.history):
        if place < saved:
            continue
        if isinstance(step, Killed):
            return place
        if isinstance(step, PollEnded):
            return place if step.ending == "raised" else None
        if delivers and isinstance(step, Exchange):
            return None
        delivers = delivers or isinstance(step, Delivered)
    return None


def delivers_first(case: Case) -> bool:
    """Whether some page was delivered whole before the client saved or asked on.

    Who does so is no client that saves first.
    """
    for place, step in enumerate(case.history):
        if not isinstance(step, Exchange) or not step.event_ids:
            continue
        rows: set[EventId] = set()
        for later in case.history[place + 1 :]:
            if isinstance(later, Exchange):
                break
            if isinstance(later, Saved):
                if rows.issuperset(step.event_ids):
                    return True
                break
            if isinstance(later, Delivered):
                rows.add(later.event_id)
    return False


def died_with(case: Case, place: int) -> bool:
    """Whether the client sent that request, and was killed before any answer came."""
    step, after = case.history[place], case.history[place + 1 : place + 2]
    unanswered = isinstance(step, Exchange) and step.status == 0
    return unanswered and any(isinstance(other, Killed) for other in after)


def causes(case: Case) -> dict[EventId, str]:
    """Return the cause of each loss."""
    cause = cause_in_snapshot if case.promise.mode == "snapshot" else cause_in_run
    events = {event.id: event for event in case.scenario.events}
    return {event_id: cause(case, events[event_id]) for event_id in lost(case)}


RULES: Mapping[str, Callable[[Case], Iterator[Any]]] = {
    "LOST": lost,
    "DUPLICATED": duplicated,
    "INVENTED": invented,
    "ALTERED": altered,
    "OUT_OF_ORDER": out_of_order,
    "LATE": late,
    "STUCK": stuck,
    "CRASHED": crashed,
    "ILLEGAL_REQUEST": illegal_request,
    "IMPOLITE": impolite,
}
FIRST_ONLY = frozenset(
    {"ALTERED", "OUT_OF_ORDER", "STUCK", "CRASHED", "ILLEGAL_REQUEST", "IMPOLITE"}
)
"""Rules that tell the first of several mistakes of a kind: the others follow from it, mostly."""
BY_PLACE = frozenset({"STUCK", "CRASHED", "ILLEGAL_REQUEST", "IMPOLITE"})
"""Rules that accuse what was done, and no event: the last of the finding's steps is the place."""


def accused(case: Case) -> dict[str, list[Any]]:
    """Return, for each rule that accuses, the events or places of which it does, each once."""
    found = {name: list(dict.fromkeys(rule(case))) for name, rule in RULES.items()}
    return {
        name: culprits[:1] if name in FIRST_ONLY else culprits
        for name, culprits in found.items()
        if culprits
    }
