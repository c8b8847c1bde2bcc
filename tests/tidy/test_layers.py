"""Imports point down. The table below is the architecture; a module that it lacks is an error.

Every import counts, also one inside a function; only ``if TYPE_CHECKING`` blocks do not, because
nothing runs there.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

LAYERS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("errors", "clock"), ("misfits",)),
    (("profile",), ("fault",), ("rate_limit",)),
    (("scenario",),),
    (("history",), ("query",)),
    (
        ("cache", "columns", "shelf", "table", "rows", "bounds", "sorting", "order", "log"),
        ("vocabulary",),
        ("resources",),
    ),
    (("dialects.base",),),
    (("dialects.wire",),),
    (("dialects.<name>", "dialects.<name>.*"),),
    (("dialects",),),
    (("profile_file",),),
    (
        ("oddities", "drawing", "drawing.*", "generate", "stream", "strategies"),
        (
            "verifier",
            "verifier.promise",
            "verifier.evidence",
            "verifier.failures",
            "verifier.open_world",
            "verifier.theory",
            "verifier.impossible",
            "verifier.snapshot",
            "verifier.rules",
            "verifier.rules.*",
            "verifier.causes",
            "verifier.in_hand",
            "verifier.proofs",
            "verifier.fault_classes",
            "verifier.diagnosis",
            "verifier.diagnosis.*",
            "verifier.clues",
            "verifier.clues.*",
            "verifier.hazard",
            "verifier.hazards",
            "verifier.fault_hazards",
            "verifier.life_hazards",
            "verifier.verdict",
            "verifier.judge",
            "verifier.untried",
            "verifier.report",
            "verifier.report.*",
            "verifier.explain",
        ),
    ),
    (("armed_faults",), ("delivery",)),
    (("world",),),
    (("app",),),
    (("doors", "doors.*"),),
    (
        (
            "verifier.feed",
            "verifier.changes",
            "verifier.clients",
            "verifier.doorkeeper",
            "verifier.commands",
            "verifier.commands.*",
            "verifier.raised",
            "verifier.watchdog",
            "verifier.pace",
            "verifier.patched_time",
            "verifier.real_wait",
            "verifier.runner",
        ),
    ),
    (
        (
            "verifier.tally",
            "verifier.page_size",
            "verifier.playing",
            "verifier.shard",
            "verifier.crew",
            "verifier.crew.*",
            "verifier.shrink",
            "verifier.remedies",
            "verifier.concluding",
            "verifier.hunting",
            "verifier.search",
            "verifier.merging",
            "verifier.remembering",
            "verifier.keeping",
        ),
        ("verifier.margins", "verifier.margins.*"),
    ),
    (("serving", "serving.*"), ("fidelity", "fidelity.*")),
    (("tour", "cli", "cli.*", "pytest_plugin", "pytest_plugin.*", "__init__", "__main__"),),
)
"""From the bottom up. A layer has rooms; a module may import from lower layers and from its own
room, never from another room of its layer. Each dialect is a room of its own. The first line that
fits a module counts."""

THIRD_PARTY: Mapping[str, tuple[str, ...]] = {
    "click": ("cli", "cli.*"),
    "cloudpickle": ("verifier.crew.cluster",),
    "distributed": ("verifier.crew.cluster", "verifier.crew.seat"),
    "faker": ("vocabulary",),
    "httpx": ("doors", "doors.*"),
    "hypothesis": (
        "strategies",
        "verifier.remembering",
        "pytest_plugin",
        "pytest_plugin.checks",
    ),
    "ijson": ("fidelity.trace.har",),
    "msgspec": ("*",),
    "pytest": ("pytest_plugin", "pytest_plugin.*"),
    "redis": ("verifier.remembering",),
    "requests": ("doors", "doors.*", "fidelity.probe.wire"),
    "time_machine": ("verifier.patched_time",),
    "yaml": ("fidelity.trace.cassettes",),
    "werkzeug": (
        "app",
        "doors",
        "doors.*",
        "serving.bodies",
        "serving.control",
        "serving.endpoints",
        "serving.problems",
        "serving.site",
    ),
}
"""Who may import what does not come with Python. A package that is missing here is an error."""

THIRD_PARTY_FOR_TYPES: Mapping[str, tuple[str, ...]] = {
    "httpx": ("dialects.<name>.clients", "verifier.feed"),
    "hypothesis": ("verifier.search", "pytest_plugin.records"),
    "requests": ("dialects.<name>.clients", "verifier.feed"),
}
"""Who may name it in annotations besides, under ``if TYPE_CHECKING``."""


NOT_IMPORTED = {
    "pyyaml": "its module is called yaml",
    "tzdata": "zoneinfo reads it where the system has no time zones",
}
"""Dependencies without an import, and why they are there."""
EXTRAS_OF_OTHERS = {"contracts": "the suite in `contracts`, which the wheel carries, imports them"}
"""Extras that the package itself does not use, and who does."""
BRINGS_ITSELF = {
    "pytest": "it is pytest that loads the plugin",
    "yaml": "the module of pyyaml, which is asked for",
}
"""Imports without a dependency, and why that is safe."""


BY_TEXT = ("dialects", "__init__", "verifier.clients")
"""Who may import by a name that is only text: this file can't follow such an import.

