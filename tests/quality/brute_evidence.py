"""What a history says, worked out slowly and anew for each question: for `brute_force`.

Written from the definitions alone. It shares the words for data with the real judge (scenario,
history, `Query`) and what the dialect says a request means; no index, no helper, no decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Ask, Refused
from fakeserver.history import Delivered, Exchange, History, PollEnded, PollStarted
from fakeserver.query import Condition, Query
from fakeserver.scenario import EventId, LoggedEvent, Scenario
from fakeserver.verifier.promise import Promise

HOUR_MS = 3_600_000
"""As long as a client may hold events back that shows that it does."""
REFUSALS = ("server-error", "rate-limited", "transient-422", "token-expired")
"""Faults by which a server says no to a right request."""


class Case(NamedTuple):
    """What is judged."""

    scenario: Scenario
    history: History
    promise: Promise


# What a history says


def steps(case: Case, kind: Any) -> list[Any]:
    return [step for step in case.history if isinstance(step, kind)]


def poll_at(case: Case, place: int) -> int:
    """The number of the poll to which a place belongs."""
    return sum(isinstance(step, PollStarted) for step in case.history[: place + 1])


def event_of(case: Case, event_id: EventId) -> LoggedEvent | None:
    for event in case.scenario.events:
        if event.id == event_id:
            return event
    return None


def was_delivered(case: Case, event: LoggedEvent) -> bool:
    return any(step.event_id == event.id for step in steps(case, Delivered))


def meaning(case: Case, step: Exchange) -> Query | None:
    """What a request meant, or None where the API refuses it."""
    dialect = find_dialect(case.scenario.dialect)
    path, _, query = step.target.partition("?")
    ask = Ask(path=path, query=query, headers={"authorization": f"Bearer {TOKEN}"})
    try:
        return dialect.parse(ask, dialect.settings(case.scenario.settings))
    except Refused:
        return None


def failed(step: Exchange) -> bool:
    """No page came, and the request is not to blame."""
    return step.status in (0, 429) or step.fault == "truncated-body" or step.fault in REFUSALS


def pages(case: Case) -> Iterator[Query]:
    """What was asked for by each request for rows whose answer shows what the log held then."""
    for step in steps(case, Exchange):
        query = meaning(case, step)
        if is_sound(step) and query is not None and query.endpoint == "list":
            yield query


def is_sound(step: Exchange) -> bool:
    """Whether a whole answer came that tells what the log held when it was asked."""
    whole = step.status == 200 and step.method != "HEAD" and step.fault != "truncated-body"
    return whole and step.as_of is None


# What a client owes


def promised_lateness(case: Case) -> int:
    promised = case.promise.late_by_ms_max
    return case.scenario.late_by_ms_max if promised is None else promised


def lateness(case: Case, event: LoggedEvent) -> int:
    """How long after its stamp it could be missing from an answer; an old answer may lack it yet.

    Without a stamp nobody can tell how late it was when it appeared, but how long after that.
    """
    stamp = event.visible_at if event.recorded_at is None else event.recorded_at
    instants = [step.at + 1 for step in steps(case, Exchange) if lacks(case, step, event)]
    return max([0, event.visible_at - stamp, *(instant - stamp for instant in instants)])


def lacks(case: Case, step: Exchange, event: LoggedEvent) -> bool:
    """Whether an answer lacks the event because it is older than its request."""
    if step.as_of is None or event.visible_at > step.at:
        return False
    if event.visible_at > step.as_of:
        return True
    query = meaning(case, step)
    if query is None or not query.offset or event.id in step.event_ids:
        return False
    # Rows that the missing ones would have pushed behind the start of this page: those of the page
    # as it should have been, and if the page looked like the last one, all behind it.
    rows = [row.id for row in ordered(query, visible(case, step.at))]
    if query.is_shuffled:
        return event.id in rows  # any of them may have stood there
    is_full = query.limit is not None and len(step.event_ids) >= query.limit
    return event.id in rows[query.offset : query.offset + query.limit if is_full else None]


def visible(case: Case, at: int) -> list[LoggedEvent]:
    return [event for event in case.scenario.events if event.visible_at <= at]


def ordered(query: Query, events: list[LoggedEvent]) -> list[LoggedEvent]:
    """The rows that a query finds, in its order; ties as the log has them."""
    rows = [event for event in events if query.matches(event)]
    for key in reversed(query.order):
        known = [row for row in rows if value(row, key.field) is not None]
        nulls = [row for row in rows if value(row, key.field) is None]
        known.sort(key=lambda row: value(row, key.field), reverse=key.descending)
        rows = nulls + known if query.nulls == "first" else known + nulls
    return rows


def value(event: LoggedEvent, field: str) -> Any:
    """What the log holds under that name; a stamp may be stored finer than it is shown."""
    if field == "id":
        return event.id
    if field != "recorded_at":
        return event.fields.get(field)
    if event.recorded_at is None:
        return None
    return event.recorded_at * 1000 + (event.fields.get("recorded_us") or 0)


def whole_run(case: Case) -> bool:
    """Whether every poll of the plan was played, the last one to an end of the client's own."""
    starts, ends = steps(case, PollStarted), steps(case, PollEnded)
    if len(starts) < len(case.scenario.polls) or not ends:
        return False
    is_over = case.history.index(ends[-1]) > case.history.index(starts[-1])
    return is_over and ends[-1].ending in ("returned", "slept", "raised")


def content(conditions: tuple[Condition, ...]) -> list[Condition]:
    return [condition for condition in conditions if condition.field not in ("id", "recorded_at")]


def asked_for(case: Case, event: LoggedEvent) -> bool:
    """Whether it lies within the filters of some request, if any request for rows was answered.

    A filter that bounds (from here on) is one only where every request has it; elsewhere it is how
    far a walk has got.
    """
    kinds = [content(query.conditions) for query in pages(case)]
    if not kinds:
        return True
    for kind in kinds:
        lasting = [
            condition
            for condition in kind
            if condition.operator in ("=", "in", "not in") or all(condition in k for k in kinds)
        ]
        if all(condition.holds(event) for condition in lasting):
            return True
    return False


def out_of_reach(case: Case, event: LoggedEvent) -> bool:
    """Whether no request that pages by the API's key can bring it once all is visible (I1)."""
    if case.scenario.dialect != "saleschannel":
        return False  # since_id = its id - 1 puts it first
    if event.recorded_at is None:
        return True
    settings = find_dialect("saleschannel").settings(case.scenario.settings)
    cap: Any = settings["limit_max"]
    twins = [other for other in case.scenario.events if other.recorded_at == event.recorded_at]
    if cap == 1:
        return True  # the row at the key fills the page for ever (I2)
    if cap is None or len(twins) <= cap:
        return False
    return settings["ties"] == "shuffled" or event not in twins[:cap]


def was_served(case: Case, event: LoggedEvent) -> bool:
    return any(event.id in step.event_ids for step in steps(case, Exchange))


def excuse_in_plan(case: Case, event: LoggedEvent) -> str | None:
    """Why a client of a world with polls need not have delivered an event, if there is a reason."""
    if not whole_run(case):
        return "the run was cut short"
    # It can be read by now: a scenario whose last event appears after the calm began is refused.
    if lateness(case, event) > promised_lateness(case):
        own = event.recorded_at is not None and event.visible_at - event.recorded_at
        return "too late" if own > promised_lateness(case) else "withheld too long"
    if not asked_for(case, event):
        return "outside of what was asked for"
    return None
