"""The example programs in `fixtures/clients`: right under the promise that each of them names."""

import shutil
from pathlib import Path

import pytest

from fakeserver.generate import generate_scenario
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run

FOLDER = Path(__file__).parents[2] / "fixtures" / "clients"
EXAMPLES = 3
EXAMPLES_NIGHTLY = 100


def check(command, late_by_ms_max, examples):
    """Raise with the report unless the program is spared in every world."""
    promise = Promise(late_by_ms_max=late_by_ms_max)
    for example in range(examples):
        scenario = generate_scenario(seed=5, example=example, late_by_ms_max=late_by_ms_max)
        verdict = judge(scenario, run(scenario, command), promise)
        assert verdict.findings == (), verdict.text()


def needs(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"there is no {', '.join(missing)} here")


SCRIPT = CommandClient(["sh", str(FOLDER / "haravan_document.sh")])
STAYING = CommandClient(["node", str(FOLDER / "haravan_window.mjs")], persistent=True)


@needs("curl", "jq")
def test_a_shell_script_is_spared():
    check(SCRIPT, 0, EXAMPLES)


@needs("node")
@pytest.mark.parametrize("late_by_ms_max", [0, 300_000])
def test_a_node_program_that_stays_is_spared(late_by_ms_max):
    check(STAYING, late_by_ms_max, 3 * EXAMPLES)


@pytest.mark.nightly
@needs("curl", "jq", "node")
def test_the_programs_are_spared_for_long():
    check(SCRIPT, 0, EXAMPLES_NIGHTLY)
    check(STAYING, 300_000, EXAMPLES_NIGHTLY)


def test_every_example_program_is_explained():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    programs = {path.name for path in FOLDER.iterdir()} - {"README.md", "__pycache__"}
    others = {name for name in programs if not name.endswith(".py")}
    assert others == {"haravan_document.sh", "haravan_window.mjs"}
    assert [name for name in sorted(others) if f"`{name}`" not in readme] == []
