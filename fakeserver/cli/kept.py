"""Worlds that broke a client, kept as files beside the user's work, and how to replay them."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

import msgspec

from fakeserver.cli.options import as_options
from fakeserver.history import to_lines
from fakeserver.scenario import Scenario
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.verdict import Margin, Verdict

FOLDER = Path(".fakeserver")
"""Where counter-examples are kept; safe to delete."""


def keep(verdict: Verdict, client: str) -> Verdict:
    """Write the smallest broken world and its history, and say how to replay it.

    Where they can't be written, a note says so: that costs no verdict.
    """
    assert verdict.scenario is not None  # noqa: S101 - a broken verdict has one
    path = _path(verdict.findings[0].rule.lower(), verdict.scenario)
    try:
        _write(path, verdict.scenario)
        path.with_suffix(".history.jsonl").write_bytes(to_lines(verdict.history))
    except OSError as error:
        note = f"the counter-example could not be written to {path}: {error.strerror}"
        return msgspec.structs.replace(verdict, notes=(*verdict.notes, note))
    return msgspec.structs.replace(verdict, replay=_command(verdict.promise, path, client))


def keep_margin(margin: Margin, client: str) -> Margin:
    """Write the world in which the client broke; without the file there is no replay."""
    if margin.scenario is None or margin.promise is None:
        return margin
    path = _path(f"margin-{margin.axis}", margin.scenario)
    try:
        _write(path, margin.scenario)
    except OSError:
        return margin
    return msgspec.structs.replace(margin, replay=_command(margin.promise, path, client))


def _path(what: str, scenario: Scenario) -> Path:
    digest = hashlib.sha256(scenario.to_json()).hexdigest()[:4]
    return FOLDER / f"{what.replace('_', '-')}-{digest}.json"


def _write(path: Path, scenario: Scenario) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(scenario.to_json())


def _command(promise: Promise, path: Path, client: str) -> str:
    # The client is what was typed already, quoted where that was needed.
    return f"{shlex.join(['fakeserver', 'replay', *as_options(promise), str(path)])} {client}"
