"""What was found about the switches, as a table for people: value and evidence, by certainty."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from fakeserver.profile_file import ProfileFile, Status, SwitchFinding

TITLES: dict[Status, str] = {
    "contradicted": "contradicted: the service does what the fake can't",
    "decided": "decided",
    "narrowed": "narrowed: one of these values",
    "undecided": "undecided: every value that the document allows stays possible",
}
VALUE_CHARS = 16
"""The longest value of a switch, bar the zones; those have a line of their own."""


def table(found: ProfileFile, *, width: int, command: str, requests: int | None = None) -> str:
    """Return all findings as text of at most `width` columns.

    `command` is what made them, and `requests` how many it rests on (default: those in the file).
    """
    counts = dict.fromkeys(TITLES, 0)
    for finding in found.switches.values():
        counts[finding.status] += 1
    count = len(found.requests) if requests is None else requests
    head = (
        f"{found.dialect} · {command} {found.seen} · {count} requests · "
        f"{counts['decided']} of {len(found.switches)} switches decided"
    )
    lines = textwrap.wrap(head, width)
    name_chars = max(map(len, found.switches), default=0)
    for status, title in TITLES.items():
        if counts[status]:
            lines += ["", *textwrap.wrap(title, width)]
            for name, finding in found.switches.items():
                if finding.status == status:
                    lines += _row(name, finding, name_chars, width)
    return "\n".join(lines) + "\n"


def _row(name: str, finding: SwitchFinding, name_chars: int, width: int) -> Iterator[str]:
    value = ", ".join("none" if each is None else str(each) for each in finding.values)
    asked = f" (request {_span(finding.requests)})" if finding.requests else ""
    start = f"  {name:<{name_chars}}  "
    if value:
        start += f"{value:<{VALUE_CHARS}}  "
    indent = " " * (2 + name_chars + 2 + (VALUE_CHARS + 2 if finding.values else 0))
    if len(start) > len(indent):
        yield start.rstrip()
        start = indent
    yield from textwrap.wrap(
        f"{finding.evidence}{asked}", width, initial_indent=start, subsequent_indent=indent
    )


def _span(numbers: tuple[int, ...]) -> str:
    """Write numbers as ``3``, ``3-7`` or ``3, 5, 9``."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ", ".join(map(str, numbers))