The last loads the client under test, which the command line names."""


class Import(NamedTuple):
    """One import: of `target` (a dotted name, whole) by `module` (without the package)."""

    module: str
    line: int
    target: str
    for_types: bool


class Room(NamedTuple):
    """Where a module lives."""

    layer: int
    number: int
    name: str


def module_names(package: Path) -> dict[str, Path]:
    """The modules of a package, without its own name; its ``__init__`` is called so."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = list(path.relative_to(package).with_suffix("").parts)
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        modules[".".join(parts)] = path
    return modules


def fits(pattern: str, module: str) -> re.Match[str] | None:
    """``dialects.<name>.*`` fits ``dialects.haravan.wire``; a star stands for the rest."""
    regex = re.escape(pattern).replace("<name>", r"(?P<name>\w+)").replace(r"\*", ".+")
    return re.fullmatch(regex, module)


def room_of(module: str) -> Room | None:
    """The first room of the table with a line that fits."""
    for layer, rooms in enumerate(LAYERS):
        for number, patterns in enumerate(rooms):
            for pattern in patterns:
                if match := fits(pattern, module):
                    return Room(layer, number, match.groupdict().get("name", ""))
    return None


def is_type_checking(test: ast.expr) -> bool:
    """Tell whether a condition is ``TYPE_CHECKING`` or ``typing.TYPE_CHECKING``."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def import_nodes(node: ast.AST, *, for_types: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Every import below a node, and whether it serves annotations only."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, for_types
    elif isinstance(node, ast.If) and is_type_checking(node.test):
        for child in node.body:
            yield from import_nodes(child, for_types=True)
        for child in node.orelse:
            yield from import_nodes(child, for_types=for_types)
    else:
        for child in ast.iter_child_nodes(node):
            yield from import_nodes(child, for_types=for_types)


def targets(node: ast.stmt, path: Path, package: Path, known: Collection[str]) -> Iterator[str]:
    """The dotted names that an import statement loads, relative ones made whole.

    `known` are the modules of the package.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert isinstance(node, ast.ImportFrom)
    base = node.module or ""
    if node.level:
        above = [package.name, *path.relative_to(package).parent.parts]
        base = ".".join([*above[: len(above) - node.level + 1], *filter(None, [base])])
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        # ``from fakeserver import clock`` loads a module, ``… import Clock`` a name of a module.
        yield inner if inner.removeprefix(f"{package.name}.") in known else base


