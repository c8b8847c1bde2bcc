"""Runs the jobs of a GitLab pipeline as a runner does, each on its own machine, in a real bash.

Known is what our page uses, and every other key is an error. What a runner does is said in GitLab's
"CI/CD YAML syntax reference": the lines of a script run in one shell and the first that fails ends
the job; jobs of a ``parallel`` one are numbered in their environment; artifacts of the jobs that a
job needs are unpacked where it runs.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .github import CACHES, Result, known
from .machine import Machine

KEYS = {"image", "parallel", "script", "needs", "when", "artifacts"}


def run_pipeline(pipeline: Mapping[str, Any], project: Path, folder: Path) -> list[Result]:
    """Run the jobs in the order in which they stand, with their artifacts."""
    results: list[Result] = []
    for name, job in pipeline.items():
        known(job, KEYS, name)
        assert job["image"].startswith("python:3.")
        needed = [result for result in results if result.name in job.get("needs", [])]
        failed = any(result.status != "success" for result in needed)
        if failed and job.get("when", "on_success") != "always":
            results.append(Result(name, "skipped", "", {}, ""))
            continue
        total = job.get("parallel", 1)
        numbers = {"CI_NODE_TOTAL": str(total)}
        for index in range(1, total + 1):
            if "parallel" in job:
                numbers["CI_NODE_INDEX"] = str(index)
            machine = Machine.new(folder / f"{name}-{index}")
            work = machine.folder / "work"
            shutil.copytree(project, work, ignore=shutil.ignore_patterns(*CACHES))
            for each in job.get("needs", []):
                shutil.copytree(folder / "artifacts" / each, work, dirs_exist_ok=True)
            results.append(run_job(name, job, machine, numbers))
            keep(job.get("artifacts", {}), work, folder / "artifacts" / name, results[-1])
    return results


def run_job(
    name: str, job: Mapping[str, Any], machine: Machine, numbers: Mapping[str, str]
) -> Result:
    """Run the lines of a job in one shell."""
    script = machine.folder / "script.sh"
    script.write_text("\n".join(job["script"]) + "\n", encoding="utf-8")
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    more = {"CI": "true", "GITLAB_CI": "true", **numbers}
    done = machine.run(shell, machine.folder / "work", more)
    return Result(name, "failure" if done.status else "success", done.log, {}, "")


def keep(artifacts: Mapping[str, Any], work: Path, target: Path, result: Result) -> None:
    """Keep what a job leaves to later ones and to people."""
    known(artifacts, {"when", "paths", "reports"}, "artifacts")
    reports = artifacts.get("reports", {})
    known(reports, {"junit"}, "reports")
    target.mkdir(parents=True, exist_ok=True)
    when = artifacts.get("when", "on_success")
    assert when in {"always", "on_success", "on_failure"}
    fits = {"on_success": "success", "on_failure": "failure"}
    if fits.get(when, result.status) != result.status:
        return
    for pattern in artifacts.get("paths", []):
        for path in work.glob(pattern.rstrip("/")):
            if path.is_dir():
                shutil.copytree(path, target / path.name, dirs_exist_ok=True)
            else:
                shutil.copy(path, target)
    for path in reports.values():
        assert (work / path).is_file(), f"the job did not write its report {path}"
