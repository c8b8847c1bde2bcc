"""A WSGI application on a socket, until somebody says stop.

Python's own server carries it, with a thread for each connection (`serving/connection.py`).
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from ipaddress import ip_address
from socketserver import ThreadingTCPServer
from threading import Condition
from typing import TYPE_CHECKING, Any

from fakeserver.errors import UsageError
from fakeserver.serving.connection import Connection, shut
from fakeserver.serving.problems import Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

STOP_POLL_S = 0.05
"""How soon `Host.serve` notices `Host.stop`. A signal handler may only leave a note: whatever lock
it took could be the one that the code below it holds."""
CONNECTIONS_MAX = 500
"""Each has a thread and a file, of which a process usually has 1024. What comes on top is closed at
once, as by a server that is full."""
LEAVING_S = 2
"""How long a request in the works has to finish when the server stops."""
Refusals = Callable[[int, str], None]
"""Takes a status and a sentence."""


class Host:
    """A server for `app` on `host` and `port`; port 0 takes a free one.

    It is bound when this returns, so that `url` and `port` are true, and clients that connect wait
    for `serve`. `failure` is the first error of the application that was no answer, or None.
    `on_refusal` hears, with its status and a sentence, of what was no request and so never came to
    the application; from any thread.

    Raises `UsageError` if the address can't be had.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_refusal: Refusals | None = None,
    ) -> None:
        self._listener = _listen(app, host, port)
        self._listener.on_refusal = on_refusal
        self._stopped = False
        self.port: int = self._listener.server_address[1]
        self.url = f"http://{_reachable(host)}:{self.port}"

    @property
    def is_exposed(self) -> bool:
        """Whether other machines may reach it: it is bound to more than the loopback interface."""
        return not ip_address(str(self._listener.server_address[0])).is_loopback

    @property
    def failure(self) -> Exception | None:
        """What the application raised first, or None."""
        return self._listener.failure

    def serve(self) -> None:
        """Serve until `stop`; all connections are closed then. Once only."""
        try:
            while not self._stopped:
                self._listener.handle_request()
        finally:
            self._listener.server_close()
            self._listener.close_connections()

    def stop(self) -> None:
        """Let `serve` return soon. From a signal handler or any thread, any number of times.

        A request in the works is still answered, one that is held back is not.
        """
        self._stopped = True


def _listen(app: WSGIApplication, host: str, port: int) -> _Listener:
    try:
        return _Listener(app, host, port)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(f"can't listen on {host}:{port}: {_trouble(error)}") from error


def _trouble(error: Exception) -> str:
    """Say what to do about an address that can't be had."""
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return "another program does; end it, or choose another port (0 takes a free one)"
        case errno.EACCES:
            return "ports below 1024 are not for everybody; choose another (0 takes a free one)"
        case errno.EADDRNOTAVAIL:
            return "no network of this machine has that address; 127.0.0.1 is always there"
    return f"{error}; 127.0.0.1 is always there, and port 0 takes a free one"


def _reachable(host: str) -> str:
    """Return the name by which this machine reaches a server that listens on `host`."""
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{name}]" if ":" in name else name


class _Listener(ThreadingTCPServer):
    """The listening socket and its open connections."""

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"  # there it would let two servers share a port
    request_queue_size = 128
    timeout = STOP_POLL_S

    def __init__(self, app: WSGIApplication, host: str, port: int) -> None:
        self.app = app
        self.failure: Exception | None = None
        self.on_refusal: Refusals | None = None
        self._connections: set[Any] = set()
        self._fewer = Condition()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Connection)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Say whether there is room for one more connection."""
        return len(self._connections) < CONNECTIONS_MAX

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        with self._fewer:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ends."""
        super().shutdown_request(request)
        with self._fewer:
            self._connections.discard(request)
            self._fewer.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Keep the error that ended a connection, unless it was the client that left."""
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self.keep(error)

    def keep(self, failure: Exception) -> None:
        """Remember the first failure."""
        self.failure = self.failure or failure

    def tell_refused(self, problem: Problem) -> None:
        """Tell whoever wants to hear it."""
        if self.on_refusal is not None:
            self.on_refusal(problem.status, problem.detail)

    def close_connections(self) -> None:
        """End what is idle or held back, let the rest finish, wait for all but not for ever."""
        for ending in (socket.SHUT_RD, socket.SHUT_RDWR):
            with self._fewer:
                for connection in self._connections:
                    shut(connection, ending)
                if self._fewer.wait_for(lambda: not self._connections, timeout=LEAVING_S):
                    return
