"""What installing the plugin adds to every run of pytest, also of those who never use it.

``pytest --collect-only`` in an empty folder, with the plugin and with ``-p no:fakeserver``, one
after the other, in turn first; the other plugins that are installed are left out on both sides.
Processor time of the processes, for wall time is the machine's mood. Shown are both medians, the
median of the differences within a round, and their ratio.
"""

import os
import resource
import subprocess
import sys
from importlib.metadata import entry_points
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks.section import Section, Table, against

ROUNDS = 25
ROUNDS_QUICK = 5
ADDED_MS_MAX = 15.0
"""What the plugin may add: a fifteenth of what starting pytest costs."""
OURS = "fakeserver"
NOTHING_COLLECTED = 5


def others_left_out() -> list[str]:
    """Options that leave out every plugin but ours."""
    names = {point.name for point in entry_points(group="pytest11")} - {OURS}
    return [word for name in sorted(names) for word in ("-p", f"no:{name}")]


def spent_ms() -> float:
    """Processor time of all children so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1000


def start_ms(folder: str, *options: str) -> float:
    """Processor time of one run of pytest that finds nothing."""
    before = spent_ms()
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *others_left_out(), *options]
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=False
    )
    assert done.returncode == NOTHING_COLLECTED, done
    return spent_ms() - before


def measure(quick: bool) -> list[Table]:
    """The medians, and whether the plugin stays within its bound."""
    rounds = ROUNDS_QUICK if quick else ROUNDS
    sides: dict[str, tuple[str, ...]] = {"with": (), "without": ("-p", f"no:{OURS}")}
    found: dict[str, list[float]] = {side: [] for side in sides}
    with TemporaryDirectory() as folder:
        for options in sides.values():  # bytecode is compiled once
            start_ms(folder, *options)
        for number in range(rounds):
            for side in sorted(sides, reverse=number % 2 == 0):
                found[side].append(start_ms(folder, *sides[side]))
    added = median(a - b for a, b in zip(found["with"], found["without"], strict=True))
    plain = median(found["without"])
    rows = [
        ("without the plugin", f"{plain:.1f} ms", ""),
        ("with the plugin", f"{median(found['with']):.1f} ms", ""),
        ("added", f"{added:.1f} ms, {added / plain:.1%}", against(added, ADDED_MS_MAX, " ms")),
    ]
    return [Table(f"{rounds} rounds:", ("run", "processor time", "target"), rows)]


SECTION = Section(
    "plugin",
    "What the plugin adds to a run of pytest",
    "`pytest --collect-only` in an empty folder, with the plugin and with `-p no:fakeserver`, "
    "one after the other, in turn first; other plugins are left out on both sides. Medians, and "
    "the median of the differences within a round.",
    measure,
)
