"""How many worlds a second one core verifies, and where the time goes."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given, settings

from fakeserver.app import FakeServer
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.base import TOKEN, Ask
from fakeserver.doors.urllib_door import urllib_opener
from fakeserver.generate import generate_scenario
from fakeserver.history import Exchange, History
from fakeserver.scenario import Scenario
from fakeserver.strategies import scenarios
from fakeserver.verifier.judge import judge
from fakeserver.verifier.runner import doorkeeper, run
from fakeserver.world import World
from tests.benchmarks.section import Section, Table

WORLDS = 300
WORLDS_QUICK = 60
SEED = 3


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Process time of `work`, and what it returned."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def answer_again(scenario: Scenario, history: History) -> None:
    """Answer the requests of a history once more, without a door and a client."""
    world = World(scenario)
    headers = {"authorization": f"Bearer {TOKEN}"}
    for step in history:
        if isinstance(step, Exchange):
            path, _, query = step.target.partition("?")
            world.advance_to(step.at)
            world.ask(Ask(path=path, query=query, headers=headers))


def ask_again(scenario: Scenario, history: History) -> None:
    """Ask for the same by urllib, as the reference clients do, and read the JSON."""
    server = FakeServer(scenario)
    opener = urllib_opener(server)
    for step in history:
        if isinstance(step, Exchange):
            server.world.advance_to(step.at)
            with suppress(OSError), opener.open(server.url(step.target)) as answer:
                answer.read()


def shares_of(dialect: str, worlds: int) -> tuple[str, ...]:
    """One row of the table: worlds a second, and the shares of the parts."""
    client = find_dialect(dialect).reference_client
    generate_scenario(dialect=dialect, seed=SEED)  # the vocabulary is drawn once
    drawing, worlds_drawn = seconds(
        lambda: [generate_scenario(dialect=dialect, seed=SEED, example=n) for n in range(worlds)]
    )
    with doorkeeper() as keeper:
        running, histories = seconds(
            lambda: [run(scenario, client, keeper=keeper) for scenario in worlds_drawn]
        )
    pairs = list(zip(worlds_drawn, histories, strict=True))
    answering, _ = seconds(lambda: [answer_again(*pair) for pair in pairs])
    asking, _ = seconds(lambda: [ask_again(*pair) for pair in pairs])
    judging, verdicts = seconds(lambda: [judge(*pair) for pair in pairs])
    assert not any(verdict.findings for verdict in verdicts)
    total = drawing + running + judging
    requests = sum(isinstance(step, Exchange) for history in histories for step in history)
    shares = (drawing, answering, asking - answering, running - asking, judging)
    return (
        dialect,
        f"{worlds / total:.0f}",
        f"{requests / worlds:.1f}",
        *(f"{share / total:.0%}" for share in shares),
    )


def by_hypothesis(dialect: str, worlds: int) -> tuple[str, ...]:
    """A row: worlds of a test with ``@given``, and the share of it that is Hypothesis'."""
    client = find_dialect(dialect).reference_client
    played: list[float] = []

    @settings(max_examples=worlds, database=None, deadline=None, derandomize=True)
    @given(scenarios(dialect))
    def check(scenario: Scenario) -> None:
        start = time.process_time()
        assert not judge(scenario, run(scenario, client, keeper=keeper)).findings
        played.append(time.process_time() - start)

    with doorkeeper() as keeper:
        check()  # what Hypothesis reads and builds once
        played.clear()
        whole, _ = seconds(check)
    return dialect, f"{len(played) / whole:.0f}", f"{1 - sum(played) / whole:.0%}"


def measure(quick: bool) -> list[Table]:
    """A row for each API, and one for each by Hypothesis."""
    worlds = WORLDS_QUICK if quick else WORLDS
    rows = [shares_of(dialect, worlds) for dialect in DIALECTS]
    header = ("API", "worlds/s", "requests a world", "drawing", "fake", "HTTP", "client", "judge")
    drawn = [by_hypothesis(dialect, worlds) for dialect in DIALECTS]
    return [
        Table(f"{worlds} worlds each, reference clients, one core, in process:", header, rows),
        Table(
            "The same in a test with `@given(scenarios(...))`:",
            ("API", "worlds/s", "drawing, by Hypothesis"),
            drawn,
        ),
    ]


SECTION = Section(
    "worlds",
    "Worlds a second, and where the time goes",
    "The parts of a verification in process time, one after the other: drawing the worlds, "
    "running the client in them, judging. The *fake*'s own share is what answering the same "
    "requests again costs, without a door and a client; *HTTP* is what asking for the same by "
    "urllib costs beyond that; the rest of running is the *client*, with what watches it. In a "
    "test with Hypothesis that draws the worlds, through the same generator.",
    measure,
)
