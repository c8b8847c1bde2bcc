"""`fakeserver serve` under load: 64 connections, while the log, the clock and faults change.

Whatever the threads do to each other, in the end there is one order in which it all happened: the
journal. Each answer must be what the log held then, and what the clients saw is what it says.
"""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPException
from itertools import cycle, pairwise
from pathlib import Path
from random import Random
from threading import Event, Semaphore, Thread
from typing import Any

import msgspec
import pytest

from fakeserver.clock import to_text
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Ask
from fakeserver.history import Exchange, History, from_lines
from fakeserver.log import EventLog
from fakeserver.scenario import Scenario
from fakeserver.verifier.clients import Life
from fakeserver.verifier.judge import judge
from tests.quality.right_clients import RIGHT, Right
from tests.serving.readers import SECONDS_MAX, Got, Reader, ServedFeed, Steering
from tests.serving.test_serve import Served, serving

CONNECTIONS = 64
REQUESTS_EACH = 50
"""A few seconds."""
REQUESTS_EACH_MAX = 1_400
"""With what else is recorded they are fewer than the steps that a server keeps."""
SECONDS_NIGHTLY = 60
STIRRED_EVERY = 10
"""After so many requests something else happens too, of each kind in turn."""
NOBODY = (None,) * (STIRRED_EVERY - 1)
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "server-error", "status": 503, "retry_after_s": 1},
    {"kind": "rate-limited", "retry_after_s": 1},
    {"kind": "transient-422"},
    {"kind": "token-expired"},
    {"kind": "dropped-connection"},
    {"kind": "truncated-body"},
    {"kind": "slow-answer", "ms": 20},
    {"kind": "repeated-answer"},
    {"kind": "stale-read", "ms": 30_000},
)
CLOCKS = ("simulated", "paced:60")
POLLS_LEAST = 2
"""The second one looks back at what the first one could not see yet."""
POLLS_MAX = 20
"""An event in twelve comes each second: some poll ends before the next one."""


