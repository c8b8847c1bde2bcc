"""Runs what a page shows of a service that runs jobs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .github import Result, run_workflow
from .gitlab import run_pipeline

SERVICES = ("github", "gitlab")


def run_jobs(text: str, service: str, project: Path, folder: Path) -> Iterator[str]:
    """Run the jobs of a workflow or a pipeline, or the steps of one job, on the files of `project`.

    What the jobs make lies below `folder`.

    Yields what went wrong: a job that failed or was skipped, or anything that is not known here.
    """
    if service not in SERVICES:
        yield f"a job is run as by one of {', '.join(SERVICES)}, not {service}"
        return
    try:
        results = run_text(yaml.safe_load(text), service, project, folder)
    except AssertionError as error:
        yield f"no runner of {service} is known that does this: {error}"
        return
    for result in results:
        if result.status != "success":
            yield f"the job {result.name} ended as {result.status}; it said:\n{result.log}"


def run_text(content: dict[str, Any], service: str, project: Path, folder: Path) -> list[Result]:
    """Run what a block holds; steps alone are those of a job."""
    if service == "gitlab":
        return run_pipeline(content, project, folder)
    if "steps" in content:
        content = {"jobs": {"job": {"runs-on": "ubuntu-latest", **content}}}
    return run_workflow(content, project, folder)
