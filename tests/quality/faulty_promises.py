"""Clients of both dialects that break a promise of freshness, or of snapshots, by one mistake."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from fakeserver.verifier.promise import Promise

from .faulty import LATE_BY, Gallery
from .faulty_haravan import ByPage, ByWindow
from .faulty_saleschannel import ByKey, HoldBack, LookBack

Event = dict[str, Any]

FRESH = Promise(late_by_ms_max=300_000, delay_ms_max=60_000)
"""Whatever has been visible for a minute when a poll begins is delivered in that poll."""
AT_ONCE = Promise(late_by_ms_max=300_000, delay_ms_max=0)
SNAPSHOT = Promise(mode="snapshot")
SNAPSHOT_IN_ORDER = Promise(mode="snapshot", order="recorded")

HARAVAN = Gallery("haravan")
SALESCHANNEL = Gallery("saleschannel")


# Freshness


class Postponed:
    """A feed that hands over in the next poll what is delivered to it in this one."""

    def __init__(self, feed: Any) -> None:
        state = feed.checkpoint or {"waiting": [], "own": None}
        self.feed, self.checkpoint, self.waiting = feed, state["own"], list[Event]()
        for event in state["waiting"]:
            feed.deliver(event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.feed, name)

    def deliver(self, event: Event) -> None:
        self.waiting.append(event)

    def save(self, checkpoint: Any) -> None:
        self.feed.save({"waiting": self.waiting, "own": checkpoint})


@HARAVAN.shows("LATE", fault="L1", promise=FRESH)
class OnePollLater(ByWindow):
    """L1. Delivers in each poll what the one before it read."""

    def poll(self, feed: Any) -> None:
        super().poll(Postponed(feed))


@SALESCHANNEL.shows("LATE", fault="L1", promise=AT_ONCE)
class OnePollLaterByKey(LookBack):
    """L1. Delivers in each poll what the one before it read."""

    def poll(self, feed: Any) -> None:
        super().poll(Postponed(feed))


@SALESCHANNEL.shows("LATE", fault="I6", promise=FRESH)
class HoldsBackLonger(HoldBack):
    """I6. Right, and in order; but holding back for five minutes it promises a delay of one."""


@HARAVAN.shows("LATE", fault="I6", promise=FRESH)
class WindowHeldBack(ByWindow):
    """I6. Leaves for a later poll what is younger than the lateness, and promises a minute."""

    look_back = 2 * LATE_BY

    def poll(self, feed: Any) -> None:
        self.settled = feed.now() - LATE_BY
        super().poll(feed)

    def is_fresh(self, event: Event) -> bool:
        return super().is_fresh(event) and stamp_of(event) <= self.settled


@HARAVAN.shows("LATE", fault="L1", promise=FRESH)
class SleepsOnWhatItRead(ByWindow):
    """L1. Collects for two minutes before it hands anything over, in the poll that read it."""

    def take(self, page: list[Event]) -> None:
        self.feed.sleep(timedelta(minutes=2).total_seconds())
        super().take(page)


def stamp_of(event: Event) -> datetime:
    return datetime.fromisoformat(event["created_at"])


# Snapshots of Haravan


class WholeByPage(ByPage):
    """Theorem T8, begun anew in each poll: every page, and what was read twice is dropped."""

    def poll(self, feed: Any) -> None:
        self.feed, self.http = feed, feed.requests_session()
        self.low, self.seen = None, {}
        for page in self.walk():
            self.take(page)


class WholeById(WholeByPage):
    """The same by ids, which are places that nothing moves."""

    def walk(self) -> Iterable[list[Event]]:
        return ByWindow.walk(self)


@HARAVAN.shows("DUPLICATED", fault="C12", promise=SNAPSHOT)
class PagesWithoutDedup(WholeByPage):
    """C12. Newest first by page numbers, it takes each row of the walk for another: what appears
    in between moves a row onto the next page."""

    def is_fresh(self, event: Event) -> bool:
        return True


@HARAVAN.shows("LOST", "cut-by-limit", fault="C20", promise=SNAPSHOT)
class SnapshotOfOnePage(WholeById):
    """C20. Takes the first page for the whole log."""

    def walk(self) -> Iterable[list[Event]]:
        yield self.ask(since_id=self.first_id())


@HARAVAN.shows("LOST", "never-asked", fault="C11", promise=SNAPSHOT)
class GoesOnFromTheLast(WholeById):
    """C11. Goes on where the last snapshot ended, as if it followed the log."""

    since = ByWindow.FIRST_ID

    def first_id(self) -> int:
        return self.since

    def take(self, page: list[Event]) -> None:
        super().take(page)
        self.since = int(page[-1]["id"])


@HARAVAN.shows("LOST", "served-not-delivered", fault="C11", promise=SNAPSHOT)
class DeliversTheNewsOnly(WholeById):
    """C11. Reads everything in every poll, and drops what an earlier poll has delivered."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def is_fresh(self, event: Event) -> bool:
        is_news = str(event["id"]) not in self.known
        self.known.add(str(event["id"]))
        return is_news


# Snapshots of the sales channel


class WholeByKey(ByKey):
    """Theorems T1 and T4, begun anew in each poll."""

    def walk(self, key: str) -> None:
        self.seen = {}
        super().walk(self.BEGINNING)

    def remember(self, key: str) -> None:
        """A snapshot has nothing to remember."""


@SALESCHANNEL.shows("DUPLICATED", fault="C02", promise=SNAPSHOT)
class SnapshotWithOverlap(WholeByKey):
    """C02. Delivers the rows twice that two pages share."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        return page


@SALESCHANNEL.shows("LOST", "cut-by-limit", fault="C03", promise=SNAPSHOT)
class SnapshotUpToTheTies(WholeByKey):
    """C03. Takes a page that ends where it began for the end of the log."""

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        last = self.last_key(page, key)
        return (last, limit) if last != key else None


@SALESCHANNEL.shows("LOST", "never-asked", fault="C11", promise=SNAPSHOT)
class SnapshotOfTheNews(WholeByKey):
    """C11. Begins each snapshot at the createdAt at which the last one ended."""

    def walk(self, key: str) -> None:
        self.seen = {}
        ByKey.walk(self, key)

    def remember(self, key: str) -> None:
        self.feed.save({"key": key, "seen": {}})


@SALESCHANNEL.shows("OUT_OF_ORDER", fault="C21", promise=SNAPSHOT_IN_ORDER)
class SnapshotNewestFirstInPage(WholeByKey):
    """C21. Hands over each page from its end, though it promises the order of the log."""

    def take(self, page: list[Event], key: str) -> None:
        super().take(page[::-1], key)
