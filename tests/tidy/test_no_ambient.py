"""Time and chance are arguments: nothing in the package reads a wall clock or ambient chance.

The same seed must give the same bytes on every machine, and an hour of polls must cost no time.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

FORBIDDEN: Mapping[str, str] = {
    r"time\..+": "a wall clock; take an Instant or a clock as an argument",
    r"datetime\.datetime\.(now|utcnow|today)": "a wall clock; take an Instant as an argument",
    r"datetime\.date\.today": "a wall clock; take an Instant as an argument",
    r"asyncio\.(sleep|timeout|wait_for)": "real time; a feed sleeps in simulated time",
    r"threading\.Timer": "real time; the world's clock decides when something happens",
    r"email\.utils\.localtime": "a wall clock; take an Instant as an argument",
    r"random\.(?!Random$).+": "ambient chance; take a random.Random as an argument",
    r"numpy\.random.*": "ambient chance; take a random.Random as an argument",
    r"uuid\.uuid[146]": "ambient chance; draw the number from a random.Random",
    r"os\.(urandom|getrandom)": "ambient chance; draw the bytes from a random.Random",
    r"secrets\..+": "ambient chance; take a random.Random as an argument",
    r"builtins\.hash": "differs from run to run for text; use hashlib or a sorted key",
}
"""A pattern of whole dotted names, and what to do instead."""

FORBIDDEN_WITHOUT_ARGUMENTS: Mapping[str, str] = {
    r"random\.Random": "ambient chance; give it a seed",
    r"email\.utils\.formatdate": "a wall clock; give it an instant",
    r"werkzeug\.http\.http_date": "a wall clock; give it an instant",
}
"""Harmless with an argument, ambient without."""

ALLOWED: Mapping[tuple[str, str], str] = {
    ("cli.terminal", "time.monotonic"): "--seconds is a budget of real time",
    ("verifier.patched_time", "time.sleep"): "it is put back after a client has run",
    ("verifier.patched_time", "asyncio.sleep"): "it is put back after a client has run",
    ("cli.terminal", "time.time_ns"): "a measured profile is dated, and too old one day",
    ("pytest_plugin.checks", "time.time_ns"): "a measured profile is dated, and too old one day",
    ("cli.probe", "time.monotonic"): "no more than so many requests a second of real time",
    ("cli.probe", "time.sleep"): "the pause between two requests to a real service",
    ("verifier.real_wait", "time.monotonic"): "whether a client waited in earnest, as it was told",
    ("pytest_plugin.options", "secrets.randbelow"): "a seed that is asked for as random, and shown",
    ("verifier.crew.worker", "time.monotonic"): "how much a worker is given at a time, no more",
    ("verifier.commands.client", "time.monotonic"): "how long a process has to give up a poll",
    ("doors.connection", "time.monotonic"): "a slow answer is held for so long in reality",
    ("cli.serve", "time.time_ns"): "a server's clock may run as fast as real time, or by it",
}
"""(module, dotted name) → reason. An allowance that nobody uses is an error too."""


def names_of(tree: ast.AST) -> dict[str, str]:
    """What the imported names of a module stand for: ``{"dt": "datetime.datetime"}``."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                names[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.AST, names: Mapping[str, str]) -> str | None:
    """The whole dotted name of an expression: ``t.time`` is ``time.time`` after such an import."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "builtins.hash" if node.id == "hash" else None)
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, names)
        return base and f"{base}.{node.attr}"
    return None


def reason_against(name: str, patterns: Mapping[str, str]) -> str | None:
    """What to do instead of a forbidden name."""
    return next((why for regex, why in patterns.items() if re.fullmatch(regex, name)), None)


def zero_sleeps(tree: ast.AST) -> Iterator[ast.expr]:
    """What is called as ``…(0)``: ``asyncio.sleep(0)`` lets others run and takes no time."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="sleep"), args=[ast.Constant(value=0)]):
                yield node.func


