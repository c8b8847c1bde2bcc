"""`fakeserver trace`: whether the model could have answered as a service did, and how late."""

from __future__ import annotations

import sys
import textwrap

import click

from fakeserver.cli.probe import write_profile
from fakeserver.cli.terminal import (
    OwnDialectName,
    check_writable,
    print_report,
    span,
    today,
    width_of,
)
from fakeserver.clock import SECOND_MS, as_datetime
from fakeserver.dialects import find_dialect
from fakeserver.fidelity.table import table
from fakeserver.fidelity.trace.findings import profile_of
from fakeserver.fidelity.trace.lateness import is_late
from fakeserver.fidelity.trace.recordings import read_recordings
from fakeserver.fidelity.trace.report import head, lateness_lines, refusal
from fakeserver.fidelity.trace.tracing import Traced
from fakeserver.fidelity.trace.tracing import trace as run_trace

files_argument = click.argument("files", nargs=-1, required=True, metavar="FILE...")
host_option = click.option("--host", help="Only requests to this host (and port), of several.")


def traced_files(files: tuple[str, ...], dialect: str, host: str | None) -> Traced:
    """Read recordings and look for what explains them. Raises `UsageError`."""
    found = find_dialect(dialect)
    return run_trace(read_recordings(files, found, host=host), dialect=dialect)


@click.command()
@files_argument
@click.option("--dialect", type=OwnDialectName(), required=True, help="Which API it is.")
@host_option
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    callback=check_writable,
    help="Where to write what was decided, as a profile.",
)
def trace(files: tuple[str, ...], dialect: str, host: str | None, output: str | None) -> None:
    """Decide whether the fake could have answered as in FILE.

    FILE is what a client recorded: a HAR, a VCR cassette (YAML or JSON) or a history of ours. Under
    some settings, and for some moments at which events became visible, all answers must be
    explained; else the fewest requests are shown that nothing explains together: two, as a rule.
    Prints how late events were. Exit status: 0 explained, 1 contradicted.
    """
    traced = traced_files(files, dialect, host)
    width = width_of(sys.stdout)
    if traced.contradiction is not None:
        print_report(refusal(traced, width=width), sys.stdout)
        raise SystemExit(1)
    found = profile_of(traced, seen=_day(traced))
    lines = [*textwrap.wrap(head(traced), width), "", *lateness_lines(found.lateness, width=width)]
    if found.lateness is not None and is_late(found.lateness):
        most = -(-found.lateness.most["all"] // SECOND_MS) * SECOND_MS
        lines.append(f"  to verify a client that stands all of it: --late-by-max {span(most)}")
    report = (
        "\n".join(lines)
        + "\n\n"
        + table(found, width=width, command="traced", requests=len(traced.answered))
    )
    if output is not None:
        write_profile(found, output)
        report += f"\nwritten to {output}; use it with --profile {output}\n"
    print_report(report, sys.stdout)


def _day(traced: Traced) -> str:
    """Return the day of the last request, or today where no request has a time."""
    moments = [
        each.recorded.seen_until for each in traced.answered if each.recorded.seen_until is not None
    ]
    return (as_datetime(max(moments)).date() if moments else today()).isoformat()
