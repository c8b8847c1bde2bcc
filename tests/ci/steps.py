"""Runs the shell steps of our composite action as a runner of GitHub would, with a real bash.

Of the expression language it knows what the action uses: ``${{ inputs.NAME }}``,
``${{ github.action_path }}``, ``${{ steps.ID.outputs.NAME }}``. Another expression is an error.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

FOLDER = Path(__file__).parents[2] / ".github" / "actions" / "verify"
ACTION: dict[str, Any] = yaml.safe_load((FOLDER / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
EXPRESSION = re.compile(r"\$\{\{ (\S+) \}\}")


class Result(NamedTuple):
    """What a job sees of the action: its status and log, its outputs, its part of the summary."""

    status: int
    log: str
    outputs: dict[str, str]
    summary: str

    @property
    def commands(self) -> list[str]:
        """The workflow commands in the log."""
        return [line for line in self.log.splitlines() if line.startswith("::")]


def run_action(
    workspace: Path,
    temporary: Path,
    *,
    steps: tuple[str, ...] = ("verify",),
    more: Mapping[str, str] | None = None,
    **inputs: str,
) -> Result:
    """Run the steps with these ids in `workspace`; `inputs` have underscores for hyphens.

    `more` is in the environment besides.

    Without the step ``install`` the python of the input of this name is used as it is.
    """
    given = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
    given |= {name.replace("_", "-"): value for name, value in inputs.items()}
    outputs: dict[str, dict[str, str]] = {"install": {"python": given["python"]}}
    summary = temporary / "summary.md"
    summary.touch()
    status, log = 0, ""
    for step in STEPS:
        if step.get("id") not in steps or status:
            continue
        written = temporary / f"{step['id']}.outputs"
        written.touch()
        environment = _environment(workspace, temporary) | {
            name: _valued(text, given, outputs) for name, text in step["env"].items()
        }
        environment |= more or {}
        environment |= {"GITHUB_OUTPUT": str(written), "GITHUB_STEP_SUMMARY": str(summary)}
        folder = workspace / _valued(step.get("working-directory", "."), given, outputs)
        script = temporary / f"{step['id']}.sh"
        script.write_text(step["run"], encoding="utf-8")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        status, log = done.returncode, log + done.stdout
        pairs = (line.partition("=") for line in written.read_text(encoding="utf-8").splitlines())
        outputs[step["id"]] = {name: value for name, _, value in pairs}
    return Result(status, log, outputs.get(steps[-1], {}), summary.read_text(encoding="utf-8"))


def _environment(workspace: Path, temporary: Path) -> dict[str, str]:
    """What a job has anyway."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(workspace),
        "RUNNER_TEMP": str(temporary),
    }


def _valued(text: str, inputs: Mapping[str, str], outputs: Mapping[str, Mapping[str, str]]) -> str:
    """Put values in the places of expressions."""

    def value(found: re.Match[str]) -> str:
        match found[1].split("."):
            case ["inputs", name]:
                return inputs[name]
            case ["steps", step, "outputs", name]:
                return outputs[step][name]
            case ["github", "action_path"]:
                return str(FOLDER)
        raise AssertionError(f"unknown expression {found[0]}")

    return EXPRESSION.sub(value, text)
