"""Whether the model could have answered as a recorded service did, under some settings.

Settings are tried only where they matter to a request that was recorded. Those that are
contradicted by an answer are dropped; what is left decides switches.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Dialect
from fakeserver.errors import UsageError
from fakeserver.fidelity.trace.checking import (
    Answered,
    Contradiction,
    Visibility,
    check_all,
    page_problem,
)
from fakeserver.fidelity.trace.readings import Chosen, Readings, meant
from fakeserver.fidelity.trace.recordings import Recorded
from fakeserver.fidelity.trace.rows import Values, read_page
from fakeserver.profile import SwitchValue
from fakeserver.query import Query
from fakeserver.scenario import EventId

ALIVE_MAX = 20_000
"""Ways to read a recording; more come up only where it holds next to nothing to tell by."""
COMPARISONS_MAX = 50_000_000
"""Ways times answers times events: minutes."""

Ways = dict[Chosen, tuple[Query | None, ...]]


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording shows.

    `contradiction` is None where the model could have answered so. `chosen` are the settings that
    are left, `refuted` names those switches of which a value was contradicted. `visible` says when
    events became visible, as far as all ways that are left agree. `events` has what is known of
    each, and `rows` how it was shown last.
    """

    dialect: str
    answered: tuple[Answered, ...]
    contradiction: Contradiction | None
    chosen: tuple[Chosen, ...] = ()
    tried: dict[str, tuple[SwitchValue, ...]] = {}
    visible: dict[EventId, Visibility] = {}
    events: dict[EventId, Values] = {}
    rows: dict[EventId, dict[str, Any]] = {}


def trace(recordings: Iterable[Recorded], *, dialect: str) -> Traced:
    """Decide whether the model explains `recordings`, under some settings of `dialect`.

    Raises `UsageError` where they hold so little that too many settings fit.
    """
    return _Trace(find_dialect(dialect), list(recordings)).run()


