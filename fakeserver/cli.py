"""The command line. It parses, calls, prints; everything else happens below it."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click
import msgspec

from fakeserver.dialects import DIALECTS
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
from fakeserver.verifier.search import EXAMPLES_DEFAULT, EXAMPLES_MAX
from fakeserver.verifier.search import verify as search
from fakeserver.verifier.verdict import Verdict

WIDTH_MIN, WIDTH_MAX = 60, 100
"""Reports are wrapped to the terminal, within what can be read."""
FOLDER = Path(".fakeserver")
"""Where counter-examples are kept; safe to delete."""
COLOURS = {"BROKEN": "red", "KEPT": "green", "INCONCLUSIVE": "yellow"}
PROGRESS_EVERY = 10
"""Worlds between two signs of life on a terminal."""
UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Duration(click.ParamType[int]):
    """A span such as ``30s``, ``5m`` or ``1.5h``, as whole milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the span; click shows what is wrong with it."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)", str(value), re.ASCII)
        if match is None:
            self.fail(f"expected a number and one of ms, s, m, h, d, got {value!r}", param, ctx)
        return round(float(match[1]) * UNITS_MS[match[2]])


class HazardList(click.ParamType[tuple[str, ...]]):
    """Names of hazards with commas between."""

    name = "hazards"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split the list; the search knows which names exist."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        if not names:
            self.fail("expected names of hazards with commas between, got none", param, ctx)
        return names


def _dialect_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--dialect", type=click.Choice(DIALECTS), required=True, help="Which API to fake."
    )(command)


