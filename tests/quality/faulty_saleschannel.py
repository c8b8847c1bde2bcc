"""Clients of the sales channel, each with one mistake; three right ones stand first."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from .faulty import EXACTLY_ONCE, IN_ORDER, IN_ORDER_LATE, LATE, LATE_BY, PROMPT, Gallery
from .quick import QuickSession

Event = dict[str, Any]

GALLERY = Gallery("saleschannel")
shows = GALLERY.shows


class ByKey:
    """Theorems T1 and T4: the last createdAt, the ids delivered at it, a limit that grows at ties.

    Right where nothing is late.
    """

    PATH = "/saleschannel-services/v1/events"
    BEGINNING = "2020-01-01T00:00:00.000Z"
    operator = "gte"

    def poll(self, feed: Any) -> None:
        self.feed, self.http = feed, QuickSession(feed.requests_session())
        self.started = feed.now()
        self.limit_usual = max(2, feed.page_size)
        state = feed.checkpoint or {"key": self.BEGINNING, "seen": {}}
        self.seen: dict[str, str] = dict(state["seen"])
        self.walk(state["key"])

    def walk(self, key: str) -> None:
        step: tuple[str, int] | None = (key, self.limit_usual)
        while step is not None:
            key, limit = step
            page = self.ask(key, limit)
            self.take(page, key)
            self.remember(self.last_key(page, key))
            step = self.following(page, key, limit)

    def ask(self, key: str, limit: int) -> list[Event]:
        return self.get(self.query(key, limit))

    def query(self, key: str, limit: int) -> dict[str, Any]:
        return {
            "$limit": limit,
            "$orderBy[createdAt]": "asc",
            f"$filter[createdAt][{self.operator}]": key,
        }

    def get(self, query: dict[str, Any]) -> list[Event]:
        response = self.http.get(self.feed.url(self.PATH), params=query)
        response.raise_for_status()
        page: list[Event] = response.json()
        return page

    def take(self, page: list[Event], key: str) -> None:
        for event in self.fresh(page, key):
            self.deliver(event)
            self.seen[event["id"]] = event["createdAt"]

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        return [event for event in page if event["id"] not in self.seen]

    def deliver(self, event: Event) -> None:
        self.feed.deliver(event)

    def last_key(self, page: list[Event], key: str) -> str:
        return page[-1]["createdAt"] if page else key

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        """The next key and limit, or None at the end of the walk."""
        last = self.last_key(page, key)
        if last != key:
            return last, self.limit_usual
        return (key, 2 * limit) if len(page) >= limit else None

    def remember(self, key: str) -> None:
        """Save where the next poll starts, and the ids that it will see again."""
        seen = {id_: at for id_, at in self.seen.items() if at >= key}
        self.feed.save({"key": key, "seen": seen})


class LookBack(ByKey):
    """Theorems T2 and T4: each poll starts a lateness before the start of the last one.

    Right where events are late by up to five minutes.
    """

    look_back = LATE_BY

    def walk(self, key: str) -> None:
        super().walk(key)
        super().remember(self.low())

    def remember(self, key: str) -> None:
        """During the walk there is nothing to save: the next poll starts from `low`."""

    def low(self) -> str:
        return stamp(self.anchor() - self.look_back)

    def anchor(self) -> datetime:
        return self.started


class HoldBack(ByKey):
    """Theorems T3 and T4: rows that are not older than the lateness wait for a later poll.

    Right where events are late by up to five minutes, and in order.
    """

    hold_back = LATE_BY

    def ask(self, key: str, limit: int) -> list[Event]:
        settled = stamp(self.started - self.hold_back)
        return [event for event in super().ask(key, limit) if event["createdAt"] <= settled]


def stamp(moment: datetime) -> str:
    """Write a moment as the API does; then text sorts as time does."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def moved(key: str, by: timedelta) -> str:
    return stamp(datetime.fromisoformat(key) + by)


# Boundaries and ties


@shows("LOST", "cut-by-limit", fault="C01", promise=PROMPT)
class Gt(ByKey):
    """C01. Asks for rows after the last createdAt: its twins on the next page are skipped."""

    operator = "gt"


