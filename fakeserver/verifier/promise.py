"""What a client promises; a verdict is always about a promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from fakeserver.clock import duration_text
from fakeserver.errors import UsageError
from fakeserver.scenario import INSTANCES_MAX
from fakeserver.verifier.theory import order_and_delay

Delivery = Literal["at-least-once", "effectively-once", "exactly-once"]
Order = Literal["none", "recorded", "id"]
Mode = Literal["incremental", "snapshot"]

LATE_BY_MS_LIMIT = 7 * 86_400_000
"""A week: the longest lateness in our list of real APIs is two days."""
DELAY_MS_LIMIT = LATE_BY_MS_LIMIT
"""Who holds events back does so for the lateness."""

MEANINGS: Mapping[str, str] = {
    "at-least-once": "delivery: nothing is lost; repeats are only noted.",
    "effectively-once": "delivery: nothing is lost, and nothing is repeated but, after a crash, "
    "what came since the last save. The default.",
    "exactly-once": "delivery: nothing is lost, and nothing is ever repeated. Across a crash that "
    "takes one step for delivering and saving (I5).",
    "none": "order: events come in any order. The default.",
    "recorded": "order: never an earlier stamp after a later one. Where events may be late, that "
    "takes a delay as long as the lateness (T3, I6).",
    "id": "order: ids rise.",
    "incremental": "mode: every event once, when it is new. The default.",
    "snapshot": "mode: each poll delivers everything that is visible at its start, once.",
    "late-by-max": "lateness: how long after its stamp an event may become visible and still be "
    "owed. By default what the API's document says; what comes later is held against nobody (I3).",
    "delay-max": "freshness: what has been visible for so long when a poll begins is delivered by "
    "the end of that poll (L1). By default any delay will do.",
    "instances": "replicas: so many of the client take turns over one checkpoint, one poll at a "
    "time (C39). By default it runs alone.",
}
"""What a client may promise: the values of an option, and the options that take a number."""

OF_MEMORY = frozenset(
    {
        "late-visible",
        "long-outage",
        "backlog",
        "restart",
        "crash-before-save",
        "crash-after-save",
        "two-instances",
    }
)
"""Hazards that trip a client by what it remembers from poll to poll."""


class Promise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the client under test promises.

    | field | values |
    |---|---|
    | `delivery` | ``at-least-once``: repeats are notes · ``effectively-once``: no repeats, except after a crash, and then only of events since the last durable save · ``exactly-once``: never |
    | `order` | ``none`` · ``recorded``: never an earlier stamp after a later one · ``id``: ids rise |
    | `late_by_ms_max` | lateness to stand, ms; None: what the profile documents |
    | `delay_ms_max` | an event that has been visible for so long (ms) when a poll begins is delivered by the end of that poll, and not slept on for longer; 0: whatever a poll can read; None: any delay |
    | `mode` | ``incremental``: every event once · ``snapshot``: each poll hands over everything visible at its start, once |
    | `instances` | 1: it runs alone · 2: two of it may take turns over one checkpoint, one poll at a time |

    Raises `UsageError` for a value that does not exist, and for promises that exclude each other.
    """  # noqa: E501 - a table row is a line

    delivery: Delivery = "effectively-once"
    order: Order = "none"
    late_by_ms_max: int | None = None
    delay_ms_max: int | None = None
    mode: Mode = "incremental"
    instances: int = 1

    def __post_init__(self) -> None:
        _check("delivery", self.delivery, ("at-least-once", "effectively-once", "exactly-once"))
        _check("order", self.order, ("none", "recorded", "id"))
        _check("mode", self.mode, ("incremental", "snapshot"))
        _check_span("late_by_ms_max", self.late_by_ms_max, LATE_BY_MS_LIMIT)
        _check_span("delay_ms_max", self.delay_ms_max, DELAY_MS_LIMIT)
        if self.instances not in range(1, INSTANCES_MAX + 1):
            raise UsageError(f"instances: expected 1 to {INSTANCES_MAX}, got {self.instances!r}")
        if self.mode == "snapshot" and self.delay_ms_max is not None:
            raise UsageError(
                "delay_ms_max: a snapshot has no delay, for what is visible when a poll begins is "
                "owed in that poll; leave it out, or promise mode=incremental"
            )
        if self.late_by_ms_max is not None:
            self.check_possible(self.late_by_ms_max)

    @property
    def harmless(self) -> frozenset[str]:
        """The hazards that prove nothing about this promise.

        A snapshot remembers nothing from poll to poll, and reads late and old events like others.
        """
        return OF_MEMORY if self.mode == "snapshot" else frozenset()

    def check_possible(self, late_by_ms_max: int) -> None:
        """Raise `UsageError` where no client can keep this if events are late by so much, ms.

        An order and a delay shorter than the lateness exclude each other (impossibility I6): the
        event that comes first is not visible yet when the second one is due.
        """
        delay = self.delay_ms_max
        if self.order != "none" and delay is not None and delay < late_by_ms_max:
            raise UsageError(
                f"order={self.order} and delay_ms_max={delay} exclude each other: "
                f"{order_and_delay(late_by_ms_max, delay)}; allow a delay of "
                f"{duration_text(late_by_ms_max)} or more, promise a shorter lateness, or no order"
            )


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{name}: expected {' or '.join(known)}, got {value!r}")


def _check_span(name: str, ms: int | None, limit: int) -> None:
    if ms is not None and not 0 <= ms <= limit:
        raise UsageError(f"{name}: expected 0 to {limit} (a week), got {ms}")
