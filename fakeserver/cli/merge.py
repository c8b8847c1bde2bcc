"""`fakeserver merge`: the verdicts of shards as one."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from fakeserver.cli.options import report_options
from fakeserver.cli.reports import Reports
from fakeserver.errors import UsageError
from fakeserver.verifier.keeping import FOLDER, keep_broken
from fakeserver.verifier.merging import merged, merged_pair
from fakeserver.verifier.report.from_json import load_verdict
from fakeserver.verifier.verdict import Verdict


@click.command()
@report_options
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def merge(files: tuple[str, ...], **options: Any) -> None:
    """Put the verdicts of shards together.

    Each FILE is what 'verify --shard K/N --json' wrote. What was counted is added up, the broken
    world with the smallest number is shown, and one more for each other way in which the promise
    was broken; they are kept in .fakeserver/. The order of the files does not matter. With a shard
    missing nothing is proved: exit status 3.
    """
    reports = Reports.of(options)
    verdict = _kept(_merged(files))
    reports.finish(verdict, sys.stdout)


def _merged(files: tuple[str, ...]) -> Verdict:
    """Merge file by file, so that an error names the one that does not fit."""
    so_far: Verdict | None = None
    for file in files:
        verdict = load_verdict(file)
        try:
            so_far = merged([verdict]) if so_far is None else merged_pair(so_far, verdict)
        except UsageError as error:
            beside = "" if so_far is None else f", beside {files[0]}"
            raise UsageError(f"{file}{beside}: {error}") from error
    assert so_far is not None  # noqa: S101 - there is a file, or click has refused
    return so_far


def _kept(verdict: Verdict) -> Verdict:
    """Write the broken worlds to where their replays look for them."""
    if verdict.outcome != "broken":
        return verdict
    for other in verdict.others:
        alone = msgspec.structs.replace(
            verdict, findings=other.findings, scenario=other.scenario, history=other.history
        )
        keep_broken(alone, FOLDER)
    return keep_broken(verdict, FOLDER)[0]
