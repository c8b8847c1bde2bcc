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
RECORDED_US = "recorded_us"
"""The field of `LoggedEvent.fields` with what a stamp is finer than it is shown: 0 to 999 µs."""


class Condition(msgspec.Struct, frozen=True):
    """`field` `operator` `value`. A null never matches, as in SQL."""

    field: str
    operator: Operator
    value: Any

    def holds(self, event: LoggedEvent) -> bool:
        """Whether `event` satisfies the condition."""
        return self.admits(value_of(event, self.field))

    def admits(self, value: Any) -> bool:
        """Whether an event with that value of the field satisfies the condition."""
        return value is not None and bool(_TESTS[self.operator](value, self.value))


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
    returned. `limit_asked` is the number in the request, before defaults and caps. The answer
    speaks of the log as it was `lag_ms` before the request.
    """

    endpoint: Literal["list", "single", "count"] = "list"
    conditions: tuple[Condition, ...] = ()
    order: tuple[SortKey, ...] = ()
    nulls: Nulls = "first"
    ties_shuffled: bool = False
    offset: int = 0
    limit: int | None = None
    limit_asked: int | None = None
    lag_ms: int = 0
    fields: tuple[str, ...] | None = None

    @property
    def is_shuffled(self) -> bool:
        """Whether the same question may get its rows in another order. By id, none of them tie."""
        return self.ties_shuffled and all(key.field != ID for key in self.order)

    def matches(self, event: LoggedEvent) -> bool:
        """Whether `event` meets all conditions, whatever the cut."""
        return all(condition.holds(event) for condition in self.conditions)


def value_of(event: LoggedEvent, field: str) -> Any:
    """Return the value that conditions and orders see under the name `field`.

    That is for a stamp what the server has stored, which may be finer than what it shows.
    """
    if field == ID:
        return event.id
    if field != RECORDED_AT:
        return event.fields.get(field)
    finer = event.fields.get(RECORDED_US)
    if not finer or event.recorded_at is None:
        return event.recorded_at
    return event.recorded_at + finer / 1000  # a float holds microseconds until the year 2200
