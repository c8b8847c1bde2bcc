"""Recorded rows: what an answer shows of an event, and three-valued questions about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from fakeserver.dialects.base import Dialect
from fakeserver.fidelity.values import as_number, instant_of
from fakeserver.query import ID, RECORDED_AT, Condition, Query
from fakeserver.scenario import EventId

STAMPS: Mapping[str, str] = {"haravan": "created_at", "saleschannel": "createdAt"}
"""The field that holds when an event was recorded."""
OTHER_TIMES = ("eventAt",)
FINER_MS = 0.999
"""How much later than it is shown a stamp may be, where it is stored finer."""
SCOPED_ONLY = "scoped_only"

Values = dict[str, Any]
"""What is known of an event by the names of `query`; what is missing is unknown."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one answer in their order, by their ids.

    `raw` counts all, also those without an id; with one of those, no id is kept. `fields` are the
    names that its rows have. What the rows show is kept once for each event, not for each answer.
    """

    ids: tuple[EventId, ...]
    raw: int
    fields: frozenset[str] = frozenset()


def rows_in(dialect: str, endpoint: str, body: bytes) -> list[dict[str, Any]] | None:
    """Return the rows in the body of an answer, or None where there are none to be read."""
    with suppress(ValueError, RecursionError):
        found = json.loads(body)
        if dialect == "haravan":
            if not isinstance(found, dict):
                return None
            found = [found.get("event")] if endpoint == "single" else found.get("events")
        if isinstance(found, list) and all(isinstance(row, dict) for row in found):
            return found
    return None


def name_of(dialect: Dialect, field: str) -> str:
    """Return the name that conditions and orders use for a field of a row."""
    return RECORDED_AT if field == STAMPS[dialect.name] else field


def values_of(dialect: Dialect, row: dict[str, Any]) -> Values:
    """Return what a row shows, by the names that conditions and orders use."""
    values: Values = {}
    for field, value in row.items():
        name = name_of(dialect, field)
        if name == ID:
            number = _as_id(dialect, value)
            if number is not None:
                values[ID] = number
        elif name == RECORDED_AT or name in OTHER_TIMES:
            values[name] = instant_of(value)
        elif name == "subject_id":
            values[name] = as_number(value) or value
        else:
            values[name] = value
    return values


def _as_id(dialect: Dialect, value: Any) -> EventId | None:
    if dialect.id_type is int:
        return as_number(value)
    return value if isinstance(value, str) else None


def meets(condition: Condition, values: Values, *, finer: bool) -> bool | None:
    """Whether an event meets a condition; None where what is known of it does not tell.

    `finer` says that stamps may be stored finer than they are shown.
    """
    if condition.field not in values:
        return None
    value = values[condition.field]
    with suppress(TypeError):  # a value of another kind than is documented: nobody knows
        found = condition.admits(value)
        if finer and condition.field == RECORDED_AT and value is not None:
            return found if condition.admits(value + FINER_MS) == found else None
        return found
    return None


def matches(query: Query, values: Values, *, finer: bool) -> bool | None:
    """Whether an event meets all conditions of a query; None where that is not known."""
    answers = [meets(condition, values, finer=finer) for condition in query.conditions]
    if False in answers:
        return False
    return None if None in answers else True


def compare(query: Query, a: Values, b: Values) -> int | None:
    """Return -1, 0 or 1 for the order of two events in the list of a query; None for unknown.

    0 where the order is left to the server.
    """
    for key in query.order:
        if key.field not in a or key.field not in b:
            return None
        left, right = a[key.field], b[key.field]
        if left is None or right is None:
            if (left is None) == (right is None):
                continue
            return -1 if (left is None) == (query.nulls == "first") else 1
        if left != right:
            with suppress(TypeError):  # values of kinds that can't be ordered
                return -1 if (left < right) != key.descending else 1
            return None
    return 0
