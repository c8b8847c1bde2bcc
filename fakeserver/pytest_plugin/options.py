"""The plugin's options: each may stand on the command line, in the environment, or in an ini file.

The first of these that names a value counts. Their values are settled once, before any test, into
``config.option``: there the suite `fakeserver.contracts` finds them too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

GROUP = "fakeserver"
SEED_END = 2**32
"""``--fakeserver-seed random`` draws below it: short enough to be typed again."""
Value = Any


class Option(NamedTuple):
    """One option: ``--fakeserver-NAME``, ini ``fakeserver_NAME``, ``PYTEST_FAKESERVER_NAME``.

    Without `twins` there is only the first. `kind` is ``text``, ``count`` (1 or more), ``seed``,
    ``path`` or ``database`` (an address or a path); a path in an ini file starts where that file
    lies.
    """

    name: str
    metavar: str
    about: str
    kind: str = "text"
    default: Value = None
    twins: bool = True

    @property
    def flag(self) -> str:
        """What the command line says."""
        return f"--fakeserver-{self.name}"

    @property
    def key(self) -> str:
        """What an ini file says, and where the settled value stands in ``config.option``."""
        return f"fakeserver_{self.name.replace('-', '_')}"

    @property
    def variable(self) -> str:
        """What the environment says. Names that start with FAKESERVER are those of programs."""
        return f"PYTEST_{self.key.upper()}"


OPTIONS = (
    Option(
        "seed",
        "N",
        "which worlds verify_client and fake_server draw where a test names no seed; "
        "random draws one and shows it (default: 0)",
        kind="seed",
        default=0,
    ),
    Option(
        "examples",
        "N",
        "in how many worlds verify_client tries a client where a test names no number (default: "
        "200); in the suite, examples of each law, operation and client (default: what takes "
        "seconds)",
        kind="count",
    ),
    Option(
        "replay",
        "FILE",
        "verify_client plays the world of this scenario file alone, as a failure says",
        kind="path",
    ),
    Option(
        "report",
        "FILE",
        "write all verdicts of verify_client, of all workers, into one JSON file",
        kind="path",
    ),
    Option(
        "database",
        "URL",
        "keep what fails in redis://HOST:PORT/0 or in a folder, and try it first next time, on "
        "any machine: the worlds of verify_client, and what Hypothesis finds",
        kind="database",
    ),
    Option(
        "target",
        "TARGET",
        "suite: where its server half asks: in-process (default), served (starts fakeserver "
        "serve), the base URL of any server, which is only read, live (the URL in "
        "FAKESERVER_LIVE_URL; skipped without it), or the file that a client recorded",
        default="in-process",
    ),
    Option(
        "token-env",
        "NAME",
        "suite: the environment variable that holds the token for a URL; it is never shown",
        twins=False,
    ),
    Option(
        "dialect",
        "DIALECT",
        "suite: one dialect alone (default: all); needed with a URL and with a client",
        twins=False,
    ),
    Option(
        "client",
        "CLIENT",
        "suite: path.py:name or package.module:name of the client that its client half verifies",
        twins=False,
    ),
)


def register(parser: pytest.Parser) -> None:
    """Register all options under a heading of their own, and the ini keys.

    Those of the suite stand here too: pytest reads the conftest of a package that is named with
    ``--pyargs`` only after the command line.
    """
    group = parser.getgroup(GROUP, "fakeserver (suite: fakeserver.contracts)")
    for option in OPTIONS:
        group.addoption(option.flag, default=None, metavar=option.metavar, help=option.about)
        if option.twins:
            whole = option.kind == "count" and pytest.version_tuple >= (8, 4)
            kind: Literal["int", "string"] = "int" if whole else "string"
            parser.addini(option.key, f"the same as {option.flag}", type=kind, default=None)


def settle(config: pytest.Config) -> None:
    """Put each option's value into ``config.option``. Raises `pytest.UsageError`."""
    for option in OPTIONS:
        setattr(config.option, option.key, _settled(config, option))
    given = getattr(config, "workerinput", {})
    if "fakeserver_seed" in given:  # one seed for all workers, also where it was drawn
        config.option.fakeserver_seed = given["fakeserver_seed"]
    _check_suite(config)


def _settled(config: pytest.Config, option: Option) -> Value:
    here = config.invocation_params.dir
    value, named, folder = getattr(config.option, option.key), option.flag, here
    if value is None and option.twins:
        value, named = os.environ.get(option.variable) or None, option.variable
    if value is None and option.twins:
        folder = here if config.inipath is None else config.inipath.parent
        named = f"{option.key}, in {getattr(config.inipath, 'name', 'an ini file')}"
        try:
            value = config.getini(option.key)
        except (TypeError, ValueError) as error:
            raise pytest.UsageError(f"{named}: {error}") from None
    return option.default if value in (None, "") else _converted(option, value, named, folder)


def _converted(option: Option, value: Value, named: str, folder: Path) -> Value:
    """Return the value as its kind has it. Raises `pytest.UsageError` that says who `named` it."""
    if option.kind == "path":
        return folder / value
    if option.kind == "database" and "://" not in value:
        return str(folder / value)
    if option.kind in ("text", "database"):
        return value
    if option.kind == "seed" and value == "random":
        from secrets import randbelow

        return randbelow(SEED_END)
    try:
        number = int(value)
    except ValueError:
        number = None
    if option.kind == "count" and (number is None or number < 1):
        raise pytest.UsageError(f"{named}: expected 1 or more, got {value}")
    if number is None:
        raise pytest.UsageError(f"{named}: expected a whole number, or random, got {value}")
    return number


def _check_suite(config: pytest.Config) -> None:
    """Raise `pytest.UsageError` for options of the suite that contradict each other."""
    chosen = config.option.fakeserver_dialect
    if chosen is not None:
        from fakeserver.dialects import DIALECTS, known_dialects

        if chosen not in DIALECTS and chosen not in known_dialects():
            raise pytest.UsageError(
                f"--fakeserver-dialect: expected {' or '.join(known_dialects())}, got {chosen!r}"
            )
    target = config.option.fakeserver_target
    one = target not in ("in-process", "served") or config.option.fakeserver_client
    if one and chosen is None:
        raise pytest.UsageError(
            "one server, or one client, speaks one dialect: name it with --fakeserver-dialect"
        )
