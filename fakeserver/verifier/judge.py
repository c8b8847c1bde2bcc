"""The judge: a pure function from what was to happen and what happened to a verdict."""

from __future__ import annotations

from fakeserver.errors import ScenarioError
from fakeserver.history import Delivered, Exchange, History, PollStarted
from fakeserver.scenario import Scenario
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.hazards import exercised
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.rules import RULES
from fakeserver.verifier.verdict import Finding, Requests, Verdict


def judge(scenario: Scenario, history: History, promise: Promise | None = None) -> Verdict:
    """Compare what a client delivered with the truth, for one world.

    The outcome is ``broken`` with any finding, ``inconclusive`` when the world held no hazard that
    the client met, else ``kept``. Pure: the same arguments give the same verdict. Raises
    `ScenarioError` when the history does not belong to the scenario.
    """
    promise = promise or Promise()
    evidence = Evidence(scenario, history, promise)
    _check_belongs(evidence)
    found = findings(evidence)
    met = exercised(evidence)
    proved = bool(met) and evidence.is_complete
    return Verdict(
        outcome="broken" if found else "kept" if proved else "inconclusive",
        dialect=scenario.dialect,
        profile=scenario.profile,
        promise=promise,
        findings=found,
        notes=notes(evidence),
        exercised=dict.fromkeys(met, 1),
        requests=requests(evidence),
        scenario=scenario,
        history=history,
    )


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Apply every rule, gravest first."""
    return tuple(finding for rule in RULES.values() for finding in rule.apply(evidence))


def notes(evidence: Evidence) -> tuple[str, ...]:
    """Say what is worth knowing and no accusation."""
    said: list[str] = []
    repeats = len(evidence.deliveries) - len(evidence.first_delivery)
    if repeats and evidence.promise.delivery == "at-least-once":
        said.append(f"{repeats} repeats, which at-least-once allows")
    excused = sum(event.late_by_ms > evidence.late_by_ms_max for event in evidence.scenario.events)
    if excused:
        said.append(f"{excused} events were later than promised and not counted")
    return tuple(said)


def requests(evidence: Evidence) -> Requests:
    """Count the requests, and the fewest that any client needs for the same polls.

    A poll needs one request to learn that nothing is new, and one more for each full page of rows
    that became visible since the poll before (theorem T1; `overlap_rows` of a page are old).
    """
    if not evidence.exchanges:
        return Requests()
    limits = [
        query.limit
        for place in evidence.exchanges
        if (query := evidence.query(evidence.exchange(place))) is not None and query.limit
    ]
    limit = max(limits, default=evidence.scenario.page_size)
    fresh = max(1, limit - evidence.dialect.overlap_rows)
    lower = 0
    before = None
    for poll in evidence.polls:
        new = sum(
            event.visible_at <= poll.started_at and (before is None or event.visible_at > before)
            for event in evidence.scenario.events
        )
        lower += 1 + max(0, new - 1) // fresh
        before = poll.started_at
    return Requests(count=len(evidence.exchanges), lower_bound=lower)


def _check_belongs(evidence: Evidence) -> None:
    for place, step in enumerate(evidence.history, start=1):
        if isinstance(step, PollStarted) and step.poll > len(evidence.scenario.polls):
            raise ScenarioError(
                f"the history is not of this scenario: step {place} starts poll {step.poll} of "
                f"{len(evidence.scenario.polls)}"
            )
        if isinstance(step, Exchange):
            unknown = [i for i in step.event_ids if evidence.log.find(i) is None]
            if unknown:
                raise ScenarioError(
                    f"the history is not of this scenario: step {place} serves the event "
                    f"{unknown[0]!r}, which the scenario does not have"
                )
        if isinstance(step, (Delivered, Exchange)) and not evidence.poll_of[place - 1]:
            raise ScenarioError(
                f"the history is not of this scenario: step {place} comes before any poll"
            )
