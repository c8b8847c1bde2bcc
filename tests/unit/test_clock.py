"""Instants: text at the edge only, cut and never rounded, and a clock that only goes forward."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver.clock import (
    DAY_MS,
    HOUR_MS,
    INSTANT_MAX,
    INSTANT_MIN,
    MINUTE_MS,
    PACE_MAX,
    SECOND_MS,
    PacedClock,
    SimulatedClock,
    as_datetime,
    at,
    clock_text,
    duration_text,
    from_datetime,
    to_text,
    zone,
)
from fakeserver.errors import UsageError

INSTANTS = st.integers(INSTANT_MIN, INSTANT_MAX)


class TestSimulatedClock:
    def test_moves_only_when_told_to(self):
        clock = SimulatedClock(1_000)
        assert clock.now == clock.now == 1_000
        assert clock.advance(5) == clock.now == 1_005
        assert clock.advance(0) == 1_005

    def test_never_goes_back(self):
        clock = SimulatedClock(1_000)
        with pytest.raises(UsageError, match=r"can't go back: asked to advance by -1 ms"):
            clock.advance(-1)
        assert clock.advance_to(999) == clock.now == 1_000
        assert clock.advance_to(1_001) == clock.now == 1_001

    @settings(deadline=None)
    @given(st.integers(0, INSTANT_MAX), st.lists(st.integers(0, 10**15)))
    def test_is_the_sum_of_its_steps(self, start, steps):
        clock = SimulatedClock(start)
        for step in steps:
            clock.advance(step)
        assert clock.now == min(INSTANT_MAX, start + sum(steps))

    def test_what_takes_time_moves_it(self):
        clock = SimulatedClock(1_000)
        clock.spend(250)
        assert clock.now == 1_250
        assert clock.pace == 0


class Wall:
    """Real time, driven by hand."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


class TestPacedClock:
    @pytest.mark.parametrize(("pace", "after"), [(1, 100), (60, 6_000), (0.5, 50), (0.003, 0)])
    def test_runs_so_many_times_as_fast_as_the_wall(self, pace, after):
        wall = Wall(777_000)
        clock = PacedClock(5, pace, wall)
        assert (clock.now, clock.pace) == (5, pace)
        wall.ms += 100
        assert clock.now == 5 + after

    def test_a_slow_pace_loses_nothing_however_often_it_is_looked_at(self):
        wall = Wall(0)
        clock = PacedClock(0, 0.1, wall)
        for wall.ms in range(1_001):
            assert clock.now == wall.ms // 10

    def test_is_moved_forward_and_runs_on(self):
        wall = Wall(0)
        clock = PacedClock(1_000, 2, wall)
        wall.ms = 10
        assert clock.advance(5) == clock.now == 1_025
        assert clock.advance_to(1_024) == clock.now == 1_025
        assert clock.advance_to(2_000) == clock.now == 2_000
        wall.ms = 11
        assert clock.now == 2_002
        with pytest.raises(UsageError, match=r"can't go back: asked to advance by -1 ms"):
            clock.advance(-1)

    def test_spending_is_left_to_real_time(self):
        wall = Wall(0)
        clock = PacedClock(1_000, 60, wall)
        clock.spend(250)
        assert clock.now == 1_000

    def test_goes_on_from_where_it_was_when_the_wall_goes_back(self):
        wall = Wall(10_000)
        clock = PacedClock(0, 1, wall)
        wall.ms = 10_700
        assert clock.now == 700
        wall.ms = 3_000
        assert clock.now == 700
        wall.ms = 3_001
        assert clock.now == 701

    def test_ends_where_the_calendar_does(self):
        wall = Wall(0)
        clock = PacedClock(INSTANT_MAX - 10, 60, wall)
        wall.ms = 10**12
        assert clock.now == clock.advance_to(INSTANT_MAX + 5) == INSTANT_MAX

    @pytest.mark.parametrize("pace", [0, -1, PACE_MAX + 1, float("nan"), float("inf")])
    def test_refuses_a_pace_that_is_none(self, pace):
        with pytest.raises(UsageError, match=f"above 0 and at most {PACE_MAX}, got {pace}"):
            PacedClock(0, pace, Wall(0))

    @settings(deadline=None)
    @given(
        st.floats(0.001, PACE_MAX),
        st.lists(st.tuples(st.integers(-(10**6), 10**6), st.sampled_from(("look", "go", "to")))),
    )
    def test_never_goes_back_whatever_the_wall_does(self, pace, steps):
        wall = Wall(0)
        clock = PacedClock(0, pace, wall)
        latest = 0
        for move, kind in steps:
            wall.ms += move
            if kind == "go":
                clock.advance(abs(move))
            elif kind == "to":
                clock.advance_to(latest + move)
            assert clock.now >= latest
            latest = clock.now


