"""Programs as clients: judged as functions are, killed for good, and bounded in what they take."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import msgspec
import pytest

from fakeserver.dialects.base import TOKEN
from fakeserver.errors import UsageError
from fakeserver.generate import generate_scenario
from fakeserver.history import Delivered, Killed, PollEnded, Restarted, Saved
from fakeserver.scenario import Crash, Poll
from fakeserver.verifier import hunting, playing, search
from fakeserver.verifier.commands import process
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.commands.protocols import ENDINGS
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import doorkeeper, run
from fakeserver.verifier.search import verify

from ..verdict.worlds import by_id, event, ms, world
from .programs import AIRBYTE, EVENTS, FOLLOW, JSONL, PERSISTENT, SINGER, program

PROMPT = Promise(late_by_ms_max=0)
RESETS = PERSISTENT.replace('{"done": True}', '{"done": True, "resets": True}')
CRASHES = ("crash-before-save", "crash-after-save", "restart")


def kinds(history):
    return [type(step).__name__ for step in history]


def play(argv, scenario=None, **options):
    scenario = scenario or world([event(1, 0), event(2, 1), event(3, 2)])
    return run(scenario, CommandClient(argv, **options))


def raised(history):
    return next(step.error for step in history if isinstance(step, PollEnded) and step.error)


@pytest.mark.parametrize(
    ("protocol", "text"),
    [("jsonl", JSONL), ("events", EVENTS), ("singer", SINGER), ("airbyte", AIRBYTE)],
)
def test_each_protocol_delivers_what_a_function_does(tmp_path, protocol, text):
    history = play(program(tmp_path, text), protocol=protocol)
    assert [s.event_id for s in history if isinstance(s, Delivered)] == [1, 2, 3]
    if protocol != "events":
        assert [s.checkpoint for s in history if isinstance(s, Saved)] == [2, 3]


@pytest.mark.parametrize(
    ("text", "persistent"), [(JSONL, False), (PERSISTENT, True), (RESETS, True)]
)
def test_a_program_has_the_verdict_of_a_function(tmp_path, text, persistent):
    command = CommandClient(program(tmp_path, text), persistent=persistent)
    options = {"dialect": "haravan", "examples": 1, "seed": 3}
    found, expected = (verify(client, **options) for client in (command, by_id))
    assert expected.outcome == "broken"
    assert found.findings == expected.findings
    assert found.scenario == expected.scenario


def test_a_program_is_met_at_its_own_page_size(tmp_path, monkeypatch):
    """It can't be told its limit, so once it is known the worlds are built around that."""
    sizes = []

    def draw(*, page_size, **options):
        sizes.append(page_size)
        return generate_scenario(page_size=page_size, **options)

    monkeypatch.setattr(playing, "generate_scenario", draw)
    text = RESETS.replace("limit={poll['page_size']}", "limit=37")
    command = CommandClient(program(tmp_path, text), persistent=True)
    promise = Promise(delivery="at-least-once", late_by_ms_max=0)
    assert search.verify(command, dialect="haravan", promise=promise, examples=8).findings == ()
    assert sizes[0] is None
    assert sizes[-1] == 37


def test_a_persistent_program_is_one_process_until_it_is_killed(tmp_path):
    text = """
        import json, os, sys
        for line in sys.stdin:
            print(json.dumps({"save": os.getpid()}))
            print(json.dumps({"done": True}), flush=True)
    """
    polls = (Poll(starts_at=ms(10)), Poll(starts_at=ms(20)), Poll(starts_at=ms(30), restart=True))
    calm = tuple(Poll(starts_at=ms(at)) for at in (120, 180, 4_000))
    scenario = world([event(1, 0)], polls=(*polls, *calm), calm_from=3)
    history = play(program(tmp_path, text), scenario, persistent=True)
    lives = [step.checkpoint for step in history if isinstance(step, Saved)]
    pids = list(dict.fromkeys(lives))
    assert len(pids) == 2
    assert [pids.index(pid) for pid in lives] == sorted(pids.index(pid) for pid in lives)
    assert [pid for pid in pids if is_alive(pid)] == []
    assert sum(isinstance(step, Restarted) for step in history) == 1


# Resets

