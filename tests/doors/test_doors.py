"""A client's history does not depend on the door through which it came."""

import io
import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http.client import InvalidURL
from typing import Any
from urllib.parse import urlencode
from wsgiref.validate import validator

import httpx
import pytest
import requests

from fakeserver import doors
from fakeserver.app import FakeServer
from fakeserver.dialects import DIALECTS
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import Holds, LiveServer, listener
from fakeserver.doors.live import HOLD_MS_MAX
from fakeserver.drawing.plan import HAZARD_ODDS
from fakeserver.errors import HarnessError, UsageError
from fakeserver.fault import FAULT_KINDS, Fault
from fakeserver.generate import generate_scenario
from fakeserver.history import Delivered, Exchange, Saved, to_lines
from fakeserver.verifier.feed import Feed
from fakeserver.verifier.runner import run

from .ways import (
    DOORS,
    SOCKETS,
    WAYS,
    Answer,
    Send,
    in_process,
    over_socket,
    way_into,
)
from .worlds import LIST, small_world


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A machine with a proxy that leads nowhere, and a .netrc that knows our host."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))


# One algorithm through every door


def haravan_page(send: Send, feed: Feed, key: Any) -> list[dict[str, Any]]:
    query = urlencode({"since_id": key or 1, "limit": feed.page_size})
    status, _, body = send(feed.url(f"/com/events.json?{query}"))
    assert status == 200
    return json.loads(body)["events"]


def saleschannel_page(send: Send, feed: Feed, key: Any) -> list[dict[str, Any]]:
    query = {
        "$limit": feed.page_size,
        "$orderBy[createdAt]": "asc",
        "$filter[createdAt][gt]": key or "2020-01-01T00:00:00.000Z",
    }
    status, _, body = send(feed.url(f"/saleschannel-services/v1/events?{urlencode(query)}"))
    assert status == 200
    return json.loads(body)


PAGES = {"haravan": (haravan_page, "id"), "saleschannel": (saleschannel_page, "createdAt")}


def client_through(way: str) -> Callable[[Feed], None]:
    """A client that asks something wrong in each poll and then walks, through one door."""

    def follow(feed: Feed) -> None:
        name, _, where = way.partition(" ")
        page_of, key_name = PAGES[feed.dialect]
        with ExitStack() as stack:
            if where == "in process":
                door = in_process(name, lambda door: getattr(feed, door)())
            else:
                door = over_socket(name)
            send = stack.enter_context(door)
            wrong = feed.url("/com/events.json?limit=0&nonsense=%C3%A9")
            assert send(wrong)[0] in (400, 404, 422)
            key = feed.checkpoint
            while page := page_of(send, feed, key):
                for event in page:
                    feed.deliver(event)
                key = page[-1][key_name]
                feed.save(key)
                feed.sleep(0.5)

    return follow


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seed", [1, 8, 9])
def test_equal_histories_through_every_door(dialect, seed):
    # What a fault is called differs from library to library: test_faults compares those.
    hazards = HAZARD_ODDS.keys() - FAULT_KINDS.keys()
    scenario = generate_scenario(dialect=dialect, seed=seed, hazards=hazards)
    histories = {way: to_lines(run(scenario, client_through(way))) for way in WAYS}
    first = histories[WAYS[0]]
    assert {way for way, history in histories.items() if history != first} == set()
    kinds = {type(step) for step in run(scenario, client_through(WAYS[0]))}
    assert {Exchange, Delivered, Saved} <= kinds, "the scenario is too tame to compare anything"
    assert TOKEN.encode() not in first


# Requests of every kind

NO_TOKEN = {"Authorization": "Bearer"}


def odd_requests(dialect: str) -> list[tuple[str, dict[str, Any]]]:
    path = LIST[dialect]
    return [
        (path, {}),
        (f"{path}?limit=0", {}),
        (f"{path}?nonsense=1", {}),
        ("/nowhere", {}),
        (path, {"headers": NO_TOKEN}),
        (path, {"method": "HEAD"}),
        (path, {"body": b'{"limit": 1}'}),
        (path, {"body": b"", "method": "DELETE"}),
        (path, {"body": b"x" * 70_000, "method": "POST"}),
        (path.replace("e", "%65"), {}),
        (f"/%E4%BA%8B{path}", {}),
        (f"/%FF{path}", {}),
        (f"/{path}", {}),
        (f"{path}?%C3%A9v%C3%A9nement=%E4%BA%8B", {}),
        (f"{path}?a=%00&b=%FF&c=+&d=%2B&e&=", {}),
        (f"{path}?", {}),
        (path, {"headers": {"X-Something": "yes", "Accept-Language": "vi"}}),
        (path, {}),
    ]


def valid(app: Any) -> Any:
    """The application in wsgiref's validator, which Werkzeug's own environ would not pass."""
    strict = validator(app)

    def mended(environ: dict[str, Any], start_response: Any) -> Any:
        if "REMOTE_PORT" in environ:
            environ["REMOTE_PORT"] = str(environ["REMOTE_PORT"])
        return strict(environ, start_response)

    return mended


