"""Clients of Haravan, each with one mistake; three right ones stand first."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from fakeserver.dialects.haravan.clients import shop_minute

from .faulty import LATE, LATE_BY, PROMPT, Gallery
from .quick import QuickSession

Event = dict[str, Any]

GALLERY = Gallery("haravan")
shows = GALLERY.shows


class ByWindow:
    """Theorem T7: a window of time from the start of the last poll, walked by id."""

    PATH = "/com/events.json"
    FIRST_ID = 1
    look_back = LATE_BY

    def poll(self, feed: Any) -> None:
        self.feed, self.http = feed, QuickSession(feed.requests_session())
        started = feed.now()
        state = feed.checkpoint or {"low": None, "seen": {}}
        self.low = read(state["low"]) if state["low"] else None
        self.seen: dict[str, str] = dict(state["seen"])
        for page in self.walk():
            self.take(page)
            self.save(self.low)
        self.save(self.next_low(started))

    def next_low(self, started: datetime) -> datetime | None:
        return (started - self.look_back).astimezone(UTC).replace(second=0, microsecond=0)

    def save(self, low: datetime | None) -> None:
        seen = {id_: at for id_, at in self.seen.items() if low is None or read(at) >= low}
        self.feed.save({"low": low and low.isoformat(), "seen": seen})

    def walk(self) -> Iterable[list[Event]]:
        since_id = self.first_id()
        while page := self.ask(since_id=since_id):
            yield page
            since_id = self.following(page, since_id)

    def first_id(self) -> int:
        return self.FIRST_ID

    def following(self, page: list[Event], since_id: int) -> int:
        return int(page[-1]["id"])

    def ask(self, **position: Any) -> list[Event]:
        return self.get({**position, "limit": self.limit(), **self.window()})

    def limit(self) -> int:
        limit: int = self.feed.page_size
        return limit

    def window(self) -> dict[str, str]:
        return {} if self.low is None else {"created_at_min": self.written(self.low)}

    def written(self, low: datetime) -> str:
        return shop_minute(low, self.feed.zone)

    def get(self, query: dict[str, Any]) -> list[Event]:
        response = self.http.get(self.feed.url(self.PATH), params=query)
        response.raise_for_status()
        page: list[Event] = response.json()["events"]
        return page

    def take(self, page: list[Event]) -> None:
        for event in page:
            if self.is_fresh(event):
                self.deliver(event)
                self.seen[str(event["id"])] = event["created_at"]

    def is_fresh(self, event: Event) -> bool:
        is_old = self.low is not None and read(event["created_at"]) < self.low
        return not is_old and str(event["id"]) not in self.seen

    def deliver(self, event: Event) -> None:
        self.feed.deliver(event)


class ByLargestId(ByWindow):
    """Theorem T5: the largest id seen. Right where nothing is late and ids grow with time."""

    def first_id(self) -> int:
        return max([self.FIRST_ID, *map(int, self.seen)])

    def next_low(self, started: datetime) -> datetime | None:
        return None


class ByPage(ByWindow):
    """Theorems T2 and T8: the same window, walked by page numbers in the default order."""

    def walk(self) -> Iterable[list[Event]]:
        number = 1
        while page := self.ask(page=number):
            yield page
            number += 1


def read(text: str) -> datetime:
    return datetime.fromisoformat(text)


# Late events and windows


@shows("LOST", "never-asked", fault="C09", promise=LATE)
class LargestSeen(ByLargestId):
    """C09. Goes on from the largest id seen; a late event has a lower one."""


@shows("LOST", "never-asked", fault="C06", promise=LATE)
class WindowWithoutLookBack(ByWindow):
    """C06. The window begins at the last poll; what was hidden then is older."""

    look_back = timedelta(0)


@shows("LOST", "never-asked", fault="C32", promise=LATE, pins={"shop_zone": "America/New_York"})
class UtcAsShopTime(ByWindow):
    """C32. Sends UTC where the shop's time is read. East of Greenwich, as in ``default``, that
    asks for hours too much and harms nobody; in New York it asks for hours too little."""

    def written(self, low: datetime) -> str:
        return f"{low.astimezone(UTC):%Y-%m-%d %H:%M}"


@shows(
    "LOST",
    "never-asked",
    fault="C32",
    promise=LATE,
    pins={"shop_zone": "America/New_York", "ambiguous_time": "later"},
)
class ForgetsTheFold(ByWindow):
    """C32. In the hour that a clock change repeats, its text can mean two instants, and the server
    takes the later one. Vietnam, as in ``default``, does not change its clocks."""

    def written(self, low: datetime) -> str:
        return f"{low.astimezone(ZoneInfo(self.feed.zone)):%Y-%m-%d %H:%M}"


@shows("ILLEGAL_REQUEST", "lost-plus", fault="C33", promise=LATE)
class LosesThePlus(ByWindow):
    """C33. Writes the query string itself, and the + of the offset arrives as a space."""

    def written(self, low: datetime) -> str:
        return f"{low.astimezone(ZoneInfo(self.feed.zone)).isoformat(timespec='seconds')}"

    def get(self, query: dict[str, Any]) -> list[Event]:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        response = self.http.get(f"{self.feed.url(self.PATH)}?{text}")
        response.raise_for_status()
        page: list[Event] = response.json()["events"]
        return page


# Pages and limits


@shows("LOST", "cut-by-limit", "served-not-delivered", fault="C21", promise=PROMPT)
class StartsWithoutSinceId(ByLargestId):
    """C21. The first page comes newest first; its last row is the oldest of it, and the next pages
    go upwards from there. What is older than the first page is never read, and neither is what a
    crash took away: the next first page has moved on."""

    def walk(self) -> Iterable[list[Event]]:
        since_id = self.first_id()
        page = self.ask() if since_id == self.FIRST_ID else self.ask(since_id=since_id)
        while page:
            yield page
            page = self.ask(since_id=self.following(page, since_id))


@shows("LOST", "cut-by-limit", "served-not-delivered", fault="C21", promise=LATE)
class StopsAtKnownEvent(ByPage):
    """C21. Newest first, it takes the first event that it knows for the end of the news."""

    def walk(self) -> Iterable[list[Event]]:
        for page in super().walk():
            knows_one = not all(self.is_fresh(event) for event in page)
            yield page
            if knows_one:
                return


@shows("DUPLICATED", fault="C12", promise=PROMPT)
class TrustsPagesToBeDisjoint(ByPage):
    """C12. Knows what earlier polls delivered, and takes each row of this walk for another."""

    def take(self, page: list[Event]) -> None:
        fresh = [event for event in page if str(event["id"]) not in self.known()]
        for event in fresh:
            if self.low is None or read(event["created_at"]) >= self.low:
                self.deliver(event)
        self.seen |= {str(event["id"]): event["created_at"] for event in fresh}

    def known(self) -> dict[str, str]:
        """What was delivered before this poll began."""
        return self.before

    def poll(self, feed: Any) -> None:
        self.before = dict((feed.checkpoint or {"seen": {}})["seen"])
        super().poll(feed)


@shows("LOST", "cut-by-limit", fault="C18", promise=PROMPT, pins={"limit_max": 5}, events_max=6)
class StridesByAskedLimit(ByPage):
    """C18. Reads as many pages as the count divided by the limit that it asked for; the server
    returns fewer rows a page than that. In ``default`` the cap is 50; 5 shows the same with fewer
    rows."""

    def walk(self) -> Iterable[list[Event]]:
        url = self.feed.url("/com/events/count.json")
        count = self.http.get(url, params=self.window()).json()["count"]
        for number in range(1, ceil(count / self.limit()) + 1):
            yield self.ask(page=number)


@shows(
    "LOST",
    "cut-by-limit",
    fault="C15",
    promise=PROMPT,
    pins={"limit_max": 5},
    page_size=250,
    events_max=6,
)
class StopsAtShortPage(ByWindow):
    """C15. Asks for 250 rows, gets a few, and takes the short page for the last one. The cap is 50
    in ``default``; 5 shows the same with fewer rows."""

    def limit(self) -> int:
        return 250

    def walk(self) -> Iterable[list[Event]]:
        for page in super().walk():
            yield page
            if len(page) < self.limit():
                return


@shows("LOST", "cut-by-limit", fault="C20", promise=PROMPT)
class FirstPageOnly(ByWindow):
    """C20. Reads one page a poll and moves on."""

    def walk(self) -> Iterable[list[Event]]:
        yield self.ask(since_id=self.first_id())


@shows("STUCK", fault="C17", promise=PROMPT)
class EndlessOnExactMultiple(ByLargestId):
    """C17. Waits for a short page with something on it; after a last page that is full, none
    comes."""

    def walk(self) -> Iterable[list[Event]]:
        since_id = self.first_id()
        page = self.ask(since_id=since_id)
        is_last = not page
        while not is_last:
            yield page
            is_last = 0 < len(page) < self.limit()
            since_id = self.following(page, since_id) if page else since_id
            page = [] if is_last else self.ask(since_id=since_id)


@shows("LOST", "cut-by-limit", "failed-not-retried", fault="C22", promise=PROMPT)
class SavesTheHeadFirst(ByPage):
    """C22. Saves the next window with the first page; killed on the second, or failing there, it
    skips the rest."""

    def save(self, low: datetime | None) -> None:
        super().save(self.next_low(self.started))

    def poll(self, feed: Any) -> None:
        self.started = feed.now()
        super().poll(feed)


# Ids and fields


@shows("LOST", "served-not-delivered", "saved-before-delivered", fault="C34", promise=PROMPT)
class IdsAsText(ByLargestId):
    """C34. Compares ids as text, where 999 is above 1000."""

    def is_fresh(self, event: Event) -> bool:
        return all(str(event["id"]) > known for known in self.seen)


@shows("ALTERED", fault="C31", promise=PROMPT)
class AltersField(ByWindow):
    """C31. Delivers created_at to the minute, though it was served to the second."""

    def deliver(self, event: Event) -> None:
        rounded = read(event["created_at"]).replace(second=0).isoformat()
        super().deliver({**event, "created_at": rounded})


@shows("INVENTED", fault="C37", promise=PROMPT)
class DeliversSubjectId(ByWindow):
    """C37. Reports the id of the order or product as that of the event."""

    def deliver(self, event: Event) -> None:
        super().deliver({**event, "id": event["subject_id"]})


# Errors


@shows("LOST", "failed-not-retried", fault="C26", promise=PROMPT)
class TakesAnErrorForTheEnd(ByWindow):
    """C26. A page that fails ends the walk, and the poll is saved as if it were whole."""

    def get(self, query: dict[str, Any]) -> list[Event]:
        response = self.http.get(self.feed.url(self.PATH), params=query)
        page: list[Event] = response.json()["events"] if response.ok else []
        return page
