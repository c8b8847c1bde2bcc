"""LOST: an owed event was never delivered."""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.verifier import causes, open_world
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.rules.rule import Rule
from fakeserver.verifier.verdict import Finding


def lost(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of owed events that were not delivered by the end of the calm.

    Fair because the calm outlasts the promised lateness by three polls and the last poll starts
    after every owed event is visible. Never owed: events later than promised, events that no
    request can return, events that appeared during the last poll, and events outside the filters
    that the client sends with every request. Silent where the run was cut
    short: there `STUCK` speaks.
    """
    if evidence.scenario.is_open:
        missing = list(open_world.missing(evidence).owed)
    else:
        missing = [event for event in evidence.owed() if event.id not in evidence.first_delivery]
    losses = [causes.explain_loss(evidence, event) for event in missing]
    losses = [loss for loss in losses if loss.cause != "unobservable"]
    for cause in dict.fromkeys(loss.cause for loss in losses):
        same = [loss for loss in losses if loss.cause == cause]
        first = same[0]
        count, total = len(same), len(evidence.scenario.events)
        was = "was" if count == 1 else "were"
        yield Finding(
            rule="LOST",
            cause=cause,
            event_ids=tuple(loss.event.id for loss in same),
            steps=first.steps,
            message=f"{count} of {total} event{'s' if total > 1 else ''} {was} never delivered",
            why=first.why,
            allowed=first.allowed,
            would=first.would,
        )


LOST = Rule(
    name="LOST",
    accuses="An owed event was not delivered by the end of the calm.",
    spares="Events later than promised, events that no request can return, events that "
    "appeared during the last poll, and events outside the filters of every request.",
    source="theorems T1 to T7; the rule of kafka-connect-jdbc#1093",
    apply=lost,
)
