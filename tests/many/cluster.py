"""A real Dask cluster of this machine: a scheduler and workers, each a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

START_SECONDS_MAX = 60
"""Only a machine in trouble takes so long."""


class LocalCluster(NamedTuple):
    """Where the scheduler listens, and the workers, which may be killed."""

    address: str
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def local_cluster(folder: Path, workers: int) -> Iterator[LocalCluster]:
    """Start a cluster on 127.0.0.1 whose files lie in `folder`, and end it."""
    file = folder / "scheduler.json"
    with ExitStack() as stack:
        where = ["--host", "127.0.0.1", "--no-dashboard"]
        scheduler = ["dask_scheduler", "--port", "0", "--scheduler-file", str(file), *where]
        stack.enter_context(_process(scheduler, folder))
        address = _address(file)
        one = ["dask_worker", f"tcp://{address}", "--nthreads", "1", "--no-nanny", *where]
        started = [stack.enter_context(_process(one, folder)) for _ in range(workers)]
        yield LocalCluster(address, started)


@contextmanager
def _process(words: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    name, *arguments = words
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{name}", *arguments],
            cwd=folder,
            env={**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(file: Path) -> str:
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end:
        if file.is_file() and file.stat().st_size:
            address: str = json.loads(file.read_text())["address"]
            return address.removeprefix("tcp://")
        time.sleep(0.05)
    raise AssertionError(
        f"no scheduler came up: {(file.parent / 'dask_scheduler.log').read_text()}"
    )
