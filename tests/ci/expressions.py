"""The expressions of GitHub's workflows, as far as ours have any: ``${{ … }}`` in a text.

Names with dots, texts in quotes, numbers, ``true false null``, ``! == != && || ( )``, and the
functions of a step's status. Whatever else there is, is an error: a test must not guess.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<name>[A-Za-z_][\w.-]*(?:\(\))?)"
    r"|(?P<sign>&&|\|\||==|!=|!|\(|\)))"
)
PLACE = re.compile(r"\$\{\{(.*?)\}\}", re.S)
STATUS = ("always()", "success()", "failure()")
WORDS = {"true": True, "false": False, "null": None}


class Scope(NamedTuple):
    """What names stand for, and whether a step before this one has failed."""

    names: Mapping[str, Any]
    failed: bool = False

    def of(self, name: str) -> Any:
        """The value of a name with dots. An unknown one is an error, where GitHub has ''."""
        value: Any = self.names
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise AssertionError(f"nothing is known of {name}")
            value = value[part]
        return value


def filled(text: Any, scope: Scope) -> str:
    """A value of a workflow as text, its expressions replaced by their values."""
    return PLACE.sub(lambda found: as_text(evaluated(found[1], scope)), as_text(text))


def holds(condition: Any, scope: Scope) -> bool:
    """Tell whether an ``if`` holds. One that does not ask for the status wants success as well."""
    text = as_text(condition)
    inside = PLACE.fullmatch(text.strip())
    text = inside[1] if inside else text
    asks = any(function in text for function in STATUS)
    return (asks or not scope.failed) and bool(evaluated(text, scope))


def as_text(value: Any) -> str:
    """A value as GitHub writes it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def evaluated(text: str, scope: Scope) -> Any:
    """The value of an expression. Raises `AssertionError` for what is not known here."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        assert found is not None, f"no expression is known like {text[at:]!r}"
        tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
        at = found.end()
    parser = _Parser(tokens, scope)
    value = parser.alternatives()
    assert not parser.tokens, f"no expression is known like {text!r}"
    return value


class _Parser:
    """Reads tokens from the left, and gives values."""

    def __init__(self, tokens: list[tuple[str, str]], scope: Scope) -> None:
        self.tokens = tokens
        self.scope = scope

    def takes(self, sign: str) -> bool:
        if self.tokens[:1] == [("sign", sign)]:
            del self.tokens[0]
            return True
        return False

    def alternatives(self) -> Any:
        value = self.all_of()
        while self.takes("||"):
            other = self.all_of()
            value = value or other
        return value

    def all_of(self) -> Any:
        value = self.compared()
        while self.takes("&&"):
            other = self.compared()
            value = value and other
        return value

    def compared(self) -> Any:
        value = self.single()
        while True:
            if self.takes("=="):
                value = same(value, self.single())
            elif self.takes("!="):
                value = not same(value, self.single())
            else:
                return value

    def single(self) -> Any:
        if self.takes("!"):
            return not self.single()
        if self.takes("("):
            value = self.alternatives()
            assert self.takes(")"), "a parenthesis is never closed"
            return value
        assert self.tokens, "an expression ends too early"
        kind, token = self.tokens.pop(0)
        if kind == "text":
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return int(token)
        assert kind == "name", f"unexpected {token}"
        if token in STATUS:
            return {"always()": True, "failure()": self.scope.failed}.get(
                token, not self.scope.failed
            )
        return WORDS[token] if token in WORDS else self.scope.of(token)


def same(one: Any, other: Any) -> bool:
    """Equality as GitHub has it between texts: in either case of letters."""
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    assert type(one) is type(other), f"{one!r} and {other!r} are of two kinds"
    return bool(one == other)
