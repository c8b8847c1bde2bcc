"""How many worlds and seconds it takes to find the mistake of each client of the gallery."""

import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from fakeserver.dialects import DIALECTS
from tests.benchmarks.section import Section, Table, number
from tests.quality.faulty import Faulty
from tests.quality.faulty_clients import FAULTY
from tests.quality.power import searched

SEEDS = 5
SEEDS_QUICK = 1
SLOWEST_SHOWN = 3


class Kill(NamedTuple):
    """Of one search: the worlds it took, and process time (ms) until then and to the verdict."""

    client: str
    worlds: int
    found_ms: float
    told_ms: float


def kill(faulty: Faulty, seed: int) -> Kill:
    """Search, shrink and explain, as a user would."""
    found: list[float] = []
    start = time.process_time()
    verdict = searched(faulty, seed, shrinking=lambda *_: found.append(time.process_time()))
    end = time.process_time()
    assert verdict.outcome == "broken", (faulty.name, seed)
    broken = (found or [end])[0]
    return Kill(faulty.name, verdict.examples, (broken - start) * 1000, (end - start) * 1000)


def row(name: str, kills: Sequence[Kill]) -> tuple[str, ...]:
    """The median and the most of each number."""
    worlds = [each.worlds for each in kills]
    times = [[each.found_ms for each in kills], [each.told_ms for each in kills]]
    said = [f"{number(median(column))} ({number(max(column))})" for column in times]
    clients = len({each.client for each in kills})
    return name, str(clients), f"{median(worlds):g} ({max(worlds)})", *said


def measure(quick: bool) -> list[Table]:
    """A row for each API, and those that take longest."""
    seeds = SEEDS_QUICK if quick else SEEDS
    found = {
        dialect: [
            kill(faulty, seed)
            for faulty in FAULTY
            if faulty.dialect == dialect
            for seed in range(seeds)
        ]
        for dialect in DIALECTS
    }
    kills = [each for of_api in found.values() for each in of_api]
    slowest = sorted({each.client for each in kills}, key=lambda name: -_median_ms(kills, name))
    header = ("clients of", "clients", "worlds", "ms to the first kill", "ms to the verdict")
    return [
        Table(
            f"{seeds} seeds each, median and, in brackets, the most:",
            header,
            [row(dialect, each) for dialect, each in found.items()],
        ),
        Table(
            "Those that take longest to find:",
            ("client", *header[1:]),
            [
                row(name, [each for each in kills if each.client == name])
                for name in slowest[:SLOWEST_SHOWN]
            ],
        ),
    ]


def _median_ms(kills: Sequence[Kill], name: str) -> float:
    return median(each.found_ms for each in kills if each.client == name)


SECTION = Section(
    "kills",
    "How soon a mistake is found",
    "Each faulty client of the gallery (contracts/GALLERY.md) is searched for its mistake, on one "
    "core and without a socket, in process time: until the first world that breaks the promise, "
    "and until the verdict, when that world is as small as it can be and what would have helped "
    "has been tried.",
    measure,
)
