"""Recorded half: what a client recorded of the service itself keeps its document and our model.

Run with ``--fakeserver-target FILE --fakeserver-dialect haravan``; skipped without. FILE is a HAR,
a VCR cassette or a history of ours; nobody is asked. What it says of each switch, and how late
events were, ``fakeserver trace`` tells.
"""

from __future__ import annotations

import pytest

from fakeserver.dialects import find_dialect
from fakeserver.fidelity.trace.readings import READING
from fakeserver.fidelity.trace.recordings import Recorded, read_recordings
from fakeserver.fidelity.trace.report import refusal
from fakeserver.fidelity.trace.tracing import trace

from ._checks import recorded_problems

WIDTH = 100


@pytest.fixture(scope="session")
def recorded(recording: str, pytestconfig: pytest.Config) -> list[Recorded]:
    """The requests in the recording, with their answers."""
    dialect = find_dialect(pytestconfig.option.fakeserver_dialect)
    if dialect.name not in READING:
        pytest.skip(f"recordings of {dialect.name} can't be read: only {', '.join(READING)}")
    return list(read_recordings([recording], dialect))


def test_every_recorded_answer_keeps_the_document(
    recorded: list[Recorded], pytestconfig: pytest.Config
) -> None:
    """Status and body of each answer are those that the document names."""
    api = pytestconfig.option.fakeserver_dialect
    found = [
        f"{each.where}: {problem}"
        for each in recorded
        if each.body
        for problem in recorded_problems(api, each.ask.path, each.status, each.body)
    ]
    assert found == []


def test_the_model_explains_the_recording(
    recorded: list[Recorded], pytestconfig: pytest.Config
) -> None:
    """Under some settings, and some moments of visibility, our fake could have answered so."""
    traced = trace(recorded, dialect=pytestconfig.option.fakeserver_dialect)
    assert traced.contradiction is None, refusal(traced, width=WIDTH)
