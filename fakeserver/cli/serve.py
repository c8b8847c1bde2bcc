"""`fakeserver serve`: options in, a server that runs until it is told to end, a summary out."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from fakeserver.cli.terminal import (
    DialectName,
    Duration,
    check_writable,
    is_terminal,
    today,
    write,
)
from fakeserver.dialects import find_dialect, known_dialects
from fakeserver.dialects.base import TOKEN
from fakeserver.errors import HarnessError, UsageError
from fakeserver.profile import SwitchValue
from fakeserver.profile_file import age_note, is_path, load_profile_file
from fakeserver.scenario import Scenario
from fakeserver.stream import LATE_BY_MS_MAX

if TYPE_CHECKING:
    from fakeserver.serving.host import Host
    from fakeserver.serving.options import ServeOptions
    from fakeserver.serving.site import Site

PORT_DEFAULT = 8766
"""A fixed one, so that a URL can be written down; `--port 0` takes any that is free."""
OPEN = (
    "reachable from the network, with a control API that asks for no token; "
    "give it one with --control-token-env, or leave it out with --no-control"
)
"""Said whatever `--log` is: a name in ``Host`` keeps out other pages, but no program."""
LONG_BACKLOG = 500_000
"""Whoever asks for so much history waits for it, and is told so."""
PER_SECOND = {"s": 1.0, "min": 1 / 60, "h": 1 / 3600}


class Rate(click.ParamType[float]):
    """Events per second, from ``5/s``, ``30/min``, ``2/h`` or a plain number."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the rate; click shows what is wrong with it."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(?:/(s|min|h))?", str(value), re.ASCII)
        if match is None:
            self.fail(
                f"expected events per time such as 5/s, 30/min or 2/h, got {value!r}", param, ctx
            )
        return float(match[1]) * PER_SECOND[match[2] or "s"]


class ClockMode(click.ParamType[tuple[str, float]]):
    """A clock and its pace: ``real``, ``paced:60`` (an hour a minute) or ``simulated``."""

    name = "clock"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Read the clock; click shows what is wrong with it."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(
            r"(real|simulated)|paced:([0-9]{1,6}(?:\.[0-9]{1,3})?)", str(value), re.ASCII
        )
        if match is None or (match[2] and not float(match[2])):
            self.fail(
                f"expected real, simulated, or a pace such as paced:60, got {value!r}", param, ctx
            )
        return (match[1], 1.0) if match[1] else ("paced", float(match[2]))


class Setting(click.ParamType[tuple[str, str]]):
    """A switch and its value as it was typed, ``limit_max=5``."""

    name = "switch=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split at the first =; `typed_value` says which value is meant."""
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not equals or not name:
            self.fail(
                f"expected a switch and its value, as in limit_max=5, got {value!r}", param, ctx
            )
        return name, text


def typed_value(dialect: str, name: str, text: str) -> SwitchValue:
    """Return the value of a switch that `text` means, written as in JSON or as `explain` shows it.

    What it can't take is returned as a number or as it is, so that the profile can refuse it.
    """
    for switch in find_dialect(dialect).switches:
        for value in switch.values if switch.name == name else ():
            if text in (str(value), msgspec.json.encode(value).decode()):
                return value
    return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text, re.ASCII) else text


STREAM_OPTIONS = (
    click.option("--dialect", type=DialectName(), help="Which API to fake."),
    click.option(
        "--profile",
        help="Which answers the API gives: a name, or a file of 'probe'. [default: default]",
    ),
    click.option(
        "--set", "settings", type=Setting(), multiple=True, help="Pin a switch; may be repeated."
    ),
    click.option("--seed", type=int, help="Which stream to generate. [default: 0]"),
    click.option(
        "--scenario",
        type=click.Path(dir_okay=False),
        help="Serve the events of this file and no stream.",
    ),
    click.option(
        "--backlog",
        type=click.IntRange(0),
        help="Events of history to start with, up to 10000000. [default: 200]",
    ),
    click.option(
        "--rate", type=Rate(), help="New events: 5/s, 30/min, 2/h, 0 for none. [default: 0.2/s]"
    ),
    click.option(
        "--late-by-max",
        type=Duration(ms_max=LATE_BY_MS_MAX),
        help="Lateness of events, such as 5m.",
    ),
    click.option(
        "--clock",
        type=ClockMode(),
        help="real, paced:60 (an hour a minute), or simulated: moved by the control API alone. "
        "[default: real; simulated with --scenario]",
    ),
)
"""What is served."""
SOCKET_OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "--port",
        type=click.IntRange(0, 65_535),
        default=PORT_DEFAULT,
        show_default=True,
        help="0 takes a free one.",
    ),
    click.option(
        "--port-file",
        type=click.Path(dir_okay=False),
        callback=check_writable,
        help="Keep the port in this file from when it is bound until the end.",
    ),
)
"""Where."""
PROCESS_OPTIONS = (
    click.option(
        "--state",
        type=click.Path(dir_okay=False),
        callback=check_writable,
        help="Keep appended events, requests and clock in this SQLite file.",
    ),
    click.option(
        "--no-control", "control", flag_value=False, default=True, help="Leave /_fakeserver/ out."
    ),
    click.option(
        "--control-token-env",
        metavar="NAME",
        help="The control API asks for the token in this environment variable.",
    ),
    click.option(
        "--allow-host", multiple=True, help="A name by which the control API may be called."
    ),
    click.option(
        "--log",
        type=click.Choice(["auto", "text", "json", "off"]),
        default="auto",
        show_default=True,
        help="Lines on stderr; auto is text on a terminal, else JSON.",
    ),
)
"""How it is looked after."""


