"""What a coverage map shows: lanes of keys, columns of moments, and what they have in common.

Time runs from column to column and the key from lane to lane, upwards. Neither is to scale: what
matters is what came before what.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from fakeserver.clock import Instant
from fakeserver.scenario import EventId

Cell = Literal["", "cut", "asked", "some", "returned"]
"""What a request is to an event: nothing; in its conditions, but cut off by the limit, skipped by
a page number or only counted; asked for; returned in part (of a fold of events); returned."""

ActKind = Literal["saved", "slept", "killed", "restarted", "raised", "stopped"]
ColumnKind = Literal["time", "request", "call", "gap"]
Answer = Literal["whole", "old", "failed", "refused"]


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What a client did or suffered that is no delivery, in words; `place` is in the history."""

    kind: ActKind
    place: int
    text: str


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One moment.

    A ``request``, `times` of it where they are alike; a ``call`` of the client that sent nothing
    yet; a ``time`` at which events were recorded or became visible; or a ``gap`` that stands for
    `times` requests which are not drawn. `places` are the requests' places in the history, `poll`
    and the `instance` that polls are counted from 1. `said` is the whole column in words, `mark`
    what stands above it. `cells` say for each lane of the log what the request was to it, `above`
    and `below` what it was to keys beyond all lanes.
    """

    kind: ColumnKind
    at: Instant
    poll: int = 0
    instance: int = 1
    places: tuple[int, ...] = ()
    times: int = 1
    answer: Answer = "whole"
    mark: str = ""
    fault: str | None = None
    acts: tuple[Act, ...] = ()
    is_evidence: bool = False
    said: str = ""
    cells: tuple[Cell, ...] = ()
    above: Cell = ""
    below: Cell = ""

    @property
    def asks(self) -> bool:
        """Whether it stands for a request that is drawn."""
        return self.kind == "request"

    @property
    def poll_name(self) -> str:
        """The number of the poll, and which instance polls where it is not the first: ``3 #2``."""
        return f"{self.poll}" if self.instance == 1 else f"{self.poll} #{self.instance}"


class Dot(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of the event of `lane` in `column`, or `times` of them that look alike.

    `place` is that of the first, in the history.
    """

    lane: int
    column: int
    place: int
    times: int = 1
    is_repeat: bool = False
    is_altered: bool = False
    is_evidence: bool = False
    said: str = ""


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One event, or a fold of neighbours.

    `key` is its key in words, `recorded` and `visible` are the columns in which it was recorded
    and could first be read; of a fold, the first and the last. An id that the log never held has
    neither. `is_lost` where it is among what a ``LOST`` names, `is_accused` where any finding
    names it. `is_tied` says that its key is that of the lane below.
    """

    name: str
    key: str
    event_ids: tuple[EventId, ...]
    recorded: int | None = None
    visible: int | None = None
    is_lost: bool = False
    is_accused: bool = False
    is_tied: bool = False
    said: str = ""


class CoverageMap(msgspec.Struct, frozen=True, kw_only=True):
    """The picture as data. `lanes` stand from the lowest key to the highest.

    `axis` is the field that is the key, `axis_why` says why it is. `links` join dots (by their
    place here) that belong together: an event and its repeat, two events in the wrong order.
    `pause` is the time between two columns, in words, where a finding is about that. `rule` is that
    of the finding that the map is about, `calm_column` where the calm begins, and `limits` say what
    is not drawn.
    """

    axis: Literal["id", "recorded_at"]
    axis_why: str
    lanes: tuple[Lane, ...]
    columns: tuple[Column, ...]
    dots: tuple[Dot, ...]
    links: tuple[tuple[int, int], ...] = ()
    pause: tuple[int, int, str] | None = None
    rule: str | None = None
    calm_column: int | None = None
    limits: tuple[str, ...] = ()
