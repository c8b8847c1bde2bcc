"""What came up in many worlds, as a sum: neither their order nor their grouping changes it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fakeserver.history import Saved
from fakeserver.verifier.verdict import Requests, Verdict


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers over `worlds`: in how many each hazard and each impossibility came up, and so on.

    `counted` sums what is worth a note (`judge.NOTES`). `saves` says whether the client ever saved:
    one that never does can't be killed before a save.
    """

    worlds: int = 0
    exercised: Mapping[str, int] = {}
    counted: Mapping[str, int] = {}
    impossible: Mapping[str, int] = {}
    requests: Requests = Requests()
    saves: bool = False

    @staticmethod
    def of(verdict: Verdict) -> Tally:
        """Return the tally of the one world that `verdict` is about."""
        return Tally(
            worlds=1,
            exercised=verdict.exercised,
            counted=verdict.counted,
            impossible=dict.fromkeys((each.name for each in verdict.impossible), 1),
            requests=verdict.requests,
            saves=any(isinstance(step, Saved) for step in verdict.history),
        )

    def plus(self, other: Tally) -> Tally:
        """Return the tally of the worlds of both."""
        return Tally(
            worlds=self.worlds + other.worlds,
            exercised=_sum(self.exercised, other.exercised),
            counted=_sum(self.counted, other.counted),
            impossible=_sum(self.impossible, other.impossible),
            requests=Requests(
                count=self.requests.count + other.requests.count,
                lower_bound=self.requests.lower_bound + other.requests.lower_bound,
            ),
            saves=self.saves or other.saves,
        )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Add by name, in the order of the alphabet."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
