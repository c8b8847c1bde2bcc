"""Whether one answer keeps the OpenAPI document of its API: status, headers, media type, body.

Usable against any server: it looks at what came over HTTP and at nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from fakeserver.doors import Reply

from ._documents import Json, openapi

ALIASES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "haravan": (
        (r"/admin/api/[0-9]{4}-[0-9]{2}/", "/com/"),
        (r"/admin/", "/com/"),
        (r"/com/(articles|blogs|(custom_|smart_)?collections|comments|pages)/", "/com/orders/"),
    ),
    "saleschannel": ((r"/saleschannel-services/events$", "/saleschannel-services/v1/events"),),
}
"""Paths that some profiles serve beside the documented ones, and what they answer like."""
OF_THE_TRANSPORT = frozenset(
    {"content-type", "content-length", "connection", "keep-alive", "server", "transfer-encoding"}
)
"""Headers that belong to HTTP itself; OpenAPI leaves them out."""
MEDIA_TYPE = re.compile(r"application/json(; *charset=utf-8)?", re.IGNORECASE)
SHOWN_CHARS_MAX = 300
"""A complaint quotes the start of a body, not a page of events."""


def problems(api: str, method: str, path: str, reply: Reply) -> list[str]:
    """Return a sentence for each way in which `reply` breaks the document of `api`.

    `path` has no query. A path that the document lacks may be refused in any documented way.
    """
    operation = find_operation(api, path)
    responses = operation["responses"] if operation else _refusals(api)
    definition = responses.get(str(reply.status))
    if definition is None:
        known = ", ".join(sorted(responses))
        return [f"{method} {path}: status {reply.status}, documented are {known}"]
    response = _resolved(api, definition)
    found = [*_header_problems(api, response, reply)]
    if method == "HEAD":
        found += [f"HEAD: a body of {len(reply.body)} bytes"] if reply.body else []
    else:
        found += body_problems(api, _body_ref(definition, path, api, reply.status), reply.body)
    return [f"{method} {path}: {reply.status}: {problem}" for problem in found]


def recorded_problems(api: str, path: str, status: int, body: bytes) -> list[str]:
    """Return a sentence for each way in which a recorded answer breaks the document of `api`.

    Only status and body are looked at: between client and service others add headers of their own.
    """
    operation = find_operation(api, path)
    responses = operation["responses"] if operation else _refusals(api)
    definition = responses.get(str(status))
    if definition is None:
        return [f"{path}: status {status}, documented are {', '.join(sorted(responses))}"]
    found = body_problems(api, _body_ref(definition, path, api, status), body)
    return [f"{path}: {status}: {problem}" for problem in found]


def find_operation(api: str, path: str) -> Json | None:
    """Return the operation that answers `path` (by any method), or None."""
    for pattern, plain in ALIASES.get(api, ()):
        path = re.sub(f"^{pattern}", plain, path)
    for route, operation in _routes(api):
        if route.fullmatch(path):
            return operation
    return None


@lru_cache(maxsize=8)
def _routes(api: str) -> tuple[tuple[re.Pattern[str], Json], ...]:
    """Return the paths as patterns, those without parameters first, as OpenAPI wants it."""
    paths = sorted(openapi(api)["paths"].items(), key=lambda item: "{" in item[0])
    return tuple(
        (re.compile(re.sub(r"\\\{\w+\\\}", "[0-9]{1,19}", re.escape(path))), item["get"])
        for path, item in paths
    )


@lru_cache(maxsize=8)
def _refusals(api: str) -> Json:
    """Return the responses that no right request gets: the document says nothing of its paths."""
    first = next(iter(openapi(api)["paths"].values()))["get"]["responses"]
    return {status: definition for status, definition in first.items() if status >= "400"}


def _resolved(api: str, definition: Json) -> Json:
    """Return what a reference into the document leads to; anything else as it is."""
    while "$ref" in definition:
        node: Any = openapi(api)
        for key in definition["$ref"].removeprefix("#/").split("/"):
            node = node[key]
        definition = node
    return definition


def _header_problems(api: str, response: Json, reply: Reply) -> Iterator[str]:
    documented = {
        name.lower(): _resolved(api, header) for name, header in response["headers"].items()
    }
    sent: dict[str, str] = {}
    for name, value in reply.headers:
        if name.lower() in sent:
            yield f"the header {name} comes twice"
        sent[name.lower()] = value
    for name in sorted(set(sent) - set(documented) - OF_THE_TRANSPORT):
        yield f"the header {name} is not documented"
    for name, header in documented.items():
        if name not in sent:
            if header.get("required"):
                yield f"the header {name} is missing"
        elif not Draft202012Validator(header["schema"]).is_valid(sent[name]):
            yield f"the header {name} is {sent[name]!r}, expected {header['schema']}"
    if not MEDIA_TYPE.fullmatch(sent.get("content-type", "")):
        yield f"the header content-type is {sent.get('content-type')!r}, expected JSON in UTF-8"


def _body_ref(definition: Json, path: str, api: str, status: int) -> str:
    """Return the reference to the schema of a body, from the top of the document."""
    schema: Json = _resolved(api, definition)["content"]["application/json"]["schema"]
    ref: str = schema.get("$ref", "")
    assert ref, f"{path} {status}: the schema of a body is a reference in our documents"
    return ref


def body_problems(api: str, ref: str, body: bytes) -> list[str]:
    """Return a sentence for each way in which `body` breaks the schema at `ref`."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_json)
    except ValueError as error:
        return [f"the body is not JSON in UTF-8: {error}: {body[:SHOWN_CHARS_MAX]!r}"]
    return [
        f"body at /{'/'.join(map(str, error.absolute_path))}: {error.message[:SHOWN_CHARS_MAX]}"
        for error in validator(api, ref).iter_errors(value)
    ]


def _no_json(text: str) -> None:
    """Refuse NaN and the infinities, which Python reads and JSON has not."""
    raise ValueError(f"{text} is no JSON")


@lru_cache(maxsize=64)
def validator(api: str, ref: str) -> Draft202012Validator:
    """Return the validator of the schema at `ref`, a reference from the top, with formats."""
    resource = DRAFT202012.create_resource(openapi(api))
    registry: Registry[Any] = Registry().with_resource(f"urn:{api}", resource)
    return Draft202012Validator(
        {"$ref": f"urn:{api}{ref}"},
        registry=registry,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
