"""The APIs that can be faked. A new one is one module here and one name in `DIALECTS`."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from fakeserver.dialects.base import Dialect
from fakeserver.errors import ProfileError

DIALECTS = ("haravan", "saleschannel")
"""Each is a module of this package with a `DIALECT`."""


@lru_cache(maxsize=len(DIALECTS))
def find_dialect(name: str) -> Dialect:
    """Return the dialect called `name`. Raises `ProfileError`, listing the known ones."""
    if name not in DIALECTS:
        raise ProfileError(f"no dialect is called {name!r}; known are {', '.join(DIALECTS)}")
    dialect = import_module(f"{__name__}.{name}").DIALECT
    assert isinstance(dialect, Dialect)  # noqa: S101 - a programmer's slip in a new dialect
    return dialect
