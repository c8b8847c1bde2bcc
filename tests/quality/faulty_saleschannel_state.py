"""Clients of the sales channel that go on from the wrong place, or confuse what they know."""

from collections.abc import Iterable
from datetime import timedelta

from .faulty import LATE, PROMPT, Gallery
from .faulty_saleschannel import ByKey, Event, LookBack, RepeatsPageOfTies, moved
from .faulty_saleschannel_walks import Downwards, UnfilteredFirst

GALLERY = Gallery("saleschannel")
shows = GALLERY.shows

SECOND = timedelta(seconds=1)


# Keys


@shows(
    "LOST",
    "served-not-delivered",
    "saved-before-delivered",
    fault="C05",
    promise=PROMPT,
    pins={"id_order": "random"},
)
class TakesIdsForOrder(ByKey):
    """C05. Takes a row with an id below the largest one for a row that it has. In ``default`` ids
    happen to rise with time; nothing promises that. Where its poll fails thereafter, nobody can
    tell whether it would have delivered the row after it had saved."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        largest = max(self.seen, default="")
        return [event for event in page if event["id"] > largest]


@shows(
    "LOST",
    "cut-by-limit",
    "failed-not-retried",
    "served-not-delivered",
    fault="C11",
    promise=PROMPT,
)
class ResumesFromDestination(Downwards):
    """C11. Goes on from the newest event that was delivered. That has been read from the top, and
    after a walk that was killed, or failed, what lies below it has not."""

    def after(self, page: list[Event]) -> None:
        ByKey.remember(self, self.low())

    def low(self) -> str:
        return max([self.bottom, *self.seen.values()])


@shows("LOST", "cut-by-limit", "never-asked", fault="C31", promise=PROMPT)
class RoundsKeyUp(ByKey):
    """C31. Writes the key to the second, rounded up: the rest of the second is skipped."""

    def ask(self, key: str, limit: int) -> list[Event]:
        return super().ask(to_second(moved(key, timedelta(milliseconds=999))), limit)


@shows("STUCK", fault="C31", promise=PROMPT)
class CutsKeyToSecond(RepeatsPageOfTies):
    """C31. Writes the key to the second, cut off: a second that fills the page is read for ever."""

    def last_key(self, page: list[Event], key: str) -> str:
        return to_second(super().last_key(page, key))


@shows("ALTERED", fault="C31", promise=PROMPT)
class AltersStamp(ByKey):
    """C31. Delivers createdAt to the second, though it was served to the millisecond."""

    def deliver(self, event: Event) -> None:
        super().deliver({**event, "createdAt": to_second(event["createdAt"])})


@shows("CRASHED", fault="C35", promise=PROMPT, pins={"null_created_at": True})
class CrashesOnNullKey(UnfilteredFirst):
    """C35. Reads every createdAt as a time, and one is null. ``default`` has none such, though the
    document allows it."""

    def stamp_of(self, event: Event) -> str:
        return moved(event["createdAt"], timedelta(0))


@shows("DUPLICATED", fault="C35", promise=PROMPT, pins={"null_created_at": True})
class NullAsKey(UnfilteredFirst):
    """C35. Takes the null of the last row for a key, and goes on from the beginning. ``default``
    has no nulls, though the document allows them."""

    def remember(self, key: str) -> None:
        super().remember(self.BEGINNING if self.met_null else key)

    def take(self, page: list[Event], key: str) -> None:
        self.met_null = bool(page) and page[-1]["createdAt"] is None
        super().take(page, key)

    def stamp_of(self, event: Event) -> str:
        return event["createdAt"] or ""


@shows("LOST", "never-asked", fault="C36", promise=PROMPT, pins={"future_stamps": "some"})
class TrustsFutureStamps(ByKey):
    """C36. Right where no stamp lies ahead; one that does carries the key beyond all that follows
    until then. ``default`` has none such."""


# Memory


@shows("DUPLICATED", fault="C37", promise=LATE)
class KnowsThePageBefore(LookBack):
    """C37. Drops what stood on the page before, and delivers again what an earlier poll had."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        before = getattr(self, "before", set())
        self.before = {event["id"] for event in page}
        return [event for event in page if event["id"] not in before]


@shows("LOST", "served-not-delivered", "saved-before-delivered", fault="C37", promise=PROMPT)
class DedupByTransaction(ByKey):
    """C37. Takes the events of one transaction for the same."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        for event in super().fresh(page, key):
            transaction = event["details"]["transactionId"]
            if transaction not in self.seen:
                self.seen[transaction] = event["createdAt"]
                yield event


def to_second(key: str) -> str:
    return f"{key[:19]}.000Z"
