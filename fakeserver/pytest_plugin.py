"""The pytest plugin: a fake, and a judge, as fixtures. Imports nothing but pytest until used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fakeserver.app import FakeServer
    from fakeserver.verifier.verdict import Verdict


@pytest.fixture
def fake_server() -> Callable[..., FakeServer]:
    """Return a function that makes a `FakeServer` playing one generated world.

    ``fake_server(dialect="haravan", seed=7)`` takes what `fakeserver.generate_scenario` takes, or
    one ``scenario=``. Each call is a new server with its own clock.
    """

    def make(*, scenario: Any = None, **options: Any) -> FakeServer:
        from fakeserver.app import FakeServer
        from fakeserver.generate import generate_scenario

        return FakeServer(generate_scenario(**options) if scenario is None else scenario)

    return make


@pytest.fixture
def verify_client() -> Callable[..., Verdict]:
    """Return a function that verifies a client and fails the test with the report if it is broken.

    ``verify_client(follow, dialect="haravan")`` takes what `fakeserver.verify` takes and returns
    the verdict. Raises `fakeserver.ContractBroken`.
    """

    def check(client: Any, **options: Any) -> Verdict:
        __tracebackhide__ = True
        from fakeserver.verifier.search import verify

        return verify(client, **options).check()

    return check
