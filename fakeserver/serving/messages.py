"""What the control API reads: the shapes of its request bodies."""

from __future__ import annotations

from typing import Any

import msgspec

from fakeserver.errors import UsageError
from fakeserver.fault import Fault
from fakeserver.scenario import EventId
from fakeserver.serving.appending import NewEvent
from fakeserver.serving.options import ClockMode
from fakeserver.verifier.promise import Promise

APPENDED_MAX = 1_000
"""Events to be made up in one request; while that takes nobody else is answered."""
DELIVERED_MAX = 10_000
"""Events delivered in one request; more can be sent in several."""
ADVANCE_S_MAX = 7 * 86_400
"""A week, as `Feed.sleep` takes."""
POLL_GAP_S_DEFAULT = 5.0
"""Longer than clients take between two pages, shorter than they wait between two polls."""
POLL_GAP_S_MAX = 7 * 86_400


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request body. Raises `UsageError` for a value out of bounds."""


class ClockChange(_Message, frozen=True, kw_only=True):
    """What is to change about the clock; `now` is ISO 8601."""

    now: str | None = None
    mode: ClockMode | None = None
    pace: float | None = None

    def __post_init__(self) -> None:
        if self.now is None and self.mode is None and self.pace is None:
            raise UsageError("expected at least one of now, mode and pace, got none")


class Advance(_Message, frozen=True, kw_only=True):
    """How much time is to pass."""

    seconds: float

    def __post_init__(self) -> None:
        _check("seconds", self.seconds, 0, ADVANCE_S_MAX)


class NewEvents(_Message, frozen=True, kw_only=True):
    """Events to be appended."""

    events: tuple[NewEvent, ...]

    def __post_init__(self) -> None:
        _check("events: their number", len(self.events), 1, APPENDED_MAX)


class ArmedFault(Fault, frozen=True, kw_only=True):
    """A fault as the control API shows it: what it shows can be sent back."""

    requests_left: int | None = None

    def alone(self) -> Fault:
        """Return the fault without what is only shown."""
        return Fault(**{name: getattr(self, name) for name in Fault.__struct_fields__})


class Faults(_Message, frozen=True, kw_only=True):
    """Faults to be armed, in place of the present ones."""

    faults: tuple[ArmedFault, ...]


class Delivery(_Message, frozen=True, kw_only=True):
    """What a client delivered, in its order, and what it saved then.

    `restarted` says that it was started anew before that, knowing only what it had saved.
    """

    events: tuple[dict[str, Any] | EventId, ...] = ()
    checkpoint: Any = msgspec.UNSET
    restarted: bool = False

    def __post_init__(self) -> None:
        _check("events: their number", len(self.events), 0, DELIVERED_MAX)


class VerdictRequest(_Message, frozen=True, kw_only=True):
    """What the client promises, and how its polls are told apart (simulated seconds)."""

    promise: Promise = Promise()
    poll_gap_s: float = POLL_GAP_S_DEFAULT
    evidence: bool = False

    def __post_init__(self) -> None:
        _check("poll_gap_s", self.poll_gap_s, 0, POLL_GAP_S_MAX)


def _check(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise UsageError(f"{name}: expected {least:g} to {most:g}, got {value:g}")
