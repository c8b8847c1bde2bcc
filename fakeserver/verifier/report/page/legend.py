"""What the signs of a map mean: only those that are in it."""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.verifier.report.coverage.model import CoverageMap
from fakeserver.verifier.report.coverage.svg import LETTERS
from fakeserver.verifier.report.page.markup import element

ACT_WORDS = {
    "saved": "saved a checkpoint",
    "slept": "slept",
    "killed": "was killed",
    "restarted": "was restarted",
    "raised": "raised, or ended with an error",
    "stopped": "was stopped by the judge",
}


def legend(coverage: CoverageMap) -> str:
    """Return the list of signs with their meaning, which can be folded."""
    items = [
        element("li", f'<svg width="34" height="18" aria-hidden="true">{sign}</svg>{words}')
        for sign, words in _signs(coverage)
    ]
    if any(column.instance > 1 for column in coverage.columns):
        items.append(element("li", f"{element('b', '#2')}polled by the second instance"))
    kinds = {act.kind for column in coverage.columns for act in column.acts}
    items += [
        element("li", f"{element('b', LETTERS[kind])}{words}")
        for kind, words in ACT_WORDS.items()
        if kind in kinds
    ]
    signs = element("ul", "".join(items), class_="legend")
    return f'<details class="signs" open>{element("summary", "Signs")}{signs}</details>'


def _signs(coverage: CoverageMap) -> Iterator[tuple[str, str]]:
    cells = {cell for c in coverage.columns for cell in (*c.cells, c.above, c.below)}
    lanes = coverage.lanes
    if any(lane.recorded != lane.visible for lane in lanes):
        yield _line("event", "unseen"), "recorded, not visible yet"
    if any(lane.recorded is not None and not lane.is_lost for lane in lanes):
        yield _line("event", "seen"), "visible; thin once delivered"
    if any(lane.is_lost for lane in lanes):
        yield _line("event lost", "seen"), "lost: visible, owed, never delivered"
    if coverage.rule == "LATE":
        yield _line("event overdue", "seen"), "visible and not delivered yet"
    if "asked" in cells or "returned" in cells:
        yield _box("column", "asked"), "a request, over the keys that it asked for"
    if "returned" in cells:
        yield _box("column", "asked", "returned"), "filled where it returned rows"
    if "some" in cells:
        yield _box("column", "asked", "some"), "returned some of them"
    if "cut" in cells:
        yield (
            '<path class="cut" d="M17 1V17"/>',
            "asked for too, but cut off by the limit, skipped by a page number, or only counted",
        )
    yield from _more_signs(coverage)


def _more_signs(coverage: CoverageMap) -> Iterator[tuple[str, str]]:
    answers = {column.answer for column in coverage.columns if column.asks}
    if "failed" in answers:
        yield _fault(_box("column failed", "asked")), "failed: no page came of it"
    if "old" in answers:
        yield _fault(_box("column", "asked")), "answered from an older state of the log"
    if "refused" in answers:
        yield _box("column refused", "asked"), "not accepted by the API"
    if any(dot.is_altered for dot in coverage.dots):
        yield (
            '<g class="dot"><rect class="mark" x="12" y="4" width="10" height="10"/></g>',
            ("delivered with a field that differs from what was served"),
        )
    if any(not dot.is_repeat and not dot.is_altered for dot in coverage.dots):
        yield '<g class="dot"><circle class="mark" cx="17" cy="9" r="4.5"/></g>', "delivered"
    if any(dot.is_repeat for dot in coverage.dots):
        yield (
            '<g class="dot"><circle class="ring" cx="17" cy="9" r="6.5"/>'
            '<circle class="mark" cx="17" cy="9" r="2.5"/></g>',
            "delivered again",
        )
    lost = {number for number, lane in enumerate(coverage.lanes) if lane.is_lost}
    if any(c.cells[n] == "returned" for c in coverage.columns if c.cells for n in lost):
        yield (
            '<circle class="void" cx="17" cy="9" r="7.5"/>'
            '<path class="dropped" d="M14 6l6 6m0 -6l-6 6"/>',
            "returned, and not delivered",
        )
    if coverage.calm_column:
        yield '<path class="calm" d="M17 0V18"/>', "from here on no fault, no crash, nothing late"
    if any(column.is_evidence for column in coverage.columns):
        yield '<path class="pointer" d="M17 5l-5 7h10Z"/>', "the finding rests on this"


def _line(kind: str, part: str) -> str:
    return f'<g class="{kind}"><path class="{part}" d="M2 9H32"/></g>'


def _box(kind: str, *parts: str) -> str:
    boxes = "".join(f'<rect class="{p}" x="11" y="2" width="12" height="14"/>' for p in parts)
    return f'<g class="{kind}">{boxes}</g>'


def _fault(inside: str) -> str:
    return f'<rect class="fault" x="6" y="0" width="22" height="18"/>{inside}'
