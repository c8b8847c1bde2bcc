"""The gallery covers every fault class, for each API in which it can show."""

import re
from pathlib import Path

from .classes import MARKED, MUTANTS, NOT_SHOWN
from .faulty_clients import FAULTY

THEORY = Path(__file__).parents[2] / "contracts" / "THEORY.md"
SHOWN = {(faulty.fault, faulty.dialect) for faulty in FAULTY}
NAMES = {faulty.name for faulty in FAULTY}
WANTED = {(fault, dialect) for fault, dialects in MARKED.items() for dialect in dialects}


def test_the_classes_are_those_of_the_theory() -> None:
    named = re.findall(r"^\| (C\d\d) \|", THEORY.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == sorted(MARKED)


def test_every_class_is_shown_or_explained() -> None:
    assert sorted(WANTED - SHOWN - NOT_SHOWN.keys()) == []


def test_nothing_is_excused_that_is_shown() -> None:
    assert sorted(SHOWN & NOT_SHOWN.keys()) == []


def test_nothing_is_excused_that_nobody_asks_for() -> None:
    assert sorted(NOT_SHOWN.keys() - WANTED) == []


def test_every_mutant_is_in_the_gallery_or_explained() -> None:
    assert [name[:3] for name in MUTANTS] == [f"M{number:02}" for number in range(1, 53)]
    claimed = {name for names in MUTANTS.values() if isinstance(names, tuple) for name in names}
    assert sorted(claimed - NAMES) == []
