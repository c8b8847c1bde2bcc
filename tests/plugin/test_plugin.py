"""The pytest plugin, as a user meets it: through runs of pytest."""

import signal
import subprocess
import sys
import time

import pytest

RIGHT = """
from fakeserver.dialects import find_dialect

right = find_dialect("haravan").reference_client
"""
WRONG = """
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
"""


def test_fake_server(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        from fakeserver import Scenario, generate_scenario
        from fakeserver.doors import requests_session

        def test_a_page(fake_server_factory):
            server = fake_server_factory(dialect="haravan", seed=7)
            server.advance(7200)
            answer = requests_session(server).get("http://x/com/events.json")
            assert answer.status_code == 200
            assert len(server.history) == 1

        def test_each_call_is_a_new_one(fake_server_factory):
            assert fake_server_factory().history == ()
            assert fake_server_factory(seed=1).scenario != fake_server_factory(seed=2).scenario

        def test_a_scenario_of_mine(fake_server_factory):
            mine = generate_scenario(dialect="saleschannel", seed=3)
            assert fake_server_factory(scenario=mine).scenario is mine
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_a_scenario_takes_nothing_beside_it(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import fakeserver

        def test_it(fake_server_factory):
            fake_server_factory(scenario=fakeserver.generate_scenario(), seed=7)
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*UsageError: fake_server: a scenario is complete*no seed*"])


def test_a_right_client_passes_and_says_nothing(pytester: pytest.Pytester):
    pytester.makepyfile(
        RIGHT
        + """
def test_right(verify_client):
    verdict = verify_client(right, dialect="haravan", examples=30)
    assert verdict.outcome == "kept"
    assert verdict.examples == 30
"""
    )
    result = pytester.runpytest_subprocess("-s")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*KEPT*")
    assert result.stderr.str() == ""


def test_a_wrong_client_fails_with_the_report(pytester: pytest.Pytester):
    pytester.makepyfile(
        WRONG
        + """
def test_wrong(verify_client):
    verify_client(wrong, dialect="haravan", seed=3)
"""
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*verify_client(wrong, dialect="haravan", seed=3)',
            "E *ContractBroken: BROKEN  LOST *",
            "E *haravan * seed 3 * shrunk from *",
            "E *GET /com/events.json?since_id=*",
            "E *Why *",
            "E *Again *The same call finds it again, examples=* are enough*",
            "E *as seed 3, example *",
            "*FAILED *::test_wrong - *",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
    result.stdout.no_fnmatch_line("*fakeserver-token*")


def test_what_the_failure_says_draws_a_broken_world(pytester: pytest.Pytester):
    """As told, the seed and the number of examples find the same failure again."""
    pytester.makepyfile(
        WRONG
        + """
import re
import fakeserver
import pytest

def test_again(verify_client):
    with pytest.raises(fakeserver.ContractBroken) as first:
        verify_client(wrong, dialect="haravan", seed=3)
    examples = int(re.search(r"examples=([0-9]+)", str(first.value))[1])
    drawn_as = re.search(r"as seed ([0-9]+), example ([0-9]+)", str(first.value))
    seed, example = map(int, drawn_as.groups())
    with pytest.raises(fakeserver.ContractBroken) as second:
        verify_client(wrong, dialect="haravan", seed=3, examples=examples)
    assert str(second.value) == str(first.value)
    world = fakeserver.generate_scenario(dialect="haravan", seed=seed, example=example)
    from fakeserver.verifier.runner import run
    assert fakeserver.judge(world, run(world, wrong)).outcome == "broken"
"""
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_verdict_that_proves_nothing_is_no_pass(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        def test_idle(verify_client):
            verify_client(lambda feed: None, dialect="haravan", examples=1, only=["restart"])
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(failed=1)


def test_bad_arguments_are_errors_of_the_test(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        def test_it(verify_client):
            verify_client(print, dialect="nowhere")
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ProfileError: no dialect is called 'nowhere'; known are *"])


def test_inside_of_given(pytester: pytest.Pytester):
    """Hypothesis refuses fixtures of one test; ours live as long as the session."""
    pytester.makepyfile(
        RIGHT
        + """
from hypothesis import given, settings
from hypothesis import strategies as st

@settings(max_examples=5, deadline=None, database=None, derandomize=True)
@given(seed=st.integers(0, 9))
def test_worlds(fake_server_factory, verify_client, seed):
    assert fake_server_factory(seed=seed).history == ()
    assert verify_client(right, dialect="haravan", seed=seed, examples=40).outcome == "kept"
"""
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_on_several_workers(pytester: pytest.Pytester):
    pytester.makepyfile(
        WRONG
        + """
import fakeserver
import pytest
import requests

def live(feed):
    with requests.Session() as http:
        http.trust_env = False
        http.get(feed.url("/com/events.json"), headers=feed.headers)

@pytest.mark.parametrize("seed", range(4))
def test_wrong(verify_client, seed):
    with pytest.raises(fakeserver.ContractBroken, match="LOST"):
        verify_client(wrong, dialect="haravan", seed=seed)

@pytest.mark.parametrize("seed", range(2))
def test_over_a_socket(verify_client, seed):
    with pytest.raises(fakeserver.ContractBroken, match="LOST"):
        verify_client(live, dialect="haravan", seed=seed)
"""
    )
    pytester.runpytest_subprocess("-n2", "-p", "no:cacheprovider").assert_outcomes(passed=6)


def test_it_can_be_left_out(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import sys

        def test_alone():
            assert "fakeserver" not in sys.modules

        def test_asks_for_it(fake_server_factory):
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:fakeserver")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'fake_server_factory' not found*"])


def test_it_is_there_once_the_package_is_installed_and_costs_no_other_import(
    pytester: pytest.Pytester,
):
    pytester.makepyfile(
        """
        import sys

        def test_loaded(fake_server_factory):
            assert "fakeserver.pytest_plugin" in sys.modules
            assert "fakeserver.world" not in sys.modules
            assert "werkzeug" not in sys.modules
        """
    )
    others = ("xdist", "schemathesis", "pytest_httpserver")  # they load it as well
    without = [word for name in others for word in ("-p", f"no:{name}")]
    pytester.runpytest_subprocess(*without).assert_outcomes(passed=1)


def test_fixtures_tell_what_they_are(pytester: pytest.Pytester):
    result = pytester.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines(
        [
            "*fixtures defined from fakeserver.pytest_plugin*",
            "fake_server_factory [[]session scope[]]*",
            "    A function that makes a fake API playing one world; usable inside of `@given`.",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "verify_client [[]session scope[]]*",
            "    A function that verifies a client, and fails the test with the report if it is*",
        ]
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_ends_the_session(pytester: pytest.Pytester):
    """The search itself turns Ctrl-C into a verdict; pytest must not go on to the next test."""
    path = pytester.makepyfile(
        """
        import pathlib
        import time

        def slow(feed):
            pathlib.Path("started").touch()
            time.sleep(0.1)

        def test_first(verify_client):
            verify_client(slow, dialect="haravan", only=["empty-log"], promise=None)

        def test_second():
            pathlib.Path("second").touch()
        """
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(path)]
    with subprocess.Popen(
        command,
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        text=True,
        # A run in the background has SIGINT ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        while not (pytester.path / "started").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "interrupted while a client was verified" in output
    assert not (pytester.path / "second").exists()


def test_fake_server_is_new_for_each_test(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        from fakeserver.doors import requests_session

        URL = "/saleschannel-services/v1/events"


        @pytest.mark.fakeserver(dialect="saleschannel", seed=7)
        @pytest.mark.parametrize("time", [1, 2])
        def test_marked(fake_server, time):
            assert fake_server.scenario.dialect == "saleschannel"
            assert fake_server.history == ()
            answer = requests_session(fake_server).get(fake_server.url(URL))
            assert answer.status_code == 200
            assert len(fake_server.history) == 1


        def test_unmarked(fake_server, fake_server_factory):
            assert fake_server.scenario == fake_server_factory().scenario
        """
    )
    result = pytester.runpytest_subprocess("--strict-markers")
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("seeed=7", "*pytest.mark.fakeserver takes scenario, dialect, *seed, *; got seeed*"),
        ("seed='7'", "*pytest.mark.fakeserver: seed: expected a whole number, got '7'*"),
        ("7", "*pytest.mark.fakeserver takes names*"),
        ("dialect='nope'", "*no dialect is called 'nope'; known are haravan, saleschannel*"),
    ],
)
def test_a_slip_in_the_marker_is_told(pytester: pytest.Pytester, marker: str, said: str):
    pytester.makepyfile(
        f"""
        import pytest


        @pytest.mark.fakeserver({marker})
        def test_it(fake_server):
            pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])
