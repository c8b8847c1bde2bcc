"""Worlds with one hardship each, parameterised by a number, in which everything else is calm.

Nothing crashes, fails or is drawn to trip anybody: what breaks a client here is the number. The
`number` of a world picks one of the few ways in which the same hardship can come (where in the
minute a poll starts, how far apart polls are, how much waits for the first one), so that the
hardest of them is among the worlds of every value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

import msgspec

from fakeserver.clock import MINUTE_MS, SECOND_MS, Instant, at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Dialect, Settings
from fakeserver.drawing.plan import GAPS_MS
from fakeserver.profile import Profile, SwitchValue
from fakeserver.scenario import PATIENCE_MS, LoggedEvent, Poll, Scenario

NOON = at("2026-06-15T12:00:00Z")
"""A day in June: no clock of a shop changes within weeks of it."""
REQUEST_MS = 1_500
"""A slow answer, so that appends with stamps of a second fall between two of them. It also keeps a
client below any limit on requests that an API here has."""
PHASES_MS = (0, MINUTE_MS - 1, 1)
"""Where in the minute a poll starts: filters may be cut to the minute, and stamps to the second."""
WALK_PAGES = 2
WALK_PAGE_MAX = 50
"""A client with larger pages reads the world of the lateness in one, which is as good a world."""
APPEND_REQUESTS = 20
"""So many requests long something is appended between any two: longer than most walks are."""

Hidden = tuple[Instant, Instant]
"""Stamp and first visible instant of one event."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What all worlds of one measurement share.

    `page_size` is what the client is told (rows), no more than a world's cap unless `is_pinned`;
    `asked` is the most rows that it asks for when told so. `late_by_ms_max` is the lateness of the
    promise, or None. Without `has_ties` no two events share a stamp unless ties are what is tried.
    """

    profile: Profile
    seed: int = 0
    page_size: int
    asked: int
    is_pinned: bool = False
    late_by_ms_max: int | None = None
    has_ties: bool = True

    @property
    def dialect(self) -> Dialect:
        """The dialect of the profile."""
        return find_dialect(self.profile.dialect)


class _Draw:
    """What is decided about one world before its events: chance, settings, page size, times."""

    def __init__(self, setup: Setup, axis: str, number: int, **pins: SwitchValue) -> None:
        profile = setup.profile
        self.random = Random(  # noqa: S311 - seeded from the arguments, no secret
            f"fakeserver margins {profile.dialect} {profile.name} {axis} {setup.seed} {number}"
        )
        # The first world has the usual answer to each question, the others any allowed one.
        self.settings: Settings = {
            name: values[0] if number == 0 else self.random.choice(values)
            for name, values in profile.allowed.items()
        } | pins
        self.setup = setup
        self.dialect = setup.dialect
        self.stamp_ms = self.dialect.stamp_ms
        self.gap_ms = GAPS_MS[number % len(GAPS_MS)]
        phase = PHASES_MS[number] if number < len(PHASES_MS) else self.random.randrange(MINUTE_MS)
        self.start: Instant = NOON + self.random.randrange(60) * MINUTE_MS + phase

    @property
    def late_by_ms_max(self) -> int:
        """The lateness that a client of these worlds must stand in any case, ms."""
        promised = self.setup.late_by_ms_max
        return self.dialect.late_by_ms_max(self.settings) if promised is None else promised

    @property
    def page_size(self) -> int:
        cap = self.dialect.limit_max(self.settings)
        pinned = cap is None or self.setup.is_pinned or self.settings.get("limit_max") is None
        return self.setup.page_size if pinned else min(self.setup.page_size, int(cap or 1))

    def aligned(self, instant: Instant) -> Instant:
        """Return the first stamp from `instant` on."""
        return instant + -instant % self.stamp_ms

    def before(self, instant: Instant, count: int) -> list[Hidden]:
        """Return `count` events, a second apart, the last a second and more before `instant`."""
        last = instant - instant % SECOND_MS
        return [_prompt(last - number * SECOND_MS) for number in range(count, 0, -1)]

    def scenario(
        self,
        events: Iterable[Hidden],
        *,
        storm: Sequence[Instant],
        calm_at: Instant,
        late_by_ms: int = 0,
        page_size: int | None = None,
    ) -> Scenario:
        """Return the world: its calm has three polls, the last an hour or the lateness later."""
        rows = sorted(events, key=lambda row: row[0])
        told = self.dialect.tell(self.random, self.settings, [stamp for stamp, _ in rows])
        late = max(self.late_by_ms_max, late_by_ms)
        calm = (calm_at, calm_at + self.gap_ms, calm_at + self.gap_ms + max(PATIENCE_MS, late))
        return Scenario(
            dialect=self.dialect.name,
            profile=self.setup.profile.name,
            settings={
                switch.name: self.settings[switch.name]
                for switch in self.dialect.switches
                if self.settings[switch.name] != switch.default
            },
            starts_at=storm[0],
            request_ms=REQUEST_MS,
            page_size=page_size or self.page_size,
            late_by_ms_max=late,
            events=tuple(
                LoggedEvent(id=event_id, recorded_at=stamp, visible_at=visible_at, fields=fields)
                for (stamp, visible_at), (event_id, fields) in zip(rows, told, strict=True)
            ),
            polls=tuple(Poll(starts_at=start) for start in (*storm, *calm)),
            calm_from=len(storm),
        )


def late(setup: Setup, late_by_ms: int, number: int) -> Scenario:
    """Hide one event for `late_by_ms`, until just after a poll that missed it.

    That is where the bound of theorem T2 is tight: the event is as old as can be when the poll that
    may still read it starts. Beside it stand events of the next stamp, or of the same one, and of
    the poll's start: the poll sees them, and whoever goes on from there passes the hidden one.
    """
    draw = _Draw(setup, "late", number)
    poll = draw.start
    # The oldest stamp with which it is hidden when the poll starts; a tick later it is visible.
    stamp = draw.aligned(poll + 1 - late_by_ms)
    beside = stamp if setup.has_ties and number == 0 else stamp + draw.stamp_ms
    newest = poll - poll % draw.stamp_ms
    seen = {beside, newest} if late_by_ms else {newest}
    if number % 2 and setup.asked <= WALK_PAGE_MAX:
        seen |= _spread(draw, stamp + draw.stamp_ms, newest, WALK_PAGES * setup.asked)
    events = [*draw.before(stamp - SECOND_MS, 1), (stamp, stamp + late_by_ms)]
    events += (_prompt(moment) for moment in sorted(seen) if stamp <= moment <= newest)
    storm = [poll - draw.gap_ms, poll] if number % 2 else [poll]
    return draw.scenario(events, storm=storm, calm_at=poll + draw.gap_ms, late_by_ms=late_by_ms)


def tied(setup: Setup, count: int, number: int) -> Scenario:
    """Record `count` events at one instant, a few before and one or more after (theorem T1)."""
    draw = _Draw(setup, "tied", number)
    first, second = draw.start, draw.start + draw.gap_ms
    # All of it waiting for the first poll, or appearing between two.
    moment = draw.aligned((first if number % 2 else first - draw.gap_ms) + SECOND_MS)
    waiting = (0, 1, max(1, draw.page_size - 1), draw.random.randint(1, draw.page_size))
    after = (1, draw.page_size, 2, draw.random.randint(1, draw.page_size))
    events = [
        *draw.before(moment, waiting[number % len(waiting)]),
        *[_prompt(moment)] * count,
        *(_prompt(moment + draw.stamp_ms * (1 + place)) for place in range(after[number % 4])),
    ]
    storm = (first, second)
    latest = max(visible for _, visible in events)
    calm_at = max(second + draw.gap_ms, latest, second + _walk_ms(len(events)))
    return draw.scenario(events, storm=storm, calm_at=calm_at)


def appended(setup: Setup, rate: int, number: int) -> Scenario:
    """Let `rate` events appear between any two requests of a walk over a backlog of pages."""
    draw = _Draw(setup, "appended", number)
    poll = draw.aligned(draw.start)
    pages = 1 + number % 3
    events = draw.before(poll, pages * min(setup.asked, draw.page_size) + 1)
    for request in range(APPEND_REQUESTS):
        for place in range(rate):
            moment = poll + request * REQUEST_MS + REQUEST_MS * (place + 1) // (rate + 1)
            # On the stamp before the next answer, so that it is not late by a fraction of a stamp.
            moment = draw.aligned(moment - draw.stamp_ms + 1)
            events.append(_prompt(max(moment, poll)))
    calm_at = poll + max(draw.gap_ms, _walk_ms(len(events)))
    return draw.scenario(events, storm=[poll], calm_at=calm_at)


def capped(setup: Setup, cap: int, number: int) -> Scenario:
    """Return at most `cap` rows a page, in silence, to a client that asks for `setup.asked`.

    There is more to read than all polls together can bring to one that takes a cut page for the
    last: a page a poll.
    """
    draw = _Draw(setup, "capped", number, limit_max=cap, limit_over_max="clamp")
    poll = draw.start
    polls = 1 + 3
    count = polls * setup.asked + 1
    if number == 1:
        count += -count % cap  # full pages to the end
    elif number > 1:
        count += draw.random.randrange(cap)
    return draw.scenario(
        draw.before(poll, count),
        storm=[poll],
        calm_at=poll + max(draw.gap_ms, _walk_ms(count)),
        page_size=setup.page_size,
    )


def _prompt(stamp: Instant) -> Hidden:
    return stamp, stamp


def _spread(draw: _Draw, first: Instant, last: Instant, count: int) -> set[Instant]:
    """Return up to `count` different stamps from `first` to `last`, evenly spread."""
    step = max(draw.stamp_ms, (last - first) // max(1, count))
    step -= step % draw.stamp_ms
    return set(range(first, last + 1, step)[:count]) if first <= last else set()


def _walk_ms(events: int) -> int:
    """How long the slowest right walk over so many events takes, as for a drawn world."""
    return REQUEST_MS * (10 + 2 * events)
