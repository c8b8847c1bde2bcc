"""Runs one client through one scenario and returns what happened."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import cache
from tempfile import TemporaryDirectory

from fakeserver.app import FakeServer
from fakeserver.errors import (
    BudgetSpent,
    ClientKilled,
    FakeserverError,
    FeedClosed,
    RunStopped,
    UsageError,
)
from fakeserver.history import (
    OVERRAN,
    History,
    PollEnded,
    PollEnding,
    PollStarted,
    Restarted,
    Slept,
)
from fakeserver.scenario import Poll, Scenario
from fakeserver.verifier.changes import Change, ChangedTraffic, changed_history
from fakeserver.verifier.clients import Client, Life, check_client, keeps_state
from fakeserver.verifier.doorkeeper import Doorkeeper, doorkeeper
from fakeserver.verifier.feed import Feed
from fakeserver.verifier.pace import SLEEPS_MAX, Pace
from fakeserver.verifier.raised import told
from fakeserver.verifier.real_wait import RealWait

NO_CHANGE = Change()


def run(
    scenario: Scenario,
    client: Client,
    *,
    keeper: Doorkeeper | None = None,
    change: Change | None = None,
) -> History:
    """Run `client` through `scenario` and return the history, its traffic under a `change` if any.

    An exception of the client ends its poll and is recorded, never raised; Ctrl-C is passed on, and
    so is a `UsageError` for a feed that is used wrongly. Raises `UsageError` for an open scenario,
    `ClientNotFound` for what can't be run, and `HarnessError` for a slip of the fake, whatever the
    client made of it.

    After a poll that took too much real time the same `keeper` runs nothing more: it returns that
    history for that scenario, an empty one for others. So nobody waits a minute for each of the
    worlds that the shrinker proposes.
    """
    check_client(client)
    if scenario.is_open:
        raise UsageError(
            "expected a scenario with polls, got an open one: nothing in it says when to call the "
            "client; serve it with 'fakeserver serve --scenario FILE', or add polls"
        )
    if keeper is None:
        with doorkeeper() as own:
            return run(scenario, client, keeper=own, change=change)
    if keeper.overran is not None:
        return keeper.overran[1] if keeper.overran[0] == scenario else ()
    server = FakeServer(scenario)
    keeper.admit(server, client)
    change = change or NO_CHANGE
    return changed_history(_Run(server, client, keeper, change).play(), change)


class _Run:
    def __init__(
        self, server: FakeServer, client: Client, keeper: Doorkeeper, change: Change
    ) -> None:
        self._world = server.world
        self._server = server
        self._client = client
        self._keeper = keeper
        self._keeps_state = keeps_state(client)
        self._polls = server.scenario.polls
        self._number = 0
        self._pace = Pace(len(server.scenario.events))
        self._has_returned = False
        self._closed = False
        self._real_wait = RealWait()
        self._folders = ExitStack()
        self._change = change
        self._traffic = self._changed_traffic()
        self._feed = self._new_feed(None)
        self._life = Life(client)
        self._instance = 1
        self._others: dict[int, tuple[Feed, Life]] = {}
        self._world.before_ask = self._before_request
        self._world.after_ask = self._after_request

    def play(self) -> History:
        """Call the client poll by poll until the scenario is over or a poll had to be stopped."""
        try:
            while self._number < len(self._polls):
                poll = self._polls[self._number]
                is_new = self._number == 0 or self._enter(poll.instance)
                if poll.restart and self._keeps_state and not is_new:
                    self._restart()
                self._start_poll(poll)
                with self._life.time(self._feed):  # out of the watchdog's reach: it is put back
                    ending = self._call()
                if ending == "stopped" or self._closed:
                    break
                if ending == "killed":
                    self._restart()
        finally:
            for feed, life in ((self._feed, self._life), *self._others.values()):
                feed.stop(FeedClosed("the run is over"))  # whatever the client left running
                life.close()
            self._keeper.settle()
            self._folders.close()
        return self._world.history

    def _changed_traffic(self) -> ChangedTraffic:
        """Let the world answer and send again as the change says, if there is one."""
        cap = self._world.dialect.limit_max(self._world.settings)
        traffic = ChangedTraffic(self._change, self._world.log, limit_max=cap)
        if self._change != NO_CHANGE:
            self._world.change = traffic.query
            self._world.send_again = traffic.send_again
        return traffic

    def _new_feed(self, checkpoint: bytes | None) -> Feed:
        return Feed(
            self._server,
            live_url=self._keeper.live_url,
            checkpoint=checkpoint,
            on_sleep=self._woke,
            on_stop=self._keeper.watchdog.hurry,
            state_dir=self._state_dir,
            leave_address=self._keeper.leave_address,
            saves_last=self._change.saves_last,
        )

    @cache  # noqa: B019 - a run is over soon
    def _state_dir(self) -> str:
        """Return the folder that a client may keep its state in, made when first asked for."""
        return self._folders.enter_context(TemporaryDirectory(prefix="fakeserver-"))

    def _enter(self, instance: int) -> bool:
        """Let that instance of the client poll from now on; say whether it is a new one."""
        if instance == self._instance:
            return False
        saved = self._feed.saved
        self._others[self._instance] = self._feed, self._life
        self._instance = instance
        is_new = instance not in self._others
        if is_new:
            self._feed, self._life = self._new_feed(saved), Life(self._client, first=False)
        else:
            self._feed, self._life = self._others.pop(instance)
            self._feed.read_again(saved)
        return is_new

    def _restart(self) -> None:
        if isinstance(self._world.last_step, Restarted):
            return
        self._feed.stop(ClientKilled("the client was restarted"))
        self._life.close()
        self._feed = self._new_feed(self._feed.saved)
        self._world.record(Restarted(at=self._world.now))
        self._life = Life(self._client, first=False)

    def _start_poll(self, poll: Poll) -> None:
        self._world.advance_to(poll.starts_at)
        self._number += 1
        self._pace.start_poll()
        self._traffic.start_poll()
        self._real_wait.start_poll()
        self._world.arm(poll.faults)
        self._feed.begin_poll(poll.crash)
        self._world.record(
            PollStarted(at=self._world.now, poll=self._number, instance=self._instance)
        )

    def _end_poll(self, ending: PollEnding, error: str | None = None) -> None:
        if ending in ("returned", "slept"):
            self._feed.end_poll()
        self._world.record(
            PollEnded(at=self._world.now, poll=self._number, ending=ending, error=error)
        )

    def _call(self) -> PollEnding:
        """Call the client once and say how that ended."""
        watchdog, overran, error = self._keeper.watchdog, False, None
        feed = self._feed

        def on_overrun() -> None:
            nonlocal overran
            overran = overran or feed.stopped is None
            feed.stop(BudgetSpent(f"it ran for over {watchdog.seconds_max:g} s {OVERRAN}"))

        try:
            try:
                watchdog.begin(on_overrun)
                self._life.poll(feed)
            finally:
                watchdog.watched = None  # first, and no call: a call is where a signal is heard
                watchdog.end()
        except BaseException as caught:  # a client may end in any way
            watchdog.watched = None
            watchdog.end()  # what interrupts the client may have come as late as in the one above
            error = caught
        self._raise_what_is_not_the_clients(error)
        ending, text = self._ending(error)
        self._has_returned = self._has_returned or ending == "returned"
        self._closed = isinstance(feed.stopped, FeedClosed)
        self._end_poll(ending, text)
        if overran:
            self._keeper.overran = (self._server.scenario, self._world.history)
        return ending

    def _raise_what_is_not_the_clients(self, error: BaseException | None) -> None:
        """Raise Ctrl-C, a slip of ours, and a feed that was used wrongly."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        if self._server.failure is not None:
            raise self._server.failure
        ordinary = (Exception, SystemExit, GeneratorExit, asyncio.CancelledError, RunStopped)
        if isinstance(error, FakeserverError) or (
            error is not None
            and self._feed.stopped is None
            and not isinstance(error, (*ordinary, BaseExceptionGroup))
        ):
            raise error

    def _ending(self, error: BaseException | None) -> tuple[PollEnding, str | None]:
        # A dead client is dead, whatever it returned or raised when it learnt that.
        reason = self._feed.stopped or error
        if isinstance(reason, ClientKilled):
            return "killed", None
        if isinstance(reason, FeedClosed):
            return "slept", None
        if isinstance(reason, RunStopped):
            return "stopped", str(reason)
        if reason is None or (isinstance(reason, SystemExit) and reason.code in (None, 0)):
            return "returned", None
        return "raised", told(reason, secret=self._feed.token)

    def _woke(self) -> None:
        """After a sleep: go on into the next poll, if the client has a loop of its own.

        A client that has returned from a poll has none: it is polite and sleeps between two pages,
        and may take as long as it likes. Of any other one nobody can know. So the next poll begins
        for it when that is due, or when it has long found nothing new; and after the last poll it
        is only sent home when it has long found nothing new. It goes on as the instance that it is.
        """
        idle = self._pace.note_sleep(self._world.last_exchange)
        if self._pace.sleeps > SLEEPS_MAX:
            self._stop(BudgetSpent(f"it slept {SLEEPS_MAX} times in one poll"))
        if self._has_returned:
            return
        self._pace.requests = 0
        if self._number == len(self._polls):
            if idle:
                self._stop(FeedClosed("the scenario has no more polls"))
            return
        poll = self._polls[self._number]
        if self._world.now < poll.starts_at and not idle:
            return
        if poll.restart:
            self._stop(ClientKilled("the scenario restarts the client here"))
        self._end_poll("slept")
        self._start_poll(poll)

    def _before_request(self) -> None:
        """Before each request: let the client catch up with itself, and end one that is to end.

        That is one that goes nowhere, and one that is to be killed here.
        """
        if self._feed.catch_up is not None:
            self._feed.catch_up()
        self._feed.check_alive()
        self._see_real_wait()
        self._end_overdue_faults()
        if self._server.failure is not None:
            self._stop(BudgetSpent("the fake failed; this is not the client's fault"))
        reason = self._pace.note_request(self._world.last_exchange)
        if reason is not None:
            self._stop(BudgetSpent(reason))
        self._feed.may_crash("before-request")

    def _after_request(self) -> None:
        """After each request, before its answer is sent: kill the client if it is to die here."""
        self._feed.time_passed()
        self._feed.may_crash("after-request")

    def _see_real_wait(self) -> None:
        """Let simulated time pass for a client that waited in earnest, as it was told."""
        ms = self._real_wait.before_request(self._world.last_exchange)
        if ms:
            self._world.record(Slept(at=self._world.now, ms=ms))
            self._world.advance(ms)

    def _end_overdue_faults(self) -> None:
        """End the faults of a poll when the next one is due.

        Else one without end would never let a client go that waits and tries again, and the calm
        would not be calm for one that has overslept its beginning.
        """
        if not self._polls[self._number - 1].faults:
            return
        if self._world.now >= self._polls[self._number].starts_at:  # never the last poll: it's calm
            self._world.arm(())

    def _stop(self, reason: RunStopped) -> None:
        """Stop the client and raise `reason` in it."""
        self._feed.stop(reason)
        self._feed.check_alive()
