"""Asking a served fake in one process. Every answer of its control API is held to its document."""

import json
import re
from functools import lru_cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator

from fakeserver.app import ORIGIN
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import call
from fakeserver.resources import contract_path
from fakeserver.serving.options import ServeOptions
from fakeserver.serving.site import Site

CONTROL = "/_fakeserver"
DOCUMENT = json.loads(contract_path("control", "openapi.json").read_text(encoding="utf-8"))
EVERYWHERE = {404: "Problem", 405: "Problem", 308: None}
"""What any address may answer and the document does not repeat at each; with its schema."""


class Reply(msgspec.Struct, frozen=True):
    """One answer; `json` is None for a body that is not JSON."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if "json" in self.headers.get("Content-Type", "") else None


class Wall:
    """Real time that stands still until a test moves it."""

    def __init__(self, now: int = 1_772_366_405_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def a_site(*, wall: Wall | None = None, **options: Any) -> Site:
    """A site with a simulated clock; options of `Site` and of `ServeOptions` by their names."""
    own = {
        name: options.pop(name)
        for name in ("control", "token", "hosts", "state", "on_shutdown")
        if name in options
    }
    chosen = {"dialect": "haravan", "clock": "simulated", "rate_per_s": 0, "backlog": 0, **options}
    return Site(ServeOptions(**chosen), wall=wall or Wall(), **own)


def ask(
    site: Site,
    method: str,
    path: str,
    body: Any = None,
    *,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """Send one request, `body` as JSON. An answer of the control API must keep its document."""
    sent = {"Content-Type": "application/json"} if body is not None else {}
    if body is not None:
        data = json.dumps(body).encode()
    got = call(site, method, ORIGIN + path, {**sent, **(headers or {})}, data or b"")
    reply = Reply(got.status, dict(got.headers), got.body)
    inside = re.sub(rf"^{CONTROL}/feeds/[^/]+(?=/)", "", path.partition("?")[0])
    if inside.startswith(CONTROL):
        assert complaints(method, inside, reply) == []
    return reply


def control(site: Site, method: str, path: str, body: Any = None, **more: Any) -> Any:
    """Ask the control API below its prefix, and return the JSON of an answer that is no error."""
    reply = ask(site, method, f"{CONTROL}/{path}", body, **more)
    assert reply.status < 300, reply.body
    return reply.json


def refused(site: Site, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
    """Ask the control API below its prefix, and return the problem that it answers with."""
    reply = ask(site, method, f"{CONTROL}/{path}", body, **more)
    assert 400 <= reply.status < 500, reply.body
    assert reply.json["status"] == reply.status
    return reply.json


def faked(site: Site, target: str, *, prefix: str = "") -> Any:
    """Ask the faked API, with its token, and return the JSON of an answer that is no error."""
    reply = ask(site, "GET", prefix + target, headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status == 200, reply.body
    return reply.json


def complaints(method: str, path: str, reply: Reply) -> list[str]:
    """What is wrong with an answer of the control API, by its OpenAPI document."""
    operation = _operation(method, path) or {"responses": {}}
    found = operation["responses"].get(str(reply.status))
    if found is None:
        if reply.status not in EVERYWHERE:
            return [f"{method} {path} is not documented to answer {reply.status}: {reply.body!r}"]
        name = EVERYWHERE[reply.status]
        schema = {"$ref": f"#/components/schemas/{name}"}
        return [] if name is None else _errors(json.dumps(schema), reply.json)
    if "$ref" in found:
        found = DOCUMENT["components"]["responses"][found["$ref"].rpartition("/")[2]]
    kinds = found.get("content", {})
    kind = reply.headers.get("Content-Type", "").partition(";")[0]
    if kind not in kinds:
        return [f"{method} {path}: expected one of {list(kinds)}, got {kind!r}"] * bool(reply.body)
    if method == "HEAD" or kind == "text/html":
        return []
    return [f"{method} {path}: {e}" for e in _errors(json.dumps(kinds[kind]["schema"]), reply.json)]


def _operation(method: str, path: str) -> Any:
    for template, item in DOCUMENT["paths"].items():
        regex = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(regex, path):
            return item.get("get" if method == "HEAD" else method.lower())
    return None


@lru_cache(maxsize=100)
def _validator(schema: str) -> Draft202012Validator:
    whole = {**json.loads(schema), "components": DOCUMENT["components"]}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _errors(schema: str, value: Any) -> list[str]:
    return [
        f"{error.json_path}: {error.message}" for error in _validator(schema).iter_errors(value)
    ]
