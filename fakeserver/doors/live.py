"""The live door: a fake behind a socket of this machine, for clients that need a real address."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any

from fakeserver.app import ConnectionDropped
from fakeserver.doors.listener import Listener
from fakeserver.doors.proxies import HOST, bypass_proxies, heed_proxies
from fakeserver.errors import ClientKilled, HarnessError, RunStopped

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

POLL_INTERVAL_S = 0.02
"""How soon a live door notices that it is to close; Werkzeug's half second is felt in a suite."""
HOLD_MS_MAX = 2_000
"""A slow answer is really held back, but no longer: a world with minutes in it must not cost them.
Who wants to see a time-out hit over a socket sets it below these two seconds."""
LEAVING_S = 2
"""How long a request in the works has to finish when the server is closed."""


class Holds:
    """Remembers of one client whether it waits for slow answers, so that this is tried once.

    A client that has waited out a whole hold has no time-out within `HOLD_MS_MAX`: its later
    answers are slow in simulated time alone. One that has left is held up each time.
    """

    def __init__(self) -> None:
        self._waits = False
        self._leaves = False

    @property
    def are_over(self) -> bool:
        """Whether nothing is to be learnt from holding back an answer."""
        return self._waits and not self._leaves

    def learn(self, ms: int, *, is_there: bool) -> None:
        """Note whether the client was still there after a hold of `ms`."""
        self._leaves = self._leaves or not is_there
        self._waits = self._waits or ms >= HOLD_MS_MAX


class LiveServer:
    """A fake behind a socket on 127.0.0.1, in threads of this process.

    `app` may be exchanged while it runs. `url` is the address, without a slash at the end. `holds`
    says whether a slow answer is really held back: without it each one is. Until it is closed, no
    proxy that the environment names is asked for an address on 127.0.0.1. Close it with `close`,
    or use `live`. `failure` is the first `HarnessError` of the application, or None.
    """

    def __init__(self, app: WSGIApplication, *, holds: Holds | None = None) -> None:
        self.app = app
        self.failure: HarnessError | None = None
        self._requests = 0
        self._idle = Condition()
        self._listener = _Listener(self._serve, holds)
        self.url = f"http://{HOST}:{self._listener.server_address[1]}"
        self._bypass = bypass_proxies()
        self._thread = Thread(
            target=self._listener.serve_forever, args=(POLL_INTERVAL_S,), daemon=True
        )
        self._thread.start()

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        with self._answering():
            return self._answer(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        try:
            return self.app(environ, start_response)
        except ClientKilled as killed:  # nothing is sent to the dead
            raise ConnectionDropped("the connection died with its client") from killed
        except RunStopped:
            # The client learns of it at its next call of the feed; here is only a thread.
            status = "503 Service Unavailable"
        except HarnessError as error:
            self.failure = self.failure or error
            status = "500 Internal Server Error"
        start_response(status, [("Content-Length", "0")])
        return [b""]

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with self._idle:
            self._requests += 1
        try:
            yield
        finally:
            with self._idle:
                self._requests -= 1
                self._idle.notify_all()

    def settle(self) -> None:
        """Wait until no request is in the works: also those whose clients have gone, not for ever.

        What they leave in the history is there afterwards.
        """
        with self._idle:
            self._idle.wait_for(lambda: not self._requests, timeout=2 * HOLD_MS_MAX / 1000)

    def close(self) -> None:
        """Stop serving and wait for the threads."""
        self._listener.shutdown()
        self._thread.join()
        self.settle()
        self._listener.server_close()
        self._listener.close_connections()
        heed_proxies(self._bypass)


class _Listener(Listener):
    """The listening socket; it notices which clients wait for slow answers."""

    def __init__(self, app: WSGIApplication, holds: Holds | None) -> None:
        self._holds = holds
        super().__init__(app, HOST, 0, hold_ms_max=HOLD_MS_MAX, leaving_s=LEAVING_S)

    def hold(self, connection: socket.socket, ms: int) -> bool:
        """Hold an answer back, unless it is known that the client would wait for it."""
        if self._holds is None:
            return super().hold(connection, ms)
        if self._holds.are_over:
            return True
        is_there = super().hold(connection, ms)
        self._holds.learn(ms, is_there=is_there)
        return is_there


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
