"""Faults drawn into the storm of a world that was drawn without any."""

from random import Random

from msgspec.structs import replace

from fakeserver.fault import FAULT_KINDS, SERVER_ERRORS, Fault
from fakeserver.scenario import Poll, Scenario

SPANS_MS = (1, 1_000, 4_000, 30_000, 290_000, 3_600_000)
"""Around the time-outs of libraries, the promised lateness, and the limit."""


def with_faults(scenario: Scenario, random: Random) -> Scenario:
    """Return `scenario` with up to three faults in each poll of its storm, at least one in all."""
    storm = [
        replace(poll, faults=tuple(draw_fault(random) for _ in range(random.randint(0, 3))))
        for poll in scenario.polls[: scenario.calm_from]
    ]
    if storm and not any(poll.faults for poll in storm):
        storm[0] = replace(storm[0], faults=(draw_fault(random),))
    polls: tuple[Poll, ...] = (*storm, *scenario.polls[scenario.calm_from :])
    return replace(scenario, polls=polls)


def draw_fault(random: Random) -> Fault:
    """One fault of any kind, with whatever fields that takes."""
    kind = FAULT_KINDS[random.choice(list(FAULT_KINDS))]
    fields = {
        "status": random.choice((None, *SERVER_ERRORS)),
        "retry_after_s": random.choice((None, 0, 2.0, 30)),
        "ms": random.choice(SPANS_MS if "ms" in kind.needs else (None, *SPANS_MS)),
    }
    return Fault(
        kind=kind.name,
        nth=random.randint(1, 6),
        times=random.choice((1, 1, 2, 5, None)),
        **{name: fields[name] for name in kind.takes},
    )
