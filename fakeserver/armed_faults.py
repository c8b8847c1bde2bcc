"""Faults at work: counts requests and does to an answer what the armed faults say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from fakeserver.clock import INSTANT_MIN, Instant
from fakeserver.dialects.base import Answer, Ask, Refused
from fakeserver.errors import ScenarioError
from fakeserver.fault import FAULTS_MAX, Fault, Kind
from fakeserver.history import Exchange
from fakeserver.rate_limit import RateLimit

Ending = Literal["whole", "cut", "dropped", "timed-out"]
"""How an answer reaches its client: whole, in part, or not at all (and who ended it)."""

LOST_MAX = 100
"""Lost answers that are kept; a client sends what failed again before it has asked so much else."""

AnswerAsOf = Callable[[Instant], Answer]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one request.

    `answer` speaks of the log at `as_of`; only with the `ending` ``whole`` does the client get all
    of it, after `wait_ms` on top of what a request costs. `fault` is the kind that hit, or None.
    `header` is one more beside those of the answer.
    """

    answer: Answer
    as_of: Instant
    ending: Ending = "whole"
    wait_ms: int = 0
    fault: Kind | None = None
    header: tuple[str, str] | None = None


def exchange_of(ask: Ask, at: Instant, outcome: Outcome) -> Exchange:
    """Return the step that records a request of the instant `at` and what became of it."""
    answer, ending = outcome.answer, outcome.ending
    arrived = ending in ("whole", "cut")
    has_rows = ending == "whole" and ask.method != "HEAD"
    return Exchange(
        at=at,
        method=ask.method,
        target=ask.target,
        status=answer.status if arrived else 0,
        event_ids=answer.event_ids if has_rows else (),
        problem=answer.problem,
        fault=outcome.fault,
        as_of=None if outcome.as_of == at else outcome.as_of,
        took_ms=outcome.wait_ms if arrived else 0,
        retry_after_s=_retry_after_s(answer) if arrived else None,
    )


def _retry_after_s(answer: Answer) -> float | None:
    if not answer.headers:
        return None
    return next((float(value) for name, value in answer.headers if name == "Retry-After"), None)


def too_many(limit: RateLimit) -> Refused:
    """Return what a full bucket says."""
    return Refused(
        429,
        "rate-limited",
        f"more than {limit.size} requests at once, or {limit.leak_per_s} a second for long; "
        f"wait {limit.retry_after} seconds",
        headers=(("Retry-After", limit.retry_after),),
    )


