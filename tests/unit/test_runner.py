"""One run: every kind of client, how it ends, and that nothing of ours is held against it."""

import asyncio
import contextlib
import functools
import json
import operator
import re
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import requests

from fakeserver import verify
from fakeserver.clock import HOUR_MS, MINUTE_MS, SECOND_MS, at
from fakeserver.dialects import find_dialect
from fakeserver.errors import (
    BudgetSpent,
    ClientNotFound,
    ContractBroken,
    HarnessError,
    RunStopped,
    UsageError,
)
from fakeserver.generate import generate_scenario
from fakeserver.history import (
    Delivered,
    Exchange,
    History,
    Killed,
    PollEnded,
    PollStarted,
    Restarted,
    Saved,
    Slept,
    to_lines,
)
from fakeserver.scenario import Crash, CrashPoint, LoggedEvent, Poll, Scenario
from fakeserver.verifier import pace
from fakeserver.verifier.clients import load_client
from fakeserver.verifier.feed import Feed
from fakeserver.verifier.judge import judge
from fakeserver.verifier.runner import doorkeeper, run

NOON = at("2026-03-01T05:00:00Z")
PATH = "/com/events.json"
SHORT_S = 0.3
"""Real time for a poll of a client that hangs on purpose."""


def world(
    *,
    late_ms: int = 0,
    gaps_ms: tuple[int, ...] = (MINUTE_MS,) * 4,
    crash: Crash | None = None,
    restart: int | None = None,
    count: int = 5,
) -> Scenario:
    """A few events; the last one may appear after the first poll. `crash` is in the second."""
    starts, polls = NOON, []
    for number, gap in enumerate((SECOND_MS, *gaps_ms)):
        starts += gap
        polls.append(
            Poll(starts_at=starts, crash=crash if number == 1 else None, restart=number == restart)
        )
    fields = {
        "arguments": ["#1001"],
        "body": None,
        "subject_id": 7,
        "subject_type": "Order",
        "verb": "placed",
        "message": "Order was placed",
        "author": "haravan",
        "description": None,
        "path": "/admin/orders/7",
    }
    return Scenario(
        dialect="haravan",
        starts_at=NOON,
        request_ms=250,
        page_size=2,
        late_by_ms_max=0,
        events=tuple(
            LoggedEvent(
                id=number,
                recorded_at=NOON,
                visible_at=NOON + (late_ms if number == count + 1 else 0),
                fields=fields,
            )
            for number in range(2, count + 2)
        ),
        polls=tuple(polls),
        calm_from=len(polls) - 3,
    )


def walk(feed: Feed, *, since_id: int = 1, http: Any = None) -> Any:
    """Yield each row after `since_id`."""
    http = http or feed.requests_session()
    while True:
        query = {"since_id": since_id, "limit": feed.page_size}
        page = http.get(feed.url(PATH), params=query, headers=feed.headers).json()["events"]
        if not page:
            return
        yield from page
        since_id = page[-1]["id"]


def of(kind: type, history: History) -> list[Any]:
    return [step for step in history if isinstance(step, kind)]


def delivered(history: History) -> list[Any]:
    return [step.event_id for step in of(Delivered, history)]


def endings(history: History) -> list[str]:
    return [step.ending for step in of(PollEnded, history)]


def tail_after_kill(history: History) -> list[type]:
    """What kinds of step stand between a kill and the restart."""
    place = next(place for place, step in enumerate(history) if isinstance(step, Killed))
    kinds = [type(step) for step in history[place + 1 :]]
    return kinds[: kinds.index(Restarted)] if Restarted in kinds else kinds


# Every kind of client


def plain(feed):
    for event in walk(feed, since_id=feed.checkpoint or 1):
        feed.deliver(event)
        feed.save(event["id"])


def generator(feed):
    for event in walk(feed, since_id=feed.checkpoint or 1):
        yield event
        feed.save(event["id"])


def returns_list(feed):
    events = list(walk(feed, since_id=feed.checkpoint or 1))
    if events:
        feed.save(events[-1]["id"])
    return events


