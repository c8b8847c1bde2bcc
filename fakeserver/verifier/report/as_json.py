"""A verdict as JSON: what ``--json`` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Verdict


def verdict_json(verdict: Verdict) -> bytes:
    """Return the verdict as indented JSON; scenario and history are objects, or null."""
    value: dict[str, Any] = {
        "outcome": verdict.outcome,
        "dialect": verdict.dialect,
        "profile": verdict.profile,
        "promise": verdict.promise,
        "seed": verdict.seed,
        "examples": verdict.examples,
        "findings": verdict.findings,
        "notes": verdict.notes,
        "hazards": {
            "exercised": verdict.exercised,
            "not_exercised": verdict.not_exercised,
        },
        "requests": {
            "count": verdict.requests.count,
            "lower_bound": verdict.requests.lower_bound,
            "ratio": verdict.requests.ratio,
        },
        "scenario": verdict.scenario,
        "history": verdict.history,
        "replay": verdict.replay,
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
