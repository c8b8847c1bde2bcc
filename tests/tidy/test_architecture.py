"""`fakeserver/ARCHITECTURE.md` names every module by its path, and none that is not there."""

import ast
import re
from pathlib import Path

PATH = re.compile(r"(?<![\w./*-])[\w./-]+\.py\b")


def is_mere_docstring(path: Path) -> bool:
    """An ``__init__.py`` that holds nothing needs no line of its own."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return path.name == "__init__.py" and all(isinstance(node, ast.Expr) for node in body)


def differences(text: str, package: Path) -> list[str]:
    """A sentence for each module that the page lacks or makes up.

    Modules are named by their path below the package (``verifier/rules.py``); a path from the top
    of the repository (``tests/tidy/test_layers.py``) may be named too.
    """
    named = {name.removeprefix("fakeserver/") for name in PATH.findall(text)}
    modules = {path.relative_to(package).as_posix(): path for path in package.rglob("*.py")}
    missing = [
        f"ARCHITECTURE.md does not name {name}"
        for name, path in sorted(modules.items())
        if name not in named and not is_mere_docstring(path)
    ]
    made_up = [
        f"ARCHITECTURE.md names {name}, which is not there"
        for name in sorted(named - modules.keys())
        if not (package.parent / name).is_file()
    ]
    return missing + made_up


def test_page_names_every_module(package: Path) -> None:
    complaints = differences((package / "ARCHITECTURE.md").read_text(encoding="utf-8"), package)
    assert not complaints, "\n  ".join(["", *complaints])


def test_culprit_differences(plant) -> None:
    top = plant(
        {
            "fakeserver/__init__.py": '"""Nothing but words."""\n',
            "fakeserver/clock.py": "",
            "fakeserver/dialects/__init__.py": "DIALECTS = ()\n",
            "fakeserver/verifier/clock.py": "",
            "tests/test_clock.py": "",
        }
    )
    text = "`clock.py` keeps time (`tests/test_clock.py`); `fakeserver/world.py` is no more."
    assert differences(text, top / "fakeserver") == [
        "ARCHITECTURE.md does not name dialects/__init__.py",
        "ARCHITECTURE.md does not name verifier/clock.py",
        "ARCHITECTURE.md names world.py, which is not there",
    ]


def test_innocent_page(plant) -> None:
    top = plant({"fakeserver/clock.py": "", "fakeserver/verifier/rules.py": ""})
    text = "    clock.py            time\n    verifier/rules.py   what it accuses\n"
    assert differences(text, top / "fakeserver") == []
