"""What a client recorded, in any of the usual files, as a stream: the requests to the faked API.

Of each only what a model can say something about is kept. Headers are not, but for two of the
answer's (its date and its encoding), so no token ever leaves this module.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fakeserver.clock import Instant
from fakeserver.dialects.base import TOKEN, Ask, Dialect, Refused
from fakeserver.errors import UsageError
from fakeserver.fidelity.trace import cassettes, har
from fakeserver.fidelity.trace.entries import Raw
from fakeserver.fidelity.trace.readings import Readings
from fakeserver.history import Exchange, from_lines
from fakeserver.scenario import EventId

BODY_BYTES_MAX = 32 * 2**20
"""A thousand events of the longest kind have some 3 MB; a bomb that is unpacked has more."""
RECORDINGS_MAX = 100_000
"""A day of one request a second; each is compared with every event."""
PACKED_OTHERWISE = ("br", "zstd", "compress")
"""Encodings that Python can't unpack by itself; browsers record what was in them all the same."""
LINE_BYTES_MAX = 16 * 2**20
"""A step names the rows of an answer: a hundred thousand of the longest ids have some 5 MB."""
HEAD_BYTES = 65_536
"""By its beginning a file is told."""
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
"""Put in the place of whatever was sent."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request to the faked API, with its answer.

    It is the `item` with that `number` (from 1) of the file at `path`. By the client's clock it
    took from `starts` to `ends`, and by the server's it saw the log between `seen_from` and
    `seen_until`, ms; None where nothing tells. `ids` are the rows of an answer without a body,
    which a history has.
    """

    path: str
    item: str
    number: int
    host: str
    ask: Ask
    status: int
    starts: Instant | None = None
    ends: Instant | None = None
    seen_from: Instant | None = None
    seen_until: Instant | None = None
    body: bytes | None = None
    ids: tuple[EventId, ...] = ()

    @property
    def where(self) -> str:
        """File and number, for people."""
        return f"{self.path}, {self.item} {self.number}"

    def is_before(self, other: Recorded) -> bool:
        """Whether this was answered before `other` was asked; False also where nobody knows.

        Where the client's clock does not tell it, the order in one file does, and the server's
        clock in several.
        """
        if self.ends is not None and other.starts is not None and self.ends != other.starts:
            return self.ends < other.starts
        if self.path == other.path:
            return self.number < other.number
        if self.seen_until is not None and other.seen_from is not None:
            return self.seen_until < other.seen_from
        return False


def read_recordings(
    paths: Iterable[str], dialect: Dialect, *, host: str | None = None
) -> Iterator[Recorded]:
    """Yield the requests to `dialect` in files, in the order of their files, one at a time.

    What went to other addresses than any path that the API may have is left out. `host` chooses one
    of several. Raises `UsageError` for a file that can't be read, or is none of those that are
    known; at the end for no or several hosts.
    """
    permissive = Readings(dialect, frozenset()).permissive
    count = 0
    hosts: set[str] = set()
    for path in paths:
        for recorded in _read(path, dialect, permissive):
            if host is not None and recorded.host not in ("", host.lower()):
                continue
            count += 1
            if count > RECORDINGS_MAX:
                raise UsageError(f"{path}: expected at most {RECORDINGS_MAX} requests; cut it up")
            hosts.add(recorded.host)
            yield recorded
    if not count:
        raise UsageError(
            f"no request to {dialect.list_path} or another path of {dialect.name} was recorded"
            + (f" at {host}" if host else "")
        )
    found = sorted(hosts - {""})
    if len(found) > 1:
        raise UsageError(f"recordings of several hosts: {', '.join(found)}; choose with --host")


def _read(path: str, dialect: Dialect, permissive: dict[str, Any]) -> Iterator[Recorded]:
    try:
        with Path(path).open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}") from error
    if _is_history(head):
        yield from _history(path)
        return
    for raw in _entries(path, head):
        recorded = _ours(path, raw, dialect, permissive)
        if recorded is not None:
            yield recorded


