"""A stream: the same events whoever asks, in whatever pieces, whenever and wherever."""

import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, at
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import UsageError
from fakeserver.scenario import LoggedEvent
from fakeserver.stream import (
    BURST_MS,
    EVENTS_PER_CALL_MAX,
    FLOWS_FROM,
    FLOWS_UNTIL,
    LATE_BY_MS_MAX,
    RATE_MAX,
    RATE_MIN,
    Stream,
)

NOON = at("2026-03-01T12:00:00Z")
NUMBER_MAX = 2**53 - 1
"""What a double, and so JavaScript, holds exactly."""


def stream(name: str = "haravan", rate: float = 1.0, *, seed: int = 1, **settings) -> Stream:
    late_by_ms_max = settings.pop("late_by_ms_max", None)
    return Stream(find_dialect(name), settings, seed, rate, late_by_ms_max)


def ids(events: tuple[LoggedEvent, ...]) -> list[int | str]:
    return [event.id for event in events]


def stamps(events: tuple[LoggedEvent, ...]) -> list[int]:
    return [event.recorded_at for event in events]


NAMES = st.sampled_from(sorted(DIALECTS))
RATES = st.sampled_from([0, RATE_MIN, 0.003, 0.7, 1, 13])
STARTS = st.integers(FLOWS_FROM - DAY_MS, FLOWS_UNTIL + DAY_MS)


def settings_of(name: str) -> st.SearchStrategy[dict]:
    """Any settings that the document allows."""
    profile = find_dialect(name).profile("documented")
    return st.fixed_dictionaries(
        {switch: st.sampled_from(values) for switch, values in profile.allowed.items()}
    )


@st.composite
def streams(draw, name=NAMES, rate=RATES):
    chosen = draw(name)
    return stream(chosen, draw(rate), seed=draw(st.integers()), **draw(settings_of(chosen)))


def again(one: Stream) -> Stream:
    return Stream(one.dialect, one.settings, one.seed, one.rate_per_s, one.late_by_ms_max)


class TestTheSameForAll:
    @settings(deadline=None, max_examples=50)
    @given(streams(), STARTS, st.lists(st.floats(0, 300), min_size=1, max_size=4))
    def test_pieces_make_the_whole(self, one, start, counts):
        edges = [start]
        for count in counts:
            edges.append(edges[-1] + int(count * SECOND_MS / (one.rate_per_s or 1)))
        pieces = [event for a, b in pairwise(edges) for event in one.between(a, b)]
        assert tuple(pieces) == again(one).between(edges[0], edges[-1])

    @settings(deadline=None, max_examples=50)
    @given(streams(rate=st.sampled_from([0.7, 1, 13])), STARTS, st.integers(0, 200))
    def test_a_backlog_is_the_end_of_what_was_between(self, one, before, count):
        backlog = one.backlog(count, before)
        span = int((count + 100) * 4 / one.rate_per_s) * SECOND_MS
        whole = again(one).between(min(before, FLOWS_UNTIL) - span, before)
        assert backlog == whole[max(0, len(whole) - count) :]
        assert len(backlog) == count or before < FLOWS_FROM + span

    @settings(deadline=None, max_examples=20)
    @given(streams(), st.integers(NOON, NOON + DAY_MS))
    def test_after_is_excluded_and_until_included(self, one, start):
        events = stream(one.dialect.name, one.rate_per_s, seed=one.seed).backlog(5, start)
        plain = stream(one.dialect.name, one.rate_per_s, seed=one.seed)
        for event in events if one.rate_per_s else ():
            stamp = event.recorded_at
            assert event in plain.between(stamp - 1, stamp)
            assert event not in plain.between(stamp, stamp + MINUTE_MS)
            assert event not in plain.between(stamp - MINUTE_MS, stamp - 1)

    @pytest.mark.parametrize("name", DIALECTS)
    def test_each_part_of_its_name_makes_another_stream(self, name):
        def shown(**other):
            return stream(**({"name": name} | other)).backlog(50, NOON)

        others = [shown(), shown(seed=2), shown(rate=2), shown(rate=100)]
        assert len(set(map(str, others))) == 4
        assert shown() == shown()
        hidden = [shown(late_by_ms_max=late) for late in (0, LATE_BY_MS_MAX)]
        assert ids(hidden[0]) == ids(hidden[1])
        assert hidden[0] != hidden[1]

    @pytest.mark.parametrize("hash_seed", ["1", "4242"])
    def test_other_processes_agree(self, hash_seed):
        code = (
            "from fakeserver.dialects import find_dialect\n"
            "from fakeserver.stream import Stream\n"
            "for name in ('haravan', 'saleschannel'):\n"
            f"    print(Stream(find_dialect(name), {{}}, 1, 1.0).backlog(300, {NOON}))\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=60,
        )
        here = [str(stream(name).backlog(300, NOON)) for name in ("haravan", "saleschannel")]
        assert ran.stdout.splitlines() == here


