"""What recorded answers show of events, read one answer at a time: nothing else of them is kept.

Of each event its fields are kept once, however many answers show them, and of each answer the ids
of its rows, once for all answers that are the same. So a long recording of a log takes the room of
the log, not of the recording.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from fakeserver.dialects.base import Ask, Dialect
from fakeserver.errors import UsageError
from fakeserver.fidelity.letters import Letters
from fakeserver.fidelity.trace.checking import Answered, Contradiction
from fakeserver.fidelity.trace.readings import Readings, meant
from fakeserver.fidelity.trace.recordings import Recorded
from fakeserver.fidelity.trace.rows import SCOPED_ONLY, Page, Values, name_of, rows_in, values_of
from fakeserver.query import ID, Query
from fakeserver.scenario import EVENTS_MAX, EventId

ASKS_MAX = 10_000
"""Requests that are remembered, to be kept once."""


class Learned:
    """What a recording shows.

    `events` has what is known of each event by the names of `query`, `rows` how it was shown.
    `altered` says where an event is not what it was before, `unread` how many answers with status
    200 hold no rows that can be read. Raises `UsageError` where that are all of them, and for a log
    that is longer than any that can be looked at.
    """

    def __init__(self, dialect: Dialect, recordings: Iterable[Recorded]) -> None:
        self.answered: list[Answered] = []
        self.events: dict[EventId, Values] = {}
        self.rows: dict[EventId, dict[str, Any]] = {}
        self.letters = Letters()
        self.altered: Contradiction | None = None
        self.unread = 0
        self._dialect = dialect
        self._permissive = Readings(dialect, frozenset()).permissive
        self._ids: dict[EventId, EventId] = {}
        self._fields: dict[frozenset[str], frozenset[str]] = {}
        self._pages: dict[Page, Page] = {}
        self._asks: dict[tuple[str, str], Ask] = {}
        for recorded in recordings:
            page = self._page(recorded)
            slim = msgspec.structs.replace(
                recorded, body=None, ids=(), ask=self._shared(recorded.ask)
            )
            self.answered.append(Answered(recorded=slim, page=page))
        if self.unread and all(each.page is None for each in self.answered):
            raise UsageError(
                f"{self.unread} answers with status 200, and none has a body with rows; was it "
                "recorded without contents?"
            )

    def _shared(self, ask: Ask) -> Ask:
        """Return the same object for what is asked again and again."""
        if len(self._asks) == ASKS_MAX:
            self._asks.clear()
        return self._asks.setdefault((ask.path, ask.query), ask)

    def _page(self, recorded: Recorded) -> Page | None:
        """Return the rows of an answer, and learn what they show; None where there are none."""
        query = meant(self._dialect, recorded.ask, self._permissive)
        if query is None or query.endpoint == "count":
            return None
        if query.endpoint == "single" and recorded.status == 404:
            return Page(ids=(), raw=0)
        if recorded.status != 200:
            return None
        if recorded.body is None:
            return self._known(query, recorded.ids)
        rows = rows_in(self._dialect.name, query.endpoint, recorded.body)
        if rows is None:
            self.unread += 1
            return None
        self.letters.note(recorded.body)
        return self._shown(query, rows)

    def _shown(self, query: Query, rows: list[dict[str, Any]]) -> Page:
        """Learn from whole rows, or the fields of them that were asked for."""
        values = [values_of(self._dialect, row) for row in rows]
        if any(ID not in each for each in values):
            return Page(ids=(), raw=len(rows))
        in_log = _is_of_log(query)
        for row, known in zip(rows, values, strict=True):
            if in_log:
                known[SCOPED_ONLY] = False
            self._learn(known[ID], known, row)
        fields = frozenset(name for each in values for name in each)
        return self._kept(tuple(each[ID] for each in values), fields)

    def _known(self, query: Query, ids: tuple[EventId, ...]) -> Page:
        """Learn from rows of which nothing is known but their ids."""
        if not all(isinstance(event_id, self._dialect.id_type) for event_id in ids):
            return Page(ids=(), raw=len(ids))
        in_log = _is_of_log(query)
        for event_id in ids:
            known = self.events.get(event_id)
            if known is None or (in_log and SCOPED_ONLY not in known):
                values: Values = {ID: event_id, SCOPED_ONLY: False} if in_log else {ID: event_id}
                self._learn(event_id, values, {"id": event_id})
        return self._kept(ids, frozenset({ID}))

    def _kept(self, ids: tuple[EventId, ...], fields: frozenset[str]) -> Page:
        """Return a page that shares what it can with others."""
        page = Page(
            ids=tuple(self._ids[event_id] for event_id in ids),
            raw=len(ids),
            fields=self._fields.setdefault(fields, fields),
        )
        return self._pages.setdefault(page, page)

    def _learn(self, event_id: EventId, values: Values, row: dict[str, Any]) -> None:
        before = self.rows.get(event_id)
        if before is None:
            if len(self.rows) == EVENTS_MAX:
                raise UsageError(
                    f"the recording shows more than {EVENTS_MAX} events; cut it up by time"
                )
            self._ids[event_id] = event_id
            self.rows[event_id], self.events[event_id] = row, values
            return
        others = (name for name in row if before.get(name, row[name]) != row[name])
        changed = next((name for name in others if name != "id"), None)  # 1 and "1" are one id
        if changed is None:
            before.update(row)
            self.events[event_id].update(values)
        elif self.altered is None:
            self.altered = self._altered(event_id, changed)

    def _altered(self, event_id: EventId, field: str) -> Contradiction:
        """Say that the answer that is read shows another value than one before, or than itself."""
        place = place_of_row(self.answered, event_id, name_of(self._dialect, field))
        if place is None:
            return Contradiction(
                says=f"the event {event_id} stands on it twice, each time with another {field}",
                places=(len(self.answered),),
            )
        return Contradiction(
            says=f"the event {event_id} has another {field} than before",
            places=(place, len(self.answered)),
        )


def _is_of_log(query: Query) -> bool:
    """Whether a list is of the whole log: some events may be shown under a subject alone."""
    return any(condition.field == SCOPED_ONLY for condition in query.conditions)


def place_of_row(
    answered: Sequence[Answered], event_id: EventId, field: str, *, but: int | None = None
) -> int | None:
    """Return the first request whose answer shows a field of an event, or None.

    `field` is a name of `query`; `but` is the place of a request that is not looked at.
    """
    for place, each in enumerate(answered):
        page = each.page
        if place != but and page is not None and field in page.fields and event_id in page.ids:
            return place
    return None
