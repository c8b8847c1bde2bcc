"""Answers: a bare array in the document's order of keys, which deliveries are compared with."""

import json

import pytest

from fakeserver.clock import INSTANT_MAX, INSTANT_MIN, at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Ask, Refused
from fakeserver.dialects.saleschannel.parse import PATH
from fakeserver.log import EventLog
from fakeserver.scenario import LoggedEvent

DIALECT = find_dialect("saleschannel")
STAMP = at("2026-03-01T12:00:00.070Z")
DETAILS = {"transactionId": "t1", "status": "SUCCESS", "previousStatus": "PENDING"}


def event(event_id: str = "ca", *, stamp: int | None = STAMP, **fields: object) -> LoggedEvent:
    told = {"eventType": "TRANSACTION_STATUS_CHANGE", "eventAt": STAMP - 70, "details": DETAILS}
    return LoggedEvent(id=event_id, recorded_at=stamp, visible_at=STAMP, fields=told | fields)


def body(*events: LoggedEvent, query: str = "", **settings: object) -> bytes:
    ask = Ask(path=PATH, query=query, headers={"authorization": f"Bearer {TOKEN}"})
    got = DIALECT.answer(ask, EventLog(events), STAMP, DIALECT.settings(settings))
    assert got.status == 200
    assert got.headers == ()
    return got.body


def test_an_event_to_the_last_byte():
    assert body(event()) == (
        b'[{"id":"ca","eventType":"TRANSACTION_STATUS_CHANGE",'
        b'"createdAt":"2026-03-01T12:00:00.070Z","eventAt":"2026-03-01T12:00:00.000Z",'
        b'"details":{"transactionId":"t1","status":"SUCCESS","previousStatus":"PENDING"}}]'
    )


def test_the_list_shows_what_render_event_says():
    """Deliveries are compared with `render_event`: it must be the served truth."""
    rows = (event("ca"), event("cb", eventAt=None), event("cc", stamp=None))
    truth = [DIALECT.render_event(row, DIALECT.settings({})) for row in rows]
    assert json.loads(body(*rows)) == truth
    assert [list(shown) for shown in json.loads(body(*rows))] == [list(shown) for shown in truth]


def test_an_empty_page_is_an_empty_array():
    assert body() == b"[]"
    assert body(event(), query="$filter[id]=nobody") == b"[]"


def test_there_is_no_envelope_cursor_or_total():
    assert isinstance(json.loads(body(event("ca"), event("cb"), query="$limit=1")), list)


@pytest.mark.parametrize(
    ("recorded_at", "event_at"), [(None, None), (None, STAMP), (STAMP, None), (STAMP, STAMP)]
)
def test_both_times_are_there_even_when_null(recorded_at, event_at):
    shown = DIALECT.render_event(event(stamp=recorded_at, eventAt=event_at), DIALECT.settings({}))
    assert list(shown) == ["id", "eventType", "createdAt", "eventAt", "details"]
    assert (shown["createdAt"] is None) == (recorded_at is None)
    assert (shown["eventAt"] is None) == (event_at is None)


def test_an_unknown_type_comes_without_details():
    fields = {"eventType": "ASSET_RETIRED", "eventAt": None}
    row = LoggedEvent(id="ca", recorded_at=STAMP, visible_at=STAMP, fields=fields)
    (shown,) = json.loads(body(row))
    assert list(shown) == ["id", "eventType", "createdAt", "eventAt"]


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        (INSTANT_MIN, "0001-01-01T00:00:00.000Z"),
        (at("0999-12-31T23:59:59.999Z"), "0999-12-31T23:59:59.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (INSTANT_MAX, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_shown_time_can_be_sent_back_and_finds_its_row(stamp, text):
    """The pagination key: what `createdAt` shows, a filter must take and mean."""
    row = event(stamp=stamp, eventAt=stamp)
    (shown,) = json.loads(body(row))
    assert (shown["createdAt"], shown["eventAt"]) == (text, text)
    for column in ("createdAt", "eventAt"):
        assert json.loads(body(row, query=f"$filter[{column}][gte]={text}")) == [shown]
        assert json.loads(body(row, query=f"$filter[{column}]={text}")) == [shown]
        assert json.loads(body(row, query=f"$filter[{column}][gt]={text}")) == []


@pytest.mark.parametrize("text", ['"', "\\", "/", "</script>", "\x00", "\u2028", "\U0001f4a5", "é"])
def test_any_text_survives(text):
    (shown,) = json.loads(body(event(details={"transactionId": text})))
    assert shown["details"] == {"transactionId": text}


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
    ],
)
def test_a_refusal_has_status_phrase_and_sentence(status, phrase):
    refused = Refused(status, "some-code", 'expected x, got "\x00é"')
    assert json.loads(DIALECT.refusal_body(refused, DIALECT.settings({}))) == {
        "statusCode": status,
        "error": phrase,
        "message": refused.says,
    }


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (
            "problem",
            {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no such path"},
        ),
        ("empty", {}),
    ],
)
def test_a_refusal_has_the_shape_of_the_switch(shape, expected):
    refused = Refused(404, "unknown-path", "no such path")
    settings = DIALECT.settings({"error_body": shape})
    assert json.loads(DIALECT.refusal_body(refused, settings)) == expected
