"""A page may run and style itself only with what it came with: its policy names these by hash."""

from __future__ import annotations

import base64
import hashlib
import re


def source_hash(tag: str, text: str) -> str:
    """Return the source expression of the one element `tag` in the page `text`.

    Raises `ValueError` where there is none, or another.
    """
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
