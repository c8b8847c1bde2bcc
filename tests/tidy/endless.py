"""Runs what never ends by itself, as a person does who looks now and then and presses Ctrl-C."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

INTERRUPTED = 130
"""The exit status that a shell shows for what Ctrl-C has ended."""
LOOKS_MAX = 300
"""One each second; only what never comes is waited for so long."""
PRESSES_MAX = 6
PRESS_SECONDS = 10
"""A person who sees nothing happen presses again: one of many processes may miss a Ctrl-C."""
LEFT_LOOKS_MAX = 100
"""Ten seconds in all, for processes that end a little after the one that has started them."""


class Ending(NamedTuple):
    """How it ended: exit status, all output, and what was `wrong`, if anything."""

    status: int
    log: str
    wrong: str


def ended_by_ctrl_c(
    command: list[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    holds: Callable[[], bool],
) -> Ending:
    """Run a command until something holds; then end it, and all that it started, by Ctrl-C.

    It has a session of its own, whose processes get SIGINT as those of a terminal do, even where
    this process ignores it, as one in the background may. What outlives it is killed.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            wrong = waited_in_vain(process, holds) or outlived_ctrl_c(process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        log.seek(0)
        return Ending(INTERRUPTED if status == -signal.SIGINT else status, log.read(), wrong)


def waited_in_vain(process: subprocess.Popen[bytes], holds: Callable[[], bool]) -> str:
    """Wait until something holds; return why it never will, or nothing."""
    for _ in range(LOOKS_MAX):
        if process.poll() is not None:
            return f"the lines ended before, with exit status {process.returncode}"
        if holds():
            return ""
        time.sleep(1)
    return f"it did not succeed in {LOOKS_MAX} tries"


def outlived_ctrl_c(process: subprocess.Popen[bytes]) -> str:
    """Press Ctrl-C; return what does not end by it, or nothing."""
    for _ in range(PRESSES_MAX):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PRESS_SECONDS)
            break
    else:
        return "the lines do not end by Ctrl-C"
    for _ in range(LEFT_LOOKS_MAX):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return ""
        time.sleep(0.1)
    return "the lines left a process behind"
