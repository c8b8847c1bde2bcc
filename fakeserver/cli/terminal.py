"""What the command line shares with its terminal: streams, width, colour, Ctrl-C, and spans."""

from __future__ import annotations

import os
import re
import signal
import sys
import textwrap
import time
from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec
from click.shell_completion import CompletionItem

from fakeserver.dialects import DIALECTS, known_dialects
from fakeserver.verifier.report.words import WIDTH_MAX, WIDTH_MIN
from fakeserver.verifier.verdict import Verdict

COLOURS = {
    "BROKEN": "red",
    "KEPT": "green",
    "INCONCLUSIVE": "yellow",
    "CONTRADICTED": "red",
    "EXPLAINED": "green",
}
PROGRESS_SECONDS = 0.1
"""Between two signs of life on a terminal: fast enough to be alive, too slow to flicker."""
MARGINS_SECONDS = 120.0
"""The margins of a usual client take a few seconds; whoever has a slow one may give more."""
UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def span(ms: int | None) -> str | None:
    """Write a span as `Duration` reads it, in the largest unit that needs no fraction."""
    if ms is None:
        return None
    name, size = [unit for unit in UNITS_MS.items() if ms % unit[1] == 0][-1 if ms else 1]
    return f"{ms // size}{name}"


class Duration(click.ParamType[int]):
    """A span such as ``30s``, ``5m`` or ``1.5h``, as whole milliseconds, at most `ms_max`."""

    name = "duration"

    def __init__(self, *, ms_max: int) -> None:
        self._ms_max = ms_max

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the span; click shows what is wrong with it."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)", str(value), re.ASCII)
        if match is None:
            self.fail(f"expected a number and one of ms, s, m, h, d, got {value!r}", param, ctx)
        ms = round(float(match[1]) * UNITS_MS[match[2]])
        if ms > self._ms_max:
            self.fail(f"expected at most {span(self._ms_max)}, got {value}", param, ctx)
        return ms


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


