"""What will happen: one frozen value, JSON in and out, that contradicts itself nowhere.

A scenario names every event with the instants at which it is recorded and becomes visible, every
poll with its start, the crashes, and one value for each switch of the dialect. Together with a
client it decides a run completely: there is no other source of time or chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec

from fakeserver.clock import INSTANT_MAX, INSTANT_MIN, Instant, to_text
from fakeserver.errors import ScenarioError
from fakeserver.fault import FAULTS_MAX, Fault
from fakeserver.misfits import misfit
from fakeserver.profile import SwitchValue

EventId = int | str

EVENTS_MAX = 100_000
"""A world is run whole for every example; a longer log would show nothing more."""
POLLS_MAX = 10_000
"""A day of polls ten seconds apart fits."""
CALM_POLLS_MIN = 3
"""One poll to see the last event, one to see that nothing is new, one to spare (design: calm)."""
PATIENCE_MS = 3_600_000
"""A drawn world has its last poll an hour after the one before, and keeps it when it is shrunk: who
holds events back for up to an hour is slow, not wrong."""
INSTANCES_MAX = 2
"""What goes wrong with three that take turns over one checkpoint goes wrong with two."""
DETAIL_LINES_MAX = 5
"""A contradiction is shown with its first few culprits; the rest is counted."""

CrashPoint = Literal[
    "before-request",
    "after-request",
    "before-deliver",
    "after-deliver",
    "before-save",
    "after-save",
    "before-commit",
    "after-commit",
]


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the log.

    `recorded_at` is the stamp that the log shows (``createdAt``, ``created_at``), or None where
    the API may leave it out; `visible_at` is when a request can first return it. Both in ms since
    the epoch. `fields` are the words of the dialect.
    """

    id: EventId
    recorded_at: Instant | None
    visible_at: Instant
    fields: dict[str, Any] = {}

    @property
    def late_by_ms(self) -> int:
        """How long the event was hidden after its stamp, in ms; 0 without a stamp."""
        return 0 if self.recorded_at is None else max(0, self.visible_at - self.recorded_at)


