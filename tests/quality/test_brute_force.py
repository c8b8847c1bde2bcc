"""The judge agrees with a slow and obvious one on random histories: who is accused, and of what.

A thousand of them by default, 50,000 in a nightly run. The seed is fixed, and a disagreement shows
the history. Run with ``-s`` to see how often each rule accused, and what excused a client.
"""

from collections import Counter

import pytest

from fakeserver.history import to_lines
from fakeserver.scenario import EventId
from fakeserver.verifier.causes import CAUSES
from fakeserver.verifier.judge import OUR_SLIP, judge
from fakeserver.verifier.rules import RULES
from fakeserver.verifier.verdict import Finding

from . import brute_force
from .brute_evidence import Case, was_delivered
from .brute_force import BY_PLACE, accused, causes, excuse
from .histories import cases

HISTORIES = 1_000
HISTORIES_NIGHTLY = 50_000
SEED = 20_270_306
RARE = 1_000
"""Each rule, cause and excuse comes up at least once in so many histories."""
EXCUSES = {
    "the run was cut short",
    "too late",
    "withheld too long",
    "outside of what was asked for",
    "out of reach",
    "may be held back",
    "not visible when it last asked",
    "no chance yet",
}


def judged(case: Case) -> tuple[dict[str, set[object]], dict[EventId, str | None]]:
    """What the real judge accuses, in the words of the slow one; and the cause of each loss."""
    told: dict[str, set[object]] = {}
    why: dict[EventId, str | None] = {}
    for finding in judge(case.scenario, case.history, case.promise).findings:
        told.setdefault(finding.rule, set()).update(culprits(finding))
        assert not any(OUR_SLIP in said for said in finding.why), finding.why
        if finding.rule == "LOST":
            why |= dict.fromkeys(finding.event_ids, finding.cause)
    return told, why


def culprits(finding: Finding) -> tuple[object, ...]:
    if finding.rule in BY_PLACE:
        return finding.steps[-1:]
    # Of the two events that are named, the one that came too late.
    return finding.event_ids[:1] if finding.rule == "OUT_OF_ORDER" else finding.event_ids


def excuses(case: Case) -> set[str]:
    """What spared the client: why events that it did not deliver were not owed."""
    if case.promise.mode == "snapshot":
        return set()  # a poll owes what was there when it began, and nothing excuses it
    missing = [event for event in case.scenario.events if not was_delivered(case, event)]
    return {reason for event in missing if (reason := excuse(case, event)) is not None}


def shown(case: Case) -> str:
    return f"{case.promise}\n{case.scenario.to_json().decode()}\n{to_lines(case.history).decode()}"


@pytest.mark.parametrize(
    "count", [HISTORIES, pytest.param(HISTORIES_NIGHTLY, marks=pytest.mark.nightly)], ids=str
)
def test_the_judges_agree(count: int) -> None:
    seen: Counter[str] = Counter()
    for number, case in enumerate(cases(count, seed=SEED)):
        fast, why = judged(case)
        slow = {rule: set(told) for rule, told in accused(case).items()}
        assert fast == slow, f"history {number}:\n{shown(case)}"
        assert why == causes(case), f"history {number}:\n{shown(case)}"
        seen.update([*(fast or ["nothing"]), *set(why.values()), *excuses(case)])
    print(f"\n{count} histories: {dict(seen.most_common())}")
    assert set(seen) == {*RULES, "nothing", *EXCUSES, *(set(CAUSES) - {"unobservable"})}
    assert min(seen.values()) >= count // RARE, seen


def test_every_rule_has_a_slow_twin() -> None:
    assert set(brute_force.RULES) == set(RULES), "write the rule anew in tests/quality/brute_force"
