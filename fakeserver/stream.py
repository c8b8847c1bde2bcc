"""An endless log: what is recorded when, decided by a seed and the absolute time alone.

Time is cut into buckets. What happens in a bucket is drawn from the seed and the bucket's number,
so any of them can be drawn alone, and whoever asks again, after a restart or elsewhere, is told the
same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from random import Random
from typing import NamedTuple

import msgspec

from fakeserver.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant, at
from fakeserver.dialects.base import Dialect, Settings
from fakeserver.drawing.moments import draw_lateness
from fakeserver.drawing.plan import TIE_GROUP_MAX
from fakeserver.errors import UsageError
from fakeserver.oddities import made_odd, rows_at_once
from fakeserver.profile import MeasuredLateness
from fakeserver.scenario import EventId, LoggedEvent

FLOWS_FROM = at("1973-01-01T00:00:00Z")
FLOWS_UNTIL = at("2059-01-01T00:00:00Z")
"""A stream is dry outside: the time in a cuid has eight base-36 digits from 1972 to 2059."""
RATE_MAX = 10_000
"""Events a second; this many are drawn in a fifth of a second, so no more could be served."""
RATE_MIN = 1 / 86_400
"""One a day; whoever wants less can say 0."""
RATE_OF_STILL = 1.0
"""The backlog of a stream that does not flow looks as if it had flowed at this rate until then."""
EVENTS_PER_CALL_MAX = 1_000_000
"""Events of 1 GB; whoever needs more takes them bucket by bucket."""
LATE_BY_MS_MAX = DAY_MS
"""A log that hides its rows for longer is not late but wrong."""

BUCKETS_MS = (SECOND_MS, 10 * SECOND_MS, MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS)
BUCKET_EVENTS = 60
"""A bucket is the shortest with so many events on average: enough for stories to come to an end."""
COUNT_SPREAD = 0.5
"""A bucket has up to this share more or fewer events than on average."""
TIE_SHARE, BURST_SHARE = 0.04, 0.08
"""Of the moments at which something happens: several events with one stamp, or in quick turn."""
BURST_MS = 2 * SECOND_MS
BURST_MAX = 8
ID_FIRST = 1_000
ID_MAX = 2**53 - 1
"""What every JSON parser reads exactly."""
ID_STEP_MAX = 10_000
"""Whole-numbered ids are so far apart where they can be; between them fit events of one's own."""
ID_JITTER = 10
NUMBERS_MAX = 10_000_000
"""What stories number (orders) starts again after so many events: seven digits are read easily."""
CACHED_BUCKETS = 4
"""The bucket of now and its neighbours are asked for again and again."""
CACHED_EVENTS = 20_000
"""Of short buckets as many are remembered as have so many events, 22 MB: pages of an old log that
are read one after the other, by several clients, are not drawn again for each."""


class _Bucket(msgspec.Struct, frozen=True):
    """The events of one bucket in the order of the log, and the instant each is recorded at.

    That is what its stamp shows, unless the settings let stamps be wrong or missing.
    """

    stamps: tuple[Instant, ...]
    events: tuple[LoggedEvent, ...]


class Drawn(NamedTuple):
    """Neighbours in the log: the `events` from `place` on in the `piece` with that number."""

    piece: int
    place: int
    events: tuple[LoggedEvent, ...]


