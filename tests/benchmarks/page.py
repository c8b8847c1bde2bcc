"""What a page of 100 events costs in process, next to a bare application with the same bytes."""

from collections.abc import Callable
from typing import Any

from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from fakeserver.app import FakeServer
from fakeserver.dialects import DIALECTS
from fakeserver.doors.requests_door import requests_session
from fakeserver.doors.wsgi import authorization, call
from fakeserver.serving.options import ServeOptions, build_world
from tests.benchmarks.section import ROUNDS, ROUNDS_QUICK, Section, Table, against, side_by_side

ROWS = 100
EVENTS = 10_000
PAGES = 50
"""So many times the rounds of other sections: one page is soon asked for."""
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
    """A log of ten thousand events that stands still."""
    settings = SETTINGS.get(dialect, {})
    options = ServeOptions(
        dialect=dialect, backlog=EVENTS, rate_per_s=0, clock="simulated", settings=settings
    )
    return FakeServer(build_world(options, lambda: 0))


def works(dialect: str, way: str, pages: int) -> dict[str, Callable[[], object]]:
    """What is timed: a page that was asked for before, and another one, each of both.

    No address comes twice but that of the first page: Python's `urlsplit` remembers the last ones,
    so whoever was asked second would be spared it.
    """
    server = served(dialect)
    step = (EVENTS - ROWS) // (2 * pages + 1)
    rows = server.world.truth[::step][: 2 * pages + 1]
    first, *others = (TARGETS[dialect].format(rows=ROWS, id=row.id) for row in rows)
    new, new_to_bare = iter(others[::2]), iter(others[1::2])
    body = call(server, "GET", server.url(first), authorization(FakeServer.token)).body
    ours, other = through(way, server), through(way, bare(body))
    return {
        "again": lambda: ours(first),
        "new": lambda: ours(next(new)),
        "again, bare": lambda: other(first),
        "new, bare": lambda: other(next(new_to_bare)),
    }


def row_of(dialect: str, way: str, rounds: int) -> tuple[str, ...]:
    """One API asked one way: what the bare application costs, and the ratios to it."""
    found = side_by_side(works(dialect, way, rounds), rounds=rounds)
    again, new = (found[it].median / found[f"{it}, bare"].median for it in ("again", "new"))
    return (
        f"{dialect}, {way}",
        f"{found['again, bare'].median:.0f} µs",
        f"{again:.2f}",
        against(again, RATIO_MAX),
        f"{new:.2f}",
        against(new, RATIO_MAX),
    )


def measure(quick: bool) -> list[Table]:
    """A row for each API and way, with the ratios to the bare application."""
    rounds = (ROUNDS_QUICK if quick else ROUNDS) * PAGES
    rows = [row_of(dialect, way, rounds) for dialect in DIALECTS for way in WAYS]
    header = ("API, asked through", "bare", "again", "again, target", "a new page", "new, target")
    return [Table(f"A page of {ROWS} events as a multiple of the bare application:", header, rows)]


SECTION = Section(
    "page",
    "A page, next to a bare Werkzeug application",
    "A Werkzeug application that returns the very bytes of a page and does nothing else, asked "
    "in turn with ours, in process: by a plain WSGI call, by Werkzeug's test client, and by "
    "`requests` through its door. Ours checks the token, reads the query, looks what is visible "
    "and writes the request into its history. *Again* is a page that was asked for before, as "
    "by a client that polls; *a new page* is the next one of a walk: neither its query nor its "
    "page has come before. The bare application is asked in words of the same kind, which are new "
    "too. Medians.",
    measure,
)
