"""What many workers play, handed on in the order of the worlds.

Workers run ahead of each other. Whoever asks here hears of the worlds one after the other, as if
one worker had played them, and stops where one worker would have stopped: so a search comes to the
same verdict, with the same counts, whatever the number of workers and whoever is faster.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from fakeserver.verifier.crew.batch import Batch, Crew, Died, Done, Failure
from fakeserver.verifier.playing import Played, Unplayed

BATCH_MAX = 256
"""Worlds in one batch. What a batch costs besides is nothing beside so many."""
AHEAD_MAX = 20_000
"""Worlds that may wait for a slower one: some hundred bytes each."""
DEATHS_MAX = 2
"""A worker that ends once may have been killed by anybody. The second one ended by that world."""


class InOrder:
    """Hands batches to a crew and hands on what comes of each world.

    `notes` say which workers ended, and what became of their worlds.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._size = 1
        self._again: deque[Batch] = deque()
        self._deaths: Counter[int] = Counter()
        self._came: dict[int, Played | Unplayed | Failure] = {}
        self._turns: deque[int] = deque()
        self._is_over = False
        self.notes: list[str] = []

    def play(
        self, worlds: Iterable[int], page_size: int | None, *, learns: bool = False
    ) -> Iterator[Played | Unplayed]:
        """Yield what came of each of `worlds` (rising numbers), up to the first broken one.

        After a world that nobody could play, those follow that had been begun by then. Raises
        what a worker raised, at the turn of its world.
        """
        numbers = iter(worlds)
        self._is_over = False
        while True:
            self._hand_out(numbers, page_size, learns=learns)
            if not self._turns:
                return
            while self._turns[0] not in self._came:
                for back in self._crew.wait():
                    self._take(back)
                self._hand_out(numbers, page_size, learns=learns)
            came = self._came.pop(self._turns.popleft())
            if isinstance(came, Failure):
                raise came.error()
            yield came
            if isinstance(came, Played) and came.broken is not None:
                return

    def _hand_out(self, numbers: Iterator[int], page_size: int | None, *, learns: bool) -> None:
        while self._crew.has_room():
            if self._again:
                self._crew.give(self._again.popleft())
                continue
            if self._is_over or len(self._turns) >= AHEAD_MAX:
                return
            chosen = tuple(islice(numbers, self._size))
            if not chosen:
                return
            self._turns.extend(chosen)
            self._crew.give(Batch(worlds=chosen, page_size=page_size, learns=learns))

    def _take(self, back: Done | Died) -> None:
        if isinstance(back, Died):
            self._take_death(back)
            return
        for played in back.played:
            self._came[played.world] = played
            # Nothing behind a broken world is looked at; what comes next lies behind all of these.
            self._is_over = self._is_over or played.broken is not None
        if back.failure is not None:
            self._came[back.batch.worlds[len(back.played)]] = back.failure
            self._is_over = True
        elif back.played:
            self._adapt(back)

    def _take_death(self, died: Died) -> None:
        """Play the worlds of a dead worker again, one by one: so it shows which one it was."""
        worlds = died.batch.worlds
        if not died.begun:
            self._again.append(died.batch)
            return
        if len(worlds) == 1:
            self._deaths[worlds[0]] += 1
            if died.is_sure or self._deaths[worlds[0]] >= DEATHS_MAX:
                self._came[worlds[0]] = Unplayed(world=worlds[0], how=died.how)
                self._is_over = True
                return
        which = f"world {worlds[0]}" if len(worlds) == 1 else f"worlds {worlds[0]} to {worlds[-1]}"
        self.notes.append(f"a worker {died.how} in {which}, which another one played again")
        for world in worlds:
            self._again.append(msgspec.structs.replace(died.batch, worlds=(world,)))

    def _adapt(self, done: Done) -> None:
        """Choose the size of the next batches by how long this one took."""
        fitting = self._crew.seconds_of_batch * len(done.played) / max(done.seconds, 1e-6)
        self._size = max(1, min(int(fitting), 2 * self._size, BATCH_MAX))
