"""The map of keys over time: it shows what was asked, returned and delivered, and nothing else."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from fakeserver.fault import Fault
from fakeserver.history import Exchange, load_history
from fakeserver.scenario import Poll, Scenario
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.report.coverage.build import EVENTS_MAPPED_MAX, coverage_map
from fakeserver.verifier.report.coverage.columns import COLUMNS_DRAWN_MAX
from fakeserver.verifier.report.coverage.lanes import LANES_MAX
from fakeserver.verifier.runner import run

from .worlds import by_id, by_key, event, get, oldest_first, poll, world

HISTORIES = Path(__file__).parents[2] / "fixtures" / "histories"
NAMES = sorted(p.name.removesuffix(".expected.json") for p in HISTORIES.glob("*.expected.json"))


def judged(name):
    """The first verdict of a world that accuses, or its only one."""
    scenario = Scenario.load(HISTORIES / f"{name}.scenario.json")
    steps = load_history(HISTORIES / f"{name}.history.jsonl")
    expected = json.loads((HISTORIES / f"{name}.expected.json").read_text(encoding="utf-8"))
    promises = [msgspec.convert(one["promise"], Promise) for one in expected["verdicts"]]
    verdicts = [judge(scenario, steps, promise) for promise in promises]
    return next((verdict for verdict in verdicts if verdict.findings), verdicts[0])


def mapped(verdict):
    return coverage_map(
        Evidence(verdict.scenario, verdict.history, verdict.promise), verdict.findings
    )


def played(scenario, client, promise=None):
    return judge(scenario, run(scenario, client), promise)


def lane_of(coverage, name):
    return next(n for n, lane in enumerate(coverage.lanes) if lane.name == name)


def asking(coverage):
    return [column for column in coverage.columns if column.asks]


def cells(coverage, name):
    """What each request that is drawn is to the event of that name."""
    return [column.cells[lane_of(coverage, name)] for column in asking(coverage)]


# What holds of every world


@pytest.mark.parametrize("name", NAMES)
def test_a_map_shows_what_the_history_says(name):
    verdict = judged(name)
    coverage = mapped(verdict)
    places = [place for column in coverage.columns for place in column.places]
    requests = [n for n, step in enumerate(verdict.history) if isinstance(step, Exchange)]
    assert places == requests, "each request once, in its order"
    instants = [column.at for column in coverage.columns]
    assert instants == sorted(instants)
    for column in asking(coverage):
        returned = {
            i
            for lane, cell in zip(coverage.lanes, column.cells, strict=False)
            for i in lane.event_ids
            if cell == "returned"
        }
        assert returned == set(verdict.history[column.places[0]].event_ids)
    delivered = [n for n, step in enumerate(verdict.history) if type(step).__name__ == "Delivered"]
    assert {dot.place for dot in coverage.dots} <= set(delivered)
    assert sum(dot.times for dot in coverage.dots) == len(delivered)


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_event_looks_as_its_cause_says(name):
    verdict = judged(name)
    coverage = mapped(verdict)
    for finding in verdict.findings:
        if finding.rule != "LOST" or verdict.promise.mode == "snapshot":
            continue
        lane = next(n for n, x in enumerate(coverage.lanes) if finding.event_ids[0] in x.event_ids)
        lost = coverage.lanes[lane]
        assert lost.is_lost
        assert not [dot for dot in coverage.dots if dot.lane == lane]
        seen = [
            (column.answer, column.cells[lane])
            for column in coverage.columns[lost.visible :]
            if column.asks
        ]
        touched = [cell for answer, cell in seen if answer == "whole" and cell != ""]
        if finding.cause == "never-asked":
            assert touched == [], "no bar touches the line"
        elif finding.cause == "cut-by-limit":
            assert set(touched) == {"cut"}
        elif finding.cause == "failed-not-retried":
            assert set(touched) <= {"cut"}
            asked = {answer for answer, cell in seen if cell in ("asked", "returned")}
            assert asked <= {"failed", "old"}
            assert asked
        else:
            assert "returned" in touched


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("name", NAMES)
def test_the_plain_map_fits_and_is_plain(name, width):
    text = judged(name).text(width=width, with_map=True)
    start = text.index("  Map: ") if "  Map: " in text else text.index("  No map: ")
    lines = text[start:].split("\n\n  Cause")[0].splitlines()
    assert lines[0].isascii()
    for line in text.splitlines():
        assert len(line) <= width, line
        assert line == line.rstrip()


def test_a_plain_map_as_it_is_read():
    text = judged("haravan-lost-by-two-causes").text(width=80, with_map=True)
    drawn = text[text.index("  Map: ") :].split("\n\n  Cause")[0]
    assert drawn.splitlines() == [
        "  Map: time runs to the right, the key (id) upwards, in order and not to scale.",
        "  poll                1    2  3  4",
        "  time (UTC)          00:00:10   00:04:00",
        "                      |    |  |  |",
        "  e4  id 5          --#*------------",
        "  e3  id 4        ====#x============  LOST",
        "  e2  id 3      ......|..===========  LOST",
        "  e1  id 2    --------#*------------",
        "",
        "                      S",
        "  . hidden  - visible  = lost  | asked for  # returned  * delivered",
        "  x not delivered  S saved",
    ]


def test_the_same_world_gives_the_same_map():
    first, second = (judged("haravan-lost-after-a-503") for _ in range(2))
    assert first.to_html() == second.to_html()
    assert first.to_junit() == second.to_junit()


# The key


def test_the_key_is_what_the_client_pages_by():
    events = [event(2, 1), event(3, 2)]
    assert mapped(played(world(events), by_id)).axis == "id"
    stamped = [event("a", 1), event("b", 2)]
    coverage = mapped(played(world(stamped, dialect="saleschannel"), by_key))
    assert coverage.axis == "recorded_at"
    assert coverage.axis_why == "5 of 5 requests say by it where to begin"


def pages(feed):
    for number in (1, 2):
        for row in get(feed, {"page": number, "limit": 2}):
            feed.deliver(row)


def test_a_page_number_asks_for_its_rows():
    """Of the log as it was then, in the order of the API: here the highest id first."""
    coverage = mapped(played(world([event(n, n) for n in range(2, 7)]), pages))
    assert coverage.axis == "id"
    assert coverage.axis_why == "pages are asked for by number, and rows come sorted by it"
    first, second = asking(coverage)[:2]
    assert first.cells == ("cut", "cut", "cut", "returned", "returned")
    assert second.cells == ("cut", "returned", "returned", "cut", "cut")
    assert (first.above, first.below) == ("asked", "cut")
    assert (second.above, second.below) == ("cut", "cut")


def test_a_hidden_event_is_asked_for_where_it_would_have_stood():
    scenario = world([event(2, 1), event(3, 2, visible=30), event(4, 3), event(5, 4)])
    coverage = mapped(played(scenario, by_id))
    assert cells(coverage, "e2")[:2] == ["asked", ""]
    assert cells(coverage, "e1")[:2] == ["returned", ""]
    assert [column.above for column in asking(coverage)][:3] == ["cut", "asked", "asked"]


def test_a_bound_on_another_field_leaves_holes():
    """A window of stamps, paged by id: what is older is not asked for, whatever its id."""

    def window(feed):
        query = {"since_id": 1, "created_at_min": "1970-01-01T00:00:05Z", "limit": 5}
        for row in get(feed, query):
            feed.deliver(row)
        get(feed, {"since_id": 4, "limit": 5})

    scenario = world([event(2, 1), event(3, 6), event(4, 2), event(5, 7)], page_size=5)
    coverage = mapped(played(scenario, window))
    assert coverage.axis == "id"
    assert asking(coverage)[0].cells == ("", "returned", "", "returned")


def test_events_at_one_stamp_are_tied():
    scenario = world([event("a", 1), event("b", 1), event("c", 2)], dialect="saleschannel")
    coverage = mapped(played(scenario, by_key))
    assert [lane.is_tied for lane in coverage.lanes] == [False, True, False]


def test_an_event_without_a_stamp_stands_below_all():
    scenario = world([event("a", 1), event("b", None, visible=2)], dialect="saleschannel")
    coverage = mapped(played(scenario, by_key))
    assert [lane.name for lane in coverage.lanes] == ["e2", "e1"]
    assert coverage.lanes[0].key == "no stamp"


# What happened


def test_faults_crashes_and_sleeps_are_there():
    polls = [
        poll(10, faults=[Fault(kind="server-error", status=503)], crash="before-save"),
        *(poll(at) for at in (120, 180, 240)),
    ]

    def patient(feed):
        try:
            get(feed, {"since_id": 1, "limit": 2})
        except OSError:
            feed.sleep(5)
        by_id(feed)

    coverage = mapped(played(world([event(2, 1)], polls=polls), patient))
    first, second = asking(coverage)[:2]
    assert (first.answer, first.mark, first.fault) == ("failed", "503", "server-error")
    assert [act.kind for act in first.acts] == ["slept"]
    assert [act.kind for act in second.acts] == ["killed", "restarted"]
    assert coverage.calm_column == coverage.columns.index(asking(coverage)[2])


def test_two_instances_are_told_apart():
    polls = [Poll(starts_at=at * 1000, instance=1 + at // 60 % 2) for at in (10, 60, 120, 180)]
    verdict = played(world([event(2, 1)], polls=polls), by_id, Promise(instances=2))
    assert [column.poll_name for column in asking(mapped(verdict))][1:4] == ["1", "2 #2", "3"]
    assert re.search(r"^  poll +1 +2 #2", verdict.text(with_map=True), re.M)
    assert b"poll 2 #2" in verdict.to_html()


def test_a_refused_request_has_no_bar():
    coverage = mapped(judged("haravan-illegal-limit"))
    refused = asking(coverage)[0]
    assert (refused.answer, set(refused.cells), refused.above) == ("refused", {""}, "")
    assert refused.is_evidence


def test_repeats_are_joined_to_what_they_repeat():
    coverage = mapped(judged("haravan-duplicated-window"))
    for first, second in coverage.links:
        assert not coverage.dots[first].is_repeat
        assert coverage.dots[second].is_repeat
        assert coverage.dots[first].lane == coverage.dots[second].lane
    assert len(coverage.links) == 2


def test_a_snapshot_repeats_nothing_in_its_next_poll():
    coverage = mapped(judged("haravan-snapshot-kept"))
    assert len(coverage.dots) > len({dot.lane for dot in coverage.dots})
    assert not any(dot.is_repeat for dot in coverage.dots)


def test_a_pause_that_was_too_short_is_measured():
    coverage = mapped(judged("haravan-impolite-too-soon"))
    first, second, words = coverage.pause
    assert words == "5 s, not 30 s"
    assert coverage.columns[first].at < coverage.columns[second].at
    assert mapped(judged("haravan-altered")).pause is None


def test_an_id_that_the_log_never_held_has_a_lane():
    coverage = mapped(judged("haravan-invented"))
    strange = [lane for lane in coverage.lanes if lane.recorded is None]
    assert [lane.name for lane in strange] == ["7", "8"]
    assert {dot.lane for dot in coverage.dots} >= {lane_of(coverage, "7"), lane_of(coverage, "8")}


def test_an_empty_log_still_shows_what_was_asked():
    coverage = mapped(played(world([]), by_id))
    assert coverage.lanes == ()
    assert {(column.above, column.below) for column in asking(coverage)} == {("asked", "")}
    text = played(world([]), by_id).text(width=80, with_map=True)
    assert "no events" in text


# Limits


def test_requests_alike_are_one_column():
    def again(feed):
        for _ in range(9):
            get(feed, {"since_id": 1, "limit": 2})

    coverage = mapped(played(world([event(2, 1)]), again))
    assert [column.times for column in asking(coverage)][:2] == [1, 8]
    assert sum(column.times for column in asking(coverage)) == 36


def backwards(feed):
    for number in range(1, 90):
        for row in get(feed, {"page": number, "limit": 1}):
            feed.deliver(row)


def test_a_long_walk_and_a_large_log_are_cut_and_say_so():
    scenario = world([event(n, n) for n in range(2, 92)], polls=(100, 200, 260, 320))
    verdict = played(scenario, backwards, Promise(delivery="at-least-once", order="id"))
    coverage = mapped(verdict)
    assert len(asking(coverage)) <= COLUMNS_DRAWN_MAX
    assert len(coverage.lanes) <= LANES_MAX
    gaps = [column for column in coverage.columns if column.kind == "gap"]
    counts = [column.times for column in (*asking(coverage), *gaps)]
    assert sum(counts) == 4 * 89
    assert any("are not drawn" in limit for limit in coverage.limits)
    assert any("lanes at most" in limit for limit in coverage.limits)
    ids = [i for lane in coverage.lanes for i in lane.event_ids]
    assert sorted(ids) == list(range(2, 92)), "folded, not left out"
    named = verdict.findings[0].event_ids
    alone = {lane.event_ids[0] for lane in coverage.lanes if len(lane.event_ids) == 1}
    assert set(named[:2]) <= alone
    assert len(verdict.to_html()) < 400_000


def test_a_fold_that_is_lost_in_part_is_not_drawn_as_lost():
    """The line would say of all what is true of some; the name says of how many."""

    def every_third(feed):
        for row in get(feed, {"since_id": 1, "limit": 50}):
            if row["id"] % 3:
                feed.deliver(row)

    scenario = world([event(n, 1) for n in range(2, 50)], page_size=50)
    coverage = mapped(played(scenario, every_third))
    lost = {i for lane in coverage.lanes if lane.is_lost for i in lane.event_ids}
    assert {i % 3 for i in lost} == {0}
    partly = [lane for lane in coverage.lanes if " lost" in lane.key]
    told = sum(int(lane.key.split(", ")[1].split()[0]) for lane in partly if not lane.is_lost)
    assert told + len(lost) == len([n for n in range(2, 50) if n % 3 == 0])


def sleeps(feed):
    for number in range(3000):
        feed.sleep(0.001 * (number % 7))


def saves(feed):
    for number in range(3000):
        feed.save(number)


def delivers(feed):
    for number in range(3000):
        feed.deliver(2 + number % 3)


@pytest.mark.parametrize("client", [sleeps, saves, delivers])
def test_a_client_that_does_one_thing_for_ever_has_a_small_map(client):
    verdict = played(world([event(2, 1), event(3, 2)]), client)
    coverage = mapped(verdict)
    assert len(coverage.columns) < COLUMNS_DRAWN_MAX + 2 * len(coverage.lanes) + 1
    assert len(coverage.dots) < 200
    assert len(verdict.to_html()) < 200_000
    assert verdict.text(width=80, with_map=True)


def test_a_log_too_large_for_a_map_says_so():
    events = [event(n, 1) for n in range(2, EVENTS_MAPPED_MAX + 3)]
    verdict = played(world(events, page_size=250), by_id)
    assert mapped(verdict) is None
    assert b"A map has room for 2,000" in verdict.to_html()
    assert "No map: the log has more than 2000 events." in verdict.text(with_map=True)


def test_without_a_world_there_is_no_map():
    verdict = msgspec.structs.replace(played(world([]), by_id), scenario=None, history=())
    assert b"<svg" not in verdict.to_html()
    assert "A map shows one world" in verdict.text(with_map=True)


def test_oldest_first_is_cut_above():
    def one_page(feed):
        for row in get(feed, oldest_first("1960-01-01T00:00:00.000Z", 2)):
            feed.deliver(row)

    scenario = world([event(name, at) for at, name in enumerate("abc", 1)], dialect="saleschannel")
    coverage = mapped(played(scenario, one_page))
    assert asking(coverage)[0].cells == ("returned", "returned", "cut")
    assert asking(coverage)[0].above == "cut"
    assert asking(coverage)[0].below == "", "nothing lies below its bound"