PIDS = """
    import json, os, sys
    for line in sys.stdin:
        poll = json.loads(line)["poll"]
        told = [os.getpid(), "reset" in poll, "FAKESERVER_TOKEN" in os.environ]
        print(json.dumps({"save": told}))
        print(json.dumps({"done": True, "resets": True}), flush=True)
"""


def test_a_program_that_resets_is_one_process_for_restarts_and_worlds(tmp_path):
    polls = (Poll(starts_at=ms(10)), Poll(starts_at=ms(20), restart=True))
    calm = tuple(Poll(starts_at=ms(at)) for at in (120, 180, 4_000))
    scenario = world([event(1, 0)], polls=(*polls, *calm), calm_from=2)
    command = CommandClient(program(tmp_path, PIDS), persistent=True)
    with doorkeeper() as keeper:
        histories = [run(scenario, command, keeper=keeper) for _ in range(2)]
    told = [s.checkpoint for history in histories for s in history if isinstance(s, Saved)]
    pids = {pid for pid, _, _ in told}
    assert len(pids) == 1
    assert [reset for _, reset, _ in told] == [False, True, False, False, False, True] + (
        [True] + [False] * 3
    )
    assert [pid for pid in pids if is_alive(pid)] == []


def test_a_kill_is_a_kill_and_the_next_process_was_ready(tmp_path):
    """What was started ahead is told nothing by its environment: that would be out of date."""
    polls = (Poll(starts_at=ms(10)), Poll(starts_at=ms(20), crash=Crash(point="after-save")))
    calm = tuple(Poll(starts_at=ms(at)) for at in (120, 180, 4_000))
    scenario = world([event(1, 0)], polls=(*polls, *calm), calm_from=2)
    history = play(program(tmp_path, PIDS), scenario, persistent=True)
    told = [step.checkpoint for step in history if isinstance(step, Saved)]
    first, second = dict.fromkeys(pid for pid, _, _ in told)
    assert told == [[first, False, True]] * 2 + [[second, False, False]] * 3
    assert not is_alive(first)
    assert not is_alive(second)


CRASHES_IN_A_ROW = ("after-deliver", "before-save", "after-request", "after-save")


def crashing(*points):
    """A world with a new event in every poll, each of which crashes but the first and the calm."""
    polls = tuple(
        Poll(starts_at=ms(10 * n), crash=Crash(point=point)) for n, point in enumerate(points, 2)
    )
    calm = tuple(Poll(starts_at=ms(at)) for at in (120, 180, 4_000))
    events = [event(n, 10 * n - 1) for n in range(1, len(points) + 2)]
    return world(events, polls=(Poll(starts_at=ms(10)), *polls, *calm), calm_from=len(points) + 1)


PATIENT = f"""{FOLLOW}
for line in sys.stdin:
    poll = json.loads(line)["poll"]
    with open(PIDS, "a") as pids:
        print(os.getpid(), file=pids)
    try:
        follow(poll)
        end = {{"done": True}}
    except Exception as error:
        pass  # where it is cut off
        end = {{"failed": str(error)}}
    print(json.dumps({{**end, "resets": True}}), flush=True)
"""


def lives_of(text, folder, scenario):
    """The process of each poll, and the history."""
    path = folder / "pids"
    path.write_text("")
    text = text.replace("PIDS", repr(str(path)))
    history = play(program(folder, text), scenario, persistent=True)
    return path.read_text().split(), history


def test_of_many_crashes_only_some_kill_a_program_that_resets(tmp_path):
    """For its checkpoints it is the same."""
    scenario = crashing(*CRASHES_IN_A_ROW)
    stays, expected = lives_of(
        PATIENT.replace("True}), flush", "False}), flush"), tmp_path, scenario
    )
    resets, found = lives_of(PATIENT, tmp_path, scenario)
    assert endings(found) == endings(expected)
    assert sum(isinstance(step, Killed) for step in found) == len(CRASHES_IN_A_ROW)
    assert len(set(stays)) == len(CRASHES_IN_A_ROW) + 1
    assert len(set(resets)) == 2  # the first crash is always a kill
    assert not any(is_alive(int(pid)) for pid in {*stays, *resets})


