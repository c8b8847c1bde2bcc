"""Programs on the command line: behind ``--``, in a replay, and what does not go together."""

import json
import shlex
import subprocess
import sys

import pytest

from .programs import JSONL, PERSISTENT, program


def fakeserver(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "fakeserver", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(("text", "options"), [(JSONL, ()), (PERSISTENT, ("--persistent",))])
def test_a_program_is_verified_and_replayed(tmp_path, text, options):
    argv = program(tmp_path, text)
    verify = ("verify", "--dialect", "haravan", "--only", "late-visible", "--json", "-", *options)
    done = fakeserver(*verify, "--", *argv, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["findings"][0]["rule"] == "LOST"
    assert verdict["replay"].endswith(shlex.join([*options, "--", *argv]))
    again = fakeserver(*shlex.split(verdict["replay"])[1:], cwd=tmp_path)
    assert again.returncode == 1, again.stderr
    assert again.stdout.startswith("BROKEN  LOST")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "expected CLIENT (path.py:name or package.module:name), or -- COMMAND"),
        (("--",), "expected a program and its arguments"),
        (
            ("a.py:b", "--", "node", "x"),
            "expected CLIENT or -- COMMAND, got both: a.py:b, and node",
        ),
        (("--persistent", "a.py:b"), "--persistent goes with -- COMMAND, and a.py:b is none"),
        (("--protocol", "singer", "a.py:b"), "--protocol goes with -- COMMAND"),
        (("--", "no-such-program"), "can't start 'no-such-program': No such file or directory"),
        (("--", "echo", "hello"), "line 1 of the command's stdout: expected an object"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(tmp_path, arguments, says):
    done = fakeserver("verify", "--dialect", "haravan", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
