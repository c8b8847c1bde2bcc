"""Cursors: a place in a list, made opaque. A ``page_info`` says it all, so nothing is remembered.

It holds the parameters that a list was first asked with and the id beside which the page lies. The
same list asked in the same way has the same cursors, on every machine and after a restart.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Literal, get_args
from urllib.parse import urlencode

import msgspec

from fakeserver.dialects.base import Refused
from fakeserver.dialects.wire import WHOLE_NUMBER_MAX, shown
from fakeserver.query import ID, Condition, Query, SortKey
from fakeserver.rows import Rows, ids_of

PAGE_INFO = "page_info"
BESIDE_PAGE_INFO = (PAGE_INFO, "limit", "fields")
"""All that may stand in a request with a cursor: the cursor brings the rest along."""
Given = Literal["since_id", "created_at_min", "created_at_max", "filter", "verb"]
"""What a cursor brings along, where the list was first asked with it."""

_BASE64 = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_UPWARDS, _DOWNWARDS = (SortKey(ID),), (SortKey(ID, descending=True),)


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a ``page_info`` means: the page right `side` the row `id` in the list of `given`."""

    side: Literal["after", "before"]
    id: Annotated[int, msgspec.Meta(ge=0, le=WHOLE_NUMBER_MAX)]
    given: dict[Given, str] = {}

    def write(self) -> str:
        """Return it as a ``page_info``."""
        return urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the list, as if they had been sent again."""
        return {str(name): value for name, value in self.given.items()}

    @property
    def condition(self) -> Condition:
        """What the rows of the page meet."""
        return Condition(ID, ">" if self.side == "after" else "<", self.id)


_decoder = msgspec.json.Decoder(Place)


def read_place(page_info: str, *, status: int) -> Place:
    """Return what a ``page_info`` means. Raises `Refused` for one that is none of ours."""
    if _BASE64.fullmatch(page_info):
        with suppress(ValueError, msgspec.DecodeError, RecursionError):
            text = urlsafe_b64decode(page_info + "=" * (-len(page_info) % 4))
            return _decoder.decode(text)
    raise Refused(
        status,
        "bad-page-info",
        f"page_info: expected one from a link header, unchanged, got {shown(page_info)}; begin "
        "again without it",
    )


class CursorQuery(Query, frozen=True, kw_only=True):
    """A page of a list that is walked by cursors.

    `given` are the parameters that the list was first asked with, without limit and fields; `side`
    says where the page lies: at the start of the list, or after or before a row. One before a row
    is selected from its end, highest id first, and shown the other way round.
    """

    given: tuple[tuple[Given, str], ...] = ()
    side: Literal["start", "after", "before"] = "start"

    def shown(self, rows: Rows) -> Rows:
        """Return the selected rows in the order of the list."""
        return rows[::-1] if self.side == "before" else rows

    def links(self, rows: Rows, matched: int) -> tuple[tuple[str, str], ...]:
        """Return ``rel`` and query string of the pages before and after the `rows` shown.

        `matched` is how many rows there were before the cut. A page that holds the whole list has
        no neighbours, and neither has an empty one.
        """
        if not rows:
            return ()
        is_cut = matched > len(rows)
        there = {
            "previous": is_cut if self.side == "before" else self.side == "after",
            "next": is_cut if self.side != "before" else True,
        }
        given, ids = dict(self.given), ids_of(rows)
        places = {
            "previous": Place("before", int(ids[0]), given),
            "next": Place("after", int(ids[-1]), given),
        }
        return tuple((rel, self._link(place)) for rel, place in places.items() if there[rel])

    def _link(self, place: Place) -> str:
        query: dict[str, object] = {"limit": self.limit}
        if self.fields is not None:
            query["fields"] = ",".join(self.fields)
        return urlencode({**query, PAGE_INFO: place.write()}, safe=",")


def cursor_query(
    conditions: tuple[Condition, ...],
    given: Mapping[str, str],
    place: Place | None,
    *,
    limit_asked: int | None,
    limit: int,
    fields: tuple[str, ...] | None,
) -> CursorQuery:
    """Return the page at `place` (None: the first) of the rows that meet `conditions`."""
    return CursorQuery(
        conditions=conditions if place is None else (place.condition, *conditions),
        order=_DOWNWARDS if place is not None and place.side == "before" else _UPWARDS,
        limit=limit,
        limit_asked=limit_asked,
        fields=fields,
        given=tuple((name, given[name]) for name in get_args(Given) if name in given),
        side="start" if place is None else place.side,
    )
