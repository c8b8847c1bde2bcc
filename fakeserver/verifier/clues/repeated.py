"""Clues to a repeat: what came between the two deliveries, and what the client went on from."""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.history import Exchange, Killed, Restarted
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.clues import carried, keys
from fakeserver.verifier.clues.clue import Clue, joined, stamp_name
from fakeserver.verifier.diagnosis.repeated import known_by_others
from fakeserver.verifier.diagnosis.traces import holds_id, is_bound_dropped, last_saved, rows_asked
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import failure
from fakeserver.verifier.proofs import server_of
from fakeserver.verifier.verdict import Finding, lines_of


def clue(evidence: Evidence, finding: Finding) -> Clue | None:
    """Look at the first repeat: the one that was proved."""
    first, again = finding.steps[:2]
    event = evidence.log.find(evidence.delivered(first).event_id)
    if event is None:
        return None
    return joined(_clues(evidence, event, first, again))


def _clues(evidence: Evidence, event: LoggedEvent, first: int, again: int) -> Iterator[Clue | None]:
    is_one_poll = evidence.poll_of[first] == evidence.poll_of[again]
    if is_one_poll:
        yield _one_answer(evidence, event, again)
        yield _begun_again(evidence, event, first, again) or _partly_known(evidence, event, again)
        return
    yield (
        _null(evidence, event)
        or _bound_dropped(evidence, event, again)
        or keys.not_known(evidence, event, first, again)
        or _not_read_back(evidence, event, first, again)
        or _others_known(evidence, event, first, again)
        or carried.unsaved(evidence)
    )


def _served_at(evidence: Evidence, event: LoggedEvent) -> list[int]:
    return [p for p in evidence.exchanges if event.id in evidence.exchange(p).event_ids]


def _one_answer(evidence: Evidence, event: LoggedEvent, again: int) -> Clue | None:
    """Both deliveries are of one answer."""
    served = [place for place in _served_at(evidence, event) if place < again]
    if len(served) != 1:
        return None
    failed = _failed(evidence, served[0], again)
    said = "It was served once by then: both deliveries are of that one answer."
    if failed is None:
        return Clue(why=(said,), would="Deliver each row of an answer once.")
    return Clue(
        why=(said, f"In between, the next request failed: {failure(failed)}."),
        would="Try again only the request that failed: what was delivered before it is done.",
    )


def _failed(evidence: Evidence, since: int, until: int) -> Exchange | None:
    steps = [step for step in evidence.history[since:until] if isinstance(step, Exchange)]
    return next((step for step in steps if failure(step) is not None), None)


def _begun_again(evidence: Evidence, event: LoggedEvent, first: int, again: int) -> Clue | None:
    """A failure made the client begin its walk again."""
    origin, source = (server_of(evidence, event.id, place) for place in (first, again))
    if origin is None or source is None or origin == source:
        return None
    failed = _failed(evidence, origin, source)
    same = evidence.exchange(origin).target == evidence.exchange(source).target
    if failed is None or not same:
        return None
    return Clue(
        why=(
            f"In between, a request failed ({failure(failed)}), and the client sent again what "
            "had been answered before it.",
        ),
        would="After a failure send the request that failed again, and go on from there; drop, by "
        "id, what this poll has read already.",
    )


def _partly_known(evidence: Evidence, event: LoggedEvent, again: int) -> Clue | None:
    """Of the page that brought it again other rows were known too, and these were dropped."""
    source = server_of(evidence, event.id, again)
    if source is None:
        return None
    after = next((p for p in evidence.exchanges if p > source), len(evidence.history))
    delivered = {evidence.delivered(p).event_id for p in evidence.deliveries if source < p < after}
    first = evidence.first_delivery
    ids = evidence.exchange(source).event_ids
    others = [i for i in ids if first.get(i, source) < source and i not in delivered]
    if not others or event.id not in delivered:
        return None
    names = lines_of(f"{evidence.name(i)} in row {ids.index(i) + 1}" for i in others[:3])
    was = "it was" if len(others) == 1 else "they were"
    return Clue(why=(f"That page held {names}, delivered before as well: {was} dropped.",))


def _null(evidence: Evidence, event: LoggedEvent) -> Clue | None:
    """An event without a stamp is found by no bound on stamps, and is none."""
    if event.recorded_at is not None:
        return None
    return Clue(
        why=(f"It has no stamp: its {stamp_name(evidence, event)} is null.",),
        would="A null is no place to go on from: keep the last stamp that there was, and with it "
        "the ids of the rows that have none.",
    )


def _bound_dropped(evidence: Evidence, event: LoggedEvent, again: int) -> Clue | None:
    """The first page of the walk had a lower bound, and the page that brought the repeat none."""
    source = server_of(evidence, event.id, again)
    walk = rows_asked(evidence, evidence.polls[evidence.poll_of[again] - 1])
    page = next((asked for asked in walk if asked.place == source), None)
    if page is None or not is_bound_dropped(evidence, event, page) or walk[0].query is None:
        return None
    words = evidence.words(walk[0].query, walk[0].exchange.at)
    return Clue(
        why=(
            f"The first request of that poll asked for {words}, which leaves it out; this one "
            "came without that bound.",
        ),
        would="Send the same bounds with every page of a walk.",
    )


def _not_read_back(evidence: Evidence, event: LoggedEvent, first: int, again: int) -> Clue | None:
    """The client was stopped, and what it had saved by then holds the id."""
    saved = last_saved(evidence, again)
    stops = [
        place
        for place in range(first, again)
        if isinstance(evidence.history[place], (Killed, Restarted))
    ]
    if not stops or saved is None or last_saved(evidence, stops[0]) is not saved:
        return None
    if not holds_id(saved.checkpoint, event.id):
        return None
    name = evidence.name(event.id)
    return Clue(
        why=(f"The id of {name} was in what it had saved.",),
        would="Recognise after a restart what the checkpoint says was delivered: read back all "
        "that was saved.",
    )


def _others_known(evidence: Evidence, event: LoggedEvent, first: int, again: int) -> Clue | None:
    """Other rows that were read again were dropped: it has a memory, and that is too short."""
    polls = evidence.poll_of[first], evidence.poll_of[again]
    if evidence.polls[polls[0] - 1].instance != evidence.polls[polls[1] - 1].instance:
        return None
    if any(isinstance(step, (Killed, Restarted)) for step in evidence.history[first:again]):
        return None
    others = known_by_others(evidence, event.id, polls[1])
    if not others:
        return None
    names = lines_of(evidence.name(event_id) for event_id in others[:3])
    them = "it" if len(others) == 1 else "them"
    return Clue(
        why=(f"In poll {polls[1]} it read {names} again as well, and dropped {them}.",),
        would="Remember the ids of all rows that the next request can bring again, that of "
        f"{evidence.name(event.id)} too.",
    )
