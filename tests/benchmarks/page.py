"""What a page of 100 events costs in process, next to a bare application with the same bytes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from fakeserver.app import FakeServer
from fakeserver.dialects import DIALECTS
from fakeserver.dialects.base import Known
from fakeserver.doors.requests_door import requests_session
from fakeserver.doors.wsgi import authorization, call
from fakeserver.serving.options import ServeOptions, build_world
from tests.benchmarks.section import ROUNDS, ROUNDS_QUICK, Section, Table, against, side_by_side

ROWS = 100
PAGES = 50
"""Each another bound, so none of them is an answer that was given before."""
WAYS = ("WSGI", "Werkzeug's client", "requests")
RATIO_MAX = 1.5
TARGETS = {
    "haravan": "/com/events.json?limit={rows}&since_id={id}",
    "saleschannel": (
        "/saleschannel-services/v1/events?$limit={rows}&$orderBy[id]=asc&$filter[id][gt]={id}"
    ),
}
SETTINGS: dict[str, dict[str, Any]] = {"haravan": {"limit_max": 250}}

Ask = Callable[[str], object]


def bare(body: bytes) -> Any:
    """A Werkzeug application that knows nothing but `body`."""

    @Request.application
    def application(_: Request) -> Response:
        return Response(body, content_type="application/json; charset=utf-8")

    return application


def through(way: str, application: Any) -> Ask:
    """How an application is asked for a path, one way."""
    headers = authorization(FakeServer.token)
    if way == "WSGI":
        return lambda path: call(application, "GET", "http://fakeserver.test" + path, headers)
    if way == "Werkzeug's client":
        client = Client(application)
        return lambda path: client.get(path, headers=headers).data
    session = requests_session(application)
    return lambda path: session.get("http://fakeserver.test" + path).content


def served(dialect: str) -> FakeServer:
    """A log of a thousand events that stands still."""
    settings = SETTINGS.get(dialect, {})
    options = ServeOptions(
        dialect=dialect, backlog=1_000, rate_per_s=0, clock="simulated", settings=settings
    )
    return FakeServer(build_world(options, lambda: 0))


def works(
    servers: Sequence[FakeServer], paths: Sequence[str], body: bytes, way: str
) -> dict[str, Callable[[], object]]:
    """What is timed: a page by what is known of it before, and the bare application."""
    pages: Iterator[str] = cycle(paths[1:])
    known, new, first = (through(way, server) for server in servers)
    other = through(way, bare(body))

    def another() -> object:
        servers[1].world._known.answers = Known().answers
        return new(next(pages))

    def unseen() -> object:
        servers[2].world._known = Known()
        return first(next(pages))

    return {
        "again": lambda: known(paths[0]),
        "a new page": another,
        "new events": unseen,
        "bare": lambda: other(paths[0]),
    }


def row_of(dialect: str, way: str, rounds: int) -> tuple[str, ...]:
    """One API asked one way: what the bare application costs, and the ratios to it."""
    servers = [served(dialect) for _ in range(3)]
    rows = servers[0].world.truth[: PAGES + 1]
    paths = [TARGETS[dialect].format(rows=ROWS, id=row.id) for row in rows]
    headers = authorization(FakeServer.token)
    for server in servers:
        for path in paths:  # so that indexes are there, and of the second one all events are known
            body = call(server, "GET", server.url(path), headers).body
    found = side_by_side(works(servers, paths, body, way), rounds=rounds)
    base = found.pop("bare")
    ratios = {name: cost.median / base.median for name, cost in found.items()}
    return (
        f"{dialect}, {way}",
        f"{base.median:.0f} µs",
        *(f"{ratio:.2f}" for ratio in ratios.values()),
        against(ratios["again"], RATIO_MAX),
    )


def measure(quick: bool) -> list[Table]:
    """A row for each API and way, with the ratios to the bare application."""
    rounds = (ROUNDS_QUICK if quick else ROUNDS) * PAGES
    rows = [row_of(dialect, way, rounds) for dialect in DIALECTS for way in WAYS]
    header = ("API, asked through", "bare", "again", "a new page", "new events", "again, target")
    return [Table(f"A page of {ROWS} events as a multiple of the bare application:", header, rows)]


SECTION = Section(
    "page",
    "A page, next to a bare Werkzeug application",
    "A Werkzeug application that returns the very bytes of a page and does nothing else, asked "
    "in turn with ours, in process: by a plain WSGI call, by Werkzeug's test client, and by "
    "`requests` through its door. Ours checks the token, reads the query, looks what is visible "
    "and writes the request into its history. *Again* is a page that was asked for before, as "
    "by a client that polls; *a new page* is another page of events that were read before; *new "
    "events* have to be written as JSON first. Medians.",
    measure,
)
