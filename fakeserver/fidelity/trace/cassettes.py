"""VCR cassettes, in YAML (of vcrpy and of VCR for Ruby) and in JSON, one interaction at a time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fakeserver.errors import UsageError
from fakeserver.fidelity.trace.entries import Raw
from fakeserver.fidelity.trace.har import INSTALL, items
from fakeserver.fidelity.values import as_number, http_date

DEPTH_MAX = 100
"""An interaction nests some six deep."""
ALIASES_MAX = 10_000
"""A cassette names what comes twice; it is shared, never copied."""


LISTS = ("http_interactions", "interactions")
"""What VCR for Ruby, and what vcrpy calls its list."""


def is_json(head: bytes) -> bool:
    """Whether JSON that begins so is a cassette."""
    return any(f'"{name}"'.encode() in head for name in LISTS)


def json_entries(path: str, head: bytes) -> Iterator[Raw]:
    """Yield the interactions of a cassette in JSON."""
    name = next(name for name in LISTS if f'"{name}"'.encode() in head)
    for number, each in enumerate(items(path, f"{name}.item"), start=1):
        yield _raw(path, number, each)


def yaml_entries(path: str) -> Iterator[Raw]:
    """Yield the interactions of a cassette in YAML."""
    for number, each in enumerate(_yaml_items(path), start=1):
        yield _raw(path, number, each)


def _raw(path: str, number: int, found: Any) -> Raw:
    where = f"{path}, interaction {number}"
    request, response = (
        found.get(name) if isinstance(found, dict) else None for name in ("request", "response")
    )
    if not isinstance(request, dict) or not isinstance(response, dict):
        raise UsageError(f"{where}: expected a request and a response")
    status = response.get("status")
    named = response.get("headers")
    headers = {
        str(name).lower(): str(value[0] if isinstance(value, list) and value else value)
        for name, value in (named.items() if isinstance(named, dict) else ())
    }
    return Raw(
        item="interaction",
        number=number,
        method=str(request.get("method", "")).upper(),
        url=str(request.get("uri", "")),
        status=as_number(status.get("code") if isinstance(status, dict) else status) or 0,
        body=_body(response.get("body"), where),
        encoding=headers.get("content-encoding", "").lower(),
        date=http_date(headers.get("date")) or http_date(found.get("recorded_at")),
    )


def _body(body: Any, where: str) -> bytes:
    if isinstance(body, dict):
        if isinstance(body.get("base64_string"), str):
            body = {"string": _binary(body["base64_string"], where)}
        body = body.get("string", body.get("text", ""))
    if isinstance(body, bytes):
        return body
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else b""


def _binary(text: str, where: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise UsageError(f"{where}: a binary value is not base64") from error


def _yaml_items(path: str) -> Iterator[Any]:
    """Yield the items of the list of interactions from the events of a YAML parser.

    Nothing is constructed but text, lists, mappings and bytes: a file can't name a class.
    """
    try:
        import yaml
    except ImportError as error:
        raise UsageError(f"reading {path} needs PyYAML: {INSTALL}") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    count = 0
    with Path(path).open("rb") as file:
        try:
            builder = _Builder(yaml.parse(file, Loader=loader), yaml, path)
            for item in builder.interactions():
                count += 1
                yield item
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{path}: the file is no whole YAML: {count} interactions were read, then it ended "
                f"or broke off; record it again ({type(error).__name__})"
            ) from error
    if not count:
        raise UsageError(f"{path}: expected a list of interactions, got none")


class _Builder:
    """Makes values from YAML events; what an anchor names is kept."""

    def __init__(self, events: Iterator[Any], yaml: Any, path: str) -> None:
        self._events = events
        self._yaml = yaml
        self._path = path
        self._anchors: dict[str, Any] = {}

    def interactions(self) -> Iterator[Any]:
        """Yield the items of the list of interactions."""
        yaml = self._yaml
        for event in self._events:
            if isinstance(event, yaml.MappingStartEvent):
                break
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                return
            name = self._value(event, 0)
            start = next(self._events)
            is_list = isinstance(start, yaml.SequenceStartEvent)
            if name in LISTS and is_list:
                while not isinstance(each := next(self._events), yaml.SequenceEndEvent):
                    yield self._value(each, 1)
            else:
                self._value(start, 0)

    def _value(self, event: Any, depth: int) -> Any:
        yaml = self._yaml
        if depth > DEPTH_MAX:
            raise UsageError(f"{self._path}: expected at most {DEPTH_MAX} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._anchors.get(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            value: Any = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(each := next(self._events), yaml.SequenceEndEvent):
                value.append(self._value(each, depth + 1))
        else:
            value = {}
            while not isinstance(each := next(self._events), yaml.MappingEndEvent):
                key = self._value(each, depth + 1)
                value[str(key)] = self._value(next(self._events), depth + 1)
        if event.anchor is not None and len(self._anchors) < ALIASES_MAX:
            self._anchors[event.anchor] = value
        return value

    def _scalar(self, event: Any) -> Any:
        if event.tag in ("!binary", "tag:yaml.org,2002:binary"):
            return _binary(event.value, self._path)
        if event.style is None and event.value in ("", "~", "null"):
            return None
        return event.value
