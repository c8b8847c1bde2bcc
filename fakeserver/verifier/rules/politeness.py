"""IMPOLITE: the client asked again before the server's pause was over, or hammered an idle feed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fakeserver.clock import SECOND_MS, Instant, clock_text, duration_text
from fakeserver.history import Exchange, PollStarted, Slept
from fakeserver.scenario import EventId
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.rules.rule import Rule
from fakeserver.verifier.verdict import Finding

IDLE_ASKS_MAX = 20
"""The same question so often, and nothing new: waiting, and no walk. A right client whose limit
grows at ties asks a dozen times under a cap, and each time for another limit."""
IDLE_SLEEP_MS_MIN = SECOND_MS
"""What all the sleeps between so many questions must come to: a twentieth of a second each. Feeds
are polled every few seconds; nobody who means to wait waits so little."""

Request = tuple[str, str]
"""Method and target: what is the same when a request is sent again."""


def impolite(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of asking again before `Retry-After` was over, and of hammering an idle feed.

    Both are about one request that one poll sends again. Before its time: in less than the seconds
    of `Retry-After` after the second in which it was refused, which is the earliest that anybody
    can count from (the ``Date`` of the answer). Hammering: `IDLE_ASKS_MAX` times in a row it
    brought nothing that this poll had not been served before, and between the first of these and
    the last the client slept less than `IDLE_SLEEP_MS_MIN`.

    Never: the first request of a poll, for the runner decides when that starts; another request
    than the refused one, which may have been on its way; a pause that the client never heard of,
    because the answer was cut; requests that went on by themselves to new rows. Nor in an open
    world: there it may have been another program, and its clock need not be the client's. Of a
    poll that had to be stopped `STUCK` says that it hammered.
    """
    if evidence.scenario.is_open:
        return
    manners = _Manners(evidence)
    for place, step in enumerate(evidence.history):
        if isinstance(step, PollStarted):
            manners = _Manners(evidence)
        elif isinstance(step, Slept):
            manners.slept_ms += step.ms
        elif isinstance(step, Exchange):
            for finding in manners.meet(place, step):
                yield finding
                return


class _Manners:
    """What the client of one poll was asked to wait for, and how often it asked for the same."""

    def __init__(self, evidence: Evidence) -> None:
        self.slept_ms = 0
        self._evidence = evidence
        self._ordered: dict[Request, tuple[int, Instant]] = {}
        self._served: set[EventId] = set()
        self._idle: defaultdict[Request, list[tuple[int, int]]] = defaultdict(list)

    def meet(self, place: int, exchange: Exchange) -> Iterator[Finding]:
        request = (exchange.method, exchange.target)
        refused, until = self._ordered.pop(request, (0, exchange.at))
        if exchange.at < until:
            yield _too_soon(self._evidence, refused, place)
        if exchange.retry_after_s is not None and exchange.fault != "truncated-body":
            since = exchange.at - exchange.at % SECOND_MS
            self._ordered[request] = place, since + round(exchange.retry_after_s * SECOND_MS)
        if not self._served.issuperset(exchange.event_ids):
            self._served.update(exchange.event_ids)
            self._idle.clear()
        elif self._is_page(exchange):
            idle = self._idle[request]
            idle.append((place, self.slept_ms))
            first, slept_ms = idle[-IDLE_ASKS_MAX:][0]
            slept_ms = self.slept_ms - slept_ms
            if len(idle) >= IDLE_ASKS_MAX and slept_ms < IDLE_SLEEP_MS_MIN:
                yield from _hammered(self._evidence, first, place, slept_ms)

    def _is_page(self, exchange: Exchange) -> bool:
        query = self._evidence.query(exchange)
        return query is not None and query.endpoint == "list"


def _too_soon(evidence: Evidence, refused: int, place: int) -> Finding:
    before, again = evidence.exchange(refused), evidence.exchange(place)
    ordered_ms = round((before.retry_after_s or 0) * SECOND_MS)
    ordered = duration_text(ordered_ms)
    until = before.at - before.at % SECOND_MS + ordered_ms
    waited = duration_text(again.at - before.at)
    return Finding(
        rule="IMPOLITE",
        steps=(refused, place),
        message=f"poll {evidence.poll_of[place]} asked again after {waited}, and not after the "
        f"{ordered} that the server had asked for",
        why=(
            f"{before.method} {before.target} was answered {before.status} at "
            f"{clock_text(before.at)}, with Retry-After: wait {ordered}.",
            f"The same request was sent again at {clock_text(again.at)}, {waited} later.",
        ),
        allowed="A server may ask for a pause (RFC 9110, section 10.2.3); one that is asked on "
        "all the same may lock the client out.",
        would=f"Send the request again not before {clock_text(until, near=before.at)}, when the "
        f"{ordered} of Retry-After are over (feed.sleep costs no real time); or let the poll fail, "
        "and come back in the next one.",
    )


def _hammered(evidence: Evidence, first: int, place: int, slept_ms: int) -> Iterator[Finding]:
    poll = evidence.polls[evidence.poll_of[place] - 1]
    if poll.ended is not None and poll.ended.ending == "stopped":
        return
    exchange = evidence.exchange(place)
    rows = "no rows" if not exchange.event_ids else "no row that it had not brought before"
    slept = f"slept {duration_text(slept_ms)} in all" if slept_ms else "did not wait at all"
    yield Finding(
        rule="IMPOLITE",
        steps=(first, place),
        message=f"poll {poll.number} asked an idle feed the same {IDLE_ASKS_MAX} times and {slept}",
        why=(
            f"From {clock_text(evidence.exchange(first).at)} to {clock_text(exchange.at)} it sent "
            f"{exchange.method} {exchange.target} {IDLE_ASKS_MAX} times, and it brought {rows}.",
        ),
        would="When nothing is new, wait some seconds before asking again (feed.sleep costs no "
        "real time); or return, and be called for the next poll.",
    )


IMPOLITE = Rule(
    name="IMPOLITE",
    accuses="The client sent a request again before the server's Retry-After was over, or asked "
    "an idle feed the same again and again with hardly a wait.",
    spares="The first request of a poll, other requests than the refused one, waiting with sleep, "
    "and all requests to a feed that several programs may be asking.",
    source="invariant 'Retry-After is a floor'; fault class C28; icoretech/codex-pooler#390",
    apply=impolite,
)
