"""Where things stand in the picture of a map: pixels from columns and lanes."""

from __future__ import annotations

from math import log2

import msgspec

from fakeserver.clock import duration_text
from fakeserver.verifier.report.coverage.model import Column, CoverageMap

BAR = 14
HEAD = 52
"""Above the lanes stand the poll, its time, and the mark of a request."""
STRIP = 44
"""Below them what the client did: a letter, and a word where it tells."""
LANES_HIGH = {6: 34, 14: 26, 99: 18}
"""The height of a lane where there are up to so many."""
END = 11
"""Room for what a request asks for beyond all events."""
WIDTHS = {"time": 12, "request": 24, "call": 18, "gap": 40}
POLL_WIDTH_MIN = 58
"""A poll has room for its number and its time."""
BREAK_MS_MIN = 600_000
"""Ten minutes without anything are a break in the axis, with their length."""
BREAK_WIDTH = 52
AFTER = 40
"""Behind the last column an event goes on, and a lost one is called so."""
WIDTH_WANTED = 250
"""A small world is drawn wider, up to this or to `STRETCH_MAX` times: a phone has the room."""
STRETCH_MAX = 2.4


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Pixels: of each column its middle, of each lane its middle, and the edges of the picture.

    `polls` are number, left and right edge of each poll that is drawn, `breaks` the middle of each
    break with its length in words. `known_top` is the upper edge of what the log holds.
    """

    xs: tuple[int, ...]
    ys: tuple[int, ...]
    lane: int
    width: int
    known_top: int
    bottom: int
    polls: tuple[tuple[int, int, int], ...]
    breaks: tuple[tuple[int, str], ...]

    @property
    def height(self) -> int:
        """Of the whole picture."""
        return self.bottom + STRIP


def frame(coverage: CoverageMap) -> Frame:
    """Lay the map out."""
    known = sum(lane.recorded is not None for lane in coverage.lanes)
    strange = len(coverage.lanes) - known
    lane = next(high for most, high in LANES_HIGH.items() if len(coverage.lanes) <= most)
    known_top = HEAD + strange * lane
    low = known_top + END + known * lane  # the lower edge of the lowest lane
    ys = [low - lane * n - lane // 2 for n in range(known)]
    ys += [known_top - lane * n - lane // 2 for n in range(strange)]
    right = _across(coverage.columns, 1)[-1]
    stretch = max(1.0, min(STRETCH_MAX, WIDTH_WANTED / right))
    xs, polls, breaks, right = _across(coverage.columns, stretch)
    return Frame(
        xs=xs,
        ys=tuple(ys),
        lane=lane,
        width=right + AFTER,
        known_top=known_top,
        bottom=low + END,
        polls=polls,
        breaks=breaks,
    )


def _about(ms: int) -> str:
    """Write a long span by its two largest units: ``1 d 22 h``."""
    return " ".join(duration_text(ms).split(" ")[:4])


Polls = tuple[tuple[int, int, int], ...]
Breaks = tuple[tuple[int, str], ...]


def _across(
    columns: tuple[Column, ...], stretch: float
) -> tuple[tuple[int, ...], Polls, Breaks, int]:
    """Return the middles of the columns, polls and breaks as in `Frame`, and the right edge."""
    xs: list[int] = []
    polls: list[tuple[int, int, int]] = []
    breaks: list[tuple[int, str]] = []
    at, before = 8.0, None
    for column in columns:
        ms = 0 if before is None else column.at - before.at
        if ms >= BREAK_MS_MIN:
            breaks.append((round(at) + BREAK_WIDTH // 2, _about(ms)))
            at += BREAK_WIDTH
        elif ms > 0:
            at += stretch * min(24, 3 * log2(1 + ms / 1000))
        if column.poll and (not polls or polls[-1][0] != column.poll):
            at = max(at, *(right for _, _, right in polls[-1:])) + 3 if polls else at
            polls.append((column.poll, round(at), round(at) + POLL_WIDTH_MIN))
        width = WIDTHS[column.kind] * stretch
        xs.append(round(at + width / 2))
        at += width
        if column.poll:
            number, left, right = polls[-1]
            polls[-1] = (number, left, max(right, round(at)))
        before = column
    right = max([round(at), *(right for _, _, right in polls[-1:])])
    return tuple(xs), tuple(polls), tuple(breaks), right
