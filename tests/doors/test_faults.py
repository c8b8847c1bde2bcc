"""Every fault through every door: what the user of a library sees on a real net, and no more.

One table of faults and ways. A way is a library in process or over a socket; what it shows is
either an answer or the library's own exception.
"""

import http.client
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec
import pytest
import requests

from fakeserver import doors
from fakeserver.app import FakeServer
from fakeserver.errors import HarnessError, RunStopped
from fakeserver.fault import FAULT_KINDS, Fault
from fakeserver.history import AnyStep, Exchange

from .ways import DOORS, HOSTED, WAYS, Answer, Send, in_process, way_into
from .worlds import LIST, START, small_world

ALL_WAYS = [*WAYS, *HOSTED]
HURRY_S = 0.2
"""A client's patience; its time-out hits long before the end of `SLOW_MS`."""
SLOW_MS = 1_900
"""Below the two seconds that a live door waits at most."""
A_WHILE_MS = 20
"""What a patient client waits, over a socket in earnest."""

TIMEOUTS: Mapping[str, Any] = {
    "requests": (None, HURRY_S),
    "httpx": httpx.Timeout(None, read=HURRY_S),
    "httpx-async": httpx.Timeout(None, read=HURRY_S),
    "urllib": HURRY_S,
}
DROPPED = {
    "requests": requests.ConnectionError,
    "httpx": httpx.RemoteProtocolError,
    "urllib": http.client.RemoteDisconnected,
}
CUT = {
    "requests": requests.exceptions.ChunkedEncodingError,
    "httpx": httpx.RemoteProtocolError,
    "urllib": http.client.IncompleteRead,
}
TIMED_OUT = {
    "requests": requests.ReadTimeout,
    "httpx": httpx.ReadTimeout,
    "urllib": TimeoutError,
}


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table: a fault, and what becomes of the request that it hits.

    `raises` has the exception for each library; else the answer has `status`, the header
    ``Retry-After`` and so many `rows`. `repeated` says that a retry gets the first answer again,
    `hurried` that the client has a time-out, `recorded` what the step tells besides.
    """

    fault: Fault
    status: int = 200
    retry_after: str | None = None
    rows: int = 2
    raises: dict[str, type[Exception]] | None = None
    hurried: bool = False
    recorded: dict[str, Any] = {}
    repeated: bool = False


def refused(status: int, kind: Any = "server-error", **fields: Any) -> Cell:
    seconds = fields.get("retry_after_s")
    status_of_its_own = {"status": status} if kind == "server-error" else {}
    return Cell(
        fault=Fault(kind=kind, **status_of_its_own, **fields),
        status=status,
        rows=0,
        retry_after=None if seconds is None else f"{seconds:g}",
        recorded={} if seconds is None else {"retry_after_s": seconds},
    )


CELLS: Mapping[str, Cell] = {
    "500": refused(500),
    "502": refused(502),
    "503": refused(503),
    "500, Retry-After": refused(500, retry_after_s=1.0),
    "502, Retry-After": refused(502, retry_after_s=0.5),
    "503, Retry-After": refused(503, retry_after_s=120.0),
    "429": refused(429, "rate-limited"),
    "429, Retry-After": refused(429, "rate-limited", retry_after_s=2.0),
    "transient 422": refused(422, "transient-422"),
    "token expired": refused(401, "token-expired"),
    "dropped": Cell(fault=Fault(kind="dropped-connection"), status=0, rows=0, raises=DROPPED),
    "cut": Cell(fault=Fault(kind="truncated-body"), status=200, rows=0, raises=CUT),
    "slow": Cell(fault=Fault(kind="slow-answer", ms=A_WHILE_MS), recorded={"took_ms": A_WHILE_MS}),
    "too slow": Cell(
        fault=Fault(kind="slow-answer", ms=SLOW_MS),
        status=0,
        rows=0,
        raises=TIMED_OUT,
        hurried=True,
    ),
    "stale": Cell(
        fault=Fault(kind="stale-read", ms=5_000), rows=0, recorded={"as_of": START - 5_000}
    ),
    "repeated": Cell(
        fault=Fault(kind="repeated-answer"), status=0, rows=0, raises=DROPPED, repeated=True
    ),
    "repeated after a time-out": Cell(
        fault=Fault(kind="repeated-answer", ms=SLOW_MS),
        status=0,
        rows=0,
        raises=TIMED_OUT,
        hurried=True,
        repeated=True,
    ),
}

Seen = tuple[int, str | None, int] | type[BaseException]
"""What a user sees: status, ``Retry-After`` and number of rows, or the type of an exception."""


def rows_of(body: bytes) -> list[Any]:
    """The rows of an answer; an error has none."""
    read = json.loads(body)
    return read if isinstance(read, list) else read.get("events", [])


def see(send: Callable[[], Answer]) -> Seen:
    """Send, and say what the user of the library sees."""
    try:
        status, headers, body = send()
    except Exception as error:
        return type(error)
    return status, headers.get("retry-after"), len(rows_of(body))


def library(way: str) -> str:
    return way.partition(" ")[0].removesuffix("-async")


def options(cell: Cell, way: str) -> dict[str, Any]:
    return {"timeout": TIMEOUTS[way.partition(" ")[0]]} if cell.hurried else {}


def test_the_table_has_every_kind():
    assert {cell.fault.kind for cell in CELLS.values()} == set(FAULT_KINDS)


@pytest.mark.parametrize(
    ("way", "dialect"),
    [*((way, "haravan") for way in ALL_WAYS), ("requests in process", "saleschannel")],
)
@pytest.mark.parametrize("name", CELLS)
def test_a_fault_looks_as_on_a_real_net_and_a_retry_succeeds(name, way, dialect):
    cell, server = CELLS[name], FakeServer(small_world(dialect))
    with way_into(server, way) as send:
        server.arm(cell.fault)
        seen = see(lambda: send(LIST[dialect], **options(cell, way)))
        expected = (cell.status, cell.retry_after, cell.rows)
        assert seen == (expected if cell.raises is None else cell.raises[library(way)])
        assert see(lambda: send(LIST[dialect]))[0] == 200
        assert server.armed == ()
    assert server.failure is None
    first, again = recorded(server)
    assert (first.status, len(first.event_ids)) == (cell.status, cell.rows)
    assert first.fault == cell.fault.kind
    told = {n: v for n in ("retry_after_s", "took_ms", "as_of") if (v := getattr(first, n))}
    assert told == cell.recorded
    assert again.fault == ("repeated-answer" if cell.repeated else None)
    assert again.event_ids


def recorded(server: FakeServer) -> list[Exchange]:
    return [step for step in server.history if isinstance(step, Exchange)]


@pytest.mark.parametrize("name", CELLS)
def test_the_history_is_the_same_through_every_door(name):
    histories = {way: played(name, way) for way in ALL_WAYS}
    if CELLS[name].hurried:
        # When its client gave up a live server does not know: only that it did.
        histories = {way: list(map(without_time, steps)) for way, steps in histories.items()}
    first = histories[WAYS[0]]
    assert len(first) == 4
    assert {way for way, steps in histories.items() if steps != first} == set()


def played(name: str, way: str) -> list[AnyStep]:
    """The steps of four requests, of which the second and the third meet the fault."""
    cell, server = CELLS[name], FakeServer(small_world("haravan"))
    server.arm(msgspec.structs.replace(cell.fault, nth=2, times=2))
    with way_into(server, way) as send:
        for _ in range(4):
            see(lambda: send(LIST["haravan"], **options(cell, way)))
    return list(server.history)


def without_time(step: AnyStep) -> AnyStep:
    """A step without instants; how many rows there were then depends on them."""
    assert isinstance(step, Exchange)
    seen = ("some",) if step.event_ids else ()
    return msgspec.structs.replace(step, at=0, as_of=None, event_ids=seen)


# The words and details of each library


@pytest.mark.parametrize("way", ALL_WAYS)
def test_an_exception_says_the_same_in_process_and_over_a_socket(way):
    """Also the request, where the library tells it."""
    server = FakeServer(small_world("haravan"))
    says = {
        "requests": ("Connection aborted", "Connection broken: IncompleteRead", "Read timed out"),
        "httpx": ("disconnected without", "peer closed connection without", "timed out"),
        "urllib": ("closed connection without response", "IncompleteRead", "timed out"),
    }[library(way)]
    cells = ("dropped", "cut", "too slow")
    with way_into(server, way) as send:
        for name, words in zip(cells, says, strict=True):
            server.arm(CELLS[name].fault)
            errors = CELLS[name].raises or {}
            with pytest.raises(errors[library(way)], match=words) as caught:
                send(LIST["haravan"], **options(CELLS[name], way))
            if library(way) != "urllib" and name != "cut":
                assert str(caught.value.request.url).endswith(LIST["haravan"])


@pytest.mark.parametrize("way", ALL_WAYS)
def test_head_has_no_body_to_cut(way):
    server = FakeServer(small_world("haravan"))
    server.arm(Fault(kind="truncated-body"))
    with way_into(server, way) as send:
        assert send(LIST["haravan"], method="HEAD")[0] == 200
    assert [step.fault for step in recorded(server)] == [None]


@pytest.mark.parametrize("way", ALL_WAYS)
def test_every_method_counts(way):
    server = FakeServer(small_world("haravan"))
    server.arm(Fault(kind="server-error", nth=3))
    with way_into(server, way) as send:
        statuses = [send(LIST["haravan"], method=m)[0] for m in ("HEAD", "DELETE", "HEAD", "GET")]
    assert statuses == [200, 405, 503, 200]


@pytest.mark.parametrize("way", ALL_WAYS)
def test_an_error_has_headers_and_a_body_of_the_dialect(way):
    server = FakeServer(small_world("haravan"))
    server.arm(Fault(kind="token-expired"))
    with way_into(server, way) as send:
        status, headers, body = send(LIST["haravan"])
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert "token" in json.loads(body)["errors"]


# Time


def patient(name: str) -> list[Any]:
    """Time-outs that are longer than `SLOW_MS`, in all forms that a library takes."""
    return {
        "requests": [None, 2, (0.1, 2), (0.1, None), requests.adapters.TimeoutSauce(read=2)],
        "httpx": [None, 2, httpx.Timeout(0.1, read=2)],
        "urllib": [2, None],
    }[name]


def hurried(name: str) -> list[Any]:
    return {
        "requests": [1.899, (2, 1), requests.adapters.TimeoutSauce(connect=2, read=1)],
        "httpx": [1.899, httpx.Timeout(2, read=1)],
        "urllib": [1.899, 1],
    }[name]


@pytest.mark.parametrize("name", DOORS)
def test_a_door_without_a_socket_counts_simulated_time(name):
    server = FakeServer(small_world("haravan"))
    with in_process(name, lambda door: getattr(doors, door)(server)) as send:
        for timeout in patient(library(name)):
            server.arm(Fault(kind="slow-answer", ms=SLOW_MS))
            before = server.now
            assert send(server.url(LIST["haravan"]), timeout=timeout)[0] == 200
            assert server.now - before == server.scenario.request_ms + SLOW_MS
        for timeout in hurried(library(name)):
            server.arm(Fault(kind="slow-answer", ms=SLOW_MS))
            before = server.now
            with pytest.raises(TIMED_OUT[library(name)]):
                send(server.url(LIST["haravan"]), timeout=timeout)
            waited = 1_899 if timeout == 1.899 else 1_000
            assert server.now - before == server.scenario.request_ms + waited


def test_httpx_gives_up_after_five_seconds_unless_told_otherwise():
    """Its default, which a user of our door meets as well."""
    server = FakeServer(small_world("haravan"))
    with doors.httpx_client(server) as client:
        server.arm(Fault(kind="slow-answer", ms=5_001))
        with pytest.raises(httpx.ReadTimeout):
            client.get(LIST["haravan"])
        server.arm(Fault(kind="slow-answer", ms=5_000))
        assert client.get(LIST["haravan"]).status_code == 200


@pytest.mark.parametrize("way", ALL_WAYS)
def test_who_waits_for_the_answer_is_not_given_it_again(way):
    server = FakeServer(small_world("haravan"))
    server.arm(Fault(kind="repeated-answer", ms=A_WHILE_MS))
    with way_into(server, way) as send:
        for _ in range(2):
            assert send(LIST["haravan"])[0] == 200
    assert [step.fault for step in recorded(server)] == ["repeated-answer", None]


# Reading a cut body piece by piece


def test_requests_streams_what_came_and_then_says_that_it_broke():
    server = FakeServer(small_world("haravan"))
    with doors.requests_session(server) as session:
        whole = session.get(server.url(LIST["haravan"])).content
        server.advance(10)
        whole = session.get(server.url(LIST["haravan"])).content
        server.arm(Fault(kind="truncated-body"))
        came = session.get(server.url(LIST["haravan"]), stream=True)
        assert (came.status_code, came.headers["Content-Length"]) == (200, str(len(whole)))
        pieces = []
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            pieces.extend(iter_into(pieces, came.iter_content(64)))
        assert b"".join(pieces) == whole[: len(whole) // 2]


def iter_into(pieces, chunks):
    for chunk in chunks:
        pieces.append(chunk)
    return []


def test_httpx_streams_what_came_and_then_says_that_it_broke():
    server = FakeServer(small_world("haravan"))
    pieces: list[bytes] = []
    with doors.httpx_client(server) as client:
        server.arm(Fault(kind="truncated-body"))
        with client.stream("GET", LIST["haravan"]) as came:
            assert came.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError, match=r"received \d+ bytes, expected"):
                iter_into(pieces, came.iter_raw())
    assert len(b"".join(pieces)) == int(came.headers["content-length"]) // 2


def test_urllib_says_that_it_broke_only_to_who_reads_all():
    """As `http.client` does: a read of some bytes ends as at the end of a file."""
    server = FakeServer(small_world("haravan"))
    opener = doors.urllib_opener(server)
    server.arm(Fault(kind="truncated-body", times=2))
    with opener.open(server.url(LIST["haravan"])) as came:
        got = b"".join(iter(lambda: came.read(64), b""))
    assert len(got) == int(came.headers["Content-Length"]) // 2
    with (
        opener.open(server.url(LIST["haravan"])) as came,
        pytest.raises(http.client.IncompleteRead) as caught,
    ):
        came.read()
    assert caught.value.partial == got


# A slip of ours is none of these


@pytest.mark.parametrize("name", DOORS)
def test_a_short_body_without_a_fault_is_our_failure(name):
    """Even while another fault is armed, and even if a body was cut before."""
    server = FakeServer(small_world("haravan"))

    def app(environ, start_response):
        answer = server(environ, start_response)
        return answer if environ["fakeserver.exchange"].fault else [b"".join(answer)[:-1]]

    server.arm(Fault(kind="truncated-body"), Fault(kind="server-error", nth=3))
    with in_process(name, lambda door: getattr(doors, door)(app)) as send:
        with pytest.raises(CUT[library(name)]):
            send(server.url(LIST["haravan"]))
        with pytest.raises(HarnessError, match=r"Content-Length is \d+, the body has \d+ bytes"):
            send(server.url(LIST["haravan"]))
        assert send(server.url(LIST["haravan"]))[0] == 503


@pytest.mark.parametrize("way", ALL_WAYS)
def test_a_slip_while_a_fault_is_armed_is_our_failure(way, monkeypatch):
    server = FakeServer(small_world("haravan"))
    server.arm(Fault(kind="dropped-connection", nth=2))

    def fail(*_args, **_options):
        raise LookupError("planted")

    monkeypatch.setattr(type(server.world), "_answer", fail)
    with pytest.raises(HarnessError, match="planted"), way_into(server, way) as send:
        send(LIST["haravan"])
    assert isinstance(server.failure, HarnessError)


@pytest.mark.parametrize("way", WAYS)
def test_a_stopped_client_counts_no_request(way):
    """What ends a run comes before everything else."""

    class Stop(RunStopped):
        pass

    def stop() -> None:
        raise Stop

    server = FakeServer(small_world("haravan"))
    server.arm(Fault(kind="dropped-connection"))
    server.world.before_ask = stop
    with way_into(server, way) as send:
        try:
            send(LIST["haravan"])
        except Stop:
            assert "in process" in way
    assert server.armed == ((Fault(kind="dropped-connection"), 1),)
    assert server.history == ()


# The leaky bucket


def limited() -> FakeServer:
    scenario = small_world("haravan")
    return FakeServer(
        msgspec.structs.replace(
            scenario, request_ms=0, settings={**scenario.settings, "rate_limit": "bucket-80-4"}
        )
    )


def ask_often(send: Send, count: int) -> list[tuple[int, str, str | None]]:
    answers = [send(LIST["haravan"], method="HEAD") for _ in range(count)]
    return [(s, h["x-haravan-api-call-limit"], h.get("retry-after")) for s, h, _ in answers]


@pytest.mark.parametrize("way", ALL_WAYS)
def test_the_bucket_takes_eighty_and_leaks_four_a_second(way):
    server = limited()
    with way_into(server, way) as send:
        assert ask_often(send, 80) == [(200, f"{used}/80", None) for used in range(1, 81)]
        # A refusal is told the wait, and does not fill the bucket.
        assert ask_often(send, 3) == [(429, "80/80", "2.0")] * 3
        server.advance(0.249)
        assert ask_often(send, 1) == [(429, "80/80", "2.0")]
        server.advance(0.001)
        assert ask_often(send, 2) == [(200, "80/80", None), (429, "80/80", "2.0")]
        server.advance(2)
        assert [status for status, _, _ in ask_often(send, 9)] == [200] * 8 + [429]
        server.advance(3_600)
        assert ask_often(send, 1) == [(200, "1/80", None)]
    exchange = recorded(server)[80]
    assert (exchange.status, exchange.retry_after_s, exchange.problem) == (429, 2.0, None)


@pytest.mark.parametrize("way", ALL_WAYS)
def test_every_answer_tells_how_full_the_bucket_is(way):
    """Errors too; what never reached the API does not fill it."""
    server = limited()
    server.arm(Fault(kind="server-error", nth=2), Fault(kind="truncated-body", nth=3))
    path, name = LIST["haravan"], "x-haravan-api-call-limit"
    with way_into(server, way) as send:
        assert send(f"{path}?limit=0")[1][name] == "1/80"
        status, headers, body = send(path)
        assert (status, headers[name]) == (503, "1/80")
        assert json.loads(body)["errors"]
        with pytest.raises(CUT[library(way)]):
            send(path)
        assert send("/nowhere")[1][name] == "3/80"
        assert send(path, method="DELETE")[1][name] == "4/80"


def test_without_the_switch_there_is_no_limit():
    server = FakeServer(small_world("haravan"))
    with doors.requests_session(server) as session:
        answers = [session.get(server.url(LIST["haravan"])) for _ in range(100)]
    assert {answer.status_code for answer in answers} == {200}
    assert all("X-Haravan-Api-Call-Limit" not in answer.headers for answer in answers)
