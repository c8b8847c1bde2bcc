"""All events of a log by number, which is their age: kept as they are, or drawn again when wanted.

What a stream has drawn it draws again the same, so of a long log only the place of each event in
its stream is kept, and the lowest id of each piece, by which an id is found.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from fakeserver.columns import Column
from fakeserver.errors import ScenarioError
from fakeserver.scenario import EventId, LoggedEvent

Redraw = Callable[[int], Sequence[LoggedEvent]]
"""Returns all events of a piece of a stream, by the number of that piece, each time the same."""

_KEPT = -(2**62)
"""Stands for the number of a piece where events are kept. Time began later than that."""


class Shelf:
    """`size` events by number. `redraw` draws those again that were put here as `drawn`."""

    def __init__(self, redraw: Redraw | None = None) -> None:
        self._redraw = redraw
        self.size = 0
        self.kept: list[LoggedEvent] = []
        self._number_of: dict[EventId, int] = {}
        # Stretches of rows that are neighbours in the same piece, or in what is kept; none as long
        # as all are kept.
        self._starts, self._pieces, self._places = array("q"), array("q"), array("q")
        # Of the drawn stretches, which rise by id: each one's number and lowest id.
        self._drawn = array("q")
        self._lows: list[EventId] = []
        self._highest: EventId | None = None
        self._highest_before: EventId | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all events are kept."""
        return self.size == len(self.kept)

    @property
    def highest_id(self) -> EventId | None:
        """The highest id of all, or None where there is none."""
        drawn = [] if self._highest is None else [self._highest]
        return max([*self._number_of, *drawn], default=None)

    def event(self, number: int) -> LoggedEvent:
        """Return the event with that number, from 0."""
        if self.is_whole:
            return self.kept[number]
        stretch = bisect_right(self._starts, number) - 1
        piece, place = self._pieces[stretch], self._places[stretch] + number - self._starts[stretch]
        if piece == _KEPT or self._redraw is None:
            return self.kept[place]
        return self._redraw(piece)[place]

    def keep(self, events: Iterable[LoggedEvent], ids: Column | None) -> None:
        """Append events, all or none; `ids` has the ids of all rows where some are not kept.

        Raises `ScenarioError` for an id that is there already.
        """
        new = list(events)
        numbers = {event.id: number for number, event in enumerate(new, self.size)}
        if (
            len(numbers) < len(new)
            or not self._number_of.keys().isdisjoint(numbers)
            or (self._lows and any(self.number(each, ids) is not None for each in numbers))
        ):
            raise ScenarioError(f"there is an event {self._clash(new, ids)!r} already")
        if new and self._pieces and self._pieces[-1] != _KEPT:
            self._begin(_KEPT, len(self.kept))
        self.kept += new
        self._number_of |= numbers
        self.size += len(new)

    def _clash(self, new: Iterable[LoggedEvent], ids: Column | None) -> EventId:
        """Return the first id that stands here already, or a second time in `new`."""
        seen: set[EventId] = set()
        for event in new:
            if event.id in seen or self.number(event.id, ids) is not None:
                break
            seen.add(event.id)
        return event.id

    def _begin(self, piece: int, place: int) -> None:
        self._starts.append(self.size)
        self._pieces.append(piece)
        self._places.append(place)

    def put_drawn(self, piece: int, place: int, ids: Sequence[EventId]) -> bool:
        """Append the events with these `ids`, from `place` on in a piece of the stream, unkept.

        Returns False, and appends nothing, where the ids do not rise from piece to piece: such
        events have to be kept.
        """
        low, high = min(ids), max(ids)
        goes_on = self._goes_on(piece, place)
        floor = self._highest_before if goes_on else self._highest
        if floor is not None and not floor < low:  # type: ignore[operator]  # all are of one type
            return False
        if goes_on:
            self._lows[-1] = min(self._lows[-1], low)
        else:
            if self.kept and not self._pieces:
                self._starts.append(0)
                self._pieces.append(_KEPT)
                self._places.append(0)
            self._drawn.append(len(self._starts))
            self._begin(piece, place)
            self._lows.append(low)
            self._highest_before = self._highest
        self._highest = high if self._highest is None else max(self._highest, high)
        self.size += len(ids)
        return True

    def _goes_on(self, piece: int, place: int) -> bool:
        """Whether what comes at `place` of `piece` is the neighbour of the last row."""
        if not self._pieces or self._pieces[-1] != piece:
            return False
        return self._places[-1] + self.size - self._starts[-1] == place

    def numbers(self, events: Iterable[LoggedEvent]) -> list[int]:
        """Return the numbers of events that are kept."""
        return [self._number_of[event.id] for event in events]

    def number(self, event_id: EventId, ids: Column | None) -> int | None:
        """Return the number of the event with that id, or None; `ids` has the ids of all rows."""
        number = self._number_of.get(event_id)
        if number is not None or ids is None or not self._lows:
            return number
        try:
            at = bisect_right(self._lows, event_id) - 1
        except TypeError:  # an id of another type
            return None
        if at < 0:
            return None
        stretch = self._drawn[at]
        ends = stretch + 1 == len(self._starts)
        stop = self.size if ends else self._starts[stretch + 1]
        return ids.find(event_id, self._starts[stretch], stop)
