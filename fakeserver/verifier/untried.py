"""What was promised and never tried: a promise whose hazards did not come up is not kept yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import msgspec

from fakeserver.verifier.promise import Promise


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a promise: who makes it, the hazards of which one has to come up, and else what.

    `made` takes the promise and the lateness that worlds may have (ms).
    """

    made: Callable[[Promise, int], bool]
    hazards: tuple[str, ...]
    says: str


PARTS = (
    Part(
        made=lambda _promise, late_by_ms_max: late_by_ms_max > 0,
        hazards=("late-visible",),
        says="no event was late when the client asked: its promise to stand lateness was not tried",
    ),
    Part(
        made=lambda _promise, _late: True,
        hazards=("crash-before-save", "crash-after-save", "restart"),
        says="the client was never stopped: what it makes of its checkpoint was not tried",
    ),
    Part(
        made=lambda promise, _late: promise.order != "none",
        hazards=("late-visible", "tie-at-page-edge", "append-during-walk", "order-flip"),
        says="events never came in another order than they were recorded: the promised order was "
        "not tried",
    ),
    Part(
        made=lambda promise, _late: promise.instances > 1,
        hazards=("two-instances",),
        says="two instances never took turns: what one makes of the other's checkpoint was not "
        "tried",
    ),
)


def untried(
    promise: Promise, late_by_ms_max: int, *, met: Collection[str], missed: Collection[str]
) -> Iterator[str]:
    """Say which parts of `promise` were not tried in the worlds so far.

    `met` are the hazards that came up, `missed` those that could have and did not. A part none of
    whose hazards can come up at all (the profile, the kind of client or ``--without`` rules them
    out) is not asked for.
    """
    for part in PARTS:
        hazards = set(part.hazards)
        if part.made(promise, late_by_ms_max) and hazards.isdisjoint(met) and hazards & {*missed}:
            yield part.says
