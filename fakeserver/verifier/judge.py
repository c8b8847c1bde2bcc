"""The judge: a pure function from what was to happen and what happened to a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from fakeserver.errors import ScenarioError, UsageError
from fakeserver.history import AnyStep, Delivered, Exchange, History, PollStarted
from fakeserver.query import ID, RECORDED_AT
from fakeserver.scenario import EventId, Scenario
from fakeserver.verifier import open_world, snapshot
from fakeserver.verifier.clues import with_clues
from fakeserver.verifier.diagnosis import diagnosed
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.hazards import exercised
from fakeserver.verifier.impossible import impossible
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.rules import RULES
from fakeserver.verifier.verdict import Finding, Impossible, Requests, Verdict


def judge(scenario: Scenario, history: History, promise: Promise | None = None) -> Verdict:
    """Compare what a client delivered with the truth, for one world.

    The outcome is ``broken`` with any finding, ``inconclusive`` when the world held no hazard that
    the client met, else ``kept``. Pure: the same arguments give the same verdict. Raises
    `ScenarioError` when the history does not belong to the scenario, and `UsageError` for a promise
    that can't be kept, or not be judged, in such a world.
    """
    promise = promise or Promise()
    evidence = Evidence(scenario, history, promise)
    _check_promise(evidence)
    _check_belongs(evidence)
    found = findings(evidence)
    met = exercised(evidence)
    counts = counted(evidence)
    nobody = impossible(evidence, found)
    doubts = counts.keys() & {"undecided", "no-snapshot"}
    proved = bool(met) and evidence.is_complete and not doubts
    return Verdict(
        outcome="broken" if found else "kept" if proved else "inconclusive",
        dialect=scenario.dialect,
        profile=scenario.profile,
        promise=promise,
        findings=found,
        notes=(*notes(counts), *sentences(nobody)),
        counted=counts,
        impossible=nobody,
        exercised=dict.fromkeys(met, 1),
        requests=requests(evidence),
        scenario=scenario,
        history=history,
    )


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Apply every rule, in the order of `RULES`; name the fault class of a finding, and clues."""
    return tuple(
        _explained(evidence, finding) for rule in RULES.values() for finding in rule.apply(evidence)
    )


OUR_SLIP = "What else the history shows could not be worked out, which is a slip of ours"
"""Told in the place of a class and clues, so that they never cost a verdict; please report it."""


def _explained(evidence: Evidence, finding: Finding) -> Finding:
    try:
        return with_clues(evidence, diagnosed(evidence, finding))
    except Exception as error:  # what is proved stands without it
        return replace(finding, why=(*finding.why, f"{OUR_SLIP} ({type(error).__name__})."))


NOTES = {
    "repeats": ("1 repeat", "{} repeats", "allowed by at-least-once"),
    "too-late": ("1 event", "{} events", "later than promised, not counted"),
    "held-back": ("1 event", "{} events", "not delivered yet: perhaps held back, not counted"),
    "undecided": (
        "1 event",
        "{} events",
        "not delivered: no whole poll could read it yet",
    ),
    "outside": ("1 event", "{} events", "outside the filters of every request, not counted"),
    "no-snapshot": ("1 world", "{} worlds", "without a poll that could be judged as a snapshot"),
}
"""What is worth knowing and no accusation: one of it, many of it, and what about it."""


def counted(evidence: Evidence) -> dict[str, int]:
    """Count what is worth a note, by the keys of `NOTES`."""
    if evidence.promise.mode == "snapshot":
        return _counted_in_snapshots(evidence)
    events = evidence.scenario.events
    repeats = len(evidence.deliveries) - len(evidence.first_delivery)
    counts = {
        "repeats": repeats if evidence.promise.delivery == "at-least-once" else 0,
        "too-late": sum(evidence.late_by_ms(event) > evidence.late_by_ms_max for event in events),
        "outside": sum(not evidence.in_scope(event) for event in events),
    }
    if evidence.scenario.is_open:
        missing = open_world.missing(evidence)
        counts |= {"held-back": len(missing.held_back), "undecided": len(missing.undecided)}
    return {name: count for name, count in counts.items() if count}


def _counted_in_snapshots(evidence: Evidence) -> dict[str, int]:
    """Count the same for polls that each promise everything: there no event is too late."""
    is_noted = evidence.promise.delivery == "at-least-once"
    counts = {
        "repeats": len(list(snapshot.repeats(evidence))) if is_noted else 0,
        "outside": sum(not evidence.in_scope(event) for event in evidence.scenario.events),
        "no-snapshot": int(not any(snapshot.snapshots(evidence))),
    }
    return {name: count for name, count in counts.items() if count}