def _promise_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option(
            "--delivery",
            type=click.Choice(["at-least-once", "effectively-once", "exactly-once"]),
            default="effectively-once",
            show_default=True,
            help="Whether events may be delivered again.",
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
            help="Each event once, or all of them at every poll.",
        ),
        click.option(
            "--late-by-max",
            type=Duration(),
            help="Lateness to stand, such as 5m. Default: what the profile documents.",
        ),
        click.option(
            "--delay-max", type=Duration(), help="Longest time from visible to delivered."
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


def _check_writable(_ctx: click.Context, _param: click.Parameter, path: str | None) -> str | None:
    """Refuse before the search what would fail after it."""
    if path not in (None, "-") and not Path(path).absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {Path(path).parent}")
    return path


_json_option = click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    callback=_check_writable,
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
@click.option(
    "--profile", default="default", show_default=True, help="Which answers the API may give."
)
@_promise_options
@click.option(
    "--examples",
    type=click.IntRange(1, EXAMPLES_MAX),
    default=EXAMPLES_DEFAULT,
    show_default=True,
    help="Worlds to try at most.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="Stop trying after so many seconds.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which worlds to draw.")
@click.option("--only", type=HazardList(), help="Plant only these hazards (names with commas).")
@click.option("--without", type=HazardList(), default=(), help="Plant all hazards but these.")
@click.option("--page-size", type=click.IntRange(1), help="The page size that the client is told.")
@_json_option
@click.argument("client")
def verify(client: str, json_file: str | None, seconds: float | None, **options: Any) -> None:
    """Run CLIENT in generated worlds until one breaks its promise.

    CLIENT is path.py:name or package.module:name. A broken world is shrunk and kept in
    .fakeserver/ as a scenario and its history. What the client prints goes to stderr.
    """
    interrupt = _Interrupt()
    out = _own_stdout()
    loaded = load_client(client)
    click.echo(
        f"{client} · {options['dialect']} · profile {options['profile']} · seed {options['seed']} "
        f"· up to {options['examples']} worlds",
        err=True,
    )
    progress = _Progress(options["examples"], seconds, interrupt)
    try:
        verdict = search(
            loaded,
            dialect=options["dialect"],
            profile=options["profile"],
            promise=_promise(options),
            examples=options["examples"],
            seed=options["seed"],
            page_size=options["page_size"],
            only=options["only"],
            without=options["without"],
            progress=progress,
        )
    finally:
        progress.clear()
    verdict = interrupt.applied_to(verdict)
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
    _Interrupt()
    loaded = Scenario.load(scenario)
    out = _own_stdout()
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
@click.option(
    "--profile", default="default", show_default=True, help="Which answers the API may give."
)
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
    _write(drawn.to_json(), sys.stdout)


@cli.command()
@click.argument("name", required=False)
def explain(name: str | None) -> None:
    """Say what a rule, cause, hazard or switch means, with its source.

    Without NAME it lists all names.
    """
    _write(overview() if name is None else explain_name(name), sys.stdout)


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
    _Interrupt()
    if not run_tour(
        dialect, lambda text: _print_report(text, sys.stdout), width=_width(sys.stdout)
    ):
        raise SystemExit(3)


class _Interrupt:
    """Ctrl-C while a client runs: the first asks it to end, the second ends this process.

    A client may catch the first one. Then the search is told to stop after the world it is in.
    """

    def __init__(self) -> None:
        self.happened = False
        before = signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler:  # else it is ignored, or another's business
            signal.signal(signal.SIGINT, self._on_signal)
            click.get_current_context().call_on_close(lambda: signal.signal(signal.SIGINT, before))

    def _on_signal(self, *_: object) -> None:
        if self.happened:
            os.write(2, b"interrupted\n")
            os._exit(3)
        self.happened = True
        raise KeyboardInterrupt

    def applied_to(self, verdict: Verdict) -> Verdict:
        """Return what is left of a verdict: worlds that nobody tried prove nothing."""
        if not self.happened or verdict.outcome != "kept":
            return verdict
        note = f"interrupted after {verdict.examples} worlds"
        return msgspec.structs.replace(
            verdict, outcome="inconclusive", notes=(note, *verdict.notes)
        )


class _Progress:
    """Called after each world: shows on a terminal that work goes on, and says when to stop."""

    def __init__(self, examples: int, seconds: float | None, interrupt: _Interrupt) -> None:
        self._examples = examples
        self._end = None if seconds is None else time.monotonic() + seconds
        self._interrupt = interrupt
        self._shows = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __call__(self, done: int, _hazards: object) -> bool:
        if self._shows and done % PROGRESS_EVERY == 0:
            click.echo(f"\r  {done} of {self._examples} worlds", nl=False, err=True)
        return not self._interrupt.happened and (self._end is None or time.monotonic() < self._end)

    def clear(self) -> None:
        """Wipe what was shown: the report follows."""
        if self._shows:
            click.echo("\r\x1b[K", nl=False, err=True)


def _own_stdout() -> TextIO:
    """Return stdout for the report, and let everything else that is printed go to stderr.

    What a client prints, or a program that it starts, must not come between a script and the
    JSON that it reads. After the command everything is as before, unless this is a program of its
    own: then it stays so for what the client prints at exit.
    """
    try:
        sys.stdout.flush()
        ours = os.dup(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        return sys.stdout  # it is closed, or not a file: there is nothing to share
    fd = sys.stdout.fileno()
    os.dup2(sys.stderr.fileno(), fd)
    out = os.fdopen(ours, "w", encoding=sys.stdout.encoding, errors="replace")
    context = click.get_current_context()

    def restore() -> None:
        sys.stdout.flush()
        if not context.obj:
            os.dup2(ours, fd)
        out.close()

    context.call_on_close(restore)
    return out


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
        "--late-by-max": _ms(promise.late_by_ms_max),
        "--delay-max": _ms(promise.delay_ms_max),
    }
    usual = {"--delivery": "effectively-once", "--order": "none", "--mode": "incremental"}
    chosen = [(name, text) for name, text in said.items() if text not in (None, usual.get(name))]
    return [word for name, text in chosen for word in (name, str(text))]


def _ms(ms: int | None) -> str | None:
    return None if ms is None else f"{ms}ms"


def _finish(verdict: Verdict, json_file: str | None, out: TextIO) -> NoReturn:
    if json_file == "-":
        _write(verdict.to_json(), out)
    else:
        if json_file is not None:
            try:
                Path(json_file).write_bytes(verdict.to_json())
            except OSError as error:
                raise UsageError(f"can't write {json_file}: {error.strerror}") from error
        _print_report(verdict.text(width=_width(out)), out)
    raise SystemExit(verdict.exit_status)


def _width(out: TextIO) -> int:
    """Return how wide a report may be: as wide as the terminal, within what can be read."""
    columns = os.environ.get("COLUMNS", "")
    try:
        width = int(columns) if columns.isdecimal() else os.get_terminal_size(out.fileno()).columns
    except (OSError, ValueError):
        width = 0
    return max(WIDTH_MIN, min(WIDTH_MAX, width or WIDTH_MAX))


def _print_report(text: str, out: TextIO) -> None:
    word, space, rest = text.partition(" ")
    if word in COLOURS and not os.environ.get("NO_COLOR"):
        text = click.style(word, fg=COLOURS[word], bold=True) + space + rest
    _write(text, out)


def _write(text: str | bytes, out: TextIO) -> None:
    """Write to stdout, in colour only on a terminal. A reader who has gone is no error."""
    try:
        click.echo(text, file=out, nl=False)
        out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 kept, 1 broken, 2 usage, 3 inconclusive.

    `arguments` are those of the process, if not given.
    """
    try:
        cli.main(args=arguments, standalone_mode=False, obj=arguments is None)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        raise SystemExit(2) from error
    except click.ClickException as error:
        click.echo(f"fakeserver: {error.format_message()}", err=True)
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