@pytest.mark.parametrize(
    "instead",
    ["time.sleep(600)", "open(poll['state_dir'] + '/lock', 'w').close()", "sys.exit(1)"],
)
def test_a_program_that_holds_on_after_a_crash_is_killed(tmp_path, instead):
    """One that does not give up its poll, one that keeps files, and one that ends by itself."""
    text = PATIENT.replace("pass  # where it is cut off", instead)
    scenario = crashing(*CRASHES_IN_A_ROW)
    lives, history = lives_of(text, tmp_path, scenario)
    assert endings(history) == endings(lives_of(PATIENT, tmp_path, scenario)[1])
    assert len(set(lives)) > 2
    assert not any(is_alive(int(pid)) for pid in lives)


def test_a_verdict_is_about_crashes_that_kill(tmp_path):
    """After a crash that left it alive, it goes on behind rows that it never delivered."""
    text = PATIENT.replace(
        'since = poll["checkpoint"]', 'global last\n    since = last or poll["checkpoint"]'
    )
    text = text.replace(
        "        for event in page:", '        last = page[-1]["id"]\n        for event in page:'
    )
    text = text.replace('        end = {"done": True}', '        end, last = {"done": True}, 0')
    text = text.replace("for line in", "last = 0\nfor line in").replace("PIDS", "os.devnull")
    command = CommandClient(program(tmp_path, text), persistent=True)
    with pytest.raises(UsageError, match="breaks it in one that was reset"):
        verify(command, dialect="haravan", promise=PROMPT, examples=60, only=CRASHES[:1])


def test_a_program_that_resets_has_the_histories_of_one_that_does_not(tmp_path):
    scenarios = [generate_scenario(dialect="haravan", seed=1, example=n) for n in range(10)]
    histories = []
    for name, text in (("stays.py", PERSISTENT), ("resets.py", RESETS)):
        command = CommandClient(program(tmp_path, text, name), persistent=True)
        with doorkeeper() as keeper:
            histories.append([endings(run(each, command, keeper=keeper)) for each in scenarios])
    assert histories[0] == histories[1]


def endings(history):
    """A history without what its program said on stderr."""
    return [
        msgspec.structs.replace(step, error=None) if isinstance(step, PollEnded) else step
        for step in history
    ]


def test_a_program_that_still_talks_is_not_kept(tmp_path):
    late = "import time; time.sleep(0.05); print(json.dumps({'deliver': 1}), flush=True)"
    text = f"{PIDS}        {late}\n"
    command = CommandClient(program(tmp_path, text), persistent=True)
    scenario = world([event(1, 0)])
    with doorkeeper() as keeper:
        for _ in range(2):
            history = run(scenario, command, keeper=keeper)
            time.sleep(0.5)
    assert {step.checkpoint[1] for step in history if isinstance(step, Saved)} == {False}


def forgetful(folder):
    """A program that goes on from the last id of another world."""
    text = RESETS.replace("for line in sys.stdin:", "last = 0\nfor line in sys.stdin:")
    text = text.replace("    since = poll", "    global last\n    since = poll")
    text = text.replace('poll["checkpoint"] or 0', 'poll["checkpoint"] or last')
    text = text.replace("since = page[-1]", "last = since = page[-1]")
    return CommandClient(program(folder, text), persistent=True)


def test_a_reset_that_leaves_something_is_the_programs_mistake(tmp_path):
    with pytest.raises(UsageError, match="breaks it in one that was reset"):
        verify(forgetful(tmp_path), dialect="haravan", promise=PROMPT, examples=20, without=CRASHES)


def test_a_loss_that_is_real_is_told_though_a_reset_leaves_something(tmp_path):
    """It follows ids where events are late; smaller worlds are broken by the reset alone."""
    options = {"dialect": "haravan", "examples": 20, "seed": 1, "without": CRASHES}
    verdict = verify(forgetful(tmp_path), **options)
    assert (verdict.outcome, verdict.findings[0].rule) == ("broken", "LOST")
    assert hunting.RESET_LEFT_SOMETHING in verdict.notes
    again = run(verdict.scenario, CommandClient(program(tmp_path, PERSISTENT), persistent=True))
    assert judge(verdict.scenario, again).findings[0].rule == "LOST"


