"""Every way in which a dialect's settings let a request be read, as far as it matters to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fakeserver.dialects.base import Ask, Dialect, Refused
from fakeserver.profile import SwitchValue
from fakeserver.query import Query

Chosen = tuple[tuple[str, SwitchValue], ...]
"""The switches that have mattered so far, in the order in which they did, each with a value."""

PERMISSIVE: Mapping[str, Mapping[str, SwitchValue]] = {
    "haravan": {
        "auth": "token",
        "version_alias": True,
        "nested": "all-seven",
        "unknown_parameter": "ignore",
        "empty_parameter": "ignore",
        "limit_over_max": "clamp",
        "page_below_one": "first",
        "since_id_with_page": "page-after",
        "time_forms": "all",
        "lost_plus": "mend",
        "unknown_filter": "empty",
        "extra_verbs": "categories",
        "fields_id": "keep",
        "count_lag": "none",
    },
    "saleschannel": {
        "unparsable_query": "reject",
        "unknown_parameter": "ignore",
        "alias_without_version": True,
        "encodings": "both",
        "operators": "all",
        "order_by": "asc-desc",
        "limit_over_max": "clamp",
        "naive_times": "utc",
        "request_body": "ignored",
    },
}
"""The values under which the most requests are answered: an answer is never taken for a refusal."""

READING: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "haravan": {
        "paging": ("",),
        "limit_default": ("",),
        "limit_max": ("",),
        "since_id_zero": ("since_id=0",),
        "since_id_order": ("since_id=",),
        "order_default": ("",),
        "created_at_ties": ("",),
        "shop_zone": ("created_at_",),
        "ambiguous_time": ("created_at_",),
        "bounds": ("created_at_",),
        "filter_case": ("filter=", "verb="),
        "count_filters": ("filter=", "verb=", "since_id="),
    },
    "saleschannel": {
        "limit_default": ("",),
        "limit_max": ("",),
        "order_default": ("",),
        "nulls": ("",),
    },
}
"""The switches that decide what a request means, and what it must hold to depend on them."""


KNOWN_MAX = 10_000
"""Requests that are remembered with what they mean: clients ask the same again and again."""


class Readings:
    """The queries that requests may mean under all settings of a dialect.

    `lengths` are those of recorded pages: a cap that no document names may be one of them.
    """

    def __init__(self, dialect: Dialect, lengths: frozenset[int]) -> None:
        self._dialect = dialect
        self._base = dialect.settings(PERMISSIVE[dialect.name])
        self._needs = READING[dialect.name]
        self._values = {
            name: _values(dialect, name, lengths if name.startswith("limit_") else frozenset())
            for name in self._needs
        }
        self._known: dict[tuple[str, str, Chosen], tuple[tuple[Chosen, Query | None], ...]] = {}

    @property
    def permissive(self) -> dict[str, SwitchValue]:
        """The settings under which the most requests are answered."""
        return dict(self._base)

    def that_matter(self, ask: Ask, chosen: Chosen) -> Chosen:
        """Return those of the `chosen` on which the meaning of `ask` may depend."""
        return tuple(
            (name, value)
            for name, value in chosen
            if any(need in ask.query for need in self._needs[name])
        )

    def of(self, ask: Ask, chosen: Chosen) -> tuple[tuple[Chosen, Query | None], ...]:
        """Return what `ask` means under `chosen`, and under each value that matters besides.

        None stands for a refusal.
        """
        key = (ask.path, ask.query, chosen)
        found = self._known.get(key)
        if found is None:
            if len(self._known) == KNOWN_MAX:
                self._known.clear()
            found = self._known[key] = tuple(self._of(ask, chosen))
        return found

    def _of(self, ask: Ask, chosen: Chosen) -> Iterator[tuple[Chosen, Query | None]]:
        known = {name for name, _ in chosen}
        for name, needs in self._needs.items():
            if name in known or not any(need in ask.query for need in needs):
                continue
            found = [self.meaning(ask, (*chosen, (name, v))) for v in self._values[name]]
            if any(query != found[0] for query in found[1:]):
                for value in self._values[name]:
                    yield from self._of(ask, (*chosen, (name, value)))
                return
        yield chosen, self.meaning(ask, chosen)

    def meaning(self, ask: Ask, chosen: Chosen) -> Query | None:
        """Return what `ask` means under `chosen`, and the defaults of all other switches."""
        return meant(self._dialect, ask, self._base | dict(chosen))


def meant(dialect: Dialect, ask: Ask, settings: Mapping[str, Any]) -> Query | None:
    """Return what a request means, or None where it is refused."""
    try:
        return dialect.parse(ask, settings)
    except Refused:
        return None


def _values(dialect: Dialect, name: str, lengths: frozenset[int]) -> tuple[SwitchValue, ...]:
    known = dialect.switch(name).values
    largest = max(lengths, default=0)
    return known if largest in known or not largest else (*known, largest)
