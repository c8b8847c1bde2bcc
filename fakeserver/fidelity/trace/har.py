"""HTTP archives (HAR), as browsers and proxies export them, one entry at a time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from fakeserver.clock import Instant, from_datetime
from fakeserver.errors import UsageError
from fakeserver.fidelity.trace.entries import Raw

INSTALL = "pip install 'fakeserver[recordings]'"


def entries(path: str, prefix: str = "log.entries.item") -> Iterator[Raw]:
    """Yield the entries of a HAR. Raises `UsageError` for one that is cut, or no HAR."""
    for number, entry in enumerate(items(path, prefix), start=1):
        with_body = entry.get("response") if isinstance(entry, dict) else None
        request = entry.get("request") if isinstance(entry, dict) else None
        if not isinstance(with_body, dict) or not isinstance(request, dict):
            raise UsageError(f"{path}, entry {number}: expected a request and a response")
        headers = _headers(with_body.get("headers"))
        took = entry.get("time")
        yield Raw(
            item="entry",
            number=number,
            method=str(request.get("method", "")).upper(),
            url=str(request.get("url", "")),
            status=as_status(with_body.get("status")),
            body=_body(with_body.get("content"), f"{path}, entry {number}"),
            encoding=headers.get("content-encoding", "").lower(),
            starts=_iso(entry.get("startedDateTime")),
            took_ms=float(took) if isinstance(took, (int, float)) else 0,
            date=http_date(headers.get("date")),
        )


def items(path: str, prefix: str) -> Iterator[Any]:
    """Yield the values at a place of a JSON file, without holding more than one of them."""
    try:
        import ijson
    except ImportError as error:
        raise UsageError(f"reading {path} needs ijson: {INSTALL}") from error
    count = 0
    with Path(path).open("rb") as file:
        try:
            for item in ijson.items(file, prefix, use_float=True):
                count += 1
                yield item
        except (ijson.JSONError, UnicodeDecodeError, ValueError) as error:
            raise UsageError(
                f"{path}: the file is no whole JSON: {count} entries were read, then it ended or "
                f"broke off; record it again ({type(error).__name__})"
            ) from error
    if not count:
        raise UsageError(f"{path}: expected a list with entries at {prefix}, got none")


def as_status(value: Any) -> int:
    """Return a status, 0 for none."""
    return value if isinstance(value, int) else 0


def http_date(text: Any) -> Instant | None:
    """Read a ``Date`` header."""
    with suppress(ValueError, TypeError):
        return from_datetime(parsedate_to_datetime(text))
    return None


def _iso(text: Any) -> Instant | None:
    with suppress(ValueError, TypeError):
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else from_datetime(moment)
    return None


def _headers(found: Any) -> dict[str, str]:
    if not isinstance(found, list):
        return {}
    return {
        str(each.get("name", "")).lower(): str(each.get("value", ""))
        for each in found
        if isinstance(each, dict)
    }


def _body(content: Any, where: str) -> bytes:
    if not isinstance(content, dict):
        return b""
    text = content.get("text", "")
    if not isinstance(text, str):
        return b""
    if content.get("encoding") == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error) as error:
            raise UsageError(f"{where}: the body says that it is base64, and is not") from error
    return text.encode("utf-8", "surrogatepass")