@shows("LOST", "cut-by-limit", fault="C01", promise=PROMPT)
class PlusOneMs(ByKey):
    """C01. Adds a millisecond to the last createdAt, so as not to read its row again."""

    def ask(self, key: str, limit: int) -> list[Event]:
        return super().ask(moved(key, timedelta(milliseconds=1)), limit)


@shows("LOST", "served-not-delivered", fault="C02", promise=PROMPT)
class DropsFirstRow(ByKey):
    """C02. Takes the first row of every page for one that it has, the very first page included."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        return page[1:]


@shows("DUPLICATED", fault="C02", promise=PROMPT)
class TrustsOneRowOfOverlap(ByKey):
    """C02. Drops one row a page, as the document says; where two share a stamp there are two."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        return page if key == self.BEGINNING else page[1:]


@shows("DUPLICATED", fault="C02", promise=PROMPT)
class NoDedup(ByKey):
    """C02. Delivers the overlap of two pages twice."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        return page


@shows("LOST", "served-not-delivered", "saved-before-delivered", fault="C37", promise=PROMPT)
class DedupByTime(ByKey):
    """C37. Takes two events with one createdAt for the same."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        times = set(self.seen.values())
        for event in page:
            if event["createdAt"] not in times:
                times.add(event["createdAt"])
                yield event


@shows("LOST", "cut-by-limit", fault="C03", promise=PROMPT)
class StopsAtPageOfTies(ByKey):
    """C03. Takes a page that ends where it began for the end: nothing behind the ties is read."""

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        last = self.last_key(page, key)
        return (last, limit) if last != key else None


@shows("STUCK", fault="C03", promise=PROMPT)
class RepeatsPageOfTies(ByKey):
    """C03. Asks for a page of ties again and again with the same limit."""

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        step = super().following(page, key, limit)
        return None if step is None else (step[0], self.limit_usual)


@shows("LOST", "cut-by-limit", fault="C03", promise=PROMPT)
class NudgesPastTies(ByKey):
    """C03. Steps over a page of ties by a millisecond: it moves on, and leaves the rest behind."""

    def following(self, page: list[Event], key: str, limit: int) -> tuple[str, int] | None:
        step = super().following(page, key, limit)
        if step is None or step[0] != key:
            return step
        return moved(key, timedelta(milliseconds=1)), self.limit_usual


# Late events


@shows("LOST", "never-asked", fault="C06", promise=LATE)
class NoLookBack(ByKey):
    """C06. Right where nothing is late; here the late event lies behind the key for good."""


@shows("LOST", "never-asked", fault="C07", promise=LATE)
class HalfLookBack(LookBack):
    """C07. Looks back half as far as events may be late."""

    look_back = LATE_BY / 2


@shows("LOST", "never-asked", fault="C07", promise=LATE)
class HalfHoldBack(HoldBack):
    """C07. Holds back half as long as events may be late; what comes later lies behind the key."""

    hold_back = LATE_BY / 2


@shows("LOST", "never-asked", fault="C07", promise=LATE)
class SecondsReadAsMs(LookBack):
    """C07. Looks back 300 of the wrong unit."""

    look_back = timedelta(milliseconds=300)


@shows("LOST", "never-asked", fault="C08", promise=LATE)
class AnchoredAtWalkEnd(LookBack):
    """C08. Looks back from the end of the walk; what appeared during the walk may be older."""

    def anchor(self) -> datetime:
        return self.feed.now()


@shows("LOST", "never-asked", fault="C08", promise=LATE, events_max=7)
class AnchoredAtNewest(LookBack):
    """C08. Looks back from the newest createdAt seen, which a long walk carries beyond its start.

    One walk must go on after a late event has appeared behind it, and read a younger one: that is
    many rows, and comes together in few worlds.
    """

    def anchor(self) -> datetime:
        newest = max(self.seen.values(), default=None)
        return self.started if newest is None else datetime.fromisoformat(newest)


