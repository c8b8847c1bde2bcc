"""The fixtures and the marker, in one project: what passes, what fails, and what is then shown."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fakeserver.generate import generate_scenario
from fakeserver.pytest_plugin.options import OPTIONS

from .project import RIGHT, WRONG, Run, run_pytest, write

PASSING = '''
import fakeserver
import pytest
from clients import right
from fakeserver import Scenario, generate_scenario
from fakeserver.doors import requests_session
from fakeserver.strategies import scenarios
from hypothesis import given, settings
from hypothesis import strategies as st

quick = settings(max_examples=2, deadline=None, database=None, derandomize=True)
ORDERS = "/com/events.json"
SALES = "/saleschannel-services/v1/events"


def test_a_page(fake_server_factory):
    server = fake_server_factory(dialect="haravan", seed=7)
    server.advance(7200)
    assert requests_session(server).get("http://x/com/events.json").status_code == 200
    assert len(server.history) == 1


def test_each_call_is_a_new_one(fake_server_factory):
    assert fake_server_factory().history == ()
    assert fake_server_factory(seed=1).scenario != fake_server_factory(seed=2).scenario


def test_a_scenario_of_mine(fake_server_factory, verify_client, tmp_path):
    mine = generate_scenario(dialect="saleschannel", seed=3)
    assert fake_server_factory(scenario=mine).scenario is mine
    (tmp_path / "mine.json").write_bytes(mine.to_json())
    assert fake_server_factory(scenario=tmp_path / "mine.json").scenario == mine


@pytest.mark.fakeserver(dialect="saleschannel", seed=7)
@pytest.mark.parametrize("time", [1, 2])
def test_marked(fake_server, time):
    assert fake_server.scenario.dialect == "saleschannel"
    assert fake_server.history == ()
    assert requests_session(fake_server).get(fake_server.url(SALES)).status_code == 200
    assert len(fake_server.history) == 1


def test_unmarked(fake_server, fake_server_factory):
    assert fake_server.scenario == fake_server_factory().scenario


@pytest.mark.fakeserver(dialect="saleschannel", seed=7)
class TestMarkedClass:
    @pytest.mark.fakeserver(seed=8)
    def test_word_by_word(self, fake_server):
        assert fake_server.scenario == generate_scenario(dialect="saleschannel", seed=8)

    @pytest.mark.fakeserver(scenario="worlds/kept.json")
    def test_a_file_from_the_projects_folder(self, fake_server, fake_server_factory):
        assert fake_server.scenario == Scenario.load("worlds/kept.json")
        assert fake_server_factory(seed=1).scenario == generate_scenario(seed=1)


@pytest.mark.fakeserver(dialect="haravan", seed=5)
def test_the_marker_speaks_to_the_judge(verify_client):
    verdict = verify_client(right, examples=40)
    assert (verdict.dialect, verdict.seed, verdict.examples) == ("haravan", 5, 40)


def test_one_world(verify_client):
    verdict = verify_client(right, scenario="worlds/kept.json")
    assert (verdict.outcome, verdict.seed) == ("kept", None)


def test_a_named_world_may_be_harmless(verify_client):
    verdict = verify_client(right, scenario="worlds/harmless.json")
    assert verdict.outcome == "inconclusive"


def test_right(verify_client):
    verdict = verify_client(right, dialect="haravan", examples=30)
    assert (verdict.outcome, verdict.examples) == ("kept", 30)


@quick
@given(seed=st.integers(0, 9))
def test_inside_of_given(fake_server_factory, verify_client, seed):
    assert fake_server_factory(seed=seed).history == ()
    assert verify_client(right, dialect="haravan", seed=seed, examples=40).outcome == "kept"


@quick
@given(scenario=scenarios("saleschannel"))
def test_any_world(fake_server_factory, scenario):
    assert fake_server_factory(scenario=scenario).scenario is scenario


def test_the_failure_can_be_looked_at(verify_client):
    """As told, the seed and the number of examples find the same failure again."""
    from clients import wrong

    with pytest.raises(fakeserver.ContractBroken, match="LOST"):
        verify_client(wrong, dialect="haravan", seed=3)
'''
FAILING = """
import fakeserver
import pytest
from clients import right, wrong
from fakeserver.doors import requests_session