class DialectName(click.ParamType[str]):
    """The name of a dialect: of ours, or of one that an installed package brings.

    Others are looked for only when somebody names one, or asks for help: finding them reads the
    metadata of every installed package.
    """

    name = "dialect"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        """List the names, as for any choice."""
        return f"[{'|'.join(known_dialects())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse a name that nobody brings; click shows which there are."""
        if value not in DIALECTS and value not in known_dialects():
            self.fail(
                f"{value!r} is not one of {', '.join(map(repr, known_dialects()))}.", param, ctx
            )
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Offer the names that begin as typed."""
        names = (name for name in known_dialects() if name.startswith(incomplete))
        return [CompletionItem(name) for name in names]


class OwnDialectName(click.Choice[str]):
    """The name of a dialect of ours, for commands that read answers back.

    A dialect says how a request is understood and an answer written. To ask a service, or to read
    what one has answered, takes more, and no dialect of another package has it.
    """

    def __init__(self) -> None:
        super().__init__(DIALECTS)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse others; say of an installed one what it lacks."""
        if value not in DIALECTS and value in known_dialects():
            self.fail(
                f"{value!r} comes from another package, and says how requests are understood and "
                "answers written; this command reads answers back, and would have to know where "
                "their rows are, which field is the stamp and what decides each switch. It knows "
                f"that of {' and '.join(DIALECTS)}.",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


def check_writable(_ctx: click.Context, _param: click.Parameter, path: str | None) -> str | None:
    """Refuse, before any work is done, a file that can't be written afterwards."""
    if path not in (None, "-") and not Path(path).absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {Path(path).parent}")
    return path


def today() -> date:
    """Return the day, in UTC: profiles that were measured are dated by it, and have an age."""
    return datetime.fromtimestamp(time.time_ns() / 1e9, UTC).date()


class Interrupt:
    """Ctrl-C while a client runs: the first asks it to end, the second ends this process.

    A client may catch the first one. Then the search is told to stop after the world it is in.
    """

    def __init__(self) -> None:
        self.happened = False
        before = signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler:  # else it is ignored, or another's business
            signal.signal(signal.SIGINT, self._on_signal)
            shown, sys.unraisablehook = sys.unraisablehook, self._unraised

            def restore() -> None:
                signal.signal(signal.SIGINT, before)
                sys.unraisablehook = shown

            click.get_current_context().call_on_close(restore)

    def _on_signal(self, *_: object) -> None:
        if self.happened:
            os.write(2, b"interrupted\n")
            os._exit(3)
        self.happened = True
        raise KeyboardInterrupt

    def _unraised(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Tell of an exception that hit some clean-up; Ctrl-C is remembered without that."""
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)

    def applied_to(self, verdict: Verdict, examples: int) -> Verdict:
        """Return what is left of a verdict: of `examples` worlds, the untried prove nothing."""
        note = f"interrupted after {verdict.examples} of {examples} worlds"
        if not self.happened or verdict.outcome == "broken" or note in verdict.notes:
            return verdict
        search = verdict.search and msgspec.structs.replace(
            verdict.search, doubts=(note, *verdict.search.doubts)
        )
        return msgspec.structs.replace(
            verdict, outcome="inconclusive", notes=(note, *verdict.notes), search=search
        )


class StatusLine:
    """One line on a terminal that says what goes on, and is written over; in a pipe, nothing."""

    def __init__(self) -> None:
        self._shows = is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
        self._next = 0.0

    def show(self, text: str, *, is_news: bool = False) -> None:
        """Show `text` in place of what was there; if that is young, only where it `is_news`."""
        now = time.monotonic()
        if not self._shows or (now < self._next and not is_news):
            return
        self._next = now + PROGRESS_SECONDS
        try:
            room = (_columns(sys.stderr) or WIDTH_MIN) - 1
        except (OSError, ValueError):
            room = WIDTH_MIN - 1
        line = f"  {text}"
        line = line if len(line) <= room else f"{line[: max(0, room - 1)]}…"
        click.echo(f"\r\x1b[K{line}", nl=False, err=True)

    def clear(self) -> None:
        """Wipe what was shown: the report follows."""
        if self._shows:
            click.echo("\r\x1b[K", nl=False, err=True)


class Progress:
    """Called after each world: shows on a terminal that work goes on, and says when to stop."""

    def __init__(self, examples: int, seconds: float | None, interrupt: Interrupt) -> None:
        self._examples = examples
        self._start = time.monotonic()
        self._end = None if seconds is None else self._start + seconds
        self._interrupt = interrupt
        self._line = StatusLine()

    def __call__(self, done: int, hazards: Collection[str]) -> bool:
        """Return whether to go on after `done` worlds, in which these `hazards` came up."""
        now = time.monotonic()
        pace = done / max(now - self._start, 0.001)
        names = ", ".join(sorted(hazards)) or "none yet"
        met = f"{len(hazards)} hazard{'' if len(hazards) == 1 else 's'} met: {names}"
        rate = f"{pace:.0f}" if pace >= 10 else f"{pace:.1f}"
        self._line.show(f"{done} of {self._examples} worlds, {rate} a second, {met}")
        return not self._interrupt.happened and (self._end is None or now < self._end)

    def shrinking(self, tries: int, events: int) -> None:
        """Show that a broken world of `events` events is being made smaller."""
        some = f"{events} event{'' if events == 1 else 's'}"
        self._line.show(
            f"broken; making the world smaller: try {tries}, {some} left", is_news=tries == 1
        )

    def clear(self) -> None:
        """Wipe what was shown: the report follows."""
        self._line.clear()


class MarginsProgress:
    """Called before each world of the margins, as `Progress` is after each of the search.

    `seconds` is a budget of its own; without one it is `MARGINS_SECONDS`.
    """

    def __init__(self, seconds: float | None, interrupt: Interrupt) -> None:
        self._end = time.monotonic() + (seconds or MARGINS_SECONDS)
        self._interrupt = interrupt
        self._line = StatusLine()
        self._done = 0

    def __call__(self, axis: str, _runs: int) -> bool:
        """Return whether to go on with the next world."""
        self._done += 1
        self._line.show(f"margins: {axis}, world {self._done}")
        return not self._interrupt.happened and time.monotonic() < self._end

    def clear(self) -> None:
        """Wipe what was shown: the report follows."""
        self._line.clear()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks on; a stream that was closed before the start is None."""
    return stream is not None and stream.isatty()


def own_stdout() -> TextIO | None:
    """Return stdout for the report, and let everything else that is printed go to stderr.

    What a client prints, or a program that it starts, must not come between a script and the
    JSON that it reads. After the command everything is as before, unless this is a program of its
    own: then it stays so for what the client prints at exit.
    """
    try:
        sys.stdout.flush()
        fd, elsewhere = sys.stdout.fileno(), sys.stderr.fileno()
        ours = os.dup(fd)
    except (AttributeError, OSError, ValueError):
        return sys.stdout  # one of the two is closed, or no file: there is nothing to share
    os.dup2(elsewhere, fd)
    out = os.fdopen(ours, "w", encoding=sys.stdout.encoding, errors="replace")
    context = click.get_current_context()

    def restore() -> None:
        sys.stdout.flush()
        if not context.obj:
            os.dup2(ours, fd)
        out.close()

    context.call_on_close(restore)
    return out


def width_of(out: TextIO | None) -> int:
    """Return how wide a report may be: as wide as the terminal, within what can be read."""
    columns = os.environ.get("COLUMNS", "")
    try:
        width = int(columns) if columns.isdecimal() else _columns(out)
    except (OSError, ValueError):
        width = 0
    return max(WIDTH_MIN, min(WIDTH_MAX, width or WIDTH_MAX))


def _columns(out: TextIO | None) -> int:
    """How wide a terminal says that it is; one that does not know says 0."""
    return 0 if out is None else os.get_terminal_size(out.fileno()).columns


def print_report(text: str, out: TextIO | None) -> None:
    """Write a report, its first word in colour if that is wanted."""
    word, space, rest = text.partition(" ")
    if word in COLOURS and not os.environ.get("NO_COLOR"):
        text = click.style(word, fg=COLOURS[word], bold=True) + space + rest
    write(text, out)


def wrapped(text: str, width: int) -> str:
    """Return lines of at most `width` columns; what goes on hangs below the text of its line.

    That text begins behind the indent of the line and, if it has one, its label (``  says     ``).
    """
    return "".join(_hanging(line, width) for line in text.splitlines(keepends=True))


def _hanging(line: str, width: int) -> str:
    label = re.match(r" *(?:[a-z]+(?: [a-z ]+)?:? {2,})?", line)
    hang = " " * min(len(label[0]) if label else 0, width // 2)
    return textwrap.fill(line, width, subsequent_indent=hang, break_on_hyphens=False) + "\n"


def write(text: str | bytes, out: TextIO | None) -> None:
    """Write to stdout, in colour only on a terminal. A reader who has gone is no error."""
    if out is None:
        return
    try:
        click.echo(text, file=out, nl=False)
        out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