class Stirrer:
    """A thread of its own that does something each time that it is `due`."""

    def __init__(self, url: str, act: Callable[[Steering, Random], None], seed: int) -> None:
        self.due = Semaphore(0)
        self.acted = 0
        self._over = Event()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(url, act, Random(seed)), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait for the last act. Raises what one of them raised."""
        self._over.set()
        self.due.release()
        self._thread.join(SECONDS_MAX)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error

    def _run(self, url: str, act: Callable[[Steering, Random], None], random: Random) -> None:
        try:
            with Steering(url) as steering:
                while self.due.acquire() and not self._over.is_set():
                    act(steering, random)
                    self.acted += 1
        except BaseException as error:
            self._error = error


class Stirring:
    """What happens to a world while it is read, and what of it was acknowledged."""

    def __init__(self) -> None:
        self.appended: list[dict[str, Any]] = []
        self.instants: list[int] = []

    def append(self, steering: Steering, random: Random) -> None:
        events: list[dict[str, Any]] = [{}] * random.randint(1, 3)
        events.append({"late_by_s": round(random.uniform(0, 60), 3)})
        self.appended += steering.ask("POST", "events", {"events": events})["events"]

    def advance(self, steering: Steering, random: Random) -> None:
        seconds = {"seconds": random.choice([0, 0.001, 0.25, 2, 7])}
        self.instants.append(steering.ask("POST", "clock/advance", seconds)["now_ms"])

    def spoil(self, steering: Steering, random: Random) -> None:
        fault = {**random.choice(FAULTS), "nth": random.randint(1, 3), "times": 2}
        steering.ask("PUT", "faults", {"faults": [fault]})

    def look(self, steering: Steering, random: Random) -> None:
        """Look on, as the page for people does."""
        known = steering.ask("GET", "health")["events"]
        assert known["visible"] + known["hidden"] == known["total"]
        shown = steering.ask("GET", "requests", last=20)["requests"]
        assert [b["number"] - a["number"] for a, b in pairwise(shown)] == [1] * (len(shown) - 1)
        steering.ask("GET", "truth", last=20)


@contextmanager
def stirred(url: str) -> Iterator[tuple[Stirring, list[Stirrer]]]:
    """Let everything happen to the world at `url` that somebody may do to it."""
    stirring = Stirring()
    acts = (stirring.append, stirring.advance, stirring.spoil, stirring.look)
    stirrers = [Stirrer(url, act, seed) for seed, act in enumerate(acts)]
    try:
        yield stirring, stirrers
    finally:
        for stirrer in stirrers:
            stirrer.end()


def read_on(
    reader: Reader, stirrers: Iterator[Stirrer | None], times: int, seconds: float | None
) -> None:
    """Ask so many times, or for so many seconds if that ends earlier."""
    end = None if seconds is None else time.monotonic() + seconds
    for _ in range(times):
        if end is not None and time.monotonic() >= end:
            break
        reader.ask()
        stirrer = next(stirrers)  # of all readers
        if stirrer is not None:
            stirrer.due.release()


def under_load(
    served: Served, dialect: str, *, times: int, seconds: float | None = None
) -> tuple[list[Got], Stirring]:
    """Read over 64 connections at once; return what they got, and what happened meanwhile."""
    readers = [Reader(served.url, dialect, seed) for seed in range(CONNECTIONS)]
    with ExitStack() as stack:
        for reader in readers:
            stack.callback(reader.close)
        stirring, stirrers = stack.enter_context(stirred(served.url))
        turns = cycle([turn for stirrer in stirrers for turn in (stirrer, *NOBODY)])
        pool = stack.enter_context(ThreadPoolExecutor(CONNECTIONS))
        jobs = [pool.submit(read_on, reader, turns, times, seconds) for reader in readers]
        for job in jobs:
            job.result()
    assert all(stirrer.acted for stirrer in stirrers)
    got = [one for reader in readers for one in reader.got]
    assert sum(reader.renewed for reader in readers) == sum(
        one.status in ("cut", "none") for one in got
    )
    return got, stirring


def followed(served: Served, steering: Steering) -> dict[str, Any]:
    """Let a right client read it all, once everything late is visible; return the verdict.

    A clock that runs may show an event while the last poll reads. Then one more poll decides.
    """
    steering.ask("DELETE", "faults")
    feed = ServedFeed(served.url, steering, page_size=100)
    life = Life(find_dialect(feed.dialect).reference_client)
    for poll in range(1, POLLS_MAX + 1):
        steering.ask("POST", "clock/advance", {"seconds": 400})
        life.poll(feed)  # type: ignore[arg-type]
        feed.report()
        if poll >= POLLS_LEAST:
            content = steering.ask("POST", "verdict", {"evidence": True})
            if content["outcome"] != "inconclusive":
                break
    life.close()
    feed.close()
    return content


def check_order(scenario: Scenario, exchanges: Sequence[Exchange]) -> None:
    """Every answer is what the log held at its place in the one order of things."""
    dialect = find_dialect(scenario.dialect)
    settings = dialect.settings(scenario.settings)
    log = EventLog(scenario.events)
    assert all(a.at <= b.at for a, b in pairwise(exchanges))
    for exchange in exchanges:
        if exchange.fault is None:
            assert (exchange.status, exchange.problem) == (200, None), exchange
        if exchange.status != 200 or exchange.fault == "truncated-body":
            continue
        path, _, raw = exchange.target.partition("?")
        headers = {"authorization": f"Bearer {TOKEN}"}
        query = dialect.parse(Ask(path=path, query=raw, headers=headers), settings)
        assert not query.is_shuffled
        at = exchange.at if exchange.as_of is None else exchange.as_of
        rows = log.select(query, at - query.lag_ms).rows
        assert tuple(row.id for row in rows) == exchange.event_ids, exchange


def check_journal(journal: Sequence[Any], exchanges: Sequence[Exchange]) -> None:
    """The journal tells the same story as the history, without a gap."""
    assert [row["number"] for row in journal] == list(range(1, len(journal) + 1))
    for row, exchange in zip(journal, exchanges, strict=True):
        told = (row["at"], row["target"], row["status"], tuple(row["event_ids"]), row["fault"])
        assert told == (
            to_text(exchange.at),
            exchange.target,
            exchange.status,
            exchange.event_ids,
            exchange.fault,
        )


def check_truth(scenario: Scenario, stirring: Stirring) -> None:
    """What was acknowledged is there, under the number that was told."""
    for row in stirring.appended:
        event = scenario.events[row["number"] - 1]
        assert (event.id, to_text(event.visible_at)) == (row["id"], row["visible_at"])
    assert stirring.instants == sorted(stirring.instants)


def load_and_check(
    served: Served, dialect: str, *, times: int, seconds: float | None = None
) -> float:
    """Read, check everything, and return how long it was read (s)."""
    started = time.monotonic()
    got, stirring = under_load(served, dialect, times=times, seconds=seconds)
    took = time.monotonic() - started
    with Steering(served.url) as steering:
        content = followed(served, steering)
        journal = steering.all_of("requests", "requests")
    scenario = msgspec.convert(content["scenario"], Scenario)
    history: History = from_lines(b"\n".join(map(msgspec.json.encode, content["history"])))
    exchanges = [step for step in history if isinstance(step, Exchange)]
    check_journal(journal, exchanges)
    check_order(scenario, exchanges)
    check_truth(scenario, stirring)
    recorded = [Got.by(exchange) for exchange in exchanges]
    assert Counter(recorded[: len(got)]) == Counter(got)
    verdict = judge(scenario, history)
    assert (verdict.outcome, content["outcome"]) == ("kept", "kept"), content["report"]
    faults = Counter(exchange.fault for exchange in exchanges if exchange.fault)
    print(
        f"{dialect}: {len(got)} requests of {CONNECTIONS} connections, {len(scenario.events)} "
        f"events, {len(stirring.instants)} moves of the clock, faults {dict(faults)}, "
        f"{took:.1f} s: {verdict.outcome}"
    )
    return took


@contextmanager
def logged(path: Path, *options: str) -> Iterator[Served]:
    """A server that writes its log into a file; it ends well, and without a traceback."""
    with path.open("wb") as log, serving(*options, log=log) as served:
        yield served
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(SECONDS_MAX) == 0
    said = path.read_text(encoding="utf-8").splitlines()
    assert said[-1].startswith('{"summary":')
    assert all(line.startswith("{") for line in said)


def options_for(dialect: str, clock: str) -> tuple[str, ...]:
    stream = ("--seed", "11", "--backlog", "600", "--rate", "0.2/s", "--late-by-max", "60s")
    return ("--dialect", dialect, "--clock", clock, *stream)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("dialect", ["haravan", "saleschannel"])
def test_64_connections_see_one_order(dialect: str, clock: str, tmp_path: Path):
    with logged(tmp_path / "log", *options_for(dialect, clock)) as served:
        load_and_check(served, dialect, times=REQUESTS_EACH)


@pytest.mark.nightly
@pytest.mark.parametrize("dialect", ["haravan", "saleschannel"])
def test_64_connections_for_a_minute(dialect: str, tmp_path: Path):
    """In rounds, where a machine is so fast that a server can't keep all steps of a minute."""
    left = float(SECONDS_NIGHTLY)
    with logged(tmp_path / "log", *options_for(dialect, "paced:60")) as served:
        while left > 0:
            left -= load_and_check(served, dialect, times=REQUESTS_EACH_MAX, seconds=left)
            with Steering(served.url) as steering:
                steering.ask("POST", "reset")


