"""What more workers bring: one job, two jobs, and two workers of a Dask cluster.

The same worlds of the same client each time, one way after the other in each round. What counts is
the processor time of each process, from the two-hundredth world to the last: on two free cores a
search takes as long as its busiest process, or half of what all take together. On a busy machine
real time tells mostly who else is at work; it is shown besides.
"""

import os
import time
from collections.abc import Callable, Iterable
from multiprocessing import active_children
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from fakeserver.dialects import find_dialect
from fakeserver.verifier.search import verify
from tests.benchmarks.section import Missing, Section, Table
from tests.many.cluster import local_cluster

WORLDS = 2000
WORLDS_QUICK = 600
WARM = 200
ROUNDS = 5
ROUNDS_QUICK = 1
CORES = 2
RATIOS_MIN = {"2 jobs": 1.7, "2 Dask workers": 1.5}
PROCESSES = Path("/proc")


class Run(NamedTuple):
    """Real time, and processor time of each process (of all, and of the busiest), s."""

    real: float
    together: float
    busiest: float

    @property
    def least(self) -> float:
        """How long it takes at least on free cores."""
        return max(self.busiest, self.together / CORES)


def spent(pid: int) -> float:
    """Processor time of a process so far, s."""
    fields = (PROCESSES / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(worlds: int, workers: Iterable[int] = (), **how: Any) -> Run:
    """Verify a right client in so many worlds; `workers` are processes of others that take part."""
    marks: dict[int, tuple[float, dict[int, float]]] = {}

    def progress(done: int, _hazards: object) -> bool:
        if done in (WARM, worlds):
            ours = [child.pid for child in active_children() if child.pid is not None]
            taking_part = {pid: spent(pid) for pid in (os.getpid(), *ours, *workers)}
            marks[done] = time.perf_counter(), taking_part
        return True

    client = find_dialect("haravan").reference_client
    verdict = verify(client, dialect="haravan", examples=worlds, progress=progress, **how)
    assert (verdict.outcome, verdict.examples) == ("kept", worlds)
    (start, before), (end, after) = marks[WARM], marks[worlds]
    each = [after[pid] - before.get(pid, 0.0) for pid in after]
    return Run(end - start, sum(each), max(each))


def measure(quick: bool) -> list[Table]:
    """How many times as fast two workers are, and how many worlds a second that is."""
    if not PROCESSES.is_dir():
        raise Missing("what other processes take is read from /proc, which is not here")
    worlds, rounds = (WORLDS_QUICK, ROUNDS_QUICK) if quick else (WORLDS, ROUNDS)
    with TemporaryDirectory() as folder, local_cluster(Path(folder), workers=2) as cluster:
        executor = f"dask://{cluster.address}"
        pids = [worker.pid for worker in cluster.workers]
        ways: dict[str, Callable[[], Run]] = {
            "1 job": lambda: timed(worlds),
            "2 jobs": lambda: timed(worlds, jobs=2),
            "2 Dask workers": lambda: timed(worlds, pids, executor=executor),
        }
        timed(WARM + 1, pids, executor=executor)  # what a worker imports is imported once
        found: dict[str, list[Run]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                found[name].append(way())
    rows = [_row(name, runs, found["1 job"], worlds) for name, runs in found.items()]
    load = os.getloadavg()[0]
    caption = f"{worlds} worlds, {rounds} rounds, load {load:.1f} at the end:"
    header = ("way", "worlds a second", "times as fast", "target", "in real time")
    return [Table(caption, header, rows)]


def _row(name: str, runs: list[Run], alone: list[Run], worlds: int) -> tuple[str, ...]:
    ratio = median(a.least / run.least for a, run in zip(alone, runs, strict=True))
    if name == "1 job":  # one process can't be in two places
        ratio = 1.0
    real = median(a.real / run.real for a, run in zip(alone, runs, strict=True))
    pace = (worlds - WARM) / median(run.busiest for run in runs)
    least = RATIOS_MIN.get(name)
    target = "" if least is None else f"at least {least:g}: {'met' if ratio >= least else 'missed'}"
    return name, f"{pace:.0f}", f"{ratio:.2f}", target, f"{real:.2f}"


SECTION = Section(
    "many",
    "What more workers bring",
    "The same worlds of a right client, verified by one job, by two (`--jobs 2`), and by two "
    "workers of a Dask cluster of this machine (`--executor`), one after the other in each round, "
    "from the two-hundredth world on. What counts is processor time: on two free cores a search "
    "takes as long as its busiest process, or half of what all take together, the one that hands "
    "out worlds included. Real time is shown besides; where others are at work on the machine it "
    "says little.",
    measure,
)