async def async_walk(feed, since_id):
    async with feed.httpx_async_client() as http:
        while True:
            query = {"since_id": since_id, "limit": feed.page_size}
            page = (await http.get(PATH, params=query)).json()["events"]
            if not page:
                return
            for event in page:
                yield event
            since_id = page[-1]["id"]


async def coroutine(feed):
    async for event in async_walk(feed, feed.checkpoint or 1):
        feed.deliver(event)
        feed.save(event["id"])
        await feed.sleep(0)


async def returns_list_later(feed):
    events = [event async for event in async_walk(feed, feed.checkpoint or 1)]
    if events:
        feed.save(events[-1]["id"])
    return events


async def async_generator(feed):
    async for event in async_walk(feed, feed.checkpoint or 1):
        yield event
        feed.save(event["id"])


class Poller:
    def poll(self, feed):
        return plain(feed)


class AsyncPoller:
    def __init__(self):
        self.loop = None

    async def poll(self, feed):
        assert self.loop in (None, asyncio.get_running_loop()), "one life has one event loop"
        self.loop = asyncio.get_running_loop()
        await coroutine(feed)


class GeneratorPoller:
    async def poll(self, feed):
        async for event in async_generator(feed):
            yield event


class Configured:
    def __init__(self, start):
        self.start = start

    def poll(self, feed):
        assert self.start == 1
        return plain(feed)


class CallableObject:
    def __call__(self, feed):
        return generator(feed)

    def method(self, feed):
        return plain(feed)


KINDS = {
    "function": plain,
    "generator": generator,
    "function that returns a list": returns_list,
    "async function": coroutine,
    "async function that returns a list": returns_list_later,
    "async generator": async_generator,
    "class": Poller,
    "class with async poll": AsyncPoller,
    "class whose poll is an async generator": GeneratorPoller,
    "partial class": functools.partial(Configured, start=1),
    "callable object": CallableObject(),
    "partial": functools.partial(lambda feed, how: how(feed), how=plain),
    "method": CallableObject().method,
    "lambda with bare ids": lambda feed: [event["id"] for event in returns_list(feed)],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_client(kind):
    history = run(world(late_ms=30 * SECOND_MS), KINDS[kind])
    assert delivered(history) == [2, 3, 4, 5, 6]
    assert endings(history) == ["returned"] * 5
    assert of(Saved, history)[-1].checkpoint == 6


@pytest.mark.parametrize("result", ["text", b"bytes", {"id": 7}, 7, None, True], ids=repr)
def test_what_is_no_list_of_events_may_be_returned(result):
    assert delivered(run(world(), lambda feed: result)) == []


class NeedsMore:
    def __init__(self, url):
        self.url = url

    def poll(self, feed):
        """Never called."""


class PollsForTwo:
    def poll(self, feed, other):
        """Never called."""


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (None, "expected a function taking a feed"),
        (Poller(), "Poller; pass its class instead"),
        (int, "is a class without a method"),
        (functools.partial(dict), "is a class without a method"),
        (lambda: None, r"can be called with one argument, the feed, got <lambda>\(\): too many"),
        (operator.add, r"got add\(a, b, /\): missing a required argument: 'b'"),
        (PollsForTwo, r"^PollsForTwo\.poll: expected .* got poll\(feed, other\): missing"),
        (NeedsMore, r"building NeedsMore\(\) raised TypeError.*functools\.partial"),
    ],
)
def test_what_is_no_client_is_refused(client, says):
    with pytest.raises(ClientNotFound, match=says):
        run(world(), client)


def test_an_async_client_in_a_running_loop_is_a_usage_error():
    async def inside():
        run(world(), coroutine)

    with pytest.raises(UsageError, match=r"asyncio\.to_thread"):
        asyncio.run(inside())


# Death and rebirth


class Remembers:
    """Counts its lives, and keeps in memory what it has read."""

    lives = 0

    def __init__(self):
        type(self).lives += 1
        self.since_id = None

    def poll(self, feed):
        self.since_id = self.since_id or feed.checkpoint or 1
        for event in walk(feed, since_id=self.since_id):
            feed.deliver(event)
            self.since_id = event["id"]
            feed.save(self.since_id)


@pytest.fixture
def remembers():
    """A class of its own for each test."""
    return type("Remembers", (Remembers,), {"lives": 0})


