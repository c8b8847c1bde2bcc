"""Proofs in sentences: what a document allows, how an event came twice, where a poll got stuck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from fakeserver.clock import clock_text, duration_text
from fakeserver.history import Exchange, Killed, Restarted, Saved
from fakeserver.query import ID, RECORDED_AT, Query
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import failure, is_failure
from fakeserver.verifier.verdict import few_of, lines_of

SHOWN_REQUESTS_MAX = 3
"""Requests that a sentence tells, and a finding names; of more the first and the last."""
NAMES_MAX = 5
"""Events that a sentence names; the rest is counted."""


TWO_STEPS = " Delivering and saving in two steps can't be exactly-once across a crash (I5)."


KILLS_ALLOWED = "A program can be killed between any two of its steps."
FAILURES_ALLOWED = "Any request over a network can fail."


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """One lost event with its cause and proof."""

    event: LoggedEvent
    cause: str
    steps: tuple[int, ...] = ()
    why: tuple[str, ...] = ()
    allowed: str | None = None
    would: str | None = None


def birth(evidence: Evidence, event: LoggedEvent) -> str:
    """Say when an event was recorded, and when it could be read."""
    name = evidence.name(event.id)
    if event.recorded_at is None:
        since = clock_text(event.visible_at)
        return f"{name} (id {event.id}) has no stamp and was visible from {since} on."
    if event.late_by_ms:
        return (
            f"{name} (id {event.id}) was recorded at {clock_text(event.recorded_at)} and became "
            f"visible at {clock_text(event.visible_at)}, {duration_text(event.late_by_ms)} later."
        )
    return (
        f"{name} (id {event.id}) was recorded at {clock_text(event.recorded_at)} and visible at "
        "once."
    )


def promised(evidence: Evidence, word: str, says: str) -> str:
    """Return `says` with the place in the documents that bears it out."""
    return f'{says} ({evidence.dialect.promises_at}, "{word}").'


def tied_with(evidence: Evidence, event: LoggedEvent) -> list[str]:
    """Name all events that share the stamp of `event`, itself among them."""
    return [evidence.name(other.id) for other in evidence.by_stamp[event.recorded_at]]


def ties_allowed(evidence: Evidence, event: LoggedEvent) -> str | None:
    """Say that stamps may be equal, where this event's is."""
    same = tied_with(evidence, event)
    if len(same) < 2:
        return None
    return promised(evidence, "ties", f"Stamps need not be unique, and {lines_of(same)} share one")


def late_allowed(evidence: Evidence, event: LoggedEvent) -> str | None:
    """Say that an event may be late, where this one is: by the document, or by what was asked."""
    if not event.late_by_ms:
        return None
    span = duration_text(evidence.late_by_ms_max)
    says = f"An event may become visible up to {span} after it was recorded"
    if evidence.late_by_ms_max <= evidence.dialect.late_by_ms_max(evidence.settings):
        return promised(evidence, "late", says)
    documented = evidence.dialect.late_by_ms_max(evidence.settings)
    allows = f"allows {duration_text(documented)}" if documented else "speaks of no lateness"
    return f"{says} in this run (--late-by-max); the API's document {allows}."


def what_was_asked(evidence: Evidence, event: LoggedEvent, places: list[int]) -> str:
    """Say what the requests at `places` asked for, each different one once, without `event`."""
    words = _distinct_words(evidence, places)
    if len(words) == 1:
        return f"every request asked for {words[0]}{_left_out(evidence, event, places)}."
    if len(words) <= SHOWN_REQUESTS_MAX:
        return f"the requests asked for {'; '.join(words)}. None of them covers it."
    return f"no request covered it: they asked for {words[0]}; then … {words[-1]}."


def _left_out(evidence: Evidence, event: LoggedEvent, places: Iterable[int]) -> str:
    """Say that the requests leave `event` out, and by which of its fields, where that shows."""
    queries = [(place, evidence.meant(evidence.exchange(place))) for place in places]
    place, query = next((place, query) for place, query in queries if query is not None)
    failing = {c.field for c in query.conditions if not c.holds(event)}
    if not failing:
        return ""
    why = {ID: f" (id {event.id})", RECORDED_AT: " (no stamp)"}
    if event.recorded_at is not None:
        stamp = clock_text(event.recorded_at, near=evidence.exchange(place).at)
        why[RECORDED_AT] = f" ({stamp})"
    field = next((field for field in (RECORDED_AT, ID) if field in failing), None)
    return f", which leaves out {evidence.name(event.id)}{why.get(field or '', '')}"


