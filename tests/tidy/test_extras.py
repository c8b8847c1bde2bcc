"""Who lacks an extra is told the whole command, which also works where a checkout was installed."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import fakeserver

PACKAGE = Path(fakeserver.__file__).parent
EXTRA = re.compile(r"(.{13})?fakeserver\[(\w+)\](.)?", re.DOTALL)


def told(source: str) -> Iterator[tuple[bool, str]]:
    """Whether each extra that a text names is in a whole command, and its name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for found in EXTRA.finditer(node.value):
                yield (found[1], found[3]) == ("pip install '", "'"), found[2]


def test_every_extra_is_told_with_its_command(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    named = [one for path in PACKAGE.rglob("*.py") for one in told(path.read_text("utf-8"))]
    assert all(whole for whole, _ in named), named
    extras = project["project"]["optional-dependencies"].keys()
    assert {name for _, name in named} == extras - {"contracts"}, "that is told on its page"


def test_half_a_command_is_seen() -> None:
    assert list(told("'install fakeserver[time]'")) == [(False, "time")]
    assert list(told('"needs it: " "pip install \'fakeserver[time]\'"')) == [(True, "time")]
