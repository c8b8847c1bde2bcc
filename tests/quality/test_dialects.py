"""Our dialects have clients to learn from, and clients right elsewhere that are broken here.

What any dialect must bring is in `contracts/test_dialect.py`.
"""

import pytest

from fakeserver.dialects import DIALECTS
from fakeserver.verifier.clients import load_client
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.search import verify

from .faulty_clients import FAULTY
from .right_clients import FOLDER, RIGHT

RIGHT_ELSEWHERE = [
    # Right where nothing is late, and the rows of one transaction are late together.
    ("saleschannel", "saleschannel_boundary_escalating.py", "transactional", "LOST"),
    # Right where page numbers count the same rows, in the same order, at each request.
    ("haravan", "haravan_window_pages.py", "adversarial", "LOST"),
    ("haravan", "haravan_window_pages.py", "shopify-cursor", "ILLEGAL_REQUEST"),
    # Right where there is a link header; elsewhere the first page looks like all there is.
    ("haravan", "haravan_window_cursor.py", "default", "LOST"),
]


@pytest.mark.parametrize(("name", "file", "profile", "rule"), RIGHT_ELSEWHERE)
def test_a_client_that_is_right_elsewhere_is_broken(
    name: str, file: str, profile: str, rule: str
) -> None:
    client = load_client(f"{FOLDER / file}:follow")
    promise = Promise(late_by_ms_max=0) if profile == "adversarial" else None
    verdict = verify(client, dialect=name, profile=profile, promise=promise, seed=3)
    assert [finding.rule for finding in verdict.findings][:1] == [rule], verdict.text()


@pytest.mark.parametrize("name", DIALECTS)
def test_it_has_right_and_faulty_clients(name: str) -> None:
    assert [right.file for right in RIGHT if right.dialect == name]
    assert [faulty.name for faulty in FAULTY if faulty.dialect == name]
