"""The command line, as scripts and people meet it: statuses, streams, colours, files, Ctrl-C."""

import contextlib
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import click
import pytest

from fakeserver import cli
from fakeserver.dialects import DIALECTS
from fakeserver.dialects.base import TOKEN
from fakeserver.verifier.explain import known_names

KEYS = [
    "outcome",
    "dialect",
    "profile",
    "promise",
    "seed",
    "examples",
    "findings",
    "notes",
    "hazards",
    "requests",
    "scenario",
    "history",
    "replay",
    "impossible",
    "format",
    "search",
]
"""What `--json` writes, in this order: a promise to the scripts of others."""
FINDING_KEYS = {"rule", "cause", "event_ids", "steps", "message"}

CLIENTS = '''
"""Clients of the tests."""
import asyncio
import os
import subprocess
import sys
import time

from fakeserver.dialects import find_dialect

right = find_dialect("haravan").reference_client


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


def idle(feed):
    """Asks for nothing; there is nothing to lose in an empty log."""


def slow(feed):
    open("started", "w").close()
    time.sleep(0.05)
    right(feed)


def slow_when_measured(feed):
    if feed.page_size == 50:  # as no drawn world suggests
        open("started", "w").close()
        time.sleep(0.05)
    right(feed)


def deaf(feed):
    while True:
        try:
            open("started", "w").close()
            time.sleep(0.05)
        except BaseException:
            pass


caught = []


def deaf_but_quick(feed):
    if not caught:
        try:
            open("started", "w").close()
            time.sleep(25)
        except BaseException as error:
            caught.append(error)
    right(feed)


def misuses(feed):
    feed.deliver(None)


def tells_the_token(feed):
    raise RuntimeError(feed.headers)
'''

NOISY = """
import atexit
import subprocess
import sys

print("print at import")
atexit.register(print, "print at exit")


def wrong(feed, done=[]):
    if not done:
        print("print in a poll")
        subprocess.run([sys.executable, "-c", "print('print of a child')"], check=True)
        done.append(True)
    raise RuntimeError("no")
"""

BROKEN_MODULE = "import nothing_that_is_called_so\n"
EXITING_MODULE = "import sys\nsys.exit(0)\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: clients, a counter-example with its history, and files that are none."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "clients.py").write_text(CLIENTS)
    (folder / "noisy.py").write_text(NOISY)
    (folder / "broken.py").write_text(BROKEN_MODULE)
    (folder / "exiting.py").write_text(EXITING_MODULE)
    (folder / "text.json").write_text("this is no JSON\n")
    (folder / "empty.json").write_text("")
    (folder / "half.json").write_text('{"dialect": "haravan"}')
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """The verdict on the wrong client, which left a counter-example in `.fakeserver/`."""
    done = fakeserver(
        "verify", "--dialect", "haravan", "--json", "-", "clients.py:wrong", cwd=folder
    )
    assert done.returncode == 1, done.stderr
    return json.loads(done.stdout)


def environment(**more: str) -> dict[str, str]:
    names = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return kept | {"PYTHONIOENCODING": "utf-8"} | more


