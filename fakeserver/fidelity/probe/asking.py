"""Asking somebody's server: reads only, never too fast, never too much, and what was asked.

Time and the way to the server are arguments, so that a test needs no minute and no network.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from typing import Any
from urllib.parse import quote

import msgspec

from fakeserver.errors import FakeserverError
from fakeserver.fidelity.values import http_date
from fakeserver.profile_file import AskedRequest

REQUESTS_MAX = 60
"""Enough for every switch; Haravan's bucket of 80 would take them all at once."""
PER_SECOND_MAX = 2.0
"""Half of what that bucket leaks: whoever else uses the token hardly notices."""
RETRY_AFTER_S_MAX = 300.0
"""A server that wants to be left alone for longer is left alone."""
RETRY_AFTER_S_USUAL = 5.0
"""Waited where a server says that it is too much, and not for how long."""
NEARLY_FULL = 0.75
"""From so full a bucket on, more time passes between two requests."""
SLOWER = 4.0

Query = Sequence[tuple[str, str]]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: `headers` with names in small letters, `number` of the request (from 1)."""

    number: int = 0
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The value in the body, or None where there is none that can be read."""
        with suppress(ValueError, RecursionError):
            return json.loads(self.body)
        return None

    @property
    def at(self) -> int | None:
        """The instant in its ``Date`` header, ms since the epoch, or None."""
        return http_date(self.headers.get("date"))


class Unreachable(FakeserverError):  # noqa: N818 - what happened
    """No answer came."""


class ProbeStopped(FakeserverError):  # noqa: N818 - what happened
    """No more is asked; the message says why. What was decided until then stands."""


Send = Callable[[str, Mapping[str, str], bytes], Reply]
"""Target (encoded path and query), headers, body → the answer to a GET. Raises `Unreachable`."""


class Asker:
    """Sends GET requests to one server, at most `requests_max` and `per_second`.

    `headers` go with each, the token among them. `now` tells seconds and `sleep` lets them pass.
    `read_again` are statuses that may pass by themselves: they are asked once more.
    """

    def __init__(
        self,
        send: Send,
        *,
        headers: Mapping[str, str],
        now: Callable[[], float],
        sleep: Callable[[float], None],
        requests_max: int = REQUESTS_MAX,
        per_second: float = PER_SECOND_MAX,
        read_again: frozenset[int] = frozenset(),
    ) -> None:
        self._send = send
        self._headers = headers
        self._now = now
        self._sleep = sleep
        self._requests_max = requests_max
        self._pause_s = 1 / per_second
        self._next_at = now()
        self._read_again = read_again
        self.requests: list[AskedRequest] = []
        self.passing: list[int] = []
        """The numbers of the requests that were refused, and answered when they were repeated."""

    @property
    def left(self) -> int:
        """How many requests may still be sent."""
        return self._requests_max - len(self.requests)

    def ask(
        self, path: str, query: Query = (), *, with_token: bool = True, body: bytes = b""
    ) -> Reply:
        """Send a GET and return its answer. Raises `ProbeStopped` and `Unreachable`.

        An answer that says "too much" is waited for, as long as it says; one that may pass is asked
        for again, and the second answer counts.
        """
        reply = self._patiently(path, query, with_token=with_token, body=body)
        if reply.status in self._read_again or reply.status >= 500:
            again = self._patiently(path, query, with_token=with_token, body=body)
            if again.status == 200:
                self.passing.append(reply.number)
            return again
        return reply

    def _patiently(self, path: str, query: Query, *, with_token: bool, body: bytes) -> Reply:
        while True:
            reply = self._once(path, query, with_token=with_token, body=body)
            if reply.status != 429 and not (reply.status == 503 and "retry-after" in reply.headers):
                return reply
            wait_s = retry_after_s(reply)
            if wait_s > RETRY_AFTER_S_MAX:
                raise ProbeStopped(
                    f"the server asks to wait {wait_s:.0f} s, more than {RETRY_AFTER_S_MAX:.0f}"
                )
            self._next_at = max(self._next_at, self._now() + wait_s)

    def _once(self, path: str, query: Query, *, with_token: bool, body: bytes) -> Reply:
        if len(self.requests) >= self._requests_max:
            raise ProbeStopped(f"all {self._requests_max} requests are spent")
        wait_s = self._next_at - self._now()
        if wait_s > 0:
            self._sleep(wait_s)
        encoded = "&".join(
            f"{quote(name, safe='$[]')}={quote(value, safe='')}" for name, value in query
        )
        target = f"{path}?{encoded}" if encoded else path
        headers = self._headers if with_token else {}
        reply = self._send(target, {"Accept": "application/json", **headers}, body)
        self._next_at = self._now() + self._pause_s * (SLOWER if _is_nearly_full(reply) else 1)
        number = len(self.requests) + 1
        self.requests.append(
            AskedRequest(
                number=number,
                target=without_ids(target),
                status=reply.status,
                sha256=hashlib.sha256(reply.body).hexdigest(),
            )
        )
        return msgspec.structs.replace(reply, number=number)


_ID = re.compile(r"(?<=/)[0-9]{2,}(?=[./])|(?<=since_id=)[0-9]{2,}")


def without_ids(target: str) -> str:
    """Return a target with the ids in it replaced by a word."""
    return _ID.sub("ID", target)


def retry_after_s(reply: Reply) -> float:
    """Return how many seconds an answer asks to wait, by number or by date."""
    text = reply.headers.get("retry-after", "")
    with suppress(ValueError):
        seconds = float(text)
        return max(0.0, seconds) if isfinite(seconds) else RETRY_AFTER_S_USUAL
    until = http_date(text)
    if until is None or reply.at is None:
        return RETRY_AFTER_S_USUAL
    return max(0.0, (until - reply.at) / 1000)


def _is_nearly_full(reply: Reply) -> bool:
    for name, value in reply.headers.items():
        if name.endswith("-call-limit"):
            used, _, size = value.partition("/")
            with suppress(ValueError):
                return float(used) >= NEARLY_FULL * float(size)
    return False
