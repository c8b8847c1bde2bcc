"""From recorded pages to a scenario: the same log, of nobody, to be served and verified against."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from fakeserver.clock import MINUTE_MS, SECOND_MS, Instant
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Dialect
from fakeserver.errors import UsageError
from fakeserver.fidelity.importing.scrubbing import Scrubber, cuids_in_order, numbers_in_order
from fakeserver.fidelity.trace.findings import profile_of
from fakeserver.fidelity.trace.rows import instant_of
from fakeserver.fidelity.trace.tracing import Traced
from fakeserver.profile import SwitchValue
from fakeserver.query import RECORDED_AT
from fakeserver.scenario import PATIENCE_MS, EventId, LoggedEvent, Poll, Scenario

POLLS_STORM = 12
"""Polls while the log grows: enough for late events to be late to one of them."""
POLLS_CALM = 4
REQUEST_MS = 100
PAGE_SIZE = 50
WORDS_OF_THE_API = re.compile(r"[A-Za-z_]{1,40}")
"""A type, a verb or a status is the API's word and stays, if it looks like one."""
API_FIELDS = ("subject_type", "verb", "eventType", "status", "previousStatus")
NOBODY = "nobody"
"""In the place of an author that the service does not show."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The scenario, and how many events were left out because rows lacked fields of them."""

    scenario: Scenario
    left_out: int


def import_pages(traced: Traced, *, random: Random, seen: str) -> Imported:
    """Return the log that was recorded as a scenario without anything of anybody.

    Ids keep their order, stamps and the words of the API stay, all else is replaced. An event is
    visible from its stamp on, or, where it was missing after that, from when it was first shown.
    Raises `UsageError` where no event is left.
    """
    dialect = find_dialect(traced.dialect)
    rows = {key: row for key, row in traced.rows.items() if _is_whole(dialect, row)}
    if not rows:
        raise UsageError("no recorded event has all its fields: nothing can be imported")
    scrubber, ids = _scrubber(dialect, rows, random)
    events = [
        LoggedEvent(
            id=ids[event_id],
            recorded_at=traced.events[event_id].get(RECORDED_AT),
            visible_at=_visible_at(traced, event_id),
            fields=_fields(dialect, row, scrubber),
        )
        for event_id, row in rows.items()
    ]
    events.sort(key=lambda event: (_stamp(event), event.id))
    scenario = _scenario(dialect, tuple(events), _settings(traced, seen))
    dialect.check(scenario)
    return Imported(scenario=scenario, left_out=len(traced.rows) - len(rows))


def _is_whole(dialect: Dialect, row: dict[str, Any]) -> bool:
    if dialect.name == "haravan":
        needed = dialect.fields_required - {"author"} | {"id", "created_at"}
        return row.keys() >= needed and str(row["subject_id"]).isdecimal()
    return row.keys() >= {"id", "eventType", "createdAt"}


def _scrubber(
    dialect: Dialect, rows: dict[EventId, dict[str, Any]], random: Random
) -> tuple[Scrubber, dict[Any, EventId]]:
    """Return what replaces words, and the new ids."""
    scrubber = Scrubber(random, _texts(list(rows.values())))
    known: list[Any] = list(rows)
    make: Any = numbers_in_order if dialect.id_type is int else cuids_in_order
    ids: dict[Any, EventId] = make(random, known)
    for old, new in ids.items():
        scrubber.learn(str(old), str(new))
    return scrubber, ids


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _fields(dialect: Dialect, row: dict[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    if dialect.name == "haravan":
        arguments = row["arguments"] or []
        fields = {
            "arguments": arguments if isinstance(arguments, list) else arguments.split(", "),
            **{name: row[name] for name in ("body", "message", "description", "path")},
            "author": row.get("author", NOBODY),
        }
        changed = {name: scrubber.value(value) for name, value in fields.items()}
        changed["subject_id"] = int(scrubber.text(str(row["subject_id"])))
        return changed | {name: _word(row[name], scrubber) for name in ("subject_type", "verb")}
    fields = {
        "eventType": _word(row["eventType"], scrubber),
        "eventAt": instant_of(row.get("eventAt")),
    }
    details = next((each for each in row.values() if isinstance(each, dict)), None)
    if details is not None:
        fields["details"] = {
            name: _word(each, scrubber) if name in API_FIELDS else scrubber.value(each)
            for name, each in details.items()
        }
    return fields


def _word(value: Any, scrubber: Scrubber) -> Any:
    is_word = isinstance(value, str) and WORDS_OF_THE_API.fullmatch(value)
    return value if is_word else scrubber.value(value)


def _visible_at(traced: Traced, event_id: EventId) -> Instant:
    stamp = traced.events[event_id].get(RECORDED_AT)
    visibility = traced.visible.get(event_id)
    not_before = None if visibility is None else visibility.not_before
    not_after = None if visibility is None else visibility.not_after
    if stamp is None:
        return not_after or 0
    is_possible = (not_before is None or not_before < stamp) and (
        not_after is None or stamp <= not_after
    )
    return stamp if is_possible or not_after is None else not_after


def _stamp(event: LoggedEvent) -> Instant:
    return event.visible_at if event.recorded_at is None else event.recorded_at


def _settings(traced: Traced, seen: str) -> dict[str, SwitchValue]:
    """Return what the recording decided, so that the log is served as it was."""
    if traced.contradiction is not None:
        return {}
    pins = profile_of(traced, seen=seen).pins()
    dialect = find_dialect(traced.dialect)
    return {name: v for name, v in pins.items() if v != dialect.switch(name).default}


def _scenario(
    dialect: Dialect, events: tuple[LoggedEvent, ...], settings: dict[str, SwitchValue]
) -> Scenario:
    first = min(map(_stamp, events))
    last = max(event.visible_at for event in events)
    # What the API promises, not the most that was measured: an event is only known to have been
    # visible when it was first seen, and nobody owes what came later than promised.
    late = dialect.late_by_ms_max(dialect.settings(settings))
    step = max(SECOND_MS, (last - first) // POLLS_STORM + 1)
    storm = [first + n * step for n in range(POLLS_STORM)]
    calm = max(last, storm[-1]) + MINUTE_MS
    calm_polls = [calm + n * MINUTE_MS for n in range(POLLS_CALM - 1)]
    calm_polls.append(calm_polls[-1] + max(late, PATIENCE_MS))
    return Scenario(
        dialect=dialect.name,
        settings=settings,
        origin=f"imported: {len(events)} events that a client recorded, scrubbed",
        starts_at=first,
        request_ms=REQUEST_MS,
        page_size=PAGE_SIZE,
        late_by_ms_max=late,
        events=events,
        polls=tuple(Poll(starts_at=at) for at in (*storm, *calm_polls)),
        calm_from=len(storm),
    )