def fakeserver(
    *arguments: str, cwd: Path, module: bool = False, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the console script, or the module, with everything in pipes."""
    return subprocess.run(
        [*program(module=module), *arguments],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def program(*, module: bool = False) -> list[str]:
    if module:
        return [sys.executable, "-m", "fakeserver"]
    return [str(Path(sys.executable).with_name("fakeserver"))]


def inside(*arguments: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command line in this process: as good, and quicker, where no process matters."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    try:
        cli.main([*arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


# Statuses and streams


@pytest.mark.parametrize("module", [False, True], ids=["script", "module"])
def test_kept_is_0(folder, module):
    arguments = ("verify", "--dialect", "haravan", "--examples", "30", "clients.py:right")
    done = fakeserver(*arguments, cwd=folder, module=module)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("KEPT  the promise held in 30 worlds")
    assert done.stderr == (
        "clients.py:right · haravan · profile default · seed 0 · up to 30 worlds\n"
    )


def test_broken_is_1_and_leaves_a_counter_example(tmp_path):
    (tmp_path / "clients.py").write_text(CLIENTS)
    done = fakeserver("verify", "--dialect", "haravan", "clients.py:wrong", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("BROKEN  LOST  ")
    replay = re.search(
        r"^  Replay   (fakeserver replay (\S+) clients\.py:wrong)$", done.stdout, re.M
    )
    path = tmp_path / replay[2]
    written = sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__")
    assert written == [".fakeserver", "clients.py"]
    ignored = path.with_name(".gitignore")
    assert sorted(path.parent.iterdir()) == [ignored, path.with_suffix(".history.jsonl"), path]
    assert "\x1b" not in done.stdout + done.stderr, "no colour in a pipe"


def test_inconclusive_is_3(folder):
    arguments = ("--only", "restart", "--examples", "1", "clients.py:idle", "--json", "-")
    done = fakeserver(
        "verify", "--dialect", "haravan", "--mode", "incremental", *arguments, cwd=folder
    )
    assert (done.returncode, json.loads(done.stdout)["outcome"]) in [
        (3, "inconclusive"),
        (1, "broken"),
    ]


def test_a_slip_of_ours_is_3_with_its_traceback(folder, monkeypatch, capsys):
    def fail(*_args, **_options):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(cli, "search", fail)
    status = inside(
        "verify", "--dialect", "haravan", "clients.py:right", folder=folder, monkeypatch=monkeypatch
    )
    captured = capsys.readouterr()
    assert status == 3
    assert captured.out == ""
    assert "ZeroDivisionError: planted" in captured.err
    assert captured.err.endswith("fakeserver failed, which says nothing about the client.\n")


def test_a_feed_used_wrongly_is_2(folder):
    done = fakeserver("verify", "--dialect", "haravan", "clients.py:misuses", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("fakeserver: deliver: expected a mapping")


# JSON


def test_json_has_the_promised_keys(found):
    assert list(found) == KEYS
    assert found["outcome"] == "broken"
    assert found["findings"][0].keys() >= FINDING_KEYS
    assert set(found["hazards"]) == {"exercised", "not_exercised"}
    assert set(found["requests"]) == {"count", "lower_bound", "ratio"}
    assert found["scenario"]["dialect"] == "haravan"
    assert found["history"][0]["step"] == "poll-started"
    assert found["replay"].startswith("fakeserver replay .fakeserver/lost-")


def test_json_of_a_kept_promise_has_the_same_keys(folder):
    arguments = ("--examples", "20", "--json", "-", "clients.py:right")
    done = fakeserver("verify", "--dialect", "haravan", *arguments, cwd=folder)
    verdict = json.loads(done.stdout)
    assert list(verdict) == KEYS
    assert (verdict["outcome"], verdict["findings"], verdict["scenario"]) == ("kept", [], None)


def test_json_to_a_file_beside_the_report(folder, tmp_path):
    path = tmp_path / "verdict.json"
    arguments = ("--examples", "5", "--json", str(path), "clients.py:wrong")
    done = fakeserver("verify", "--dialect", "haravan", *arguments, cwd=folder)
    assert json.loads(path.read_bytes())["outcome"] == "broken"
    assert done.stdout.startswith("BROKEN")


def test_stdout_holds_the_json_alone_whatever_the_client_prints(folder):
    arguments = ("--json", "-", "noisy.py:wrong")
    done = fakeserver("verify", "--dialect", "haravan", *arguments, cwd=folder)
    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"]
    for line in ("print at import", "print in a poll", "print of a child", "print at exit"):
        assert line in done.stderr


def test_stdout_holds_the_report_alone(folder, found):
    replay = found["replay"].split()[2]
    done = fakeserver("replay", replay, "noisy.py:wrong", cwd=folder)
    assert done.stdout.startswith("BROKEN")
    assert "print" not in done.stdout


def test_no_token_in_any_stream(folder):
    done = fakeserver("verify", "--dialect", "haravan", "clients.py:tells_the_token", cwd=folder)
    assert done.returncode == 1
    assert "<token>" in done.stdout
    assert TOKEN not in done.stdout + done.stderr


# The other forms of a verdict

FORMS = {"json": b"{", "junit": b"<?xml", "html": b"<!doctype html>"}


def test_every_form_at_once_and_the_same_bytes_each_time(folder, tmp_path):
    """Neither the order of a set nor the machine's paths may come into a file."""
    written = []
    for seed in "12":
        place = tmp_path / seed
        place.mkdir()
        (place / "clients.py").write_text(CLIENTS)
        options = [word for form in FORMS for word in (f"--{form}", f"verdict.{form}")]
        arguments = (*VERIFY, *options, "--map", "clients.py:wrong")
        done = fakeserver(*arguments, cwd=place, PYTHONHASHSEED=seed)
        assert done.returncode == 1, done.stderr
        assert done.stdout.startswith("BROKEN")
        assert "\n  Map: time runs to the right, the key (id) upwards" in done.stdout
        written.append({form: (place / f"verdict.{form}").read_bytes() for form in FORMS})
        written[-1]["text"] = done.stdout.encode()
    assert written[0] == written[1]
    for form, start in FORMS.items():
        assert written[0][form].startswith(start)
    for content in written[0].values():
        assert str(tmp_path).encode() not in content


@pytest.mark.parametrize("form", ["junit", "html"])
def test_a_form_to_stdout_is_there_alone(folder, found, form):
    scenario = found["replay"].split()[2]
    history = scenario.removesuffix(".json") + ".history.jsonl"
    judged = fakeserver("judge", scenario, history, f"--{form}", "-", cwd=folder)
    replayed = fakeserver("replay", scenario, "noisy.py:wrong", f"--{form}", "-", cwd=folder)
    for done in (judged, replayed):
        assert done.returncode == 1
        assert done.stdout.encode().startswith(FORMS[form])
        assert "BROKEN  " not in done.stdout.partition("\n")[0]
        assert not re.search(r"print (at|in|of)", done.stdout)


# Replay and judge


def accusations(report):
    """The findings without what would have helped, which only a search tries."""
    return [{**finding, "tried": None} for finding in report["findings"]]


def test_a_counter_example_replays_to_the_same_finding(folder, found):
    command = found["replay"].split()
    assert command[0] == "fakeserver"
    again = fakeserver(*command[1:], "--json", "-", cwd=folder)
    assert again.returncode == 1
    assert accusations(json.loads(again.stdout)) == accusations(found)
    assert json.loads(again.stdout)["history"] == found["history"]


def test_a_replay_runs_the_client_once_and_tries_what_helps_where_that_is_wanted(folder, found):
    scenario = found["replay"].split()[2]
    (folder / "counted.py").write_text(
        "import clients\n\n\ndef wrong(feed):\n    print('a poll')\n    clients.wrong(feed)\n"
    )
    once, tried = (
        fakeserver("replay", scenario, "counted.py:wrong", "--json", "-", *more, cwd=folder)
        for more in ([], ["--tried"])
    )
    polls = once.stderr.count("a poll")
    assert polls == sum(step["step"] == "poll-started" for step in found["history"])
    assert tried.stderr.count("a poll") > polls
    without, with_it = (json.loads(done.stdout) for done in (once, tried))
    assert with_it["findings"] == found["findings"]
    assert with_it["findings"][0]["tried"]["changes"]
    assert (without["findings"][0]["tried"], with_it["history"]) == (None, without["history"])
    note = "with --tried a replay also tries what would have helped"
    assert without["notes"] == [*with_it["notes"], note]


STOPPED = """
import clients

left = {polls}


def wrong(feed):
    global left
    left -= 1
    if left < 0:
        raise KeyboardInterrupt
    clients.wrong(feed)
"""


def test_ctrl_c_in_what_a_replay_tries_leaves_the_report(folder, found, monkeypatch, capsys):
    polls = sum(step["step"] == "poll-started" for step in found["history"])
    (folder / "stopped.py").write_text(STOPPED.format(polls=polls))
    arguments = ("replay", "--tried", found["replay"].split()[2], "stopped.py:wrong")
    assert inside(*arguments, folder=folder, monkeypatch=monkeypatch) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("BROKEN LOST")
    assert "interrupted before all was tried that could have helped" in text


def test_a_replay_that_is_kept_has_nothing_to_try(folder, found):
    scenario = found["replay"].split()[2]
    for more in ([], ["--tried"]):
        done = fakeserver("replay", scenario, "clients.py:right", *more, cwd=folder)
        assert "tried" not in done.stdout


def test_judge_agrees_without_the_client(folder, found):
    scenario = found["replay"].split()[2]
    history = scenario.removesuffix(".json") + ".history.jsonl"
    done = fakeserver("judge", scenario, history, "--json", "-", cwd=folder)
    assert done.returncode == 1
    assert accusations(json.loads(done.stdout)) == accusations(found)


def test_the_replay_line_carries_the_promise(tmp_path):
    """A finding may need its promise; the folder and the client may have spaces in them."""
    (tmp_path / "my clients.py").write_text(CLIENTS)
    options = ("--delivery", "at-least-once", "--order", "id", "--late-by-max", "90s")
    arguments = ("--dialect", "haravan", "--json", "-", "my clients.py:wrong")
    done = fakeserver("verify", *options, *arguments, cwd=tmp_path)
    replay = json.loads(done.stdout)["replay"]
    assert re.fullmatch(
        r"fakeserver replay --delivery at-least-once --order id --late-by-max 90s "
        r"\.fakeserver/\S+\.json 'my clients\.py:wrong'",
        replay,
    )
    path = str(Path(program()[0]).parent)
    again = subprocess.run(
        f"{replay} --json -",
        shell=True,
        cwd=tmp_path,
        env=environment(PATH=path),
        capture_output=True,
        check=False,
    )
    assert again.returncode == 1, again.stderr
    assert accusations(json.loads(again.stdout)) == accusations(json.loads(done.stdout))


def test_a_right_client_passes_where_the_wrong_one_broke(folder, found):
    done = fakeserver("replay", found["replay"].split()[2], "clients.py:right", cwd=folder)
    assert done.returncode == 0
    assert done.stdout.startswith("KEPT")


def test_a_folder_that_can_not_be_written_costs_no_verdict(tmp_path):
    (tmp_path / "clients.py").write_text(CLIENTS)
    (tmp_path / ".fakeserver").write_text("in the way")
    done = fakeserver("verify", "--dialect", "haravan", "clients.py:wrong", cwd=tmp_path)
    assert done.returncode == 1
    assert "the counter-example could not be written to" in " ".join(done.stdout.split())


# Margins


def test_margins_follow_a_kept_promise_and_each_break_replays(tmp_path):
    (tmp_path / "clients.py").write_text(CLIENTS)
    options = ("--late-by-max", "0s", "--examples", "20", "--margins", "--json", "-")
    done = fakeserver("verify", "--dialect", "haravan", *options, "clients.py:wrong", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert list(verdict) == [*KEYS, "margins"]
    assert list(verdict["margins"]) == ["late_by_ms", "ties", "appends_per_request", "limit_max"]
    late = verdict["margins"]["late_by_ms"]
    assert (late["unit"], late["passes_at"], late["fails_at"]) == ("ms", 0, 1)
    assert late["replay"].startswith("fakeserver replay --late-by-max 1ms .fakeserver/margin-late-")
    again = fakeserver(*late["replay"].split()[1:], "--json", "-", cwd=tmp_path)
    (finding,) = json.loads(again.stdout)["findings"]
    assert (again.returncode, finding["rule"], finding["cause"]) == (1, "LOST", "never-asked")


def test_margins_of_a_broken_promise_are_not_measured(folder):
    done = fakeserver("verify", "--dialect", "haravan", "--margins", "clients.py:wrong", cwd=folder)
    assert done.returncode == 1
    assert "margins are measured of a promise that is kept" in " ".join(done.stdout.split())
    assert "  Margins" not in done.stdout


def test_margins_have_a_budget(folder):
    # One world is all there is time for, and has to be enough for a verdict.
    untried = ("--late-by-max", "0s", "--without", "restart,crash-before-save,crash-after-save")
    arguments = (*untried, "--margins", "--seconds", "0.000001", "clients.py:right")
    done = fakeserver("verify", "--dialect", "haravan", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "  Margins  lateness: not measured\n" in done.stdout


def test_ctrl_c_leaves_the_verdict_and_the_margins_so_far(folder):
    arguments = (*VERIFY, "--examples", "40", "--margins", "clients.py:slow_when_measured")
    with started(*arguments, cwd=folder) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out.startswith("KEPT")
    assert "the server's cap: not measured" in out
    assert "Traceback" not in err


# Other commands


def test_scenario_is_the_same_every_time_and_can_be_loaded(folder, tmp_path):
    arguments = ("scenario", "--dialect", "saleschannel", "--seed", "7", "--example", "3")
    first, second = (fakeserver(*arguments, cwd=folder, PYTHONHASHSEED=seed) for seed in "12")
    assert first.returncode == 0
    assert first.stdout == second.stdout
    assert json.loads(first.stdout)["origin"] == "seed 7, example 3"
    (tmp_path / "world.json").write_text(first.stdout)
    done = fakeserver("replay", str(tmp_path / "world.json"), "clients.py:idle", cwd=folder)
    assert done.returncode in (1, 3)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_tour_is_as_announced(folder, dialect):
    done = fakeserver("tour", "--dialect", dialect, cwd=folder)
    assert done.returncode == 0, done.stdout
    assert [
        line.split()[0] for line in done.stdout.splitlines() if line[:4] in ("BROK", "KEPT")
    ] == [
        "BROKEN",
        "KEPT",
    ]
    for start in ("1. ", "BROKEN", "2. ", "KEPT", "Both verdicts"):
        assert f"\n\n{start}" in done.stdout, "a blank line stands between paragraphs"


def test_a_tour_that_is_interrupted_blames_nobody(folder):
    command = [sys.executable, "-m", "fakeserver", "tour"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=60)[0]
    # It may come while the first world is made small; then that is cut short, and the tour goes on.
    assert process.returncode == (0 if "Both verdicts are as announced" in said else 3)
    assert "fault of fakeserver" not in said


def test_explain_knows_every_name(folder, monkeypatch, capsys):
    for name in known_names():
        assert inside("explain", name, folder=folder, monkeypatch=monkeypatch) == 0
        out = capsys.readouterr().out
        assert name.lower() in out.lower()
        assert "  source" in out or "is a cause" in out
    assert inside("explain", folder=folder, monkeypatch=monkeypatch) == 0
    assert set(known_names()) <= set(capsys.readouterr().out.split())


def test_every_command_and_option_is_documented():
    context = click.Context(cli.cli, info_name="fakeserver")
    commands = {name: cli.cli.get_command(context, name) for name in cli.cli.list_commands(context)}
    assert {"verify", "replay", "judge", "scenario", "explain", "tour"} <= set(commands)
    for name, command in commands.items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts[0]}"
            else:
                word = parameter.name.upper().removesuffix("S")  # files are FILE...
                assert word in command.help, f"{name}: {parameter.name}"


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("verify", "-h"), ("--version",)])
def test_help_is_0_on_stdout(folder, monkeypatch, capsys, arguments):
    assert inside(*arguments, folder=folder, monkeypatch=monkeypatch) == 0
    captured = capsys.readouterr()
    assert captured.out
    assert captured.err == ""