def imports_of(package: Path) -> list[Import]:
    """All imports of all modules."""
    found = []
    modules = module_names(package)
    for module, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for node, for_types in import_nodes(tree):
            for target in dict.fromkeys(targets(node, path, package, modules)):
                found.append(Import(module, node.lineno, target, for_types))
    return found


def own_module(target: str, package: Path) -> str | None:
    """The module of the package that a target names, or None for everybody else's."""
    if target == package.name:
        return "__init__"
    return (
        target.removeprefix(f"{package.name}.") if target.startswith(f"{package.name}.") else None
    )


def unplaced(package: Path) -> list[str]:
    """A sentence for every module that the table lacks."""
    return [
        f"{path.relative_to(package.parent)}: no layer has a place for {module!r}; "
        "add it to LAYERS where its imports allow it"
        for module, path in module_names(package).items()
        if room_of(module) is None
    ]


def upward(package: Path) -> list[str]:
    """A sentence for every import that does not point down."""
    complaints = []
    for found in imports_of(package):
        target = own_module(found.target, package)
        if target is None or found.for_types:
            continue
        here, there = room_of(found.module), room_of(target)
        if here is None or there is None:
            continue  # `unplaced` says it
        where = f"{found.module}, line {found.line}: imports {target}"
        if there.layer > here.layer:
            complaints.append(
                f"{where}, which is {there.layer - here.layer} layers above it; "
                "imports point down: move what is shared into a lower module"
            )
        elif there.layer == here.layer and there != here:
            complaints.append(
                f"{where}, its neighbour; rooms of one layer do not know each other: "
                "move what is shared into a lower module"
            )
    return complaints


def cycles(package: Path) -> list[str]:
    """A sentence for every ring of imports, found once, from its first module in the alphabet."""
    edges: dict[str, set[str]] = {}
    for found in imports_of(package):
        target = own_module(found.target, package)
        if target is not None and not found.for_types and target != found.module:
            edges.setdefault(found.module, set()).add(target)

    def ring(start: str) -> list[str] | None:
        """The shortest way from a module back to it through modules after it in the alphabet."""
        ways, seen = [[start]], {start}
        for way in ways:
            for following in sorted(edges.get(way[-1], ())):
                if following == start:
                    return [*way, start]
                if following > start and following not in seen:
                    seen.add(following)
                    ways.append([*way, following])
        return None

    return [f"a ring of imports: {' → '.join(way)}" for way in map(ring, sorted(edges)) if way]


def strangers(package: Path) -> list[str]:
    """A sentence for every import of a foreign package where it does not belong."""
    complaints = []
    for found in imports_of(package):
        name = found.target.partition(".")[0]
        if name == package.name or name in sys.stdlib_module_names:
            continue
        if name == "_typeshed" and found.for_types:
            continue  # every type checker brings it
        where = f"{found.module}, line {found.line}: imports {name}"
        if name not in THIRD_PARTY:
            complaints.append(f"{where}, which THIRD_PARTY does not list; is it a dependency?")
            continue
        allowed = list(THIRD_PARTY[name])
        if found.for_types:
            allowed += THIRD_PARTY_FOR_TYPES.get(name, ())
        if not any(fits(pattern, found.module) for pattern in allowed):
            complaints.append(f"{where}, which belongs only to {', '.join(allowed)}")
    return complaints


def hidden(package: Path) -> list[str]:
    """A sentence for every import by text, which hides from the table."""
    return [
        f"{module}, line {node.lineno}: {word} hides an import; write an import statement"
        for module, path in module_names(package).items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for word in ("import_module", "__import__")
        if module not in BY_TEXT
        and isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] == word
    ]


