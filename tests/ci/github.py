"""Runs the jobs of a GitHub workflow, and composite actions, as a runner does, in a real bash.

Known is what ours use, and every other key, input, action or expression is an error. What a runner
does is said in GitHub's "Workflow syntax" and "Metadata syntax": a step's script is a file that
bash runs with ``-eo pipefail`` where the step asks for bash; a step writes its outputs, variables,
paths and part of the summary to files that its environment names; after a failure only steps run
whose condition asks for it; a step that may fail does not fail its job.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from .expressions import Scope, as_text, filled, holds
from .machine import CHECKOUT, Machine

OURS = ".github/actions/verify"
SHELLS = {
    "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"],
    "": ["bash", "-e"],
}
"""How a script is run, by the ``shell`` of its step; a workflow's step may name none."""
CACHES = (".git", ".venv", "node_modules", "__pycache__", ".*_cache", "mutants", ".hypothesis")


class Result(NamedTuple):
    """How a job, or an action, went. `outputs` are those of its steps, by their ids."""

    name: str
    status: str
    log: str
    outputs: Mapping[str, Mapping[str, str]]
    summary: str


@dataclass
class Run:
    """A job on its way. A checkout brings `project`; all jobs share `artifacts`."""

    machine: Machine
    project: Path
    artifacts: Path
    names: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    log: str = ""
    scripts: int = 0

    @property
    def workspace(self) -> Path:
        return self.machine.folder / "work"

    @property
    def temporary(self) -> Path:
        return self.machine.folder / "temp"

    @property
    def summary(self) -> Path:
        return self.machine.folder / "summary.md"

    def start(self) -> "Run":
        self.workspace.mkdir()
        self.temporary.mkdir()
        self.summary.touch()
        return self

    def environment(self) -> dict[str, str]:
        """What each script of the job finds."""
        return self.variables | {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(self.temporary),
        }


def run_workflow(
    workflow: Mapping[str, Any], project: Path, folder: Path, *, only: str | None = None
) -> list[Result]:
    """Run the jobs of a workflow, each of its matrix, after the jobs that it needs."""
    known(workflow, {"name", "on", True, "permissions", "jobs"}, "a workflow")  # YAML: on is true
    jobs = {name: job for name, job in workflow["jobs"].items() if only in (None, name)}
    results: dict[str, list[Result]] = {}
    for name, job in jobs.items():
        known(job, {"runs-on", "timeout-minutes", "strategy", "needs", "if", "steps"}, name)
        assert job["runs-on"] == "ubuntu-latest"
        needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
        before = [result for each in needs for result in results[each]]
        failed = any(result.status != "success" for result in before)
        results[name] = []
        for number, matrix in enumerate(combinations(job.get("strategy", {}))):
            scope = Scope({"matrix": matrix}, failed)
            if holds(job.get("if", "success()"), scope):
                machine = Machine.new(folder / f"{name}-{number}")
                run = Run(machine, project, folder / "artifacts", {"matrix": matrix}).start()
                results[name].append(run_job(name, job["steps"], run))
            else:
                results[name].append(Result(name, "skipped", "", {}, ""))
    return [result for each in results.values() for result in each]


def combinations(strategy: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a matrix stands for, one for each job."""
    known(strategy, {"fail-fast", "matrix"}, "a strategy")
    matrix = strategy.get("matrix", {})
    assert not {"include", "exclude"} & set(matrix)
    for values in itertools.product(*matrix.values()):
        yield dict(zip(matrix, values, strict=True))


def run_job(name: str, steps: list[dict[str, Any]], run: Run) -> Result:
    """Run the steps of a job."""
    done, failed = run_steps(steps, run, run.names, composite=False)
    outputs = {each: step["outputs"] for each, step in done.items()}
    summary = run.summary.read_text(encoding="utf-8")
    return Result(name, "failure" if failed else "success", run.log, outputs, summary)


def run_steps(
    steps: list[dict[str, Any]], run: Run, names: Mapping[str, Any], *, composite: bool
) -> tuple[dict[str, Any], bool]:
    """Run steps in their order; return what is known of those with ids, and whether one failed."""
    done: dict[str, Any] = {}
    failed = False
    for step in steps:
        keys = {"id", "name", "if", "uses", "with", "run", "shell", "env"}
        known(step, keys | {"working-directory", "continue-on-error"}, "a step")
        assert ("run" in step) != ("uses" in step), f"a step runs or uses something: {step}"
        scope = Scope({**names, "steps": done, "runner": {"temp": str(run.temporary)}}, failed)
        if not holds(step.get("if", "success()"), scope):
            outcome, outputs = "skipped", {}
        elif "run" in step:
            assert "shell" in step or not composite, f"a composite action names its shell: {step}"
            outcome, outputs = run_script(step, run, scope)
        else:
            outcome, outputs = use(step, run, scope)
        if outcome == "failure" and step.get("continue-on-error") is not True:
            failed = True
        if "id" in step:
            done[step["id"]] = {"outcome": outcome, "outputs": outputs}
    return done, failed


def run_script(step: Mapping[str, Any], run: Run, scope: Scope) -> tuple[str, dict[str, str]]:
    """Run the script of a step; return its outcome and outputs."""
    run.scripts += 1
    files = {
        name: run.machine.folder / f"{name}-{run.scripts}" for name in ("OUTPUT", "ENV", "PATH")
    }
    for path in files.values():
        path.touch()
    environment = run.environment()
    environment |= {name: filled(value, scope) for name, value in step.get("env", {}).items()}
    environment |= {f"GITHUB_{name}": str(path) for name, path in files.items()}
    script = run.machine.folder / f"script-{run.scripts}.sh"
    script.write_text(filled(step["run"], scope), encoding="utf-8")
    folder = run.workspace / filled(step.get("working-directory", "."), scope)
    shell = SHELLS[step.get("shell", "")]
    done = run.machine.run([*shell, str(script)], folder, environment)
    run.log += done.log
    assert not files["PATH"].read_text(encoding="utf-8"), "GITHUB_PATH is not known here"
    run.variables |= written(files["ENV"])
    return "failure" if done.status else "success", written(files["OUTPUT"])


def written(path: Path) -> dict[str, str]:
    """What a script has written to the file of its outputs or variables: ``NAME=VALUE`` lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines]
    assert all(sign and "<<" not in name for name, sign, _ in pairs), f"not known here: {lines}"
    return {name: value for name, _, value in pairs}


