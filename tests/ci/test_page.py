"""contracts/CI.md: what is there to copy fits the action, the command line and the plugin."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from fakeserver.cli import cli
from fakeserver.pytest_plugin.options import OPTIONS

from .steps import ACTION

PAGE = (Path(__file__).parents[2] / "contracts" / "CI.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(PAGE) if found == language]


def steps_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every step of every job of a workflow, or of a part of one."""
    if isinstance(value, dict):
        if "uses" in value:
            yield value
        for each in value.values():
            yield from steps_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from steps_in(each)


def shell_lines() -> list[str]:
    jobs = [yaml.safe_load(text) for text in blocks("yaml")]
    scripts = [line for job in jobs for line in job.get("verify-client", {}).get("script", ())]
    return [*scripts, *(line for text in blocks("sh") for line in text.splitlines())]


def test_workflows_give_the_action_what_it_takes() -> None:
    uses = [
        step
        for text in blocks("yaml")
        for step in steps_in(yaml.safe_load(text))
        if "/.github/actions/verify@" in step["uses"]
    ]
    assert len(uses) == 2
    for step in uses:
        assert set(step["with"]) <= set(ACTION["inputs"])
        assert ("client" in step["with"]) != ("command" in step["with"])


def test_the_page_names_every_input_and_output() -> None:
    for name in (*ACTION["inputs"], *ACTION["outputs"]):
        assert f"`{name}`" in PAGE, name


def test_commands_are_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    words = [shlex.split(line, comments=True) for line in shell_lines()]
    verified = [line[2:] for line in words if line[0].endswith("fakeserver")]
    assert len(verified) == 2
    for arguments in verified:
        context = cli.commands["verify"].make_context(
            "verify",
            list(arguments),
            parent=click.Context(cli, **cli.context_settings),
        )
        assert (context.params["client"], context.params["seconds"]) == ("my_client.py:follow", 120)


def test_options_of_pytest_exist() -> None:
    [line] = [line for line in shell_lines() if line.startswith("pytest ")]
    known = {option.flag for option in OPTIONS}
    given = {word for word in shlex.split(line) if word.startswith("--")}
    assert given
    assert given <= known
