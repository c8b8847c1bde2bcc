"""The kill matrix: which faulty client dies of which hazard, and how soon.

``python -m tests.quality.kill_matrix --write`` writes it to contracts/GALLERY.md, which takes some
minutes; without ``--write`` it is printed. What it says follows from the code and the seeds, so the
same comes out on every machine.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

import msgspec

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.drawing.plan import HAZARD_ODDS
from fakeserver.generate import generate_scenario
from fakeserver.verifier.hazards import possible
from fakeserver.verifier.judge import judge
from fakeserver.verifier.runner import doorkeeper, run

from .classes import MARKED, NOT_SHOWN
from .faulty import Faulty
from .faulty_clients import FAULTY
from .power import SEEDS, escapes, hunt, median_worlds

PAGE = Path(__file__).parents[2] / "contracts" / "GALLERY.md"
COMMAND = "python -m tests.quality.kill_matrix --write"
WORLDS_ALONE = 40
"""The rarest hazard, at 6 %, is planted in at least one of so many, but for one time in twelve."""

HEADS = {
    "tie-at-page-edge": "tie",
    "tie-group-over-limit": "ties",
    "late-visible": "late",
    "append-during-walk": "app",
    "clamped-limit": "cap",
    "exact-multiple-of-limit": "mult",
    "empty-log": "empty",
    "restart": "rest",
    "crash-before-save": "bef",
    "crash-after-save": "aft",
    "zone-shift": "zone",
    "long-outage": "out",
    "backlog": "back",
    "server-error": "5xx",
    "rate-limited": "429",
    "dropped-connection": "drop",
    "truncated-body": "cut",
    "slow-answer": "slow",
    "token-expired": "401",
}
COLUMNS = {HEADS.get(hazard, hazard): hazard for hazard in HAZARD_ODDS}
"""The hazards that can be planted one by one, under the heads of the table."""
KILLED, SPARED, CANNOT, NEEDLESS = "x", ".", "-", " "


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one client: over ten seeds, and in worlds with one hazard at most."""

    name: str
    worlds: float
    worlds_max: int
    events: int
    polls: int
    cells: tuple[str, ...]


def measured(faulty: Faulty) -> Row:
    """Hunt with ten seeds, then look which hazard alone is enough. Takes seconds.

    Raises `SystemExit` for a client that gets away: there is nothing to write down about it.
    """
    hunts = [hunt(faulty, seed) for seed in SEEDS]
    if escaped := escapes(faulty, hunts):
        raise SystemExit("\n".join(escaped))
    return Row(
        name=faulty.name,
        worlds=median_worlds(hunts),
        worlds_max=max(each.worlds for each in hunts),
        events=max(each.events for each in hunts),
        polls=max(each.polls for each in hunts),
        cells=tuple(cells(faulty)),
    )


def cells(faulty: Faulty) -> Iterator[str]:
    """Yield the marks of one client: without a hazard, then with each alone."""
    if dies(faulty, frozenset()):
        yield KILLED
        yield from NEEDLESS * len(COLUMNS)
        return
    yield SPARED
    there = _possible(faulty)
    for hazard in COLUMNS.values():
        if hazard not in there:
            yield CANNOT
        else:
            yield KILLED if dies(faulty, frozenset({hazard})) else SPARED


def _possible(faulty: Faulty) -> tuple[str, ...]:
    dialect = find_dialect(faulty.dialect)
    late = faulty.promise.late_by_ms_max
    if late is None:
        late = dialect.late_by_ms_max(faulty.profile.settings_default)
    return possible(dialect, faulty.profile, late)


def dies(faulty: Faulty, hazards: frozenset[str]) -> bool:
    """Whether the client is caught in worlds that have no other hazard planted."""
    with doorkeeper() as keeper:
        for example in range(WORLDS_ALONE):
            scenario = generate_scenario(
                dialect=faulty.dialect,
                profile=faulty.profile,
                seed=SEEDS[0],
                example=example,
                page_size=faulty.page_size,
                late_by_ms_max=faulty.promise.late_by_ms_max,
                hazards=hazards,
            )
            history = run(scenario, faulty.client, keeper=keeper)
            found = judge(scenario, history, faulty.promise).findings
            if any(finding.rule == faulty.rule for finding in found):
                return True
    return False


