"""Whole runs: several workers, no plugin, no use, Ctrl-C, and what it tells of itself."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .project import WRONG, environment, run_pytest, write

SEVERAL = """
import fakeserver
import pytest
import requests
from clients import wrong


def live(feed):
    with requests.Session() as http:
        http.trust_env = False
        http.get(feed.url("/com/events.json"), headers=feed.headers)


@pytest.mark.parametrize("client", [wrong, live])
@pytest.mark.parametrize("time", range(2))
def test_wrong(verify_client, client, time, worker_id):
    assert worker_id in ("gw0", "gw1")
    # By whatever rule its first broken world shows: the seed is drawn anew in each run.
    with pytest.raises(fakeserver.ContractBroken, match="BROKEN"):
        verify_client(client, dialect="haravan")


def test_fake_server(fake_server, pytestconfig):
    seed = pytestconfig.option.fakeserver_seed
    assert fake_server.scenario.origin == f"seed {seed}, example 0"
    assert fake_server.scenario.profile == "documented"


@pytest.mark.fakeserver(profile="default")
def test_marked(fake_server):
    assert fake_server.scenario.profile == "default"
"""
PROFILE = """
import pytest


@pytest.fixture(scope="session")
def fakeserver_profile():
    return "documented"
"""
ALONE = """
import sys


def test_alone():
    assert "fakeserver" not in sys.modules


def test_asks_for_it(fake_server_factory):
    pass
"""
UNUSED = """
import sys


def test_loaded():
    assert "fakeserver.pytest_plugin" in sys.modules
    assert "fakeserver.world" not in sys.modules
    assert "werkzeug" not in sys.modules
"""
SLOW = """
import pathlib
import time


def slow(feed):
    pathlib.Path("started").touch()
    time.sleep(0.1)


def test_first(verify_client):
    verify_client(slow, dialect="haravan", only=["empty-log"], promise=None)


def test_second():
    pathlib.Path("second").touch()
"""


def test_several_workers_share_a_seed_a_profile_and_a_report(tmp_path: Path) -> None:
    """The seed is drawn once; each worker has live servers at ports of its own."""
    write(tmp_path, {"clients.py": WRONG, "conftest.py": PROFILE, "test_it.py": SEVERAL})
    report = ("--fakeserver-report", "report.json")
    run = run_pytest(
        tmp_path, "-n2", *report, "-o", "pythonpath=.", more={"PYTEST_FAKESERVER_SEED": "random"}
    )
    assert run.outcomes == {"passed": 6}, run.text
    verdicts = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["verdicts"]
    assert [verdict["outcome"] for verdict in verdicts] == ["broken"] * 4
    assert [each["test"] for each in verdicts] == sorted(each["test"] for each in verdicts)
    [(seed, profile)] = {(verdict["seed"], verdict["profile"]) for verdict in verdicts}
    assert profile == "documented"
    assert f"fakeserver: seed {seed}\n" in run.text
    assert "fakeserver: 4 verdicts over " in run.text


def test_it_can_be_left_out(tmp_path: Path) -> None:
    run = run_pytest(write(tmp_path, {"test_it.py": ALONE}), "-p", "no:fakeserver")
    assert run.outcomes == {"passed": 1, "error": 1}
    assert "fixture 'fake_server_factory' not found" in run.text


def test_who_does_not_use_it_pays_and_reads_nothing(tmp_path: Path) -> None:
    run = run_pytest(write(tmp_path, {"test_it.py": UNUSED}), "-p", "no:xdist")
    assert run.outcomes == {"passed": 1}, run.text
    assert "fakeserver: " not in run.text
    assert run.errors == ""


def test_help_has_a_heading_of_ours(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, "--help")
    heading, _, rest = run.text.partition("\nfakeserver (suite: fakeserver.contracts):\n")
    ours = rest.partition("\n\n")[0]
    for name in ("seed", "examples", "replay", "report", "target"):
        assert f"--fakeserver-{name}=" in ours
        assert f"--fakeserver-{name}=" not in heading
        assert f"  fakeserver_{name} (" in rest  # an ini key of its own


def test_fixtures_tell_what_they_are(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, "--fixtures")
    ours = run.text.partition("fixtures defined from fakeserver.pytest_plugin")[2]
    for name, about in {
        "fakeserver_profile [session scope]": "The profile where neither a call nor a marker",
        "fake_server_factory [session scope]": "A function that makes a fake API playing one world",
        "fake_server --": "A fake API playing one generated world, new for each test.",
        "verify_client [session scope]": "A function that verifies a client, and fails the test",
    }.items():
        assert f"\n{name}" in ours
        assert about in ours


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_ends_the_session(tmp_path: Path) -> None:
    """The search itself turns Ctrl-C into a verdict; pytest must not go on to the next test."""
    write(tmp_path, {"test_it.py": SLOW})
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:schemathesis", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        # A run in the background has SIGINT ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        while not (tmp_path / "started").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "interrupted while a client was verified" in output
    assert not (tmp_path / "second").exists()
