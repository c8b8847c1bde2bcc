"""What a client handed over, compared with the truth: one step of history."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import msgspec

from fakeserver.clock import Instant
from fakeserver.dialects.base import Dialect, Settings
from fakeserver.errors import HarnessError, UsageError
from fakeserver.history import Delivered
from fakeserver.log import EventLog
from fakeserver.scenario import EventId, LoggedEvent

ID_DIGITS_MAX = 20
"""A number of 64 bits has no more; longer text is no number to us."""


def delivered(
    event: Mapping[str, Any] | EventId,
    *,
    at: Instant,
    log: EventLog,
    dialect: Dialect,
    settings: Settings,
) -> Delivered:
    """Return the step that records the delivery of `event`: a mapping with its id, or the bare id.

    Fields that a mapping shares with the event as served must be equal to it; more are welcome.
    Raises `UsageError` for anything else, and `HarnessError` where the fake can't show the event.
    """
    event_id = _id_of(event)
    logged = _find(log, event_id)
    altered = None
    if isinstance(event, Mapping) and (
        logged is None or not _same(event, logged, _truth(logged, dialect, settings))
    ):
        altered = _as_json(event)
    return Delivered(at=at, event_id=event_id if logged is None else logged.id, event=altered)


def _id_of(event: Mapping[str, Any] | EventId) -> EventId:
    event_id = event.get("id") if isinstance(event, Mapping) else event
    if isinstance(event_id, str):
        return str(event_id)
    if not isinstance(event_id, bool):
        try:
            return operator.index(event_id)  # type: ignore[arg-type]  # None has none
        except TypeError:
            pass
    raise UsageError(
        f"deliver: expected a mapping with its 'id', or the bare id (a whole number or text), "
        f"got {shown_value(event)}"
    )


def _find(log: EventLog, event_id: EventId) -> LoggedEvent | None:
    """Find an event by its id; a number written as text is the same id to us."""
    found = log.find(event_id)
    if found is not None:
        return found
    if isinstance(event_id, int):
        return log.find(str(event_id))
    if len(event_id) > ID_DIGITS_MAX or not (event_id.isascii() and event_id.isdecimal()):
        return None
    return log.find(int(event_id)) if str(int(event_id)) == event_id else None


def _truth(logged: LoggedEvent, dialect: Dialect, settings: Settings) -> dict[str, Any]:
    try:
        return dialect.render_event(logged, settings)
    except Exception as error:
        raise HarnessError(
            f"the fake failed to show event {logged.id!r}: {type(error).__name__}: {error}"
        ) from error


def _same(event: Mapping[str, Any], logged: LoggedEvent, truth: Mapping[str, Any]) -> bool:
    try:
        return all(event[name] == truth[name] for name in event if name in truth and name != "id")
    except Exception as error:
        raise UsageError(
            f"deliver: expected plain values for event {logged.id!r}, got {shown_value(event)}, "
            f"and comparing it raised {type(error).__name__}: {error}"
        ) from error


def _as_json(event: Mapping[str, Any]) -> dict[str, Any]:
    """Copy what was delivered; what is no JSON is kept as its text, for the report."""
    try:
        copy = {str(name): value for name, value in event.items()}
        return dict(msgspec.json.decode(msgspec.json.encode(copy, enc_hook=repr)))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"deliver: expected JSON values, got {shown_value(event)}: {error}"
        ) from error


def shown_value(value: Any) -> str:
    """Write anything for a message, shortened, whatever its own `repr` does."""
    try:
        return f"{value!r:.200}"
    except Exception:
        return f"a {type(value).__name__}"
