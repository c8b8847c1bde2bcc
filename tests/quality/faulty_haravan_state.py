"""Clients of Haravan that go on from the wrong place, or confuse what they know."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from .faulty import BY_ID, LATE, LATE_BY, PROMPT, Gallery
from .faulty_haravan import ByLargestId, ByPage, ByWindow, Event, read
from .faulty_haravan_walks import ByStamp, local_second

GALLERY = Gallery("haravan")
shows = GALLERY.shows

MINUTE = timedelta(minutes=1)


# Where the window begins


@shows("LOST", "never-asked", fault="C05", promise=PROMPT, pins={"id_order": "shuffled"})
class TakesIdsForTime(ByLargestId):
    """C05. Goes on from the largest id, and a new event has a smaller one. In ``default`` ids grow
    with time, in the document's sample they don't."""


@shows("LOST", "never-asked", fault="C07", promise=LATE)
class HalfWindow(ByWindow):
    """C07. Looks back half as far as events may be late."""

    look_back = LATE_BY / 2


class BySecond(ByWindow):
    """Theorem T7 with a window to the second, which the document's samples use."""

    def next_low(self, started: datetime) -> datetime | None:
        return (started - self.look_back).astimezone(UTC).replace(microsecond=0)

    def written(self, low: datetime) -> str:
        return local_second(low, self.feed.zone)


@shows("LOST", "never-asked", fault="C08", promise=LATE)
class WindowFromWalkEnd(BySecond):
    """C08. Looks back from the end of the walk; what appeared during the walk may be older."""

    def next_low(self, started: datetime) -> datetime | None:
        return super().next_low(self.feed.now())


@shows("LOST", "never-asked", fault="C08", promise=LATE, page_size=4, events_max=6)
class WindowFromNewest(BySecond):
    """C08. Looks back from the newest created_at seen, which a long walk carries beyond its start.

    One walk must go on after a late event has appeared behind it, and read a younger one: that is
    many rows even on small pages.
    """

    def next_low(self, started: datetime) -> datetime | None:
        newest = max(map(read, self.seen.values()), default=None)
        return super().next_low(newest or started)


@shows(
    "LOST", "never-asked", "served-not-delivered", "failed-not-retried", fault="C08", promise=LATE
)
class WindowOfTenMinutes(ByWindow):
    """C08. Reads the last ten minutes, whenever the last poll was: an outage leaves a hole, into
    which what a crash or a failure has just taken away falls as well."""

    def walk(self) -> Iterable[list[Event]]:
        if self.low is not None:
            span = (self.feed.now() - 2 * LATE_BY).replace(second=0, microsecond=0)
            self.low = max(self.low, span)
        return super().walk()


@shows("LOST", "never-asked", fault="C09", promise=LATE)
class RewindsTwoIds(ByLargestId):
    """C09. Goes back by two ids, as if lateness were counted in ids."""

    def first_id(self) -> int:
        return max(self.FIRST_ID, super().first_id() - 2)


@shows(
    "LOST",
    "cut-by-limit",
    "failed-not-retried",
    "served-not-delivered",
    fault="C11",
    promise=PROMPT,
)
class ResumesFromNewest(ByPage):
    """C11. Goes on from the newest event that was delivered. That has been read from the top, and
    after a walk that was killed, or failed, what lies below it has not."""

    def save(self, low: datetime | None) -> None:
        newest = max(map(read, self.seen.values()), default=None)
        super().save(newest and newest.replace(second=0))


@shows("LOST", "never-asked", fault="C31", promise=LATE)
class RoundsWindowUp(ByWindow):
    """C31. Rounds the start of the window up to the minute: up to a minute is never asked for."""

    def next_low(self, started: datetime) -> datetime | None:
        return (started - self.look_back).astimezone(UTC)

    def written(self, low: datetime) -> str:
        return super().written(low + MINUTE)


@shows("LOST", "cut-by-limit", "never-asked", fault="C31", promise=PROMPT)
class RoundsStampUp(ByStamp):
    """C31. Rounds the last created_at up to the minute: the rest of the minute is skipped."""

    def written(self, low: datetime) -> str:
        return super().written((low + timedelta(seconds=59)).replace(second=0))


@shows("LOST", "never-asked", fault="C32", promise=LATE, pins={"shop_zone": "America/New_York"})
class SummerTimeAllYear(ByWindow):
    """C32. Takes the offset of the summer for that of the shop: in winter it asks for an hour too
    little. Vietnam, as in ``default``, does not change its clocks."""

    def written(self, low: datetime) -> str:
        return f"{low.astimezone(UTC) - timedelta(hours=4):%Y-%m-%d %H:%M}"