def notes(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Put counts into words."""
    return tuple(
        f"{one if counts[name] == 1 else many.format(counts[name])} {about}"
        for name, (one, many, about) in NOTES.items()
        if counts.get(name)
    )


def sentences(found: Iterable[Impossible]) -> tuple[str, ...]:
    """Return what is said of each impossibility; late events have a note that counts them."""
    return tuple(each.sentence for each in found if each.name != "I3")


def requests(evidence: Evidence) -> Requests:
    """Count the requests, and the fewest that bring the same new rows in the same polls.

    A true lower bound, below what right clients need as well: a poll that asks sends one request,
    and more where the rows that it met for the first time, and delivered, don't fit into one page.
    With an inclusive key alone, every page but the first begins with a row that is known
    (`overlap_rows`): n rows take (n - 1) / (L - 1) pages of L, rounded up (theorem T1).
    """
    limit = _widest_page(evidence)
    overlap = 0 if _excludes_known_rows(evidence) else evidence.dialect.overlap_rows
    met: set[EventId] = set()
    lower = 0
    for poll in evidence.polls:
        rows = {i for place in poll.exchanges for i in evidence.exchange(place).event_ids}
        fresh = len((rows & evidence.first_delivery.keys()) - met)
        met |= rows if evidence.promise.mode == "incremental" else frozenset()
        pages = 0 if limit is None else math.ceil((fresh - overlap) / max(1, limit - overlap))
        lower += max(1, pages) if poll.exchanges else 0
    return Requests(count=len(evidence.exchanges), lower_bound=lower)


def _widest_page(evidence: Evidence) -> int | None:
    """Return the most rows that one of the requests could bring, or None for any number."""
    limits = [query.limit for query in evidence.list_queries]
    if any(limit is None for limit in limits):
        return None
    return max((limit for limit in limits if limit), default=evidence.scenario.page_size)


def _excludes_known_rows(evidence: Evidence) -> bool:
    """Whether some request kept rows out that the client has: by a strict bound, or by id."""
    return any(
        condition.field in (ID, RECORDED_AT) and condition.operator not in ("=", ">=", "<=", "in")
        for query in evidence.list_queries
        for condition in query.conditions
    )


def _check_promise(evidence: Evidence) -> None:
    """Raise `UsageError` for a promise that excludes itself here, or that nobody could judge."""
    promise = evidence.promise
    promise.check_possible(evidence.late_by_ms_max)
    instances = max((poll.instance for poll in evidence.scenario.polls), default=1)
    if instances > promise.instances:
        raise UsageError(
            f"instances: the world has polls of {instances} instances of the client, and the "
            f"promise is of {promise.instances}; promise instances={instances} (--instances "
            f"{instances}), or take another world"
        )
    if not evidence.scenario.is_open:
        return
    # A report says what was delivered; when, and in which poll, it does not say.
    for name, is_promised in (
        ("mode=snapshot", promise.mode == "snapshot"),
        ("delay_ms_max", promise.delay_ms_max is not None),
    ):
        if is_promised:
            raise UsageError(
                f"{name} can't be judged in an open world, where nobody hears when the client "
                "delivers, and in which poll; leave it out, or run the client with "
                "'fakeserver verify'"
            )


def _check_belongs(evidence: Evidence) -> None:
    for place, step in enumerate(evidence.history):
        strange = _strange(evidence, place, step)
        if strange is not None:
            raise ScenarioError(
                f"the history is not of this scenario: step {place + 1} {strange}; judge each "
                "history with the scenario that it was recorded in"
            )


def _strange(evidence: Evidence, place: int, step: AnyStep) -> str | None:
    """Say what `step`, at `place`, does that no run of this scenario can do, if anything."""
    if isinstance(step, PollStarted):
        return _strange_start(evidence, place, step)
    if isinstance(step, (Delivered, Exchange)) and not evidence.poll_of[place]:
        return "comes before any poll"
    for event_id in step.event_ids if isinstance(step, Exchange) else ():
        event = evidence.log.find(event_id)
        if event is None:
            return f"serves the event {event_id!r}, which the scenario does not have"
        if event.visible_at > step.at:
            return f"serves the event {event_id!r} before it is visible"
    return None


def _strange_start(evidence: Evidence, place: int, step: PollStarted) -> str | None:
    polls = evidence.scenario.polls
    expected = evidence.poll_of[place - 1] + 1 if place else 1
    if step.poll > len(polls) and not evidence.scenario.is_open:
        return f"starts poll {step.poll} of {len(polls)}"
    if step.poll != expected:
        return f"starts poll {step.poll}, but poll {expected} comes next"
    if evidence.scenario.is_open:
        return None
    if step.at < polls[step.poll - 1].starts_at:
        return f"starts poll {step.poll} before its time"
    return None