def ask_all(app: Any, way: str, dialect: str) -> list[Answer]:
    with way_into(app, way) as send:
        return [send(target, **options) for target, options in odd_requests(dialect)]


@pytest.fixture(scope="module", params=DIALECTS)
def expected(request) -> tuple[str, list[Answer], bytes]:
    """What comes through the first door: the others must agree."""
    server = FakeServer(small_world(request.param))
    return request.param, ask_all(server, WAYS[0], request.param), to_lines(server.history)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("validated", [False, True], ids=["bare", "validated"])
def test_every_door_gets_the_same_answers(expected, way, validated, capsys):
    dialect, answers, history = expected
    server = FakeServer(small_world(dialect))
    came = ask_all(valid(server) if validated else server, way, dialect)
    assert came == answers
    assert to_lines(server.history) == history
    assert capsys.readouterr().err == "", "an iterator that was not closed is told on stderr"


def test_what_the_odd_requests_are_answered(expected):
    _, answers, history = expected
    statuses = [status for status, _, _ in answers]
    assert statuses[0] == statuses[-1] == 200, "the connection is usable after all the errors"
    assert set(statuses) <= {200, 400, 401, 403, 404, 405, 422}
    assert statuses[4] == 401
    assert len(answers[0][2]) < len(answers[-1][2]), "the third event has appeared meanwhile"
    assert {headers["content-type"] for _, headers, _ in answers} == {
        "application/json; charset=utf-8"
    }
    assert answers[0][1]["date"] == "Sun, 01 Mar 2026 12:00:00 GMT", "the simulated time, once"
    assert TOKEN.encode() not in history


def test_head_has_the_headers_of_get_and_no_body(expected):
    _, answers, _ = expected
    status, headers, body = answers[5]
    assert body == b""
    assert int(headers["content-length"]) > 0
    assert status in (200, 405)


def test_a_body_on_get_is_ignored(expected):
    _, answers, _ = expected
    assert answers[6][0] == 200
    assert answers[6][2] == answers[-1][2]


def test_a_percent_encoded_path_is_the_path(expected):
    _, answers, _ = expected
    assert [answers[place][0] for place in (9, 10, 11)] == [200, 404, 404]


@pytest.mark.parametrize("where", ["in process", "over a socket"])
@pytest.mark.parametrize("name", ["requests", "httpx"])
def test_a_library_encodes_a_query_that_is_not_ascii(name, where):
    server = FakeServer(small_world("haravan"))
    with way_into(server, f"{name} {where}") as send:
        assert send("/com/events.json?verb=đặt hàng")[0] == 200
    (exchange,) = server.history
    assert exchange.target == "/com/events.json?verb=%C4%91%E1%BA%B7t%20h%C3%A0ng"


@pytest.mark.parametrize("where", ["in process", "over a socket"])
def test_urllib_encodes_nothing_and_says_so(where):
    """In process as over a socket, where `http.client` refuses such a URL."""
    server = FakeServer(small_world("haravan"))
    with way_into(server, f"urllib {where}") as send:
        with pytest.raises(UnicodeEncodeError):
            send("/com/events.json?verb=đặt")
        with pytest.raises(InvalidURL, match="control characters"):
            send("/com/events.json?verb=a b")
        assert send("/com/events.json")[0] == 200
    assert len(server.history) == 1


@pytest.mark.parametrize("where", ["in process", "over a socket"])
@pytest.mark.parametrize("name", SOCKETS)
@pytest.mark.parametrize("body", [b"{}", io.BytesIO(b"{}"), iter([b"{", b"}"])], ids=type)
def test_bodies_of_every_kind_are_taken(name, where, body):
    if isinstance(body, io.BytesIO):
        body.seek(0)
    elif not isinstance(body, bytes):
        body = iter([b"{", b"}"])
    server = FakeServer(small_world("haravan"))
    with way_into(server, f"{name} {where}") as send:
        assert send("/com/events.json", method="POST", body=body)[0] == 405


def test_a_door_ignores_the_host_and_the_scheme():
    server = FakeServer(small_world("haravan"))
    for origin in ("https://apis.haravan.com", "http://127.0.0.1:1", "https://shop.example:8443"):
        with in_process("requests", lambda door: getattr(doors, door)(server)) as send:
            assert send(f"{origin}/com/events.json")[0] == 200
    assert len(server.history) == 3


def test_a_netrc_does_not_replace_the_token():
    """`requests` would send the password of the .netrc instead, if it trusted the machine."""
    seen = []

    def app(environ, start_response):
        seen.append(environ["HTTP_AUTHORIZATION"])
        start_response("204 No Content", [])
        return []

    for name in DOORS:
        with in_process(name, lambda door: getattr(doors, door)(app)) as send:
            send(doors.ORIGIN)
    assert seen == [f"Bearer {TOKEN}"] * len(DOORS)


