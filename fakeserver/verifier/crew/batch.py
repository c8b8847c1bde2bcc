"""What goes to a worker and what comes back: a few worlds, and what came of each."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from fakeserver.errors import ClientNotFound, FakeserverError, HarnessError, UsageError
from fakeserver.verifier.playing import Played

Blame = Literal["usage", "client", "harness"]


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Worlds to be played one after the other, by their numbers, up to the first broken one.

    `page_size` (rows) is what the client is told in all of them, or None; `learns` asks for what
    it makes of that.
    """

    worlds: tuple[int, ...]
    page_size: int | None
    learns: bool = False


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a world could not be played: an error of a worker, in words."""

    blame: Blame
    message: str

    @staticmethod
    def of(error: Exception) -> Failure:
        """Put an error into what another process understands."""
        if isinstance(error, ClientNotFound):
            return Failure(blame="client", message=str(error))
        if isinstance(error, UsageError):
            return Failure(blame="usage", message=str(error))
        said = str(error) if isinstance(error, FakeserverError) else repr(error)
        return Failure(blame="harness", message=said)

    def error(self) -> FakeserverError:
        """Return the error again."""
        kinds = {"usage": UsageError, "client": ClientNotFound, "harness": HarnessError}
        return kinds[self.blame](self.message)


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it came back: what came of its worlds, in their order.

    It is shorter than the batch behind a broken world, and where the next one was a `failure`.
    `seconds` is the real time that it took: how much a worker is given at a time depends on it,
    and nothing else.
    """

    batch: Batch
    played: tuple[Played, ...] = ()
    failure: Failure | None = None
    seconds: float = 0.0


class Died(msgspec.Struct, frozen=True, kw_only=True):
    """A batch whose worker ended before it told anything, and `how` it ended.

    It `is_sure` that it was because of the batch where several workers ended by it. One that was
    not `begun` had nothing to do with it.
    """

    batch: Batch
    how: str
    is_sure: bool = False
    begun: bool = True


class Crew(Protocol):
    """Some workers. Whoever has one ends it with `close`.

    `seconds_of_batch` is for how long a worker should be busy with what it is given at a time.
    """

    seconds_of_batch: float

    def has_room(self) -> bool:
        """Whether another batch could be begun now."""
        ...

    def give(self, batch: Batch) -> None:
        """Let a worker play a batch."""
        ...

    def wait(self) -> list[Done | Died]:
        """Wait until something has come back. Raises `HarnessError` where nothing ever will."""
        ...

    def close(self) -> None:
        """End all workers with whatever they have started."""
        ...
