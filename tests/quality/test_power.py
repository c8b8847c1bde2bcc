"""The power of the judge: every faulty client is caught, soon, and for the right reason.

The whole gallery with ten seeds, each world shrunk, takes less than two minutes on two cores:
``pytest -n 2 -m nightly tests/quality/test_power.py``.
"""

from typing import Any

import pytest

from fakeserver.verifier.causes import CAUSES
from fakeserver.verifier.rules import RULES

from .faulty import PROMPT, Faulty, Gallery
from .faulty_clients import FAULTY
from .faulty_saleschannel import ByKey, Gt
from .power import SEEDS, escapes, hunt, median_worlds

WORLDS_MEDIAN_MAX = 20
"""A search of the usual length, 200 worlds, then misses nobody in practice."""

every_faulty_client = pytest.mark.parametrize("faulty", FAULTY, ids=lambda faulty: faulty.name)


@every_faulty_client
def test_a_faulty_client_is_caught_in_a_small_world(faulty: Faulty) -> None:
    assert escapes(faulty, [hunt(faulty, SEEDS[0])]) == []


@pytest.mark.nightly
@every_faulty_client
def test_a_faulty_client_is_caught_soon_with_every_seed(faulty: Faulty) -> None:
    hunts = [hunt(faulty, seed) for seed in SEEDS]
    assert escapes(faulty, hunts) == []
    assert median_worlds(hunts) <= WORLDS_MEDIAN_MAX, [each.worlds for each in hunts]


CANARIES = Gallery("saleschannel")
"""Claims that are wrong: if nobody noticed them, nobody would notice an escape either."""


@CANARIES.shows("LOST", "cut-by-limit", fault="C01", promise=PROMPT)
class RightAfterAll(ByKey):
    """C01. Nothing: this client is right."""


@CANARIES.shows("DUPLICATED", fault="C02", promise=PROMPT)
class WrongInAnotherWay(Gt):
    """C02. Not this: it loses events and repeats none."""


@CANARIES.shows("LOST", "never-asked", fault="C01", promise=PROMPT)
class WrongForAnotherReason(Gt):
    """C01. Its loss has another cause."""


@CANARIES.shows("LOST", "cut-by-limit", fault="C01", promise=PROMPT, events_max=1)
class ShownInALargeWorld(Gt):
    """C01. One event shows nothing here."""


@pytest.mark.parametrize(
    ("canary", "says"),
    list(
        zip(
            CANARIES.clients,
            ("spared in 60 worlds", "accused of [('LOST'", "accused of [('LOST'", "a world of"),
            strict=True,
        )
    ),
    ids=[canary.name for canary in CANARIES.clients],
)
def test_a_canary_is_reported_as_an_escape(canary: Faulty, says: str) -> None:
    (said,) = escapes(canary, [hunt(canary, SEEDS[0], examples=60)])
    assert said.startswith(f"{canary.name}, seed 0: {says}")


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_culprit(rule: str) -> None:
    """Its innocents are all right clients: `test_fairness` lets every rule judge each of them."""
    assert [faulty.name for faulty in FAULTY if faulty.rule == rule]


@pytest.mark.parametrize("cause", sorted(set(CAUSES) - {"unobservable"}))
def test_every_cause_has_a_culprit(cause: str) -> None:
    """All but ``unobservable``, which is no accusation."""
    assert [faulty.name for faulty in FAULTY if cause in faulty.causes]


@every_faulty_client
def test_a_faulty_client_says_what_its_fault_is(faulty: Faulty) -> None:
    assert (faulty.client.__doc__ or "").startswith(f"{faulty.fault}. ")


def test_no_two_faulty_clients_have_one_name() -> None:
    names = [faulty.name for faulty in FAULTY]
    assert [name for name in names if names.count(name) > 1] == []


def test_what_is_unusual_about_a_faulty_client_is_explained() -> None:
    """A longer docstring beside the number: the first sentence says the mistake, the rest why."""

    def is_unusual(faulty: Faulty) -> bool:
        usual: dict[str, Any] = {"events_max": 5, "storm_max": 3}
        return any(getattr(faulty, name) > value for name, value in usual.items())

    unexplained = [
        faulty.name
        for faulty in FAULTY
        if is_unusual(faulty) and " ".join((faulty.client.__doc__ or "").split()).count(". ") < 2
    ]
    assert unexplained == []