@shows("LOST", "never-asked", fault="C36", promise=LATE)
class ClockAsWindow(ByWindow):
    """C36. Goes on from its own clock at the end of the walk, as if everything older were read."""

    look_back = timedelta(0)

    def next_low(self, started: datetime) -> datetime | None:
        return super().next_low(self.feed.now())


@shows("LOST", "cut-by-limit", fault="C23", promise=PROMPT, pins={"id_order": "shuffled"})
class LastRowOfUnsortedPage(ByStamp):
    """C23. Goes on from the created_at of the last row; the page stands by id, and the next one may
    hold older rows. In ``default`` ids grow with time."""


# Parameters of the next page


@shows("LOST", "never-asked", "failed-not-retried", fault="C30", promise=PROMPT)
class DropsFilterAfterFirstPage(ByWindow):
    """C30. Asks for orders only, but sends the filter with the first page alone: of what it
    delivers from then on, the first page had none, nor is a page that failed asked for again."""

    def ask(self, **position: Any) -> list[Event]:
        if position["since_id"] == self.FIRST_ID:
            position["filter"] = "Order"
        return super().ask(**position)


@shows("DUPLICATED", fault="C30", promise=LATE)
class DropsWindowAfterFirstPage(ByPage):
    """C30. Sends created_at_min with the first page alone, and trusts it for all of them."""

    def window(self) -> dict[str, str]:
        return super().window() if self.is_first else {}

    def walk(self) -> Iterable[list[Event]]:
        self.is_first = True
        for page in super().walk():
            self.is_first = False
            yield page

    def is_fresh(self, event: Event) -> bool:
        return str(event["id"]) not in self.seen


@shows("ILLEGAL_REQUEST", "repeated-parameter", fault="C30", promise=PROMPT)
class DoublesParameters(ByWindow):
    """C30. Appends the new since_id to an address that has one already."""

    def walk(self) -> Iterable[list[Event]]:
        url = f"{self.feed.url(self.PATH)}?limit={self.limit()}"
        since_id = self.first_id()
        while True:
            url += f"&since_id={since_id}"
            response = self.http.get(url)
            response.raise_for_status()
            page = response.json()["events"]
            if not page:
                return
            yield page
            since_id = self.following(page, since_id)


# Ids and memory


@shows("OUT_OF_ORDER", fault="C21", promise=BY_ID)
class PagesAgainstTheOrder(ByPage):
    """C21. Promises the order of ids, and walks pages that begin with the largest one."""


@shows("ILLEGAL_REQUEST", "bad-number", fault="C34", promise=PROMPT)
class IdsAsFloats(ByWindow):
    """C34. Keeps ids as floating point numbers, as tables do that have a gap, and sends 1000.0."""

    def ask(self, **position: Any) -> list[Event]:
        return super().ask(since_id=float(position["since_id"]))


@shows("STUCK", fault="C34", promise=PROMPT)
class LargestIdAsText(ByLargestId):
    """C34. Looks for the largest id among texts: 999 stays the largest for ever."""

    def following(self, page: list[Event], since_id: int) -> int:
        return int(max([str(since_id), *(str(event["id"]) for event in page)]))


@shows("LOST", "served-not-delivered", fault="C37", promise=PROMPT)
class DedupBySecond(ByWindow):
    """C37. Takes two events with one created_at for the same."""

    def is_fresh(self, event: Event) -> bool:
        return super().is_fresh(event) and event["created_at"] not in self.seen.values()


@shows("LOST", "served-not-delivered", fault="C37", promise=PROMPT)
class DedupByContent(ByWindow):
    """C37. Takes two events for the same that say the same of one subject."""

    def take(self, page: list[Event]) -> None:
        for event in page:
            said = f"{event['subject_id']} {event['verb']}"
            if super().is_fresh(event) and said not in self.seen:
                self.deliver(event)
            self.seen |= {said: event["created_at"], str(event["id"]): event["created_at"]}


@shows("DUPLICATED", fault="C38", promise=LATE)
class RemembersTwoIds(ByWindow):
    """C38. Remembers the last two ids only, and reads more than two again."""

    def is_fresh(self, event: Event) -> bool:
        is_old = self.low is not None and read(event["created_at"]) < self.low
        return not is_old and str(event["id"]) not in list(self.seen)[-2:]