def use(step: Mapping[str, Any], run: Run, scope: Scope) -> tuple[str, dict[str, str]]:
    """Run what a step uses; return its outcome and outputs."""
    given = {name: filled(value, scope) for name, value in step.get("with", {}).items()}
    named = step["uses"]
    if named.partition("@")[0] in (f"./{OURS}", f"OWNER/fakeserver/{OURS}"):
        local = named.startswith("./")
        result = run_action((run.workspace if local else CHECKOUT) / OURS, given, run)
        return result.status, dict(result.outputs[""])
    if named == "actions/setup-python@v5":
        version = step["with"]["python-version"]
        assert isinstance(version, str), f"YAML makes a number of {version}: it needs quotes"
    ACTIONS[named](run, given)
    return "success", {}


def run_action(folder: Path, given: Mapping[str, str], run: Run) -> Result:
    """Run a composite action with inputs; its own outputs have the id ''."""
    action = load_action(folder)
    inputs = {name: as_text(each.get("default")) for name, each in action["inputs"].items()}
    missing = [n for n, each in action["inputs"].items() if each.get("required") and n not in given]
    assert not missing, f"the inputs {missing} are required"
    known(given, set(inputs), "the inputs of the action")
    names = {"inputs": inputs | dict(given), "github": {"action_path": str(folder)}}
    done, failed = run_steps(action["runs"]["steps"], run, names, composite=True)
    scope = Scope({"steps": done})
    outputs = {name: filled(each["value"], scope) for name, each in action["outputs"].items()}
    status = "failure" if failed else "success"
    summary = run.summary.read_text(encoding="utf-8")
    return Result(action["name"], status, run.log, {"": outputs}, summary)


def load_action(folder: Path) -> dict[str, Any]:
    """The description of a composite action, with nothing in it that is not known here."""
    action: dict[str, Any] = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
    known(action, {"name", "description", "inputs", "outputs", "runs"}, "an action")
    assert action["name"]
    assert action["description"]
    for name, each in action["inputs"].items():
        known(each, {"description", "required", "default"}, name)
        assert each["description"]
        assert isinstance(each.get("default", ""), str), f"an input is a text: {name}"
    for name, each in action["outputs"].items():
        known(each, {"description", "value"}, name)
    known(action["runs"], {"using", "steps"}, "runs")
    using = action["runs"]["using"]
    assert using == "composite", f"{using} is not known here"
    return action


def known(found: Mapping[Any, Any], keys: set[Any], what: str) -> None:
    """Raise for keys that nothing here knows."""
    unknown = sorted(map(str, set(found) - keys))
    assert not unknown, f"{what}: {', '.join(unknown)} is not known here"


def checkout(run: Run, given: Mapping[str, str]) -> None:
    """Bring the project's files."""
    known(given, set(), "checkout")
    ignored = shutil.ignore_patterns(*CACHES)
    shutil.copytree(run.project, run.workspace, ignore=ignored, dirs_exist_ok=True)


def setup_python(_run: Run, given: Mapping[str, str]) -> None:
    """The machine has the Python of this test, whichever is asked for."""
    known(given, {"python-version"}, "setup-python")
    major, minor = map(int, given["python-version"].split("."))
    assert (major, minor) >= (3, 11)


def upload(run: Run, given: Mapping[str, str]) -> None:
    """Keep a file, or what is in a folder."""
    known(given, {"name", "path", "include-hidden-files", "if-no-files-found"}, "upload-artifact")
    source, target = run.workspace / given["path"], run.artifacts / given["name"]
    hidden = any(part[0] == "." for part in Path(given["path"]).parts if part != "..")
    assert not hidden or given.get("include-hidden-files") == "true", "a hidden file is left out"
    assert not target.exists(), f"there is an artifact {given['name']} already"
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        target.mkdir(parents=True)
        shutil.copy(source, target)


def download(run: Run, given: Mapping[str, str]) -> None:
    """Bring the files of all artifacts whose names fit."""
    known(given, {"pattern", "merge-multiple"}, "download-artifact")
    assert given["merge-multiple"] == "true"
    for artifact in sorted(run.artifacts.glob(given["pattern"])):
        shutil.copytree(artifact, run.workspace, dirs_exist_ok=True)


ACTIONS: Mapping[str, Callable[[Run, Mapping[str, str]], None]] = {
    "actions/checkout@v4": checkout,
    "actions/setup-python@v5": setup_python,
    "actions/upload-artifact@v4": upload,
    "actions/download-artifact@v4": download,
}
"""What stands for the actions of others."""
