"""Runs of pytest in projects of their own, each a process of its own.

Processes are the dearest tests that there are: a run serves many tests, as a fixture of a module.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

LEFT_OUT = ("-p", "no:schemathesis", "-p", "no:pytest_httpserver", "-p", "no:cacheprovider")
"""Plugins that take as long to load as a run takes."""

WRONG = '''\
"""A client that goes on from the highest id, and so loses what appears below it."""


def wrong(feed):
    since_id = feed.checkpoint or 0
    http = feed.requests_session()
    while True:
        query = {"since_id": since_id, "limit": feed.page_size}
        page = http.get(feed.url("/com/events.json"), params=query).json()["events"]
        if not page:
            return
        for event in page:
            feed.deliver(event)
        since_id = page[-1]["id"]
        feed.save(since_id)
'''
RIGHT = """\
from fakeserver.dialects import find_dialect

right = find_dialect("haravan").reference_client
"""


class Run(NamedTuple):
    """What a run of pytest came to: its exit status and what it wrote."""

    status: int
    text: str
    errors: str

    @property
    def outcomes(self) -> dict[str, int]:
        """The counts of the last line: ``{"passed": 2, "failed": 1}``."""
        last = self.text.rstrip().rpartition("\n")[2]
        return {
            word: int(count) for count, word in re.findall(r"(\d+) ([a-z]+)", last) if word != "s"
        }

    def of_test(self, name: str) -> str:
        """What a failed test shows."""
        found = re.search(rf"^_+ (ERROR at setup of )?{re.escape(name)} _+$", self.text, re.M)
        assert found is not None, f"{name} did not fail:\n{self.text}"
        rest = self.text[found.end() :]
        following = re.search(r"^(_+|=+) .* (_+|=+)$", rest, re.M)
        return rest if following is None else rest[: following.start()]


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a project, given as name → text."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def environment() -> dict[str, str]:
    """That of a user: nothing of the run that tests it."""
    foreign = ("PYTEST", "FAKESERVER", "COV", "CI", "GITHUB")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1"}


def run_pytest(folder: Path, *arguments: str, more: Mapping[str, str] | None = None) -> Run:
    """Run pytest in `folder`, with `more` in its environment."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *LEFT_OUT, *arguments],
        cwd=folder,
        env=environment() | dict(more or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)
