"""The power of the judge: every faulty client is caught, soon, and for the right reason."""

from collections.abc import Iterable

import pytest

from fakeserver.generate import generate_scenario
from fakeserver.verifier.causes import CAUSES
from fakeserver.verifier.judge import judge
from fakeserver.verifier.rules import RULES
from fakeserver.verifier.runner import doorkeeper, run
from fakeserver.verifier.search import EXAMPLES_DEFAULT, verify
from fakeserver.verifier.verdict import Verdict

from .faulty import Faulty
from .faulty_clients import FAULTY

SEEDS = (0, 1, 2)
SEEDS_NIGHTLY = tuple(range(10))
SHRUNK: dict[tuple[str, int], Verdict] = {}
every_faulty_client = pytest.mark.parametrize("faulty", FAULTY, ids=lambda faulty: faulty.name)


def first_broken(faulty: Faulty, seed: int) -> Verdict | None:
    """The verdict on the first world of `seed` that the client breaks, not shrunk."""
    with doorkeeper() as keeper:
        for example in range(EXAMPLES_DEFAULT):
            scenario = generate_scenario(
                dialect=faulty.dialect,
                profile=faulty.profile,
                seed=seed,
                example=example,
                page_size=faulty.page_size,
                late_by_ms_max=faulty.promise.late_by_ms_max,
            )
            history = run(scenario, faulty.client, keeper=keeper)
            verdict = judge(scenario, history, faulty.promise)
            if verdict.outcome == "broken":
                return verdict
    return None


def names_the_mistake(faulty: Faulty, verdict: Verdict) -> bool:
    return any(
        finding.rule == faulty.rule and (not faulty.causes or finding.cause in faulty.causes)
        for finding in verdict.findings
    )


def escapes(faulty: Faulty, seeds: Iterable[int]) -> list[str]:
    """The seeds with which the client gets away, or is accused of something else only."""
    said = []
    for seed in seeds:
        verdict = first_broken(faulty, seed)
        if verdict is None:
            said.append(f"seed {seed}: spared in {EXAMPLES_DEFAULT} worlds")
        elif not names_the_mistake(faulty, verdict):
            said.append(f"seed {seed}: {[(f.rule, f.cause) for f in verdict.findings]}")
    return said


def shrunk(faulty: Faulty, seed: int) -> Verdict:
    """The verdict as users see it: searched and shrunk, once for all tests that look at it."""
    key = (faulty.name, seed)
    if key not in SHRUNK:
        SHRUNK[key] = search(faulty, seed)
    return SHRUNK[key]


def search(faulty: Faulty, seed: int) -> Verdict:
    return verify(
        faulty.client,
        dialect=faulty.dialect,
        profile=faulty.profile,
        promise=faulty.promise,
        page_size=faulty.page_size,
        seed=seed,
    )


@every_faulty_client
def test_a_faulty_client_is_caught(faulty: Faulty) -> None:
    assert escapes(faulty, SEEDS) == []


@every_faulty_client
def test_the_shrunk_world_is_small_and_shows_the_same(faulty: Faulty) -> None:
    verdict = shrunk(faulty, seed=0)
    assert names_the_mistake(faulty, verdict), verdict.text()
    assert verdict.scenario is not None
    assert len(verdict.scenario.events) <= faulty.events_max, verdict.text()
    assert verdict.scenario.calm_from <= faulty.storm_max, verdict.text()


@pytest.mark.nightly
@every_faulty_client
def test_a_faulty_client_is_caught_with_every_seed(faulty: Faulty) -> None:
    assert escapes(faulty, SEEDS_NIGHTLY) == []


@pytest.mark.nightly
@pytest.mark.parametrize("seed", SEEDS_NIGHTLY)
@every_faulty_client
def test_every_shrunk_world_shows_the_same(faulty: Faulty, seed: int) -> None:
    verdict = shrunk(faulty, seed)
    assert names_the_mistake(faulty, verdict), verdict.text()


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
