"""A verdict read again: what ``--json`` wrote, for whoever puts several together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from fakeserver.errors import UsageError
from fakeserver.history import History
from fakeserver.misfits import misfit
from fakeserver.scenario import Scenario
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.report.as_json import FORMAT
from fakeserver.verifier.verdict import (
    BrokenWorld,
    Finding,
    Impossible,
    Outcome,
    Requests,
    Searched,
    Verdict,
)

BYTES_MAX = 100_000_000
"""A verdict of the largest world that we draw has less than one."""


class _Hazards(msgspec.Struct, kw_only=True):
    exercised: dict[str, int]
    not_exercised: tuple[str, ...]


class _Search(Searched, frozen=True, kw_only=True):
    client: str | None
    found_at: int | None
    shrunk_from: int | None


class _Written(msgspec.Struct, kw_only=True):
    """The fields of the file, as `as_json` orders them."""

    outcome: Outcome
    dialect: str
    profile: str
    promise: Promise
    seed: int | None
    examples: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    hazards: _Hazards
    requests: Requests
    scenario: Scenario | None
    history: History
    replay: str | None
    impossible: tuple[Impossible, ...]
    search: _Search | None
    others: tuple[BrokenWorld, ...] = ()


def load_verdict(path: str | Path) -> Verdict:
    """Read a file of ``--json``. Raises `UsageError` that says what is wrong with it.

    The margins are left out: they speak of one search alone.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"can't read the verdict {path}: {error.strerror}") from error
    if len(text) > BYTES_MAX:
        raise UsageError(f"{path}: expected a verdict of at most {BYTES_MAX} bytes")
    return _verdict(text, str(path))


def _verdict(text: bytes, where: str) -> Verdict:
    try:
        found: Any = msgspec.json.decode(text)
        _check_kind(found, where)
        written = msgspec.convert(found, _Written)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {misfit(error, _Written)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON: {error}") from error
    search = written.search
    names = ("outcome", "dialect", "profile", "promise", "seed", "examples", "findings", "notes")
    more = ("requests", "scenario", "history", "replay", "impossible", "others")
    return Verdict(
        **{name: getattr(written, name) for name in (*names, *more)},
        exercised=written.hazards.exercised,
        not_exercised=written.hazards.not_exercised,
        client=None if search is None else search.client,
        found_at=None if search is None else search.found_at,
        shrunk_from=None if search is None else search.shrunk_from,
        search=None if search is None else _searched(search),
    )


def _searched(search: _Search) -> Searched:
    return Searched(**{name: getattr(search, name) for name in Searched.__struct_fields__})


def _check_kind(found: Any, where: str) -> None:
    """Raise `UsageError` for another kind of file, or a verdict of another time."""
    if not isinstance(found, dict) or not {"outcome", "promise", "findings"} <= found.keys():
        raise UsageError(f"{where}: this is no verdict: expected what 'verify --json FILE' writes")
    if found.get("format") != FORMAT:
        raise UsageError(
            f"{where}: expected a verdict of format {FORMAT}, got {found.get('format')!r}; merge "
            "with the release that wrote it"
        )
    if "search" not in found:
        raise UsageError(f"{where}: an older fakeserver wrote it, and it can't be merged")
