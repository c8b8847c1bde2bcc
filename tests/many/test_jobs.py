"""Many workers come to the verdict of one, whoever is faster and whoever dies."""

import functools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from fakeserver.clock import as_datetime
from fakeserver.dialects import find_dialect
from fakeserver.errors import ClientNotFound, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.verifier.clients import load_client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.search import verify
from fakeserver.verifier.verdict import Verdict

HERE = Path(__file__).parent
PROMPT = Promise(late_by_ms_max=0)
MARKED = 17
"""The number of the world in which something happens to the clients that ask for it."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, with the clients and a mark on one world."""
    (tmp_path / "clients.py").write_text((HERE / "clients.py").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    first = generate_scenario(dialect="haravan", example=MARKED).polls[0].starts_at
    monkeypatch.setenv("MARKED", as_datetime(first).isoformat())
    return tmp_path


def verified(client: str, *, jobs: int, **options) -> Verdict:
    """The verdict on a client of the folder, by its name as a command line has it."""
    name = f"clients.py:{client}"
    words = {"dialect": "haravan", "examples": 30, **options}
    return verify(load_client(name), jobs=jobs, named=name, **words)


def without_notes(verdict: Verdict) -> bytes:
    assert verdict.search is not None
    search = msgspec.structs.replace(verdict.search, notes=())
    return msgspec.structs.replace(verdict, notes=(), search=search).to_json()


# The same verdict


@pytest.mark.parametrize(
    ("dialect", "client", "outcome"),
    [
        ("haravan", "reference_client", "kept"),
        ("haravan", "document_client", "broken"),
        pytest.param("saleschannel", "document_client", "broken", marks=pytest.mark.nightly),
    ],
)
def test_two_workers_come_to_the_verdict_of_one(dialect, client, outcome):
    tested = getattr(find_dialect(dialect), client)
    one, many = (verify(tested, dialect=dialect, examples=60, jobs=jobs) for jobs in (1, 2))
    assert one.outcome == outcome
    assert one.to_json() == many.to_json()
    assert one == many


def test_workers_build_the_same_worlds_around_a_size_of_the_clients_own(folder):
    one, many = (verified("own_size", jobs=jobs, promise=PROMPT, examples=40) for jobs in (1, 2))
    assert one.exercised["tie-at-page-edge"] > 1
    assert one == many


@pytest.mark.nightly
def test_a_program_has_one_process_for_each_worker(folder):
    """It lives on from world to world in each; the shrinker's is one more."""
    argv = [sys.executable, str(HERE / "programs.py")]
    verdict = verify(
        CommandClient(argv, persistent=True),
        dialect="haravan",
        promise=PROMPT,
        examples=16,
        jobs=2,
        without=("restart", "crash-before-save", "crash-after-save", "late-visible"),
    )
    assert verdict.outcome in ("kept", "broken"), verdict.notes
    pids = [int(path.name.partition("-")[2]) for path in folder.glob("pid-*")]
    assert len(pids) >= 2
    assert not [pid for pid in pids if is_running(pid)]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# Workers that end


def test_a_world_that_kills_its_worker_is_named_and_nobody_is_accused(folder):
    verdict = verified("mortal", jobs=2)
    assert verdict.outcome == "inconclusive"
    assert verdict.findings == ()
    assert verdict.notes[0].startswith(
        f"world {MARKED} was not played: each worker that tried it ended with exit status 7; "
        f"'fakeserver scenario --seed 0 --example {MARKED}' prints it"
    )


def test_what_a_killed_worker_had_is_played_again(folder):
    alone = verified("right", jobs=1)
    verdict = verified("killed_once", jobs=2)
    assert (folder / "killed").exists()
    assert "a worker ended by signal 9 in world" in " ".join(verdict.notes)
    assert verdict.outcome == "kept"
    assert without_notes(verdict) == without_notes(alone)


def test_a_poll_without_end_is_ended_in_a_worker_too(folder):
    one, many = (verified("stuck", jobs=jobs, poll_seconds_max=0.4) for jobs in (1, 2))
    assert (one.outcome, one.findings[0].rule, one.found_at) == ("broken", "STUCK", MARKED)
    assert one == many


# What can't be sent


@pytest.mark.parametrize("client", [lambda feed: None, functools.partial(lambda feed: None)])
def test_a_client_without_a_name_of_its_own_is_refused(client):
    with pytest.raises(UsageError, match=r"<lambda>.* can't be sent to another process: "):
        verify(client, dialect="haravan", jobs=2)


def test_a_client_that_another_process_can_t_import_is_told_so(folder, monkeypatch):
    monkeypatch.setenv("AT_HOME", str(os.getpid()))
    with pytest.raises(ClientNotFound, match=r"importing clients.py raised RuntimeError: no file"):
        verified("at_home_only", jobs=2)


@pytest.mark.parametrize("jobs", [0, 257])
def test_jobs_have_a_limit(jobs):
    with pytest.raises(UsageError, match=f"jobs: expected 1 to 256, got {jobs}"):
        verify(find_dialect("haravan").reference_client, dialect="haravan", jobs=jobs)


# The command line


def command(*arguments: str) -> list[str]:
    program = str(Path(sys.executable).with_name("fakeserver"))
    return [program, "verify", "--dialect", "haravan", *arguments]


def test_seconds_bound_many_workers(folder):
    done = subprocess.run(
        command("--jobs", "2", "--seconds", "0.1", "clients.py:right"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert re.search(r"the promise held in \d+ worlds?\b", done.stdout), done.stdout
    assert "200 worlds" not in done.stdout


OURS = ("click", "faker", "fakeserver", "json", "msgspec", "multiprocessing", "queue", "requests")
BESIDE = """
import os
import helpers
import iniconfig  # there is one among the installed packages, too


def follow(feed):
    assert (helpers.WHOSE, iniconfig.WHOSE) == ("the client's", "the client's")
    assert "PYTHONSAFEPATH" not in os.environ
    right(feed)


from fakeserver.dialects import find_dialect
right = find_dialect("haravan").reference_client
"""


@pytest.mark.parametrize("client", ["beside.py:follow", "beside:follow"])
def test_what_lies_beside_a_client_is_for_the_client_alone(tmp_path, client):
    (tmp_path / "beside.py").write_text(BESIDE)
    for name in ("helpers", "iniconfig"):
        (tmp_path / f"{name}.py").write_text('WHOSE = "the client\'s"')
    for name in OURS:
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('{name} of the client')")
    done = subprocess.run(
        command("--jobs", "2", "--examples", "12", client),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "the promise held in 12 worlds" in done.stdout, done.stderr


def test_ctrl_c_ends_all_workers(folder):
    process = subprocess.Popen(
        command("--jobs", "2", "--examples", "100000", "clients.py:slow"),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A run in the background has SIGINT ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while len(pids := [int(path.name[4:]) for path in folder.glob("pid-*")]) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "interrupted after " in out
    assert [pid for pid in pids if is_running(pid)] == []
