"""What each endpoint of the control API does, in a few lines; the work is done by `Served`.

What it promises stands in ``contracts/control/openapi.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace
from werkzeug.wrappers import Request, Response

from fakeserver.clock import at
from fakeserver.scenario import EVENTS_MAX, Scenario
from fakeserver.serving import documents, messages, views
from fakeserver.serving.bodies import Nothing, read_body, read_paging
from fakeserver.serving.feeds import FeedOptions, Feeds
from fakeserver.serving.page import Page, load_page
from fakeserver.serving.problems import PRIVATE, Problem, encode
from fakeserver.serving.served import Served
from fakeserver.serving.verdict import hold_still, served_verdict

if TYPE_CHECKING:
    from fakeserver.serving.control import Control

PREFIX = "/_fakeserver"
"""No faked API has a path that starts so."""
JOURNAL_LIMIT_MAX = 1_000
"""Each request is explained anew when it is asked for."""
TRUTH_LIMIT_MAX = 10_000
"""Some 5 MB of JSON."""


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """Where an endpoint is: in the main world, which has `feeds`, or in the feed `feed_id`.

    `on_shutdown` ends the server; None where there is none to end.
    """

    served: Served
    feed_id: str | None = None
    feeds: Feeds | None = None
    on_shutdown: Callable[[], None] | None = None


def _json(
    content: object, *, status: int = 200, headers: Sequence[tuple[str, str]] = ()
) -> Response:
    return Response(
        encode(content),
        status=status,
        content_type="application/json",
        headers=[*headers, *PRIVATE],
    )


def _nothing() -> Response:
    response = Response(status=204, headers=list(PRIVATE))
    del response.headers["Content-Type"]
    return response


def _expect_nothing(request: Request) -> None:
    read_body(request, Nothing, default=Nothing())


def _base_url(request: Request) -> str:
    """Return the address under which the client sees this world, without a slash at the end."""
    return request.root_url.rstrip("/")


_page = lru_cache(maxsize=1)(load_page)

# The world


def page(_: Here, request: Request) -> Response:
    """Send the page for people."""
    if not request.path.endswith("/"):  # its own addresses are relative to it
        return Response(status=308, headers={"Location": f"{request.root_path}{PREFIX}/"})
    found: Page = _page()
    return Response(found.body, headers=list(found.headers))


def health(here: Here, request: Request) -> Response:
    """Tell which world is loaded."""
    content = views.health_view(here.served, base_url=_base_url(request), feed=here.feed_id)
    return _json(content)


def reset(here: Here, request: Request) -> Response:
    """Go back to the start."""
    _expect_nothing(request)
    here.served.reset()
    return health(here, request)


def get_scenario(here: Here, _: Request) -> Response:
    """Send the world as a scenario file, with everything recorded so far."""
    with here.served.playing() as world:
        world.catch_up()
        if len(world.log) > EVENTS_MAX:
            raise Problem(
                409,
                "too-many-events",
                f"the log has {len(world.log)} events, and a scenario holds {EVENTS_MAX}; start "
                "with a smaller backlog or rate, or POST reset",
            )
        scenario, events = world.scenario, world.truth
    found = replace(scenario, events=events)
    return Response(found.to_json(), content_type="application/json", headers=list(PRIVATE))


def put_scenario(here: Here, request: Request) -> Response:
    """Let a scenario become the world."""
    here.served.load(read_body(request, Scenario))
    return health(here, request)


# The clock


def get_clock(here: Here, _: Request) -> Response:
    """Tell the time."""
    return _json(views.clock_view(here.served))


def put_clock(here: Here, request: Request) -> Response:
    """Set the clock, or let it run differently."""
    change = read_body(request, messages.ClockChange)
    to = None if change.now is None else at(change.now)
    here.served.set_clock(to=to, mode=change.mode, pace=change.pace)
    return _json(views.clock_view(here.served))


def advance_clock(here: Here, request: Request) -> Response:
    """Let time pass."""
    seconds = read_body(request, messages.Advance).seconds
    here.served.advance(round(seconds * 1000))
    return _json(views.clock_view(here.served))


# The log, the faults and the journal


def post_events(here: Here, request: Request) -> Response:
    """Append events of somebody's own."""
    asked = read_body(request, messages.NewEvents).events
    with here.served.playing() as world:
        first, logged = here.served.append(asked)
        rows = views.rows_view(world, logged, first, world.now)
    return _json({"events": rows}, status=201)


def get_truth(here: Here, request: Request) -> Response:
    """Show what is really in the log."""
    paging = read_paging(request, limit_default=1_000, limit_max=TRUTH_LIMIT_MAX)
    return _json(views.truth_view(here.served, paging))


def get_requests(here: Here, request: Request) -> Response:
    """Show the journal."""
    paging = read_paging(request, limit_default=100, limit_max=JOURNAL_LIMIT_MAX)
    return _json(views.journal_view(here.served, paging))


def get_faults(here: Here, _: Request) -> Response:
    """Show which faults are armed."""
    return _json(views.faults_view(here.served))


def put_faults(here: Here, request: Request) -> Response:
    """Arm faults in place of the present ones."""
    asked = read_body(request, messages.Faults).faults
    here.served.arm(tuple(fault.alone() for fault in asked))
    return _json(views.faults_view(here.served))


