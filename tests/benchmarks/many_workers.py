"""What more workers bring: worlds a second with one job, with two, with two Dask workers.

    python -m tests.benchmarks.many_workers [ROUNDS]

The same worlds of the same client each time, one way after the other in each round, in real time:
from the first hundred worlds on, so that what it takes to start a process (shown besides) counts
only where it is asked for. Ratios are those of the medians. A machine with fewer free cores than
workers shows less than there is: so the load at the beginning and the end is told, and the
processor time that the same worlds took in all processes of ours, which says what sharing the work
costs.
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from fakeserver.dialects import find_dialect
from fakeserver.verifier.search import verify
from tests.many.cluster import local_cluster

WORLDS = 1200
WARM = 100
ROUNDS = 3
JOBS_RATIO_MIN = 1.7
DASK_RATIO_MIN = 1.5
CLIENT = find_dialect("haravan").reference_client
HEADER = ("way", "worlds a second", "ratio", "target", "with the start", "processor time")


class Run(NamedTuple):
    """Seconds from the hundredth world to the last, of the whole, and of processor time."""

    warm_s: float
    whole_s: float
    processor_s: float


def spent() -> float:
    """Processor time of this process and of those that it started and that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def timed(worlds: int, **how: object) -> Run:
    """Verify the client in so many worlds."""
    marks: dict[int, float] = {}

    def progress(done: int, _hazards: object) -> bool:
        marks.setdefault(done, time.perf_counter())
        return True

    before, start = spent(), time.perf_counter()
    verdict = verify(CLIENT, dialect="haravan", examples=worlds, progress=progress, **how)  # type: ignore[arg-type]
    end = time.perf_counter()
    assert verdict.examples == worlds
    return Run(marks[worlds] - marks[WARM], end - start, spent() - before)


def rows(rounds: int = ROUNDS, worlds: int = WORLDS) -> list[tuple[str, ...]]:
    """The table below `HEADER`; a target that was missed says so."""
    with TemporaryDirectory() as folder, local_cluster(Path(folder), workers=2) as cluster:
        executor = f"dask://{cluster.address}"
        ways: dict[str, Callable[[], Run]] = {
            "1 job": lambda: timed(worlds),
            "2 jobs": lambda: timed(worlds, jobs=2),
            "2 Dask workers": lambda: timed(worlds, executor=executor),
        }
        found: dict[str, list[Run]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                found[name].append(way())
    alone = median(run.warm_s for run in found["1 job"])
    whole = median(run.whole_s for run in found["1 job"])
    targets = {"2 jobs": JOBS_RATIO_MIN, "2 Dask workers": DASK_RATIO_MIN}
    return [
        (
            name,
            f"{(worlds - WARM) / median(run.warm_s for run in runs):.0f}",
            f"{(ratio := alone / median(run.warm_s for run in runs)):.2f}",
            _against(ratio, targets.get(name)),
            f"{whole / median(run.whole_s for run in runs):.2f}",
            "" if "Dask" in name else f"{median(run.processor_s for run in runs):.1f} s",
        )
        for name, runs in found.items()
    ]


def _against(ratio: float, least: float | None) -> str:
    if least is None:
        return ""
    return f"at least {least:g}: {'met' if ratio >= least else 'missed'}"


def main() -> None:
    """Print the table."""
    before = os.getloadavg()[0]
    table = rows(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
    print(f"{WORLDS} worlds, {os.cpu_count()} cores, load {before:.1f} to {os.getloadavg()[0]:.1f}")
    for row in (HEADER, *table):
        print("".join(f"{cell:<22}" for cell in row).rstrip())


if __name__ == "__main__":
    main()
