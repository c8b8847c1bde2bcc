"""From rows to a body: the shape and the order of keys of the document's samples."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

import msgspec

from fakeserver.clock import Instant, as_datetime, zone
from fakeserver.dialects.base import Answer, Refused, Settings
from fakeserver.dialects.haravan.cursor import CursorQuery
from fakeserver.log import Selection
from fakeserver.query import Query
from fakeserver.scenario import LoggedEvent

NO_LINKS: tuple[tuple[str, str], ...] = ()
TOO_MANY = "Tối đa chỉ được 50"
"""How the live service refused a limit over its cap: "at most 50". It says so in Vietnamese."""


_encoder = msgspec.json.Encoder()


def render(query: Query, selection: Selection, settings: Settings) -> Answer:
    """Return the answer to `query`: a list, one event, or a count.

    Raises `Refused` (404) for a single event that is not there, and, where the settings say so,
    for the list of a resource that nobody has seen.
    """
    if query.endpoint == "count":
        count = {"count": _count(selection.matched, settings)}
        return Answer(status=200, body=_encode(count, settings))
    if query.endpoint == "single":
        if not selection.rows:
            raise Refused(
                404, "no-such-event", f"there is no event {query.conditions[0].value} (yet)"
            )
        row = selection.rows[0]
        body = b'{"event":' + _write(row, fields=query.fields, settings=settings) + b"}"
        return Answer(status=200, body=body, rows=(row,))
    if settings["nested_unknown_parent"] == "404" and not selection.matched:
        _refuse_unknown_parent(query)
    rows, links = selection.rows, NO_LINKS
    if isinstance(query, CursorQuery):
        rows = query.shown(rows)
        links = query.links(rows, selection.matched)
    write = partial(_write, fields=query.fields, settings=settings)
    body = selection.written(rows, write, way=query.fields, within=(b'{"events":[', b"]}"))
    return Answer(status=200, body=body, rows=rows, links=links)


def render_event(event: LoggedEvent, settings: Settings) -> dict[str, Any]:
    """Return `event` as a list shows it, with its keys in the order of the samples."""
    fields = event.fields
    as_id: Any = str if settings["id_type"] == "string" else int
    arguments = fields["arguments"]
    shown = {
        "arguments": ", ".join(arguments) if settings["arguments_type"] == "string" else arguments,
        "body": fields["body"],
        "created_at": _stamp(event.recorded_at, settings["shop_zone"], settings["time_output"]),
        "id": as_id(event.id),
        "subject_id": as_id(fields["subject_id"]),
        "subject_type": fields["subject_type"],
        "verb": fields["verb"],
        "message": fields["message"],
        "author": fields["author"],
        "description": fields["description"],
        "path": None if settings["path_form"] == "null" else fields["path"],
    }
    if settings["author"] == "omit":
        del shown["author"]
    return shown


def refusal_body(refused: Refused, settings: Settings) -> bytes:
    """Return ``{"errors": "a sentence"}``, or what the switch ``error_body`` says.

    None of it is from the document, which shows no error.
    """
    shape = settings["error_body"]
    says = refused.says
    if shape == "vietnamese" and refused.code == "limit-over-max":
        says = TOO_MANY
    bodies: dict[Any, Any] = {
        "errors-base": {"errors": {"base": [says]}},
        "message": {"message": says},
        "empty": {},
    }
    return _encode(bodies.get(shape, {"errors": says}), settings)


def _write(event: LoggedEvent, *, fields: tuple[str, ...] | None, settings: Settings) -> bytes:
    shown = render_event(event, settings)
    if fields is not None:
        shown = {field: shown[field] for field in fields}
    return _encode(shown, settings)


@lru_cache(maxsize=8192)
def _stamp(instant: Instant | None, zone_name: str, output: str) -> str | None:
    """Write an instant to the second, in the shop's zone or in UTC."""
    if instant is None:
        return None
    moment = as_datetime(instant)
    if output == "utc":
        return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    # A day from either end of the calendar the shop's date may lie outside it; UTC never does.
    with suppress(OverflowError):
        moment = moment.astimezone(zone(zone_name))
    return moment.isoformat(timespec="seconds")


def _count(matched: int, settings: Settings) -> int:
    cap = settings["count_cap"]
    return matched if cap is None else min(matched, int(cap))


def _refuse_unknown_parent(query: Query) -> None:
    """Raise `Refused` if `query` asks for everything of one resource (and found nothing).

    A narrower request may find nothing of a resource that exists.
    """
    if [condition.field for condition in query.conditions] == ["subject_type", "subject_id"]:
        subject_type, subject_id = (condition.value for condition in query.conditions)
        raise Refused(
            404, "no-such-parent", f"there is no {subject_type} {subject_id} with an event (yet)"
        )


def _encode(payload: dict[str, Any], settings: Settings) -> bytes:
    if settings["ascii"] == "escaped":
        body = json.dumps(payload, separators=(",", ":")).encode()
    else:
        body = _encoder.encode(payload)
    # In JSON a slash stands only inside strings, where \/ means the same.
    return body.replace(b"/", b"\\/") if settings["slashes"] == "escaped" else body
