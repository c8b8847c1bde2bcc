"""Under `@given` hazards are events; for a fuzzer the same world takes the same ways each time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from fakeserver.dialects import find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.pytest_plugin.checks import check_client
from fakeserver.pytest_plugin.fuzzed import Forgetful
from fakeserver.pytest_plugin.records import Records
from fakeserver.vocabulary import vocabulary

EXAMPLE = Path(__file__).parents[2] / "fixtures" / "fuzz" / "test_any_world.py"
RIGHT = find_dialect("haravan").reference_client
PACKAGE = str(Path(__file__).parents[2] / "fakeserver")
FUZZ_SECONDS_MAX = 120
OLDER = (6, 153)
"""From there on HypoFuzz 25.11 can't shrink."""


def ways(work: Callable[[], Any]) -> set[tuple[str, int, int]]:
    """Which line of ours followed which, as a fuzzer sees it."""
    found: set[tuple[str, int, int]] = set()
    last = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal last
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGE):
            return None
        if event == "line":
            found.add((name, last, frame.f_lineno))
            last = frame.f_lineno
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return found


@pytest.fixture
def records(pytestconfig: pytest.Config) -> Records:
    """Those of a process in which pytest runs no test."""
    return Records(pytestconfig)


def test_the_ways_in_a_process_of_its_own():
    """As a fuzzer has one: what traces lines must not meet the threads of other tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-m", "nightly", "-k", "ways or remembered", __file__],
        cwd=EXAMPLE.parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.nightly
def test_a_world_takes_the_same_ways_again_where_no_test_is_run(records):
    scenario = generate_scenario(dialect="haravan", seed=5, example=3)

    def play() -> None:
        check_client(records, RIGHT, "default", {"scenario": scenario})

    play()  # what is imported when it is needed
    assert ways(play) == ways(play)


@pytest.mark.nightly
def test_what_is_remembered_would_change_them(records, monkeypatch):
    monkeypatch.setattr(Forgetful, "forget", lambda _: None)
    scenario = generate_scenario(dialect="haravan", seed=6, example=4)

    def play() -> None:
        check_client(records, RIGHT, "default", {"scenario": scenario})

    assert ways(play) != ways(play)


def test_a_fuzzer_is_not_kept_waiting_for_what_all_worlds_share():
    generate_scenario(dialect="haravan")
    known = vocabulary.cache_info().currsize
    Forgetful().forget()
    assert vocabulary.cache_info().currsize == known > 0


def test_nothing_is_kept_for_hours(records):
    scenario = generate_scenario(dialect="haravan", example=1)
    for _ in range(3):
        check_client(records, RIGHT, "default", {"scenario": scenario})
    assert records.servers == []
    assert records._of_test == []


def test_hazards_are_events_in_the_statistics(pytester):
    pytester.makepyfile(EXAMPLE.read_text(encoding="utf-8"))
    options = ("-p", "no:schemathesis", "--hypothesis-show-statistics", "--hypothesis-seed=1")
    done = pytester.runpytest_subprocess(*options, "-k", "right")
    done.assert_outcomes(passed=1, deselected=1)
    done.stdout.re_match_lines([r".*\d+\.\d\d%, hazard tie-at-page-edge"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the example, where HypoFuzz can be run."""
    pytest.importorskip("hypofuzz", reason="HypoFuzz is not here: pip install --group fuzz")
    if tuple(map(int, version("hypothesis").split(".")[:2])) >= OLDER:
        pytest.skip("HypoFuzz 25.11 can't shrink under this Hypothesis: pip install --group fuzz")
    (tmp_path / EXAMPLE.name).write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


@pytest.mark.nightly
def test_the_fuzzer_keeps_worlds_by_the_hazards_in_them(folder):
    fuzz(folder, "right", until=lambda: len(hazards_of(folder)) >= 4)
    assert {"hazard tie-at-page-edge", "hazard backlog"} <= hazards_of(folder)


@pytest.mark.nightly
def test_what_the_fuzzer_finds_fails_in_pytest_at_once(folder):
    fuzz(folder, "by_last_id", until=lambda: has_failed(folder))
    assert has_failed(folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--hypothesis-show-statistics", *shared("by_last_id")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "BROKEN  LOST" in done.stdout, done.stdout
    assert "during reuse phase" in done.stdout, done.stdout
    assert "during generate phase" not in done.stdout, done.stdout


def shared(test: str) -> list[str]:
    """What to say to pytest and to the fuzzer, so that they share a database."""
    return ["--fakeserver-database", "kept", EXAMPLE.name, "-k", test]


def fuzz(folder: Path, test: str, *, until: Callable[[], bool]) -> None:
    """Leave the fuzzer running until something holds, or long enough."""
    program = str(Path(sys.executable).with_name("hypothesis"))
    fuzzer = subprocess.Popen(
        [program, "fuzz", "-n", "1", "--no-dashboard", "--", *shared(test)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        end = time.monotonic() + FUZZ_SECONDS_MAX
        while not until() and time.monotonic() < end and fuzzer.poll() is None:
            time.sleep(1)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(fuzzer.pid, signal.SIGINT)
        fuzzer.wait(60)


def database_of(folder: Path) -> Any:
    from hypofuzz.database import HypofuzzDatabase
    from hypothesis.database import DirectoryBasedExampleDatabase

    return HypofuzzDatabase(DirectoryBasedExampleDatabase(str(folder / "kept")))


def hazards_of(folder: Path) -> set[str]:
    """The hazards that were met in the worlds that the fuzzer keeps."""
    database = database_of(folder)
    return {
        feature
        for key in database.fetch(b"hypofuzz.test_keys")
        for choices in database.corpus.fetch(key)
        for observation in database.corpus_observations.fetch_all(key, choices)
        for feature in observation.features
        if feature.startswith("hazard ")
    }


def has_failed(folder: Path) -> bool:
    """Whether the fuzzer has made a failure small."""
    from hypofuzz.database import FailureState

    database = database_of(folder)
    failures = database.failures(state=FailureState.SHRUNK)
    return any(list(failures.fetch(key)) for key in database.fetch(b"hypofuzz.test_keys"))
