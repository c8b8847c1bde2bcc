"""Verdicts of shards put together: the same one in whatever order, and however they are grouped.

What was counted is added up, over the disjoint worlds of the shards. Of the worlds that broke the
promise by one rule and cause the one with the smallest number stays, and the smallest of all is
shown: the one that a single search would have found. Everything else that a verdict says follows
from these, so nothing depends on what was merged first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce

import msgspec

from fakeserver.errors import UsageError
from fakeserver.verifier.concluding import unbroken, unproved
from fakeserver.verifier.hazards import HAZARDS
from fakeserver.verifier.tally import Tally
from fakeserver.verifier.verdict import BrokenWorld, Searched, Verdict, lines_of

SHARDS_NAMED_MAX = 8
"""Missing shards that a sentence names; the rest is counted."""


def merged(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on the worlds of all `verdicts`, each of which is of another shard.

    While shards are missing it is ``inconclusive``, unless it is ``broken`` already. Raises
    `UsageError` for none, for those of different searches, and for two of one shard.
    """
    parts = list(verdicts)
    if not parts:
        raise UsageError("expected the verdicts of one search or more, got none")
    return reduce(merged_pair, parts[1:], _concluded([parts[0]]))


def merged_pair(one: Verdict, other: Verdict) -> Verdict:
    """Return the verdict on the worlds of both. Associative and commutative; see `merged`."""
    _check_same(one, other)
    return _concluded([one, other])


def _searched(verdict: Verdict) -> Searched:
    if verdict.search is None:
        raise UsageError(
            "expected the verdict of a search, as 'fakeserver verify --shard K/N' writes it, got "
            "one on a single world"
        )
    return verdict.search


def _asked(verdict: Verdict) -> Iterator[tuple[str, object]]:
    """Yield what two verdicts must have in common, and what each says."""
    search = _searched(verdict)
    yield "version of fakeserver", search.version
    yield "client", verdict.client
    yield "dialect", verdict.dialect
    yield "profile", verdict.profile
    for name in verdict.promise.__struct_fields__:
        yield f"promise, {name}", getattr(verdict.promise, name)
    yield "seed", verdict.seed
    yield "examples", search.examples_max
    yield "page_size", search.page_size
    yield "only", search.only
    yield "without", search.without
    yield "number of shards", search.shards_of


def _check_same(one: Verdict, other: Verdict) -> None:
    for (name, here), (_, there) in zip(_asked(one), _asked(other), strict=True):
        if here != there:
            raise UsageError(f"they are of different searches: {name}: {here!r} and {there!r}")
    twice = sorted({*_searched(one).shards} & {*_searched(other).shards})
    if twice:
        raise UsageError(f"shard {twice[0]}/{_searched(one).shards_of} is there twice")


def _concluded(parts: list[Verdict]) -> Verdict:
    searches = [_searched(part) for part in parts]
    tally = reduce(Tally.plus, map(_tally, parts))
    search = msgspec.structs.replace(
        searches[0],
        shards=tuple(sorted(number for each in searches for number in each.shards)),
        counted=dict(tally.counted),
        impossible=dict(tally.impossible),
        doubts=_together(each.doubts for each in searches),
        notes=_together(each.notes for each in searches),
        notes_of_world=(),
    )
    could = {name for part in parts for name in part.not_exercised}
    missed = tuple(name for name in HAZARDS if name in could and name not in tally.exercised)
    broken = _smallest(world for part in parts for world in _broken_worlds(part))
    missing = _missing(search)
    if broken:
        return _broken(parts[0], tally, search, missed, broken, missing)
    doubts = (*missing, *search.doubts)
    late = 1  # where no lateness is allowed, no late event is missed either
    return unbroken(
        tally,
        search,
        about=parts[0],
        doubts=doubts or tuple(unproved(tally, parts[0].promise, late, missed)),
        missed=missed,
    )


def _together(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({text for texts in several for text in texts}))


def _tally(verdict: Verdict) -> Tally:
    search = _searched(verdict)
    return Tally(
        worlds=verdict.examples,
        exercised=verdict.exercised,
        counted=search.counted,
        impossible=search.impossible,
        requests=verdict.requests,
    )


def _broken_worlds(verdict: Verdict) -> Iterator[BrokenWorld]:
    if verdict.scenario is None or not verdict.findings:
        return
    yield BrokenWorld(
        found_at=verdict.found_at,
        shrunk_from=verdict.shrunk_from,
        findings=verdict.findings,
        notes=_searched(verdict).notes_of_world,
        impossible=verdict.impossible,
        scenario=verdict.scenario,
        history=verdict.history,
        replay=verdict.replay,
    )
    yield from verdict.others


def _smallest(worlds: Iterable[BrokenWorld]) -> list[BrokenWorld]:
    """Return the first world of each rule and cause, by their numbers."""
    first: dict[tuple[str, str | None], BrokenWorld] = {}
    for world in worlds:
        kind = world.findings[0].rule, world.findings[0].cause
        if kind not in first or _place(world) < _place(first[kind]):
            first[kind] = world
    return sorted(first.values(), key=_place)


def _place(world: BrokenWorld) -> tuple[int, bytes]:
    """Where a world stands; one that was not drawn comes first, and equal numbers are decided."""
    number = -1 if world.found_at is None else world.found_at
    return number, msgspec.json.encode(world, order="deterministic")


def _missing(search: Searched) -> tuple[str, ...]:
    """Say which shards are missing, in a sentence, or none."""
    gone = sorted({*range(1, search.shards_of + 1)} - {*search.shards})
    if not gone:
        return ()
    if len(gone) == 1:
        return (f"shard {gone[0]} of {search.shards_of} is missing",)
    shown = gone[:SHARDS_NAMED_MAX]
    more = len(gone) - len(shown)
    names = lines_of(shown) if not more else f"{', '.join(map(str, shown))} and {more} more"
    return (f"shards {names} of {search.shards_of} are missing",)


def _broken(
    about: Verdict,
    tally: Tally,
    search: Searched,
    missed: tuple[str, ...],
    worlds: list[BrokenWorld],
    missing: tuple[str, ...],
) -> Verdict:
    first, *others = worlds
    also = tuple(map(_also, others))
    return Verdict(
        outcome="broken",
        dialect=about.dialect,
        profile=about.profile,
        promise=about.promise,
        findings=first.findings,
        notes=(*first.notes, *also, *missing, *search.doubts, *search.notes),
        impossible=first.impossible,
        seed=about.seed,
        examples=tally.worlds,
        exercised=dict(tally.exercised),
        not_exercised=missed,
        requests=tally.requests,
        scenario=first.scenario,
        history=first.history,
        shrunk_from=first.shrunk_from,
        found_at=first.found_at,
        client=about.client,
        replay=first.replay,
        search=msgspec.structs.replace(search, notes_of_world=first.notes),
        others=tuple(others),
    )


def _also(world: BrokenWorld) -> str:
    """Say in a sentence how another world breaks the promise."""
    finding = world.findings[0]
    kind = finding.rule if finding.cause is None else f"{finding.rule}, {finding.cause}"
    where = "a world" if world.found_at is None else f"example {world.found_at}"
    replay = "" if world.replay is None else f" ({world.replay})"
    return f"{where} breaks it in another way: {kind}: {finding.message}{replay}"
