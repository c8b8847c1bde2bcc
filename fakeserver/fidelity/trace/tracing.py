"""Whether the model could have answered as a recorded service did, under some settings.

Settings are tried only where they matter to a request that was recorded. Those that are
contradicted by an answer are dropped; what is left decides switches.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Dialect
from fakeserver.errors import UsageError
from fakeserver.fidelity.letters import Letters
from fakeserver.fidelity.trace.checking import (
    Answered,
    Contradiction,
    Problem,
    Visibility,
    check_all,
    missing_from,
    page_problem,
)
from fakeserver.fidelity.trace.culprits import Death, Witness, blamed
from fakeserver.fidelity.trace.learning import Learned
from fakeserver.fidelity.trace.readings import Chosen, Readings
from fakeserver.fidelity.trace.recordings import Recorded
from fakeserver.fidelity.trace.rows import Page, Values
from fakeserver.profile import SwitchValue
from fakeserver.query import Query
from fakeserver.scenario import EventId

ALIVE_MAX = 20_000
"""Ways to read a recording; more come up only where it holds next to nothing to tell by."""
MEANINGS_MAX = 1_000_000
"""Different meanings, times requests: some 30 MB."""
COMPARISONS_MAX = 50_000_000
"""Of a page, read in some way, with an event: minutes."""
REMEMBERED_MAX = 4_096
"""Clients ask the same again and again, and are answered the same."""
REMEMBERED_IDS_MAX = 2_000_000
"""Events that are missing from the answers that are remembered: some 16 MB."""

Ways = dict[Chosen, int]
"""Each way to read the requests so far, and the number of what they mean in it (`_Meanings`)."""


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording shows.

    `contradiction` is None where the model could have answered so. `chosen` are the settings that
    are left, `tried` the values of each switch that matters to a request. `visible` says when
    events became visible, as far as all ways that are left agree. `events` has what is known of
    each, `rows` how it was shown, and `letters` how the answers are written. `unread` is how many
    answers say nothing, for their bodies can't be read.
    """

    dialect: str
    answered: tuple[Answered, ...]
    contradiction: Contradiction | None
    chosen: tuple[Chosen, ...]
    tried: dict[str, tuple[SwitchValue, ...]]
    visible: dict[EventId, Visibility]
    events: dict[EventId, Values]
    rows: dict[EventId, dict[str, Any]]
    letters: Letters
    unread: int


def trace(recordings: Iterable[Recorded], *, dialect: str) -> Traced:
    """Decide whether the model explains `recordings`, under some settings of `dialect`.

    They are read once, and no body is kept. Raises `UsageError` where they hold so little that too
    many settings fit, and what reading them raises.
    """
    return _Trace(find_dialect(dialect), recordings).run()


class _Found(msgspec.Struct, kw_only=True):
    """What came of reading some requests: what is left, and what refuted the rest."""

    chosen: list[Chosen]
    visible: dict[EventId, Visibility]
    tried: dict[str, dict[SwitchValue, None]]
    deaths: list[Death]


class _Meanings:
    """What requests mean in a row, numbered; those that begin the same share their beginning."""

    def __init__(self) -> None:
        self._before = array("l", [0])
        self._places = array("l", [0])
        self._queries: list[Query | None] = [None]
        self._numbers: dict[tuple[int, Query | None], int] = {}
        self._place = -1

    def begin(self, place: int) -> None:
        """Go on to the request at `place`."""
        self._place = place
        self._numbers.clear()

    def then(self, number: int, query: Query | None) -> int:
        """Return the number of what `number` stands for, and then `query`."""
        key = (number, query)
        if key not in self._numbers:
            self._numbers[key] = len(self._queries)
            if len(self._queries) > MEANINGS_MAX:
                raise _too_many()
            self._before.append(number)
            self._places.append(self._place)
            self._queries.append(query)
        return self._numbers[key]

    def of(self, number: int) -> list[tuple[int, Query | None]]:
        """Return the places of the requests and what they mean, in their order."""
        found: list[tuple[int, Query | None]] = []
        while number:
            found.append((self._places[number], self._queries[number]))
            number = self._before[number]
        return found[::-1]