@pytest.mark.parametrize("name", ["in a row"])
def test_wrong(verify_client, name):
    verify_client(wrong, dialect="haravan", seed=3)


def test_idle(verify_client):
    verify_client(right, dialect="haravan", examples=1, only=["restart"], seed=1)


def test_nowhere(verify_client):
    verify_client(print, dialect="nowhere")


def test_no_dialect(verify_client):
    verify_client(right)


def test_no_feed(verify_client):
    verify_client(lambda url, cursor: None, dialect="haravan")


def test_two_worlds(fake_server_factory):
    fake_server_factory(scenario=fakeserver.generate_scenario(), seed=7)


def test_a_world_and_a_number(verify_client):
    verify_client(right, scenario="worlds/kept.json", examples=7)


@pytest.mark.fakeserver(seed=7)
def test_asked(fake_server):
    requests_session(fake_server).get(fake_server.url("/com/events.json?limit=0"))
    assert fake_server.now == 0


@pytest.mark.fakeserver(sede=7)
def test_slip():
    pass


@pytest.mark.fakeserver(7)
def test_no_name():
    pass


@pytest.mark.fakeserver(seed="7")
def test_text(fake_server):
    pass


@pytest.mark.fakeserver(dialect="nope")
def test_unknown(fake_server):
    pass


@pytest.mark.fakeserver(scenario="worlds/kept.json", seed=1)
def test_complete(fake_server):
    pass
"""
NOTHING_TO_DO = """
from clients import right


def test_of_another_api(verify_client):
    verify_client(right, dialect="saleschannel", profile="default")
"""


FETCH_NEW = """
def fetch_new(http, base_url, since_id):
    events = []
    while True:
        query = {"since_id": since_id, "limit": 50}
        rows = http.get(f"{base_url}/com/events.json", params=query)
        rows.raise_for_status()
        if not rows.json()["events"]:
            return events, since_id
        events += rows.json()["events"]
        since_id = events[-1]["id"]
"""
PAGE = Path(__file__).parents[2] / "contracts" / "PYTEST.md"


def files_of_the_page() -> dict[str, str]:
    """The files that the plugin's page shows, by their names."""
    block = r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$"
    return dict(re.findall(block, PAGE.read_text(encoding="utf-8"), re.M | re.S))


ONE = """
from clients import wrong


def test_one(verify_client):
    verify_client(wrong, dialect="haravan")
"""


class Project(NamedTuple):
    """A folder with tests, and one run of them."""

    folder: Path
    run: Run
    report: dict[str, Any]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    kept = generate_scenario(dialect="haravan", seed=2).to_json().decode()
    nothing_happens = generate_scenario(dialect="haravan", seed=1, hazards=("restart",))
    harmless = nothing_happens.to_json().decode()
    files = {
        "clients.py": RIGHT + WRONG,
        **files_of_the_page(),
        "my_code.py": FETCH_NEW,
        "my_client.py": "from clients import right as follow\n",
        "test_passing.py": PASSING,
        "test_failing.py": FAILING,
        "tests/worlds/lost-1f3a.json": kept,
        "worlds/kept.json": kept,
        "worlds/harmless.json": harmless,
        "pytest.ini": "[pytest]\npythonpath = .\naddopts = --strict-markers\n",
    }
    folder = write(tmp_path_factory.mktemp("project"), files)
    run = run_pytest(folder, "--fakeserver-report", "report.json")
    assert run.outcomes, run.text + run.errors
    return Project(folder, run, json.loads((folder / "report.json").read_text(encoding="utf-8")))


def test_what_should_passes(project: Project) -> None:
    listed = [line for line in project.run.text.splitlines() if re.match("FAILED|ERROR ", line)]
    named = {line.split()[1] for line in listed}
    assert {name.partition("::")[0] for name in named} == {"test_failing.py"}, project.run.text
    assert project.run.outcomes["passed"] == 20


