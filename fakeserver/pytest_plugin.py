"""The pytest plugin: a fake, and a judge, as fixtures. Imports nothing but pytest until used.

`fake_server_factory` and `verify_client` are functions that keep nothing between two calls. So they
live as long as the session, and may be used inside of Hypothesis' `@given`, which refuses fixtures
of one test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fakeserver.app import FakeServer
    from fakeserver.verifier.verdict import Verdict


MARKER = "fakeserver"
CONTRACTS_OPTIONS: tuple[tuple[str, str | None, str, str], ...] = (
    (
        "--fakeserver-target",
        "in-process",
        "TARGET",
        "where the server half asks: in-process (default), served (starts fakeserver serve), "
        "or the base URL of any server, which is only read",
    ),
    (
        "--fakeserver-token-env",
        None,
        "NAME",
        "the environment variable that holds the token for a URL; it is never shown",
    ),
    (
        "--fakeserver-dialect",
        None,
        "DIALECT",
        "one dialect alone (default: all); needed with a URL and with a client",
    ),
    (
        "--fakeserver-client",
        None,
        "CLIENT",
        "path.py:name or package.module:name of the client that the client half verifies",
    ),
    (
        "--fakeserver-examples",
        None,
        "N",
        "how many examples each law, operation and client gets (default: as many as take seconds)",
    ),
)
"""Name, default, metavar and help of the options of the suite."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options of the suite `fakeserver.contracts` (its README.md says how to run it).

    They stand here and not in the suite, because pytest reads the conftest of a package that is
    named with ``--pyargs`` only after the command line.
    """
    group = parser.getgroup("fakeserver contracts", "the suite fakeserver.contracts")
    for name, default, metavar, about in CONTRACTS_OPTIONS:
        kind = int if metavar == "N" else str
        group.addoption(name, default=default, metavar=metavar, type=kind, help=about)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that says which world `fake_server` plays, and check the options."""
    _check_contracts_options(config)
    config.addinivalue_line(
        "markers",
        f"{MARKER}(*, scenario=None, dialect='haravan', profile='default', seed=0, example=0): "
        "the world that the fixture fake_server plays: a scenario, or one that is drawn",
    )


def _check_contracts_options(config: pytest.Config) -> None:
    """Raise `pytest.UsageError` for options of the suite that contradict each other."""
    chosen = config.getoption("--fakeserver-dialect")
    if chosen is not None:
        from fakeserver.dialects import DIALECTS

        if chosen not in DIALECTS:
            raise pytest.UsageError(
                f"--fakeserver-dialect: expected {' or '.join(DIALECTS)}, got {chosen!r}"
            )
    examples = config.getoption("--fakeserver-examples")
    if examples is not None and examples < 1:
        raise pytest.UsageError(f"--fakeserver-examples: expected 1 or more, got {examples}")
    target = config.getoption("--fakeserver-target")
    one = target not in ("in-process", "served") or config.getoption("--fakeserver-client")
    if one and chosen is None:
        raise pytest.UsageError(
            "one server, or one client, speaks one dialect: name it with --fakeserver-dialect"
        )


@pytest.fixture(scope="session")
def fake_server_factory() -> Callable[..., FakeServer]:
    """A function that makes a fake API playing one world; usable inside of `@given`.

    ``fake_server_factory(dialect="haravan", seed=7)`` takes what `fakeserver.generate_scenario`
    takes, or one ``scenario=``. Each call is a new server with its own clock.
    """

    def make(*, scenario: Any = None, **options: Any) -> FakeServer:
        from fakeserver.app import FakeServer
        from fakeserver.errors import UsageError
        from fakeserver.generate import generate_scenario

        if scenario is not None and options:
            beside = ", ".join(options)
            raise UsageError(f"fake_server: a scenario is complete, it takes no {beside} beside it")
        return FakeServer(generate_scenario(**options) if scenario is None else scenario)

    return make


@pytest.fixture
def fake_server(
    request: pytest.FixtureRequest, fake_server_factory: Callable[..., FakeServer]
) -> FakeServer:
    """A fake API playing one generated world, new for each test.

    ``@pytest.mark.fakeserver(dialect="saleschannel", seed=7)`` chooses the world. It is a WSGI
    application: `fakeserver.doors` lead into it without a socket, ``fakeserver.doors.live`` gives
    it one.
    """
    __tracebackhide__ = True
    marker = request.node.get_closest_marker(MARKER)
    if marker is None:
        return fake_server_factory()
    if marker.args:
        raise pytest.UsageError(
            f"@pytest.mark.{MARKER} takes names, as in dialect='haravan'; got {marker.args!r}"
        )
    from fakeserver.errors import UsageError

    _check_names(marker.kwargs)
    try:
        return fake_server_factory(**marker.kwargs)
    except UsageError as error:
        raise pytest.UsageError(f"@pytest.mark.{MARKER}: {error}") from None


def _check_names(given: dict[str, Any]) -> None:
    """Raise `pytest.UsageError` for a name that the marker does not know, with those it does."""
    from inspect import signature

    from fakeserver.generate import generate_scenario

    known = ("scenario", *signature(generate_scenario).parameters)
    strange = [name for name in given if name not in known]
    if strange:
        raise pytest.UsageError(
            f"@pytest.mark.{MARKER} takes {', '.join(known)}; got {', '.join(strange)}"
        )


@pytest.fixture(scope="session")
def verify_client() -> Callable[..., Verdict]:
    """A function that verifies a client, and fails the test with the report if it is broken.

    ``verify_client(follow, dialect="haravan", examples=200, seed=0)`` takes what
    `fakeserver.verify` takes and returns the verdict. Raises `fakeserver.ContractBroken` if the
    promise is broken, or if nothing was proved.
    """

    def check(client: Any, **options: Any) -> Verdict:
        __tracebackhide__ = True
        from fakeserver.errors import ContractBroken
        from fakeserver.verifier.search import verify

        verdict = verify(client, **options)
        if verdict.outcome == "kept":
            return verdict
        report = f"{verdict.text()}{_again(verdict)}"
        if any(note.startswith("interrupted") for note in verdict.notes):
            # The search makes a verdict of Ctrl-C; the session is to end as well.
            pytest.exit(f"interrupted while a client was verified:\n{report}", returncode=2)
        raise ContractBroken(report)

    return check


def _again(verdict: Verdict) -> str:
    """Say how to see it again: the same seed draws the same worlds on every machine."""
    if verdict.scenario is None:
        return ""
    return (
        f"  Again    The same call finds it again, examples={verdict.examples} are enough. The "
        f"world was drawn\n           as {verdict.scenario.origin}.\n"
    )
