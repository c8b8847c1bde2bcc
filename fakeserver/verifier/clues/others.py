"""Clues to what is neither a loss nor a repeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fakeserver.clock import MINUTE_MS, SECOND_MS, clock_text
from fakeserver.history import OVERRAN, PollEnded, Slept
from fakeserver.query import ID, RECORDED_AT, Condition, Query
from fakeserver.scenario import EventId
from fakeserver.verifier.clues import keys
from fakeserver.verifier.clues.clue import Clue, stamp_name
from fakeserver.verifier.clues.refused import GOT, limit_refused
from fakeserver.verifier.diagnosis.others import is_largest_as_text, is_of_a_null
from fakeserver.verifier.diagnosis.traces import (
    LOWER,
    is_full,
    is_newest_first,
    is_page_of_ties,
    rows_asked,
)
from fakeserver.verifier.evidence import Evidence, RowsAsked
from fakeserver.verifier.failures import is_failure
from fakeserver.verifier.verdict import Finding, lines_of

# STUCK


def stuck(evidence: Evidence, finding: Finding) -> Clue | None:
    """Look at what the last request of the poll brought, and whether the poll moved on from it."""
    ended = evidence.history[finding.steps[-1]]
    if not isinstance(ended, PollEnded) or OVERRAN in (ended.error or ""):
        return None
    walk = rows_asked(evidence, evidence.polls[ended.poll - 1])
    if not walk or walk[-1].query is None or is_failure(walk[-1].exchange):
        return None
    last = walk[-1]
    if is_page_of_ties(evidence, last):
        return _one_row(last)
    if not any(page.exchange.target == last.exchange.target for page in walk[:-1]):
        return None
    if not last.exchange.event_ids:
        return _empty_page(walk)
    return _back_and_forth(evidence, walk) or _standing(evidence, walk)


def _one_row(last: RowsAsked) -> Clue | None:
    if last.query is None or last.query.limit != 1 or last.query.limit_asked != 1:
        return None
    return Clue(
        would="Ask for two rows or more: from one row, a stamp that includes its own never moves "
        "on (impossibility I2)."
    )


def _empty_page(walk: list[RowsAsked]) -> Clue:
    pages = [page for page in walk if page.exchange.event_ids]
    said = "The same empty page came again and again."
    if pages and is_full(pages[-1]):
        rows = len(pages[-1].exchange.event_ids)
        said = f"The last page with rows was full ({rows} of {rows}); then {_lower(said)}"
    return Clue(why=(said,), would="End the poll at an empty page: there is no row left to read.")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _back_and_forth(evidence: Evidence, walk: list[RowsAsked]) -> Clue | None:
    """Pages were asked for by turns upwards and downwards."""
    last, before = walk[-1], walk[-2]
    if last.query is None or before.query is None:
        return None
    if is_newest_first(last.query) == is_newest_first(before.query):
        return None
    words = [evidence.words(page.query, page.exchange.at) for page in (before, last) if page.query]
    return Clue(
        why=(f"By turns it asked for {words[0]}, and for {words[1]}.",),
        would="Keep to one direction: follow the address of the next page alone, not that of the "
        "one before, and end the walk where there is none.",
    )


def _standing(evidence: Evidence, walk: list[RowsAsked]) -> Clue | None:
    """The page reached beyond where it was asked from, and the next request began there again."""
    last = walk[-1]
    row = evidence.log.find(last.exchange.event_ids[-1])
    bounds = [c for c in _conditions(last.query) if c.operator in LOWER]
    if row is None or not bounds:
        return None
    for bound in bounds:
        reached: Any = row.id if bound.field == ID else row.recorded_at
        if bound.field not in (ID, RECORDED_AT) or reached is None or not reached > bound.value:
            continue
        whole = "" if bound.field == ID else ", with its stamp as it was served"
        at = f"id {row.id}" if bound.field == ID else clock_text(row.recorded_at or 0)
        text = _as_text(walk, bound.value) if bound.field == ID else None
        if text is not None:
            return text
        cut = _cut_short(evidence, last, bound) if bound.field == RECORDED_AT else None
        if cut is not None:
            return cut
        return Clue(
            why=(
                f"The last row of that page, {evidence.name(row.id)} ({at}), lies beyond "
                "where the request began, and yet the same request was sent again.",
            ),
            would=f"Go on from the last row of each page{whole}; then a page that brings nothing "
            "new is the end.",
        )
    return None


def _cut_short(evidence: Evidence, last: RowsAsked, bound: Condition) -> Clue | None:
    """The bound is the stamp of the last row without its last digits, and that of no row whole."""
    rows = [row for i in last.exchange.event_ids if (row := evidence.log.find(i)) is not None]
    row, stamp = rows[-1], rows[-1].recorded_at or 0
    units = (("minute", MINUTE_MS), ("second", SECOND_MS))
    unit = next((n for n, ms in units if stamp % ms and bound.value == stamp - stamp % ms), None)
    if unit is None or any(other.recorded_at == bound.value for other in rows):
        return None
    return Clue(
        why=(
            f"It asked from the stamp of its last row, {evidence.name(row.id)} "
            f"({clock_text(stamp)}), cut to the {unit}: so the page began with the same rows "
            "again.",
        ),
        would="Ask from the last row's stamp as it was served, with all its digits; where a page "
        "is full and moves nothing on even so, with a larger limit (theorem T4).",
    )


def _conditions(query: Query | None) -> tuple[Condition, ...]:
    return () if query is None else query.conditions


def _as_text(walk: list[RowsAsked], bound: Any) -> Clue | None:
    """The id from which it asks is the largest that it read only if ids are compared as text."""
    if not is_largest_as_text(walk, bound):
        return None
    largest = max(i for page in walk for i in page.exchange.event_ids if isinstance(i, int))
    return Clue(
        why=(
            f"Of the ids that it read {largest} is the largest as a number, and {bound}, from "
            "which it asked again and again, the largest as text.",
        ),
        would=f"Take the largest id as a number, not as text, and go on from there: here from "
        f"{largest}.",
    )


# CRASHED


def crashed(evidence: Evidence, finding: Finding) -> Clue | None:
    """A limit that was refused, keys that are no numbers any more, or a row without a stamp."""
    ended = evidence.history[finding.steps[-1]]
    if not isinstance(ended, PollEnded):
        return None
    poll = evidence.polls[ended.poll - 1]
    last = evidence.exchange(poll.exchanges[-1]) if poll.exchanges else None
    refused = None if last is None else limit_refused(evidence, last)
    told = refused or keys.raised_over(evidence, ended)
    if told is not None or not is_of_a_null(ended.error or ""):
        return told
    asked = rows_asked(evidence, poll)
    rows = [evidence.log.find(i) for i in (asked[-1].exchange.event_ids if asked else ())]
    null = next((row for row in rows if row is not None and row.recorded_at is None), None)
    if null is None:
        return None
    name = stamp_name(evidence, null)
    return Clue(
        why=(f"{evidence.name(null.id)} has no stamp: its {name} is null.",),
        would=f"Expect that {name} may be null. {finding.would or ''}".rstrip(),
    )


# ILLEGAL_REQUEST


def illegal_request(evidence: Evidence, finding: Finding) -> Clue | None:
    """Say what to send, where the refusal itself does not."""
    place = finding.steps[0]
    problem = evidence.exchange(place).problem or ""
    _, _, says = problem.partition(": ")
    if "; " in says:  # it has advice of its own
        return None
    name = says.partition(":")[0]
    got = GOT.search(says)
    if finding.cause == "unknown-parameter" and got is not None:
        return Clue(
            why=(f"This API has no parameter {got[1]}.",),
            would=f"Leave {got[1]} out, or send what it means by a parameter that the API has.",
        )
    if finding.cause == "repeated-parameter" and " once, got it" in says:
        name = says.removeprefix("expected ").partition(" once")[0]
        return Clue(would=f"Send {name} once: set it anew, don't append it to what was sent.")
    if finding.cause == "bad-number":
        more = ", 1 or more: 0 does not mean all" if says.endswith("got 0") else ""
        return Clue(would=f"Send {name} as a whole number{more or ', as it was served'}.")
    if finding.cause == "no-token":
        before = (evidence.exchange(p) for p in evidence.exchanges if p < place)
        had = any(exchange.status == 200 for exchange in before)
        return Clue(
            why=("Requests before it were answered: they had one.",) if had else (),
            would="Send that header with every request.",
        )
    return None


# IMPOLITE


def impolite(evidence: Evidence, finding: Finding) -> Clue | None:
    """The pause was taken for milliseconds."""
    refused, again = finding.steps
    exchange = evidence.exchange(refused)
    if exchange.retry_after_s is None:
        return None
    steps = evidence.history[refused:again]
    slept = sum(step.ms for step in steps if isinstance(step, Slept))
    if slept and slept == exchange.retry_after_s:
        return Clue(why=(f"It slept for {slept} ms: the {slept} of Retry-After are seconds.",))
    return None


# INVENTED


def invented(evidence: Evidence, finding: Finding) -> Clue | None:
    """The id is the value of another field of an event that had been served."""
    delivery = finding.steps[0]
    strange = evidence.delivered(delivery).event_id
    places = [p for p in evidence.exchanges if p < delivery]
    served = dict.fromkeys(i for p in places for i in evidence.exchange(p).event_ids)
    for event_id in reversed(served):
        event = evidence.log.find(event_id)
        assert event is not None  # noqa: S101 - what was served is in the log
        shown = evidence.dialect.render_event(event, evidence.settings)
        fields = [name for name, value in _leaves(shown) if _is_same(value, strange)]
        if fields:
            name, field = evidence.name(event_id), lines_of(fields)
            return Clue(
                why=(
                    f"It is the {field} of {name}, which was served; the id of {name} is "
                    f"{event_id}.",
                ),
                would=f"Deliver as the id of an event its id, not its {field}.",
            )
    return None


def _leaves(shown: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in shown.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _is_same(value: Any, strange: EventId) -> bool:
    is_plain = isinstance(value, (int, str)) and not isinstance(value, bool)
    return is_plain and str(value) == str(strange)


# OUT_OF_ORDER


def out_of_order(evidence: Evidence, finding: Finding) -> Clue | None:
    """The earlier one could not be read yet when the later one was delivered."""
    second, first = map(evidence.log.find, finding.event_ids)
    if second is None or first is None or evidence.promise.mode == "snapshot":
        return None
    at = evidence.history[finding.steps[0]].at
    if second.visible_at <= at:
        return None
    names = evidence.name(second.id), evidence.name(first.id)
    return Clue(
        why=(
            f"{names[0]} became visible at {clock_text(second.visible_at)}, after {names[1]} had "
            f"been delivered, at {clock_text(at)}.",
        ),
    )
