"""What a request means, in words that every dialect shares: conditions, order, cut.

A dialect translates its own query string into a `Query`; the log answers it and the judge reasons
about it, so neither has to know the dialect.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from fakeserver.scenario import LoggedEvent

Operator = Literal["=", ">", ">=", "<", "<=", "in", "not in"]
Nulls = Literal["first", "last"]

ID = "id"
RECORDED_AT = "recorded_at"
"""The two fields that every event has; any other name is looked up in `LoggedEvent.fields`."""


class Condition(msgspec.Struct, frozen=True):
    """`field` `operator` `value`. A null never matches, as in SQL."""

    field: str
    operator: Operator
    value: Any

    def holds(self, event: LoggedEvent) -> bool:
        """Whether `event` satisfies the condition."""
        value = value_of(event, self.field)
        if value is None:
            return False
        return bool(_TESTS[self.operator](value, self.value))


_TESTS: dict[str, Any] = {
    "=": lambda value, wanted: value == wanted,
    ">": lambda value, wanted: value > wanted,
    ">=": lambda value, wanted: value >= wanted,
    "<": lambda value, wanted: value < wanted,
    "<=": lambda value, wanted: value <= wanted,
    "in": lambda value, wanted: value in wanted,
    "not in": lambda value, wanted: value not in wanted,
}


class SortKey(msgspec.Struct, frozen=True):
    """One key of an order."""

    field: str
    descending: bool = False


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A request for rows, understood.

    Rows that meet all `conditions` are ordered by `order` (then by age in the log, or at random a
    request where `ties_shuffled`), `offset` rows are skipped and at most `limit` (None: all)
    returned. `limit_asked` is the number in the request, before defaults and caps.
    """

    endpoint: Literal["list", "single", "count"] = "list"
    conditions: tuple[Condition, ...] = ()
    order: tuple[SortKey, ...] = ()
    nulls: Nulls = "first"
    ties_shuffled: bool = False
    offset: int = 0
    limit: int | None = None
    limit_asked: int | None = None
    fields: tuple[str, ...] | None = None

    def matches(self, event: LoggedEvent) -> bool:
        """Whether `event` meets all conditions, whatever the cut."""
        return all(condition.holds(event) for condition in self.conditions)


def value_of(event: LoggedEvent, field: str) -> Any:
    """Return the value that conditions and orders see under the name `field`."""
    if field == ID:
        return event.id
    if field == RECORDED_AT:
        return event.recorded_at
    return event.fields.get(field)
