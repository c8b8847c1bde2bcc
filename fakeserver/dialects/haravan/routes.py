"""What the path of a request asks for, and the rules by which the rest of it is read."""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from fakeserver.dialects.base import FixedSettings, Refused
from fakeserver.dialects.haravan.terms import NESTED, NESTED_ALL, SCOPED_ONLY
from fakeserver.dialects.wire import shown
from fakeserver.query import ID, Condition

LIST_PATH = "/com/events.json"

_PATH = re.compile(
    r"/(?:com|admin|(?P<versioned>admin/api/[0-9]{4}-[0-9]{2}))/"
    r"(?:events(?:/(?P<event>count|[0-9]{1,19}))?"
    r"|(?P<parents>[a-z_]+)/(?P<parent>[0-9]{1,19})/events)\.json",
    re.ASCII,
)


class Rules(msgspec.Struct, frozen=True):
    """The switches that decide how a request is read, under their own names."""

    version_alias: Any
    nested: Any
    unknown_parameter: Any
    empty_parameter: Any
    paging: Any
    limit_default: Any
    limit_max: Any
    limit_over_max: Any
    page_below_one: Any
    since_id_zero: Any
    since_id_order: Any
    since_id_with_page: Any
    order_default: Any
    created_at_ties: Any
    shop_zone: Any
    time_forms: Any
    ambiguous_time: Any
    bounds: Any
    lost_plus: Any
    unknown_filter: Any
    filter_case: Any
    count_filters: Any
    count_lag: Any
    extra_verbs: Any
    fields_id: Any
    author: Any


_rule_values = itemgetter(*Rules.__struct_fields__)


class InGlobalList(Condition, frozen=True):
    """Keeps what the document shows only under an order or a product out of the global list.

    A plain condition can't say it: a null never matches, and nearly no event has the field.
    """

    def admits(self, value: Any) -> bool:
        """Whether the mark is missing."""
        return not value


_IN_GLOBAL_LIST = InGlobalList(SCOPED_ONLY, "not in", (True,))


class Route(msgspec.Struct, frozen=True):
    """What a path asks for: an endpoint, and the conditions that the path itself sets."""

    endpoint: str
    conditions: tuple[Condition, ...]


@lru_cache(maxsize=64)
def rules_of(settings: FixedSettings) -> Rules:
    """Return the switches as rules."""
    return Rules(*_rule_values(settings))


@lru_cache(maxsize=1024)
def route_of(path: str, settings: FixedSettings) -> Route:
    """Return what a path asks for. Raises `Refused` (404)."""
    rules = rules_of(settings)
    found = _PATH.fullmatch(path)
    nested = NESTED if rules.nested == "orders-products" else NESTED_ALL
    if (
        found is None
        or (found["versioned"] and not rules.version_alias)
        or (found["parents"] and found["parents"] not in nested)
    ):
        raise _unknown_path(path, nested)
    if found["parents"]:
        return Route(
            "list",
            (
                Condition("subject_type", "=", nested[found["parents"]]),
                Condition("subject_id", "=", int(found["parent"])),
            ),
        )
    if found["event"] is None:
        return Route("list", (_IN_GLOBAL_LIST,))
    if found["event"] == "count":
        return Route("count", (_IN_GLOBAL_LIST,))
    return Route("single", (Condition(ID, "=", int(found["event"])),))


def _unknown_path(path: str, nested: dict[str, str]) -> Refused:
    placeholder = "%7B" in path.upper() or "{" in path
    hint = "; put the number in the place of #{id}" if placeholder else ""
    known = "".join(f", /com/{parents}/ID/events.json" for parents in nested)
    return Refused(
        404,
        "unknown-path",
        f"expected {LIST_PATH}, /com/events/ID.json, /com/events/count.json{known}, "
        f"got {shown(path)}{hint}",
    )
