"""Feeds: isolated worlds in one process, each under its own prefix, for tests that run at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

from fakeserver.clock import at
from fakeserver.errors import UsageError
from fakeserver.profile import SwitchValue
from fakeserver.scenario import Scenario
from fakeserver.serving.options import ClockMode, ServeOptions
from fakeserver.serving.problems import Problem

if TYPE_CHECKING:
    from fakeserver.serving.control import Control

FEEDS_MAX = 500
"""A log of the usual size takes a megabyte or two; test runs have some dozens of workers."""
FEED_BACKLOG_MAX = 100_000
"""Drawn in a second, with some 27 MB: a longer log is for a server of its own."""
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}"
"""What stands in a path without being encoded."""


class FeedOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new feed is to be like; what is unset is as in the main world.

    The fields are those of `ServeOptions`; `starts_at` is text.
    """

    id: str | msgspec.UnsetType = msgspec.UNSET
    dialect: str | msgspec.UnsetType = msgspec.UNSET
    profile: str | msgspec.UnsetType = msgspec.UNSET
    settings: dict[str, SwitchValue] | msgspec.UnsetType = msgspec.UNSET
    seed: int | msgspec.UnsetType = msgspec.UNSET
    scenario: Scenario | msgspec.UnsetType | None = msgspec.UNSET
    backlog: int | msgspec.UnsetType = msgspec.UNSET
    rate_per_s: float | msgspec.UnsetType = msgspec.UNSET
    clock: ClockMode | msgspec.UnsetType = msgspec.UNSET
    pace: float | msgspec.UnsetType = msgspec.UNSET
    starts_at: str | msgspec.UnsetType | None = msgspec.UNSET
    late_by_ms_max: int | msgspec.UnsetType | None = msgspec.UNSET

    def applied_to(self, main: ServeOptions) -> ServeOptions:
        """Return the options of the feed. Raises `UsageError`."""
        given: dict[str, Any] = {
            name: value
            for name in self.__struct_fields__
            if name != "id" and (value := getattr(self, name)) is not msgspec.UNSET
        }
        if given.get("starts_at") is not None:
            given["starts_at"] = at(given["starts_at"])
        known = {name: getattr(main, name) for name in main.__struct_fields__}
        scenario = given.get("scenario")
        if scenario is not None:
            given.setdefault("dialect", scenario.dialect)
        is_other = given.get("dialect", main.dialect) != main.dialect
        if is_other or given.keys() & {"profile", "settings"}:
            known |= {"measured": "", "lateness": None}
        if is_other:
            # Profiles, switches and scenarios of one API mean nothing to another.
            known |= {"profile": "default", "settings": {}, "scenario": None}
        if given.keys() & {"seed", "backlog", "rate_per_s", "profile", "settings"}:
            known["scenario"] = None
        if given.get("clock", main.clock) != main.clock:
            known |= {"pace": 1.0, "starts_at": None}
        options = ServeOptions(**(known | given))
        if options.backlog > FEED_BACKLOG_MAX and options.scenario is None:
            raise UsageError(
                f"backlog: expected 0 to {FEED_BACKLOG_MAX} events for a feed, got "
                f"{options.backlog}; give a smaller one"
            )
        return options


class Feeds:
    """The feeds by their ids. `make` builds the control of a new one."""

    def __init__(self, make: Callable[[str, ServeOptions], Control]) -> None:
        self._make = make
        self._feeds: dict[str, Control] = {}
        self._counted = 0
        self._lock = Lock()

    def find(self, feed_id: str) -> Control | None:
        """Return the feed with that id, or None."""
        return self._feeds.get(feed_id)

    def all(self) -> tuple[Control, ...]:
        """Return the feeds in the order in which they were made."""
        with self._lock:
            return tuple(self._feeds.values())

    def create(self, asked: FeedOptions, main: ServeOptions) -> Control:
        """Make a feed. Raises `Problem` for an id that is taken or wrong, and for too many."""
        options = asked.applied_to(main)
        given = None if asked.id is msgspec.UNSET else asked.id
        if given is not None and not re.fullmatch(ID_PATTERN, given, re.ASCII):
            raise Problem(
                422,
                "bad-id",
                "id: expected up to 64 letters, digits and . _ ~ -, with a letter or digit first, "
                f"got {given!r:.80}",
            )
        self._check(given)
        # Drawing a backlog takes a while: nobody else has to wait for it.
        feed_id = given or self._count()
        feed = self._make(feed_id, options)
        with self._lock:
            self._check_locked(feed_id)
            self._feeds[feed_id] = feed
        return feed

    def delete(self, feed_id: str) -> bool:
        """Free a feed; return whether there was one."""
        with self._lock:
            return self._feeds.pop(feed_id, None) is not None

    def _count(self) -> str:
        with self._lock:
            while True:
                self._counted += 1
                feed_id = f"feed-{self._counted}"
                if feed_id not in self._feeds:
                    return feed_id

    def _check(self, feed_id: str | None) -> None:
        with self._lock:
            self._check_locked(feed_id)

    def _check_locked(self, feed_id: str | None) -> None:
        if feed_id is not None and feed_id in self._feeds:
            raise Problem(
                409,
                "id-taken",
                f"there is a feed {feed_id!r} already; DELETE feeds/{feed_id}, or take another id",
            )
        if len(self._feeds) >= FEEDS_MAX:
            raise Problem(
                409,
                "too-many-feeds",
                f"there are {FEEDS_MAX} feeds, and no more fit; DELETE feeds/ID frees one",
            )
