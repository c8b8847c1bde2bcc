"""Clues to a page that ended before an event: what the client did with it in place of going on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fakeserver.clock import clock_text, duration_text
from fakeserver.history import Exchange
from fakeserver.query import ID, RECORDED_AT
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.clues import carried
from fakeserver.verifier.clues.clue import Clue, joined, order_words, poll_of, stamped
from fakeserver.verifier.diagnosis.lost import head_saved_too_soon
from fakeserver.verifier.diagnosis.traces import (
    counts_rows,
    ends_its_poll,
    is_clamped,
    is_full,
    is_newest_first,
    is_page_of_ties,
    last_covering,
    lower_bound,
    next_page,
    rows_asked,
    skipped_page,
)
from fakeserver.verifier.evidence import Evidence, RowsAsked
from fakeserver.verifier.failures import failure

ONE_ORDER = "Ask for every page of a walk in one order, the first page too."


def clue(evidence: Evidence, event: LoggedEvent) -> Clue | None:
    """Look at the last page that covered `event`, at the one before and at the next one."""
    asked = last_covering(evidence, event)
    if asked is None or asked.query is None or not asked.exchange.is_sound:
        return None
    looks: Iterator[Clue | None] = (look(evidence, event, asked) for look in LOOKS)
    found = next((clue for clue in looks if clue is not None), None)
    unsaved = carried.unsaved(evidence)
    said = None if unsaved is None else Clue(why=unsaved.why)  # the page was cut all the same
    return joined([_ids_not_in_time(evidence, event, asked), found, said])


def ties(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:  # noqa: ARG001
    """A page that holds one stamp only ended the walk."""
    cap = evidence.dialect.limit_max(evidence.settings)
    query = asked.query
    if query is None or not is_page_of_ties(evidence, asked) or not ends_its_poll(evidence, asked):
        return None
    if query.limit is None or (cap is not None and query.limit >= cap):
        return None
    bound = lower_bound(query, RECORDED_AT)
    assert bound is not None  # noqa: S101 - a page of ties is asked from their stamp on
    return Clue(
        why=(
            f"Each of its rows has the stamp from which it was asked, {clock_text(bound.value)}: "
            "the same request again brings the same rows.",
        ),
        would="When a full page ends at the stamp where it began, ask again with a larger limit "
        "(theorem T4); it is not the end.",
    )


def _failed_page(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:
    page = skipped_page(evidence, event, asked)
    if page is None or page.query is None:
        return None
    words = evidence.words(page.query, page.exchange.at)
    return Clue(
        why=(f"The page before it, {words}, had failed: {failure(page.exchange)}.",),
        would="Ask for a page that failed again, now or in the next poll, before you go on to the "
        "one behind it.",
    )


def _new_order(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:  # noqa: ARG001
    """Page by page, a row came in two places: equal stamps were shuffled in between."""
    if asked.query is None or not asked.query.is_shuffled or not asked.query.offset:
        return None
    seen: dict[EventId, int] = {}
    for page in rows_asked(evidence, poll_of(evidence, asked)):
        if page.query is None or page.query.conditions != asked.query.conditions:
            continue
        for number, event_id in enumerate(page.exchange.event_ids, page.query.offset + 1):
            place = seen.setdefault(event_id, number)
            row = evidence.log.find(event_id)
            if place != number and row is not None and len(evidence.by_stamp[row.recorded_at]) > 1:
                name = evidence.name(event_id)
                said = (
                    f"{name} came as row {place} and again as row {number}: equal stamps come in "
                    "another order with each request."
                )
                return Clue(why=(said,))
    return None


def saved_too_soon(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:
    """A newest-first walk moved the start of the next one before it had read what is older."""
    if not head_saved_too_soon(evidence, event, asked):
        return None
    return Clue(
        why=("It saved before its walk had come down to the oldest row, and was cut short.",),
        would="Newest first, what is left is older: save where the next poll begins only when the "
        "walk has come to its end.",
    )


def _raised_bottom(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:
    """Down the log, the next page asked for nothing that is older."""
    found = next_page(evidence, event, asked)
    rows = [row for i in asked.exchange.event_ids if (row := evidence.log.find(i)) is not None]
    if found is None or not rows or asked.query is None or event.recorded_at is None:
        return None
    after, bound = found
    if after.query is None or not is_newest_first(asked.query) or not is_newest_first(after.query):
        return None
    order = order_words(asked.query)
    upwards = "lowest id first" if asked.query.order[0].field == ID else "oldest first"
    first, last = rows[0], rows[-1]
    by_pages = after.query.offset > 0  # then the place is a number, and the bound another matter
    if last.recorded_at == bound.value != first.recorded_at and not by_pages:
        return Clue(
            why=(
                f"The page came {order}, and the next request began at its last row, "
                f"{stamped(evidence, last)}, as if the rows below that had been read.",
            ),
            would=f"Ask for the order that the walk relies on, {upwards}; or go on downwards from "
            "the last row.",
        )
    return Clue(
        why=(
            f"The page came {order}, so that what was left lay below it; the next request asked "
            f"for nothing below {clock_text(bound.value)}.",
        ),
        would="Keep the lower bound of the first page to the end of the walk; downwards, only the "
        "upper bound or the page number moves.",
    )


def _other_order(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:
    """Two neighbouring pages of a walk came in different orders."""
    assert asked.query is not None  # noqa: S101 - the caller looked
    walk = rows_asked(evidence, poll_of(evidence, asked))
    place = [page.place for page in walk].index(asked.place)
    after = walk[place + 1] if place + 1 < len(walk) else None
    order = order_words(asked.query)
    if after is not None and after.query is not None and not after.query.matches(event):
        then = order_words(after.query)
        if then != order and after.query.offset == asked.query.offset == 0:
            said = f"That page came {order}, and the next one of its walk {then}."
            return Clue(why=(said,), would=ONE_ORDER)
    before = walk[place - 1] if place else None
    if before is not None and before.query is not None and order_words(before.query) != order:
        said = f"The page before it came {order_words(before.query)}, this one {order}."
        return Clue(why=(said,), would=ONE_ORDER)
    return None


def _other_key(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:
    """The rows came by id, and the walk went on from a stamp."""
    found = next_page(evidence, event, asked)
    last = evidence.log.find(asked.exchange.event_ids[-1]) if asked.exchange.event_ids else None
    if found is None or last is None or asked.query is None or not asked.query.order:
        return None
    key, bound = asked.query.order[0], found[1]
    if key.field != ID or key.descending or last.recorded_at is None or event.recorded_at is None:
        return None
    is_behind = isinstance(event.id, int) and isinstance(last.id, int) and event.id > last.id
    if not is_behind or not event.recorded_at < bound.value <= last.recorded_at:
        return None
    name = evidence.name(event.id)
    return Clue(
        why=(
            f"That page came by id, and the next request went on from a stamp: {name} has a higher "
            f"id than the last row, {evidence.name(last.id)}, and an earlier stamp.",
        ),
        would="Go on by what the rows are ordered by: from the id of the last row, not from its "
        "stamp.",
    )


def _stepped_over(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:
    """Upwards, the next request began behind the last row, and what lay between was left out."""
    found = next_page(evidence, event, asked)
    last = evidence.log.find(asked.exchange.event_ids[-1]) if asked.exchange.event_ids else None
    if found is None or last is None or asked.query is None or is_newest_first(asked.query):
        return None
    bound = found[1]
    if event.recorded_at is None or last.recorded_at is None or not is_full(asked):
        return None
    if not last.recorded_at <= event.recorded_at or not last.recorded_at < bound.value:
        return None
    apart = round(bound.value - last.recorded_at)
    return Clue(
        why=(
            f"The next request began at {clock_text(bound.value)}, {duration_text(apart)} after "
            f"the last row of that page, {stamped(evidence, last)}.",
        ),
        would=None
        if event.recorded_at == last.recorded_at  # the rule has advice about ties
        else "Go on from the last row's own stamp, itself included (>=), and drop by id what was "
        "delivered already; round a lower bound down, never up.",
    )


def _count(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:
    """Pages were reckoned from a count that was old when they were read."""
    if not counts_rows(evidence) or not ends_its_poll(evidence, asked):
        return None
    counted = [
        other.exchange
        for other in evidence.asked
        if other.query is not None and other.query.endpoint == "count"
        if other.place < asked.place
        and evidence.poll_of[other.place] == evidence.poll_of[asked.place]
        and other.query.matches(event)
    ]
    if not counted or is_clamped_page(asked):
        return None
    then, now = (_readable(evidence, asked, at) for at in (counted[-1].at, asked.exchange.at))
    if then == now:
        return None
    return Clue(
        why=(
            f"When it asked for the count, at {clock_text(counted[-1].at)}, {then} of these rows "
            f"could be read; when it asked for that page, {now}.",
        ),
        would="Don't reckon the number of pages from a count, which is old by the time they are "
        "read: go on from the last row until a page is empty.",
    )


def _readable(evidence: Evidence, asked: RowsAsked, at: int) -> int:
    assert asked.query is not None  # noqa: S101 - the caller looked
    events = evidence.scenario.events
    return sum(event.visible_at <= at and asked.query.matches(event) for event in events)


def is_clamped_page(asked: RowsAsked) -> bool:
    """Whether the server returned less than the limit that a request asked for."""
    return asked.query is not None and is_clamped(asked.query)


def _so_many_pages(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:  # noqa: ARG001
    """Every poll ends after so many pages at most, full and new ones too."""
    polls = [rows_asked(evidence, poll) for poll in evidence.polls]
    most = max(map(len, polls))
    if not is_full(asked) or not ends_its_poll(evidence, asked) or is_clamped_page(asked):
        return None
    if len(rows_asked(evidence, poll_of(evidence, asked))) != most:
        return None
    full = [
        poll
        for poll in polls
        if len(poll) == most and is_full(poll[-1]) and ends_its_poll(evidence, poll[-1])
    ]
    fresh = [poll for poll in full if not _any_known(evidence, poll[-1])]
    if len(full) < 2 or not fresh:  # once may be chance; after rows that it knows, another reason
        return None
    pages = "1 page" if most == 1 else f"{most} pages"
    return Clue(
        why=(f"No poll asked for more than {pages}, though the last of them was full.",),
        would=f"Go on from the last row of a full page: {pages} are no end."
        if most > 1
        else "Go on from the last row of a full page: one page is not the log.",
    )


def _all_known(evidence: Evidence, asked: RowsAsked) -> bool:
    first = evidence.first_delivery
    return bool(asked.ids) and all(first.get(i, asked.place) < asked.place for i in asked.ids)


def _any_known(evidence: Evidence, asked: RowsAsked) -> bool:
    """Whether a page holds a row of an earlier poll: who counts new rows takes it for short."""
    first, number = evidence.first_delivery, evidence.poll_of[asked.place]
    return any(i in first and evidence.poll_of[first[i]] < number for i in asked.ids)


def _known_page(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:  # noqa: ARG001
    """The walk ended at a full page whose rows had all been delivered before."""
    if not is_full(asked) or is_clamped_page(asked) or not ends_its_poll(evidence, asked):
        return None
    if not _all_known(evidence, asked):
        return None
    rows = len(asked.exchange.event_ids)
    return Clue(
        why=(
            f"That page was full ({rows} of {rows} rows), and all of its rows had been delivered "
            "before: there the poll ended.",
        ),
        would="Rows that are known don't end a walk, and are to be counted as rows: go on from "
        "the last row of every full page.",
    )


def _ids_not_in_time(evidence: Evidence, event: LoggedEvent, asked: RowsAsked) -> Clue | None:
    """Rows came by id, and the event's place among them is not its place in time."""
    if asked.query is None or not asked.query.order or asked.query.order[0].field != ID:
        return None
    said = ids_not_in_time(evidence, event, asked.exchange)
    return None if said is None or not asked.query.order[0].descending else Clue(why=(said,))


def ids_not_in_time(evidence: Evidence, event: LoggedEvent, served: Exchange) -> str | None:
    """Say that `event` has a lower id than a row that was recorded before it."""
    for event_id in served.event_ids:
        row = evidence.log.find(event_id)
        if row is None or row.recorded_at is None or event.recorded_at is None:
            continue
        above = isinstance(row.id, int) and isinstance(event.id, int) and row.id > event.id
        if above and row.recorded_at < event.recorded_at:
            return (
                f"{evidence.name(event.id)} (id {event.id}) was recorded after "
                f"{evidence.name(row.id)} (id {row.id}), and has the lower id: ids don't grow with "
                "time here."
            )
    return None


LOOKS: tuple[Callable[[Evidence, LoggedEvent, RowsAsked], Clue | None], ...] = (
    _failed_page,
    _new_order,
    ties,
    saved_too_soon,
    _other_order,
    _raised_bottom,
    _other_key,
    _stepped_over,
    _count,
    _so_many_pages,
    _known_page,
)
"""What to look for, the more telling first; one that is found is said."""
