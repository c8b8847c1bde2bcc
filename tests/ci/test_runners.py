"""What runs jobs here does as the services say, and stops at whatever it does not know."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from tests.tidy.snippets import snippets

from .expressions import Scope, evaluated, filled, holds
from .github import OURS, Result, load_action, run_workflow
from .gitlab import run_pipeline
from .machine import CHECKOUT

NAMES = {
    "inputs": {"page-size": "5", "upload": "", "client": "Follow"},
    "steps": {"verify": {"outcome": "failure", "outputs": {"exit-status": "1"}}},
    "matrix": {"shard": 2},
}
SCOPE = Scope(NAMES)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inputs.page-size", "5"),
        ("steps.verify.outputs.exit-status == '1'", True),
        ("inputs.client == 'FOLLOW'", True),
        ("inputs.client != 'follow'", False),
        ("'it''s'", "it's"),
        ("!inputs.upload && (false || matrix.shard == 2)", True),
        ("inputs.upload || 'none'", "none"),
        ("null", None),
    ],
)
def test_expressions_have_values(text: str, value: Any) -> None:
    assert evaluated(text, SCOPE) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("inputs.gone", "nothing is known of inputs.gone"),
        ("hashFiles('x')", "nothing is known of hashFiles"),
        ("fromJSON", "nothing is known of fromJSON"),
        ("matrix.shard == '2'", "of two kinds"),
        ("inputs.upload ++ 1", "no expression is known like"),
        ("(true", "never closed"),
        ("true &&", "ends too early"),
        ("true true", "no expression is known like"),
    ],
)
def test_what_is_not_known_is_an_error(text: str, says: str) -> None:
    with pytest.raises(AssertionError) as raised:
        evaluated(text, SCOPE)
    assert says in str(raised.value)


def test_expressions_are_filled_in() -> None:
    text = "--shard ${{ matrix.shard }}/4 ${{inputs.upload}}${{ true }}"
    assert filled(text, SCOPE) == "--shard 2/4 true"
    assert filled(text.replace("$", "USD"), SCOPE).startswith("--shard USD{{")
    assert filled(True, SCOPE) == "true"


@pytest.mark.parametrize(
    ("condition", "after_success", "after_failure"),
    [
        ("inputs.page-size == '5'", True, False),
        ("${{ always() && inputs.upload == '' }}", True, True),
        ("always() && inputs.upload != ''", False, False),
        ("failure()", False, True),
        (True, True, False),
    ],
)
def test_conditions(condition: Any, after_success: bool, after_failure: bool) -> None:
    assert holds(condition, SCOPE) is after_success
    assert holds(condition, Scope(NAMES, failed=True)) is after_failure


def workflow(folder: Path, text: str) -> list[Result]:
    """Run the steps of a job."""
    steps = yaml.safe_load(text)
    jobs = {"job": {"runs-on": "ubuntu-latest", "steps": steps}}
    (folder / "project").mkdir()
    return run_workflow({"jobs": jobs}, folder / "project", folder / "machines")


def test_steps_run_as_a_runner_runs_them(tmp_path: Path) -> None:
    [result] = workflow(
        tmp_path,
        """
- id: first
  run: |
    echo "word=a=b" >>"$GITHUB_OUTPUT"
    echo "LATER=here" >>"$GITHUB_ENV"
    false | true
- id: strict
  shell: bash
  continue-on-error: true
  run: |
    false | true
    echo never
- run: echo "$LATER $GIVEN $PWD" >>"$GITHUB_STEP_SUMMARY" && cd "$RUNNER_TEMP" && exit 3
  env:
    GIVEN: ${{ steps.first.outputs.word }} ${{ steps.strict.outcome }}
- run: echo skipped
- if: always()
  run: echo always
""",
    )
    assert result.status == "failure"
    assert result.log == "always\n"
    assert result.summary.startswith("here a=b failure ")
    assert result.summary.endswith("/work\n")


def test_a_job_waits_for_what_it_needs(tmp_path: Path) -> None:
    text = """
jobs:
  fails:
    runs-on: ubuntu-latest
    strategy: {matrix: {number: [1, 2]}}
    steps: [{run: "exit ${{ matrix.number }}"}]
  skipped:
    needs: fails
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
  runs:
    needs: [fails, skipped]
    if: always()
    runs-on: ubuntu-latest
    steps: [{run: test ! -e project.txt}, {uses: actions/checkout@v4}, {run: test -e project.txt}]