# Bad usage

VERIFY = ("verify", "--dialect", "haravan")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("verfy",), "No such command 'verfy'. Did you mean 'verify'?"),
        (("verify", "clients.py:right"), "Missing option '--dialect'"),
        (VERIFY, "expected CLIENT (path.py:name or package.module:name), or -- COMMAND"),
        (("verify", "--dialect", "shopfy", "clients.py:right"), "'shopfy' is not one of 'haravan'"),
        (
            (*VERIFY, "--profile", "defalt", "clients.py:right"),
            "no profile 'defalt'; known are default",
        ),
        (
            (*VERIFY, "--only", "tie", "clients.py:right"),
            "hazard 'tie': there is none of that name; known are tie-at-page-edge",
        ),
        (
            (*VERIFY, "--without", "ties", "clients.py:right"),
            "hazard 'ties': there is none",
        ),
        ((*VERIFY, "--only", ",", "clients.py:right"), "expected names of hazards"),
        ((*VERIFY, "--examples", "0", "clients.py:right"), "0 is not in the range 1<=x"),
        ((*VERIFY, "--seconds", "0", "clients.py:right"), "0.0 is not in the range x>0"),
        ((*VERIFY, "--page-size", "0", "clients.py:right"), "0 is not in the range x>=1"),
        (
            (*VERIFY, "--late-by-max", "5", "clients.py:right"),
            "a number and one of ms, s, m, h, d, got '5'",
        ),
        ((*VERIFY, "--late-by-max", "9d", "clients.py:right"), "expected at most 7d, got 9d"),
        ((*VERIFY, "--delay-max", "8d", "clients.py:right"), "'--delay-max': expected at most 7d"),
        (
            (*VERIFY, "--delivery", "once", "clients.py:right"),
            "'once' is not one of 'at-least-once'",
        ),
        ((*VERIFY, "--json", "nowhere/x.json", "clients.py:right"), "there is no folder nowhere"),
        ((*VERIFY, "--json", ".", "clients.py:right"), "'.' is a directory"),
        ((*VERIFY, "--html", "nowhere/x.html", "clients.py:right"), "there is no folder nowhere"),
        (
            (*VERIFY, "--json", "-", "--junit", "-", "clients.py:right"),
            "stdout holds one report: expected one of --json, --junit with -",
        ),
        ((*VERIFY, "--sed", "1", "clients.py:right"), "No such option '--sed'"),
        (
            (*VERIFY, "--mode", "snapshot", "--delay-max", "1m", "clients.py:right"),
            "delay_ms_max: a snapshot has no delay",
        ),
        (
            (*VERIFY, "--delay-max", "1m", "--order", "recorded", "clients.py:right"),
            "exclude each other: an event may be late by up to 5 min",
        ),
        ((*VERIFY, "clients.py"), "expected path.py:name or package.module:name, got 'clients.py'"),
        ((*VERIFY, "."), "expected path.py:name or package.module:name, got '.'"),
        ((*VERIFY, "nothing.py:right"), "there is no file nothing.py"),
        ((*VERIFY, "nothing.here:right"), "importing nothing.here raised ModuleNotFoundError"),
        ((*VERIFY, "clients.py:rigth"), "nothing called 'rigth'; did you mean clients.py:right?"),
        ((*VERIFY, "clients.py:xyz"), "nothing called 'xyz'; it has wrong, idle, slow"),
        ((*VERIFY, "clients.py:time"), "expected a function taking a feed, or a class"),
        ((*VERIFY, "broken.py:right"), "importing broken.py raised ModuleNotFoundError"),
        ((*VERIFY, "exiting.py:right"), "importing exiting.py raised SystemExit"),
        (("replay", "nothing.json", "clients.py:right"), "can't read the scenario nothing.json"),
        (("replay", ".", "clients.py:right"), "can't read the scenario ."),
        (("replay", "text.json", "clients.py:right"), "text.json: not JSON"),
        (("replay", "empty.json", "clients.py:right"), "empty.json: not JSON"),
        (("replay", "half.json", "clients.py:right"), "half.json: Object missing required field"),
        (("judge", "SCENARIO", "nothing.jsonl"), "can't read the history nothing.jsonl"),
        (("judge", "SCENARIO", "text.json"), "text.json, line 1: not JSON"),
        (("judge", "SCENARIO", "OTHER"), "the history is not of this scenario"),
        (("scenario", "--dialect", "haravan"), "Missing option '--seed'"),
        (("scenario", "--dialect", "haravan", "--seed", "x"), "'x' is not a valid integer"),
        (("explain", "LOTS"), "nothing is called 'LOTS'; did you mean LOST?"),
        (("explain", "xyzzy"), "nothing is called 'xyzzy'"),
        (("tour", "--dialect", "x"), "'x' is not one of"),
    ],
    ids=lambda value: " ".join(value[-3:]) if isinstance(value, tuple) else "",
)
def test_bad_usage_is_told_in_a_line_or_two(folder, found, monkeypatch, capsys, arguments, says):
    scenario = found["replay"].split()[2]
    other = folder / "other.jsonl"
    other.write_text(
        '{"step":"poll-started","at":0,"poll":1}\n'
        '{"step":"exchange","at":0,"method":"GET","target":"/","status":200,"event_ids":[777]}\n'
    )
    names = {"SCENARIO": scenario, "OTHER": str(other)}
    status = inside(
        *(names.get(word, word) for word in arguments), folder=folder, monkeypatch=monkeypatch
    )
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert status == 2
    assert captured.out == ""
    assert lines[0].startswith("fakeserver: ")
    assert says in lines[0]
    assert len(lines) <= 2
    assert "Traceback" not in captured.err