class Crash(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Kill the client at the `nth` (from 1) step of a kind in a poll, before or after it.

    After a request means that the server has answered and the client has not heard it. A commit is
    a save as well, and counts as both: ``before-save`` stops whoever makes a checkpoint durable,
    ``before-commit`` only who does it together with a delivery.
    """

    point: CrashPoint
    nth: int = 1


class Poll(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One run of the client. It starts at `starts_at`, or as soon as the previous one has ended.

    `restart` builds the client anew before it (after a crash that happens anyway). `faults` are
    armed when it starts, and over when the next poll is due, whether that has begun or not.
    `instance` (from 1) is the one that polls, where several take turns over one checkpoint.
    """

    starts_at: Instant
    instance: int = 1
    restart: bool = False
    crash: Crash | None = None
    faults: tuple[Fault, ...] = ()


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that will happen in one world.

    `format` is raised when older files can no longer be read. `events` stand in the order in which
    they were appended to the log. `polls[:calm_from]` are the storm, the rest the calm. Each
    answered request costs `request_ms`. `page_size` is what the client is told to ask for.
    `late_by_ms_max` is the lateness that the server promises to keep. `origin` says where the
    scenario comes from, for people.

    A scenario without polls is *open*: a client that nobody here calls asks whenever it likes, as
    with a server that is left running.
    """

    format: Literal[1] = 1
    dialect: str
    profile: str = "default"
    settings: dict[str, SwitchValue] = {}
    origin: str = ""
    starts_at: Instant
    request_ms: int
    page_size: int
    late_by_ms_max: int
    events: tuple[LoggedEvent, ...]
    polls: tuple[Poll, ...]
    calm_from: int

    def __post_init__(self) -> None:
        problems = list(_contradictions(self))
        if problems:
            shown = "".join(f"\n  - {problem}" for problem in problems[:DETAIL_LINES_MAX])
            more = len(problems) - DETAIL_LINES_MAX
            rest = f"\n  - and {more} more" if more > 0 else ""
            raise ScenarioError(f"the scenario contradicts itself:{shown}{rest}")

    @property
    def is_open(self) -> bool:
        """Whether it has no polls of its own: somebody else plays it."""
        return not self.polls

    @property
    def calm_at(self) -> Instant:
        """When the first calm poll starts; an open scenario has none."""
        return self.polls[self.calm_from].starts_at

    @property
    def ends_at(self) -> Instant:
        """When the last poll starts; an open scenario has none."""
        return self.polls[-1].starts_at

    def event(self, event_id: EventId) -> LoggedEvent:
        """Return the event with that id. Raises `KeyError`."""
        for event in self.events:
            if event.id == event_id:
                return event
        raise KeyError(event_id)

    def to_json(self) -> bytes:
        """Write the scenario as indented JSON, the same bytes on every machine."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=2) + (
            b"\n"
        )

    @staticmethod
    def from_json(text: bytes | str, *, where: str = "scenario") -> Scenario:
        """Read a scenario. Raises `ScenarioError` that names the field and what was expected."""
        try:
            return _decoder.decode(text)
        except ScenarioError:
            raise
        except msgspec.ValidationError as error:
            raise ScenarioError(f"{where}: {_misfit(error, text)}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ScenarioError(f"{where}: not JSON: {error}") from error

    @staticmethod
    def load(path: str | Path) -> Scenario:
        """Read a scenario file. Raises `ScenarioError`."""
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise ScenarioError(f"can't read the scenario {path}: {error.strerror}") from error
        return Scenario.from_json(text, where=str(path))


_decoder = msgspec.json.Decoder(Scenario)


def _misfit(error: msgspec.ValidationError, text: bytes | str) -> str:
    """Say what is wrong with a scenario, or that it is another thing or one of tomorrow."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return f"not JSON: {broken}"
    if isinstance(found, dict) and found.keys().isdisjoint(("dialect", "events")):
        return (
            "this is no scenario: expected an object with dialect, events and polls, as "
            f"'fakeserver scenario' prints it, got one with {', '.join(found) or 'nothing'}"
        )
    newer = "; a newer fakeserver made it" if str(error).endswith("`$.format`") else ""
    return misfit(error, Scenario) + newer


def _contradictions(scenario: Scenario) -> Iterator[str]:
    yield from _bad_numbers(scenario)
    yield from _bad_events(scenario)
    yield from _bad_polls(scenario)
    yield from _unordered_polls(scenario)


def _bad_numbers(scenario: Scenario) -> Iterator[str]:
    if scenario.page_size < 1:
        yield f"page_size must be 1 or more, got {scenario.page_size}"
    if not 0 <= scenario.request_ms <= 3_600_000:
        yield f"request_ms must be 0 to 3600000 (an hour), got {scenario.request_ms}"
    if scenario.late_by_ms_max < 0:
        yield f"late_by_ms_max must be 0 or more, got {scenario.late_by_ms_max}"
    if not INSTANT_MIN <= scenario.starts_at <= INSTANT_MAX:
        yield f"starts_at must lie in the years 1 to 9999, got {scenario.starts_at} ms"


def _bad_events(scenario: Scenario) -> Iterator[str]:
    if len(scenario.events) > EVENTS_MAX:
        yield f"expected at most {EVENTS_MAX} events, got {len(scenario.events)}"
    for event_id, count in Counter(event.id for event in scenario.events).items():
        if count > 1:
            yield f"ids are unique, but {event_id!r} stands {count} times in events"
    if len({type(event.id) for event in scenario.events}) > 1:
        yield "ids are all integers or all strings, but events mixes the two"
    for event in scenario.events:
        instants = (event.visible_at, event.recorded_at if event.recorded_at is not None else 0)
        if not all(INSTANT_MIN <= instant <= INSTANT_MAX for instant in instants):
            yield f"event {event.id!r} has an instant outside the years 1 to 9999"


def _bad_polls(scenario: Scenario) -> Iterator[str]:
    polls = scenario.polls
    if len(polls) > POLLS_MAX:
        yield f"expected at most {POLLS_MAX} polls, got {len(polls)}"
    if scenario.is_open:
        if scenario.calm_from:
            yield f"without polls there is no calm: calm_from must be 0, got {scenario.calm_from}"
        return
    if not 0 <= scenario.calm_from <= len(polls) - CALM_POLLS_MIN:
        yield (
            f"the calm needs {CALM_POLLS_MIN} polls or more: calm_from is {scenario.calm_from}, "
            f"and there are {len(polls)} polls"
        )
        return
    if polls[0].starts_at < scenario.starts_at:
        yield "the first poll starts before the scenario does"
    for number, poll in enumerate(polls, start=1):
        if not INSTANT_MIN <= poll.starts_at <= INSTANT_MAX:
            yield f"poll {number} starts outside the years 1 to 9999, at {poll.starts_at} ms"
        yield from _bad_poll(number, poll, in_calm=number > scenario.calm_from)
    yield from _bad_calm(scenario)


def _bad_poll(number: int, poll: Poll, *, in_calm: bool) -> Iterator[str]:
    if in_calm and (poll.crash is not None or poll.restart):
        yield f"poll {number} belongs to the calm, so it can't crash or restart"
    if in_calm and poll.faults:
        yield f"poll {number} belongs to the calm, so it can't have faults"
    if len(poll.faults) > FAULTS_MAX:
        yield f"expected at most {FAULTS_MAX} faults a poll, got {len(poll.faults)} in {number}"
    if not 1 <= poll.instance <= INSTANCES_MAX:
        yield f"the instance of poll {number} is 1 to {INSTANCES_MAX}, got {poll.instance}"
    if poll.crash is not None and poll.crash.nth < 1:
        yield f"the crash of poll {number} counts from 1, got nth={poll.crash.nth}"


def _unordered_polls(scenario: Scenario) -> Iterator[str]:
    for before, after in pairwise(scenario.polls):
        if after.starts_at <= before.starts_at:
            yield (
                f"polls start one after the other, but {_shown(after.starts_at)} "
                f"follows {_shown(before.starts_at)}"
            )


def _bad_calm(scenario: Scenario) -> Iterator[str]:
    last_visible = max((event.visible_at for event in scenario.events), default=None)
    if last_visible is not None and last_visible > scenario.calm_at:
        yield (
            f"the calm starts at {_shown(scenario.calm_at)}, but an event becomes visible "
            f"only at {_shown(last_visible)}"
        )
    if scenario.ends_at - scenario.calm_at < scenario.late_by_ms_max:
        yield (
            f"the calm lasts {scenario.ends_at - scenario.calm_at} ms, less than the promised "
            f"lateness of {scenario.late_by_ms_max} ms"
        )


def _shown(instant: Instant) -> str:
    """Write an instant for a message, even one that no calendar has."""
    return to_text(instant) if INSTANT_MIN <= instant <= INSTANT_MAX else f"{instant} ms"
