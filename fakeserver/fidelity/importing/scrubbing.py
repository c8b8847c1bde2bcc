"""Replacing what belongs to somebody: every word and number of a text, consistently, in its shape.

A word becomes one of the same letters and digits in kind: small, capital, beyond ASCII. The same
word becomes the same one everywhere, so a number in a path is still the id that it was. What comes
out depends on chance, on shapes and on the order of first appearance, and on nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import isfinite
from random import Random
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from uuid import UUID

TRIES_MAX = 50
"""A short word may have no other of its shape; then it gets longer."""
WORD_CHARS_MIN = 3
"""Shorter words say nothing of anybody, and there are too few of their shape to avoid all."""
ID_MAX = 2**63
ID_DIGITS_MAX = 18
"""What a 63-bit number holds whatever its first digit."""
DIGITS, DIGITS_FIRST = "0123456789", "123456789"
BEYOND_LOWER, BEYOND_UPPER = "áàảãạăâđêôơưéèíóúý", "ÁÀẢÃẠĂÂĐÊÔƠƯÉÈÍÓÚÝ"
WITHOUT_CASE = "가나다라마바사아자차"

_NAME = re.compile(r"[A-Za-z_]{1,40}")
_WORD = re.compile(r"[^\W_]+")
_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|br|code|div|em|h[1-6]|hr|i|img|li|ol|p|pre|small|span|strong|sub|sup"
    r"|table|tbody|td|th|tr|u|ul)(?=[\s/>])|(?<=\s)href(?==)"
)
"""Tags of HTML stay; what else stands behind a ``<`` may be an address."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RESOURCE = re.compile(
    r"(?<=/)(?:admin|orders|products|articles|blogs|collections|custom_collections"
    r"|smart_collections|comments|pages|transactions)(?=/|$|\")"
)
_PARTS = re.compile(f"({_UUID.pattern})|({_TAG.pattern})|({_RESOURCE.pattern})|({_WORD.pattern})")


class Scrubber:
    """Replaces words. `originals` are all texts there are: no word of them is ever made."""

    def __init__(self, random: Random, originals: Iterable[str]) -> None:
        self._random = random
        self._avoid = {word.lower() for text in originals for word in words_of(text)}
        self._words: dict[str, str] = {}
        self._used: set[str] = set()

    def learn(self, old: str, new: str) -> None:
        """Use `new` for the word `old` from now on."""
        self._words[old] = new
        self._used.add(new.lower())

    def text(self, text: str) -> str:
        """Return a text with every word replaced; tags and the names of resources stay."""
        return _PARTS.sub(self._part, text.encode("utf-8", "replace").decode())

    def value(self, value: Any) -> Any:
        """Return a JSON value with all text and numbers in it replaced.

        Names of fields stay, if they look like names and not like what somebody has entered.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {
                name if _NAME.fullmatch(name) else self.text(name): self.value(each)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, bool) or value is None:
            return value
        return self.number(value)

    def number(self, number: float) -> float:
        """Return a number with as many digits before and behind its point; 0 for what has none."""
        if isinstance(number, int):
            return int(self.text(str(number)))
        if not isfinite(number):
            return 0.0
        return float(
            self.text(f"{number:f}".rstrip("0").rstrip(".") if number % 1 else f"{number:.0f}")
        )

    def _part(self, match: re.Match[str]) -> str:
        uuid, tag, resource, word = match.groups()
        if uuid is not None:
            return self._replaced(uuid, self._uuid)
        return tag or resource or self._replaced(word, self._word)

    def _replaced(self, word: str, make: Any) -> str:
        known = self._words.get(word)
        if known is None:
            known = make(word)
            self.learn(word, known)
        return known

    def _uuid(self, _word: str) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _word(self, word: str) -> str:
        """Draw a word of the same shape that is none there was, and none that was drawn before."""
        shape = word
        for tried in range(2 * TRIES_MAX):
            if tried == TRIES_MAX:
                if not word.isdecimal() and len(word) < WORD_CHARS_MIN:
                    break  # two such words may become one: they are no ids
                shape = word + word[-1] * 2
            made = "".join(self._letter(letter, n == 0) for n, letter in enumerate(shape))
            if made.lower() not in self._avoid and made.lower() not in self._used:
                return made
        return made

    def _letter(self, letter: str, is_first: bool) -> str:  # noqa: FBT001 - used right above
        if letter.isdigit():
            return self._random.choice(DIGITS_FIRST if is_first and letter != "0" else DIGITS)
        if letter.isascii():
            return self._random.choice(ascii_uppercase if letter.isupper() else ascii_lowercase)
        if letter.lower() == letter.upper():
            return self._random.choice(WITHOUT_CASE)
        return self._random.choice(BEYOND_UPPER if letter.isupper() else BEYOND_LOWER)


def words_of(text: str) -> list[str]:
    """Return the words and UUIDs of a text that are replaced in it."""
    return [match[0] for match in _PARTS.finditer(text) if match.lastindex in (1, 4)]


def numbers_in_order(random: Random, ids: Sequence[int]) -> dict[int, int]:
    """Return another number for each id: in the same order, with as many digits where they fit."""
    by_digits: dict[int, list[int]] = {}
    for number in sorted(ids):
        by_digits.setdefault(len(str(number)), []).append(number)
    if any(len(group) * 4 > 10**digits for digits, group in by_digits.items()):
        by_digits = {min(ID_DIGITS_MAX, max(by_digits) + 2): sorted(ids)}
    changed: dict[int, int] = {}
    for digits, group in by_digits.items():
        own, free = set(group), set[int]()
        while len(free) < len(group):
            free |= {random.randrange(10 ** (digits - 1), min(10**digits, ID_MAX))} - own
        changed |= dict(zip(group, sorted(free), strict=True))
    return changed


def cuids_in_order(random: Random, ids: Sequence[str]) -> dict[str, str]:
    """Return another cuid for each id, in the same order."""
    starts = sorted(random.sample(range(36**7, 36**8), len(ids)))
    return {
        old: f"c{_base36(start)}" + "".join(random.choices(DIGITS + ascii_lowercase, k=16))
        for old, start in zip(sorted(ids), starts, strict=True)
    }


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = (DIGITS + ascii_lowercase)[digit] + text
    return text
