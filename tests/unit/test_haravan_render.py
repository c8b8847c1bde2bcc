"""Answers: the shape of the samples, the same truth in a list and alone, and safe for any text."""

import json

import pytest

from fakeserver.clock import INSTANT_MAX, INSTANT_MIN, at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Ask, Refused
from fakeserver.log import EventLog
from fakeserver.scenario import LoggedEvent

DIALECT = find_dialect("haravan")
STAMP = at("2026-03-01T05:00:00Z")
KEYS = [
    "arguments",
    "body",
    "created_at",
    "id",
    "subject_id",
    "subject_type",
    "verb",
    "message",
    "author",
    "description",
    "path",
]


def event(event_id: int = 5, *, stamp: int | None = STAMP, **fields: object) -> LoggedEvent:
    told = {
        "arguments": ["#1001", "Bob Norman"],
        "body": None,
        "subject_id": 450789469,
        "subject_type": "Order",
        "verb": "confirmed",
        "message": 'Received new order <a href="/admin/orders/450789469">#1001</a>',
        "author": "haravan",
        "description": None,
        "path": "/admin/orders/450789469",
    }
    return LoggedEvent(id=event_id, recorded_at=stamp, visible_at=STAMP, fields=told | fields)


def body(path: str, *events: LoggedEvent, **settings: object) -> bytes:
    ask = Ask(path=path, headers={"authorization": f"Bearer {TOKEN}"})
    got = DIALECT.answer(ask, EventLog(events), STAMP, DIALECT.settings(settings))
    assert got.status == 200
    return got.body


def test_an_event_has_the_keys_of_the_samples_in_their_order():
    assert list(DIALECT.render_event(event(), DIALECT.settings({}))) == KEYS


def test_list_and_single_event_show_what_render_event_says():
    """Deliveries are compared with `render_event`: it must be the served truth."""
    truth = DIALECT.render_event(event(), DIALECT.settings({}))
    assert json.loads(body("/com/events.json", event())) == {"events": [truth]}
    assert json.loads(body("/com/events/5.json", event())) == {"event": truth}


def test_an_empty_log_is_an_empty_list_and_a_count_of_none():
    assert body("/com/events.json") == b'{"events":[]}'
    assert body("/com/events/count.json") == b'{"count":0}'


def test_the_stamp_has_the_shop_s_offset_of_that_day():
    """A shop with summer time shows two offsets; the event before the change keeps its own."""
    winter = DIALECT.render_event(event(), DIALECT.settings({"shop_zone": "America/New_York"}))
    assert winter["created_at"] == "2026-03-01T00:00:00-05:00"
    summer = event(stamp=at("2026-07-01T05:00:00Z"))
    shown = DIALECT.render_event(summer, DIALECT.settings({"shop_zone": "America/New_York"}))
    assert shown["created_at"] == "2026-07-01T01:00:00-04:00"


@pytest.mark.parametrize("output", ["offset", "utc"])
@pytest.mark.parametrize("stamp", [INSTANT_MIN, INSTANT_MAX, None])
def test_the_edges_of_the_calendar_can_be_shown(output, stamp):
    """A scenario may hold them, and no shop's offset may lead out of the years 1 to 9999."""
    for zone in ("America/New_York", "Asia/Ho_Chi_Minh"):
        settings = DIALECT.settings({"time_output": output, "shop_zone": zone})
        shown = DIALECT.render_event(event(stamp=stamp), settings)["created_at"]
        assert shown is None if stamp is None else shown[:4] in ("0001", "9999")


@pytest.mark.parametrize(
    "text", ['"', "\\", "\\/", "/", "</script>", "\x00", "\u2028", "💥", "é", "•"]
)
@pytest.mark.parametrize("ascii_", ["utf-8", "escaped"])
@pytest.mark.parametrize("slashes", ["plain", "escaped"])
def test_any_text_survives_every_way_of_writing_it(text, ascii_, slashes):
    sent = body("/com/events.json", event(message=text), ascii=ascii_, slashes=slashes)
    assert json.loads(sent)["events"][0]["message"] == text
    if ascii_ == "escaped":
        assert sent.isascii()
    if slashes == "escaped":
        assert sent.count(b"/") == sent.count(rb"\/")


SAYS = "limit: expected a whole number, got 'đ'"
REFUSALS = [
    ("errors-sentence", "bad-number", {"errors": SAYS}),
    ("errors-base", "bad-number", {"errors": {"base": [SAYS]}}),
    ("message", "bad-number", {"message": SAYS}),
    ("empty", "bad-number", {}),
    ("vietnamese", "bad-number", {"errors": SAYS}),
    ("vietnamese", "limit-over-max", {"errors": "Tối đa chỉ được 50"}),
]


@pytest.mark.parametrize(("shape", "code", "expected"), REFUSALS)
def test_a_refusal_has_the_shape_of_the_switch(shape, code, expected):
    settings = DIALECT.settings({"error_body": shape})
    assert json.loads(DIALECT.refusal_body(Refused(422, code, SAYS), settings)) == expected


def test_every_shape_of_a_refusal_is_shown():
    assert {shape for shape, _, _ in REFUSALS} == set(DIALECT.switch("error_body").values)


def test_a_refusal_is_written_as_answers_are():
    settings = DIALECT.settings({"ascii": "escaped", "slashes": "escaped"})
    body = DIALECT.refusal_body(Refused(404, "unknown-path", "got /đ"), settings)
    assert body == rb'{"errors": "got \/\u0111"}'.replace(b": ", b":")


def test_fields_apply_to_a_single_event_too():
    assert json.loads(body("/com/events/5.json", event()))["event"]["id"] == 5
    ask = Ask(
        path="/com/events/5.json",
        query="fields=path,id",
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    got = DIALECT.answer(ask, EventLog([event()]), STAMP, DIALECT.settings({}))
    assert got.body == b'{"event":{"id":5,"path":"/admin/orders/450789469"}}'
    assert got.event_ids == (5,)
