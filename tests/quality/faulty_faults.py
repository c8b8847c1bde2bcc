"""Clients of both APIs with one mistake each where an answer fails, or where there is nothing new.

Those that take a failure for an empty page would lose nothing if they went on from the last row
that they read; these move a window on, as clients do that stand lateness. Right ones stand first.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import requests
from requests.exceptions import ChunkedEncodingError

from .faulty import LATE, PROMPT, Gallery
from .faulty_haravan import ByLargestId, ByPage, ByWindow, Event, read
from .faulty_saleschannel import ByKey, LookBack

HARAVAN = Gallery("haravan")
SALESCHANNEL = Gallery("saleschannel")

TIMEOUT_S = 5
TRIES = 3
BUSY = (429, 503)
"""What may come with ``Retry-After``."""
SERVER_ERRORS = (500, 502, 503)
BROKEN = (requests.ConnectionError, ChunkedEncodingError)
"""The connection was closed before the answer, or in the middle of it."""


class ByDisjointPages(ByWindow):
    """Theorem T7. Pages by id have no row in common, so it drops what earlier polls delivered."""

    def poll(self, feed: Any) -> None:
        self.before = dict((feed.checkpoint or {"seen": {}})["seen"])
        super().poll(feed)

    def is_fresh(self, event: Event) -> bool:
        is_old = self.low is not None and read(event["created_at"]) < self.low
        return not is_old and str(event["id"]) not in self.before


class FromPollToPoll(ByWindow):
    """Theorem T7 where nothing is late: the window begins at the start of the last poll."""

    look_back = timedelta(0)


class FromStartToStart(LookBack):
    """Theorem T2 where nothing is late: each poll goes on from the start of the last one."""

    look_back = timedelta(0)


class Impatient(FromPollToPoll):
    """The same, which waits five seconds for a page, and raises if none comes."""

    def get(self, query: dict[str, Any]) -> list[Event]:
        response = self.http.get(self.feed.url(self.PATH), params=query, timeout=TIMEOUT_S)
        response.raise_for_status()
        page: list[Event] = response.json()["events"]
        return page


def status_of(error: requests.RequestException) -> int | None:
    return None if error.response is None else error.response.status_code


# A failure taken for the end


class TakesForTheEnd:
    """Takes an answer with one of the `statuses`, or one of the `errors`, for an empty page."""

    statuses: tuple[int, ...] = ()
    errors: tuple[type[requests.RequestException], ...] = ()

    def get(self, query: dict[str, Any]) -> list[Event]:
        try:
            page: list[Event] = super().get(query)  # type: ignore[misc]
        except requests.RequestException as error:
            if status_of(error) not in self.statuses and not isinstance(error, self.errors):
                raise
            return []
        return page


@SALESCHANNEL.shows("LOST", "failed-not-retried", fault="C26", promise=PROMPT)
class ServerErrorIsTheEnd(TakesForTheEnd, FromStartToStart):
    """C26. Takes a 5xx for an empty page, ends its walk there and moves its window on."""

    statuses = SERVER_ERRORS


@HARAVAN.shows("LOST", "failed-not-retried", fault="C26", promise=PROMPT)
class RateLimitIsTheEnd(TakesForTheEnd, FromPollToPoll):
    """C26. Takes a 429 for an empty page, and comes back for younger events only."""

    statuses = (429,)


@SALESCHANNEL.shows("LOST", "failed-not-retried", fault="C26", promise=PROMPT)
class RateLimitIsNoNews(TakesForTheEnd, FromStartToStart):
    """C26. Takes a 429 for a page without news."""

    statuses = (429,)


@HARAVAN.shows("LOST", "failed-not-retried", fault="C26", promise=PROMPT)
class DroppedConnectionIsTheEnd(TakesForTheEnd, FromPollToPoll):
    """C26. Takes a connection that was closed for an empty page."""

    errors = (requests.ConnectionError,)


@SALESCHANNEL.shows("LOST", "failed-not-retried", fault="C26", promise=PROMPT)
class DroppedConnectionIsNoNews(TakesForTheEnd, FromStartToStart):
    """C26. Takes a connection that was closed for a page without news."""

    errors = (requests.ConnectionError,)


@HARAVAN.shows("LOST", "failed-not-retried", fault="C26", promise=PROMPT)
class HalfAPageIsTheEnd(TakesForTheEnd, FromPollToPoll):
    """C26. Takes a body that was cut for an empty page."""

    errors = (ChunkedEncodingError,)


@SALESCHANNEL.shows("LOST", "failed-not-retried", fault="C26", promise=PROMPT)
class HalfAPageIsNoNews(TakesForTheEnd, FromStartToStart):
    """C26. Takes a body that was cut for a page without news."""

    errors = (ChunkedEncodingError,)


@HARAVAN.shows("LOST", "failed-not-retried", fault="C26", promise=PROMPT)
class SilenceIsTheEnd(TakesForTheEnd, Impatient):
    """C26. Waits five seconds for a page, and takes silence for an empty one."""

    errors = (requests.Timeout,)


@SALESCHANNEL.shows("LOST", "failed-not-retried", fault="C29", promise=PROMPT)
class ExpiredTokenIsTheEnd(TakesForTheEnd, FromStartToStart):
    """C29. Takes a 401 in mid-walk for an empty page: what it may not read is not there."""

    statuses = (401,)


@HARAVAN.shows(
    "LOST",
    "failed-not-retried",
    "cut-by-limit",
    "served-not-delivered",
    fault="C26",
    promise=PROMPT,
)
class SkipsTheFailedPage(ByPage):
    """C26. Leaves out a page that the server failed to answer, and reads on behind it."""

    look_back = timedelta(0)

    def walk(self) -> Iterable[list[Event]]:
        number, skipped, page = 1, 0, None
        while page != []:
            try:
                page = self.ask(page=number)
            except requests.HTTPError:
                skipped += 1
                if skipped > TRIES:
                    raise
            else:
                yield page
            number += 1


# Trying again


@HARAVAN.shows("DUPLICATED", fault="C27", promise=LATE)
class RetriesTheWholeStep(ByDisjointPages):
    """C27. Where a connection breaks, it tries a whole step again: to deliver a page, and to ask
    for the next one."""

    def walk(self) -> Iterable[list[Event]]:
        page = self.ask(since_id=self.first_id())
        while page:
            yield page
            since_id = self.following(page, 0)
            try:
                page = self.ask(since_id=since_id)
            except BROKEN:
                yield page
                page = self.ask(since_id=since_id)


@SALESCHANNEL.shows("DUPLICATED", fault="C27", promise=LATE)
class RetriesTheWholePoll(LookBack):
    """C27. Where a connection breaks, it begins its poll again, and delivers all of it again."""

    def poll(self, feed: Any) -> None:
        try:
            super().poll(feed)
        except BROKEN:
            super().poll(feed)


@HARAVAN.shows("DUPLICATED", fault="C29", promise=LATE)
class NewTokenNewWalk(ByDisjointPages):
    """C29. With a new token it begins its walk again, and delivers the first pages again.
    The token must expire in a walk of several pages with news on the first."""

    def walk(self) -> Iterable[list[Event]]:
        try:
            yield from super().walk()
        except requests.HTTPError as error:
            if status_of(error) != 401:
                raise
            yield from super().walk()


@SALESCHANNEL.shows("DUPLICATED", fault="C29", promise=LATE)
class NewTokenNewPoll(LookBack):
    """C29. With a new token it begins its poll again from the checkpoint."""

    def poll(self, feed: Any) -> None:
        try:
            super().poll(feed)
        except requests.HTTPError as error:
            if status_of(error) != 401:
                raise
            super().poll(feed)


# Manners


class AsksAgain:
    """Tries a few times more where a server is busy, after a `pause` of its own."""

    def get(self, query: dict[str, Any]) -> list[Event]:
        for _ in range(TRIES):
            try:
                page: list[Event] = super().get(query)  # type: ignore[misc]
            except requests.HTTPError as error:
                if status_of(error) not in BUSY:
                    raise
                self.pause(error.response.headers.get("Retry-After"))
            else:
                return page
        last: list[Event] = super().get(query)  # type: ignore[misc]
        return last

    def pause(self, retry_after: str | None) -> None:
        raise NotImplementedError


@HARAVAN.shows("IMPOLITE", fault="C28", promise=LATE)
class AsksAgainAtOnce(AsksAgain, ByWindow):
    """C28. Asks a busy server again at once, whatever it says."""

    def pause(self, retry_after: str | None) -> None:
        pass


@SALESCHANNEL.shows("IMPOLITE", fault="C28", promise=LATE)
class WaitsAsItLikes(AsksAgain, LookBack):
    """C28. Waits a tenth of a second before it asks a busy server again, whatever that says."""

    def pause(self, retry_after: str | None) -> None:
        self.feed.sleep(0.1)  # type: ignore[attr-defined]


@HARAVAN.shows("IMPOLITE", fault="C28", promise=LATE)
class ReadsSecondsAsMs(AsksAgain, ByWindow):
    """C28. Takes the seconds of Retry-After for milliseconds."""

    def pause(self, retry_after: str | None) -> None:
        self.feed.sleep(1 if retry_after is None else float(retry_after) / 1000)


@HARAVAN.shows("IMPOLITE", fault="C28", promise=PROMPT)
class HammersIdleFeed(ByLargestId):
    """C28. An endless loop that hardly waits, though nothing is new."""

    def poll(self, feed: Any) -> None:
        while True:
            super().poll(feed)
            feed.sleep(0.001)


@SALESCHANNEL.shows("IMPOLITE", fault="C28", promise=PROMPT)
class NeverWaits(ByKey):
    """C28. An endless loop whose sleep is none."""

    def poll(self, feed: Any) -> None:
        while True:
            super().poll(feed)
            feed.sleep(0)