def test_a_poll_that_failed_is_no_end_of_the_program(tmp_path):
    text = """
        import json, os, sys
        for line in sys.stdin:
            print(json.dumps({"save": os.getpid()}))
            print(json.dumps({"failed": "status 503"}), flush=True)
    """
    history = play(program(tmp_path, text), persistent=True)
    assert len({step.checkpoint for step in history if isinstance(step, Saved)}) == 1
    errors = [step.error for step in history if isinstance(step, PollEnded)]
    assert set(errors) == {"CommandFailed: status 503"}


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("point", "nth", "done"),
    [
        ("before-request", 1, []),
        ("after-request", 1, ["Exchange"]),
        ("before-request", 2, ["Exchange", "Delivered", "Delivered", "Saved"]),
        ("before-deliver", 2, ["Exchange", "Delivered"]),
        ("after-deliver", 2, ["Exchange", "Delivered", "Delivered"]),
        ("before-save", 1, ["Exchange", "Delivered", "Delivered"]),
        ("after-save", 1, ["Exchange", "Delivered", "Delivered", "Saved"]),
    ],
)
@pytest.mark.parametrize(("text", "persistent"), [(JSONL, False), (PERSISTENT, True)])
def test_a_crash_kills_the_program_where_it_would_kill_a_function(
    tmp_path, point, nth, done, text, persistent
):
    """Each time the same: what it wrote before a request is read before that is answered."""
    crash = Poll(starts_at=ms(10), crash=Crash(point=point, nth=nth))
    calm = tuple(Poll(starts_at=ms(at)) for at in (120, 180, 4_000))
    scenario = world([event(1, 0), event(2, 1), event(3, 2)], polls=(crash, *calm))
    argv = program(tmp_path, text)
    histories = {play(argv, scenario, persistent=persistent) for _ in range(3)}
    (history,) = histories
    assert kinds(history)[: len(done) + 4] == [
        "PollStarted",
        *done,
        "Killed",
        "PollEnded",
        "Restarted",
    ]
    assert {s.event_id for s in history if isinstance(s, Delivered)} == {1, 2, 3}


def test_what_a_killed_program_had_started_dies_with_it(tmp_path):
    text = """
        import subprocess, sys, json, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(json.dumps({"save": child.pid}), flush=True)
        time.sleep(600)
    """
    crash = Poll(starts_at=ms(10), crash=Crash(point="after-save"))
    scenario = world(polls=(crash, 120, 180, 240), late=0)
    scenario = world(
        polls=(
            crash,
            *(
                Poll(
                    starts_at=ms(at),
                )
                for at in (120, 180, 240)
            ),
        ),
        late=60,
    )
    command = CommandClient(program(tmp_path, text))
    history = run(scenario, _only_once(command))
    pid = next(step.checkpoint for step in history if isinstance(step, Saved))
    until = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(pid)


def _only_once(command):
    """A client that is the command in its first poll, and nothing afterwards."""
    polls = iter([command])

    def client(feed):
        next(polls, lambda _: None)(feed)

    return client


# What a program may not do


def test_a_bad_exit_is_told_with_the_end_of_stderr_and_without_the_token(tmp_path):
    text = """
        import os, sys
        print("x" * 10_000, file=sys.stderr)
        print("the token is", os.environ["FAKESERVER_TOKEN"], file=sys.stderr)
        sys.exit(3)
    """
    error = raised(play(program(tmp_path, text)))
    assert error.startswith("CommandFailed: exit status 3; stderr: ")
    assert error.endswith("the token is <token>")
    assert len(error) < 700


def test_a_signal_is_told(tmp_path):
    error = raised(play(program(tmp_path, "import os; os.kill(os.getpid(), 15)")))
    assert error == "CommandFailed: ended by signal 15"


def test_a_persistent_program_that_ends_in_mid_poll_failed(tmp_path):
    error = raised(play(program(tmp_path, "pass"), persistent=True))
    assert error == f"CommandFailed: it ended before it had written {ENDINGS}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("while True: print('{\"save\": 1}')", "it wrote over 1 MiB in one poll"),
        ("print('x' * 5_000_000)\nimport time; time.sleep(60)", "it wrote a line of over 0 MiB"),
    ],
)
def test_output_is_bounded(tmp_path, monkeypatch, text, says):
    monkeypatch.setattr(process, "OUTPUT_BYTES_MAX", 1 << 20)
    monkeypatch.setattr(process, "LINE_BYTES_MAX", 100_000)
    assert says in raised(play(program(tmp_path, text)))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is looked up in /proc")
