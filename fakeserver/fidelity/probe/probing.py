"""The probe of a service: every step of its dialect, in turn, until all is decided or spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Dialect
from fakeserver.fidelity.probe import (
    haravan_paging,
    haravan_times,
    haravan_words,
    saleschannel,
    saleschannel_paging,
)
from fakeserver.fidelity.probe.asking import Asker, ProbeStopped, Unreachable
from fakeserver.fidelity.probe.haravan import HaravanProbe
from fakeserver.fidelity.probe.saleschannel import SalesChannelProbe
from fakeserver.profile_file import ProfileFile

READ_AGAIN: Mapping[str, frozenset[int]] = {
    "haravan": frozenset({422}),
    "saleschannel": frozenset(),
}
"""Statuses that are asked once more before they count: a live 422 was seen to pass."""

Plan = tuple[Callable[[Dialect, Asker], Any], Sequence[Callable[[Any], None]]]
PLANS: Mapping[str, Plan] = {
    "haravan": (
        HaravanProbe,
        (
            haravan_paging.limits,
            haravan_paging.pages,
            haravan_paging.since_ids,
            haravan_paging.order,
            haravan_times.times,
            haravan_words.access,
            haravan_words.parameters,
            haravan_words.filters,
            haravan_paging.count,
            haravan_words.error_body,
            haravan_paging.more_rows,
            haravan_words.passing_refusals,
            haravan_words.shapes,
            haravan_words.unreadable,
        ),
    ),
    "saleschannel": (
        SalesChannelProbe,
        (
            saleschannel_paging.limits,
            saleschannel.refusals,
            saleschannel_paging.orders,
            saleschannel.comparisons,
            saleschannel.access,
            saleschannel_paging.precision,
            saleschannel_paging.ties,
            saleschannel.rows_seen,
        ),
    ),
}
"""What is asked of each API, what matters most to a client first."""


def probe(asker: Asker, *, dialect: str, seen: str) -> ProfileFile:
    """Decide what reads can decide of the switches of `dialect`, and say why not of the others.

    `seen` is today, an ISO date. Where the requests are spent, or the server has had enough, the
    rest is left open. Raises `UsageError` where there is no such API behind the asker, and
    `Unreachable` where nobody answers its first request.
    """
    found = find_dialect(dialect)
    make, steps = PLANS[dialect]
    state = make(found, asker)
    why = "no step has come to it"
    try:
        state.begin()
        for step in steps:
            step(state)
    except ProbeStopped as stopped:
        why = f"not asked: {stopped}"
    except Unreachable as gone:
        if not asker.requests:
            raise
        why = f"not asked: {gone}"
    return ProfileFile(
        dialect=dialect,
        made="probed",
        seen=seen,
        switches=state.decisions.complete(why),
        requests=tuple(asker.requests),
    )
