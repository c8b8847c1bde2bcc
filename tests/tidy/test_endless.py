"""What a page runs where there are wheels, and what it runs until something holds."""

import os
import time
from pathlib import Path

import pytest

from . import endless
from .following import WHEELS, follow

WITH_WHEELS = """\
<!-- in: wheels -->
```sh
test "$PIP_NO_INDEX $PIP_FIND_LINKS" = "1 /some/wheels"
grep 'name = "fakeserver"' "$FAKESERVER/pyproject.toml"
```
"""


def test_pip_installs_from_wheels_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WHEELS, "/some/wheels")
    (tmp_path / "first").mkdir()
    assert follow(WITH_WHEELS, tmp_path / "first") == []
    monkeypatch.setenv(WHEELS, "/other/wheels")
    [complaint] = follow(WITH_WHEELS, tmp_path)
    assert "exit status 1, expected 0" in complaint


def test_on_a_ci_machine_there_are_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv(WHEELS, raising=False)
    [complaint] = follow(WITH_WHEELS, tmp_path)
    assert "on a CI machine there must be wheels" in complaint


INNOCENT = """\
<!-- until: test -e began -->
```sh
touch began
while :; do sleep 0.05; done
```

<!-- until: test -e went-on -->
<!-- exit: 7 -->
```sh
trap 'exit 7' INT
touch went-on
while :; do sleep 0.05; done
```
"""


def test_lines_are_run_until_something_holds(tmp_path: Path) -> None:
    assert follow(INNOCENT, tmp_path) == []


def test_ctrl_c_is_pressed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endless, "PRESS_SECONDS", 1)
    lines = "trap 'trap \"exit 7\" INT' INT\ntouch now\nwhile :; do sleep 0.05 || true; done"
    page = f"<!-- until: test -e now -->\n<!-- exit: 7 -->\n```sh\n{lines}\n```"
    assert follow(page, tmp_path) == []


CULPRITS = {
    "lines that end": (
        "<!-- until: false -->\n```sh\nexit 3\n```",
        "the lines ended before, with exit status 3",
    ),
    "other status after Ctrl-C": (
        "<!-- until: test -e now -->\n```sh\n"
        "trap 'exit 5' INT; touch now; while :; do sleep 0.05; done\n```",
        "Ctrl-C ended the lines with exit status 5, expected 130",
    ),
    "a program until something holds": (
        "<!-- until: true -->\n```python\nimport time\n```",
        "only the lines of a sh block",
    ),
}


@pytest.mark.parametrize(("page", "says"), CULPRITS.values(), ids=list(CULPRITS))
def test_lines_that_do_otherwise(tmp_path: Path, page: str, says: str) -> None:
    [complaint] = follow(page, tmp_path)
    assert says in complaint


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("while :; do sleep 0.05; done", "it did not succeed in 2 tries"),
        ("trap '' INT; touch now; while :; do sleep 0.05; done", "do not end by Ctrl-C"),
        (
            "(trap '' INT; touch now; exec sleep 1000) & wait",
            "left a process behind",
        ),
    ],
    ids=["never comes", "deaf", "heir"],
)
def test_what_ctrl_c_does_not_end_is_told_and_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, says: str
) -> None:
    for name, few in {"LOOKS_MAX": 2, "PRESS_SECONDS": 1, "LEFT_LOOKS_MAX": 5}.items():
        monkeypatch.setattr(endless, name, few)
    page = f"<!-- until: test -e now -->\n```sh\necho $$ >pid\n{lines}\n```"
    [complaint] = follow(page, tmp_path)
    assert says in complaint
    group = int((tmp_path / "reader" / "pid").read_text(encoding="utf-8"))
    assert is_gone(group)


def is_gone(group: int) -> bool:
    """Whether a group of processes ends: whoever was killed may have to be waited for."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
