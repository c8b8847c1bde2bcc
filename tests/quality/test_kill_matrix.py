"""contracts/GALLERY.md says what the gallery is today."""

import pytest

from .faulty import Faulty
from .faulty_clients import FAULTY
from .kill_matrix import COMMAND, PAGE, claim, client_line, measured, page, summary

HOW = f"{PAGE.name} is behind the gallery; write it anew: {COMMAND}"
TEXT = PAGE.read_text(encoding="utf-8")
LINES = TEXT.splitlines()
SAMPLE = tuple(faulty for faulty in FAULTY if faulty.name in ("Gt", "LargestSeen", "IdsAsText"))
"""Quick ones, of both dialects; all of them are measured nightly."""


def test_the_page_has_every_client_and_its_claim() -> None:
    claims = [line.rpartition(" | ")[0].rpartition(" | ")[0] + " |" for line in LINES]
    assert [claim(faulty) for faulty in FAULTY if claim(faulty) not in claims] == [], HOW


def test_the_page_has_no_other_client() -> None:
    assert sum(line.startswith("| C") for line in LINES) == 2 * len(FAULTY), HOW
    assert summary() in LINES, HOW


def test_the_page_can_be_read() -> None:
    assert max(map(len, LINES)) <= 250


@pytest.mark.parametrize("faulty", SAMPLE, ids=lambda faulty: faulty.name)
def test_the_numbers_are_measured(faulty: Faulty) -> None:
    row = measured(faulty)
    assert client_line(faulty, row) in LINES, HOW
    assert f"| {faulty.fault} | `{faulty.name}` | {' | '.join(row.cells)} |" in LINES, HOW


@pytest.mark.nightly
def test_all_numbers_are_measured() -> None:
    assert page([measured(faulty) for faulty in FAULTY]) == TEXT, HOW
