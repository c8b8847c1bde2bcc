"""Finding the client under test: ``path.py:name`` or ``package.module:name``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from fakeserver.errors import ClientNotFound
from fakeserver.verifier.runner import Client

FORM = "path.py:name or package.module:name"


def load_client(spec: str) -> Client:
    """Return the client called `spec`: a function, an async function, or a class with `poll`.

    A file is imported under a name of its own, with its folder importable, as ``python path.py``
    would have it. Raises `ClientNotFound` that says what was expected and what is there.
    """
    place, separator, name = spec.rpartition(":")
    if not separator or not place or not name:
        raise ClientNotFound(f"expected {FORM}, got {spec!r}")
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    client = getattr(module, name, None)
    if client is None:
        public = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        near = get_close_matches(name, public, n=1)
        hint = f"; did you mean {place}:{near[0]}?" if near else ""
        raise ClientNotFound(f"{place} has nothing called {name!r}{hint}")
    return check_client(client, where=spec)


def check_client(client: Any, *, where: str) -> Client:
    """Return `client` if it can be run, else raise `ClientNotFound`."""
    if isinstance(client, type) and not callable(getattr(client, "poll", None)):
        raise ClientNotFound(f"{where} is a class without a method poll(feed)")
    if not callable(client):
        raise ClientNotFound(
            f"{where}: expected a function taking a feed, or a class with poll(feed), "
            f"got {type(client).__name__}"
        )
    result: Client = client
    return result


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ClientNotFound(f"there is no file {path}")
    name = f"_fakeserver_client_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ClientNotFound(f"{path} is not a Python file")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # so that classes in it can be pickled and annotations resolved
    try:
        found.loader.exec_module(module)
    except Exception as error:
        raise ClientNotFound(f"importing {path} raised {type(error).__name__}: {error}") from error
    return module


def _load_module(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ClientNotFound(f"importing {name} raised {type(error).__name__}: {error}") from error
