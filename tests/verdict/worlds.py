"""Small worlds and clients that the tests of this folder share. Time starts at 0, in seconds."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from fakeserver.dialects import find_dialect
from fakeserver.fault import Fault
from fakeserver.scenario import Crash, LoggedEvent, Poll, Scenario

HARAVAN_FIELDS = {
    "arguments": ["Lamp"],
    "author": "haravan",
    "body": None,
    "description": None,
    "message": "created a product",
    "path": "/admin/products/7",
    "subject_id": 7,
    "subject_type": "Product",
    "verb": "create",
}
SALESCHANNEL_FIELDS = {
    "eventType": "TRANSACTION_STATUS_CHANGE",
    "eventAt": None,
    "details": {"transactionId": "t", "status": "SUCCESS", "previousStatus": "PENDING"},
}


def ms(seconds: float) -> int:
    return round(seconds * 1000)


def event(
    event_id: int | str, at: float | None, *, visible: float | None = None, **fields: Any
) -> LoggedEvent:
    """An event recorded at `at`, and visible then or at `visible` (s); its id tells the dialect."""
    usual = HARAVAN_FIELDS if isinstance(event_id, int) else SALESCHANNEL_FIELDS
    shown = at if visible is None else visible
    assert shown is not None
    return LoggedEvent(
        id=event_id,
        recorded_at=None if at is None else ms(at),
        visible_at=ms(shown),
        fields={**usual, **fields},
    )


def world(
    events: Iterable[LoggedEvent] = (),
    *,
    dialect: str = "haravan",
    polls: Iterable[float | Poll] = (10, 120, 180, 240),
    calm_from: int = 1,
    page_size: int = 2,
    late: float = 60,
    request: float = 0,
    **settings: Any,
) -> Scenario:
    """A scenario; `polls`, `late` and `request` (what a request costs) are in seconds."""
    zone = {"shop_zone": "UTC"} if dialect == "haravan" else {}
    return Scenario(
        dialect=dialect,
        settings={**zone, **settings},
        starts_at=0,
        request_ms=ms(request),
        page_size=page_size,
        late_by_ms_max=ms(late),
        events=tuple(events),
        polls=tuple(p if isinstance(p, Poll) else Poll(starts_at=ms(p)) for p in polls),
        calm_from=calm_from,
    )


def poll(
    at: float,
    *,
    crash: str | None = None,
    nth: int = 1,
    restart: bool = False,
    instance: int = 1,
    faults: Iterable[Fault] = (),
) -> Poll:
    point: Any = crash
    return Poll(
        starts_at=ms(at),
        restart=restart,
        instance=instance,
        crash=None if crash is None else Crash(point=point, nth=nth),
        faults=tuple(faults),
    )


def get(feed: Any, query: dict[str, Any]) -> list[dict[str, Any]]:
    """Ask for one page of the list."""
    path = find_dialect(feed.dialect).list_path
    with feed.urllib_opener().open(f"{feed.url(path)}?{urlencode(query)}") as response:
        body = json.load(response)
    return body["events"] if isinstance(body, dict) else body


def by_id(feed: Any) -> None:
    """Follow the ids; right where nothing is late."""
    since = feed.checkpoint or 1
    while page := get(feed, {"since_id": since, "limit": feed.page_size}):
        for row in page:
            feed.deliver(row)
        since = page[-1]["id"]
        feed.save(since)


def oldest_first(key: str, limit: int, operator: str = "gte") -> dict[str, Any]:
    """The query of the sales channel's document."""
    return {
        "$limit": limit,
        "$orderBy[createdAt]": "asc",
        f"$filter[createdAt][{operator}]": key,
    }


def by_key(feed: Any) -> None:
    """Theorem T1's loop: the last createdAt, and the ids delivered at it."""
    state = feed.checkpoint or {"key": "1960-01-01T00:00:00.000Z", "seen": []}
    key, seen = state["key"], set(state["seen"])
    while True:
        page = get(feed, oldest_first(key, feed.page_size))
        for row in page:
            if row["id"] not in seen:
                feed.deliver(row)
        if page:
            key = page[-1]["createdAt"]
            seen = {*seen, *(row["id"] for row in page if row["createdAt"] == key)}
            feed.save({"key": key, "seen": sorted(seen)})
        if len(page) < feed.page_size:
            return
