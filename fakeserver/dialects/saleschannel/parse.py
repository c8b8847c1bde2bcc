"""The sales channel's query string: ``$limit``, ``$orderBy`` and ``$filter``, as a `Query`."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from fakeserver.clock import zone
from fakeserver.dialects.base import Ask, FixedSettings, Refused, Settings, fixed
from fakeserver.dialects.saleschannel.nesting import COLUMNS, HOW, read_nested, read_trees
from fakeserver.dialects.wire import (
    QUERY_CHARS_MAX,
    SHOWN_CHARS_MAX,
    check_token,
    is_usual,
    only_get,
    read_time,
    shown,
    whole_number,
)
from fakeserver.query import RECORDED_AT, Condition, Nulls, Operator, Query, SortKey

PATH = "/saleschannel-services/v1/events"
PATH_WITHOUT_VERSION = "/saleschannel-services/events"
LIMIT_MAX = 2**31 - 1
"""What a 32-bit LIMIT holds; more is a slip, not a page size."""
CONDITIONS_MAX = 20
"""A filter of the document has one."""
LIST_VALUES_MAX = 200
"""A list in a query string that long no longer fits its 8 KiB."""

TIMES = ("createdAt", "eventAt")
OPERATORS: dict[str, Operator] = {
    "equals": "=",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "in": "in",
    "notIn": "not in",
    "not": "not in",
}
_BOUND = re.compile(
    r"(?:^|&)(?:\$|%24)filter(?:\[|%5B)(?P<column>id|createdAt)(?:\]|%5D)"
    r"(?:\[|%5B)(?P<operator>[gl]te?)(?:\]|%5D)$",
    re.ASCII,
)
"""Where a walk goes on."""
_PLAIN = re.compile(r"[\w.:-]+", re.ASCII)
_ANYWHERE = {"id": "0", "createdAt": "2000-01-01T00:00:00Z"}


def parse(ask: Ask, settings: Settings) -> Query:
    """Return what `ask` means. Raises `Refused` with 400, 401, 403, 404, 405 or 414."""
    served = (PATH, PATH_WITHOUT_VERSION) if settings["alias_without_version"] else (PATH,)
    if ask.path not in served:
        raise Refused(404, "unknown-path", f"expected {PATH}, got {shown(ask.path)}")
    if not is_usual(ask):
        only_get(ask, PATH)
        _check_role(ask, settings)
    if ask.has_body and settings["request_body"] == "reject":
        raise Refused(
            400,
            "unexpected-body",
            f"expected no body with a GET, got one: the query belongs into the address; {HOW}",
        )
    return _query(ask.query, fixed(settings))


def _check_role(ask: Ask, settings: Settings) -> None:
    try:
        check_token(ask)
    except Refused as refused:
        if refused.code == "no-role":
            status = int(settings["without_role"] or 403)
            says = "expected a token with the role EVENT_VIEWER, got one without it"
            raise Refused(status, refused.code, says) from refused
        raise


@lru_cache(maxsize=4096)
def _query(raw: str, settings: FixedSettings) -> Query:
    """Return what a query string means: of a walk all but where it goes on is known."""
    words, _, value = raw.rpartition("=")
    value = value.replace("%3A", ":")
    if words.endswith(("]", "%5D")) and _PLAIN.fullmatch(value) and len(raw) <= QUERY_CHARS_MAX:
        walk = _walk(words, settings)
        if walk is not None:
            try:
                return walk.at(value, settings)
            except Refused:
                pass  # whether that ends it the settings say
    return _read(raw, settings)


class Walk(msgspec.Struct, frozen=True):
    """A query but for the value of its condition number `place`, which stands `where`."""

    query: Query
    place: int
    column: str
    where: str

    def at(self, value: str, settings: Settings) -> Query:
        """Return the query with that value. Raises `Refused` for a time that is none."""
        read = _read_value(self.where, self.column, value, settings)
        conditions = self.query.conditions
        bound = conditions[self.place]
        moved = (
            *conditions[: self.place],
            Condition(bound.field, bound.operator, read),
            *conditions[self.place + 1 :],
        )
        return replace(self.query, conditions=moved)


@lru_cache(maxsize=512)
def _walk(words: str, settings: FixedSettings) -> Walk | None:
    """Return what all queries have in common that are `words` and a value, or None."""
    found = _BOUND.search(words)
    if found is None:
        return None
    column, operator = found["column"], found["operator"]
    where, anywhere = f"$filter[{column}][{operator}]", _ANYWHERE[column]
    try:
        query = _read(f"{words}={anywhere}", settings)
        bound = _read_condition(where, COLUMNS[column], column, operator, anywhere, settings)
    except Refused:
        return None
    if bound not in query.conditions:
        return None
    return Walk(query, query.conditions.index(bound), column, where)


def _read(raw: str, chosen: FixedSettings) -> Query:
    settings: dict[str, Any] = chosen
    trees = read_trees(raw, settings)
    limit_asked = _read_limit(trees.get("$limit"), settings)
    limit_default = settings["limit_default"]
    limit = limit_default if limit_asked is None else limit_asked
    limit_max = settings["limit_max"]
    if limit_max is not None:
        limit = limit_max if limit is None else min(limit, limit_max)
    order = _lenient(_read_order, trees.get("$orderBy"), settings, otherwise=None)
    sort_keys = _order_default(settings) if order is None else (order,)
    return Query(
        conditions=_lenient(_read_filter, trees.get("$filter"), settings, otherwise=()),
        order=sort_keys,
        nulls=_nulls(sort_keys, settings),
        # Without any order, rows come as the log has them: there is nothing to tie in.
        ties_shuffled=settings["ties"] == "shuffled" and bool(sort_keys),
        limit=limit,
        limit_asked=limit_asked,
    )


def _nulls(sort_keys: tuple[SortKey, ...], settings: Settings) -> Nulls:
    """Return where nulls stand. To a database they are the lowest value or the highest.

    So the end that the switch names for an ascending order is the other one in a descending order.
    """
    first = settings["nulls"] == "first"
    return "first" if first != any(key.descending for key in sort_keys) else "last"


def _order_default(settings: Settings) -> tuple[SortKey, ...]:
    if settings["order_default"] == "newest-first":
        return (SortKey(RECORDED_AT, descending=True),)
    return ()


def _lenient(read: Any, value: Any, settings: Settings, *, otherwise: Any) -> Any:
    """Read `value`; where the settings ignore what can't be read, return `otherwise` instead."""
    if value is None:
        return otherwise
    try:
        return read(value, settings)
    except Refused:
        if settings["unparsable_query"] == "ignore":
            return otherwise
        raise


