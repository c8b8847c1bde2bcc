"""Margins in words: one line an axis, and how to see each break again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from fakeserver.clock import duration_text

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Margin


def labelled_margins(margins: Sequence[Margin]) -> Iterator[tuple[str, str]]:
    """Yield the paragraphs about `margins`, each with its label; none where none were measured."""
    for place, margin in enumerate(margins):
        yield "" if place else "Margins", margin_text(margin)
    if margins:
        size = margins[0].page_size
        pages = f"pages of {size} row{'s' if size > 1 else ''} were suggested"
        yield "", f"All else was calm, {pages}. No accusation."


def margin_text(margin: Margin) -> str:
    """Say how far a client stands: ``stands lateness up to 5 min 59 s, breaks at 6 min``."""
    if margin.passes_at is None and margin.fails_at is None:
        return f"{_NAMES[margin.axis]}: not measured"
    breaks = "" if margin.fails_at is None else _amount(margin, margin.fails_at)
    if margin.passes_at is None:
        return f"{_NAMES[margin.axis]}: breaks even at {breaks}{_finding(margin)}"
    text = f"stands {_WORDS[margin.axis](margin.passes_at)}"
    if breaks:
        text += f", breaks at {breaks}{_finding(margin)}"
    if margin.stands_again:
        again = ", ".join(_amount(margin, value) for value in margin.stands_again)
        text += f", and stands {again} again, so harder is not always harder for it"
    return text + _ending(margin)


def _finding(margin: Margin) -> str:
    return f" ({margin.rule}{f', {margin.cause}' if margin.cause else ''})" if margin.rule else ""


def _ending(margin: Margin) -> str:
    if margin.ended == "tried":
        return ", all that was tried"
    if margin.ended == "api":
        return f"; {margin.why}"
    return ", not measured to the end" if margin.ended == "unfinished" else ""


def _amount(margin: Margin, value: int) -> str:
    return _span(value) if margin.unit == "ms" else f"{value:,}"


def _span(ms: int) -> str:
    return duration_text(ms) if ms else "0 ms"


def _lateness(ms: int) -> str:
    return f"lateness up to {_span(ms)}" if ms else "no lateness"


def _ties(events: int) -> str:
    return f"{events:,} events at one instant" if events > 1 else "no two events at one instant"


def _appends(events: int) -> str:
    some = f"{events:,} event{'s' if events > 1 else ''}" if events else "nothing"
    return f"{some} appended between two requests"


def _cap(rows: int) -> str:
    return f"a cap of {rows:,} row{'s' if rows > 1 else ''} a page"


_WORDS: dict[str, Callable[[int], str]] = {
    "late_by_ms": _lateness,
    "ties": _ties,
    "appends_per_request": _appends,
    "limit_max": _cap,
}
_NAMES = {
    "late_by_ms": "lateness",
    "ties": "events at one instant",
    "appends_per_request": "appends during a walk",
    "limit_max": "the server's cap",
}
