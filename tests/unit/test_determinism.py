"""The same seed gives the same bytes, worlds and histories alike, in any process."""

import hashlib
import os
import subprocess
import sys
from functools import lru_cache

import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import UsageError
from fakeserver.generate import generate_scenario
from fakeserver.history import from_lines, to_lines
from fakeserver.scenario import Scenario
from fakeserver.serving.options import ServeOptions
from fakeserver.verifier.runner import doorkeeper, run
from fakeserver.verifier.search import verify

WORLDS = 32
CLIENTS = ("reference_client", "document_client")

CODE = """
import hashlib, sys
from fakeserver.dialects import find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.history import to_lines
from fakeserver.verifier.runner import doorkeeper, run

name, worlds = sys.argv[1], int(sys.argv[2])
dialect = find_dialect(name)
with doorkeeper() as keeper:
    for example in range(worlds):
        profile = dialect.profiles[example % len(dialect.profiles)].name
        scenario = generate_scenario(dialect=name, profile=profile, seed=3, example=example)
        print(hashlib.sha256(scenario.to_json()).hexdigest())
        for client in (dialect.reference_client, dialect.document_client):
            history = run(scenario, client, keeper=keeper)
            print(hashlib.sha256(to_lines(history)).hexdigest())
"""


@lru_cache(maxsize=8)
def digests_elsewhere(dialect: str, hash_seed: str) -> tuple[str, ...]:
    """The sha256 of each world and its histories, from a process with its own order of hashes."""
    ran = subprocess.run(
        [sys.executable, "-c", CODE, dialect, str(WORLDS)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return tuple(ran.stdout.split())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_two_processes_agree_on_worlds_and_histories(dialect):
    one = digests_elsewhere(dialect, "1")
    assert len(one) == WORLDS * (1 + len(CLIENTS))
    assert digests_elsewhere(dialect, "4242") == one


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_world_depends_on_every_part_of_its_name(dialect):
    """What agrees because it is always the same would prove nothing."""
    elsewhere = digests_elsewhere(dialect, "1")
    worlds = elsewhere[:: 1 + len(CLIENTS)]
    assert len(set(worlds)) == WORLDS
    histories = [digest for n, digest in enumerate(elsewhere) if n % (1 + len(CLIENTS))]
    assert len(set(histories)) > WORLDS

    def world(**name) -> bytes:
        return generate_scenario(**({"dialect": dialect, "seed": 3, "example": 0} | name)).to_json()

    assert hashlib.sha256(world()).hexdigest() == worlds[0]
    others = [world(seed=4), world(example=2), world(profile="documented"), world(page_size=7)]
    assert len({world(), *others}) == 5


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_world_from_its_file_has_the_same_history(dialect, client):
    """What `fakeserver replay` needs. And playing a world twice changes nothing in it."""
    follow = getattr(find_dialect(dialect), client)
    with doorkeeper() as keeper:
        for example in range(10):
            scenario = generate_scenario(dialect=dialect, profile="documented", example=example)
            lines = to_lines(run(scenario, follow, keeper=keeper))
            assert to_lines(run(scenario, follow, keeper=keeper)) == lines
            again = Scenario.from_json(scenario.to_json())
            assert to_lines(run(again, follow, keeper=keeper)) == lines
            assert to_lines(from_lines(lines)) == lines


@pytest.mark.parametrize("seed", ["7", 7.0, None, True])
def test_a_seed_is_a_whole_number(seed):
    """Everywhere: it is part of a text, in which 7.0 would be another one than 7."""
    with pytest.raises(UsageError, match="seed: expected a whole number, got "):
        generate_scenario(seed=seed)
    with pytest.raises(UsageError, match="seed: expected a whole number, got "):
        verify(find_dialect("haravan").reference_client, dialect="haravan", seed=seed)
    with pytest.raises(UsageError, match="seed: expected a whole number, got "):
        ServeOptions(dialect="haravan", seed=seed)
