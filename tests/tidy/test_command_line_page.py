"""Every option of every command is documented, and every documented option exists."""

import re

import pytest

from .command_line import PAGE, option_names, page
from .snippets import CHECKOUT, pages

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]\b(?!/)")
OF_OTHERS = {
    *("--quiet", "--upgrade", "--editable", "--group", "--without-pip"),  # pip, venv
    *("--pyargs", "--show-capture"),  # pytest
    *("--nworkers", "--nthreads"),  # dask worker
    *(
        "--no-dashboard",
        "--hypothesis-show-statistics",
        "--hypothesis-profile",
    ),  # Hypothesis and HypoFuzz
    *("--save", "--appendonly", "--scan", "--pattern"),  # redis-server, redis-cli
    *("--worlds", "--write"),  # our long runs in tests/
}
"""Options of other programs, and of our own that users of the package do not meet."""


def unknown_options(text: str, known: set[str]) -> list[str]:
    """The options in a page that no command has."""
    return sorted({*OPTION.findall(text)} - known - OF_OTHERS)


def test_the_page_is_what_the_commands_say() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "run: python -m tests.tidy.command_line"


def test_every_option_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = {*OPTION.findall(text)}
    assert sorted(option_names() - named) == []


@pytest.mark.parametrize("path", pages())
def test_every_documented_option_exists(path: str) -> None:
    text = (CHECKOUT / path).read_text(encoding="utf-8")
    assert unknown_options(text, option_names()) == []


def test_an_option_that_nobody_has_is_seen() -> None:
    text = "Say `--exmaples 5`, --seed 7, `-- sh`, a--b, --quiet or `--late-by-max=5m`."
    assert unknown_options(text, {"--seed", "--late-by-max"}) == ["--exmaples"]


def test_options_are_found() -> None:
    known = option_names()
    assert {"--dialect", "--port", "--no-control", "--fakeserver-target", "--version"} <= known
