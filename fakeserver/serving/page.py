"""The page for people, ready to be sent: its bytes, and the headers that keep it harmless.

The page shows text that strangers wrote (messages of events hold HTML). It never makes markup of
it, and should it ever do so by a slip of ours, the Content-Security-Policy runs nothing but the one
script that the page came with.
"""

from __future__ import annotations

from importlib.resources import files

import msgspec

from fakeserver.verifier.report.policy import source_hash


class Page(msgspec.Struct, frozen=True):
    """The page as an answer: `body` in UTF-8, and all `headers` but Content-Length."""

    body: bytes
    headers: tuple[tuple[str, str], ...]


def load_page() -> Page:
    """Read the page out of the package."""
    text = files("fakeserver.serving").joinpath("page.html").read_text(encoding="utf-8")
    return Page(
        text.encode(),
        (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", _policy(text)),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ),
    )


def _policy(text: str) -> str:
    """Return the policy: the script and the style of `text` by their hashes, our own server."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {source_hash('script', text)}",
            f"style-src {source_hash('style', text)}",
            "img-src data:",  # the empty icon; without one a browser asks the faked API for it
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
