"""Where the suite asks: politely, and without telling the token to anybody."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contracts import test_server_schema
from contracts._targets import REQUESTS_MAX, Polite, Remote, find_target
from fakeserver.app import FakeServer
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import Reply, call, live
from fakeserver.errors import UsageError
from fakeserver.generate import generate_scenario
from fakeserver.history import Exchange

CONTRACTS = Path(__file__).parents[2] / "contracts"
WRONG_TOKEN = "correct-horse-battery-staple"
LAWS, CLIENT = CONTRACTS / "test_server_laws.py", CONTRACTS / "test_client.py"
SCHEMA = CONTRACTS / "test_server_schema.py"
LAW = ("-k", "TestHaravan and limit")


class Recorder:
    """A server that answers as planned, and the pauses before each request."""

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.slept: list[float] = []

    def send(self, method: str, target: str, headers: object) -> Reply:
        status, found = self.answers.pop(0)
        return Reply(status, "", list(found.items()), b"{}")

    def ask(self, **options: int) -> int:
        polite = Polite(self.send, sleep=self.slept.append, pause_s=0.25, **options)
        return polite("GET", "/com/events.json", {}).status


def test_a_pause_comes_before_each_request() -> None:
    recorder = Recorder((200, {}))
    assert recorder.ask() == 200
    assert recorder.slept == [0.25]


def test_retry_after_is_waited_for() -> None:
    recorder = Recorder((429, {"Retry-After": "2.0"}), (503, {}), (200, {}))
    assert recorder.ask() == 200
    assert recorder.slept == [0.25, 2.0, 0.25, 1.0, 0.25]


def test_nobody_waits_for_ever() -> None:
    recorder = Recorder((503, {"Retry-After": "86400"}), (200, {}))
    recorder.ask()
    assert max(recorder.slept) == 60


def test_what_is_meant_is_believed() -> None:
    """A 422 may pass; the second one to the same request is an answer. So is the fourth 503."""
    assert Recorder((422, {}), (200, {})).ask() == 200
    assert Recorder((422, {}), (422, {}), (200, {})).ask() == 422
    assert Recorder(*[(503, {})] * 5).ask() == 503


def test_requests_are_limited() -> None:
    assert REQUESTS_MAX < 10_000
    recorder = Recorder((200, {}), (200, {}))
    polite = Polite(recorder.send, sleep=recorder.slept.append, requests_max=1)
    polite("GET", "/", {})
    with pytest.raises(UsageError, match="as many requests as it may"):
        polite("GET", "/", {})


def test_a_url_needs_a_token() -> None:
    with pytest.raises(UsageError, match="--fakeserver-token-env"):
        find_target("https://shop.example", token=None)
    with pytest.raises(
        UsageError,
        match="expected in-process, served, live, a URL or the file of a recording, got 'shop'",
    ):
        find_target("shop", token="x")


def test_the_token_is_not_shown() -> None:
    target = find_target("http://127.0.0.1:1/", token=WRONG_TOKEN)
    assert isinstance(target, Remote)
    headers = target.api("haravan").headers
    assert headers["Authorization"] == f"Bearer {WRONG_TOKEN}"
    assert WRONG_TOKEN not in repr(headers)
    target.close()


@pytest.fixture
def server() -> FakeServer:
    """A server that the suite is not told to be a fake."""
    worlds = (generate_scenario(dialect="haravan", example=number) for number in range(20))
    found = FakeServer(max(worlds, key=lambda world: len(world.events)))
    found.advance(86_400)
    return found


@pytest.fixture
def url(server: FakeServer) -> Iterator[str]:
    """Its address."""
    with live(server) as address:
        yield address


@pytest.mark.parametrize("phase", test_server_schema.PHASES)
def test_a_url_is_only_read(
    phase: str, server: FakeServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_server_schema, "RATE_LIMIT", "1000/s")
    target = find_target(url, token=TOKEN)
    api = target.api("haravan")
    test_server_schema.hold(target, api, phase, examples=3, tally=Counter())
    target.close()
    methods = {step.method for step in server.history if isinstance(step, Exchange)}
    assert methods == {"GET"}


def run_suite(
    folder: Path, suite: Path, *options: str, token: str = TOKEN, **more: str
) -> tuple[int, str]:
    """Run a part as a user does, in a folder of their own; its status and all that it says."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    command.append(str(suite))
    done = subprocess.run(
        [*command, *options],
        cwd=folder,
        env={**os.environ, "SHOP_TOKEN": token, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def outcomes(said: str) -> dict[str, int]:
    """The numbers in the last line of pytest: ``{"passed": 3}``."""
    line = said.strip().splitlines()[-1]
    return {
        word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped)", line)
    }


def against(url: str) -> list[str]:
    options = ["--fakeserver-target", url, "--fakeserver-dialect", "haravan"]
    return [*options, "--fakeserver-token-env", "SHOP_TOKEN", "--fakeserver-examples", "1"]


def test_a_url_keeps_a_law(url: str, tmp_path: Path) -> None:
    status, said = run_suite(tmp_path, LAWS, *against(url), *LAW)
    assert (status, outcomes(said)) == (0, {"passed": 1}), said


def test_a_wrong_token_is_no_pass(url: str, tmp_path: Path) -> None:
    status, said = run_suite(tmp_path, SCHEMA, *against(url), "-k", "examples", token=WRONG_TOKEN)
    assert (status, outcomes(said)) == (1, {"failed": 1}), said
    assert "no request was let in" in said
    assert WRONG_TOKEN not in said


def test_no_login_of_the_machine_is_sent(url: str, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    options = [*against(url), "-k", "examples"]
    status, said = run_suite(tmp_path, SCHEMA, *options, NETRC=str(netrc))
    assert (status, outcomes(said)) == (0, {"passed": 1}), said


def test_a_failure_does_not_show_the_token(url: str, tmp_path: Path) -> None:
    options = [*against(url), *LAW, "--showlocals", "-vv"]
    status, said = run_suite(tmp_path, LAWS, *options, token=WRONG_TOKEN)
    assert (status, outcomes(said)) == (1, {"failed": 1}), said
    assert "401" in said
    assert WRONG_TOKEN not in said


def test_an_empty_log_is_no_pass(tmp_path: Path) -> None:
    """Where nothing is settled nearly all laws are skipped; one says that nothing was checked."""
    world = generate_scenario(dialect="haravan", hazards=())
    with live(FakeServer(msgspec.structs.replace(world, events=()))) as url:
        status, said = run_suite(tmp_path, LAWS, *against(url), "-k", "settled or token or limit")
    counts = outcomes(said)
    assert (status, counts["failed"], counts["passed"]) == (1, 1, 1), said
    assert "so no law could be checked" in said


def test_a_recording_is_held_to_document_and_model(tmp_path: Path) -> None:
    """It passes if it is honest, and nobody is asked; it fails by the two requests if it lies."""
    scenario = generate_scenario(dialect="haravan", seed=4)
    server = FakeServer(msgspec.structs.replace(scenario, polls=(), calm_from=0, request_ms=50))
    server.world.advance_to(max(event.visible_at for event in scenario.events))
    headers, entries = {"Authorization": f"Bearer {TOKEN}"}, []
    for _ in range(2):
        target = "/com/events.json?since_id=1&limit=50"
        reply = call(server, "GET", server.url(target), headers)
        entries.append(
            {
                "startedDateTime": "2026-01-01T00:00:00Z",
                "request": {"method": "GET", "url": f"https://shop.example{target}"},
                "response": {"status": reply.status, "content": {"text": reply.body.decode()}},
            }
        )
    path = tmp_path / "shop.har"
    path.write_text(json.dumps({"log": {"entries": entries}}))
    options = (*against(str(path))[:4], "--ignore-glob=*/test_answers.py")
    status, said = run_suite(tmp_path, CONTRACTS, *options)
    counts = outcomes(said)
    assert status == 0, said
    assert "a recording answers nothing new" in said
    assert counts["skipped"] > 20
    rows = json.loads(entries[1]["response"]["content"]["text"])["events"]
    entries[1]["response"]["content"]["text"] = json.dumps({"events": [*rows[:1], *rows[2:]]})
    path.write_text(json.dumps({"log": {"entries": entries}}))
    status, said = run_suite(tmp_path, CONTRACTS / "test_recorded.py", *options)
    assert status == 1
    assert outcomes(said) == {"failed": 1, "passed": 1}
    assert said.count("GET /com/events.json?since_id=1&limit=50") >= 2


def test_a_live_service_is_asked_only_where_it_is_named(tmp_path: Path) -> None:
    options = ["--fakeserver-target", "live", "--fakeserver-dialect", "haravan", *LAW]
    status, said = run_suite(tmp_path, LAWS, *options)
    assert status == 0, said
    assert "FAKESERVER_LIVE_URL is not set" in said
    assert outcomes(said).keys() == {"skipped"}
    with live(FakeServer(generate_scenario(dialect="haravan", seed=4))) as url:
        environ = {"FAKESERVER_LIVE_URL": url, "FAKESERVER_LIVE_TOKEN": TOKEN}
        found = find_target("live", token=None, environ=environ)
        assert isinstance(found, Remote)
        found.check()
        found.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fakeserver-target", "https://shop.example"], "name it with --fakeserver-dialect"),
        (["--fakeserver-client", "a.py:b"], "name it with --fakeserver-dialect"),
        (["--fakeserver-dialect", "omni"], "expected haravan or saleschannel, got 'omni'"),
        (["--fakeserver-examples", "0"], "--fakeserver-examples: expected 1 or more, got 0"),
        ([*against("bogus")], "expected in-process, served, live, a URL or"),
        ([*against("ftp://shop.example")], "or the file of a recording, got 'ftp"),
        ([*against("http://")], "can't reach http:"),
        ([*against("http://127.0.0.1:1")], "can't reach http://127.0.0.1:1: "),
        ([*against("https://shop.example")[:4]], "needs the token"),
        (
            [*against("https://shop.example")[:4], "--fakeserver-token-env", "NO_SUCH"],
            "there is no variable NO_SUCH",
        ),
        (
            ["--fakeserver-client", "nope.py:follow", "--fakeserver-dialect", "haravan"],
            "--fakeserver-client: there is no file nope.py",
        ),
    ],
    ids=str,
)
def test_options_that_can_not_be_met(options: list[str], says: str, tmp_path: Path) -> None:
    """One line, before any test."""
    status, said = run_suite(tmp_path, CONTRACTS, *options, "--ignore-glob=*/test_answers.py")
    assert status == pytest.ExitCode.USAGE_ERROR, said
    assert says in said
    assert said.count("ERROR") == 1


@pytest.mark.parametrize(
    ("dialect", "client", "expected"),
    [
        ("haravan", "reference_client", {"passed": 2}),
        ("saleschannel", "reference_client", {"passed": 2}),
        ("haravan", "document_client", {"failed": 2}),
        ("saleschannel", "document_client", {"failed": 2}),
    ],
)
def test_the_client_half(
    dialect: str, client: str, expected: dict[str, int], tmp_path: Path
) -> None:
    spec = f"fakeserver.dialects.{dialect}.clients:{client}"
    options = ["--fakeserver-client", spec, "--fakeserver-dialect", dialect]
    _, said = run_suite(tmp_path, CLIENT, *options, "--fakeserver-examples", "40")
    assert outcomes(said) == expected, said


def test_a_served_fake_is_started_and_ended(tmp_path: Path) -> None:
    options = ["--fakeserver-target", "served", "--fakeserver-examples", "3", *LAW]
    status, said = run_suite(tmp_path, LAWS, *options)
    assert (status, outcomes(said)) == (0, {"passed": 2}), said
