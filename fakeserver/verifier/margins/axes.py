"""What can be measured of a client: four axes, each a row of values from mild to hard.

An axis ends where nobody needs to know more (`"tried"`), or where no client can be right because
of the API (`"api"`; impossibilities I1 and I2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from fakeserver.clock import SECOND_MS
from fakeserver.scenario import Scenario
from fakeserver.verifier.margins import worlds
from fakeserver.verifier.margins.worlds import Setup
from fakeserver.verifier.promise import LATE_BY_MS_LIMIT
from fakeserver.verifier.verdict import MarginAxis

TIES_MAX = 1_000
"""Four of the largest pages that an API here has. Bulk jobs do write more at once, but who passes
so many rows has a way to pass ties."""
APPENDS_MAX = 100
"""Between two requests, twice a usual page: who reads pages of that size never catches up."""
ASKED_MAX = 250
"""The largest page of an API here; to be cut down from more shows the same fault."""


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One axis: its values by step from 0, mild, to `last`, hard, and the worlds of a value.

    `worlds` is how many there are of each value. `why` says what is beyond the last value.
    """

    name: MarginAxis
    unit: Literal["ms", "events", "rows"]
    value: Callable[[int], int]
    last: int
    ends_with: Literal["tried", "api"]
    why: str
    world: Callable[[Setup, int, int], Scenario]
    worlds: int


def axes(setup: Setup) -> Iterator[Axis]:
    """Yield the axes that the API and the profile have."""
    yield _lateness()
    yield _ties(setup)
    yield _appends()
    if "clamp" in setup.profile.allowed.get("limit_over_max", ()):
        yield _cap(setup)


def _lateness() -> Axis:
    return Axis(
        name="late_by_ms",
        unit="ms",
        value=_lateness_of,
        last=SECOND_MS + LATE_BY_MS_LIMIT // SECOND_MS - 1,
        ends_with="tried",
        why="a promise can't name a longer lateness",
        world=worlds.late,
        worlds=6,
    )


def _lateness_of(step: int) -> int:
    """In milliseconds up to a second, where one more can matter, and then in seconds."""
    return step if step < SECOND_MS else (step - SECOND_MS + 1) * SECOND_MS


def _ties(setup: Setup) -> Axis:
    caps = [cap for cap in setup.profile.allowed.get("limit_max", ()) if cap is not None]
    cap = min(map(int, caps), default=None)
    # Where pages go by an inclusive stamp alone, the rows of one beyond the cap are out of reach.
    by_stamp = setup.dialect.overlap_rows > 0 and cap is not None and cap <= TIES_MAX
    return Axis(
        name="ties",
        unit="events",
        value=lambda step: step + 1,
        last=(cap - 1 if by_stamp and cap else TIES_MAX) - 1,
        ends_with="api" if by_stamp else "tried",
        why=f"no client can pass {cap}: the server returns {cap} rows at most"
        if by_stamp
        else "who passes so many has a way to pass ties",
        world=worlds.tied,
        worlds=4,
    )


def _appends() -> Axis:
    return Axis(
        name="appends_per_request",
        unit="events",
        value=lambda step: step,
        last=APPENDS_MAX,
        ends_with="tried",
        why="whoever reads pages of a usual size never catches up any more",
        world=worlds.appended,
        worlds=3,
    )


def _cap(setup: Setup) -> Axis:
    least = 1 + setup.dialect.overlap_rows
    most = max(least, min(setup.asked, ASKED_MAX))
    return Axis(
        name="limit_max",
        unit="rows",
        value=lambda step: most - step,
        last=most - least,
        ends_with="api" if least > 1 else "tried",
        why="with 1, the row that it has, no client gets on"
        if least > 1
        else "there is no smaller page",
        world=worlds.capped,
        worlds=3,
    )
