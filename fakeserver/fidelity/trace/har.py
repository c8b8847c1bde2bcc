"""HTTP archives (HAR), as browsers and proxies export them, one entry at a time."""

from __future__ import annotations

import base64
import binascii
from codecs import BOM_UTF8
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

from fakeserver.clock import HOUR_MS
from fakeserver.errors import UsageError
from fakeserver.fidelity.trace.entries import Raw
from fakeserver.fidelity.values import as_number, http_date, instant_of

INSTALL = "pip install 'fakeserver[recordings]'"


def entries(path: str, prefix: str = "log.entries.item") -> Iterator[Raw]:
    """Yield the entries of a HAR. Raises `UsageError` for one that is cut, or no HAR."""
    for number, entry in enumerate(items(path, prefix), start=1):
        with_body = entry.get("response") if isinstance(entry, dict) else None
        request = entry.get("request") if isinstance(entry, dict) else None
        if not isinstance(with_body, dict) or not isinstance(request, dict):
            raise UsageError(f"{path}, entry {number}: expected a request and a response")
        headers = _headers(with_body.get("headers"))
        yield Raw(
            item="entry",
            number=number,
            method=str(request.get("method", "")).upper(),
            url=str(request.get("url", "")),
            status=as_number(with_body.get("status")) or 0,
            body=_body(with_body.get("content"), f"{path}, entry {number}"),
            encoding=headers.get("content-encoding", "").lower(),
            starts=instant_of(entry.get("startedDateTime")),
            took_ms=_took_ms(entry.get("time")),
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
        if file.read(len(BOM_UTF8)) != BOM_UTF8:
            file.seek(0)
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
        raise UsageError(
            f"{path}: expected a HAR or a VCR cassette, got a JSON without entries at "
            f"{prefix.removesuffix('.item')}"
        )


def _took_ms(value: Any) -> int:
    """Return what a request took, 0 where that is not told; -1 stands for that too."""
    known = isinstance(value, (int, float)) and 0 <= value <= HOUR_MS
    return ceil(value) if known else 0


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