POINTS: tuple[CrashPoint, ...] = (
    "before-request",
    "after-request",
    "before-deliver",
    "after-deliver",
    "before-save",
    "after-save",
)


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_only_the_checkpoint(remembers, point):
    history = run(world(late_ms=30 * SECOND_MS, crash=Crash(point=point)), remembers)
    assert endings(history) == ["returned", "killed", "returned", "returned", "returned"]
    assert tail_after_kill(history) == [PollEnded]
    assert remembers.lives == 2
    repeats = 1 if point in ("after-deliver", "before-save") else 0
    assert delivered(history) == [2, 3, 4, 5, 6] + [6] * repeats


def test_a_request_that_was_not_sent_is_none():
    crash = Crash(point="before-request")
    history = run(world(crash=crash), plain)
    killed = next(place for place, step in enumerate(history) if isinstance(step, Killed))
    assert isinstance(history[killed - 1], PollStarted)


def test_an_answer_that_was_not_heard_did_not_arrive():
    """The server has answered, and that has cost its time; the client knows nothing of it."""
    history = run(world(late_ms=30 * SECOND_MS, crash=Crash(point="after-request")), plain)
    killed = next(place for place, step in enumerate(history) if isinstance(step, Killed))
    unheard = history[killed - 1]
    assert isinstance(unheard, Exchange)
    assert (unheard.status, unheard.event_ids, unheard.fault) == (0, (), None)
    assert history[killed].at == unheard.at + 250
    again = history[killed + 4]
    assert isinstance(again, Exchange)
    assert (again.target, again.event_ids) == (unheard.target, (6,))


@pytest.mark.parametrize("point", ["before-request", "after-request"])
def test_a_kill_at_a_request_over_a_socket_breaks_the_connection(point):
    seen = []

    def over_a_socket(feed):
        try:
            requests.get(f"{feed.base_url}{PATH}", headers=feed.headers, timeout=5)
        except requests.ConnectionError:
            seen.append("broken")
            feed.deliver(404)

    history = run(world(crash=Crash(point=point)), over_a_socket)
    assert endings(history)[1] == "killed"
    assert [step.point for step in of(Killed, history)] == [point]
    assert 404 not in delivered(history)
    assert len(seen) <= 1  # in the main thread the watchdog may end it sooner


def test_a_kill_at_a_request_is_heard_by_no_broad_except():
    def stubborn(feed):
        http = feed.requests_session()
        for _ in range(3):
            with contextlib.suppress(Exception):
                http.get(feed.url(PATH))

    history = run(world(crash=Crash(point="before-request", nth=2)), stubborn)
    assert endings(history)[1] == "killed"
    assert tail_after_kill(history) == [PollEnded]


def test_a_restart_builds_a_class_anew(remembers):
    history = run(world(restart=1), remembers)
    assert remembers.lives == 2
    assert len(of(Restarted, history)) == 1
    assert endings(history) == ["returned"] * 5


def test_a_restart_is_nothing_to_a_plain_function():
    assert of(Restarted, run(world(restart=1), plain)) == []


def test_an_instance_that_can_not_be_built_again_is_a_failed_poll():
    built = []

    class Lock:
        def __init__(self):
            built.append(self)
            if len(built) == 2:
                raise OSError("the lock is held")

        def poll(self, feed):
            plain(feed)

    history = run(world(restart=1), Lock)
    assert endings(history) == ["returned", "raised", "returned", "returned", "returned"]
    assert error_of(of(PollEnded, history)[1]) == "OSError: the lock is held"


def swallows_all(feed):
    for event in walk(feed, since_id=feed.checkpoint or 1):
        with contextlib.suppress(BaseException):
            feed.deliver(event)
        with contextlib.suppress(BaseException):
            feed.save(event["id"])


def saves_finally(feed):
    last = feed.checkpoint or 1
    try:
        for event in walk(feed, since_id=last):
            feed.deliver(event)
            last = event["id"]
    finally:
        feed.save(last)


def saves_in_an_inner_finally(feed):
    def rows():
        last = feed.checkpoint or 1
        try:
            for event in walk(feed, since_id=last):
                last = event["id"]
                yield event
        finally:
            feed.save(last)

    for event in rows():
        feed.deliver(event)