class Stream:
    """The endless log of one seed at about `rate_per_s` events a second (0: none ever).

    `late_by_ms_max` is the lateness that it keeps (ms; default: what the settings document), and
    `measured` how late events are within it, where that was measured. The seed, these numbers and
    the settings decide every event. Raises `UsageError` for a rate or a lateness out of bounds.
    """

    def __init__(
        self,
        dialect: Dialect,
        settings: Settings,
        seed: int,
        rate_per_s: float,
        late_by_ms_max: int | None = None,
        measured: MeasuredLateness | None = None,
    ) -> None:
        if rate_per_s != 0 and not RATE_MIN <= rate_per_s <= RATE_MAX:
            raise UsageError(
                f"expected a rate of 0, or of one event a day ({RATE_MIN:.7f}) to {RATE_MAX} "
                f"events a second, got {rate_per_s}"
            )
        self.settings = dialect.settings(settings)
        documented = dialect.late_by_ms_max(self.settings)
        self.late_by_ms_max = documented if late_by_ms_max is None else late_by_ms_max
        if not 0 <= self.late_by_ms_max <= LATE_BY_MS_MAX:
            raise UsageError(
                f"expected a lateness of 0 to {LATE_BY_MS_MAX} ms (a day), got {late_by_ms_max}"
            )
        self.dialect = dialect
        self.seed = seed
        self.rate_per_s = rate_per_s
        self._measured = measured
        self._rate = rate_per_s or RATE_OF_STILL
        self._bucket_ms = next(
            (ms for ms in BUCKETS_MS if ms * self._rate >= BUCKET_EVENTS * SECOND_MS), DAY_MS
        )
        cached = max(CACHED_BUCKETS, int(CACHED_EVENTS / self._mean))
        self._bucket = lru_cache(maxsize=cached)(self._draw_bucket)

    def between(self, after: Instant, until: Instant) -> tuple[LoggedEvent, ...]:
        """Return the events recorded in (after, until], in the order of the log.

        Raises `UsageError` where they are more than `EVENTS_PER_CALL_MAX`.
        """
        found: list[LoggedEvent] = []
        for drawn in self.pieces(after, until):
            found += drawn.events
            _check_count(len(found))
        return tuple(found)

    def pieces(self, after: Instant, until: Instant) -> Iterator[Drawn]:
        """Yield what `between` returns, piece by piece; none of them is empty."""
        if self.rate_per_s == 0:
            return
        first = self._number(max(after, FLOWS_FROM))
        last = self._number(min(until, FLOWS_UNTIL - 1))
        for number in range(first, last + 1):
            drawn = self._cut(number, after, until)
            if drawn.events:
                yield drawn

    def _cut(self, number: int, after: Instant, until: Instant) -> Drawn:
        bucket = self._bucket(number)
        start, end = bisect_right(bucket.stamps, after), bisect_right(bucket.stamps, until)
        return Drawn(number, start, bucket.events[start:end])

    def redraw(self, piece: int) -> tuple[LoggedEvent, ...]:
        """Return all events of a piece, some of which may not have been in it: it was cut."""
        return self._bucket(piece).events

    def backlog(self, count: int, before: Instant) -> tuple[LoggedEvent, ...]:
        """Return the last `count` events recorded at or before `before`, in the order of the log.

        They are fewer where the stream began too late. Raises `UsageError` for a count that is
        negative or above `EVENTS_PER_CALL_MAX`.
        """
        _check_count(count)
        pieces = self.backlog_pieces(count, before)
        return tuple(event for drawn in pieces for event in drawn.events)

    def backlog_pieces(self, count: int, before: Instant) -> Iterator[Drawn]:
        """Yield what `backlog` returns, for any `count`, piece by piece; none of them is empty."""
        last = number = self._number(min(before, FLOWS_UNTIL - 1))
        first = self._number(FLOWS_FROM)
        if count <= 0 or last < first:
            return
        missing = count - len(self._cut(last, FLOWS_FROM - 1, before).events)
        while missing > 0 and number > first:
            number -= 1
            missing -= self._count(self._random(number))
        for each in range(number, last + 1):
            drawn = self._cut(each, FLOWS_FROM - 1, before)
            if each == number and missing < 0:
                drawn = Drawn(each, drawn.place - missing, drawn.events[-missing:])
            if drawn.events:
                yield drawn

    def _number(self, instant: Instant) -> int:
        return instant // self._bucket_ms

    @property
    def _mean(self) -> float:
        return self._rate * self._bucket_ms / SECOND_MS

    @property
    def _room(self) -> int:
        """The most events that a bucket can have."""
        return int(self._mean * (1 + COUNT_SPREAD)) + 1

    def _random(self, number: int) -> Random:
        """Return what decides a bucket, at its start."""
        name = f"fakeserver stream {self.dialect.name} {self.seed} {self._bucket_ms} {number}"
        return Random(name)  # noqa: S311 - reproducible, not secret

    def _draw_bucket(self, number: int) -> _Bucket:
        random = self._random(number)
        stamps = self._draw_stamps(random, number * self._bucket_ms)
        before = (number - self._number(FLOWS_FROM)) * self._room
        told = self.dialect.tell(random, self.settings, stamps, before % NUMBERS_MAX)
        ids = self._own_ids(random, number, [event_id for event_id, _ in told])
        events = tuple(
            LoggedEvent(
                id=event_id,
                recorded_at=stamp,
                visible_at=stamp + draw_lateness(random, self.late_by_ms_max, self._measured),
                fields=fields,
            )
            for event_id, stamp, (_, fields) in zip(ids, stamps, told, strict=True)
        )
        return _Bucket(stamps, made_odd(random, self.settings, events, self.late_by_ms_max))

    def _draw_stamps(self, random: Random, start: Instant) -> tuple[Instant, ...]:
        """Draw when something happens: mostly alone, at times at once or in quick turn."""
        chance, length, stamp_ms = random.random, self._bucket_ms, self.dialect.stamp_ms
        count = self._count(random)
        ties_max = self._ties_max()
        offsets: list[int] = []
        while len(offsets) < count:
            offset, kind = int(chance() * length), chance()
            if kind < TIE_SHARE:
                offsets += [offset] * min(ties_max, 2 + int(chance() ** 4 * (TIE_GROUP_MAX - 1)))
            elif kind < TIE_SHARE + BURST_SHARE:
                burst = range(2 + int(chance() * (BURST_MAX - 1)))
                offsets += [min(offset + int(chance() * BURST_MS), length - 1) for _ in burst]
            else:
                offsets += [offset] * min(ties_max, rows_at_once(random, self.settings))
        return tuple(start + offset - offset % stamp_ms for offset in sorted(offsets[:count]))

    def _count(self, random: Random) -> int:
        """Draw how many events a bucket has, which is the first that is drawn of it."""
        # The mean of floor(x + chance) is x, so the rate is kept however small it is.
        spread = 1 - COUNT_SPREAD + 2 * COUNT_SPREAD * random.random()
        return int(self._mean * spread + random.random())

    def _ties_max(self) -> int:
        """Return how many events may share a stamp on purpose: a right client must get past."""
        cap = self.dialect.limit_max(self.settings)
        return TIE_GROUP_MAX if cap is None else max(1, min(TIE_GROUP_MAX, (cap - 1) // 2))

    def may_take(self, event_id: int) -> bool:
        """Whether an event of the stream, recorded at any time, may have this id."""
        return (event_id - ID_FIRST) % self._id_step < ID_JITTER

    @cached_property
    def _id_step(self) -> int:
        slots = (self._number(FLOWS_UNTIL) - self._number(FLOWS_FROM) + 1) * self._room
        return min(ID_STEP_MAX, (ID_MAX - ID_FIRST) // slots)

    def _own_ids(self, random: Random, number: int, told: Sequence[EventId]) -> list[EventId]:
        """Return ids that no other bucket has, in the order of those that the story gave.

        A cuid holds its time and is such an id. Whole numbers count on from bucket to bucket.
        """
        if self.dialect.id_type is not int:
            return list(told)
        base = ID_FIRST + (number - self._number(FLOWS_FROM)) * self._room * self._id_step
        rank = {event_id: place for place, event_id in enumerate(sorted(told))}
        return [
            base + rank[event_id] * self._id_step + int(random.random() * ID_JITTER)
            for event_id in told
        ]


def _check_count(count: int) -> None:
    if not 0 <= count <= EVENTS_PER_CALL_MAX:
        raise UsageError(
            f"expected 0 to {EVENTS_PER_CALL_MAX} events of a stream at once, got {count} or more; "
            "ask for a shorter span or take a lower rate"
        )
