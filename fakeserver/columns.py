"""The values of one field for all rows of a long log, by row number, packed as they allow.

A million Python objects take a hundred megabytes; a million whole numbers in an array take eight.
So a column holds whole numbers as such, texts of one length one after the other, and labels as
numbers of a list; only what fits none of these stays a list of objects.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any, overload

from fakeserver.query import Condition

SPREAD_MAX = 4
"""Rows among so many times as many are read with all that lies between them: that costs less."""
ADMITTED_MAX = 64
"""Sets of conditions whose admitted kinds are remembered; a client asks with one or two."""


class Texts(Sequence[str]):
    """ASCII texts of the same length, a line each. Raises `ValueError` for others."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._width = len(texts[0])
        self._bytes = bytearray()
        self.extend(texts)

    def extend(self, texts: Sequence[str]) -> None:
        """Append all of `texts`, or none."""
        if not self._width or any(len(text) != self._width for text in texts):
            raise ValueError("texts of different lengths")
        lines = "".join(f"{text}\n" for text in texts).encode("ascii")
        if lines.count(b"\n") > len(texts):
            raise ValueError("a text of several lines")
        self._bytes += lines

    def __len__(self) -> int:
        return len(self._bytes) // (self._width + 1)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if not isinstance(place, slice):
            at = place * (self._width + 1)
            text = self._bytes[at : at + self._width] if place >= 0 else b""
            if not text:
                raise IndexError(place)
            return text.decode("ascii")
        start, stop, step = place.indices(len(self))
        if step not in (1, -1):
            return [self[row] for row in range(start, stop, step)]
        low, high = (start, stop) if step == 1 else (stop + 1, start + 1)
        if high <= low:
            return []
        # All lines cut at once cost a fifth of one by one.
        ends = self._width + 1
        found = self._bytes[low * ends : high * ends - 1].decode("ascii").split("\n")
        return found[::step]

    def among(self, rows: Sequence[int]) -> list[str]:
        """Return the texts of `rows`, in their order; what lies close together is cut at once."""
        low, high = min(rows, default=0), max(rows, default=0) + 1
        if high - low > SPREAD_MAX * len(rows):
            return [self[row] for row in rows]
        texts = self[low:high]
        return [texts[row - low] for row in rows]

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Return where `value` stands from `start` to before `stop`. Raises `ValueError`."""
        stop = len(self) if stop is None else stop
        ends = self._width + 1
        wanted = value.encode("ascii", "replace") if isinstance(value, str) else b""
        if len(wanted) == self._width:
            at = self._bytes.find(wanted, start * ends, stop * ends)
            while at >= 0:
                if at % ends == 0:
                    return at // ends
                at = self._bytes.find(wanted, at + 1, stop * ends)
        raise ValueError(f"{value!r} is not there")


def as_run(rows: Sequence[int]) -> Sequence[int]:
    """Return `rows` as a range where they are neighbours, rising or falling; else as they are."""
    if isinstance(rows, range) or len(rows) < 2:
        return rows
    step = 1 if rows[0] < rows[1] else -1
    run = range(rows[0], rows[0] + step * len(rows), step)
    return run if rows[-1] == run[-1] and rows == list(run) else rows


def joined(rows: Sequence[int], more: Sequence[int]) -> Sequence[int]:
    """Return `rows` with `more` after them, as a range where that goes on; a list may be reused."""
    if isinstance(rows, list):
        rows += more
        return rows
    if (
        isinstance(rows, range)
        and isinstance(more, range)
        and (rows.step, rows.stop) == (more.step, more.start)
    ):
        return range(rows.start, more.stop, rows.step)
    return [*rows, *more]


class Column:
    """The values of a field. `has_null` says whether one of them is, or was, None.

    Fewer than `packed_from` stay as they are.
    """

    __slots__ = ("_packed_from", "get", "has_null", "store")

    def __init__(self, packed_from: int = 0) -> None:
        self._packed_from = packed_from
        self.store: Any = []
        self.get = self.store.__getitem__
        self.has_null = False

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, row: int) -> Any:
        return self.store[row]

    def extend(self, values: Sequence[Any]) -> None:
        """Append `values`."""
        before, after = len(self.store), len(self.store) + len(values)
        if values and after >= self._packed_from and before < max(1, self._packed_from):
            self._put(_fitting([*self.store, *values]))
            return
        try:
            new = array("q", values) if isinstance(self.store, array) else values
            self.store.extend(new)
        except (TypeError, ValueError, OverflowError, AttributeError):
            self._put([*self.store, *values])
        if isinstance(self.store, list) and not self.has_null:
            self.has_null = None in values

    def _put(self, store: Any) -> None:
        self.store, self.get = store, store.__getitem__
        self.has_null = isinstance(store, list) and None in store

    def values(self, rows: Sequence[int]) -> Sequence[Any]:
        """Return the values of `rows`, in their order."""
        if isinstance(rows, range) and rows:
            stop: int | None = rows.stop if rows.stop >= 0 else None
            found: Sequence[Any] = self.store[rows.start : stop : rows.step]
            return found
        if isinstance(self.store, Texts):
            return self.store.among(rows)
        return list(map(self.get, rows))

    def find(self, value: Any, start: int, stop: int) -> int | None:
        """Return the first row from `start` to before `stop` that has `value`, or None."""
        try:
            return int(self.store.index(value, start, stop))
        except (ValueError, TypeError):
            return None


def _fitting(values: Sequence[Any]) -> Any:
    """Return `values` packed as tightly as they allow."""
    try:
        if values and isinstance(values[0], str):
            return Texts(values)
        return array("q", values)
    except (TypeError, ValueError, OverflowError):
        return list(values)


class Kinds:
    """What kind of row each is: its labels, the fields of few values, as the number of a tuple.

    `fields` are the names of the labels. Whether a row meets conditions on labels is known of its
    kind, so rows that do can be counted without looking at them.
    """

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.fields = fields
        self.codes = array("H")
        self.known: list[tuple[Any, ...]] = []
        self._code_of: dict[tuple[Any, ...], int] = {}
        self._admitted: dict[Hashable, tuple[int, frozenset[int] | None]] = {}

    def extend(self, labels: Iterable[tuple[Any, ...]]) -> None:
        """Append rows with these `labels`, one for each field."""
        code_of = self._code_of
        codes = []
        for label in labels:
            code = code_of.get(label)
            if code is None:
                code = code_of[label] = len(self.known)
                self.known.append(label)
            codes.append(code)
        if len(self.known) > 2 ** (8 * self.codes.itemsize):
            self.codes = array("I", self.codes)
        self.codes.extend(codes)

    def admitted(self, conditions: tuple[Condition, ...]) -> frozenset[int] | None:
        """Return the kinds that meet all `conditions`, which speak of labels; None for all."""
        found = self._admitted.get(conditions)
        if found is not None and found[0] == len(self.known):
            return found[1]
        tests = [(self.fields.index(each.field), each.admits) for each in conditions]
        codes = frozenset(
            code
            for code, label in enumerate(self.known)
            if all(admits(label[place]) for place, admits in tests)
        )
        admitted = None if len(codes) == len(self.known) else codes
        if len(self._admitted) >= ADMITTED_MAX:
            self._admitted.clear()
        self._admitted[conditions] = len(self.known), admitted
        return admitted

    def of(self, rows: Sequence[int]) -> Sequence[int]:
        """Return the kinds of `rows`, in their order."""
        if isinstance(rows, range) and rows:
            stop = rows.stop if rows.stop >= 0 else None
            return self.codes[rows.start : stop : rows.step]
        return list(map(self.codes.__getitem__, rows))

    def counts(self, rows: Sequence[int]) -> array[int]:
        """Return how many of `rows` are of each kind."""
        found = array("I", bytes(4 * len(self.known)))
        for code, count in Counter(self.of(rows)).items():
            found[code] = count
        return found


class LabelColumn:
    """One label of all rows, as a `Column` would show it."""

    __slots__ = ("_kinds", "_place")

    def __init__(self, kinds: Kinds, field: str) -> None:
        self._kinds = kinds
        self._place = kinds.fields.index(field)

    @property
    def has_null(self) -> bool:
        """Whether a row may lack this label."""
        return any(label[self._place] is None for label in self._kinds.known)

    def __len__(self) -> int:
        return len(self._kinds.codes)

    def __getitem__(self, row: int) -> Any:
        return self._kinds.known[self._kinds.codes[row]][self._place]

    get = __getitem__

    def values(self, rows: Sequence[int]) -> Sequence[Any]:
        """Return the values of `rows`, in their order."""
        known = [label[self._place] for label in self._kinds.known]
        return [known[code] for code in self._kinds.of(rows)]


def count_of(counts: Sequence[int], codes: Collection[int]) -> int:
    """Return how many rows are of the kinds `codes`, where `counts` has those of each kind."""
    return sum(counts[code] for code in codes if code < len(counts))