def stubborn_generator(feed):
    last = feed.checkpoint or 1
    try:
        for event in walk(feed, since_id=last):
            yield event
            last = event["id"]
            feed.save(last)
    except BaseException:
        yield 99
    finally:
        feed.save(last)


async def stubborn_async_generator(feed):
    last = feed.checkpoint or 1
    try:
        async for event in async_walk(feed, last):
            yield event
            last = event["id"]
            feed.save(last)
    except BaseException:
        yield 99
    finally:
        feed.save(last)


async def in_a_task_group(feed):
    async def one(event):
        try:
            feed.deliver(event)
            feed.save(event["id"])
        finally:
            feed.save(event["id"])

    async with asyncio.TaskGroup() as group:
        async for event in async_walk(feed, feed.checkpoint or 1):
            group.create_task(one(event))


def tries_forever(feed):
    """With a sleep in between it would never be told; so it is told between any two bytecodes."""
    while True:
        try:
            for event in walk(feed, since_id=feed.checkpoint or 1):
                feed.deliver(event)
                feed.save(event["id"])
        except BaseException:
            pass
        else:
            return


SWALLOWERS = [
    swallows_all,
    saves_finally,
    saves_in_an_inner_finally,
    stubborn_generator,
    stubborn_async_generator,
    in_a_task_group,
    tries_forever,
]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("client", SWALLOWERS)
def test_whatever_it_swallows_it_dies_as_by_kill_9(client, point):
    history = run(world(late_ms=30 * SECOND_MS, crash=Crash(point=point)), client)
    assert endings(history) == ["returned", "killed", "returned", "returned", "returned"]
    assert tail_after_kill(history) == [PollEnded]
    assert sorted(set(delivered(history))) == [2, 3, 4, 5, 6]


def test_what_an_async_client_leaves_running_dies_with_it():
    tasks = []  # one that nobody holds may be collected, and so end, while its client lives

    async def leaves_a_task(feed):
        async def later():
            try:
                await asyncio.Event().wait()
            finally:
                feed.save("too late")

        tasks.append(asyncio.create_task(later()))
        await asyncio.sleep(0)

    history = run(world(), leaves_a_task)
    assert of(Saved, history) == []
    assert isinstance(history[-1], PollEnded)


# Sleep


def endless(feed):
    since_id = feed.checkpoint or 1
    http = feed.requests_session()
    while True:
        for event in walk(feed, since_id=since_id, http=http):
            feed.deliver(event)
            since_id = event["id"]
            feed.save(since_id)
        feed.sleep(10)


async def endless_async(feed):
    since_id = feed.checkpoint or 1
    while True:
        async for event in async_walk(feed, since_id):
            feed.deliver(event)
            since_id = event["id"]
            feed.save(since_id)
        await feed.sleep(10)


def endless_that_sleeps_first(feed):
    while True:
        feed.sleep(10)
        plain(feed)


def endless_with_a_window(feed):
    """It reads the same rows again and again, and drops what it has."""
    seen = set(feed.checkpoint or ())
    while True:
        for event in walk(feed):
            if event["id"] not in seen:
                feed.deliver(event)
                seen.add(event["id"])
                feed.save(sorted(seen))
        feed.sleep(10)


ENDLESS = [endless, endless_async, endless_that_sleeps_first, endless_with_a_window]


@pytest.mark.parametrize("client", ENDLESS)
@pytest.mark.parametrize(
    "gaps_ms", [(MINUTE_MS,) * 4, (5_000,) * 4, (HOUR_MS, 48 * HOUR_MS, MINUTE_MS, HOUR_MS)]
)
def test_an_endless_client_is_run_through_all_polls(client, gaps_ms):
    scenario = world(late_ms=sum(gaps_ms[:2]), gaps_ms=gaps_ms)
    history = run(scenario, client)
    assert endings(history) == ["slept"] * 5
    starts = [step.at for step in of(PollStarted, history)]
    assert all(start >= poll.starts_at for start, poll in zip(starts, scenario.polls, strict=True))
    assert delivered(history) == [2, 3, 4, 5, 6]
    assert len(of(Exchange, history)) < 5 * 4 * (pace.IDLE_ROUNDS_MAX + 2)


