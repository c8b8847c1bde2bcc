"""Taking up a world that was left: is it the one that is asked for, and how it comes back."""

from __future__ import annotations

import hashlib
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from msgspec.structs import replace

from fakeserver.errors import ScenarioError, UsageError
from fakeserver.fault import Fault
from fakeserver.history import Exchange
from fakeserver.scenario import Scenario
from fakeserver.serving.options import ServeOptions
from fakeserver.serving.state import Stored
from fakeserver.world import World

FINGERPRINT_EVENTS = 50
"""Enough to tell one stream from another."""
STREAM_OPTIONS = (
    "dialect",
    "profile",
    "settings",
    "seed",
    "scenario",
    "backlog",
    "rate_per_s",
    "late_by_ms_max",
    "lateness",
    "starts_at",
)
"""What decides the log: a state file is of use only to a server with the same."""


def check_same(asked: ServeOptions, stored: ServeOptions) -> None:
    """Raise `UsageError` naming the options by which a state file is of another world."""
    different = [
        f"{name} {_brief(getattr(stored, name))} (asked for: {_brief(getattr(asked, name))})"
        for name in STREAM_OPTIONS
        if getattr(asked, name) != getattr(stored, name)
    ]
    if different:
        raise UsageError(
            f"state: the file was made with {', '.join(different)}; ask for the same, or name "
            "another file"
        )


def _brief(value: Any) -> str:
    if isinstance(value, Scenario):
        return f"a world of {len(value.events)} events"
    return "unset" if value is None else repr(value)


def fingerprint(world: World) -> str:
    """Return what changes when the stream does: another version may tell another story."""
    stream = world.stream
    events = (
        world.scenario.events[:FINGERPRINT_EVENTS]
        if stream is None
        else stream.backlog(FINGERPRINT_EVENTS, world.scenario.starts_at)
    )
    text = msgspec.json.encode(events, order="deterministic")
    return hashlib.sha256(text).hexdigest()


def restore(world: World, stored: Stored) -> None:
    """Let everything happen again that happened to a world before.

    `world` stands at its start. Raises `UsageError` where its events and the stream clash.
    """
    try:
        for at, group in groupby(stored.appended, key=itemgetter(0)):
            world.advance_to(at)
            world.append(event for _, event in group)
    except ScenarioError as error:
        raise UsageError(f"state: its events no longer fit the stream: {error}") from error
    for step in stored.steps:
        world.record(step)
        took = world.scenario.request_ms + step.took_ms if isinstance(step, Exchange) else 0
        world.advance_to(step.at + took)
    world.advance_to(stored.clock.now)
    asked = stored.exchanges_before + world.exchanges_recorded - stored.faults.armed_after
    world.arm(left for fault in stored.faults.faults if (left := _left(fault, asked)) is not None)


def _left(fault: Fault, asked: int) -> Fault | None:
    """Return what is left of a fault that was armed `asked` requests ago."""
    left = fault.left(asked)
    if left == 0:
        return None
    return replace(fault, nth=max(1, fault.nth - asked), times=left)