# Right clients, each in a world of its own that is like the others

CLIENTS_EACH = 2
"""Threads for each of the right clients."""
POLLS = 8


def play(served: Served, right: Right, number: int) -> str:
    """Let one client follow a feed of its own; return the verdict."""
    random = Random(number)
    profile = right.profiles[0]
    settings = {name: values[0] for name, values in profile.allowed.items() if len(values) == 1}
    with Steering(served.url) as main:
        options = {"dialect": right.dialect, "profile": profile.name, "settings": settings}
        made = main.ask("POST", "feeds", {**options, "late_by_ms_max": right.late_by_ms_max[0]})
        with Steering(made["base_url"]) as steering:
            return _played(made["base_url"], steering, right, random)


def _played(url: str, steering: Steering, right: Right, random: Random) -> str:
    feed = ServedFeed(url, steering, page_size=5)
    life = Life(right.client)
    most = right.late_by_ms_max[0] / 1000
    for _ in range(POLLS):
        steering.ask("POST", "clock/advance", {"seconds": random.choice([10, 30, 60.5, 120])})
        events: list[dict[str, Any]] = [{}] * random.randint(2, 4)
        events += [{"late_by_s": round(random.uniform(0, most), 3)}] * bool(most)
        steering.ask("POST", "events", {"events": events})
        life.poll(feed)  # type: ignore[arg-type]
        feed.report()
    life.close()
    feed.close()
    promise = {"late_by_ms_max": right.late_by_ms_max[0], "delivery": right.deliveries[-1]}
    verdict = steering.ask("POST", "verdict", {"promise": promise})
    return str(verdict["outcome"]) if verdict["outcome"] == "kept" else str(verdict["report"])


