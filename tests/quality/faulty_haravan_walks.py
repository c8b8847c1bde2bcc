"""Clients of Haravan that walk the pages of a window wrongly; four right ones stand first."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from .faulty import LATE, PROMPT, Gallery
from .faulty_haravan import (
    ByLargestId,
    ByPage,
    ByWindow,
    Event,
    TrustsPagesToBeDisjoint,
    read,
)

GALLERY = Gallery("haravan")
shows = GALLERY.shows

SECOND = timedelta(seconds=1)


class ByStamp(ByWindow):
    """Theorems T1 and T4: from the last created_at on, with a limit that grows at ties.

    Right where nothing is late and ids grow with time.
    """

    def walk(self) -> Iterable[list[Event]]:
        limit: int | None = self.limit()
        while limit is not None:
            page = self.get({"since_id": self.FIRST_ID, "limit": limit, **self.window()})
            yield page
            limit = self.following_limit(page, limit)

    def following_limit(self, page: list[Event], limit: int) -> int | None:
        """Move on to the last row; return the next limit, or None at the end of the walk."""
        last = read(page[-1]["created_at"]) if page else self.low
        if last != self.low:
            self.low = last
            return self.limit()
        return 2 * limit if len(page) >= limit else None

    def next_low(self, started: datetime) -> datetime | None:
        return self.low

    def written(self, low: datetime) -> str:
        return local_second(low, self.feed.zone)


class BySlices(ByWindow):
    """Theorem T7, in slices of six hours: no request asks for more than it can bear."""

    slice = timedelta(hours=6)
    until: datetime | None = None

    def walk(self) -> Iterable[list[Event]]:
        if self.low is None:
            yield from super().walk()
            return
        low, now = self.low, self.feed.now()
        start = low
        while start <= now:
            self.start, self.until = start, start + self.slice
            pages = list(super().walk())
            yield from pages
            if self.is_over(pages):
                break
            start = self.until
        self.until = None

    def is_over(self, pages: list[list[Event]]) -> bool:
        """Whether the slices behind this one need not be read."""
        return False

    def window(self) -> dict[str, str]:
        if self.until is None:
            return super().window()
        return {
            "created_at_min": self.written(self.start),
            "created_at_max": self.written(self.until),
        }


class ByFrozenPages(TrustsPagesToBeDisjoint):
    """Theorem T8 with an upper bound: what is recorded during the walk stays out of it.

    So its pages are disjoint, if nothing is late.
    """

    def window(self) -> dict[str, str]:
        return {**super().window(), "created_at_max": local_second(self.until(), self.feed.zone)}

    def until(self) -> datetime:
        return self.started

    def poll(self, feed: Any) -> None:
        self.started = feed.now()
        super().poll(feed)


class ByCursor(ByWindow):
    """Theorem T7 with the cursors of the ``link`` header in the place of since_id."""

    def walk(self) -> Iterable[list[Event]]:
        asked = {"limit": self.limit(), **self.window()}
        response = self.http.get(self.feed.url(self.PATH), params=asked)
        while True:
            response.raise_for_status()
            yield response.json()["events"]
            url = self.following_url(response.links)
            if url is None:
                return
            response = self.http.get(url)

    def following_url(self, links: dict[str, dict[str, str]]) -> str | None:
        return links.get("next", {}).get("url")


def local_second(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


# Boundaries and ties


@shows("LOST", "cut-by-limit", fault="C01", promise=PROMPT)
class PlusOneSecond(ByStamp):
    """C01. Adds a second to the last created_at: its twins on the next page are skipped."""

    def written(self, low: datetime) -> str:
        return super().written(low + SECOND)


@shows("LOST", "served-not-delivered", "saved-before-delivered", fault="C02", promise=PROMPT)
class DropsFirstOfWindow(ByStamp):
    """C02. Takes the first row of every page for one that it has, the very first page included."""

    def take(self, page: list[Event]) -> None:
        super().take(page[1:])


@shows("DUPLICATED", fault="C02", promise=PROMPT)
class DeliversTheSeamTwice(ByStamp):
    """C02. The window includes its own start, and what stands there is delivered again."""

    def is_fresh(self, event: Event) -> bool:
        return True


@shows("STUCK", fault="C03", promise=PROMPT)
class RepeatsSecondOfTies(ByStamp):
    """C03. Asks for a second that fills the page again and again with the same limit."""

    def following_limit(self, page: list[Event], limit: int) -> int | None:
        return None if super().following_limit(page, limit) is None else self.limit()


@shows("LOST", "cut-by-limit", fault="C03", promise=PROMPT)
class StepsOverSecondOfTies(ByStamp):
    """C03. Steps over a second that fills the page: it moves on, and leaves the rest behind."""

    def following_limit(self, page: list[Event], limit: int) -> int | None:
        before = self.low
        following = super().following_limit(page, limit)
        if following is not None and self.low is not None and self.low == before:
            self.low += SECOND
            return self.limit()
        return following


@shows(
    "LOST",
    "cut-by-limit",
    fault="C04",
    promise=PROMPT,
    pins={"order_default": "created_at-asc", "created_at_ties": "shuffled"},
)
class PagesOfShuffledTies(ByPage):
    """C04. Counts pages through rows whose ties come in another order with each request: what moves
    to the page before is never seen. In ``default`` ties are broken by id."""


# Bounds that move


@shows("DUPLICATED", fault="C14", promise=PROMPT)
class MovesTheUpperBound(ByFrozenPages):
    """C14. Means to freeze the walk, and takes the time anew for each page: new rows come in and
    push the others on."""

    def until(self) -> datetime:
        now: datetime = self.feed.now()
        return now


@shows("LOST", "cut-by-limit", "served-not-delivered", fault="C14", promise=PROMPT)
class FiltersByWhatItRead(ByPage):
    """C14. Asks for the second page of what is newer than the first one: there is none. Nor is what
    a crash took away ever read again."""

    def walk(self) -> Iterable[list[Event]]:
        self.bottom = self.low
        for page in super().walk():
            yield page
            self.bottom = max(read(event["created_at"]) for event in page)

    def window(self) -> dict[str, str]:
        return {} if self.bottom is None else {"created_at_min": self.written(self.bottom)}


# Where a walk ends


@shows("LOST", "cut-by-limit", fault="C15", promise=LATE)
class CountsFreshRows(ByWindow):
    """C15. Drops what it knows before it counts: a full page looks short, and ends the walk."""

    def walk(self) -> Iterable[list[Event]]:
        for page in super().walk():
            fresh = sum(map(self.is_fresh, page))
            yield page
            if fresh < self.limit():
                return


@shows("CRASHED", fault="C16", promise=LATE)
class CrashesOnEmptyWindow(ByWindow):
    """C16. Takes the last row of a page before looking whether it has one."""

    def walk(self) -> Iterable[list[Event]]:
        since_id, page = self.first_id(), []
        while not since_id or len(page) in (0, self.limit()):
            page = self.ask(since_id=since_id)
            since_id = self.following(page, since_id)
            yield page


@shows("LOST", "never-asked", fault="C16", promise=LATE)
class StopsAtEmptySlice(BySlices):
    """C16. Takes six hours without a row for the end of the log."""

    def is_over(self, pages: list[list[Event]]) -> bool:
        return not pages


@shows("LOST", "cut-by-limit", fault="C18", promise=PROMPT, pins={"limit_max": 5}, events_max=6)
class ProbesWithOneMore(ByWindow):
    """C18. Asks for a row more than a page to see whether there are more; where the server caps the
    limit, that row never comes. In ``default`` the cap is 50; 5 shows the same with fewer rows."""

    def limit(self) -> int:
        return super().limit() + 1

    def walk(self) -> Iterable[list[Event]]:
        for page in super().walk():
            yield page
            if len(page) < self.limit():
                return


@shows("ILLEGAL_REQUEST", "bad-number", fault="C18", promise=PROMPT)
class AsksForNoRows(ByWindow):
    """C18. Takes a limit of 0 for no limit at all."""

    def limit(self) -> int:
        return 0


@shows("STUCK", fault="C19", promise=PROMPT)
class NeverMovesOn(ByLargestId):
    """C19. Asks each time with the since_id of the first page, and gets the first page."""

    def following(self, page: list[Event], since_id: int) -> int:
        return since_id


@shows("STUCK", fault="C19", promise=LATE, profile="shopify-cursor")
class FollowsTheFirstLink(ByCursor):
    """C19. Takes the first address of the header, which from the second page on is the previous
    page. Only cursors, as in ``shopify-cursor``, can lead in a circle."""

    def following_url(self, links: dict[str, dict[str, str]]) -> str | None:
        return next((link["url"] for link in links.values()), None)


@shows("LOST", "cut-by-limit", fault="C20", promise=LATE)
class StopsAfterTwoPages(ByWindow):
    """C20. Guards itself against endless walks with a number of pages, and calls that success."""

    def walk(self) -> Iterable[list[Event]]:
        return islice(super().walk(), 2)


# Order


@shows("LOST", "cut-by-limit", fault="C21", promise=PROMPT, pins={"id_order": "shuffled"})
class StopsAtOldRow(ByPage):
    """C21. Reads the list from its top until a row is too old, as if it stood by time. It does in
    ``default``; in the document's own sample, ids don't follow time."""

    def window(self) -> dict[str, str]:
        return {}

    def walk(self) -> Iterable[list[Event]]:
        for page in super().walk():
            yield page
            if self.low is not None and read(page[-1]["created_at"]) < self.low:
                return
