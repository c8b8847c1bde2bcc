"""All benchmarks in one command.

    python -m tests.benchmarks [--only NAME,NAME] [--quick] [--write]

Prints each section; --write puts those that were measured into fakeserver/BENCHMARKS.md, each with
the day and the machine, and leaves the others there as they are.
"""

import argparse
import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill

from tests.benchmarks import (
    by_hand,
    first_kill,
    length,
    many_workers,
    page,
    pages_per_second,
    plugin_start,
    programs,
    worlds_per_second,
)
from tests.benchmarks.section import Missing, Section, Table

SECTIONS: tuple[Section, ...] = (
    page.SECTION,
    length.SECTION,
    worlds_per_second.SECTION,
    first_kill.SECTION,
    many_workers.SECTION,
    by_hand.SECTION,
    programs.SECTION,
    pages_per_second.SECTION,
    plugin_start.SECTION,
)
"""In the order of the page. Another one is a module here and a line there."""
PAGE = Path(__file__).parents[2] / "fakeserver" / "BENCHMARKS.md"
WIDTH = 120
HEAD = (
    "Written by `python -m tests.benchmarks --write`, never by hand. Ratios are measured next to "
    "each other in one run, in processor time of the process, so they say more than times, which "
    "are those of one machine on one day."
)


def machine() -> str:
    """Day, cores, processor and Python, for people."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text(encoding="utf-8"))
        model = found[1].strip() if found else model
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{datetime.now(UTC).date()}, {os.cpu_count()} cores of {model}, {python}"


def as_text(table: Table) -> str:
    """Columns for a terminal."""
    rows = [table.header, *table.rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.header))]
    lines = [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([table.caption, "", *lines, ""])


def as_markdown(section: Section, tables: Sequence[Table], where: str) -> str:
    """A section of the page."""
    parts = [f"<!-- section: {section.name} -->", f"## {section.title}", ""]
    parts += [fill(section.about, WIDTH), ""]
    for table in tables:
        rule = ["---", *["---:"] * (len(table.header) - 1)]
        rows = [table.header, rule, *table.rows]
        parts += [table.caption, "", *("| " + " | ".join(row) + " |" for row in rows), ""]
    return "\n".join([*parts, f"Measured {where}.", ""])


def sections_of(page: str) -> dict[str, str]:
    """The sections that stand on a page, by name."""
    parts = re.split(r"(?m)^(?=<!-- section: )", page)[1:]
    return {part.split()[2]: part.rstrip() + "\n" for part in parts}


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = [section.name for section in SECTIONS]
    parser.add_argument("--only", default=",".join(names), help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="a look; short logs, few rounds")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    given = parser.parse_args(arguments)
    chosen = given.only.split(",")
    if unknown := set(chosen) - set(names):
        parser.error(f"expected some of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    written = sections_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    where, left_out = machine(), 0
    print(where, flush=True)
    for section in SECTIONS:
        if section.name not in chosen:
            continue
        print(f"\n# {section.title}\n", flush=True)
        try:
            tables = section.measure(given.quick)
        except Missing as missing:
            print(f"left out: {missing}", flush=True)
            left_out += 1
            written.setdefault(section.name, as_markdown(section, [], f"nowhere yet: {missing}"))
            continue
        print("\n".join(map(as_text, tables)), flush=True)
        written[section.name] = as_markdown(section, tables, where)
    if given.write:
        parts = [written[name] for name in names if name in written]
        head = f"# Benchmarks\n\n{fill(HEAD, WIDTH)}\n"
        PAGE.write_text("\n".join([head, *parts]), encoding="utf-8")
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
