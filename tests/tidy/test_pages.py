"""Pages can't lie: a reader who follows one from top to bottom sees what it says.

The fenced blocks of a page are run in their order, all in one folder that starts empty:

| block | what happens |
|---|---|
| after ``<!-- file: NAME -->`` | is written to NAME |
| ``console`` | lines that start with ``$ `` are run in a shell; output that is shown must come (and error output with it), ``...`` stands for anything; the exit status must be 0, or N for the last command after ``<!-- exit: N -->`` |
| ``console`` after ``<!-- server -->`` | its one command is left running, once it has said what is shown; at the end SIGTERM must end it with status 0; another, free port stands for its ``--port`` on the whole page |
| ``python`` | is run as a program |
| after ``<!-- first-command -->``, ``<!-- test-command -->`` | `.ci/run` runs it |
| after ``<!-- part-of: FILE -->`` | must stand so in that file of the checkout |
| after ``<!-- skip: REASON -->`` | nothing |
| after ``<!-- drawing -->`` | nothing: it is for people |

Any other block is an error. So is a link that leads nowhere.
"""  # noqa: E501 - a table

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[\w+-]*)")
MARKER = re.compile(r"<!--\s*(?P<name>[a-z-]+)(?::\s*(?P<value>.*?))?\s*-->")
MARKERS = {"file", "part-of", "drawing", "skip", "exit", "server", "first-command", "test-command"}
CHECKOUT = Path(__file__).parents[2]
COMMAND_SECONDS_MAX = 300
"""Only a hanging command takes that long."""


class Snippet(NamedTuple):
    """A fenced block with the comments directly above it; `line` is where it opens."""

    line: int
    language: str
    markers: Mapping[str, str]
    body: str


class Command(NamedTuple):
    """A command of a console block, and the output that the block shows for it."""

    text: str
    output: str


def snippets(text: str) -> Iterator[Snippet]:
    """The fenced blocks of a page."""
    markers: dict[str, str] = {}
    opened: tuple[int, re.Match[str]] | None = None
    body: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if opened is not None:
            if line.strip() == opened[1]["fence"]:
                inside = textwrap.dedent("\n".join(body)) + "\n"
                yield Snippet(opened[0], opened[1]["language"], markers, inside)
                opened, body, markers = None, [], {}
            else:
                body.append(line)
        elif fence := FENCE.match(line):
            opened = number, fence
        elif marker := MARKER.fullmatch(line.strip()):
            markers[marker["name"]] = marker["value"] or ""
        elif line.strip():
            markers = {}
    assert opened is None, f"line {opened and opened[0]}: this block is never closed"


def commands(body: str) -> list[Command]:
    """The commands of a console block. A line that ends with a backslash goes on in the next."""
    joined = re.sub(r"\\\n(> )?", "", body)
    found: list[Command] = []
    for line in joined.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], ""))
        elif found:
            found[-1] = found[-1]._replace(output=f"{found[-1].output}{line}\n")
        elif line.strip():
            return []
    return found


def matches(shown: str, came: str) -> bool:
    """Tell whether output is as shown. Blanks at the ends of lines and of the whole are free."""
    pattern = ""
    for line in shown.strip("\n").splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)?"  # any number of lines, also none
        else:
            pattern += re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + r"\n"
    lines = (line.rstrip() for line in came.strip("\n").splitlines())
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines), re.DOTALL) is not None