def delete_faults(here: Here, request: Request) -> Response:
    """Disarm all faults."""
    _expect_nothing(request)
    here.served.arm(())
    return _nothing()


# The client under test


def post_delivered(here: Here, request: Request) -> Response:
    """Record what a client delivered and saved."""
    asked = read_body(request, messages.Delivery)
    count = here.served.deliver(
        asked.events, checkpoint=asked.checkpoint, restarted=asked.restarted
    )
    return _json({"delivered": count})


def delete_delivered(here: Here, request: Request) -> Response:
    """Let a new client start from nothing."""
    _expect_nothing(request)
    here.served.forget()
    return _nothing()


def post_verdict(here: Here, request: Request) -> Response:
    """Judge the client."""
    asked = read_body(request, messages.VerdictRequest, default=messages.VerdictRequest())
    content = served_verdict(
        hold_still(here.served),
        asked.promise,
        poll_gap_s=asked.poll_gap_s,
        evidence=asked.evidence,
    )
    return _json(content)


# Documents, feeds, the end


def get_openapi(here: Here, request: Request) -> Response:
    """Send the document of the faked and of the control API in one."""
    name = here.served.world.dialect.name
    return _json(documents.merged(name, prefix=request.root_path))


def get_document(_: Here, request: Request, name: str) -> Response:
    """Send one document alone."""
    names = documents.names()
    if name not in names:
        known = ", ".join(names)
        raise Problem(404, "no-document", f"expected one of {known}, got {name[:80]!r}")
    return _json(documents.document(name, prefix=request.root_path))


def _feeds_of(here: Here) -> Feeds:
    assert here.feeds is not None  # noqa: S101 - a feed has no route that leads here
    return here.feeds


def _feed_view(request: Request, feed: Control) -> dict[str, Any]:
    feed_id = str(feed.here.feed_id)
    return views.feed_view(
        feed.here.served, feed_id, f"{_base_url(request)}{PREFIX}/feeds/{feed_id}"
    )


def get_feeds(here: Here, request: Request) -> Response:
    """List the feeds."""
    return _json({"feeds": [_feed_view(request, feed) for feed in _feeds_of(here).all()]})


def post_feeds(here: Here, request: Request) -> Response:
    """Make a feed."""
    asked = read_body(request, FeedOptions, default=FeedOptions())
    content = _feed_view(request, _feeds_of(here).create(asked, here.served.options))
    return _json(content, status=201, headers=[("Location", content["control_url"])])


def get_feed(here: Here, request: Request, feed_id: str) -> Response:
    """Show one feed."""
    feed = _feeds_of(here).find(feed_id)
    if feed is None:
        raise no_feed(feed_id)
    return _json(_feed_view(request, feed))


def delete_feed(here: Here, request: Request, feed_id: str) -> Response:
    """Free a feed."""
    _expect_nothing(request)
    if not _feeds_of(here).delete(feed_id):
        raise no_feed(feed_id)
    return _nothing()


def no_feed(feed_id: str) -> Problem:
    """Return (not raise) what is said of a feed that is not there."""
    return Problem(
        404, "no-feed", f"there is no feed {feed_id[:80]!r}; POST {PREFIX}/feeds makes one"
    )


def shutdown(here: Here, request: Request) -> Response:
    """End the server, once this is answered."""
    _expect_nothing(request)
    if here.on_shutdown is None:
        raise Problem(409, "no-server", "this fake has no server of its own that could be ended")
    response = _json({"status": "stopping"}, status=202)
    response.call_on_close(here.on_shutdown)
    return response


Endpoint = Callable[..., Response]

ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "", page),
    ("GET", "/health", health),
    ("POST", "/reset", reset),
    ("GET", "/clock", get_clock),
    ("PUT", "/clock", put_clock),
    ("POST", "/clock/advance", advance_clock),
    ("POST", "/events", post_events),
    ("GET", "/scenario", get_scenario),
    ("PUT", "/scenario", put_scenario),
    ("GET", "/faults", get_faults),
    ("PUT", "/faults", put_faults),
    ("DELETE", "/faults", delete_faults),
    ("GET", "/requests", get_requests),
    ("GET", "/truth", get_truth),
    ("POST", "/delivered", post_delivered),
    ("DELETE", "/delivered", delete_delivered),
    ("POST", "/verdict", post_verdict),
    ("GET", "/openapi.json", get_openapi),
    ("GET", "/openapi/<name>.json", get_document),
    ("GET", "/feeds", get_feeds),
    ("POST", "/feeds", post_feeds),
    ("GET", "/feeds/<feed_id>", get_feed),
    ("DELETE", "/feeds/<feed_id>", delete_feed),
    ("POST", "/shutdown", shutdown),
)
"""Method, path below the prefix, and what answers."""

OPEN = (page, health)
"""What needs no token: a page that holds nothing, and what tells that the server is up."""
PAGED = (get_requests, get_truth)
"""What takes parameters."""
MAIN_ONLY = (get_feeds, post_feeds, get_feed, delete_feed, shutdown)
"""What a feed does not have: it has no feeds, and is no process."""