def test_the_page_shows_tests(project: Project) -> None:
    """Those that pass above; and it names every option, fixture and word of the environment."""
    assert len(files_of_the_page()) == 4
    page = PAGE.read_text(encoding="utf-8")
    for option in OPTIONS:
        if option.twins:
            assert (
                f"`{option.flag} {option.metavar}` | `{option.key}` | `{option.variable}`" in page
            )
    for name in ("verify_client", "fake_server", "fake_server_factory", "fakeserver_profile"):
        assert f"| `{name}` |" in page


def test_what_should_fails(project: Project) -> None:
    assert project.run.outcomes["failed"] == 8
    assert project.run.outcomes["errors"] == 5


def test_a_broken_promise_is_short_in_the_traceback(project: Project) -> None:
    shown = project.run.of_test("test_wrong[in a row]")
    lines = [line for line in shown.splitlines() if line.startswith("E ")]
    assert "ContractBroken: BROKEN  LOST " in lines[0]
    assert lines[-1] == "E         See 'fakeserver' below: why, and how to play its world again."
    assert len(lines) <= 4
    for once in ("  Why  ", "  Replay  ", "  Would  ", "  poll 1  "):
        assert shown.count(once) == 1
    assert "pytest_plugin" not in shown


def test_a_failure_is_as_wide_as_the_terminal_also_where_a_worker_fails(tmp_path: Path) -> None:
    write(tmp_path, {"clients.py": WRONG, "test_one.py": ONE})
    run = run_pytest(tmp_path, "-n1", "-o", "pythonpath=.", more={"COLUMNS": "80"})
    lines = [line for line in run.of_test("test_one").splitlines() if " Replay " not in line]
    widths = [len(line) for line in lines if "ContractBroken: " not in line]
    assert "  Hazards  in this world: late-visible." in lines
    assert sorted(widths)[-1] == 80  # the rule above the section
    assert sorted(widths)[-2] <= 80
    assert sum(width > 72 for width in widths) > 5  # nor narrower than it is


@pytest.mark.parametrize("hides", ["--show-capture=no", "--junit-xml=junit.xml"])
def test_a_traceback_that_stands_alone_says_why_and_how_to_play_it(
    tmp_path: Path, hides: str
) -> None:
    write(tmp_path, {"clients.py": WRONG, "test_one.py": ONE})
    run = run_pytest(tmp_path, hides, "-o", "pythonpath=.")
    file = tmp_path / "junit.xml"
    read = file.read_text(encoding="utf-8") if file.exists() else run.of_test("test_one")
    assert "  Why  " in read
    assert "  Replay   pytest test_one.py::test_one --fakeserver-replay " in read
    assert "See 'fakeserver'" not in read


def test_the_world_is_a_section_of_its_own(project: Project) -> None:
    shown = project.run.of_test("test_wrong[in a row]").partition("- fakeserver -")[2]
    for part in (
        "BROKEN  LOST",
        "seed 3",
        "shrunk from",
        "GET /com/events.json?since_id=",
        "Again",
    ):
        assert part in shown
    assert "fakeserver-token" not in project.run.text


def told_command(project: Project) -> list[str]:
    """The command that the failure tells to type, as a shell reads it."""
    found = re.search(r"^  Replay   (pytest .*)$", project.run.text, re.M)
    assert found is not None
    return shlex.split(found[1])


def test_the_command_that_is_told_shows_the_same_world(project: Project) -> None:
    command = told_command(project)
    assert command[1] == "test_failing.py::test_wrong[in a row]"
    again = run_pytest(project.folder, *command[1:])
    assert again.outcomes == {"failed": 1}
    world = "  poll 1 "
    shown = [
        next(line for line in run.text.splitlines() if line.startswith(world))
        for run in (project.run, again)
    ]
    assert shown[0] == shown[1]
    assert f"fakeserver: plays {Path(command[3]).name} alone" in again.text
    assert f"fakeserver: {Path(command[3]).name} in 1 verdict: 1 broken" in again.text


