"""Client half: a client keeps its promises in worlds that the documents allow.

Run with ``--fakeserver-client path.py:name --fakeserver-dialect haravan``; skipped without. The
promise is `fakeserver.Promise`'s default: every event is delivered, none twice but after a crash.
For another promise, or a search without end, there is ``fakeserver verify``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fakeserver.verifier.clients import load_client

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Verdict

EXAMPLES = 200
"""What ``fakeserver verify`` takes too."""


@pytest.fixture
def client(pytestconfig: pytest.Config) -> Any:
    """The client under test."""
    spec = pytestconfig.option.fakeserver_client
    if spec is None:
        pytest.skip("no client to verify: name one with --fakeserver-client")
    return load_client(spec)


@pytest.mark.parametrize("client_profile", ["default", "documented"])
def test_the_client_keeps_its_promises(
    client: Any,
    client_profile: str,
    pytestconfig: pytest.Config,
    verify_client: Callable[..., Verdict],
) -> None:
    """Nothing is lost, invented, altered, repeated; no request is illegal, impolite or endless."""
    verdict = verify_client(
        client,
        dialect=pytestconfig.option.fakeserver_dialect,
        profile=client_profile,
        examples=pytestconfig.option.fakeserver_examples or EXAMPLES,
    )
    assert verdict.outcome == "kept"
