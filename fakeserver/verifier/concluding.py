"""From numbers over many worlds to a verdict: the same for one search and for several merged."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fakeserver.verifier.impossible import over_worlds
from fakeserver.verifier.judge import notes, sentences
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.tally import Tally
from fakeserver.verifier.untried import untried
from fakeserver.verifier.verdict import Searched, Verdict


def unproved(
    tally: Tally, promise: Promise, late_by_ms_max: int, missed: Collection[str]
) -> Iterator[str]:
    """Say why worlds in which nothing was broken do not prove the promise.

    `late_by_ms_max` is the lateness that worlds may have (ms), `missed` the hazards that could have
    come up and did not.
    """
    if not tally.exercised:
        yield "no hazard came up, so nothing was proved"
        return
    if tally.counted.get("no-snapshot") == tally.worlds:
        yield "no poll could be judged as a snapshot, so nothing was proved"
    for part in untried(promise, late_by_ms_max, met=tally.exercised, missed=missed):
        worlds = "1 world" if tally.worlds == 1 else f"{tally.worlds} worlds"
        yield f"in {worlds} {part}"


def unbroken(
    tally: Tally,
    search: Searched,
    *,
    about: Verdict,
    doubts: tuple[str, ...],
    remarks: tuple[str, ...] = (),
    missed: tuple[str, ...],
) -> Verdict:
    """Return the verdict on worlds none of which was broken: ``kept``, unless there are `doubts`.

    `about` has the dialect, the profile, the promise, the seed and the client; the rest of it is
    not looked at. `remarks` are further notes.
    """
    nobody = over_worlds(tally.impossible)
    return Verdict(
        outcome="inconclusive" if doubts else "kept",
        dialect=about.dialect,
        profile=about.profile,
        promise=about.promise,
        notes=(*doubts, *notes(tally.counted), *sentences(nobody), *remarks, *search.notes),
        counted=dict(tally.counted),
        impossible=nobody,
        seed=about.seed,
        examples=tally.worlds,
        exercised=dict(tally.exercised),
        not_exercised=missed,
        requests=tally.requests,
        client=about.client,
        search=search,
    )
