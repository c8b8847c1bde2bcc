"""What proves the power of the judge: hunt a faulty client, shrink what was found, and say who got
away. `kill_matrix.py` writes down the same numbers."""

from collections.abc import Iterable
from statistics import median
from typing import Any

import msgspec

from fakeserver.verifier.judge import OUR_SLIP
from fakeserver.verifier.search import verify
from fakeserver.verifier.verdict import Verdict

from .faulty import Faulty

EXAMPLES_MAX = 1_000
"""Who is not found in so many worlds has got away."""
SEEDS = tuple(range(10))


class Hunt(msgspec.Struct, frozen=True, kw_only=True):
    """How one seed went: the verdict, and what is wrong with it, or an empty text."""

    seed: int
    verdict: Verdict
    escape: str

    @property
    def worlds(self) -> int:
        """How many worlds it took, the broken one included."""
        return self.verdict.examples

    @property
    def events(self) -> int:
        """The events of the shrunk world."""
        return 0 if self.verdict.scenario is None else len(self.verdict.scenario.events)

    @property
    def polls(self) -> int:
        """The polls of its storm."""
        return 0 if self.verdict.scenario is None else self.verdict.scenario.calm_from


def hunt(faulty: Faulty, seed: int, *, examples: int = EXAMPLES_MAX) -> Hunt:
    """Search and shrink, as a user would: once for all tests that look at it."""
    key = (faulty.name, seed, examples)
    if key not in _KNOWN:
        _KNOWN[key] = _hunt(faulty, seed, examples)
    return _KNOWN[key]


_KNOWN: dict[tuple[str, int, int], Hunt] = {}


def searched(faulty: Faulty, seed: int, *, examples: int = EXAMPLES_MAX, **how: Any) -> Verdict:
    """Return the verdict of a search in the client's own worlds; `how` is for `verify`."""
    return verify(
        faulty.client,
        dialect=faulty.dialect,
        profile=faulty.profile,
        promise=faulty.promise,
        page_size=faulty.page_size,
        seed=seed,
        examples=examples,
        **how,
    )


def _hunt(faulty: Faulty, seed: int, examples: int) -> Hunt:
    verdict = searched(faulty, seed, examples=examples)
    return Hunt(seed=seed, verdict=verdict, escape=_escape(faulty, verdict))


def _escape(faulty: Faulty, verdict: Verdict) -> str:
    """Say how the client got away with its mistake, if it did."""
    if verdict.outcome != "broken":
        return f"spared in {verdict.examples} worlds"
    if any(OUR_SLIP in said for found in verdict.findings for said in found.why):
        return "a slip of ours"
    first = verdict.findings[0]
    if first.rule != faulty.rule or (faulty.causes and first.cause not in faulty.causes):
        return f"accused of {[(found.rule, found.cause) for found in verdict.findings]}"
    return ""


def escapes(faulty: Faulty, hunts: Iterable[Hunt]) -> list[str]:
    """Say with which seeds the client got away, or left a larger world than it should."""
    said = []
    for each in hunts:
        if each.escape:
            said.append(f"{faulty.name}, seed {each.seed}: {each.escape}")
        elif each.events > faulty.events_max or each.polls > faulty.storm_max:
            said.append(
                f"{faulty.name}, seed {each.seed}: a world of {each.events} events and "
                f"{each.polls} stormy polls, expected at most {faulty.events_max} and "
                f"{faulty.storm_max}"
            )
    return said


def median_worlds(hunts: Iterable[Hunt]) -> float:
    """How many worlds it takes with the usual seed."""
    return median(each.worlds for each in hunts)
