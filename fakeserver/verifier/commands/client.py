"""A command as the client under test: one process a poll, or one that is told of each poll.

A program in another language is judged by the same rules as a function: what it writes on stdout is
delivered and saved in the order of its lines, a crash is a SIGKILL, and a restart a new process; or
the same one, where it says that it can forget all it knows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, get_args

import msgspec

from fakeserver.clock import from_datetime, to_text
from fakeserver.doors.proxies import variables_without_proxy
from fakeserver.errors import ClientKilled, RunStopped, UsageError
from fakeserver.verifier.commands.process import OverLimit, Process
from fakeserver.verifier.commands.protocols import ENDINGS, NOTHING, Action, Protocol, read_line
from fakeserver.verifier.feed import Feed

TICK_S = 0.05
"""How soon it is noticed that somebody else has read, killed or ended something."""
TOLD_IN_WORDS = re.compile(
    r"\{(base_url|token|page_size|checkpoint|now|dialect|zone|state_dir"
    r"|config_file|checkpoint_file)\}"
)
"""What may stand in a word of the command, in place of its value."""
NO_CHECKPOINT: Mapping[Protocol, bytes] = {
    "jsonl": b"null",
    "events": b"null",
    "singer": b"{}",
    "airbyte": b"[]",
}
"""What `checkpoint_file` holds before anything was saved: what each protocol has for no state."""
LET_GO_S = 0.05
"""How long a program that can be reset has to give up a poll after a crash: to start another one
takes as long."""
KILLED_EVERY = 32
"""Of the crashes of such a program the first is a SIGKILL, and then every so many: that a death
without warning is survived is tried in each search. A new process costs as much as four worlds, and
what it asks first takes it longest."""


class CommandFailed(Exception):  # noqa: N818 - what happened
    """The command ended badly: its exit status or signal, and the end of its stderr."""


class CommandClient:
    """A program in any language as a client: ``CommandClient(["node", "poll.js"])``.

    It learns from its environment where and how to ask: `FAKESERVER_BASE_URL`, `FAKESERVER_TOKEN`,
    `FAKESERVER_PAGE_SIZE` (rows), `FAKESERVER_CHECKPOINT` (what it saved last, JSON),
    `FAKESERVER_NOW` (ISO 8601, simulated), `FAKESERVER_DIALECT`, `FAKESERVER_ZONE` (of the shop,
    where the API has one) and `FAKESERVER_STATE_DIR` (a folder of its own that lasts as long as the
    world, for a program that keeps its state in files). `protocol` says what a line on its stdout
    means (`protocols.EXPECTED`); its stderr is shown when it fails.

    With `persistent` one process lives through all polls: for each it reads a line
    ``{"poll": {...}}`` on stdin, with the same values, and writes ``{"done": true}`` at the end, or
    ``{"failed": "why"}`` where an exception would end a function. One that can forget all it knows
    says ``"resets": true`` beside that. It is kept for further lives, which begin with a line
    ``{"poll": {..., "reset": true}}``, and another process is kept ready to follow one that is
    killed. Such a program must take what it is told from the lines, for the environment of a
    process that was started ahead says nothing. Of its crashes only some are a SIGKILL: else it is
    cut off (no answers, and nothing that it writes counts) until it gives up its poll. What a
    verdict says of it was seen in new processes, with every crash a SIGKILL.

    A program that knows nothing of this is told by its arguments: ``{base_url}``, ``{token}`` and
    the other values, by these names, are filled in wherever they stand in `argv`; and so are the
    names of two JSON files, ``{config_file}`` with all of them and ``{checkpoint_file}`` with what
    was saved last, as taps of Singer and sources of Airbyte take them.

    There is no shell. Raises `UsageError` for no command, an unknown protocol, a command that can't
    be started, and a line that the protocol does not know. End it with `close`.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        protocol: Protocol = "jsonl",
        persistent: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        if isinstance(argv, str) or not argv or not all(isinstance(word, str) for word in argv):
            raise UsageError(f"expected a program and its arguments, each a text, got {argv!r}")
        if protocol not in get_args(Protocol):
            raise UsageError(
                f"protocol: expected {' or '.join(get_args(Protocol))}, got {protocol!r}"
            )
        self.argv = tuple(argv)
        self.protocol: Protocol = protocol
        self.persistent = persistent
        self.env: Mapping[str, str] = dict(env or {})
        self._process: Process | None = None
        self._spare: Process | None = None
        self._files: TemporaryDirectory[str] | None = None
        self._feed: Feed | None = None
        self._may_reset = True
        self._resets = False
        self._crashes = 0
        self._must_reset = False
        self._was_reset = False
        self._is_in_poll = False

    @property
    def keeps_state(self) -> bool:
        """Whether something of it lives from poll to poll, so that a restart can take it away."""
        return self.persistent

    @property
    def was_reset(self) -> bool:
        """Whether one of its processes has had several lives since it was closed last."""
        return self._was_reset

    def __call__(self, feed: Feed) -> None:
        """Run one poll. Raises `CommandFailed` where the command ended badly, or says so."""
        if feed is not self._feed:  # a new life, of this world or of another
            self.end_life()
            self._feed = feed
        self._is_in_poll = True
        # Under the lock, so that no request of the program is answered before its poll listens.
        with feed.lock:
            poll = _Poll(self._started(feed), feed, self.protocol)
        try:
            ending = poll.run(is_one_of_many=self.persistent)
        except BaseException:
            # One that can be reset is cut off where its life ends: there nobody hurries it.
            if not (self._resets and isinstance(feed.stopped, ClientKilled)):
                self._end_process()
                feed.leave_address()
            raise
        self._is_in_poll = False
        if not self.persistent:
            self._end_process()
        elif ending.resets and self._may_reset:
            self._resets = True
            self._keep_one_ready()
        if ending.kind == "failed":
            raise CommandFailed(str(ending.value))

    def end_life(self) -> None:
        """End its process, unless that can be reset and has nothing left to say."""
        feed, self._feed = self._feed, None
        if self._process is None:
            return
        if self._is_in_poll and feed is not None:
            self._is_in_poll = not self._lets_go(feed)
            if self._is_in_poll:
                self._end_process()
            feed.leave_address()
        can_go_on = self._resets and not self._is_in_poll
        self._must_reset = can_go_on and self._process is not None and self._process.is_idle
        if not self._must_reset:
            self._end_process()

    def close(self) -> None:
        """End all that is still running of it."""
        self._end_process()
        self._resets = self._was_reset = False
        if self._spare is not None:
            self._spare.kill()
            self._spare = None
        if self._files is not None:
            self._files.cleanup()
            self._files = None

    @contextmanager
    def in_new_processes(self) -> Iterator[None]:
        """Let each life of it be a new process while the block runs, and each crash a SIGKILL."""
        self.close()
        self._may_reset = False
        try:
            yield
        finally:
            self.close()
            self._may_reset = True

    def _lets_go(self, feed: Feed) -> bool:
        """Let it give up its poll after a crash; say whether it waits for its next life by now.

        Its feed is dead: it gets no answer any more, and nothing that it writes counts.
        """
        self._crashes += 1
        if not self._resets or self._crashes % KILLED_EVERY == 1 or _holds_files(feed):
            return False
        process, until = self._process, monotonic() + LET_GO_S
        while process is not None and process.is_running and monotonic() < until:
            # Under the lock: a thread that answers may still be reading.
            with suppress(UsageError, OverLimit), feed.lock:
                for line in process.read_lines():
                    action = read_line(self.protocol, line, 0)
                    if action.kind in ("done", "failed"):
                        return action.resets
            process.wait_for_output(until - monotonic())
        return False

    def _end_process(self) -> None:
        self._must_reset = False
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _started(self, feed: Feed) -> Process:
        """Return the process that plays this poll, once it has been told of it."""
        values = _values(feed)
        if self._process is None:
            self._process = self._spare or self._start(_as_env(values), self._words(values))
            self._spare = None
            if self._resets:
                self._keep_one_ready()
        else:  # what a new one has said by now is of this poll
            self._process.start_poll()
        if self.persistent:
            if self._must_reset:
                values["reset"] = True
                self._must_reset, self._was_reset = False, True
            self._process.send(msgspec.json.encode({"poll": values}))
        return self._process

    def _words(self, values: dict[str, Any]) -> Sequence[str]:
        """Return the command with the values that it asks for."""
        asked = {name for word in self.argv for name in TOLD_IN_WORDS.findall(word)}
        if asked & {"config_file", "checkpoint_file"}:
            if self._files is None:
                self._files = TemporaryDirectory(prefix="fakeserver-")
            values = {**values, **_write_files(Path(self._files.name), values, self.protocol)}
        return _filled_in(self.argv, values) if asked else self.argv

    def _keep_one_ready(self) -> None:
        """Start what follows the process when that is killed: to start takes as long as a world."""
        if self._spare is None and not any(map(TOLD_IN_WORDS.search, self.argv)):
            self._spare = self._start({}, self.argv)

    def _start(self, told: Mapping[str, str], argv: Sequence[str]) -> Process:
        env = {**os.environ, **variables_without_proxy(), **self.env, **told}
        return Process(argv, env, takes_polls=self.persistent)


