"""Every accusation argues, and the fault class it names is the mistake that the client has."""

import pytest

from fakeserver.verifier.fault_classes import FAULT_CLASSES

from .faulty import Faulty
from .faulty_clients import FAULTY
from .test_power import SEEDS_NIGHTLY, every_faulty_client, shrunk

ALIKE = {
    # It does not look back, so a late event behind its key is lost just as if it had none.
    "ClockAsKey": {"C06"},
}
"""Classes that a faulty client shows besides its own: what else is true of what it does."""
UNTOLD_SHARE_MAX = 0.2
"""How many of the mistakes that have a class may go without one, in their smallest worlds.

Silence is right where the traces fit two mistakes. Of the first 44 clients it is four: one that
drops the only row it ever gets (or never delivers anything?), one that holds back for too short a
time in a world where nobody would have held back, one that sends a parameter of another API, and
one that hands over the id of something else. More than one in five would mean that the diagnosis no
longer sees what it saw.
"""


def told(faulty: Faulty, seed: int) -> set[str | None]:
    return {finding.fault_class for finding in shrunk(faulty, seed).findings}


@every_faulty_client
def test_every_finding_has_its_proof(faulty: Faulty) -> None:
    for finding in shrunk(faulty, seed=0).findings:
        assert finding.message
        assert finding.why
        assert finding.steps
        assert finding.would
        assert all(sentence.endswith(".") for sentence in (*finding.why, finding.would))


@every_faulty_client
def test_the_class_is_that_of_the_mistake_or_untold(faulty: Faulty) -> None:
    allowed = {faulty.fault, None, *ALIKE.get(faulty.name, ())}
    assert told(faulty, seed=0) <= allowed, shrunk(faulty, seed=0).text()


def test_most_mistakes_are_told() -> None:
    classed = [faulty for faulty in FAULTY if faulty.fault in FAULT_CLASSES]
    untold = [faulty.name for faulty in classed if told(faulty, seed=0) == {None}]
    assert len(untold) <= UNTOLD_SHARE_MAX * len(classed), untold


@every_faulty_client
def test_a_class_comes_with_a_thread(faulty: Faulty) -> None:
    for finding in shrunk(faulty, seed=0).findings:
        if finding.fault_class is None:
            assert finding.thread is None
        else:
            assert finding.thread in FAULT_CLASSES[finding.fault_class].threads


@pytest.mark.nightly
@pytest.mark.parametrize("seed", SEEDS_NIGHTLY)
@every_faulty_client
def test_the_class_is_that_of_the_mistake_with_every_seed(faulty: Faulty, seed: int) -> None:
    allowed = {faulty.fault, None, *ALIKE.get(faulty.name, ())}
    assert told(faulty, seed) <= allowed, shrunk(faulty, seed).text()
