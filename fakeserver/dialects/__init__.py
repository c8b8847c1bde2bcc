"""The APIs that can be faked: those of this package, and those that installed packages bring.

A dialect of ours is one package here and one name in `DIALECTS`. Anybody else's is found by the
entry points of its distribution (``contracts/ADDING-AN-API.md``): nothing is registered by an
import, and a package that brings a dialect is imported only when that dialect is asked for.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from fakeserver.dialects.base import Dialect
from fakeserver.errors import ProfileError

DIALECTS = ("haravan", "saleschannel")
"""Each is a module of this package with a `DIALECT`."""
GROUP = "fakeserver.dialects"
"""The group of entry points under which other packages name theirs."""
DIALECTS_MAX = 64
"""How many are kept once loaded; nobody fakes as many in one process."""


def known_dialects() -> tuple[str, ...]:
    """Return the names of all dialects: ours, then those that are installed, sorted."""
    others = {entry.name for entry in entry_points(group=GROUP)} - {*DIALECTS}
    return (*DIALECTS, *sorted(others))


@lru_cache(maxsize=DIALECTS_MAX)
def find_dialect(name: str) -> Dialect:
    """Return the dialect called `name`.

    Raises `ProfileError` for an unknown name, listing the known ones, and for one that an installed
    package names and does not bring, saying which package that is.
    """
    if name in DIALECTS:
        dialect = import_module(f"{__name__}.{name}").DIALECT
        assert isinstance(dialect, Dialect)  # noqa: S101 - a programmer's slip in a new dialect
        return dialect
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise ProfileError(
            f"no dialect is called {name!r}; known are {', '.join(known_dialects())}"
        )
    return _load(name, found)


def _load(name: str, found: tuple[EntryPoint, ...]) -> Dialect:
    """Return the dialect behind the one entry point of that name. Raises `ProfileError`."""
    values = sorted({entry.value for entry in found})
    if len(values) > 1:
        brought = " and ".join(f"{_package(entry)} ({entry.value})" for entry in found)
        raise ProfileError(f"two packages bring a dialect {name!r}: {brought}; uninstall one")
    entry = found[0]
    where = f"the dialect {name!r} of {_package(entry)}"
    try:
        dialect = entry.load()
    except Exception as error:
        raise ProfileError(
            f"{where} can't be loaded from {entry.value}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(dialect, Dialect):
        raise ProfileError(
            f"{where}: expected a fakeserver.dialects.base.Dialect at {entry.value}, got "
            f"{type(dialect).__name__}"
        )
    if dialect.name != name or any(profile.dialect != name for profile in dialect.profiles):
        raise ProfileError(
            f"{where}: the entry point, the Dialect and its profiles must have one name, got "
            f"{dialect.name!r} for the Dialect"
        )
    return dialect


def _package(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else entry.dist.name