class _Poll:
    """Reads one poll of a process, and does for it what its lines say.

    A request is answered only when all is done that was written before it: the thread that answers
    reads the lines as well (`Feed.catch_up`), so that a run does not depend on who is faster.
    """

    def __init__(self, process: Process, feed: Feed, protocol: Protocol) -> None:
        self._process = process
        self._feed = feed
        self._protocol = protocol
        self._lines = 0
        self._ending: Action | None = None
        self._failure: Exception | None = None
        feed.catch_up = self._catch_up

    def run(self, *, is_one_of_many: bool) -> Action:
        """Read until the poll ends, and return with what it ended.

        Raises `CommandFailed` where the process ended badly.
        """
        look_again = monotonic() + TICK_S
        try:
            while not self._is_over():
                self._process.wait_for_output(TICK_S)
                has_ended = False
                if monotonic() >= look_again:  # seldom: it costs as much as reading a line
                    has_ended = not self._process.is_running
                    self._process.check_memory()
                    look_again = monotonic() + TICK_S
                self._catch_up()
                self._feed.check_alive()
                self._raise_failure()
                if has_ended:
                    break
        finally:
            self._feed.catch_up = None
        self._raise_failure()  # the thread that answers may have read the last lines
        if self._ending is None or not is_one_of_many:
            self._check_status(is_one_of_many=is_one_of_many)
        return self._ending or NOTHING

    def _is_over(self) -> bool:
        return self._ending is not None or self._process.has_closed_stdout

    def _catch_up(self) -> None:
        """Do what has been written so far. Raises `RunStopped` where that ends the client.

        Any other error is left to the thread that runs the poll: this may be one that answers.
        """
        with self._feed.lock:
            try:
                for line in self._process.read_lines():
                    self._lines += 1
                    self._do(line)
            except RunStopped:
                raise
            except Exception as error:
                self._failure = self._failure or error

    def _do(self, line: bytes) -> None:
        action = read_line(self._protocol, line, self._lines)
        if action.kind == "deliver":
            self._feed.deliver(action.value)
        elif action.kind == "save":
            self._feed.save(action.value)
        elif action.kind in ("done", "failed"):
            self._ending = self._ending or action

    def _raise_failure(self) -> None:
        if isinstance(self._failure, OverLimit):
            raise CommandFailed(str(self._failure)) from self._failure
        if self._failure is not None:
            raise self._failure

    def _check_status(self, *, is_one_of_many: bool) -> None:
        status = self._process.status()
        if status == 0 and not is_one_of_many:
            return
        said = f"; stderr: {self._process.stderr}" if self._process.stderr else ""
        if status == 0:
            raise CommandFailed(f"it ended before it had written {ENDINGS}{said}")
        how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
        raise CommandFailed(f"{how}{said}")


