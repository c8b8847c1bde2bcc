"""What a report says was tried is true of every faulty client: so much helps, less does not."""

import pytest
from msgspec.structs import replace

from fakeserver.dialects import find_dialect
from fakeserver.verifier.changes import Change
from fakeserver.verifier.judge import judge
from fakeserver.verifier.remedies import NAMES
from fakeserver.verifier.runner import run
from fakeserver.verifier.verdict import Tried, Verdict

from .faulty import Faulty
from .faulty_clients import FAULTY
from .power import hunt
from .test_power import every_faulty_client

HELPED = {
    "Gt": "inclusive-bound",
    "NoDedup": "drop-repeats",
    "StopsAtPageOfTies": "raise-limit",
    "NoLookBack": "look-back",
    "HalfLookBack": "look-back",
    "LargestSeen": "look-back",
    "SavesBeforeDelivering": "save-last",
    "SavesTheHeadFirst": "retry",
    "TakesAnErrorForTheEnd": "retry",
}
"""Clients whose mistake can be made good from outside, and how."""


def change_of(tried: Tried) -> Change:
    fields = {field: True for field, name in NAMES.items() if name in tried.changes}
    amounts = {"look_back_ms": tried.amount_ms or 0, "limit_min": tried.limit}
    return Change(**{**fields, **amounts})  # type: ignore[arg-type]


def is_kept(faulty: Faulty, verdict: Verdict, change: Change) -> bool:
    assert verdict.scenario is not None
    history = run(verdict.scenario, faulty.client, change=change)
    return not judge(verdict.scenario, history, faulty.promise).findings


@every_faulty_client
def test_what_helps_helps_and_less_does_not(faulty: Faulty) -> None:
    verdict = hunt(faulty, 0).verdict
    tried = verdict.findings[0].tried
    if tried is None:
        return
    change = change_of(tried)
    assert is_kept(faulty, verdict, change), tried.sentence
    assert verdict.scenario is not None
    if change.look_back_ms:
        step = find_dialect(faulty.dialect).stamp_ms
        less = replace(change, look_back_ms=change.look_back_ms - step)
        assert not is_kept(faulty, verdict, less), tried.sentence
    if change.limit_min:
        less = replace(change, limit_min=change.limit_min - 1)
        assert not is_kept(faulty, verdict, less), tried.sentence


@pytest.mark.parametrize("name", HELPED)
def test_a_mistake_that_can_be_made_good_from_outside_is(name: str) -> None:
    faulty = next(faulty for faulty in FAULTY if faulty.name == name)
    tried = hunt(faulty, 0).verdict.findings[0].tried
    assert tried is not None
    assert HELPED[name] in tried.changes
