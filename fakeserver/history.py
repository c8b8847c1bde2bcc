"""What happened: a tuple of steps, JSON lines in a file. With its scenario it can be judged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from fakeserver.clock import Instant
from fakeserver.errors import ScenarioError
from fakeserver.fault import Kind
from fakeserver.misfits import misfit
from fakeserver.scenario import CrashPoint, EventId


class Step(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="step",
):
    """One thing that happened at `at` (ms since the epoch, simulated)."""

    at: Instant


class PollStarted(Step, frozen=True, kw_only=True, tag="poll-started"):
    """The client was called for the `poll`-th time (from 1), as that `instance` of it."""

    poll: int
    instance: int = 1


class Exchange(Step, frozen=True, kw_only=True, tag="exchange"):
    """One request and its answer.

    `at` is when the request arrived, which is the instant whose log it saw. `target` is path and
    query as sent. `status` is 0 where no answer arrived. `event_ids` are the rows of the answer in
    their order, those that the client could get whole. `problem` names what was wrong with the
    request (``code: sentence``), or is None for one that the profile accepts.

    `fault` is the kind of fault that hit it (`fakeserver.fault`). `as_of` is the instant whose log
    it saw where that was not `at`, `took_ms` what the answer took on top of what a request costs,
    and `retry_after_s` what its ``Retry-After`` said.
    """

    method: str
    target: str
    status: int
    event_ids: tuple[EventId, ...] = ()
    problem: str | None = None
    fault: Kind | None = None
    as_of: Instant | None = None
    took_ms: int = 0
    retry_after_s: float | None = None

    @property
    def is_sound(self) -> bool:
        """Whether a whole answer arrived that tells what the log held at `at`."""
        whole = self.method != "HEAD" and self.fault != "truncated-body"
        return whole and self.status == 200 and self.as_of is None


class Delivered(Step, frozen=True, kw_only=True, tag="delivered"):
    """The client handed over one event.

    `event` is None when every shared field was equal to what the log holds, and otherwise the
    event as delivered.
    """

    event_id: EventId
    event: dict[str, Any] | None = None


class Saved(Step, frozen=True, kw_only=True, tag="saved"):
    """The client made `checkpoint`, a JSON value, durable.

    `keys_made_text` names the types of the keys that were no text before they went through JSON.
    """

    checkpoint: Any
    keys_made_text: tuple[str, ...] = ()


class Slept(Step, frozen=True, kw_only=True, tag="slept"):
    """The client waited `ms` milliseconds of simulated time."""

    ms: int


PollEnding = Literal["returned", "raised", "killed", "stopped", "slept"]


class PollEnded(Step, frozen=True, kw_only=True, tag="poll-ended"):
    """The poll is over.

    `ending` is ``stopped`` when it had spent its budget of requests, and ``slept`` when an endless
    client slept into the next poll; the others speak for themselves. `error` is the exception's
    type and text for ``raised``, the reason for ``stopped``.
    """

    poll: int
    ending: PollEnding
    error: str | None = None


OVERRAN = "of real time"
"""In the `error` of a poll that was stopped for taking too long, not for asking too much."""


class Killed(Step, frozen=True, kw_only=True, tag="killed"):
    """The scenario killed the client at this `point`."""

    point: CrashPoint


class Restarted(Step, frozen=True, kw_only=True, tag="restarted"):
    """The client was built anew; of what it knew only the checkpoint is left."""


AnyStep = PollStarted | Exchange | Delivered | Saved | Slept | PollEnded | Killed | Restarted
History = tuple[AnyStep, ...]

_decoder = msgspec.json.Decoder(AnyStep)


def to_lines(history: Iterable[AnyStep]) -> bytes:
    """Write one JSON object a line, the same bytes on every machine."""
    return b"".join(msgspec.json.encode(step, order="deterministic") + b"\n" for step in history)


def from_lines(text: bytes, *, where: str = "history", first: int = 1) -> History:
    """Read JSON lines, of which the first has the number `first`.

    Raises `ScenarioError` naming the line and the field.
    """
    steps: list[AnyStep] = []
    for number, line in enumerate(text.splitlines(), start=first):
        if not line.strip():
            continue
        try:
            steps.append(_decoder.decode(line))
        except msgspec.ValidationError as error:
            raise ScenarioError(f"{where}, line {number}: {misfit(error, AnyStep)}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ScenarioError(f"{where}, line {number}: not JSON: {error}") from error
    return tuple(steps)


def load_history(path: str | Path) -> History:
    """Read a history file. Raises `ScenarioError`."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ScenarioError(f"can't read the history {path}: {error.strerror}") from error
    return from_lines(text, where=str(path))
