"""The command line. It parses, calls, prints; everything else happens below it."""

from __future__ import annotations

import hashlib
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click
import msgspec

from fakeserver.cli.serve import serve
from fakeserver.cli.terminal import (
    Duration,
    HazardList,
    Interrupt,
    Progress,
    check_writable,
    own_stdout,
    print_report,
    span,
    width_of,
    write,
)
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import HarnessError, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.history import load_history, to_lines
from fakeserver.scenario import Scenario
from fakeserver.tour import DIALECT_DEFAULT
from fakeserver.tour import tour as run_tour
from fakeserver.verifier.clients import load_client
from fakeserver.verifier.explain import explain as explain_name
from fakeserver.verifier.explain import overview
from fakeserver.verifier.judge import judge as judge_history
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import EXAMPLES_DEFAULT, EXAMPLES_MAX, chosen_hazards
from fakeserver.verifier.search import verify as search
from fakeserver.verifier.verdict import Verdict

FOLDER = Path(".fakeserver")
"""Where counter-examples are kept; safe to delete."""


def _dialect_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--dialect", type=click.Choice(DIALECTS), required=True, help="Which API to fake."
    )(command)


def _profile_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--profile", default="default", show_default=True, help="Which answers the API may give."
    )(command)


def _promise_options(command: Callable[..., Any]) -> Callable[..., Any]:
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
            help="Each event once, or all of them at every poll (snapshot: not judged yet).",
        ),
        click.option(
            "--late-by-max",
            type=Duration(),
            help="Lateness to stand, such as 5m. Default: what the profile documents.",
        ),
        click.option(
            "--delay-max",
            type=Duration(),
            help="Longest time from visible to delivered (not judged yet).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _search_options(command: Callable[..., Any]) -> Callable[..., Any]:
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


def _promise(options: dict[str, Any]) -> Promise:
    return Promise(
        delivery=options["delivery"],
        order=options["order"],
        mode=options["mode"],
        late_by_ms_max=options["late_by_max"],
        delay_ms_max=options["delay_max"],
    )


_json_option = click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    callback=check_writable,
    help="Write the verdict as JSON; - is stdout.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="fakeserver")
def cli() -> None:
    """Fake paginated event logs, and judge whether a client loses or repeats events.

    Exit status: 0 kept, 1 broken, 2 usage, 3 inconclusive.
    """


@cli.command()
@_dialect_option
@_profile_option
@_promise_options
@_search_options
@_json_option
@click.argument("client")
def verify(client: str, json_file: str | None, seconds: float | None, **options: Any) -> None:
    """Run CLIENT in generated worlds until one breaks its promise.

    CLIENT is path.py:name or package.module:name. A broken world is shrunk and kept in
    .fakeserver/ as a scenario and its history. What the client prints goes to stderr.
    """
    interrupt = Interrupt()
    out = own_stdout()
    loaded = load_client(client)
    promise = _promise(options)
    profile = find_dialect(options["dialect"]).profile(options["profile"])
    chosen_hazards(options["only"], options["without"], profile, promise)  # before any work
    click.echo(
        f"{client} · {options['dialect']} · profile {options['profile']} · seed {options['seed']} "
        f"· up to {options['examples']} worlds",
        err=True,
    )
    progress = Progress(options["examples"], seconds, interrupt)
    try:
        verdict = search(
            loaded,
            dialect=options["dialect"],
            profile=profile,
            promise=promise,
            examples=options["examples"],
            seed=options["seed"],
            page_size=options["page_size"],
            only=options["only"],
            without=options["without"],
            progress=progress,
        )
    finally:
        progress.clear()
    verdict = interrupt.applied_to(verdict, options["examples"])
    if verdict.outcome == "broken":
        verdict = _keep(verdict, client)
    _finish(msgspec.structs.replace(verdict, client=client), json_file, out)


@cli.command()
@_promise_options
@_json_option
@click.argument("scenario")
@click.argument("client")
def replay(scenario: str, client: str, json_file: str | None, **options: Any) -> None:
    """Run one SCENARIO file again with CLIENT and judge it.

    CLIENT is path.py:name or package.module:name. What it prints goes to stderr.
    """
    Interrupt()
    loaded = Scenario.load(scenario)
    out = own_stdout()
    history = run(loaded, load_client(client))
    verdict = judge_history(loaded, history, _promise(options))
    _finish(msgspec.structs.replace(verdict, client=client), json_file, out)


@cli.command()
@_promise_options
@_json_option
@click.argument("scenario")
@click.argument("history")
def judge(scenario: str, history: str, json_file: str | None, **options: Any) -> None:
    """Judge a HISTORY of a SCENARIO, without the client."""
    verdict = judge_history(Scenario.load(scenario), load_history(history), _promise(options))
    _finish(verdict, json_file, sys.stdout)


@cli.command()
@_dialect_option
@_profile_option
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
    """Say what a rule, cause, hazard or switch means, with its source.

    Without NAME it lists all names.
    """
    write(overview() if name is None else explain_name(name), sys.stdout)


@cli.command()
@click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    default=DIALECT_DEFAULT,
    show_default=True,
    help="Which API to show it on.",
)
def tour(dialect: str) -> None:
    """Show what the tool is for: a document's own algorithm broken, a right client kept."""
    Interrupt()

    def say(paragraph: str) -> None:
        print_report(f"{paragraph}\n", sys.stdout)

    if not run_tour(dialect, say, width=width_of(sys.stdout)):
        raise SystemExit(3)


cli.add_command(serve)


def _keep(verdict: Verdict, client: str) -> Verdict:
    """Write the smallest broken world beside the user's work, and say how to replay it."""
    assert verdict.scenario is not None  # noqa: S101 - a broken verdict has one
    text = verdict.scenario.to_json()
    rule = verdict.findings[0].rule.lower().replace("_", "-")
    path = FOLDER / f"{rule}-{hashlib.sha256(text).hexdigest()[:4]}.json"
    try:
        FOLDER.mkdir(exist_ok=True)
        path.write_bytes(text)
        path.with_suffix(".history.jsonl").write_bytes(to_lines(verdict.history))
    except OSError as error:
        note = f"the counter-example could not be written to {path}: {error.strerror}"
        return msgspec.structs.replace(verdict, notes=(*verdict.notes, note))
    command = ["fakeserver", "replay", *_as_options(verdict.promise), str(path), client]
    return msgspec.structs.replace(verdict, replay=shlex.join(command))


def _as_options(promise: Promise) -> list[str]:
    """Return the options that say the same; what is the default is left out."""
    said = {
        "--delivery": promise.delivery,
        "--order": promise.order,
        "--mode": promise.mode,
        "--late-by-max": span(promise.late_by_ms_max),
        "--delay-max": span(promise.delay_ms_max),
    }
    usual = {"--delivery": "effectively-once", "--order": "none", "--mode": "incremental"}
    chosen = [(name, text) for name, text in said.items() if text not in (None, usual.get(name))]
    return [word for name, text in chosen for word in (name, str(text))]


def _finish(verdict: Verdict, json_file: str | None, out: TextIO | None) -> NoReturn:
    if json_file == "-":
        write(verdict.to_json(), out)
    else:
        if json_file is not None:
            try:
                Path(json_file).write_bytes(verdict.to_json())
            except OSError as error:
                raise UsageError(f"can't write {json_file}: {error.strerror}") from error
        print_report(verdict.text(width=width_of(out)), out)
    raise SystemExit(verdict.exit_status)


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
