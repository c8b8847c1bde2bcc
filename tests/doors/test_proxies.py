"""A machine with a proxy: who knows nothing of us still reaches a live fake, and nothing stays."""

import asyncio
import os
from collections.abc import Callable
from urllib.request import Request, urlopen

import aiohttp
import httpx
import pytest
import requests

from fakeserver import verify
from fakeserver.app import FakeServer
from fakeserver.doors import LiveServer, live
from fakeserver.doors.proxies import bypass_proxies, heed_proxies, variables_without_proxy
from fakeserver.verifier.feed import Feed

from .ways import BEARER
from .worlds import LIST, small_world

NOWHERE = "http://127.0.0.1:9"
NO_PROXY = ("NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    for name in NO_PROXY:
        monkeypatch.delenv(name, raising=False)


def by_requests(url: str) -> int:
    return requests.get(url, headers=BEARER, timeout=5).status_code


def by_httpx(url: str) -> int:
    return httpx.get(url, headers=BEARER).status_code


def by_urllib(url: str) -> int:
    with urlopen(Request(url, headers=BEARER), timeout=5) as answer:
        return int(answer.status)


def by_aiohttp(url: str) -> int:
    async def ask() -> int:
        async with (
            aiohttp.ClientSession(trust_env=True, headers=BEARER) as session,
            session.get(url) as answer,
        ):
            return answer.status

    return asyncio.run(ask())


@pytest.mark.parametrize("ask", [by_requests, by_httpx, by_urllib, by_aiohttp])
def test_a_library_reaches_a_live_fake(ask: Callable[[str], int]):
    server = LiveServer(FakeServer(small_world("haravan")))
    try:
        assert ask(server.url + LIST["haravan"]) == 200
    finally:
        server.close()
    with pytest.raises(Exception, match=r"(?i)connect|refused"):
        ask(server.url + LIST["haravan"])


def test_a_function_that_takes_the_proxy_of_the_machine_is_no_culprit():
    def client(feed: Feed) -> None:
        held = feed.checkpoint or {"since": 0}
        while True:
            query = {"since_id": held["since"], "limit": feed.page_size}
            answer = requests.get(
                feed.url("/com/events.json"), params=query, headers=feed.headers, timeout=5
            )
            rows = answer.json()["events"]
            if not rows:
                return
            held = {"since": rows[-1]["id"]}
            feed.commit(rows, held)

    verdict = verify(client, dialect="haravan", seed=5, examples=20, without=["late-visible"])
    assert (verdict.outcome, verdict.findings) == ("kept", ())
    assert not any(name in os.environ for name in NO_PROXY)


@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [
        ({}, {"no_proxy": "127.0.0.1"}),
        ({"no_proxy": "a.example"}, {"no_proxy": "a.example,127.0.0.1"}),
        ({"NO_PROXY": "a.example"}, {"NO_PROXY": "a.example,127.0.0.1"}),
        (
            {"NO_PROXY": "a.example", "no_proxy": "b"},
            {"NO_PROXY": "a.example", "no_proxy": "b,127.0.0.1"},
        ),
        ({"no_proxy": "127.0.0.1"}, {"no_proxy": "127.0.0.1,127.0.0.1"}),
        ({"no_proxy": "*"}, {"no_proxy": "*"}),
    ],
)
def test_what_was_there_stays_and_comes_back(
    before: dict[str, str], meanwhile: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    with live(FakeServer(small_world("haravan"))) as url:
        assert told() == meanwhile
        assert by_requests(url + LIST["haravan"]) == 200
    assert told() == before


def test_one_goes_and_the_other_is_still_reached():
    first, second = (LiveServer(FakeServer(small_world("haravan"))) for _ in range(2))
    first.close()
    assert by_requests(second.url + LIST["haravan"]) == 200
    second.close()
    assert told() == {}


def test_what_somebody_else_took_away_is_not_missed():
    name = bypass_proxies()
    del os.environ[name]
    heed_proxies(name)
    assert told() == {}


@pytest.mark.parametrize(
    ("before", "value"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "a.example"}, "a.example,127.0.0.1,localhost"),
        ({"NO_PROXY": "a.example", "no_proxy": "b"}, "b,127.0.0.1,localhost"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_a_program_is_told_in_both_spellings(
    before: dict[str, str], value: str, monkeypatch: pytest.MonkeyPatch
):
    for name, was in before.items():
        monkeypatch.setenv(name, was)
    assert variables_without_proxy() == dict.fromkeys(NO_PROXY, value)
    assert told() == before


def told() -> dict[str, str]:
    return {name: os.environ[name] for name in NO_PROXY if name in os.environ}
