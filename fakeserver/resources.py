"""The only place that knows where the documents of the faked APIs lie.

An installed package carries them as ``fakeserver/contracts``; in a checkout, and so in an editable
install, they lie in ``contracts`` beside the package.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from fakeserver.errors import UsageError


def contract_path(dialect: str, name: str) -> Traversable:
    """Return the document `name` of a dialect: ``contract_path("haravan", "openapi.json")``.

    The answer has `read_text`, `read_bytes` and `open`; it need not be a file on a disk. Raises
    `UsageError`, listing what there is, for an unknown dialect or document.
    """
    root = _contracts()
    folder = root.joinpath(dialect)
    if not _is_plain(dialect) or not folder.is_dir():
        known = _listed(entry.name for entry in root.iterdir() if entry.is_dir())
        raise UsageError(f"no contract is called {dialect!r}; there are {known}")
    return document_in(folder, dialect, name)


def document_in(folder: Traversable, dialect: str, name: str) -> Traversable:
    """Return the document `name` in a `folder` that holds those of `dialect`.

    Raises `UsageError`, listing what there is, where it is missing.
    """
    document = folder.joinpath(name)
    if not _is_plain(name) or not document.is_file():
        there = folder.iterdir() if folder.is_dir() else ()
        known = _listed(entry.name for entry in there if entry.is_file())
        raise UsageError(f"the contract {dialect} has no document {name!r}; there are {known}")
    return document


def _contracts() -> Traversable:
    """Find the folder of the documents. Raises `UsageError` when the installation lacks them."""
    carried = files("fakeserver").joinpath("contracts")
    if carried.is_dir():
        return carried
    checkout = Path(__file__).parent.parent
    # Beside an installed package `contracts` would be a stranger's: only a checkout has both.
    if (checkout / "pyproject.toml").is_file() and (checkout / "contracts").is_dir():
        return checkout / "contracts"
    raise UsageError(
        f"this installation of fakeserver has no documents: expected them in {carried}; "
        "install the package again, from its wheel or from a whole checkout"
    )


def _is_plain(name: str) -> bool:
    """Tell whether a name stays inside its folder and is no cache and no program."""
    inside = bool(name) and not set(name) & set("/\\\0")
    return inside and name[0] not in "._" and not name.endswith(".py")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(filter(_is_plain, names))) or "none"
