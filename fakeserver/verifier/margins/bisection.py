"""Where a row of steps stops standing: doubled, then halved, then checked. Pure.

A state machine rather than a loop over a callback: whoever tries the steps may stop at any moment
(Ctrl-C, a budget), and what is known so far is still here.
"""

from __future__ import annotations

CHECKED_PARTS = (4, 2)
"""On either side of the boundary, steps a quarter and a half of the way from it are tried besides:
that a harder step is harder for a client too is an assumption, and cheap to doubt."""


class Bisection:
    """Finds the last step from 0 to `last` that stands, if harder steps never stand again.

    Ask `next_step` what to try, until it is None, and `learn` what came of it.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self._tried: dict[int, bool] = {}

    @property
    def stands(self) -> int | None:
        """The hardest step that stood, and all tried below it, too; None where there is none."""
        return max((step for step in self._stood if step < self._least_broken), default=None)

    @property
    def breaks(self) -> int | None:
        """The mildest step that did not stand, or None where all of them did."""
        return min((step for step, stood in self._tried.items() if not stood), default=None)

    @property
    def stands_again(self) -> tuple[int, ...]:
        """The steps that stood although a milder one did not: the assumption was wrong."""
        return tuple(sorted(step for step in self._stood if step > self._least_broken))

    def learn(self, step: int, *, stood: bool) -> None:
        """Note what came of a step."""
        self._tried[step] = stood

    def next_step(self) -> int | None:
        """Return the step to try next, or None when the boundary is found and was checked."""
        stands, breaks = self.stands, self.breaks
        if stands is None:
            return None if self._tried else 0
        if breaks is None and stands < self._last:
            return min(2 * stands or 1, self._last)
        if breaks is not None and breaks - stands > 1:
            return (stands + breaks) // 2
        return next(
            (step for step in self._checks(stands, breaks) if step not in self._tried), None
        )

    def _checks(self, stands: int, breaks: int | None) -> list[int]:
        below = [stands - stands // part for part in CHECKED_PARTS]
        if breaks is None:
            return below
        rest = self._last - breaks
        return [*below, *(breaks + min(breaks, rest) // part for part in CHECKED_PARTS), self._last]

    @property
    def _stood(self) -> list[int]:
        return [step for step, stood in self._tried.items() if stood]

    @property
    def _least_broken(self) -> int:
        breaks = self.breaks
        return self._last + 1 if breaks is None else breaks
