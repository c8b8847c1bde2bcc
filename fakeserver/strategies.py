"""Worlds for tests with Hypothesis, drawn by the one generator, and simple when they are shrunk.

Hypothesis is imported when a strategy is made: nothing else of the package needs it.
"""

from __future__ import annotations

from collections.abc import Collection, MutableSequence, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.errors import UsageError
from fakeserver.generate import draw_scenario
from fakeserver.profile import Profile
from fakeserver.scenario import Scenario

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

T = TypeVar("T")

SHARES = 2**20
"""Into so many steps a share of 1 is cut: finer than any odds of the generator."""


def scenarios(
    dialect: str | None = None,
    profile: Profile | str = "default",
    *,
    page_size: int | None = None,
    late_by_ms_max: int | None = None,
    hazards: Collection[str] | None = None,
    instances: int = 1,
) -> SearchStrategy[Scenario]:
    """Return a strategy for worlds of a profile, for tests of your own with ``@given``.

    It draws what `fakeserver.generate_scenario` draws, and takes the same words, but no seed. What
    it shrinks to is small: few events, early, on time, in few polls without faults and crashes.
    `dialect` is by default that of a `Profile`, or ``haravan``. Raises `UsageError` where
    Hypothesis is not installed, or a word does not fit. ::

        @given(scenario=scenarios("saleschannel"))
        def test_any_world(fake_server_factory, scenario):
            server = fake_server_factory(scenario=scenario)
    """
    try:
        from hypothesis import strategies
    except ImportError as error:
        raise UsageError(
            "fakeserver.strategies needs Hypothesis: pip install 'fakeserver[hypothesis]'"
        ) from error
    if isinstance(profile, str):
        profile = find_dialect(dialect or "haravan").profile(profile)
    elif dialect not in (None, profile.dialect):
        raise UsageError(
            f"profile {profile.name!r} belongs to {profile.dialect!r}, not {dialect!r}"
        )
    words: dict[str, Any] = {
        "profile": profile,
        "page_size": page_size,
        "late_by_ms_max": late_by_ms_max,
        "hazards": hazards,
        "instances": instances,
    }
    # What does not fit is told now, and not in the test.
    draw_scenario(Random(0), **words)  # noqa: S311 - no secret

    @strategies.composite
    def drawn(draw: DrawFn) -> Scenario:
        scenario = draw_scenario(_Choices(draw), **words)
        return msgspec.structs.replace(scenario, origin="drawn by Hypothesis")

    return drawn()


class _Choices(Random):
    """A `Random` whose draws are Hypothesis' own, each of which shrinks to what is simple.

    A share shrinks towards 1, so that what happens with some odds does not happen; a whole number
    to the least of its range; a choice to the first; a shuffled list to what it was. With
    ``st.randoms()`` shares shrink towards 0, which is a world with every hazard in it.
    """

    def __new__(cls, _draw: DrawFn) -> _Choices:
        return super().__new__(cls)

    def __init__(self, draw: DrawFn) -> None:
        super().__init__(0)
        self._draw = draw

    def _below(self, end: int) -> int:
        from hypothesis.strategies import integers

        return self._draw(integers(0, end - 1))

    def random(self) -> float:
        """Draw a share from 0 up to, not including, 1."""
        return 1 - (self._below(SHARES) + 1) / SHARES

    def getrandbits(self, k: int, /) -> int:
        """Draw a whole number of `k` bits."""
        return self._below(2**k)

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """Draw one of a range."""
        numbers = range(start) if stop is None else range(start, stop, step)
        return numbers[self._below(len(numbers))]

    def randint(self, a: int, b: int) -> int:
        """Draw a whole number, the ends included."""
        return self.randrange(a, b + 1)

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]  # ours are sequences
        """Draw one of several."""
        return seq[self._below(len(seq))]

    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Put a list into any order."""
        for last in range(len(x) - 1, 0, -1):
            place = last - self._below(last + 1)
            x[last], x[place] = x[place], x[last]
