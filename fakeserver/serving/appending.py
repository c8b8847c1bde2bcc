"""Events of one's own: what was not said is filled in as the generator would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from random import Random
from typing import Any

import msgspec

from fakeserver.clock import Instant, at
from fakeserver.dialects.base import Dialect, Settings
from fakeserver.dialects.wire import WHOLE_NUMBER_MAX
from fakeserver.errors import ScenarioError, UsageError
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.stream import ID_FIRST
from fakeserver.world import World

LATE_BY_S_MAX = 7 * 86_400
"""A week, as everywhere: the longest lateness in our list of real APIs is two days."""


ID_CHARS_MAX = 100
"""Longer than any usual kind of id; it has to fit into a URL."""
STORIES = 600
"""So many are told to find one with the fields that are wanted; nearly all verbs are in them."""

Story = tuple[EventId, dict[str, Any]]


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody says of an event to be appended; None is not said.

    `fields` stand in the words of a scenario and change the generated story.
    """

    id: EventId | None = None
    recorded_at: str | None = None
    visible_at: str | None = None
    late_by_s: float | None = None
    fields: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if isinstance(self.id, int) and not 1 <= self.id <= WHOLE_NUMBER_MAX:
            raise UsageError(f"id: expected 1 to {WHOLE_NUMBER_MAX}, got {self.id}")
        if isinstance(self.id, str) and not 1 <= len(self.id) <= ID_CHARS_MAX:
            raise UsageError(f"id: expected 1 to {ID_CHARS_MAX} characters, got {len(self.id)}")
        if self.late_by_s is not None and self.visible_at is not None:
            raise UsageError("expected visible_at or late_by_s, got both; leave one out")
        if self.late_by_s is not None and not 0 <= self.late_by_s <= LATE_BY_S_MAX:
            raise UsageError(
                f"late_by_s: expected 0 to {LATE_BY_S_MAX} (a week), got {self.late_by_s:g}"
            )


def make_events(world: World, asked: Iterable[NewEvent], *, seed: int) -> tuple[LoggedEvent, ...]:
    """Return the events that are asked for, in their order, with everything that was left out.

    The same questions to the same world get the same events. Raises `UsageError` for a time that
    can't be read, a field that the API does not have, and one of another type.
    """
    now = world.now
    new = tuple(asked)
    stamp_ms = world.dialect.stamp_ms
    stamps = [
        moment - moment % stamp_ms
        for event in new
        for moment in [now if event.recorded_at is None else at(event.recorded_at)]
    ]
    world.catch_up()
    random = Random(f"fakeserver own {world.dialect.name} {seed} {len(world.log)}")  # noqa: S311
    library = lru_cache(maxsize=None)(
        lambda stamp: world.dialect.tell(random, world.settings, [stamp] * STORIES)
    )
    told = [
        _fitting(library(stamp), event.fields) if event.fields else story
        for event, stamp, story in zip(new, stamps, _told(world, random, stamps), strict=True)
    ]
    ids = _Ids(world, [event.id for event in new])
    return tuple(
        LoggedEvent(
            id=ids.next(suggested) if event.id is None else ids.given(event.id),
            recorded_at=stamp,
            visible_at=_visible_at(event, stamp),
            fields=_fields(event.fields, fields),
        )
        for event, stamp, (suggested, fields) in zip(new, stamps, told, strict=True)
    )


def check_shown(dialect: Dialect, settings: Settings, events: Iterable[LoggedEvent]) -> None:
    """Raise `ScenarioError` for an event that can't be shown: who asks for it gets no answer."""
    for event in events:
        dialect.check_event(event)
        try:
            dialect.render_event(event, settings)
        except Exception as error:
            raise ScenarioError(
                f"event {event.id!r} can't be shown as {dialect.name} does: "
                f"{type(error).__name__}: {error}; compare its fields with those of another event"
            ) from error


def _told(world: World, random: Random, stamps: Sequence[Instant]) -> list[Story]:
    """Tell stories in the order of time, and return them in the order of `stamps`."""
    order = sorted(range(len(stamps)), key=stamps.__getitem__)
    told = world.dialect.tell(random, world.settings, [stamps[place] for place in order])
    by_place = dict(zip(order, told, strict=True))
    return [by_place[place] for place in range(len(stamps))]


def _fitting(stories: Iterable[Story], fields: dict[str, Any]) -> Story:
    """Return the story in which `fields` make most sense: of an order, say, not of a product."""
    return max(stories, key=lambda story: sum(story[1].get(n) == v for n, v in fields.items()))


def _visible_at(event: NewEvent, stamp: Instant) -> Instant:
    """Return what is asked for; a world that has shown its log already may move it to now."""
    if event.visible_at is not None:
        return at(event.visible_at)
    return stamp + round((event.late_by_s or 0) * 1000)


def _fields(given: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Put what was given in the place of what was told; the types must agree."""
    for name, value in given.items():
        if name not in told:
            raise UsageError(f"fields: expected some of {', '.join(sorted(told))}, got {name!r}")
        like = told[name]
        if None not in (value, like) and type(value) is not type(like):
            raise UsageError(
                f"fields.{name}: expected {_kind(like)} such as {like!r}, got {value!r:.80}"
            )
    return told | given


def _kind(value: Any) -> str:
    kinds = {int: "a whole number", str: "text", list: "a list", dict: "an object", bool: "a bool"}
    return kinds.get(type(value), type(value).__name__)


class _Ids:
    """Hands out ids that nobody has: whole numbers upwards, others as they were told."""

    def __init__(self, world: World, given: Iterable[EventId | None]) -> None:
        self._log = world.log
        self._taken = set(given)
        self._is_streams = world.stream.may_take if world.stream else lambda _: False
        highest = world.log.highest_id
        self._last = highest if isinstance(highest, int) else ID_FIRST

    def given(self, event_id: EventId) -> EventId:
        """Return an id that somebody chose; the next ones are above it."""
        if isinstance(event_id, int):
            self._last = max(self._last, event_id)
        return event_id

    def next(self, suggested: EventId) -> EventId:
        """Return the next id. Raises `UsageError` where there is none above the highest."""
        if isinstance(suggested, str):
            while suggested in self._taken or self._log.has(suggested):
                suggested = _following(suggested)
            self._taken.add(suggested)
            return suggested
        self._last += 1
        # Whoever took an id of the stream would hide its event.
        while self._last in self._taken or self._is_streams(self._last):
            self._last += 1
        if self._last > WHOLE_NUMBER_MAX:
            raise UsageError(f"no id is left above {WHOLE_NUMBER_MAX}; give one of your own")
        return self._last


def _following(text: str) -> str:
    """Return the text with its last digit or letter moved on by one."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    head, last = text[:-1], text[-1:].lower()
    if last not in digits:
        return text + "0"
    place = digits.index(last) + 1
    return head + digits[place] if place < len(digits) else _following(head) + "0"
