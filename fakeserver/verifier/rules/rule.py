"""What a rule is, and words that several of them use."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.verdict import Finding, RuleName

SHOWN_EVENTS_MAX = 5
"""A finding names its first few events; the rest is counted."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, its words for people, and the function that applies it."""

    name: RuleName
    accuses: str
    spares: str
    source: str
    apply: Callable[[Evidence], Iterator[Finding]]


def events_text(count: int) -> str:
    """Return ``1 event was`` or ``3 events were``."""
    return "1 event was" if count == 1 else f"{count} events were"
