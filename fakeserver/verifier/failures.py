"""What a fault made of an answer, in words: the same ones in timelines and in proofs."""

from __future__ import annotations

from fakeserver.clock import clock_text, duration_text
from fakeserver.history import Exchange


def is_failure(exchange: Exchange) -> bool:
    """Whether no page came of it, and the request is not to blame: a fault, or the rate limit."""
    return failure(exchange) is not None


def failure(exchange: Exchange) -> str | None:
    """Say what came instead of a page: ``503, Retry-After 2``, ``connection dropped``.

    None where a whole answer came, and for a refusal that the request itself brought about.
    """
    if exchange.status == 0:
        if exchange.fault == "slow-answer":
            return "timed out"
        return "connection dropped" if exchange.fault == "dropped-connection" else "answer lost"
    if exchange.fault == "truncated-body":
        return "body cut"
    is_refused = exchange.status == 429 or exchange.fault in (
        "server-error",
        "rate-limited",
        "transient-422",
        "token-expired",
    )
    if not is_refused:
        return None
    wait = "" if exchange.retry_after_s is None else f", Retry-After {exchange.retry_after_s:g}"
    return f"{exchange.status}{wait}"


def remark(exchange: Exchange) -> str:
    """Say what was odd about a whole answer: ``after 30 s``, ``the log of 12:00:05``, or ""."""
    said = []
    if exchange.took_ms:
        said.append(f"after {duration_text(exchange.took_ms)}")
    if exchange.as_of is not None:
        said.append(f"the log of {clock_text(exchange.as_of, near=exchange.at)}")
    return ", ".join(said)
