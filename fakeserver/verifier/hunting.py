"""One search as it goes on: world after world until one is broken, and that one made small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol, TypeVar

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.drawing.plan import HAZARD_ODDS
from fakeserver.errors import UsageError
from fakeserver.scenario import Scenario
from fakeserver.verifier.changes import Change
from fakeserver.verifier.clients import Client, keeps_state
from fakeserver.verifier.clues.elsewhere import WORLDS_MAX, needs_more_rows, with_pattern
from fakeserver.verifier.clues.leftovers import may_be_left_over, with_left_over
from fakeserver.verifier.concluding import unbroken, unproved
from fakeserver.verifier.hazards import possible
from fakeserver.verifier.page_size import PageSize
from fakeserver.verifier.playing import Played, Player, Unplayed, Worlds
from fakeserver.verifier.remedies import with_tried
from fakeserver.verifier.remembering import BrokenWorlds
from fakeserver.verifier.shard import Shard
from fakeserver.verifier.shrink import shrink
from fakeserver.verifier.tally import Tally
from fakeserver.verifier.verdict import Searched, Verdict

T = TypeVar("T")

RESET_LEFT_SOMETHING = (
    "a smaller world broke it only in a process that was reset, where something of another world "
    'was left: mend that, or leave out "resets", and the world gets smaller'
)

Progress = Callable[[int, Counter[str]], bool]
"""Called after each world with the number of worlds and the hazards so far; False ends it all."""

Shrinking = Callable[[int, int], None]
"""Called before each try to make a broken world smaller: how many it is, and the events left."""


class Players(Protocol):
    """Who plays the worlds of a search, and hands on what came of each in their order.

    `notes` say what happened to the players meanwhile.
    """

    notes: list[str]

    def play(
        self, worlds: Iterable[int], page_size: int | None, *, learns: bool = False
    ) -> Iterator[Played | Unplayed]:
        """Yield what came of each of `worlds` (rising numbers), up to the first broken one."""
        ...


class Alone:
    """One player in this process, and nobody else."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self.notes: list[str] = []

    def play(
        self, worlds: Iterable[int], page_size: int | None, *, learns: bool = False
    ) -> Iterator[Played | Unplayed]:
        """Play the worlds one after the other."""
        for world in worlds:
            yield self._player.play(world, page_size, learns=learns)


