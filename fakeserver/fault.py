"""What can go wrong with an answer: each kind of fault, and when it hits. Data, no decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from fakeserver.errors import ScenarioError

Kind = Literal[
    "server-error",
    "rate-limited",
    "transient-422",
    "token-expired",
    "dropped-connection",
    "truncated-body",
    "slow-answer",
    "stale-read",
    "repeated-answer",
]

SERVER_ERRORS = (500, 502, 503)
"""The statuses of a server in trouble; the last is the usual one of a server that will be back."""
MS_MAX = 3_600_000
"""An hour: nobody waits longer for an answer, and no replica that is still read trails further."""
RETRY_AFTER_S_MAX = 86_400.0
"""A day; servers that ask for more are closed for good."""
TIMES_MAX = 10_000
"""More than any poll sends; None says "until disarmed" without a number."""
FAULTS_MAX = 100
"""Faults armed at one time. A client meets one a request, and few polls send more requests."""


class FaultKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of fault: what a client meets, where that is known from, and which fields it takes.

    `takes` are fields of `Fault` that mean something for this kind, `needs` those it can't lack.
    """

    name: Kind
    about: str
    source: str
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


class Fault(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Something that goes wrong with requests `nth` to ``nth + times - 1``, counted from 1.

    The count starts when the fault is armed; `times` None lasts until it is disarmed. `status` is
    that of a ``server-error`` (503 where it is None), `retry_after_s` what its ``Retry-After`` says
    (None: no such header). `ms` is how long a ``slow-answer`` takes, how old a ``stale-read`` is,
    and how late a ``repeated-answer`` would come (None: the connection is dropped instead).
    Raises `ScenarioError` that names the field and what was expected.
    """

    kind: Kind
    nth: int = 1
    times: int | None = 1
    status: int | None = None
    retry_after_s: float | None = None
    ms: int | None = None

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise ScenarioError(f"the fault {self.kind!r}: {problem}")

    def hits(self, number: int) -> bool:
        """Whether it hits request `number`, counted from 1."""
        return self.nth <= number and (self.times is None or number < self.nth + self.times)

    def left(self, number: int) -> int | None:
        """How many requests after request `number` it will still hit; None: no end to it."""
        return None if self.times is None else min(self.times, max(0, self.end - 1 - number))

    @property
    def end(self) -> int:
        """The first request that it no longer hits, where `times` is a number."""
        return self.nth + (self.times or 0)


def _problems(fault: Fault) -> Iterator[str]:
    kind = FAULT_KINDS.get(fault.kind)
    if kind is None:
        known = ", ".join(FAULT_KINDS)
        yield f"no such kind; known are {known}"
        return
    for name in ("status", "retry_after_s", "ms"):
        given = getattr(fault, name) is not None
        if given and name not in kind.takes:
            yield f"{name} means nothing here; it takes {', '.join(kind.takes) or 'none of them'}"
        if not given and name in kind.needs:
            yield f"{name} is missing"
    if not 1 <= fault.nth <= TIMES_MAX:
        yield f"nth counts requests from 1 to {TIMES_MAX}, got {fault.nth}"
    if fault.times is not None and not 1 <= fault.times <= TIMES_MAX:
        yield f"times must be 1 to {TIMES_MAX}, or null for no end, got {fault.times}"
    if fault.status is not None and fault.status not in SERVER_ERRORS:
        yield f"status must be {', '.join(map(str, SERVER_ERRORS))}, got {fault.status}"
    if fault.retry_after_s is not None and not 0 <= fault.retry_after_s <= RETRY_AFTER_S_MAX:
        yield f"retry_after_s must be 0 to {RETRY_AFTER_S_MAX:g} (a day), got {fault.retry_after_s}"
    if fault.ms is not None and not 1 <= fault.ms <= MS_MAX:
        yield f"ms must be 1 to {MS_MAX} (an hour), got {fault.ms}"


_ALL = (
    FaultKind(
        name="server-error",
        about="The server fails and says so: 500, 502 or 503, with or without Retry-After.",
        source="fault class C26; stella/stella#3132, where a 502 was taken for the end",
        takes=("status", "retry_after_s"),
    ),
    FaultKind(
        name="rate-limited",
        about="Too many requests: 429, with or without Retry-After.",
        source="fault class C28; sjkingo/python-freshdesk#95, icoretech/codex-pooler#390",
        takes=("retry_after_s",),
    ),
    FaultKind(
        name="transient-422",
        about="A right request is refused with 422 and accepted when it is sent again.",
        source="fault class C26; seen at the vendor's API: the same page, 422 and then 200",
    ),
    FaultKind(
        name="token-expired",
        about="The token stops working, perhaps in mid-walk: 401 for a number of requests.",
        source="fault class C29; airbytehq/airbyte#70223",
    ),
    FaultKind(
        name="dropped-connection",
        about="The connection is closed and no answer comes.",
        source="fault class C26",
    ),
    FaultKind(
        name="truncated-body",
        about="The connection is closed in the middle of the body.",
        source="fault class C26",
    ),
    FaultKind(
        name="slow-answer",
        about="The answer takes its time; a client with a shorter time-out gives up.",
        source="fault class C27; Azure/Azure-Sentinel#14984",
        takes=("ms",),
        needs=("ms",),
    ),
    FaultKind(
        name="stale-read",
        about="The answer comes from a replica that trails behind: the log as it was before.",
        source="fault class C10; kubernetes/kubernetes#67998",
        takes=("ms",),
        needs=("ms",),
    ),
    FaultKind(
        name="repeated-answer",
        about="The answer is lost on its way. The same request, sent again, gets the bytes that "
        "were computed the first time.",
        source="fault classes C10, C27",
        takes=("ms",),
    ),
)

FAULT_KINDS: Mapping[str, FaultKind] = {kind.name: kind for kind in _ALL}
"""Every kind of fault by its name."""
