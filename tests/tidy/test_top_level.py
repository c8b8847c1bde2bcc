"""What may lie in the repository, and how long a module may be."""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "contracts",
    "fakeserver",
    "fixtures",
    "pyproject.toml",
    "tests",
}
"""Besides names that start with a dot."""

LINES_PER_MODULE_MAX = 400
LINES_PER_FUNCTION_MAX = 60

LONG: Mapping[str, str] = {
    "verifier/search.py:verify": "most of it says what its arguments are",
}
"""``module.py`` or ``module.py:function`` → why it may be longer. Unused ones are an error."""

PRINTS: Mapping[str, str] = {
    "fakeserver/cli.py": "its output is what it is for",
}

# Put together from halves, so that this file does not accuse itself.
FORBIDDEN_TEXT: Mapping[str, str] = {
    r"(?<![\w.~>)}-])/(?:work|root|home|Users|opt|mnt)" + r"/[\w.]": "a path of somebody's machine",
    r"\b[A-Z]:\\\\?" + r"Users\b": "a path of somebody's machine",
    r"(?:py" + r"pi|python" + r"hosted|npm" + r"js|yarn" + r"pkg|ana" + r"conda)\.(?:org|com)": (
        "the address of a package registry"
    ),
    r"(?:crates\.i" + r"o|ruby" + r"gems\.org|proxy\.golang" + r"\.org)": (
        "the address of a package registry"
    ),
    r"(?:https?|file)://\S+/sim" + r"ple\b": "the address of a package registry",
}


def strays(names: Iterable[str]) -> list[str]:
    """Tracked names at the top that nobody allowed."""
    tops = {name.partition("/")[0] for name in names}
    return sorted(top for top in tops if top not in TOP_LEVEL and not top.startswith("."))


def private_texts(top: Path, names: Iterable[str]) -> list[str]:
    """A line for each text that belongs to one machine or network."""
    found = []
    for name in names:
        try:
            lines = (top / name).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # not a text
        for number, line in enumerate(lines, start=1):
            found.extend(
                f"{name}:{number}: {match[0]!r} is {what}"
                for regex, what in FORBIDDEN_TEXT.items()
                if (match := re.search(regex, line))
            )
    return found


def prints(top: Path) -> list[str]:
    """A line for each use of `print`."""
    return [
        f"{path.relative_to(top).as_posix()}:{node.lineno}: print"
        for path in sorted((top / "fakeserver").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id == "print"
    ]


def lengths(package: Path) -> dict[str, tuple[int, int]]:
    """The lines of each module and function, and how many it may have."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        module = path.relative_to(package).as_posix()
        source = path.read_text(encoding="utf-8")
        found[module] = (len(source.splitlines()), LINES_PER_MODULE_MAX)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                lines = (node.end_lineno or first) - first + 1
                name = f"{module}:{node.name}"
                before = found.get(name, (0, 0))[0]  # two methods may share a name
                found[name] = (max(lines, before), LINES_PER_FUNCTION_MAX)
    return found


def too_long(package: Path, allowed: Mapping[str, str]) -> list[str]:
    """A line for each module or function that is too long, and each allowance without need."""
    over = {name: size for name, size in lengths(package).items() if size[0] > size[1]}
    complaints = [
        f"{name} has {lines} lines, at most {most}; divide it"
        for name, (lines, most) in over.items()
        if name not in allowed
    ]
    return complaints + [f"LONG: {name} is no longer too long" for name in allowed - over.keys()]


def test_only_known_names_at_the_top(tracked: list[str]) -> None:
    assert strays(tracked) == []


def test_nothing_of_one_machine(checkout: Path, tracked: list[str]) -> None:
    complaints = private_texts(checkout, tracked)
    assert not complaints, "\n  ".join(["", *complaints])


def test_only_the_command_line_prints(checkout: Path) -> None:
    assert [use for use in prints(checkout) if use.partition(":")[0] not in PRINTS] == []


def test_nothing_is_too_long(package: Path) -> None:
    complaints = too_long(package, LONG)
    assert not complaints, "\n  ".join(["", *complaints])


def test_the_project_was_read(tracked: list[str], package: Path) -> None:
    """An empty listing would accept everything."""
    assert {"pyproject.toml", "fakeserver/clock.py"} <= set(tracked)
    assert lengths(package)["clock.py:at"][0] > 2


def test_culprit_at_the_top() -> None:
    names = [".ci/run", "fakeserver/app.py", "docs/index.md", "setup.py", "README.md"]
    assert strays(names) == ["docs", "setup.py"]


@pytest.mark.parametrize(
    "line",
    [
        "root = '/ho" + "me/somebody/project'",
        "see /wo" + "rk/main/README.md",
        "PATH=/ro" + "ot/.venv/bin",
        "C:\\Us" + "ers\\somebody",
        "https://py" + "pi.org/project/fakeserver",
        "index-url = https://mirror.example/sim" + "ple/",
    ],
)
def test_culprit_private_text(plant, line: str) -> None:
    top = plant({"notes.md": f"# Notes\n{line}\n"})
    complaints = private_texts(top, ["notes.md"])
    assert [text.partition(" ")[0] for text in complaints] == ["notes.md:2:"]


@pytest.mark.parametrize(
    "line",
    [
        "GET /com/events.json?since_id=0",
        "https://example.com/home/page",
        "a simple thing",
        "$HOME/work/x",
        "tests/home/test_x.py",
    ],
)
def test_innocent_text(plant, line: str) -> None:
    assert private_texts(plant({"notes.md": line}), ["notes.md"]) == []


def test_culprit_print(plant) -> None:
    top = plant({"fakeserver/log.py": '"""Do not print()."""\nprint("here")\n'})
    assert prints(top) == ["fakeserver/log.py:2: print"]


def test_culprit_too_long(plant) -> None:
    long_function = "def long():\n" + "    pass\n" * LINES_PER_FUNCTION_MAX
    long_module = "\n" * (LINES_PER_MODULE_MAX + 1)
    top = plant({"p/app.py": long_function, "p/data.py": long_module, "p/log.py": "x = 1\n"})
    assert too_long(top / "p", {"data.py": "a table", "log.py": "was long once"}) == [
        "app.py:long has 61 lines, at most 60; divide it",
        "LONG: log.py is no longer too long",
    ]
