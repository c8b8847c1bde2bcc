"""IMPOLITE at its edges: how long is long enough, and whose request it was."""

import functools
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
import requests
from msgspec.structs import replace
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from fakeserver.clock import SECOND_MS
from fakeserver.fault import Fault
from fakeserver.history import Exchange, PollEnded, Slept
from fakeserver.scenario import Scenario
from fakeserver.verifier.judge import judge
from fakeserver.verifier.rules.politeness import IDLE_ASKS_MAX, IDLE_SLEEP_MS_MIN
from fakeserver.verifier.runner import run

from .worlds import event, poll, world

FIRST = {"since_id": 1, "limit": 2}
SECOND = {"since_id": 2, "limit": 2}


def ask(feed: Any, query: dict[str, Any] = FIRST) -> list[dict[str, Any]]:
    """One page, or nothing where it fails."""
    try:
        with feed.urllib_opener().open(
            f"{feed.url('/com/events.json')}?{urlencode(query)}"
        ) as response:
            page: list[dict[str, Any]] = json.load(response)["events"]
            return page
    except (OSError, HTTPError):
        return []


def busy(retry_after_s: float | None = 2, *, at: float = 10, **more: Any) -> Scenario:
    """A world whose first request is answered 503."""
    fault = Fault(kind="server-error", retry_after_s=retry_after_s)
    polls = (poll(at, faults=[fault]), 120, 180, 240)
    return world([event(2, 1)], polls=polls, **more)


def accused(scenario: Scenario, client: Callable[[Any], object]) -> list[str]:
    verdict = judge(scenario, run(scenario, client))
    return [finding.message for finding in verdict.findings if finding.rule == "IMPOLITE"]


def again_after(*pauses_s: float, query: dict[str, Any] = FIRST) -> Callable[[Any], None]:
    def client(feed: Any) -> None:
        ask(feed)
        for pause_s in pauses_s:
            feed.sleep(pause_s)
            ask(feed, query)

    return client


@pytest.mark.parametrize("pause_s", [0, 1, 1.999])
def test_asked_too_soon(pause_s):
    assert accused(busy(), again_after(pause_s))


@pytest.mark.parametrize("pause_s", [2, 2.001, 100])
def test_the_pause_was_long_enough(pause_s):
    assert accused(busy(), again_after(pause_s)) == []


@pytest.mark.parametrize(("pause_s", "is_late_enough"), [(1.399, False), (1.4, True)])
def test_the_pause_may_be_counted_from_the_date_of_the_answer(pause_s, is_late_enough):
    assert (accused(busy(at=10.6), again_after(pause_s)) == []) == is_late_enough


def test_what_the_requests_cost_is_time_that_passed():
    assert accused(busy(request=2), again_after(0)) == []
    assert accused(busy(request=1), again_after(0))


def test_no_pause_was_ordered():
    assert accused(busy(retry_after_s=None), again_after(0, 0, 0)) == []
    assert accused(busy(retry_after_s=0), again_after(0, 0, 0)) == []


def test_another_request_may_have_been_on_its_way():
    assert accused(busy(), again_after(0, query=SECOND)) == []


def test_the_request_in_between_changes_nothing():
    def client(feed: Any) -> None:
        ask(feed)
        ask(feed, SECOND)
        ask(feed)

    assert accused(busy(), client)


def test_the_next_poll_is_called_by_the_runner():
    """Also where it begins before the pause is over."""

    def client(feed: Any) -> None:
        if not ask(feed):
            raise OSError("503")

    assert accused(busy(retry_after_s=3_600), client) == []


def test_the_pause_of_a_cut_answer_was_never_heard():
    scenario = busy()
    history = list(run(scenario, again_after(0)))
    place = next(n for n, step in enumerate(history) if isinstance(step, Exchange))
    for fault, rules in (("server-error", ["IMPOLITE"]), ("truncated-body", [])):
        history[place] = replace(history[place], fault=fault)
        found = judge(scenario, tuple(history)).findings
        assert [finding.rule for finding in found if finding.rule == "IMPOLITE"] == rules


def test_an_open_world_is_asked_by_anybody():
    scenario = busy()
    history = run(scenario, again_after(0))
    assert [finding.rule for finding in judge(scenario, history).findings][-1] == "IMPOLITE"
    is_open = replace(scenario, polls=(), calm_from=0)
    assert "IMPOLITE" not in {finding.rule for finding in judge(is_open, history).findings}


