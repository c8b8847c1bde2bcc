"""A listening socket with a thread for each connection, and an end to all of them."""

from __future__ import annotations

import socket
import sys
from socketserver import ThreadingTCPServer
from threading import Condition
from typing import TYPE_CHECKING, Any

from fakeserver.doors.connection import Connection, Head, Refusal, hold, shut

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CONNECTIONS_MAX = 500
"""Each has a thread and a file, of which a process usually has 1024. What comes on top is closed at
once, as by a server that is full."""


class Listener(ThreadingTCPServer):
    """The listening socket of `app` and its open connections.

    `failure` is the first error of the application that was no answer, or None; `hold_ms_max` how
    long a slow answer is held back at most, and `leaving_s` how long a request in the works has to
    finish when the server stops.
    """

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"  # there it would let two servers share a port
    request_queue_size = 128

    def __init__(
        self,
        app: WSGIApplication,
        host: str,
        port: int,
        *,
        hold_ms_max: int,
        leaving_s: float,
    ) -> None:
        self.app = app
        self.failure: Exception | None = None
        self._hold_ms_max = hold_ms_max
        self._leaving_s = leaving_s
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

    def tell_refused(self, refusal: Refusal) -> None:
        """Say nothing of what was no request."""

    def answer_refused(self, refusal: Refusal) -> tuple[Head, bytes]:
        """Answer what is refused with the reason, as text."""
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        return (f"{refusal.status} Refused", headers), f"{refusal.detail}\n".encode()

    def hold(self, connection: socket.socket, ms: int) -> bool:
        """Hold an answer back. False: the client has left meanwhile, or the server stops."""
        return hold(connection, min(ms, self._hold_ms_max) / 1000)

    def close_connections(self) -> None:
        """End what is idle or held back, let the rest finish, wait for all but not for ever."""
        for ending in (socket.SHUT_RD, socket.SHUT_RDWR):
            with self._fewer:
                for connection in self._connections:
                    shut(connection, ending)
                if self._fewer.wait_for(lambda: not self._connections, timeout=self._leaving_s):
                    return
