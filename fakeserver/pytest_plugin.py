"""The pytest plugin: a fake, and a judge, as fixtures. Imports nothing but pytest until used.

Both fixtures are functions that keep nothing between two calls. So they live as long as the
session, and may be used inside of Hypothesis' `@given`, which refuses fixtures of one test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fakeserver.app import FakeServer
    from fakeserver.verifier.verdict import Verdict


@pytest.fixture(scope="session")
def fake_server() -> Callable[..., FakeServer]:
    """A function that makes a fake API playing one generated world.

    ``fake_server(dialect="haravan", seed=7)`` takes what `fakeserver.generate_scenario` takes, or
    one ``scenario=``. Each call is a new server with its own clock. It is a WSGI application:
    `fakeserver.doors` lead into it without a socket, ``fakeserver.doors.live`` gives it one.
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
