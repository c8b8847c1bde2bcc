"""No right client is accused because of a fault: it raises, and comes back in the next poll."""

from collections import Counter
from random import Random

import pytest

from fakeserver.fault import FAULT_KINDS
from fakeserver.generate import generate_scenario
from fakeserver.history import Exchange, History, PollEnded
from fakeserver.profile import Profile
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.judge import findings, judge
from fakeserver.verifier.runner import doorkeeper, run

from .faults import with_faults
from .right_clients import RIGHT, Right, worlds
from .test_fairness import name_of

EXAMPLES = 20
EXAMPLES_NIGHTLY = 1_000


def check(right: Right, profile: Profile, late: int, *, examples: int, seed: int) -> list[History]:
    """Play worlds with faults and judge each by every promise that the client can meet."""
    promises = [p for p in right.promises(profile) if p.late_by_ms_max == late]
    histories = []
    with doorkeeper() as keeper:
        for example in range(examples):
            scenario = generate_scenario(
                dialect=right.dialect,
                profile=profile,
                seed=seed,
                example=example,
                late_by_ms_max=late,
            )
            scenario = with_faults(scenario, Random(f"{right.file} {seed} {example}"))
            history = run(scenario, right.client, keeper=keeper)
            histories.append(history)
            for promise in promises:
                found = findings(Evidence(scenario, history, promise))
                assert found == (), f"{scenario.origin}: {judge(scenario, history, promise).text()}"
    return histories


@pytest.mark.parametrize(("right", "profile", "late"), list(worlds()), ids=name_of)
def test_a_right_client_is_spared_under_faults(right: Right, profile: Profile, late: int) -> None:
    histories = check(right, profile, late, examples=EXAMPLES, seed=2)
    assert any(isinstance(s, PollEnded) and s.ending == "raised" for h in histories for s in h)


@pytest.mark.nightly
@pytest.mark.parametrize(("right", "profile", "late"), list(worlds()), ids=name_of)
def test_a_right_client_is_spared_under_faults_for_long(
    right: Right, profile: Profile, late: int
) -> None:
    check(right, profile, late, examples=EXAMPLES_NIGHTLY, seed=3)


def test_every_kind_of_fault_was_met() -> None:
    met: Counter[str] = Counter()
    for right in RIGHT:
        profile, late = right.profiles[0], right.late_by_ms_max[0]
        for history in check(right, profile, late, examples=EXAMPLES, seed=2):
            met.update({s.fault for s in history if isinstance(s, Exchange) and s.fault})
    assert set(met) == set(FAULT_KINDS)
