"""What a client under test is given: where to ask, what it saved, and where to deliver."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fakeserver import doors
from fakeserver.app import ORIGIN, FakeServer
from fakeserver.clock import as_datetime
from fakeserver.delivery import delivered, shown_value
from fakeserver.errors import ClientKilled, HarnessError, RunStopped, UsageError
from fakeserver.history import Delivered, Killed, Saved, Slept
from fakeserver.scenario import Crash, CrashPoint, EventId

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

    import httpx
    import requests

SLEEP_S_MAX = 7 * 86_400
"""A week: longer than any poll interval, short enough to stay within the calendar."""

_json = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


class Feed:
    """One event log, as the client under test sees it.

    | attribute | meaning |
    |---|---|
    | `base_url`, `token`, `headers`, `page_size`, `url(path)` | where and how to ask |
    | `dialect`, `zone` | the API's name; the IANA name of its local time zone, or None |
    | `requests_session()`, `httpx_client()`, `httpx_async_client()`, `urllib_opener()` | doors |
    | `wsgi_app` | the API itself, for whatever else speaks to a WSGI application |
    | `checkpoint` | what was last saved, through JSON, or None |
    | `deliver(event)`, `save(checkpoint)`, `commit(events, checkpoint)` | what the client does |
    | `sleep(seconds)`, `now()` | simulated time |

    `page_size` is a suggestion. `base_url` and `url` name a live server on 127.0.0.1, which starts
    when first asked for; once a door without a socket has been opened they name that instead.
    """

    def __init__(
        self,
        server: FakeServer,
        *,
        live_url: Callable[[], str],
        checkpoint: bytes | None = None,
        on_sleep: Callable[[], None] | None = None,
        on_stop: Callable[[], None] | None = None,
        state_dir: Callable[[], str] | None = None,
        leave_address: Callable[[], None] | None = None,
        saves_last: bool = False,
    ) -> None:
        self.token = server.token
        self.page_size = server.scenario.page_size
        self.dialect = server.scenario.dialect
        zone = server.world.settings.get("shop_zone")
        self.zone = None if zone is None else str(zone)
        self._server = server
        self._world = server.world
        self._live_url = live_url
        self._on_sleep = on_sleep
        self._on_stop = on_stop
        self._state_dir = state_dir
        self._leave_address = leave_address
        self._checkpoint = checkpoint
        self.catch_up: Callable[[], None] | None = None
        self.on_time: Callable[[], None] | None = None
        self._durable = checkpoint
        self._saves_last = saves_last
        self._is_saved = True
        self._keys_made_text: tuple[str, ...] = ()
        self._door_open = False
        self._stopped: RunStopped | None = None
        self._crash: Crash | None = None
        self._counts: Counter[str] = Counter()

    # Where and how to ask

    @property
    def base_url(self) -> str:
        """The address of the API, without a slash at the end."""
        return ORIGIN if self._door_open else self._live_url()

    def url(self, path: str) -> str:
        """Return the address of `path`, which starts with a slash."""
        return self.base_url + path

    @property
    def headers(self) -> dict[str, str]:
        """The headers that a request needs: the token."""
        return {"Authorization": f"Bearer {self.token}"}

    def requests_session(self) -> requests.Session:
        """Return a new `requests.Session` that needs no socket and sends the token."""
        self._door_open = True
        return doors.requests_session(self._server, token=self.token)

    def httpx_client(self) -> httpx.Client:
        """Return a new `httpx.Client` that needs no socket and sends the token."""
        self._door_open = True
        return doors.httpx_client(self._server, token=self.token)

    def httpx_async_client(self) -> httpx.AsyncClient:
        """Return a new `httpx.AsyncClient` that needs no socket and sends the token."""
        self._door_open = True
        return doors.httpx_async_client(self._server, token=self.token)

    def urllib_opener(self) -> OpenerDirector:
        """Return a new `urllib.request` opener that needs no socket and sends the token."""
        self._door_open = True
        return doors.urllib_opener(self._server, token=self.token)

    @property
    def wsgi_app(self) -> FakeServer:
        """The API as a WSGI application, for a client that brings its own way to call one."""
        self._door_open = True
        return self._server

    # What the client does

    @property
    def checkpoint(self) -> Any:
        """A fresh copy of the value that was last saved, or None."""
        return None if self._checkpoint is None else json.loads(self._checkpoint)

    def deliver(self, event: Mapping[str, Any] | EventId) -> None:
        """Hand over one event: a mapping with its ``id``, or the bare id.

        Fields that a mapping shares with the served event must be equal to it; more are welcome.
        Raises `UsageError` for anything else.
        """
        self.check_alive()
        self.may_crash("before-deliver")
        self._world.record(self._delivered(event))
        self.may_crash("after-deliver")

    def save(self, checkpoint: Any) -> None:
        """Make a JSON value durable; a tuple comes back as a list, a number as a key as text.

        Raises `UsageError` for a value that is not JSON.
        """
        self.check_alive()
        encoded, keys = _encode(checkpoint), _keys_made_text(checkpoint)
        self.may_crash("before-save")
        self._save(encoded, keys)
        self.may_crash("after-save")

    def commit(self, events: Iterable[Mapping[str, Any] | EventId], checkpoint: Any) -> None:
        """Deliver `events` and save `checkpoint` in one step: a crash finds both or neither.

        Raises `UsageError` as `deliver` and `save` do, and then neither has happened.
        """
        self.check_alive()
        encoded, keys = _encode(checkpoint), _keys_made_text(checkpoint)
        if isinstance(events, (Mapping, str, bytes)) or not isinstance(events, Iterable):
            raise UsageError(f"commit: expected a list of events, got {shown_value(events)}")
        steps = [self._delivered(event) for event in events]
        self.may_crash("before-commit")
        self.may_crash("before-save")
        for step in steps:
            self._world.record(step)
        self._save(encoded, keys)
        self.may_crash("after-save")
        self.may_crash("after-commit")

    def sleep(self, seconds: float) -> _Slept:
        """Let simulated time pass; may be awaited. After the last poll it raises `FeedClosed`."""
        self.check_alive()
        if not isinstance(seconds, (int, float)) or not 0 <= seconds <= SLEEP_S_MAX:
            raise UsageError(
                f"sleep: expected 0 to {SLEEP_S_MAX} seconds, got {shown_value(seconds)}"
            )
        ms = round(seconds * 1000)
        self._world.record(Slept(at=self._world.now, ms=ms))
        self._world.advance(ms)
        try:
            if self._on_sleep is not None:
                self._on_sleep()
        finally:
            self.time_passed()
        return _Slept()

    def now(self) -> datetime:
        """Return the simulated time, in UTC, exact to the millisecond."""
        return as_datetime(self._world.now)

    @property
    def state_dir(self) -> str | None:
        """A folder for what the client keeps in files; it lasts as long as the world. Or None."""
        return None if self._state_dir is None else self._state_dir()

    # For the runner

    @property
    def lock(self) -> AbstractContextManager[object]:
        """Held while anything happens; `catch_up` is called under it, ahead of each request."""
        return self._world.lock

    def leave_address(self) -> None:
        """Let no request reach the world any more that a process has sent which is dead now."""
        if self._leave_address is not None:
            self._leave_address()

    def read_again(self, checkpoint: bytes | None) -> None:
        """Take over the `checkpoint` (JSON text) that another instance made durable."""
        self._checkpoint = self._durable = checkpoint
        self._is_saved = True

    def time_passed(self) -> None:
        """Tell whoever shows the time of this feed that it has moved."""
        if self.on_time is not None:
            self.on_time()

    def begin_poll(self, crash: Crash | None) -> None:
        """Start counting for this poll's `crash`."""
        self._crash = crash
        self._counts.clear()

    def may_crash(self, point: CrashPoint) -> None:
        """Kill the client if this poll's crash is due at this `point`: it raises `ClientKilled`."""
        if self._crash is None or self._crash.point != point:
            return
        self._counts[point] += 1
        if self._counts[point] == self._crash.nth:
            self._world.record(Killed(at=self._world.now, point=point))
            self.stop(ClientKilled(f"killed {point} number {self._crash.nth}"))
            self.check_alive()

    def stop(self, reason: RunStopped) -> None:
        """Let every later use of this feed raise `reason`: its client is dead. The first counts."""
        if self._stopped is None:
            self._stopped = reason
            if self._on_stop is not None:
                self._on_stop()

    @property
    def stopped(self) -> RunStopped | None:
        """The reason for which this feed was stopped, or None."""
        return self._stopped

    @property
    def saved(self) -> bytes | None:
        """The last checkpoint that is durable, as JSON text."""
        return self._durable

    def end_poll(self) -> None:
        """Make durable what was saved last, where saves wait for the end of a poll."""
        if self._checkpoint is not None and not self._is_saved:
            self._make_durable(self._checkpoint)

    def check_alive(self) -> None:
        """Raise the reason for which this feed was stopped, if it was."""
        if self._stopped is None:
            return
        closing = sys.exception()
        if isinstance(closing, GeneratorExit):
            raise closing  # the only exception with which a generator may end that is being closed
        # A new one each time: one that is raised again and again grows its traceback.
        raise type(self._stopped)(*self._stopped.args)

    def _save(self, encoded: bytes, keys_made_text: tuple[str, ...]) -> None:
        self._checkpoint = encoded
        self._keys_made_text = keys_made_text
        self._is_saved = False
        if not self._saves_last:
            self._make_durable(encoded)

    def _make_durable(self, encoded: bytes) -> None:
        self._durable = encoded
        self._is_saved = True
        self._world.record(
            Saved(
                at=self._world.now,
                checkpoint=json.loads(encoded),
                keys_made_text=self._keys_made_text,
            )
        )

    def _delivered(self, event: Mapping[str, Any] | EventId) -> Delivered:
        world = self._world
        try:
            return delivered(
                event,
                at=world.now,
                log=world.log,
                dialect=world.dialect,
                settings=world.settings,
            )
        except HarnessError as failure:
            self._server.failure = self._server.failure or failure
            raise


class _Slept:
    """Lets ``await feed.sleep(1)`` work as ``feed.sleep(1)`` does, and lets other tasks run."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def _encode(checkpoint: Any) -> bytes:
    try:
        return _json.encode(checkpoint).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"save: expected a JSON value, got {shown_value(checkpoint)}: {error}"
        ) from error


def _keys_made_text(checkpoint: Any) -> tuple[str, ...]:
    """Name the types of the keys that JSON makes texts: ``int``, say."""
    found: set[str] = set()
    left = [checkpoint]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            found |= {type(key).__name__ for key in part if not isinstance(key, str)}
            left += part.values()
        elif isinstance(part, (list, tuple)):
            left += part
    return tuple(sorted(found))
