"""Saying in words what a request of the sales channel covers, and what would have read an event."""

from __future__ import annotations

from urllib.parse import urlencode

from fakeserver.clock import Instant, clock_text, duration_text, to_text
from fakeserver.dialects.base import TOKEN, Ask, Remedy, Settings
from fakeserver.dialects.saleschannel.parse import PATH
from fakeserver.query import RECORDED_AT, Condition, Query
from fakeserver.scenario import LoggedEvent, Scenario

_PHRASES = {
    "=": "at",
    ">": "after",
    ">=": "from",
    "<": "before",
    "<=": "up to",
    "in": "at one of",
    "not in": "not at",
}


def words(query: Query, near: Instant) -> str:
    """Say what `query` covers: ``createdAt from 12:00:05, oldest first``.

    Times a day or more away from `near` are written with their date.
    """
    parts = [_condition(condition, near) for condition in query.conditions] or ["everything"]
    if query.order and query.order[0].field == RECORDED_AT:
        parts.append("newest first" if query.order[0].descending else "oldest first")
    return ", ".join(parts)


def _condition(condition: Condition, near: Instant) -> str:
    phrase = _PHRASES[condition.operator]
    if condition.field not in (RECORDED_AT, "eventAt"):
        return f"{condition.field} {condition.operator} {condition.value}"
    name = "createdAt" if condition.field == RECORDED_AT else condition.field
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return f"{name} {phrase} " + ", ".join(clock_text(value, near=near) for value in values)


def list_ask(*, since: Instant, limit: int) -> Ask:
    """Return the request of the document: oldest first from `since` on, in brackets."""
    query = urlencode(
        {
            "$limit": limit,
            "$orderBy[createdAt]": "asc",
            "$filter[createdAt][gte]": to_text(since),
        },
        safe="$[]:",
    )
    return Ask(path=PATH, query=query, headers={"authorization": f"Bearer {TOKEN}"})


def remedy(
    scenario: Scenario,
    event: LoggedEvent,
    asked_from: Instant,
    settings: Settings,  # noqa: ARG001 - every dialect's remedy has the same shape
) -> Remedy | None:
    """Return the request that reads `event` in a later poll: look back from the last poll's start.

    `asked_from` is the start of the last successful poll before the event was visible (theorem T2:
    a look-back anchored at that start, as long as the promised lateness, is complete).
    """
    if event.recorded_at is None:
        return None
    back = scenario.late_by_ms_max
    since = max(0, asked_from - back)
    if event.recorded_at < since:
        return None
    span = f" - {duration_text(back)}" if back else ""
    return Remedy(
        ask=list_ask(since=since, limit=max(2, len(scenario.events) + 1)),
        says=f"createdAt gte (start of the last successful poll{span}), walked with a limit above "
        "the largest group of equal createdAt, and dropping ids already delivered",
    )
