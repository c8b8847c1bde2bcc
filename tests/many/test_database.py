"""What broke a client before is tried first, by every machine that shares a database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis.database import InMemoryExampleDatabase

from fakeserver.dialects import find_dialect
from fakeserver.errors import UsageError
from fakeserver.generate import generate_scenario
from fakeserver.scenario import Scenario
from fakeserver.verifier.clients import name_of
from fakeserver.verifier.merging import merged
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.remembering import WORLDS_MAX, BrokenWorlds, open_database, shown
from fakeserver.verifier.search import verify
from fakeserver.verifier.verdict import Verdict

from .redis_server import PASSWORD, has_redis, redis_server

CLIENT = find_dialect("haravan").document_client
RIGHT = find_dialect("haravan").reference_client


class Mendable:
    """One client, known by one name, that is wrong until somebody mends it."""

    mended = False

    def poll(self, feed):
        (RIGHT if Mendable.mended else CLIENT)(feed)


def verified(database, client=CLIENT, **options) -> Verdict:
    return verify(client, **{"dialect": "haravan", "examples": 30, "database": database, **options})


@pytest.fixture(scope="module")
def filled() -> tuple[InMemoryExampleDatabase, Verdict]:
    """A database after one search that found something, and what it found."""
    database = InMemoryExampleDatabase()
    return database, verified(database)


# A search


def test_a_search_is_the_same_with_an_empty_database(filled):
    assert filled[1].to_json() == verified(None).to_json()


def test_the_world_comes_first_in_the_next_search_of_any_seed(filled):
    database, first = filled
    again = verified(database, seed=99)
    assert (again.outcome, again.found_at, again.examples) == ("broken", None, 0)
    assert again.scenario == first.scenario
    assert again.findings[0].message == first.findings[0].message
    assert "the world broke it in an earlier run, and was tried first" in again.notes
    assert "seed 99 · example" not in again.text()


@pytest.mark.parametrize(
    "other",
    [
        {"client": find_dialect("haravan").reference_client},
        {"promise": Promise(delivery="at-least-once")},
        {"profile": "documented"},
        {"page_size": 3},
        {"without": ("restart",)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_search_shares_nothing(filled, other):
    verdict = verified(filled[0], **{"examples": 1, **other})
    assert not [note for note in verdict.notes if "earlier run" in note]
    assert verdict.found_at in (None, 0)
    assert verdict.examples == 1


def test_a_world_is_forgotten_once_the_promise_is_kept_in_it(monkeypatch):
    database = InMemoryExampleDatabase()
    assert verified(database, Mendable).outcome == "broken"
    monkeypatch.setattr(Mendable, "mended", True)
    first, second = (verified(database, Mendable) for _ in range(2))
    assert first.notes[-1] == "1 world that broke it in earlier runs came first, and none does now"
    assert (first.examples, first.exercised) == (second.examples, second.exercised)
    assert not [note for note in second.notes if "earlier" in note]


def test_shards_that_find_the_same_world_are_merged(filled):
    parts = [verified(filled[0], shard=f"{number}/2") for number in (1, 2)]
    together = merged(parts)
    assert (together.outcome, together.found_at, together.others) == ("broken", None, ())


class Unreachable:
    """A database whose server has gone."""

    def fetch(self, *_):
        raise ConnectionError("gone")

    save = delete = fetch


def test_a_database_that_is_gone_costs_no_verdict():
    verdict = verified(Unreachable())
    assert verdict.findings == verified(None).findings
    assert verdict.notes[-1] == "the database could not be changed: ConnectionError"
    assert "the database could not be read: ConnectionError" in verdict.notes


# Worlds in a database


def test_worlds_come_smallest_first_and_within_a_limit():
    worlds = BrokenWorlds(InMemoryExampleDatabase(), {"client": "x"})
    drawn = [generate_scenario(dialect="haravan", example=n) for n in range(WORLDS_MAX + 5)]
    for scenario in drawn:
        worlds.remember(scenario)
    lengths = [len(scenario.to_json()) for scenario in worlds.all()]
    assert lengths == sorted(len(each.to_json()) for each in drawn)[:WORLDS_MAX]


def test_what_can_t_be_read_is_left_alone():
    database = InMemoryExampleDatabase()
    worlds = BrokenWorlds(database, {"client": "x"})
    scenario = generate_scenario()
    worlds.remember(scenario)
    [key] = database.data
    database.save(key, b'{"format": 2}')
    assert worlds.all() == (scenario,)
    worlds.forget(scenario)
    assert (worlds.all(), database.data[key]) == ((), {b'{"format": 2}'})


# Where it is


@pytest.mark.parametrize(
    ("where", "safe"),
    [
        ("redis://user:pass@host:1/2", "redis://host:1/2"),
        ("rediss://:p%40ss@host/0?password=x", "rediss://host/0"),
        ("some/folder", "some/folder"),
    ],
)
def test_an_address_is_shown_without_its_secrets(where, safe):
    assert shown(where) == safe


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("mysql://u:secret@host/0", r"expected redis://HOST:PORT/NUMBER, .* got mysql://host/0$"),
        ("redis://u:secret@127.0.0.1:1/0", r"can't use redis://127.0.0.1:1/0: .*refused"),
        ("redis://u:secret@127.0.0.1:x/0", r"can't use redis://127.0.0.1:x/0: "),
        ("redis://127.0.0.1:1/0?password=secret&db=secret", r"can't use redis://127.0.0.1:1/0: "),
    ],
)
def test_a_database_that_can_t_be_opened_is_named_without_its_password(where, says):
    with pytest.raises(UsageError, match=says) as caught:
        open_database(where)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("module", "where", "extra"),
    [("redis", "redis://host/0", "redis"), ("hypothesis", "folder", "hypothesis")],
)
def test_without_the_library_the_extra_is_named(module, where, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.database", None)
    with pytest.raises(UsageError, match=rf"pip install 'fakeserver\[{extra}\]'"):
        open_database(where)


# A real server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    if not has_redis():
        pytest.skip("no redis-server here: apt-get install redis-server")
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


def test_two_machines_share_a_redis_server(server, tmp_path):
    first = verified(server)
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("fakeserver")), "verify", "--dialect", "haravan"),
            *("--seed", "5", "--database", server, "--json", "-", name_of(CLIENT)),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    again = json.loads(done.stdout)
    assert again["search"]["found_at"] is None
    assert again["scenario"] == json.loads(first.scenario.to_json())
    assert PASSWORD not in done.stdout + done.stderr


def test_databases_at_one_address_are_equal(server, tmp_path):
    """A fuzzer that forks leaves out tests whose database is not the one that it opens itself."""
    assert open_database(server) == open_database(server)
    assert open_database(server) != open_database(f"{server.removesuffix('0')}1")
    folder = str(tmp_path)
    assert open_database(folder) == open_database(folder) != open_database(server)


PROJECT = """
from hypothesis import given, settings, strategies as st
from fakeserver.dialects import find_dialect

