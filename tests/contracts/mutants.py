"""Servers with one slip each, for the laws to catch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from contracts._targets import Api, InProcess
from fakeserver.doors import Reply
from fakeserver.scenario import Scenario

Pairs = list[tuple[str, str]]


class Mutant(InProcess):
    """A fake that changes the request before it reads it, and the answer before it sends it.

    `request` takes path and parameters, `body` the path, the value in the answer, and how many
    answers there were before; `settings` pin switches to values that no document allows.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, Any] | None = None,
        request: Callable[[str, Pairs], tuple[str, Pairs]] | None = None,
        body: Callable[[str, Any, int], Any] | None = None,
        with_token: bool = False,
    ) -> None:
        self._settings = settings or {}
        self._request = request
        self._body = body
        self._with_token = with_token

    def play(self, scenario: Scenario) -> Api:
        changed = {**scenario.settings, **self._settings}
        right = super().play(msgspec.structs.replace(scenario, settings=changed))
        numbers = count()

        def send(method: str, target: str, headers: Mapping[str, str]) -> Reply:
            path, pairs = urlsplit(target).path, parse_qsl(urlsplit(target).query)
            if self._request is not None:
                path, pairs = self._request(path, pairs)
            reply = right.get(path, pairs, with_token=bool(headers) or self._with_token)
            number = next(numbers)
            if self._body is None or reply.status != 200:
                return reply
            value = self._body(path, json.loads(reply.body), number)
            return Reply(reply.status, reply.reason, reply.headers, json.dumps(value).encode())

        zone = super().play(scenario).zone  # what the shop's clocks are said to show
        return Api(scenario.dialect, send, headers=right.headers, zone=zone)


def ignores(*names: str) -> Mutant:
    """A server that does not read a parameter."""
    return Mutant(request=lambda path, pairs: (path, [p for p in pairs if p[0] not in names]))


def reads_as(before: str, after: str) -> Mutant:
    """A server that takes one word in a query for another."""

    def request(path: str, pairs: Pairs) -> tuple[str, Pairs]:
        text = urlencode(pairs).replace(urlencode({"": before})[1:], urlencode({"": after})[1:])
        return path, parse_qsl(text)

    return Mutant(request=request)


def answers(body: Callable[[str, Any, int], Any]) -> Mutant:
    """A server that changes what it answers."""
    return Mutant(body=body)


def rows_of(value: Any) -> list[Any]:
    """The rows in the body of a list, to be changed in place; of others, a list of its own."""
    return value if isinstance(value, list) else value.get("events", [])


def reversed_sometimes(_path: str, value: Any, number: int) -> Any:
    """Every second list upside down."""
    rows_of(value)[:] = rows_of(value)[:: -1 if number % 2 else 1]
    return value


def forgetful(_path: str, value: Any, number: int) -> Any:
    """Every second list without its last row."""
    rows_of(value)[:] = rows_of(value)[: -1 if number % 2 else None]
    return value
