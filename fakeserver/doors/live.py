"""The live door: a fake behind a socket of this machine, for clients that need a real address."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from selectors import EVENT_READ, DefaultSelector
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any

from fakeserver.app import HOLD, ConnectionDropped
from fakeserver.errors import ClientKilled, HarnessError, RunStopped

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

POLL_INTERVAL_S = 0.02
"""How soon a live door notices that it is to close; Werkzeug's half second is felt in a suite."""
HOLD_MS_MAX = 2_000
"""A slow answer is really held back, but no longer: a world with minutes in it must not cost them.
Who wants to see a time-out hit over a socket sets it below these two seconds."""


class LiveServer:
    """A fake behind a socket on 127.0.0.1, in a thread of this process.

    `app` may be exchanged while it runs. `url` is the address, without a slash at the end. Close it
    with `close`, or use `live`. `failure` is the first `HarnessError` of the application, or None.
    """

    def __init__(self, app: WSGIApplication) -> None:
        from werkzeug.serving import make_server

        self.app = app
        self.failure: HarnessError | None = None
        self._requests = 0
        self._idle = Condition()
        self._server = make_server(
            "127.0.0.1", 0, self._serve, threaded=True, request_handler=_handler()
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(
            target=self._server.serve_forever, args=(POLL_INTERVAL_S,), daemon=True
        )
        self._thread.start()

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        environ[HOLD] = _holder(environ["werkzeug.socket"])
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
        """Stop serving and wait for the thread."""
        self._server.shutdown()
        self._thread.join()
        self.settle()
        self._server.server_close()


def _holder(connection: socket.socket) -> Callable[[int], bool]:
    """Return a function that waits, and tells whether the client is still there afterwards."""

    def hold(ms: int) -> bool:
        seconds = min(ms, HOLD_MS_MAX) / 1000
        with DefaultSelector() as selector:
            selector.register(connection, EVENT_READ)
            if not selector.select(seconds):  # it ends early if the client closes
                return True
        try:
            if not connection.recv(1, socket.MSG_PEEK):
                return False
        except OSError:
            return False
        Event().wait(seconds)  # it has sent its next request already, so it waits for both
        return True

    return hold


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
