"""The theorems in all small worlds: a right client is never accused, a wrong one in some world.

All worlds in a nightly run, about two hundred of each kind by default. Run with ``-s`` to see how
many there were, and how small the worlds are that show a mistake.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from math import comb, gcd
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from fakeserver.scenario import Scenario
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.judge import findings, judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import Client, doorkeeper, run
from fakeserver.verifier.verdict import Finding

from .faulty import LATE, LATE_BY, PROMPT
from .faulty_clients import FAULTY
from .faulty_saleschannel import HoldBack, LookBack
from .right_clients import RIGHT, Right
from .small_worlds import BEAT_MS, EARLY, QUICK, SLOW, Pace, Space, crashes

SLICE = 200
LATENESS = (0, 1, 2)
TIES: tuple[dict[str, Any], ...] = ({}, {"ties": "shuffled"})
ANY_IDS = ("rising", "falling", "turned")
FACTORS = (1, 10, 100)


def thinned(space: Space, wanted: int) -> Iterator[Scenario]:
    """Yield about so many worlds of a space, at a stride that passes by no value of any field."""
    stride = max(1, len(space) // wanted)
    while gcd(stride, len(space)) > 1:
        stride += 1
    return space.worlds(every=stride)


def spaces(dialect: str, *, late: bool, rising: bool = False) -> dict[str, Space]:
    """The worlds that a theorem speaks of: all without crashes, and small ones with them."""
    whole = Space(
        dialect=dialect,
        late_beats=LATENESS if late else (0,),
        paces=(*QUICK, *SLOW),
        ids=ANY_IDS,
    )
    if dialect == "saleschannel":  # its ids say nothing; its stamps are exact to the millisecond
        whole = replace(whole, ids=("rising",), settings=TIES)
    if dialect == "saleschannel" or rising:
        whole = replace(whole, ids=("rising",), paces=(*QUICK, *EARLY, *SLOW))
    few = (QUICK[0], SLOW[0])
    return {
        "whole": whole,
        "crashed": replace(whole, paces=few, crashes=crashes(), events_max=2, limits=(2,)),
    }


# Right clients


def right_cases() -> Iterator[Any]:
    for right in RIGHT:
        rising = right.pins.get("id_order") == "monotonic"
        found = spaces(right.dialect, late=right.late_by_ms_max[0] > 0, rising=rising)
        for name, space in found.items():
            pinned = right.profiles[0].settings_default
            settings = tuple(pinned | chosen for chosen in space.settings)
            id_ = f"{right.file.removesuffix('.py')}-{name}"
            yield pytest.param(right, replace(space, settings=settings), id=id_)


def spared(client: Client, worlds: Iterable[Scenario], promises: Iterable[Promise]) -> int:
    """Raise with the report of the first world in which `client` is accused; count the worlds."""
    promises, count = tuple(promises), 0
    with doorkeeper() as keeper:
        for world in worlds:
            count += 1
            history = run(world, client, keeper=keeper)
            for promise in promises:
                if findings(Evidence(world, history, promise)):
                    raise AssertionError(judge(world, history, promise).text())
    return count


def promises_of(right: Right) -> list[Promise]:
    strongest = right.strongest_promises(right.profiles[0])
    return [promise for promise in strongest if promise.late_by_ms_max == right.late_by_ms_max[0]]


@pytest.mark.parametrize(("right", "space"), list(right_cases()))
def test_a_right_client_is_spared_in_a_slice(right: Right, space: Space) -> None:
    assert spared(right.client, thinned(space, SLICE), promises_of(right)) >= SLICE // 4


@pytest.mark.nightly
@pytest.mark.parametrize(("right", "space"), list(right_cases()))
def test_a_right_client_is_spared_in_every_world(right: Right, space: Space) -> None:
    count = spared(right.client, space.worlds(), promises_of(right))
    print(f"\n{right.file}: spared in all {count} worlds")
    assert count == len(space)


# Wrong clients


class Wrong(NamedTuple):
    """A client, what it promises, a space with a world that shows its mistake, and what is found.

    Where `rule` and `causes` are empty, any accusation will do.
    """

    name: str
    client: Client
    promise: Promise
    space: Space
    rule: str = "LOST"
    causes: tuple[str, ...] = ()

    def shows(self, finding: Finding) -> bool:
        return finding.rule == self.rule and (not self.causes or finding.cause in self.causes)


SMALL = (
    *("Gt", "PlusOneMs", "DropsFirstRow", "TrustsOneRowOfOverlap", "NoDedup", "DedupByTime"),
    *("StopsAtPageOfTies", "RepeatsPageOfTies", "NudgesPastTies"),
    *("NoLookBack", "HalfLookBack", "SecondsReadAsMs", "AnchoredAtWalkEnd", "FixedWindow"),
    *("ClockAsKey", "ForgetsSoon", "ForgetsWhenIdle", "LargestSeen", "WindowWithoutLookBack"),
    *("NewestFirstInPage", "HoldsNothingBack", "CrashesOnEmptyPage", "StartsWithoutSinceId"),
    *("StopsAtKnownEvent", "TrustsPagesToBeDisjoint", "FirstPageOnly", "EndlessOnExactMultiple"),
    *("IdsAsText", "OnePollLater", "HoldsBackLonger", "SnapshotOfOnePage", "PagesWithoutDedup"),
    *("SnapshotWithOverlap", "SnapshotOfTheNews"),
)
"""Clients of the gallery whose mistake needs no more than this: the wrong variants of the theory,
and a few that hand over or end wrongly."""
CRASHED = ("SavesBeforeDelivering", "DeliversThenSaves")
"""Clients of the gallery whose mistake only a crash shows."""


class AlmostTight(LookBack):
    """Theorem T2 is tight: a millisecond less than the lateness still is enough, two are not."""

    look_back = LATE_BY - timedelta(milliseconds=1)


class TooShort(LookBack):
    look_back = LATE_BY - timedelta(milliseconds=2)


class HoldsBackTooLittle(HoldBack):
    """A third of the lateness."""

    hold_back = LATE_BY / 3


def wrong_cases() -> Iterator[Wrong]:
    gallery = {faulty.name: faulty for faulty in FAULTY}
    for name in (*SMALL, *CRASHED):
        faulty = gallery[name]
        found = spaces(faulty.dialect, late=bool(faulty.promise.late_by_ms_max))
        space = found["crashed" if name in CRASHED else "whole"]
        yield Wrong(name, faulty.client, faulty.promise, space, faulty.rule, faulty.causes)
    saleschannel = spaces("saleschannel", late=True)["whole"]
    yield Wrong("TooShort", TooShort, LATE, saleschannel)
    yield Wrong("HoldsBackTooLittle", HoldsBackTooLittle, LATE, saleschannel)
    # Its walk must bring three stamps, one request each, before the late event appears.
    newest = replace(
        saleschannel, paces=SLOW, instants=(0, 1, 2, 3), events_min=5, events_max=5, limits=(2,)
    )
    yield Wrong("AnchoredAtNewest", gallery["AnchoredAtNewest"].client, LATE, newest)
    # Killed between two pages, the first time it runs, when some events are older than the window.
    backlog = replace(
        spaces("haravan", late=False)["crashed"], paces=(Pace((3, 4, 5)),), events_max=3
    )
    yield Wrong("SavesTheHeadFirst", gallery["SavesTheHeadFirst"].client, PROMPT, backlog)


def wrong_elsewhere() -> Iterator[Wrong]:
    """Right clients in worlds that break one assumption of their theorem."""
    right = {each.file.removesuffix(".py"): each.client for each in RIGHT}
    too_late = Promise(late_by_ms_max=4 * BEAT_MS)  # twice what they stand
    for file, dialect, promise, late_beats in (
        ("saleschannel_boundary_escalating", "saleschannel", LATE, LATENESS),
        ("saleschannel_look_back", "saleschannel", too_late, (0, 4)),
        ("saleschannel_hold_back", "saleschannel", too_late, (0, 4)),
        ("haravan_document", "haravan", LATE, LATENESS),
        ("haravan_rewound_since_id", "haravan", too_late, (0, 4)),
        ("haravan_window_since_id", "haravan", too_late, (0, 4)),
        ("haravan_window_pages", "haravan", too_late, (0, 4)),
    ):
        space = spaces(dialect, late=True, rising=True)["whole"]
        yield Wrong(f"{file}-late", right[file], promise, replace(space, late_beats=late_beats))
    for file, promise in (("haravan_document", PROMPT), ("haravan_rewound_since_id", LATE)):
        space = spaces("haravan", late=promise is LATE)["whole"]
        yield Wrong(f"{file}-ids", right[file], promise, replace(space, ids=ANY_IDS[1:]))


WRONG = [*wrong_cases(), *wrong_elsewhere()]
every_wrong_client = pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)


def accused(wrong: Wrong, worlds: Iterable[Scenario]) -> tuple[int, Scenario] | None:
    """Return the first world that shows the mistake, and how many had to be tried."""
    with doorkeeper() as keeper:
        for number, world in enumerate(worlds, start=1):
            history = run(world, wrong.client, keeper=keeper)
            if any(map(wrong.shows, findings(Evidence(world, history, wrong.promise)))):
                return number, world
    return None


@every_wrong_client
def test_a_wrong_client_is_accused(wrong: Wrong) -> None:
    """In a slice of its worlds; a tenfold one if need be."""
    slices: list[Callable[[], Any]] = [
        lambda wanted=SLICE * factor: accused(wrong, thinned(wrong.space, wanted))
        for factor in FACTORS
    ]
    assert any(found() is not None for found in slices)


@pytest.mark.nightly
@every_wrong_client
def test_the_smallest_world_that_shows_a_mistake(wrong: Wrong) -> None:
    found = accused(wrong, wrong.space.worlds())
    assert found is not None
    number, world = found
    stamps = [(e.recorded_at, e.visible_at) for e in world.events]
    print(f"\n{wrong.name}: {len(stamps)} events, world {number} of {len(wrong.space)}")


@pytest.mark.parametrize("wanted", [SLICE, pytest.param(10**6, marks=pytest.mark.nightly)])
def test_the_look_back_is_tight(wanted: int) -> None:
    space = replace(spaces("saleschannel", late=True)["whole"], paces=EARLY, limits=(2,))
    assert spared(AlmostTight, thinned(space, wanted), [LATE]) >= SLICE // 4


def test_the_spaces_are_as_large_as_they_should_be() -> None:
    """Of `k` events the stamps can be chosen in comb(k + 2, 2) ways, and each may be late."""
    logs = sum(comb(count + 2, 2) * len(LATENESS) ** count for count in range(5))
    space = spaces("saleschannel", late=True)["whole"]
    assert len(list(space.logs())) == logs
    assert len(space) == logs * (10 + 10 + 3) * 2 * 2
    assert sum(1 for _ in replace(space, late_beats=(0,)).worlds()) == 35 * 23 * 2 * 2