# Applications that are not ours


def test_what_an_application_writes_comes_first():
    def app(environ, start_response):
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"one ")
        return [b"two"]

    assert doors.call(validator(app), "GET", "http://x/", {}).body == b"one two"


def test_an_application_may_start_late_and_change_its_mind():
    def app(environ, start_response):
        start_response("200 OK", [])
        error = ValueError("second thoughts")
        start_response("500 Oops", [("X-Try", "2")], (ValueError, error, None))
        yield b"x"

    reply = doors.call(app, "GET", "http://x/", {})
    assert (reply.status, reply.reason, reply.headers) == (500, "Oops", [("X-Try", "2")])


def silent(environ, start_response):
    return [b"x"]


def twice(environ, start_response):
    start_response("200 OK", [])
    start_response("200 OK", [])
    return [b"x"]


def too_short(environ, start_response):
    start_response("200 OK", [("Content-Length", "7")])
    return [b"12345"]


def complaining(environ, start_response):
    environ["wsgi.errors"].write("something is odd")
    return silent(environ, start_response)


@pytest.mark.parametrize(
    ("app", "says"),
    [
        (silent, "never started an answer to GET /x"),
        (twice, "started a second answer: 200 OK"),
        (too_short, "Content-Length is 7, the body has 5 bytes"),
        (complaining, "something is odd"),
    ],
)
@pytest.mark.parametrize("name", DOORS)
def test_no_answer_is_our_failure(app, says, name):
    """Other libraries' doors hand a short body over in silence (httpx) or hang (a socket)."""
    with (
        in_process(name, lambda door: getattr(doors, door)(app)) as send,
        pytest.raises(HarnessError, match=says.replace("/x", ".*")),
    ):
        send(f"{doors.ORIGIN}/x")


def test_an_iterable_is_closed_even_if_it_fails():
    closed = []

    class Body:
        def __iter__(self):
            yield b"x"
            raise OSError("gone")

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", [])
        return Body()

    with pytest.raises(OSError, match="gone"):
        doors.call(app, "GET", "http://x/", {})
    assert closed == [True]


# The fake fails


def broken_server(monkeypatch) -> FakeServer:
    server = FakeServer(small_world("haravan"))

    def fail(*_args, **_options):
        raise LookupError("planted")

    monkeypatch.setattr(server.world, "ask", fail)
    return server


@pytest.mark.parametrize("name", DOORS)
def test_a_slip_of_the_fake_is_a_harness_error(monkeypatch, name):
    server = broken_server(monkeypatch)
    with (
        in_process(name, lambda door: getattr(doors, door)(server)) as send,
        pytest.raises(HarnessError, match=r"GET /com/events\.json: LookupError: planted"),
    ):
        send(f"{doors.ORIGIN}/com/events.json")
    assert isinstance(server.failure, HarnessError)


def test_a_slip_behind_a_socket_is_raised_where_it_was_opened(monkeypatch, capsys):
    server = broken_server(monkeypatch)
    with (
        pytest.raises(HarnessError, match="planted"),
        doors.live(server) as url,
        over_socket("requests") as send,
    ):
        assert send(f"{url}/com/events.json")[0] == 500
    assert capsys.readouterr() == ("", "")


def test_a_dropped_connection_does_not_hang():
    def app(environ, start_response):
        raise ConnectionResetError

    with (
        doors.live(app) as url,
        over_socket("httpx") as send,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        send(url)


@pytest.mark.parametrize(
    ("remembers", "is_there", "held"), [(False, True, 3), (True, True, 1), (True, False, 3)]
)
def test_whether_a_client_waits_is_tried_once(monkeypatch, remembers, is_there, held):
    waits = []
    monkeypatch.setattr(listener, "hold", lambda _, seconds: waits.append(seconds) or is_there)
    server = FakeServer(small_world("haravan"))
    server.arm(Fault(kind="slow-answer", ms=60_000, times=3))
    live = LiveServer(server, holds=Holds() if remembers else None)
    with over_socket("requests") as send:
        for _ in range(3):
            with suppress(requests.ConnectionError):
                send(f"{live.url}/com/events.json")
    live.close()
    assert waits == [HOLD_MS_MAX / 1000] * held
    assert [step.fault for step in server.history] == ["slow-answer"] * 3
    assert server.now >= server.scenario.starts_at + 3 * 60_000


def test_httpx_is_only_needed_for_its_own_doors(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    server = FakeServer(small_world("haravan"))
    for door in (doors.httpx_client, doors.httpx_async_client):
        with pytest.raises(UsageError, match=r"pip install 'fakeserver\[httpx\]'"):
            door(server)
    with in_process("urllib", lambda door: getattr(doors, door)(server)) as send:
        assert send(f"{doors.ORIGIN}/com/events.json")[0] == 200
