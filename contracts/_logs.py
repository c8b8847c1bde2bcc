"""A log as its API shows it: its settled rows, and the ways to ask for them.

A law compares answers with the rows that the API itself has shown; it knows no id and no time in
advance. On a server that goes on meanwhile only *settled* rows count: those old enough that none
like them can appear any more.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest

from fakeserver.doors import Reply

from ._checks import problems
from ._targets import Api

LATE_BY = timedelta(minutes=10)
"""Twice what "a few minutes" is taken for: a row that old has all its neighbours."""
PAGES_MAX = 40
"""A walk that is longer shows nothing more, and would be a burden to somebody's server."""
ROWS_MAX = 50
"""So many rows of a log are compared with."""

Row = dict[str, Any]


class Log:
    """What the logs of both APIs have in common; `rows` are those that are settled."""

    path: ClassVar[str]
    stamp_field: ClassVar[str]
    """The field that holds when an event was recorded."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.rows = self._settled()

    def _settled(self) -> list[Row]:
        """Return the rows that laws speak of."""
        raise NotImplementedError

    def ask(self, path: str, query: Mapping[str, object]) -> Reply:
        """Ask, and hold the answer against the document."""
        reply = self.api.get(path, query.items())
        assert problems(self.api.dialect, "GET", path, reply) == []
        return reply

    def body(self, path: str, query: Mapping[str, object]) -> Any:
        """Return the value in an answer that must be 200."""
        reply = self.ask(path, query)
        assert reply.status == 200, f"refused: {path} {query}: {reply.body[:300]!r}"
        return json.loads(reply.body)

    def stamp(self, row: Row) -> datetime:
        """Return when a row was recorded, in UTC."""
        return datetime.fromisoformat(row[self.stamp_field]).astimezone(UTC)

    def _first(self, query: Mapping[str, object]) -> tuple[Any, datetime]:
        """Return the first answer, and the instant until which everything is settled."""
        reply = self.ask(self.path, query)
        assert reply.status == 200, f"the document's own query was refused: {reply.body[:300]!r}"
        date = next(value for name, value in reply.headers if name.lower() == "date")
        return json.loads(reply.body), parsedate_to_datetime(date) - LATE_BY


def ids(rows: Iterable[Row]) -> list[Any]:
    """Return the ids in their order."""
    return [row["id"] for row in rows]


def difference(found: Iterable[Row], expected: Iterable[Row]) -> str:
    """Say how `found` differs from `expected`, in any order; empty where it does not."""
    here, there = Counter(map(str, ids(found))), Counter(map(str, ids(expected)))
    lacks, besides = sorted((there - here).elements()), sorted((here - there).elements())
    said = [f"lacks {', '.join(lacks)}"] if lacks else []
    said += [f"has besides {', '.join(besides)}"] if besides else []
    return "; ".join(said)


def is_sorted(values: Iterable[Any]) -> bool:
    """Whether no value is below the one before it."""
    return all(before <= after for before, after in pairwise(values))


class HaravanLog(Log):
    """Haravan's log between two times, `window`, within which everything is settled.

    Most laws ask within the window. It lies where the ids are lowest; rows with other ids belong
    to it as well.
    """

    path = "/com/events.json"
    stamp_field = "created_at"
    window: Mapping[str, str] = {}

    def _settled(self) -> list[Row]:
        body, until = self._first({"since_id": 1, "limit": ROWS_MAX})
        first = body["events"]
        stamps = sorted(stamp for row in first if (stamp := self.stamp(row)) <= until)
        if not stamps:
            return []
        query = {"created_at_min": first[0]["created_at"], "limit": 1}
        self.takes_offset = self.ask(self.path, query).status == 200
        self._offset = datetime.fromisoformat(first[0]["created_at"]).tzinfo
        self._is_utc_shown = first[0]["created_at"].endswith("Z")
        for last in (-1, len(stamps) // 4, 0):
            self.window = self._between(stamps[0], stamps[last])
            rows = self.walk()
            if rows is not None:
                return rows
        pytest.skip(f"one instant of the log fills more than {PAGES_MAX} pages")

    def _between(self, low: datetime, high: datetime) -> dict[str, str]:
        """Return bounds that hold both instants, even on a server that leaves bounds out."""
        low, high = low - timedelta(seconds=1), high + timedelta(seconds=1)
        while not self.is_plain(low):
            low -= timedelta(hours=1)
        while not self.is_plain(high):
            high += timedelta(hours=1)
        return {"created_at_min": self.text(low), "created_at_max": self.text(high)}

    def text(self, moment: datetime) -> str:
        """Write a moment in a form that the server takes, to the second."""
        if self.takes_offset:
            return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+00:00"
        return self.local(moment)

    def local(self, moment: datetime) -> str:
        """Write a moment as the document does: the shop's own time, without an offset."""
        if self.api.zone is None and self._is_utc_shown:
            pytest.skip("the shop's zone is unknown: times are shown in UTC")
        zone = self._offset if self.api.zone is None else ZoneInfo(self.api.zone)
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    def is_plain(self, moment: datetime) -> bool:
        """Whether `text` names one instant: local times come twice when clocks are set back."""
        if self.takes_offset or self.api.zone is None:
            return True
        return len(readings(self.local(moment), self.api.zone)) == 1

    def page(self, path: str = path, **query: object) -> list[Row]:
        """Return one page within the window; bounds in `query` take the place of the window's."""
        return list(self.body(path, {**self.window, **query})["events"])

    def count(self, **query: object) -> int:
        """Return the count within the window."""
        return int(self.body("/com/events/count.json", {**self.window, **query})["count"])

    def walk(self, path: str = path, *, since: int = 1, **query: object) -> list[Row] | None:
        """Return all rows above `since`, by ascending id, or None for more than `PAGES_MAX`."""
        rows: list[Row] = []
        for _ in range(PAGES_MAX):
            page = self.page(path, **{"limit": ROWS_MAX, **query, "since_id": since})
            if not page:
                return rows
            last = int(page[-1]["id"])
            assert last > since, f"asked for ids above {since}, the page ends at {last}"
            since = last
            rows += page
        return None

    def all(self, path: str = path, *, since: int = 1, **query: object) -> list[Row]:
        """Return what `walk` does; skips where that is too much."""
        rows = self.walk(path, since=since, **query)
        if rows is None:
            pytest.skip(f"more than {PAGES_MAX} pages")
        return rows