@pytest.mark.parametrize("client", ENDLESS)
def test_an_endless_client_dies_and_starts_anew(client):
    crash = Crash(point="after-save")
    scenario = world(late_ms=30 * SECOND_MS, gaps_ms=(MINUTE_MS,) * 5, crash=crash, restart=2)
    history = run(scenario, client)
    assert endings(history)[-1] == "slept"
    assert endings(history).count("killed") == len(of(Restarted, history)) >= 1
    assert of(PollStarted, history)[-1].poll == 6
    assert sorted(set(delivered(history))) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("swallow", [False, True])
def test_an_endless_client_may_close_what_it_has_open(swallow):
    closed = []

    def tidy(feed):
        try:
            endless(feed)
        except Exception:
            pytest.fail("the end is no Exception, so a broad except does not eat it")
        except RunStopped:
            if not swallow:
                raise
        finally:
            closed.append(True)

    history = run(world(), tidy)
    assert endings(history) == ["slept"] * 5
    assert closed == [True]


@pytest.mark.parametrize("pause_s", [1, 90])
def test_a_polite_client_that_sleeps_between_pages_is_not_cut_short(pause_s):
    """It reads the whole log in every poll, so each poll shows whether it was let finish."""

    def polite(feed):
        http = feed.requests_session()
        ids, since_id = [], 1
        while True:
            query = {"since_id": since_id, "limit": feed.page_size}
            page = http.get(feed.url(PATH), params=query).json()["events"]
            if not page:
                break
            ids += [event["id"] for event in page]
            since_id = ids[-1]
            feed.sleep(pause_s)
        feed.save(ids)

    history = run(world(late_ms=30 * SECOND_MS), polite)
    ended = of(PollEnded, history)
    assert [step.poll for step in ended if step.ending == "returned"][-1] == 5
    assert of(Saved, history)[-1].checkpoint == [2, 3, 4, 5, 6]
    assert "stopped" not in endings(history)


def test_a_client_that_waits_in_small_steps_is_let_wait():
    """As one does that holds events back until nothing earlier can appear."""

    def waits(feed):
        until = feed.now().timestamp() + 600
        events = list(walk(feed))
        while feed.now().timestamp() < until:
            feed.sleep(1)
        feed.save([event["id"] for event in events])

    history = run(world(), waits)
    assert endings(history)[-1] == "returned"
    assert of(Saved, history)[-1].checkpoint == [2, 3, 4, 5, 6]


def test_a_client_that_only_sleeps_comes_to_an_end():
    def only_sleeps(feed):
        while True:
            feed.sleep(10)

    history = run(world(), only_sleeps)
    assert endings(history) == ["slept"] * 5
    assert of(Exchange, history) == []


def test_a_client_that_returned_and_then_sleeps_for_ever_is_stuck():
    def sleeps_from_the_second_poll_on(feed):
        while feed.checkpoint:
            feed.sleep(1)
        feed.save(1)

    history = run(world(), sleeps_from_the_second_poll_on)
    assert endings(history) == ["returned", "stopped"]
    assert of(PollEnded, history)[-1].error == f"it slept {pace.SLEEPS_MAX} times in one poll"
    assert of(Slept, history)[-1].ms == SECOND_MS


# Stuck


def asks_the_same(feed):
    http = feed.requests_session()
    while True:
        http.get(feed.url(PATH))


def asks_the_same_live(feed):
    with requests.Session() as http:
        http.trust_env = False
        while True:
            http.get(feed.url(PATH), headers=feed.headers).raise_for_status()


def asks_the_same_live_whatever_comes(feed):
    with requests.Session() as http:
        http.trust_env = False
        while True:
            http.get(feed.url(PATH), headers=feed.headers)


def asks_ever_else(feed, http=None):
    http = http or feed.requests_session()
    for number in range(100_000):
        http.get(feed.url(PATH), params={"since_id": number}, headers=feed.headers)


def asks_ever_else_live(feed):
    with requests.Session() as http:
        http.trust_env = False
        asks_ever_else(feed, http)


