"""The hazards of a client's life: it is stopped, or another instance of it goes on."""

from __future__ import annotations

from fakeserver.history import Killed, PollStarted, Restarted, Saved
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.hazard import Hazard, always

AFTER_SAVE = ("after-save", "after-commit")


def _restart(evidence: Evidence) -> bool:
    steps = evidence.history
    return any(
        isinstance(step, Restarted)
        and not any(isinstance(before, Killed) for before in steps[max(0, place - 2) : place])
        for place, step in enumerate(steps)
    )


def _two_instances(evidence: Evidence) -> bool:
    """Whether an instance polled again after another one had saved something."""
    current, savers = 1, dict[int, set[int]]()
    for step in evidence.history:
        if isinstance(step, PollStarted):
            current = step.instance
            if savers.setdefault(current, set()) - {current}:
                return True
        elif isinstance(step, Saved):
            for known in savers.values():
                known.add(current)
    return False


def _crash_before_save(evidence: Evidence) -> bool:
    return any(isinstance(s, Killed) and s.point not in AFTER_SAVE for s in evidence.history)


def _crash_after_save(evidence: Evidence) -> bool:
    return any(isinstance(s, Killed) and s.point in AFTER_SAVE for s in evidence.history)


LIFE_HAZARDS = (
    Hazard(
        name="restart",
        about="The client was built anew between two polls and had its checkpoint only.",
        source="fault class C25; bitwarden/splunk#189",
        possible=always,
        exercised=_restart,
    ),
    Hazard(
        name="crash-before-save",
        about="The client was killed while it asked or delivered, or just before it saved.",
        source="fault class C25; elastic/logstash#1675",
        possible=always,
        exercised=_crash_before_save,
    ),
    Hazard(
        name="crash-after-save",
        about="The client was killed right after it had saved.",
        source="fault class C24; proteanhq/protean#1262",
        possible=always,
        exercised=_crash_after_save,
    ),
    Hazard(
        name="two-instances",
        about="An instance polled again after another one had saved over the same checkpoint.",
        source="fault class C39; elastic/logstash#13470",
        possible=always,
        exercised=_two_instances,
    ),
)
"""Whatever the API and its profile: a client is a program, and programs end."""
