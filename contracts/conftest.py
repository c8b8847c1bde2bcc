"""What the suite's tests are given, by the options ``--fakeserver-…`` (see README.md).

The options themselves are registered by the plugin `fakeserver.pytest_plugin`: pytest loads the
conftest of a package named with ``--pyargs`` too late for them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import ClientNotFound, UsageError
from fakeserver.verifier.clients import load_client

from ._any_log import AnyLog
from ._documents import folders
from ._targets import Target, find_target, is_recording

PROFILES = ("default", "documented")
"""Those under which every law must hold, for they allow only what the documents allow."""
PLAYING = ("in-process", "served")
"""The targets that take worlds of our choice."""
TALLY = pytest.StashKey[Counter[tuple[str, int]]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each dialect that is asked for, and a law in the worlds of each profile.

    Without ``--fakeserver-dialect`` these are our own: another package that happens to be installed
    must not make our suite fail.
    """
    config = metafunc.config
    chosen = config.option.fakeserver_dialect
    dialects = DIALECTS if chosen is None else (chosen,)
    if "api_profile" in metafunc.fixturenames:
        profiles = [
            (name, profile.name) for name in dialects for profile in find_dialect(name).profiles
        ]
        metafunc.parametrize(("api_dialect", "api_profile"), profiles)
    elif "api_dialect" in metafunc.fixturenames:
        metafunc.parametrize("api_dialect", dialects)
    if "document_of" in metafunc.fixturenames:
        metafunc.parametrize("document_of", folders() if chosen is None else (chosen,))
    if "law_profile" in metafunc.fixturenames:
        plays = config.option.fakeserver_target in PLAYING
        metafunc.parametrize("law_profile", PROFILES if plays else ("as it is",))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the laws of other APIs than the one that is asked for."""
    chosen = config.option.fakeserver_dialect
    if chosen is None:
        return
    others = [item for item in items if _dialect_of(item) not in (None, chosen)]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)


def _dialect_of(item: pytest.Item) -> str | None:
    """Return the API whose law a test is, or None for a test that is of any API."""
    if not item.path.is_relative_to(Path(__file__).parent):
        return None
    return getattr(getattr(item, "cls", None), "dialect", None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse, before any test, a target that can't be asked and a client that can't be called."""
    needed = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    try:
        if "target" in needed:
            with closing(_target(session.config)) as found:
                found.check()
        spec = session.config.option.fakeserver_client
        if "client" in needed and spec is not None:
            load_client(spec)
    except ClientNotFound as error:
        raise pytest.UsageError(f"--fakeserver-client: {error}") from None
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def _target(config: pytest.Config) -> Target:
    """Return what the options name. Raises `UsageError`."""
    variable = config.option.fakeserver_token_env
    token = None if variable is None else os.environ.get(variable)
    if variable is not None and not token:
        raise UsageError(f"--fakeserver-token-env: there is no variable {variable}")
    return find_target(config.option.fakeserver_target, token=token, environ=os.environ)


@pytest.fixture(scope="session")
def target(pytestconfig: pytest.Config) -> Iterator[Target]:
    """Where the server half sends its requests."""
    with closing(_target(pytestconfig)) as found:
        if found.silent is not None:
            pytest.skip(found.silent)
        yield found


@pytest.fixture(scope="session")
def recording(pytestconfig: pytest.Config) -> str:
    """The file that a client recorded, where that is the target."""
    name = pytestconfig.option.fakeserver_target
    if not is_recording(name):
        pytest.skip("no recording: name one with --fakeserver-target FILE")
    return str(name)


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Counter[tuple[str, int]]:
    """How often an API has answered with a status; shown at the end of the run."""
    return pytestconfig.stash.setdefault(TALLY, Counter())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many generated requests were answered, and with which statuses."""
    tally = config.stash.get(TALLY, Counter())
    for dialect in sorted({dialect for dialect, _ in tally}):
        statuses = {status: n for (of, status), n in sorted(tally.items()) if of == dialect}
        shown = ", ".join(f"{status}: {count}" for status, count in statuses.items())
        terminalreporter.write_line(
            f"{dialect}: {sum(statuses.values())} generated cases, by status {shown}"
        )


@pytest.fixture
def any_log(request: pytest.FixtureRequest, target: Target, law_profile: str) -> AnyLog:
    """Runs a law, given as a function of a log and of Hypothesis' ``data``, for many logs.

    The test class says in `dialect` of which API they are. A target that can't play other worlds
    has one log, in which the choices of the law differ.
    """
    dialect = request.cls.dialect
    examples = request.config.option.fakeserver_examples or target.examples_of_law
    return AnyLog(target, dialect, law_profile, examples)