# Waiting in real time


def test_a_wait_in_real_time_is_a_wait():
    """Most libraries that try again know no other; simulated time passes for them as well."""

    def client(feed: Any) -> None:
        if not ask(feed):
            time.sleep(0.02)
            ask(feed)

    scenario = busy(retry_after_s=0.02)
    assert accused(scenario, client) == []
    slept = [step.ms for step in run(scenario, client) if isinstance(step, Slept)]
    assert slept == [20]
    assert accused(busy(retry_after_s=30), client)


def test_urllib3_retries_politely():
    def client(feed: Any) -> None:
        with requests.Session() as http:
            http.mount("http://", HTTPAdapter(max_retries=Retry(3)))
            url = f"{feed.base_url}/com/events.json"
            page = http.get(url, params=FIRST, headers=feed.headers).json()["events"]
        for row in page:
            feed.deliver(row)

    scenario = busy(retry_after_s=1)
    history = run(scenario, client)
    asked = [step for step in history if isinstance(step, Exchange)][:2]
    assert [step.status for step in asked] == [503, 200]
    assert asked[1].at - asked[0].at == SECOND_MS
    assert next(step for step in history if isinstance(step, PollEnded)).ending == "returned"
    assert "IMPOLITE" not in {finding.rule for finding in judge(scenario, history).findings}


# An idle feed


def endless(feed: Any, pause_s: float) -> None:
    since_id = feed.checkpoint or 1
    while True:
        for row in ask(feed, {"since_id": since_id, "limit": 2}):
            feed.deliver(row)
            since_id = row["id"]
            feed.save(since_id)
        feed.sleep(pause_s)


def in_the_first_poll(*pauses_s: float) -> Callable[[Any], None]:
    """A client that asks for what comes after the first row, again after each of the pauses."""

    def client(feed: Any) -> None:
        if feed.checkpoint:
            return
        ask(feed, SECOND)
        for pause_s in pauses_s:
            feed.sleep(pause_s)
            ask(feed, SECOND)
        feed.save(2)

    return client


LEAST_S = IDLE_SLEEP_MS_MIN / (IDLE_ASKS_MAX - 1) / SECOND_MS
"""The shortest pause with which nobody hammers."""


@pytest.mark.parametrize(
    ("pause_s", "hammers"), [(0, True), (LEAST_S - 0.001, True), (LEAST_S + 0.001, False)]
)
def test_hardly_a_wait_is_hammering(pause_s, hammers):
    client = functools.partial(endless, pause_s=pause_s)
    assert bool(accused(world([event(2, 1)]), client)) == hammers


def test_so_many_times_and_not_one_less():
    scenario = world([event(2, 1)])
    assert accused(scenario, in_the_first_poll(*[0] * (IDLE_ASKS_MAX - 2))) == []
    assert accused(scenario, in_the_first_poll(*[0] * (IDLE_ASKS_MAX - 1)))


@pytest.mark.parametrize(("slept_ms", "hammers"), [(-1, True), (0, False)])
def test_the_least_sleep_is_enough(slept_ms, hammers):
    pauses = [(IDLE_SLEEP_MS_MIN + slept_ms) / SECOND_MS, *[0] * (IDLE_ASKS_MAX - 2)]
    assert bool(accused(world([event(2, 1)]), in_the_first_poll(*pauses))) == hammers


def test_a_new_row_lets_the_count_start_again():
    half = [0.0] * (IDLE_ASKS_MAX - 2)
    client = in_the_first_poll(*half, 0.005, *half)
    assert accused(world([event(2, 1), event(3, 10.005)]), client) == []
    assert accused(world([event(2, 1), event(3, 10.006)]), client)


def test_many_different_questions_are_no_hammering():
    """As one asks who follows many kinds of events, or grows the limit at ties under a cap."""

    def client(feed: Any) -> None:
        for number in range(40):
            ask(feed, {"since_id": 100 + number, "limit": 2})
            feed.sleep(0)

    assert accused(world([event(2, 1)]), client) == []


def test_of_a_poll_that_was_stopped_stuck_speaks():
    def client(feed: Any) -> None:
        for number in range(1_000):
            ask(feed, {"since_id": 100 + number % 2, "limit": 2})

    scenario = world([event(2, 1)])
    rules = [finding.rule for finding in judge(scenario, run(scenario, client)).findings]
    assert rules == ["STUCK"]
