"""What a client keeps of one world for the next: a world that is played twice in a row shows it.

One history can't tell it from a mistake within its own world, for the same ids come again in world
after world. Under ids that no world had before, nothing can be known of them the first time.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from fakeserver.scenario import LoggedEvent, Scenario
from fakeserver.verifier.clues.carried import BEGIN_FROM_CHECKPOINT
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.verdict import Verdict, few_of

NEW_IDS = 2**40
"""Added to ids: above all that are drawn, and still exact in every language."""
NAMED_MAX = 3


def may_be_left_over(broken: Verdict) -> bool:
    """Whether what is lost may be known from another world, and nothing has shown it yet."""
    if not broken.findings or broken.scenario is None or broken.promise.mode == "snapshot":
        return False
    first = broken.findings[0]
    return first.rule == "LOST" and first.would != BEGIN_FROM_CHECKPOINT


def with_left_over(broken: Verdict, judged: Callable[[Scenario], Verdict]) -> Verdict:
    """Return a verdict whose first finding tells what two runs of its world under new ids show.

    That is `broken` itself where the second one delivers what the first one does.
    """
    assert broken.scenario is not None  # noqa: S101 - asked before
    scenario = with_new_ids(broken.scenario)
    once, again = (_delivered(judged(scenario)) for _ in range(2))
    gone = [name for name in once if name not in again]
    if not gone or not set(again) < set(once):
        return broken
    first = broken.findings[0]
    was = "was" if len(gone) == 1 else "were"
    said = (
        "Played twice in a row with ids that no other world has, this world came out differently: "
        f"{few_of(gone, NAMED_MAX)} {was} delivered the first time only. So the client keeps "
        "something from one world to the next, outside of the feed, or goes by chance."
    )
    told = replace(first, why=(*first.why, said), would=BEGIN_FROM_CHECKPOINT)
    return replace(broken, findings=(told, *broken.findings[1:]))


def with_new_ids(scenario: Scenario) -> Scenario:
    """Return the same world with ids that no drawn one has, in the same order."""
    return replace(scenario, events=tuple(map(_with_new_id, scenario.events)))


def _with_new_id(event: LoggedEvent) -> LoggedEvent:
    is_number = isinstance(event.id, int)
    return replace(event, id=event.id + NEW_IDS if is_number else f"{event.id}n")  # type: ignore[operator]


def _delivered(verdict: Verdict) -> list[str]:
    """Name what was delivered, in the order of the log."""
    assert verdict.scenario is not None  # noqa: S101 - the judge names the world it judged
    evidence = Evidence(verdict.scenario, verdict.history, verdict.promise)
    events = verdict.scenario.events
    return [evidence.name(event.id) for event in events if event.id in evidence.first_delivery]
