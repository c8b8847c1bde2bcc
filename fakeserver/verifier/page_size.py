"""A client's own page size: many ask for 100 or 250, whatever they are told.

Worlds are built around the size that a client really asks for. That would make a world depend on
those before it, and on how many are tried at once; so it is learnt from the first worlds alone,
which are played one after the other, and settled before any other is drawn. They are the same ones
for one process as for many, and for each shard.
"""

from __future__ import annotations

from typing import NamedTuple

from fakeserver.history import Exchange
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.verdict import Verdict

WORLDS_MAX = 12
"""Two worlds that suggest different sizes tell it. Five sizes are suggested, each as often: that so
many worlds in a row would not tell happens to a client that does as it is told."""


class Asked(NamedTuple):
    """The page size that a world suggested, and the limit of the client's first request (rows).

    A limit of None is a request that named none.
    """

    suggested: int
    limit: int | None


class PageSize:
    """Learns from one world after the other; `told` pins the size, and nothing is learnt."""

    def __init__(self, told: int | None) -> None:
        self.rows = told
        self._worlds = 0
        self._asked: set[Asked] = set()

    @property
    def is_settled(self) -> bool:
        """Whether further worlds would change nothing."""
        return self.rows is not None or self._worlds >= WORLDS_MAX

    def learn(self, asked: Asked | None) -> None:
        """Take in what a client asked for in the next world; None is nothing that can be read."""
        if self.is_settled:
            return
        self._worlds += 1
        if asked is None or asked.limit == asked.suggested:
            self._asked.clear()
            return
        self._asked.add(asked)
        suggested = {each.suggested for each in self._asked}
        limits = {each.limit for each in self._asked}
        if len(suggested) > 1 and len(limits) == 1:
            self.rows = limits.pop()  # it can't be told its page size


def asked_in(verdict: Verdict) -> Asked | None:
    """Return what the client asked for first in the world of `verdict`, if that can be read."""
    if verdict.scenario is None:
        return None
    evidence = Evidence(verdict.scenario, verdict.history, verdict.promise)
    first = next((step for step in verdict.history if isinstance(step, Exchange)), None)
    query = None if first is None else evidence.meant(first)  # it may have failed
    return None if query is None else Asked(verdict.scenario.page_size, query.limit_asked)
