"""What a click on the map opens: a request with its answer, an event as the API shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import unquote

from fakeserver.clock import clock_text, duration_text, to_text
from fakeserver.history import Exchange, PollEnded
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import failure, remark
from fakeserver.verifier.report.coverage.model import Column, CoverageMap, Dot, Lane
from fakeserver.verifier.report.page.markup import element, shown, shown_lines, terms
from fakeserver.verifier.report.words import without_token

ROWS_SHOWN_MAX = 50
"""Rows of one answer that are listed: nobody reads more, and a walk has many answers."""
EVENTS_SHOWN_MAX = 5
"""Of events that share a lane so many are shown whole; the others are like them."""
CHARS_MAX = 4_000
"""Of an error, a target or an event: a screen full."""
PLACES_SHOWN_MAX = 8
"""Places in the history of requests that were folded."""


def details(evidence: Evidence, coverage: CoverageMap) -> str:
    """Return an article for each moment and each lane; the page shows the one that is asked for."""
    lanes = {i: n for n, lane in enumerate(coverage.lanes) for i in lane.event_ids}
    articles = [
        _moment(evidence, coverage, number, column, lanes)
        for number, column in enumerate(coverage.columns)
        if column.kind != "time"
    ]
    articles += [
        _lane(evidence, coverage, number, lane) for number, lane in enumerate(coverage.lanes)
    ]
    return "\n".join(articles)


def _moment(
    evidence: Evidence,
    coverage: CoverageMap,
    number: int,
    column: Column,
    lanes: dict[EventId, int],
) -> str:
    title = f"Poll {column.poll_name}, {clock_text(column.at)}"
    body = ""
    if column.asks:
        exchange = evidence.exchange(column.places[0])
        title += f": {exchange.method}, {_came(exchange)}"
        body = terms(_request(evidence, exchange, lanes))
    elif column.kind == "gap":
        body = element("p", shown(f"Here stand {column.said}."))
    dots = [dot for dot in coverage.dots if dot.column == number]
    body += terms(
        [
            ("delivered", ", ".join(_dot(coverage, dot) for dot in dots)),
            ("then", "<br>".join(shown(act.text) for act in column.acts)),
            ("error", _errors(evidence, column)),
            ("history", _places(column, dots)),
        ]
    )
    return element("article", element("h3", shown(title)) + body, id=f"moment-{number}")


def _came(exchange: Exchange) -> str:
    rows = len(exchange.event_ids)
    if told := failure(exchange):
        return told
    if exchange.status != 200:
        return f"refused with {exchange.status}"
    return "no rows" if not rows else f"{rows} row{'s' if rows > 1 else ''}"


def _request(
    evidence: Evidence, exchange: Exchange, lanes: dict[EventId, int]
) -> Iterator[tuple[str, str]]:
    query = evidence.meant(exchange)
    target = f"{exchange.method} {_limited(exchange.target)}"
    yield "sent", element("code", shown(target))
    if (decoded := unquote(exchange.target)) != exchange.target:
        yield "decoded", element("code", shown(_limited(decoded)))
    yield "asked for", "" if query is None else shown(evidence.words(query, exchange.at))
    yield "problem", shown(exchange.problem or "")
    came = "no answer arrived" if exchange.status == 0 else str(exchange.status)
    wait = exchange.retry_after_s
    yield "answer", shown(came if wait is None else f"{came}, Retry-After {wait:g}")
    yield "odd", shown(remark(exchange))
    yield "fault", shown(exchange.fault or "")
    rows = [_row(evidence, i, lanes) for i in exchange.event_ids[:ROWS_SHOWN_MAX]]
    more = len(exchange.event_ids) - ROWS_SHOWN_MAX
    if more > 0:
        rows.append(element("li", f"and {more} more"))
    yield "rows", element("ol", "".join(rows)) if rows else ""


def _row(evidence: Evidence, event_id: EventId, lanes: dict[EventId, int]) -> str:
    event = evidence.log.find(event_id)
    stamp = "" if event is None or event.recorded_at is None else to_text(event.recorded_at)
    said = f"{evidence.name(event_id)} · id {event_id}" + (f" · {stamp}" if stamp else "")
    lane = lanes.get(event_id)
    link = shown(said) if lane is None else element("a", shown(said), href=f"#event-{lane}")
    return element("li", link)


def _dot(coverage: CoverageMap, dot: Dot) -> str:
    extra = " (again)" if dot.is_repeat else ""
    extra += " (a field differs from what was served)" if dot.is_altered else ""
    # Of a lane that several events share it is not said which: the lane tells.
    name = coverage.lanes[dot.lane].name
    extra += f" ({dot.times} times)" if dot.times > 1 else ""
    return element("a", shown(f"{name}{extra}"), href=f"#event-{dot.lane}")


def _errors(evidence: Evidence, column: Column) -> str:
    """Return the whole text of what a client raised, which may have many lines."""
    steps = [evidence.history[act.place] for act in column.acts]
    errors = [step.error for step in steps if isinstance(step, PollEnded) and step.error]
    return "".join(element("pre", shown_lines(_limited(error))) for error in errors)


def _places(column: Column, dots: list[Dot]) -> str:
    places = [*column.places, *(dot.place for dot in dots), *(act.place for act in column.acts)]
    if not places:
        return ""
    listed = [str(place) for place in sorted(places)[:PLACES_SHOWN_MAX]]
    more = " …" if len(places) > PLACES_SHOWN_MAX else ""
    return f"step{'s' if len(places) > 1 else ''} {', '.join(listed)}{more}, counted from 0"


def _lane(evidence: Evidence, coverage: CoverageMap, number: int, lane: Lane) -> str:
    title = f"{lane.name}, {lane.key}"
    body = ""
    if lane.recorded is None:
        body = element("p", shown(lane.said))
    for event_id in lane.event_ids[:EVENTS_SHOWN_MAX]:
        event = evidence.log.find(event_id)
        if event is not None:
            body += _event(evidence, event)
    more = len(lane.event_ids) - EVENTS_SHOWN_MAX
    if more > 0:
        body += element("p", f"and {more} more that fared alike")
    dots = [dot for dot in coverage.dots if dot.lane == number]
    returned = [
        n
        for n, column in enumerate(coverage.columns)
        if number < len(column.cells) and column.cells[number] in ("returned", "some")
    ]
    body += terms(
        [
            ("returned", _moments(coverage, returned) or "by no request that is drawn"),
            ("delivered", _moments(coverage, [dot.column for dot in dots]) or "never"),
        ]
    )
    return element("article", element("h3", shown(title)) + body, id=f"event-{number}")


def _event(evidence: Evidence, event: LoggedEvent) -> str:
    stamp = "none" if event.recorded_at is None else to_text(event.recorded_at)
    hidden = f", {duration_text(event.late_by_ms)} later" if event.late_by_ms else ""
    row = evidence.dialect.render_event(event, evidence.settings)
    text = json.dumps(row, indent=2, ensure_ascii=False)
    return terms(
        [
            ("event", shown(f"{evidence.name(event.id)}, id {event.id}")),
            ("stamp", shown(stamp)),
            ("visible", shown(f"{to_text(event.visible_at)}{hidden}")),
            ("as served", element("pre", shown_lines(_limited(text)))),
        ]
    )


def _moments(coverage: CoverageMap, numbers: list[int]) -> str:
    links = []
    for number in dict.fromkeys(numbers):
        column = coverage.columns[number]
        text = f"poll {column.poll}, {clock_text(column.at)}"
        links.append(element("a", shown(text), href=f"#moment-{number}"))
    return ", ".join(links)


def _limited(text: str) -> str:
    text = without_token(text)  # before it is cut: half a token is still one
    return text if len(text) <= CHARS_MAX else f"{text[:CHARS_MAX]}…"
