"""The door for requests: an adapter for its `Session`."""

from __future__ import annotations

from http.client import IncompleteRead, RemoteDisconnected
from io import BytesIO
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import BaseAdapter
from requests.exceptions import ChunkedEncodingError
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from fakeserver.app import AnswerTimedOut, ConnectionDropped
from fakeserver.dialects.base import TOKEN
from fakeserver.doors.wsgi import Reply, as_bytes, authorization, call

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def requests_session(app: WSGIApplication, *, token: str = TOKEN) -> requests.Session:
    """Return a `requests.Session` that reaches `app` without a socket and sends `token`."""
    session = requests.Session()
    door = _Door(app)
    session.mount("http://", door)
    session.mount("https://", door)
    session.trust_env = False  # no proxy and no .netrc of the machine may come between
    session.headers.update(authorization(token))
    return session


class _Door(BaseAdapter):
    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self._app = app

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, *, timeout: Any = None, **_options: Any
    ) -> requests.Response:
        reply = self._call(request, _read_timeout_s(timeout))
        response = requests.Response()
        response.status_code = reply.status
        response.reason = reply.reason
        response.headers = CaseInsensitiveDict(reply.headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = _CutBody(reply) if reply.missing else BytesIO(reply.body)
        response.url = request.url or ""
        response.request = request
        return response

    def _call(self, request: requests.PreparedRequest, timeout_s: float | None) -> Reply:
        try:
            return call(
                self._app,
                request.method or "GET",
                request.url or "/",
                {_as_text(name): _as_text(value) for name, value in request.headers.items()},
                as_bytes(request.body),
                timeout_s=timeout_s,
            )
        except ConnectionDropped as error:
            closed = RemoteDisconnected("Remote end closed connection without response")
            raise requests.ConnectionError(
                "Connection aborted.", closed, request=request
            ) from error
        except AnswerTimedOut as error:
            raise requests.ReadTimeout(
                f"Read timed out. (read timeout={timeout_s})", request=request
            ) from error

    def close(self) -> None:
        """Nothing is open."""


class _CutBody(BytesIO):
    """A body that ends before its end: whoever reads so far is told as requests would tell it."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body)
        self._missing = reply.missing

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if data and size is not None and size >= 0:
            return data
        broken = IncompleteRead(self.getvalue(), self._missing)
        raise ChunkedEncodingError(f"Connection broken: {broken}", broken)


def _read_timeout_s(timeout: Any) -> float | None:
    """Return how long requests would wait for an answer: of ``(connect, read)`` the second."""
    if isinstance(timeout, tuple):
        timeout = timeout[1]
    timeout = getattr(timeout, "read_timeout", timeout)  # a Timeout of urllib3
    return float(timeout) if isinstance(timeout, (int, float)) else None


def _as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
