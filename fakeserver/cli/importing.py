"""`fakeserver import`: what a client recorded, as a scenario without anything of anybody."""

from __future__ import annotations

from pathlib import Path
from random import Random

import click

from fakeserver.cli.terminal import OwnDialectName, check_writable, today
from fakeserver.cli.trace import files_argument, host_option, traced_files
from fakeserver.errors import UsageError
from fakeserver.fidelity.importing.pages import import_pages
from fakeserver.fidelity.values import printable


@click.command("import")
@files_argument
@click.option("--dialect", type=OwnDialectName(), required=True, help="Which API it is.")
@host_option
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    default="scenario.json",
    show_default=True,
    callback=check_writable,
    help="Where to write the scenario.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which words replace others.")
def import_files(
    files: tuple[str, ...], dialect: str, host: str | None, output: str, seed: int
) -> None:
    """Make a scenario of the pages in FILE, to be served and replayed.

    FILE is a HAR or a VCR cassette (YAML or JSON). Names, addresses, amounts, texts and ids are
    replaced, the same by the same, in their shape; stamps, types, verbs and statuses stay.
    """
    traced = traced_files(files, dialect, host)
    random = Random(f"fakeserver import {seed}")  # noqa: S311 - reproducible; see scrubbing
    imported = import_pages(traced, random=random, seen=today().isoformat())
    try:
        Path(output).write_bytes(imported.scenario.to_json())
    except OSError as error:
        raise UsageError(f"can't write {output}: {error.strerror}") from error
    click.echo(f"{len(imported.scenario.events)} events written to {output}")
    if imported.left_out:
        click.echo(f"{imported.left_out} events were left out: no answer shows all their fields")
    if traced.contradiction is not None:
        says = printable(traced.contradiction.says)
        click.echo(f"the answers contradict each other ({says}); see trace")
    click.echo(f"serve it:   fakeserver serve --scenario {output}")
    click.echo(f"replay it:  fakeserver replay {output} my_client.py:follow")