def ambient_in(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, dotted name and remedy of each forbidden use. A mere mention counts, as in
    ``clock=time.monotonic``; an import alone does not."""
    tree = ast.parse(source)
    names = names_of(tree)
    excused = set(zero_sleeps(tree))
    for node in ast.walk(tree):
        name = None if node in excused else dotted(node, names)
        if name and (why := reason_against(name, FORBIDDEN)):
            yield node.lineno, name, why
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            called = dotted(node.func, names)
            if called and (why := reason_against(called, FORBIDDEN_WITHOUT_ARGUMENTS)):
                yield node.lineno, f"{called}()", why


def complaints_about(package: Path, allowed: Mapping[tuple[str, str], str]) -> list[str]:
    """A sentence for each use that is not allowed, and for each allowance without a use."""
    complaints, used = [], set()
    for path in sorted(package.rglob("*.py")):
        module = ".".join(path.relative_to(package).with_suffix("").parts)
        for line, name, why in ambient_in(path.read_text(encoding="utf-8")):
            if (module, name) in allowed:
                used.add((module, name))
            else:
                complaints.append(f"{path.relative_to(package.parent)}:{line}: {name} is {why}")
    unused = sorted(set(allowed) - used)
    return complaints + [f"ALLOWED: {module} no longer uses {name}" for module, name in unused]


def test_no_ambient_time_or_chance(package: Path) -> None:
    complaints = complaints_about(package, ALLOWED)
    assert not complaints, "\n  ".join(["", *complaints])


def test_every_allowance_has_a_reason() -> None:
    assert [key for key, reason in ALLOWED.items() if len(reason.split()) < 4] == []


CULPRITS = {
    "time.time": "import time\ntime.time()",
    "time.monotonic": "from time import monotonic as tick\ntick()",
    "time.sleep": "import time as t\npause = t.sleep",
    "time.perf_counter": "def f():\n    import time\n    return time.perf_counter()",
    "datetime.datetime.now": "from datetime import UTC, datetime\ndatetime.now(UTC)",
    "datetime.datetime.utcnow": "import datetime as d\nd.datetime.utcnow()",
    "datetime.date.today": "from datetime import date\ndate.today()",
    "asyncio.sleep": "import asyncio\nasync def f():\n    await asyncio.sleep(1)",
    "random.choice": "import random\nrandom.choice([1])",
    "random.shuffle": "from random import shuffle\nshuffle([])",
    "random.SystemRandom": "import random\nrandom.SystemRandom()",
    "random.Random()": "from random import Random\nRandom()",
    "uuid.uuid4": "import uuid\nuuid.uuid4()",
    "uuid.uuid1": "from uuid import uuid1\nuuid1()",
    "os.urandom": "import os\nos.urandom(8)",
    "secrets.token_hex": "import secrets\nsecrets.token_hex()",
    "builtins.hash": "key = hash('text')",
    "email.utils.formatdate()": "from email.utils import formatdate\nformatdate()",
}


@pytest.mark.parametrize("name", CULPRITS)
def test_culprit(name: str) -> None:
    assert name in {found for _, found, _ in ambient_in(CULPRITS[name])}


INNOCENTS = (
    "from random import Random\ndef draw(random: Random) -> int:\n    return random.randint(1, 2)",
    "import random\nrandom.Random(7).random()",
    "import random\ndef f(chance: random.Random):\n    return chance.choice([1])",
    "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)",
    "from datetime import time\nnoon = time(12)",
    "class Clock:\n    def time(self):\n        return self.now()",
    "import uuid\nuuid.UUID(int=7, version=4)",
    "import os\nos.environ",
    "def f(time):\n    return time.monotonic",
    "import asyncio\nasync def f():\n    await asyncio.sleep(0)",
)


@pytest.mark.parametrize("source", INNOCENTS)
def test_innocent(source: str) -> None:
    assert list(ambient_in(source)) == []


def test_complaint_names_place_and_remedy(plant) -> None:
    top = plant({"fakeserver/verifier/verdict.py": "import time\n\nstart = time.time()\n"})
    assert complaints_about(top / "fakeserver", {}) == [
        "fakeserver/verifier/verdict.py:3: time.time is a wall clock; "
        "take an Instant or a clock as an argument"
    ]


def test_allowance_excuses_its_module_only(plant) -> None:
    source = "import time\ntime.monotonic()\n"
    top = plant({"fakeserver/runner.py": source, "fakeserver/world.py": source})
    allowed = {
        ("runner", "time.monotonic"): "ends a client that hangs",
        ("runner", "time.time"): "nobody needs it any more",
    }
    complaints = complaints_about(top / "fakeserver", allowed)
    assert [line.partition(" ")[0] for line in complaints] == [
        "fakeserver/world.py:2:",
        "ALLOWED:",
    ]
