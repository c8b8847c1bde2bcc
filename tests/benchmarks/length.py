"""What a page costs, and a log takes, by how long the log is: to ten million events."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from fakeserver.dialects import DIALECTS
from tests.benchmarks.section import ROUNDS, ROUNDS_QUICK, Section, Table, against, number

LENGTHS = (100_000, 1_000_000, 10_000_000)
LENGTHS_QUICK = (10_000, 100_000)
RATIO_MAX = 1.5
READY_S_MAX, BYTES_MAX, OF_EVENTS = 10, 300, 1_000_000
TOP = Path(__file__).parents[2]


def found_for(dialect: str, count: int, rounds: int) -> dict[str, Any]:
    """What a process of its own finds for a log of that length (`long_log`)."""
    command = [sys.executable, "-m", "tests.benchmarks.long_log", dialect, str(count), str(rounds)]
    done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout))


def forms_table(dialect: str, found: dict[int, dict[str, Any]]) -> Table:
    """A row for each form of a query."""
    longest = max(found)
    rows = []
    for form in found[longest]["forms"]:
        each = {count: found[count]["forms"][form] for count in found}
        ratios = [each[count]["long_us"] / each[count]["short_us"] for count in found]
        short = min(costs["short_us"] for costs in each.values())
        rows.append(
            (
                form,
                f"{short:.0f} µs",
                *(f"{ratio:.2f}" for ratio in ratios),
                against(ratios[-1], RATIO_MAX),
                f"{each[longest]['redrawn_us']:.0f} µs",
                f"{number(each[longest]['first_ms'])} ms",
            )
        )
    header = (
        "what is asked for",
        "of 1,000",
        *(f"{count:,}" for count in found),
        f"{longest:,}, target",
        "events redrawn",
        "first of its order",
    )
    return Table(f"{dialect}: a page of a log of so many events, as a multiple:", header, rows)


def sizes_table(found: dict[str, dict[int, dict[str, Any]]]) -> Table:
    """A row for each log: how soon it is ready, and what it takes."""
    rows = []
    for dialect, by_count in found.items():
        for count, each in by_count.items():
            most = max(each["bytes_ready"], each["bytes_end"])
            targets = (
                (against(each["ready_s"], READY_S_MAX, " s"), against(most, BYTES_MAX, " bytes"))
                if count == OF_EVENTS
                else ("", "")
            )
            rows.append(
                (
                    f"{dialect}, {count:,}",
                    f"{number(each['ready_s'])} s",
                    f"{each['bytes_ready']:.0f}",
                    f"{each['bytes_end']:.0f}",
                    *targets,
                )
            )
    header = ("log", "ready after", "bytes an event", "after all queries", "ready", "memory")
    return Table("Logs of a stream:", header, rows)


def measure(quick: bool) -> list[Table]:
    """All lengths of both APIs."""
    rounds = ROUNDS_QUICK if quick else 2 * ROUNDS
    found = {
        dialect: {
            count: found_for(dialect, count, rounds)
            for count in (LENGTHS_QUICK if quick else LENGTHS)
        }
        for dialect in DIALECTS
    }
    return [sizes_table(found), *(forms_table(dialect, each) for dialect, each in found.items())]


SECTION = Section(
    "length",
    "How long the log is",
    "Every form of a query, deep in the list too, in a log of a thousand events and, in turn "
    "with it, in a longer one. Each time the answer has been forgotten, but not the events in "
    "it, which were read before, nor how the query is read: the least of many rounds. *Events "
    "redrawn* is the same page of the longest log when its events have been forgotten as well, "
    "so that the stream draws their buckets again and each is written as JSON anew: that is "
    "paid once by whoever reads an old part of the log, and does not depend on its length. "
    "*First of its order* is the very first request of its form there, which builds whatever "
    "index it needs (others may have built it before). Not among the forms is what has to look "
    "at every row: ties that the settings shuffle, and `$limit` left out.",
    measure,
)
