"""Our composite action, and a short way to run it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .github import OURS, Run, checkout, load_action, run_action
from .machine import CHECKOUT, Machine

FOLDER = CHECKOUT / OURS
ACTION: dict[str, Any] = load_action(FOLDER)
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]


class Seen(NamedTuple):
    """What a job sees of the action: how it ended, its log, outputs, and part of the summary."""

    status: str
    log: str
    outputs: Mapping[str, str]
    summary: str
    run: Run

    @property
    def commands(self) -> list[str]:
        """The workflow commands in the log."""
        return [line for line in self.log.splitlines() if line.startswith("::")]


def run_ours(project: Path, folder: Path, **inputs: str) -> Seen:
    """Run the action on a copy of `project`, on a new machine in `folder`.

    `inputs` have underscores for hyphens.
    """
    run = Run(Machine.new(folder), project, folder / "artifacts").start()
    checkout(run, {})
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    result = run_action(FOLDER, given, run)
    return Seen(result.status, result.log, result.outputs[""], result.summary, run)
