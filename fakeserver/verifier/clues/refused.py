"""Clues to requests that the API did not take as they were: a limit above its cap."""

from __future__ import annotations

import re

from fakeserver.history import Exchange
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.clues.clue import Clue
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.rules.requests import LIMIT_OVER_MAX

GOT = re.compile(r"""got ('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)$""")
"""The end of a refusal: what came."""


def limit_refused(
    evidence: Evidence, exchange: Exchange, asked: str = "that request", its: str = "its limit"
) -> Clue | None:
    """Say that a request was refused for a limit above the cap that the settings have, if so.

    `asked` and `its` put it into words.
    """
    code, _, says = (exchange.problem or "").partition(": ")
    cap, got = evidence.dialect.limit_max(evidence.settings), GOT.search(says)
    if code != LIMIT_OVER_MAX or cap is None or got is None:
        return None
    return Clue(
        why=(
            f"The API refused {asked} with {exchange.status} because {its}, {got[1]}, is "
            f"above the cap, {cap}.",
        ),
        would=f"Ask for {cap} rows at most, or again for fewer when a limit is refused.",
    )


def all_refused(evidence: Evidence, event: LoggedEvent) -> Clue | None:
    """Every request since `event` was visible was refused for its limit: so nobody ever asked."""
    exchanges = map(evidence.exchange, evidence.exchanges)
    later = [exchange for exchange in exchanges if exchange.at >= event.visible_at]
    clues = [
        limit_refused(evidence, each, "each request since then", "the limit") for each in later
    ]
    return clues[-1] if clues and all(clues) else None
