"""Options that several commands share, and promises to and from them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any, get_args

import click

from fakeserver.cli.terminal import DialectName, Duration, HazardList, check_writable, span
from fakeserver.errors import UsageError
from fakeserver.scenario import INSTANCES_MAX
from fakeserver.verifier.clients import Client, load_client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.commands.protocols import Protocol
from fakeserver.verifier.crew.processes import JOBS_MAX
from fakeserver.verifier.patched_time import PatchedTime
from fakeserver.verifier.promise import DELAY_MS_LIMIT, LATE_BY_MS_LIMIT, Promise
from fakeserver.verifier.search import EXAMPLES_DEFAULT, EXAMPLES_MAX
from fakeserver.verifier.shard import WHOLE, Shard


def dialect_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that says which API it is about."""
    return click.option("--dialect", type=DialectName(), required=True, help="Which API to fake.")(
        command
    )


def profile_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that says which answers the API may give."""
    return click.option(
        "--profile",
        default="default",
        show_default=True,
        help="Which answers the API may give: a name, or a file of 'probe'.",
    )(command)


def promise_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what the client promises."""
    options = (
        click.option(
            "--delivery",
            type=click.Choice(["at-least-once", "effectively-once", "exactly-once"]),
            default="effectively-once",
            show_default=True,
            help="Repeats: allowed; allowed of what a crash left unsaved; never.",
        ),
        click.option(
            "--order",
            type=click.Choice(["none", "recorded", "id"]),
            default="none",
            show_default=True,
            help="The order in which events are delivered.",
        ),
        click.option(
            "--mode",
            type=click.Choice(["incremental", "snapshot"]),
            default="incremental",
            show_default=True,
            help="Each event once, or at every poll all that is visible at its start.",
        ),
        click.option(
            "--instances",
            type=click.IntRange(1, INSTANCES_MAX),
            default=1,
            show_default=True,
            help="How many of the client may take turns over one checkpoint.",
        ),
        click.option(
            "--late-by-max",
            type=Duration(ms_max=LATE_BY_MS_LIMIT),
            help="Lateness to stand, such as 5m. Default: what the profile documents.",
        ),
        click.option(
            "--delay-max",
            type=Duration(ms_max=DELAY_MS_LIMIT),
            help="Freshness, such as 1m: what has been visible for so long when a poll begins is "
            "delivered in that poll. Default: any delay.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _shard(_ctx: click.Context, _param: click.Parameter, text: str) -> Shard:
    try:
        return Shard.parse(text)
    except UsageError as error:
        raise click.BadParameter(str(error).removeprefix("shard: ")) from error


def search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which worlds are tried, and how many."""
    options = (
        click.option(
            "--examples",
            type=click.IntRange(1, EXAMPLES_MAX),
            default=EXAMPLES_DEFAULT,
            show_default=True,
            help="Worlds to try at most.",
        ),
        click.option(
            "--seconds",
            type=click.FloatRange(0, min_open=True),
            help="Stop trying after so many seconds.",
        ),
        click.option(
            "--seed", type=int, default=0, show_default=True, help="Which worlds to draw."
        ),
        click.option(
            "--only", type=HazardList(), help="Plant only these hazards (names with commas)."
        ),
        click.option(
            "--without",
            type=HazardList(),
            default=(),
            help="Plant all hazards but these. Not planted, lateness, ties, crashes, restarts and "
            "outages never come up; others may, by chance.",
        ),
        click.option(
            "--page-size", type=click.IntRange(1), help="The page size that the client is told."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def many_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say who tries the worlds, and what several machines share."""
    options = (
        click.option(
            "--jobs",
            type=click.IntRange(1, JOBS_MAX),
            default=1,
            show_default=True,
            help="Processes that play worlds. The verdict is the same for any number.",
        ),
        click.option(
            "--executor",
            metavar="dask://HOST:PORT",
            help="Let the workers of a Dask cluster play the worlds. They get the CLIENT's file, "
            "and nothing that lies beside it; a module, or a COMMAND, must be there.",
        ),
        click.option(
            "--shard",
            metavar="K/N",
            default=str(WHOLE),
            callback=_shard,
            help="Try the K-th of N parts of the worlds, and let 'merge' put the N --json files "
            "together. Default: all of them.",
        ),
        click.option(
            "--database",
            metavar="URL",
            help="Keep the world that breaks the promise in redis://HOST:PORT/0 or in a folder, "
            "and try it first in later runs of the same search, on any machine.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def promise_of(options: dict[str, Any]) -> Promise:
    """Return the promise that the options of a command name. Raises `UsageError`."""
    return Promise(
        delivery=options["delivery"],
        order=options["order"],
        mode=options["mode"],
        instances=options["instances"],
        late_by_ms_max=options["late_by_max"],
        delay_ms_max=options["delay_max"],
    )


def command_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a COMMAND is run and read, and a CLIENT's time."""
    options = (
        click.option(
            "--protocol",
            type=click.Choice(get_args(Protocol)),
            default="jsonl",
            show_default=True,
            help="What a line on a COMMAND's stdout means.",
        ),
        click.option(
            "--persistent",
            is_flag=True,
            help="Keep one process of the COMMAND, and tell it of each poll on stdin.",
        ),
        click.option(
            "--patch-time",
            is_flag=True,
            help="Let time.sleep, asyncio.sleep and the clocks that CLIENT asks be simulated "
            "(pip install 'fakeserver[time]').",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


class TakesClient(click.Command):
    """A command of ours that takes ``CLIENT``, or ``-- COMMAND ARG…``, behind its other arguments.

    Click drops the ``--``; it is what tells a program from the name of a function.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note what stands behind ``--`` before click reads the rest."""
        if "--" in args:
            place = args.index("--")
            ctx.meta[COMMAND] = tuple(args[place + 1 :])
            args = args[:place]
        return super().parse_args(ctx, args)


COMMAND = "fakeserver.command"
client_argument = click.argument("client", required=False, metavar="CLIENT | -- COMMAND ARG…")


def client_of(name: str | None, options: dict[str, Any]) -> tuple[str, Client]:
    """Return the client that a command line names, with what to type for it again.

    Raises `ClientNotFound`, and `UsageError` for both a CLIENT and a COMMAND, for none, and for
    options of a COMMAND where there is none.
    """
    argv = click.get_current_context().meta.get(COMMAND)
    chosen = []
    if options["protocol"] != "jsonl":
        chosen += ["--protocol", options["protocol"]]
    if options["persistent"]:
        chosen.append("--persistent")
    if argv is None:
        if name is None:
            raise UsageError("expected CLIENT (path.py:name or package.module:name), or -- COMMAND")
        if chosen:
            raise UsageError(f"{chosen[0]} goes with -- COMMAND, and {name} is none")
        if options["patch_time"]:
            return f"--patch-time {shlex.quote(name)}", PatchedTime(load_client(name))
        return shlex.quote(name), load_client(name)
    if name is not None:
        raise UsageError(f"expected CLIENT or -- COMMAND, got both: {name}, and {shlex.join(argv)}")
    if options["patch_time"]:
        raise UsageError("--patch-time goes with CLIENT: a program has a clock of its own")
    client = CommandClient(argv, protocol=options["protocol"], persistent=options["persistent"])
    return shlex.join([*chosen, "--", *argv]), client


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say in which forms the verdict is written, and where."""
    files = (
        ("json", "Write the verdict as JSON (contracts/verdict/verdict.schema.json); - is stdout."),
        (
            "junit",
            "Write it as JUnit XML, for a CI server; - is stdout. Inconclusive is an error there.",
        ),
        (
            "html",
            "Write it as one page with a map of keys over time, to be opened in a browser; "
            "- is stdout.",
        ),
    )
    command = click.option(
        "--map",
        "with_map",
        is_flag=True,
        help="Draw the map of keys over time in the report, in plain characters.",
    )(command)
    for name, words in reversed(files):
        command = click.option(
            f"--{name}",
            f"{name}_file",
            type=click.Path(dir_okay=False, writable=True, allow_dash=True),
            callback=check_writable,
            help=words,
        )(command)
    return command


margins_option = click.option(
    "--margins",
    is_flag=True,
    help="Where the promise is kept, measure how much lateness, ties, appends and how small a cap "
    "the client stands; --seconds bounds this on its own.",
)


tried_option = click.option(
    "--tried",
    is_flag=True,
    help="Of a broken promise, try what would have helped, as verify does: CLIENT is run some "
    "dozens of times more.",
)


def as_options(promise: Promise) -> list[str]:
    """Return the options that say the same; what is the default is left out."""
    said = {
        "--delivery": promise.delivery,
        "--order": promise.order,
        "--mode": promise.mode,
        "--instances": None if promise.instances == 1 else str(promise.instances),
        "--late-by-max": span(promise.late_by_ms_max),
        "--delay-max": span(promise.delay_ms_max),
    }
    usual = {"--delivery": "effectively-once", "--order": "none", "--mode": "incremental"}
    chosen = [(name, text) for name, text in said.items() if text not in (None, usual.get(name))]
    return [word for name, text in chosen for word in (name, str(text))]
