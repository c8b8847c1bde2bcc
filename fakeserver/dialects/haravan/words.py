"""Requests in the words of people: what one covers, and which one would have found an event."""

from __future__ import annotations

from urllib.parse import urlencode

from fakeserver.clock import INSTANT_MAX, Instant, as_datetime, clock_text, duration_text
from fakeserver.dialects.base import TOKEN, Ask, Refused, Remedy, Settings
from fakeserver.dialects.haravan.clients import FIRST_ID, shop_minute
from fakeserver.dialects.haravan.parse import parse
from fakeserver.dialects.haravan.routes import LIST_PATH
from fakeserver.dialects.haravan.terms import SCOPED_ONLY
from fakeserver.log import EventLog
from fakeserver.query import ID, RECORDED_AT, Condition, Query
from fakeserver.scenario import LoggedEvent, Scenario


def words(query: Query, near: Instant) -> str:
    """Say what `query` covers: ``ids above 3, lowest first``.

    Times are in UTC; those of another day than `near` are written with their date.
    """
    if query.endpoint == "single":
        return f"the event {query.conditions[0].value}"
    covered = ", ".join(_conditions(query, near)) or "everything"
    if query.endpoint == "count":
        return f"the count of {covered}"
    return f"{covered}, {_order(query)}{_cut(query)}"


def _conditions(query: Query, near: Instant) -> list[str]:
    subject = {c.field: c.value for c in query.conditions if c.operator == "="}
    said = [f"events of {subject['subject_type']} {subject['subject_id']}"] if subject else []
    said += [
        _condition(c, near)
        for c in query.conditions
        if c.operator != "=" and c.field != SCOPED_ONLY
    ]
    return said


def _condition(condition: Condition, near: Instant) -> str:
    value = condition.value
    if condition.field == ID:
        return f"ids {'above' if condition.operator == '>' else 'below'} {value}"
    if condition.field == RECORDED_AT:
        text = clock_text(value, near=near)
        return {
            ">=": f"events created from {text} on",
            ">": f"events created after {text}",
            "<=": f"events created until {text}",
            "<": f"events created before {text}",
        }[condition.operator]
    name = "verb" if condition.field == "verb" else "type"
    return f"only the {name} {' or '.join(value)}"


def _order(query: Query) -> str:
    first = query.order[0]
    if first.field == RECORDED_AT:
        return "newest first" if first.descending else "oldest first"
    # With a lower bound on the ids "lowest first" is clear; alone it would need a noun.
    noun = "" if any(c.field == ID for c in query.conditions) else "id "
    return f"highest {noun}first" if first.descending else f"lowest {noun}first"


def _cut(query: Query) -> str:
    if not query.offset or query.limit is None:
        return ""
    return f", rows {query.offset + 1} to {query.offset + query.limit}"


def remedy(
    scenario: Scenario, event: LoggedEvent, asked_from: Instant | None, settings: Settings
) -> Remedy | None:
    """Return the request that reads the missed `event` in a later poll, or None if there is none.

    `asked_from` is the start (ms) of the last successful poll before the event became visible, or
    None where there was none: then the whole log is to be read.
    An event that was not visible then is at most the promised lateness older, so a window that
    starts that much earlier contains it, and a walk by id through the window arrives at it.
    """
    ask = _window_ask(scenario, event, asked_from, settings)
    if ask is None:
        return None
    if asked_from is None:
        return Remedy(
            ask=ask,
            says="Without created_at_min as long as no poll has succeeded, paging by since_id from "
            f"{FIRST_ID} on",
            plainly=f"Paging by since_id from {FIRST_ID} on as long as no poll has succeeded",
        )
    late = scenario.late_by_ms_max
    back = f" - {duration_text(late)}" if late else ""
    return Remedy(
        ask=ask,
        says=f"created_at_min = start of the last successful poll{back}{_form(settings)}, paged by "
        "since_id and dropping ids already delivered",
    )


def _form(settings: Settings) -> str:
    """Say how the time is written, where that matters: in the form that every setting takes."""
    if settings["time_forms"] == "document-only" or settings["shop_zone"] != "UTC":
        return " (in the shop's local time, without an offset)"
    return ""


def _window_ask(
    scenario: Scenario, event: LoggedEvent, asked_from: Instant | None, settings: Settings
) -> Ask | None:
    """Build the page of the walk that holds `event`, and try it: an advice must be right.

    The page is found among all events. At the time of the poll there may be fewer, and then the
    event only comes earlier.
    """
    cap = settings["limit_max"]
    limit = scenario.page_size if cap is None else min(scenario.page_size, int(cap))
    try:
        created_at_min = None
        if asked_from is not None:
            low = as_datetime(asked_from - scenario.late_by_ms_max)
            created_at_min = shop_minute(low, str(settings["shop_zone"]))
        window = parse(_page_ask(created_at_min, FIRST_ID, limit), settings)
    except (OverflowError, Refused):  # a window before the year 1, or beyond what the server takes
        return None
    ids = sorted(int(row.id) for row in scenario.events if window.matches(row))
    if event.id not in ids:
        return None
    before = ids.index(int(event.id)) // limit * limit
    ask = _page_ask(created_at_min, ids[before - 1] if before else FIRST_ID, limit)
    rows = EventLog(scenario.events).select(parse(ask, settings), INSTANT_MAX).rows
    return ask if any(row.id == event.id for row in rows) else None


def _page_ask(created_at_min: str | None, since_id: int, limit: int) -> Ask:
    window = {} if created_at_min is None else {"created_at_min": created_at_min}
    query = {**window, "since_id": since_id, "limit": limit}
    return Ask(path=LIST_PATH, query=urlencode(query), headers={"authorization": f"Bearer {TOKEN}"})
