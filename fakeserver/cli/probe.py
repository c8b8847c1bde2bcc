"""`fakeserver probe`: asks a real service, says what that decides, and writes it as a profile."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fakeserver.cli.terminal import OwnDialectName, check_writable, print_report, today, width_of
from fakeserver.errors import UsageError
from fakeserver.fidelity.probe.asking import (
    PER_SECOND_MAX,
    REQUESTS_MAX,
    Asker,
    Unreachable,
)
from fakeserver.fidelity.probe.probing import READ_AGAIN
from fakeserver.fidelity.probe.probing import probe as run_probe
from fakeserver.fidelity.table import table
from fakeserver.profile_file import ProfileFile

OUTPUT_DEFAULT = "profile.json"


PROBE_OPTIONS = (
    click.option("--dialect", type=OwnDialectName(), required=True, help="Which API it speaks."),
    click.option(
        "--token-env",
        metavar="NAME",
        required=True,
        help="The environment variable that holds the token; it is shown and written nowhere.",
    ),
    click.option(
        "--requests-max",
        type=click.IntRange(1, 1_000),
        default=REQUESTS_MAX,
        show_default=True,
        help="Requests to send at most.",
    ),
    click.option(
        "--per-second",
        type=click.FloatRange(0, 1_000, min_open=True),
        default=PER_SECOND_MAX,
        show_default=True,
        help="Requests a second at most; more is for fakes.",
    ),
    click.option(
        "--output",
        type=click.Path(dir_okay=False, writable=True),
        default=OUTPUT_DEFAULT,
        show_default=True,
        callback=check_writable,
        help="Where to write the profile.",
    ),
)


def _with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(PROBE_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("url")
@_with_options
def probe(
    url: str, dialect: str, token_env: str, requests_max: int, per_second: float, output: str
) -> None:
    """Find out what the service at URL does. It only reads.

    It asks what the API's document leaves open, prints for each switch what was decided and why,
    and writes a dated profile that --profile takes. Exit status: 0, or 1 where the service does
    what the fake can't.
    """
    from fakeserver.fidelity.probe.wire import send_to

    token = os.environ.get(token_env, "")
    if not token:
        raise UsageError(f"expected a token in the environment variable {token_env}, it is empty")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"expected a token in {token_env}: letters, digits and signs of ASCII; got something "
            "else, such as a space, or a line break at its end"
        )
    asker = Asker(
        send_to(url),
        headers={"Authorization": f"Bearer {token}"},
        now=time.monotonic,
        sleep=time.sleep,
        requests_max=requests_max,
        per_second=per_second,
        read_again=READ_AGAIN[dialect],
    )
    click.echo(
        f"asking {dialect}: up to {requests_max} requests, {per_second:g} a second", err=True
    )
    try:
        found = run_probe(asker, dialect=dialect, seen=today().isoformat())
    except Unreachable as error:
        raise UsageError(str(error)) from error
    write_profile(found, output)
    report = table(found, width=width_of(sys.stdout), command="probed")
    report += f"\nwritten to {output}; use it with --profile {output}\n"
    print_report(report, sys.stdout)
    if any(finding.status == "contradicted" for finding in found.switches.values()):
        raise SystemExit(1)


def write_profile(found: ProfileFile, path: str) -> None:
    """Write a measured profile. Raises `UsageError`."""
    try:
        Path(path).write_bytes(found.to_json())
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}") from error
