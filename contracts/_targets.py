"""Where the server half of the suite sends its requests: in process, to a served fake, to any URL.

A target that can `play` answers from a world of our choice; one that can't is asked as it is. All
are asked over the same `Api`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import msgspec
import requests

from fakeserver.app import FakeServer
from fakeserver.clock import Instant
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import Reply, call
from fakeserver.errors import UsageError
from fakeserver.scenario import Scenario

TIMEOUT_S = 30
REACH_S_MAX = 10
"""Asked before anything else, so that nobody waits for one test after the other to fail."""
START_S_MAX = 20
"""A server that is not up by then will not come."""
PAUSE_S = 0.3
"""Between two requests to somebody's server: Haravan's bucket leaks four a second."""
REQUESTS_MAX = 3_000
"""More would be a burden to somebody's server; a whole run sends about a third of that."""
RETRY_AFTER_S_MAX = 60.0
TRIES = 4
TRANSIENT = (422, 429, 500, 502, 503)
"""Statuses that are asked again before they count; a live 422 was seen to pass."""

Query = Iterable[tuple[str, object]]
Send = Callable[[str, str, Mapping[str, str]], Reply]
"""Method, target (encoded path and query) and headers → the answer."""


class Api:
    """One API that answers.

    `headers` hold the token. `zone` is the shop's, where we know it (an IANA name). Either `app`
    answers without a socket, or `base_url` (no slash at the end) has one.
    """

    def __init__(
        self,
        dialect: str,
        send: Send,
        *,
        headers: Mapping[str, str],
        zone: str | None = None,
        app: FakeServer | None = None,
        base_url: str | None = None,
    ) -> None:
        self.dialect = dialect
        self.headers = headers
        self.zone = zone
        self.app = app
        self.base_url = base_url
        self._send = send

    def get(self, path: str, query: Query = (), *, with_token: bool = True) -> Reply:
        """Ask for `path` with a query that is not encoded yet."""
        encoded = "&".join(f"{quote(name)}={quote(str(value), safe='')}" for name, value in query)
        target = f"{quote(path)}?{encoded}" if encoded else quote(path)
        return self._send("GET", target, self.headers if with_token else {})


class Target:
    """Where to ask. `max_examples` is for a law and for an operation, unless told otherwise."""

    plays = True
    """Whether it takes worlds of our choice."""
    ours = True
    """Whether it is a fake, of which also is known what it refuses."""
    silent: str | None = None
    """Why nobody can be asked, or None."""
    examples_of_law = 25
    examples_of_operation = 100

    def play(self, scenario: Scenario) -> Api:
        """Return the API answering from the whole of `scenario`, as if all of it were long past."""
        raise NotImplementedError

    def api(self, dialect: str) -> Api:
        """Return the API as it is."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise `UsageError` where nobody can be asked."""

    def close(self) -> None:
        """End what was started."""


class InProcess(Target):
    """Fakes without a socket, a new one for each world."""

    def play(self, scenario: Scenario) -> Api:
        """Return a new fake's API."""
        server = FakeServer(settled(scenario))

        def send(method: str, target: str, headers: Mapping[str, str]) -> Reply:
            return call(server, method, server.url(target), headers)

        headers, zone = _bearer(TOKEN), _zone(scenario)
        return Api(scenario.dialect, send, headers=headers, zone=zone, app=server)


class Served(Target):
    """``fakeserver serve`` in a process of its own, one for each dialect; ends with `close`."""

    def __init__(self) -> None:
        self._urls: dict[str, str] = {}
        self._stack = ExitStack()
        self._session = self._stack.enter_context(_session())

    def play(self, scenario: Scenario) -> Api:
        """Load the world through the control API."""
        url = self._url(scenario.dialect)
        body = settled(scenario).to_json()
        put = f"{url}/_fakeserver/scenario"
        headers = {"Content-Type": "application/json"}
        answer = self._session.put(put, data=body, headers=headers, timeout=TIMEOUT_S)
        assert answer.status_code == 200, f"the fake refused a world: {answer.text}"
        send, headers, zone = _http(self._session, url), _bearer(TOKEN), _zone(scenario)
        return Api(scenario.dialect, send, headers=headers, zone=zone, base_url=url)

    def _url(self, dialect: str) -> str:
        """Return the address of the fake of `dialect`, started if need be."""
        if dialect not in self._urls:
            self._urls[dialect] = self._stack.enter_context(_Process(dialect)).url
        return self._urls[dialect]

    def close(self) -> None:
        """End the processes."""
        self._stack.close()


class Silent(Target):
    """Nobody who answers: a live service that is not named, or a recording."""

    plays = False
    ours = False

    def __init__(self, why: str) -> None:
        self.silent = why


