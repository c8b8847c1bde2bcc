"""Annotations: what they say, where, and how it is written down."""

import functools
import json
from pathlib import Path

import pytest

from fakeserver.cli.annotations import Place, annotation, place_of
from fakeserver.dialects.base import TOKEN
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.verdict import Finding, Outcome, Verdict

HERE = Path(__file__)
TOP = HERE.parents[2]


def follow(feed: object) -> None:
    """A client."""


@functools.wraps(follow)
def wrapped(feed: object) -> None:
    """The same one, as decorators leave it."""


class Follower:
    """A client."""

    def poll(self, feed: object) -> None:
        """Ask for nothing."""


LINES = HERE.read_text(encoding="utf-8").splitlines()


def line_of(text: str) -> int:
    return LINES.index(text) + 1


def verdict(outcome: Outcome, *findings: Finding, notes: tuple[str, ...] = ()) -> Verdict:
    return Verdict(
        outcome=outcome,
        dialect="haravan",
        profile="default",
        promise=Promise(),
        findings=findings,
        notes=notes,
        exercised={"restart": 1},
    )


@pytest.mark.parametrize(
    ("client", "line"),
    [
        (follow, line_of("def follow(feed: object) -> None:")),
        (wrapped, line_of("def follow(feed: object) -> None:")),
        (functools.partial(follow), line_of("def follow(feed: object) -> None:")),
        (Follower, line_of("class Follower:")),
    ],
    ids=["function", "decorated", "partial", "class"],
)
def test_place_of_a_client(client, line: int) -> None:
    assert place_of(client, TOP) == Place("tests/cli/test_annotations.py", line)
    assert place_of(client, HERE.parent) == Place("test_annotations.py", line)


def test_no_place_outside_of_the_workspace(tmp_path: Path) -> None:
    assert place_of(follow, tmp_path) is None
    assert place_of(json.loads, tmp_path) is None
    assert place_of(print, TOP) is None


def test_place_of_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first word that is a file of the workspace: ``sh`` itself is none."""
    (tmp_path / "poll.sh").touch()
    monkeypatch.chdir(tmp_path)
    assert place_of(CommandClient(["sh", "-e", "poll.sh"]), tmp_path) == Place("poll.sh", 1)
    assert place_of(CommandClient(["sh", "-c", "true"]), tmp_path) is None


def test_what_would_end_a_part_is_escaped() -> None:
    finding = Finding(rule="LOST", cause="never-asked", message="50 % lost", why=("a: b", "c, d."))
    said = annotation(verdict("broken", finding), Place("a,b:c%/d\ne.py", 7))
    assert said == (
        "::error file=a%2Cb%3Ac%25/d e.py,line=7,title=fakeserver%3A LOST%2C never-asked"
        "::50 %25 lost.%0Aa: b c, d."
    )


def test_what_a_client_says_is_harmless() -> None:
    finding = Finding(rule="CRASHED", message=f"it said\n::stop-commands::x\x1b[31m {TOKEN}")
    said = annotation(verdict("broken", finding), None)
    assert said == (
        "::error title=fakeserver%3A CRASHED::it said ::stop-commands::x\\x1b[31m <token>."
    )


def test_what_proves_nothing_is_a_warning_and_a_kept_promise_nothing() -> None:
    said = annotation(verdict("inconclusive", notes=("interrupted",)), None)
    assert said == "::warning title=fakeserver%3A not all was tried::interrupted."
    assert annotation(verdict("kept"), Place("a.py", 1)) is None