def test_right_clients_side_by_side_lose_nothing():
    clients = [right for right in RIGHT if right.mode == "incremental"] * CLIENTS_EACH
    options = ("--dialect", "haravan", "--clock", "simulated", "--backlog", "30", "--log", "off")
    with serving(*options) as served, ThreadPoolExecutor(len(clients)) as pool:
        jobs = [pool.submit(play, served, right, place) for place, right in enumerate(clients)]
        assert [job.result() for job in jobs] == ["kept"] * len(clients)


# A server that dies

KILLED_AFTER = 1_500
"""Answers; then 64 others are in the works."""
STIRRED_AT_LEAST = 5
"""Appends and moves of the clock that were acknowledged by then, however busy the machine."""


def until_it_dies(act: Callable[[], Any]) -> None:
    """Do it again and again; the end of the server is no error."""
    try:
        while True:
            act()
    except (OSError, HTTPException):
        return


def killed_under_load(served: Served, dialect: str) -> tuple[list[Got], Stirring]:
    """Kill a busy server; return the whole answers that arrived, and what was acknowledged."""
    answers, appends, moves = Semaphore(0), Semaphore(0), Semaphore(0)
    readers = [Reader(served.url, dialect, seed) for seed in range(CONNECTIONS)]
    stirring, random = Stirring(), Random(5)

    def counted(act: Callable[[], Any], done: Semaphore) -> Callable[[], None]:
        def act_and_count() -> None:
            act()
            done.release()

        return act_and_count

    with ExitStack() as stack:
        for reader in readers:
            stack.callback(reader.close)
        steering = [stack.enter_context(Steering(served.url)) for _ in range(2)]
        pool = stack.enter_context(ThreadPoolExecutor(CONNECTIONS + len(steering)))
        acts = [counted(reader.ask, answers) for reader in readers]
        acts.append(counted(partial(stirring.append, steering[0], random), appends))
        acts.append(counted(partial(stirring.advance, steering[1], random), moves))
        jobs = [pool.submit(until_it_dies, act) for act in acts]
        for done in [answers] * KILLED_AFTER + [appends, moves] * STIRRED_AT_LEAST:
            assert done.acquire(timeout=SECONDS_MAX)
        served.process.kill()
        for job in jobs:
            job.result()
    return [one for reader in readers for one in reader.got if one.status == 200], stirring


@pytest.mark.parametrize("clock", CLOCKS)
def test_killed_under_load_it_keeps_what_was_acknowledged(clock: str, tmp_path: Path):
    options = (*options_for("haravan", clock), "--log", "off", "--state", str(tmp_path / "state"))
    with serving(*options) as served:
        got, stirring = killed_under_load(served, "haravan")
    with serving(*options) as served, Steering(served.url) as steering:
        journal = steering.all_of("requests", "requests")
        content = steering.ask("POST", "verdict", {"evidence": True})
        now = steering.ask("GET", "clock")["now_ms"]
    scenario = msgspec.convert(content["scenario"], Scenario)
    history: History = from_lines(b"\n".join(map(msgspec.json.encode, content["history"])))
    exchanges = [step for step in history if isinstance(step, Exchange)]
    check_journal(journal, exchanges)
    check_order(scenario, exchanges)
    check_truth(scenario, stirring)
    assert len(got) >= KILLED_AFTER
    assert not Counter(got) - Counter(map(Got.by, exchanges))
    assert max(stirring.instants) <= now


# What only happens to threads that begin together

FIRST_READERS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec

from fakeserver.serving.bodies import decode

THREADS = 8
barrier = Barrier(THREADS)
sys.setswitchinterval(1e-6)


def read(kind):
    barrier.wait()
    return decode(b'{"part": {"i": 1}}', kind).part.i


with ThreadPoolExecutor(THREADS) as pool:
    for _ in range(50):
        part = msgspec.defstruct("Part", [(name, int | None, None) for name in "abcdefghi"])
        kind = msgspec.defstruct("Kind", [("part", part | None, None)])
        assert list(pool.map(read, [kind] * THREADS)) == [1] * THREADS
print("all read")
"""


def test_threads_that_are_the_first_to_read_a_body_do_not_crash():
    """In a process of its own: what they did to each other ended it without a word."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_READERS],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "all read\n", "")