@pytest.mark.parametrize(
    "client", [asks_the_same, asks_the_same_live, asks_the_same_live_whatever_comes]
)
def test_the_same_answer_again_and_again_is_stuck(client):
    history = run(world(), client)
    assert endings(history) == ["stopped"]
    assert len(of(Exchange, history)) == pace.SAME_ANSWERS_MAX
    assert "the same answer 10 times in a row" in of(PollEnded, history)[0].error
    assert [finding.rule for finding in judge(world(), history).findings] == ["STUCK"]


@pytest.mark.parametrize("client", [asks_ever_else, asks_ever_else_live])
def test_far_more_requests_than_a_walk_needs_is_stuck(client):
    history = run(world(), client)
    assert endings(history) == ["stopped"]
    assert len(of(Exchange, history)) == 50 + 10 * 6
    assert "110 requests in one poll over a log of 5 events" in of(PollEnded, history)[0].error


def test_ten_identical_answers_with_a_sleep_between_are_no_standstill():
    def patient(feed):
        http = feed.requests_session()
        for _ in range(15):
            http.get(feed.url(PATH))
            feed.sleep(1)

    assert "stopped" not in endings(run(world(), patient))


def loops(_feed):
    while True:
        pass


def naps(_feed):
    time.sleep(1e9)


def waits_for_a_lock(_feed):
    threading.Event().wait()


async def loops_async(_feed):
    while True:
        pass


async def naps_async(_feed):
    await asyncio.sleep(1e9)


def loops_and_swallows(_feed):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


class HangsInInit:
    def __init__(self):
        loops(None)

    def poll(self, feed):
        """Never called."""


HANGING = [
    loops,
    naps,
    waits_for_a_lock,
    loops_async,
    naps_async,
    loops_and_swallows,
    HangsInInit,
]


class TestWatchdog:
    @pytest.mark.parametrize("client", HANGING)
    def test_a_client_that_hangs_is_ended(self, client):
        with doorkeeper(poll_seconds_max=SHORT_S) as keeper:
            history = run(world(), client, keeper=keeper)
        assert endings(history) == ["stopped"]
        assert of(PollEnded, history)[0].error == "it ran for over 0.3 s of real time"
        (finding,) = judge(world(), history).findings
        assert finding.rule == "STUCK"
        assert "poll 1 never ended: it ran for over 0.3 s of real time" in finding.message

    @pytest.mark.parametrize("client", [loops, loops_async])
    def test_also_outside_of_the_main_thread(self, client):
        histories = []

        def work():
            with doorkeeper(poll_seconds_max=SHORT_S) as keeper:
                histories.append(run(world(), client, keeper=keeper))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(30)
        assert [endings(history) for history in histories] == [["stopped"]]

    def test_what_hung_once_is_not_run_again(self):
        """The shrinker proposes hundreds of worlds, and nobody waits a minute for each."""
        calls = []

        def hangs(feed):
            calls.append(feed)
            loops(feed)

        with doorkeeper(poll_seconds_max=SHORT_S) as keeper:
            first = run(world(), hangs, keeper=keeper)
            assert run(world(), hangs, keeper=keeper) == first
            assert run(world(count=4), hangs, keeper=keeper) == ()
        assert len(calls) == 1

    def test_a_client_that_is_slow_poll_by_poll_is_let_live(self):
        def slow(feed):
            time.sleep(SHORT_S / 3)

        with doorkeeper(poll_seconds_max=SHORT_S) as keeper:
            assert endings(run(world(), slow, keeper=keeper)) == ["returned"] * 5

    def test_it_leaves_nothing_behind(self):
        import signal

        before = signal.getsignal(signal.SIGURG), threading.active_count(), sys.getswitchinterval()
        with doorkeeper(poll_seconds_max=SHORT_S) as keeper:
            run(world(), loops, keeper=keeper)
            assert threading.active_count() == before[1] + 1, "one thread, whatever the polls"
        after = signal.getsignal(signal.SIGURG), threading.active_count(), sys.getswitchinterval()
        assert after == before

    def test_a_late_shot_hits_nobody(self):
        """The poll ends while the watchdog shoots: whoever comes after must not be hit."""

        def ends_late(feed):
            with contextlib.suppress(BaseException):
                time.sleep(1e9)

        for _ in range(5):
            with doorkeeper(poll_seconds_max=0.02) as keeper:
                assert endings(run(world(), ends_late, keeper=keeper)) == ["stopped"]
            for _ in range(1_000):
                pass


