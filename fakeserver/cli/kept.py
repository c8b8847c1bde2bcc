"""Worlds that broke a client, kept as files beside the user's work, and how to replay them."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from fakeserver.cli.options import as_options
from fakeserver.verifier.keeping import FOLDER, keep_broken, world_path, write_world
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.verdict import Margin, Verdict


def keep(verdict: Verdict, client: str) -> Verdict:
    """Write the smallest broken world and its history, and say how to replay it.

    Where they can't be written, a note says so: that costs no verdict.
    """
    verdict, path = keep_broken(verdict, FOLDER)
    if path is None:
        return verdict
    return msgspec.structs.replace(verdict, replay=_command(verdict.promise, path, client))


def keep_margin(margin: Margin, client: str) -> Margin:
    """Write the world in which the client broke; without the file there is no replay."""
    if margin.scenario is None or margin.promise is None:
        return margin
    path = world_path(FOLDER, f"margin-{margin.axis}", margin.scenario)
    try:
        write_world(path, margin.scenario)
    except OSError:
        return margin
    return msgspec.structs.replace(margin, replay=_command(margin.promise, path, client))


def _command(promise: Promise, path: Path, client: str) -> str:
    # The client is what was typed already, quoted where that was needed.
    return f"{shlex.join(['fakeserver', 'replay', *as_options(promise), str(path)])} {client}"