def test_client(verify_client):
    verify_client(find_dialect("haravan").document_client, dialect="haravan")

@given(st.integers())
def test_number(number):
    assert number < 1000

def test_settings():
    print(type(settings().database).__name__)
    assert False
"""


def test_pytest_keeps_worlds_and_examples_there(server, pytester):
    pytester.makepyfile(PROJECT)
    options = ["-p", "no:schemathesis", "-p", "no:cacheprovider", "--fakeserver-database", server]
    done = pytester.runpytest_subprocess(*options)
    done.assert_outcomes(failed=3)
    text = done.stdout.str() + done.stderr.str()
    assert "fakeserver: database redis://127.0.0.1:" in text
    assert "RedisExampleDatabase" in text
    assert PASSWORD not in text
    assert not (pytester.path / ".hypothesis" / "examples").exists()
    again = pytester.runpytest_subprocess(*options, "-k", "client", "--fakeserver-seed", "77")
    again.stdout.fnmatch_lines(["*It was kept in the database, and comes first again.*"])


@pytest.mark.nightly
def test_a_folder_of_an_ini_file_starts_where_that_lies(pytester):
    pytester.makepyfile(PROJECT)
    pytester.makeini("[pytest]\nfakeserver_database = kept\n")
    below = pytester.mkdir("below")
    pytester.chdir()
    os.chdir(below)
    done = pytester.runpytest_subprocess("-p", "no:schemathesis", "-k", "client", pytester.path)
    done.assert_outcomes(failed=1)
    assert any((pytester.path / "kept").iterdir())
    found = [path for path in (pytester.path / "kept").rglob("*") if path.is_file()]
    assert any(is_world(path.read_bytes()) for path in found)


def is_world(text: bytes) -> bool:
    return text.startswith(b"{") and Scenario.from_json(text).dialect == "haravan"


def test_pytest_names_a_database_that_is_not_there(pytester):
    pytester.makepyfile("def test_nothing(): pass")
    options = ("-p", "no:schemathesis", "--fakeserver-database", "redis://u:secret@127.0.0.1:1/0")
    done = pytester.runpytest_subprocess(*options)
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*--fakeserver-database: can't use redis://127.0.0.1:1/0: *"])
    assert "secret" not in done.stdout.str() + done.stderr.str()
