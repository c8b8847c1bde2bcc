"""INVENTED and ALTERED: what was delivered is not what was served."""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.scenario import EventId
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.rules.rule import SHOWN_EVENTS_MAX, Rule
from fakeserver.verifier.verdict import Finding, few_of


def invented(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of delivering an id that the log never held. Extra fields are welcome."""
    places = [
        place
        for place in evidence.deliveries
        if evidence.log.find(evidence.delivered(place).event_id) is None
    ]
    if not places:
        return
    ids = tuple(dict.fromkeys(evidence.delivered(place).event_id for place in places))
    yield Finding(
        rule="INVENTED",
        event_ids=ids,
        steps=tuple(places),
        message=f"id {ids[0]!r:.80} was delivered, and no event has it"
        if len(ids) == 1
        else f"{len(ids)} ids were delivered that no event has",
        why=(_strange_ids(ids, evidence.poll_of[places[0]]),),
        would="Deliver events as they were served, with their own ids.",
    )


def _strange_ids(ids: tuple[EventId, ...], poll: int) -> str:
    if len(ids) == 1:
        return f"Id {ids[0]!r} was delivered in poll {poll}; no event of the log has it."
    shown = few_of(map(repr, ids), SHOWN_EVENTS_MAX)
    return f"Ids {shown} were delivered from poll {poll} on; no event of the log has them."


def altered(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of a delivered field that differs from what was served. More fields are welcome."""
    for place in evidence.deliveries:
        delivered = evidence.delivered(place)
        event = evidence.log.find(delivered.event_id)
        if event is None or delivered.event is None:
            continue
        truth = evidence.dialect.render_event(event, evidence.settings)
        differences = [
            f"{name}: served {truth[name]!r:.120}, delivered {value!r:.120}"
            for name, value in delivered.event.items()
            # The id said which event is meant; a number written as text is the same id.
            if name in truth and name != "id" and truth[name] != value
        ]
        if not differences:
            continue
        yield Finding(
            rule="ALTERED",
            event_ids=(event.id,),
            steps=(place,),
            message=f"{evidence.name(event.id)} was delivered with other content than was served",
            why=tuple(f"{difference}." for difference in differences),
            would="Deliver the fields of an event as they were served; add new ones beside them.",
        )
        return


INVENTED = Rule(
    name="INVENTED",
    accuses="An id was delivered that the log never held.",
    spares="Nothing: there is no way to receive it.",
    source="invariant 'no invention'",
    apply=invented,
)
ALTERED = Rule(
    name="ALTERED",
    accuses="A delivered field differs from what was served.",
    spares="Fields that the client added.",
    source="invariant 'no invention'; fault classes C31, C34",
    apply=altered,
)