class ArmedFaults:
    """The faults that are armed, and how many requests they have seen.

    Where several hit one request, the first of them does. An answer that a ``repeated-answer`` has
    lost is kept until the same request is sent again. Besides, every `transient_every`-th request
    is refused as by a ``transient-422`` that nobody armed (None: no request is).
    """

    def __init__(self, faults: Iterable[Fault] = (), *, transient_every: int | None = None) -> None:
        self._faults = tuple(faults)
        self._transient_every = transient_every
        if len(self._faults) > FAULTS_MAX:
            raise ScenarioError(
                f"expected at most {FAULTS_MAX} faults at a time, got {len(self._faults)}"
            )
        self._asked = 0
        self._lost: dict[tuple[str, str], tuple[Answer, Instant]] = {}

    @property
    def are_none(self) -> bool:
        """Whether no request is ever hit, so that none need be counted."""
        return not self._faults and self._transient_every is None

    def left(self) -> tuple[tuple[Fault, int | None], ...]:
        """The faults that can still hit, and how many requests each; None: without end."""
        pairs = ((fault, fault.left(self._asked)) for fault in self._faults)
        return tuple((fault, left) for fault, left in pairs if left != 0)

    def meet(
        self,
        ask: Ask,
        at: Instant,
        *,
        answer: AnswerAsOf,
        refuse: Callable[[Refused], Answer],
        timeout_ms: int | None = None,
        may_leave: bool = False,
    ) -> Outcome:
        """Count the request `ask`, which came at `at`, and say what becomes of it.

        `answer` computes the answer as of an instant; it is not called where the server never gets
        to it. `timeout_ms` is how long the client waits, None for ever; `may_leave` says that this
        is not known yet: call `forget` if it has waited for the answer to the end.
        """
        self._asked += 1
        if found := self._lost.pop((ask.method, ask.target), None):
            return Outcome(answer=found[0], as_of=found[1], fault="repeated-answer")
        fault = next((fault for fault in self._all() if fault.hits(self._asked)), None)
        if fault is None:
            return Outcome(answer=answer(at), as_of=at)
        refused = _refusal(fault)
        if refused is not None:
            return Outcome(answer=refuse(refused), as_of=at, fault=fault.kind)
        as_of = max(INSTANT_MIN, at - (fault.ms or 0)) if fault.kind == "stale-read" else at
        outcome = _damaged(fault, ask, answer(as_of), as_of, timeout_ms)
        if fault.kind == "repeated-answer" and (outcome.ending != "whole" or may_leave):
            self._keep(ask, outcome)
        return outcome

    def forget(self, ask: Ask, outcome: Outcome) -> None:
        """Keep an answer no longer, for it has arrived."""
        kept = self._lost.get((ask.method, ask.target))
        if kept is not None and kept[1] == outcome.as_of:
            del self._lost[ask.method, ask.target]

    def _all(self) -> Iterator[Fault]:
        """Yield what is armed, and the refusal that is due now if one is."""
        yield from self._faults
        if self._transient_every is not None and self._asked % self._transient_every == 0:
            yield Fault(kind="transient-422", times=None)

    def _keep(self, ask: Ask, outcome: Outcome) -> None:
        """Remember an answer that did not arrive: the same request is to get it again."""
        self._lost[ask.method, ask.target] = outcome.answer, outcome.as_of
        if len(self._lost) > LOST_MAX:
            del self._lost[next(iter(self._lost))]


def _damaged(
    fault: Fault, ask: Ask, answer: Answer, as_of: Instant, timeout_ms: int | None
) -> Outcome:
    """Say what a fault does to an answer that the server did compute."""
    ending: Ending = "whole"
    wait_ms = 0
    if fault.kind == "truncated-body":
        if ask.method == "HEAD":  # there is no body to cut
            return Outcome(answer=answer, as_of=as_of)
        ending = "cut"
    elif fault.kind == "dropped-connection" or (
        fault.kind == "repeated-answer" and fault.ms is None
    ):
        ending = "dropped"
    elif fault.kind in ("slow-answer", "repeated-answer"):
        wait_ms = fault.ms or 0
        if timeout_ms is not None and timeout_ms < wait_ms:
            ending, wait_ms = "timed-out", timeout_ms
    return Outcome(answer=answer, as_of=as_of, ending=ending, wait_ms=wait_ms, fault=fault.kind)


_SAYS = {
    500: "something went wrong on the server; send the request again",
    502: "the server behind this one did not answer; send the request again",
    503: "the service is not available at the moment; send the request again later",
    429: "too many requests; wait, and send this one again",
    422: "the request could not be processed at the moment; send it again",
    401: "the token has expired; get a new one and send the request again",
}
_STATUS = {"rate-limited": 429, "transient-422": 422, "token-expired": 401}


def _refusal(fault: Fault) -> Refused | None:
    """Return what a server says that never looks at the request, or None for other faults."""
    status = fault.status or 503 if fault.kind == "server-error" else _STATUS.get(fault.kind)
    if status is None:
        return None
    headers: tuple[tuple[str, str], ...] = ()
    if fault.retry_after_s is not None:
        seconds = fault.retry_after_s
        headers = (("Retry-After", f"{seconds:.0f}" if seconds == int(seconds) else f"{seconds}"),)
    if status == 401:
        headers = (("WWW-Authenticate", "Bearer"),)
    return Refused(status, fault.kind, _SAYS[status], headers=headers)
