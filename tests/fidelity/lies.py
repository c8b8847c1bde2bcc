"""What a lying server would have answered, planted in honest recordings."""

from collections.abc import Callable
from random import Random
from typing import Any

from tests.fidelity.traced import rows_of, with_rows

Entries = list[dict[str, Any]]


def of(entries: Entries, part: str) -> list[int]:
    """The places of the answers with rows whose address has a certain part."""
    return [n for n, e in enumerate(entries) if part in e["request"]["url"] and rows_of(e)]


def replaced(entries: Entries, place: int, rows: list[dict[str, Any]]) -> Entries:
    """The entries with other rows in one of them."""
    return [*entries[:place], with_rows(entries[place], rows), *entries[place + 1 :]]


def without(entries: Entries, after: int, event_id: Any) -> Entries:
    """The entries, where an event is gone from all behind `after`."""
    return [
        with_rows(entry, [row for row in rows_of(entry) if row["id"] != event_id])
        if n > after and rows_of(entry)
        else entry
        for n, entry in enumerate(entries)
    ]


def shown_twice(entries: Entries, random: Random, part: str = "") -> tuple[int, Any] | None:
    """A place and the id of an event on it, which stands within a page of the last reading too.

    Within: between two rows that no tie and no smaller cap lets it change places with.
    """
    within: set[str] = set()
    for entry in entries[last_reading(entries) :]:
        rows = rows_of(entry)
        within |= {str(row["id"]) for row in rows if is_within(row, rows)}
    every = [
        (n, row["id"])
        for n in of(entries[: last_reading(entries)], part)
        for row in rows_of(entries[n])
    ]
    found = [each for each in every if str(each[1]) in within]
    return random.choice(found) if found else None


def is_within(row: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Whether a row ties with neither end of its page, by no key by which a list may go."""
    keys = ("id", "created_at") if "created_at" in row else ("createdAt",)
    return all(rows[0][key] != row[key] != rows[-1][key] for key in keys)


def last_reading(entries: Entries) -> int:
    """Where the last reading of the whole log begins, after which nothing is read again."""
    return next(n for n, entry in enumerate(entries) if entry.get("is_last"))


def vanish(entries: Entries, random: Random) -> Entries | None:
    """An event that was shown is missing from then on."""
    found = shown_twice(entries, random)
    return None if found is None else without(entries, *found)


def vanish_after_page_2(entries: Entries, random: Random) -> Entries | None:
    """An event that was on page 2 is missing from then on."""
    found = shown_twice(entries, random, "page=2")
    return None if found is None else without(entries, *found)


def change_id(entries: Entries, random: Random) -> Entries | None:
    """An event has another id from some answer on."""
    found = shown_twice(entries, random)
    if found is None:
        return None
    place, old = found
    new = "c" + "0" * 24 if str(old).startswith("c") else type(old)(int(old) + 10**15)
    return [
        with_rows(e, [{**r, "id": new} if r["id"] == old else r for r in rows_of(e)])
        if n > place and rows_of(e)
        else e
        for n, e in enumerate(entries)
    ]


def change_field(entries: Entries, random: Random) -> Entries | None:
    """An event has another stamp or type in an answer than in one before."""
    seen: set[str] = set()
    for place in of(entries, ""):
        rows = rows_of(entries[place])
        if str(rows[0]["id"]) in seen:
            name = "created_at" if "created_at" in rows[0] else "eventType"
            rows[0] = {**rows[0], name: "2001-01-01T00:00:00Z"}
            return replaced(entries, place, rows)
        seen |= {str(row["id"]) for row in rows}
    return None


def swap(entries: Entries, random: Random) -> Entries | None:
    """Two rows of a walk change places; another answer has them in their order."""
    is_by_id = "since_id" in str(entries)
    places = of(entries, "since_id=" if is_by_id else "asc")
    for place in reversed(places):
        rows = rows_of(entries[place])
        keys = [row["id" if is_by_id else "createdAt"] for row in rows]
        is_sure = "since_id=0&" not in entries[place]["request"]["url"]
        if is_sure and len(set(keys)) > 2 and None not in keys and keys[0] != keys[1]:
            if not any(has(entries[n], rows[:2]) for n in places if n != place):
                continue
            rows[0], rows[1] = rows[1], rows[0]
            return replaced(entries, place, rows)
    return None


def has(entry: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Whether an answer shows all of some rows."""
    return {row["id"] for row in rows} <= {row["id"] for row in rows_of(entry)}


def exceed(entries: Entries, random: Random) -> Entries | None:
    """A page of one row has two; another one that was asked for so keeps to it."""
    every = [row for n in of(entries, "") for row in rows_of(entries[n])]
    places = [n for n in of(entries, "limit=1") if "limit=1&" in entries[n]["request"]["url"] + "&"]
    for place in places[1:]:
        rows = rows_of(entries[place])
        more = [row for row in every if row["id"] != rows[0]["id"]]
        if more:
            return replaced(entries, place, [*rows, more[0]])
    return None


def exceed_cap(entries: Entries, first: int) -> Entries | None:
    """The page at `first` gets a row more, the first of the page behind it."""
    known = [row["id"] for row in rows_of(entries[first])]
    more = [row for row in rows_of(entries[first + 1]) if row["id"] not in known]
    if not more:
        return None
    return replaced(entries, first, [*rows_of(entries[first]), more[0]])


def stray(entries: Entries, random: Random) -> Entries | None:
    """A row of another type is in a list of orders."""
    places = of(entries, "filter=Order")
    every = [row for n in of(entries, "") for row in rows_of(entries[n])]
    others = [row for row in every if row.get("subject_type") not in (None, "Order")]
    if not places or not others:
        return None
    return replaced(entries, places[0], [*rows_of(entries[places[0]])[:-1], others[0]])


LIES: dict[str, Callable[[Entries, Random], Entries | None]] = {
    "an event vanishes": vanish,
    "a hidden event was on page 2": vanish_after_page_2,
    "an id changes": change_id,
    "a field changes": change_field,
    "rows out of order": swap,
    "a cap exceeded": exceed,
    "a row outside the filter": stray,
}
OF_ONE = {"rows out of order", "a cap exceeded", "a row outside the filter"}
"""Lies that one answer shows by itself, beside another that shows what it breaks."""
