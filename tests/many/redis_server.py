"""A real Redis server on a free port of 127.0.0.1, with a password, and nothing on the disk."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

PASSWORD = "not-to-be-shown"


def has_redis() -> bool:
    return shutil.which("redis-server") is not None


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Start one, give its address with the password, and end it."""
    port = _free_port()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(
            ["redis-server", *words, "--requirepass", PASSWORD, "--dir", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    try:
        retry = Retry(ConstantBackoff(0.05), 200)
        with redis.Redis.from_url(url, retry=retry) as client:
            client.ping()
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
