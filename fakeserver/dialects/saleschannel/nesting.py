"""How the document's nested objects go into a query string: in brackets, or as JSON.

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

from fakeserver.dialects.base import Refused, Settings
from fakeserver.dialects.wire import shown, split_query, unknown_parameter
from fakeserver.query import ID, RECORDED_AT

COLUMNS = {"id": ID, "eventType": "eventType", "createdAt": RECORDED_AT, "eventAt": "eventAt"}
PARAMETERS = ("$limit", "$orderBy", "$filter")
HOW = (
    "send brackets, $orderBy[createdAt]=asc&$filter[createdAt][gte]=2020-01-01T00:00:00.000Z, "
    'or JSON, $filter={"createdAt":{"gte":"2020-01-01T00:00:00.000Z"}} (percent-encoded)'
)

_BRACKETS = re.compile(r"(\$\w+)((?:\[[^\[\]]*\])+)", re.ASCII)
_KEYS = re.compile(r"\[([^\[\]]*)\]")

Tree = dict[str, Any]


def read_trees(raw: str, settings: Settings) -> Tree:
    """Return the parameters with their nesting: ``{"$filter": {"createdAt": {"gte": "…"}}}``.

    Raises `Refused` (400).
    """
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


def read_nested(name: str, value: Any, settings: Settings) -> Tree:
    """Return the object behind `name`, whether it came in brackets or as JSON.

    Raises `Refused` (400) for what is no object.
    """
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
