"""Clues to a lost event, by the cause of its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.clues import behind, cut, refused, served
from fakeserver.verifier.clues.clue import Clue, poll_of
from fakeserver.verifier.diagnosis.traces import last_covering, saved_unread
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import is_failure
from fakeserver.verifier.verdict import Finding


def clue(evidence: Evidence, finding: Finding) -> Clue | None:
    """Look at the first of the events that share a cause: the one that was proved."""
    event = evidence.log.find(finding.event_ids[0])
    if event is None:
        return None
    if evidence.promise.mode == "snapshot":
        return _of_a_snapshot(evidence, event, finding)
    look = BY_CAUSE.get(finding.cause or "")
    return None if look is None else look(evidence, event)


def _of_a_snapshot(evidence: Evidence, event: LoggedEvent, finding: Finding) -> Clue | None:
    """Each poll begins anew, so only the page that was cut tells of its poll."""
    if finding.cause != "cut-by-limit":
        return None
    asked = next(asked for asked in evidence.asked if asked.place == finding.steps[0])
    return cut.ties(evidence, event, asked)


def _failed(evidence: Evidence, event: LoggedEvent) -> Clue | None:
    """The poll whose request failed had counted it as answered before that."""
    asked = last_covering(evidence, event)
    if asked is None or not is_failure(asked.exchange):
        return None
    poll = poll_of(evidence, asked)
    if not saved_unread(evidence, poll):
        return None if asked.query is None else cut.saved_too_soon(evidence, event, asked)
    return Clue(
        why=(
            f"Poll {poll.number} had saved before it asked for anything, and did not come to its "
            "end; the next one went on from what was saved.",
        ),
        would="Save where the next poll begins when this one has come to its end, not before it "
        "asks.",
    )


def _never_asked(evidence: Evidence, event: LoggedEvent) -> Clue | None:
    """What was asked was not taken, or left the event out."""
    return refused.all_refused(evidence, event) or behind.clue(evidence, event)


BY_CAUSE: Mapping[str, Callable[[Evidence, LoggedEvent], Clue | None]] = {
    "never-asked": _never_asked,
    "cut-by-limit": cut.clue,
    "served-not-delivered": served.clue,
    "failed-not-retried": _failed,
}
