"""Every accusation argues, and the fault class it names is the mistake that the client has."""

import pytest

from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.verdict import Verdict

from .faulty import Faulty
from .faulty_clients import FAULTY
from .power import SEEDS, hunt
from .test_power import every_faulty_client

ALIKE = {
    # It does not look back, so a late event behind its key is lost just as if it had none.
    "ClockAsKey": {"C06"},
    "ClockAsWindow": {"C06", "C07"},
    # A span that is rounded up is shorter, and a key that is rounded up excludes its twins.
    "RoundsWindowUp": {"C07"},
    "RoundsKeyUp": {"C01"},
    # A place that does not move, whatever it was made of: one row, a cut stamp, a text.
    "OneRowAPage": {"C03"},
    "CutsKeyToSecond": {"C03", "C19"},
    "LargestIdAsText": {"C19"},
    # The newest of the destination is the head of the feed, and what was known is forgotten.
    "ResumesFromDestination": {"C22"},
    "ResumesFromNewest": {"C22"},
    "LastRowOfDescendingWalk": {"C38"},
    "KnowsThePageBefore": {"C25", "C38"},
    # Rows are known by their number, or by what their ids look like.
    "DropsAsManyAsItKnows": {"C37"},
    "TakesIdsForOrder": {"C37"},
    # The bound moves, and with it the pages; a full page looks short, in either way.
    "MovesTheUpperBound": {"C12"},
    "ProbesWithOneMore": {"C15"},
    "CountsFreshRows": {"C20"},
    # Killed after a page of which it dropped all, with its place saved: who tells these apart?
    "DedupByTime": {"C24"},
    "DedupByTransaction": {"C24"},
    "DropsFirstOfWindow": {"C24"},
    "IdsAsText": {"C24"},
    # Stopped with a page in their hands, they look as if they had dropped the first row of it.
    "DeliversBehindItsWalk": {"C02"},
    "DeliversWhileItAsks": {"C02"},
    # Any error, that of an expired token as well.
    "TakesAnErrorForTheEnd": {"C29"},
}
"""Classes that a faulty client shows besides its own: what else is true of what it does."""
UNTOLD_SHARE_MAX = 0.22
"""How many of the mistakes that have a class may go without one, in their smallest worlds.

Silence is right where the traces fit two mistakes. Some of those: who drops the only row it ever
gets (or never delivers anything?), who holds back for too short a time in a world where nobody
would have held back, who sends a parameter of another API, who hands over the id of something else.
Of C11 and C14 no diagnosis speaks yet. More would mean that it no longer sees what it saw.
"""


def shrunk(faulty: Faulty, seed: int) -> Verdict:
    return hunt(faulty, seed).verdict


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
@pytest.mark.parametrize("seed", SEEDS)
@every_faulty_client
def test_the_class_is_that_of_the_mistake_with_every_seed(faulty: Faulty, seed: int) -> None:
    allowed = {faulty.fault, None, *ALIKE.get(faulty.name, ())}
    assert told(faulty, seed) <= allowed, shrunk(faulty, seed).text()
