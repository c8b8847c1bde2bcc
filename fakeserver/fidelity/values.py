"""Values as answers and recordings write them: read, or None for what is no such value."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from fakeserver.clock import INSTANT_MAX, INSTANT_MIN, Instant, from_datetime

DIGITS_MAX = 19
"""What a 64-bit number has; more is no id, and Python refuses to read thousands."""


def as_number(value: Any) -> int | None:
    """Read an id that is a number, or one written as text."""
    text = (
        str(value) if type(value) is str or (type(value) is int and value.bit_length() < 65) else ""
    )
    return int(text) if len(text) <= DIGITS_MAX and text.isdecimal() else None


def printable(text: str) -> str:
    """Return text of an answer as a terminal and a file can take it, without its control signs."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def instant_of(text: Any) -> Instant | None:
    """Read ISO 8601 with an offset."""
    with suppress(ValueError, TypeError):
        return _in_calendar(from_datetime(datetime.fromisoformat(text)))
    return None


def http_date(text: Any) -> Instant | None:
    """Read a ``Date`` header."""
    with suppress(ValueError, TypeError, OverflowError):
        return _in_calendar(from_datetime(parsedate_to_datetime(text)))
    return None


def _in_calendar(instant: Instant) -> Instant | None:
    """Leave out what an offset moves out of the years 1 to 9999."""
    return instant if INSTANT_MIN <= instant <= INSTANT_MAX else None
