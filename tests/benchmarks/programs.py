"""How fast a program in another language is verified: a Node client, kept from poll to poll."""

import shutil
import time
from pathlib import Path
from typing import Any

from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.search import verify
from tests.benchmarks.section import Missing, Section, Table

CLIENT = Path(__file__).parents[2] / "fixtures" / "clients" / "haravan_window.mjs"
WORLDS = 1_000
WORLDS_QUICK = 250
WORLDS_A_SECOND_MIN = 40
EACH_A_PROCESS = 30
"""Of worlds in which each life is a process of its own, so few are enough."""


def pace(worlds: int, **how: Any) -> float:
    """Worlds a second in real time; the client must be kept."""
    command = CommandClient(["node", str(CLIENT)], persistent=True)
    start = time.perf_counter()
    verdict = verify(command, dialect="haravan", examples=worlds, seed=3, **how)
    assert verdict.outcome == "kept"
    return worlds / (time.perf_counter() - start)


def unkept(worlds: int) -> float:
    """The same of one that does not say that it can be reset."""
    command = CommandClient(["node", str(CLIENT)], persistent=True)
    start = time.perf_counter()
    with command.in_new_processes():
        verify(command, dialect="haravan", examples=worlds, seed=3)
    return worlds / (time.perf_counter() - start)


def measure(quick: bool) -> list[Table]:
    """Worlds a second by one job and by two, and without resets."""
    if shutil.which("node") is None:
        raise Missing("node is not on the PATH")
    worlds = WORLDS_QUICK if quick else WORLDS
    one, two = pace(worlds), pace(worlds, jobs=2)
    met = "met" if one >= WORLDS_A_SECOND_MIN else "missed"
    rows = [
        ("it resets", f"{one:.1f}", f"at least {WORLDS_A_SECOND_MIN}: {met}"),
        ("it resets, 2 jobs", f"{two:.1f}", ""),
        ("each life a process", f"{unkept(EACH_A_PROCESS):.1f}", ""),
    ]
    header = ("way", "worlds a second", "target")
    return [Table(f"{worlds} worlds with all hazards, in real time:", header, rows)]


SECTION = Section(
    "programs",
    "A program in another language",
    "A Node client, `node haravan_window.mjs` with `--persistent`, in the same worlds: one that "
    "can forget all it knows and says so, by one job and by two; and as if it did not say so, "
    "where each life of it is a new process. Over a socket of this machine, in real time, from the "
    "start of the search to its verdict. In the first worlds a slow answer is really held back for "
    "two seconds, to see whether the client waits.",
    measure,
)
