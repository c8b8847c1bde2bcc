"""What many runs of one client share, from the first to the last: addresses, time, processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, NoReturn

from fakeserver.app import ConnectionDropped, FakeServer
from fakeserver.doors import Holds, LiveServer
from fakeserver.errors import HarnessError
from fakeserver.history import History
from fakeserver.scenario import Scenario
from fakeserver.verifier.clients import Client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.watchdog import POLL_SECONDS_MAX, Watchdog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Doorkeeper:
    """Owns what many runs share: the live server, the watchdog, the processes of a command.

    All are started when first needed and end with `close`. `poll_seconds_max` is the real time that
    one poll may take.
    """

    def __init__(self, *, poll_seconds_max: float = POLL_SECONDS_MAX) -> None:
        self.watchdog = Watchdog(poll_seconds_max)
        self.overran: tuple[Scenario, History] | None = None
        self._live: LiveServer | None = None
        self._server: FakeServer | None = None
        self._closing: list[Thread] = []
        self._commands: list[CommandClient] = []
        self._holds = Holds()

    def admit(self, server: FakeServer, client: Client) -> None:
        """Let the live address lead to `server` from now on, for `client`."""
        if isinstance(client, CommandClient) and client not in self._commands:
            self._commands.append(client)
        self._server = server
        if self._live is not None:
            self._live.app = server

    def live_url(self) -> str:
        """Return the live address, starting the server if need be."""
        if self._server is None:
            raise HarnessError("there is no world yet to serve")
        if self._live is None:
            self._live = LiveServer(self._server, holds=self._holds)
        return self._live.url

    def leave_address(self) -> None:
        """Give up the live address: what a dead client had sent must not reach the next life.

        Requests that are in the works are waited for; later ones get no answer. The next
        `live_url` is another one.
        """
        if self._live is None:
            return
        self._live.app = _nobody
        self._live.settle()
        closing = Thread(target=self._live.close, daemon=True)
        closing.start()
        self._closing.append(closing)
        self._live = None

    def settle(self) -> None:
        """Wait until the live server is done with requests whose clients have gone."""
        if self._live is not None:
            self._live.settle()

    def close(self) -> None:
        """Stop the watchdog, the live server and the processes, if they were started."""
        self.watchdog.close()
        for command in self._commands:
            command.close()
        if self._live is not None:
            self._live.close()
            self._live = None
        for closing in self._closing:
            closing.join()


def _nobody(_environ: WSGIEnvironment, _start_response: StartResponse) -> NoReturn:
    """Answer nobody, as a WSGI application."""
    raise ConnectionDropped("the client that had this address is dead")


@contextmanager
def doorkeeper(*, poll_seconds_max: float = POLL_SECONDS_MAX) -> Iterator[Doorkeeper]:
    """Give a `Doorkeeper` and close it at the end of the block."""
    keeper = Doorkeeper(poll_seconds_max=poll_seconds_max)
    try:
        yield keeper
    finally:
        keeper.close()
