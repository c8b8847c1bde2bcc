"""A crew of the workers of a Dask cluster, on whatever machines they are.

The cluster is somebody else's: we connect, leave a seat in each worker, and take it away again.
When a worker dies the scheduler gives its batches to another one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from fakeserver.errors import HarnessError, UsageError
from fakeserver.verifier.clients import Client
from fakeserver.verifier.crew.batch import Batch, Died, Done
from fakeserver.verifier.crew.sent_client import SentClient, sent_client
from fakeserver.verifier.patched_time import PatchedTime
from fakeserver.verifier.playing import Worlds

SCHEME = "dask"
CONNECT_S = 10
"""For a scheduler to answer, and for its first worker to be there."""
TICK_S = 5.0
TICKS_WITHOUT_WORKERS_MAX = 12
"""A minute: a cluster that replaces its dead workers does so within seconds."""
BATCHES_PER_WORKER = 2
"""One that it plays, and one that is there when it has done so."""


class Cluster:
    """The workers of the cluster whose scheduler is at `address` (``HOST:PORT``).

    Raises `UsageError` where none is there, and where its workers have not our version.
    """

    seconds_of_batch = 0.5

    def __init__(self, address: str, worlds: Worlds, sent: SentClient) -> None:
        import distributed

        connect: Any = distributed.Client
        self._address = address
        self._came: SimpleQueue[Any] = SimpleQueue()
        self._out: dict[Any, Batch] = {}
        try:
            self._client = connect(f"tcp://{address}", timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"there is no Dask scheduler at {address}; start one with 'dask scheduler', and "
                "workers with 'dask worker'"
            ) from error
        try:
            self._take_seats(worlds, sent)
        except BaseException:
            self.close()
            raise

    def has_room(self) -> bool:
        """Whether the workers have less than they can have waiting."""
        return len(self._out) < BATCHES_PER_WORKER * max(1, self._workers)

    def give(self, batch: Batch) -> None:
        """Let the scheduler choose a worker for a batch."""
        from fakeserver.verifier.crew.seat import play

        future = self._client.submit(play, self._name, batch, pure=False)
        self._out[future.key] = batch
        future.add_done_callback(self._came.put)

    def wait(self) -> list[Done | Died]:
        """Wait for what comes back. Raises `HarnessError` where the cluster has gone."""
        without = 0
        while without < TICKS_WITHOUT_WORKERS_MAX:
            try:
                future = self._came.get(timeout=TICK_S)
            except Empty:
                without = 0 if self._count() else without + 1
                continue
            return [self._result(future)]
        raise HarnessError(
            f"the cluster at {self._address} has no worker left, and {len(self._out)} batches of "
            "worlds wait for one"
        )

    def close(self) -> None:
        """Leave the cluster as it was. What a worker is in the middle of comes to its end."""
        with suppress(Exception):  # it may have gone
            self._client.cancel(list(self._out))
            self._client.unregister_worker_plugin(self._name)
        self._client.close(timeout=CONNECT_S)

    def _take_seats(self, worlds: Worlds, sent: SentClient) -> None:
        from fakeserver.verifier.crew.seat import Seat, installed

        self._name = f"fakeserver-{self._client.id}"
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            raise UsageError(
                f"the cluster at {self._address} has no worker; start one with 'dask worker "
                f"tcp://{self._address}'"
            ) from error
        ours = installed()
        there = self._asked(installed)
        others = sorted({str(version) for version in there.values()} - {ours})
        if others:
            raise UsageError(
                f"the workers at {self._address} have fakeserver {', '.join(others)}, and here it "
                f"is {ours}; worlds are drawn by one version alone"
            )
        self._client.register_plugin(Seat(self._name, worlds, sent))
        self._workers = len(there)

    def _asked(self, question: Callable[[], Any]) -> dict[str, Any]:
        """Let each worker answer a question."""
        try:
            answers: dict[str, Any] = self._client.run(question)
        except Exception as error:
            raise UsageError(
                f"the workers at {self._address} can't run fakeserver: {error}; pip "
                "install 'fakeserver[dask]' where they are"
            ) from error
        return answers

    def _count(self) -> int:
        """Ask the scheduler how many workers there are."""
        if self._client.status != "running":
            raise HarnessError(f"the connection to the Dask scheduler at {self._address} was lost")
        self._workers = len(self._client.nthreads())
        return self._workers

    def _result(self, future: Any) -> Done | Died:
        from distributed import KilledWorker

        batch = self._out.pop(future.key)
        self._count()
        try:
            done: Done = future.result(timeout=None)
        except KilledWorker:
            return Died(batch=batch, how="ended, several in a row", is_sure=True)
        except Exception as error:
            raise HarnessError(f"a worker of the cluster: {error!r:.500}") from error
        return done


def address_of(executor: str) -> str:
    """Return ``HOST:PORT`` of ``dask://HOST:PORT``. Raises `UsageError`."""
    with suppress(ValueError):  # no port, or one that is no number
        parts = urlsplit(executor)
        more = (parts.username, parts.path.strip("/"), parts.query, parts.fragment)
        if parts.scheme == SCHEME and parts.hostname and parts.port and not any(more):
            return parts.netloc
    raise UsageError(f"executor: expected {SCHEME}://HOST:PORT, got {executor!r}")


def sent_to_cluster(client: Client, name: str | None) -> SentClient:
    """Return `client` as it is sent to other machines: with the text of its file, if it has one.

    Raises `UsageError` where that can't be, or `distributed` is not installed.
    """
    try:
        import cloudpickle
        import distributed  # noqa: F401 - whether it is there
    except ImportError as error:
        raise UsageError(
            "--executor dask://… needs Dask: pip install 'fakeserver[dask]'"
        ) from error
    if isinstance(client, PatchedTime):
        raise UsageError(
            "--patch-time changes the time of a whole process, and a worker of a cluster has more "
            "to do in its own; use --jobs"
        )
    return sent_client(client, name=name, with_source=True, pickled_by=cloudpickle.dumps)
