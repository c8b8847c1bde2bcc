"""How a verdict is told: named in a traceback, whole in a section, as JSON in the merged report."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fakeserver.verifier.keeping import FOLDER, keep_broken, world_of
from fakeserver.verifier.report.words import WIDTH_MAX, WIDTH_MIN, wrapped
from fakeserver.verifier.verdict import Verdict

if TYPE_CHECKING:
    from fakeserver.pytest_plugin.records import Record, Records

MARK = len("E       ")
"""What pytest puts before each line of an exception."""
INDENT = " " * 11


def with_replay(records: Records, verdict: Verdict) -> Verdict:
    """Return a broken verdict with the command that plays its world again in this test.

    The world is written only once the test has failed (`kept`): under `@given` there are hundreds.
    """
    path = _path(records, verdict)
    here = records.config.invocation_params.dir
    replayed = ["--fakeserver-replay", os.path.relpath(path, here)]
    command = shlex.join(["pytest", *_typed(records, here), *replayed])
    return msgspec.structs.replace(verdict, replay=command)


def kept(records: Records, verdict: Verdict) -> Verdict:
    """Write the world of a failed test to where `Verdict.replay` says; a note if that can't be."""
    if verdict.outcome != "broken" or records.replay is not None:
        return verdict
    noted, path = keep_broken(verdict, _path(records, verdict).parent)
    return noted if path is not None else msgspec.structs.replace(noted, replay=None)


def short(records: Records, verdict: Verdict) -> str:
    """Return what stands in a traceback: the headline, and where the report is.

    Where no section will be shown, the reason and how to see it again take its place.
    """
    width = _width(records) - MARK
    headline = verdict.text(width=width).partition("\n\n")[0]
    if _is_shown_below(records):
        how = ", and how to play its world again" if verdict.findings else ""
        return f"{headline}\n  See 'fakeserver' below: why{how}."
    if not verdict.findings:
        return f"{headline}\n  {'; '.join(verdict.notes) or 'no hazard came up'}."
    why = wrapped(" ".join(verdict.findings[0].why), width, head="  Why      ", indent=INDENT)
    replay = [f"  Replay   {verdict.replay}"] if verdict.replay else []
    return "\n".join([headline, *why, *replay])


def _is_shown_below(records: Records) -> bool:
    """Whether whoever reads a traceback reads the sections too: a JUnit file has none of ours."""
    option = records.config.option
    is_all = getattr(option, "showcapture", "all") == "all"
    return records.item is not None and is_all and not getattr(option, "xmlpath", None)


def _width(records: Records) -> int:
    return max(WIDTH_MIN, min(WIDTH_MAX, records.width))


def whole(records: Records, verdict: Verdict) -> str:
    """Return the report, and how to find it again: a seed is the same worlds on every machine."""
    width = _width(records)
    text = verdict.text(width=width)
    if verdict.scenario is None or verdict.seed is None:
        return text
    if verdict.found_at is None:
        again = "It was kept in the database, and comes first again."
    else:
        first = "world" if verdict.examples == 1 else f"{verdict.examples} worlds"
        again = (
            f"The same call finds it again, in the first {first}. It was drawn as "
            f"{verdict.scenario.origin}."
        )
    return text + "\n".join(wrapped(again, width, head="  Again    ", indent=INDENT)) + "\n"


def record(records: Records, verdict: Verdict, *, is_kept: bool) -> Record:
    """Return a verdict as plain data. Only one whose world was written says how to play it."""
    told = verdict if is_kept else msgspec.structs.replace(verdict, replay=None)
    wanted = records.config.option.fakeserver_report is not None
    return {
        "test": "" if records.item is None else str(records.item.nodeid),
        "client": verdict.client,
        "outcome": verdict.outcome,
        "worlds": verdict.examples,
        "verdict": told.to_json().decode() if wanted else "",
    }


def _path(records: Records, verdict: Verdict) -> Path:
    if records.replay is not None:
        return records.replay[1]
    return world_of(verdict, records.config.rootpath / FOLDER)


def _typed(records: Records, here: Path) -> list[str]:
    """Return what to type for the running test: its id, from the folder where pytest was called."""
    if records.item is None:
        return []
    path, separator, rest = str(records.item.nodeid).partition("::")
    return [f"{os.path.relpath(records.config.rootpath / path, here)}{separator}{rest}"]