def test_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "MEMORY_BYTES_MAX", 64 << 20)
    text = "held = bytearray(100 << 20)\nimport time; time.sleep(60)"
    assert "of memory, 64 at most" in raised(play(program(tmp_path, text)))


def test_a_line_that_is_no_message_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="line 2 of the command's stdout: expected an object"):
        play(program(tmp_path, "print('{\"save\": 1}')\nprint('fetched 3 events')"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([],), "expected a program and its arguments"),
        (("node poll.js",), "expected a program and its arguments"),
        (([1],), "expected a program and its arguments"),
    ],
)
def test_what_is_no_command_is_refused(arguments, says):
    with pytest.raises(UsageError, match=says):
        CommandClient(*arguments)


def test_an_unknown_protocol_is_refused():
    expected = "protocol: expected jsonl or events or singer or airbyte, got 'xml'"
    with pytest.raises(UsageError, match=expected):
        CommandClient(["x"], protocol="xml")


def test_a_program_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="can't start 'no-such-program': No such file"):
        play(["no-such-program"])


def test_there_is_no_shell(tmp_path):
    text = "import json, sys; print(json.dumps({'save': sys.argv[1:]}))"
    argv = [*program(tmp_path, text), "$HOME", "; exit 1", "*"]
    saved = next(step for step in play(argv) if isinstance(step, Saved))
    assert saved.checkpoint == ["$HOME", "; exit 1", "*"]


# Its surroundings


def test_a_program_is_told_all_that_a_feed_tells(tmp_path):
    text = """
        import json, os
        names = [n for n in os.environ if n.startswith("FAKESERVER_")]
        print(json.dumps({"save": {n: os.environ[n] for n in names}}))
    """
    saved = next(step for step in play(program(tmp_path, text)) if isinstance(step, Saved))
    told = saved.checkpoint
    assert told.pop("FAKESERVER_TOKEN") == TOKEN
    assert told.pop("FAKESERVER_BASE_URL").startswith("http://127.0.0.1:")
    assert Path(told.pop("FAKESERVER_STATE_DIR")).name.startswith("fakeserver-")
    assert told == {
        "FAKESERVER_PAGE_SIZE": "2",
        "FAKESERVER_CHECKPOINT": "null",
        "FAKESERVER_NOW": "1970-01-01T00:00:10.000Z",
        "FAKESERVER_DIALECT": "haravan",
        "FAKESERVER_ZONE": "UTC",
    }


def test_a_program_may_be_told_by_its_arguments(tmp_path):
    text = "import json, sys; print(json.dumps({'save': sys.argv[1:]}))"
    words = ["--url={base_url}/com", "{token}", "{checkpoint}", "{page_size} of {rows}", "{{now}}"]
    told = [s.checkpoint for s in play([*program(tmp_path, text), *words]) if isinstance(s, Saved)]
    url, token, checkpoint, rows, now = told[0]
    assert url.startswith("--url=http://127.0.0.1:")
    assert (token, checkpoint, rows) == (TOKEN, "null", "2 of {rows}")
    assert now == "{1970-01-01T00:00:10.000Z}"
    assert json.loads(told[1][2]) == told[0]


def test_the_state_folder_lasts_for_a_world_and_no_longer(tmp_path):
    text = """
        import json, os
        from pathlib import Path
        state = Path(os.environ["FAKESERVER_STATE_DIR"])
        print(json.dumps({"save": [str(state), len(list(state.iterdir()))]}))
        (state / str(len(list(state.iterdir())))).touch()
    """
    argv = program(tmp_path, text)
    for _ in range(2):
        saved = [step.checkpoint for step in play(argv) if isinstance(step, Saved)]
        assert [count for _, count in saved] == [0, 1, 2, 3]
        assert not Path(saved[0][0]).exists()


def test_a_proxy_is_not_asked_for_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    history = play(program(tmp_path, JSONL))
    assert [s.event_id for s in history if isinstance(s, Delivered)] == [1, 2, 3]


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")
def test_node(tmp_path):
    path = tmp_path / "poll.mjs"
    path.write_text("console.log(JSON.stringify({save: process.version}))")
    saved = next(step for step in play(["node", str(path)]) if isinstance(step, Saved))
    assert saved.checkpoint.startswith("v")
