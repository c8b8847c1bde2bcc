"""One long log next to one of a thousand events, in a process of its own: memory is told by it.

    python -m tests.benchmarks.long_log DIALECT EVENTS ROUNDS

Prints JSON: `ready_s` (process time until it can be asked), `bytes` an event, then and at the end,
and of each form of a query `first_ms` (nothing is known, indexes are built), `short_us` and
`long_us` (the answer has been forgotten, not the events in it), `redrawn_us` (they as well).
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakeserver.app import FakeServer
from fakeserver.clock import to_text
from fakeserver.dialects.base import Known
from fakeserver.dialects.haravan.cursor import Place
from fakeserver.doors.wsgi import authorization, call
from fakeserver.scenario import LoggedEvent
from fakeserver.serving.options import ServeOptions, build_world
from tests.benchmarks.section import side_by_side

SHORT = 1_000
CALLS = 5
REDRAWN = 7
SETTINGS: dict[str, dict[str, Any]] = {
    "haravan": {"limit_max": 250, "count_filters": "honour"},
    "saleschannel": {},
}


def haravan_forms(event: Callable[[float], LoggedEvent], count: int) -> dict[str, str]:
    """Every form, by what it asks for; `event` is the one at a share of the log."""
    middle, later = event(0.5), event(0.75)
    since, until = to_text(middle.recorded_at or 0), to_text(later.recorded_at or 0)
    page = f"/com/events.json?limit=100&page={count // 200}"
    order = next(e for e in map(event, (0.5 + n / count for n in range(500))) if is_order(e))
    return {
        "the newest": "/com/events.json?limit=100",
        "page in the middle": page,
        "the last page": f"/com/events.json?limit=100&page={count // 100}",
        "since_id": f"/com/events.json?limit=100&since_id={middle.id}",
        "since_id, page in the middle": f"{page}&since_id=0",
        "created_at_min": f"/com/events.json?limit=100&created_at_min={since}",
        "created_at_max": f"/com/events.json?limit=100&created_at_max={since}",
        "both bounds, page in the middle": (
            f"/com/events.json?limit=100&created_at_min={since}&created_at_max={until}"
            f"&page={max(1, count // 800)}"
        ),
        "filter, page deep": (
            f"/com/events.json?limit=100&filter=Order,Product&page={count // 300}"
        ),
        "verb": "/com/events.json?limit=20&verb=placed",
        "filter, verb and a bound": (
            f"/com/events.json?limit=20&filter=Order&verb=placed,closed&created_at_max={since}"
        ),
        "fields, page in the middle": f"{page}&fields=id,verb",
        "count": "/com/events/count.json",
        "count, a bound": f"/com/events/count.json?created_at_min={since}",
        "count, filter and verb": "/com/events/count.json?filter=Order&verb=placed",
        "page_info (paging=cursor)": (
            f"/com/events.json?limit=100&page_info={Place('after', int(middle.id)).write()}"
        ),
        "one event": f"/com/events/{middle.id}.json",
        "the events of an order": f"/com/orders/{order.fields['subject_id']}/events.json",
    }


def is_order(event: LoggedEvent) -> bool:
    """Whether an event is about an order."""
    return bool(event.fields["subject_type"] == "Order")


def saleschannel_forms(event: Callable[[float], LoggedEvent], count: int) -> dict[str, str]:
    """Every form, by what it asks for; `event` is the one at a share of the log."""
    middle, other = event(0.5), event(0.1)
    base = "/saleschannel-services/v1/events?$limit=100"
    stamp = to_text(middle.recorded_at or 0)
    known = f"{middle.id},{other.id}"
    kind = middle.fields["eventType"]
    return {
        "no order": base,
        "createdAt asc": f"{base}&$orderBy[createdAt]=asc",
        "createdAt asc, gte": f"{base}&$orderBy[createdAt]=asc&$filter[createdAt][gte]={stamp}",
        "createdAt desc": f"{base}&$orderBy[createdAt]=desc",
        "createdAt desc, lte": f"{base}&$orderBy[createdAt]=desc&$filter[createdAt][lte]={stamp}",
        "createdAt asc, gt and lt": (
            f"{base}&$orderBy[createdAt]=asc&$filter[createdAt][gt]={stamp}"
            f"&$filter[createdAt][lt]={to_text(event(0.9).recorded_at or 0)}"
        ),
        "createdAt equals": f"{base}&$filter[createdAt][equals]={stamp}",
        "createdAt not": f"{base}&$orderBy[createdAt]=asc&$filter[createdAt][not]={stamp}",
        "id asc, gt": f"{base}&$orderBy[id]=asc&$filter[id][gt]={middle.id}",
        "id desc, lt": f"{base}&$orderBy[id]=desc&$filter[id][lt]={middle.id}",
        "id in": f"{base}&$filter[id][in]={known}",
        "id notIn": f"{base}&$orderBy[createdAt]=asc&$filter[id][notIn]={known}",
        "eventAt asc, gte": f"{base}&$orderBy[eventAt]=asc&$filter[eventAt][gte]={stamp}",
        "eventAt desc": f"{base}&$orderBy[eventAt]=desc",
        "eventAt lte, createdAt desc": (
            f"{base}&$orderBy[createdAt]=desc&$filter[eventAt][lte]={stamp}"
        ),
        "eventType asc": f"{base}&$orderBy[eventType]=asc",
        "eventType equals": f"{base}&$filter[eventType][equals]={kind}",
    }


FORMS = {"haravan": haravan_forms, "saleschannel": saleschannel_forms}


def resident() -> int:
    """Bytes of memory that this process has."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def served(dialect: str, count: int) -> FakeServer:
    """A log of so many events, that stands still."""
    options = ServeOptions(
        dialect=dialect,
        backlog=count,
        rate_per_s=0,
        clock="simulated",
        settings=SETTINGS[dialect],
    )
    return FakeServer(build_world(options, lambda: 0))


