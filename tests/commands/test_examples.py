"""The example clients of every library: the right ones are kept, and each mistake is named.

The clients in Python at the top of `fixtures/clients` have tests of their own (`tests/quality`).
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fakeserver.generate import generate_scenario
from fakeserver.verifier.clients import Client, load_client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.judge import judge
from fakeserver.verifier.patched_time import PatchedTime
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import doorkeeper, run

FOLDER = Path(__file__).parents[2] / "fixtures" / "clients"
MODULES = FOLDER / "node_modules"
WORLDS = 2
WORLDS_NIGHTLY = 60
WORLDS_OF_MISTAKES = 40
"""Each mistake shows within so many; `fakeserver verify` tries 200."""
PROMPT = Promise(late_by_ms_max=0)
LATE = Promise(late_by_ms_max=300_000)
AT_LEAST_ONCE = Promise(delivery="at-least-once", late_by_ms_max=0)


def function(name: str) -> Client:
    return load_client(f"{FOLDER / name}:follow")


def endless(name: str) -> Client:
    return PatchedTime(function(name))


def shell(name: str) -> Client:
    return CommandClient(["sh", str(FOLDER / name)])


def node(name: str) -> Client:
    return CommandClient(["node", str(FOLDER / name)], persistent=True)


def singer(name: str) -> Client:
    words = [sys.executable, str(FOLDER / name)]
    files = ["--config", "{config_file}", "--state", "{checkpoint_file}"]
    return CommandClient([*words, *files], protocol="singer")


def airbyte(name: str) -> Client:
    words = [sys.executable, str(FOLDER / name), "read", "--catalog", "unused.json"]
    files = ["--config", "{config_file}", "--state", "{checkpoint_file}"]
    return CommandClient([*words, *files], protocol="airbyte")


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A file with what it promises; for a wrong one, what must be found and where it shows.

    `needs` are programs, and `axios` the packages of `package.json`.
    """

    file: str
    make: Callable[[str], Client]
    promise: Promise
    dialect: str = "haravan"
    needs: tuple[str, ...] = ()
    finds: tuple[str, str | None] | None = None
    only: tuple[str, ...] | None = None

    def skip_if_missing(self) -> None:
        missing = [name for name in self.needs if name != "axios" and shutil.which(name) is None]
        if "axios" in self.needs and not MODULES.is_dir():
            missing.append("axios (npm install --prefix fixtures/clients)")
        if missing:
            pytest.skip(f"there is no {', '.join(missing)} here")


S = "saleschannel"
NODE, AXIOS, CURL = ("node",), ("node", "axios"), ("curl", "jq")
RIGHT = (
    Example(file="libraries/httpx_window.py", make=function, promise=LATE),
    Example(file="libraries/urllib_since_id.py", make=function, promise=AT_LEAST_ONCE),
    Example(file="libraries/aiohttp_look_back.py", make=function, promise=LATE, dialect=S),
    Example(file="libraries/endless.py", make=endless, promise=LATE),
    Example(file="haravan_window.mjs", make=node, promise=LATE, needs=NODE),
    Example(file="libraries/axios_look_back.mjs", make=node, promise=LATE, dialect=S, needs=AXIOS),
    Example(file="haravan_document.sh", make=shell, promise=PROMPT, needs=CURL),
    Example(file="libraries/singer_tap.py", make=singer, promise=LATE),
    Example(file="libraries/airbyte_source.py", make=airbyte, promise=LATE, dialect=S),
)
WRONG = (
    Example(
        file="wrong/requests_swallows_errors.py",
        make=function,
        promise=LATE,
        finds=("LOST", "failed-not-retried"),
    ),
    Example(
        file="wrong/httpx_one_millisecond_later.py",
        make=function,
        promise=PROMPT,
        dialect=S,
        finds=("LOST", "cut-by-limit"),
    ),
    Example(
        file="wrong/httpx_async_saves_first.py",
        make=function,
        promise=PROMPT,
        finds=("LOST", "saved-before-delivered"),
    ),
    Example(
        file="wrong/urllib_last_id.py", make=function, promise=LATE, finds=("LOST", "never-asked")
    ),
    Example(
        file="wrong/aiohttp_first_page.py",
        make=function,
        promise=AT_LEAST_ONCE,
        finds=("LOST", "cut-by-limit"),
    ),
    Example(
        file="wrong/fetch_inclusive_key.mjs",
        make=node,
        promise=PROMPT,
        dialect=S,
        needs=NODE,
        finds=("DUPLICATED", None),
    ),
    Example(
        file="wrong/axios_retries_at_once.mjs",
        make=node,
        promise=PROMPT,
        needs=AXIOS,
        finds=("IMPOLITE", None),
        only=("rate-limited",),
    ),
    Example(
        file="wrong/curl_forgets.sh",
        make=shell,
        promise=PROMPT,
        needs=CURL,
        finds=("DUPLICATED", None),
    ),
    Example(
        file="wrong/singer_dedups_by_stamp.py",
        make=singer,
        promise=PROMPT,
        finds=("LOST", "served-not-delivered"),
    ),
    Example(
        file="wrong/airbyte_without_lookback.py",
        make=airbyte,
        promise=LATE,
        dialect=S,
        finds=("LOST", "never-asked"),
        only=("late-visible",),
    ),
)


