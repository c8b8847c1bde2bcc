"""For tests that no pytest runs but a fuzzer, which calls them again and again for hours.

A fuzzer that is led by coverage takes an example up only if it goes the same ways twice. What was
worked out for a world is remembered in small caches, so the second time would go other ways.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

KEPT = ("fakeserver.vocabulary", "fakeserver.dialects", "fakeserver.drawing.plan")
"""Modules whose caches are the same for every world, and take long to fill."""
KEPT_OF_DIALECTS = ".stories"
"""How such a module of a dialect ends."""


class Forgetful:
    """Empties what is remembered of worlds, wherever that is."""

    def __init__(self) -> None:
        self._modules = 0
        self._clear: tuple[Callable[[], None], ...] = ()

    def forget(self) -> None:
        """Forget it."""
        if self._modules != len(sys.modules):  # some are imported when they are needed
            self._modules = len(sys.modules)
            self._clear = tuple(_caches())
        for clear in self._clear:
            clear()


def _caches() -> Iterator[Callable[[], None]]:
    """Yield what empties each cache of ours."""
    for name, module in list(sys.modules.items()):
        if not name.startswith("fakeserver.") or name in KEPT or name.endswith(KEPT_OF_DIALECTS):
            continue
        for value in vars(module).values():
            if hasattr(value, "cache_clear") and getattr(value, "__module__", "") == name:
                yield value.cache_clear
