"""The long run of fairness: every right client in many worlds, and a summary for people.

    python -m tests.quality.fairness_run                     prints it
    python -m tests.quality.fairness_run --write             and writes contracts/FAIRNESS.md
    python -m tests.quality.fairness_run --worlds 1000 --seed 3 --jobs 4

Each world is played once and judged by every promise that its client can meet. An accusation ends
the run with the report and status 1. The seed is printed first; the numbers depend on nothing else.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from fakeserver.generate import generate_scenario
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.hazards import exercised
from fakeserver.verifier.judge import findings, judge
from fakeserver.verifier.runner import doorkeeper, run

from .right_clients import RIGHT, worlds

PAGE = Path(__file__).parents[2] / "contracts" / "FAIRNESS.md"
WORLDS = 100_000
SEED = 11
CHUNK = 100
"""Worlds that a process plays before it reports: small enough to keep all of them busy."""
COMMAND = "python -m tests.quality.fairness_run"


class Chunk(msgspec.Struct, frozen=True):
    """Some worlds of one case: a right client with a profile and a lateness."""

    case: int
    first: int
    count: int
    seed: int


class Tally(msgspec.Struct, frozen=True):
    """What came of a chunk; `accused` is the report of the first accusation, or None."""

    file: str
    profile: str
    worlds: int
    judged: int
    met: dict[str, int]
    accused: str | None = None


def chunks(total: int, seed: int) -> Iterator[Chunk]:
    """Share `total` worlds, or a few more, evenly among the cases."""
    cases = len(list(worlds()))
    each = -(-total // cases)
    for first in range(0, each, CHUNK):
        for case in range(cases):
            yield Chunk(case, first, min(CHUNK, each - first), seed)


def play(chunk: Chunk) -> Tally:
    """Play the worlds of a chunk and judge each by every promise that the client can meet."""
    right, profile, late = list(worlds())[chunk.case]
    promises = [p for p in right.promises(profile) if p.late_by_ms_max == late]
    met: Counter[str] = Counter()
    accused = None
    with doorkeeper() as keeper:
        for example in range(chunk.first, chunk.first + chunk.count):
            scenario = generate_scenario(
                dialect=right.dialect,
                profile=profile,
                seed=chunk.seed,
                example=example,
                late_by_ms_max=late,
            )
            history = run(scenario, right.client, keeper=keeper)
            met.update(exercised(Evidence(scenario, history, promises[0])))
            for promise in promises:
                if findings(Evidence(scenario, history, promise)):
                    accused = f"{right.file}, {scenario.origin}, {promise}\n" + (
                        judge(scenario, history, promise).text()
                    )
                    break
    return Tally(
        right.file, profile.name, chunk.count, chunk.count * len(promises), dict(met), accused
    )


def summary(tallies: list[Tally], *, asked: int, seed: int) -> str:
    """Write the page: what was played, by client, and what came up in it."""
    total = sum(tally.worlds for tally in tallies)
    judged = sum(tally.judged for tally in tallies)
    lines = [
        "# No right client is accused",
        "",
        f"{total:,} generated worlds, {judged:,} verdicts, no accusation (seed {seed}).",
        "",
        "Every client of `fixtures/clients` that is right under a promise was played with every",
        "profile that it can meet and every lateness that it stands. Each world was judged by each",
        "promise that the client keeps. This page is written by",
        "",
        "<!-- nightly -->",
        "<!-- in: checkout -->",
        "```sh",
        f"{COMMAND} --worlds {asked} --seed {seed} --write",
        "```",
        "",
        "| client | profiles | worlds | verdicts |",
        "|---|---|---|---|",
    ]
    for right in RIGHT:
        own = [tally for tally in tallies if tally.file == right.file]
        profiles = ", ".join(dict.fromkeys(profile.name for profile in right.profiles))
        worlds_played, verdicts = (sum(getattr(t, n) for t in own) for n in ("worlds", "judged"))
        lines.append(f"| `{right.file}` | {profiles} | {worlds_played:,} | {verdicts:,} |")
    met: Counter[str] = Counter()
    for tally in tallies:
        met.update(tally.met)
    lines += ["", "What the clients met in them:", "", "| hazard | worlds |", "|---|---|"]
    lines += [f"| `{name}` | {count:,} |" for name, count in sorted(met.items())]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run, print the summary, and return the exit status: 1 where somebody was accused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=WORLDS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.worlds} worlds", file=sys.stderr, flush=True)
    tallies: list[Tally] = []
    with ProcessPoolExecutor(given.jobs) as pool:
        for tally in pool.map(play, chunks(given.worlds, given.seed)):
            tallies.append(tally)
            if tally.accused is not None:
                print(f"seed {given.seed}: {tally.accused}")
                pool.shutdown(cancel_futures=True)
                return 1
    page = summary(tallies, asked=given.worlds, seed=given.seed)
    print(page)
    if given.write:
        PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
