"""Verdicts of shards are merged to that of one search, in any order and grouping."""

import json
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver.cli import cli
from fakeserver.dialects import find_dialect
from fakeserver.errors import UsageError
from fakeserver.generate import generate_scenario
from fakeserver.verifier.hazards import HAZARDS
from fakeserver.verifier.judge import NOTES
from fakeserver.verifier.merging import merged, merged_pair
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.report.from_json import load_verdict
from fakeserver.verifier.search import verify
from fakeserver.verifier.shard import Shard
from fakeserver.verifier.theory import IMPOSSIBLE
from fakeserver.verifier.verdict import Finding, Requests, Searched, Verdict

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "contracts" / "verdict" / "verdict.schema.json").read_text()
)
EXAMPLES = 36
SHARDS = 3


def shards_of(client, **options) -> list[Verdict]:
    words = {"dialect": "haravan", "examples": EXAMPLES, **options}
    return [verify(client, shard=Shard(k, SHARDS), **words) for k in range(1, SHARDS + 1)]


@pytest.fixture(scope="module")
def kept() -> list[Verdict]:
    return shards_of(find_dialect("haravan").reference_client)


@pytest.fixture(scope="module")
def broken() -> list[Verdict]:
    return shards_of(find_dialect("haravan").document_client)


# Shards


@pytest.mark.parametrize(("examples", "of"), [(36, 3), (10, 4), (7, 7), (1000, 1)], ids=str)
def test_every_world_belongs_to_one_shard(examples, of):
    worlds = [world for k in range(1, of + 1) for world in Shard(k, of).worlds(examples)]
    assert sorted(worlds) == list(range(examples))


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "a/b", "1/1001", "-1/4", "1/4/2", ""])
def test_no_shard(text):
    with pytest.raises(UsageError, match=r"^shard: expected K/N"):
        Shard.parse(text)


def test_a_shard_without_a_world_is_refused():
    with pytest.raises(UsageError, match="shard 4/4 has none of 3 worlds"):
        verify(
            find_dialect("haravan").reference_client,
            dialect="haravan",
            examples=3,
            shard="4/4",
        )


def test_a_shard_does_not_doubt_what_another_one_may_try():
    verdict = verify(
        find_dialect("haravan").reference_client, dialect="haravan", examples=36, shard="7/36"
    )
    assert verdict.outcome == "kept"
    assert any(note.startswith("in 1 world ") for note in verdict.notes)


# Real searches


def test_kept_shards_are_the_verdict_of_one_search(kept):
    whole = verify(find_dialect("haravan").reference_client, dialect="haravan", examples=EXAMPLES)
    together = merged(kept)
    assert together.outcome == "kept"
    search = msgspec.structs.replace(together.search, shards_of=1, shards=(1,))
    assert msgspec.structs.replace(together, search=search).to_json() == whole.to_json()


def test_the_world_of_one_search_is_the_one_that_is_shown(broken):
    whole = verify(find_dialect("haravan").document_client, dialect="haravan", examples=EXAMPLES)
    together = merged(broken)
    assert together.found_at == whole.found_at == min(each.found_at for each in broken)
    assert (together.findings, together.scenario) == (whole.findings, whole.scenario)
    assert together.history == whole.history
    assert together.examples == sum(each.examples for each in broken)


def test_a_missing_shard_is_named_and_nothing_is_proved(kept, broken):
    few = merged([kept[0], kept[2]])
    assert (few.outcome, few.notes[0]) == ("inconclusive", "shard 2 of 3 is missing")
    assert merged([kept[1]]).notes[0] == "shards 1 and 3 of 3 are missing"
    alone = merged([broken[1]])
    assert alone.outcome == "broken"
    assert "shards 1 and 3 of 3 are missing" in alone.notes


def test_an_interrupted_shard_leaves_a_doubt():
    def first_only(_done, _hazards):
        raise KeyboardInterrupt

    client = find_dialect("haravan").reference_client
    parts = [
        verify(client, dialect="haravan", examples=8, shard="1/2", progress=first_only),
        verify(client, dialect="haravan", examples=8, shard="2/2"),
    ]
    together = merged(parts)
    assert together.outcome == "inconclusive"
    assert together.notes[0] == "interrupted after 1 of 4 worlds"