TEXTS = [
    (INSTANT_MIN, "0001-01-01T00:00:00.000Z"),
    (INSTANT_MIN + 1, "0001-01-01T00:00:00.001Z"),
    (-30_610_224_000_001, "0999-12-31T23:59:59.999Z"),
    (-1, "1969-12-31T23:59:59.999Z"),
    (0, "1970-01-01T00:00:00.000Z"),
    (1, "1970-01-01T00:00:00.001Z"),
    (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    (1_772_366_405_250, "2026-03-01T12:00:05.250Z"),
    (INSTANT_MAX, "9999-12-31T23:59:59.999Z"),
]


class TestText:
    @pytest.mark.parametrize(("instant", "text"), TEXTS)
    def test_is_utc_with_milliseconds_and_four_digits_of_year(self, instant, text):
        assert to_text(instant) == text
        assert at(text) == instant

    @settings(deadline=None)
    @given(INSTANTS)
    def test_comes_back_as_the_same_instant(self, instant):
        assert at(to_text(instant)) == instant
        assert from_datetime(as_datetime(instant)) == instant

    @settings(deadline=None)
    @given(INSTANTS, INSTANTS)
    def test_sorts_as_time_does(self, one, other):
        assert (to_text(one) < to_text(other)) == (one < other)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2026-03-01T12:00:05Z", 1_772_366_405_000),
            ("2026-03-01 12:00:05+00:00", 1_772_366_405_000),
            ("2026-03-01T19:00:05+07:00", 1_772_366_405_000),
            ("2026-03-01T12:00:05.0009Z", 1_772_366_405_000),
            ("2026-03-01T12:00:05.999999Z", 1_772_366_405_999),
            ("1969-12-31T23:59:59.9999Z", -1),
            ("9999-12-31T23:59:59.999999Z", INSTANT_MAX),
        ],
    )
    def test_at_reads_iso_8601_and_cuts(self, text, expected):
        assert at(text) == expected

    @pytest.mark.parametrize(
        "text",
        ["", "now", "12:00", "2026-03-01", "2026-03-01T12:00:05", "2026-02-30T00:00:00Z", "0"],
    )
    def test_at_refuses_what_names_no_instant(self, text):
        with pytest.raises(UsageError, match="expected ISO 8601 with an offset, got ") as caught:
            at(text)
        assert repr(text) in str(caught.value)

    @pytest.mark.parametrize(
        "text", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00+14:00"]
    )
    def test_at_refuses_what_no_utc_calendar_shows(self, text):
        with pytest.raises(UsageError, match=r"years 1 to 9999 of UTC, got '"):
            at(text)

    def test_from_datetime_refuses_a_naive_one(self):
        with pytest.raises(UsageError, match="naive 2026-03-01T12:00:00"):
            from_datetime(datetime(2026, 3, 1, 12))  # noqa: DTZ001

    def test_from_datetime_takes_any_zone(self):
        instant = at("2026-07-01T12:00:00Z")
        for place in (ZoneInfo("America/New_York"), timezone(timedelta(minutes=-731)), UTC):
            assert from_datetime(as_datetime(instant).astimezone(place)) == instant


class TestZone:
    @pytest.mark.parametrize("name", ["UTC", "Asia/Ho_Chi_Minh", "America/New_York"])
    def test_finds_iana_names(self, name):
        assert zone(name).key == name

    @pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "/etc/localtime", "a\0b"])
    def test_refuses_others(self, name):
        with pytest.raises(UsageError, match="IANA time zone") as caught:
            zone(name)
        assert repr(name) in str(caught.value)


class TestForPeople:
    @pytest.mark.parametrize(
        ("ms", "text"),
        [
            (0, "0 s"),
            (1, "1 ms"),
            (250, "250 ms"),
            (1_000, "1 s"),
            (1_001, "1 s 1 ms"),
            (2 * MINUTE_MS + 38 * SECOND_MS, "2 min 38 s"),
            (HOUR_MS + 5 * MINUTE_MS, "1 h 5 min"),
            (2 * DAY_MS + 3 * HOUR_MS, "2 d 3 h"),
            (-1_500, "-1 s 500 ms"),
        ],
    )
    def test_a_span(self, ms, text):
        assert duration_text(ms) == text

    @settings(deadline=None)
    @given(st.integers(-(10**15), 10**15))
    def test_a_span_says_all_of_it(self, ms):
        units = {"d": DAY_MS, "h": HOUR_MS, "min": MINUTE_MS, "s": SECOND_MS, "ms": 1}
        words = duration_text(ms).removeprefix("-").split()
        said = sum(int(n) * units[u] for n, u in zip(words[::2], words[1::2], strict=True))
        assert said == abs(ms)

    @pytest.mark.parametrize(
        ("text", "near", "expected"),
        [
            ("2026-03-01T12:00:05Z", None, "12:00:05"),
            ("2026-03-01T12:00:05.250Z", None, "12:00:05.250"),
            ("2026-03-01T12:00:05.007Z", "2026-03-01T13:00:00Z", "12:00:05.007"),
            ("2026-03-01T00:00:00Z", "2026-03-01T23:59:59.999Z", "00:00:00"),
            ("2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z", "2026-03-01 23:59:59"),
            ("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "1969-12-31 23:59:59"),
            ("2026-03-01T12:00:05.250Z", "2026-02-28T12:00:05Z", "2026-03-01 12:00:05.250"),
            ("0001-01-01T00:00:00Z", "2026-02-28T12:00:05Z", "0001-01-01 00:00:00"),
        ],
    )
    def test_a_time_of_day(self, text, near, expected):
        assert clock_text(at(text), near=None if near is None else at(near)) == expected
