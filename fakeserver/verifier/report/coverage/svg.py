"""The map as SVG: one drawing for the names of the lanes, one for what happened in them.

It holds no style but classes, and no text that is not escaped. What can be opened is a link to a
part of the page, so it works without a script; `title` says what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby

from fakeserver.clock import SECOND_MS, clock_text
from fakeserver.verifier.report.coverage.frame import BAR, END, HEAD, Frame, frame
from fakeserver.verifier.report.coverage.model import Cell, Column, CoverageMap, Dot, Lane

CHAR = 6.6
"""The width of a letter, about, in pixels."""
LETTERS = {
    "saved": "S",
    "slept": "Z",
    "killed": "K",
    "restarted": "R",
    "raised": "E",
    "stopped": "X",
}
"""What stands below a column, in the order in which it happened."""
TOLD_ACTS = ("killed", "raised", "stopped")
"""These are written out as well."""
TIMES = "\N{MULTIPLICATION SIGN}"
FILLED: tuple[Cell, ...] = ("asked", "some", "returned")


def lanes_width(coverage: CoverageMap) -> int:
    """Return how many pixels the names and keys of the lanes take."""
    letters = [len(each.name) + len(each.key) + 2 + 2 * each.is_lost for each in coverage.lanes]
    return max(66, round(max(letters, default=0) * CHAR) + 14)


def lanes_svg(coverage: CoverageMap) -> str:
    """Draw the names and keys of the lanes."""
    place = frame(coverage)
    width = lanes_width(coverage)
    parts = [
        f'<svg class="names" width="{width}" height="{place.height}" '
        f'viewBox="0 0 {width} {place.height}" aria-hidden="true" focusable="false">',
        _text(8, HEAD - 14, "id ↑" if coverage.axis == "id" else "stamp ↑", "axis"),
    ]
    for number, lane in enumerate(coverage.lanes):
        y = place.ys[number] + 4
        kind = "lost" if lane.is_lost else "accused" if lane.is_accused else ""
        sign = "✗ " if lane.is_lost else ""
        parts += (
            f'<a class="label" href="#event-{number}" tabindex="-1">',
            f"<title>{escape(lane.said)}</title>",
            _text(8, y, f"{sign}{lane.name}", f"name {kind}"),
            _text(width - 10, y, lane.key, "key", anchor="end"),
            f'<rect class="hit" y="{y - 12}" width="{width - 9}" height="16"/></a>',
        )
        if lane.is_tied:
            down = place.ys[number - 1]
            parts.append(f'<path class="tie" d="M{width - 7} {y - 4}h4V{down}h-4"/>')
    if not coverage.lanes:
        parts.append(_text(8, place.known_top + END + 4, "no events", "key"))
    return "".join([*parts, "</svg>"])


def plot_svg(coverage: CoverageMap) -> str:
    """Draw the events, the requests, the faults, and what was delivered."""
    place = frame(coverage)
    parts = [
        f'<svg class="plot" width="{place.width}" height="{place.height}" '
        f'viewBox="0 0 {place.width} {place.height}" role="group" '
        f'aria-label="{escape(_described(coverage))}">',
        *_patterns(),
        *_ground(coverage, place),
    ]
    for number, lane in enumerate(coverage.lanes):
        if lane.recorded is not None:
            parts += _event(coverage, place, number, lane)
    for number, column in enumerate(coverage.columns):
        parts += _column(place, number, column)
    parts += _dropped(coverage, place)
    parts += _links(coverage, place)
    parts += _pause(coverage, place)
    for dot in coverage.dots:
        parts += _dot(place, dot, coverage.columns[dot.column])
    return "".join([*parts, "</svg>"])


def _described(coverage: CoverageMap) -> str:
    lost = [lane.name for lane in coverage.lanes if lane.is_lost]
    asked = sum(column.times for column in coverage.columns if column.places)
    told = f"Map of {len(coverage.lanes)} events and {asked} requests over time"
    return f"{told}; lost: {', '.join(lost)}" if lost else told


def _patterns() -> Iterator[str]:
    yield (
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path class="hatch" d="M0 0V6"/></pattern>'
        '<pattern id="half" width="4" height="4" patternUnits="userSpaceOnUse">'
        '<path class="half" d="M0 1H4"/></pattern>'
        '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="arrow" d="M0 0L8 4L0 8Z"/></marker></defs>'
    )


def _ground(coverage: CoverageMap, place: Frame) -> Iterator[str]:
    """Draw what lies below: the polls, the breaks of the axis, where the calm begins."""
    started = {column.poll: column for column in reversed(coverage.columns) if column.poll}
    for number, left, right in place.polls:
        odd = " odd" if number % 2 else ""
        yield (
            f'<rect class="poll{odd}" x="{left}" y="0" width="{right - left}" '
            f'height="{place.height}"/>'
        )
        yield _text(left + 4, 13, f"poll {started[number].poll_name}", "poll-name")
        second = started[number].at // SECOND_MS * SECOND_MS  # a fraction has no room
        yield _text(left + 4, 27, clock_text(second), "time")
    for x, length in place.breaks:
        yield (
            f'<path class="break" d="M{x - 3} {HEAD - 4}V{place.bottom}'
            f'M{x + 3} {HEAD - 4}V{place.bottom}"/>'
        )
        yield _text(x, HEAD - 12, length, "length", anchor="middle")
    if coverage.calm_column:
        poll = coverage.columns[coverage.calm_column].poll
        x = next(left for number, left, _ in place.polls if number == poll) - 2
        yield f'<path class="calm" d="M{x} 4V{place.bottom}"/>'


def _event(coverage: CoverageMap, place: Frame, number: int, lane: Lane) -> Iterator[str]:
    assert lane.recorded is not None  # noqa: S101 - a lane of the log has both
    assert lane.visible is not None  # noqa: S101
    y = place.ys[number]
    start, seen, end = place.xs[lane.recorded], place.xs[lane.visible], place.width - 10
    done = min((dot.column for dot in coverage.dots if dot.lane == number), default=None)
    got = end if done is None else max(seen, _dot_x(place, done, coverage.columns[done]))
    kind = _kind(coverage, lane)
    yield (
        f'<a class="event {kind}" href="#event-{number}">'
        f"<title>{escape(lane.said)}</title>"
        f'<path class="born" d="M{start} {y - 5}V{y + 5}"/>'
    )
    if seen > start:
        yield f'<path class="unseen" d="M{start} {y}H{seen}"/>'
        yield f'<path class="born" d="M{seen} {y - 4}V{y + 4}"/>'
    yield f'<path class="casing" d="M{seen} {y}H{got}"/><path class="seen" d="M{seen} {y}H{got}"/>'
    if got < end:
        yield f'<path class="done" d="M{got} {y}H{end}"/>'
    elif lane.is_lost:
        yield _text(end, y - 6, "LOST", "loss", anchor="end")
    yield f'<rect class="hit" x="{start}" y="{y - 8}" width="{end - start}" height="16"/></a>'


def _kind(coverage: CoverageMap, lane: Lane) -> str:
    if lane.is_lost:
        return "lost"
    if lane.is_accused:
        return "overdue" if coverage.rule == "LATE" else "accused"
    return ""


def _column(place: Frame, number: int, column: Column) -> Iterator[str]:
    if column.kind == "time":
        return
    x = place.xs[number]
    left, top, low = x - BAR // 2, HEAD - 6, place.bottom
    kinds = [column.kind, column.answer, "evidence" if column.is_evidence else ""]
    yield f'<a class="column {" ".join(filter(None, kinds))}" href="#moment-{number}">'
    acts = "; ".join(act.text for act in column.acts)
    yield f"<title>{escape(f'{column.said}; then {acts}' if acts else column.said)}</title>"
    if column.fault or column.answer in ("failed", "old"):
        yield (f'<rect class="fault" x="{x - 11}" y="{top}" width="22" height="{low - top}"/>')
    if column.kind == "gap":
        yield f'<rect class="unshown" x="{x - 16}" y="{top}" width="32" height="{low - top}"/>'
        more = f"+{column.times}" if column.times else "…"
        yield _text(x, HEAD - 12, more, "mark", anchor="middle")
    if column.asks or column.kind == "gap":
        yield from _bar(place, left, column)
    times = f" {TIMES}{column.times}" if column.times > 1 and column.kind != "gap" else ""
    if column.mark or times:
        yield _text(x, HEAD - 12, f"{column.mark}{times}".strip(), "mark", anchor="middle")
    yield from _acts(place, x, column)
    yield f'<rect class="hit" x="{x - 12}" y="{top - 12}" width="24" height="{low - top + 40}"/>'
    yield "</a>"


def _bar(place: Frame, left: int, column: Column) -> Iterator[str]:
    """Draw what a request asked for, lane by lane from the bottom, and at both ends."""
    if column.answer == "refused" and not any(column.cells) and not column.above:
        top = place.known_top
        yield (
            f'<rect class="asked" x="{left}" y="{top}" width="{BAR}" '
            f'height="{place.bottom - END - top}"/>'
        )
        return
    known = column.cells or ()
    half = place.lane // 2
    low = place.bottom - END
    edges = [(low + END, low)]
    edges += [(place.ys[n] + half, place.ys[n] - (place.lane - half)) for n in range(len(known))]
    edges.append((place.known_top + END, place.known_top))
    spans = list(zip((column.below, *known, column.above), edges, strict=True))
    for filled, run in groupby(spans, key=lambda span: span[0] in FILLED):
        pieces = list(run)
        bottom, top = pieces[0][1][0], pieces[-1][1][1]
        if filled:
            yield (
                f'<rect class="asked" x="{left}" y="{top}" width="{BAR}" height="{bottom - top}"/>'
            )
            for cell, (down, up) in pieces:
                if cell in ("returned", "some"):
                    yield (
                        f'<rect class="{cell}" x="{left}" y="{up + 2}" width="{BAR}" '
                        f'height="{down - up - 4}"/>'
                    )
            continue
        for cell, (down, up) in pieces:
            if cell == "cut":
                yield f'<path class="cut" d="M{left + BAR // 2} {down}V{up}"/>'


def _acts(place: Frame, x: int, column: Column) -> Iterator[str]:
    letters = "".join(dict.fromkeys(LETTERS[act.kind] for act in column.acts))
    if letters:
        yield _text(x, place.bottom + 19, letters, "act", anchor="middle")
    told = [act for act in column.acts if act.kind in TOLD_ACTS]
    if told:
        kill = "kill" if told[0].kind == "killed" else "end"
        yield f'<path class="{kill}" d="M{x + 10} {HEAD - 8}V{place.bottom + 4}"/>'
        yield _text(x, place.bottom + 33, told[0].kind, "told", anchor="middle")
    if column.is_evidence:
        yield f'<path class="pointer" d="M{x} {place.bottom + 1}l-4 6h8Z"/>'


def _dot_x(place: Frame, number: int, column: Column) -> int:
    return place.xs[number] + (BAR // 2 + 4 if column.places else 0)


def _dot(place: Frame, dot: Dot, column: Column) -> Iterator[str]:
    x, y = _dot_x(place, dot.column, column), place.ys[dot.lane]
    kinds = ["dot", "evidence" if dot.is_evidence else "", "repeat" if dot.is_repeat else ""]
    # A key has the requests and the events to walk through; a dot is on the way to neither.
    yield f'<a class="{" ".join(filter(None, kinds))}" href="#moment-{dot.column}" tabindex="-1">'
    more = f", and {dot.times - 1} more" if dot.times > 1 else ""
    yield f"<title>{escape(dot.said)}{more}</title>"
    if dot.is_altered:
        yield f'<rect class="mark" x="{x - 5}" y="{y - 5}" width="10" height="10"/>'
    elif dot.is_repeat:
        yield f'<circle class="ring" cx="{x}" cy="{y}" r="6.5"/>'
        yield f'<circle class="mark" cx="{x}" cy="{y}" r="2.5"/>'
    else:
        yield f'<circle class="mark" cx="{x}" cy="{y}" r="4.5"/>'
    yield "</a>"


def _dropped(coverage: CoverageMap, place: Frame) -> Iterator[str]:
    """Cross out the delivery that did not come where a lost event was returned."""
    for number, column in enumerate(coverage.columns):
        for lane, cell in enumerate(column.cells):
            if cell == "returned" and coverage.lanes[lane].is_lost:
                x, y = _dot_x(place, number, column), place.ys[lane]
                yield f'<circle class="void" cx="{x + 3}" cy="{y}" r="7.5"/>'
                yield f'<path class="dropped" d="M{x} {y - 3}l6 6m0 -6l-6 6"/>'


def _pause(coverage: CoverageMap, place: Frame) -> Iterator[str]:
    if coverage.pause is None:
        return
    first, last, words = coverage.pause
    left, right, y = place.xs[first], place.xs[last], place.bottom + 26
    yield f'<path class="pause" d="M{left} {y - 4}v8M{left} {y}H{right}M{right} {y - 4}v8"/>'
    yield _text((left + right) / 2, y + 13, words, "told", anchor="middle")


def _links(coverage: CoverageMap, place: Frame) -> Iterator[str]:
    for first, second in coverage.links:
        one, two = coverage.dots[first], coverage.dots[second]
        x1 = _dot_x(place, one.column, coverage.columns[one.column])
        x2 = _dot_x(place, two.column, coverage.columns[two.column])
        y1, y2 = place.ys[one.lane], place.ys[two.lane]
        # A repeat lies in the lane of the first delivery: the line leaves the lane, to be seen.
        bend = min(y1, y2) - place.lane if y1 == y2 else (y1 + y2) // 2
        yield (
            f'<path class="link" marker-end="url(#arrow)" '
            f'd="M{x1} {y1}Q{(x1 + x2) // 2} {bend} {x2} {y2}"/>'
        )


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    end = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{x}" y="{y}"{end}>{escape(text)}</text>'
