"""Clients of both APIs whose mistake only a kill shows; two right ones, which commit, stand first.

A program dies between any two of its steps: at a request, with an answer on its way, with a page in
its hands. What it knew then is gone, and what it had saved is what it goes on from.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .faulty import EXACTLY_ONCE, LATE, PROMPT, TAKING_TURNS, Gallery
from .faulty_haravan import ByWindow, read
from .faulty_saleschannel import ByKey, LookBack

Event = dict[str, Any]

SALESCHANNEL = Gallery("saleschannel")
HARAVAN = Gallery("haravan")


class CommittingByKey(ByKey):
    """As `ByKey`, but a page and the place behind it are handed over in one step: exactly once."""

    def take(self, page: list[Event], key: str) -> None:
        before = self.state(key)
        fresh = list(self.fresh(page, key))
        self.seen |= {event["id"]: event["createdAt"] for event in fresh}
        self.hand_over(fresh, before, self.state(self.last_key(page, key)))

    def state(self, key: str) -> dict[str, Any]:
        return {"key": key, "seen": {id_: at for id_, at in self.seen.items() if at >= key}}

    def hand_over(self, fresh: list[Event], before: Any, after: Any) -> None:
        if fresh:
            self.feed.commit(fresh, after)

    def remember(self, key: str) -> None:
        """That is done."""


class CommittingByWindow(ByWindow):
    """As `ByWindow`, but a page and the ids in it are handed over in one step: exactly once."""

    def take(self, page: list[Event]) -> None:
        before = self.state()
        fresh = [event for event in page if self.is_fresh(event)]
        self.seen |= {str(event["id"]): event["created_at"] for event in fresh}
        self.hand_over(fresh, before, self.state())

    def state(self) -> dict[str, Any]:
        return {"low": self.low and self.low.isoformat(), "seen": dict(self.seen)}

    def hand_over(self, fresh: list[Event], before: Any, after: Any) -> None:
        if fresh:
            self.feed.commit(fresh, after)


# Saved before it was done


@SALESCHANNEL.shows(
    "LOST",
    "never-asked",
    "failed-not-retried",
    "served-not-delivered",
    "cut-by-limit",
    fault="C24",
    promise=LATE,
)
class SavesTheAnchorFirst(LookBack):
    """C24. Saves where the next poll begins before it sends its first request; killed in this one,
    what only this one would have read is read by none."""

    def walk(self, key: str) -> None:
        ByKey.remember(self, self.low())
        super().walk(key)


@HARAVAN.shows(
    "LOST",
    "never-asked",
    "failed-not-retried",
    "served-not-delivered",
    "cut-by-limit",
    fault="C24",
    promise=LATE,
)
class SavesTheWindowFirst(ByWindow):
    """C24. As `SavesTheAnchorFirst`: the window counts as read before anything was asked for."""

    def walk(self) -> Iterable[list[Event]]:
        self.save(self.next_low(self.feed.now()))
        yield from super().walk()

    def save(self, low: datetime | None) -> None:
        """Within the walk nothing is saved that would undo it."""
        if low is not self.low:
            super().save(low)


@SALESCHANNEL.shows(
    "LOST", "saved-before-delivered", "served-not-delivered", fault="C24", promise=PROMPT
)
class DeliversWhileItAsks(ByKey):
    """C24. Has its next page on the way when it delivers this one, and has saved this one before:
    killed at that request, it starts behind what it never delivered."""

    waiting: tuple[Event, ...] = ()

    def walk(self, key: str) -> None:
        self.waiting = ()
        super().walk(key)
        self.flush()

    def ask(self, key: str, limit: int) -> list[Event]:
        page = super().ask(key, limit)
        self.flush()
        return page

    def take(self, page: list[Event], key: str) -> None:
        self.waiting = tuple(self.fresh(page, key))
        self.seen |= {event["id"]: event["createdAt"] for event in self.waiting}

    def flush(self) -> None:
        for event in self.waiting:
            self.deliver(event)
        self.waiting = ()


@HARAVAN.shows(
    "LOST", "saved-before-delivered", "served-not-delivered", fault="C24", promise=PROMPT
)
class DeliversBehindItsWalk(ByWindow):
    """C24. As `DeliversWhileItAsks`: the ids of a page are saved when it arrives, and its events
    are delivered when the next one has."""

    def walk(self) -> Iterable[list[Event]]:
        waiting: list[Event] = []
        for page in super().walk():
            self.hand_on(waiting)
            waiting = [event for event in page if self.is_fresh(event)]
            self.seen |= {str(event["id"]): event["created_at"] for event in waiting}
            yield []
        self.hand_on(waiting)

    def hand_on(self, events: list[Event]) -> None:
        for event in events:
            self.deliver(event)


@SALESCHANNEL.shows("LOST", "saved-before-delivered", fault="C24", promise=PROMPT)
class CommitsNoEvents(CommittingByKey):
    """C24. Commits the place alone and delivers behind it: two steps in the clothes of one."""

    def hand_over(self, fresh: list[Event], before: Any, after: Any) -> None:
        if fresh:
            self.feed.commit([], after)
        for event in fresh:
            self.deliver(event)


@HARAVAN.shows("LOST", "saved-before-delivered", fault="C24", promise=PROMPT)
class CommitsOnlyTheIds(CommittingByWindow):
    """C24. As `CommitsNoEvents`."""

    def hand_over(self, fresh: list[Event], before: Any, after: Any) -> None:
        if fresh:
            self.feed.commit([], after)
        for event in fresh:
            self.deliver(event)


# Saved too late, or not at all


@SALESCHANNEL.shows("DUPLICATED", fault="C25", promise=PROMPT)
class CommitsTheOldPlace(CommittingByKey):
    """C25. Commits a page with the place before it, and saves the one behind it afterwards: what
    is killed in between has both the events and a checkpoint that asks for them."""

    def hand_over(self, fresh: list[Event], before: Any, after: Any) -> None:
        self.feed.commit(fresh, before)
        self.feed.save(after)


@HARAVAN.shows("DUPLICATED", fault="C25", promise=PROMPT)
class CommitsTheOldIds(CommittingByWindow):
    """C25. As `CommitsTheOldPlace`."""

    def hand_over(self, fresh: list[Event], before: Any, after: Any) -> None:
        self.feed.commit(fresh, before)
        self.feed.save(after)


@SALESCHANNEL.shows("DUPLICATED", fault="C25", promise=PROMPT)
class KeepsIdsInMemory(ByKey):
    """C25. Saves the key and keeps the ids delivered at it to itself: whoever comes after a kill
    reads them again and knows none."""

    def poll(self, feed: Any) -> None:
        self.known: dict[str, str] = getattr(self, "known", {})
        super().poll(feed)

    def fresh(self, page: list[Event], key: str) -> Iterable[Event]:
        return [event for event in page if event["id"] not in self.known]

    def remember(self, key: str) -> None:
        self.known |= self.seen
        self.feed.save({"key": key, "seen": {}})


@HARAVAN.shows("DUPLICATED", fault="C25", promise=PROMPT)
class KeepsSeenInMemory(ByWindow):
    """C25. As `KeepsIdsInMemory`, for the ids of a window."""

    def poll(self, feed: Any) -> None:
        self.known: dict[str, str] = getattr(self, "known", {})
        super().poll(feed)

    def is_fresh(self, event: Event) -> bool:
        is_old = self.low is not None and read(event["created_at"]) < self.low
        return not is_old and str(event["id"]) not in self.known

    def save(self, low: datetime | None) -> None:
        self.known |= self.seen
        self.feed.save({"low": low and low.isoformat(), "seen": {}})


# Two instances that take turns over one checkpoint


class _WithState:
    """A feed whose checkpoint is the one that the client remembers."""

    def __init__(self, feed: Any, checkpoint: Any) -> None:
        self.feed, self.checkpoint = feed, checkpoint

    def __getattr__(self, name: str) -> Any:
        return getattr(self.feed, name)


@SALESCHANNEL.shows("DUPLICATED", fault="C39", promise=TAKING_TURNS)
class ReadsItsPlaceOnce(ByKey):
    """C39. Reads the checkpoint when it starts and goes on from memory: what the other instance
    has delivered since, it delivers again."""

    def poll(self, feed: Any) -> None:
        super().poll(_WithState(feed, getattr(self, "kept", feed.checkpoint)))

    def remember(self, key: str) -> None:
        super().remember(key)
        self.kept = self.feed.feed.checkpoint


@HARAVAN.shows("DUPLICATED", fault="C39", promise=TAKING_TURNS)
class ReadsItsWindowOnce(ByWindow):
    """C39. As `ReadsItsPlaceOnce`, for a window and the ids in it."""

    def poll(self, feed: Any) -> None:
        super().poll(_WithState(feed, getattr(self, "kept", feed.checkpoint)))

    def save(self, low: datetime | None) -> None:
        super().save(low)
        self.kept = self.feed.feed.checkpoint


COMMITTING = (
    (CommittingByKey, "saleschannel", EXACTLY_ONCE),
    (CommittingByWindow, "haravan", EXACTLY_ONCE),
)
"""The right clients that stand first, with their dialect and what they promise."""
