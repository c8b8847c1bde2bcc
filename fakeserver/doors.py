"""Ways into a fake: without a socket for requests, httpx and urllib, and a live one for the rest.

Each door stands on a public seam of its library (an adapter, a transport, a handler) and patches
nothing. All of them send what a socket would, so the history of a client does not depend on the
door. A door ignores the host: everything that goes through it reaches the fake.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import InvalidURL
from io import BytesIO
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import BaseHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor, OpenerDirector
from urllib.response import addinfourl

import msgspec
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from fakeserver.app import ORIGIN
from fakeserver.dialects.base import TOKEN
from fakeserver.errors import HarnessError, RunStopped, UsageError

if TYPE_CHECKING:
    import httpx
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

POLL_INTERVAL_S = 0.02
"""How soon a live door notices that it is to close; Werkzeug's half second is felt in a suite."""


class Reply(msgspec.Struct, frozen=True):
    """What a WSGI application answered."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


def call(
    app: WSGIApplication, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
) -> Reply:
    """Send one request to a WSGI application and return its whole answer.

    Raises what the application raises, and `HarnessError` where its answer is no answer: it never
    started one, or the body is not as long as the headers say.
    """
    environ = _environ(method, url, headers, body)
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
        raise HarnessError(f"the application never started an answer to {method} {url}")
    status, _, reason = started[0].partition(" ")
    reply = Reply(int(status), reason, list(started[1]), b"".join(chunks))
    _check_length(reply, method)
    return reply


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


def _check_length(reply: Reply, method: str) -> None:
    promised = next((v for k, v in reply.headers if k.lower() == "content-length"), None)
    if method != "HEAD" and promised is not None and int(promised) != len(reply.body):
        raise HarnessError(f"Content-Length is {promised}, the body has {len(reply.body)} bytes")


def _as_bytes(body: Any) -> bytes:
    """Return the body that a client gave: None, text, bytes, a file, or an iterable of those."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "read"):
        return _as_bytes(body.read())
    return b"".join(map(_as_bytes, body))


