"""The marker ``fakeserver``: which world the fixtures play in a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

MARKER = "fakeserver"
DRAWN = (
    "dialect",
    "profile",
    "seed",
    "example",
    "page_size",
    "late_by_ms_max",
    "hazards",
    "instances",
)
"""The words of `fakeserver.generate_scenario`. A test holds the two to each other: importing it to
ask would cost everybody who has a marker and no world."""
WORDS = (*DRAWN, "scenario")
SIGNATURE = (
    f"{MARKER}(*, dialect='haravan', profile='default', seed=0, example=0, page_size=None, "
    "late_by_ms_max=None, hazards=None, instances=1, scenario=None): the world that fake_server "
    "plays, and what verify_client takes where a call says nothing else (dialect, profile, seed, "
    "page_size); or one scenario, or its file, for both. The marker of a test goes before that of "
    "its class or module, word by word"
)

Words = Mapping[str, Any]


def words_of(item: pytest.Item) -> dict[str, Any]:
    """Return what the markers of a test say. Raises `pytest.UsageError` for a slip in one."""
    markers = list(item.iter_markers(MARKER))
    for marker in markers:
        _check(marker)
    return layered(*(marker.kwargs for marker in reversed(markers)))


def layered(*layers: Words) -> dict[str, Any]:
    """Return what several layers say together, later ones before earlier ones.

    A scenario is complete, so it and the words of drawing one replace each other.
    """
    together: dict[str, Any] = {}
    for layer in layers:
        if "scenario" in layer:
            together = {}
        elif any(name in layer for name in DRAWN):
            together.pop("scenario", None)
        together.update(layer)
    return together


def _check(marker: pytest.Mark) -> None:
    if marker.args:
        raise pytest.UsageError(
            f"@pytest.mark.{MARKER} takes names, as in dialect='haravan'; got {marker.args!r}"
        )
    strange = [name for name in marker.kwargs if name not in WORDS]
    if strange:
        raise pytest.UsageError(
            f"@pytest.mark.{MARKER} takes {', '.join(WORDS)}; "
            f"got {', '.join(strange)}{_nearest(strange)}"
        )
    beside = [name for name in marker.kwargs if name != "scenario"]
    if "scenario" in marker.kwargs and beside:
        raise pytest.UsageError(
            f"@pytest.mark.{MARKER}: a scenario is complete, it takes no {', '.join(beside)} "
            "beside it"
        )


def _nearest(strange: Iterable[str]) -> str:
    from difflib import get_close_matches  # needed after a slip only

    near = [match for name in strange for match in get_close_matches(name, WORDS, n=1)]
    return f"; did you mean {', '.join(near)}?" if near else ""
