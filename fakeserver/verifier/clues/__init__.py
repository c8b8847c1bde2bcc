"""Clues: what else the history shows of the mistake, and advice that mends just that.

A rule proves that a promise is broken, for whatever reason; a clue tells the reason where the
history has it. Each sentence is a fact of this history, and may be said though several mistakes
would leave it: the advice is for the one that it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from fakeserver.verifier.clues import lost, others, repeated
from fakeserver.verifier.clues.clue import Clue
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.verdict import Finding

CLUES: Mapping[str, Callable[[Evidence, Finding], Clue | None]] = {
    "LOST": lost.clue,
    "DUPLICATED": repeated.clue,
    "INVENTED": others.invented,
    "OUT_OF_ORDER": others.out_of_order,
    "STUCK": others.stuck,
    "CRASHED": others.crashed,
    "ILLEGAL_REQUEST": others.illegal_request,
    "IMPOLITE": others.impolite,
}
"""For each rule what looks for clues about its findings. A rule that is missing has none."""


def with_clues(evidence: Evidence, finding: Finding) -> Finding:
    """Return `finding` with what else its history shows, and with advice for that."""
    look = CLUES.get(finding.rule)
    found = None if look is None else look(evidence, finding)
    if found is None:
        return finding
    return msgspec.structs.replace(
        finding, why=(*finding.why, *found.why), would=found.would or finding.would
    )
