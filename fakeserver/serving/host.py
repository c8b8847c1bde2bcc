"""A WSGI application on a socket, until somebody says stop.

Python's own server carries it, with a thread for each connection (`doors/listener.py`).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from fakeserver.doors.connection import Head, Refusal
from fakeserver.doors.listener import Listener
from fakeserver.errors import UsageError
from fakeserver.serving.problems import Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

STOP_POLL_S = 0.05
"""How soon `Host.serve` notices `Host.stop`. A signal handler may only leave a note: whatever lock
it took could be the one that the code below it holds."""
HOLD_MS_MAX = 300_000
"""The longest that an answer is held back: no client that has a time-out waits five minutes."""
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


class _Listener(Listener):
    """The listening socket, and what is said to clients that send no request."""

    timeout = STOP_POLL_S

    def __init__(self, app: WSGIApplication, host: str, port: int) -> None:
        self.on_refusal: Refusals | None = None
        super().__init__(app, host, port, hold_ms_max=HOLD_MS_MAX, leaving_s=LEAVING_S)

    def tell_refused(self, refusal: Refusal) -> None:
        """Tell whoever wants to hear it."""
        if self.on_refusal is not None:
            self.on_refusal(refusal.status, refusal.detail)

    def answer_refused(self, refusal: Refusal) -> tuple[Head, bytes]:
        """Answer as the control API answers what it can't do."""
        response = Problem(refusal.status, refusal.code, refusal.detail).response("")
        return (response.status, list(response.headers)), response.get_data()