# Clients that fail


def error_of(step: PollEnded) -> str:
    """The exception that ended a poll, which came from a client in this file, without the place."""
    text, place = step.error.rsplit(", at ", 1)
    assert re.fullmatch(r"test_runner\.py:[1-9][0-9]*", place)
    return text


def fails(error: BaseException) -> Callable[[Feed], None]:
    def client(feed):
        raise error

    return client


class UnprintableError(Exception):
    def __str__(self):
        raise LookupError


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (ValueError("no"), "ValueError: no"),
            (SystemExit(3), "SystemExit: 3"),
            (SystemExit("gave up"), "SystemExit: gave up"),
            (asyncio.CancelledError(), "CancelledError: "),
            (GeneratorExit(), "GeneratorExit: "),
            (UnprintableError(), "UnprintableError"),
            (RuntimeError("x" * 10_000), "RuntimeError: " + "x" * 486),
            (ValueError("<thing at 0x7f00deadbeef>"), "ValueError: <thing at 0x…>"),
            (
                BaseExceptionGroup("two", [ValueError("no")]),
                "ExceptionGroup: two (1 sub-exception)",
            ),
        ],
        ids=lambda value: value[:24] if isinstance(value, str) else "",
    )
    def test_an_error_ends_the_poll_and_is_told(self, error, text):
        history = run(world(), fails(error))
        assert endings(history) == ["raised"] * 5
        assert {error_of(step) for step in of(PollEnded, history)} == {text}
        assert [finding.rule for finding in judge(world(), history).findings][:1] != []
        assert "CRASHED" in {finding.rule for finding in judge(world(), history).findings}

    def test_the_place_is_the_clients_own_last_line(self, tmp_path):
        path = tmp_path / "their_client.py"
        path.write_text(
            "import json\n"
            "def helper(text):\n"
            "    return json.loads(text)\n"
            "async def stream(feed):\n"
            "    yield helper('{')\n"
        )
        ended = of(PollEnded, run(world(), load_client(f"{path}:stream")))
        assert ended[0].error.endswith("(char 1), at their_client.py:3")
        assert of(PollEnded, run(world(), json.loads))[0].error.endswith("not Feed"), (
            "no line of it"
        )

    @pytest.mark.parametrize("code", [0, None])
    def test_an_exit_without_an_error_is_a_return(self, code):
        assert endings(run(world(), fails(SystemExit(code)))) == ["returned"] * 5

    def test_what_is_no_text_is_told_all_the_same(self):
        """Half a surrogate, as a client gets it from broken bytes, can't stand in a history."""

        def client(feed: Feed) -> None:
            raise ValueError("broken \ud800 text")

        ended = [step for step in run(world(), client) if isinstance(step, PollEnded)]
        assert {error_of(step) for step in ended} == {"ValueError: broken ? text"}
        assert b"broken ? text" in to_lines(ended)

    def test_no_token_is_told(self):
        def careless(feed):
            raise RuntimeError(f"refused: {feed.headers}")

        history = run(world(), careless)
        assert error_of(of(PollEnded, history)[0]) == (
            "RuntimeError: refused: {'Authorization': 'Bearer <token>'}"
        )
        text = judge(world(), history).text()
        assert "fakeserver-token" not in text
        assert "<token>" in text

    def test_ctrl_c_passes(self):
        with pytest.raises(KeyboardInterrupt):
            run(world(), fails(KeyboardInterrupt()))

    def test_ctrl_c_ends_the_search_without_a_verdict(self):
        calls = []

        def pressed_in_the_third_world(feed):
            calls.append(feed)
            if len(calls) > 20:
                raise KeyboardInterrupt
            return find_dialect("haravan").reference_client(feed)

        verdict = verify(pressed_in_the_third_world, dialect="haravan", examples=50)
        assert verdict.outcome == "inconclusive"
        assert verdict.exit_status == 3
        assert "interrupted after" in verdict.notes[0]
        assert 0 < verdict.examples < 20

    def test_an_outcome_of_the_test_runner_passes(self):
        def skips(feed):
            pytest.skip("not here")

        with pytest.raises(pytest.skip.Exception):
            run(world(), skips)

    def test_a_feed_used_wrongly_is_no_finding(self):
        with pytest.raises(UsageError, match="deliver: expected a mapping"):
            run(world(), lambda feed: [None])

    def test_what_a_client_prints_is_its_own(self, capsys):
        def chatty(feed):
            print("polling")

        run(world(), chatty)
        assert capsys.readouterr() == ("polling\n" * 5, "")


