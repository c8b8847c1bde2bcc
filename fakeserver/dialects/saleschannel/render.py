"""The sales channel's answers: a bare JSON array, times in UTC with milliseconds."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from fakeserver.clock import to_text
from fakeserver.dialects.base import Answer, Refused, Settings
from fakeserver.log import Selection
from fakeserver.query import Query
from fakeserver.scenario import LoggedEvent

DETAILS = ("transactionId", "status", "previousStatus")

_encoder = msgspec.json.Encoder()


def render(query: Query, selection: Selection, settings: Settings) -> Answer:  # noqa: ARG001
    """Return the rows as a bare array: the document shows no envelope, cursor or total."""
    key = str(settings["details_key"])
    body = selection.written(selection.rows, lambda row: _encoder.encode(_as_dict(row, key)))
    return Answer(status=200, body=body, rows=selection.rows)


def render_event(event: LoggedEvent, settings: Settings) -> dict[str, Any]:
    """Return one event in the document's order: id, eventType, createdAt, eventAt, details."""
    return _as_dict(event, str(settings["details_key"]))


def _as_dict(event: LoggedEvent, details_key: str) -> dict[str, Any]:
    fields = event.fields
    event_at = fields.get("eventAt")
    shown = {
        "id": event.id,
        "eventType": fields["eventType"],
        "createdAt": None if event.recorded_at is None else to_text(event.recorded_at),
        "eventAt": None if event_at is None else to_text(event_at),
    }
    if "details" in fields:
        # In a fixed order: a scenario that was read back from a file has its keys sorted.
        details = fields["details"]
        shown[details_key] = {name: details[name] for name in DETAILS if name in details} | details
    return shown


def refusal_body(refused: Refused, settings: Settings) -> bytes:
    """Return ``{"statusCode", "error", "message"}``, or what the switch ``error_body`` says.

    The document shows no error at all.
    """
    status, phrase = refused.status, HTTPStatus(refused.status).phrase
    bodies: dict[Any, dict[str, Any]] = {
        "message": {"statusCode": status, "error": phrase, "message": refused.says},
        "problem": {
            "type": "about:blank",
            "title": phrase,
            "status": status,
            "detail": refused.says,
        },
        "empty": {},
    }
    return _encoder.encode(bodies[settings["error_body"]])
