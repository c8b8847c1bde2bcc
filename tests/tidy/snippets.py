"""The fenced blocks of a page, each with the comments above it that say what is done with it."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parents[2]
FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[\w+-]*)")
MARKER = re.compile(r"<!--\s*(?P<name>[a-z-]+)(?::\s*(?P<value>.*?))?\s*-->")
MARKERS = {
    *("file", "run-by", "part-of", "drawing", "exit", "server", "job", "nightly", "needs", "until"),
    *("before", "after", "meanwhile", "with", "by-day", "in", "first-command", "test-command"),
}


class Snippet(NamedTuple):
    """A fenced block with the comments directly above it; `line` is where it opens.

    A comment that stands there several times has one line of its value for each.
    """

    line: int
    language: str
    markers: Mapping[str, str]
    body: str

    def told(self, name: str) -> list[str]:
        """The values of the comments of this name."""
        return self.markers[name].splitlines() if name in self.markers else []


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
            name, value = marker["name"], marker["value"] or ""
            markers[name] = f"{markers[name]}\n{value}" if name in markers else value
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


def is_part(body: str, text: str) -> bool:
    """Tell whether the lines of a block stand so in a text, at whatever indent."""
    return any(textwrap.indent(body, " " * indent).rstrip() in text for indent in (0, 4, 8))


def replaced(snippet: Snippet, *, night: bool) -> tuple[Snippet, list[str]]:
    """The block with what its comments put in place of other text; and what is wrong with them."""
    complaints = []
    told = snippet.told("with") + ([] if night else snippet.told("by-day"))
    body = snippet.body
    for each in told:
        old, arrow, new = each.partition(" => ")
        if not arrow or old not in body:
            complaints.append(f"'{each}' must be 'OLD => NEW', and the block must have OLD")
        body = body.replace(old, new)
    return snippet._replace(body=body), complaints


def pages() -> list[str]:
    """The documents of the checkout, by their paths."""
    found = [CHECKOUT / "README.md", CHECKOUT / "fakeserver" / "ARCHITECTURE.md"]
    for folder in ("contracts", "fixtures"):
        found += sorted((CHECKOUT / folder).rglob("*.md"))
    names = [path.relative_to(CHECKOUT).as_posix() for path in found]
    return [name for name in names if "/node_modules/" not in name]
