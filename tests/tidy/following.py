"""Follows a page as a reader does: runs its blocks in their order, from an empty folder on."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from tests.ci.jobs import run_jobs
from tests.ci.machine import Machine

from .endless import INTERRUPTED, ended_by_ctrl_c
from .snippets import (
    CHECKOUT,
    MARKERS,
    Command,
    Snippet,
    commands,
    is_part,
    matches,
    replaced,
    snippets,
)

COMMAND_SECONDS_MAX = 300
"""Only a hanging command takes that long."""
COMMAND_SECONDS_MAX_NIGHTLY = 3600
LISTENING_TRIES_MAX = 400
"""Twenty seconds in all, unless the command ends before."""
PLACES = ("checkout", "environment", "wheels")
WHEELS = "CI_WHEELS"
"""Names the folder of wheels that `.ci/run` makes: nothing else may be installed from."""


@dataclass(frozen=True)
class Reader:
    """Somebody who follows a page; at `night` also through what takes minutes.

    All that is made lies below `top`.
    """

    top: Path
    night: bool = False

    @cached_property
    def folder(self) -> Path:
        """Where the reader is."""
        folder = self.top / "reader"
        folder.mkdir()
        return folder

    @cached_property
    def checkout(self) -> Path:
        """A copy of the checkout, made when a block asks for it; what is written there is lost."""
        copy = self.top / "checkout"
        caches = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "mutants")
        shutil.copytree(CHECKOUT, copy, ignore=caches)
        return copy

    @cached_property
    def machine(self) -> Machine:
        """Where something may be installed: all that fakeserver needs is there, it is not."""
        return Machine.new(self.top / "machine")

    def environment(self, place: str = "") -> dict[str, str]:
        """A shell with a virtual environment activated, and nothing of the run that tests it."""
        if place == "environment":
            own = self.machine.environment()
        else:
            foreign = ("PYTEST", "FAKESERVER", "PYTHON", "COV", "CI", "GITHUB")
            own = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
            own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), own["PATH"]])
        if place == "wheels":
            own |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": os.environ[WHEELS]}
            own["FAKESERVER"] = str(CHECKOUT)
        return own | {
            "HOME": str(self.folder),
            "CHECKOUT": str(CHECKOUT),
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "TERM": "dumb",
        }

    def where(self, place: str = "") -> Path:
        """The folder in which commands are run."""
        return self.checkout if place == "checkout" else self.folder

    def run(self, command: str | list[str], place: str = "") -> tuple[int, str]:
        """Exit status and output, error output included, as on a terminal."""
        done = subprocess.run(
            command,
            shell=isinstance(command, str),
            cwd=self.where(place),
            env=self.environment(place),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS_MAX_NIGHTLY if self.night else COMMAND_SECONDS_MAX,
            check=False,
        )
        return done.returncode, done.stdout


def follow(text: str, folder: Path, *, night: bool = False) -> list[str]:
    """Follow a page from top to bottom; return what went wrong, each with its line."""
    complaints: list[tuple[int, list[str]]] = []
    reader = Reader(folder, night)
    found = list(snippets(text))
    with ExitStack() as stack:
        for written in on_free_ports(found):
            snippet, wrong = replaced(written, night=night)
            said = [*wrong_markers(snippet), *wrong]
            if not said and is_run(snippet, night=night):
                said += prepared(snippet, reader, stack)
                if "server" in snippet.markers:
                    [command] = commands(snippet.body)
                    stack.enter_context(left_running(command, reader, said))
                else:
                    said += follow_snippet(snippet, reader)
            complaints.append((snippet.line, said))
    complaints += [(snippet.line, [says]) for snippet, says in never_run(found)]
    return [f"line {line}: {one}" for line, said in complaints for one in said]


def wrong_markers(snippet: Snippet) -> Iterator[str]:
    """What is wrong with the comments above a block, whatever is in it."""
    markers = snippet.markers
    if unknown := sorted(markers.keys() - MARKERS):
        yield f"unknown marker {', '.join(unknown)}; known are {', '.join(sorted(MARKERS))}"
    if markers.get("in", PLACES[0]) not in PLACES:
        yield f"a block is run in one of {', '.join(PLACES)}, not in {markers['in']}"
    if "until" in markers and snippet.language != "sh":
        yield "only the lines of a sh block are run until something holds"
    if os.environ.get("CI") and markers.get("in") == "wheels" and WHEELS not in os.environ:
        yield f"on a CI machine there must be wheels, in the folder that {WHEELS} names"
    for name in snippet.told("needs"):
        if os.environ.get("CI") and not is_there(name):
            yield f"on a CI machine there must be {name}; install it"


def is_run(snippet: Snippet, *, night: bool) -> bool:
    """Tell whether a block is run here and now."""
    if "nightly" in snippet.markers and not night:
        return False
    if snippet.markers.get("in") == "wheels" and WHEELS not in os.environ:
        return False
    return all(is_there(name) for name in snippet.told("needs"))


def is_there(name: str) -> bool:
    """Tell whether there is a program, or a package of Python, with this name."""
    return shutil.which(name) is not None or find_spec(name) is not None


def prepared(snippet: Snippet, reader: Reader, stack: ExitStack) -> list[str]:
    """Do what the reader has done before a block; return what went wrong."""
    complaints: list[str] = []
    place = snippet.markers.get("in", "")
    for command in snippet.told("before"):
        status, came = reader.run(command, place)
        if status:
            complaints.append(f"before: {command}\nexit status {status}; it said:\n{came}")
    for command in snippet.told("meanwhile"):
        process = stack.enter_context(left_running(Command(command, ""), reader, complaints))
        if not listens(command, process):
            complaints.append(f"meanwhile: {command}\nnobody listens on its --port")
    return complaints


def listens(command: str, process: subprocess.Popen[str]) -> bool:
    """Wait until somebody listens on the port that a command names, or the command has ended."""
    [port] = PORT.findall(command)
    for _ in range(LISTENING_TRIES_MAX):
        with suppress(OSError), socket.create_connection(("127.0.0.1", int(port))):
            return True
        if process.poll() is not None:
            break
        time.sleep(0.05)
    return False


@contextmanager
def left_running(
    command: Command, reader: Reader, complaints: list[str]
) -> Iterator[subprocess.Popen[str]]:
    """Leave a command running meanwhile; adds what goes otherwise than shown to `complaints`."""
    process = subprocess.Popen(
        shlex.split(command.text),
        cwd=reader.folder,
        env=reader.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if command.output else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    if process.stdout is not None:
        came = "".join(process.stdout.readline() for _ in command.output.splitlines())
        if not matches(command.output, came):
            complaints.append(f"$ {command.text}\nshown:\n{command.output}\nbut it said:\n{came}")
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=COMMAND_SECONDS_MAX)
        if process.returncode:
            complaints.append(f"$ {command.text}\nended with exit status {process.returncode}")


def follow_snippet(snippet: Snippet, reader: Reader) -> Iterator[str]:
    """Do what a block asks for; yield what is wrong with it."""
    markers = snippet.markers
    if markers.keys() & {"first-command", "test-command", "drawing"}:
        return
    if "part-of" in markers:
        if not is_part(snippet.body, (CHECKOUT / markers["part-of"]).read_text(encoding="utf-8")):
            yield f"this is not, or no longer, a part of {markers['part-of']}"
    elif "file" in markers:
        write_file(snippet, reader.folder)
        for command in snippet.told("after"):
            status, came = reader.run(command)
            if status != int(markers.get("exit", "0")):
                yield f"after: {command}\nexit status {status}; it said:\n{came}"
    elif "job" in markers:
        machines = reader.top / f"jobs-{snippet.line}"
        yield from run_jobs(snippet.body, markers["job"], reader.folder, machines)
    else:
        yield from run_snippet(snippet, reader)


def write_file(snippet: Snippet, folder: Path) -> None:
    """Write a block to the file that it names."""
    path = (folder / snippet.markers["file"]).resolve()
    assert path.is_relative_to(folder.resolve()), f"{path} is outside the reader's folder"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(snippet.body, encoding="utf-8")


def run_snippet(snippet: Snippet, reader: Reader) -> Iterator[str]:
    """Run a block by its language; yield what is wrong with it."""
    place = snippet.markers.get("in", "")
    expected = int(snippet.markers.get("exit", "0"))
    if snippet.language == "console":
        yield from follow_console(snippet, reader)
    elif snippet.language == "python":
        status, came = reader.run([sys.executable, "-c", snippet.body])
        if status:
            yield f"the program ended with exit status {status} and said:\n{came}"
    elif snippet.language == "sh":
        shell = ["bash", "--noprofile", "--norc", "-euxo", "pipefail", "-c", snippet.body]
        if "until" in snippet.markers:
            yield from run_until(shell, snippet, reader)
            return
        status, came = reader.run(shell, place)
        if status != expected:
            yield f"the lines ended with exit status {status}, expected {expected}:\n{came}"
    else:
        yield (
            f"nothing runs this block ({snippet.language or 'without a language'}); "
            "put <!-- file: NAME --> above it, or <!-- drawing --> if it is for people alone"
        )


def run_until(shell: list[str], snippet: Snippet, reader: Reader) -> Iterator[str]:
    """Run lines that never end until a command succeeds; yield what is wrong with them."""
    place, until = snippet.markers.get("in", ""), snippet.markers["until"]
    expected = int(snippet.markers.get("exit", str(INTERRUPTED)))
    ending = ended_by_ctrl_c(
        shell,
        folder=reader.where(place),
        environment=reader.environment(place),
        holds=lambda: reader.run(until, place)[0] == 0,
    )
    if ending.wrong:
        yield f"until: {until}\n{ending.wrong}; they said:\n{ending.log}"
    elif ending.status != expected:
        yield (
            f"Ctrl-C ended the lines with exit status {ending.status}, expected {expected}:\n"
            f"{ending.log}"
        )


def follow_console(snippet: Snippet, reader: Reader) -> Iterator[str]:
    """Run a console block; yield what went otherwise than shown."""
    found = commands(snippet.body)
    if not found:
        yield "a console block must start with a line '$ COMMAND'"
    for number, command in enumerate(found, start=1):
        last = number == len(found)
        expected = int(snippet.markers.get("exit", "0")) if last else 0
        status, came = reader.run(command.text, snippet.markers.get("in", ""))
        if status != expected:
            yield f"$ {command.text}\nexit status {status}, expected {expected}; it said:\n{came}"
        elif command.output.strip() and not matches(command.output, came):
            yield f"$ {command.text}\nshown:\n{command.output}\nbut it said:\n{came}"


def never_run(found: list[Snippet]) -> Iterator[tuple[Snippet, str]]:
    """The written files that no later block names, and that no other test runs."""
    for number, snippet in enumerate(found):
        name = snippet.markers.get("file")
        if name is None:
            continue
        later = "\n".join(
            [snippet.markers.get("after", ""), *(s.body for s in found[number + 1 :])]
        )
        if tester := snippet.markers.get("run-by"):
            if not (CHECKOUT / tester).is_file():
                yield snippet, f"there is no {tester} that runs {name}"
        elif not re.search(rf"\b{re.escape(Path(name).stem)}\b", later):
            yield snippet, f"it is written to {name}, and nothing runs it"


def on_free_ports(found: list[Snippet]) -> list[Snippet]:
    """Put a free port in place of each on which a page leaves a server running.

    A reader has the port of the page for himself; what runs beside this test may have it too.
    """
    servers = [snippet.body for snippet in found if "server" in snippet.markers]
    servers += [snippet.markers.get("meanwhile", "") for snippet in found]
    ports = dict.fromkeys(port for body in servers for port in PORT.findall(body) if port != "0")
    for port in ports:
        free = str(free_port())
        found = [with_port(snippet, port, free) for snippet in found]
    return found


def with_port(snippet: Snippet, port: str, free: str) -> Snippet:
    """The block with another port, also in its comments."""
    if "part-of" in snippet.markers:
        return snippet
    known = re.compile(rf"\b{port}\b")
    markers = {name: known.sub(free, text) for name, text in snippet.markers.items()}
    return snippet._replace(body=known.sub(free, snippet.body), markers=markers)


PORT = re.compile(r"--port (\d+)")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
