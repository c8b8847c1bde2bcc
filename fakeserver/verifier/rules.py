"""The rules: what a client can be accused of, on which evidence, and what never counts.

A rule is a function from evidence to findings. It accuses only on what the history shows; where
the history leaves doubt it is silent. Every rule has a faulty client that it must catch and all
right clients that it must spare, in `tests/quality`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec

from fakeserver.clock import clock_text
from fakeserver.history import OVERRAN, Delivered, Exchange, PollEnded, Saved
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier import causes, proofs
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import may_have_stopped
from fakeserver.verifier.verdict import Finding, RuleName, lines_of

SHOWN_EVENTS_MAX = 5
"""A finding names its first few events; the rest is counted."""
BLAMELESS_CODES = frozenset({"limit-over-max", "no-role", "no-such-event", "no-such-parent"})
"""Refusals that a right client may meet: a cap that no document names, a role that it was not
given, and an event that is not visible yet, or the events of a resource that has none yet."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, its words for people, and the function that applies it."""

    name: RuleName
    accuses: str
    spares: str
    source: str
    apply: Callable[[Evidence], Iterator[Finding]]


def lost(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of owed events that were not delivered by the end of the calm.

    Fair because the calm outlasts the promised lateness by three polls and the last poll starts
    after every owed event is visible. Never owed: events later than promised, events that no
    request can return, events that appeared during the last poll, and events outside the filters
    that the client sends with every request. Silent where the run was cut
    short: there `STUCK` speaks.
    """
    missing = [event for event in evidence.owed() if event.id not in evidence.first_delivery]
    losses = [causes.explain_loss(evidence, event) for event in missing]
    losses = [loss for loss in losses if loss.cause != "unobservable"]
    for cause in dict.fromkeys(loss.cause for loss in losses):
        same = [loss for loss in losses if loss.cause == cause]
        first = same[0]
        count, total = len(same), len(evidence.scenario.events)
        was = "was" if count == 1 else "were"
        yield Finding(
            rule="LOST",
            cause=cause,
            event_ids=tuple(loss.event.id for loss in same),
            steps=first.steps,
            message=f"{count} of {total} event{'s' if total > 1 else ''} {was} never delivered",
            why=first.why,
            allowed=first.allowed,
            would=first.would,
        )


def duplicated(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of repeats that the promise forbids.

    Under ``effectively-once`` a crash, a restart or a poll that raised excuses one repeat of each
    event delivered since the last durable save; under ``at-least-once`` every repeat is excused.
    """
    if evidence.promise.delivery == "at-least-once":
        return
    repeats = list(_forbidden_repeats(evidence))
    if not repeats:
        return
    first, again = repeats[0]
    ids = tuple(dict.fromkeys(evidence.delivered(place).event_id for _, place in repeats))
    was = "event was" if len(ids) == 1 else "events were"
    proof = proofs.explain_repeat(evidence, first, again)
    yield Finding(
        rule="DUPLICATED",
        event_ids=ids,
        steps=tuple(place for pair in repeats for place in pair),
        message=f"{len(ids)} {was} delivered more than once",
        why=proof.why,
        allowed=proof.allowed,
        would=proof.would,
    )


def _forbidden_repeats(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """Yield the places of a first delivery and of a repeat of it that nothing excuses."""
    seen: dict[EventId, int] = {}
    unsaved: set[EventId] = set()
    excused: set[EventId] = set()
    effectively = evidence.promise.delivery == "effectively-once"
    for place, step in enumerate(evidence.history):
        if isinstance(step, Delivered):
            if step.event_id not in seen:
                seen[step.event_id] = place
            elif effectively and step.event_id in excused:
                excused.discard(step.event_id)
                seen[step.event_id] = place  # a later repeat is one of this, not of the first
            else:
                yield seen[step.event_id], place
            unsaved.add(step.event_id)
        elif isinstance(step, Saved):
            unsaved.clear()
        elif may_have_stopped(step, is_open=evidence.scenario.is_open):
            excused |= unsaved
            unsaved.clear()


def invented(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of delivering an id that the log never held. Extra fields are welcome."""
    places = [
        place
        for place in evidence.deliveries
        if evidence.log.find(evidence.delivered(place).event_id) is None
    ]
    if not places:
        return
    ids = tuple(dict.fromkeys(evidence.delivered(place).event_id for place in places))
    yield Finding(
        rule="INVENTED",
        event_ids=ids,
        steps=tuple(places),
        message=f"{_events(len(ids))} delivered that the log never held",
        why=(
            f"Id {lines_of(map(repr, ids[:SHOWN_EVENTS_MAX]))} was delivered in poll "
            f"{evidence.poll_of[places[0]]}; no event of the log has it.",
        ),
        would="Deliver events as they were served, with their own ids.",
    )


def altered(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of a delivered field that differs from what was served. More fields are welcome."""
    for place in evidence.deliveries:
        delivered = evidence.delivered(place)
        event = evidence.log.find(delivered.event_id)
        if event is None or delivered.event is None:
            continue
        truth = evidence.dialect.render_event(event, evidence.settings)
        differences = [
            f"{name}: served {truth[name]!r:.120}, delivered {value!r:.120}"
            for name, value in delivered.event.items()
            # The id said which event is meant; a number written as text is the same id.
            if name in truth and name != "id" and truth[name] != value
        ]
        if not differences:
            continue
        yield Finding(
            rule="ALTERED",
            event_ids=(event.id,),
            steps=(place,),
            message=f"{evidence.name(event.id)} was delivered with other content than was served",
            why=tuple(f"{difference}." for difference in differences),
            would="Deliver the fields of an event as they were served; add new ones beside them.",
        )
        return


def out_of_order(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of first deliveries against the promised order.

    Never: repeats after a crash, events without a stamp, events later than promised, and ids that
    the log does not hold (`INVENTED` speaks of them).
    """
    order = evidence.promise.order
    if order == "none":
        return
    key = _recorded_at if order == "recorded" else _id_rank
    places = sorted(evidence.first_delivery.values())
    ranked = [
        (place, rank)
        for place in places
        if (event := evidence.log.find(evidence.delivered(place).event_id)) is not None
        and evidence.late_by_ms(event) <= evidence.late_by_ms_max
        and (rank := key(event)) is not None
    ]
    for (before, earlier), (after, later) in pairwise(ranked):
        if later < earlier:
            first = evidence.delivered(before).event_id
            second = evidence.delivered(after).event_id
            word = "recorded" if order == "recorded" else "with id"
            yield Finding(
                rule="OUT_OF_ORDER",
                event_ids=(second, first),
                steps=(before, after),
                message=f"{evidence.name(second)} was delivered after {evidence.name(first)}",
                why=(
                    f"The promise is order={order}, but {evidence.name(second)}, {word} "
                    f"{_rank_text(order, later)}, came after {evidence.name(first)}, {word} "
                    f"{_rank_text(order, earlier)}.",
                ),
                would="Hold events back until nothing earlier can still appear: deliver up to the "
                "start of the poll minus the promised lateness, sorted (theorem T3).",
            )
            return


def _recorded_at(event: LoggedEvent) -> Any:
    return event.recorded_at


def _id_rank(event: LoggedEvent) -> Any:
    """Return what ids are ordered by: the number where they are numbers, written as text or not."""
    if isinstance(event.id, str):
        # A log may mix "7" and "a7"; numbers come first then, and two ranks always compare.
        number = int(event.id) if event.id.isdecimal() else math.inf
        return (number, event.id)
    return (event.id,)


def _rank_text(order: str, rank: Any) -> str:
    return clock_text(rank) if order == "recorded" else str(rank[-1])


def stuck(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of a poll that had to be stopped: it asked on and on and got nowhere.

    Either the same request had the same answer ten times in a row without a sleep, or the poll
    sent ten times the requests that reading the whole log one row at a time needs. Waiting with
    `Feed.sleep` never counts.
    """
    for place, step in enumerate(evidence.history):
        if isinstance(step, PollEnded) and step.ending == "stopped":
            poll = evidence.polls[evidence.poll_of[place] - 1]
            last = poll.exchanges[-1] if poll.exchanges else None
            missing = [
                evidence.name(event.id)
                for event in evidence.scenario.events
                if event.visible_at <= step.at and event.id not in evidence.first_delivery
            ]
            proof = proofs.explain_stuck(
                evidence, last, missing, by_time=OVERRAN in (step.error or "")
            )
            yield Finding(
                rule="STUCK",
                steps=(place,) if last is None else (last, place),
                message=f"poll {poll.number} never ended: {step.error}",
                why=proof.why,
                allowed=proof.allowed,
                would=proof.would,
            )
            return


def crashed(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of an exception in the calm, when no fault is on. Failing in the storm is allowed.

    Nor is a poll accused that met a 429: a limit on requests is there in the calm as well.
    """
    for place, step in enumerate(evidence.history):
        if isinstance(step, PollEnded) and step.ending == "raised" and evidence.in_calm(step.poll):
            poll = evidence.polls[step.poll - 1]
            if any(evidence.exchange(asked).status == 429 for asked in poll.exchanges):
                continue
            yield Finding(
                rule="CRASHED",
                steps=(place,),
                message=f"poll {step.poll} raised {step.error}",
                why=(
                    f"Poll {step.poll} belongs to the calm: the server was healthy, and everything "
                    "was visible.",
                ),
                would="Find the cause in the exception above; the replay shows it again.",
            )
            return


def illegal_request(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of a request that the profile does not accept.

    Never: a limit above a cap that no document names, and asking for an event that is not there.
    """
    for place in evidence.exchanges:
        exchange = evidence.exchange(place)
        if exchange.problem is None:
            continue
        code, _, says = exchange.problem.partition(": ")
        if code in BLAMELESS_CODES:
            continue
        yield Finding(
            rule="ILLEGAL_REQUEST",
            cause=code,
            steps=(place,),
            message=f"the API refuses what poll {evidence.poll_of[place]} asked: {code}",
            why=(_request_line(exchange), f"{_sentence(says)}."),
            would=_advice(says),
        )
        return


def _request_line(exchange: Exchange) -> str:
    return f"{exchange.method} {exchange.target} was answered {exchange.status}."


def _sentence(says: str) -> str:
    """Begin with a capital, unless the first word is the name of a parameter."""
    first = says.partition(" ")[0]
    return says if not first.isalpha() else f"{says[:1].upper()}{says[1:]}"


def _advice(says: str) -> str:
    """Return what a refusal advises behind its semicolon, or what always helps."""
    advice = says.rpartition("; ")[2]
    if advice == says:
        return "Send what the sentence above expects."
    return f"{_sentence(advice)}{'' if advice.endswith('?') else '.'}"


def _events(count: int) -> str:
    return "1 event was" if count == 1 else f"{count} events were"


_ALL = (
    Rule(
        name="ILLEGAL_REQUEST",
        accuses="The client sent what the profile does not accept: unknown or unparsable "
        "parameters, a limit of 0, no token, a time that lost its +.",
        spares="What the profile accepts; a limit above a cap that no document names.",
        source="invariant 'requests legal'; fault class C33",
        apply=illegal_request,
    ),
    Rule(
        name="CRASHED",
        accuses="The client raised an exception in the calm.",
        spares="Failing while a fault is on, or in a poll that was told to ask more slowly (429).",
        source="fault classes C16, C35",
        apply=crashed,
    ),
    Rule(
        name="STUCK",
        accuses="The same request had the same answer again and again without a sleep, or a poll "
        "sent far more requests than the log needs.",
        spares="Waiting with sleep.",
        source="invariant 'progress'; fault classes C03, C17, C19",
        apply=stuck,
    ),
    Rule(
        name="LOST",
        accuses="An owed event was not delivered by the end of the calm.",
        spares="Events later than promised, events that no request can return, events that "
        "appeared during the last poll, and events outside the filters of every request.",
        source="theorems T1 to T7; the rule of kafka-connect-jdbc#1093",
        apply=lost,
    ),
    Rule(
        name="DUPLICATED",
        accuses="An event was delivered again though the promise forbids it.",
        spares="Under effectively-once: after a crash, events since the last durable save.",
        source="invariant 'at most once'; fault classes C02, C25, C37",
        apply=duplicated,
    ),
    Rule(
        name="INVENTED",
        accuses="An id was delivered that the log never held.",
        spares="Nothing: there is no way to receive it.",
        source="invariant 'no invention'",
        apply=invented,
    ),
    Rule(
        name="ALTERED",
        accuses="A delivered field differs from what was served.",
        spares="Fields that the client added.",
        source="invariant 'no invention'; fault classes C31, C34",
        apply=altered,
    ),
    Rule(
        name="OUT_OF_ORDER",
        accuses="Events were delivered against the promised order.",
        spares="Repeats, events without a stamp, events later than promised.",
        source="theorem T3, fault class C21",
        apply=out_of_order,
    ),
)

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _ALL}
"""Every rule by its name. Findings are told in this order: what stops a client explains what it
lost, and what it lost explains what it repeats."""