def _entries(path: str, head: bytes) -> Iterator[Raw]:
    """Return the entries of a HAR or a cassette."""
    start = head.removeprefix(BOM_UTF8).lstrip()
    if start.startswith(b"{"):
        is_har = re.match(rb'\{\s*"log"', start) is not None or not cassettes.is_json(head)
        return har.entries(path) if is_har else cassettes.json_entries(path, head)
    if b"interactions:" in head:
        return cassettes.yaml_entries(path)
    raise UsageError(
        f"{path}: expected a HAR, a VCR cassette (YAML or JSON) or a history of fakeserver (a JSON "
        "object a line), got none of them"
    )


def _is_history(head: bytes) -> bool:
    with suppress(ValueError, RecursionError):
        first = json.loads(head.lstrip().split(b"\n", 1)[0])
        return isinstance(first, dict) and "step" in first
    return False


def _history(path: str) -> Iterator[Recorded]:
    with Path(path).open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            if len(line) > LINE_BYTES_MAX:
                raise UsageError(
                    f"{path}, line {number}: expected a step of at most {LINE_BYTES_MAX} bytes"
                )
            for step in from_lines(line, where=path, first=number):
                if isinstance(step, Exchange) and step.method == "GET" and step.is_sound:
                    target, _, query = step.target.partition("?")
                    yield Recorded(
                        path=path,
                        item="line",
                        number=number,
                        host="",
                        ask=Ask(path=target, query=query, headers=AUTHORIZED),
                        status=step.status,
                        starts=step.at,
                        ends=step.at,
                        seen_from=step.at,
                        seen_until=step.at,
                        ids=step.event_ids,
                    )


def _ours(path: str, raw: Raw, dialect: Dialect, permissive: dict[str, Any]) -> Recorded | None:
    """Return an entry that went to the API, or None."""
    if raw.method != "GET" or raw.status == 0:
        return None
    try:
        parts = urlsplit(raw.url)
        host = parts.netloc.rpartition("@")[2].lower()
    except ValueError:
        return None
    ask = Ask(path=parts.path, query=parts.query, headers=AUTHORIZED)
    try:
        dialect.parse(ask, permissive)
    except Refused as refused:
        if refused.code == "unknown-path":
            return None
    # A Date is cut to the second. It is written before or after the log is read, but not before
    # the request is sent or after the answer has come. The client's clock may be a wrong one.
    took, date = raw.took_ms, raw.date
    return Recorded(
        path=path,
        item=raw.item,
        number=raw.number,
        host=host,
        ask=ask,
        status=raw.status,
        starts=raw.starts,
        ends=None if raw.starts is None else raw.starts + took,
        seen_from=None if date is None else date - took,
        seen_until=None if date is None else date + 999 + took,
        body=unpacked(raw, path) if raw.status == 200 else b"",
    )


def unpacked(raw: Raw, path: str) -> bytes:
    """Return a body that may still be packed. Raises `UsageError` for one that can't be read."""
    body, encoding = raw.body, raw.encoding
    where = f"{path}, {raw.item} {raw.number}"
    if encoding in PACKED_OTHERWISE and not body.lstrip().startswith((b"{", b"[")):
        raise UsageError(
            f"{where}: expected a body as text, or packed with gzip or deflate, got {encoding}; "
            "let the client record it unpacked, or ask for gzip"
        )
    try:
        if body.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=BytesIO(body)) as packed:
                body = packed.read(BODY_BYTES_MAX + 1)
        elif encoding == "deflate" and not body.lstrip().startswith((b"{", b"[")):
            body = zlib.decompressobj().decompress(body, BODY_BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{where}: the body is packed, and can't be unpacked: {error}") from error
    if len(body) > BODY_BYTES_MAX:
        raise UsageError(f"{where}: expected a body of at most {BODY_BYTES_MAX} bytes")
    return body
