"""Reading what a client put on the wire: query strings, numbers, times, tokens.

Shared by the dialects. Every function raises `Refused` with a sentence that says what was
expected, what came and how to send it right; none ever falls back to a default in silence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from difflib import get_close_matches
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo

from fakeserver.clock import Instant, from_datetime
from fakeserver.dialects.base import TOKEN, TOKEN_WITHOUT_ROLE, Ask, Refused

QUERY_CHARS_MAX = 8_192
"""Common servers refuse a request line beyond 8 KiB; no right request comes near."""
WHOLE_NUMBER_MAX = 2**63 - 1
"""What a database key holds; also keeps Python from parsing a megabyte of digits."""
SHOWN_CHARS_MAX = 60
"""A refusal quotes what came, but not all of a huge value."""

_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)"
    r"(?P<offset>Z| ?[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)
_LOST_PLUS = re.compile(r".*[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)? [0-9]{2}:?[0-9]{2}")

_AUTHORIZED = f"Bearer {TOKEN}"


def shown(text: str) -> str:
    """Quote `text` for a message, shortened to `SHOWN_CHARS_MAX` characters."""
    return repr(text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…")


def split_query(raw: str, *, status: int = 400) -> list[tuple[str, str]]:
    """Decode a query string into name and value pairs in their order; ``+`` is a space.

    Raises `Refused` for a broken percent-encoding, bytes that are not UTF-8, and one too long.
    """
    if len(raw) > QUERY_CHARS_MAX:
        raise Refused(
            414, "query-too-long", f"the query has {len(raw)} characters, over {QUERY_CHARS_MAX}"
        )
    broken = _BROKEN_PERCENT.search(raw)
    if broken:
        where = raw[broken.start() : broken.start() + 3]
        raise Refused(
            status,
            "broken-encoding",
            f"expected two hexadecimal digits after %, got {where!r}; send a literal % as %25",
        )
    pairs: list[tuple[str, str]] = []
    is_encoded = "%" in raw or "+" in raw
    for part in raw.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        if not is_encoded:
            pairs.append((name, value))
            continue
        try:
            pairs.append(
                (unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict"))
            )
        except UnicodeDecodeError as error:
            raise Refused(
                status, "broken-encoding", f"expected percent-encoded UTF-8, got {shown(part)}"
            ) from error
    return pairs


def reject_repeated(pairs: Iterable[tuple[str, str]], *, status: int = 400) -> dict[str, str]:
    """Return the pairs as a dict. Raises `Refused` when a name comes twice."""
    seen: dict[str, str] = {}
    for name, value in pairs:
        if name in seen:
            raise Refused(
                status, "repeated-parameter", f"expected {shown(name)} once, got it more than once"
            )
        seen[name] = value
    return seen


def unknown_parameter(name: str, known: Collection[str], *, status: int = 400) -> Refused:
    """Return (not raise) the refusal of a parameter that does not exist, with the nearest name."""
    near = get_close_matches(name, list(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    names = ", ".join(sorted(known))
    return Refused(status, "unknown-parameter", f"expected one of {names}, got {shown(name)}{hint}")


def parameters(ask: Ask, path: str, known: Collection[str]) -> dict[str, str]:
    """Return the parameters of a GET of `path`, for an API whose refusals have the usual statuses.

    Raises `Refused`: 404 for another path, 405 for another method, 401 and 403 for the token (see
    `check_token`), 400 for a name that is not in `known` or comes twice, 414 for too long a query.
    """
    if ask.path != path:
        raise Refused(404, "unknown-path", f"expected {path}, got {shown(ask.path)}")
    only_get(ask, path)
    check_token(ask)
    given = reject_repeated(split_query(ask.query))
    for name in given:
        if name not in known:
            raise unknown_parameter(name, known)
    return given


def whole_number(
    name: str, text: str, *, least: int, most: int = WHOLE_NUMBER_MAX, status: int = 400
) -> int:
    """Read a whole number in ASCII digits from `least` to `most`. Raises `Refused`."""
    if not _WHOLE.fullmatch(text) or len(text) > 20:
        raise Refused(status, "bad-number", f"{name}: expected a whole number, got {shown(text)}")
    number = int(text)
    if not least <= number <= most:
        raise Refused(
            status,
            "bad-number",
            f"{name}: expected a whole number from {least} to {most}, got {number}",
        )
    return number


def read_time(
    name: str,
    text: str,
    *,
    naive_zone: ZoneInfo | None,
    naive_fold: int = 0,
    mend_plus: bool = False,
    status: int = 400,
) -> Instant:
    """Read an ISO 8601 time; one without an offset is taken in `naive_zone`, or refused.

    ``T`` or a space may stand between date and time; seconds and fraction may be missing.
    `naive_fold` chooses between the two instants of a local time that a clock change repeats
    (0: the earlier). Fractions below the millisecond are cut. Raises `Refused`, and says so when
    the value looks as if its ``+`` had been sent unencoded, unless `mend_plus` puts that back.
    """
    if mend_plus and _LOST_PLUS.fullmatch(text):
        text = "+".join(text.rsplit(" ", 1))
    if _LOST_PLUS.fullmatch(text):
        raise Refused(
            status,
            "lost-plus",
            f"{name}: the + of the offset arrived as a space in {shown(text)}; "
            "an unencoded + in a query string is a space, send it as %2B",
        )
    match = _TIME.fullmatch(text)
    if match is None:
        raise Refused(
            status,
            "bad-time",
            f"{name}: expected a time such as 2008-12-31T03:00:00Z, got {shown(text)}",
        )
    moment = _as_moment(name, text, match, status)
    if moment.tzinfo is not None:
        return from_datetime(moment)
    if naive_zone is None:
        raise Refused(
            status,
            "bad-time",
            f"{name}: expected an offset or Z at the end of {shown(text)}: without one it names no "
            "instant",
        )
    try:
        return from_datetime(moment.replace(tzinfo=naive_zone, fold=naive_fold).astimezone(UTC))
    except OverflowError as error:
        raise Refused(
            status, "bad-time", f"{name}: expected a year from 1 to 9999, got {shown(text)}"
        ) from error


def _as_moment(name: str, text: str, match: re.Match[str], status: int) -> datetime:
    clock = match["clock"] or "00:00"
    offset = (match["offset"] or "").strip().replace("Z", "+00:00")
    if len(offset) == 5:
        offset = f"{offset[:3]}:{offset[3:]}"
    if clock >= "24" or offset[4:] > "59":
        # No clock shows these, whatever this version of `fromisoformat` makes of them.
        raise Refused(status, "bad-time", f"{name}: no such date and time as {shown(text)}")
    whole, _, fraction = clock.partition(".")
    if fraction:
        clock = f"{whole}.{fraction[:6]:0<6}"
    try:
        moment = datetime.fromisoformat(f"{match['date']}T{clock}{offset}")
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment
    except (ValueError, OverflowError) as error:
        raise Refused(
            status, "bad-time", f"{name}: no such date and time as {shown(text)} ({error})"
        ) from error


def check_token(ask: Ask, *, header: str | None = None) -> None:
    """Let `TOKEN` pass, as ``Authorization: Bearer`` or in the vendor's own `header`.

    Raises `Refused`: 401 without a token or with a wrong one, 403 with `TOKEN_WITHOUT_ROLE`. The
    token that came is never quoted.
    """
    tokens: list[str] = []
    authorization = ask.headers.get("authorization")
    if authorization == _AUTHORIZED and (header is None or header.lower() not in ask.headers):
        return  # as nearly every request has it
    if authorization is not None:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            raise Refused(
                401,
                "wrong-token",
                "expected the header 'Authorization: Bearer TOKEN', got another scheme or no token",
                headers=(("WWW-Authenticate", "Bearer"),),
            )
        tokens.append(value.strip())
    if header is not None and header.lower() in ask.headers:
        tokens.append(ask.headers[header.lower()].strip())
    names = "Authorization: Bearer TOKEN" + (f" or {header}: TOKEN" if header else "")
    if not tokens:
        raise Refused(
            401,
            "no-token",
            f"expected the header {names}, got none",
            headers=(("WWW-Authenticate", "Bearer"),),
        )
    if any(token == TOKEN_WITHOUT_ROLE for token in tokens):
        raise Refused(403, "no-role", "the token is known but may not read events")
    if any(token != TOKEN for token in tokens):
        raise Refused(
            401,
            "wrong-token",
            f"expected the token of this fake in {names}, got another one",
            headers=(("WWW-Authenticate", "Bearer"),),
        )


def is_usual(ask: Ask, *headers: str) -> bool:
    """Whether nothing but its path and query can be wrong with `ask`: a GET with the token.

    `headers` are the vendor's own for tokens, in small letters: what they say would have to be
    looked at as well.
    """
    given = ask.headers
    if ask.method != "GET" or given.get("authorization") != _AUTHORIZED:
        return False
    for header in headers:  # noqa: SIM110 - as a generator it would take twice as long
        if header in given:
            return False
    return True


def only_get(ask: Ask, path: str) -> None:
    """Raise `Refused` (405) for any method but GET and HEAD."""
    if ask.method not in ("GET", "HEAD"):
        raise Refused(
            405,
            "wrong-method",
            f"expected GET {path}, got {shown(ask.method)}: the log is read only",
            headers=(("Allow", "GET, HEAD"),),
        )