class TestIds:
    @pytest.mark.parametrize("name", DIALECTS)
    @pytest.mark.parametrize("rate", [RATE_MIN, 0.01, 1, 300])
    def test_are_unique_and_rise_with_the_log(self, name, rate):
        found = ids(stream(name, rate).backlog(2_000, NOON))
        assert found == sorted(set(found))
        assert len(found) == 2_000

    @pytest.mark.parametrize(
        ("name", "setting"),
        [("haravan", {"id_order": "shuffled"}), ("saleschannel", {"id_order": "random"})],
    )
    def test_are_shuffled_where_the_settings_say_so(self, name, setting):
        found = ids(stream(name, 1, **setting).backlog(2_000, NOON))
        assert len(set(found)) == 2_000
        falls = sum(later < earlier for earlier, later in pairwise(found))
        assert falls > 500
        # Within a bucket only: neighbours in the order of ids are neighbours in the log.
        place = {event_id: number for number, event_id in enumerate(found)}
        ordered = [place[event_id] for event_id in sorted(found)]
        assert max(abs(number - where) for number, where in enumerate(ordered)) < 200

    @pytest.mark.parametrize("name", DIALECTS)
    @pytest.mark.parametrize("rate", [RATE_MIN, 1, RATE_MAX])
    def test_fit_from_the_first_day_to_the_last(self, name, rate):
        one = stream(name, rate)
        first = one.backlog(3, FLOWS_FROM + 2 * DAY_MS)
        last = one.backlog(3, FLOWS_UNTIL)
        assert max(ids(first)) < min(ids(last))
        if one.dialect.id_type is int:
            assert min(ids(first)) > 1
            assert max(ids(last)) <= NUMBER_MAX
        else:
            assert {len(event_id) for event_id in ids(first + last)} == {25}

    def test_leave_room_for_ones_own(self):
        found = ids(stream("haravan", 50).backlog(500, NOON))
        assert min(later - earlier for earlier, later in pairwise(found)) > 50


