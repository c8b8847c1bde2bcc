"""What the tidy tests look at: the checkout, and small trees with planted sins."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

Plant = Callable[[Mapping[str, str]], Path]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top folder of the repository."""
    return CHECKOUT


@pytest.fixture(scope="session")
def package(checkout: Path) -> Path:
    """The sources of the import package."""
    return checkout / "fakeserver"


@pytest.fixture(scope="session")
def tracked(checkout: Path) -> list[str]:
    """The files of the project, as git tracks them: paths below the top folder, with slashes.

    In an unpacked archive there is no git to ask; then every file counts that is not a cache.
    """
    if shutil.which("git") and (checkout / ".git").exists():
        command = ["git", "-c", f"safe.directory={checkout}", "ls-files", "-z"]
        listing = subprocess.run(command, cwd=checkout, check=True, stdout=subprocess.PIPE)
        names = listing.stdout.decode().split("\0")[:-1]
    else:
        caches = {
            "__pycache__",
            ".venv",
            "node_modules",
            ".mypy_cache",
            ".ruff_cache",
            ".pytest_cache",
        }
        below = (path.relative_to(checkout) for path in checkout.rglob("*") if path.is_file())
        names = [path.as_posix() for path in below if not caches & set(path.parts)]
    return sorted(name for name in names if (checkout / name).is_file())


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Writes a small tree, given as path → text, and returns its top folder."""

    def write(files: Mapping[str, str]) -> Path:
        top = tmp_path / "planted"
        for name, text in files.items():
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return top

    return write
