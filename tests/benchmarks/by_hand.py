"""What the same check costs by each door, and written by hand with what people use for it."""

import json
import logging
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.util import find_spec
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from werkzeug import Request, Response

from fakeserver.clock import as_datetime
from fakeserver.doors import call
from fakeserver.drawing.plan import WORLD_ODDS
from fakeserver.fault import Fault
from fakeserver.generate import generate_scenario
from fakeserver.scenario import Scenario
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.search import verify
from tests.benchmarks.section import Missing, Section, Table, number
from tests.quality.faulty_haravan import ByWindow, read

WORLDS = 100
WORLDS_QUICK = 20
ROUNDS = 3
SEED = 3
SLOW_WORLDS = 40
SLOW_WORLDS_QUICK = 20
TIMEOUT_S = 5
CALM = frozenset(WORLD_ODDS) - {"restart", "crash-before-save", "crash-after-save", "zone-shift"}
"""The hazards that a handler by hand can show with a clock of its own."""
FAILURES = CALM | {"server-error", "slow-answer"}

Get = Callable[[str, dict[str, Any]], bytes]


class ByDoor(ByWindow):
    """Theorem T7's right client, which asks by whatever `open_door` returns."""

    open_door: Callable[[Any], Get]
    ask_door: Get | None = None

    def poll(self, feed: Any) -> None:
        self.ask_door = self.ask_door or type(self).open_door(feed)
        super().poll(feed)

    def get(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        assert self.ask_door is not None
        body = self.ask_door(self.feed.url(self.PATH), query)
        page: list[dict[str, Any]] = json.loads(body)["events"]
        return page


def wsgi(feed: Any) -> Get:
    """The application itself is called."""
    app, headers = feed.wsgi_app, feed.headers

    def get(url: str, query: dict[str, Any]) -> bytes:
        reply = call(app, "GET", f"{url}?{urlencode(query)}", headers)
        if reply.status != 200 or reply.missing:
            raise RuntimeError(f"status {reply.status}, {reply.missing} bytes are missing")
        return reply.body

    return get


def urllib(feed: Any) -> Get:
    """urllib without a socket."""
    opener = feed.urllib_opener()
    return lambda url, query: bytes(opener.open(f"{url}?{urlencode(query)}").read())


def requests_door(feed: Any) -> Get:
    """A session of requests without a socket."""
    return by_session(feed.requests_session(), "")


def by_session(session: requests.Session, base: str) -> Get:
    """Ask by a session; `base` is put in front of the path."""

    def get(url: str, query: dict[str, Any]) -> bytes:
        where = base + urlsplit(url).path if base else url
        response = session.get(where, params=query, timeout=TIMEOUT_S)
        response.raise_for_status()
        return response.content

    return get


def httpx_door(feed: Any) -> Get:
    """A client of httpx without a socket."""
    client = feed.httpx_client()
    return lambda url, query: bytes(client.get(url, params=query).raise_for_status().content)


def socket(feed: Any) -> Get:
    """A session of requests over a socket."""
    session = requests.Session()
    session.headers.update(feed.headers)
    session.trust_env = False
    return by_session(session, feed.base_url)  # asked before a door without a socket is opened


DIRECT, REQUESTS, SOCKET = "ours, WSGI", "ours, requests", "ours, requests over a socket"
DOORS: dict[str, Callable[[Any], Get]] = {
    DIRECT: wsgi,
    "ours, urllib": urllib,
    REQUESTS: requests_door,
    "ours, httpx": httpx_door,
    SOCKET: socket,
}


def client_by(open_door: Callable[[Any], Get]) -> type[ByDoor]:
    """The client that asks by one door."""
    return type("Client", (ByDoor,), {"open_door": staticmethod(open_door)})


def ours(open_door: Callable[[Any], Get], worlds: int, hazards: frozenset[str] = CALM) -> None:
    """Verify the client: draw, play and judge."""
    verdict = verify(
        client_by(open_door), dialect="haravan", examples=worlds, seed=SEED, only=hazards
    )
    assert verdict.outcome == "kept", verdict.findings


class HandFeed:
    """What a test by hand gives to the client: a clock, a checkpoint, and a list to deliver to."""

    token, zone = "secret", "Asia/Ho_Chi_Minh"

    def __init__(self, base_url: str, scenario: Scenario) -> None:
        self.base_url, self.scenario = base_url, scenario
        self.page_size = scenario.page_size
        self.now_ms = scenario.starts_at
        self.checkpoint: Any = None
        self.delivered: list[str] = []
        self.faults: tuple[Fault, ...] = ()
        self.asked = 0
        self.rows = sorted(
            (
                (
                    event.visible_at,
                    {
                        "id": int(event.id),
                        "created_at": as_datetime(event.recorded_at or 0).isoformat(),
                        **event.fields,
                    },
                )
                for event in scenario.events
            ),
            key=lambda row: row[1]["id"],
        )

    headers: ClassVar[dict[str, str]] = {}
    requests_session = staticmethod(requests.Session)

    def url(self, path: str) -> str:
        return self.base_url + path

    def now(self) -> Any:
        return as_datetime(self.now_ms)

    def deliver(self, event: dict[str, Any]) -> None:
        self.delivered.append(str(event["id"]))

    def save(self, checkpoint: Any) -> None:
        self.checkpoint = json.loads(json.dumps(checkpoint))

    def fails(self) -> Fault | None:
        """The fault that hits this request, if any."""
        self.asked += 1
        for fault in self.faults:
            hits = fault.times or 10**6
            if fault.nth <= self.asked < fault.nth + hits:
                return fault
        return None

    def answer(self, query: dict[str, str]) -> str:
        """What the handler shows: the rows that are visible, above an id, in a window."""
        at, self.now_ms = self.now_ms, self.now_ms + self.scenario.request_ms
        low = query.get("created_at_min")
        least = read(f"{low}:00+07:00") if low else None
        found = [
            row
            for visible_at, row in self.rows
            if visible_at <= at
            and row["id"] > int(query["since_id"])
            and (least is None or read(row["created_at"]) >= least)
        ]
        return json.dumps({"events": found[: min(50, int(query["limit"]))]})


class ByHand:
    """A way to answer: `at` is the feed whose rows are shown."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.at: HandFeed

    def check_all(self, scenarios: list[Scenario]) -> None:
        """Play worlds one after the other."""
        for scenario in scenarios:
            self.check(scenario)

    def check(self, scenario: Scenario) -> None:
        """Play a world and compare."""
        self.at = feed = HandFeed(self.base_url, scenario)
        client = client_by(socket)()
        for poll in scenario.polls:
            feed.now_ms = max(feed.now_ms, poll.starts_at)
            feed.faults, feed.asked = poll.faults, 0
            with suppress(requests.RequestException):
                client.poll(feed)
        assert sorted(feed.delivered) == sorted(str(event.id) for event in scenario.events)


@contextmanager
def pytest_httpserver() -> Iterator[ByHand]:
    """A handler in the server of pytest-httpserver, which is started once."""
    from pytest_httpserver import HTTPServer

    with HTTPServer(host="127.0.0.1", port=0) as server:
        hand = ByHand(server.url_for("").rstrip("/"))

        def answer(request: Request) -> Response:
            fault = hand.at.fails()
            if fault is not None and fault.ms:
                time.sleep(fault.ms / 1000 if fault.ms < TIMEOUT_S * 1000 else TIMEOUT_S + 0.1)
            elif fault is not None:
                return Response(status=fault.status or 503)
            return Response(hand.at.answer(request.args.to_dict()), mimetype="application/json")

        server.expect_request(ByDoor.PATH).respond_with_handler(answer)
        yield hand


@contextmanager
def by_responses() -> Iterator[ByHand]:
    """A callback of `responses`, without a socket."""
    import responses

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        hand = ByHand("http://events.test")

        def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
            fault = hand.at.fails()
            if fault is not None and (fault.ms or 0) >= TIMEOUT_S * 1000:
                raise requests.ReadTimeout
            if fault is not None and not fault.ms:
                return fault.status or 503, {}, ""
            given = parse_qs(urlsplit(request.url or "").query)
            return 200, {}, hand.at.answer({name: values[0] for name, values in given.items()})

        mock.add_callback(responses.GET, hand.base_url + ByDoor.PATH, callback=answer)
        yield hand


HTTPSERVER = "by hand, pytest-httpserver and requests"
BY_HAND: dict[str, Callable[[], AbstractContextManager[ByHand]]] = {
    HTTPSERVER: pytest_httpserver,
    "by hand, responses and requests": by_responses,
}


def scenarios(worlds: int, hazards: frozenset[str] = CALM) -> list[Scenario]:
    """The worlds that ours draws."""
    return [
        generate_scenario(dialect="haravan", seed=SEED, example=number, hazards=hazards)
        for number in range(worlds)
    ]


def seconds(work: Callable[[], None]) -> float:
    """Process time of all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


class ById:
    """Theorem T5's client, as short as a right one can be: it goes on from the largest id."""

    open_door: Callable[[Any], Get]

    def __init__(self) -> None:
        self.ask_door: Get | None = None

    def poll(self, feed: Any) -> None:
        self.ask_door = self.ask_door or type(self).open_door(feed)
        since_id = feed.checkpoint or 1
        while True:
            query = {"since_id": since_id, "limit": feed.page_size}
            page = json.loads(self.ask_door(feed.url(ByDoor.PATH), query))["events"]
            if not page:
                return
            for event in page:
                feed.deliver(event)
            since_id = page[-1]["id"]
            feed.save(since_id)


def whole(worlds: int, rounds: int) -> dict[str, float]:
    """Milliseconds a world of a search as people run it, failures and kills and all."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in (DIRECT, REQUESTS):
            client = type("Client", (ById,), {"open_door": staticmethod(DOORS[name])})

            def search(client: type = client) -> None:
                promise = Promise(late_by_ms_max=0)
                verdict = verify(
                    client, dialect="haravan", examples=worlds, seed=SEED, promise=promise
                )
                assert verdict.outcome == "kept", verdict.findings

            found.setdefault(name, []).append(seconds(search) / worlds * 1000)
    return {name: statistics.median(each) for name, each in found.items()}


def in_turn(worlds: int, rounds: int) -> dict[str, float]:
    """Milliseconds of process time a world, by each way: the median of some rounds."""
    drawn = scenarios(worlds)
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, door in DOORS.items():
            took = seconds(lambda door=door: ours(door, worlds))  # type: ignore[misc]
            found.setdefault(name, []).append(took / worlds * 1000)
        for name, serving in BY_HAND.items():
            with serving() as hand:  # `responses` takes over all of requests while it is open
                took = seconds(lambda hand=hand: hand.check_all(drawn))  # type: ignore[misc]
            found.setdefault(name, []).append(took / worlds * 1000)
    return {name: statistics.median(each) for name, each in found.items()}


def with_failures(worlds: int) -> dict[str, float]:
    """Milliseconds of real time a world, where servers fail and answers come late."""
    drawn = scenarios(worlds, FAILURES)
    found: dict[str, float] = {}
    for name in (REQUESTS, SOCKET):
        start = time.monotonic()
        ours(DOORS[name], worlds, FAILURES)
        found[name] = (time.monotonic() - start) / worlds * 1000
    for name, serving in BY_HAND.items():
        with serving() as hand:
            start = time.monotonic()
            hand.check_all(drawn)
            found[name] = (time.monotonic() - start) / worlds * 1000
    return found


RATES_MIN = {DIRECT: 500, REQUESTS: 250}
"""Worlds a second on one core."""
TIMES_MIN = {HTTPSERVER: 10}
"""How many times as long as ours it takes by hand."""


def table(caption: str, found: dict[str, float], *, of: str = "") -> Table:
    """What each way took, ms a world; `of` says of what there are targets: rates or times."""
    rows = []
    for name, ms in found.items():
        rate, times = 1000 / ms, ms / found[REQUESTS]
        targets, value = {"rates": (RATES_MIN, rate), "times": (TIMES_MIN, times)}.get(of, ({}, 0))
        least = targets.get(name)
        said = "" if least is None else f"at least {least}: {'met' if value >= least else 'missed'}"
        rows.append((name, number(ms), number(rate), number(times), said))
    header = ("way", "ms a world", "worlds/s", "times ours with requests", "target")
    shown = len(header) if of else len(header) - 1
    return Table(caption, header[:shown], [each[:shown] for each in rows])


def measure(quick: bool) -> list[Table]:
    """What a search costs; the same check by hand, and without failures."""
    for package in ("pytest_httpserver", "responses"):
        if find_spec(package) is None:
            raise Missing(f"{package} is not installed: pip install -e . --group benchmark")
    werkzeug = logging.getLogger("werkzeug")
    level = werkzeug.level
    werkzeug.setLevel(logging.ERROR)  # a line for each request otherwise
    try:
        worlds, rounds = (WORLDS_QUICK, 1) if quick else (WORLDS, ROUNDS)
        plain = whole(worlds, rounds)
        calm = in_turn(worlds, rounds)
        slow = SLOW_WORLDS_QUICK if quick else SLOW_WORLDS
        failing = with_failures(slow)
    finally:
        werkzeug.setLevel(level)
    return [
        table(
            f"{worlds} worlds with all there is in them, and the shortest client that is right "
            "where nothing is late:",
            plain,
            of="rates",
        ),
        table(
            f"The same check, by hand as by ours: {slow} worlds with late events, servers that "
            f"fail, and answers that come after the client's time-out of {TIMEOUT_S} s, in real "
            "time:",
            failing,
            of="times",
        ),
        table(
            f"What of it is left where nothing has to be waited for: {worlds} worlds without "
            "failures, in processor time:",
            calm,
        ),
    ]


SECTION = Section(
    "by-hand",
    "By each door, and by hand",
    "First what a search costs. Then one right client, which looks back for late events, "
    "follows the same worlds by each door and by hand. Ours draws each, plays it and judges "
    "it. By hand a handler shows the rows that are visible by a clock of its own, to "
    "pytest-httpserver over a socket or to responses without one, and what was delivered is "
    "compared with what there was. That is given the worlds for nothing, has no kills in them and "
    "explains nothing. A failure can be shown by hand too, but over a socket an answer that comes "
    "too late must be waited for; to responses an exception is told, which no server sent.",
    measure,
)
