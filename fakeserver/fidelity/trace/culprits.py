"""Which requests a contradiction rests on: as few as together refute every reading.

Where that is one alone, another is looked for that shows by itself what the one breaks: the field
of a row, an order, a limit. Nothing is made up: where no other bears on it, this is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import msgspec

from fakeserver.fidelity.trace.checking import (
    Answered,
    Contradiction,
    Events,
    Problem,
    in_order,
    page_problem,
)
from fakeserver.fidelity.trace.learning import place_of_row
from fakeserver.fidelity.trace.readings import Chosen
from fakeserver.fidelity.trace.rows import Page, compare
from fakeserver.query import ID, Query

CANDIDATES_MAX = 48
"""Each is left out once, and the others read again; so many requests refute something at most."""


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """Why a reading fell: a sentence, and the places of the requests that show it, "it" last.

    What one answer breaks by itself has its `problem`, and `chosen`, the settings of the reading.
    """

    says: str
    places: tuple[int, ...]
    problem: Problem | None = None
    chosen: Chosen = ()


Refute = Callable[[Sequence[int]], list[Death] | None]
"""Places of requests → how each of their readings falls, or None if one of them stands."""
Meaning = Callable[[int, Chosen], Query | None]
"""Place of a request, and settings → what it means."""


def blamed(
    answered: Sequence[Answered], deaths: Sequence[Death], refute: Refute, witness: Witness
) -> Contradiction:
    """Return the contradiction behind the `deaths` of all readings, by as few requests as may be.

    Those left are needed, each of them: without any one, a reading stands. `witness` looks for
    another one where they are one alone.
    """
    left = sorted({place for death in deaths for place in death.places})
    if len(left) > CANDIDATES_MAX:
        return Contradiction(says=deaths[-1].says, places=deaths[-1].places)
    for place in tuple(left):
        rest = [each for each in left if each != place]
        if rest and (found := refute(rest)) is not None:
            left, deaths = rest, found
    if len(left) > 1:
        return _together(answered, left, deaths)
    (place,) = left
    for death in deaths:
        beside = witness.of(death, place)
        if beside is not None:
            other, shows = beside
            return Contradiction(says=f"{death.says}; {shows}", places=(other, place))
    return Contradiction(
        says=f"{deaths[0].says}; no other request bears on it, this one answer contradicts itself: "
        f"{answered[place].recorded.where} and its own parameters",
        places=(place,),
    )


def _together(
    answered: Sequence[Answered], left: Sequence[int], deaths: Sequence[Death]
) -> Contradiction:
    """Say how one reading after the other falls, until every one of the requests was spoken of.

    The request that is "it" of the first sentence comes last.
    """
    deaths = sorted(deaths, key=lambda death: -len(death.places))
    says: list[str] = []
    told: set[int] = set()
    for death in deaths:
        if not {*death.places} <= told:
            told.update(death.places)
            says.append(f"{death.says} ({answered[death.places[-1]].recorded.where})")
    last = deaths[0].places[-1]
    return Contradiction(
        says="; or, read otherwise, ".join(says) if len(says) > 1 else deaths[0].says,
        places=(*(place for place in left if place != last), last),
    )


class Witness:
    """Looks for an answer that keeps what another one breaks, read by the same settings."""

    def __init__(
        self, answered: Sequence[Answered], events: Events, meaning: Meaning, *, finer: bool
    ) -> None:
        self._answered = answered
        self._events = events
        self._meaning = meaning
        self._finer = finer

    def of(self, death: Death, culprit: int) -> tuple[int, str] | None:
        """Return the place of a request, and what it shows; None where there is no such one."""
        problem, query = death.problem, self._meaning(culprit, death.chosen)
        if problem is None or query is None:
            return None
        if problem.kind in ("condition", "twice"):
            if problem.field == ID:  # the row shows it by itself
                return None
            place = place_of_row(self._answered, problem.rows[0], problem.field or ID, but=culprit)
            return None if place is None else (place, "the other answer shows what it is")
        look = partial(self._first, death.chosen, culprit)
        if problem.kind == "limit":
            return look(
                "the other answer keeps the same limit",
                lambda other, page: other.limit == query.limit == page.raw,
            )
        return look(
            "the other answer has them the other way round",
            lambda other, page: other.order == query.order and {*problem.rows} <= {*page.ids},
        ) or look(
            "the other answer keeps that order",
            lambda other, page: other.order == query.order and self._goes_by(other, page),
        )

    def _first(
        self, chosen: Chosen, culprit: int, says: str, shows: Callable[[Query, Page], bool]
    ) -> tuple[int, str] | None:
        """Return the first other request whose answer `shows` it, and has nothing wrong."""
        for place, each in enumerate(self._answered):
            other = None if each.page is None else self._meaning(place, chosen)
            if place == culprit or each.page is None or other is None:
                continue
            if shows(other, each.page) and not page_problem(
                other, each.page, self._events, finer=self._finer
            ):
                return place, says
        return None

    def _goes_by(self, query: Query, page: Page) -> bool:
        """Whether two neighbours on a page show by which order it goes."""
        return any(
            compare(query, self._events[a], self._events[b]) == -1
            for a, b in pairwise(in_order(query, page.ids))
        )
