"""The composite action: its steps are run, and its inputs are the options of the command line."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from fakeserver.cli import cli

from .github import run_workflow
from .machine import CHECKOUT
from .steps import ACTION, STEPS, Seen, run_ours

OF_THE_ACTION = {
    "client",
    "command",
    "options",
    "annotations",
    "summary",
    "upload",
    "working-directory",
    "package",
    "python",
}
"""Inputs that are no options of ``fakeserver verify``, or not as they are there. `options` takes
those that have no input of their own."""
CLIENTS = '''\
"""Clients of somebody's project."""

from fakeserver.dialects import find_dialect

right = find_dialect("haravan").reference_client


def wrong(feed):
    http = feed.requests_session()
    for event in http.get(feed.url("/com/events.json?limit=1")).json()["events"]:
        feed.deliver(event)
'''
INSTALLED = {"python": sys.executable, "package": "none", "dialect": "haravan"}
"""Inputs for a machine that has fakeserver already."""
WRONG_AT = CLIENTS.splitlines().index("def wrong(feed):") + 1
PROGRAM = "import sys\nopen('arguments', 'w').write(repr(sys.argv[1:]))\n"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's checkout: a client below the top, and a program with a blank in its name."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "sub").mkdir()
    (folder / "sub" / "clients.py").write_text(CLIENTS, encoding="utf-8")
    (folder / "my program.py").write_text(PROGRAM, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def broken(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """On a machine that has Python and pip alone; the action installs its own commit."""
    return run_ours(
        workspace,
        tmp_path_factory.mktemp("runner") / "machine",
        dialect="haravan",
        client="clients.py:wrong",
        working_directory="sub",
        without="late-visible",
        options="--seed 5 --json 'a verdict.json'",
    )


def test_a_broken_promise_fails_the_step(broken: Seen) -> None:
    assert broken.status == "failure", broken.log
    assert broken.outputs == {"outcome": "broken", "exit-status": "1"}
    assert "\nBROKEN  LOST" in broken.log


def test_its_annotation_names_file_and_line_from_the_workspace_on(broken: Seen) -> None:
    [command] = broken.commands
    assert command.startswith(f"::error file=sub/clients.py,line={WRONG_AT},title=fakeserver%3A ")
    assert "%0AReplay: fakeserver replay .fakeserver/" in command


def test_the_summary_has_the_report(broken: Seen) -> None:
    assert broken.summary.startswith("### clients.py:wrong: broken\n\n``````text\nBROKEN  LOST")
    assert broken.summary.endswith("``````\n")
    assert str(broken.run.workspace) not in broken.summary


def test_it_installs_its_own_commit_for_the_python_of_the_job(broken: Seen) -> None:
    [installed] = broken.run.machine.folder.glob("venv/lib/python3.*/site-packages/fakeserver-*")
    assert installed.name.endswith(".dist-info")


def test_options_reach_the_command(broken: Seen) -> None:
    assert "clients.py:wrong · haravan · profile default · seed 5 · up to 200 worlds" in broken.log
    assert (broken.run.workspace / "sub" / "a verdict.json").is_file()


def test_a_kept_promise_passes_and_is_not_annotated(workspace: Path, tmp_path: Path) -> None:
    result = run_ours(
        workspace,
        tmp_path / "machine",
        **INSTALLED,
        client="sub/clients.py:right",
        examples="40",
        summary="false",
    )
    assert (result.status, result.outputs["outcome"]) == ("success", "kept"), result.log
    assert result.commands == []
    assert result.summary == ""


def test_values_are_never_run(workspace: Path, tmp_path: Path) -> None:
    """What comes from a pull request's title, say, stays one word, whatever is in it."""
    hostile = '"; touch pwned; $(touch pwned) `touch pwned` \n::error::pwned'
    result = run_ours(
        workspace,
        tmp_path / "machine",
        **INSTALLED,
        client=hostile,
        only=hostile,
    )
    assert (result.status, result.outputs["outcome"]) == ("failure", "usage"), result.log
    assert not list(result.run.machine.folder.rglob("pwned"))


def test_a_command_is_split_into_words_and_not_run_by_a_shell(
    workspace: Path, tmp_path: Path
) -> None:
    result = run_ours(
        workspace,
        tmp_path / "machine",
        **INSTALLED,
        command=f"'{sys.executable}' 'my program.py' 'a b' '$HOME' ';' touch pwned",
        examples="1",
    )
    assert result.status == "failure", result.log
    words = (result.run.workspace / "arguments").read_text(encoding="utf-8")
    assert words == repr(["a b", "$HOME", ";", "touch", "pwned"])
    assert result.commands[0].startswith("::error file=my program.py,line=1,title=")


def test_an_unfinished_quote_is_a_usage_error(workspace: Path, tmp_path: Path) -> None:
    result = run_ours(
        workspace,
        tmp_path / "machine",
        **INSTALLED,
        command="sh 'poll.sh",
    )
    assert result.outputs == {"outcome": "usage", "exit-status": "2"}
    assert "the input command: No closing quotation: sh 'poll.sh" in result.log


def test_nothing_is_put_into_a_script() -> None:
    """Values come by the environment alone: an expression in a script would be run."""
    scripts = [step["run"] for step in STEPS if "run" in step]
    assert len(scripts) == 2
    assert [script for script in scripts if "${{" in script] == []


def test_only_who_asks_uploads() -> None:
    [upload] = [step for step in STEPS if "uses" in step]
    assert upload["if"] == "${{ always() && inputs.upload != '' }}"
    assert ACTION["inputs"]["upload"]["default"] == ""


def test_inputs_are_options_of_the_command() -> None:
    options = {
        name.removeprefix("--")
        for parameter in cli.commands["verify"].params
        for name in parameter.opts
        if name.startswith("--")
    }
    assert set(ACTION["inputs"]) - OF_THE_ACTION <= options
    assert {"dialect", "instances", "seconds", "margins", "json"} <= set(ACTION["inputs"])


def test_every_input_reaches_a_step() -> None:
    text = yaml.safe_dump(STEPS)
    unused = [name for name in ACTION["inputs"] if not re.search(rf"inputs\.{name}\b", text)]
    assert unused == []


@pytest.mark.nightly
def test_our_own_workflow_runs_the_action(tmp_path: Path) -> None:
    """Its job, as a runner does: a right client, a wrong program that may fail, and what came."""
    text = (CHECKOUT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    [result] = run_workflow(yaml.safe_load(text), CHECKOUT, tmp_path, only="action")
    assert result.status == "success", result.log
    assert result.outputs["faulty"]["outcome"] == "broken"
    assert result.summary.count("### ") == 2
