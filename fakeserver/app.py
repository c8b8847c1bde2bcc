"""The fake as a WSGI application: HTTP in, one step of history, HTTP out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from werkzeug.http import http_date
from werkzeug.wrappers import Response

from fakeserver.clock import Instant, as_datetime
from fakeserver.dialects.base import TOKEN, Ask
from fakeserver.errors import HarnessError
from fakeserver.history import History
from fakeserver.scenario import Scenario
from fakeserver.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ORIGIN = "http://fakeserver.test"
"""The address of a fake without a socket; `.test` is reserved, so it never leads anywhere."""


class FakeServer:
    """One faked event log, playing one scenario.

    It is a WSGI application: give it to any WSGI server, to Werkzeug's test client, or to the doors
    (`fakeserver.doors`) that let requests, httpx and urllib talk to it without a socket::

        server = FakeServer(generate_scenario(dialect="haravan", seed=7))
        page = requests_session(server).get(server.url("/com/events.json")).json()

    `token` is the bearer token that it accepts. The time in its ``Date`` header is simulated.
    `failure` is the first error of its own, or None. A client only sees a request fail, and may
    well go on; whoever judges it must look here, for the client is not to blame.
    """

    token = TOKEN

    def __init__(self, scenario: Scenario) -> None:
        self.world = World(scenario)
        self.failure: HarnessError | None = None

    def url(self, path: str) -> str:
        """Return the address of `path` for the doors without a socket."""
        return ORIGIN + path

    @property
    def scenario(self) -> Scenario:
        """The scenario being played."""
        return self.world.scenario

    @property
    def history(self) -> History:
        """The requests and answers so far (`fakeserver.history`)."""
        return self.world.history

    @property
    def now(self) -> Instant:
        """The simulated instant, ms since the epoch."""
        return self.world.now

    def advance(self, seconds: float) -> Instant:
        """Let simulated time pass, in seconds, and return the new instant in ms."""
        return self.world.advance(round(seconds * 1000))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as WSGI asks. Raises `HarnessError` for any slip of ours."""
        try:
            answer, at = self.world.ask(_read(environ))
            response = Response(
                answer.body,
                status=answer.status,
                content_type="application/json; charset=utf-8",
                headers=[("Date", http_date(as_datetime(at))), *answer.headers],
            )
        except Exception as error:
            failure = HarnessError(
                f"the fake failed to answer {environ['REQUEST_METHOD']} "
                f"{environ.get('PATH_INFO', '')}: {type(error).__name__}: {error}"
            )
            self.failure = self.failure or failure
            raise failure from error
        return response(environ, start_response)


_NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""The characters by which ``surrogateescape`` marks a byte that is not UTF-8."""


def _as_percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]) - 0xDC00:02X}"


def _read(environ: WSGIEnvironment) -> Ask:
    headers = {
        key[5:].replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    # WSGI hands the path decoded and as latin-1; what can't be UTF-8 is no path of ours anyway.
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    # It hands the query as sent. Bytes that are not UTF-8 stay visible to the dialect, as %FF.
    query = environ.get("QUERY_STRING", "").encode("latin-1")
    return Ask(
        path=quote(path, safe="/~!$&'()*+,;=:@"),
        query=_NOT_UTF8.sub(_as_percent, query.decode("utf-8", "surrogateescape")),
        method=environ["REQUEST_METHOD"],
        headers=headers,
    )
