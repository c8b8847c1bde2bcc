"""`fakeserver serve` as people use it: a process, a socket, signals, files."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from fakeserver.cli.serve import typed_value
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.base import TOKEN
from fakeserver.resources import contract_path
from fakeserver.verifier.explain import explain

AUTH = {"Authorization": f"Bearer {TOKEN}"}
SECONDS_MAX = 60
"""Only a hanging server takes that long."""
DOCUMENTED = Path(__file__).parents[2] / "fixtures" / "documented"


class Served:
    """A running `fakeserver serve`: its address, and in the end its status and what it said."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def get(self, path: str, **params: Any) -> requests.Response:
        return requests.get(self.url + path, params=params, headers=AUTH, timeout=SECONDS_MAX)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, list[str]]:
        """Send a signal; return exit status, the rest of stdout, and the lines of stderr."""
        self.process.send_signal(number)
        out, said = self.process.communicate(timeout=SECONDS_MAX)
        return self.process.returncode, out, said.splitlines()


@contextmanager
def serving(*options: str, log: Any = subprocess.PIPE, **environment: str) -> Iterator[Served]:
    """Run it; `log` is a file for its stderr, where it says more than a pipe holds unread."""
    command = [sys.executable, "-m", "fakeserver", "serve", "--port", "0", *options]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, **environment},
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), process.communicate()
        yield Served(process, line.removeprefix("listening on ").strip())
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def refused(*options: str) -> str:
    """Run it with options that can't be served; return what it says."""
    command = [sys.executable, "-m", "fakeserver", "serve", "--port", "0", *options]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False, encoding="utf-8"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_a_summary(number):
    with serving("--dialect", "haravan", "--clock", "simulated") as served:
        rows = served.get("/com/events.json", limit=3).json()["events"]
        assert served.get("/com/events.json", limit="none").status_code == 422
        status, out, said = served.end(number)
    assert (status, out) == (0, "")
    lines = [json.loads(line) for line in said]
    assert lines[0] == {
        "at": "2026-03-02T09:00:00.000Z",
        "method": "GET",
        "target": "/com/events.json?limit=3",
        "status": 200,
        "rows": 3,
        "first_id": rows[0]["id"],
        "last_id": rows[-1]["id"],
    } | {name: lines[0][name] for name in ("flags",) if name in lines[0]}
    assert lines[1]["problem"].startswith("bad-number: limit: expected a whole number")
    assert lines[-1] == {"summary": {"requests": 2, "by_status": {"200": 1, "422": 1}, "rows": 3}}


def test_a_line_tells_what_was_special_about_a_page():
    with serving("--dialect", "haravan", "--clock", "simulated", "--backlog", "3") as served:
        served.get("/com/events.json", limit=50)
        newest = served.get("/com/events.json", limit=1).json()["events"][0]["id"]
        served.get("/com/events.json", since_id=newest)
        said = [json.loads(line) for line in served.end()[2]]
    assert "short" in said[0]["flags"]
    assert said[2]["flags"] == ["empty"]


def test_lines_for_people():
    with serving("--dialect", "haravan", "--clock", "simulated", "--log", "text") as served:
        first, second = served.get("/com/events.json", limit=2).json()["events"]
        requests.post(
            f"{served.url}/_fakeserver/clock/advance", json={"seconds": 5}, timeout=SECONDS_MAX
        ).raise_for_status()
        said = served.end()[2]
    assert f"watch  {served.url}/_fakeserver/" in said[1]
    request = (
        f"09:00:00.000  GET /com/events.json?limit=2  200  2 rows {first['id']}…{second['id']}"
    )
    assert any(line.startswith(request) for line in said)
    assert "control  POST /_fakeserver/clock/advance  200" in said
    assert said[-1] == "stopped after 1 request (1 with 200), 2 rows served"


def test_what_is_no_request_is_told():
    with serving("--dialect", "haravan") as served:
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(served.url.replace("http:", "https:"), timeout=SECONDS_MAX)
        said = served.end()[2]
    assert "https://" in json.loads(said[0])["refused"]["problem"]


def test_the_log_may_be_off():
    with serving("--dialect", "haravan", "--log", "off") as served:
        assert served.get("/com/events.json").ok
        assert served.end() == (0, "", [])