def _distinct_words(evidence: Evidence, places: Iterable[int]) -> list[str]:
    words: dict[str, None] = {}
    for place in places:
        exchange = evidence.exchange(place)
        query = evidence.meant(exchange)
        if query is not None:
            words[evidence.words(query, exchange.at)] = None
    return list(words)


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The three last parts of a finding: why, what the document allows, what would have helped."""

    why: tuple[str, ...]
    allowed: str | None = None
    would: str


TAKE_TURNS = "Two instances may take turns over one checkpoint (--instances 2)."
READ_AGAIN = (
    "Read the checkpoint at the start of each poll, and go on from nothing that it does not hold."
)


def explain_repeat(evidence: Evidence, first: int, again: int) -> Proof:
    """Prove a repeat: when it was delivered, which request brought it again, and how it could."""
    event_id = evidence.delivered(first).event_id
    name = evidence.name(event_id)
    places = _deliveries_of(evidence, event_id, first)
    why = [f"{name} (id {event_id}) was delivered {_how_often(evidence, places)}."]
    would = (
        "Drop, by id, what this poll has read already."
        if len({evidence.poll_of[place] for place in places if place >= first}) == 1
        else "Drop, by id, every row delivered before; keep with the checkpoint the ids that the "
        "next request can bring again."
    )
    event = evidence.log.find(event_id)
    source = server_of(evidence, event_id, again)
    if event is None or source is None:
        return Proof(why=tuple(why), would=would)
    exchange = evidence.exchange(source)
    row = exchange.event_ids.index(event_id) + 1
    query = evidence.query(exchange)
    meant = evidence.meant(exchange)
    if meant is not None:
        asked = evidence.words(meant, exchange.at)
        time = _ordinal(places.index(again) + 1)
        why.append(f"The {time} time it was row {row} of a request for {asked}.")
    stop = _explain_stop(evidence, name, first, again)
    if stop is not None:
        return Proof(why=(*why, stop.why[0]), allowed=stop.allowed, would=stop.would)
    if turns := _turns(evidence, first, again):
        return Proof(why=(*why, turns), allowed=TAKE_TURNS, would=READ_AGAIN)
    origin = server_of(evidence, event_id, first)
    if origin == source:  # the client read both pages first, and delivered afterwards
        origin = server_of(evidence, event_id, source)
    shift = shifted_by(evidence, query, origin, source)
    if shift is not None:
        why.append(f"{shift} appeared in between and moved the rows behind.")
        allowed = promised(evidence, "appends", "The log grows while it is read")
        return Proof(why=tuple(why), allowed=allowed, would=would)
    same = tied_with(evidence, event)
    if len(same) > 1 and query is not None and _starts_at(query, event):
        stamp = clock_text(event.recorded_at or 0)
        begins = {evidence.name(i) for i in exchange.event_ids[: len(same)]} == set(same)
        so = "so every page from there on begins with them" if begins else "where that page began"
        why.append(f"{lines_of(same)} share the stamp {stamp}, {so}.")
    return Proof(why=tuple(why), allowed=ties_allowed(evidence, event), would=would)


def _turns(evidence: Evidence, first: int, again: int) -> str:
    """Say that one instance repeated what another one had delivered, if so."""
    before, after = (evidence.polls[evidence.poll_of[place] - 1] for place in (first, again))
    if before.instance == after.instance:
        return ""
    saved = any(isinstance(step, Saved) for step in evidence.history[first:again])
    had = "had saved its checkpoint" if saved else "had saved nothing"
    return (
        f"Instance {before.instance} delivered it in poll {before.number} and {had} when instance "
        f"{after.instance} delivered it in poll {after.number}."
    )


def _deliveries_of(evidence: Evidence, event_id: EventId, first: int) -> list[int]:
    """Return where the event was delivered: ever, or in a snapshot in the poll of `first`."""
    places = [p for p in evidence.deliveries if evidence.delivered(p).event_id == event_id]
    if evidence.promise.mode == "snapshot":
        return [p for p in places if evidence.poll_of[p] == evidence.poll_of[first]]
    return places


def _how_often(evidence: Evidence, places: list[int]) -> str:
    """Count deliveries by polls: ``3 times: twice in poll 1, and once in poll 2``."""
    polls = Counter(evidence.poll_of[place] for place in places)
    if len(polls) == 1:
        return f"{_times(len(places))} in poll {next(iter(polls))}"
    if len(places) == 2:
        return "in poll {} and again in poll {}".format(*polls)
    if len(polls) > NAMES_MAX:
        return f"{len(places)} times, in {len(polls)} polls from poll {min(polls)} on"
    said = []
    for count in dict.fromkeys(polls.values()):
        same = [number for number, other in polls.items() if other == count]
        where = f"poll {same[0]}" if len(same) == 1 else f"each of polls {lines_of(same)}"
        said.append(f"{_times(count)} in {where}")
    return f"{len(places)} times: {', and '.join(said)}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _ordinal(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    end = "th" if number % 100 in (11, 12, 13) else ends.get(number % 10, "th")
    return {2: "second", 3: "third"}.get(number, f"{number}{end}")


def _explain_stop(evidence: Evidence, name: str, first: int, again: int) -> Proof | None:
    """Say how the client was stopped between two deliveries, if it was, and what it had saved."""
    steps = evidence.history[first:again]
    stops = [n for n, step in enumerate(steps) if isinstance(step, (Killed, Restarted))]
    if not stops:
        return None
    word = "killed" if isinstance(steps[stops[0]], Killed) else "restarted"
    allowed = f"A program can be {word} at any time."
    if any(isinstance(step, Saved) for step in steps[: stops[0]]):
        return Proof(
            why=(f"It had saved after {name}; then it was {word}, and delivered {name} again.",),
            allowed=allowed,
            would="After a restart go on from feed.checkpoint, and keep in it what was delivered.",
        )
    why = f"In between it was {word}, before it had saved that {name} was delivered."
    if word == "killed" and evidence.promise.delivery == "exactly-once":
        why += TWO_STEPS
    return Proof(
        why=(why,),
        allowed=allowed,
        would="Deliver and save in one step (feed.commit): then a crash finds both or neither.",
    )


def shifted_by(
    evidence: Evidence, query: Query | None, first: int | None, source: int
) -> str | None:
    """Name an event that appeared between two pages and so shifted page numbers, if one did."""
    if query is None or not query.offset or first is None:
        return None
    before, after = evidence.history[first].at, evidence.history[source].at
    for event in evidence.scenario.events:
        if before < event.visible_at <= after:
            return evidence.name(event.id)
    return None


def _starts_at(query: Query, event: LoggedEvent) -> bool:
    """Whether `query` asks for stamps from exactly that of `event` on."""
    return any(
        condition.field == RECORDED_AT and condition.value == event.recorded_at
        for condition in query.conditions
    )


def server_of(evidence: Evidence, event_id: EventId, place: int) -> int | None:
    """Return the newest exchange before `place` that served the event."""
    for exchange in reversed(evidence.exchanges):
        if exchange < place and event_id in evidence.exchange(exchange).event_ids:
            return exchange
    return None


def explain_stuck(
    evidence: Evidence, last: int | None, missing: list[str], *, by_time: bool
) -> Proof:
    """Prove that a stopped poll got nowhere: what it asked last, what it never reached.

    `by_time` says that it was stopped for taking too much real time, not for asking too much.
    """
    why: list[str] = []
    allowed = None
    would = "End the poll when a page brings nothing new, and go on in the next one."
    if by_time:
        why.append("It neither returned nor asked on: it waited, or was busy with itself.")
        would = "Wait with feed.sleep, which costs no real time, and return when nothing is new."
    if last is not None:
        exchange = evidence.exchange(last)
        query, meant = evidence.query(exchange), evidence.meant(exchange)
        asked = exchange.target if meant is None else evidence.words(meant, exchange.at)
        rows = lines_of(evidence.name(event_id) for event_id in exchange.event_ids) or "no rows"
        why.append(f"Its last request asked for {asked} and got {failure(exchange) or rows}.")
        if is_failure(exchange):
            would = (
                "Wait before the same request is sent again, longer each time (feed.sleep costs no "
                "real time); or let the poll fail, and try again in the next one."
            )
        if query is not None and _is_all_ties(evidence, exchange, query):
            count = len(exchange.event_ids)
            rows_share = "Both rows share" if count == 2 else f"All {count} rows share"
            why.append(
                f"{rows_share} one stamp and fill the page, so a request from that stamp on "
                "returns them for ever."
            )
            allowed = promised(evidence, "ties", "Any number of events may share a stamp")
            would = past_the_cap(evidence, exchange, query) or (
                "When a full page ends where it began, ask again with a larger limit (theorem T4)."
            )
    if missing:
        why.append(f"It never reached {few_of(missing, NAMES_MAX)}.")
    return Proof(why=tuple(why), allowed=allowed, would=would)


def is_of_nothing(error: str) -> bool:
    """Whether an exception, as text, is what taking a row of an empty page raises."""
    return error.startswith("IndexError") or (error.startswith("ValueError") and "empty" in error)


def past_the_cap(evidence: Evidence, exchange: Exchange, query: Query) -> str | None:
    """Say what helps where a page of ties is as large as the server ever makes one, else None."""
    if query.limit != evidence.dialect.limit_max(evidence.settings):
        return None
    if not _is_all_ties(evidence, exchange, query):
        return None
    return (
        f"No limit helps, for the server never returns more than {query.limit} rows (I1): go on "
        "from the next stamp, and report that rows may be missing at this one."
    )


def _is_all_ties(evidence: Evidence, exchange: Exchange, query: Query) -> bool:
    """Whether a page is full and holds one stamp only, and that is the one it was asked from."""
    rows = [evidence.log.find(event_id) for event_id in exchange.event_ids]
    return len(rows) == query.limit and all(
        row is not None and _starts_at(query, row) for row in rows
    )
