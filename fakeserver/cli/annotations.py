"""Annotations for GitHub: a finding beside the client's line in a pull request.

They are workflow commands, lines that the runner of a job reads from what a step writes. They go to
stderr, so stdout stays the report, or the JSON. In other places nobody reads them.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from fakeserver.verifier.clients import Client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.report.words import plain
from fakeserver.verifier.verdict import Verdict

LEVELS = {"broken": "error", "inconclusive": "warning"}
"""Of a kept promise nobody needs to read beside a line."""


class Place(NamedTuple):
    """Where a client is defined: a file inside the workspace, with slashes, and a line from 1."""

    file: str
    line: int


def annotations_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that says whether to annotate."""
    return click.option(
        "--annotations",
        type=click.Choice(["auto", "github", "none"]),
        default="auto",
        show_default=True,
        help="Tell GitHub beside which line of the client to show what is wrong; auto: where "
        "GITHUB_ACTIONS is true. Goes to stderr.",
    )(command)


def annotate(verdict: Verdict, client: Client, chosen: str) -> None:
    """Write the annotation of a verdict to stderr, if it has one and it is wanted."""
    if chosen == "none" or (chosen == "auto" and os.environ.get("GITHUB_ACTIONS") != "true"):
        return
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    line = annotation(verdict, place_of(client, workspace))
    if line is not None:
        click.echo(line, err=True)


def annotation(verdict: Verdict, place: Place | None) -> str | None:
    """Return the workflow command for a verdict, or None where there is nothing to say."""
    level = LEVELS.get(verdict.outcome)
    if level is None:
        return None
    properties = {} if place is None else {"file": place.file, "line": str(place.line)}
    properties["title"] = f"fakeserver: {_title(verdict)}"
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {written}::{_escaped(_message(verdict))}"


def place_of(client: Client, workspace: Path) -> Place | None:
    """Return where a client is defined, or None outside of `workspace` or where nobody knows.

    Of a program it is the first of its words that is a file of the workspace.
    """
    if isinstance(client, CommandClient):
        files = (word for word in client.argv if Path(word).is_file())
        inside = (_inside(file, workspace) for file in files)
        return next((Place(file, 1) for file in inside if file), None)
    defined: Any = inspect.unwrap(client.func if isinstance(client, partial) else client)
    try:
        file = _inside(inspect.getsourcefile(defined), workspace)
        line = inspect.getsourcelines(defined)[1]
    except (TypeError, OSError):  # something built in, or callable by its class alone
        return None
    return None if file is None else Place(file, max(1, line))


def _inside(file: str | None, workspace: Path) -> str | None:
    """Return the path of a file from the workspace on."""
    if file is None:
        return None
    whole, top = Path(file).resolve(), workspace.resolve()
    return whole.relative_to(top).as_posix() if whole.is_relative_to(top) else None


def _title(verdict: Verdict) -> str:
    if not verdict.findings:
        return "nothing was proved" if not verdict.exercised else "not all was tried"
    finding = verdict.findings[0]
    return finding.rule if finding.cause is None else f"{finding.rule}, {finding.cause}"


def _message(verdict: Verdict) -> str:
    """What happened, why, what would have helped, and how to see it again; a line each."""
    if not verdict.findings:
        return plain("; ".join(verdict.notes) or "no hazard came up") + "."
    finding = verdict.findings[0]
    tried = None if finding.tried is None else finding.tried.sentence
    replay = f"Replay: {verdict.replay}" if verdict.replay else None
    parts = (f"{finding.message}.", " ".join(finding.why), finding.would, tried, replay)
    return "\n".join(plain(part) for part in parts if part)


ESCAPES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
ESCAPES_OF_PROPERTIES = {**ESCAPES, **str.maketrans({":": "%3A", ",": "%2C"})}


def _escaped(text: str) -> str:
    return text.translate(ESCAPES)


def _property(text: str) -> str:
    return plain(text).translate(ESCAPES_OF_PROPERTIES)