def test_it_starts_without_a_stderr():
    command = [sys.executable, "-m", "fakeserver", "serve", "--dialect", "haravan", "--port", "0"]
    shell = f"exec {shlex.join(command)} 2>&-"
    with subprocess.Popen(shell, shell=True, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on ")
        process.terminate()
        assert process.wait(SECONDS_MAX) == 0


def test_a_control_api_that_the_network_reaches_is_warned_of():
    options = ("--dialect", "haravan", "--host", "0.0.0.0")
    with serving(*options) as served:
        lines = [json.loads(line) for line in served.end()[2]]
        assert "--control-token-env" in lines[0]["warning"]
    with serving(*options, "--log", "off") as served:
        assert "reachable from the network" in served.end()[2][0]
    with serving(*options, "--log", "off", "--no-control") as served:
        assert served.end()[2] == []
    token = ("--control-token-env", "SECRET")
    with serving(*options, *token, "--log", "off", SECRET="s3cret-s3cret") as served:
        assert served.end()[2] == []


def test_who_closes_the_log_stops_no_request():
    with serving("--dialect", "haravan") as served:
        assert served.process.stderr is not None
        served.process.stderr.close()
        assert [served.get("/com/events.json").status_code for _ in range(3)] == [200] * 3
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(SECONDS_MAX) == 0


def test_the_port_file_holds_the_port_while_it_runs(tmp_path):
    path = tmp_path / "port"
    with serving("--dialect", "saleschannel", "--port-file", str(path)) as served:
        assert served.url.endswith(f":{int(path.read_text())}")
        served.end()
    assert list(tmp_path.iterdir()) == []


def test_the_control_api_can_be_left_out():
    with serving("--dialect", "haravan", "--no-control") as served:
        assert served.get("/_fakeserver/health").status_code == 404
        assert served.get("/com/events.json").ok


def test_the_control_api_may_ask_for_a_token():
    with serving(
        "--dialect", "haravan", "--control-token-env", "SECRET", SECRET="s3cret-s3cret"
    ) as served:
        url = f"{served.url}/_fakeserver/truth"
        assert requests.get(url, timeout=SECONDS_MAX).status_code == 401
        asked = requests.get(
            url, headers={"X-Fakeserver-Token": "s3cret-s3cret"}, timeout=SECONDS_MAX
        )
        assert asked.status_code == 200
        said = served.end()[2]
    assert not any("s3cret-s3cret" in line for line in said)


def test_it_ends_when_it_is_asked_to():
    with serving("--dialect", "haravan") as served:
        url = f"{served.url}/_fakeserver/shutdown"
        assert requests.post(url, timeout=SECONDS_MAX).status_code == 202
        assert served.process.wait(SECONDS_MAX) == 0


@pytest.mark.parametrize("dialect", ["haravan", "saleschannel"])
def test_the_samples_of_a_document_are_served(dialect):
    """Every sample request gets its answer from `serve --scenario`."""
    samples = sorted((DOCUMENTED / dialect).glob("[0-9]*.json"))
    with serving("--scenario", str(DOCUMENTED / dialect / "scenario.json")) as served:
        for path in samples:
            sample = json.loads(path.read_text(encoding="utf-8"))
            answer = requests.get(
                served.url + sample["request"].removeprefix("GET "),
                headers=AUTH,
                timeout=SECONDS_MAX,
            )
            assert (answer.status_code, answer.json()) == (sample["status"], sample["body"]), (
                path.name
            )
    assert samples


def test_a_restart_goes_on_with_the_same_stream(tmp_path):
    """The stream is a function of seed and time: a restart without a file shows the same past."""
    options = ("--dialect", "haravan", "--seed", "5", "--backlog", "50", "--rate", "5/s")
    with serving(*options) as served:
        before = served.get("/_fakeserver/truth", limit=1000).json()["events"]
    with serving(*options) as served:
        after = served.get("/_fakeserver/truth", limit=1000).json()["events"]
    known = {row["id"]: row["event"] for row in before}
    common = [row["id"] for row in after if row["id"] in known]
    assert len(common) > 10
    assert all(row["event"] == known[row["id"]] for row in after if row["id"] in known)


def test_the_state_file_keeps_what_was_appended(tmp_path):
    options = ("--dialect", "haravan", "--clock", "simulated", "--state", str(tmp_path / "state"))
    with serving(*options) as served:
        made = requests.post(
            f"{served.url}/_fakeserver/events", json={"events": [{}]}, timeout=SECONDS_MAX
        ).json()["events"][0]
        served.process.kill()
        served.process.wait(SECONDS_MAX)
    with serving(*options) as served:
        newest = served.get("/com/events.json", limit=1).json()["events"][0]
        assert newest["id"] == made["id"]
        assert served.end()[0] == 0


def test_openapi_tells_of_both_apis():
    with serving("--dialect", "haravan") as served:
        paths = served.get("/_fakeserver/openapi.json").json()["paths"]
    faked = json.loads(contract_path("haravan", "openapi.json").read_text(encoding="utf-8"))
    assert faked["paths"].keys() < paths.keys()
    assert "/_fakeserver/health" in paths


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "expected --dialect (haravan, saleschannel) or --scenario FILE, got none"),
        (("--dialect", "haravan", "--profile", "none"), "haravan has no profile 'none'"),
        (("--dialect", "haravan", "--set", "limit_max=0"), "switch 'limit_max' can't be 0"),
        (("--dialect", "haravan", "--set", "x"), "expected a switch and its value"),
        (("--dialect", "haravan", "--rate", "often"), "expected events per time such as 5/s"),
        (("--dialect", "haravan", "--clock", "paced:0"), "a pace such as paced:60, got 'paced:0'"),
        (("--dialect", "haravan", "--clock", "fast"), "expected real, simulated, or a pace"),
        (("--dialect", "haravan", "--control-token-env", "NO_SUCH_NAME"), "NO_SUCH_NAME"),
        (
            ("--dialect", "haravan", "--no-control", "--control-token-env", "SECRET"),
            "--control-token-env goes with the control API, which --no-control leaves out",
        ),
        (("--dialect", "haravan", "--late-by-max", "2d"), "expected at most 1d, got 2d"),
        (("--dialect", "haravan", "--host", "203.0.113.1"), "can't listen on 203.0.113.1"),
        (("--dialect", "haravan", "--port-file", "no/such/folder"), "there is no folder no/such"),
        (("--scenario", "nowhere.json"), "can't read the scenario nowhere.json"),
        (
            ("--scenario", str(DOCUMENTED / "haravan/scenario.json"), "--seed", "3"),
            "--scenario is a whole world, it takes no seed beside it",
        ),
        (
            ("--scenario", str(DOCUMENTED / "haravan/scenario.json"), "--dialect", "saleschannel"),
            "expected a world of saleschannel, got one of haravan",
        ),
    ],
)
def test_what_can_not_be_served_is_refused(options: Sequence[str], says: str):
    assert says in " ".join(refused(*options).split())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_value_of_a_switch_can_be_typed(dialect: str):
    """As explain shows it, read by a shell, and as in JSON; of the same type too."""
    for switch in find_dialect(dialect).switches:
        shown = re.findall(r"^  value +(\S+)", explain(switch.name), re.MULTILINE)
        for value in switch.values:
            assert repr(value) in shown
            for text in (shlex.split(repr(value))[0], json.dumps(value)):
                typed = typed_value(dialect, switch.name, text)
                assert (typed, type(typed)) == (value, type(value))


