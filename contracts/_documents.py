"""The documents of one API: read, bundled, and asked for the schema of an answer's body.

The schema files are the source. An `openapi.json` carries copies of them, so that it can be served
alone; `components` makes the copies, and ``python contracts/_documents.py`` writes them.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ENDING = ".schema.json"
APIS = ("haravan", "saleschannel")
"""The faked APIs: their schemas also lie in files of their own."""

Json = dict[str, Any]


def read(path: Path) -> Json:
    """Return the object in a JSON file."""
    document: Json = json.loads(path.read_text(encoding="utf-8"))
    return document


@lru_cache(maxsize=8)
def openapi(folder: str) -> Json:
    """Return the OpenAPI document of `folder` (not to be changed)."""
    return read(FOLDER / folder / "openapi.json")


def folders() -> list[str]:
    """Return the folders that have an OpenAPI document: the faked APIs, and the control API."""
    return sorted(path.parent.name for path in FOLDER.glob("*/openapi.json"))


def schema_files(folder: str) -> list[Path]:
    """Return the files that each hold one JSON Schema."""
    return sorted((FOLDER / folder).glob(f"*{ENDING}"))


def components(folder: str) -> Json:
    """Return the schema files of `folder` as the ``components/schemas`` of its OpenAPI document.

    ``event.schema.json`` becomes ``Event``, its ``$defs/part`` becomes ``EventPart``.
    """
    bundled: Json = {}
    for path in schema_files(folder):
        schema = read(path)
        del schema["$schema"]  # OpenAPI 3.1 says it for the whole document
        parts = schema.pop("$defs", {})
        bundled[_name(path.name)] = _rewritten(schema, path.name)
        for part, definition in parts.items():
            bundled[_name(path.name, part)] = _rewritten(definition, path.name)
    return bundled


def _name(file: str, part: str = "") -> str:
    return file.removesuffix(ENDING).capitalize() + part.capitalize()


def _rewritten(schema: Any, file: str) -> Any:
    """Return `schema` with each reference to a file leading into the bundle."""
    if isinstance(schema, list):
        return [_rewritten(item, file) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _bundled_ref(value, file) if key == "$ref" else _rewritten(value, file)
        for key, value in schema.items()
    }


def _bundled_ref(ref: str, file: str) -> str:
    target, _, pointer = ref.partition("#")
    name = _name(target or file, pointer.removeprefix("/$defs/"))
    return f"#/components/schemas/{name}"


def main() -> None:
    """Write the schema files into the OpenAPI documents."""
    for folder in APIS:
        path = FOLDER / folder / "openapi.json"
        document = read(path)
        document["components"]["schemas"] = components(folder)
        text = json.dumps(document, indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