def reader_environment(folder: Path) -> dict[str, str]:
    """A shell with the virtual environment activated, and nothing of the run that tests it."""
    foreign = ("PYTEST", "FAKESERVER", "PYTHON", "COV", "CI", "GITHUB")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign)
    }
    programs = str(Path(sys.executable).parent)
    return environment | {
        "PATH": os.pathsep.join([programs, os.environ["PATH"]]),
        "HOME": str(folder),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def run(command: str | list[str], folder: Path) -> tuple[int, str]:
    """Exit status and output, error output included, as on a terminal."""
    done = subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=folder,
        env=reader_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
    return done.returncode, done.stdout


def follow_console(snippet: Snippet, folder: Path) -> Iterator[str]:
    """Run a console block; yield what went otherwise than shown."""
    found = commands(snippet.body)
    if not found:
        yield "a console block must start with a line '$ COMMAND'"
    for number, command in enumerate(found, start=1):
        last = number == len(found)
        expected = int(snippet.markers.get("exit", "0")) if last else 0
        status, came = run(command.text, folder)
        if status != expected:
            yield f"$ {command.text}\nexit status {status}, expected {expected}; it said:\n{came}"
        elif command.output.strip() and not matches(command.output, came):
            yield f"$ {command.text}\nshown:\n{command.output}\nbut it said:\n{came}"


@contextmanager
def left_running(snippet: Snippet, folder: Path) -> Iterator[list[str]]:
    """Leave the command of a block running meanwhile; gives what went otherwise than shown."""
    complaints: list[str] = []
    command = commands(snippet.body)[0]
    process = subprocess.Popen(
        shlex.split(command.text),
        cwd=folder,
        env=reader_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    came = "".join(process.stdout.readline() for _ in command.output.splitlines())
    if not matches(command.output, came):
        complaints.append(f"$ {command.text}\nshown:\n{command.output}\nbut it said:\n{came}")
    try:
        yield complaints
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=COMMAND_SECONDS_MAX)
        if process.returncode:
            complaints.append(f"$ {command.text}\nended with exit status {process.returncode}")


def follow_snippet(snippet: Snippet, folder: Path) -> Iterator[str]:
    """Do what a block asks for; yield what is wrong with it."""
    markers = snippet.markers
    if unknown := sorted(markers.keys() - MARKERS):
        yield f"unknown marker {', '.join(unknown)}; known are {', '.join(sorted(MARKERS))}"
    if "skip" in markers:
        if len(markers["skip"].split()) < 3:
            yield "skip needs a reason that a reader understands"
    elif markers.keys() & {"first-command", "test-command", "drawing"}:
        pass
    elif "part-of" in markers:
        if not is_part(snippet.body, (CHECKOUT / markers["part-of"]).read_text(encoding="utf-8")):
            yield f"this is not, or no longer, a part of {markers['part-of']}"
    elif "file" in markers:
        write_file(snippet, folder)
    else:
        yield from run_snippet(snippet, folder)


def is_part(body: str, text: str) -> bool:
    """Tell whether the lines of a block stand so in a text, at whatever indent."""
    return any(textwrap.indent(body, " " * indent).rstrip() in text for indent in (0, 4, 8))


def write_file(snippet: Snippet, folder: Path) -> None:
    """Write a block to the file that it names."""
    path = (folder / snippet.markers["file"]).resolve()
    assert path.is_relative_to(folder.resolve()), f"{path} is outside the reader's folder"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(snippet.body, encoding="utf-8")


def run_snippet(snippet: Snippet, folder: Path) -> Iterator[str]:
    """Run a block by its language; yield what is wrong with it."""
    if snippet.language == "console":
        yield from follow_console(snippet, folder)
    elif snippet.language == "python":
        status, came = run([sys.executable, "-c", snippet.body], folder)
        if status:
            yield f"the program ended with exit status {status} and said:\n{came}"
    else:
        yield (
            f"nothing runs this block ({snippet.language or 'without a language'}); "
            "put <!-- file: NAME --> or <!-- skip: REASON --> above it"
        )


def on_free_ports(found: list[Snippet]) -> list[Snippet]:
    """Put a free port in place of each on which a page leaves a server running.

    A reader has the port of the page for himself; what runs beside this test may have it too.
    """
    servers = [snippet.body for snippet in found if "server" in snippet.markers]
    ports = dict.fromkeys(port for body in servers for port in PORT.findall(body) if port != "0")
    for port in ports:
        free = str(free_port())
        found = [
            snippet
            if "part-of" in snippet.markers
            else snippet._replace(body=re.sub(rf"\b{port}\b", free, snippet.body))
            for snippet in found
        ]
    return found


PORT = re.compile(r"--port (\d+)")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def follow(text: str, folder: Path) -> list[str]:
    """Follow a page from top to bottom; return what went wrong, each with its line."""
    complaints: list[tuple[int, list[str]]] = []
    with ExitStack() as stack:
        for snippet in on_free_ports(list(snippets(text))):
            if "server" in snippet.markers:
                said = stack.enter_context(left_running(snippet, folder))
            else:
                said = list(follow_snippet(snippet, folder))
            complaints.append((snippet.line, said))
    return [f"line {line}: {one}" for line, said in complaints for one in said]


def pages() -> list[str]:
    """The documents of the checkout, by their paths."""
    found = [CHECKOUT / "README.md", CHECKOUT / "fakeserver" / "ARCHITECTURE.md"]
    for folder in ("contracts", "fixtures"):
        found += sorted((CHECKOUT / folder).rglob("*.md"))
    names = [path.relative_to(CHECKOUT).as_posix() for path in found]
    return [name for name in names if "/node_modules/" not in name]


@pytest.mark.parametrize("page", pages())
def test_a_page_does_as_it_says(page: str, tmp_path: Path) -> None:
    complaints = follow((CHECKOUT / page).read_text(encoding="utf-8"), tmp_path)
    assert not complaints, "\n\n".join(["", *(f"{page}, {each}" for each in complaints)])


def dead_links(text: str, folder: Path) -> list[str]:
    """The links of a page in `folder` that lead to no file, or to no heading of one."""
    found = []
    for target in LINK.findall(text):
        path, _, heading = target.partition("#")
        file = folder / path if path else None
        if file is not None and not file.exists():
            found.append(target)
        elif heading:
            there = text if file is None else file.read_text(encoding="utf-8")
            if heading not in {anchor(line) for line in there.splitlines() if line[:1] == "#"}:
                found.append(target)
    return found


LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")


def anchor(heading: str) -> str:
    """The anchor that a heading gets on GitHub."""
    words = re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower())
    return words.replace(" ", "-")


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    path = CHECKOUT / page
    assert dead_links(path.read_text(encoding="utf-8"), path.parent) == []


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A page\n\n## 1. Two, words\n", encoding="utf-8")
    text = "# Here\n[a](there.md) [b](there.md#1-two-words) [c](#here) [d](https://example.com)"
    assert dead_links(text, tmp_path) == []
    assert dead_links("[a](gone.md) [b](there.md#gone) [c](#gone)", tmp_path) == [
        "gone.md",
        "there.md#gone",
        "#gone",
    ]