def rows_in(text: str) -> list[Row]:
    """Return what a page says was measured. Raises `KeyError` for a client that it lacks."""
    counts = {
        found[1]: found.groups()[1:]
        for found in re.finditer(
            r"^\| \w+ \| `(\w+)`: .* \| ([\d.]+) \((\d+)\) \| (\d+), (\d+) \|$", text, re.MULTILINE
        )
    }
    marks = {
        found[1]: tuple(found[2].split(" | "))
        for found in re.finditer(r"^\| \w+ \| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    }
    return [
        Row(
            name=name,
            worlds=float(counts[name][0]),
            worlds_max=int(counts[name][1]),
            events=int(counts[name][2]),
            polls=int(counts[name][3]),
            cells=marks[name],
        )
        for name in (faulty.name for faulty in FAULTY)
    ]


def page(rows: Sequence[Row]) -> str:
    """Return the whole page for people."""
    return "\n".join((*_head(rows), *_clients(rows), *_matrix(rows), *_missing(), ""))


def _head(rows: Sequence[Row]) -> Iterator[str]:
    classes = {faulty.fault for faulty in FAULTY} & MARKED.keys()
    middle = median(row.worlds for row in rows)
    slowest = max(rows, key=lambda row: row.worlds)
    yield f"""\
# The gallery of faulty clients

{summary()}

Each varies a right client by one mistake and must be caught, for the right reason, whatever the
seed. A client dies after {middle:g} worlds (the median of all); the slowest, `{slowest.name}`,
after {slowest.worlds:g}. A search tries 200 by default. The clients are in `tests/quality`, the
classes in [THEORY.md](THEORY.md). Written by `{COMMAND}`, compared by
`tests/quality/test_kill_matrix.py`.

{len(classes)} of the {len(MARKED)} classes are here; [the others](#what-is-not-here) are at the
end.
"""


def summary() -> str:
    """Say how many clients and classes there are."""
    parts = [f"{sum(faulty.dialect == name for faulty in FAULTY)} of `{name}`" for name in DIALECTS]
    return f"**{len(FAULTY)} clients**, {' and '.join(parts)}."


def _clients(rows: Sequence[Row]) -> Iterator[str]:
    yield """\
## The clients

*Worlds*: how many it takes to find one that breaks the promise, the median over ten seeds and, in
brackets, the most. *Left*: events and stormy polls of the largest world left after shrinking.
"""
    by_name = {row.name: row for row in rows}
    for dialect in DIALECTS:
        yield f"### {dialect}\n"
        yield "| class | client, and what it does | must be called | worlds | left |"
        yield "|---|---|---|---|---|"
        for faulty in _ordered(dialect):
            yield client_line(faulty, by_name[faulty.name])
        yield ""


def client_line(faulty: Faulty, row: Row) -> str:
    """Return one line of the first table: what is claimed, and what was measured."""
    counts = f"{row.worlds:g} ({row.worlds_max}) | {row.events}, {row.polls} |"
    return f"{claim(faulty)} {counts}"


def claim(faulty: Faulty) -> str:
    """Return the part of a line that needs no measuring."""
    called = f"{faulty.rule} {' or '.join(faulty.causes)}".strip()
    return f"| {faulty.fault} | `{faulty.name}`: {mistake(faulty)} | {called} |"


def mistake(faulty: Faulty) -> str:
    """Return the first sentence of the client's docstring, without its class."""
    text = " ".join((faulty.client.__doc__ or "").split()).partition(". ")[2]
    return re.split(r"\.(?: |$)", text, maxsplit=1)[0].replace("|", "\\|") + "."


def _matrix(rows: Sequence[Row]) -> Iterator[str]:
    yield f"""\
## Which hazard alone is enough

`x`: worlds with that hazard and no other planted kill the client. `.`: {WORLDS_ALONE} of them
don't. `-`: can't occur there. The column *none* is worlds without any; who dies in those needs no
more.
A row without an `x` needs two hazards at once, which is what the search plants.
"""
    for head, hazard in COLUMNS.items():
        yield f"- *{head}*: `{hazard}`"
    yield ""
    by_name = {row.name: row for row in rows}
    for dialect in DIALECTS:
        yield f"### {dialect}, hazards\n"
        yield f"| class | client | none | {' | '.join(COLUMNS)} |"
        yield "|---|---|" + ":-:|" * (1 + len(COLUMNS))
        for faulty in _ordered(dialect):
            marks = " | ".join(by_name[faulty.name].cells)
            yield f"| {faulty.fault} | `{faulty.name}` | {marks} |"
        yield ""


def _ordered(dialect: str) -> list[Faulty]:
    """The clients of a dialect by class, then as they stand in the files."""
    return sorted(
        (faulty for faulty in FAULTY if faulty.dialect == dialect), key=lambda one: one.fault
    )


def _missing() -> Iterator[str]:
    yield "## What is not here\n"
    for (fault, dialect), reason in NOT_SHOWN.items():
        yield f"- {fault}, {dialect}: {reason}."


def main(arguments: Sequence[str]) -> None:
    with ProcessPoolExecutor() as pool:
        text = page(list(pool.map(measured, FAULTY)))
    if "--write" in arguments:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
