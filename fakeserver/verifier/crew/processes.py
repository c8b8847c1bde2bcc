"""A crew of processes of this machine, each with the client of its own.

They are spawned, not forked: a fork would copy the threads of a live server and a watchdog halfway,
and what the client's libraries have open.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from fakeserver.errors import HarnessError
from fakeserver.verifier.clients import path_without_client
from fakeserver.verifier.crew.batch import Batch, Died, Done, Failure
from fakeserver.verifier.crew.sent_client import SentClient
from fakeserver.verifier.crew.worker import OURS, SAFE_PATH, work
from fakeserver.verifier.playing import Worlds

JOBS_MAX = 256
"""More cores than one machine has; what comes of each world is put in order by one process."""
GRACE_S = 1.0
"""For a worker to come to the end of its world; most take some milliseconds. Then it is told to
leave, and after as long again it is killed."""
BATCHES_PER_WORKER = 2
"""One that it plays, and one that is there when it has done so: it never waits for us."""
DEATHS_MAX = 32
"""Each is followed by another, which takes a second; so many are no accident."""


class _Worker:
    """One process, the way to it, and the batches that it has, the one that it plays first."""

    def __init__(self, process: SpawnProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.batches: deque[Batch] = deque()
        self.is_ready = False

    def how_it_ended(self) -> str:
        """Say how the process ended, which it has, or will now."""
        self.process.join(GRACE_S)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        return f"ended by signal {-code}" if code < 0 else f"ended with exit status {code}"


class Processes:
    """A crew of `jobs` processes; they are started at once, and come to the client meanwhile."""

    seconds_of_batch = 0.05

    def __init__(self, jobs: int, worlds: Worlds, sent: SentClient) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._worlds = worlds
        self._sent = sent
        self._workers: list[_Worker] = []
        self._deaths = 0
        try:
            for _ in range(jobs):
                self._workers.append(self._started())
        except BaseException:
            self.close()
            raise

    def has_room(self) -> bool:
        """Whether some worker has nothing to go on with."""
        return any(len(worker.batches) < BATCHES_PER_WORKER for worker in self._workers)

    def give(self, batch: Batch) -> None:
        """Give a batch to the worker that has the fewest; of several, to one that is ready."""
        worker = min(self._workers, key=lambda each: (len(each.batches), not each.is_ready))
        worker.batches.append(batch)
        try:
            worker.connection.send(batch)
        except OSError:
            return  # it has ended: `wait` hears of it

    def wait(self) -> list[Done | Died]:
        """Wait for what comes back. Raises what kept a worker from its client."""
        came: list[Done | Died] = []
        while not came:
            connections = {worker.connection: worker for worker in self._workers}
            for connection in wait(list(connections)):
                assert isinstance(connection, Connection)  # noqa: S101 - we gave nothing else
                came += self._heard(connections[connection])
        return came

    def close(self) -> None:
        """End all workers: ask them, tell them, kill them."""
        for worker in self._workers:
            worker.connection.close()
        for ask in (lambda _: None, SpawnProcess.terminate, SpawnProcess.kill):
            alive = [worker.process for worker in self._workers if worker.process.is_alive()]
            for process in alive:
                ask(process)
            _wait_for(alive)
        for worker in self._workers:
            worker.process.join()
            worker.process.close()
        self._workers.clear()

    def _started(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._worlds, self._sent)
        process = self._context.Process(target=work, args=arguments, name="fakeserver-worker")
        with _ours_first(self._sent):
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _heard(self, worker: _Worker) -> Sequence[Done | Died]:
        try:
            heard = worker.connection.recv()
        except Exception:  # the end of it, or half of what it had to say
            return self._replaced(worker)
        if isinstance(heard, Failure):
            raise heard.error()
        if heard is None:
            worker.is_ready = True
            return ()
        worker.batches.popleft()
        done: Done = heard
        return (done,)

    def _replaced(self, worker: _Worker) -> Sequence[Died]:
        """Put another worker in the place of one that has ended."""
        how = worker.how_it_ended()
        if not worker.is_ready:
            raise HarnessError(
                f"a worker {how} before it had begun; a program that calls verify with jobs does "
                "so under 'if __name__ == \"__main__\":', for each worker imports it"
            )
        self._deaths += 1
        if self._deaths > DEATHS_MAX:
            raise HarnessError(f"{self._deaths} workers have ended by now; the last one {how}")
        worker.connection.close()
        worker.process.close()
        self._workers[self._workers.index(worker)] = self._started()
        return [
            Died(batch=batch, how=how, begun=place == 0)
            for place, batch in enumerate(worker.batches)
        ]


@contextmanager
def _ours_first(sent: SentClient) -> Iterator[None]:
    """Let a process that is started here find our modules before those beside its client.

    It begins with the current folder first, and is then given the path of this one, where the
    client's folder stands first by now. When it loads the client, that comes first there too.
    """
    if sent.name is None:
        yield
        return
    before, sys.path = sys.path, path_without_client(sent.name)
    is_ours = os.environ.setdefault(SAFE_PATH, OURS) == OURS
    try:
        yield
    finally:
        sys.path = before
        if is_ours:
            del os.environ[SAFE_PATH]


def _wait_for(processes: list[SpawnProcess]) -> None:
    """Wait until all have ended, or none has for `GRACE_S`."""
    alive = [process.sentinel for process in processes]
    while alive and (ended := wait(alive, GRACE_S)):
        alive = [sentinel for sentinel in alive if sentinel not in ended]
