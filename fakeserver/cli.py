"""The command line. It parses, calls, prints; everything else happens below it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from fakeserver.dialects import DIALECTS
from fakeserver.errors import FakeserverError, HarnessError, UsageError
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
from fakeserver.verifier.search import EXAMPLES_DEFAULT
from fakeserver.verifier.search import verify as search
from fakeserver.verifier.verdict import Verdict

WIDTH_MIN, WIDTH_MAX = 60, 100
"""Reports are wrapped to the terminal, within what can be read."""
FOLDER = Path(".fakeserver")
"""Where counter-examples are kept; safe to delete."""
COLOURS = {"BROKEN": "red", "KEPT": "green", "INCONCLUSIVE": "yellow"}
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
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002
        ctx: click.Context | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        """Split the list; the search knows which names exist."""
        if isinstance(value, tuple):
            return value
        return tuple(name.strip() for name in str(value).split(",") if name.strip())


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


_json_option = click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False),
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
    type=int,
    default=EXAMPLES_DEFAULT,
    show_default=True,
    help="Worlds to try at most.",
)
@click.option("--seconds", type=float, help="Stop trying after so many seconds.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which worlds to draw.")
@click.option("--only", type=HazardList(), help="Plant only these hazards (names with commas).")
@click.option("--without", type=HazardList(), default=(), help="Plant all hazards but these.")
@click.option("--page-size", type=click.IntRange(1), help="The page size that the client is told.")
@_json_option
@click.argument("client")
def verify(client: str, json_file: str | None, seconds: float | None, **options: Any) -> None:
    """Run CLIENT in generated worlds until one breaks its promise.

    CLIENT is path.py:name or package.module:name. A broken world is shrunk and kept in
    .fakeserver/ as a scenario and its history.
    """
    loaded = load_client(client)
    click.echo(
        f"{client} · {options['dialect']} · profile {options['profile']} · seed {options['seed']} "
        f"· up to {options['examples']} worlds",
        err=True,
    )
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
        progress=_until(seconds),
    )
    if verdict.outcome == "broken":
        verdict = _keep(verdict, client)
    _finish(msgspec.structs.replace(verdict, client=client), json_file)


@cli.command()
@_promise_options
@_json_option
@click.argument("scenario")
@click.argument("client")
def replay(scenario: str, client: str, json_file: str | None, **options: Any) -> None:
    """Run one SCENARIO file again with CLIENT and judge it."""
    loaded = Scenario.load(scenario)
    history = run(loaded, load_client(client))
    _finish(judge_history(loaded, history, _promise(options)), json_file)


@cli.command()
@_promise_options
@_json_option
@click.argument("scenario")
@click.argument("history")
def judge(scenario: str, history: str, json_file: str | None, **options: Any) -> None:
    """Judge a HISTORY of a SCENARIO, without the client."""
    verdict = judge_history(Scenario.load(scenario), load_history(history), _promise(options))
    _finish(verdict, json_file)


@cli.command()
@_dialect_option
@click.option(
    "--profile", default="default", show_default=True, help="Which answers the API may give."
)
@click.option("--seed", type=int, required=True, help="Which worlds to draw.")
@click.option("--example", type=int, default=0, show_default=True, help="Which world of the seed.")
def scenario(dialect: str, profile: str, seed: int, example: int) -> None:
    """Print one generated world as JSON."""
    drawn = generate_scenario(dialect=dialect, profile=profile, seed=seed, example=example)
    click.echo(drawn.to_json(), nl=False)


@cli.command()
@click.argument("name", required=False)
def explain(name: str | None) -> None:
    """Say what a rule, cause, hazard or switch means, with its source."""
    click.echo(overview() if name is None else explain_name(name), nl=False)


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
    if not run_tour(dialect, _print_report, width=_width()):
        raise SystemExit(3)


def _until(seconds: float | None) -> Callable[[int, Any], bool] | None:
    if seconds is None:
        return None
    end = time.monotonic() + seconds
    return lambda _done, _hazards: time.monotonic() < end


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
    promise = verdict.promise
    options = "" if promise.delivery == "effectively-once" else f" --delivery {promise.delivery}"
    options += "" if promise.order == "none" else f" --order {promise.order}"
    options += (
        "" if promise.late_by_ms_max is None else f" --late-by-max {promise.late_by_ms_max}ms"
    )
    replay = f"fakeserver replay{options} {path} {client}"
    return msgspec.structs.replace(verdict, replay=replay)


def _finish(verdict: Verdict, json_file: str | None) -> NoReturn:
    if json_file == "-":
        click.echo(verdict.to_json(), nl=False)
    else:
        if json_file is not None:
            try:
                Path(json_file).write_bytes(verdict.to_json())
            except OSError as error:
                raise UsageError(f"can't write {json_file}: {error.strerror}") from error
        _print_report(verdict.text(width=_width()))
    raise SystemExit(verdict.exit_status)


def _width() -> int:
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_MAX
    return max(WIDTH_MIN, min(WIDTH_MAX, columns))


def _print_report(text: str) -> None:
    word, space, rest = text.partition(" ")
    if word in COLOURS:
        text = click.style(word, fg=COLOURS[word], bold=True) + space + rest
    click.echo(text, color=False if "NO_COLOR" in os.environ else None)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 kept, 1 broken, 2 usage, 3 inconclusive."""
    try:
        cli.main(args=arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
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
    except FakeserverError as error:
        click.echo(f"fakeserver: {error}", err=True)
        raise SystemExit(3) from error
