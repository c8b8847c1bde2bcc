"""Twenty pytest workers and one server: each has a feed, and none sees anything of another."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.serving.asking import a_site, control
from tests.serving.readers import Steering
from tests.serving.test_serve import serving

WORKERS = 20
TESTS_EACH = 2
ROUNDS = 3
BACKLOG = 40
SECONDS_MAX = 300
"""Starting twenty interpreters takes a while on a small machine."""

SUITE = '''
"""What a user's suite may look like: a feed for each worker, made anew for each test."""

import time

import pytest
import requests

URL = "{url}"
WORKERS, BACKLOG = {workers}, {backlog}
EXPECTED = {expected}
AUTH = {{"Authorization": "Bearer fakeserver-token"}}


class Feed:
    """The feed of one worker; `number` decides how it differs from the others."""

    def __init__(self, worker):
        self.number = int(worker.removeprefix("gw"))
        self.mark = f"of worker {{self.number}}"
        self.http = requests.Session()
        self.dialect = ("haravan", "saleschannel")[self.number // 2 % 2]
        options = {{"id": worker, "dialect": self.dialect, "seed": self.number % 4}}
        made = self.ask("POST", f"{{URL}}/_fakeserver/feeds", options).json()
        self.url, self.control_url = made["base_url"], made["control_url"]

    def ask(self, method, url, body=None):
        answer = self.http.request(method, url, json=body, timeout=60)
        assert answer.ok, answer.text
        return answer

    def control(self, method, path, body=None):
        return self.ask(method, f"{{self.control_url}}/{{path}}", body).json()

    def page(self, known):
        if self.dialect == "haravan":
            path = f"/com/events.json?limit=9&since_id={{known[-1]['id'] if known else 1}}"
        else:
            low = known[-1]["createdAt"] if known else "2020-01-01T00:00:00.000Z"
            path = (
                "/saleschannel-services/v1/events?$limit=30&$orderBy[createdAt]=asc"
                f"&$filter[createdAt][gte]={{low}}"
            )
        return self.http.get(self.url + path, headers=AUTH, timeout=60)

    def walk(self):
        """Read the whole log; return its events, and how many requests it took."""
        known, asked = [], 0
        while True:
            answer = self.page(known)
            asked += 1
            assert answer.status_code == 200, answer.text
            body = answer.json()
            page = body["events"] if self.dialect == "haravan" else body
            ids = {{event["id"] for event in known}}
            new = [event for event in page if event["id"] not in ids]
            if not new:
                return known, asked
            known += new

    def mark_of(self, event):
        told = event["author"] if self.dialect == "haravan" else event["details"]["transactionId"]
        return told if told and told.startswith("of worker ") else None

    def marked(self):
        if self.dialect == "haravan":
            return {{"fields": {{"author": self.mark}}}}
        status = {{"status": "SUCCESS", "previousStatus": None}}
        return {{"fields": {{"details": {{"transactionId": self.mark, **status}}}}}}


@pytest.fixture(scope="session")
def feed(worker_id):
    feed = Feed(worker_id)
    deadline = time.monotonic() + 120
    while len(feed.ask("GET", f"{{URL}}/_fakeserver/feeds").json()["feeds"]) < WORKERS:
        assert time.monotonic() < deadline, "the other workers never came"
        time.sleep(0.05)
    yield feed
    feed.http.close()


@pytest.mark.parametrize("test", range({tests}))
def test_nothing_is_seen_of_others(feed, test):
    for turn in range({rounds}):
        health = feed.control("POST", "reset")
        assert health["events"] == {{"visible": BACKLOG, "hidden": 0, "total": BACKLOG}}
        assert (health["requests"], health["dialect"]) == (0, feed.dialect)
        start = health["clock"]["now_ms"]
        seconds = 60 * (feed.number + 1) + turn
        assert feed.control("POST", "clock/advance", {{"seconds": seconds}})["now_ms"] == (
            start + 1000 * seconds
        )
        own = [feed.marked()] * (feed.number % 5 + 1)
        made = feed.control("POST", "events", {{"events": own}})["events"]
        faulty = feed.number % 2 == 1
        if faulty:
            fault = {{"kind": "server-error", "retry_after_s": feed.number, "times": 2}}
            feed.control("PUT", "faults", {{"faults": [fault]}})
            for _ in range(2):
                answer = feed.page([])
                assert (answer.status_code, answer.headers["Retry-After"]) == (
                    503,
                    str(feed.number),
                )
        events, asked = feed.walk()
        assert sorted(event["id"] for event in events) == sorted(
            [*EXPECTED[feed.dialect][feed.number % 4], *(row["id"] for row in made)]
        )
        assert [mark for event in events if (mark := feed.mark_of(event))] == [feed.mark] * len(own)
        assert feed.control("GET", "clock")["now_ms"] == start + 1000 * seconds
        journal = feed.control("GET", "requests")["requests"]
        assert [row["fault"] for row in journal] == ["server-error"] * 2 * faulty + [None] * asked
        told = feed.control("POST", "delivered", {{"events": events}})
        assert told == {{"delivered": len(events)}}
        assert feed.control("POST", "verdict")["outcome"] != "broken"
'''


def backlog_of(dialect: str, seed: int) -> list[int | str]:
    """The ids of the log of a seed, made by one thread alone."""
    site = a_site(dialect=dialect, seed=seed, backlog=BACKLOG)
    return [row["id"] for row in control(site, "GET", "truth")["events"]]


def test_twenty_workers_share_a_server(tmp_path: Path):
    expected = {
        dialect: [backlog_of(dialect, seed) for seed in range(4)]
        for dialect in ("haravan", "saleschannel")
    }
    stream = (
        "--clock",
        "simulated",
        "--backlog",
        str(BACKLOG),
        "--rate",
        "0",
        "--late-by-max",
        "0s",
    )
    with serving("--dialect", "haravan", "--log", "off", *stream) as served:
        suite = SUITE.format(
            url=served.url,
            workers=WORKERS,
            backlog=BACKLOG,
            expected=json.dumps(expected),
            tests=WORKERS * TESTS_EACH,
            rounds=ROUNDS,
        )
        (tmp_path / "test_suite.py").write_text(suite, encoding="utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-n", str(WORKERS)],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # they start much faster
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{WORKERS * TESTS_EACH} passed" in done.stdout
        with Steering(served.url) as steering:
            feeds = steering.ask("GET", "feeds")["feeds"]
            assert {feed["id"] for feed in feeds} == {f"gw{n}" for n in range(WORKERS)}
            main = steering.ask("GET", "health")
    print(done.stdout.splitlines()[-1])
    assert (main["requests"], main["events"]["total"], main["resets"]) == (0, BACKLOG, 0)