def test_a_switch_is_pinned():
    options = ("--set", "nested_unknown_parent=404", "--set", "limit_max=null")
    with serving("--dialect", "haravan", "--clock", "simulated", *options) as served:
        assert served.get("/com/orders/1/events.json").status_code == 404
        assert len(served.get("/com/events.json", limit=120).json()["events"]) == 120


def test_two_can_not_share_a_port():
    with serving("--dialect", "haravan") as served:
        port = served.url.rpartition(":")[2]
        assert "another program does" in refused("--dialect", "haravan", "--port", port)


def test_a_page_that_is_remembered_says_the_same_as_one_that_is_looked_at():
    """The log remembers what was special about a page; what changes that must not be missed."""
    options = ("--dialect", "haravan", "--clock", "simulated", "--backlog", "3", "--rate", "0")
    with serving(*options) as served:
        for events in ([], [], [{}], [], [{"late_by_s": 60}], []):
            if events:
                body = {"events": events}
                url = f"{served.url}/_fakeserver/events"
                requests.post(url, json=body, timeout=SECONDS_MAX).raise_for_status()
            served.get("/com/events.json", limit=4)
        seen = served.get("/_fakeserver/requests").json()["requests"]
        said = [json.loads(line) for line in served.end()[2]]
    told = [line.get("flags", []) for line in said if line.get("target", "").startswith("/com/")]
    assert told == [request["flags"] for request in seen]
    assert {"short", "late-hidden"} <= {flag for flags in told for flag in flags}
