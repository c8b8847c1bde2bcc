"""contracts/CI.md: what is there to copy fits the action and the command line.

Its blocks are run by `tests/tidy/test_pages.py`.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from fakeserver.cli import cli

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


def test_workflows_give_the_action_what_it_takes() -> None:
    uses = [
        step
        for text in blocks("yaml")
        for step in steps_in(yaml.safe_load(text))
        if "/.github/actions/verify@" in step["uses"]
    ]
    assert len(uses) == 3
    for step in uses:
        assert set(step["with"]) <= set(ACTION["inputs"])
        assert ("client" in step["with"]) != ("command" in step["with"])


def test_the_page_names_every_input_and_output() -> None:
    for name in (*ACTION["inputs"], *ACTION["outputs"]):
        assert f"`{name}`" in PAGE, name


def numbered(text: str) -> str:
    """A line of the second of four jobs, as the service that runs them fills it in."""
    for name in ("$CI_NODE_INDEX", "${{ matrix.shard }}"):
        text = text.replace(name, "2")
    return text.replace("$CI_NODE_TOTAL", "4")


def test_shards_are_understood_and_merged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "verdict-2.json").touch()
    jobs: dict[str, Any] = {}
    for text in blocks("yaml"):
        jobs |= yaml.safe_load(numbered(text)).get("jobs", yaml.safe_load(numbered(text)))
    github = next(
        step["with"] for step in jobs["verify"]["steps"] if "client" in step.get("with", ())
    )
    lines = [
        f"fakeserver verify --dialect haravan {github['options']} --json {github['json']} x.py:y",
        *jobs["verify-shard"]["script"][1:],
        jobs["merge"]["steps"][-1]["run"],
        *jobs["merge-shards"]["script"][1:],
    ]
    names = [name for name in map(command_of, lines) if name]
    assert names == ["verify", "verify", "merge", "merge"]
    assert len(jobs["verify"]["strategy"]["matrix"]["shard"]) == 4


def command_of(line: str) -> str:
    """The command of a line that fits it; a shard is the second of four."""
    words = [str(word) for word in shlex.split(line.replace("verdict-*.json", "verdict-2.json"))]
    name, arguments = words[1], words[2:]
    parent = click.Context(cli, **cli.context_settings)
    context = cli.commands[name].make_context(name, arguments, parent=parent)
    if name == "verify":
        assert (str(context.params["shard"]), context.params["json_file"]) == (
            "2/4",
            "verdict-2.json",
        )
    else:
        assert context.params["files"] == ("verdict-2.json",)
    return name
