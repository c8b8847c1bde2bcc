"""The map in plain characters, for a terminal of 80 columns: no colour, nothing but ASCII."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fakeserver.clock import clock_text
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.report.coverage.build import EVENTS_MAPPED_MAX, coverage_map
from fakeserver.verifier.report.coverage.model import Cell, Column, CoverageMap, Lane
from fakeserver.verifier.report.coverage.svg import LETTERS
from fakeserver.verifier.report.words import wrapped

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Finding

WIDTHS = {"time": 2, "request": 3, "call": 2, "gap": 5}
BLOCKS_MAX = 3
"""A map that needs more blocks below each other is no picture any more."""
SIGNS: dict[Cell, str] = {"asked": "|", "returned": "#", "some": "%", "cut": ":"}


def plain_map(evidence: Evidence, findings: Sequence[Finding], width: int) -> Iterator[str]:
    """Yield the lines of the map, or one that says where there is a larger one."""
    coverage = coverage_map(evidence, findings)
    if coverage is None:
        yield f"  No map: the log has more than {EVENTS_MAPPED_MAX} events."
        return
    labels = [f"{lane.name}  {lane.key}" for lane in coverage.lanes]
    margin = max(map(len, [*labels, "time (UTC)"])) + 4
    blocks = list(_blocks(coverage.columns, max(WIDTHS.values()), width - margin - 10))
    if len(blocks) > BLOCKS_MAX:
        yield f"  No map: it would be {len(blocks)} times as wide as this; --html draws it."
        return
    axis = "id" if coverage.axis == "id" else "stamp"
    title = f"Map: time runs to the right, the key ({axis}) upwards, in order and not to scale."
    yield from wrapped(title, width, head="  ", indent="  ")
    for numbers in blocks:
        yield from _block(coverage, numbers, labels, margin)
    yield from _legend(coverage, width)


def _blocks(columns: Sequence[Column], least: int, room: int) -> Iterator[list[int]]:
    """Cut the columns into blocks that fit."""
    block: list[int] = []
    used = 0
    for number, column in enumerate(columns):
        if block and used + WIDTHS[column.kind] > max(least, room):
            yield block
            block, used = [], 0
        block.append(number)
        used += WIDTHS[column.kind]
    if block:
        yield block


def _block(
    coverage: CoverageMap, numbers: list[int], labels: list[str], margin: int
) -> Iterator[str]:
    columns = [coverage.columns[number] for number in numbers]
    head = " " * margin
    starts = list(_poll_starts(columns))
    yield f"{'  poll':<{margin}}{_placed([c.poll_name if c else '' for c in starts], columns)}"
    times = [clock_text(c.at) if c else "" for c in starts]
    yield f"{'  time (UTC)':<{margin}}{_placed(times, columns)}"
    if any(column.mark or column.times > 1 for column in columns):
        marks = [c.mark or (f"x{c.times}" if c.times > 1 else "") for c in columns]
        yield f"{head}{_placed(marks, columns)}"
    yield _open_end(columns, head, [column.above for column in columns])
    for number in reversed(range(len(coverage.lanes))):
        lane = coverage.lanes[number]
        line = "".join(_field(coverage, lane, number, place) for place in numbers)
        end = "  LOST" if lane.is_lost else ""
        yield f"  {labels[number]:<{margin - 2}}{line}{end}"
    if not coverage.lanes:
        yield f"  {'no events':<{margin - 2}}{_open_end(columns, '', ['asked'] * len(columns))}"
    yield _open_end(columns, head, [column.below for column in columns])
    acts = ["".join(dict.fromkeys(LETTERS[act.kind] for act in c.acts)) for c in columns]
    if any(acts):
        yield f"{head}{_placed(acts, columns)}"


def _poll_starts(columns: Sequence[Column]) -> Iterator[Column | None]:
    """Yield the first column of each poll, and None for the others."""
    before = 0
    for column in columns:
        yield column if column.poll not in (0, before) else None
        before = column.poll or before


def _placed(texts: Sequence[str], columns: Sequence[Column]) -> str:
    """Return each text at its column; one that the one before reaches into is left out."""
    line, at = "", 0
    for text, column in zip(texts, columns, strict=True):
        if text and (len(line) < at or not line):
            line = f"{line:<{at}}{text}"
        at += WIDTHS[column.kind]
    return line


def _open_end(columns: Sequence[Column], head: str, cells: Sequence[Cell]) -> str:
    signs = (
        f"{_sign(column, cell) or ' ':<{WIDTHS[column.kind]}}"
        for column, cell in zip(columns, cells, strict=True)
    )
    return f"{head}{''.join(signs)}"


def _sign(column: Column, cell: Cell) -> str:
    """Return the sign of a request for an event, or nothing where it is nothing to it."""
    if column.kind not in ("request", "gap") or not cell:
        return "?" if column.answer == "refused" and column.asks else ""
    failed = column.answer in ("failed", "refused") and cell == "asked"
    return "/" if failed else SIGNS[cell]


def _field(coverage: CoverageMap, lane: Lane, number: int, place: int) -> str:
    column = coverage.columns[place]
    width = WIDTHS[column.kind]
    base = " "
    if lane.recorded is not None and lane.visible is not None and place >= lane.recorded:
        seen = "=" if lane.is_lost else "-"
        base = seen if place >= lane.visible else "."
    cell = column.cells[number] if number < len(column.cells) else ""
    known = lane.recorded is not None
    text = (_sign(column, cell) if known else "") or base
    dots = [dot for dot in coverage.dots if dot.lane == number and dot.column == place]
    if dots:
        last = dots[-1]
        text += "~" if last.is_altered else "@" if last.is_repeat else "*"
    elif lane.is_lost and cell == "returned":
        text += "x"
    return f"{text:{base}<{width}}"


def _legend(coverage: CoverageMap, width: int) -> Iterator[str]:
    """Yield what the signs mean: those that are there."""
    cells = {cell for c in coverage.columns for cell in (*c.cells, c.above, c.below)}
    answers = {column.answer for column in coverage.columns if column.asks}
    dots = coverage.dots
    acts = {act.kind for column in coverage.columns for act in column.acts}
    words = {
        ". hidden": any(lane.recorded != lane.visible for lane in coverage.lanes),
        "- visible": bool(coverage.lanes),
        "= lost": any(lane.is_lost for lane in coverage.lanes),
        "| asked for": "asked" in cells,
        "# returned": "returned" in cells,
        "% some returned": "some" in cells,
        ": cut off": "cut" in cells,
        "/ failed": "failed" in answers,
        "? refused": "refused" in answers,
        "* delivered": any(not dot.is_repeat and not dot.is_altered for dot in dots),
        "@ again": any(dot.is_repeat for dot in dots),
        "~ altered": any(dot.is_altered for dot in dots),
        "x not delivered": any(
            lane.is_lost and column.cells[number] == "returned"
            for column in coverage.columns
            for number, lane in enumerate(coverage.lanes[: len(column.cells)])
        ),
        **{f"{letter} {kind}": kind in acts for kind, letter in LETTERS.items()},
    }
    line = " "
    for word in (word for word, is_there in words.items() if is_there):
        if len(line) + 2 + len(word) > width:
            yield line
            line = " "
        line += f" {word} " if line == " " else f"  {word} "
        line = line.rstrip()
    yield line
