"""What installing the plugin adds to every run of pytest, also of those who never use it.

    python tests/benchmarks/plugin_start.py [ROUNDS]

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

ROUNDS = 25
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


def main() -> None:
    """Print the medians, and whether the plugin stays within its bound."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    sides: dict[str, tuple[str, ...]] = {"with": (), "without": ("-p", f"no:{OURS}")}
    found: dict[str, list[float]] = {side: [] for side in sides}
    with TemporaryDirectory() as folder:
        for options in sides.values():  # bytecode is compiled once
            start_ms(folder, *options)
        for number in range(rounds):
            for side in sorted(sides, reverse=number % 2 == 0):
                found[side].append(start_ms(folder, *sides[side]))
    added = [a - b for a, b in zip(found["with"], found["without"], strict=True)]
    plain = median(found["without"])
    print(f"pytest --collect-only of an empty folder, {rounds} rounds, processor time\n")
    print(f"without the plugin {plain:7.1f} ms")
    print(f"with the plugin    {median(found['with']):7.1f} ms")
    print(f"added              {median(added):7.1f} ms, {median(added) / plain:.1%}")
    if median(added) > ADDED_MS_MAX:
        raise SystemExit(f"expected at most {ADDED_MS_MAX:g} ms")


if __name__ == "__main__":
    main()
