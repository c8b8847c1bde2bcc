"""STUCK and CRASHED: a poll did not come to an end of its own, or to a bad one."""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.history import OVERRAN, PollEnded
from fakeserver.verifier import proofs
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.rules.rule import Rule
from fakeserver.verifier.verdict import Finding


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
                why=(
                    f"Poll {step.poll} belongs to the calm: the server was healthy, and everything "
                    "was visible.",
                ),
                would="Find the cause in the exception above; the replay shows it again.",
            )
            return


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