# Slips of ours


@pytest.fixture
def broken_dialect(monkeypatch) -> None:
    """The fake fails on every page, and shows no event either."""

    def fail(*_args):
        raise ZeroDivisionError("planted")

    broken = msgspec.structs.replace(find_dialect("haravan"), render=fail, render_event=fail)
    monkeypatch.setattr("fakeserver.world.find_dialect", lambda name: broken)


def asks_once(feed):
    feed.requests_session().get(feed.url(PATH))


def asks_and_swallows(feed):
    with contextlib.suppress(Exception):
        asks_once(feed)


def asks_until_it_works(feed):
    http = feed.requests_session()
    while True:
        with contextlib.suppress(Exception):
            http.get(feed.url(PATH))
            return


def asks_live(feed):
    with requests.Session() as http:
        http.trust_env = False
        http.get(feed.url(PATH), headers=feed.headers).raise_for_status()


def asks_live_until_it_works(feed):
    with requests.Session() as http:
        http.trust_env = False
        while http.get(feed.url(PATH), headers=feed.headers).status_code != 200:
            pass


async def asks_async(feed):
    async with feed.httpx_async_client() as http:
        await http.get(PATH)


def asks_by_urllib(feed):
    feed.urllib_opener().open(feed.url(PATH))


def hands_over(feed):
    with contextlib.suppress(Exception):
        feed.deliver({"id": 2, "verb": "placed"})


VICTIMS = [
    asks_once,
    asks_and_swallows,
    asks_until_it_works,
    asks_live,
    asks_live_until_it_works,
    asks_async,
    asks_by_urllib,
    hands_over,
]


@pytest.mark.usefixtures("broken_dialect")
@pytest.mark.parametrize("client", VICTIMS)
def test_a_slip_of_the_fake_is_never_the_clients(client, capfd):
    with pytest.raises(HarnessError, match="ZeroDivisionError: planted"):
        run(world(), client)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("broken_dialect")
def test_verify_does_not_accuse_either():
    with pytest.raises(HarnessError, match="the fake failed to answer GET /com/events"):
        verify(asks_and_swallows, dialect="haravan")


# The same on every machine


@pytest.mark.parametrize("dialect", ["haravan", "saleschannel"])
def test_the_same_world_gives_the_same_bytes(dialect):
    scenario = generate_scenario(dialect=dialect, seed=3)
    client = find_dialect(dialect).reference_client
    histories = {to_lines(run(scenario, client)) for _ in range(2)}
    assert len(histories) == 1


@pytest.mark.parametrize("client", [plain, endless, asks_the_same, Remembers, saves_finally])
def test_steps_follow_each_other_in_time(client):
    scenario = world(gaps_ms=(MINUTE_MS,) * 5, crash=Crash(point="after-save"), restart=2)
    history = run(scenario, client)
    assert all(before.at <= after.at for before, after in pairwise(history))
    assert [step.poll for step in of(PollStarted, history)] == [
        step.poll for step in of(PollEnded, history)
    ], "every poll that starts ends"


def test_a_killed_client_leaves_no_door_open():
    """What its threads still ask is answered with its death, and not recorded."""
    sessions = []

    def hides_a_session(feed):
        sessions.append((feed.requests_session(), feed.url(PATH)))
        feed.save(1)

    history = run(world(), hides_a_session)
    http, url = sessions[0]
    with pytest.raises(RunStopped):
        http.get(url)
    assert of(Exchange, history) == []


def test_errors_speak_for_themselves():
    assert not issubclass(BudgetSpent, Exception)
    assert issubclass(ContractBroken, AssertionError)
