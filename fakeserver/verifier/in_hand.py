"""Why what a page held was not delivered: dropped, replaced, or saved as done too early."""

from __future__ import annotations

import msgspec

from fakeserver.history import AnyStep, Delivered, Exchange, Killed, PollEnded, Saved
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier import proofs
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import is_failure
from fakeserver.verifier.proofs import FAILURES_ALLOWED, KILLS_ALLOWED, Loss, birth, ties_allowed


def explain_served(evidence: Evidence, event: LoggedEvent, served: list[int]) -> Loss:
    """Prove why `event` was not delivered, though the answers at the places `served` held it."""
    too_early = _saved_too_early(evidence, served)
    if too_early is not None:
        return _saved_before_delivered(evidence, event, served, too_early)
    fate = _fate(evidence, event, served)
    return Loss(
        event=event,
        cause="served-not-delivered",
        steps=tuple(served),
        why=(birth(evidence, event), _when_served(evidence, event, served) + fate.what),
        allowed=KILLS_ALLOWED if fate.is_killed else ties_allowed(evidence, event),
        would=fate.would,
    )


class _Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What the client did with a page in place of delivering an event, and what would have helped.

    `what` goes on from the sentence that says when the event was served.
    """

    what: str
    would: str
    is_killed: bool = False


def _fate(evidence: Evidence, event: LoggedEvent, served: list[int]) -> _Fate:
    if _killed_with_the_page(evidence, served[-1]):
        return _Fate(
            what=", and the client was killed before it delivered it. No later answer held it.",
            would="Start again from what was saved, and ask for everything that was not delivered "
            "yet.",
            is_killed=True,
        )
    if not evidence.deliveries:
        door = "the delivery" if evidence.scenario.is_open else "feed.deliver"
        return _Fate(
            what=". The client delivered nothing in any poll.",
            would=f"Look at what happens between the answer and {door}: no row gets through.",
        )
    for place in served:
        other = _delivered_in_its_place(evidence, event, place)
        if other is not None:
            where = f"In poll {evidence.poll_of[place]}" if len(served) > 1 else None
            return _Fate(
                what=f"{', and' if where is None else f'. {where}'} the client delivered id "
                f"{other!r:.80} in its place, which no event has.",
                would="Deliver events as they were served, with their own ids.",
            )
    return _Fate(
        what=", and the client dropped it.",
        would="Decide by its id whether an event was delivered already, not by its place in the "
        "page or its stamp.",
    )


def _when_served(evidence: Evidence, event: LoggedEvent, served: list[int]) -> str:
    place = served[-1]
    ids = evidence.exchange(place).event_ids
    times = "once," if len(served) == 1 else f"{len(served)} times, the last time"
    return (
        f"{evidence.name(event.id)} was served {times} in poll {evidence.poll_of[place]} as row "
        f"{ids.index(event.id) + 1} of {len(ids)}"
    )


def _delivered_in_its_place(evidence: Evidence, event: LoggedEvent, place: int) -> EventId | None:
    """Return the id that a poll delivered in place of `event`, which the page at `place` held.

    Only where the poll delivered as many ids that no event has as it read events that never were
    delivered: then each of these stands in the place of one of those.
    """
    poll = evidence.polls[evidence.poll_of[place] - 1]
    read = dict.fromkeys(i for asked in poll.exchanges for i in evidence.exchange(asked).event_ids)
    missing = [event_id for event_id in read if event_id not in evidence.first_delivery]
    strange = [
        (delivery, delivered)
        for delivery in evidence.deliveries
        if evidence.poll_of[delivery] == poll.number
        and evidence.log.find(delivered := evidence.delivered(delivery).event_id) is None
    ]
    if len(strange) != len(missing) or event.id not in missing:
        return None
    delivery, delivered = strange[missing.index(event.id)]
    return delivered if delivery > place else None


def _killed_with_the_page(evidence: Evidence, place: int) -> bool:
    """Whether the client was killed after the answer at `place`, before it asked on or ended."""
    for step in evidence.history[place + 1 :]:
        if isinstance(step, Killed):
            return True
        if isinstance(step, (Exchange, PollEnded)):
            return False
    return False


def _saved_too_early(evidence: Evidence, served: list[int]) -> tuple[int, int, int] | None:
    """Return the places of a page, the save after it, and the stop before it was delivered.

    Only the first save after a page with the event counts: from then on the checkpoint may say
    that the event is done. Where anything was delivered between the two, the page was handed over
    first, as it should be; who then lacks the event has dropped it. More pages and saves may follow
    before the first delivery; who has begun to deliver and asks on is done with the page as well.
    Nor where the event is served again, and dropped again, to a client that is seen to deliver a
    page before it saves: that one drops it wherever it meets it.
    """
    for place in served:
        saved, delivers = None, False
        for later in range(place + 1, len(evidence.history)):
            step = evidence.history[later]
            if saved is not None and _is_stop(step):
                drops = served[-1] > later and evidence.delivers_first
                return None if drops else (place, saved, later)
            if isinstance(step, PollEnded) or (delivers and isinstance(step, Exchange)):
                break
            if isinstance(step, Delivered):
                if saved is None:
                    return None
                delivers = True
            if saved is None and isinstance(step, Saved):
                saved = later
        if saved is not None:
            return None
    return None


def _is_stop(step: AnyStep) -> bool:
    """Whether the client was killed, or its poll raised: what it had in hand is gone."""
    return isinstance(step, Killed) or (isinstance(step, PollEnded) and step.ending == "raised")


def _saved_before_delivered(
    evidence: Evidence, event: LoggedEvent, served: list[int], too_early: tuple[int, int, int]
) -> Loss:
    name, poll = evidence.name(event.id), evidence.poll_of[too_early[0]]
    is_killed = isinstance(evidence.history[too_early[2]], Killed)
    stopped = "was killed" if is_killed else "raised"
    failed = any(is_failure(evidence.exchange(p)) for p in evidence.polls[poll - 1].exchanges)
    return Loss(
        event=event,
        cause="saved-before-delivered",
        steps=too_early,
        why=(
            birth(evidence, event),
            f"Poll {poll} received {name}, saved its checkpoint, and {stopped} before it "
            "delivered.",
            _went_on(evidence, event, served, stop=too_early[2])
            + (proofs.TWO_STEPS if evidence.promise.delivery == "exactly-once" else ""),
        ),
        allowed=KILLS_ALLOWED if is_killed else FAILURES_ALLOWED if failed else None,
        would="Deliver first, then save; or do both in one step (feed.commit).",
    )


def _went_on(evidence: Evidence, event: LoggedEvent, served: list[int], *, stop: int) -> str:
    """Say what became of an event that was saved as done, after the client was stopped."""
    name = evidence.name(event.id)
    is_killed = isinstance(evidence.history[stop], Killed)
    again = [place for place in served if place > stop]
    if again:
        # Only a client that was killed has nothing but its checkpoint left to know the event by.
        who = (
            "That checkpoint counts {} as done: the restarted client" if is_killed else "The client"
        )
        served_again = f"served again in poll {evidence.poll_of[again[0]]}"
        return f"{who.format(name)} dropped {name} when it was {served_again}."
    covered = any(
        asked.place > stop and asked.query is not None and asked.query.matches(event)
        for asked in evidence.asked
    )
    then = "restarted client" if is_killed else "next poll"
    later = f"no later answer held {name}" if covered else f"no later request covered {name}"
    return f"The {then} went on from that checkpoint, and {later}."
