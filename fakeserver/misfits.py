"""What is wrong with JSON that does not fit a struct, in words, with what would fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

import msgspec

NAMES_SHOWN_MAX = 20
"""What one may send is told in a line; a whole scenario has more fields."""
QUOTED_CHARS_MAX = 80
"""A message quotes what came, but not a whole page of it."""

_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<came>.*?)`(?: - at `(?P<at>.*)`)?")
_UNKNOWN_VALUE = re.compile(r"Invalid (?:enum )?value (?P<came>.*) - at `(?P<at>.*)`")
_STEP = re.compile(r"\.(\w+)")
"""A field in a path as msgspec writes it; between two there may be items, ``[0]`` or ``[...]``."""


def is_unknown_field(error: msgspec.ValidationError) -> bool:
    """Whether it is about a name that a struct lacks."""
    return _UNKNOWN_FIELD.fullmatch(str(error)) is not None


def misfit(error: msgspec.ValidationError, kind: Any) -> str:
    """Return what was wrong with JSON that should have been a `kind`.

    msgspec says what came and where. Where a name or a value is none of those that there are, this
    lists them; what a check of our own raised is said in its words.
    """
    text = str(error)
    if isinstance(error.__cause__, ValueError):
        return str(error.__cause__)
    if found := _UNKNOWN_FIELD.fullmatch(text):
        there = _at(kind, found["at"] or "")
        if len(_structs(there)) > 1:  # which of them it should have been is not told
            return text
        fields = _fields(there)
        hint = _where_it_belongs(found["came"], fields)
        came = f"{_quoted(found['came'])}{_place(found['at'])}"
        return f"expected {_one_of(list(fields))}, got {came}{hint}"
    if found := _UNKNOWN_VALUE.fullmatch(text):
        known = _one_of(_values(kind, found["at"]))
        return f"expected {known}, got {found['came']}{_place(found['at'])}"
    return text


def _where_it_belongs(name: str, fields: Mapping[str, Any]) -> str:
    """Say inside what a field of that name is known, or which one was probably meant."""
    outer = next((outer for outer, kind in fields.items() if name in _fields(kind)), None)
    if outer is not None:
        return f"; put {name} inside {outer}"
    near = get_close_matches(name, fields, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _at(kind: Any, path: str) -> Any:
    """Return the type at a path inside a `kind`."""
    for name in _STEP.findall(path):
        kind = _fields(kind).get(name)
    return kind


def _fields(kind: Any) -> dict[str, Any]:
    """Return the fields, with their types, of a struct, or of the structs that a `kind` holds."""
    return {
        field.encode_name: field.type
        for struct in _structs(kind)
        for field in msgspec.structs.fields(struct)
    }


def _structs(kind: Any) -> list[Any]:
    return [
        each
        for each in _leaves(kind)
        if isinstance(each, type) and issubclass(each, msgspec.Struct)
    ]


def _values(kind: Any, path: str) -> list[object]:
    """Return the values that may stand at a path: those of a literal, or the tags of a union."""
    outer, _, last = path.rpartition(".")
    literals = (each for each in _leaves(_at(kind, path)) if get_origin(each) is Literal)
    configs = (struct.__struct_config__ for struct in _structs(_at(kind, outer)))
    tags = [config.tag for config in configs if config.tag_field == last]
    return [value for literal in literals for value in get_args(literal)] or tags


def _leaves(kind: Any) -> Iterator[Any]:
    """Yield what a type is made of: the members of a union, the items of a collection."""
    if get_origin(kind) in (None, Literal):
        yield kind
        return
    for inner in get_args(kind):
        yield from _leaves(inner)


def _one_of(known: Sequence[object]) -> str:
    names = ", ".join(str(each) for each in known[:NAMES_SHOWN_MAX])
    return f"one of {names}" if len(known) > 1 else names or "no field"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= QUOTED_CHARS_MAX else text[:QUOTED_CHARS_MAX] + "…")


def _place(path: str | None) -> str:
    return f" - at `{path}`" if path else ""
