"""What a clue is, and words that several of them use."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fakeserver.clock import clock_text
from fakeserver.query import ID, Query
from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.evidence import Evidence, PollView, RowsAsked


class Clue(msgspec.Struct, frozen=True, kw_only=True):
    """Sentences that go on with a proof, and advice in place of the rule's; None: that stays."""

    why: tuple[str, ...] = ()
    would: str | None = None


def joined(clues: Iterable[Clue | None]) -> Clue | None:
    """Say all that `clues` say; the first advice counts. None where there is nothing to say."""
    found = [clue for clue in clues if clue is not None]
    if not found:
        return None
    would = next((clue.would for clue in found if clue.would), None)
    return Clue(why=tuple(said for clue in found for said in clue.why), would=would)


def stamped(evidence: Evidence, event: LoggedEvent) -> str:
    """Name an event with its stamp: ``e2 (12:00:01)``."""
    assert event.recorded_at is not None  # noqa: S101 - only stamps are compared
    return f"{evidence.name(event.id)} ({clock_text(event.recorded_at)})"


def stamp_name(evidence: Evidence, event: LoggedEvent) -> str:
    """Return the name under which the API shows the stamp of an event, that has none."""
    shown = evidence.dialect.render_event(event, evidence.settings)
    nulls = [name for name, value in shown.items() if value is None and name.startswith("created")]
    return nulls[0] if nulls else "stamp"


def poll_of(evidence: Evidence, asked: RowsAsked) -> PollView:
    """Return the poll that sent a request."""
    return evidence.polls[evidence.poll_of[asked.place] - 1]


def order_words(query: Query) -> str:
    """Say in which order rows come: ``newest first``, ``lowest id first``."""
    if not query.order:
        return "in the order of the log"
    first = query.order[0]
    if first.field == ID:
        return "highest id first" if first.descending else "lowest id first"
    return "newest first" if first.descending else "oldest first"
