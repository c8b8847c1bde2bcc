"""OUT_OF_ORDER: events were delivered against the promised order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from fakeserver.clock import clock_text
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier import snapshot
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.proofs import Proof, server_of
from fakeserver.verifier.rules.rule import Rule
from fakeserver.verifier.verdict import Finding


def out_of_order(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of first deliveries against the promised order.

    Never: repeats after a crash, events without a stamp, events later than promised, and ids that
    the log does not hold (`INVENTED` speaks of them). Under ``mode=snapshot`` the order is one
    within each poll that nothing disturbed, among the events that were visible at its start: what
    appears in the middle of a walk may come where the walk meets it.
    """
    order = evidence.promise.order
    if order == "none":
        return
    key = _recorded_at if order == "recorded" else _id_rank
    is_snapshot = evidence.promise.mode == "snapshot"
    for places in snapshot.firsts(evidence) if is_snapshot else [_firsts(evidence)]:
        ranked = [
            (place, rank)
            for place in places
            if (event := evidence.log.find(evidence.delivered(place).event_id)) is not None
            and (rank := key(event)) is not None
        ]
        for (before, earlier), (after, later) in pairwise(ranked):
            if later < earlier:
                yield _finding(evidence, (before, after), (earlier, later))
                return


def _firsts(evidence: Evidence) -> list[int]:
    """Return the places of first deliveries, without those of events later than promised."""
    return [
        place
        for event_id, place in evidence.first_delivery.items()
        if (event := evidence.log.find(event_id)) is not None
        and evidence.late_by_ms(event) <= evidence.late_by_ms_max
    ]


def _finding(evidence: Evidence, places: tuple[int, int], ranks: tuple[Any, Any]) -> Finding:
    order = evidence.promise.order
    first, second = (evidence.delivered(place).event_id for place in places)
    earlier, later = (_rank_text(order, rank) for rank in ranks)
    word = "recorded" if order == "recorded" else "with id"
    proof = _proof(evidence, first, second, places[0])
    return Finding(
        rule="OUT_OF_ORDER",
        event_ids=(second, first),
        steps=places,
        message=f"{evidence.name(second)} was delivered after {evidence.name(first)}",
        why=(
            f"The promise is order={order}, but {evidence.name(second)}, {word} {later}, came "
            f"after {evidence.name(first)}, {word} {earlier}.",
            *proof.why,
        ),
        would=proof.would,
    )


def _proof(evidence: Evidence, first: EventId, second: EventId, place: int) -> Proof:
    """Say what the client knew of `second` when it delivered `first`, at `place`, before it."""
    names = evidence.name(first), evidence.name(second)
    poll = evidence.polls[evidence.poll_of[place] - 1]
    pages = [evidence.exchange(p).event_ids for p in poll.exchanges if p < place]
    page = next((p for p in reversed(pages) if first in p and second in p), None)
    if page is not None:
        rows = page.index(first) + 1, page.index(second) + 1
        both = (f"{names[1]} in row {rows[1]}", f"{names[0]} in row {rows[0]}")
        said = " and ".join(both if rows[1] < rows[0] else reversed(both))
        return Proof(
            why=(
                f"Poll {poll.number} had both in one answer, {said}, and delivered {names[0]} "
                "first.",
            ),
            would="Deliver the rows of an answer in their order: these came right."
            if rows[1] < rows[0]
            else "Sort what a poll has read before it delivers any of it.",
        )
    if any(second in p for p in pages):
        return Proof(
            why=(f"Poll {poll.number} was served {names[1]} before it delivered {names[0]}.",),
            would="Sort what a poll has read before it delivers any of it.",
        )
    if evidence.promise.mode == "snapshot":
        return Proof(why=(), would="Read the whole log before anything is delivered, and sort it.")
    if _could_be_read(evidence, first, second, place):
        return Proof(
            why=(f"{names[1]} could be read before {names[0]} was delivered.",),
            would="Read everything that can be read before anything is delivered, and sort it.",
        )
    return Proof(
        why=(),
        would="Hold events back until nothing earlier can still appear: deliver up to the start of "
        "the poll minus the promised lateness, sorted (theorem T3).",
    )


def _could_be_read(evidence: Evidence, first: EventId, second: EventId, place: int) -> bool:
    """Whether a request could bring `second` when the one was sent that brought `first`."""
    event, source = evidence.log.find(second), server_of(evidence, first, place)
    if event is None or source is None:
        return False
    exchange = evidence.exchange(source)
    return exchange.as_of is None and event.visible_at <= exchange.at


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


OUT_OF_ORDER = Rule(
    name="OUT_OF_ORDER",
    accuses="Events were delivered against the promised order.",
    spares="Repeats, events without a stamp, events later than promised. In a snapshot: another "
    "order in another poll, and events that appeared during the poll.",
    source="theorem T3, fault class C21",
    apply=out_of_order,
)
