"""One connection of a client: its requests in turn, each answered by a WSGI application.

Python's own HTTP server reads the requests. What is added is what a fake needs: the connection is
kept, an answer can be held back, cut or never come, whatever bytes come are at worst a refusal, and
nothing is said but what the application says.
"""

from __future__ import annotations

import re
import selectors
import socket
import sys
import time
from collections.abc import Callable
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler
from io import BufferedReader, BytesIO
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from fakeserver.app import HOLD
from fakeserver.doors.wsgi import ask
from fakeserver.errors import HarnessError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

IDLE_S = 75
"""A kept connection without a request is closed after so long, as by most servers; it is longer
than a client that asks once a minute waits."""
BODY_BYTES_MAX = 64 * 2**20
"""A scenario with all the events that one may have takes some 50 MB."""
LINGER_S = 1
"""How long a refused client that goes on sending may pause. It reads the refusal only afterwards;
closing at once would take the refusal from it."""


Head = tuple[str, list[tuple[str, str]]]
"""The status line and the headers of an answer."""


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error of ours
    """What came was no request, or the application failed.

    `code` is a stable word for programs, `detail` says what was expected and what came.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class Server(Protocol):
    """What a connection must know of its server."""

    app: WSGIApplication
    server_address: Any

    def keep(self, failure: Exception) -> None:
        """Remember that the application failed."""

    def tell_refused(self, refusal: Refusal) -> None:
        """Hear of what was no request, and never came to the application."""

    def answer_refused(self, refusal: Refusal) -> tuple[Head, bytes]:
        """Return the answer to what is refused."""

    def hold(self, connection: socket.socket, ms: int) -> bool:
        """Hold an answer back for `ms`, up to a bound. False: the client has left meanwhile."""


class _Head(NamedTuple):
    """The headers of a request: as they were sent, as they were read, what they say of the end."""

    sent: bytes
    headers: Message
    close_connection: bool


class Connection(BaseHTTPRequestHandler):
    """One connection: its requests in turn, each answered by the application."""

    server: Server  # type: ignore[assignment]  # the one that made it
    raw_requestline: bytes
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    disable_nagle_algorithm = True
    _last: _Head | None = None

    def parse_request(self) -> bool:
        """Read the head of a request. False: it was refused.

        Clients send the same headers again and again, and reading them is half of what a request
        costs: those of the last request are not read twice.
        """
        ahead = self.rfile.peek()  # type: ignore[attr-defined]  # a BufferedReader
        line, last = _LINE.fullmatch(self.raw_requestline), self._last
        if line is None or last is None or not ahead.startswith(last.sent):
            return super().parse_request() and self._remember(ahead)
        self.rfile.read(len(last.sent))
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        self.command, self.path = line[1].decode(), line[2].decode()
        self.request_version, self.close_connection = "HTTP/1.1", last.close_connection
        self.headers = last.headers
        return True

    def _remember(self, ahead: bytes) -> bool:
        """Keep the headers just read, if they were the beginning of `ahead`, for the next request.

        Only plain ones: with odd line ends it is not certain where they ended.
        """
        lines, end, _ = ahead.partition(b"\r\n\r\n")
        plain = lines.count(b"\n") == lines.count(b"\r\n") and not lines.startswith(b"\r\n")
        usual = self.request_version == "HTTP/1.1" and "Expect" not in self.headers
        known = bool(end) and plain and usual
        self._last = _Head(lines + end, self.headers, self.close_connection) if known else None
        return True

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Return what answers a method (``do_GET``): all methods are the application's."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_message: Any) -> None:
        """Say nothing: the application knows what to tell."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what Python's server can't read.

        A version of HTTP that it does not support is the client's mistake, not ours.
        """
        says = ": ".join(filter(None, (message, explain))) or "this is no HTTP request"
        if self.raw_requestline.startswith(_TLS_HELLO):
            says = "this is TLS, and only plain HTTP is spoken here: ask http://, not https://"
        self._refuse_unread(Refusal(code if code < 500 else 400, "no-request", says))

    def _answer(self) -> None:
        """Answer the request whose head has been read."""
        try:
            environ = self._environ(_read_body(self))
        except Refusal as refusal:
            self._refuse_unread(refusal)
            return
        try:
            status, headers, body = ask(self.server.app, environ)
            answer = self._message(status, headers, body)
        except (ConnectionError, TimeoutError):  # a fault lets no answer come
            self.close_connection = True
        except Exception as failure:  # whatever it is, the next request is served
            self.server.keep(failure)
            self._refuse(Refusal(500, "failed", f"{type(failure).__name__}: {failure}"))
        else:
            self.wfile.write(answer)

    def _refuse_unread(self, refusal: Refusal) -> None:
        """Refuse what the application never sees, and tell of it: nobody else will."""
        self.server.tell_refused(refusal)
        self._refuse(refusal)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with an error and close: nobody knows where the next request would start."""
        (status, headers), body = self.server.answer_refused(refusal)
        self.close_connection = True
        self.command = getattr(self, "command", None) or "GET"
        self.wfile.write(self._message(status, headers, body))
        # What the client still sends would, unread, take the answer with it.
        shut(self.connection, socket.SHUT_WR)
        self.connection.settimeout(LINGER_S)
        left = BODY_BYTES_MAX
        while left > 0 and (part := self.rfile.read1(2**16)):
            left -= len(part)

    def _environ(self, body: bytes) -> WSGIEnvironment:
        """Return the request as WSGI has it. Raises `Refusal` (400) for a broken header."""
        path, _, query = _ORIGIN.sub("", self.path, count=1).partition("?")
        address, port = self.server.server_address[:2]
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": address,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            HOLD: partial(self.server.hold, self.connection),
        }
        for name, value in self.headers.items():
            if _CONTROL.search(value):
                raise Refusal(400, "no-request", f"a control character in the header {name}")
            if "_" in name:
                continue  # it could not be told from the name with a hyphen
            key = name.upper().replace("-", "_")
            key = key if key in _PLAIN else f"HTTP_{key}"
            environ[key] = f"{environ[key]}, {value}" if key in environ else value
        return environ

    def _message(self, status: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
        """Return an answer as it is sent, and decide whether the connection is kept.

        A body shorter than its Content-Length is sent as it is, and nothing after it. Raises
        `HarnessError` for an answer that no client could read.
        """
        promised = next((int(value) for name, value in headers if name.lower() == _LENGTH), None)
        if self.command == "HEAD" or status[:3] in ("204", "304"):
            body = b""
        elif promised is None:
            headers = [*headers, ("Content-Length", str(len(body)))]
        elif promised < len(body):
            raise HarnessError(f"Content-Length is {promised}, the body has {len(body)} bytes")
        elif promised > len(body):
            self.close_connection = True
        if self.close_connection:
            headers = [*headers, ("Connection", "close")]
        elif self.request_version == "HTTP/1.0":
            headers = [*headers, ("Connection", "keep-alive")]
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        head = "\r\n".join(lines)
        if head.count("\n") != len(headers) or head.count("\r") != len(headers):
            raise HarnessError(f"a line break in the headers of an answer: {headers}")
        return f"{head}\r\n\r\n".encode("latin-1") + body


_LINE = re.compile(rb"([A-Z]+) (/(?!/)[!-~]*) HTTP/1\.1\r\n")
"""A request line about which nobody could disagree."""
_TLS_HELLO = b"\x16\x03"
"""How a client begins that was told ``https://``."""
_LENGTH = "content-length"
_PLAIN = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ORIGIN = re.compile(r"\Ahttps?://[^/?]*", re.IGNORECASE)
"""What a client that takes the server for its proxy puts in front of the path."""


def _read_body(request: Connection) -> bytes:
    """Read the body of a request, all of it: the next request starts behind it.

    Raises `Refusal` (400, 413), and `ConnectionResetError` if the client leaves meanwhile.
    """
    if request.request_version == "HTTP/0.9":
        raise Refusal(400, "no-request", "expected HTTP/1.1 at the end of the request line")
    if request.headers.defects:
        defect = type(request.headers.defects[0]).__name__
        raise Refusal(400, "no-request", f"a header is broken: {defect}")
    lengths = set(request.headers.get_all("Content-Length", ()))
    coding = request.headers.get("Transfer-Encoding")
    if coding is not None:
        request.close_connection = True  # more may follow the last chunk
        if lengths or coding.lower() != "chunked":
            raise Refusal(400, "no-request", "expected a Content-Length, or chunks, and not both")
        return _read_chunks(request)
    if not lengths:
        return b""
    length = lengths.pop()
    if lengths or not re.fullmatch("[0-9]{1,15}", length, re.ASCII):
        raise Refusal(400, "no-request", "expected one Content-Length, a whole number")
    if int(length) > BODY_BYTES_MAX:
        raise _too_large(f"{length} bytes")
    body = request.rfile.read(int(length))
    if len(body) < int(length):
        raise ConnectionResetError("the client left in the middle of its request")
    return body


def _read_chunks(request: Connection) -> bytes:
    from werkzeug.serving import DechunkedInput

    stream: Any = DechunkedInput(request.rfile)  # type: ignore[arg-type]
    try:
        body: bytes = BufferedReader(stream).read(BODY_BYTES_MAX + 1)
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:  # ValueError: it ended in the middle of a chunk
        raise Refusal(400, "no-request", f"a chunk is broken: {error}") from error
    if len(body) > BODY_BYTES_MAX:
        raise _too_large("more")
    return body


def _too_large(came: str) -> Refusal:
    return Refusal(
        413, "too-large", f"expected a body of at most {BODY_BYTES_MAX} bytes, got {came}"
    )


def hold(connection: socket.socket, seconds: float) -> bool:
    """Wait so long. False, and sooner: the client has left, or the server stops."""
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        if not selector.select(seconds):
            return True
    try:
        there = bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        there = False
    if there:
        # It has sent its next request already, so it waits for both.
        Event().wait(max(0, until - time.monotonic()))
    return there


def shut(connection: socket.socket, ending: int) -> None:
    """Shut one way of a connection or both (`socket.SHUT_RD` and the like), if it is still open."""
    try:
        connection.shutdown(ending)
    except OSError:
        return  # it has ended by itself
