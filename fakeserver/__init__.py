"""Fakes paginated event-log APIs and judges whether a client loses or repeats events.

The names below are loaded when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it: a command that is begun imports nothing before its own
if TYPE_CHECKING:
    from typing import Any

    from fakeserver.app import FakeServer
    from fakeserver.errors import ContractBroken
    from fakeserver.fault import Fault
    from fakeserver.generate import generate_scenario
    from fakeserver.profile import Profile
    from fakeserver.scenario import LoggedEvent, Scenario
    from fakeserver.verifier.commands.client import CommandClient
    from fakeserver.verifier.feed import Feed
    from fakeserver.verifier.judge import judge
    from fakeserver.verifier.margins.measure import measure_margins
    from fakeserver.verifier.patched_time import PatchedTime
    from fakeserver.verifier.promise import Promise
    from fakeserver.verifier.search import verify
    from fakeserver.verifier.verdict import Verdict

_HOMES = {
    "CommandClient": "fakeserver.verifier.commands.client",
    "ContractBroken": "fakeserver.errors",
    "FakeServer": "fakeserver.app",
    "Fault": "fakeserver.fault",
    "Feed": "fakeserver.verifier.feed",
    "LoggedEvent": "fakeserver.scenario",
    "PatchedTime": "fakeserver.verifier.patched_time",
    "Profile": "fakeserver.profile",
    "Promise": "fakeserver.verifier.promise",
    "Scenario": "fakeserver.scenario",
    "Verdict": "fakeserver.verifier.verdict",
    "generate_scenario": "fakeserver.generate",
    "judge": "fakeserver.verifier.judge",
    "measure_margins": "fakeserver.verifier.margins.measure",
    "verify": "fakeserver.verifier.search",
}

__all__ = [
    "CommandClient",
    "ContractBroken",
    "FakeServer",
    "Fault",
    "Feed",
    "LoggedEvent",
    "PatchedTime",
    "Profile",
    "Promise",
    "Scenario",
    "Verdict",
    "generate_scenario",
    "judge",
    "measure_margins",
    "verify",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'fakeserver' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
