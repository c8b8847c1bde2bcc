"""Clients of the sales channel that walk wrongly; two right ones stand first."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from .faulty import LATE, PROMPT, Gallery
from .faulty_saleschannel import ByKey, Event, LookBack, RepeatsPageOfTies

GALLERY = Gallery("saleschannel")
shows = GALLERY.shows


class Downwards(LookBack):
    """Theorems T2 and T4 from above: newest first, down to a lateness before the last poll.

    Right where events are late by up to five minutes.
    """

    def walk(self, key: str) -> None:
        self.bottom = key
        for page in self.pages():
            self.take(page, key)
            self.after(page)
        ByKey.remember(self, self.low())

    def pages(self) -> Iterable[list[Event]]:
        top: str | None = None
        limit = self.limit_usual
        while page := self.get(self.between(top, limit)):
            yield page
            last = page[-1]["createdAt"]
            if last == top and len(page) < limit:
                return
            limit = 2 * limit if last == top else self.limit_usual
            top = last

    def between(self, top: str | None, limit: int) -> dict[str, Any]:
        return {
            "$limit": limit,
            "$orderBy[createdAt]": "desc",
            "$filter[createdAt][gte]": self.bottom,
            **({"$filter[createdAt][lte]": top} if top else {}),
        }

    def after(self, page: list[Event]) -> None:
        """Nothing is to be done before the walk is whole."""


class UnfilteredFirst(ByKey):
    """Theorems T1 and T4, but for the very first request, which asks for the whole list.

    A filter on createdAt finds no row without one. Right where nothing is late.
    """

    def query(self, key: str, limit: int) -> dict[str, Any]:
        return (
            {"$orderBy[createdAt]": "asc"} if key == self.BEGINNING else super().query(key, limit)
        )

    def take(self, page: list[Event], key: str) -> None:
        for event in self.fresh(page, key):
            self.deliver(event)
            self.seen[event["id"]] = self.stamp_of(event)

    def last_key(self, page: list[Event], key: str) -> str:
        stamped = [event for event in page if event["createdAt"] is not None]
        return super().last_key(stamped, key)

    def stamp_of(self, event: Event) -> str:
        """Rows without a stamp are remembered with the last of all."""
        return event["createdAt"] or "9"


# Ties


@shows(
    "LOST",
    "served-not-delivered",
    fault="C04",
    promise=PROMPT,
    pins={"ties": "shuffled"},
)
class DropsAsManyAsItKnows(ByKey):
    """C04. Counts the rows that it has of the last stamp, and skips as many on the next page:
    right as long as ties keep their order, as they do in ``default``."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        return super().fresh(page[sum(at == key for at in self.seen.values()) :], key)


@shows("LOST", "cut-by-limit", fault="C03", promise=LATE)
class StopsWhenNothingIsNew(LookBack):
    """C03. Guards itself against endless walks: a page on which it knows every row is the last."""

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        return super().following(page, key, limit) if self.was_new else None

    def take(self, page: list[Event], key: str) -> None:
        self.was_new = any(event["id"] not in self.seen for event in page)
        super().take(page, key)


# Where a walk begins and ends


@shows("LOST", "cut-by-limit", fault="C14", promise=PROMPT)
class RaisesTheBottom(Downwards):
    """C14. Asks for the second page of what is newer than the first one: there is none."""

    def after(self, page: list[Event]) -> None:
        self.bottom = page[0]["createdAt"]


@shows("LOST", "cut-by-limit", fault="C15", promise=LATE)
class StopsWhenFewAreFresh(LookBack):
    """C15. Drops what it knows before it counts: a full page looks short, and ends the walk."""

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        return super().following(page, key, limit) if self.count >= limit else None

    def take(self, page: list[Event], key: str) -> None:
        self.count = len(list(self.fresh(page, key)))
        super().take(page, key)


@shows(
    "LOST",
    "cut-by-limit",
    fault="C15",
    promise=LATE,
    pins={"limit_max": 5},
    page_size=10,
    events_max=6,
)
class StopsAtCappedPage(LookBack):
    """C15. The document's own advice: a page shorter than its limit is the last. It is not where
    the server caps the limit, which no document excludes; a cap of 5 takes six events."""

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        return super().following(page, key, limit) if len(page) >= limit else None