class Remote(Target):
    """Somebody's server: read only, with pauses, and no more than `REQUESTS_MAX` requests."""

    plays = False
    ours = False
    examples_of_law = 5
    examples_of_operation = 20

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        self._headers = headers
        self._session = _session()
        self._send = Polite(_http(self._session, self._url))

    def api(self, dialect: str) -> Api:
        """Return the API at the address."""
        return Api(dialect, self._send, headers=self._headers, base_url=self._url)

    def check(self) -> None:
        """Raise `UsageError` for an address at which nobody answers soon, whatever the answer."""
        try:
            self._session.get(self._url, timeout=REACH_S_MAX, allow_redirects=False)
        except requests.RequestException as error:
            raise UsageError(f"--fakeserver-target: can't reach {self._url}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


class Polite:
    """Sends with pauses, waits as told, asks again what may pass; counts."""

    def __init__(
        self,
        send: Send,
        *,
        sleep: Callable[[float], None] = time.sleep,
        pause_s: float = PAUSE_S,
        requests_max: int = REQUESTS_MAX,
    ) -> None:
        self._send = send
        self._sleep = sleep
        self._pause_s = pause_s
        self._left = requests_max

    def __call__(self, method: str, target: str, headers: Mapping[str, str]) -> Reply:
        """Send one request. Raises `UsageError` when all allowed ones are spent."""
        for number in range(TRIES):
            if not self._left:
                raise UsageError(
                    "the suite has sent as many requests as it may to a foreign server; ask for "
                    "less with --fakeserver-examples"
                )
            self._left -= 1
            self._sleep(self._pause_s)
            reply = self._send(method, target, headers)
            if reply.status not in TRANSIENT or number == TRIES - 1:
                break
            if reply.status == 422 and number == 1:
                break  # the same answer twice: it is meant
            self._sleep(_retry_after_s(reply))
        return reply


def _retry_after_s(reply: Reply) -> float:
    """Return what the answer asks to wait, s; 1 where it says nothing that can be read."""
    text = next((v for k, v in reply.headers if k.lower() == "retry-after"), "1")
    try:
        return min(RETRY_AFTER_S_MAX, max(0.0, float(text)))
    except ValueError:
        return 1.0


class _Process:
    """A running ``fakeserver serve``; a context manager."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._folder = TemporaryDirectory(prefix="fakeserver-")
        self.url = ""

    def __enter__(self) -> _Process:
        port_file = Path(self._folder.name) / "port"
        command = [sys.executable, "-m", "fakeserver", "serve", "--dialect", self._dialect]
        command += ["--port", "0", "--port-file", str(port_file), "--clock", "simulated"]
        # A file takes any number of log lines; a pipe that nobody reads would stop the server.
        self._log = Path(self._folder.name, "log").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            command, stdout=subprocess.DEVNULL, stderr=self._log
        )
        deadline = time.monotonic() + START_S_MAX
        while not (port_file.exists() and port_file.read_text(encoding="utf-8").strip()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise UsageError(f"fakeserver serve did not start: {self._end()}")
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{port_file.read_text(encoding='utf-8').strip()}"
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def _end(self) -> str:
        """End the process and return the end of what it complained about."""
        self._process.terminate()
        self._process.wait(TIMEOUT_S)
        with self._log:
            self._log.seek(0)
            complaints = self._log.read()[-2_000:]
        self._folder.cleanup()
        return complaints


def settled(scenario: Scenario) -> Scenario:
    """Return an open world with the same log in which everything is visible from the start."""
    instants = (event.visible_at for event in scenario.events)
    starts_at: Instant = max((scenario.starts_at, *instants)) + AGE_MS
    return msgspec.structs.replace(scenario, starts_at=starts_at, polls=(), calm_from=0)


AGE_MS = 3_600_000
"""How old the newest event of a world that we play is: beyond any lateness that is documented."""


def _zone(scenario: Scenario) -> str | None:
    value = find_dialect(scenario.dialect).settings(scenario.settings).get("shop_zone")
    return None if value is None else str(value)


class _Secret(str):
    """Text that no report shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'(secret)'"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": _Secret(f"Bearer {token}")}


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc of the machine may come between
    return session


def _http(session: requests.Session, url: str) -> Send:
    def send(method: str, target: str, headers: Mapping[str, str]) -> Reply:
        answer = session.request(
            method, url + target, headers=dict(headers), timeout=TIMEOUT_S, allow_redirects=False
        )
        found: list[Any] = list(answer.headers.items())
        return Reply(answer.status_code, answer.reason, found, answer.content)

    return send


def _unknown(name: str) -> UsageError:
    """Return (not raise) the refusal of a target that there is not."""
    return UsageError(
        "--fakeserver-target: expected in-process, served, live, a URL or the file of a "
        f"recording, got {name!r}"
    )


LIVE_URL, LIVE_TOKEN = "FAKESERVER_LIVE_URL", "FAKESERVER_LIVE_TOKEN"
"""The environment variables that lead to a live service: without them nobody there is asked."""


def is_recording(name: str) -> bool:
    """Whether a target is a file that a client recorded."""
    return name not in ("in-process", "served", "live") and "://" not in name


def find_target(
    name: str, *, token: str | None, environ: Mapping[str, str] = MappingProxyType({})
) -> Target:
    """Return the target called `name`: ``in-process``, ``served``, ``live``, a URL or a recording.

    A live service is named by the variables `LIVE_URL` and `LIVE_TOKEN` in `environ`; one that is
    not named answers nothing, and neither does a recording. Raises `UsageError` for a URL without a
    token, and for a file that is not there.
    """
    if name == "live":
        name, token = environ.get(LIVE_URL, ""), token or environ.get(LIVE_TOKEN)
        if not name:
            return Silent(f"no live service is named: {LIVE_URL} is not set")
    elif is_recording(name):
        if not Path(name).is_file():
            raise _unknown(name)
        return Silent("a recording answers nothing new")
    if name == "in-process":
        return InProcess()
    if name == "served":
        return Served()
    if not name.startswith(("http://", "https://")):
        raise _unknown(name)
    if token is None:
        raise UsageError(
            "--fakeserver-target with a URL needs the token: name the environment variable that "
            "holds it with --fakeserver-token-env"
        )
    return Remote(name, _bearer(token))
