"""Two clients of the sales channel: the document's own algorithm, and a provably right one."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

PATH = "/saleschannel-services/v1/events"
BEGINNING = "2020-01-01T00:00:00.000Z"
"""The document: 'initially start with a date far in the past'."""
LOOK_BACK = timedelta(minutes=5)
"""At least the lateness that the server may show; more costs rows, less loses events."""
LIMIT_MAX = 10_000
"""Give up loudly when that many events share one createdAt."""


def document_client(feed: Any) -> None:
    """The document's loop with its slips mended: the key is ``page[-1]["createdAt"]``.

    It trusts the sentence about "one message of overlap" and drops the first row of every page but
    the first. That is right while no two events share a createdAt.
    """
    pagination_key = feed.checkpoint or BEGINNING
    overlap = feed.checkpoint is not None
    while True:
        page = _get_page(feed, pagination_key, feed.page_size)
        for event in page[1:] if overlap else page:
            feed.deliver(event)
        if page:
            pagination_key = page[-1]["createdAt"]
            overlap = True
            feed.save(pagination_key)
        if len(page) < feed.page_size:
            return


def reference_client(feed: Any) -> None:
    """Anchored look-back and a limit that grows at ties (theorems T2 and T4).

    Each poll starts `LOOK_BACK` before the *start* of the last poll that succeeded, walks upwards
    with an inclusive key, and drops the ids that it has delivered already. The walk is over when a
    request from the last key brings nothing beyond it: a short page alone proves nothing under a
    cap that no document names. A full page that ends where it began is all ties, and only a larger
    limit gets past it.
    """
    state = feed.checkpoint or {"low": BEGINNING, "seen": {}}
    started, seen = feed.now(), dict(state["seen"])
    key, limit = state["low"], max(2, feed.page_size)
    while True:
        page = _get_page(feed, key, limit)
        for event in page:
            if event["id"] not in seen:
                feed.deliver(event)
                seen[event["id"]] = event["createdAt"]
        last = page[-1]["createdAt"] if page else key
        if last != key:
            key, limit = last, max(2, feed.page_size)
        elif len(page) < limit:
            break
        elif limit < LIMIT_MAX:
            limit *= 2
        else:
            raise RuntimeError(f"{LIMIT_MAX} events and more share createdAt {key}")
    low = _stamp(started - LOOK_BACK)
    feed.save({"low": low, "seen": {id_: at for id_, at in seen.items() if at >= low}})


def _get_page(feed: Any, key: str, limit: int) -> list[dict[str, Any]]:
    """Ask for the oldest `limit` events from `key` on; raises for any status but 2xx."""
    query = {
        "$limit": limit,
        "$orderBy[createdAt]": "asc",
        "$filter[createdAt][gte]": key,
    }
    with feed.urllib_opener().open(f"{feed.url(PATH)}?{urlencode(query)}") as response:
        page: list[dict[str, Any]] = json.load(response)
    return page


def _stamp(moment: datetime) -> str:
    """Write a moment as the API does; then text sorts as time does."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
