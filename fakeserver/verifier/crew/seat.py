"""What a search leaves in each worker of a Dask cluster. Importing it imports `distributed`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from threading import Event, Lock
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from fakeserver.verifier.crew.batch import Batch, Done, Failure
from fakeserver.verifier.crew.sent_client import SentClient
from fakeserver.verifier.crew.worker import play_batch
from fakeserver.verifier.playing import Player, Worlds


class Seat(WorkerPlugin):
    """The client of one search, and its player, in one worker.

    One world at a time: a worker with several threads would let them wait for each other anyway.
    """

    def __init__(self, name: str, worlds: Worlds, sent: SentClient) -> None:
        self.name = name
        self._worlds = worlds
        self._sent = sent

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 - the signature is theirs
        """Be there; the client is loaded with the first batch."""
        self._lock = Lock()
        self._over = Event()
        self._player: Player | None = None

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - the signature is theirs
        """End what the client has started, after the world that it is in."""
        self._over.set()
        with self._lock:
            if self._player is not None:
                self._player.close()
                self._player = None

    def play(self, batch: Batch) -> Done:
        """Play a batch."""
        with self._lock:
            if self._over.is_set():
                return Done(batch=batch)
            try:
                if self._player is None:
                    self._player = Player(self._worlds, self._sent.load())
            except Exception as error:
                failure = Failure.of(error)
                said = f"{failure.message} (in a worker of the cluster)"
                return Done(batch=batch, failure=Failure(blame=failure.blame, message=said))
            return play_batch(self._player, batch, self._over.is_set)


def play(name: str, batch: Batch) -> Done:
    """Play a batch in the worker that this task has come to, in the seat called `name`."""
    plugins: dict[str, Any] = get_worker().plugins
    seat: Seat = plugins[name]
    return seat.play(batch)


def installed() -> str:
    """Return the version of fakeserver in this process."""
    try:
        return version("fakeserver")
    except PackageNotFoundError:  # run from a folder that nobody installed
        return "unknown"
