"""The hazards of a net: what went wrong with an answer that a client needed."""

from __future__ import annotations

from collections.abc import Iterator

from fakeserver.fault import Kind
from fakeserver.history import Exchange
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.hazard import Detector, Hazard, always


def _rows_asked(evidence: Evidence) -> Iterator[Exchange]:
    """Yield the requests for rows, whatever became of them."""
    for asked in evidence.asked:
        is_list = asked.query is not None and asked.query.endpoint == "list"
        if is_list and asked.exchange.method == "GET":
            yield asked.exchange


def _hit_by(kind: Kind) -> Detector:
    def detect(evidence: Evidence) -> bool:
        return any(exchange.fault == kind for exchange in _rows_asked(evidence))

    return detect


def _rate_limited(evidence: Evidence) -> bool:
    """By a fault, or by the limit that an API has: a client can't tell the two apart."""
    return any(exchange.status == 429 for exchange in _rows_asked(evidence))


FAULT_HAZARDS = (
    Hazard(
        name="server-error",
        about="A request for rows was answered 500, 502 or 503.",
        source="fault class C26; stella/stella#3132, pipeshub-ai/pipeshub-ai#3095",
        possible=always,
        exercised=_hit_by("server-error"),
    ),
    Hazard(
        name="rate-limited",
        about="A request for rows was answered 429, with or without Retry-After.",
        source="fault classes C26, C28; sjkingo/python-freshdesk#95, icoretech/codex-pooler#390",
        possible=always,
        exercised=_rate_limited,
    ),
    Hazard(
        name="dropped-connection",
        about="The connection was closed before a page came.",
        source="fault class C26; DataZooDE/erpl-web#93",
        possible=always,
        exercised=_hit_by("dropped-connection"),
    ),
    Hazard(
        name="truncated-body",
        about="The connection was closed in the middle of a page.",
        source="fault class C26; DOI-USGS/dataretrieval-python#279",
        possible=always,
        exercised=_hit_by("truncated-body"),
    ),
    Hazard(
        name="slow-answer",
        about="A page took long, or so long that the client gave up waiting for it.",
        source="fault class C27; Azure/Azure-Sentinel#14984",
        possible=always,
        exercised=_hit_by("slow-answer"),
    ),
    Hazard(
        name="token-expired",
        about="The token stopped working, perhaps in mid-walk: a request for rows was answered "
        "401.",
        source="fault class C29; airbytehq/airbyte#70223, airbytehq/airbyte#48740",
        possible=always,
        exercised=_hit_by("token-expired"),
    ),
)
"""Each is met with a request for rows: a client needs no other."""
