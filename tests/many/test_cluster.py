"""A real Dask cluster plays the worlds; what a killed worker had is not lost."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fakeserver.errors import ClientNotFound, UsageError
from fakeserver.verifier.clients import load_client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.crew.cluster import address_of
from fakeserver.verifier.patched_time import PatchedTime
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.search import verify
from fakeserver.verifier.verdict import Verdict

from .cluster import LocalCluster, local_cluster

HERE = Path(__file__).parent
PROMPT = Promise(late_by_ms_max=0)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    with local_cluster(tmp_path_factory.mktemp("cluster"), workers=2) as cluster:
        yield cluster


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, where no worker looks for anything."""
    (tmp_path / "clients.py").write_text((HERE / "clients.py").read_text())
    (tmp_path / "beside.py").write_text("from clients import right\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def verified(cluster: LocalCluster | None, client: str = "clients.py:right", **options) -> Verdict:
    executor = None if cluster is None else f"dask://{cluster.address}"
    words = {"dialect": "haravan", "named": client, "executor": executor, **options}
    return verify(load_client(client), **words)


def test_a_clients_own_file_is_sent_and_nothing_beside_it(cluster, folder):
    with pytest.raises(ClientNotFound, match=r"importing beside.py raised ModuleNotFoundError.*in"):
        verified(cluster, "beside.py:right")


@pytest.mark.parametrize("client", ["clients.py:wrong", "clients.py:own_size"])
@pytest.mark.nightly
def test_a_cluster_comes_to_the_verdict_of_one(client, cluster, folder):
    one, many = (verified(where, client, examples=60, promise=PROMPT) for where in (None, cluster))
    assert one.to_json() == many.to_json()
    assert one == many


@pytest.mark.nightly
def test_a_function_without_a_file_is_sent_as_it_is(cluster):
    """Written in a notebook, say, or inside of another function."""
    seen = []

    def client(feed):
        seen.append(feed.page_size)

    one, many = (
        verify(client, dialect="haravan", examples=20, executor=executor)
        for executor in (None, f"dask://{cluster.address}")
    )
    assert one.outcome == "broken"
    assert one == many


@pytest.mark.nightly
def test_a_program_is_started_where_the_workers_are(cluster, tmp_path):
    client = CommandClient([sys.executable, str(HERE / "programs.py")], persistent=True)
    verdict = verify(
        client,
        dialect="haravan",
        promise=PROMPT,
        examples=12,
        executor=f"dask://{cluster.address}",
        without=("restart", "crash-before-save", "crash-after-save", "late-visible"),
    )
    assert verdict.examples >= 1


def test_a_killed_worker_costs_no_result(cluster, folder):
    """The last test of this cluster but for those that need no second worker."""
    killed: list[int] = []

    def progress(done: int, _hazards) -> bool:
        if done >= 30 and not killed:
            cluster.workers[0].send_signal(signal.SIGKILL)
            killed.append(done)
        return True

    many = verified(cluster, examples=120, progress=progress)
    assert killed
    assert cluster.workers[0].wait(20) == -signal.SIGKILL
    one = verified(None, examples=120)
    assert many.examples == 120
    assert many == one


# What can't be


@pytest.mark.parametrize(
    "executor",
    ["dask://", "dask://host", "dask://host:0", "dask://host:x", "tcp://host:1", "host:1"],
)
def test_another_address_is_refused(executor):
    with pytest.raises(UsageError, match=f"executor: expected dask://HOST:PORT, got '{executor}'"):
        address_of(executor)


def test_an_address_of_a_scheduler():
    assert address_of("dask://127.0.0.1:8786") == "127.0.0.1:8786"
    assert address_of("dask://[::1]:8786/") == "[::1]:8786"


def test_jobs_beside_a_cluster_are_refused(folder):
    with pytest.raises(UsageError, match=r"jobs=2: a cluster has its own number of workers; "):
        verify(
            load_client("clients.py:right"),
            dialect="haravan",
            executor="dask://127.0.0.1:1",
            jobs=2,
        )


def test_patched_time_does_not_go_into_a_cluster(folder):
    client = PatchedTime(load_client("clients.py:right"))
    with pytest.raises(UsageError, match="--patch-time changes the time of a whole process"):
        verify(client, dialect="haravan", executor="dask://127.0.0.1:1")


@pytest.mark.nightly
def test_no_scheduler_is_a_usage_error(folder):
    with pytest.raises(UsageError, match=r"there is no Dask scheduler at 127.0.0.1:1; start one"):
        verify(load_client("clients.py:right"), dialect="haravan", executor="dask://127.0.0.1:1")


WITHOUT = """
import sys
sys.modules["distributed"] = None
from fakeserver.cli import main
main(["verify", "--dialect", "haravan", "--executor", "dask://127.0.0.1:1", "clients.py:right"])
"""


def test_without_dask_the_extra_is_named(folder):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "needs Dask: pip install 'fakeserver[dask]'" in done.stderr