class TestWhatItLooksLike:
    @pytest.mark.parametrize("name", DIALECTS)
    @pytest.mark.parametrize("rate", [0.05, 1, 40])
    def test_the_rate_is_kept(self, name, rate):
        span_s = 20_000 / rate
        events = stream(name, rate).between(NOON - int(span_s * SECOND_MS), NOON)
        assert 0.9 < len(events) / span_s / rate < 1.1

    @pytest.mark.parametrize("name", DIALECTS)
    def test_stamps_rise_and_are_as_coarse_as_the_log_shows_them(self, name):
        events = stream(name).backlog(2_000, NOON)
        assert stamps(events) == sorted(stamps(events))
        assert {stamp % find_dialect(name).stamp_ms for stamp in stamps(events)} == {0}

    @pytest.mark.parametrize("name", DIALECTS)
    def test_some_share_a_stamp_at_the_edges_of_pages_too(self, name):
        found = stamps(stream(name, 0.05).backlog(20_000, NOON))
        sizes = Counter(Counter(found).values())
        assert sizes[1] > 10 * sizes[2] > 0
        assert max(sizes) > 20
        for limit in (50, 100, 250):
            edges = [(found[n - 1], found[n]) for n in range(limit, len(found), limit)]
            assert any(before == after for before, after in edges)

    def test_ties_stay_below_what_a_right_client_can_pass(self):
        found = stamps(stream("saleschannel", 0.05, limit_max=5).backlog(5_000, NOON))
        assert max(Counter(found).values()) == 2

    @pytest.mark.parametrize("name", DIALECTS)
    def test_bursts(self, name):
        found = stamps(stream(name, 0.01).backlog(2_000, NOON))
        gaps = [later - earlier for earlier, later in pairwise(found) if later > earlier]
        # Events at even odds would be as near as that one time in fifty.
        assert sum(gap <= BURST_MS for gap in gaps) > 0.08 * len(gaps)

    def test_lateness_is_mostly_none_then_seconds_seldom_minutes(self):
        late = [event.late_by_ms for event in stream("haravan").backlog(10_000, NOON)]
        assert max(late) <= find_dialect("haravan").late_by_ms_max(stream().settings)
        assert 0.7 < sum(ms == 0 for ms in late) / len(late) < 0.9
        assert 0 < sum(ms >= MINUTE_MS for ms in late) / len(late) < 0.01

    def test_there_is_none_where_none_is_documented_unless_asked_for(self):
        assert {e.late_by_ms for e in stream("saleschannel").backlog(2_000, NOON)} == {0}
        assert {e.late_by_ms for e in stream(lateness="none").backlog(2_000, NOON)} == {0}
        asked_for = stream("saleschannel", late_by_ms_max=5_000).backlog(2_000, NOON)
        assert 3_000 < max(event.late_by_ms for event in asked_for) <= 5_000

    @settings(deadline=None, max_examples=40)
    @given(streams(), st.integers(NOON, NOON + DAY_MS))
    def test_every_event_is_one_that_the_api_can_have(self, one, before):
        events = one.backlog(100, before)
        assert len(set(ids(events))) == 100
        for event in events:
            one.dialect.check_event(event)
            assert event.late_by_ms <= one.late_by_ms_max
            assert one.dialect.render_event(event, one.settings)


class TestLimits:
    @pytest.mark.parametrize("rate", [-1, RATE_MIN / 2, RATE_MAX + 1, float("nan")])
    def test_of_the_rate(self, rate):
        with pytest.raises(UsageError, match=r"one event a day \(0.0000116\) to 10000"):
            stream(rate=rate)

    @pytest.mark.parametrize("late", [-1, LATE_BY_MS_MAX + 1])
    def test_of_the_lateness(self, late):
        with pytest.raises(UsageError, match=rf"0 to 86400000 ms \(a day\), got {late}"):
            stream(late_by_ms_max=late)

    @pytest.mark.parametrize("count", [-1, EVENTS_PER_CALL_MAX + 1])
    def test_of_a_backlog(self, count):
        with pytest.raises(UsageError, match=f"0 to 1000000 events .* got {count} or more"):
            stream().backlog(count, NOON)

    def test_of_one_call(self, monkeypatch):
        monkeypatch.setattr("fakeserver.stream.EVENTS_PER_CALL_MAX", 100)
        with pytest.raises(UsageError, match="ask for a shorter span or take a lower rate"):
            stream().between(NOON, NOON + HOUR_MS)

    def test_a_still_one_has_a_backlog_and_no_future(self):
        still = stream(rate=0)
        assert still.between(NOON - HOUR_MS, NOON + HOUR_MS) == ()
        assert still.backlog(500, NOON) == stream(rate=1).backlog(500, NOON)

    @pytest.mark.parametrize("name", DIALECTS)
    def test_outside_its_years_it_is_dry(self, name):
        one = stream(name)
        assert one.between(FLOWS_FROM - DAY_MS, FLOWS_FROM - 1) == ()
        assert one.between(FLOWS_UNTIL, FLOWS_UNTIL + DAY_MS) == ()
        assert one.between(FLOWS_FROM, FLOWS_FROM + MINUTE_MS)
        assert one.between(FLOWS_UNTIL - MINUTE_MS, FLOWS_UNTIL + DAY_MS)
        assert len(one.backlog(10_000, FLOWS_FROM + MINUTE_MS)) < 100
        assert one.backlog(10, FLOWS_FROM - DAY_MS) == ()