class _Trace:
    def __init__(self, dialect: Dialect, recordings: Iterable[Recorded]) -> None:
        self._dialect = dialect
        self._learned = learned = Learned(dialect, recordings)
        self._answered = learned.answered
        lengths = frozenset(each.page.raw for each in self._answered if each.page is not None)
        self._readings = Readings(dialect, lengths)
        self._finer = dialect.name == "saleschannel"
        self._comparisons = 0
        self._page_problem = lru_cache(maxsize=REMEMBERED_MAX)(self._find_problem)
        remembered = REMEMBERED_IDS_MAX // max(1, len(learned.events))
        self._missing = lru_cache(maxsize=min(REMEMBERED_MAX, remembered))(self._find_missing)

    def run(self) -> Traced:
        learned = self._learned
        contradiction, found = learned.altered, None
        if contradiction is None:
            found = self._explained(range(len(self._answered)))
            if not found.chosen:
                contradiction = self._blamed(found)
        return Traced(
            dialect=self._dialect.name,
            answered=tuple(self._answered),
            contradiction=contradiction,
            chosen=() if found is None else tuple(found.chosen),
            tried={} if found is None else {n: tuple(v) for n, v in found.tried.items()},
            visible={} if found is None else found.visible,
            events=learned.events,
            rows=learned.rows,
            letters=learned.letters,
            unread=learned.unread,
        )

    def _blamed(self, found: _Found) -> Contradiction:
        def refute(places: Sequence[int]) -> list[Death] | None:
            try:
                some = self._explained(places)
            except UsageError:  # fewer requests may fit more readings than can be tried
                return None
            return None if some.chosen else some.deaths

        def meaning(place: int, chosen: Chosen) -> Query | None:
            return self._readings.meaning(self._answered[place].recorded.ask, chosen)

        witness = Witness(self._answered, self._learned.events, meaning, finer=self._finer)
        return blamed(self._answered, found.deaths, refute, witness)

    def _explained(self, places: Sequence[int]) -> _Found:
        """Read the requests at `places` in every way, and look for visibility times under each."""
        found = _Found(chosen=[], visible={}, tried=defaultdict(dict), deaths=[])
        meanings = _Meanings()
        ways: Ways = {(): 0}
        for place in places:
            meanings.begin(place)
            ways = self._extended(ways, place, meanings, found)
            if len(ways) > ALIVE_MAX:
                raise _too_many()
        groups: dict[int, list[Chosen]] = defaultdict(list)
        for chosen, number in ways.items():
            groups[number].append(chosen)
        for number, chosen_here in groups.items():
            self._compare(meanings.of(number), chosen_here, found)
        return found

    def _extended(self, ways: Ways, place: int, meanings: _Meanings, found: _Found) -> Ways:
        """Read one more request in every way that is left, and drop what its answer contradicts."""
        alive: Ways = {}
        problems: dict[Query | None, Problem | None] = {}
        for chosen, further, query in self._read(ways, place):
            for name, value in further[len(chosen) :]:
                found.tried[name].setdefault(value)
            if query not in problems:
                problems[query] = problem = self._problem(place, query)
                if problem is not None:
                    found.deaths.append(
                        Death(says=problem.says, places=(place,), problem=problem, chosen=further)
                    )
            if problems[query] is None:
                alive[further] = meanings.then(ways[chosen], query)
        return alive

    def _read(self, ways: Ways, place: int) -> Iterator[tuple[Chosen, Chosen, Query | None]]:
        """Yield each way, how it goes on, and what the request at `place` then means."""
        ask = self._answered[place].recorded.ask
        known: dict[Chosen, list[tuple[Chosen, Query | None]]] = {}
        for chosen in ways:
            matter = self._readings.that_matter(ask, chosen)
            if matter not in known:
                known[matter] = [
                    (further[len(matter) :], query)
                    for further, query in self._readings.of(ask, matter)
                ]
            for more, query in known[matter]:
                yield chosen, (*chosen, *more), query

    def _problem(self, place: int, query: Query | None) -> Problem | None:
        each = self._answered[place]
        if each.recorded.status != 200:
            return None  # a refusal may have passed by itself
        if query is None:
            return Problem(
                kind="refused", says="it was answered, and no reading of the document accepts it"
            )
        if each.page is None:
            return None
        return self._page_problem(query, each.page)

    def _find_problem(self, query: Query, page: Page) -> Problem | None:
        return page_problem(query, page, self._learned.events, finer=self._finer)

    def _find_missing(self, query: Query, page: Page) -> tuple[EventId, ...]:
        self._comparisons += len(self._learned.events)
        if self._comparisons > COMPARISONS_MAX:
            raise UsageError(
                f"{len(self._answered)} requests that show {len(self._learned.events)} events fit "
                "too many readings of the document to compare all; cut the recording up, or run "
                "fakeserver probe"
            )
        return missing_from(query, page, self._learned.events, finer=self._finer)

    def _compare(
        self, read: list[tuple[int, Query | None]], chosen: list[Chosen], found: _Found
    ) -> None:
        """Look for visibility times that explain the answers, if the requests mean this."""
        visible, problem = check_all(self._answered, read, self._learned.events, self._missing)
        if problem is not None:
            found.deaths.append(Death(says=problem.says, places=problem.places))
            return
        found.visible = _agreed(found.visible, visible) if found.chosen else visible
        found.chosen += chosen


def _too_many() -> UsageError:
    """Return (not raise) the refusal of a recording that tells too little."""
    return UsageError(
        "the recording fits too many readings of the document; add one with more requests, or run "
        "fakeserver probe"
    )


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