@pytest.mark.parametrize("name", ["first-command", "test-command"])
def test_readme_gives_ci_its_commands(checkout: Path, name: str) -> None:
    """`.ci/run` takes the two commands from here, so they must be here, once."""
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    assert [snippet.body != "" for snippet in snippets(readme) if name in snippet.markers] == [True]
    assert f"run_readme_command {name}\n" in (checkout / ".ci/run").read_text(encoding="utf-8")


INNOCENT = """\
# A page

<!-- file: greet/hello.py -->
```python
def hello():
    print("hello", "reader")
```

```python
from greet.hello import hello

hello()
```

```console
$ python -c 'from greet.hello import hello; \\
> hello()'
hello reader
$ python -c 'print(1); print(2); print(3)'
1
...
3
$ ls greet/hello.py > seen
```

<!-- exit: 3 -->

```console
$ python -c 'import sys; sys.exit("no")' || exit 3
n...
```

<!-- file: up.py -->
```python
import signal
import sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
open("up", "w").close()
print("ready", flush=True)
signal.pause()
```

<!-- server -->
```console
$ python up.py
ready
```

```console
$ ls up
up
```

<!-- part-of: pyproject.toml -->
```toml
[project.scripts]
fakeserver = "fakeserver.__main__:main"
```

<!-- drawing -->
```
a --> b
```

<!-- skip: it would need an account -->
```sh
curl https://example.com
```

<!-- test-command -->
```sh
exit 1
```
"""


