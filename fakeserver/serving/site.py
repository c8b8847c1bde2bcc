"""A served fake: the faked API, the control API and the feeds, as one WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from fakeserver.app import FakeServer
from fakeserver.serving.control import Control
from fakeserver.serving.endpoints import PREFIX, Here, no_feed
from fakeserver.serving.feeds import Feeds
from fakeserver.serving.guard import Guard
from fakeserver.serving.options import ServeOptions, Wall
from fakeserver.serving.served import Served
from fakeserver.serving.state import State
from fakeserver.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

FEEDS = f"{PREFIX}/feeds/"


class Site:
    """The whole of a served fake, by path.

    ::

        /com/events.json                                the faked API
        /_fakeserver/health                             its control API
        /_fakeserver/feeds/ID/com/events.json           the faked API of a feed
        /_fakeserver/feeds/ID/_fakeserver/health        its control API

    `wall` tells real time in ms since the epoch. Without `control` there is only the faked API.
    `token` is asked of whoever uses the control API, and `hosts` are names under which it may be
    reached besides those of this machine's loopback. `state` is the file in which the main world
    outlives the process. `on_shutdown` is called once a request to end the server is answered.

    Raises `UsageError` for options that can't be served and a state file that can't be used.
    """

    def __init__(
        self,
        options: ServeOptions,
        *,
        wall: Wall,
        control: bool = True,
        token: str | None = None,
        hosts: Iterable[str] = (),
        state: str | Path | None = None,
        on_shutdown: Callable[[], None] | None = None,
    ) -> None:
        guard = Guard(hosts, token)
        self._state = None if state is None else State(state)
        try:
            self.served = Served(options, wall, state=self._state)
        except BaseException:
            self.close()
            raise
        self._feeds = Feeds(
            lambda feed_id, options: Control(
                Here(served=Served(options, wall), feed_id=feed_id), guard
            )
        )
        here = Here(served=self.served, feeds=self._feeds, on_shutdown=on_shutdown)
        self._control = Control(here, guard) if control else None

    @property
    def world(self) -> World:
        """The present main world; a reset or a loaded scenario puts another in its place."""
        return self.served.world

    @property
    def server(self) -> FakeServer:
        """The faked API of the present main world."""
        return self.served.server

    def close(self) -> None:
        """Close the state file, if there is one."""
        if self._state is not None:
            self._state.close()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as WSGI asks. Raises what `FakeServer` raises."""
        control = self._control
        if control is None:
            return self.served.server(environ, start_response)
        if environ.get("PATH_INFO", "").startswith(FEEDS):
            return self._at_feed(control, environ, start_response)
        return _answer(control, environ, start_response)

    def _at_feed(
        self, control: Control, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Hand what lies below a feed to the feed; the feed as a whole belongs to `control`."""
        path = environ["PATH_INFO"]
        feed_id, slash, rest = path.removeprefix(FEEDS).partition("/")
        if not slash:
            return control(environ, start_response)
        feed = self._feeds.find(feed_id)
        if feed is None:
            return no_feed(feed_id).response(path)(environ, start_response)
        # Changed in place: whoever runs the application looks into it afterwards.
        environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}{FEEDS}{feed_id}"
        environ["PATH_INFO"] = f"/{rest}"
        return _answer(feed, environ, start_response)


def _answer(
    control: Control, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Let the control API or the faked API of one world answer."""
    path = environ.get("PATH_INFO", "")
    if path.startswith(PREFIX) and path[len(PREFIX) : len(PREFIX) + 1] in ("", "/"):
        return control(environ, start_response)
    if path == "/" and "text/html" in environ.get("HTTP_ACCEPT", ""):
        # Somebody opened the address in a browser; no faked API has anything there.
        page = f"{environ.get('SCRIPT_NAME', '')}{PREFIX}/"
        return Response(status=302, headers={"Location": page})(environ, start_response)
    return control.here.served.server(environ, start_response)