@shows("STUCK", fault="C18", promise=PROMPT)
class OneRowAPage(RepeatsPageOfTies):
    """C18. Asks for one row at a time; an inclusive key returns that row for ever."""

    def ask(self, key: str, limit: int) -> list[Event]:
        return super().ask(key, 1)

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        return super().following(page, key, 1)


@shows("STUCK", fault="C19", promise=PROMPT)
class FirstRowAsKey(RepeatsPageOfTies):
    """C19. Goes on from the first row of a page, where the page began."""

    def last_key(self, page: list[Event], key: str) -> str:
        return super().last_key(page[:1], key)


@shows("LOST", "cut-by-limit", fault="C20", promise=LATE)
class FirstPageOfLookBack(LookBack):
    """C20. Reads one page a poll and moves on."""

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        return None


@shows("LOST", "cut-by-limit", fault="C20", promise=LATE)
class StopsAfterThreePages(Downwards):
    """C20. Guards itself against endless walks with a number of pages, and calls that success."""

    def pages(self) -> Iterable[list[Event]]:
        return islice(super().pages(), 3)


# Order


@shows("LOST", "cut-by-limit", fault="C21", promise=PROMPT, pins={"order_default": "newest-first"})
class TrustsTheDefaultOrder(ByKey):
    """C21. Leaves $orderBy out. Rows then come as the log has them in ``default``, and newest first
    here: the last row of the first page is the oldest of the newest."""

    def query(self, key: str, limit: int) -> dict[str, Any]:
        query = super().query(key, limit)
        del query["$orderBy[createdAt]"]
        return query


@shows(
    "LOST",
    "cut-by-limit",
    "failed-not-retried",
    "served-not-delivered",
    fault="C22",
    promise=PROMPT,
)
class SavesTheTopFirst(Downwards):
    """C22. Saves the next start with the first page; killed on the second, or failing there, it
    skips the rest."""

    def after(self, page: list[Event]) -> None:
        ByKey.remember(self, self.low())


@shows("DUPLICATED", fault="C23", promise=PROMPT)
class LastRowOfDescendingWalk(Downwards):
    """C23. Saves the last row that it read, with the ids at it; newest first, that is the oldest,
    and the next poll delivers all that is younger again."""

    def after(self, page: list[Event]) -> None:
        self.last = page[-1]["createdAt"]

    def low(self) -> str:
        last: str = getattr(self, "last", self.bottom)
        self.seen = {id_: at for id_, at in self.seen.items() if at <= last}
        return last


# Parameters


@shows("LOST", "cut-by-limit", fault="C30", promise=PROMPT, pins={"order_default": "newest-first"})
class OrdersTheFirstPageOnly(ByKey):
    """C30. Sends $orderBy with the first page of a walk alone. Where rows come newest first without
    it, what lies between the pages is never read; in ``default`` they come as the log has them."""

    def walk(self, key: str) -> None:
        self.is_first = True
        super().walk(key)

    def query(self, key: str, limit: int) -> dict[str, Any]:
        query = super().query(key, limit)
        if not self.is_first:
            del query["$orderBy[createdAt]"]
        self.is_first = False
        return query


@shows("ILLEGAL_REQUEST", "unparsable-query", fault="C30", promise=PROMPT)
class NestsWhatIsFlat(ByKey):
    """C30. Hands nested objects to a library that flattens them: operator and value are lost."""

    def query(self, key: str, limit: int) -> dict[str, Any]:
        return {
            "$limit": limit,
            "$orderBy": {"createdAt": "asc"},
            "$filter": {"createdAt": {"gte": key}},
        }


@shows("ILLEGAL_REQUEST", "lost-plus", fault="C33", promise=PROMPT)
class LosesThePlusOfKey(ByKey):
    """C33. Writes the query string itself, and the + of the offset arrives as a space."""

    def get(self, query: dict[str, Any]) -> list[Event]:
        wanted = f"{{%22createdAt%22:{{%22gte%22:%22{self.key_with_offset}%22}}}}"
        text = f"$limit={query['$limit']}&$orderBy[createdAt]=asc&$filter={wanted}"
        response = self.http.get(f"{self.feed.url(self.PATH)}?{text}")
        response.raise_for_status()
        page: list[Event] = response.json()
        return page

    def query(self, key: str, limit: int) -> dict[str, Any]:
        self.key_with_offset = key.replace("Z", "+00:00")
        return super().query(key, limit)
