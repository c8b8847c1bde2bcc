"""What a server that is left running says: one line a request, and a summary at the end.

Of the control API only what changes something is told: a page that looks on would drown the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import msgspec

from fakeserver.app import EXCHANGE, WORLD
from fakeserver.cache import Cache
from fakeserver.clock import to_text
from fakeserver.errors import HarnessError
from fakeserver.history import Exchange
from fakeserver.serving.journal import flags
from fakeserver.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Writer = Callable[[str], None]
"""Takes one line, without its end."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods by which nothing is changed."""
PAGES_KNOWN_MAX = 256
"""Pages whose flags are remembered: what a client that polls asks for again and again is less."""
TARGET_CHARS_MAX = 2_000
"""A hostile query may be longer than anybody wants in a log."""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to the faked API at a simulated instant, or one change by the control API."""

    at: str | None = None
    method: str
    target: str
    status: int
    rows: int | None = None
    first_id: int | str | None = None
    last_id: int | str | None = None
    flags: tuple[str, ...] = ()
    fault: str | None = None
    problem: str | None = None

    def as_json(self) -> str:
        """Write the line for programs."""
        return msgspec.json.encode(self).decode("utf-8", "replace")

    def as_text(self) -> str:
        """Write the line for people: ``12:00:05  GET /com/events.json  200  50 rows 1…50``."""
        when = "control" if self.at is None else self.at[11:23]
        parts = [when, f"{self.method} {self.target}", str(self.status or "no answer")]
        if self.rows is not None:
            ids = "" if self.first_id is None else f" {self.first_id}…{self.last_id}"
            parts.append(f"{self.rows} row{'' if self.rows == 1 else 's'}{ids}")
        parts += self.flags
        if self.fault is not None:
            parts.append(f"[{self.fault}]")
        if self.problem is not None:
            parts.append(self.problem)
        return _plain("  ".join(parts))


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that were no request to anybody, such as those of a client that speaks TLS."""

    status: int
    problem: str

    def as_json(self) -> str:
        """Write the line for programs."""
        return msgspec.json.encode({"refused": self}).decode()

    def as_text(self) -> str:
        """Write the line for people."""
        return _plain(f"refused  {self.status}  {self.problem}")


def _plain(text: str) -> str:
    """Return one line: what a stranger sends must neither begin another nor steer a terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What there was in all: requests to the faked API by their status, and rows served."""

    requests: int
    by_status: dict[int, int]
    rows: int

    def as_json(self) -> str:
        """Write the summary for programs."""
        by_status = {str(status): count for status, count in self.by_status.items()}
        line = {"summary": {**msgspec.structs.asdict(self), "by_status": by_status}}
        return msgspec.json.encode(line).decode()

    def as_text(self) -> str:
        """Write the summary for people."""
        counts = ", ".join(
            f"{count} with {status or 'no answer'}" for status, count in self.by_status.items()
        )
        requests = "1 request" if self.requests == 1 else f"{self.requests} requests"
        rows = "1 row" if self.rows == 1 else f"{self.rows} rows"
        return f"stopped after {requests}{f' ({counts})' if counts else ''}, {rows} served"


class RequestLog:
    """A WSGI application around `app` that writes a line for each request, and counts.

    `write` takes the finished lines, None writes none; `as_json` says for whom they are.
    """

    def __init__(self, app: WSGIApplication, write: Writer | None, *, as_json: bool) -> None:
        self._app = app
        self._write = write
        self._as_json = as_json
        self._statuses: Counter[int] = Counter()
        self._rows = 0
        self._known: WeakKeyDictionary[World, Cache[tuple[str, ...]]] = WeakKeyDictionary()
        self._lock = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as `app` does. Raises what it raises."""
        answered = [0]

        def start(status: str, *rest: Any) -> Any:
            answered[0] = int(status[:3])
            return start_response(status, *rest)

        try:
            return self._app(environ, start)
        except HarnessError as error:
            self._say(partial(_failed, environ, error))
            raise
        finally:
            self._note(environ, answered[0])

    def _note(self, environ: WSGIEnvironment, status: int) -> None:
        exchange: Exchange | None = environ.get(EXCHANGE)
        if exchange is not None:
            self._count(exchange)
            self._say(partial(_asked, environ, exchange, self._flags))
        elif environ["REQUEST_METHOD"] not in READING:
            self._say(partial(_changed, environ, status))

    def _flags(self, world: World, exchange: Exchange) -> tuple[str, ...]:
        """Return what is special about a page; the same page needs no second look.

        Where all is recorded, the rows, how many there are and how many are visible decide it.
        """
        with world.lock:
            if exchange.at < world.log.latest_stamp:
                return tuple(flags(world, exchange))
            known = self._known.setdefault(world, Cache(entries_max=PAGES_KNOWN_MAX))
            counts = len(world.log), world.log.visible_count(exchange.at)
            page = (exchange.target, exchange.fault, exchange.event_ids, counts)
            found = known.get(page)
            if found is None:
                found = tuple(flags(world, exchange))
                known.keep(page, found, 1)
            return found

    def say_refused(self, status: int, problem: str) -> None:
        """Write a line about what was no request."""
        self._say(lambda: Refusal(status=status, problem=problem[:TARGET_CHARS_MAX]))

    def say_totals(self) -> None:
        """Write the summary, as the last line."""
        self._say(lambda: self.totals)

    def _say(self, make: Callable[[], Line | Refusal | Totals]) -> None:
        """Write a line, unless nobody reads any: a log that is full or closed stops no request."""
        if self._write is None:
            return
        line = make()
        try:
            self._write(line.as_json() if self._as_json else line.as_text())
        except OSError:
            self._write = None

    def _count(self, exchange: Exchange) -> None:
        with self._lock:
            self._statuses[exchange.status] += 1
            self._rows += len(exchange.event_ids)

    @property
    def totals(self) -> Totals:
        """What there was so far."""
        with self._lock:
            by_status = dict(sorted(self._statuses.items()))
            return Totals(requests=sum(by_status.values()), by_status=by_status, rows=self._rows)


def _asked(
    environ: WSGIEnvironment,
    exchange: Exchange,
    flags_of: Callable[[World, Exchange], tuple[str, ...]],
) -> Line:
    """Return what there is to say of a request to the faked API."""
    ids, special = exchange.event_ids, flags_of(environ[WORLD], exchange)
    return Line(
        at=to_text(exchange.at),
        method=exchange.method,
        target=f"{environ.get('SCRIPT_NAME', '')}{exchange.target}"[:TARGET_CHARS_MAX],
        status=exchange.status,
        rows=len(ids) if ids or "empty" in special else None,
        first_id=ids[0] if ids else None,
        last_id=ids[-1] if ids else None,
        flags=special,
        fault=exchange.fault,
        problem=exchange.problem,
    )


def _changed(environ: WSGIEnvironment, status: int) -> Line:
    """Return what there is to say of a change through the control API."""
    return Line(method=environ["REQUEST_METHOD"], target=_path(environ), status=status)


def _failed(environ: WSGIEnvironment, error: HarnessError) -> Line:
    """Return what there is to say where we failed ourselves."""
    return Line(
        method=environ["REQUEST_METHOD"], target=_path(environ), status=500, problem=str(error)
    )


def _path(environ: WSGIEnvironment) -> str:
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return path[:TARGET_CHARS_MAX]
