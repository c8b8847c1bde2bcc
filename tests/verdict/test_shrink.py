"""Shrinking: it ends; what is left is broken, valid, never larger, and can't be made smaller."""

from functools import lru_cache

import msgspec
import pytest

from fakeserver.clock import HOUR_MS, MINUTE_MS, SECOND_MS, at
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.fault import Fault
from fakeserver.generate import generate_scenario
from fakeserver.scenario import CALM_POLLS_MIN, PATIENCE_MS, Scenario
from fakeserver.verifier import shrink as module
from fakeserver.verifier.judge import judge
from fakeserver.verifier.runner import run
from fakeserver.verifier.shrink import NOON, PASSES, RUNS_MAX, shrink

from .worlds import event, get, ms, poll, world


def breaks(scenario, client):
    found = judge(scenario, run(scenario, client)).findings
    return (found[0].rule, found[0].cause) if found else None


@lru_cache
def broken(dialect):
    """A generated world in which the document's client breaks its promise, and how."""
    client = find_dialect(dialect).document_client
    for example in range(100):
        scenario = generate_scenario(dialect=dialect, seed=2, example=example)
        how = breaks(scenario, client)
        if how is not None and len(scenario.events) > 4:
            return scenario, client, how
    raise AssertionError("the document's client was never caught")


@lru_cache
def shrunk(dialect):
    scenario, client, how = broken(dialect)
    return shrink(scenario, lambda candidate: breaks(candidate, client) == how)


def sizes(scenario):
    return (
        len(scenario.events),
        len(scenario.polls),
        sum(poll.crash is not None for poll in scenario.polls),
        len(scenario.settings),
        scenario.page_size,
        scenario.request_ms,
    )


@pytest.mark.parametrize("dialect", DIALECTS)
class TestShrunkWorld:
    def test_is_still_broken_in_the_same_way(self, dialect):
        _, client, how = broken(dialect)
        assert breaks(shrunk(dialect), client) == how

    def test_is_a_valid_scenario(self, dialect):
        small = shrunk(dialect)
        assert Scenario.from_json(small.to_json()) == small
        assert len(small.polls) - small.calm_from >= CALM_POLLS_MIN

    def test_is_never_larger_and_here_smaller(self, dialect):
        before, after = sizes(broken(dialect)[0]), sizes(shrunk(dialect))
        assert all(small <= large for small, large in zip(after, before, strict=True))
        assert after[0] < before[0]
        assert after[0] <= 3

    def test_is_the_same_each_time(self, dialect):
        scenario, client, how = broken(dialect)
        again = shrink(scenario, lambda candidate: breaks(candidate, client) == how)
        assert again == shrunk(dialect)

    def test_can_not_be_shrunk_further(self, dialect):
        _, client, how = broken(dialect)
        small = shrunk(dialect)
        assert shrink(small, lambda candidate: breaks(candidate, client) == how) == small

    def test_starts_at_noon_with_round_times(self, dialect):
        small = shrunk(dialect)
        instants = [at for e in small.events for at in (e.recorded_at, e.visible_at)]
        instants += [p.starts_at for p in small.polls]
        assert min([small.starts_at, *instants]) == NOON
        stamps = [e.recorded_at for e in small.events]
        assert all(stamp % SECOND_MS == 0 for stamp in stamps)


# With stand-ins for a client


def test_what_needs_nothing_becomes_as_small_as_can_be():
    scenario = generate_scenario(dialect="haravan", seed=1, example=3)
    small = shrink(scenario, lambda _: True)
    assert (small.events, len(small.polls), small.calm_from) == ((), CALM_POLLS_MIN, 0)
    assert (small.settings, small.page_size, small.request_ms) == ({}, 2, 0)


def test_what_needs_everything_stays():
    scenario = generate_scenario(dialect="haravan", seed=1, example=3)
    assert shrink(scenario, lambda _: False) == scenario


@pytest.mark.parametrize("runs_max", [0, 1, 7, RUNS_MAX])
@pytest.mark.parametrize("answer", [True, False])
def test_it_ends_within_its_budget(runs_max, answer):
    runs = 0

    def count(_):
        nonlocal runs
        runs += 1
        return answer

    shrink(generate_scenario(dialect="saleschannel", seed=1, example=0), count, runs_max=runs_max)
    assert runs <= runs_max
    assert runs > 0 or runs_max == 0