def _as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class _RequestsDoor(BaseAdapter):
    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self._app = app

    def send(self, request: requests.PreparedRequest, **_options: Any) -> requests.Response:  # type: ignore[override]
        reply = call(
            self._app,
            request.method or "GET",
            request.url or "/",
            {_as_text(name): _as_text(value) for name, value in request.headers.items()},
            _as_bytes(request.body),
        )
        response = requests.Response()
        response.status_code = reply.status
        response.reason = reply.reason
        response.headers = CaseInsensitiveDict(reply.headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = BytesIO(reply.body)
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is open."""


def requests_session(app: WSGIApplication, *, token: str = TOKEN) -> requests.Session:
    """Return a `requests.Session` that reaches `app` without a socket and sends `token`."""
    session = requests.Session()
    door = _RequestsDoor(app)
    session.mount("http://", door)
    session.mount("https://", door)
    session.trust_env = False  # no proxy and no .netrc of the machine may come between
    session.headers.update(_authorization(token))
    return session


def httpx_client(app: WSGIApplication, *, token: str = TOKEN) -> httpx.Client:
    """Return an `httpx.Client` that reaches `app` without a socket. Raises `UsageError`."""
    library = _import_httpx()

    class Door(library.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            return _httpx_response(app, request, request.read())

    client: httpx.Client = library.Client(
        transport=Door(), base_url=ORIGIN, headers=_authorization(token), trust_env=False
    )
    return client


def httpx_async_client(app: WSGIApplication, *, token: str = TOKEN) -> httpx.AsyncClient:
    """Return an `httpx.AsyncClient` that reaches `app` without a socket. Raises `UsageError`."""
    library = _import_httpx()

    class Door(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            body = await request.aread()
            await asyncio.sleep(0)  # a request is where an async client lets others run
            return _httpx_response(app, request, body)

    client: httpx.AsyncClient = library.AsyncClient(
        transport=Door(), base_url=ORIGIN, headers=_authorization(token), trust_env=False
    )
    return client


def _httpx_response(app: WSGIApplication, request: Any, body: bytes) -> Any:
    # The raw path is what a socket would be sent; the text of a httpx.URL is prettier than that.
    url = f"{request.url.scheme}://{request.url.netloc.decode()}{request.url.raw_path.decode()}"
    reply = call(app, request.method, url, dict(request.headers), body)
    return _import_httpx().Response(
        reply.status,
        headers=reply.headers,
        content=reply.body,
        request=request,
        extensions={"http_version": b"HTTP/1.1", "reason_phrase": reply.reason.encode("latin-1")},
    )


def _import_httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise UsageError(
            "this door needs httpx, which is not installed; install fakeserver[httpx]"
        ) from error
    return httpx


class _UrllibDoor(BaseHandler):
    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def http_open(self, request: Any) -> addinfourl:
        from email.message import Message

        _check_urllib_target(request.selector)
        headers = dict(self.parent.addheaders) | dict(request.header_items())
        body = _as_bytes(request.data)
        reply = call(self._app, request.get_method(), request.full_url, headers, body)
        message = Message()
        for name, value in reply.headers:
            message.add_header(name, value)
        response = addinfourl(BytesIO(reply.body), message, request.full_url, reply.status)
        response.msg = reply.reason  # type: ignore[attr-defined]  # what HTTPErrorProcessor reads
        return response

    https_open = http_open


def _check_urllib_target(target: str) -> None:
    """Refuse what `http.client` refuses, with its errors: it does not encode for its caller."""
    if re.search(r"[\x00-\x20\x7f]", target):
        raise InvalidURL(f"URL can't contain control characters or spaces: {target!r}")
    target.encode("ascii")


def urllib_opener(app: WSGIApplication, *, token: str = TOKEN) -> OpenerDirector:
    """Return a `urllib.request.OpenerDirector` that reaches `app` without a socket."""
    opener = OpenerDirector()
    for handler in (_UrllibDoor(app), HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    opener.addheaders = [*_authorization(token).items()]
    return opener


class LiveServer:
    """A fake behind a socket on 127.0.0.1, in a thread of this process.

    `app` may be exchanged while it runs. `url` is the address, without a slash at the end. Close it
    with `close`, or use `live`. `failure` is the first `HarnessError` of the application, or None.
    """

    def __init__(self, app: WSGIApplication) -> None:
        from werkzeug.serving import make_server

        self.app = app
        self.failure: HarnessError | None = None
        self._server = make_server(
            "127.0.0.1", 0, self._serve, threaded=True, request_handler=_handler()
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(
            target=self._server.serve_forever, args=(POLL_INTERVAL_S,), daemon=True
        )
        self._thread.start()

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        try:
            return self.app(environ, start_response)
        except RunStopped:
            # The client learns of it at its next call of the feed; here is only a thread.
            status = "503 Service Unavailable"
        except HarnessError as error:
            self.failure = self.failure or error
            status = "500 Internal Server Error"
        start_response(status, [("Content-Length", "0")])
        return [b""]

    def close(self) -> None:
        """Stop serving and wait for the thread."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler() -> Any:
    """Return a request handler that adds nothing of its own to what the application answers."""
    from werkzeug.serving import WSGIRequestHandler

    class Handler(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
            """Say nothing: the history holds every request."""

        def send_response(self, code: int, message: str | None = None) -> None:
            """Send the status alone; a second Date, of the wall clock, would come with it."""
            self.send_response_only(code, message)

        def connection_dropped(
            self,
            error: BaseException,  # noqa: ARG002 - the signature is Werkzeug's
            environ: WSGIEnvironment | None = None,  # noqa: ARG002
        ) -> None:
            """Close the socket, else the client would wait for its timeout."""
            self.close_connection = True

    return Handler


@contextmanager
def live(app: WSGIApplication) -> Iterator[str]:
    """Serve `app` on 127.0.0.1 while the block runs; gives the address.

    Raises at the end the `HarnessError` that the application raised meanwhile, if it did.
    """
    server = LiveServer(app)
    try:
        yield server.url
    finally:
        server.close()
    if server.failure is not None:
        raise server.failure
