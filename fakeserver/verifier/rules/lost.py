"""LOST: an owed event was never delivered."""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.verifier import causes, open_world, snapshot
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.proofs import Loss
from fakeserver.verifier.rules.rule import Rule
from fakeserver.verifier.verdict import Finding


def lost(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of owed events that were not delivered by the end of the calm.

    Fair because the calm outlasts the promised lateness by three polls and the last poll starts
    after every owed event is visible. Never owed: events later than promised, events that no
    request can return, events that appeared during the last poll, and events outside the filters
    that the client sends with every request. Silent where the run was cut
    short: there `STUCK` speaks.

    Under ``mode=snapshot`` each poll that came to an end of its own without a fault is judged by
    itself: it owes what was visible when it began, however late that came, within those filters.
    Its own requests alone decide the cause. See `verifier/snapshot.py`.
    """
    is_snapshot = evidence.promise.mode == "snapshot"
    losses = list(snapshot.losses(evidence) if is_snapshot else _losses(evidence))
    for cause in dict.fromkeys(loss.cause for loss in losses):
        same = [loss for loss in losses if loss.cause == cause]
        first = same[0]
        count, total = len(same), len(evidence.scenario.events)
        was = "was" if count == 1 else "were"
        missed = "missing from a snapshot" if is_snapshot else "never delivered"
        yield Finding(
            rule="LOST",
            cause=cause,
            event_ids=tuple(loss.event.id for loss in same),
            steps=first.steps,
            message=f"{count} of {total} event{'s' if total > 1 else ''} {was} {missed}",
            why=first.why,
            allowed=first.allowed,
            would=first.would,
        )


def _losses(evidence: Evidence) -> Iterator[Loss]:
    """Yield the losses of a client that promises each event once."""
    if evidence.scenario.is_open:
        missing = list(open_world.missing(evidence).owed)
    else:
        missing = [event for event in evidence.owed() if event.id not in evidence.first_delivery]
    for event in missing:
        loss = causes.explain_loss(evidence, event)
        if loss.cause != "unobservable":
            yield loss


LOST = Rule(
    name="LOST",
    accuses="An owed event was not delivered by the end of the calm; in a snapshot, by the end of "
    "a poll at whose start it was visible.",
    spares="Events later than promised, events that no request can return, events that "
    "appeared during the last poll, and events outside the filters of every request. In a "
    "snapshot: polls with faults, or that were killed or raised, and events that appeared during "
    "the poll.",
    source="theorems T1 to T8; the rule of kafka-connect-jdbc#1093",
    apply=lost,
)
