"""Runs one client through one scenario and returns what happened."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from fakeserver.app import FakeServer
from fakeserver.doors import LiveServer
from fakeserver.errors import (
    BudgetSpent,
    ClientKilled,
    FakeserverError,
    FeedClosed,
    HarnessError,
    RunStopped,
)
from fakeserver.history import (
    History,
    PollEnded,
    PollEnding,
    PollStarted,
    Restarted,
)
from fakeserver.scenario import Poll, Scenario
from fakeserver.verifier.feed import Feed

Client = Callable[..., Any]
"""A callable taking one `Feed`, plain or async, or a class whose instances have ``poll(feed)``."""

SAME_ANSWERS_MAX = 10
"""The same request with the same answer so often in a row, without a sleep, is going nowhere."""
REQUESTS_SPARE = 50
"""What a poll may always spend, however small the log."""
REQUESTS_PER_EVENT = 10
"""Ten times a walk with pages of one row, the most that any right client needs."""
ERROR_CHARS_MAX = 500
"""An exception's text is shown, but not a whole page of it."""


class Doorkeeper:
    """Owns the live server of many runs: started when first asked for, closed at the end."""

    def __init__(self) -> None:
        self._live: LiveServer | None = None
        self._server: FakeServer | None = None

    def admit(self, server: FakeServer) -> None:
        """Let the live address lead to `server` from now on."""
        self._server = server
        if self._live is not None:
            self._live.app = server

    def live_url(self) -> str:
        """Return the live address, starting the server if need be."""
        if self._server is None:
            raise HarnessError("there is no world yet to serve")
        if self._live is None:
            self._live = LiveServer(self._server)
        return self._live.url

    def close(self) -> None:
        """Stop the live server, if it was started."""
        if self._live is not None:
            self._live.close()
            self._live = None


@contextmanager
def doorkeeper() -> Iterator[Doorkeeper]:
    """Give a `Doorkeeper` and close it at the end of the block."""
    keeper = Doorkeeper()
    try:
        yield keeper
    finally:
        keeper.close()


def run(scenario: Scenario, client: Client, *, keeper: Doorkeeper | None = None) -> History:
    """Run `client` through `scenario` and return the history.

    An exception of the client ends its poll and is recorded, never raised. Ctrl-C is passed on.
    """
    if keeper is None:
        with doorkeeper() as own:
            return run(scenario, client, keeper=own)
    server = FakeServer(scenario)
    keeper.admit(server)
    return _Run(server, client, keeper).play()