def test_innocent_page(tmp_path: Path) -> None:
    assert follow(INNOCENT, tmp_path) == []
    assert (tmp_path / "seen").read_text(encoding="utf-8") == "greet/hello.py\n"


def test_a_server_runs_on_a_port_of_its_own(tmp_path: Path) -> None:
    taken = free_port()
    page = f"""\
<!-- server -->
```console
$ sh -c 'echo listening on {taken}; trap exit TERM; while :; do sleep 0.05; done' --port {taken}
listening on {taken}
```

```console
$ echo {taken} > port
```
"""
    with socket.create_server(("127.0.0.1", taken)):
        assert follow(page, tmp_path) == []
    port = (tmp_path / "port").read_text(encoding="utf-8").strip()
    assert port.isdecimal()
    assert int(port) != taken


CULPRITS = {
    "program fails": ("```python\n1 / 0\n```", "ZeroDivisionError"),
    "command fails": ("```console\n$ false\n```", "exit status 1, expected 0"),
    "command should fail": (
        "<!-- exit: 2 -->\n```console\n$ true\n```",
        "exit status 0, expected 2",
    ),
    "early command fails": (
        "<!-- exit: 1 -->\n```console\n$ false\n$ false\n```",
        "exit status 1, expected 0",
    ),
    "server says something else": (
        "<!-- server -->\n```console\n$ echo gone\nready\n```",
        "but it said:\ngone",
    ),
    "server fails in the end": (
        "<!-- server -->\n```console\n"
        "$ sh -c 'trap \"exit 3\" TERM; echo ready; while :; do sleep 0.05; done'\nready\n```",
        "ended with exit status 3",
    ),
    "other output": ("```console\n$ echo kept\nbroken\n```", "but it said:\nkept"),
    "more output": ("```console\n$ printf 'a\\nb\\n'\na\n```", "but it said:\na\nb"),
    "no command": ("```console\nfakeserver tour\n```", "must start with a line"),
    "nothing runs it": ("```json\n{}\n```", "nothing runs this block (json)"),
    "no language": ("text\n\n```\nx\n```", "nothing runs this block (without a language)"),
    "no part": (
        "<!-- part-of: LICENSE -->\n```toml\nAll rights are reserved\n```",
        "this is not, or no longer, a part of LICENSE",
    ),
    "marker too far away": ("<!-- skip: not run at all -->\nwords\n```toml\n```", "nothing runs"),
    "skip without a reason": ("<!-- skip: -->\n```json\n```", "needs a reason"),
    "misspelt marker": ("<!-- skp: for no reason -->\n```json\n```", "unknown marker skp"),
}


@pytest.mark.parametrize(("page", "says"), CULPRITS.values(), ids=list(CULPRITS))
def test_culprit_page(tmp_path: Path, page: str, says: str) -> None:
    complaints = follow(f"# A page\n\n{page}\n", tmp_path)
    assert complaints
    assert says in complaints[0]


def test_culprit_unclosed_block() -> None:
    with pytest.raises(AssertionError, match="line 2: this block is never closed"):
        list(snippets("# A page\n```python\nx = 1\n"))


@pytest.mark.parametrize(
    ("shown", "came", "expected"),
    [
        ("a\n...\nb", "a\nb", True),
        ("a\n...\nb", "a\n1\n2\nb", True),
        ("a\n  ...\nb", "a\n  1\nb", True),
        ("took ... s", "took 0.31 s   \n\n", True),
        ("a\n...", "a\nanything", True),
        ("a.c", "abc", False),
        ("a\n...\nb", "a\n1", False),
        ("a", "a\nb", False),
    ],
)
def test_matches(shown: str, came: str, expected: bool) -> None:
    assert matches(shown, came) is expected