def verdicts(example: Example, worlds: int):
    """The verdict of each world, as the search would come to it."""
    example.skip_if_missing()
    client = example.make(example.file)
    with doorkeeper() as keeper:
        for number in range(worlds):
            scenario = generate_scenario(
                dialect=example.dialect,
                seed=5,
                example=number,
                late_by_ms_max=example.promise.late_by_ms_max,
                hazards=None if example.only is None else frozenset(example.only),
            )
            yield judge(scenario, run(scenario, client, keeper=keeper), example.promise)


def class_of(example: Example) -> str:
    """The class of its mistake, as the first words of the file have it."""
    text = (FOLDER / example.file).read_text(encoding="utf-8")
    return text.removeprefix("#!/bin/sh\n").lstrip('/#" ').split(".")[0]


every_right_one = pytest.mark.parametrize("example", RIGHT, ids=lambda example: example.file)


# An answer of urllib that says 503 is open until somebody reads it, and usual code does not.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@every_right_one
def test_a_right_client_is_kept(example):
    for verdict in verdicts(example, WORLDS):
        assert verdict.findings == (), verdict.text()


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@every_right_one
def test_a_right_client_is_kept_for_long(example):
    for verdict in verdicts(example, WORLDS_NIGHTLY):
        assert verdict.findings == (), verdict.text()


@pytest.mark.parametrize("example", WRONG, ids=lambda example: example.file)
def test_a_wrong_client_is_caught_for_its_mistake(example):
    broken = (each for each in verdicts(example, WORLDS_OF_MISTAKES) if each.findings)
    first = next(broken, None)
    assert first is not None, f"kept its promise in {WORLDS_OF_MISTAKES} worlds"
    found = {(finding.rule, finding.cause) for finding in first.findings}
    assert example.finds in found, first.text()
    named = {finding.fault_class for finding in first.findings} - {None}
    assert named <= {class_of(example)}, first.text()


def test_every_example_is_tested_and_explained():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    tested = {example.file for example in (*RIGHT, *WRONG)}
    kinds = ("*.sh", "*.mjs", "libraries/*.py", "libraries/*.mjs", "wrong/*.*")
    there = {path.relative_to(FOLDER).as_posix() for kind in kinds for path in FOLDER.glob(kind)}
    assert tested == there
    assert [name for name in sorted(tested) if f"`{name}`" not in readme] == []


@pytest.mark.parametrize("example", WRONG, ids=lambda example: example.file)
def test_a_wrong_client_names_the_class_of_its_mistake(example):
    assert class_of(example) in FAULT_CLASSES