class _Run:
    def __init__(self, server: FakeServer, client: Client, keeper: Doorkeeper) -> None:
        self._world = server.world
        self._server = server
        self._client = client
        self._keeper = keeper
        self._keeps_state = inspect.isclass(client)
        self._polls = server.scenario.polls
        self._number = 0
        self._requests_max = REQUESTS_SPARE + REQUESTS_PER_EVENT * (len(server.scenario.events) + 1)
        self._requests = 0
        self._same_answers = 0
        self._last: tuple[Any, ...] | None = None
        self._closed = False
        self._feed = self._new_feed(None)
        self._instance: Any = None
        self._world.before_ask = self._count_request

    def play(self) -> History:
        """Call the client poll by poll until the scenario is over or a poll had to be stopped."""
        self._build()
        while self._number < len(self._polls):
            poll = self._polls[self._number]
            if poll.restart and self._keeps_state and self._number > 0:
                self._restart()
            self._start_poll(poll)
            ending = self._call()
            if ending == "stopped" or self._closed:
                break
            if ending == "killed":
                self._restart()
        return self._world.history

    def _new_feed(self, checkpoint: bytes | None) -> Feed:
        return Feed(
            self._server,
            live_url=self._keeper.live_url,
            checkpoint=checkpoint,
            on_sleep=self._woke,
        )

    def _build(self) -> None:
        if self._keeps_state:
            self._instance = self._client()

    def _restart(self) -> None:
        if isinstance(self._world.last_step, Restarted):
            return
        self._feed.stop(ClientKilled("the client was restarted"))
        self._feed = self._new_feed(self._feed.saved)
        self._world.record(Restarted(at=self._world.now))
        self._build()

    def _start_poll(self, poll: Poll) -> None:
        self._world.advance_to(poll.starts_at)
        self._number += 1
        self._requests = 0
        self._forget_answers()
        self._feed.begin_poll(poll.crash)
        self._world.record(PollStarted(at=self._world.now, poll=self._number))

    def _end_poll(self, ending: PollEnding, error: str | None = None) -> None:
        self._world.record(
            PollEnded(at=self._world.now, poll=self._number, ending=ending, error=error)
        )

    def _call(self) -> PollEnding:  # noqa: PLR0911 - one return a way to end
        """Call the client once and say how that ended."""
        try:
            target = self._instance.poll if self._keeps_state else self._client
            _take(target(self._feed), self._feed)
        except ClientKilled:
            self._end_poll("killed")
            return "killed"
        except FeedClosed:
            self._closed = True
            self._end_poll("slept")
            return "slept"
        except BudgetSpent as spent:
            self._end_poll("stopped", str(spent))
            return "stopped"
        except FakeserverError:
            raise  # a slip of ours, or a feed that was used wrongly: no verdict on the client
        except (Exception, SystemExit) as error:
            self._end_poll("raised", f"{type(error).__name__}: {error}"[:ERROR_CHARS_MAX])
            return "raised"
        try:
            self._feed.check_alive()  # a client may have swallowed even a BaseException
        except ClientKilled:
            self._end_poll("killed")
            return "killed"
        except RunStopped as stopped:
            self._end_poll("stopped", str(stopped))
            return "stopped"
        self._end_poll("returned")
        return "returned"

    def _woke(self) -> None:
        """After a sleep: an endless client goes on into the polls that are due by now."""
        self._forget_answers()
        if self._number < len(self._polls):
            poll = self._polls[self._number]
            if self._world.now < poll.starts_at:
                return
            if poll.restart:
                raise self._stop(ClientKilled("the scenario restarts the client here"))
            self._end_poll("slept")
            self._start_poll(poll)
        elif self._requests > 0:
            raise self._stop(FeedClosed("the scenario has no more polls"))

    def _stop(self, reason: RunStopped) -> RunStopped:
        self._feed.stop(reason)
        return reason

    def _forget_answers(self) -> None:
        self._same_answers = 0
        self._last = None

    def _count_request(self) -> None:
        """Before each request: end a client that goes nowhere (`BudgetSpent`)."""
        self._feed.check_alive()
        self._requests += 1
        if self._requests > self._requests_max:
            raise self._stop(
                BudgetSpent(
                    f"{self._requests_max} requests in one poll over a log of "
                    f"{len(self._server.scenario.events)} events"
                )
            )
        last = self._world.last_exchange
        if last is None:
            return
        answer = (last.target, last.status, last.event_ids)
        self._same_answers = self._same_answers + 1 if answer == self._last else 1
        self._last = answer
        if self._same_answers >= SAME_ANSWERS_MAX:
            raise self._stop(
                BudgetSpent(
                    f"the same request had the same answer {SAME_ANSWERS_MAX} times in a row"
                )
            )


def _take(result: Any, feed: Feed) -> None:
    """Deliver what a client returned or yields, one by one; run what is awaitable."""
    if inspect.isawaitable(result):
        result = asyncio.run(_await(result))
    if inspect.isasyncgen(result):
        asyncio.run(_drain(result, feed))
    elif isinstance(result, Iterable) and not isinstance(result, (str, bytes, dict)):
        for event in result:
            feed.deliver(event)


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def _drain(events: Any, feed: Feed) -> None:
    async for event in events:
        feed.deliver(event)
