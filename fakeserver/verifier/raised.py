"""An exception of the client in a line: its type, its text, and where it comes from."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from pathlib import Path

ERROR_CHARS_MAX = 500
"""An exception's text is shown, but not a whole page of it."""
LIBRARIES = (
    *(f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "purelib", "platlib")),
    f"{Path(__file__).parents[1]}{os.sep}",
    "<",  # code without a file, such as what Python starts itself with
)
"""Where code lies that is not the client's own."""


def told(error: BaseException, *, secret: str) -> str:
    """Return type, text and place of `error`: ``KeyError: 'id', at client.py:7``.

    Without the `secret`, and without what differs from run to run. The place is where the client's
    own code was last, if there was any: the name of a file, which is the same on every machine.
    """
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # the exception is the client's, and so is its text
        text = type(error).__name__
    text = text.encode("utf-8", "replace").decode()  # half a surrogate is no JSON
    text = text.replace(secret, "<token>")
    return re.sub(r"\b0x[0-9a-f]{6,16}\b", "0x…", text)[:ERROR_CHARS_MAX] + _place(error)


def _place(error: BaseException) -> str:
    frames = traceback.walk_tb(error.__traceback__)
    places = [(frame.f_code.co_filename, line) for frame, line in frames]
    own = [place for place in places if not place[0].startswith(LIBRARIES)]
    return f", at {Path(own[-1][0]).name}:{own[-1][1]}" if own else ""