def _values(feed: Feed) -> dict[str, Any]:
    """What a client must know of a poll, by the names of `Feed`."""
    return {
        "base_url": feed.base_url,
        "token": feed.token,
        "page_size": feed.page_size,
        "checkpoint": feed.checkpoint,
        "now": to_text(from_datetime(feed.now())),
        "dialect": feed.dialect,
        "zone": feed.zone,
        "state_dir": feed.state_dir,
    }


def _holds_files(feed: Feed) -> bool:
    """Whether the program has written to its folder: after a crash it could go on doing so."""
    return feed.state_dir is not None and any(Path(feed.state_dir).iterdir())


def _text(name: str, value: Any) -> str:
    """Write a value as text; a checkpoint is JSON."""
    return msgspec.json.encode(value).decode() if name == "checkpoint" else str(value)


def _write_files(folder: Path, values: Mapping[str, Any], protocol: Protocol) -> dict[str, str]:
    """Write the values and the checkpoint as JSON, and return what the files are called."""
    saved = values["checkpoint"]
    held = [saved] if protocol == "airbyte" else saved  # there it is a list, of a state a stream
    checkpoint = NO_CHECKPOINT[protocol] if saved is None else msgspec.json.encode(held)
    texts = {"config_file": msgspec.json.encode(values), "checkpoint_file": checkpoint}
    files = {name: folder / f"{name.removesuffix('_file')}.json" for name in texts}
    for name, file in files.items():
        file.write_bytes(texts[name])
    return {name: str(file) for name, file in files.items()}


def _filled_in(argv: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Return the words of a command with the values that they ask for; what is None is empty."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        is_empty = values[name] is None and name != "checkpoint"
        return "" if is_empty else _text(name, values[name])

    return [TOLD_IN_WORDS.sub(value, word) for word in argv]


def _as_env(values: Mapping[str, Any]) -> dict[str, str]:
    """Write the same as environment variables; a checkpoint is JSON, what is None is left out."""
    return {
        f"FAKESERVER_{name.upper()}": _text(name, value)
        for name, value in values.items()
        if value is not None or name == "checkpoint"
    }
