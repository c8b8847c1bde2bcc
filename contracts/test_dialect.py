"""What a dialect must bring besides its documents: a right client, and an instructive wrong one."""

from __future__ import annotations

from fakeserver.dialects import find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.scenario import Scenario
from fakeserver.verifier.search import verify

from ._documents import folder_of

EXAMPLES = 60
SEED = 3


def test_its_promises_are_written_down(api_dialect: str) -> None:
    """For whoever reads a report: what the API promises, with its source."""
    assert (folder_of(api_dialect) / "PROMISES.md").read_text(encoding="utf-8").startswith("# ")


def test_its_reference_client_is_kept(api_dialect: str, api_profile: str) -> None:
    """In every profile: else a rule is unfair to this API, or the client is wrong."""
    client = find_dialect(api_dialect).reference_client
    verdict = verify(
        client, dialect=api_dialect, profile=api_profile, examples=EXAMPLES, seed=SEED
    ).check()
    assert verdict.exercised


def test_its_document_client_is_broken(api_dialect: str, api_profile: str) -> None:
    """In every profile: else the tour shows nothing, or the judge is blind to this API."""
    client = find_dialect(api_dialect).document_client
    verdict = verify(client, dialect=api_dialect, profile=api_profile, seed=SEED)
    assert verdict.outcome == "broken"


def test_its_worlds_are_files(api_dialect: str, api_profile: str) -> None:
    """A world is the same when it is read back: what a dialect tells must be JSON."""
    world = generate_scenario(dialect=api_dialect, profile=api_profile, seed=SEED)
    assert Scenario.from_json(world.to_json()) == world
