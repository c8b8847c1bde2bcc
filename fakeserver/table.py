"""What queries can ask of the rows of a long log, as columns by row number."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from fakeserver.columns import Column, Kinds, LabelColumn
from fakeserver.query import ID, RECORDED_AT, Condition, value_of
from fakeserver.scenario import LoggedEvent
from fakeserver.shelf import Shelf

VISIBLE_AT = "visible at"
"""The name under which it is known when rows become visible; no field has a space in it."""
SLOT_ROWS = 4
"""So many rows share a slot where rows are found by a number, on average."""
TAIL_MAX = 4_096
"""So many rows that came since are looked at one by one; more, and the slots are filled anew."""


IDS_PACKED_FROM = 20_000
"""Fewer ids stay as they are: the events of so short a log are kept, and their ids with them."""


def null_of(field: str) -> str:
    """Return the name of the label that says whether a row lacks a field."""
    return f"no {field}"


def has_value(field: str) -> Condition:
    """Return the condition that a row does not lack a field, where that is a label."""
    return Condition(null_of(field), "in", (False,))


class Table:
    """Columns over `size` rows of `shelf`: id, stamp, when it is visible, `labels` and `numbers`.

    Labels are fields with few values, numbers others that are asked for. The columns of further
    fields are made of the events, drawn again where they are not kept, when first asked for.
    """

    def __init__(self, shelf: Shelf, labels: tuple[str, ...], numbers: tuple[str, ...]) -> None:
        self._shelf = shelf
        self._labels = labels
        self._nullable = (RECORDED_AT, *numbers)
        self.numbers = numbers
        self.kinds = Kinds((*labels, *map(null_of, self._nullable)))
        self.ids, self.recorded, self.visible_at = Column(IDS_PACKED_FROM), Column(), Column()
        self._columns: dict[str, Column] = {
            ID: self.ids,
            RECORDED_AT: self.recorded,
            VISIBLE_AT: self.visible_at,
            **{field: Column() for field in numbers},
        }
        self._others: dict[str, Column] = {}
        self._slots: dict[str, Slots] = {}
        self.size = 0

    def catch_up(self) -> None:
        """Take in the events that were put on the shelf since, all of which are kept."""
        numbers = range(self.size, self._shelf.size)
        self.extend([self._shelf.event(number) for number in numbers])

    def extend(self, events: Sequence[LoggedEvent]) -> None:
        """Append rows."""
        labels, numbers = self._labels, self.numbers
        self.ids.extend([event.id for event in events])
        stamps = [value_of(event, RECORDED_AT) for event in events]
        self.recorded.extend(stamps)
        self.visible_at.extend([event.visible_at for event in events])
        values = [[event.fields.get(field) for event in events] for field in numbers]
        for field, found in zip(numbers, values, strict=True):
            self._columns[field].extend(found)
        shown = [[event.fields.get(field) for event in events] for field in labels]
        nulls = [[value is None for value in found] for found in (stamps, *values)]
        self.kinds.extend(zip(*shown, *nulls, strict=True))
        self.size += len(events)

    def column(self, field: str) -> Column | LabelColumn:
        """Return the values of a field that all rows have by now."""
        if field in self._columns:
            return self._columns[field]
        if field in self._labels:
            return LabelColumn(self.kinds, field)
        column = self._others.setdefault(field, Column())
        numbers = range(len(column), self.size)
        column.extend([value_of(self._shelf.event(number), field) for number in numbers])
        return column

    def is_label(self, condition: Condition) -> bool:
        """Whether the kind of a row says if it meets `condition`."""
        return condition.field in self._labels

    def has_nulls_by_kind(self, field: str) -> bool:
        """Whether the kind of a row says if it lacks a field."""
        return field in self._nullable

    def with_number(self, field: str, value: Any) -> Sequence[int]:
        """Return the rows whose number `field` (one of `numbers`) is `value`, in order."""
        store = self._columns[field].store
        if not isinstance(store, array) or not isinstance(value, int):
            return [row for row, found in enumerate(store) if found == value]
        slots = self._slots.get(field)
        if slots is None or len(store) - slots.size > max(TAIL_MAX, slots.size // 4):
            slots = self._slots[field] = Slots(store)
        found = slots.rows(value)
        row = slots.size - 1
        while (row := _index(store, value, row + 1)) >= 0:
            found.append(row)
        return found


def _index(store: array[int], value: int, start: int) -> int:
    """Return where `value` stands from `start` on, or -1."""
    try:
        return store.index(value, start)
    except ValueError:
        return -1


class Slots:
    """Rows by a whole number: each stands in the slot that the number names. Nothing is added."""

    def __init__(self, store: array[int]) -> None:
        self._store = store
        self.size = len(store)
        self._count = count = max(1, self.size // SLOT_ROWS)
        sizes = array("I", bytes(4 * count))
        for number in store:
            sizes[number % count] += 1
        self._starts = array("I", accumulate(sizes, initial=0))
        places = array("I", self._starts)
        self._rows = rows = array("I", bytes(4 * self.size))
        for row, number in enumerate(store):
            place = places[number % count]
            places[number % count] = place + 1
            rows[place] = row

    def rows(self, value: int) -> list[int]:
        """Return the rows with that number, in order."""
        slot = value % self._count
        rows = self._rows[self._starts[slot] : self._starts[slot + 1]]
        return [row for row in rows if self._store[row] == value]
