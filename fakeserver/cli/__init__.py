"""The command line. It parses, calls, prints; everything else happens below it."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import click
import msgspec

from fakeserver.cli.annotations import annotate, annotations_option
from fakeserver.cli.importing import import_files
from fakeserver.cli.kept import keep, keep_margin
from fakeserver.cli.merge import merge
from fakeserver.cli.options import (
    TakesClient,
    client_argument,
    client_of,
    command_options,
    dialect_option,
    many_options,
    margins_option,
    profile_option,
    promise_of,
    promise_options,
    report_options,
    search_options,
    tried_option,
)
from fakeserver.cli.probe import probe
from fakeserver.cli.reports import Reports
from fakeserver.cli.serve import serve
from fakeserver.cli.terminal import (
    DialectName,
    Interrupt,
    MarginsProgress,
    Progress,
    is_terminal,
    own_stdout,
    print_report,
    width_of,
    wrapped,
    write,
)
from fakeserver.cli.trace import trace
from fakeserver.errors import HarnessError, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.history import load_history
from fakeserver.profile import Profile
from fakeserver.profile_file import find_profile
from fakeserver.scenario import Scenario
from fakeserver.tour import DIALECT_DEFAULT
from fakeserver.tour import tour as run_tour
from fakeserver.verifier.changes import Change
from fakeserver.verifier.clients import Client
from fakeserver.verifier.doorkeeper import doorkeeper
from fakeserver.verifier.explain import explain as explain_name
from fakeserver.verifier.explain import overview
from fakeserver.verifier.judge import judge as judge_history
from fakeserver.verifier.margins.measure import measure_margins
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.remedies import with_tried
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import check_promise, check_shard, chosen_hazards
from fakeserver.verifier.search import verify as search
from fakeserver.verifier.shard import WHOLE, Shard
from fakeserver.verifier.verdict import Verdict
from fakeserver.vocabulary import import_words


class _InOrder(click.Group):
    """A group that lists its commands in the order in which people meet them."""

    ORDER = ("tour", "verify", "replay", "explain", "judge", "merge", "scenario", "serve")
    ORDER_OF_REAL_APIS = ("probe", "trace", "import")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        order = (*self.ORDER, *self.ORDER_OF_REAL_APIS)
        return sorted(super().list_commands(ctx), key=order.index)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="fakeserver")
def cli() -> None:
    """Fake paginated event logs, and judge whether a client loses or repeats events.

    Exit status: 0 kept, 1 broken, 2 usage, 3 inconclusive.
    """


@cli.command(cls=TakesClient)
@dialect_option
@profile_option
@promise_options
@search_options
@many_options
@margins_option
@command_options
@report_options
@annotations_option
@client_argument
def verify(client: str | None, seconds: float | None, **options: Any) -> None:
    """Run CLIENT in generated worlds until one breaks its promise.

    CLIENT is path.py:name or package.module:name, or a program in any language behind --. A
    broken world is shrunk and kept in .fakeserver/ as a scenario and its history. What the client
    prints goes to stderr.
    """
    reports = Reports.of(options)
    interrupt = Interrupt()
    out = own_stdout()
    named = client
    import_words()
    client, loaded = client_of(client, options)
    promise = promise_of(options)
    profile = find_profile(options["dialect"], options["profile"])
    check_promise(promise, profile)
    check_shard(options["shard"], options["examples"])
    if options["margins"] and options["shard"] != WHOLE:
        raise UsageError("--margins are measured once, not in each shard: leave out one of the two")
    chosen_hazards(options["only"], options["without"], profile, promise)  # before any work
    shard = options["shard"]
    planned = len(shard.worlds(options["examples"]))
    click.echo(
        f"{client} · {options['dialect']} · profile {options['profile']} · seed {options['seed']} "
        f"· up to {planned} worlds{_part(shard, options)}",
        err=True,
    )
    progress = Progress(planned, seconds, interrupt)
    verdict = _searched(loaded, named, profile, promise, progress, options)
    verdict = interrupt.applied_to(verdict, planned)
    if verdict.outcome == "broken":
        verdict = keep(verdict, client)
    if options["margins"]:
        verdict = _measured(verdict, loaded, client, MarginsProgress(seconds, interrupt), options)
    annotate(verdict, loaded, options["annotations"])
    reports.finish(msgspec.structs.replace(verdict, client=client), out)


def _searched(
    loaded: Client,
    named: str | None,
    profile: Profile,
    promise: Promise,
    progress: Progress,
    options: dict[str, Any],
) -> Verdict:
    """Return the verdict of the search that the options ask for."""
    words = ("dialect", "examples", "seed", "page_size", "only", "without")
    how = ("jobs", "executor", "shard", "database")
    try:
        return search(
            loaded,
            profile=profile,
            promise=promise,
            progress=progress,
            shrinking=progress.shrinking,
            named=named,
            **{word: options[word] for word in (*words, *how)},
        )
    finally:
        progress.clear()


def _part(shard: Shard, options: dict[str, Any]) -> str:
    """Say of how many worlds a shard has its own."""
    return "" if shard == WHOLE else f", shard {shard} of {options['examples']}"


@cli.command(cls=TakesClient)
@promise_options
@command_options
@tried_option
@report_options
@annotations_option
@click.argument("scenario")
@client_argument
def replay(scenario: str, client: str | None, **options: Any) -> None:
    """Run one SCENARIO file again with CLIENT and judge it.

    CLIENT is path.py:name or package.module:name, or a program in any language behind --. What it
    prints goes to stderr.
    """
    reports = Reports.of(options)
    Interrupt()
    loaded = Scenario.load(scenario)
    out = own_stdout()
    client, found = client_of(client, options)
    verdict = _replayed(loaded, found, promise_of(options), is_tried=options["tried"])
    annotate(verdict, found, options["annotations"])
    reports.finish(msgspec.structs.replace(verdict, client=client), out)


def _replayed(scenario: Scenario, client: Client, promise: Promise, *, is_tried: bool) -> Verdict:
    """Return the verdict on one world. Tries what would have helped only if that is wanted.

    Whoever replays may print, or stop in a debugger, and wants to do so once.
    """
    with doorkeeper() as keeper:

        def judged(change: Change | None = None) -> Verdict:
            history = run(scenario, client, keeper=keeper, change=change)
            return judge_history(scenario, history, promise)

        verdict = judged()
        if not verdict.findings:
            return verdict
        if not is_tried:
            return verdict.noting("with --tried a replay also tries what would have helped")
        if keeper.overran is not None:  # nothing is run after a client that took too much time
            return verdict
        try:
            return with_tried(verdict, judged)
        except KeyboardInterrupt:
            return verdict.noting("interrupted before all was tried that could have helped")


@cli.command()
@promise_options
@report_options
@click.argument("scenario")
@click.argument("history")
def judge(scenario: str, history: str, **options: Any) -> None:
    """Judge a HISTORY of a SCENARIO, without the client."""
    reports = Reports.of(options)
    verdict = judge_history(Scenario.load(scenario), load_history(history), promise_of(options))
    reports.finish(verdict, sys.stdout)


@cli.command()
@dialect_option
@profile_option
@click.option("--seed", type=int, required=True, help="Which worlds to draw.")
@click.option(
    "--example",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Which world of the seed.",
)
def scenario(dialect: str, profile: str, seed: int, example: int) -> None:
    """Print one generated world as JSON."""
    drawn = generate_scenario(dialect=dialect, profile=profile, seed=seed, example=example)
    write(drawn.to_json(), sys.stdout)


@cli.command()
@click.argument("name", required=False)
def explain(name: str | None) -> None:
    """Say what a NAME in a report or an option means, with its source.

    Rules, causes, classes, hazards, faults, theorems, promises, switches, profiles, dialects.
    Without NAME it lists them all.
    """
    text = overview() if name is None else explain_name(name)
    write(wrapped(text, width_of(sys.stdout)) if is_terminal(sys.stdout) else text, sys.stdout)


@cli.command()
@click.option(
    "--dialect",
    type=DialectName(),
    default=DIALECT_DEFAULT,
    show_default=True,
    help="Which API to show it on.",
)
def tour(dialect: str) -> None:
    """Show what the tool is for, with two clients of its own.

    A document's own algorithm is broken, and a client that is provably right is kept.
    """
    interrupt = Interrupt()

    def say(paragraph: str) -> None:
        print_report(f"{paragraph}\n", sys.stdout)

    def searched(client: Client, *, examples: int, **how: Any) -> Verdict:
        # Python drops an exception that hits some clean-up: so each world looks at the flag, too.
        def goes_on(*_: object) -> bool:
            return not interrupt.happened

        verdict = search(client, examples=examples, progress=goes_on, **how)
        return interrupt.applied_to(verdict, examples)

    if not run_tour(dialect, say, width=width_of(sys.stdout), search=searched):
        raise SystemExit(3)


cli.add_command(merge)
cli.add_command(serve)
cli.add_command(probe)
cli.add_command(trace)
cli.add_command(import_files)


def _measured(
    verdict: Verdict,
    loaded: Client,
    client: str,
    progress: MarginsProgress,
    options: dict[str, Any],
) -> Verdict:
    """Return `verdict` with the margins of a kept promise; each break is kept as a world."""
    if verdict.outcome != "kept":
        note = "margins are measured of a promise that is kept"
        return verdict.noting(note)
    try:
        margins = measure_margins(
            loaded,
            dialect=options["dialect"],
            profile=options["profile"],
            promise=verdict.promise,
            seed=options["seed"],
            page_size=options["page_size"],
            without=options["without"],
            go_on=progress,
        )
    finally:
        progress.clear()
    return msgspec.structs.replace(
        verdict, margins=tuple(keep_margin(margin, client) for margin in margins)
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 kept, 1 broken, 2 usage, 3 inconclusive.

    `arguments` are those of the process, if not given.
    """
    try:
        cli.main(
            args=arguments,
            prog_name=None if arguments is None else "fakeserver",
            standalone_mode=False,
            obj=arguments is None,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        raise SystemExit(2) from error
    except click.ClickException as error:
        click.echo(f"fakeserver: {' '.join(error.format_message().split())}", err=True)
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"Try '{error.ctx.command_path} --help'.", err=True)
        raise SystemExit(2) from error
    except click.Abort as error:
        click.echo("interrupted", err=True)
        raise SystemExit(3) from error
    except UsageError as error:
        click.echo(f"fakeserver: {error}", err=True)
        raise SystemExit(2) from error
    except HarnessError as error:
        click.echo(f"fakeserver failed, which says nothing about the client: {error}", err=True)
        raise SystemExit(3) from error
    except Exception as error:
        traceback.print_exc()
        click.echo("fakeserver failed, which says nothing about the client.", err=True)
        raise SystemExit(3) from error
