"""The OpenAPI documents: of the faked API, of the control API, and of both in one."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from fakeserver.dialects import DIALECTS_MAX, find_dialect, known_dialects
from fakeserver.resources import contract_path

CONTROL = "control"

Json = dict[str, Any]


def names() -> tuple[str, ...]:
    """The documents that there are."""
    return (CONTROL, *known_dialects())


@lru_cache(maxsize=DIALECTS_MAX)
def _read(name: str) -> str:
    if name == CONTROL:
        return contract_path(CONTROL, "openapi.json").read_text(encoding="utf-8")
    return find_dialect(name).document("openapi.json").read_text(encoding="utf-8")


def document(name: str, *, prefix: str = "") -> Json:
    """Return the document called `name` for a server whose paths start with `prefix`."""
    found: Json = json.loads(_read(name))
    found["servers"] = [{"url": prefix or "/"}]
    return found


def merged(dialect: str, *, prefix: str = "") -> Json:
    """Return the faked and the control API as one document that refers to nothing outside itself.

    Components of the control API are called ``Control…`` where both have one of that name, and
    what a document says for all of its operations is said to each.
    """
    faked, control = document(dialect, prefix=prefix), document(CONTROL)
    renamed = _renamed(control, faked.get("components", {}))
    components: Json = {}
    for part in (faked, renamed):
        for kind, members in part.get("components", {}).items():
            components.setdefault(kind, {}).update(members)
        _say_security(part)
    return {
        "openapi": control["openapi"],
        "info": {
            **faked["info"],
            "title": f"{faked['info']['title']}, faked, and the fakeserver control API",
            "description": f"{faked['info'].get('description', '')}\n\n"
            f"{control['info']['description']}".strip(),
        },
        "servers": faked["servers"],
        "tags": [*faked.get("tags", ()), *renamed.get("tags", ())],
        "paths": {**faked["paths"], **renamed["paths"]},
        "components": components,
    }


def _renamed(document: Json, taken: Json) -> Json:
    """Return `document` with other names for those components whose names are `taken`."""
    text = json.dumps(document)
    names = [
        (kind, name)
        for kind, members in document.get("components", {}).items()
        for name in members
        if name in taken.get(kind, {})
    ]
    for kind, name in names:
        old, new = (f'"#/components/{kind}/{each}"' for each in (name, f"Control{name}"))
        text = text.replace(old, new)
    found: Json = json.loads(text)
    for kind, name in names:
        members = found["components"][kind]
        members[f"Control{name}"] = members.pop(name)
    return found


METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def _say_security(document: Json) -> None:
    """Say at each operation what the document says of all of them."""
    if "security" not in document:
        return
    for path in document["paths"].values():
        for method in METHODS:
            if method in path:
                path[method].setdefault("security", document["security"])