def test_no_world_is_tried_twice():
    tried = []

    def note(candidate):
        tried.append(msgspec.json.encode(candidate))
        return len(candidate.events) > 2

    shrink(generate_scenario(dialect="haravan", seed=1, example=1), note)
    assert len(set(tried)) == len(tried)


NEEDS = {
    "three events": lambda s: len(s.events) >= 3,
    "a tie": lambda s: len({e.recorded_at for e in s.events}) < len(s.events),
    "a late event": lambda s: any(e.late_by_ms for e in s.events),
    "a crash": lambda s: any(p.crash for p in s.polls),
    "an hour between polls": lambda s: s.polls[-1].starts_at - s.polls[0].starts_at >= 3_600_000,
    "a page of four": lambda s: s.page_size >= 4,
}


@pytest.mark.parametrize("need", NEEDS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_shrinking_twice_changes_nothing(dialect, need):
    needed = NEEDS[need]
    for example in range(200):
        scenario = generate_scenario(
            dialect=dialect, seed=6, example=example, late_by_ms_max=300_000
        )
        if needed(scenario):
            break
    assert needed(scenario)
    small = shrink(scenario, needed, runs_max=20_000)
    assert needed(small)
    assert shrink(small, needed, runs_max=20_000) == small
    assert all(s <= b for s, b in zip(sizes(small), sizes(scenario), strict=True))


def test_a_tie_that_is_needed_stays_and_others_are_parted():
    rows = [event(number, 1) for number in range(2, 6)]
    first, last = rows[0].fields, rows[-1].fields

    def needed(scenario):
        stamps = [e.recorded_at for e in scenario.events]
        return len(stamps) >= 4 and stamps.count(stamps[0]) >= 2

    small = shrink(world(rows), needed, runs_max=20_000)
    stamps = [e.recorded_at for e in small.events]
    assert sorted(stamps.count(stamp) for stamp in set(stamps)) == [1, 1, 2]
    assert small.events[0].fields == first
    assert small.events[-1].fields == last


def test_times_end_up_round():
    scenario = world([event(2, 3), event(3, 22, visible=25.4)], polls=(100, 243.7, 333, 400))

    def needed(candidate):
        return len(candidate.events) == 2 and candidate.events[1].late_by_ms > 1_500

    small = shrink(scenario, needed, runs_max=20_000)
    instants = sorted(
        {small.starts_at}
        | {at for e in small.events for at in (e.recorded_at, e.visible_at)}
        | {p.starts_at for p in small.polls}
    )
    assert instants[0] == NOON
    assert all((instant - NOON) % SECOND_MS == 0 for instant in instants)
    assert small.events[1].late_by_ms == 3_000


def test_an_event_of_a_walk_is_there_before_it_where_that_does():
    scenario = world([event(2, 1), event(3, 60.5), event(4, 90)], polls=(60, 100, 243, 400))

    def needed(candidate):
        return len(candidate.events) == 3

    small = shrink(scenario, needed, runs_max=20_000)
    assert all(e.visible_at <= small.polls[0].starts_at for e in small.events)


# Each pass


def proposals(name, scenario):
    return list(getattr(module, name)(scenario))


def ids(scenario):
    return [e.id for e in scenario.events]


def a_world():
    rows = [event(20, 1), event(30, 1), event(40, 3, visible=20)]
    polls = (10, poll(50, crash="after-save", restart=True), 120, 180, 240, 300)
    return world(
        rows, polls=polls, calm_from=2, page_size=8, request=2, limit_max=5, id_order="shuffled"
    )


def with_faults(scenario, *faults):
    first, *rest = scenario.polls
    polls = (msgspec.structs.replace(first, faults=faults), *rest)
    return msgspec.structs.replace(scenario, polls=polls, page_size=1)


@pytest.mark.parametrize("propose", PASSES, ids=lambda propose: propose.__name__)
def test_a_pass_proposes_other_worlds_that_are_valid(propose):
    scenario = a_world()
    if propose is module._shorter_walks:  # it takes whole pages
        scenario = msgspec.structs.replace(scenario, page_size=2)
    if propose is module._earlier_events:  # it needs one that comes after a poll has begun
        scenario = msgspec.structs.replace(scenario, events=(*scenario.events, event(50, 60)))
    if "faults" in propose.__name__ or "trouble" in propose.__name__:
        scenario = with_faults(scenario, Fault(kind="server-error", nth=2, status=500))
    candidates = list(propose(scenario))
    assert candidates
    for candidate in candidates:
        assert candidate != scenario
        assert Scenario.from_json(candidate.to_json()) == candidate
        assert len(candidate.events) <= len(scenario.events)
        assert len(candidate.polls) <= len(scenario.polls)


def test_fewer_faults():
    busy = Fault(kind="rate-limited", nth=3, times=4, retry_after_s=2)
    drop = Fault(kind="dropped-connection")
    scenario = with_faults(a_world(), busy, drop)
    found = [candidate.polls[0].faults for candidate in proposals("_fewer_faults", scenario)]
    assert found[0] == ()
    plainer = [
        msgspec.structs.replace(busy, **{name: value})
        for name, value in (("times", 1), ("nth", 1), ("nth", 2), ("retry_after_s", None))
    ]
    assert found[2:] == [(drop,), (busy,), *((fault, drop) for fault in plainer)]
    assert proposals("_fewer_faults", a_world()) == []


def test_fewer_requests_before_faults():
    """A page of rows goes, and what follows it comes one request earlier."""
    faults = [Fault(kind="server-error", nth=nth) for nth in (1, 3)]
    found = proposals("_fewer_requests_before_trouble", with_faults(a_world(), *faults))
    assert [ids(candidate) for candidate in found] == [[30, 40], [20, 40], [20, 30]]
    assert {candidate.polls[0].faults for candidate in found} == {
        (faults[0], msgspec.structs.replace(faults[1], nth=2))
    }
    assert proposals("_fewer_requests_before_trouble", with_faults(a_world(), faults[0])) == []


def test_fewer_requests_before_kills():
    rows, polls = [event(20, 1), event(30, 1)], (10, poll(50, crash="after-save", nth=3), 120, 180)
    found = proposals(
        "_fewer_requests_before_trouble", world(rows, polls=(*polls, 240), calm_from=2, page_size=1)
    )
    assert [ids(candidate) for candidate in found] == [[30], [20]]
    assert {candidate.polls[1].crash.nth for candidate in found} == {2}


def test_fewer_events():
    found = [ids(candidate) for candidate in proposals("_fewer_events", a_world())]
    assert found[0] == []
    assert [30, 40] in found
    assert [20, 40] in found
    assert [20, 30] in found


def test_fewer_polls():
    found = [[p.starts_at for p in c.polls] for c in proposals("_fewer_polls", a_world())]
    assert [ms(at) for at in (50, 120, 180, 240, 300)] in found  # without the first
    assert [ms(at) for at in (10, 50, 180, 240, 300)] in found  # of the calm one may go
    three = world(polls=(10, 120, 180, 240))
    assert all(len(c.polls) - c.calm_from == 3 for c in proposals("_fewer_polls", three))
    assert any(c.calm_from == 0 for c in proposals("_fewer_polls", three))


def test_fewer_crashes():
    found = [candidate.polls[1] for candidate in proposals("_fewer_crashes", a_world())]
    assert [(p.crash is None, p.restart) for p in found] == [
        (True, False),
        (False, False),
        (True, True),
    ]


def test_prompt_events():
    (found,) = proposals("_prompt_events", a_world())
    assert [e.late_by_ms for e in found.events] == [0, 0, 0]


def test_fewer_settings():
    found = [set(candidate.settings) for candidate in proposals("_fewer_settings", a_world())]
    everything = {"shop_zone", "limit_max", "id_order"}
    assert found == [everything - {name} for name in ("shop_zone", "limit_max", "id_order")]


def test_smaller_pages():
    names = ("_small_pages", "_smaller_pages")
    found = [c.page_size for name in names for c in proposals(name, a_world())]
    assert found == [2, 3, 4, 5, 4, 7]
    assert [c for name in names for c in proposals(name, world(page_size=2))] == []


def test_quicker_requests():
    found = [candidate.request_ms for candidate in proposals("_quicker_requests", a_world())]
    assert found == [0, 1_000]
    assert proposals("_quicker_requests", world()) == []


def test_smaller_ids_keep_their_order():
    scrambled = world([event(700, 1), event(30, 2), event(400, 3)])
    (found,) = proposals("_smaller_ids", scrambled)
    assert ids(found) == [4, 2, 3]
    assert proposals("_smaller_ids", found) == []
    assert proposals("_smaller_ids", world([event("ca", 1)], dialect="saleschannel")) == []


def test_start_at_noon_moves_everything_alike():
    scenario = a_world()
    (found,) = proposals("_start_at_noon", scenario)
    assert found.starts_at == NOON
    assert found.polls[0].starts_at - scenario.polls[0].starts_at == NOON
    assert found.events[2].late_by_ms == scenario.events[2].late_by_ms
    assert proposals("_start_at_noon", found) == []


def test_start_at_noon_counts_from_the_earliest_event():
    early = world([event(2, -MINUTE_MS / 1000)])
    (found,) = proposals("_start_at_noon", early)
    assert found.events[0].recorded_at == NOON
    assert found.starts_at == NOON + MINUTE_MS


def test_fewer_ties_part_by_a_second():
    (found,) = proposals("_fewer_ties", a_world())
    assert [e.recorded_at for e in found.events] == [ms(1), ms(2), ms(4)]


def test_rounder_gaps_never_make_a_tie():
    scenario = a_world()
    distinct = {at for e in scenario.events for at in (e.recorded_at, e.visible_at)}
    for candidate in proposals("_rounder_gaps", scenario):
        after = {at for e in candidate.events for at in (e.recorded_at, e.visible_at)}
        assert len(after) == len(distinct)
        assert candidate.polls[-1].starts_at < scenario.polls[-1].starts_at


def test_stamps_keep_the_granularity_of_the_api():
    rows = [event(2, 1), event(3, 5)]
    for candidate in proposals("_rounder_gaps", world(rows, polls=(10.5, 120, 180, 240))):
        assert all(e.recorded_at % SECOND_MS == 0 for e in candidate.events)


def holds_back(feed):
    """Right, and slow: it delivers what is half an hour old."""
    seen = set(feed.checkpoint or ())
    rows = get(feed, {"since_id": 1, "limit": 50})
    old = int(feed.now().timestamp()) - HOUR_MS // 2_000
    for row in rows:
        if row["id"] not in seen and at(row["created_at"]) <= old * SECOND_MS:
            feed.deliver(row)
            seen.add(row["id"])
    feed.save(sorted(seen))


def test_shrinking_leaves_a_slow_client_its_patience():
    """Else a world that shows one client's fault would accuse another that is only slow."""
    scenario = world([event(2, 1)], polls=(10, 120, 180, 240, 240 + PATIENCE_MS // 1000))
    assert breaks(scenario, holds_back) is None

    def never(feed):
        get(feed, {"since_id": 1})

    how = breaks(scenario, never)
    assert how == ("LOST", "served-not-delivered")
    small = shrink(scenario, lambda candidate: breaks(candidate, never) == how)
    assert len(small.polls) == CALM_POLLS_MIN
    assert small.polls[-1].starts_at - small.polls[-2].starts_at >= PATIENCE_MS
    assert breaks(small, holds_back) is None


def test_a_setting_that_promises_the_lateness_stays():
    """Else the report would say that nothing allows an event to be late."""
    rows = [event("ca", 1, visible=20)]
    settings = {"created_at": "transaction-start", "ties": "shuffled"}
    scenario = world(rows, dialect="saleschannel", late=60, **settings)
    small = shrink(scenario, lambda _: True)
    assert small.settings == {"created_at": "transaction-start"}


def test_finer_stamps_go_with_the_setting_that_has_them():
    rows = [event("ca", 1, recorded_us=250), event("cb", 1, recorded_us=300)]
    scenario = world(rows, dialect="saleschannel", late=0, stamp_precision="us")
    small = shrink(scenario, lambda candidate: len(candidate.events) == 2)
    assert small.settings == {}
    assert [row.fields for row in small.events] == [event("ca", 1).fields] * 2