def test_a_scenario_that_contradicts_itself_says_how(folder, found, monkeypatch, capsys):
    scenario = json.loads((folder / found["replay"].split()[2]).read_text())
    (folder / "odd.json").write_text(json.dumps(scenario | {"page_size": 0}))
    status = inside(
        "replay", "odd.json", "clients.py:right", folder=folder, monkeypatch=monkeypatch
    )
    assert status == 2
    assert capsys.readouterr().err.splitlines() == [
        "fakeserver: odd.json: the scenario contradicts itself:",
        "  - page_size must be 1 or more, got 0",
    ]


@pytest.mark.parametrize("arguments", [(), ("verify", "--dialect", "haravan", "nothing.py:x")])
def test_bad_usage_is_2_of_the_process(folder, arguments):
    done = fakeserver(*arguments, cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


# Terminals


def on_a_terminal(*arguments: str, cwd: Path, columns: int = 80, **more: str) -> tuple[int, str]:
    """Run on a terminal of its own, and return the status and all that it showed."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = b""
    with subprocess.Popen(
        [*program(), *arguments],
        cwd=cwd,
        env=environment(**{"TERM": "xterm"} | more),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        while True:
            try:
                chunk = os.read(ours, 65_536)
            except OSError:  # Linux reports the end of a terminal so
                break
            if not chunk:
                break
            shown += chunk
    os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n")


WORD = re.compile(r"\x1b\[31m\x1b\[1mBROKEN\x1b\[0m  ")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[a-zA-Z]")
ESCAPES_OF_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_on_a_terminal_it_is_coloured_and_fits(folder):
    status, shown = on_a_terminal(*VERIFY, "clients.py:wrong", cwd=folder)
    assert status == 1
    assert WORD.search(shown)
    plain = ESCAPES.sub("", shown)
    lines = [line.rpartition("\r")[2] for line in plain.splitlines()]
    assert any(len(line) > 60 for line in lines)
    assert [line for line in lines if len(line) > 80 and "  Replay" not in line] == []


def test_no_color_is_respected(folder):
    _, shown = on_a_terminal(*VERIFY, "clients.py:wrong", cwd=folder, NO_COLOR="1", TERM="dumb")
    assert "BROKEN" in shown
    assert "\x1b" not in shown
    _, shown = on_a_terminal(*VERIFY, "clients.py:wrong", cwd=folder, NO_COLOR="")
    assert WORD.search(shown), "an empty NO_COLOR means nothing (no-color.org)"


@pytest.mark.parametrize(("columns", "least", "most"), [(200, 81, 100), (20, 41, 60)])
def test_a_terminal_is_used_within_reason(folder, found, columns, least, most):
    replay = found["replay"].split()
    _, shown = on_a_terminal(*replay[1:], cwd=folder, columns=columns, NO_COLOR="1")
    assert least <= max(len(line) for line in shown.splitlines()) <= most


def test_columns_says_how_wide_a_pipe_is(folder, found):
    replay = found["replay"].split()
    wide = fakeserver(*replay[1:], cwd=folder)
    narrow = fakeserver(*replay[1:], cwd=folder, COLUMNS="70")
    assert 70 < max(map(len, wide.stdout.splitlines())) <= 100
    assert 50 < max(map(len, narrow.stdout.splitlines())) <= 70


def test_progress_is_shown_on_a_terminal_and_wiped(folder):
    arguments = (*VERIFY, "--examples", "25", "clients.py:right")
    _, shown = on_a_terminal(*arguments, cwd=folder)
    said = re.search(r"\r\x1b\[K  (\d+) of 25 worlds, [\d.]+ a second, \d+ hazards? met: ", shown)
    assert 1 <= int(said[1]) <= 25
    assert "\r\x1b[KKEPT" in ESCAPES_OF_COLOUR.sub("", shown), "wiped before the report"
    for line in re.split(r"[\r\n]+", ESCAPES.sub("", shown)):
        assert len(line) <= 80
    assert "of 25 worlds" not in fakeserver(*arguments, cwd=folder).stderr.replace("up to 25", "")


def test_shrinking_is_shown_too(folder):
    _, shown = on_a_terminal(*VERIFY, "clients.py:wrong", cwd=folder)
    assert re.search(r"\x1b\[K  broken; making the world smaller: try 1, \d+ events? left", shown)


# Ctrl-C, and readers who go away


def hear_ctrl_c():
    """A run in the background has SIGINT ignored, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def started(*arguments: str, cwd: Path):
    """A process that has begun its first poll."""
    (cwd / "started").unlink(missing_ok=True)
    with subprocess.Popen(
        [*program(), *arguments],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        preexec_fn=hear_ctrl_c,
    ) as process:
        while not (cwd / "started").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        yield process


IN_THE_WAY = """
import pathlib, sys, time
pathlib.Path("importing").touch()
try:
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
except KeyboardInterrupt:
    {caught}
sys.exit(7)
"""


@contextlib.contextmanager
def importing(folder: Path, *, caught: str = "raise", before=hear_ctrl_c, module: bool = False):
    """A process that is importing the command line, as long as there is no file `go`."""
    (folder / "click.py").write_text(IN_THE_WAY.format(caught=caught))
    with subprocess.Popen(
        [*program(module=module), "explain"],
        cwd=folder,
        env=environment(PYTHONPATH=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        preexec_fn=before,
    ) as process:
        while not (folder / "importing").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        yield process


@pytest.mark.parametrize("caught", ["raise", "pass"])
@pytest.mark.parametrize("module", [False, True])
def test_ctrl_c_while_it_is_imported_ends_it_in_a_line(tmp_path, module, caught):
    with importing(tmp_path, caught=caught, module=module) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (3, "", "interrupted\n")


def test_ctrl_c_in_the_background_is_ignored_while_it_is_imported(tmp_path):
    def ignore_ctrl_c():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with importing(tmp_path, before=ignore_ctrl_c) as process:
        (tmp_path / "go").touch()
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (7, "")


def test_ctrl_c_gives_the_verdict_so_far(folder):
    with started(*VERIFY, "--examples", "1000", "clients.py:slow", cwd=folder) as process:
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 3, err
    assert out.startswith("INCONCLUSIVE")
    assert re.search(r"interrupted after [0-9]+ of 1000 worlds", out)
    assert "Traceback" not in err


def test_ctrl_c_that_a_client_swallows_ends_the_search_after_its_world(folder):
    with started(*VERIFY, "--examples", "1000", "clients.py:deaf_but_quick", cwd=folder) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 3, err
    assert "interrupted after 1 of 1000 worlds" in out


def test_a_second_ctrl_c_ends_it_at_once(folder):
    with started(*VERIFY, "clients.py:deaf", cwd=folder) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert err.endswith("interrupted\n")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((*VERIFY, "clients.py:wrong"), 1),
        ((*VERIFY, "--json", "-", "clients.py:wrong"), 1),
        (("explain",), 0),
    ],
    ids=["report", "json", "explain"],
)
def test_a_reader_who_has_gone_changes_no_status(folder, arguments, status):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as out:
        done = subprocess.run(
            [*program(), *arguments],
            cwd=folder,
            env=environment(),
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == status, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Broken" not in done.stderr


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_stream_that_is_closed_changes_no_status(folder, closed):
    script = f'"$0" "$@" {closed}>&-'
    done = subprocess.run(
        ["sh", "-c", script, *program(), *VERIFY, "clients.py:wrong"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("BROKEN" if closed == "2" else "")
    assert "Traceback" not in done.stderr


def test_a_stdout_that_can_not_show_every_letter_shows_the_rest(folder):
    done = fakeserver(*VERIFY, "clients.py:wrong", cwd=folder, PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert done.stdout.startswith("BROKEN  LOST")


def test_the_process_is_as_before_when_called_from_python(folder):
    program = """
import signal
from fakeserver import cli

try:
    cli.main(["verify", "--dialect", "haravan", "noisy.py:wrong"])
except SystemExit as end:
    print("status", end.code)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        preexec_fn=hear_ctrl_c,
        cwd=folder,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("BROKEN")
    assert done.stdout.endswith("\nstatus 1\nprint at exit\n")
    assert "print in a poll" in done.stderr
    assert "print of a child" in done.stderr
