"""A pattern that the smallest world is too small to show, looked for in other worlds of the search.

Of a client that was served one row and delivered none, one world can't tell whether it delivers
anything at all. A few larger ones can: what is said of them names them, and accuses of nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fakeserver.verifier.clues import served
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.verdict import Verdict

WORLDS_MAX = 5
"""Looked at in vain so often, the pattern is not there."""


def needs_more_rows(broken: Verdict) -> bool:
    """Whether the first finding is of a row that was dropped, in a world where none was not."""
    if not broken.findings or broken.scenario is None:
        return False
    dropped = broken.findings[0].cause == "served-not-delivered"
    evidence = Evidence(broken.scenario, broken.history, broken.promise)
    return dropped and not evidence.deliveries and broken.promise.mode == "incremental"


def with_pattern(broken: Verdict, worlds: Iterator[tuple[int, Verdict]]) -> Verdict:
    """Return a verdict whose first finding tells the pattern of the first world that shows one.

    `worlds` yields numbers of other worlds of the same search with the verdicts on them.
    """
    for example, verdict in worlds:
        if verdict.scenario is None:
            continue
        evidence = Evidence(verdict.scenario, verdict.history, verdict.promise)
        found = served.pattern(evidence)
        if found is None:
            continue
        first = broken.findings[0]
        where = f"In example {example}, with {len(verdict.scenario.events)} events, it delivered"
        said = f"{where} {len(evidence.first_delivery)} of them. {' '.join(found.why)}"
        told = msgspec.structs.replace(first, why=(*first.why, said), would=found.would)
        return msgspec.structs.replace(broken, findings=(told, *broken.findings[1:]))
    return broken
