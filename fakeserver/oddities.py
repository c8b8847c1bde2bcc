"""What the settings of a profile do to drawn events: commits, and stamps that can't be trusted.

Chance is an argument. Settings that ask for nothing odd draw nothing and change nothing, so a
default world is the same with and without this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from random import Random

import msgspec

from fakeserver.clock import MINUTE_MS, SECOND_MS, Instant
from fakeserver.dialects.base import Settings
from fakeserver.fault import Fault
from fakeserver.query import RECORDED_US
from fakeserver.scenario import LoggedEvent, Poll

COMMIT_MS_USUAL = 2 * SECOND_MS
"""Most transactions take no longer; the others as long as the settings promise at most."""
LONG_COMMIT_SHARE = 0.15
ROWS_OF_A_TRANSACTION = (2, 2, 3, 4)
TRANSACTION_SHARE = 0.4
"""Of the moments at which something is recorded: a transaction of several rows."""
NULL_SHARE = 0.12
FUTURE_SHARE = 0.12
AHEAD_MS_MAX = 10 * MINUTE_MS
"""A clock that is wrong by more would have been noticed."""
US_OF_A_MS = 1_000
TRANSIENT_SHARE = 0.3
"""Of the stormy polls: one right request in them is answered 422."""

Events = tuple[LoggedEvent, ...]


def rows_at_once(random: Random, settings: Settings) -> int:
    """Draw how many rows a transaction has; 1 without drawing where createdAt is no such thing."""
    if settings.get("created_at") != "transaction-start" or random.random() >= TRANSACTION_SHARE:
        return 1
    return random.choice(ROWS_OF_A_TRANSACTION)


def made_odd(random: Random, settings: Settings, events: Events, late_by_ms_max: int) -> Events:
    """Return `events`, which come in the order of the log, as the `settings` would have them.

    None of them is later than `late_by_ms_max`, if none was before.
    """
    in_transactions = settings.get("created_at") == "transaction-start"
    if in_transactions:
        events = _committed(random, events, late_by_ms_max)
    if settings.get("future_stamps") == "some":
        events = _ahead(random, events)
    if settings.get("stamp_precision") == "us":
        events = _finer(random, events, shared=in_transactions)
    if settings.get("null_created_at"):
        events = _unstamped(random, events)
    return events


def without_finer(events: Events) -> Events:
    """Return `events` with nothing stored finer than it is shown."""
    return tuple(
        msgspec.structs.replace(
            event, fields={name: v for name, v in event.fields.items() if name != RECORDED_US}
        )
        if RECORDED_US in event.fields
        else event
        for event in events
    )


def transient_faults(
    random: Random, settings: Settings, polls: Sequence[Poll], calm_from: int
) -> tuple[Poll, ...]:
    """Return `polls`, with a right request refused here and there before the calm."""
    if settings.get("transient_422") != "now-and-then":
        return tuple(polls)
    return tuple(
        msgspec.structs.replace(poll, faults=(*poll.faults, _transient(random)))
        if number < calm_from and random.random() < TRANSIENT_SHARE
        else poll
        for number, poll in enumerate(polls)
    )


def _transient(random: Random) -> Fault:
    return Fault(kind="transient-422", nth=random.choice((1, 2, 3)))


def _by_stamp(events: Events) -> Iterator[tuple[Instant | None, Events]]:
    """Yield neighbours that share a stamp, as the rows of a transaction do."""
    for stamp, run in groupby(events, key=lambda event: event.recorded_at):
        yield stamp, tuple(run)


def _committed(random: Random, events: Events, late_by_ms_max: int) -> Events:
    """Let the rows of one transaction become visible together, at its commit."""
    changed: list[LoggedEvent] = []
    for stamp, rows in _by_stamp(events):
        if stamp is None:
            changed += rows
            continue
        is_long = random.random() < LONG_COMMIT_SHARE
        most = late_by_ms_max if is_long else min(COMMIT_MS_USUAL, late_by_ms_max)
        commit = stamp + random.randint(0, most)
        # A row that has to be missed by a certain poll takes its whole transaction along.
        commit = max(commit, *(row.visible_at for row in rows))
        changed += (msgspec.structs.replace(row, visible_at=commit) for row in rows)
    return tuple(changed)


def _ahead(random: Random, events: Events) -> Events:
    """Stamp a few rows with a time at which they can long be read."""
    changed: list[LoggedEvent] = []
    for stamp, rows in _by_stamp(events):
        if stamp is None or random.random() >= FUTURE_SHARE:
            changed += rows
            continue
        seen = max(row.visible_at for row in rows)
        ahead = seen + random.randint(1, AHEAD_MS_MAX)
        changed += (msgspec.structs.replace(row, recorded_at=ahead) for row in rows)
    return tuple(changed)


def _finer(random: Random, events: Events, *, shared: bool) -> Events:
    """Store stamps to the microsecond: each its own, or (`shared`) one for a transaction."""
    changed: list[LoggedEvent] = []
    for _, rows in _by_stamp(events):
        us = [random.randrange(US_OF_A_MS) for _ in rows]
        changed += (
            _with_us(row, us[0] if shared else own) for row, own in zip(rows, us, strict=True)
        )
    return tuple(changed)


def _with_us(event: LoggedEvent, us: int) -> LoggedEvent:
    return msgspec.structs.replace(event, fields={**event.fields, RECORDED_US: us})


def _unstamped(random: Random, events: Events) -> Events:
    """Take the stamp from a few rows."""
    return tuple(
        msgspec.structs.replace(event, recorded_at=None) if random.random() < NULL_SHARE else event
        for event in events
    )
