"""contracts/GALLERY.md says what the gallery is today."""

import pytest

from .faulty import Faulty
from .faulty_clients import FAULTY
from .kill_matrix import COMMAND, PAGE, claim, measured, page, rows_in

HOW = f"{PAGE.name} is behind the gallery; write it anew: {COMMAND}"
TEXT = PAGE.read_text(encoding="utf-8")
SAMPLE = tuple(faulty for faulty in FAULTY if faulty.name in ("Gt", "LargestSeen", "IdsAsText"))
"""Quick ones, of both dialects; all of them are measured nightly."""


def test_the_page_has_every_client_and_its_claim() -> None:
    assert [claim(faulty) for faulty in FAULTY if claim(faulty) not in TEXT] == [], HOW


def test_the_page_has_nothing_else_and_adds_up() -> None:
    assert page(rows_in(TEXT)) == TEXT, HOW


def test_the_page_can_be_read() -> None:
    assert max(map(len, TEXT.splitlines())) <= 300


def check_the_numbers(faulty: Faulty) -> None:
    (row,) = (row for row in rows_in(TEXT) if row.name == faulty.name)
    assert measured(faulty) == row, HOW


@pytest.mark.parametrize("faulty", SAMPLE, ids=lambda faulty: faulty.name)
def test_the_numbers_are_measured(faulty: Faulty) -> None:
    check_the_numbers(faulty)


@pytest.mark.nightly
@pytest.mark.parametrize("faulty", FAULTY, ids=lambda faulty: faulty.name)
def test_all_numbers_are_measured(faulty: Faulty) -> None:
    check_the_numbers(faulty)
