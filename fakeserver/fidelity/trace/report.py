"""What a trace found, for people: the verdict, the requests that contradict, the lateness."""

from __future__ import annotations

import re
import textwrap
from urllib.parse import unquote

from fakeserver.clock import SECOND_MS, clock_text, duration_text
from fakeserver.dialects import find_dialect
from fakeserver.fidelity.trace.checking import Answered
from fakeserver.fidelity.trace.tracing import Traced
from fakeserver.fidelity.values import printable
from fakeserver.profile import MeasuredLateness

IDS_SHOWN_MAX = 12
"""A page has more; the event in question stands beside."""
KNOWN = {
    "haravan": (
        "limit",
        "page",
        "page_info",
        "since_id",
        "created_at_min",
        "created_at_max",
        "filter",
        "verb",
        "fields",
    ),
    "saleschannel": ("$limit", "$orderBy", "$filter"),
}
"""Only the values of these are shown: of another parameter nobody knows what it holds."""
NAME = re.compile(r"[A-Za-z_$]{1,40}")
"""And its name, where it looks like one."""


def refusal(traced: Traced, *, width: int) -> str:
    """Return why no setting explains a recording."""
    contradiction = traced.contradiction
    assert contradiction is not None  # noqa: S101 - the caller asked
    says = (
        f"CONTRADICTED  {printable(contradiction.says)}: no setting of {traced.dialect} explains it"
    )
    lines = textwrap.wrap(says, width, subsequent_indent="  ")
    for place in contradiction.places:
        lines += ["", *_request(traced, place, width)]
    return "\n".join(lines) + "\n"


def _request(traced: Traced, place: int, width: int) -> list[str]:
    each = traced.answered[place]
    recorded = each.recorded
    when = "" if recorded.seen_from is None else f"  {clock_text(recorded.seen_from)}"
    lines = [f"  {recorded.where}{when}"]
    lines += textwrap.wrap(
        printable(f"GET {shown_target(traced.dialect, each)}"),
        width,
        initial_indent="    ",
        subsequent_indent="      ",
        break_on_hyphens=False,
    )
    ids = each.page.ids if each.page is not None else ()
    text = printable(" ".join(map(str, ids[:IDS_SHOWN_MAX]))) or "-"
    more = f" and {len(ids) - IDS_SHOWN_MAX} more" if len(ids) > IDS_SHOWN_MAX else ""
    lines += textwrap.wrap(
        f"{recorded.status}: {text}{more}",
        width,
        initial_indent="    ",
        subsequent_indent="      ",
    )
    return lines


def shown_target(dialect: str, each: Answered) -> str:
    """Return path and query of a request; of unknown parameters only the names."""
    ask = each.recorded.ask
    parts = []
    for part in ask.query.split("&") if ask.query else ():
        name, equals, value = part.partition("=")
        name = unquote(name)
        if name.partition("[")[0] in KNOWN[dialect]:
            parts.append(f"{name}{equals}{unquote(value)}")
        else:  # what has no value may be a token itself
            parts.append(f"{name}=…" if equals and NAME.fullmatch(name) else "…")
    query = "&".join(parts)
    return f"{ask.path}?{query}" if query else ask.path


def lateness_lines(found: MeasuredLateness | None, *, width: int) -> list[str]:
    """Return the distribution of lateness, each quantile as an interval."""
    if found is None:
        return ["lateness: no event was recorded while somebody looked"]
    low, high = (f"{share:.1%}" for share in found.share_over_minute)
    over = low if low == high else f"{low} to {high}"
    says = f"lateness of {found.events} events, from their stamps to when they could be read; over "
    lines = textwrap.wrap(f"{says}a minute: {over}", width)
    for name, least in found.least.items():
        most = -(-found.most[name] // SECOND_MS) * SECOND_MS
        shown = f"{duration_text(least // SECOND_MS * SECOND_MS)} to {duration_text(most)}"
        lines.append(f"  {name:<5} within {shown}")
    return lines


def head(traced: Traced) -> str:
    """Return the first line on an explained recording."""
    title = find_dialect(traced.dialect).title
    return (
        f"EXPLAINED  {len(traced.answered)} requests for {title}, {len(traced.events)} events: "
        "the model could have answered so"
        + (f"; {traced.unread} bodies can't be read, and say nothing" if traced.unread else "")
    )