def undeclared(package: Path, pyproject: str) -> list[str]:
    """A sentence for each difference between the imports and the declared dependencies."""
    project = tomllib.loads(pyproject)["project"]
    extras = project.get("optional-dependencies", {}).items()
    optional = [lines for name, lines in extras if name not in EXTRAS_OF_OTHERS]
    lines = [*project["dependencies"], *(line for lines in optional for line in lines)]
    declared = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in lines}
    targets = {each.target for each in imports_of(package) if not each.for_types}
    imported = {target.partition(".")[0] for target in targets}
    imported -= {package.name, *sys.stdlib_module_names}
    missing = sorted(imported - declared - BRINGS_ITSELF.keys())
    idle = sorted(declared - imported - NOT_IMPORTED.keys())
    return [f"{name} is imported, but pyproject.toml does not ask for it" for name in missing] + [
        f"pyproject.toml asks for {name}, but nobody imports it" for name in idle
    ]


def listed(complaints: list[str]) -> str:
    """One complaint a line, as the message of an assertion."""
    return "\n  ".join(["", *complaints])


def test_every_module_has_a_layer(package: Path) -> None:
    complaints = unplaced(package)
    assert not complaints, listed(complaints)


def test_imports_point_down(package: Path) -> None:
    complaints = upward(package)
    assert not complaints, listed(complaints)


def test_no_ring_of_imports(package: Path) -> None:
    complaints = cycles(package)
    assert not complaints, listed(complaints)


def test_foreign_packages_stay_in_their_place(package: Path) -> None:
    complaints = strangers(package)
    assert not complaints, listed(complaints)


def test_no_import_hides(package: Path) -> None:
    complaints = hidden(package)
    assert not complaints, listed(complaints)


def test_dependencies_are_what_is_imported(package: Path, checkout: Path) -> None:
    complaints = undeclared(package, (checkout / "pyproject.toml").read_text(encoding="utf-8"))
    assert not complaints, listed(complaints)


def test_the_sources_were_read(package: Path) -> None:
    """A search that finds no import at all would accept everything."""
    found = {(each.module, own_module(each.target, package)) for each in imports_of(package)}
    assert {("clock", "errors"), ("scenario", "clock"), ("dialects", "dialects.base")} <= found


@pytest.mark.parametrize("forbidden", ["world", "app", "doors"])
@pytest.mark.parametrize("judge", ["promise", "rules", "verdict", "judge", "report.text"])
def test_the_judge_never_knows_the_world(judge: str, forbidden: str) -> None:
    """The table itself must keep this promise, whatever else is moved in it."""
    here, there = room_of(f"verifier.{judge}"), room_of(forbidden)
    assert here is not None
    assert there is not None
    assert here.layer < there.layer


CULPRITS = {
    "upward": (
        {"clock.py": "from fakeserver.world import World\n"},
        "clock, line 1: imports world",
    ),
    "upward, in a function": (
        {"verifier/judge.py": "def judge():\n    import fakeserver.app\n"},
        "verifier.judge, line 2: imports app",
    ),
    "upward, as a name of the package": (
        {"log.py": "from fakeserver import world\n", "world.py": ""},
        "log, line 1: imports world",
    ),
    "upward, to the package itself": (
        {"log.py": "from fakeserver import judge\n"},
        "log, line 1: imports __init__",
    ),
    "upward, relative": (
        {"verifier/rules.py": "from ..doors import live\n"},
        "verifier.rules, line 1: imports doors",
    ),
    "upward, relative, from a package": (
        {"verifier/report/__init__.py": "from ..feed import Feed\n", "verifier/feed.py": ""},
        "verifier.report, line 1: imports verifier.feed",
    ),
    "one dialect knows another": (
        {"dialects/haravan/clients.py": "from fakeserver.dialects.saleschannel import DIALECT\n"},
        "dialects.haravan.clients, line 1: imports dialects.saleschannel, its neighbour",
    ),
    "the branch that runs": (
        {"log.py": "if TYPE_CHECKING:\n    pass\nelse:\n    import fakeserver.app\n"},
        "log, line 4: imports app",
    ),
}


