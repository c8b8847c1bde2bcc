"""Every byte that the fake serves keeps the documents: generated worlds, profiles, requests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakeserver.app import FakeServer
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Settings
from fakeserver.doors import Reply, call
from fakeserver.fault import Fault
from fakeserver.generate import generate_scenario

from ._checks import body_problems, problems
from ._documents import openapi
from ._requests import BEARER, draw_request

ANY_VALUE = "any value"
"""Not a profile: every switch at any value that it can take."""
WORLDS = 25
REQUESTS_MAX = 4
HOUR_S = 3600
FAULTS: Sequence[tuple[Fault, ...]] = (
    *([()] * 6),
    *((Fault(kind="server-error", status=status),) for status in (500, 502, 503)),
    (Fault(kind="server-error", status=503, retry_after_s=2.5),),
    (Fault(kind="rate-limited", retry_after_s=2.0),),
    (Fault(kind="transient-422"),),
    (Fault(kind="token-expired"),),
    (Fault(kind="stale-read", ms=60_000),),
)
"""What goes wrong and still leaves a whole answer."""


def turned(dialect: str, profile: str) -> st.SearchStrategy[Settings]:
    """Switches to be turned from the profile's values to others: none, but for `ANY_VALUE`."""
    if profile != ANY_VALUE:
        return st.just({})
    switches = find_dialect(dialect).switches
    choices = [(switch.name, value) for switch in switches for value in switch.values[1:]]
    return st.lists(st.sampled_from(choices), max_size=8).map(dict)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_answer_keeps_the_document(api_dialect: str, api_profile: str, data: Any) -> None:
    """Status, headers, media type and body; for right requests and wrong ones."""
    hold(api_dialect, api_profile, data)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_answer_keeps_the_document_at_any_value(api_dialect: str, data: Any) -> None:
    """Every switch at any value that it can take, whether a profile has it or not."""
    hold(api_dialect, ANY_VALUE, data)


def hold(dialect: str, profile: str, data: Any) -> None:
    """Play one world, ask it, and hold every answer to the document."""
    chosen = data.draw(turned(dialect, profile), label="turned")
    base = find_dialect(dialect).profile("default" if profile == ANY_VALUE else profile)
    example = data.draw(st.integers(0, 10_000), label="example")
    scenario = generate_scenario(
        profile=base.narrowed(**chosen), dialect=dialect, seed=1, example=example
    )
    server = FakeServer(scenario)
    random = data.draw(st.randoms(use_true_random=False))
    for _ in range(data.draw(st.integers(1, REQUESTS_MAX), label="requests")):
        server.advance(random.choice((0, 60, HOUR_S)))
        server.arm(*random.choice(FAULTS))
        asked = draw_request(random, scenario)
        url = server.url(asked.path) + (f"?{asked.query}" if asked.query else "")
        reply = call(server, asked.method, url, asked.headers)
        assert problems(dialect, asked.method, asked.path, reply) == []
        assert "fields" in asked.query or strangers(dialect, reply) == []


def strangers(dialect: str, reply: Reply) -> list[str]:
    """What keeps an answer that has no `fields` from being one of whole, known events.

    The documents let an API add fields to its events; the fake must not do so unnoticed.
    """
    if reply.status != 200 or not reply.body:
        return []
    rows = rows_in(json.loads(reply.body))
    schemas = openapi(dialect)["components"]["schemas"]
    known = set(schemas["EventPart" if "EventPart" in schemas else "Event"]["properties"])
    whole = "#/components/schemas/Event"
    return [
        problem
        for row in rows
        if row is not None
        for problem in (
            *body_problems(dialect, whole, json.dumps(row).encode()),
            *(f"unknown field {name}" for name in sorted(set(row) - known)),
        )
    ]


def rows_in(body: Any) -> list[Any]:
    """The events in an answer: a bare list, the list in an envelope, or the one ``event``."""
    if isinstance(body, list):
        return body
    lists = [value for value in body.values() if isinstance(value, list)]
    return lists[0] if lists else [body.get("event")]


def listed(dialect: str) -> tuple[FakeServer, str, Reply]:
    """A fake with events, the path of its list, and the list."""
    scenario = next(
        world
        for example in range(WORLDS)
        if (world := generate_scenario(dialect=dialect, seed=1, example=example)).events
    )
    server = FakeServer(scenario)
    server.advance(HOUR_S)
    path = find_dialect(dialect).list_path
    return server, path, call(server, "GET", server.url(path), BEARER)


def changed(reply: Reply, **changes: Any) -> Reply:
    """The same answer with something else in it."""
    fields = {name: getattr(reply, name) for name in ("status", "reason", "headers", "body")}
    return Reply(**{**fields, **changes})


def test_the_innocent_is_spared(api_dialect: str) -> None:
    """The list as it is, so that the next test proves something."""
    _, path, reply = listed(api_dialect)
    assert problems(api_dialect, "GET", path, reply) == []
    assert strangers(api_dialect, reply) == []
    assert reply.status == 200


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"status": 302}, "status 302"),
        ({"body": b"oops"}, "not JSON"),
        ({"body": b'"\xff"'}, "not JSON"),
        ({"body": b"NaN"}, "not JSON"),
        ({"body": b"7"}, "body at /"),
        ({"headers": []}, "the header date is missing"),
        ({"headers": [("Content-Type", "text/html")]}, "content-type"),
        ({"headers": [("X-Debug", "1")]}, "not documented"),
        ({"headers": [("Date", "today")]}, "the header date is"),
        ({"headers": [("Date", "a"), ("Date", "b")]}, "twice"),
    ],
    ids=str,
)
def test_a_broken_answer_is_seen(api_dialect: str, changes: dict[str, Any], says: str) -> None:
    """The culprits: one thing wrong with a right answer."""
    _, path, reply = listed(api_dialect)
    assert says in "\n".join(problems(api_dialect, "GET", path, changed(reply, **changes)))


@pytest.mark.parametrize(
    "broken", [{"id": None}, {"id": ""}, {"secret": 1}, {"createdAt": 5, "created_at": 5}]
)
def test_a_broken_event_is_seen(api_dialect: str, broken: dict[str, object]) -> None:
    """The same list with an event that no API shows."""
    _, _, reply = listed(api_dialect)
    body = json.loads(reply.body)
    rows_in(body)[0].update(broken)
    assert strangers(api_dialect, changed(reply, body=json.dumps(body).encode()))


def test_the_drawn_requests_are_of_both_kinds(api_dialect: str) -> None:
    """Were they all wrong, or all right, the property above would hold of little."""
    server, _, _ = listed(api_dialect)
    random, statuses = Random(1), []  # noqa: S311 - reproducible, not secret
    for _ in range(200):
        asked = draw_request(random, server.scenario)
        url = f"{server.url(asked.path)}?{asked.query}"
        statuses.append(call(server, asked.method, url, asked.headers).status)
    assert statuses.count(200) > 40
    assert len(set(statuses)) >= 5