class Hunt:
    """Looks for a broken world among those of a shard, with `players`; `player` makes it small."""

    def __init__(
        self,
        *,
        client: Client,
        worlds: Worlds,
        search: Searched,
        player: Player,
        players: Players,
        late_by_ms_max: int,
        before: BrokenWorlds | None = None,
        shrinking: Shrinking | None = None,
    ) -> None:
        self._client = client
        self._worlds = worlds
        self._search = search
        self._player = player
        self._players = players
        self._late_by_ms_max = late_by_ms_max
        self._before = before
        self._shrinking = shrinking
        self._shard = Shard(search.shards[0], search.shards_of)
        self._size = PageSize(search.page_size)
        self._tally = Tally()
        self._unplayed: list[Unplayed] = []
        self._notes = [*search.notes]

    def run(self, progress: Progress | None) -> Verdict:
        """Return the verdict; see `verify`."""
        try:
            found = self._broken_again()
            if found is not None:
                return self.made_small(found, None)
            for came in self._played():
                if isinstance(came, Unplayed):
                    self._unplayed.append(came)
                    continue
                self._tally = self._tally.plus(came.tally)
                if came.broken is not None:
                    return self.made_small(came.broken, came.world, overran=came.overran)
                if progress is not None and not progress(
                    self._tally.worlds, Counter(self._tally.exercised)
                ):
                    break
        except KeyboardInterrupt:
            planned = len(self._shard.worlds(self._search.examples_max))
            return self._summary(f"interrupted after {self._tally.worlds} of {planned} worlds")
        return self._summary(*self._why_unplayed())

    def _broken_again(self) -> Verdict | None:
        """Play the worlds that broke it before; forget those that do no longer.

        They are not counted: the verdict on the worlds of a seed is the same without them.
        """
        if self._before is None:
            return None
        kept = 0
        for scenario in self._in_database("read", self._before.all) or ():
            verdict = self._player.judge(scenario)
            if verdict.outcome == "broken":
                self._notes.append("the world broke it in an earlier run, and was tried first")
                return verdict
            self._in_database("changed", partial(self._before.forget, scenario))
            kept += 1
        if kept:
            worlds = "1 world that" if kept == 1 else f"{kept} worlds that"
            self._notes.append(f"{worlds} broke it in earlier runs came first, and none does now")
        return None

    def _in_database(self, done: str, work: Callable[[], T]) -> T | None:
        """Let a database do something; where that can't be `done`, a note says so and no more."""
        try:
            return work()
        except Exception as error:  # of whatever library it is
            self._notes.append(f"the database could not be {done}: {type(error).__name__}")
            return None

    def _played(self) -> Iterator[Played | Unplayed]:
        """Play the first worlds one by one, until the client's page size is known; then the rest.

        Each shard plays all of the first ones, to learn the same, and counts its own.
        """
        size, own = self._size, self._shard.worlds(self._search.examples_max)
        first = 0
        while first < own.stop and not size.is_settled:
            for came in self._players.play([first], None, learns=True):
                size.learn(came.asked if isinstance(came, Played) else None)
                if first in own:
                    yield came
            first += 1
        rest = (world for world in own if world >= first)
        yield from self._players.play(rest, size.rows)

    def made_small(self, found: Verdict, world: int | None, *, overran: bool = False) -> Verdict:
        """Return the verdict on the smallest world that breaks the promise as `found` does.

        `world` is its number, or None for one that was not drawn.
        """
        assert found.scenario is not None  # noqa: S101 - the judge names the world it judged
        if overran:
            self._player.take_over(found.scenario, found.history)
        wanted = (found.findings[0].rule, found.findings[0].cause)
        best = found
        tries = 0

        def still_broken(candidate: Scenario) -> bool:
            nonlocal best, tries
            tries += 1
            if self._shrinking is not None:
                self._shrinking(tries, len((best.scenario or candidate).events))
            verdict = self._player.judge(candidate)
            same = [(finding.rule, finding.cause) for finding in verdict.findings[:1]] == [wanted]
            best = verdict if same else best
            return same

        cut_short: tuple[str, ...] = ()
        try:
            shrink(found.scenario, still_broken)
            best = self._confirmed(best, found)
            best = self._with_more(best, world)
        except KeyboardInterrupt:  # it is broken, small or not
            cut_short = ("interrupted before the world was as small as it can be",)
        notes_of_world = (*best.notes, *cut_short)
        if self._before is not None:
            smallest = best.scenario or found.scenario
            self._in_database("changed", partial(self._before.remember, smallest))
        search = self._searched(notes_of_world=notes_of_world, doubts=self._why_unplayed())
        return msgspec.structs.replace(
            best,
            notes=(*notes_of_world, *search.doubts, *search.notes),
            profile=self._worlds.profile.name,
            seed=self._worlds.seed,
            examples=self._tally.worlds,
            found_at=world,
            shrunk_from=len(found.scenario.events),
            exercised=dict(self._tally.exercised),
            not_exercised=self._missed(),
            requests=self._tally.requests,
            search=search,
        )

    def _confirmed(self, best: Verdict, found: Verdict) -> Verdict:
        """Return the smaller verdict, or the one it was found by if that is a reset's alone."""
        try:
            return self._player.confirmed(best)
        except UsageError:
            return self._player.confirmed(found).noting(RESET_LEFT_SOMETHING)

    def _with_more(self, broken: Verdict, world: int | None) -> Verdict:
        """Return the verdict with what more runs of the client show of its mistake.

        Where something of another world is left, what helps within one is no help.
        """
        told = self._with_what_is_left_over(broken)
        return told or self._with_a_pattern(self._with_what_helps(broken), world)

    def _with_what_is_left_over(self, broken: Verdict) -> Verdict | None:
        """Return the verdict that tells what the client keeps between worlds, if it shows."""
        if self._player.overran or not may_be_left_over(broken):
            return None
        try:
            told = with_left_over(broken, self._player.judge)
        except Exception:  # a slip of ours must not speak against a client, nor for it
            return None
        return None if told is broken else told

    def _with_what_helps(self, broken: Verdict) -> Verdict:
        """Return the verdict with the smallest change with which its world is kept, if any."""
        if self._player.overran:
            return broken  # nothing is run after a client that took too much real time

        def judge_with(change: Change) -> Verdict:
            assert broken.scenario is not None  # noqa: S101 - the judge names the world it judged
            return self._player.judge(broken.scenario, change)

        return with_tried(broken, judge_with)

    def _with_a_pattern(self, broken: Verdict, world: int | None) -> Verdict:
        """Return the verdict with what larger worlds show of rows that are dropped, if need be."""
        if self._player.overran or not needs_more_rows(broken):
            return broken
        first = 0 if world is None else world + 1
        try:
            return with_pattern(broken, map(self._judged, range(first, first + WORLDS_MAX)))
        except Exception:  # a slip of ours must not speak against a client, nor for it
            return broken

    def _judged(self, world: int) -> tuple[int, Verdict]:
        return world, self._player.judge(self._worlds.draw(world, self._size.rows))

    def _summary(self, *doubts: str) -> Verdict:
        missed = self._missed()
        unsure = tuple(unproved(self._tally, self._worlds.promise, self._late_by_ms_max, missed))
        # What one shard did not try another one may have tried: whoever merges them decides.
        is_whole = self._search.shards_of == 1
        about = Verdict(
            outcome="kept",
            dialect=self._worlds.profile.dialect,
            profile=self._worlds.profile.name,
            promise=self._worlds.promise,
            seed=self._worlds.seed,
        )
        return unbroken(
            self._tally,
            self._searched(doubts=doubts),
            about=about,
            doubts=doubts or (unsure if is_whole else ()),
            remarks=() if is_whole else unsure,
            missed=missed,
        )

    def _searched(
        self, *, doubts: tuple[str, ...] = (), notes_of_world: tuple[str, ...] = ()
    ) -> Searched:
        return msgspec.structs.replace(
            self._search,
            counted=dict(self._tally.counted),
            impossible=dict(self._tally.impossible),
            doubts=doubts,
            notes=(*self._notes, *self._players.notes),
            notes_of_world=notes_of_world,
        )

    def _why_unplayed(self) -> tuple[str, ...]:
        """Say which worlds nobody could play."""
        return tuple(
            f"world {each.world} was not played: each worker that tried it {each.how}; "
            f"'fakeserver scenario --seed {self._worlds.seed} --example {each.world}' prints it"
            for each in self._unplayed
        )

    def _missed(self) -> tuple[str, ...]:
        """Hazards that could have come up and did not."""
        profile, promise, hazards = (
            self._worlds.profile,
            self._worlds.promise,
            self._worlds.hazards,
        )
        ruled_out = set() if hazards is None else set(HAZARD_ODDS) - hazards
        if not keeps_state(self._client):
            ruled_out.add("restart")
        if not self._tally.saves:
            ruled_out |= {"crash-before-save", "crash-after-save"}
        if promise.instances == 1:
            ruled_out.add("two-instances")
        ruled_out |= promise.harmless
        ruled_out.add("order-flip")  # which orders are asked for is the client's choice alone
        return tuple(
            name
            for name in possible(find_dialect(profile.dialect), profile, self._late_by_ms_max)
            if name not in self._tally.exercised and name not in ruled_out
        )
