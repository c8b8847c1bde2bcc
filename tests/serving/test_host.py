"""A WSGI application on a real socket: kept connections, faults, hostile bytes, the end."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from random import Random
from threading import Barrier, Event, Thread
from typing import Any

import pytest
import requests

from fakeserver.app import HOLD, FakeServer
from fakeserver.errors import HarnessError, UsageError
from fakeserver.fault import Fault
from fakeserver.generate import generate_scenario
from fakeserver.history import Exchange
from fakeserver.serving import host as hosting
from fakeserver.serving.host import Host

PATIENCE_S = 20
"""How long a test waits for what must come; nothing is measured by it."""


@contextmanager
def serving(app: Callable[..., Any], **options: Any) -> Iterator[Host]:
    """A server for `app` while the block runs; it must end by itself when told to."""
    host = Host(app, **options)
    thread = Thread(target=host.serve)
    thread.start()
    try:
        yield host
    finally:
        host.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def mirror(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with what came."""
    said = {key: value for key, value in environ.items() if isinstance(value, str)}
    said["body"] = environ["wsgi.input"].read().decode("latin-1")
    body = json.dumps(said).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("X-App", "mirror")])
    return [body]


def ask(url: str, method: str = "GET", **options: Any) -> requests.Response:
    """Ask with requests, whatever proxy the machine may have."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, timeout=PATIENCE_S, **options)


def open_socket(host: Host) -> socket.socket:
    return socket.create_connection(("127.0.0.1", host.port), timeout=PATIENCE_S)


def exchange(host: Host, sent: bytes) -> bytes:
    """Everything that comes until the server closes."""
    with open_socket(host) as client:
        client.sendall(sent)
        return all_of(client)


def all_of(client: socket.socket) -> bytes:
    received = b""
    while part := client.recv(65_536):
        received += part
    return received


def one_answer(client: socket.socket) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(client)
    answer.begin()
    return answer


GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_port_0_is_bound_and_told_before_serving() -> None:
    host = Host(mirror)
    assert host.port > 0
    assert host.url == f"http://127.0.0.1:{host.port}"
    with open_socket(host) as client:  # nobody serves yet, and yet it connects
        thread = Thread(target=host.serve)
        thread.start()
        client.sendall(GET)
        assert one_answer(client).status == 200
        host.stop()
        thread.join(PATIENCE_S)


def test_what_the_application_sees() -> None:
    with serving(mirror) as host:
        answer = ask(
            f"{host.url}/a%20b/%C3%A4?q=%20+&x=1",
            "POST",
            data="body",
            headers={"Authorization": "Bearer t", "Content-Type": "text/plain"},
        )
    said = answer.json()
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/ä".encode().decode("latin-1"),
        "QUERY_STRING": "q=%20+&x=1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(host.port),
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": f"127.0.0.1:{host.port}",
        "HTTP_AUTHORIZATION": "Bearer t",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "4",
        "body": "body",
    }
    assert {key: said.get(key) for key in expected} == expected


def test_headers_are_only_the_applications() -> None:
    with serving(mirror) as host, open_socket(host) as client:
        client.sendall(GET)
        answer = one_answer(client)
        assert [name for name, _ in answer.getheaders()] == [
            "Content-Type",
            "X-App",
            "Content-Length",
        ]


def test_a_connection_serves_one_request_after_the_other() -> None:
    with (
        serving(mirror) as host,
        closing(http.client.HTTPConnection("127.0.0.1", host.port, timeout=PATIENCE_S)) as client,
    ):
        ports = set()
        for n in range(3):
            client.request("POST", f"/{n}", body=b"x" * n)
            answer = client.getresponse()
            assert json.loads(answer.read())["PATH_INFO"] == f"/{n}"
            assert client.sock is not None
            ports.add(client.sock.getsockname())
        assert len(ports) == 1


def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    sent = b"".join(GET.replace(b"/a", b"/%d" % n) for n in range(5)) + LAST
    with serving(mirror) as host:
        received = exchange(host, sent)
    paths = [json.loads(part)["PATH_INFO"] for part in bodies(received)]
    assert paths == ["/0", "/1", "/2", "/3", "/4", "/a"]


def bodies(received: bytes) -> list[bytes]:
    return [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200 OK")[1:]]


HEADS = [
    b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /b?c HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: x\r\nX-One: 1\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: y\r\n\r\n",
    b"GET //a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /a HTTP/1.1\r\n\r\n",
    b"GET /a HTTP/1.1\nHost: x\n\n",
    b"GET /a HTTP/1.1\r\nHost: z\n\r\n",
    b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /a HTTP/1.1\r\nConnection: keep-alive\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nHost: x",
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nHost: y",
]


@pytest.mark.parametrize("at_once", [False, True])
def test_what_came_before_on_a_connection_changes_nothing(at_once: bool) -> None:
    """Headers like those of the last request are not read again."""
    with serving(mirror) as host:
        alone = {sent: bodies_of([sent], host, at_once=False)[0] for sent in HEADS}
        drawn = Random(5).choices(HEADS, k=400)
        assert bodies_of(drawn, host, at_once=at_once) == [alone[sent] for sent in drawn]


def bodies_of(sent: list[bytes], host: Host, *, at_once: bool) -> list[bytes]:
    """What is answered to requests on one connection."""
    with open_socket(host) as client:
        if at_once:
            client.sendall(b"".join(sent) + LAST)
            return bodies(all_of(client))[:-1]
        received = []
        for each in sent:
            client.sendall(each)
            received.append(one_answer(client).read())
        return received


@pytest.mark.parametrize(
    ("request_line", "kept"),
    [
        (b"GET / HTTP/1.1\r\nConnection: close\r\n", False),
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", True),
        (b"GET / HTTP/1.1\r\n", True),
    ],
)
def test_a_connection_is_kept_as_the_client_asks(request_line: bytes, kept: bool) -> None:
    with serving(mirror) as host, open_socket(host) as client:
        client.sendall(request_line + b"Host: x\r\n\r\n")
        answer = one_answer(client)
        assert answer.read()
        if kept:
            client.sendall(LAST)
            assert one_answer(client).status == 200
        else:
            assert answer.getheader("Connection") == "close"
            assert client.recv(1) == b""


def test_head_has_the_length_and_no_body() -> None:
    with (
        serving(mirror) as host,
        closing(http.client.HTTPConnection("127.0.0.1", host.port, timeout=PATIENCE_S)) as client,
    ):
        client.request("HEAD", "/a")
        head = client.getresponse()
        assert head.status == 200
        assert head.read() == b""
        client.request("GET", "/a")  # a body would be taken for the next answer
        assert client.getresponse().read().startswith(b"{")


def test_any_method_is_the_applications() -> None:
    with serving(mirror) as host:
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "brew"):
            answer = ask(host.url, method)
            assert answer.json()["REQUEST_METHOD"].upper() == method.upper()


def test_a_body_in_chunks() -> None:
    def parts() -> Iterator[bytes]:
        yield b"one "
        yield b"two"

    with serving(mirror) as host:
        answer = ask(host.url, "POST", data=parts())
    assert answer.json()["body"] == "one two"


def test_expect_100_continue() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with serving(mirror) as host, open_socket(host) as client:
        client.sendall(head)
        assert client.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        assert json.loads(one_answer(client).read())["body"] == "body"


def test_64_connections_at_a_time() -> None:
    together = Barrier(64)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        together.wait(PATIENCE_S)  # nobody is answered before all are here
        return mirror(environ, start_response)

    with serving(app) as host:
        seen: list[str] = []

        def one(n: int) -> None:
            seen.append(ask(f"{host.url}/{n}").json()["PATH_INFO"])

        threads = [Thread(target=one, args=(n,)) for n in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert sorted(seen) == sorted(f"/{n}" for n in range(64))
    assert host.failure is None


@pytest.mark.parametrize("error", [ConnectionResetError, BrokenPipeError, TimeoutError])
def test_a_dropped_connection_is_closed_without_a_byte(error: type[Exception]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise error("a fault")

    with serving(app) as host:
        assert exchange(host, GET) == b""
        with pytest.raises(requests.ConnectionError):
            ask(host.url)
        assert host.failure is None


def test_a_body_may_be_cut() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "10")])
        return [b"12345"]

    with serving(app) as host:
        assert exchange(host, GET) == (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n12345"
        )
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            ask(host.url)


FAULTS = {
    "dropped-connection": (Fault(kind="dropped-connection"), requests.ConnectionError),
    "truncated-body": (Fault(kind="truncated-body"), requests.exceptions.ChunkedEncodingError),
}


@pytest.mark.parametrize(("fault", "error"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_of_the_fake_reaches_the_client(fault: Fault, error: type[Exception]) -> None:
    fake = FakeServer(generate_scenario(dialect="haravan", seed=7))
    fake.arm(fault)
    token = {"Authorization": f"Bearer {fake.token}"}
    with serving(fake) as host:
        with pytest.raises(error):
            ask(f"{host.url}/com/events.json", headers=token)
        assert ask(f"{host.url}/com/events.json", headers=token).status_code == 200
    assert host.failure is None


def test_a_slow_answer_of_the_fake_outlasts_an_impatient_client() -> None:
    fake = FakeServer(generate_scenario(dialect="haravan", seed=7))
    fake.arm(Fault(kind="slow-answer", ms=hosting.HOLD_MS_MAX))
    with serving(fake) as host, open_socket(host) as client:
        client.settimeout(0.1)
        client.sendall(b"GET /com/events.json HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert [step.status for step in fake.history if isinstance(step, Exchange)] == [0]


class Held:
    """An application that holds the path ``/held`` back and tells what came of it."""

    def __init__(self, ms: int) -> None:
        self.ms = ms
        self.began = Event()
        self.outcomes: list[bool] = []
        self.ended = Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/held":
            self.began.set()
            self.outcomes.append(environ[HOLD](self.ms))
            self.ended.set()
        return mirror(environ, start_response)


def test_a_held_answer_blocks_nobody_and_comes() -> None:
    app = Held(1_500)
    with serving(app) as host, open_socket(host) as slow:
        slow.sendall(GET.replace(b"/a", b"/held"))
        assert app.began.wait(PATIENCE_S)
        assert ask(host.url).status_code == 200
        assert app.outcomes == []  # the other one was served meanwhile
        assert one_answer(slow).status == 200
    assert app.outcomes == [True]


def test_a_client_that_has_sent_its_next_request_is_still_there() -> None:
    app = Held(300)
    with serving(app) as host, open_socket(host) as client:
        client.sendall(GET.replace(b"/a", b"/held"))
        assert app.began.wait(PATIENCE_S)
        client.sendall(LAST)
        assert len(bodies(all_of(client))) == 2
    assert app.outcomes == [True]


def test_who_leaves_while_its_answer_is_held_is_noticed() -> None:
    app = Held(hosting.HOLD_MS_MAX)
    with serving(app) as host:
        with open_socket(host) as client:
            client.sendall(GET.replace(b"/a", b"/held"))
            assert app.began.wait(PATIENCE_S)
        assert app.ended.wait(PATIENCE_S)
    assert app.outcomes == [False]


def test_nobody_is_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "HOLD_MS_MAX", 10)
    app = Held(10**9)
    with serving(app) as host:
        assert ask(f"{host.url}/held").status_code == 200
    assert app.outcomes == [True]


def test_stop_ends_a_held_answer_and_idle_connections() -> None:
    app = Held(hosting.HOLD_MS_MAX)
    with serving(app) as host, open_socket(host) as idle, open_socket(host) as held:
        idle.sendall(GET)
        assert one_answer(idle).read()
        held.sendall(GET.replace(b"/a", b"/held"))
        assert app.began.wait(PATIENCE_S)
        host.stop()
        assert idle.recv(1) == b""
        assert app.ended.wait(PATIENCE_S)
    assert app.outcomes == [False]


def test_stop_lets_a_request_in_the_works_finish() -> None:
    """As the one that asks for the stop must."""
    hosts: list[Host] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        hosts[0].stop()
        with suppress(ConnectionError):
            while True:  # until the server has seen it
                open_socket(hosts[0]).close()
        return mirror(environ, start_response)

    with serving(app) as host:
        hosts.append(host)
        assert ask(host.url).status_code == 200


def test_stop_any_number_of_times_before_and_after() -> None:
    host = Host(mirror)
    host.stop()
    host.stop()
    host.serve()  # returns at once
    host.stop()
    with pytest.raises(OSError, match="refused"), open_socket(host):
        pass


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    with serving(mirror) as host, pytest.raises(UsageError) as caught:
        Host(mirror, port=host.port)
    assert str(host.port) in str(caught.value)
    assert "another program" in str(caught.value)


@pytest.mark.parametrize("address", ["192.0.2.1", "no such name.invalid", "a" * 300])
def test_an_address_that_cannot_be_had(address: str) -> None:
    with pytest.raises(UsageError, match=r"127\.0\.0\.1"):
        Host(mirror, host=address)


def test_a_port_is_free_again_at_once() -> None:
    with serving(mirror) as host:
        ask(host.url)
    with serving(mirror, port=host.port) as again:
        assert ask(again.url).status_code == 200


def test_an_error_of_the_application_is_kept_and_the_server_lives() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/bad":
            raise HarnessError("a slip of ours")
        return mirror(environ, start_response)

    with serving(app) as host:
        answer = ask(f"{host.url}/bad")
        assert answer.status_code == 500
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "a slip of ours" in answer.json()["detail"]
        assert ask(host.url).status_code == 200
    assert isinstance(host.failure, HarnessError)


@pytest.mark.parametrize(
    ("headers", "body", "says"),
    [
        ([("Content-Length", "3")], [b"1234"], "Content-Length is 3, the body has 4 bytes"),
        ([("X-Y", "a\r\nX-Z: b")], [b""], "line break"),
        (None, [b""], "never started"),
    ],
)
def test_an_answer_that_is_none_is_ours_to_mend(headers: Any, body: Any, says: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if headers is not None:
            start_response("200 OK", headers)
        return body

    with serving(app) as host:
        assert ask(host.url).status_code == 500
    assert says in str(host.failure)


MANY = b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(500)) + b"\r\n"
HOSTILE = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
    "no words": (b"hello\r\n\r\n", 400),
    "five words": (b"GET / / / HTTP/1.1\r\n\r\n", 400),
    "HTTP 0.9": (b"GET /\r\n\r\n", 400),
    "HTTP 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "no version": (b"GET / HTTP/x.y\r\n\r\n", 400),
    "long target": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 414),
    "long header": (b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
    "many headers": (MANY, 431),
    "NUL in a header": (b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", 400),
    "folded header": (b"GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", 400),
    "no colon": (b"GET / HTTP/1.1\r\nX\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "odd length": (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    "length in words": (b"POST / HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n", 400),
    "too long a body": (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
    "length and chunks": (
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "unknown coding": (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    "cut chunk": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab", 400),
    "broken chunk": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
}


@pytest.mark.parametrize(("sent", "status"), HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_bytes_are_refused(
    sent: bytes, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: list[tuple[int, str]] = []
    with serving(mirror, on_refusal=lambda *told: heard.append(told)) as host:
        with open_socket(host) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = one_answer(client)
            problem = json.loads(answer.read())
            assert answer.status == status
            assert problem["status"] == status
            assert problem["detail"]
        assert ask(host.url).status_code == 200
    assert host.failure is None
    assert heard == [(status, problem["detail"])]
    assert capfd.readouterr() == ("", "")


def test_a_client_that_speaks_tls_is_told_of() -> None:
    """The client reports a wrong version number; who runs the server must learn what it was."""
    heard: list[str] = []
    with serving(mirror, on_refusal=lambda _, says: heard.append(says)) as host:
        with pytest.raises(requests.exceptions.SSLError):
            ask(host.url.replace("http:", "https:"))
        assert ask(host.url).status_code == 200
    assert heard
    assert all("ask http://, not https://" in says for says in heard)


TARGETS = [
    b"/\xff\xfe",
    b"/%00",
    b"/%ff",
    b"/%",
    b"//x//y",
    b"*",
    b"/?%00=\xff",
    b"http://[/a?b",
    b"?",
]


@pytest.mark.parametrize("target", TARGETS)
def test_odd_targets_reach_the_application(target: bytes) -> None:
    with serving(mirror) as host:
        received = exchange(host, LAST.replace(b"/a", target))
    assert len(bodies(received)) == 1


def test_a_client_that_takes_it_for_its_proxy() -> None:
    with serving(mirror) as host:
        received = exchange(host, LAST.replace(b"/a", b"http://shop.example/a?b=http://c"))
    said = json.loads(bodies(received)[0])
    assert (said["PATH_INFO"], said["QUERY_STRING"]) == ("/a", "b=http://c")


def test_a_header_with_an_underscore_cannot_pass_for_another() -> None:
    with serving(mirror) as host:
        received = exchange(host, LAST.replace(b"Host", b"X_Token: forged\r\nX-Token: own\r\nHost"))
    assert json.loads(bodies(received)[0])["HTTP_X_TOKEN"] == "own"


def test_random_bytes_never_break_it(capfd: pytest.CaptureFixture[str]) -> None:
    random = Random(7)
    words = [b"GET ", b"POST ", b"/a", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0"]
    words += [b": ", b"Content-Length", b"Transfer-Encoding: chunked", b"Host: x", b"5", b" ", b"?"]
    words += [bytes([n]) for n in (0x85, 0xA0, 0xFF, 0xC3, 0x1B)]
    with serving(mirror) as host:
        for _ in range(300):
            with open_socket(host) as client:
                client.sendall(b"".join(random.choices(words, k=random.randrange(1, 30))))
                client.shutdown(socket.SHUT_WR)
                received = all_of(client)
            assert received[:12] in (b"", b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 100")
        assert ask(host.url).status_code == 200
    assert host.failure is None
    assert capfd.readouterr() == ("", "")


def test_who_leaves_in_the_middle_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(mirror) as host:
        for sent in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHo", LAST + b"rest"):
            with open_socket(host) as client:
                client.sendall(sent)
        head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"
        with open_socket(host) as client:
            client.sendall(head + b"1234")
            client.shutdown(socket.SHUT_WR)
            assert all_of(client) == b""
    assert host.failure is None
    assert capfd.readouterr() == ("", "")


SERVED = """
import signal, sys
from fakeserver.serving.host import Host

def app(environ, start_response):
    if environ["PATH_INFO"] == "/held" and not environ["fakeserver.hold"](200_000):
        raise TimeoutError("nobody waits any longer")
    start_response("204 No Content", [])
    return []

host = Host(app)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: host.stop())
print(host.port, flush=True)
host.serve()
print("a summary")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_what_follows(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as held:
            held.sendall(GET.replace(b"/a", b"/held"))
            assert ask(f"http://127.0.0.1:{port}/").status_code == 204
            process.send_signal(number)
            said, complained = process.communicate(timeout=PATIENCE_S)
            assert all_of(held) == b""
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, said, complained) == (0, "a summary\n", "")
