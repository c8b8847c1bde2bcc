"""Every benchmark is a section of the one command, and stands on the page that it writes."""

import ast
from pathlib import Path

HELPERS = frozenset({"__main__", "section", "long_log"})
"""The command, what sections share, and the process of one of them."""


def modules(folder: Path) -> set[str]:
    """The modules that measure something."""
    return {path.stem for path in folder.glob("*.py")} - HELPERS


def registered(folder: Path) -> list[str]:
    """The modules whose section the command knows, in its order."""
    tree = ast.parse((folder / "__main__.py").read_text(encoding="utf-8"))
    return [
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "SECTION"
        and isinstance(node.value, ast.Name)
    ]


def names_of(folder: Path, module: str) -> list[str]:
    """The names that a module gives its sections: the first argument of each."""
    tree = ast.parse((folder / f"{module}.py").read_text(encoding="utf-8"))
    return [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Section"
        and isinstance(node.args[0], ast.Constant)
    ]


def complaints_about(folder: Path, page: str) -> list[str]:
    """A line for each module that is not registered, and each section that is not on the page."""
    known = registered(folder)
    found = [f"{module}.py has no line in SECTIONS" for module in modules(folder) - set(known)]
    found += [
        f"{name}: run python -m tests.benchmarks --only {name} --write"
        for module in known
        for name in names_of(folder, module)
        if f"<!-- section: {name} -->\n" not in page
    ]
    return sorted(found)


def test_every_benchmark_is_a_section_and_on_the_page(checkout: Path) -> None:
    page = (checkout / "fakeserver" / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert complaints_about(checkout / "tests" / "benchmarks", page) == []


def test_the_sections_were_read(checkout: Path) -> None:
    """An empty listing would accept everything."""
    folder = checkout / "tests" / "benchmarks"
    assert {"page", "length"} <= set(registered(folder)) <= modules(folder)
    assert names_of(folder, "worlds_per_second") == ["worlds"]


def test_culprits(plant) -> None:
    folder = plant(
        {
            "__main__.py": "from x import a, b\nSECTIONS = (a.SECTION, b.SECTION)\n",
            "a.py": 'SECTION = Section("first", "…", "…", measure)\n',
            "b.py": 'SECTION = Section("second", "…", "…", measure)\n',
            "c.py": "",
        }
    )
    assert complaints_about(folder, "<!-- section: first -->\n") == [
        "c.py has no line in SECTIONS",
        "second: run python -m tests.benchmarks --only second --write",
    ]
