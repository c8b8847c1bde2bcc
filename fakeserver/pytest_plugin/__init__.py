"""The pytest plugin: a fake, and a judge, as fixtures. Imports nothing but pytest until used.

`fake_server_factory` and `verify_client` live as long as the session and keep nothing between two
calls. So they may be used inside of Hypothesis' `@given`, which refuses fixtures of one test.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fakeserver.pytest_plugin import options
from fakeserver.pytest_plugin.marker import SIGNATURE
from fakeserver.pytest_plugin.records import Records

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

    from fakeserver.app import FakeServer
    from fakeserver.profile import Profile
    from fakeserver.scenario import Scenario
    from fakeserver.verifier.verdict import Verdict

HYPOTHESIS_PROFILE = "fakeserver-database"
"""The settings that were loaded before, with another database."""
RECORDS = pytest.StashKey[Records]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options, under a heading of their own."""
    options.register(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Settle the options, register the marker. Raises `pytest.UsageError`."""
    options.settle(config)
    config.addinivalue_line("markers", SIGNATURE)
    records = config.stash[RECORDS] = Records(config)
    config.pluginmanager.register(records, "fakeserver_records")
    report, replay = config.option.fakeserver_report, config.option.fakeserver_replay
    if report is not None and not report.parent.is_dir():
        raise pytest.UsageError(f"--fakeserver-report: there is no folder {report.parent}")
    if replay is not None:
        records.replay = _world(replay), replay
    if config.option.fakeserver_database is not None:
        records.database = _database(config.option.fakeserver_database)


def _database(where: str) -> ExampleDatabase:
    """Open a database. Raises `pytest.UsageError`."""
    from fakeserver.errors import UsageError
    from fakeserver.verifier.remembering import open_database

    try:
        return open_database(where)
    except UsageError as error:
        slip = f"--fakeserver-{error}"
    raise pytest.UsageError(slip)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let Hypothesis keep what it finds in the database, if there is one.

    By now its own plugin has loaded the profile that was asked for. What a test says in
    ``@settings`` goes before it.
    """
    database = session.config.stash[RECORDS].database
    if database is not None:
        from hypothesis import settings

        settings.register_profile(HYPOTHESIS_PROFILE, settings(), database=database)
        settings.load_profile(HYPOTHESIS_PROFILE)


def _world(path: Path) -> Scenario:
    from fakeserver.errors import ScenarioError
    from fakeserver.scenario import Scenario

    try:
        return Scenario.load(path)
    except ScenarioError as error:
        raise pytest.UsageError(f"--fakeserver-replay: {error}") from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker of xdist the seed of the session, one for all, and its width."""
    node.workerinput["fakeserver_seed"] = node.config.option.fakeserver_seed
    node.workerinput["fakeserver_width"] = node.config.stash[RECORDS].width


def pytest_report_header(config: pytest.Config) -> str | None:
    """Show a seed or a world that was asked for."""
    said = []
    if config.option.fakeserver_seed:
        said.append(f"seed {config.option.fakeserver_seed}")
    if config.option.fakeserver_replay is not None:
        said.append(f"plays {config.option.fakeserver_replay.name} alone")
    if config.option.fakeserver_database is not None:
        from fakeserver.verifier.remembering import shown

        where = shown(config.option.fakeserver_database)
        said.append(f"database {where if '://' in where else Path(where).name}")
    return f"fakeserver: {', '.join(said)}" if said else None


@pytest.fixture(scope="session")
def fakeserver_profile() -> Profile | str:
    """The profile where neither a call nor a marker names one: ``default``. Override it.

    It lives as long as the session, so it belongs into the conftest at the top of the tests. A
    name, or a `fakeserver.Profile`::

        @pytest.fixture(scope="session")
        def fakeserver_profile():
            return "documented"
    """
    return "default"


@pytest.fixture(scope="session")
def fake_server_factory(
    pytestconfig: pytest.Config, fakeserver_profile: Profile | str
) -> Callable[..., FakeServer]:
    """A function that makes a fake API playing one world; usable inside of `@given`.

    ``fake_server_factory(dialect="haravan", seed=7)`` takes what `fakeserver.generate_scenario`
    takes, or one ``scenario=`` (or the path of its file, from the project's folder on). What a call
    leaves out, the marker of the running test says. Each call is a new server with its own clock.
    """
    # Not in the function: `@given` times each of its calls.
    from fakeserver.pytest_plugin.checks import make_server

    def make(**given: Any) -> FakeServer:
        return make_server(pytestconfig.stash[RECORDS], fakeserver_profile, given)

    return make


@pytest.fixture
def fake_server(fake_server_factory: Callable[..., FakeServer]) -> FakeServer:
    """A fake API playing one generated world, new for each test.

    ``@pytest.mark.fakeserver(dialect="saleschannel", seed=7)`` chooses the world. It is a WSGI
    application: `fakeserver.doors` lead into it without a socket, ``fakeserver.doors.live`` gives
    it one. If the test fails, it shows what was asked.
    """
    from fakeserver.errors import UsageError

    try:
        return fake_server_factory()
    except UsageError as error:
        slip = f"@pytest.mark.fakeserver: {error}"
    return pytest.fail(slip, pytrace=False)  # out here, or it would be shown twice


@pytest.fixture(scope="session")
def verify_client(
    pytestconfig: pytest.Config, fakeserver_profile: Profile | str
) -> Callable[..., Verdict]:
    """A function that verifies a client, and fails the test with the report if it is broken.

    ``verify_client(follow, dialect="haravan", examples=200, seed=0)`` takes what
    `fakeserver.verify` takes and returns the verdict. ``verify_client(follow, scenario=world)``
    plays one world alone: a `fakeserver.Scenario`, or the path of its file from the project's
    folder on. What a call leaves out, the marker of the running test and the options say. Raises
    `fakeserver.ContractBroken` if the promise is broken, or if a search proved nothing.
    """
    # Not in the function: `@given` times each of its calls.
    from fakeserver.pytest_plugin.checks import check_client

    def check(client: Any, **given: Any) -> Verdict:
        __tracebackhide__ = True
        return check_client(pytestconfig.stash[RECORDS], client, fakeserver_profile, given)

    return check