def test_a_mended_client_passes_in_that_world(project: Project, tmp_path: Path) -> None:
    """A test of another API has nothing to do with it. The environment names the world."""
    files = {
        "clients.py": RIGHT + "wrong = right  # mended\n",
        "test_failing.py": FAILING,
        "test_other.py": NOTHING_TO_DO,
    }
    write(tmp_path, files)
    world = project.folder / told_command(project)[3]
    run = run_pytest(
        tmp_path, "-k", "test_wrong or other", more={"PYTEST_FAKESERVER_REPLAY": str(world)}
    )
    assert run.outcomes["passed"] == 1, run.text
    assert run.outcomes["skipped"] == 1
    doubt = "; unless it was mended, the client keeps state"
    assert f"fakeserver: {world.name} in 1 verdict: 1 kept{doubt}" in run.text


def test_what_proves_nothing_is_no_pass(project: Project) -> None:
    assert "ContractBroken: INCONCLUSIVE" in project.run.of_test("test_idle")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("test_nowhere", "no dialect is called 'nowhere'; known are haravan, saleschannel"),
        ("test_no_dialect", "expected the API that the client reads, as in dialect='haravan'"),
        ("test_no_feed", "expected a function that can be called with one argument, the feed"),
        ("test_two_worlds", "fake_server: a scenario is complete, it takes no seed beside it"),
        (
            "test_a_world_and_a_number",
            "verify_client: a scenario is complete, it takes no examples",
        ),
        (
            "test_slip",
            "page_size, late_by_ms_max, hazards, instances, scenario; got sede; did you mean seed?",
        ),
        ("test_no_name", "takes names, as in dialect='haravan'; got (7,)"),
        ("test_text", "@pytest.mark.fakeserver: seed: expected a whole number, got '7'"),
        ("test_unknown", "no dialect is called 'nope'; known are haravan, saleschannel"),
        ("test_complete", "a scenario is complete, it takes no seed beside it"),
    ],
)
def test_bad_arguments_are_told(project: Project, name: str, said: str) -> None:
    shown = project.run.of_test(name)
    assert said in shown
    assert "During handling" not in shown
    assert "fakeserver/verifier/" not in shown, "how it was noticed is nobody's business"


def test_a_failed_test_shows_what_its_fake_was_asked(project: Project) -> None:
    shown = project.run.of_test("test_asked").partition("- fakeserver: what was asked -")[2]
    assert "haravan · profile default · seed 7, example 0 · " in shown
    assert "GET /com/events.json?limit=0  → " in shown


def test_the_summary_counts_verdicts(project: Project) -> None:
    verdicts = project.report["verdicts"]
    [line] = [line for line in project.run.text.splitlines() if line.startswith("fakeserver: ")]
    assert line.startswith(f"fakeserver: {len(verdicts)} verdicts over ")
    assert line.endswith("; written to report.json")
    broken = [verdict["test"] for verdict in verdicts if verdict["outcome"] == "broken"]
    assert f"{len(broken)} broken, 2 inconclusive" in line


def test_the_report_has_each_verdict(project: Project) -> None:
    """In the order of the tests' names, with the test, the client and how to see it again."""
    verdicts = project.report["verdicts"]
    assert [each["test"] for each in verdicts] == sorted(each["test"] for each in verdicts)
    [wrong] = [each for each in verdicts if each["test"] == "test_failing.py::test_wrong[in a row]"]
    assert (wrong["client"], wrong["outcome"], wrong["seed"]) == ("clients:wrong", "broken", 3)
    assert wrong["replay"] == shlex.join(told_command(project))
    assert wrong["findings"][0]["rule"] == "LOST"
    caught = [
        each for each in verdicts if each["test"].endswith("::test_the_failure_can_be_looked_at")
    ]
    assert [(each["outcome"], each["replay"]) for each in caught] == [("broken", None)]
    assert str(project.folder) not in json.dumps(verdicts)
