"""What the client had saved when it went wrong: what it then went on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fakeserver.history import Saved
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.diagnosis.late import first_chance
from fakeserver.verifier.diagnosis.traces import ended_well, holds_id, last_covering, rows_asked
from fakeserver.verifier.evidence import Evidence, RowsAsked
from fakeserver.verifier.report.words import plain

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Finding

SHOWN_CHARS_MAX = 40
"""The timeline shows a save that is so short itself."""
CHECKPOINT_CHARS_MAX = 240
"""Three lines: a place and a few ids. Of more, what is left out matters less than that it is."""


def saved_before(evidence: Evidence, finding: Finding) -> str | None:
    """Say what the last save was before a loss or a repeat; None where saves had no part in it."""
    poll = None if evidence.scenario.is_open else _went_on_in(evidence, finding)
    if poll is None:
        return None
    start = evidence.poll_of.index(poll)
    if finding.cause == "saved-before-delivered":
        start = finding.steps[1] + 1
    saves = [n for n, step in enumerate(evidence.history[:start]) if isinstance(step, Saved)]
    is_repeat = finding.rule == "DUPLICATED"
    if not saves:
        return "nothing before that." if is_repeat else None
    step = evidence.history[saves[-1]]
    assert isinstance(step, Saved)  # noqa: S101 - so it was chosen
    text = msgspec.json.format(msgspec.json.encode(step.checkpoint), indent=0).decode()
    held = ""
    if is_repeat or finding.cause == "saved-before-delivered":
        held = _held(evidence, finding.event_ids[0], step.checkpoint, text)
    if not held and len(text) <= SHOWN_CHARS_MAX:
        return None
    text = plain(text)  # before it is cut: half a token is still one
    if len(text) > CHECKPOINT_CHARS_MAX:
        text = f"{text[:CHECKPOINT_CHARS_MAX]}…"
    return f"last in poll {evidence.poll_of[saves[-1]]}{held}: {text}"


def _held(evidence: Evidence, event_id: EventId, checkpoint: Any, text: str) -> str:
    """Say whether an id is in a checkpoint; nothing where that can't be told from its text."""
    name = evidence.name(event_id)
    if holds_id(checkpoint, event_id):
        return f", with the id of {name}"
    return "" if str(event_id) in text else f", without the id of {name}"


def _went_on_in(evidence: Evidence, finding: Finding) -> int | None:
    """Return the number of the poll that went wrong because of what had been saved by its start."""
    if finding.rule == "DUPLICATED":
        first, again = (evidence.poll_of[place] for place in finding.steps[:2])
        return None if first == again else again
    event = evidence.log.find(finding.event_ids[0]) if finding.event_ids else None
    if finding.rule != "LOST" or event is None or evidence.promise.mode == "snapshot":
        return None
    if finding.cause == "saved-before-delivered":
        return evidence.poll_of[finding.steps[1]]
    asked = (
        first_chance(evidence, event)
        if finding.cause == "never-asked"
        else _next_poll_without(evidence, event, finding)
    )
    return None if asked is None else evidence.poll_of[asked.place]


def _next_poll_without(
    evidence: Evidence, event: LoggedEvent, finding: Finding
) -> RowsAsked | None:
    """Return the first request after the poll that last had the event at hand, if it left it out.

    Who was served the event and ended well has dropped it: then saves had no part in that.
    """
    last = last_covering(evidence, event)
    if last is None:
        return None
    poll = evidence.polls[evidence.poll_of[last.place] - 1]
    if finding.cause == "served-not-delivered" and ended_well(poll):
        return None
    later = (a for a in rows_asked(evidence) if evidence.poll_of[a.place] > poll.number)
    after = next(later, None)
    is_without = after is not None and after.query is not None and not after.query.matches(event)
    return after if is_without else None
