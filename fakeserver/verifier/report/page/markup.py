"""Text made harmless for a page: escaped, without the token, without what a browser would obey."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from fakeserver.verifier.report.words import plain


def shown(text: str) -> str:
    """Return `text` as markup that shows it, on one line."""
    return escape(plain(text))


def shown_lines(text: str) -> str:
    """Return `text` as markup that shows it, its lines kept."""
    return "\n".join(shown(line) for line in text.split("\n"))


def element(tag: str, content: str, **attributes: str) -> str:
    """Return an element around `content`, which is markup; empty attributes are left out.

    Of their names a ``_`` at the end is dropped, and any other is a ``-``.
    """
    words = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(plain(value))}"'
        for name, value in attributes.items()
        if value
    )
    return f"<{tag}{words}>{content}</{tag}>"


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of terms, each with markup that says what it means; empty ones are left out."""
    rows = "".join(
        element("div", element("dt", shown(term)) + element("dd", said))
        for term, said in pairs
        if said
    )
    return element("dl", rows) if rows else ""
