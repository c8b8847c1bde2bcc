"""A world: one order of all that happens, whoever asks, whatever the clock, whatever joins."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver.clock import PacedClock, SimulatedClock
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Ask
from fakeserver.errors import ScenarioError
from fakeserver.fault import Fault
from fakeserver.generate import generate_scenario
from fakeserver.history import Slept
from fakeserver.log import EventLog
from fakeserver.scenario import LoggedEvent
from fakeserver.stream import Stream
from fakeserver.world import World

HEADERS = {"authorization": f"Bearer {TOKEN}"}
LIST = Ask(path="/com/events.json", query="since_id=0&limit=100000", headers=HEADERS)
PROFILE = find_dialect("haravan").profile("default").narrowed(limit_max=None)
SCENARIO = generate_scenario(profile=PROFILE, seed=1, hazards=())
NOON = SCENARIO.starts_at


class Wall:
    """Real time, driven by hand."""

    ms = 0

    def __call__(self) -> int:
        return self.ms


def event(event_id: int, *, visible_at: int = NOON, recorded_at: int = NOON) -> LoggedEvent:
    like = SCENARIO.events[0]
    return LoggedEvent(
        id=event_id, recorded_at=recorded_at, visible_at=visible_at, fields=like.fields
    )


def stream(rate: float = 1.0, **settings) -> Stream:
    return Stream(find_dialect("haravan"), settings, 1, rate)


def asked(world: World) -> tuple[int, ...]:
    return world.ask(LIST)[1].event_ids


def is_growing(answers: list[tuple[int, ...]]) -> bool:
    """Whether each answer has all rows of the one before."""
    return all(set(one) <= set(other) for one, other in pairwise(answers))


class TestClocks:
    def test_a_request_costs_simulated_time(self):
        world = World(SCENARIO)
        world.ask(LIST)
        assert world.now == NOON + SCENARIO.request_ms

    def test_a_request_costs_no_paced_time(self):
        wall = Wall()
        world = World(SCENARIO, clock=PacedClock(NOON, 60, wall))
        world.ask(LIST)
        assert (world.now, world.pace) == (NOON, 60)
        wall.ms += 10
        assert world.ask(LIST)[1].at == NOON + 600

    def test_from_any_clock_to_another_at_the_same_instant(self):
        wall = Wall()
        world = World(SCENARIO)
        world.advance(5)
        assert world.set_clock(lambda now: PacedClock(now, 60, wall)) == NOON + 5
        wall.ms += 1
        assert world.set_clock(lambda now: PacedClock(now, 1, wall)) == NOON + 65
        wall.ms += 1
        assert world.set_clock(SimulatedClock) == NOON + 66
        wall.ms += 1
        assert (world.now, world.pace) == (NOON + 66, 0)
        assert world.advance_to(NOON + 70) == NOON + 70


class TestSteps:
    def test_all_are_kept_unless_there_is_a_limit(self):
        world = World(SCENARIO)
        for _ in range(5):
            world.ask(LIST)
        assert (len(world.history), world.steps_dropped) == (5, 0)

    def test_the_oldest_go_first_and_are_counted(self):
        world = World(SCENARIO, steps_max=3)
        for ms in range(5):
            world.record(Slept(at=NOON, ms=ms))
        assert [step.ms for step in world.history] == [2, 3, 4]
        assert world.steps_dropped == 2
        assert world.last_step.ms == 4
        world.ask(LIST)
        assert (len(world.history), world.steps_dropped) == (3, 3)
        assert world.last_step is world.last_exchange

    def test_threads_make_one_order(self):
        world = World(SCENARIO, stream=stream(rate=20))

        def work(number: int) -> None:
            for turn in range(20):
                if number == 0:
                    world.advance(1_000)
                if number == 1:
                    world.append([event(10**15 + turn)])
                world.ask(LIST)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        steps = world.history
        assert len(steps) == 80
        assert [step.at for step in steps] == sorted(step.at for step in steps)
        assert is_growing([step.event_ids for step in steps])
        log = world.truth
        for step in steps:
            visible = {row.id for row in log if row.visible_at <= step.at}
            assert set(step.event_ids) == visible


class TestAppend:
    def test_an_event_is_there_at_once_and_in_the_truth(self):
        world = World(SCENARIO)
        before = asked(world)
        own = event(10**9, visible_at=world.now)
        assert world.append([own]) == (own,)
        assert asked(world) == (*before, 10**9)
        assert world.truth == (*SCENARIO.events, own)

    def test_a_hidden_one_is_in_the_truth_only(self):
        world = World(SCENARIO)
        world.append([event(10**9, visible_at=NOON + 60_000)])
        assert 10**9 not in asked(world)
        assert world.truth[-1].id == 10**9
        world.advance(60_000)
        assert 10**9 in asked(world)

    def test_before_the_first_request_it_may_have_been_visible_for_long(self):
        world = World(SCENARIO)
        own = event(10**9, visible_at=NOON - 60_000)
        assert world.append([own]) == (own,)

    def test_it_was_not_visible_to_a_request_that_did_not_show_it(self):
        world = World(SCENARIO, clock=PacedClock(NOON, 1, Wall()))
        before = world.ask(LIST)[1]
        assert before.at == NOON
        (logged,) = world.append([event(10**9, visible_at=NOON - 60_000)])
        assert logged.visible_at == NOON + 1
        after = world.ask(LIST)[1]
        assert after.at == NOON + 1
        assert set(after.event_ids) - set(before.event_ids) == {10**9}

    @pytest.mark.parametrize(
        ("own", "says"),
        [
            (event(SCENARIO.events[0].id), "there is an event [0-9]+ already"),
            (LoggedEvent(id="x", recorded_at=0, visible_at=0), "whole numbers, got 'x'"),
            (LoggedEvent(id=10**9, recorded_at=0, visible_at=0), "lacks the fields "),
            (event(10**9, recorded_at=10**15), "years 1 to 9999"),
        ],
    )
    def test_what_cannot_be_is_refused_whole(self, own, says):
        world = World(SCENARIO)
        with pytest.raises(ScenarioError, match=says):
            world.append([event(10**9 + 1), own])
        assert world.truth == SCENARIO.events

    def test_two_of_one_id_clash_with_each_other(self):
        world = World(SCENARIO)
        with pytest.raises(ScenarioError, match="there is an event 1000000000 already"):
            world.append([event(10**9), event(10**9)])
        assert world.truth == SCENARIO.events

    def test_a_full_log_says_so(self, monkeypatch):
        monkeypatch.setattr("fakeserver.world.EVENTS_MAX", len(SCENARIO.events) + 1)
        world = World(SCENARIO)
        world.append([event(10**9)])
        with pytest.raises(ScenarioError, match="there is room for 0, not for 1"):
            world.append([event(10**9 + 1)])

    def test_not_more_than_anybody_can_keep(self, monkeypatch):
        monkeypatch.setattr("fakeserver.world.OWN_EVENTS_MAX", 2)
        world = World(SCENARIO)
        world.append([event(10**9)])
        with pytest.raises(ScenarioError, match="2 of them appended by hand: there is room for 1"):
            world.append([event(10**9 + 1), event(10**9 + 2)])
        world.append([event(10**9 + 3)])


class TestStream:
    def test_what_was_recorded_until_now_joins_before_an_answer(self):
        flow = stream()
        world = World(SCENARIO, stream=flow)
        for _ in range(3):
            world.advance(20_000)
            recorded = flow.between(NOON, world.now)
            visible = {row.id for row in recorded if row.visible_at <= world.now}
            assert set(asked(world)) - {row.id for row in SCENARIO.events} == visible
            assert world.truth == (*SCENARIO.events, *flow.between(NOON, world.now))

    def test_how_often_anybody_looks_changes_nothing(self):
        often, once = World(SCENARIO, stream=stream()), World(SCENARIO, stream=stream())
        for _ in range(50):
            often.advance(1_234)
            assert often.truth
        once.advance(50 * 1_234)
        assert once.truth == often.truth

    def test_a_restart_goes_on_with_the_same_events(self):
        flow = stream()
        later = World(SCENARIO, clock=SimulatedClock(NOON + 60_000), stream=stream())
        assert later.truth == (*SCENARIO.events, *flow.between(NOON, NOON + 60_000))

    def test_an_event_of_ones_own_takes_the_place_of_one_with_its_id(self):
        flow = stream()
        taken = flow.between(NOON, NOON + 60_000)[3]
        world = World(SCENARIO, stream=stream())
        own = event(taken.id, visible_at=NOON)
        world.append([own])
        world.advance(60_000)
        assert [row for row in world.truth if row.id == taken.id] == [own]
        assert len(world.truth) == len(SCENARIO.events) + len(flow.between(NOON, NOON + 60_000))

    def test_it_dries_up_when_the_log_is_full(self, monkeypatch):
        monkeypatch.setattr("fakeserver.world.EVENTS_MAX", len(SCENARIO.events) + 10)
        world = World(SCENARIO, stream=stream())
        world.advance(600_000)
        first = stream().between(NOON, NOON + 600_000)[:10]
        assert world.truth == (*SCENARIO.events, *first)
        world.advance(600_000)
        assert len(world.truth) == len(SCENARIO.events) + 10
        assert asked(world)


# Answers are remembered, and nobody can tell

REQUESTS = ("", "limit=3", "since_id=0", "page=2&limit=2", "verb=placed,update", "fields=id")
MOVES = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(REQUESTS)),
    st.tuples(st.just("count"), st.sampled_from(REQUESTS)),
    st.tuples(st.just("advance"), st.sampled_from([0, 1, 999, 1_000, 60_000])),
    st.tuples(st.just("append"), st.sampled_from([-60_000, 0, 500, 5_000])),
    st.tuples(st.just("stale"), st.sampled_from([1, 1_000, 30_000])),
)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(MOVES, min_size=1, max_size=30),
    st.sampled_from([{}, {"count_lag": "5s"}, {"created_at_ties": "shuffled"}]),
    st.booleans(),
)
def test_every_answer_is_what_the_log_says_at_its_instant(moves, changes, flows):
    dialect = find_dialect("haravan")
    chosen = SCENARIO.settings | changes
    scenario = msgspec.structs.replace(SCENARIO, settings=chosen, request_ms=0)
    world = World(scenario, stream=stream(rate=2) if flows else None)
    for number, (move, detail) in enumerate(moves):
        if move == "advance":
            world.advance(detail)
        elif move == "append":
            world.append([event(10**15 + number, visible_at=world.now + detail)])
        elif move == "stale":
            world.arm([Fault(kind="stale-read", ms=detail)])
        else:
            path = "/com/events/count.json" if move == "count" else "/com/events.json"
            query = detail if move == "ask" else ""
            ask = Ask(path=path, query=query, headers=HEADERS)
            salt = world.exchanges_recorded
            outcome, exchange = world.ask(ask)
            log = EventLog(world.truth)
            expected = dialect.answer(ask, log, outcome.as_of, world.settings, salt=salt)
            assert outcome.answer == expected
            assert exchange.event_ids == expected.event_ids


def test_a_page_that_is_asked_for_again_and_again_is_written_twice():
    written = []
    dialect = find_dialect("haravan")

    def render(*arguments):
        written.append(arguments)
        return dialect.render(*arguments)

    world = World(SCENARIO)
    world.dialect = msgspec.structs.replace(dialect, render=render)
    world.advance_to(SCENARIO.ends_at)
    bodies = {world.ask(LIST)[0].answer.body for _ in range(5)}
    assert (len(bodies), len(written)) == (1, 2)
    world.append([event(10**9, visible_at=world.now)])
    assert world.ask(LIST)[0].answer.body not in bodies
    assert len(written) == 3