def _read_limit(value: Any, settings: Settings) -> int | None:
    if value is None:
        return None
    if isinstance(value, dict):
        raise Refused(400, "bad-number", "$limit: expected a whole number, got a nested object")
    limit = whole_number("$limit", value, least=1, most=LIMIT_MAX)
    cap = settings["limit_max"]
    if cap is not None and limit > int(cap) and settings["limit_over_max"] == "reject":
        raise Refused(400, "limit-over-max", f"$limit: expected at most {cap}, got {limit}")
    return limit


def _read_order(value: Any, settings: Settings) -> SortKey:
    tree = read_nested("$orderBy", value, settings)
    if len(tree) != 1:
        raise Refused(
            400,
            "unparsable-query",
            f"$orderBy: expected one column, got {len(tree)}; the document shows no second key",
        )
    ((column, direction),) = tree.items()
    field = _column("$orderBy", column)
    known = ("asc",) if settings["order_by"] == "asc-only" else ("asc", "desc")
    if direction not in known:
        raise Refused(
            400,
            "unparsable-query",
            f"$orderBy[{column}]: expected {' or '.join(known)}, got {_shown_value(direction)}",
        )
    return SortKey(field, descending=direction == "desc")


def _read_filter(value: Any, settings: Settings) -> tuple[Condition, ...]:
    tree = read_nested("$filter", value, settings)
    conditions: list[Condition] = []
    for column, tests in tree.items():
        field = _column("$filter", column)
        pairs = tests if isinstance(tests, dict) else {"equals": tests}
        if not pairs:
            raise Refused(
                400, "unparsable-query", f"$filter[{column}]: expected a condition, got none; {HOW}"
            )
        for operator, wanted in pairs.items():
            where = f"$filter[{column}][{operator}]"
            conditions.append(_read_condition(where, field, column, operator, wanted, settings))
    if not conditions or len(conditions) > CONDITIONS_MAX:
        raise Refused(
            400,
            "unparsable-query",
            f"$filter: expected 1 to {CONDITIONS_MAX} conditions, got {len(conditions)}; {HOW}",
        )
    return tuple(conditions)


def _column(name: str, column: str) -> str:
    if column in ("AND", "OR", "NOT"):
        raise Refused(400, "not-imitated", f"{name}: {column} is not imitated; send columns")
    if column not in COLUMNS:
        known = ", ".join(COLUMNS)
        raise Refused(
            400, "unparsable-query", f"{name}: expected one of {known}, got {shown(column)}"
        )
    return COLUMNS[column]


def _read_condition(
    where: str, field: str, column: str, operator: str, wanted: Any, settings: Settings
) -> Condition:
    known = ("gte",) if settings["operators"] == "gte-only" else tuple(OPERATORS)
    if operator not in known:
        raise Refused(
            400,
            "unknown-operator",
            f"{where}: expected one of {', '.join(known)}, got {shown(operator)}",
        )
    if operator in ("in", "notIn"):
        values = _read_list(where, wanted)
        return Condition(
            field,
            OPERATORS[operator],
            tuple(_read_value(where, column, value, settings) for value in values),
        )
    value = _read_value(where, column, wanted, settings)
    return Condition(field, OPERATORS[operator], (value,) if operator == "not" else value)


def _read_list(where: str, wanted: Any) -> list[Any]:
    """Return the values of a list. An empty one is refused: ``notIn`` it, all rows would match."""
    values = wanted.split(",") if isinstance(wanted, str) else wanted
    if not isinstance(values, list):
        raise Refused(
            400,
            "unparsable-query",
            f"{where}: expected a list, got {_shown_value(wanted)}; send it as a,b or, inside "
            'JSON, as ["a","b"]',
        )
    if not 1 <= len(values) <= LIST_VALUES_MAX:
        raise Refused(
            400,
            "unparsable-query",
            f"{where}: expected 1 to {LIST_VALUES_MAX} values, got {len(values)}",
        )
    return values


def _shown_value(value: Any) -> str:
    """Quote a value of any type; not even its start where it nests, for that may be deep."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else json.dumps(value)[:SHOWN_CHARS_MAX]


def _read_value(where: str, column: str, value: Any, settings: Settings) -> Any:
    if isinstance(value, dict):
        says = f"{where}: expected a value, got an object"
        if column in TIMES:
            says += "; the pagination key is the event's createdAt, not the whole event"
        raise Refused(400, "unparsable-query", says)
    if not isinstance(value, str):
        raise Refused(400, "unparsable-query", f"{where}: expected text, got {_shown_value(value)}")
    if not value.strip():
        raise Refused(
            400,
            "empty-value",
            f"{where}: expected a value, got {shown(value)}; leave out what you don't ask for",
        )
    if column in TIMES:
        naive_zone = zone("UTC") if settings["naive_times"] == "utc" else None
        return read_time(where, value, naive_zone=naive_zone)
    return value
