"""What a line on a command's stdout means: one event delivered, a checkpoint saved, or nothing.

Pure: text in, an `Action` out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from fakeserver.errors import UsageError

Protocol = Literal["jsonl", "events", "singer", "airbyte"]

SHOWN_CHARS_MAX = 200
"""A line that can't be read is shown, but not a page of it."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What a client does with one line; `value` is the event, the checkpoint, or why it failed.

    `resets` says of a ``done`` or ``failed`` that the program can forget all it knows.
    """

    kind: Literal["deliver", "save", "done", "failed", "nothing"]
    value: Any = None
    resets: bool = False


NOTHING = Action(kind="nothing")


def read_line(protocol: Protocol, line: bytes, number: int) -> Action:
    """Return what line `number` (from 1) of a command's stdout means; an empty line is nothing.

    Raises `UsageError` that says what `protocol` expects: it is the program, or the choice of the
    protocol, that has to change, and no verdict about paging.
    """
    if not line.strip():
        return NOTHING
    try:
        message = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _misfit(protocol, line, number, str(error)) from error
    if isinstance(message, dict):
        action = _ending(message) or _READ[protocol](message)
        if action is not None:
            return action
    raise _misfit(protocol, line, number, "it is JSON, but none of these")


def _misfit(protocol: Protocol, line: bytes, number: int, reason: str) -> UsageError:
    shown = line[:SHOWN_CHARS_MAX].decode("utf-8", "replace").strip()
    return UsageError(
        f"line {number} of the command's stdout: expected {EXPECTED[protocol]} "
        f"(--protocol {protocol}), got {shown!r}: {reason}; write what is for people to stderr"
    )


def _ending(message: Mapping[str, Any]) -> Action | None:
    """Read what ends a poll in every protocol: `ENDINGS`."""
    resets = message.get("resets", False)
    if not isinstance(resets, bool) or message.keys() - {"done", "failed", "resets"}:
        return None
    match message:
        case {"done": True} if "failed" not in message:
            return Action(kind="done", resets=resets)
        case {"failed": str(why)} if "done" not in message:
            return Action(kind="failed", value=why, resets=resets)
    return None


def _jsonl(message: Mapping[str, Any]) -> Action | None:
    if message.keys() == {"deliver"}:
        return Action(kind="deliver", value=message["deliver"])
    if message.keys() == {"save"}:
        return Action(kind="save", value=message["save"])
    return None


def _events(message: Mapping[str, Any]) -> Action | None:
    return Action(kind="deliver", value=message) if "id" in message else None


def _singer(message: Mapping[str, Any]) -> Action | None:
    match message.get("type"):
        case "RECORD":
            return _record(message.get("record"))
        case "STATE":
            return Action(kind="save", value=message.get("value"))
        case "SCHEMA" | "ACTIVATE_VERSION" | "BATCH":
            return NOTHING
    return None


def _airbyte(message: Mapping[str, Any]) -> Action | None:
    match message.get("type"):
        case "RECORD":
            record = message.get("record")
            return _record(record.get("data")) if isinstance(record, dict) else None
        case "STATE":
            return Action(kind="save", value=message.get("state"))
        case "LOG" | "TRACE" | "SPEC" | "CATALOG" | "CONNECTION_STATUS" | "CONTROL":
            return NOTHING
    return None


def _record(event: Any) -> Action | None:
    return Action(kind="deliver", value=event) if isinstance(event, dict) else None


_READ: Mapping[Protocol, Callable[[Mapping[str, Any]], Action | None]] = {
    "jsonl": _jsonl,
    "events": _events,
    "singer": _singer,
    "airbyte": _airbyte,
}
EXPECTED: Mapping[Protocol, str] = {
    "jsonl": 'an object {"deliver": EVENT} or {"save": CHECKPOINT}',
    "events": "one event a line, an object with an id",
    "singer": "a Singer message (RECORD delivers, STATE saves)",
    "airbyte": "a message of the Airbyte protocol (RECORD delivers, STATE saves)",
}
"""What each protocol expects of a line."""
ENDINGS = '{"done": true} or {"failed": WHY}'
"""What ends a poll of a program that stays, in each protocol."""
