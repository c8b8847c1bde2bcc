"""One process of a client: started without a shell, read within limits, killed with all it started.

Its group is its own, so that a kill reaches its children and Ctrl-C on the terminal does not.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO

from fakeserver.errors import UsageError

LINE_BYTES_MAX = 4 << 20
"""A page of the largest answer here is a quarter of it, and a line holds one event."""
OUTPUT_BYTES_MAX = 64 << 20
"""What one poll may write; every event of the largest drawn world takes a hundredth."""
STDERR_BYTES_KEPT = 400
"""The last words of a program are those that tell what went wrong; a report shows them."""
MEMORY_BYTES_MAX = 4 << 30
"""Of one process; a client that reads a log of hundreds of events into more is leaking."""
READ_BYTES = 1 << 16
END_SECONDS_MAX = 5.0
"""After it closed its stdout, a program has so long to end."""


class OverLimit(Exception):  # noqa: N818 - what happened; the client's doing
    """The program wrote or took more than any client needs; the text says what and how much."""


class Process:
    """A running command. `read_lines` gives what it has written so far; `kill` ends it all.

    Raises `UsageError` for a command that can't be started.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, takes_polls: bool) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own command, no shell
                list(argv),
                env=dict(env),
                stdin=subprocess.PIPE if takes_polls else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"can't start {argv[0]!r}: {reason}; expected a program and its arguments after --"
            ) from error
        self._selector = selectors.DefaultSelector()
        for stream in (self._stdout, self._stderr):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._written = 0
        self._last_words = b""
        self._hears_stderr = True
        self.has_closed_stdout = False

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        return self._process.stdout

    @property
    def _stderr(self) -> IO[bytes]:
        assert self._process.stderr is not None  # noqa: S101 - it is a pipe
        return self._process.stderr

    @property
    def stderr(self) -> str:
        """The end of what it has written to stderr."""
        return self._last_words.decode("utf-8", "replace").strip()

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._process.poll() is None

    @property
    def is_idle(self) -> bool:
        """Whether it runs and has written nothing that was not read, half a line included."""
        heard_all = not self._lines and not self._rest
        return self.is_running and heard_all and _read(self._stdout) is None

    def send(self, line: bytes) -> None:
        """Write one line to its stdin; one that has ended hears nothing, as `status` tells."""
        assert self._process.stdin is not None  # noqa: S101 - whoever takes polls has one
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + b"\n")

    def start_poll(self) -> None:
        """Count anew what is written; what was said before on stderr is not of this poll."""
        self._written = 0
        self._keep_last_words()
        self._last_words = b""

    def wait_for_output(self, seconds: float) -> None:
        """Return when it has written something or ended, or after `seconds` of real time."""
        self._selector.select(seconds)

    def read_lines(self) -> Iterator[bytes]:
        """Yield the whole lines that it has written since, without waiting for more.

        At the end of its stdout a rest without a line's end is a line. What is not taken is kept
        for the next call. Raises `OverLimit`.
        """
        self._keep_last_words()
        while True:
            while self._lines:
                yield self._lines.popleft()
            self._check_output()
            chunk = None if self.has_closed_stdout else _read(self._stdout)
            if chunk is None:
                return
            if not chunk:
                self.has_closed_stdout = True
                self._selector.unregister(self._stdout)
            self._written += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if self.has_closed_stdout and self._rest:
                lines.append(self._rest)
            self._lines += lines

    def status(self) -> int:
        """Wait until it has ended and return its exit status; negative: the signal.

        One that goes on long after it closed its stdout is killed.
        """
        try:
            return self._process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()
        finally:
            self._keep_last_words()

    def check_memory(self) -> None:
        """Raise `OverLimit` if the program holds more memory than any client needs (Linux only)."""
        with suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{self._process.pid}/statm", encoding="ascii") as file:  # noqa: PTH123
                pages = int(file.read().split()[1])
            held = pages * os.sysconf("SC_PAGE_SIZE")
            if held > MEMORY_BYTES_MAX:
                raise OverLimit(
                    f"it held {held >> 20} MiB of memory, {MEMORY_BYTES_MAX >> 20} at most"
                )

    def kill(self) -> None:
        """End it and all that it started, at once (SIGKILL), and let go of its pipes."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self.close()

    def close(self) -> None:
        """Let go of its pipes."""
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _keep_last_words(self) -> None:
        while self._hears_stderr and (chunk := _read(self._stderr)) is not None:
            if not chunk:
                self._hears_stderr = False
                self._selector.unregister(self._stderr)
            self._last_words = (self._last_words + chunk)[-STDERR_BYTES_KEPT:]

    def _check_output(self) -> None:
        if self._written > OUTPUT_BYTES_MAX:
            raise OverLimit(f"it wrote over {OUTPUT_BYTES_MAX >> 20} MiB in one poll")
        if len(self._rest) > LINE_BYTES_MAX:
            raise OverLimit(f"it wrote a line of over {LINE_BYTES_MAX >> 20} MiB")


def _read(stream: IO[bytes]) -> bytes | None:
    """Read what is there: bytes, none at the end, or None if there is nothing yet."""
    return stream.read(READ_BYTES)
