"""DUPLICATED: an event was delivered again though the promise forbids it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fakeserver.history import Delivered, Killed, PollEnded, Restarted, Saved
from fakeserver.scenario import EventId
from fakeserver.verifier import open_world, proofs, snapshot
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.rules.rule import Rule
from fakeserver.verifier.verdict import Finding


def duplicated(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of repeats that the promise forbids.

    Under ``effectively-once`` a crash, a restart or a poll that raised excuses one repeat of each
    event delivered since the last durable save; under ``at-least-once`` every repeat is excused.
    Under ``mode=snapshot`` only a repeat within one poll counts, and only where nothing disturbed
    that poll (`snapshot.snapshots`): from poll to poll a snapshot repeats by its nature.
    """
    if evidence.promise.delivery == "at-least-once":
        return
    is_snapshot = evidence.promise.mode == "snapshot"
    repeats = list(snapshot.repeats(evidence) if is_snapshot else _forbidden_repeats(evidence))
    if not repeats:
        return
    first, again = repeats[0]
    ids = tuple(dict.fromkeys(evidence.delivered(place).event_id for _, place in repeats))
    was = "event was" if len(ids) == 1 else "events were"
    proof = proofs.explain_repeat(evidence, first, again)
    yield Finding(
        rule="DUPLICATED",
        event_ids=ids,
        steps=tuple(place for pair in repeats for place in pair),
        message=f"{len(ids)} {was} delivered more than once",
        why=proof.why,
        allowed=proof.allowed,
        would=proof.would,
    )


def _forbidden_repeats(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """Yield the places of a first delivery and of a repeat of it that nothing excuses."""
    seen: dict[EventId, int] = {}
    unsaved: set[EventId] = set()
    stopped: set[EventId] = set()
    failed = open_world.excuses(evidence) if evidence.scenario.is_open else Counter[EventId]()
    effectively = evidence.promise.delivery == "effectively-once"
    for place, step in enumerate(evidence.history):
        if isinstance(step, Delivered):
            if step.event_id not in seen:
                seen[step.event_id] = place
            elif effectively and (step.event_id in stopped or failed[step.event_id]):
                if step.event_id in stopped:  # a stop excuses now or never, a failure any repeat
                    stopped.remove(step.event_id)
                else:
                    failed[step.event_id] -= 1
                seen[step.event_id] = place  # a later repeat is one of this, not of the first
            else:
                yield seen[step.event_id], place
            unsaved.add(step.event_id)
        elif isinstance(step, Saved):
            unsaved.clear()
        elif isinstance(step, (Killed, Restarted)) or (
            isinstance(step, PollEnded) and step.ending == "raised"
        ):
            stopped |= unsaved
            unsaved.clear()


DUPLICATED = Rule(
    name="DUPLICATED",
    accuses="An event was delivered again though the promise forbids it.",
    spares="Under effectively-once: after a crash, events since the last durable save. In a "
    "snapshot: repeats in another poll.",
    source="invariant 'at most once'; fault classes C02, C25, C37",
    apply=duplicated,
)
