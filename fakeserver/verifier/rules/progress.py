"""STUCK and CRASHED: a poll did not come to an end of its own, or to a bad one."""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.history import OVERRAN, Exchange, PollEnded
from fakeserver.verifier import proofs
from fakeserver.verifier.evidence import Evidence, PollView
from fakeserver.verifier.failures import failure
from fakeserver.verifier.rules.rule import Rule
from fakeserver.verifier.verdict import Finding, few_of


def stuck(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of a poll that had to be stopped: it asked on and on and got nowhere.

    Either the same request had the same answer ten times in a row without a sleep, or the poll
    sent ten times the requests that reading the whole log one row at a time needs. Waiting with
    `Feed.sleep` never counts.
    """
    for place, step in enumerate(evidence.history):
        if isinstance(step, PollEnded) and step.ending == "stopped":
            poll = evidence.polls[evidence.poll_of[place] - 1]
            last = poll.exchanges[-1] if poll.exchanges else None
            missing = [
                evidence.name(event.id)
                for event in evidence.scenario.events
                if event.visible_at <= step.at and event.id not in evidence.first_delivery
            ]
            proof = proofs.explain_stuck(
                evidence, last, missing, by_time=OVERRAN in (step.error or "")
            )
            yield Finding(
                rule="STUCK",
                steps=(place,) if last is None else (last, place),
                message=f"poll {poll.number} never ended: {step.error}",
                why=proof.why,
                allowed=proof.allowed,
                would=proof.would,
            )
            return


def crashed(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of an exception in the calm, when no fault is on. Failing in the storm is allowed.

    Nor is a poll accused that met a 429: a limit on requests is there in the calm as well.
    """
    for place, step in enumerate(evidence.history):
        if isinstance(step, PollEnded) and step.ending == "raised" and evidence.in_calm(step.poll):
            poll = evidence.polls[step.poll - 1]
            if any(evidence.exchange(asked).status == 429 for asked in poll.exchanges):
                continue
            yield Finding(
                rule="CRASHED",
                steps=(place,),
                message=f"poll {step.poll} raised {step.error}",
                why=(f"{_answer_before(evidence, poll)}; {_in_the_calm(evidence, poll)}.",),
                would=_where_to_look(evidence, poll, step.error or ""),
            )
            return


def _answer_before(evidence: Evidence, poll: PollView) -> str:
    """Say what the client had in hand when it raised."""
    if not poll.exchanges:
        return "It had sent no request"
    exchange = evidence.exchange(poll.exchanges[-1])
    if _is_empty_page(evidence, exchange):
        return "The answer just before was an empty page"
    if what := failure(exchange):
        return f"The request just before failed: {what}"
    if not exchange.event_ids:
        is_whole = exchange.status == 200
        return f"The answer just before {'held no rows' if is_whole else f'was {exchange.status}'}"
    names = few_of(map(evidence.name, exchange.event_ids), proofs.NAMES_MAX)
    return f"The answer just before held {names}"


def _in_the_calm(evidence: Evidence, poll: PollView) -> str:
    faults = [evidence.exchange(place).fault for place in poll.exchanges]
    calm = "everything was visible" if any(faults) else "no fault was on"
    return f"{calm} in poll {poll.number}"


def _is_empty_page(evidence: Evidence, exchange: Exchange) -> bool:
    query = evidence.query(exchange)
    return query is not None and query.endpoint == "list" and not exchange.event_ids


def _where_to_look(evidence: Evidence, poll: PollView, error: str) -> str:
    """Return what helps against an empty page, else the place of the exception if it has one."""
    last = evidence.exchange(poll.exchanges[-1]) if poll.exchanges else None
    if last is not None and _is_empty_page(evidence, last) and proofs.is_of_nothing(error):
        return "Check for an empty page before you take its last row."
    place = error.rpartition(", at ")[2]
    if place == error:
        return "Find the cause in the exception above."
    return f"Look at {place}: the client's own code was there last."


STUCK = Rule(
    name="STUCK",
    accuses="The same request had the same answer again and again without a sleep, or a poll "
    "sent far more requests than the log needs.",
    spares="Waiting with sleep.",
    source="invariant 'progress'; fault classes C03, C17, C19",
    apply=stuck,
)
CRASHED = Rule(
    name="CRASHED",
    accuses="The client raised an exception in the calm.",
    spares="Failing while a fault is on, or in a poll that was told to ask more slowly (429).",
    source="fault classes C16, C35",
    apply=crashed,
)
