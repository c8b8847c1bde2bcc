"""What every dialect must bring: its promises, a right client and an instructive wrong one."""

import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.resources import contract_path
from fakeserver.verifier.search import verify

from .faulty_clients import FAULTY
from .right_clients import RIGHT

EXAMPLES = 60
every_dialect = pytest.mark.parametrize("name", DIALECTS)


@every_dialect
def test_its_promises_are_written_down(name: str) -> None:
    assert contract_path(name, "PROMISES.md").read_text(encoding="utf-8").startswith("# ")


@every_dialect
@pytest.mark.parametrize("profile", ["default", "documented"])
def test_its_reference_client_is_kept(name: str, profile: str) -> None:
    client = find_dialect(name).reference_client
    verdict = verify(client, dialect=name, profile=profile, examples=EXAMPLES, seed=3).check()
    assert verdict.exercised


@every_dialect
def test_its_document_client_is_broken(name: str) -> None:
    verdict = verify(find_dialect(name).document_client, dialect=name, seed=3)
    assert verdict.outcome == "broken"


@every_dialect
def test_it_has_right_and_faulty_clients(name: str) -> None:
    assert [right.file for right in RIGHT if right.dialect == name]
    assert [faulty.name for faulty in FAULTY if faulty.dialect == name]
