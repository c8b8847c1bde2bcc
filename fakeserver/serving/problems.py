"""Errors of the control API: a sentence for people and a code for programs (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from werkzeug.wrappers import Response


class Problem(Exception):  # noqa: N818 - it is an answer, not an error of ours
    """A request to the control API that is answered with an error.

    `code` is a stable word; `detail` says what was expected, what came and what to do.
    `endpoints` lists what there is, for an address that is not.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        endpoints: Sequence[str] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.endpoints = endpoints

    def response(self, instance: str) -> Response:
        """Return the answer to a request for the path `instance`."""
        content = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
        }
        if self.endpoints:
            content["endpoints"] = list(self.endpoints)
        return Response(
            encode(content),
            status=self.status,
            content_type="application/problem+json",
            headers=[*self.headers, *PRIVATE],
        )


PRIVATE = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
"""The world changes with every request, and nothing of it is a page or a program."""


def encode(content: object) -> bytes:
    """Write JSON; half a surrogate pair, which a client may put into an id, becomes a ``?``."""
    try:
        return msgspec.json.encode(content)
    except UnicodeEncodeError:
        import json

        text = json.dumps(msgspec.to_builtins(content), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")
