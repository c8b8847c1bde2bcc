"""From recorded pages to a scenario: the same log, of nobody, to be served and verified against."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import msgspec

from fakeserver.clock import MINUTE_MS, SECOND_MS, Instant
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Dialect
from fakeserver.dialects.haravan.terms import SUBJECT_TYPES
from fakeserver.errors import UsageError
from fakeserver.fidelity.importing.scrubbing import Scrubber, cuids_in_order, numbers_in_order
from fakeserver.fidelity.trace.findings import profile_of
from fakeserver.fidelity.trace.tracing import Traced
from fakeserver.fidelity.values import as_number, instant_of
from fakeserver.profile import SwitchValue
from fakeserver.query import RECORDED_AT
from fakeserver.scenario import PATIENCE_MS, EventId, LoggedEvent, Poll, Scenario

POLLS_STORM = 12
"""Polls while the log grows: enough for late events to be late to one of them."""
POLLS_CALM = 4
REQUEST_MS = 100
PAGE_SIZE = 50
WORDS_OF_THE_API: Mapping[str, re.Pattern[str]] = {
    "subject_type": re.compile("|".join(SUBJECT_TYPES)),
    "verb": re.compile(r"[a-z][a-z_]{0,40}"),
    "eventType": re.compile(r"[A-Z][A-Z_]{0,60}"),
    "status": re.compile(r"[A-Z][A-Z_]{0,40}"),
    "previousStatus": re.compile(r"[A-Z][A-Z_]{0,40}"),
}
"""What is a word of the API and not of somebody: it stays, if it looks as the document says."""
TEXTS = ("subject_type", "verb", "body", "message", "description", "path")
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
        raise UsageError(
            "no recorded event has all its fields, each of its kind: nothing can be imported"
        )
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
    """Whether a row shows all fields of its event, each of a kind that the fake can show again."""
    if dialect.name == "haravan":
        arguments = row.get("arguments", 0)
        texts = arguments if isinstance(arguments, list) else [arguments]
        return (
            row.keys() >= {"id", "created_at", *TEXTS}
            and as_number(row.get("subject_id")) is not None
            and all(isinstance(row[name], str) for name in ("subject_type", "verb"))
            and all(isinstance(row.get(name), str | None) for name in (*TEXTS, "author"))
            and all(isinstance(text, str | None) for text in texts)
        )
    return row.keys() >= {"id", "eventType", "createdAt"} and isinstance(row["eventType"], str)


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
        texts = arguments if isinstance(arguments, list) else arguments.split(", ")
        return {
            **{name: _changed(name, row[name], scrubber) for name in TEXTS},
            "arguments": [scrubber.text(text) for text in texts if text],
            "author": scrubber.value(row.get("author", NOBODY)),
            "subject_id": int(scrubber.text(str(row["subject_id"]))),
        }
    fields = {
        "eventType": _changed("eventType", row["eventType"], scrubber),
        "eventAt": instant_of(row.get("eventAt")),
    }
    details = next((each for each in row.values() if isinstance(each, dict)), None)
    if details is not None:
        whole = scrubber.value(details)
        kept = {n: _changed(n, details[n], scrubber) for n in WORDS_OF_THE_API if n in details}
        fields["details"] = whole | kept
    return fields


def _changed(name: str, value: Any, scrubber: Scrubber) -> Any:
    """Return the value of a field without anything of anybody."""
    words = WORDS_OF_THE_API.get(name)
    if words is not None and isinstance(value, str) and words.fullmatch(value):
        return value
    return scrubber.value(value)


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
