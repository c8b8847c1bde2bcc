"""Two clients of this API: one that loses nothing, and the one that readers of the document write.

Both are meant to be read. Each is called once per poll with a `feed`; what it must remember it
keeps in the feed's checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

PATH = "/com/events.json"
FIRST_ID = 1
"""Where a walk through the ids starts. Not 0: some servers ignore ``since_id=0`` and then list the
newest rows first. An event with the id 1 would be missed; real ids have nine digits and more."""
LATE_BY = timedelta(minutes=5)
"""The document: "in rare cases it can take up to a few minutes" until an event appears."""


def reference_client(feed: Any) -> None:
    """Deliver every event once, however late it appears and whatever its id.

    An event that was not visible when a poll started is not older than `LATE_BY` at that moment.
    So the next poll asks for everything created since then, and drops the ids that it has
    delivered already. Three details make this right:

    - The window starts `LATE_BY` before the *start* of the last poll that succeeded. Its end is
      too late, because events appear while it walks; so is the newest created_at it saw.
    - Inside the window it walks by id, never by page number: rows that appear do not shift ids.
    - It saves after every page, but moves the window only when the walk has reached its end.

    A crash between a delivery and the next save repeats what lies between, at most one page. Where
    delivering and saving can be one transaction, `feed.commit` repeats nothing.
    """
    started = feed.now()
    state = feed.checkpoint or {"low": None, "seen": {}}
    low = datetime.fromisoformat(state["low"]) if state["low"] else None
    seen = dict(state["seen"])
    for page in _walk(feed, since_id=FIRST_ID, window=_window(low, feed.zone)):
        for event in page:
            key = str(event["id"])  # a number or a string of digits, the document shows both
            # What was created before the window is delivered: a clock change widened the request.
            is_old = low is not None and datetime.fromisoformat(event["created_at"]) < low
            if not is_old and key not in seen:
                feed.deliver(event)
                seen[key] = event["created_at"]
        feed.save({"low": state["low"], "seen": seen})
    next_low = (started - LATE_BY).astimezone(UTC).replace(second=0, microsecond=0)
    kept = {key: at for key, at in seen.items() if datetime.fromisoformat(at) >= next_low}
    feed.save({"low": next_low.isoformat(), "seen": kept})


def document_client(feed: Any) -> None:
    """Follow the log by the last id seen. Wrong: it never sees a late event with a lower id.

    This is what the document suggests ("restrict results to after the specified ID"), and it would
    be right if events appeared in the order of their ids.
    """
    since_id = feed.checkpoint or FIRST_ID
    for page in _walk(feed, since_id=since_id, window={}):
        for event in page:
            feed.deliver(event)
        feed.save(int(page[-1]["id"]))


def shop_minute(moment: datetime, zone: str) -> str:
    """Write an aware `moment` as the API takes it: to the minute, in the shop's `zone`, no offset.

    Rounds down. In the hour that a clock change repeats, the text can mean two instants, and the
    server may take either; so the text goes back until neither lies after `moment`. That asks for
    up to an hour too much, never for too little. A minute that a clock change skips does not come
    up: no clock in that zone ever shows it.
    """
    shop = ZoneInfo(zone)
    wanted = moment.astimezone(UTC)
    local = wanted.astimezone(shop).replace(tzinfo=None, second=0, microsecond=0)
    while any(local.replace(tzinfo=shop, fold=f).astimezone(UTC) > wanted for f in (0, 1)):
        local -= timedelta(hours=1)
    return f"{local:%Y-%m-%d %H:%M}"


def _window(low: datetime | None, zone: str) -> dict[str, str]:
    """Return the parameter that starts the window; without `low` there is none."""
    return {} if low is None else {"created_at_min": shop_minute(low, zone)}


def _walk(feed: Any, *, since_id: int, window: dict[str, str]) -> Iterator[list[dict[str, Any]]]:
    """Yield pages by ascending id until an empty one.

    A short page is not the end: the server may cap the limit without saying so.
    """
    http = feed.urllib_opener()
    while True:
        asked = urlencode({"since_id": since_id, "limit": feed.page_size, **window})
        with http.open(f"{feed.url(PATH)}?{asked}") as response:  # raises for an error status
            page = json.load(response)["events"]
        if not page:
            return
        yield page
        last_id = int(page[-1]["id"])
        if last_id <= since_id:
            raise RuntimeError(f"asked for ids above {since_id}, got a page that ends at {last_id}")
        since_id = last_id