class _Trace:
    def __init__(self, dialect: Dialect, recordings: list[Recorded]) -> None:
        self._dialect = dialect
        permissive = Readings(dialect, frozenset()).permissive
        self._answered = [_answered(dialect, each, permissive) for each in recordings]
        lengths = frozenset(each.page.raw for each in self._answered if each.page is not None)
        self._readings = Readings(dialect, lengths)
        self._finer = dialect.name == "saleschannel"
        self._events: dict[EventId, Values] = {}
        self._rows: dict[EventId, dict[str, Any]] = {}
        self._deaths: list[Contradiction] = []
        self._tried: dict[str, dict[SwitchValue, None]] = defaultdict(dict)

    def run(self) -> Traced:
        altered = self._learn()
        if altered is not None:
            return self._refused(altered)
        ways: Ways = {(): ()}
        for place, each in enumerate(self._answered):
            ways = self._extended(ways, place, each)
            if not ways:
                return self._refused(self._deaths[-1])
            if len(ways) > ALIVE_MAX:
                raise UsageError(
                    "the recording fits too many readings of the document; add one with more "
                    "requests, or run fakeserver probe"
                )
        return self._explained(ways)

    def _learn(self) -> Contradiction | None:
        """Collect what is known of each event; say where an event is not what it was."""
        first: dict[EventId, int] = {}
        for place, each in enumerate(self._answered):
            page = each.page
            if page is None:
                continue
            for event_id, values, shown in zip(page.ids, page.values, page.shown, strict=True):
                known = self._rows.get(event_id, {})
                changed = [name for name in shown if name in known and known[name] != shown[name]]
                if changed:
                    return Contradiction(
                        says=f"the event {event_id} has another {changed[0]} than before",
                        places=(first[event_id], place),
                    )
                first.setdefault(event_id, place)
                self._rows[event_id] = {**known, **shown}
                self._events[event_id] = {**self._events.get(event_id, {}), **values}
        return None

    def _extended(self, ways: Ways, place: int, each: Answered) -> Ways:
        """Read one more request in every way that is left, and drop what its answer contradicts."""
        alive: Ways = {}
        problems: dict[Query | None, str | None] = {}
        for chosen, queries in ways.items():
            for further, query in self._readings.of(each.recorded.ask, chosen):
                for name, value in further[len(chosen) :]:
                    self._tried[name].setdefault(value)
                if query not in problems:
                    problems[query] = self._problem(each, query)
                if problems[query] is None:
                    alive[further] = (*queries, query)
        refuted = next((says for says in problems.values() if says is not None), None)
        if refuted is not None:
            before = self._deaths[-1].places[-1:] if self._deaths else ()
            places = tuple(sorted({*before, place}))
            self._deaths.append(Contradiction(says=refuted, places=places))
        return alive

    def _problem(self, each: Answered, query: Query | None) -> str | None:
        if each.recorded.status != 200:
            return None  # a refusal may have passed by itself
        if query is None:
            return "it was answered, and no reading of the document accepts it"
        if each.page is None:
            return None
        return page_problem(query, each.page, finer=self._finer)

    def _explained(self, ways: Ways) -> Traced:
        """Look for visibility times under what is left; the same meaning is looked at once."""
        groups: dict[tuple[Query | None, ...], list[Chosen]] = defaultdict(list)
        for chosen, queries in ways.items():
            groups[queries].append(chosen)
        if len(groups) * len(self._answered) * len(self._events) > COMPARISONS_MAX:
            raise UsageError(
                f"{len(self._answered)} requests fit {len(groups)} readings of the document: too "
                "many to compare; cut the recording up, or run fakeserver probe"
            )
        left: list[Chosen] = []
        visible: dict[EventId, Visibility] | None = None
        refuted: Contradiction | None = None
        for queries, chosen_here in groups.items():
            found, problem = check_all(self._answered, queries, self._events, finer=self._finer)
            if problem is None:
                left += chosen_here
                visible = found if visible is None else _agreed(visible, found)
            elif refuted is None or problem.places[-1] > refuted.places[-1]:
                refuted = problem
        if visible is None:
            assert refuted is not None  # noqa: S101 - there is at least one group
            return self._refused(refuted)
        return self._result(None, chosen=tuple(left), visible=visible)

    def _refused(self, contradiction: Contradiction) -> Traced:
        return self._result(contradiction)

    def _result(self, contradiction: Contradiction | None, **found: Any) -> Traced:
        return Traced(
            dialect=self._dialect.name,
            answered=tuple(self._answered),
            contradiction=contradiction,
            tried={name: tuple(values) for name, values in self._tried.items()},
            events=self._events,
            rows=self._rows,
            **found,
        )


def _answered(dialect: Dialect, recorded: Recorded, permissive: dict[str, Any]) -> Answered:
    """Read the rows of an answer; one that is no answer of the API says nothing."""
    query = meant(dialect, recorded.ask, permissive)
    if query is None or query.endpoint == "count":
        return Answered(recorded=recorded, page=None, count=_count(recorded.body))
    if query.endpoint == "single" and recorded.status == 404:
        page = read_page(dialect, "list", None, ())
        return Answered(recorded=recorded, page=page)
    if recorded.status != 200:
        return Answered(recorded=recorded, page=None)
    return Answered(
        recorded=recorded, page=read_page(dialect, query.endpoint, recorded.body, recorded.ids)
    )


def _count(body: bytes | None) -> int | None:
    try:
        found = json.loads(body or b"")
    except ValueError:
        return None
    count = found.get("count") if isinstance(found, dict) else None
    return count if isinstance(count, int) else None


def _agreed(
    known: dict[EventId, Visibility], found: dict[EventId, Visibility]
) -> dict[EventId, Visibility]:
    """Return what two ways agree on: an event may have been hidden only where both say so."""
    return {
        event_id: known[event_id]
        if _bound(known[event_id]) <= _bound(found[event_id])
        else found[event_id]
        for event_id in known
    }


def _bound(visibility: Visibility) -> float:
    return float("-inf") if visibility.not_before is None else visibility.not_before
