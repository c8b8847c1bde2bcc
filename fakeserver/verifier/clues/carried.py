"""Clues to what a client keeps from poll to poll: brought from elsewhere, or never saved."""

from __future__ import annotations

from fakeserver.history import AnyStep, Delivered, Exchange, Killed, PollEnded, Restarted, Saved
from fakeserver.query import ID
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.clues.clue import Clue, poll_of
from fakeserver.verifier.diagnosis.traces import ended_well, lower_bound, rows_asked
from fakeserver.verifier.evidence import Evidence, PollView, RowsAsked

BEGIN_FROM_CHECKPOINT = (
    "Begin each poll from feed.checkpoint, and keep the place with feed.save (a program: "
    "FAKESERVER_CHECKPOINT and a save line, or a file in FAKESERVER_STATE_DIR): a client is "
    "started anew in each world and after each crash. A replay plays this world alone, and need "
    "not show this."
)


def untold_start(evidence: Evidence, since: int = 0) -> RowsAsked | None:
    """Return the first request for rows from the step at `since` on, if nothing told it a place.

    That is: no answer had arrived since then, and nothing had ever been saved. None in an open
    world, whose history need not be all that its client ever asked.
    """
    first = next((asked for asked in rows_asked(evidence) if asked.place >= since), None)
    if first is None or evidence.scenario.is_open:
        return None
    told = any(_saves(step) for step in evidence.history[: first.place])
    heard = any(_answers(step) for step in evidence.history[since : first.place])
    return None if told or heard else first


def brought(evidence: Evidence, event: LoggedEvent) -> Clue | None:
    """The first request left `event` out by an id that nothing in this world had told."""
    first = untold_start(evidence)
    above = None if first is None else _leaves_out(first, event)
    if above is None:
        return None
    return Clue(
        why=(
            f"The first request of this world asked for ids above {above}, though nothing had been "
            f"read or saved: the client brings {above} from somewhere else, as one does that keeps "
            "its place outside of the feed from one world to the next.",
        ),
        would=BEGIN_FROM_CHECKPOINT,
    )


def outlived(evidence: Evidence, event: LoggedEvent) -> Clue | None:
    """A new life, or the poll after one that raised, left `event` out by an id that nothing told.

    To keep a place elsewhere is no mistake by itself. Here it passed what was not delivered.
    """
    for place, step in enumerate(evidence.history):
        is_new = isinstance(step, (Killed, Restarted))
        if not is_new and not (isinstance(step, PollEnded) and step.ending == "raised"):
            continue
        first = untold_start(evidence, place)
        above = None if first is None else _leaves_out(first, event)
        if first is not None and above is not None:
            began = "began a new life of the client" if is_new else "came after one that raised"
            return Clue(
                why=(
                    f"Poll {poll_of(evidence, first).number} {began} and asked for ids above "
                    f"{above}, though nothing had been saved: it keeps {above} outside of the "
                    "feed.",
                ),
                would="Keep the place with feed.save (a program: a save line), after what it "
                "passes was delivered.",
            )
    return None


def unsaved(evidence: Evidence) -> Clue | None:
    """Nothing but null was ever saved, and each poll began and went on as if it knew nothing."""
    walks = [walk for poll in evidence.polls if (walk := rows_asked(evidence, poll))]
    polls = {evidence.poll_of[place] for place in evidence.deliveries}
    if evidence.scenario.is_open or len(polls) < 2 or len({walk[0].query for walk in walks}) > 1:
        return None
    if any(_knows(evidence, poll) for poll in evidence.polls):
        return None
    saves = [step for step in evidence.history if isinstance(step, Saved)]
    if any(map(_saves, saves)):
        return None
    if saves:
        return Clue(
            why=(
                "All that was saved is null, so each poll began from nothing: does the wrapped "
                "function return its cursor?",
            ),
            would="Save what the next poll is to go on from, once what it passes was delivered, "
            "and never null.",
        )
    return Clue(
        why=(
            "Nothing was ever saved (feed.save was never called), so each poll began from nothing.",
        ),
        would="Save what the next poll is to go on from (feed.save; a program writes a save line, "
        "or keeps a file in FAKESERVER_STATE_DIR), and begin each poll from that.",
    )


def _knows(evidence: Evidence, poll: PollView) -> bool:
    """Whether a poll that ended well dropped what an earlier one delivered, or asked nothing."""
    steps = evidence.steps_of(poll)
    read = {i for step in steps if isinstance(step, Exchange) for i in step.event_ids}
    again = {step.event_id for step in steps if isinstance(step, Delivered)}
    first = evidence.first_delivery
    dropped = (i for i in read - again if i in first)
    knows = any(evidence.poll_of[first[i]] < poll.number for i in dropped)
    return ended_well(poll) and (knows or not rows_asked(evidence, poll))


def _saves(step: AnyStep) -> bool:
    return isinstance(step, Saved) and step.checkpoint is not None


def _answers(step: AnyStep) -> bool:
    return isinstance(step, Exchange) and step.status == 200


def _leaves_out(asked: RowsAsked, event: LoggedEvent) -> int | None:
    """Return the id above which a request asked, if `event` is not above it."""
    bound = lower_bound(asked.query, ID)
    if bound is None or bound.holds(event) or not isinstance(bound.value, int):
        return None
    return bound.value if bound.value > 1 else None
