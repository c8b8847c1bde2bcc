"""Worlds that broke a client before, kept in a database that many machines share.

The database is one of Hypothesis' (`hypothesis.database.ExampleDatabase`): a folder, a Redis
server, or whatever else has its three methods. There Hypothesis keeps what failed in tests of
yours, and `BrokenWorlds` beside it what failed in a search. Nothing is imported until it is opened.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from fakeserver.errors import ScenarioError, UsageError
from fakeserver.scenario import Scenario

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase
    from redis import Redis

SCHEMES = ("redis", "rediss")
WORLDS_MAX = 100
"""Tried before any other, the smallest first; as many as a search tries in its first second."""
ANSWER_S = 5
"""A server that answers no sooner would make each run slower by as much."""


class BrokenWorlds:
    """Worlds in a `database`, under a key of their own for each `search`.

    `search` is what must be the same for a world to be tried again: any names and values that JSON
    can hold. Two that differ in anything share nothing::

        worlds = BrokenWorlds(InMemoryExampleDatabase(), {"client": "poll:follow", "seed": 7})
        worlds.remember(scenario)
    """

    def __init__(self, database: ExampleDatabase, search: dict[str, Any]) -> None:
        self._database = database
        text = msgspec.json.encode(search, order="deterministic")
        self._key = b"fakeserver-world:" + hashlib.sha256(text).hexdigest().encode()

    def all(self) -> tuple[Scenario, ...]:
        """Return the worlds, the smallest first, in the same order each time.

        What can't be read is left out: another release may have kept it.
        """
        found = []
        for text in sorted(self._database.fetch(self._key), key=lambda text: (len(text), text)):
            try:
                found.append(Scenario.from_json(text))
            except ScenarioError:
                continue
        return tuple(found[:WORLDS_MAX])

    def remember(self, scenario: Scenario) -> None:
        """Keep a world."""
        self._database.save(self._key, scenario.to_json())

    def forget(self, scenario: Scenario) -> None:
        """Drop a world, which may not be there."""
        self._database.delete(self._key, scenario.to_json())


def open_database(where: str) -> ExampleDatabase:
    """Open ``redis://HOST:PORT/NUMBER``, ``rediss://…`` (TLS), or a folder, made when needed.

    Raises `UsageError` where that can't be; no message has what stands before an ``@``.
    """
    if "://" in where:
        return _redis_database(where)
    try:
        from hypothesis.database import DirectoryBasedExampleDatabase
    except ImportError as error:
        raise UsageError(
            "database: a folder is kept by Hypothesis: pip install 'fakeserver[hypothesis]'"
        ) from error
    return DirectoryBasedExampleDatabase(where)


def _redis_database(where: str) -> ExampleDatabase:
    scheme = where.partition("://")[0]
    if scheme not in SCHEMES:
        raise UsageError(
            f"database: expected redis://HOST:PORT/NUMBER, rediss://… or a folder, got "
            f"{shown(where)}"
        )
    try:
        from hypothesis.extra.redis import RedisExampleDatabase
        from redis import RedisError
    except ImportError as error:
        raise UsageError(
            f"database: {shown(where)} needs Hypothesis and redis: pip install 'fakeserver[redis]'"
        ) from error
    problem = None
    try:
        server = _server(where)
        server.ping()
    except (RedisError, OSError, ValueError) as error:
        problem = _without_secrets(str(error), where)
    if problem is not None:  # out here, so that no traceback shows what the library was told
        raise UsageError(f"database: can't use {shown(where)}: {problem}")
    return RedisExampleDatabase(server)


@cache
def _server(where: str) -> Redis:
    """Return the client of an address, one in a process and in those that fork from it.

    Databases with one client are equal, as folders with one path are. HypoFuzz leaves out a test
    whose database is another than the one that its own process has opened.
    """
    from redis import Redis

    return Redis.from_url(where, socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S)


def shown(where: str) -> str:
    """Return an address without user, password and options: fit for a report or a log."""
    if "://" not in where:
        return where
    parts = urlsplit(where)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _without_secrets(text: str, where: str) -> str:
    """Return what a library said, without anything secret that it may have repeated."""
    parts = urlsplit(where)
    secrets = {where, parts.password, parts.netloc.rpartition("@")[0]}
    secrets |= {value for values in parse_qs(parts.query).values() for value in values}
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
