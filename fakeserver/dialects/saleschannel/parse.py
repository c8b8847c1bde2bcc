"""The sales channel's query string: ``$limit``, ``$orderBy``, ``$filter``, nested in two encodings.

The document nests objects (``"$filter": {"createdAt": {"gte": key}}``) and never says how they go
into a URL. Accepted are brackets (``$filter[createdAt][gte]=...``) and JSON
(``$filter={"createdAt":{"gte":"..."}}``). What ordinary clients send when they are handed a nested
dict and do neither gets a 400 that says what went wrong.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

import msgspec

from fakeserver.clock import zone
from fakeserver.dialects.base import Ask, FixedSettings, Refused, Settings, fixed
from fakeserver.dialects.wire import (
    SHOWN_CHARS_MAX,
    check_token,
    only_get,
    read_time,
    shown,
    split_query,
    unknown_parameter,
    whole_number,
)
from fakeserver.query import ID, RECORDED_AT, Condition, Nulls, Operator, Query, SortKey

PATH = "/saleschannel-services/v1/events"
PATH_WITHOUT_VERSION = "/saleschannel-services/events"
PARAMETERS = ("$limit", "$orderBy", "$filter")
LIMIT_MAX = 2**31 - 1
"""What a 32-bit LIMIT holds; more is a slip, not a page size."""
CONDITIONS_MAX = 20
"""A filter of the document has one."""
LIST_VALUES_MAX = 200
"""A list in a query string that long no longer fits its 8 KiB."""

COLUMNS = {"id": ID, "eventType": "eventType", "createdAt": RECORDED_AT, "eventAt": "eventAt"}
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
HOW = (
    "send brackets, $orderBy[createdAt]=asc&$filter[createdAt][gte]=2020-01-01T00:00:00.000Z, "
    'or JSON, $filter={"createdAt":{"gte":"2020-01-01T00:00:00.000Z"}} (percent-encoded)'
)

_BRACKETS = re.compile(r"(\$\w+)((?:\[[^\[\]]*\])+)", re.ASCII)
_KEYS = re.compile(r"\[([^\[\]]*)\]")

Tree = dict[str, Any]


def parse(ask: Ask, settings: Settings) -> Query:
    """Return what `ask` means. Raises `Refused` with 400, 401, 403, 404, 405 or 414."""
    served = (PATH, PATH_WITHOUT_VERSION) if settings["alias_without_version"] else (PATH,)
    if ask.path not in served:
        raise Refused(404, "unknown-path", f"expected {PATH}, got {shown(ask.path)}")
    only_get(ask, PATH)
    _check_role(ask, settings)
    if ask.has_body and settings["request_body"] == "reject":
        raise Refused(
            400,
            "unexpected-body",
            f"expected no body with a GET, got one: the query belongs into the address; {HOW}",
        )
    return _parse_query(ask.query, fixed(settings))


def _check_role(ask: Ask, settings: Settings) -> None:
    try:
        check_token(ask)
    except Refused as refused:
        if refused.code == "no-role":
            status = int(settings["without_role"] or 403)
            says = "expected a token with the role EVENT_VIEWER, got one without it"
            raise Refused(status, refused.code, says) from refused
        raise


@lru_cache(maxsize=2048)
def _parse_query(raw: str, chosen: FixedSettings) -> Query:
    settings: dict[str, Any] = chosen
    trees = _read_trees(raw, settings)
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


def _read_trees(raw: str, settings: Settings) -> Tree:
    """Return the parameters with their nesting: ``{"$filter": {"createdAt": {"gte": "…"}}}``."""
    trees: Tree = {}
    for name, value in split_query(raw):
        top, keys = _keys_of(name)
        if top not in PARAMETERS:
            if settings["unknown_parameter"] == "ignore":
                continue
            if re.match(r"query\b", name):
                raise _query_in_query(name)
            raise unknown_parameter(name, PARAMETERS)
        if not keys:
            if top in trees:
                how = "" if top == "$limit" else f"; {HOW}"
                raise Refused(400, "repeated-parameter", f"expected {top} once, got it again{how}")
            trees[top] = value
        else:
            if settings["encodings"] == "json":
                raise Refused(
                    400, "unparsable-query", f"this server reads JSON, got {shown(name)}; {HOW}"
                )
            _plant(trees, name, (top, *keys), value)
    return trees


@lru_cache(maxsize=256)
def _keys_of(name: str) -> tuple[str, tuple[str, ...]]:
    """Return what stands before the brackets of a name, and in each of them."""
    match = _BRACKETS.fullmatch(name)
    return (match[1], tuple(_KEYS.findall(match[2]))) if match else (name, ())


def _query_in_query(name: str) -> Refused:
    """Return the refusal of the pseudo-code's ``{"query": {...}}`` taken at its word."""
    return Refused(
        400,
        "unknown-parameter",
        f"expected {', '.join(PARAMETERS)} themselves, got {shown(name)}: the document's 'query' "
        f"stands for the query string; {HOW}",
    )


def _plant(trees: Tree, name: str, keys: tuple[str, ...], value: str) -> None:
    node = trees
    for key in keys[:-1]:
        node = node.setdefault(key, {})
        if not isinstance(node, dict):
            raise Refused(
                400, "repeated-parameter", f"{shown(name)} contradicts an earlier {keys[0]}"
            )
    leaf = keys[-1]
    if leaf == "":
        raise Refused(
            400,
            "unparsable-query",
            f"expected a name between the brackets of {shown(name)}; send a list as a,b",
        )
    if leaf in node:
        raise Refused(
            400,
            "repeated-parameter",
            f"expected {shown(name)} once, got it again; a library that is handed an object may "
            "repeat the name for each of its keys: send one value (of an event, its createdAt)",
        )
    node[leaf] = value


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


def _read_nested(name: str, value: Any, settings: Settings) -> Tree:
    """Return the object behind `name`, whether it came in brackets or as JSON."""
    if isinstance(value, dict):
        return value
    if value == "[object Object]":
        problem = "a JavaScript object turned into text loses its content"
    elif value.startswith("{'"):
        problem = "this is Python's notation of a dict, not JSON"
    elif value in COLUMNS:
        problem = "the operator and the value are lost; HTTP libraries flatten a nested dict so"
    elif settings["encodings"] == "brackets" and value.startswith("{"):
        problem = "this server reads brackets, not JSON"
    else:
        tree = _read_json(name, value)
        if isinstance(tree, dict):
            return tree
        problem = "it is neither nested in brackets nor a JSON object"
    raise Refused(400, "unparsable-query", f"{name}: got {shown(value)}: {problem}; {HOW}")


def _read_json(name: str, text: str) -> Any:
    """Return the JSON value, or None. Refuses a key that comes twice: one would be lost."""

    def once(pairs: list[tuple[str, Any]]) -> Tree:
        tree: Tree = {}
        for key, value in pairs:
            if key in tree:
                raise Refused(
                    400, "repeated-parameter", f"{name}: expected {shown(key)} once, got it again"
                )
            tree[key] = value
        return tree

    try:
        msgspec.json.decode(text)  # stricter than the standard library: no NaN, no half a surrogate
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):  # 8 KiB of [ nest deeper than a stack
        return None


def _read_order(value: Any, settings: Settings) -> SortKey:
    tree = _read_nested("$orderBy", value, settings)
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
    tree = _read_nested("$filter", value, settings)
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
