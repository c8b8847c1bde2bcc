"""Worlds that broke a client, kept as files: a scenario, and beside it its history."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fakeserver.history import to_lines
from fakeserver.scenario import Scenario
from fakeserver.verifier.verdict import Verdict

FOLDER = Path(".fakeserver")
"""Where counter-examples are kept, below the folder of the work; safe to delete."""

IGNORE = "# Counter-examples, made by fakeserver; copy one to your tests to keep it.\n*\n"


def keep_broken(verdict: Verdict, folder: Path) -> tuple[Verdict, Path | None]:
    """Write the smallest broken world and its history; return the path of the former.

    Where they can't be written, a note of the verdict says so: that costs no verdict.
    """
    assert verdict.scenario is not None  # noqa: S101 - a broken verdict has one
    path = world_of(verdict, folder)
    try:
        write_world(path, verdict.scenario)
        path.with_suffix(".history.jsonl").write_bytes(to_lines(verdict.history))
    except OSError as error:
        name = f"{folder.name}/{path.name}"
        note = f"the counter-example could not be written to {name}: {error.strerror}"
        return verdict.noting(note), None
    return verdict, path


def world_of(verdict: Verdict, folder: Path) -> Path:
    """Return where the world of a broken verdict is kept."""
    assert verdict.scenario is not None  # noqa: S101 - as above
    return world_path(folder, verdict.findings[0].rule.lower(), verdict.scenario)


def world_path(folder: Path, what: str, scenario: Scenario) -> Path:
    """Return where a world is kept: the same one under the same name."""
    digest = hashlib.sha256(scenario.to_json()).hexdigest()[:4]
    return folder / f"{what.replace('_', '-')}-{digest}.json"


def write_world(path: Path, scenario: Scenario) -> None:
    """Write a scenario, with its folder if need be. Raises `OSError`.

    Git is told to leave the folder out, unless somebody has told it something about that already.
    """
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(scenario.to_json())
    if not (ignored := path.parent / ".gitignore").exists():
        ignored.write_text(IGNORE, encoding="utf-8")