@pytest.mark.parametrize(("files", "says"), CULPRITS.values(), ids=list(CULPRITS))
def test_culprit_upward(plant, files: dict[str, str], says: str) -> None:
    package = plant({f"fakeserver/{name}": text for name, text in files.items()}) / "fakeserver"
    complaints = upward(package)
    assert len(complaints) == 1
    assert complaints[0].startswith(says)


def test_innocent_imports(plant) -> None:
    sources = {
        "fakeserver/log.py": (
            "from typing import TYPE_CHECKING\n"
            "from fakeserver import clock\n"
            "from fakeserver.query import Query\n"
            "if TYPE_CHECKING:\n    from fakeserver.world import World\n"
        ),
        "fakeserver/clock.py": "import fakeserver.errors\nimport msgspec\nimport json\n",
        "fakeserver/dialects/haravan/__init__.py": "from .clients import reference\n",
        "fakeserver/dialects/haravan/clients.py": (
            "from fakeserver.dialects import base\n"
            "import typing\n"
            "if typing.TYPE_CHECKING:\n    import requests\n"
        ),
        "fakeserver/dialects/base.py": "",
    }
    package = plant(sources) / "fakeserver"
    complaints = upward(package) + cycles(package) + strangers(package) + unplaced(package)
    assert complaints == []


def test_culprit_ring(plant) -> None:
    sources = {
        "fakeserver/verifier/causes.py": "from fakeserver.verifier import rules\n",
        "fakeserver/verifier/rules.py": "def f():\n    from fakeserver.verifier import verdict\n",
        "fakeserver/verifier/verdict.py": "from .causes import Cause\n",
    }
    package = plant(sources) / "fakeserver"
    assert upward(package) == []
    assert cycles(package) == [
        "a ring of imports: verifier.causes → verifier.rules → verifier.verdict → verifier.causes"
    ]


def test_culprit_foreign_package(plant) -> None:
    sources = {
        "fakeserver/world.py": "def start():\n    from werkzeug.serving import make_server\n",
        "fakeserver/clock.py": "import pendulum\n",
        "fakeserver/generate.py": "import faker.providers\n",
        "fakeserver/log.py": "import typing\nif typing.TYPE_CHECKING:\n    import httpx\n",
    }
    assert strangers(plant(sources) / "fakeserver") == [
        "clock, line 1: imports pendulum, which THIRD_PARTY does not list; is it a dependency?",
        "generate, line 1: imports faker, which belongs only to vocabulary",
        "log, line 3: imports httpx, which belongs only to "
        "doors, doors.*, dialects.<name>.clients, verifier.feed",
        "world, line 2: imports werkzeug, which belongs only to "
        + ", ".join(THIRD_PARTY["werkzeug"]),
    ]


def test_culprit_hidden(plant) -> None:
    source = "import importlib\nworld = importlib.import_module('fakeserver.world')\n"
    top = plant({"fakeserver/log.py": source, "fakeserver/dialects/__init__.py": source})
    assert hidden(top / "fakeserver") == [
        "log, line 2: import_module hides an import; write an import statement"
    ]


def test_culprit_undeclared(plant) -> None:
    top = plant({"fakeserver/cli.py": "import rich.table\nimport json\nimport msgspec\n"})
    pyproject = '[project]\ndependencies = ["msgspec>=0.19", "tzdata", "faker[x]>=30"]\n'
    assert undeclared(top / "fakeserver", pyproject) == [
        "rich is imported, but pyproject.toml does not ask for it",
        "pyproject.toml asks for faker, but nobody imports it",
    ]


def test_culprit_without_a_layer(plant) -> None:
    sources = {"fakeserver/utils.py": "", "fakeserver/verifier/helpers.py": ""}
    complaints = unplaced(plant(sources) / "fakeserver")
    assert [line.partition(":")[0] for line in complaints] == [
        "fakeserver/utils.py",
        "fakeserver/verifier/helpers.py",
    ]