def _with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed((*STREAM_OPTIONS, *SOCKET_OPTIONS, *PROCESS_OPTIONS)):
        command = option(command)
    return command


@click.command()
@_with_options
def serve(**given: Any) -> None:
    """Serve a faked event log until SIGTERM or Ctrl-C.

    Prints one line, listening on http://HOST:PORT, once it can be asked. A page for people and the
    control API are at /_fakeserver/.
    """
    from fakeserver.serving.host import Host
    from fakeserver.serving.logs import RequestLog
    from fakeserver.serving.site import Site

    if given["control_token_env"] is not None and not given["control"]:
        raise UsageError(
            "--control-token-env goes with the control API, which --no-control leaves out"
        )
    as_json = given["log"] == "json" or (given["log"] == "auto" and not is_terminal(sys.stderr))
    say = None if given["log"] == "off" else partial(click.echo, err=True)
    options = _options(given)
    if say is not None and not as_json and options.backlog >= LONG_BACKLOG:
        say(f"  drawing {options.backlog:,} events of history, some ten seconds a million")
    host: Host
    site = Site(
        options,
        wall=_wall_ms,
        control=given["control"],
        token=_control_token(given["control_token_env"]),
        hosts=(given["host"], *given["allow_host"]),
        state=given["state"],
        on_shutdown=lambda: host.stop(),  # noqa: PLW0108 - there is none yet
    )
    try:
        log = RequestLog(site, say, as_json=as_json)
        host = Host(log, host=given["host"], port=given["port"], on_refusal=log.say_refused)
        with _ended_by_signals(host.stop), _port_file(given["port_file"], host.port):
            write(f"listening on {host.url}\n", sys.stdout)
            if host.is_exposed and given["control"] and given["control_token_env"] is None:
                click.echo(msgspec.json.encode({"warning": OPEN}) if as_json else OPEN, err=True)
            aged = age_note(site.world.scenario.profile, today())
            if aged is not None:
                click.echo(msgspec.json.encode({"warning": aged}) if as_json else aged, err=True)
            if say is not None and not as_json:
                say(_welcome(site, host, with_control=given["control"]))
            host.serve()
    finally:
        site.close()
    log.say_totals()
    if host.failure is not None:
        raise HarnessError(f"a request could not be answered: {host.failure}")


def _wall_ms() -> int:
    """The machine's clock, ms since the epoch: what real and paced clocks run by."""
    return time.time_ns() // 1_000_000


def _options(given: dict[str, Any]) -> ServeOptions:
    """Return what is to be served. Raises `UsageError` for what contradicts itself."""
    from fakeserver.serving.options import ServeOptions

    chosen: dict[str, Any] = {
        "profile": given["profile"],
        "settings": dict(given["settings"]) or None,
        "seed": given["seed"],
        "backlog": given["backlog"],
        "rate_per_s": given["rate"],
        "late_by_ms_max": given["late_by_max"],
    }
    chosen = {name: value for name, value in chosen.items() if value is not None}
    mode: Any
    mode, pace = given["clock"] or ("simulated" if given["scenario"] else "real", 1.0)
    if given["scenario"] is not None:
        if chosen:
            raise UsageError(
                f"--scenario is a whole world, it takes no {', '.join(chosen)} beside it"
            )
        world = Scenario.load(given["scenario"])
        dialect = given["dialect"] or world.dialect
        return ServeOptions(dialect=dialect, scenario=world, clock=mode, pace=pace)
    if given["dialect"] is None:
        known = ", ".join(known_dialects())
        raise UsageError(f"expected --dialect ({known}) or --scenario FILE, got none")
    if given["settings"]:
        chosen["settings"] = {
            name: typed_value(given["dialect"], name, text) for name, text in given["settings"]
        }
    if is_path(chosen.get("profile", "")):
        measured = load_profile_file(chosen.pop("profile"))
        if measured.dialect != given["dialect"]:
            raise UsageError(
                f"--profile: expected one of {given['dialect']}, got one of {measured.dialect}"
            )
        chosen["settings"] = {**measured.pins(), **chosen.get("settings", {})}
        chosen["measured"], chosen["lateness"] = measured.name, measured.lateness
    return ServeOptions(dialect=given["dialect"], clock=mode, pace=pace, **chosen)


def _control_token(name: str | None) -> str | None:
    """Read the token from the environment: on a command line every user of the machine sees it."""
    if name is None:
        return None
    token = os.environ.get(name, "")
    if not token:
        raise UsageError(f"expected a token in the environment variable {name}, it is empty")
    return token


def _welcome(site: Site, host: Host, *, with_control: bool) -> str:
    """Say to somebody at a terminal what to do next."""
    lines = [
        f"  ask    curl -H 'Authorization: Bearer {TOKEN}' "
        f"'{host.url}{site.world.dialect.list_path}'"
    ]
    if with_control:
        lines.append(f"  watch  {host.url}/_fakeserver/")
    return "\n".join([*lines, "  end    Ctrl-C", ""])


@contextmanager
def _ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the server while the block runs."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _port_file(path: str | None, port: int) -> Iterator[None]:
    """Keep the port in a file while the block runs; whoever waits for it never reads half of it."""
    if path is None:
        yield
        return
    part = Path(f"{path}.part")
    try:
        part.write_text(f"{port}\n", encoding="ascii")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"can't write the port to {path}: {error.strerror}") from error
    try:
        yield
    finally:
        Path(path).unlink(missing_ok=True)