@shows("LOST", "never-asked", "failed-not-retried", fault="C08", promise=LATE)
class FixedWindow(LookBack):
    """C08. Reads the last ten minutes, whenever the last poll was: an outage leaves a hole, into
    which what a failed request would have read falls as well."""

    def walk(self, key: str) -> None:
        super().walk(max(key, stamp(self.started - 2 * LATE_BY)))


@shows("LOST", "never-asked", fault="C36", promise=LATE)
class ClockAsKey(LookBack):
    """C36. Goes on from its own clock at the end of the walk, as if everything older were read."""

    def low(self) -> str:
        return stamp(self.feed.now())


@shows("DUPLICATED", fault="C38", promise=LATE)
class ForgetsSoon(LookBack):
    """C38. Remembers the last two ids only, and reads more than two again."""

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        for event in page:
            if event["id"] not in list(self.seen)[-2:]:
                yield event


# Checkpoint, delivery, termination


@shows("LOST", "saved-before-delivered", fault="C24", promise=PROMPT)
class SavesBeforeDelivering(ByKey):
    """C24. Saves the page as done, then delivers it; killed in between, it never will."""

    def take(self, page: list[Event], key: str) -> None:
        fresh = list(self.fresh(page, key))
        self.seen |= {event["id"]: event["createdAt"] for event in fresh}
        super().remember(self.last_key(page, key))
        for event in fresh:
            self.deliver(event)

    def remember(self, key: str) -> None:
        """Too late: that was done first."""


@shows("DUPLICATED", fault="C25", promise=LATE)
class ForgetsWhenIdle(LookBack):
    """C25. A poll without rows saves an empty state, and the next one starts from the beginning."""

    def low(self) -> str:
        return super().low() if self.seen else self.BEGINNING


@shows("DUPLICATED", fault="C25", promise=EXACTLY_ONCE)
class DeliversThenSaves(ByKey):
    """C25. Right under effectively-once. Exactly-once needs both in one step (`feed.commit`)."""


@shows("OUT_OF_ORDER", fault="C21", promise=IN_ORDER)
class NewestFirstInPage(ByKey):
    """C21. Hands over each page from its end, though it promises the order of the log."""

    def take(self, page: list[Event], key: str) -> None:
        super().take(page[::-1], key)


@shows("OUT_OF_ORDER", fault="C06", promise=IN_ORDER_LATE)
class HoldsNothingBack(LookBack):
    """C06. Complete, but a late event comes after younger ones: only holding back keeps order."""


@shows("CRASHED", fault="C16", promise=LATE)
class CrashesOnEmptyPage(LookBack):
    """C16. Takes the last row of a page that has none."""

    def last_key(self, page: list[Event], key: str) -> str:
        return page[-1]["createdAt"]


# Requests


@shows("ILLEGAL_REQUEST", "unknown-parameter", fault="C18", promise=PROMPT)
class SendsUnknownParameter(ByKey):
    """C18. Skips rows by a parameter that other APIs have."""

    def query(self, key: str, limit: int) -> dict[str, Any]:
        return {**super().query(key, limit), "$skip": 0}


@shows("ILLEGAL_REQUEST", "no-token", fault="C29", promise=PROMPT)
class SendsNoToken(ByKey):
    """C29. Loses its token between two requests."""

    def get(self, query: dict[str, Any]) -> list[Event]:
        page = super().get(query)
        self.http.headers.pop("Authorization", None)
        return page


@shows("ILLEGAL_REQUEST", "unparsable-query", fault="C30", promise=PROMPT)
class WholeEventAsKey(ByKey):
    """C30. The document's own slip: the key is the last row, where its createdAt is wanted."""

    def query(self, key: str, limit: int) -> dict[str, Any]:
        wanted = getattr(self, "last_row", key)
        query = {"createdAt": {"gte": wanted}}
        return {"$limit": limit, "$orderBy[createdAt]": "asc", "$filter": json.dumps(query)}

    def take(self, page: list[Event], key: str) -> None:
        super().take(page, key)
        if page:
            self.last_row = page[-1]
