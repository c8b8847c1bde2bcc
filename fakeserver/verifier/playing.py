"""One world of a search after the other: drawn, played, judged. What a worker does, alone or not.

World number n of a seed is drawn without looking at any other, so whoever plays it gets the same.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import msgspec

from fakeserver.errors import UsageError
from fakeserver.generate import generate_scenario
from fakeserver.history import History
from fakeserver.profile import Profile
from fakeserver.scenario import Scenario
from fakeserver.verifier.changes import Change
from fakeserver.verifier.clients import Client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.doorkeeper import Doorkeeper
from fakeserver.verifier.judge import judge
from fakeserver.verifier.page_size import Asked, asked_in
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.tally import Tally
from fakeserver.verifier.verdict import Verdict
from fakeserver.verifier.watchdog import POLL_SECONDS_MAX


class Worlds(msgspec.Struct, frozen=True, kw_only=True):
    """The worlds of one `seed`, by their numbers from 0: all that drawing and judging one takes.

    `hazards` are those that may be planted, or None for all.
    """

    profile: Profile
    promise: Promise
    seed: int
    hazards: frozenset[str] | None = None
    poll_seconds_max: float = POLL_SECONDS_MAX

    def draw(self, world: int, page_size: int | None) -> Scenario:
        """Return that world; `page_size` (rows) pins what the client is told."""
        return generate_scenario(
            dialect=self.profile.dialect,
            profile=self.profile,
            seed=self.seed,
            example=world,
            page_size=page_size,
            late_by_ms_max=self.promise.late_by_ms_max,
            hazards=self.hazards,
            instances=self.promise.instances,
        )


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one world: its number and tally, and the verdict if it is ``broken``.

    `asked` tells the client's page size. `overran` says that a poll took too much real time.
    """

    world: int
    tally: Tally
    asked: Asked | None
    broken: Verdict | None = None
    overran: bool = False


class Unplayed(msgspec.Struct, frozen=True, kw_only=True):
    """A world that nobody could play: every worker that tried it ended, and `how`."""

    world: int
    how: str


class Player:
    """Plays worlds with one client, in this thread. End it with `close`, or use ``with``."""

    def __init__(self, worlds: Worlds, client: Client) -> None:
        self._worlds = worlds
        self._client = client
        self._keeper = self._new_keeper()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def overran(self) -> bool:
        """Whether a poll took too much real time: then nothing is run any more but that world."""
        return self._keeper.overran is not None

    def play(self, world: int, page_size: int | None, *, learns: bool = False) -> Played:
        """Play world number `world`; where one `learns`, look at the client's own page size.

        Raises `UsageError` and `HarnessError`.
        """
        if self.overran:  # whoever asks for another world after that has a reason
            self._keeper.close()
            self._keeper = self._new_keeper()
        scenario = self._worlds.draw(world, page_size)
        verdict = self.judge(scenario)
        if verdict.outcome == "broken":
            verdict = self.confirmed(verdict)
        return Played(
            world=world,
            tally=Tally.of(verdict),
            asked=asked_in(verdict) if learns else None,
            broken=verdict if verdict.outcome == "broken" else None,
            overran=self.overran,
        )

    def judge(self, scenario: Scenario, change: Change | None = None) -> Verdict:
        """Run the client in any world, its traffic under a `change` if any; return the verdict."""
        history = run(scenario, self._client, keeper=self._keeper, change=change)
        return judge(scenario, history, self._worlds.promise)

    def take_over(self, scenario: Scenario, history: History) -> None:
        """Be as the player in another process that saw a poll of this world overrun."""
        self._keeper.overran = (scenario, history)

    def close(self) -> None:
        """End what was started for the client."""
        self._keeper.close()

    def _new_keeper(self) -> Doorkeeper:
        return Doorkeeper(poll_seconds_max=self._worlds.poll_seconds_max)

    def confirmed(self, broken: Verdict) -> Verdict:
        """Return a broken verdict as it is in new processes, where a reset may have had a part.

        Raises `UsageError` if the program keeps its promise there.
        """
        command = self._client
        if not isinstance(command, CommandClient) or not command.was_reset:
            return broken
        assert broken.scenario is not None  # noqa: S101 - the judge names the world it judged
        with command.in_new_processes():
            verdict = self.judge(broken.scenario)
        if verdict.outcome != "broken":
            raise UsageError(
                "the program keeps its promise in a new process, and breaks it in one that was "
                'reset: something of another world was left; mend that, or leave out "resets"'
            )
        return verdict
