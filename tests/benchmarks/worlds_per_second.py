"""How many worlds a second one core verifies, and where the time goes.

    python tests/benchmarks/worlds_per_second.py [WORLDS]

Everything is measured in one run, in process time, so that a busy machine matters little. The parts
are measured one by one: drawing the worlds, running the client in them, judging. The fake's own
share is what answering the same requests again costs; the rest of running is the client and HTTP.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.base import TOKEN, Ask
from fakeserver.generate import generate_scenario
from fakeserver.history import Exchange, History
from fakeserver.scenario import Scenario
from fakeserver.verifier.judge import judge
from fakeserver.verifier.runner import doorkeeper, run
from fakeserver.world import World

WORLDS = 300
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


def measure(dialect: str, worlds: int) -> str:
    """One row of the table: worlds a second, and the shares of the parts."""
    client = find_dialect(dialect).reference_client
    generate_scenario(dialect=dialect, seed=SEED)  # the vocabulary is drawn once
    drawing, scenarios = seconds(
        lambda: [generate_scenario(dialect=dialect, seed=SEED, example=n) for n in range(worlds)]
    )
    with doorkeeper() as keeper:
        running, histories = seconds(
            lambda: [run(scenario, client, keeper=keeper) for scenario in scenarios]
        )
    pairs = list(zip(scenarios, histories, strict=True))
    answering, _ = seconds(lambda: [answer_again(*pair) for pair in pairs])
    judging, verdicts = seconds(lambda: [judge(*pair) for pair in pairs])
    assert not any(verdict.findings for verdict in verdicts)
    total = drawing + running + judging
    requests = sum(isinstance(step, Exchange) for history in histories for step in history)
    shares = (drawing, answering, running - answering, judging)
    return f"{dialect:<14}{worlds / total:>10.0f}{requests / worlds:>12.1f}" + "".join(
        f"{share / total:>10.0%}" for share in shares
    )


def main() -> None:
    """Print the table."""
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else WORLDS
    print(f"{worlds} worlds each, reference clients, one core, in process\n")
    print(f"{'dialect':<14}{'worlds/s':>10}{'requests':>12}", end="")
    print("".join(f"{part:>10}" for part in ("drawing", "fake", "client", "judge")))
    for dialect in DIALECTS:
        print(measure(dialect, worlds))


if __name__ == "__main__":
    main()
