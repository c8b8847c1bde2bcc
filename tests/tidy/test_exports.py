"""The public names are the promised ones, load late, and are documented."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fakeserver

PUBLIC_NAMES = (
    "CommandClient",
    "ContractBroken",
    "FakeServer",
    "Fault",
    "Feed",
    "LoggedEvent",
    "PatchedTime",
    "Profile",
    "Promise",
    "Scenario",
    "Verdict",
    "generate_scenario",
    "judge",
    "measure_margins",
    "verify",
)
"""Other people's programs rely on these. Adding one is a feature, taking one away breaks them."""

HEAVY = ("click", "faker", "httpx", "requests", "rich", "werkzeug")
"""What ``import fakeserver`` must not load: it is felt in every test run that has the plugin."""

LOADED = """\
import json, sys
{statement}
print(json.dumps(sorted(sys.modules)))
"""


def modules_after(statement: str) -> set[str]:
    """The names in `sys.modules` of a fresh interpreter after a statement."""
    command = [sys.executable, "-c", LOADED.format(statement=statement)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return set(json.loads(done.stdout))


def test_all_is_the_promised_list() -> None:
    assert list(fakeserver.__all__) == sorted(PUBLIC_NAMES)


def test_dir_lists_the_public_names() -> None:
    assert set(PUBLIC_NAMES) <= set(dir(fakeserver))


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_public_name_resolves_and_is_documented(name: str) -> None:
    public = getattr(fakeserver, name)
    assert (public.__doc__ or "").strip(), f"fakeserver.{name} has no docstring"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        fakeserver.no_such_name  # noqa: B018 - the look-up is what is tested


def test_import_is_light() -> None:
    assert modules_after("import fakeserver") & set(HEAVY) == set()


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_public_name_can_be_imported_first(name: str) -> None:
    """No name depends on another having been imported before it."""
    assert "fakeserver" in modules_after(f"from fakeserver import {name}")


def test_modules_after_sees_a_heavy_import() -> None:
    assert "werkzeug" in modules_after("import werkzeug.wrappers")


def undocumented(package: Path) -> list[str]:
    """A line for every module, and every public class, function and method without a docstring."""
    found = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        where = path.relative_to(package.parent).as_posix()
        if ast.get_docstring(tree) is None:
            found.append(f"{where}: the module has no docstring")
        found.extend(
            f"{where}:{node.lineno}: {name} has no docstring"
            for node, name in public_nodes(tree)
            if ast.get_docstring(node) is None
        )
    return found


Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public_nodes(
    tree: ast.Module | ast.ClassDef, owner: str = ""
) -> Iterator[tuple[Documented, str]]:
    """Public classes, functions and methods; not what is defined inside a function."""
    for node in tree.body:
        if not isinstance(node, Documented) or node.name.startswith("_"):
            continue
        decorators = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
        if decorators & {"overload", "setter", "override"}:
            continue  # the docstring is at the implementation, the getter, the class above
        yield node, f"{owner}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from public_nodes(node, f"{owner}{node.name}.")


def test_everything_public_is_documented(package: Path) -> None:
    complaints = undocumented(package)
    assert not complaints, "\n  ".join(["", *complaints])


def test_culprit_undocumented(plant) -> None:
    source = (
        "def shown():\n    pass\n\n\n"
        "def _hidden():\n    pass\n\n\n"
        'class Feed:\n    """A feed."""\n\n    def save(self):\n        pass\n'
    )
    top = plant({"fakeserver/feed.py": source, "fakeserver/log.py": '"""Fine."""\n'})
    assert undocumented(top / "fakeserver") == [
        "fakeserver/feed.py: the module has no docstring",
        "fakeserver/feed.py:1: shown has no docstring",
        "fakeserver/feed.py:12: Feed.save has no docstring",
    ]


def drawn_tree(docstring: str) -> dict[str, str | None]:
    """Read the drawing: class → the class above it, or None at a root."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in docstring.splitlines():
        match = re.match(r"(?P<indent>[ │├└─]*)(?P<name>[A-Z]\w+)(?P<rest>.*)", line)
        # Prose starts at the margin, a root is alone in its line.
        if not match or not match["indent"] or not (set("├└") & set(line) or not match["rest"]):
            continue
        column = len(match["indent"])
        while above and above[-1][0] >= column:
            above.pop()
        parents[match["name"]] = above[-1][1] if above else None
        above.append((column, match["name"]))
    return parents


def tree_complaints(source: str) -> list[str]:
    """Where the drawing in a module's docstring and its classes differ."""
    module = ast.parse(source)
    drawn = drawn_tree(ast.get_docstring(module) or "")
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    complaints = [f"the tree does not show {name}" for name in classes if name not in drawn]
    for name, parent in drawn.items():
        if name in classes:
            bases = [ast.unparse(base) for base in classes[name].bases]
            if parent is not None and parent not in bases:
                complaints.append(f"the tree has {name} under {parent}, the code {bases}")
        elif parent is not None:
            complaints.append(f"the tree shows {name}, which does not exist")
    return complaints


def test_error_tree_is_drawn_as_it_is(package: Path) -> None:
    source = (package / "errors.py").read_text(encoding="utf-8")
    assert len(drawn_tree(ast.get_docstring(ast.parse(source)) or "")) > 5
    assert tree_complaints(source) == []


def test_culprit_error_tree() -> None:
    source = (
        '"""Errors.\n\nA tree:\n\n    OurError\n'
        '    ├── Wrong (ValueError)   you\n    └── Gone   nobody\n"""\n'
        "class OurError(Exception): ...\n"
        "class Wrong(ValueError): ...\n"
        "class New(OurError): ...\n"
    )
    assert tree_complaints(source) == [
        "the tree does not show New",
        "the tree has Wrong under OurError, the code ['ValueError']",
        "the tree shows Gone, which does not exist",
    ]
