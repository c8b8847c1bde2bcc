"""A verdict as JSON: what ``--json`` writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from fakeserver.dialects import base

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Margin, Verdict


FORMAT = 1
"""Raised when a field goes or changes its meaning, in contracts/verdict/verdict.schema.json too."""
TOKEN = base.TOKEN.encode()


def verdict_json(verdict: Verdict) -> bytes:
    """Return the verdict as indented JSON; scenario and history are objects, or null.

    Its form is ``contracts/verdict/verdict.schema.json``.
    Margins are there only where they were measured, others only where several were merged.
    """
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
        "impossible": verdict.impossible,
        "format": FORMAT,
        "search": _search(verdict),
    }
    if verdict.margins:
        value["margins"] = {margin.axis: _margin(margin) for margin in verdict.margins}
    if verdict.others:
        value["others"] = verdict.others
    # What a client sent or saved is in the history, and so may be the token.
    return msgspec.json.format(_encode(value).replace(TOKEN, b"<token>"), indent=2) + b"\n"


def _search(verdict: Verdict) -> dict[str, Any] | None:
    """What was searched, with what of the verdict nobody else asks for: null for one world."""
    if verdict.search is None:
        return None
    asked = {name: getattr(verdict.search, name) for name in verdict.search.__struct_fields__}
    found = {"found_at": verdict.found_at, "shrunk_from": verdict.shrunk_from}
    return {"client": verdict.client, **asked, **found}


def _margin(margin: Margin) -> dict[str, Any]:
    """All but the world, which `replay` names."""
    shown = (name for name in margin.__struct_fields__ if name not in ("axis", "scenario"))
    return {name: getattr(margin, name) for name in shown}


def _encode(value: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair, which a client may put into an id
        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")