"""
    (tmp_path / "project.txt").touch()
    results = run_workflow(yaml.safe_load(text), tmp_path, tmp_path.with_name("machines"))
    assert [result.status for result in results] == ["failure", "failure", "skipped", "success"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- uses: actions/cache@v4", "actions/cache@v4"),
        ("- run: pwd\n  shel: bash", "shel is not known here"),
        ("- run: pwd\n  shell: zsh", "zsh"),
        ("- name: nothing", "a step runs or uses something"),
        ("- run: echo ${{ secrets.TOKEN }}", "nothing is known of secrets.TOKEN"),
        ("- uses: actions/setup-python@v5\n  with:\n    python-version: 3.13", "it needs quotes"),
        (f"- uses: OWNER/fakeserver/{OURS}@REF", "the inputs ['dialect'] are required"),
        (
            f"- uses: OWNER/fakeserver/{OURS}@REF\n  with: {{dialect: haravan, dialekt: x}}",
            "dialekt is not known here",
        ),
        (
            "- uses: actions/upload-artifact@v4\n  with: {name: a, path: .fakeserver}",
            "a hidden file is left out",
        ),
    ],
)
def test_a_step_that_is_not_known_is_an_error(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises((AssertionError, KeyError)) as raised:
        workflow(tmp_path, text)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("using: composite", "using: node20", "node20 is not known here"),
        ("      shell: bash\n", "", "a composite action names its shell"),
        ("    required: true", "    requierd: true", "requierd is not known here"),
        ("    default: .\n", "    default: 1\n", "an input is a text"),
    ],
)
def test_an_action_that_is_none_is_an_error(tmp_path: Path, old: str, new: str, says: str) -> None:
    action = tmp_path / "project" / OURS
    action.mkdir(parents=True)
    text = """
name: a
description: b
inputs:
  one:
    description: c
    required: true
    default: .
outputs: {}
runs:
  using: composite
  steps:
    - run: pwd
      shell: bash
"""
    assert old in text
    (action / "action.yml").write_text(text.replace(old, new), encoding="utf-8")
    steps = [{"uses": "actions/checkout@v4"}, {"uses": f"./{OURS}", "with": {"one": "1"}}]
    jobs = {"job": {"runs-on": "ubuntu-latest", "steps": steps}}
    with pytest.raises(AssertionError) as raised:
        run_workflow({"jobs": jobs}, tmp_path / "project", tmp_path / "machines")
    assert says in str(raised.value)


def test_a_pipeline_hands_artifacts_on(tmp_path: Path) -> None:
    text = """
counts:
  image: python:3.13
  parallel: 2
  script: [echo $CI_NODE_INDEX of $CI_NODE_TOTAL >n-$CI_NODE_INDEX, exit $((CI_NODE_INDEX - 1))]
  artifacts: {when: always, paths: [n-*]}
skipped:
  image: python:3.13
  needs: [counts]
  script: [exit 0]
reads:
  image: python:3.13
  needs: [counts]
  when: always
  script: [cat n-*]
"""
    (tmp_path / "project").mkdir()
    results = run_pipeline(yaml.safe_load(text), tmp_path / "project", tmp_path / "machines")
    statuses = [result.status for result in results]
    assert statuses == ["success", "failure", "skipped", "success"]
    assert results[-1].log == "1 of 2\n2 of 2\n"


def test_a_pipeline_that_is_not_known_is_an_error(tmp_path: Path) -> None:
    job = {"image": "python:3.13", "scripts": ["pwd"]}
    with pytest.raises(AssertionError, match="scripts is not known here"):
        run_pipeline({"job": job}, tmp_path, tmp_path / "machines")


# ------------------------------------------------------- what the services document


def faults_of(schema: str, *contents: Any) -> list[str]:
    """What one of the schemas that check-jsonschema carries says of contents."""
    carried = files("check_jsonschema").joinpath("builtin_schemas", "vendor", f"{schema}.json")
    rules = json.loads(carried.read_text(encoding="utf-8"))
    validator = validator_for(rules)(rules)
    return [error.message for each in contents for error in validator.iter_errors(each)]


def blocks_of_the_page(service: str) -> list[dict[str, Any]]:
    """The jobs that the page shows; of GitHub each as a whole workflow."""
    page = (CHECKOUT / "contracts" / "CI.md").read_text(encoding="utf-8")
    found = [each for each in snippets(page) if each.markers.get("job") == service]
    blocks = [yaml.safe_load(each.body) for each in found]
    if service == "gitlab":
        return blocks
    part = {"runs-on": "ubuntu-latest"}
    return [{"on": "push", "jobs": each.get("jobs", {"job": {**part, **each}})} for each in blocks]


def test_what_is_there_to_copy_is_as_the_services_document_it() -> None:
    ours = yaml.safe_load((CHECKOUT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    ours["on"] = ours.pop(True)  # YAML reads `on` as true
    workflows = [ours, *blocks_of_the_page("github")]
    pipelines = blocks_of_the_page("gitlab")
    assert (len(workflows), len(pipelines)) == (4, 2)
    assert faults_of("github-workflows", *workflows) == []
    assert faults_of("gitlab-ci", *pipelines) == []
    assert faults_of("github-actions", load_action(CHECKOUT / OURS)) == []


def test_what_they_do_not_document_is_seen() -> None:
    action = load_action(CHECKOUT / OURS)
    del action["runs"]["steps"][0]["shell"]
    assert faults_of("github-actions", action)
    [first, *_] = blocks_of_the_page("github")
    first["jobs"]["verify"]["runs_on"] = first["jobs"]["verify"].pop("runs-on")
    assert faults_of("github-workflows", first)
