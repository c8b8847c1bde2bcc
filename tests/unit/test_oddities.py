"""What odd settings do to drawn worlds, and that default ones are left alone."""

from collections import defaultdict
from random import Random

import pytest

from fakeserver.clock import at
from fakeserver.dialects import find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.oddities import (
    AHEAD_MS_MAX,
    ROWS_OF_A_TRANSACTION,
    made_odd,
    rows_at_once,
    transient_faults,
)
from fakeserver.query import RECORDED_US
from fakeserver.scenario import LoggedEvent, Poll, Scenario

DIALECT = find_dialect("saleschannel")
NOON = at("2026-03-01T12:00:00Z")
WORLDS = 60
FIELDS = {"eventType": "TRANSACTION_STATUS_CHANGE", "eventAt": None}
EVENTS = tuple(
    LoggedEvent(
        id=f"c{number:03d}",
        recorded_at=NOON + 1_000 * (number // 2),
        visible_at=NOON + 1_000 * (number // 2) + 10 * (number % 2),
        fields=FIELDS,
    )
    for number in range(200)
)
"""Two events a second share a stamp; one of them is visible at once, the other 10 ms later."""


class Untouched(Random):
    """Fails when anybody asks it for a number."""

    def random(self) -> float:
        raise AssertionError("drew a number")

    def getrandbits(self, k: int) -> int:
        raise AssertionError(f"drew {k} bits")


def odd(**settings) -> tuple[LoggedEvent, ...]:
    return made_odd(Random(1), DIALECT.settings(settings), EVENTS, 60_000)


def worlds(profile: str = "default", **settings) -> list[Scenario]:
    chosen = DIALECT.profile(profile).narrowed(**settings)
    return [
        generate_scenario(dialect="saleschannel", profile=chosen, seed=2, example=example)
        for example in range(WORLDS)
    ]


@pytest.mark.parametrize("dialect", ["haravan", "saleschannel"])
def test_default_settings_draw_nothing_and_change_nothing(dialect):
    settings = find_dialect(dialect).settings({})
    untouched, polls = Untouched(), (Poll(starts_at=NOON),)
    assert made_odd(untouched, settings, EVENTS, 60_000) == EVENTS
    assert rows_at_once(untouched, settings) == 1
    assert transient_faults(untouched, settings, polls, 1) == polls


class TestTransactions:
    def test_rows_of_one_become_visible_together_and_never_before_the_last_of_them(self):
        by_stamp = defaultdict(set)
        for event in odd(created_at="transaction-start"):
            by_stamp[event.recorded_at].add(event.visible_at)
        assert all(len(commits) == 1 for commits in by_stamp.values())
        assert all(stamp + 10 <= min(commits) for stamp, commits in by_stamp.items())

    def test_most_are_short_some_are_long_and_none_breaks_the_promise(self):
        took = [event.late_by_ms for event in odd(created_at="transaction-start")]
        assert sum(ms <= 2_000 for ms in took) > len(took) / 2
        assert 2_000 < max(took) <= 60_000

    def test_without_a_lateness_they_commit_at_once(self):
        settings = DIALECT.settings({"created_at": "transaction-start"})
        prompt = tuple(event for event in EVENTS if event.late_by_ms == 0)
        assert made_odd(Random(1), settings, prompt, 0) == prompt

    def test_drawn_worlds_hold_some_of_several_rows(self):
        rows = [rows_at_once(Random(n), {"created_at": "transaction-start"}) for n in range(200)]
        assert set(rows) == {1, *ROWS_OF_A_TRANSACTION}
        for world in worlds("transactional"):
            assert world.late_by_ms_max == 60_000
            commits = defaultdict(set)
            for event in world.events:
                assert 0 <= event.late_by_ms <= 60_000
                commits[event.recorded_at].add(event.visible_at)
            assert all(len(instants) == 1 for instants in commits.values())

    def test_a_drawn_group_stays_below_what_a_right_client_can_pass(self):
        for world in worlds("transactional", limit_max=5):
            stamps = [event.recorded_at for event in world.events]
            assert max(map(stamps.count, stamps), default=0) <= 5


class TestStamps:
    def test_some_lie_ahead_of_the_moment_at_which_they_can_be_read(self):
        ahead = [e.recorded_at - e.visible_at for e in odd(future_stamps="some")]
        assert 0 < sum(ms > 0 for ms in ahead) < len(EVENTS) / 2
        assert max(ahead) <= AHEAD_MS_MAX
        assert [e.visible_at for e in odd(future_stamps="some")] == [e.visible_at for e in EVENTS]

    def test_some_are_missing(self):
        missing = sum(event.recorded_at is None for event in odd(null_created_at=True))
        assert 0 < missing < len(EVENTS) / 2

    def test_all_are_finer_and_shown_as_before(self):
        finer = odd(stamp_precision="us")
        assert len({event.fields[RECORDED_US] for event in finer}) > 100
        assert all(0 <= event.fields[RECORDED_US] < 1_000 for event in finer)
        settings = DIALECT.settings({})
        assert [DIALECT.render_event(event, settings) for event in finer] == [
            DIALECT.render_event(event, settings) for event in EVENTS
        ]

    def test_rows_of_one_transaction_share_the_finer_stamp_too(self):
        finer = odd(stamp_precision="us", created_at="transaction-start")
        stored = {(event.recorded_at, event.fields[RECORDED_US]) for event in finer}
        assert len(stored) == len({event.recorded_at for event in EVENTS})

    @pytest.mark.parametrize(
        ("settings", "is_odd"),
        [
            ({"future_stamps": "some"}, lambda e: (e.recorded_at or 0) > e.visible_at),
            ({"null_created_at": True}, lambda e: e.recorded_at is None),
            ({"stamp_precision": "us"}, lambda e: RECORDED_US in e.fields),
            ({"lateness": "minutes"}, lambda e: e.late_by_ms > 0),
        ],
        ids=["future_stamps", "null_created_at", "stamp_precision", "lateness"],
    )
    def test_drawn_worlds_show_them(self, settings, is_odd):
        assert any(is_odd(event) for world in worlds(**settings) for event in world.events)
        assert not any(is_odd(event) for world in worlds() for event in world.events)


def test_the_events_that_were_given_are_not_changed():
    before = [dict(event.fields) for event in EVENTS]
    odd(stamp_precision="us")
    assert [event.fields for event in EVENTS] == before
