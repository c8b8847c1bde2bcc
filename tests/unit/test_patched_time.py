"""Patched time: what a client asks is simulated, what others ask is not, and all is put back."""

import asyncio
import sys
import threading
import time
from datetime import UTC, datetime
from time import sleep as sleep_by_name

import pytest

from fakeserver.clock import DAY_MS, HOUR_MS
from fakeserver.errors import ClientNotFound, UsageError
from fakeserver.history import Delivered, Exchange, PollEnded, Slept
from fakeserver.scenario import Crash, Poll
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.judge import judge
from fakeserver.verifier.patched_time import PatchedTime
from fakeserver.verifier.runner import run

from ..verdict.worlds import event, ms, world

REAL = (time.sleep, asyncio.sleep, sleep_by_name)


@pytest.fixture(autouse=True)
def _all_is_put_back():
    before = time.time()
    yield
    assert (time.sleep, asyncio.sleep, sleep_by_name) == REAL
    assert time.time() >= before


def day():
    """A day: an event each 20 minutes, every third of them up to a minute late."""
    minutes = range(0, 24 * 60, 20)
    events = [event(n, m * 60, visible=m * 60 + 20 * (n % 3)) for n, m in enumerate(minutes, 2)]
    polls = [3_600 * hour + 5 for hour in range(1, 28)]
    return world(
        sorted(events, key=lambda each: each.visible_at), polls=polls, calm_from=len(polls) - 3
    )


def of(kind, history):
    return [step for step in history if isinstance(step, kind)]


def rows(feed, since_id=1):
    http = feed.requests_session()
    while page := http.get(
        feed.url("/com/events.json"), params={"since_id": since_id, "limit": 50}
    ).json()["events"]:
        yield from page
        since_id = page[-1]["id"]


def sleeps(feed):
    known = set()
    while True:
        for row in rows(feed):
            if row["id"] not in known:
                known.add(row["id"])
                yield row
        time.sleep(10)


def sleeps_by_name(feed):
    known = set()
    while True:
        for row in rows(feed):
            if row["id"] not in known:
                known.add(row["id"])
                feed.deliver(row)
        sleep_by_name(10.0)


async def sleeps_async(feed):
    known = set()
    while True:
        for row in rows(feed):
            if row["id"] not in known:
                known.add(row["id"])
                feed.deliver(row)
        assert await asyncio.sleep(10, "slept") == "slept"


class Sleeper:
    def poll(self, feed):
        yield from sleeps(feed)


@pytest.mark.parametrize("client", [sleeps, sleeps_by_name, sleeps_async, Sleeper])
def test_an_endless_loop_is_run_through_a_day(client):
    scenario = day()
    history = run(scenario, PatchedTime(client))
    assert history[-1].at - scenario.starts_at > DAY_MS
    assert len(of(Slept, history)) > 500
    assert {step.ms for step in of(Slept, history)} == {10_000}
    assert {step.ending for step in of(PollEnded, history)} == {"slept"}
    assert judge(scenario, history).outcome == "kept"


def test_all_clocks_tell_the_time_of_the_feed():
    told = []

    def client(feed):
        for _ in range(3):
            told.append((feed.now(), datetime.now(UTC), time.time(), time.time_ns() // 10**6))
            list(rows(feed))
            time.sleep(0.75)

    run(world([event(2, 0.125)], request=0.25), PatchedTime(client))
    assert len(told) >= 12
    for now, moment, seconds, millis in told:
        assert moment == now
        assert seconds == pytest.approx(now.timestamp(), abs=1e-6)
        assert millis == round(now.timestamp() * 1000)


def test_a_nap_of_nothing_is_none_and_a_wrong_one_raises_as_ever():
    def client(_feed):
        time.sleep(0)
        asyncio.run(asyncio.sleep(0))
        for wrong in (-1, "1", float("nan")):
            with pytest.raises((ValueError, TypeError)):
                time.sleep(wrong)

    history = run(world([event(2, 0)]), PatchedTime(client))
    assert [step.error for step in of(PollEnded, history)] == [None] * 4
    assert [step.ms for step in of(Slept, history)] == [0] * 4


def test_other_threads_sleep_in_earnest():
    def client(feed):
        before = feed.now()
        elsewhere = threading.Thread(target=time.sleep, args=(0.01,))
        elsewhere.start()
        elsewhere.join()
        assert feed.now() == before

    history = run(world([event(2, 0)]), PatchedTime(client))
    assert [step.error for step in of(PollEnded, history)] == [None] * 4
    assert of(Slept, history) == []


@pytest.mark.parametrize("point", ["before-request", "after-request", "before-deliver"])
def test_a_kill_ends_it_and_puts_all_back(point):
    """The fixture sees to the second half, however the client ends."""
    crash = Poll(starts_at=ms(10), crash=Crash(point=point))
    calm = tuple(Poll(starts_at=ms(at)) for at in (120, 180, 4_000))
    scenario = world([event(2, 0), event(3, 1)], polls=(crash, *calm))
    history = run(scenario, PatchedTime(sleeps))
    assert of(PollEnded, history)[0].ending == "killed"
    assert {step.event_id for step in of(Delivered, history)} == {2, 3}


def test_a_client_that_raises_puts_all_back():
    history = run(world([event(2, 0)]), PatchedTime(lambda _feed: time.sleep(1) or 1 / 0))
    assert [step.ending for step in of(PollEnded, history)] == ["raised"] * 4


def test_retry_by_a_library_is_a_simulated_wait():
    """urllib3 waits as it is told; that is one wait, and not counted twice."""
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    from fakeserver.fault import Fault

    def client(base_url, headers):
        import requests

        http = requests.Session()
        http.mount("http://", HTTPAdapter(max_retries=Retry(3, status_forcelist=[503])))
        http.get(f"{base_url}/com/events.json", headers=headers)

    fault = Fault(kind="server-error", status=503, retry_after_s=40)
    polls = (Poll(starts_at=ms(10), faults=(fault,)), *(ms(at) / 1000 for at in (120, 180, 4_000)))
    history = run(world([event(2, 0)], polls=polls), PatchedTime(client))
    assert [step.ms for step in of(Slept, history)] == [40_000]
    assert [step.status for step in of(Exchange, history)] == [503, 200, 200, 200, 200]
    assert history[-1].at < HOUR_MS * 2


def test_a_client_may_take_what_it_wants_to_know():
    def client(base_url, *, token, checkpoint):
        assert checkpoint is None
        yield from _told_rows(base_url, {"Authorization": f"Bearer {token}"})

    def _told_rows(base_url, headers):
        import requests

        return requests.get(f"{base_url}/com/events.json", headers=headers).json()["events"]

    history = run(world([event(2, 0)]), client)
    assert [step.event_id for step in of(Delivered, history)] == [2] * 4


@pytest.mark.parametrize(
    "client", [lambda base_url, where: None, lambda token, page_size: None], ids=["one", "none"]
)
def test_what_nobody_can_be_told_is_refused(client):
    with pytest.raises(ClientNotFound, match="or one that takes base_url and others of token"):
        run(world([event(2, 0)]), client)


def test_a_program_has_a_time_of_its_own():
    with pytest.raises(ClientNotFound, match="a program has its own time"):
        run(world([event(2, 0)]), PatchedTime(CommandClient(["true"])))


def test_without_time_machine_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "time_machine", None)
    with pytest.raises(UsageError, match=r"pip install 'fakeserver\[time\]'"):
        run(world([event(2, 0)]), PatchedTime(sleeps))
