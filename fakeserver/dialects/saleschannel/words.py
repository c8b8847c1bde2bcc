"""Saying in words what a request of the sales channel covers, and what would have read an event."""

from __future__ import annotations

from urllib.parse import urlencode

from fakeserver.clock import INSTANT_MIN, Instant, clock_text, duration_text, to_text
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

    Times of another day than `near` are written with their date.
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


def list_ask(*, since: Instant, limit: int, encoding: str = "both") -> Ask:
    """Return the request of the document: oldest first from `since` on.

    In brackets, unless the server's `encoding` is ``json`` alone.
    """
    query: dict[str, object] = {"$limit": limit}
    if encoding == "json":
        query["$orderBy"] = '{"createdAt":"asc"}'
        query["$filter"] = f'{{"createdAt":{{"gte":"{to_text(since)}"}}}}'
    else:
        query["$orderBy[createdAt]"] = "asc"
        query["$filter[createdAt][gte]"] = to_text(since)
    headers = {"authorization": f"Bearer {TOKEN}"}
    return Ask(path=PATH, query=urlencode(query, safe="$[]:"), headers=headers)


def remedy(
    scenario: Scenario,
    event: LoggedEvent,
    asked_from: Instant | None,
    settings: Settings,
) -> Remedy | None:
    """Return the request that reads `event` in a later poll: look back from the last poll's start.

    `asked_from` is the start of the last successful poll before the event was visible (theorem T2:
    a look-back anchored at that start, as long as the promised lateness, is complete), or None
    where there was none: then the whole log is to be read. There is
    none for an event older than that, nor for one among more equal stamps than a page may hold.
    """
    back = scenario.late_by_ms_max
    cap = settings["limit_max"]
    limit = max(2, len(scenario.events) + 1)
    limit = limit if cap is None else min(limit, int(cap))
    low = INSTANT_MIN if asked_from is None else max(INSTANT_MIN, asked_from - back)
    since = _page_start(scenario, event, low, limit)
    if since is None:
        return None
    span = f" - {duration_text(back)}" if back else ""
    start = f"(start of the last successful poll{span})"
    if asked_from is None:
        start = "a date far in the past, as long as no poll has succeeded"
    return Remedy(
        ask=list_ask(since=since, limit=limit, encoding=str(settings["encodings"])),
        says=f"createdAt gte {start}, walked with a limit above the largest group of equal "
        "createdAt, and dropping ids already delivered",
    )


def _page_start(
    scenario: Scenario, event: LoggedEvent, since: Instant, limit: int
) -> Instant | None:
    """Return the earliest key, from `since` on, whose page of `limit` rows is sure to hold `event`.

    Counted are all events of the scenario, and ties against `event`: so the page holds it however
    many of them are visible by then, and however ties are ordered. None if there is no such page.
    """
    stamp = event.recorded_at
    if stamp is None or stamp < since:
        return None
    known = (row.recorded_at for row in scenario.events if row.recorded_at is not None)
    stamps = sorted(found for found in known if since <= found <= stamp)
    if len(stamps) <= limit:
        return since
    # A page starts with all rows of its key, so a key stands for the first of its ties.
    first_of = {key: place for place, key in reversed([*enumerate(stamps)])}
    fitting = [key for key, place in first_of.items() if len(stamps) - place <= limit]
    return min(fitting, default=None)
