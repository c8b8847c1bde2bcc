"""Words of a report: on one line, no longer than a line, and harmless to a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from fakeserver.dialects.base import TOKEN

WIDTH_MIN, WIDTH_MAX = 60, 100
"""Reports are wrapped to the terminal, within what can be read."""

ERROR_CHARS_MAX = 120
"""An exception's text may hold a whole URL; what it is, and where it was raised, is enough."""

ID_CHARS_MAX = 24
"""An id may be anything a client makes up; so much of it tells it from others."""


def plain(text: str) -> str:
    """Return `text` on one line, without the token and without what a terminal would obey.

    Ids, errors and checkpoints are a client's own and may hold anything.
    """
    text = without_token(text)
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char in "\n\r\t" else repr(char)[1:-1]
        for char in text
    )


def without_token(text: str) -> str:
    """Return `text` with the fake's token blotted out."""
    return text.replace(TOKEN, "<token>")


def short(text: str) -> str:
    """Return an id as `plain` shows it, cut where it is long."""
    text = plain(text)  # before it is cut: half a token is still one
    return text if len(text) <= ID_CHARS_MAX else f"{text[: ID_CHARS_MAX - 1]}…"


def error_text(text: str) -> str:
    """Return a text that ends with an exception, not too long, with the place where it was."""
    text = plain(text)  # before it is cut: half a token is still one
    place = re.search(r", at [^\s:]+:\d+$", text)
    what = text if place is None else text[: place.start()]
    if len(what) <= ERROR_CHARS_MAX:
        return text
    return f"{what[:ERROR_CHARS_MAX].rstrip()}…{'' if place is None else place[0]}"


def wrapped(text: str, width: int, *, head: str, indent: str) -> Iterator[str]:
    """Yield lines of at most `width`; a word that no line can hold is cut short."""
    room = max(1, width - max(len(head), len(indent)))
    yield from textwrap.wrap(
        " ".join(
            word if len(word) <= room else f"{word[: room - 1]}…" for word in plain(text).split(" ")
        ),
        width,
        initial_indent=head,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def laid_out(parts: Iterable[str], width: int, *, head: str) -> Iterator[str]:
    """Yield lines that hold whole parts, three spaces apart; one that is too long is wrapped.

    So a part never goes on in the line of another, and needs no sign between the two.
    """
    indent, line, is_open = " " * len(head), "", False
    for part in map(plain, parts):
        if is_open and len(line) + 3 + len(part) <= width:
            line += f"   {part}"
            continue
        if line:
            yield line
        first = indent if line else head
        *full, line = wrapped(part, width, head=first, indent=f"{indent}  ")
        yield from full
        is_open = not full
    yield line
