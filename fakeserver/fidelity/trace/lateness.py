"""How late events became visible, measured: each within an interval, all of them as quantiles."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from fakeserver.clock import MINUTE_MS, SECOND_MS
from fakeserver.fidelity.trace.tracing import Traced
from fakeserver.profile import QUANTILES, MeasuredLateness
from fakeserver.query import RECORDED_AT


def intervals(traced: Traced) -> Iterator[tuple[int, int]]:
    """Yield the least and the most lateness (ms) of each event that could have been seen sooner.

    What was recorded before the first request says nothing: nobody looked.
    """
    looks = (each.recorded.seen_from for each in traced.answered)
    began = min((look for look in looks if look is not None), default=0)
    for event_id, visibility in traced.visible.items():
        stamp = traced.events[event_id].get(RECORDED_AT)
        if stamp is None or visibility.not_after is None:
            continue
        if visibility.not_before is None and stamp < began:
            continue
        least = 0 if visibility.not_before is None else visibility.not_before - stamp
        yield max(0, least), max(0, visibility.not_after - stamp)


def measured(traced: Traced) -> MeasuredLateness | None:
    """Return the distribution of lateness, or None where no event shows any of it."""
    found = list(intervals(traced))
    if not found:
        return None
    least, most = (sorted(bounds) for bounds in zip(*found, strict=True))
    count = len(found)
    over = [sum(ms > MINUTE_MS for ms in bounds) / count for bounds in (least, most)]
    return MeasuredLateness(
        events=count,
        least={name: _quantile(least, share) for name, share in QUANTILES.items()},
        most={name: _quantile(most, share) for name, share in QUANTILES.items()},
        share_over_minute=(round(over[0], 4), round(over[1], 4)),
    )


def _quantile(ordered: list[int], share: float) -> int:
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def is_late(found: MeasuredLateness) -> bool:
    """Whether an event was hidden for longer than what a clock may be off by."""
    return found.least["all"] >= SECOND_MS
