"""How answers write their letters: slashes, and what lies beyond ASCII."""

from __future__ import annotations

import re

_ESCAPED = re.compile(rb"\\u(?!00[0-7])[0-9a-fA-F]{4}")


class Letters:
    """What the bodies that were noted have shown so far; the bodies are not kept."""

    def __init__(self) -> None:
        self.has_slash = False
        self.escapes_slash = False
        self.beyond_ascii = False
        self.escapes_ascii = False

    def note(self, body: bytes) -> None:
        """Look at the body of one more answer."""
        self.has_slash = self.has_slash or b"/" in body
        self.escapes_slash = self.escapes_slash or b"\\/" in body
        self.beyond_ascii = self.beyond_ascii or not body.isascii()
        self.escapes_ascii = self.escapes_ascii or _ESCAPED.search(body) is not None
