"""OUT_OF_ORDER: events were delivered against the promised order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from fakeserver.clock import clock_text
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.rules.rule import Rule
from fakeserver.verifier.verdict import Finding


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


OUT_OF_ORDER = Rule(
    name="OUT_OF_ORDER",
    accuses="Events were delivered against the promised order.",
    spares="Repeats, events without a stamp, events later than promised.",
    source="theorem T3, fault class C21",
    apply=out_of_order,
)