def readings(text: str, zone: str) -> list[datetime]:
    """Return the instants, in UTC, that a local time can mean: two where clocks change.

    One that clocks set forward skip is read with the offset before the change, or after it.
    """
    there = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return sorted({there.replace(fold=fold).astimezone(UTC) for fold in (0, 1)})


class SalesChannelLog(Log):
    """The sales channel's log up to `until`: its oldest rows, which are the most settled ones.

    No more of them than fit on a page, so that an answer in ascending order holds all that match.
    """

    path = "/saleschannel-services/v1/events"
    stamp_field = "createdAt"
    BEGINNING = "2000-01-01T00:00:00.000Z"
    ASC: ClassVar[Mapping[str, str]] = {"$orderBy[createdAt]": "asc"}

    def _settled(self) -> list[Row]:
        query = {"$limit": ROWS_MAX, **self.ASC, "$filter[createdAt][gte]": self.BEGINNING}
        page, horizon = self._first(query)
        if not page:
            return []
        last = self.stamp(page[-1])
        older = [stamp for row in page if (stamp := self.stamp(row)) < last]
        # The rows that share the last createdAt may go on beyond the page; the older ones don't.
        self.until = min(horizon, last if self._ends_with(page) else max(older, default=horizon))
        return self.settled(page)

    def _ends_with(self, page: list[Row]) -> bool:
        query = {**self.ASC, "$filter[createdAt][gte]": page[-1]["createdAt"]}
        return set(ids(self.body(self.path, query))) <= set(ids(page))

    def settled(self, rows: Iterable[Row]) -> list[Row]:
        """Return those of `rows` that laws speak of."""
        return [row for row in rows if row["createdAt"] and self.stamp(row) <= self.until]

    def page(self, query: Mapping[str, object]) -> list[Row]:
        """Return the settled rows of one page."""
        return self.settled(self.body(self.path, query))

    def page_or_none(self, query: Mapping[str, object]) -> list[Row] | None:
        """Return the same, or None where the server refuses what no document promises (400)."""
        reply = self.ask(self.path, query)
        assert reply.status in (200, 400), f"{query}: {reply.status} {reply.body[:300]!r}"
        return self.settled(json.loads(reply.body)) if reply.status == 200 else None


LOGS: dict[str, type[Log]] = {"haravan": HaravanLog, "saleschannel": SalesChannelLog}
"""How the log of each dialect is read."""
