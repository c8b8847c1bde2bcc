"""What a section of the benchmarks is, and how things are timed next to each other."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

ROUNDS = 9
ROUNDS_QUICK = 3


class Missing(Exception):  # noqa: N818 - it leads to a sentence, not to an end
    """What a section would need, in a sentence: it is left out."""


class Table(NamedTuple):
    """Numbers as they are shown: a line above them, the names of the columns, the rows."""

    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


class Section(NamedTuple):
    """One thing that is measured.

    `name` is for the command line. `about` says what is measured and how, in a paragraph. `measure`
    gets whether it shall be quick (a look, not a figure to quote), and raises `Missing`.
    """

    name: str
    title: str
    about: str
    measure: Callable[[bool], Sequence[Table]]


class Costs(NamedTuple):
    """Process time of one call, in µs: the least of all rounds, and the median."""

    least: float
    median: float


def side_by_side(
    works: Mapping[str, Callable[[], object]], *, rounds: int, calls: int = 1
) -> dict[str, Costs]:
    """Time several works in turn, round by round, so that a busy moment meets all of them.

    In each round each work is called `calls` times.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time_ns()
            for _ in range(calls):
                work()
            found[name].append((time.process_time_ns() - start) / calls / 1000)
    return {name: Costs(min(each), median(each)) for name, each in found.items()}


def against(value: float, most: float, unit: str = "") -> str:
    """Say whether a value is within its target."""
    return f"at most {most:g}{unit}: {'met' if value <= most else 'missed'}"


def number(value: float) -> str:
    """Write a number with three digits that count."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"
