"""Clues to keys of a checkpoint that were numbers: JSON made texts of them."""

from __future__ import annotations

import re

from fakeserver.history import PollEnded, Saved
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.clues.clue import Clue
from fakeserver.verifier.diagnosis.repeated import known_by_others
from fakeserver.verifier.diagnosis.traces import has_key, last_saved
from fakeserver.verifier.evidence import Evidence, PollView

NUMBERS_AGAIN = (
    "Make numbers of such keys again where the checkpoint is read, {int(key): value for key, value "
    "in saved.items()}, or save a list."
)

_MISSING = re.compile(r"KeyError: (-?\d+)(?:, at |$)")
_MIXED = re.compile(r"TypeError: .*\b(?:str\b.*\bint|int\b.*\bstr)\b")


def not_known(evidence: Evidence, event: LoggedEvent, first: int, again: int) -> Clue | None:
    """The id was saved as a key, and came back as one that is not equal to it.

    Not said where the client dropped another row by such a key: then it copes with them.
    """
    poll = evidence.polls[evidence.poll_of[again] - 1]
    saved = _went_on_from(evidence, poll)
    if saved is None or last_saved(evidence, first) is saved:
        return None
    if not _lost_as_key(saved, event.id):
        return None
    if any(_lost_as_key(saved, i) for i in known_by_others(evidence, event.id, poll.number)):
        return None
    return Clue(
        why=(
            f"The id of {evidence.name(event.id)} was saved as a key, and keys are texts in JSON: "
            f'{event.id} came back as "{event.id}", which is not equal to it.',
        ),
        would=NUMBERS_AGAIN,
    )


def raised_over(evidence: Evidence, ended: PollEnded) -> Clue | None:
    """A number was not found, or met a text, in a poll that went on from such keys."""
    saved = _went_on_from(evidence, evidence.polls[ended.poll - 1])
    error = ended.error or ""
    if saved is None or "int" not in saved.keys_made_text:
        return None
    missing = _MISSING.match(error)
    is_of_keys = has_key(saved.checkpoint, missing[1]) if missing else _MIXED.match(error)
    if not is_of_keys:
        return None
    return Clue(
        why=(
            "What it had saved by then has keys that were numbers, and keys are texts in JSON: as "
            "texts they came back.",
        ),
        would=NUMBERS_AGAIN,
    )


def _went_on_from(evidence: Evidence, poll: PollView) -> Saved | None:
    """Return what had been saved when `poll` began, unless it goes on in a loop of its own."""
    before = evidence.polls[poll.number - 2].ended if poll.number > 1 else None
    if before is None or before.ending == "slept":
        return None
    return last_saved(evidence, evidence.poll_of.index(poll.number))


def _lost_as_key(saved: Saved, event_id: int | str) -> bool:
    is_number = isinstance(event_id, int) and "int" in saved.keys_made_text
    return is_number and has_key(saved.checkpoint, str(event_id))
