"""Haravan's log, asked: the first answers, from which all else goes on, and the order of steps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from fakeserver.clock import as_datetime
from fakeserver.dialects.base import Dialect
from fakeserver.errors import UsageError
from fakeserver.fidelity.letters import Letters
from fakeserver.fidelity.probe.asking import Asker, Reply
from fakeserver.fidelity.probe.decisions import Decisions
from fakeserver.fidelity.values import as_number, instant_of

LIST = "/com/events.json"
COUNT = "/com/events/count.json"
NO_ID = 10**18 + 7
"""An id that no log has come to."""
OVER_ANY_CAP = 1_000
"""Asked for to find the cap: four times the largest that any document names, and no burden."""
PAGE_USUAL = 50
"""Rows of a page where nothing else is known: the cap that users have seen."""
REFUSED = (400, 422)

Row = dict[str, Any]


class HaravanProbe:
    """What is known of one log while it is probed.

    `first` is the list as it comes without any parameter, `rows` all rows that were seen, by id.
    `page_max` is a limit that the server is known to take. `count` is how many events there are,
    or None where it does not tell.
    """

    def __init__(self, dialect: Dialect, asker: Asker) -> None:
        self.asker = asker
        self.decisions = Decisions(dialect)
        self.page_max = PAGE_USUAL
        self.rows: dict[int, Row] = {}
        self.letters = Letters()
        self.first: list[Row] = []
        self.longest: list[Row] = []
        self.longest_reply: Reply | None = None
        self.upwards: list[Row] | None = None
        self.count: int | None = None

    def ask(self, path: str = LIST, **query: object) -> Reply:
        """Send a request with the token."""
        return self.asker.ask(path, [(name, str(value)) for name, value in query.items()])

    def listed(self, reply: Reply) -> list[Row] | None:
        """Return the rows of a list, or None for any other answer; they are remembered."""
        body = reply.json
        if reply.status != 200 or not isinstance(body, dict):
            return None
        found = body.get("events")
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            return None
        self.letters.note(reply.body)
        rows = [_plain(row) for row in found]
        for row in rows:
            if "created_at" in row and (number := id_of(row)) is not None:
                self.rows[number] = row
        return rows

    def counted(self, reply: Reply) -> int | None:
        """Return the number that a count tells, or None."""
        body = reply.json
        found = body.get("count") if reply.status == 200 and isinstance(body, dict) else None
        return found if type(found) is int else None

    def begin(self) -> None:
        """Read the list and the count. Raises `UsageError` where there is no such API."""
        reply = self.ask()
        if reply.status in (401, 403):
            raise UsageError(f"the server refuses the token ({reply.status}); is it the right one?")
        rows = self.listed(reply)
        if rows is None:
            raise UsageError(
                f"expected a list of events at {LIST}, got status {reply.status} and no such list"
            )
        self.first, self.first_reply = rows, reply
        self.count = self.counted(self.ask(COUNT))
        if not rows:
            self.page_max = 1


def _plain(row: Row) -> Row:
    """Leave out what is of another kind than the document says, where something rests on it."""
    odd = {name for name in ("created_at", "subject_type") if not isinstance(row.get(name), str)}
    if as_number(row.get("subject_id")) is None:
        odd.add("subject_id")
    return {name: value for name, value in row.items() if name not in odd}


def id_of(row: Row) -> int | None:
    """Return the id of a row as a number, whatever it is written as."""
    return as_number(row.get("id"))


def ids_of(rows: Iterable[Row]) -> list[int]:
    """Return the ids in their order; rows without one are left out."""
    return [number for row in rows if (number := id_of(row)) is not None]


YEARS = range(1971, 2200)
"""Outside of them nothing happens in a shop, and a year more or less may leave the calendar."""


def stamp_of(row: Row) -> datetime | None:
    """Return when a row was recorded, in UTC, or None where it can't be read."""
    instant = instant_of(row.get("created_at"))
    moment = None if instant is None else as_datetime(instant)
    return moment if moment is not None and moment.year in YEARS else None
