"""Reading what a request to the control API brings: its JSON and its parameters, strictly."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from fakeserver.dialects.base import Refused
from fakeserver.dialects.wire import (
    reject_repeated,
    shown,
    split_query,
    unknown_parameter,
    whole_number,
)
from fakeserver.doors.connection import BODY_BYTES_MAX
from fakeserver.misfits import is_unknown_field, misfit
from fakeserver.serving.problems import Problem

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

Body = TypeVar("Body")


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an endpoint that takes none: ``{}`` will do."""


def read_body(request: Request, kind: type[Body], *, default: Body | None = None) -> Body:
    """Return the JSON of `request` as a `kind`, or `default` (if any) where there is no body.

    Raises `Problem`: 400 for what is no JSON, 413 for too much, 415 for another content type, 422
    for JSON that is no `kind`, with the path of what is wrong.
    """
    data = read_bytes(request)
    if not data and default is not None:
        return default
    if request.mimetype != "application/json":
        raise Problem(
            415,
            "wrong-type",
            f"expected the header 'Content-Type: application/json', got "
            f"{shown(request.content_type or 'none')}; curl sends it with --json, or with "
            "-H 'Content-Type: application/json'",
        )
    return decode(data, kind)


def read_bytes(request: Request) -> bytes:
    """Return the body. Raises `Problem` (413) for one that is too large."""
    request.max_content_length = BODY_BYTES_MAX
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        came = request.content_length
        raise Problem(
            413,
            "too-large",
            f"expected at most {BODY_BYTES_MAX} bytes, got {'more' if came is None else came}",
        ) from error
    except ClientDisconnected as error:
        raise Problem(400, "cut-short", "the body is shorter than its Content-Length") from error


def decode(data: bytes, kind: type[Body]) -> Body:
    """Return JSON text as a `kind`. Raises `Problem` (400, 422)."""
    try:
        read: Body = _decoder(kind).decode(data)
    except msgspec.ValidationError as error:
        code = "unknown-field" if is_unknown_field(error) else "invalid"
        raise Problem(422, code, misfit(error, kind)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = data[:200].decode("utf-8", "replace")
        raise Problem(400, "not-json", f"expected JSON, got {shown(text)}: {error}") from error
    else:
        return read


_made = cache(msgspec.json.Decoder)
_making = Lock()
"""Two threads that are the first to read the same struct would crash the process: msgspec shares
what it knows of a struct before it has found out all of it."""


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    with _making:
        return _made(kind)


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a numbered list is wanted: `limit` items after `after`, or the `last`."""

    after: int
    limit: int
    last: int | None

    def bounds(self, total: int, first: int = 1) -> tuple[int, int]:
        """Return the numbers before the first and of the last item; `first` is the oldest kept."""
        start = max(self.after, first - 1) if self.last is None else total - self.last
        start = max(start, first - 1)
        count = self.limit if self.last is None else self.last
        return start, max(start, min(total, start + count))


def read_paging(request: Request, *, limit_default: int, limit_max: int) -> Paging:
    """Read ``after``, ``limit`` and ``last``. Raises `Problem` (400)."""
    given = read_parameters(request, ("after", "limit", "last"))
    try:
        after = whole_number("after", given.get("after", "0"), least=0)
        limit = whole_number(
            "limit", given.get("limit", str(limit_default)), least=1, most=limit_max
        )
        last = (
            whole_number("last", given["last"], least=1, most=limit_max)
            if "last" in given
            else None
        )
    except Refused as refused:
        raise _bad_request(refused) from refused
    if last is not None and given.keys() & {"after", "limit"}:
        raise Problem(
            400, "last-alone", "expected last, or after and limit, got both; leave one out"
        )
    return Paging(after=after, limit=limit, last=last)


def read_parameters(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """Return the query parameters. Raises `Problem` (400) for unknown and repeated ones."""
    try:
        pairs = split_query(request.query_string.decode("latin-1"))
        for name, _ in pairs:
            if not known:
                raise Problem(400, "unknown-parameter", f"expected no parameter, got {shown(name)}")
            if name not in known:
                raise unknown_parameter(name, known)
        return reject_repeated(pairs)
    except Refused as refused:
        raise _bad_request(refused) from refused


def _bad_request(refused: Refused) -> Problem:
    return Problem(400, refused.code, refused.says)
