"""What Schemathesis takes for a failure of a server, and OpenAPI has no words to say it is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from jsonschema import Draft202012Validator

from ._checks import body_problems
from ._documents import Json, openapi

LINE_CHARS_MAX = 32_768
"""The fake refuses a query over 8 KiB itself; no server in front of it is as strict as this."""


def is_no_failure(check: str, api: str, uri: str, status: int) -> bool:
    """Whether the server is right though Schemathesis complains.

    It may refuse a filter in JSON and in brackets, which OpenAPI can't say is wrong; and an address
    that is too long for the server in front of the API, which then answers in its own way. And it
    may accept what was negated and is right as sent: a filter whose parts were negated twice, and
    an empty object, of which nothing is left in a query. What only a server can make up, such as a
    cursor, nobody draws: a parameter with such a value may be refused.
    """
    asked = urlsplit(uri)
    query = parse_qsl(asked.query, keep_blank_values=True)
    if check == "positive_data_acceptance":
        encodings = {name.partition("[")[1] for name, _ in query if name.startswith("$filter")}
        if len(encodings) > 1 or _opaque(api) & {name for name, _ in query}:
            return True
    if check == "negative_data_rejection" and any(
        _is_right(api, known, query) for known in _operations(api, asked.path)
    ):
        return True
    return len(uri) > LINE_CHARS_MAX and status in (414, 431)


def _opaque(api: str) -> set[str]:
    """Return the parameters whose values come from answers alone (``x-opaque`` in the schema)."""
    known = openapi(api)["components"]["parameters"].values()
    return {each["name"] for each in known if each.get("schema", {}).get("x-opaque")}


def _operations(api: str, path: str) -> Iterator[dict[str, Json]]:
    """Yield the parameters, by name, of each operation at `path` whose values in it are right."""
    document = openapi(api)
    for template, item in document["paths"].items():
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
        found = re.fullmatch(pattern, path)
        if found is None or "get" not in item:
            continue
        listed = [*item.get("parameters", []), *item["get"].get("parameters", [])]
        known = {each["name"]: each for each in (_resolved(document, one) for one in listed)}
        if all(_allows(api, known[name], unquote(v)) for name, v in found.groupdict().items()):
            yield known


def _resolved(document: Json, parameter: Json) -> Json:
    name = parameter.get("$ref", "").removeprefix("#/components/parameters/")
    found: Json = document["components"]["parameters"][name] if name else parameter
    return found


def _is_right(api: str, known: dict[str, Json], query: list[tuple[str, str]]) -> bool:
    """Whether an operation with the parameters `known` allows `query`, as it was sent."""
    names = [name for name, _ in query]
    return len(names) == len({*names}) and all(
        name in known and _allows(api, known[name], value) for name, value in query
    )


def _allows(api: str, parameter: Json, value: str) -> bool:
    """Whether the document allows a value of a parameter, as it was sent."""
    if parameter["name"] == "$filter":
        return not body_problems(api, "#/components/schemas/Filter", value.encode())
    schema = parameter.get("schema", {})
    if schema.get("type") not in ("string", "integer", "array"):
        return False  # how such a value is written is not known here
    meant: object = value
    if schema["type"] == "integer":
        meant = int(value) if value.isascii() and value.isdecimal() else None
    elif schema["type"] == "array":
        meant = value.split(",")
    return Draft202012Validator(schema).is_valid(meant)