OTHERS = {
    "seed": {"seed": 1},
    "examples": {"examples": EXAMPLES + 1},
    "promise, delivery": {"promise": Promise(delivery="at-least-once")},
    "profile": {"profile": "documented"},
    "page_size": {"page_size": 3},
    "without": {"without": ("late-visible",)},
    "number of shards": {"shard": "1/4"},
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_search_is_refused(what, kept):
    other = verify(
        find_dialect("haravan").reference_client,
        **{"dialect": "haravan", "examples": EXAMPLES, "shard": "1/3", **OTHERS[what]},
        progress=lambda *_: False,
    )
    with pytest.raises(UsageError, match=f"they are of different searches: {what}: "):
        merged([kept[1], other])


def test_another_version_is_refused(kept):
    search = msgspec.structs.replace(kept[0].search, version="0.0.1")
    with pytest.raises(UsageError, match=r"version of fakeserver: '0\.0\.1' and "):
        merged([msgspec.structs.replace(kept[0], search=search), kept[1]])


def test_one_shard_twice_is_refused(kept):
    with pytest.raises(UsageError, match="shard 2/3 is there twice"):
        merged([kept[1], kept[0], kept[1]])


def test_nothing_to_merge_is_refused():
    with pytest.raises(UsageError, match="got none"):
        merged([])


# Any verdicts

SCENARIOS = [generate_scenario(dialect="haravan", example=number) for number in range(6)]
NAMES = sorted(HAZARDS)


def counts(names, least=0):
    return st.dictionaries(st.sampled_from(sorted(names)), st.integers(max(1, least), 9))


@st.composite
def searches(draw) -> list[Verdict]:
    """The verdicts of all shards of one search, broken or not, with any numbers."""
    of = draw(st.integers(1, 6))
    parts = []
    for number in range(1, of + 1):
        exercised = draw(counts(NAMES))
        found_at = draw(st.none() | st.integers(0, 20)) if draw(st.booleans()) else None
        is_broken = draw(st.booleans())
        scenario = draw(st.sampled_from(SCENARIOS)) if is_broken else None
        rule, cause = draw(st.sampled_from([("LOST", "a"), ("LOST", "b"), ("STUCK", None)]))
        own = tuple(draw(st.lists(st.sampled_from(["x", "y"]), max_size=2)))
        parts.append(
            Verdict(
                outcome="broken" if is_broken else "kept",
                dialect="haravan",
                profile="default",
                promise=Promise(),
                findings=(Finding(rule=rule, cause=cause, message="m"),) if is_broken else (),
                notes=own,
                seed=7,
                examples=draw(st.integers(0, 99)),
                exercised=exercised,
                not_exercised=tuple(
                    name for name in HAZARDS if name not in exercised and draw(st.booleans())
                ),
                requests=Requests(
                    count=draw(st.integers(0, 99)), lower_bound=draw(st.integers(0, 9))
                ),
                scenario=scenario,
                found_at=found_at if found_at is None else found_at * of + number - 1,
                shrunk_from=draw(st.integers(1, 9)) if is_broken else None,
                replay=draw(st.none() | st.just("fakeserver replay x.json y")),
                search=Searched(
                    version="1",
                    examples_max=100,
                    shards_of=of,
                    shards=(number,),
                    counted=draw(counts(NOTES)),
                    impossible=draw(counts(IMPOSSIBLE)),
                    doubts=tuple(draw(st.lists(st.sampled_from(["d", "e"]), max_size=1))),
                    notes=tuple(draw(st.lists(st.sampled_from(["p", "q"]), max_size=1))),
                    notes_of_world=own if is_broken else (),
                ),
            )
        )
    return parts


def grouped(parts: list[Verdict], random: Random) -> Verdict:
    """Merge in any order and grouping."""
    left = [merged([part]) for part in parts]
    while len(left) > 1:
        one, other = (left.pop(random.randrange(len(left))) for _ in range(2))
        left.append(merged_pair(one, other))
    return left[0]


@settings(max_examples=40, deadline=None)
@given(parts=searches(), seed=st.integers(0, 2**32))
def test_order_and_grouping_change_nothing(parts, seed):
    together = merged(parts)
    assert grouped(parts, Random(seed)) == together
    assert grouped(parts, Random(seed)).to_json() == together.to_json()


@settings(max_examples=20, deadline=None)
@given(parts=searches())
def test_numbers_are_those_of_all_shards(parts):
    together = merged(parts)
    assert together.examples == sum(part.examples for part in parts)
    for name in NAMES:
        assert together.exercised.get(name, 0) == sum(p.exercised.get(name, 0) for p in parts)
        assert (name in together.not_exercised) == (
            any(name in part.not_exercised for part in parts)
            and all(name not in part.exercised for part in parts)
        )
    assert together.requests.count == sum(part.requests.count for part in parts)
    kinds = {(part.findings[0].rule, part.findings[0].cause) for part in parts if part.findings}
    assert len(together.others) == max(0, len(kinds) - 1)


@settings(max_examples=20, deadline=None)
@given(parts=searches())
def test_a_merged_verdict_is_merged_again_from_its_file(parts):
    """What is written has all that a merge needs, and keeps the schema."""
    *first, last = parts
    if not first:
        return
    halfway = merged(first)
    read = read_again(halfway)
    assert merged_pair(read, last).to_json() == merged(parts).to_json()
    jsonschema.validate(json.loads(halfway.to_json()), SCHEMA)


def read_again(verdict: Verdict) -> Verdict:
    with TemporaryDirectory() as folder:
        path = Path(folder, "verdict.json")
        path.write_bytes(verdict.to_json())
        return load_verdict(path)


# The command line


@pytest.fixture
def files(broken, kept, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, parts in (("broken", broken), ("kept", kept)):
        for number, part in enumerate(parts, start=1):
            (tmp_path / f"{name}-{number}.json").write_bytes(part.to_json())
    one = broken[0]
    alone = msgspec.structs.replace(one, search=None)
    (tmp_path / "one.json").write_bytes(alone.to_json())
    old = json.loads(one.to_json())
    del old["search"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    (tmp_path / "new.json").write_text(json.dumps(old | {"format": 2}))
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "text.json").write_text("a text")
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(cli, ["merge", *arguments], catch_exceptions=True)


def test_merged_files_are_one_report(files, broken):
    done = run("broken-3.json", "broken-1.json", "broken-2.json", "--json", "all.json")
    assert done.exit_code == 1
    assert done.stdout.startswith("BROKEN  LOST  ")
    assert json.loads((files / "all.json").read_text()) == json.loads(merged(broken).to_json())
    kept_worlds = sorted(path.suffix for path in (files / ".fakeserver").iterdir())
    assert ".json" in kept_worlds
    again = run("kept-1.json", "kept-2.json", "kept-3.json", "--junit", "all.xml")
    assert again.exit_code == 0
    assert 'failures="0"' in (files / "all.xml").read_text()


def test_a_missing_file_of_a_shard_is_inconclusive(files):
    done = run("kept-1.json", "kept-2.json")
    assert done.exit_code == 3
    assert "shards 1, 2 of 3" in done.stdout
    assert "shard 3 of 3 is missing" in done.stdout


WRONG = {
    "one.json": "expected the verdict of a search",
    "old.json": "old.json: an older fakeserver wrote it",
    "new.json": "new.json: expected a verdict of format 1, got 2",
    "other.json": "other.json: this is no verdict",
    "text.json": "text.json: not JSON",
    "gone.json": "can't read the verdict gone.json: No such file",
    "kept-2.json": r"kept-2.json, beside kept-2.json: shard 2/3 is there twice",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_can_t_be_merged_is_named(name, files):
    done = run("kept-2.json", name)
    assert isinstance(done.exception, UsageError)
    assert WRONG[name] in str(done.exception)
