"""The fake as a WSGI application: HTTP in, one step of history, HTTP out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.http import HTTP_STATUS_CODES, http_date
from werkzeug.wsgi import get_host

from fakeserver.armed_faults import Outcome
from fakeserver.clock import SECOND_MS, Instant, as_datetime
from fakeserver.dialects.base import TOKEN, Answer, Ask
from fakeserver.errors import HarnessError
from fakeserver.fault import Fault
from fakeserver.history import Exchange, History
from fakeserver.scenario import Scenario
from fakeserver.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ORIGIN = "http://fakeserver.test"
"""The address of a fake without a socket; `.test` is reserved, so it never leads anywhere."""


EXCHANGE = "fakeserver.exchange"
"""In the environ: the `Exchange` that was recorded for this request, set by the application."""
WORLD = "fakeserver.world"
"""In the environ: the `World` that answered it, set by the application."""
TIMEOUT_MS = "fakeserver.timeout_ms"
"""In the environ, set by a door without a socket: how long its client waits, ms; else for ever."""
HOLD = "fakeserver.hold"
"""In the environ, set by a live server: ``hold(ms)`` really waits, up to a bound of the server.

It returns False where it finds that the client has gone meanwhile."""


class ConnectionDropped(ConnectionResetError):  # noqa: N818 - what happened, to no fault of ours
    """No answer comes: whoever serves the application closes the connection."""


class AnswerTimedOut(TimeoutError):  # noqa: N818
    """The client has gone: it did not wait for this answer."""


class FakeServer:
    """One faked event log, playing one scenario.

    It is a WSGI application: give it to any WSGI server, to Werkzeug's test client, or to the doors
    (`fakeserver.doors`) that let requests, httpx and urllib talk to it without a socket::

        server = FakeServer(generate_scenario(dialect="haravan", seed=7))
        page = requests_session(server).get(server.url("/com/events.json")).json()

    It plays a scenario in a world of its own, or a world that is given to it.
    `token` is the bearer token that it accepts. The time in its ``Date`` header is simulated.
    `failure` is the first error of its own, or None. A client only sees a request fail, and may
    well go on; whoever judges it must look here, for the client is not to blame.
    """

    token = TOKEN

    def __init__(self, scenario: Scenario | World) -> None:
        self.world = scenario if isinstance(scenario, World) else World(scenario)
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

    def arm(self, *faults: Fault) -> None:
        """Let something go wrong with the next requests, in place of what was armed before.

        Each fault says which of them it hits, counted from now; without any, all is well again::

            server.arm(Fault(kind="server-error", status=503, retry_after_s=2, times=3))
            server.arm(Fault(kind="slow-answer", ms=9_000), Fault(kind="truncated-body", nth=3))
            server.arm()

        Through a door without a socket a slow answer costs simulated time, and the time-out of the
        client counts in that. A live server really waits, up to a bound of its own. Raises
        `ScenarioError` for too many faults.
        """
        self.world.arm(faults)

    @property
    def armed(self) -> tuple[tuple[Fault, int | None], ...]:
        """The faults that can still hit, and how many requests each; None: without end."""
        return self.world.armed

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as WSGI asks.

        Raises `HarnessError` for any slip of ours; and `ConnectionDropped` or `AnswerTimedOut`
        where a fault lets no answer come: the door or server closes the connection, or raises what
        its library raises.
        """
        try:
            outcome, exchange = self._ask(environ)
            status, headers = _head(outcome, exchange.at, environ)
        except Exception as error:
            failure = HarnessError(
                f"the fake failed to answer {environ['REQUEST_METHOD']} "
                f"{environ.get('PATH_INFO', '')}: {type(error).__name__}: {error}"
            )
            self.failure = self.failure or failure
            raise failure from error
        environ[EXCHANGE] = exchange
        environ[WORLD] = self.world
        if outcome.ending == "dropped":
            raise ConnectionDropped("the connection was dropped, as a fault asks for")
        if outcome.ending == "timed-out":
            raise AnswerTimedOut(f"the client gave up after {outcome.wait_ms} ms")
        start_response(status, headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            return ()
        body = outcome.answer.body
        # What is missing of a cut body, the length in the headers tells.
        return (body[: len(body) // 2] if outcome.ending == "cut" else body,)

    def _ask(self, environ: WSGIEnvironment) -> tuple[Outcome, Exchange]:
        """Ask the world and wait where the door can wait."""
        ask = _read(environ)
        timeout_ms, hold = environ.get(TIMEOUT_MS), environ.get(HOLD)
        outcome, exchange = self.world.ask(ask, timeout_ms=timeout_ms, may_leave=hold is not None)
        if hold is not None and outcome.wait_ms:
            has_left = hold(outcome.wait_ms) is False
            return self.world.wait_over(ask, outcome, exchange, has_left=has_left)
        return outcome, exchange


def _head(
    outcome: Outcome, at: Instant, environ: WSGIEnvironment
) -> tuple[str, list[tuple[str, str]]]:
    """Return the status and the headers that go before an answer."""
    answer = outcome.answer
    # Without an object for it: that took longer than finding the answer.
    headers = [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Content-Length", str(len(answer.body))),
        ("Date", _date(at // SECOND_MS)),
        *answer.headers,
    ]
    if outcome.header is not None:
        headers.append(outcome.header)
    if answer.links:
        headers.append(_link_header(answer, environ))
    return f"{answer.status} {HTTP_STATUS_CODES[answer.status]}", headers


@lru_cache(maxsize=16)
def _date(seconds: int) -> str:
    """Write an instant, in seconds since the epoch, as HTTP does."""
    return http_date(as_datetime(seconds * SECOND_MS))


def _link_header(answer: Answer, environ: WSGIEnvironment) -> tuple[str, str]:
    """Write the links of an answer as addresses of the path that was asked for."""
    mount = quote(environ.get("SCRIPT_NAME", "").encode("latin-1"))
    path = quote(environ.get("PATH_INFO", "").encode("latin-1"))
    address = f"{environ['wsgi.url_scheme']}://{quote(get_host(environ), safe=':[]')}{mount}{path}"
    links = (f'<{address}?{query}>; rel="{rel}"' for rel, query in answer.links)
    return "link", ", ".join(links)


_NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""The characters by which ``surrogateescape`` marks a byte that is not UTF-8."""


def _as_percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]) - 0xDC00:02X}"


class _Headers(Mapping[str, str]):
    """The headers of a request by their names in small letters, read when somebody asks."""

    __slots__ = ("_environ",)

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[_key(name)]
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key(name) in self._environ

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a header, or `default` where the request has none."""
        return self._environ.get(_key(name), default)

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key.startswith("HTTP_"):
                yield key[5:].replace("_", "-").lower()

    def __len__(self) -> int:
        return sum(1 for _ in self)


@lru_cache(maxsize=64)
def _key(name: str) -> str:
    """Return what the environ calls a header."""
    return f"HTTP_{name.upper().replace('-', '_')}"


def _read(environ: WSGIEnvironment) -> Ask:
    return Ask(
        path=_path(environ.get("PATH_INFO", "")),
        query=_query(environ.get("QUERY_STRING", "")),
        method=environ["REQUEST_METHOD"],
        headers=_Headers(environ),
        has_body=environ.get("CONTENT_LENGTH", "") not in ("", "0")
        or "HTTP_TRANSFER_ENCODING" in environ,
    )


@lru_cache(maxsize=256)
def _path(path: str) -> str:
    # WSGI hands the path decoded and as latin-1; what can't be UTF-8 is no path of ours anyway.
    return quote(path.encode("latin-1").decode("utf-8", "replace"), safe="/~!$&'()*+,;=:@")


def _query(query: str) -> str:
    if query.isascii():
        return query
    # It comes as sent. Bytes that are not UTF-8 stay visible to the dialect, as %FF.
    text = query.encode("latin-1").decode("utf-8", "surrogateescape")
    return _NOT_UTF8.sub(_as_percent, text)
