"""The documents of one API: read, bundled, and asked for the schema of an answer's body.

The schema files are the source. An `openapi.json` carries copies of them, so that it can be served
alone; `components` makes the copies, and ``python contracts/_documents.py`` writes them: those of
our own dialects, or those in the folders that are named.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from fakeserver.dialects import DIALECTS, find_dialect

FOLDER = Path(__file__).parent
ENDING = ".schema.json"
Json = dict[str, Any]


def read(path: Traversable) -> Json:
    """Return the object in a JSON file."""
    document: Json = json.loads(path.read_text(encoding="utf-8"))
    return document


@lru_cache(maxsize=8)
def openapi(api: str) -> Json:
    """Return the OpenAPI document of a dialect, or of the control API (not to be changed)."""
    return read(folder_of(api) / "openapi.json")


def folder_of(api: str) -> Traversable:
    """Return the folder of the documents of a dialect, or of the control API."""
    if (FOLDER / api).is_dir():
        return FOLDER / api
    folder = find_dialect(api).documents
    assert folder is not None, f"the dialect {api} names no folder of documents"
    return folder


def folders() -> list[str]:
    """Return whose OpenAPI documents lie here: our dialects', and the control API's."""
    return sorted(path.parent.name for path in FOLDER.glob("*/openapi.json"))


def schema_files(folder: Traversable) -> list[Traversable]:
    """Return the files that each hold one JSON Schema."""
    found = (path for path in folder.iterdir() if path.name.endswith(ENDING))
    return sorted(found, key=lambda path: path.name)


def components(folder: Traversable) -> Json:
    """Return the schema files of a folder as the ``components/schemas`` of its OpenAPI document.

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


def main(folders: list[Path]) -> None:
    """Write the schema files into the OpenAPI documents."""
    for folder in folders:
        path = folder / "openapi.json"
        document = read(path)
        document["components"]["schemas"] = components(folder)
        text = json.dumps(document, indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or [FOLDER / name for name in DIALECTS])
