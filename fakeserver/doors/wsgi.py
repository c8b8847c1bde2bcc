"""What a WSGI server does with one request, without a socket. The doors of all libraries use it."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from fakeserver.app import EXCHANGE, TIMEOUT_MS
from fakeserver.errors import HarnessError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


class Reply(msgspec.Struct, frozen=True):
    """What a WSGI application answered. Of the body the last `missing` bytes never came."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    missing: int = 0


def call(
    app: WSGIApplication,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    timeout_s: float | None = None,
) -> Reply:
    """Send one request to a WSGI application and return its whole answer, or a cut one.

    `timeout_s` is how long the client waits, in simulated seconds; None for ever.

    Raises what the application raises (`ConnectionDropped` and `AnswerTimedOut` among it), and
    `HarnessError` where its answer is no answer: it never started one, or the body is not as long
    as the headers say though no fault has cut it.
    """
    environ = _environ(method, url, headers, body)
    if timeout_s is not None:
        environ[TIMEOUT_MS] = round(timeout_s * 1000)
    status_line, given, content = ask(app, environ)
    status, _, reason = status_line.partition(" ")
    missing = 0 if method == "HEAD" else _missing(given, content, environ)
    return Reply(int(status), reason, list(given), content, missing)


def _missing(headers: list[tuple[str, str]], body: bytes, environ: WSGIEnvironment) -> int:
    """Return how many bytes of the body a fault has cut. Raises `HarnessError` if none has."""
    promised = next((value for name, value in headers if name.lower() == "content-length"), None)
    missing = 0 if promised is None else int(promised) - len(body)
    if missing:
        exchange = environ.get(EXCHANGE)
        if missing < 0 or exchange is None or exchange.fault != "truncated-body":
            raise HarnessError(f"Content-Length is {promised}, the body has {len(body)} bytes")
    return missing


def ask(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status line, headers and whole body of what `app` answers.

    Raises what the application raises, and `HarnessError` where it started no answer, or two.
    """
    started: list[Any] = []
    chunks: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if started and exc_info is None:
            raise HarnessError(f"the application started a second answer: {status}")
        started[:] = [status, headers]
        return chunks.append

    answer = app(environ, start_response)
    try:
        chunks.extend(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    if not started:
        asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        raise HarnessError(f"the application never started an answer to {asked}")
    return started[0], started[1], b"".join(chunks)


def _environ(method: str, url: str, headers: Mapping[str, str], body: bytes) -> WSGIEnvironment:
    """Return what a WSGI server would make of a request."""
    parts = urlsplit(url)
    scheme = parts.scheme or "http"
    path = "/" + parts.path.lstrip("/")  # Python's HTTP server takes slashes in front for one
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "fakeserver.test",
        "SERVER_PORT": str(parts.port or (443 if scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc or "fakeserver.test",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": _Errors(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    for name, value in headers.items():
        if "_" in name:
            continue  # as servers do: it could not be told from the name with a hyphen
        key = name.upper().replace("-", "_")
        environ[key if key in _PLAIN else f"HTTP_{key}"] = value
    return environ


_PLAIN = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


class _Errors:
    """`wsgi.errors`: nothing that our application writes there may be lost in silence."""

    def write(self, text: str) -> None:
        raise HarnessError(f"the fake complained: {text}")

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """Nothing is held back."""


def as_bytes(body: Any) -> bytes:
    """Return the body that a client gave: None, text, bytes, a file, or an iterable of those."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "read"):
        return as_bytes(body.read())
    return b"".join(map(as_bytes, body))


def authorization(token: str) -> dict[str, str]:
    """Return the header that every door sends."""
    return {"Authorization": f"Bearer {token}"}
