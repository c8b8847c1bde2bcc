"""The classes of what is neither a loss nor a repeat."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fakeserver.history import OVERRAN, Exchange, PollEnded
from fakeserver.query import ID
from fakeserver.verifier.diagnosis.traces import is_full, is_page_of_ties, rows_asked
from fakeserver.verifier.evidence import Evidence, RowsAsked
from fakeserver.verifier.failures import is_failure
from fakeserver.verifier.proofs import is_of_nothing, server_of
from fakeserver.verifier.verdict import Finding

BY_CODE = {"lost-plus": "C33", "no-token": "C29"}
DAMAGED = frozenset({"unparsable-query", "repeated-parameter", "bad-page-info", "beside-page-info"})
"""Refusals that, of another page than the first, mean that its parameters were spoilt."""
UNITS = (timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1))
ZONES_APART_MAX = timedelta(hours=26)
"""From UTC-12 to UTC+14."""


def stuck(evidence: Evidence, finding: Finding) -> str | None:
    """Ties that fill the page, an end that is not recognised, or a cursor that does not move."""
    ended = evidence.history[finding.steps[-1]]
    if not isinstance(ended, PollEnded) or OVERRAN in (ended.error or ""):
        return None
    asked = rows_asked(evidence, evidence.polls[ended.poll - 1])
    if not asked or is_failure(asked[-1].exchange):
        return None
    if is_page_of_ties(evidence, asked[-1]):
        return "C03"
    if not any(page.exchange.target == asked[-1].exchange.target for page in asked[:-1]):
        return None
    if asked[-1].exchange.event_ids:
        return "C34" if _stands_as_text(asked) else "C19"
    pages = [page for page in asked if page.exchange.event_ids]
    return "C17" if pages and is_full(pages[-1]) else None


def _stands_as_text(asked: list[RowsAsked]) -> bool:
    query = asked[-1].query
    conditions = () if query is None else query.conditions
    return any(c.field == ID and is_largest_as_text(asked, c.value) for c in conditions)


def is_largest_as_text(asked: list[RowsAsked], bound: Any) -> bool:
    """Whether an id is the largest of all that were read if they are compared as text alone."""
    ids = [i for page in asked for i in page.exchange.event_ids if isinstance(i, int)]
    return bound in ids and max(ids) != bound == max(ids, key=str)


def crashed(evidence: Evidence, finding: Finding) -> str | None:
    """An empty page whose last row is taken, or a row without a key."""
    ended = evidence.history[finding.steps[-1]]
    if not isinstance(ended, PollEnded):
        return None
    error = ended.error or ""
    asked = rows_asked(evidence, evidence.polls[ended.poll - 1])
    if not asked or not asked[-1].exchange.is_sound:
        return None
    rows = [evidence.log.find(event_id) for event_id in asked[-1].exchange.event_ids]
    if not rows:
        return "C16" if is_of_nothing(error) else None
    is_null = any(row is not None and row.recorded_at is None for row in rows)
    return "C35" if is_null and is_of_a_null(error) else None


def is_of_a_null(error: str) -> bool:
    """Whether an exception, as text, is one that using None as a value brings about."""
    return error.startswith(("TypeError", "AttributeError"))


def illegal_request(evidence: Evidence, finding: Finding) -> str | None:
    """By the refusal; parameters that come apart only on a later page were spoilt on the way."""
    code = finding.cause or ""
    if code in DAMAGED:
        before = evidence.history[: finding.steps[0]]
        good = any(isinstance(step, Exchange) and step.status == 200 for step in before)
        return "C30" if good else None
    if code == "bad-number":
        return _bad_number(evidence.exchange(finding.steps[0]).target)
    return BY_CODE.get(code)


def impolite(evidence: Evidence, finding: Finding) -> str | None:
    """A pause that was ordered; of an idle feed nobody had ordered one."""
    asked = evidence.exchange(finding.steps[0])
    return None if asked.retry_after_s is None else "C28"


def _bad_number(target: str) -> str | None:
    """An id that has become a number with a fraction."""
    for name, value in parse_qsl(urlsplit(target).query):
        if name.endswith("id") and re.fullmatch(r"\d+\.\d+(e\+?\d+)?", value):
            return "C34"
    return None


def out_of_order(evidence: Evidence, finding: Finding) -> str | None:
    """An event that was not there yet, or one that was, in another order than assumed."""
    second, first = map(evidence.log.find, finding.event_ids)
    if second is None or first is None:
        return None
    page = server_of(evidence, first.id, finding.steps[0])
    if page is None:
        return None
    if second.visible_at <= evidence.exchange(page).at:
        return "C21"
    if evidence.promise.order == "recorded":
        return None  # who looks back delivers it late as well: order takes holding back
    return "C09" if second.late_by_ms else "C05"


def invented(evidence: Evidence, finding: Finding) -> str | None:
    """An id that lost its last digits in a number that holds no more."""
    ids = {event.id for event in evidence.scenario.events if isinstance(event.id, int)}
    rounded = {int(float(event_id)) for event_id in ids} - ids
    return "C34" if rounded.issuperset(finding.event_ids) else None


def altered(evidence: Evidence, finding: Finding) -> str | None:
    """Stamps that were rounded, or moved into another zone; other fields tell nothing."""
    delivered = evidence.delivered(finding.steps[0])
    event = evidence.log.find(delivered.event_id)
    if event is None or delivered.event is None:
        return None
    truth = evidence.dialect.render_event(event, evidence.settings)
    classes = {
        _changed(truth[name], value)
        for name, value in delivered.event.items()
        if name in truth and name != "id" and truth[name] != value
    }
    return classes.pop() if len(classes) == 1 else None


def _changed(served: Any, delivered: Any) -> str | None:
    try:
        pair = datetime.fromisoformat(served), datetime.fromisoformat(delivered)
        apart = pair[1] - pair[0]
    except (TypeError, ValueError):  # no stamps, or one of them without a zone
        return None
    if not apart:
        return None
    if any(abs(apart) < unit and not _rest(pair[1], unit) for unit in UNITS):
        return "C31"
    whole = not apart % timedelta(minutes=15) and abs(apart) <= ZONES_APART_MAX
    return "C32" if whole else None


def _rest(moment: datetime, unit: timedelta) -> timedelta:
    since: timedelta = moment - datetime(2000, 1, 1, tzinfo=moment.tzinfo)
    return since % unit
