"""How fast programs are verified: a Node client, and an endless one that sleeps."""

import shutil
import time
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import requests
from msgspec.structs import replace

from fakeserver.clock import MINUTE_MS, SECOND_MS
from fakeserver.generate import generate_scenario
from fakeserver.history import Exchange
from fakeserver.scenario import Poll, Scenario
from fakeserver.verifier.clients import Client, load_client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.feed import Feed
from fakeserver.verifier.judge import judge
from fakeserver.verifier.patched_time import PatchedTime
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify
from tests.benchmarks.section import Missing, Section, Table, against

HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
CLIENT = Path(__file__).parents[2] / "fixtures" / "clients" / "haravan_window.mjs"
WORLDS = 1_000
WORLDS_QUICK = 250
WORLDS_A_SECOND_MIN = 40
ENDLESS = CLIENT.parent / "libraries" / "endless.py"
EVENTS_A_DAY = (48, 288, 480)
"""With one in three minutes a client that sleeps ten seconds is never long without news."""
DAY_S_MAX = 10
EACH_A_PROCESS = 30
"""Of worlds in which each life is a process of its own, so few are enough."""


def pace(worlds: int, **how: Any) -> float:
    """Worlds a second in real time; the client must be kept."""
    command = CommandClient(["node", str(CLIENT)], persistent=True)
    start = time.perf_counter()
    verdict = verify(command, dialect="haravan", examples=worlds, seed=3, **how)
    assert verdict.outcome == "kept"
    return worlds / (time.perf_counter() - start)


def unkept(worlds: int) -> float:
    """The same of one that does not say that it can be reset."""
    command = CommandClient(["node", str(CLIENT)], persistent=True)
    start = time.perf_counter()
    with command.in_new_processes():
        verify(command, dialect="haravan", examples=worlds, seed=3)
    return worlds / (time.perf_counter() - start)


def a_day(count: int) -> Scenario:
    """A day with so many events, some of them late, and a poll each hour."""
    drawn = generate_scenario(dialect="haravan", seed=2)
    start, pattern = drawn.starts_at, generate_scenario(dialect="haravan", seed=1).events[0]
    events = []
    for number in range(count):
        at = start + number * DAY_MS // count // SECOND_MS * SECOND_MS
        late_ms = number % 4 * 70 * SECOND_MS
        event = replace(pattern, id=1000 + number, recorded_at=at, visible_at=at + late_ms)
        events.append(event)
    polls = tuple(Poll(starts_at=start + SECOND_MS + hour * HOUR_MS) for hour in range(28))
    return replace(drawn, settings={}, events=tuple(events), polls=polls, calm_from=25)


def without_socket(feed: Feed) -> Any:
    """The same program, whose module `requests` makes sessions that need no socket."""
    follow = run_path(str(ENDLESS))["follow"]
    sessions = SimpleNamespace(
        Session=feed.requests_session, RequestException=requests.RequestException
    )
    follow.__globals__["requests"] = sessions
    return follow(feed.base_url, feed.token)


def endless(way: str, client: Client, count: int) -> tuple[str, ...]:
    """A row: an endless program that sleeps, over a day with so many events."""
    scenario = a_day(count)
    start = time.perf_counter()
    history = run(scenario, PatchedTime(client))
    verdict = judge(scenario, history, Promise(late_by_ms_max=5 * MINUTE_MS))
    took = time.perf_counter() - start
    assert verdict.outcome == "kept", verdict.findings
    asked = sum(isinstance(step, Exchange) for step in history)
    hours = (history[-1].at - history[0].at) / HOUR_MS
    said = against(took, DAY_S_MAX, " s")
    return way, str(count), f"{hours:.0f} h", str(asked), f"{took:.1f} s", said


def measure(quick: bool) -> list[Table]:
    """Worlds a second by one job and by two, and without resets; and a day of an endless one."""
    if shutil.which("node") is None:
        raise Missing("node is not on the PATH")
    worlds = WORLDS_QUICK if quick else WORLDS
    one, two = pace(worlds), pace(worlds, jobs=2)
    met = "met" if one >= WORLDS_A_SECOND_MIN else "missed"
    rows = [
        ("it resets", f"{one:.1f}", f"at least {WORLDS_A_SECOND_MIN}: {met}"),
        ("it resets, 2 jobs", f"{two:.1f}", ""),
        ("each life a process", f"{unkept(EACH_A_PROCESS):.1f}", ""),
    ]
    header = ("way", "worlds a second", "target")
    return [
        Table(f"{worlds} worlds with all hazards, in real time:", header, rows),
        Table(
            "`endless.py` with `--patch-time`, which sleeps ten seconds after each round:",
            ("way", "events", "simulated", "requests", "took", "target"),
            [
                endless(way, client, count)
                for way, client in {
                    "without a socket": without_socket,
                    "over a socket": load_client(f"{ENDLESS}:follow"),
                }.items()
                for count in EVENTS_A_DAY
            ],
        ),
    ]


SECTION = Section(
    "programs",
    "Programs: in another language, and with a loop of their own",
    "A Node client, `node haravan_window.mjs` with `--persistent`, in the same worlds: one that "
    "can forget all it knows and says so, by one job and by two; and as if it did not say so, "
    "where each life of it is a new process. Over a socket of this machine, in real time, from the "
    "start of the search to its verdict. In the first worlds a slow answer is really held back for "
    "two seconds, to see whether the client waits. Then a Python program with a loop and a "
    "`time.sleep` of its own, which knows nothing of us, over a day. It asks twice a round; where "
    "it has found nothing new in thirty rounds the next poll begins. Over a socket three quarters "
    "of the time are the library requests.",
    measure,
)