def forms_of(server: FakeServer) -> dict[str, str]:
    """The targets for one log."""
    log = server.world.log
    count = len(log)

    def event(share: float) -> LoggedEvent:
        place = int(share * count)
        return log.between(place, place + 1)[0]

    return FORMS[server.world.dialect.name](event, count)


def ask(server: FakeServer, target: str) -> bytes:
    """The body behind a target; whatever is no answer ends the benchmark."""
    paging = "cursor" if "page_info" in target else "page"
    if server.world.settings.get("paging", paging) != paging:
        server.world.settings = {**server.world.settings, "paging": paging}
    reply = call(server, "GET", server.url(target), authorization(server.token))
    assert reply.status == 200, (target, reply.body)
    return reply.body


def forgetting(server: FakeServer, target: str) -> Callable[[], object]:
    """Ask for a page whose answer has been forgotten, but not the events in it."""

    def work() -> object:
        server.world._known.answers = Known().answers
        return ask(server, target)

    return work


def redrawn(server: FakeServer, target: str) -> float:
    """Ask for a page whose events were forgotten; the least of some, µs of process time."""
    found = []
    for _ in range(REDRAWN):
        server.world._known = Known()
        server.world.stream._bucket.cache_clear()
        start = time.process_time_ns()
        ask(server, target)
        found.append((time.process_time_ns() - start) / 1000)
    return min(found)


def main(dialect: str, count: int, rounds: int) -> None:
    """Measure, and print what was found."""
    short = served(dialect, SHORT)
    before, start = resident(), time.process_time()
    long = served(dialect, count)
    ready_s = time.process_time() - start
    bytes_ready = (resident() - before) / count
    forms = {}
    targets = forms_of(short), forms_of(long)
    for name in targets[0]:
        start = time.process_time()
        ask(long, targets[1][name])
        first_ms = (time.process_time() - start) * 1000
        pair = {"short": short, "long": long}
        works = {
            which: forgetting(server, targets[which == "long"][name])
            for which, server in pair.items()
        }
        for work in works.values():
            work()
        costs = side_by_side(works, rounds=rounds, calls=CALLS)
        forms[name] = {
            "first_ms": first_ms,
            "short_us": costs["short"].least,
            "long_us": costs["long"].least,
            "redrawn_us": redrawn(long, targets[1][name]),
        }
    bytes_end = (resident() - before) / count
    found = {"ready_s": ready_s, "bytes_ready": bytes_ready, "bytes_end": bytes_end, "forms": forms}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
