"""Margins: the measured number is the one that the theory gives, exactly.

Each client here keeps its promise in calm worlds; what differs is how far it stands one hardship.
"""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import fakeserver
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.haravan.clients import shop_minute
from fakeserver.errors import ProfileError, UsageError
from fakeserver.scenario import Scenario
from fakeserver.verifier.clients import load_client
from fakeserver.verifier.judge import judge
from fakeserver.verifier.margins import axes, worlds
from fakeserver.verifier.margins.measure import PAGE_SIZE, measure_margins
from fakeserver.verifier.margins.worlds import APPEND_REQUESTS, REQUEST_MS, Setup
from fakeserver.verifier.promise import LATE_BY_MS_LIMIT, Promise
from fakeserver.verifier.report.margins import margin_text
from fakeserver.verifier.runner import run
from fakeserver.verifier.verdict import Margin, Verdict

from .worlds import by_id, by_key, get, oldest_first

PROMPT = Promise(late_by_ms_max=0)
MINUTE = timedelta(minutes=1)
BACKLOG_MAX = 3 * PAGE_SIZE + 1
"""Events that wait for the first poll in the largest world of appends."""


def measured(client, axis, *, dialect, **options):
    (margin,) = measure_margins(
        client, dialect=dialect, only=[axis], **{"promise": PROMPT, **options}
    )
    return margin


def test_an_order_has_a_delay_as_long_as_the_lateness_that_is_tried():
    """Longer than the client's own hold-back (5 min), which is where it breaks (I6 is no break)."""
    folder = Path(__file__).parents[2] / "fixtures" / "clients"
    client = load_client(f"{folder}/saleschannel_hold_back.py:follow")
    promise = Promise(order="recorded", late_by_ms_max=300_000, delay_ms_max=300_000)
    margin = measured(client, "late_by_ms", dialect="saleschannel", promise=promise)
    assert (margin.passes_at, margin.fails_at, margin.rule) == (300_000, 301_000, "LOST")


def window(look_back=5 * MINUTE, *, remembers=None):
    """Theorem T7 for Haravan, with a look-back and a memory (ids) of one's own."""

    def follow(feed):
        started = feed.now()
        state = feed.checkpoint or {"low": None, "seen": []}
        low = state["low"] and datetime.fromisoformat(state["low"])
        after, seen, since = {}, list(state["seen"]), 1
        if low:
            after = {"created_at_min": shop_minute(low, feed.zone)}
        while page := get(feed, {"since_id": since, "limit": feed.page_size, **after}):
            for row in page:
                if row["id"] not in seen:
                    feed.deliver(row)
                    seen.append(row["id"])
            since = page[-1]["id"]
        low = (started - look_back).astimezone(UTC).replace(second=0, microsecond=0)
        feed.save(
            {"low": low.isoformat(), "seen": seen if remembers is None else seen[-remembers:]}
        )

    return follow


def look_back(look_back=5 * MINUTE, *, remembers=None, pages_max=None, limit=None):
    """Theorems T2 and T4 for the sales channel, with some measures of one's own."""

    def follow(feed):
        started = feed.now()
        state = feed.checkpoint or {"low": "2020-01-01T00:00:00.000Z", "seen": []}
        usual = limit or feed.page_size
        key, size, seen, pages = state["low"], usual, list(state["seen"]), 0
        while pages_max is None or pages < pages_max:
            page = get(feed, oldest_first(key, size))
            pages += 1
            for row in page:
                if row["id"] not in seen:
                    feed.deliver(row)
                    seen.append(row["id"])
            last = page[-1]["createdAt"] if page else key
            if last == key and len(page) < size:
                break
            key, size = last, usual if last != key or limit else 2 * size
        low = f"{(started - look_back).isoformat(timespec='milliseconds')[:23]}Z"
        feed.save({"low": low, "seen": seen if remembers is None else seen[-remembers:]})

    return follow


FOLLOWERS = {"haravan": by_id, "saleschannel": by_key}
LOOKERS_BACK = {"haravan": window, "saleschannel": look_back}


# Lateness


def grid(ms):
    """The last value that is tried up to `ms`: in seconds, from one second on."""
    return ms if ms < 1_000 else ms - ms % 1_000


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("minutes", [7, 5, 61])
def test_a_look_back_stands_its_length_and_one_tick(dialect, minutes):
    """Theorem T2: tight to one tick, which is the stamp's; to the second it is the length itself
    where stamps are finer."""
    margin = measured(LOOKERS_BACK[dialect](minutes * MINUTE), "late_by_ms", dialect=dialect)
    theory = minutes * 60_000 + find_dialect(dialect).stamp_ms
    assert (margin.passes_at, margin.fails_at) == (grid(theory), grid(theory) + 1_000)
    assert (margin.ended, margin.rule, margin.cause) == ("break", "LOST", "never-asked")


def test_a_look_back_below_a_second_is_measured_in_milliseconds():
    margin = measured(look_back(timedelta(milliseconds=300)), "late_by_ms", dialect="saleschannel")
    assert (margin.passes_at, margin.fails_at) == (301, 302)


@pytest.mark.parametrize(("dialect", "ticks"), [("haravan", 0), ("saleschannel", 1)])
def test_who_does_not_look_back_stands_no_lateness(dialect, ticks):
    """An inclusive key still reads what has its own stamp, and was visible a tick later; the next
    id does not."""
    margin = measured(FOLLOWERS[dialect], "late_by_ms", dialect=dialect)
    assert (margin.passes_at, margin.fails_at) == (ticks, ticks + 1)
    assert margin.rule == "LOST"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_who_reads_everything_again_stands_all_that_is_tried(dialect):
    margin = measured(LOOKERS_BACK[dialect](timedelta(days=8)), "late_by_ms", dialect=dialect)
    assert (margin.passes_at, margin.fails_at, margin.ended) == (LATE_BY_MS_LIMIT, None, "tried")
    assert margin_text(margin) == "stands lateness up to 7 d, all that was tried"


def test_the_anchor_counts():
    """From the end of its walk on, a look-back is shorter by as long as the walk takes."""

    def anchored_at_the_end(feed):
        state = feed.checkpoint or {"low": None, "seen": []}
        after, seen, since = state["low"], list(state["seen"]), 1
        window = {"created_at_min": after} if after else {}
        while page := get(feed, {"since_id": since, "limit": feed.page_size, **window}):
            for row in page:
                if row["id"] not in seen:
                    feed.deliver(row)
            seen += [row["id"] for row in page]
            since = page[-1]["id"]
        low = shop_minute(feed.now() - 7 * MINUTE, feed.zone)
        feed.save({"low": low, "seen": seen})

    right = measured(window(7 * MINUTE), "late_by_ms", dialect="haravan")
    wrong = measured(anchored_at_the_end, "late_by_ms", dialect="haravan")
    assert wrong.passes_at < right.passes_at


def test_the_promise_is_widened_to_what_is_tried_and_never_narrowed():
    late = Promise(late_by_ms_max=600_000)
    margin = measured(look_back(), "late_by_ms", dialect="saleschannel", promise=late)
    assert (margin.passes_at, margin.fails_at) == (300_000, 301_000)
    assert margin.promise == late
    margin = measured(look_back(), "late_by_ms", dialect="saleschannel", promise=PROMPT)
    assert margin.promise == Promise(late_by_ms_max=301_000)
    margin = measured(look_back(), "late_by_ms", dialect="saleschannel", promise=Promise())
    assert margin.promise == Promise()


# Ties


def by_second(feed):
    """Theorem T1 over Haravan's created_at: the last stamp, the ids at it, ten rows a page."""
    state = feed.checkpoint or {"key": "2020-01-01T00:00:00+00:00", "seen": []}
    key, seen = state["key"], list(state["seen"])
    while True:
        page = get(feed, {"created_at_min": key, "limit": 10})
        for row in page:
            if row["id"] not in seen:
                feed.deliver(row)
                seen.append(row["id"])
        if not page or page[-1]["created_at"] == key:
            break
        key = page[-1]["created_at"]
    feed.save({"key": key, "seen": seen})


def test_ten_rows_a_page_stand_nine_ties():
    """Theorem T1: K <= L - 1, and necessarily so."""
    margin = measured(look_back(limit=10), "ties", dialect="saleschannel")
    assert (margin.passes_at, margin.fails_at, margin.ended) == (9, 10, "break")
    assert margin_text(margin).startswith("stands 9 events at one instant, breaks at 10 (")


def test_ten_rows_a_page_stand_nine_ties_in_haravan_by_time():
    profile = find_dialect("haravan").profile("default").narrowed(order_default="created_at-asc")
    margin = measured(by_second, "ties", dialect="haravan", profile=profile)
    assert (margin.passes_at, margin.fails_at, margin.rule) == (9, 10, "LOST")


@pytest.mark.parametrize("page_size", [2, 7])
def test_a_page_stands_one_tie_less_than_its_rows(page_size):
    margin = measured(by_key, "ties", dialect="saleschannel", page_size=page_size)
    assert (margin.passes_at, margin.fails_at) == (page_size - 1, page_size)


def test_who_pages_by_id_stands_all_ties():
    margin = measured(by_id, "ties", dialect="haravan")
    assert (margin.passes_at, margin.fails_at, margin.ended) == (axes.TIES_MAX, None, "tried")


@pytest.mark.parametrize("cap", [5, 100])
def test_what_the_cap_hides_is_not_charged_to_the_client(cap):
    """Impossibility I1: the rows of one stamp beyond the cap are out of everybody's reach."""
    profile = find_dialect("saleschannel").profile("default").narrowed(limit_max=cap)
    margin = measured(look_back(), "ties", dialect="saleschannel", profile=profile)
    assert (margin.passes_at, margin.fails_at, margin.ended) == (cap - 1, None, "api")
    assert margin_text(margin) == (
        f"stands {cap - 1} events at one instant; no client can pass {cap}: the server returns "
        f"{cap} rows at most"
    )


# Appends


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_memory_stands_as_many_appends_as_it_has_room_for(dialect):
    """Fault class C38: what falls out of the memory and is read again is delivered again."""
    remembers = 500
    margin = measured(
        LOOKERS_BACK[dialect](10 * MINUTE, remembers=remembers),
        "appends_per_request",
        dialect=dialect,
    )
    theory = (remembers - BACKLOG_MAX) // APPEND_REQUESTS
    assert (margin.passes_at, margin.fails_at) == (theory, theory + 1)
    assert margin.rule == "DUPLICATED"


def test_a_limit_on_pages_stands_as_many_appends_as_fit_in():
    """Fault class C20: a walk that is given up after so many pages, and called complete."""
    pages_max = 20
    margin = measured(
        look_back(10 * MINUTE, pages_max=pages_max), "appends_per_request", dialect="saleschannel"
    )
    rows = 1 + pages_max * (PAGE_SIZE - 1)
    theory = (rows - BACKLOG_MAX) // APPEND_REQUESTS
    assert (margin.passes_at, margin.fails_at, margin.rule) == (theory, theory + 1, "LOST")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_right_client_stands_all_appends(dialect):
    client = find_dialect(dialect).reference_client
    margin = measured(client, "appends_per_request", dialect=dialect)
    assert (margin.passes_at, margin.fails_at, margin.ended) == (axes.APPENDS_MAX, None, "tried")


# The cap


def stops_at_a_short_page(feed):
    since, page = feed.checkpoint or 1, [None] * feed.page_size
    while len(page) == feed.page_size:
        page = get(feed, {"since_id": since, "limit": feed.page_size})
        for row in page:
            feed.deliver(row)
        since = page[-1]["id"] if page else since
        feed.save(since)


@pytest.mark.parametrize(
    ("client", "dialect"), [(stops_at_a_short_page, "haravan"), (by_key, "saleschannel")]
)
@pytest.mark.parametrize("page_size", [None, 3])
def test_who_takes_a_short_page_for_the_end_stands_no_cap(client, dialect, page_size):
    margin = measured(client, "limit_max", dialect=dialect, page_size=page_size)
    asked = page_size or PAGE_SIZE
    assert (margin.passes_at, margin.fails_at) == (asked, asked - 1)
    assert (margin.rule, margin.cause) == ("LOST", "cut-by-limit")


@pytest.mark.parametrize(
    ("dialect", "least", "ended"), [("haravan", 1, "tried"), ("saleschannel", 2, "api")]
)
def test_a_right_client_stands_the_smallest_page_that_can_be(dialect, least, ended):
    """Impossibility I2: with an inclusive key, a page of one row holds only what is known."""
    client = find_dialect(dialect).reference_client
    margin = measured(client, "limit_max", dialect=dialect)
    assert (margin.passes_at, margin.fails_at, margin.ended) == (least, None, ended)


def test_a_client_with_its_own_limit_is_measured_from_there():
    def asks_for_ten(feed):
        since, page = feed.checkpoint or 1, [None] * 10
        while len(page) == 10:
            page = get(feed, {"since_id": since, "limit": 10})
            for row in page:
                feed.deliver(row)
            since = page[-1]["id"] if page else since
            feed.save(since)

    margin = measured(asks_for_ten, "limit_max", dialect="haravan")
    assert (margin.passes_at, margin.fails_at) == (10, 9)


def test_where_the_server_refuses_there_is_no_cap_to_stand():
    profile = find_dialect("haravan").profile("default").narrowed(limit_over_max="reject")
    assert measure_margins(by_id, dialect="haravan", profile=profile, only=["limit_max"]) == ()


# How it is measured


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_seed_measures_the_same(dialect):
    options = {"dialect": dialect, "promise": PROMPT, "only": ["late_by_ms", "limit_max"]}
    first, second = (measure_margins(FOLLOWERS[dialect], seed=3, **options) for _ in range(2))
    assert first == second
    other = measure_margins(FOLLOWERS[dialect], seed=4, **options)
    assert [(m.passes_at, m.fails_at) for m in other] == [(m.passes_at, m.fails_at) for m in first]
    assert [m.scenario for m in other] != [m.scenario for m in first]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_break_can_be_seen_again(dialect):
    client = FOLLOWERS[dialect]
    broken = [
        margin
        for margin in measure_margins(client, dialect=dialect, promise=PROMPT, page_size=4)
        if margin.ended == "break"
    ]
    assert broken
    for margin in broken:
        scenario = Scenario.from_json(margin.scenario.to_json())
        verdict = judge(scenario, run(scenario, client), margin.promise)
        assert verdict.outcome == "broken"
        assert (verdict.findings[0].rule, verdict.findings[0].cause) == (margin.rule, margin.cause)


def test_a_break_from_the_beginning_is_said_so():
    def crashes(feed):
        raise ValueError("no")

    margins = measure_margins(crashes, dialect="haravan")
    assert [(m.passes_at, m.rule, m.runs) for m in margins] == [(None, "CRASHED", 1)] * 4
    assert margin_text(margins[0]) == "lateness: breaks even at 0 ms (CRASHED)"


def test_what_is_not_monotone_is_said_so():
    def dislikes_eight(feed):
        since = feed.checkpoint or 1
        while page := get(feed, {"since_id": since, "limit": feed.page_size}):
            most = Counter(row["created_at"] for row in page).most_common(1)[0][1]
            for row in page if most != 8 else page[1:]:
                feed.deliver(row)
            since = page[-1]["id"]
            feed.save(since)

    margin = measured(dislikes_eight, "ties", dialect="haravan")
    assert (margin.passes_at, margin.fails_at) == (7, 8)
    assert axes.TIES_MAX in margin.stands_again
    assert "1,000 again, so harder is not always harder for it" in margin_text(margin)


@pytest.mark.parametrize("runs", [0, 1, 30, 200])
def test_what_is_known_is_kept_when_it_is_enough(runs):
    calls = []

    def go_on(axis, _runs):
        calls.append(axis)
        return len(calls) <= runs

    margins = measure_margins(by_id, dialect="haravan", promise=PROMPT, go_on=go_on)
    assert [margin.axis for margin in margins] == [
        "late_by_ms",
        "ties",
        "appends_per_request",
        "limit_max",
    ]
    assert sum(margin.runs for margin in margins) == min(runs, len(calls))
    done = [margin.ended != "unfinished" for margin in margins]
    assert done == sorted(done, reverse=True)
    if runs == 0:
        assert all(margin_text(margin).endswith(": not measured") for margin in margins)


def test_ctrl_c_leaves_what_is_known():
    def go_on(axis, runs):
        if axis == "ties" and runs == 10:
            raise KeyboardInterrupt
        return True

    lateness, ties, *rest = measure_margins(by_id, dialect="haravan", promise=PROMPT, go_on=go_on)
    assert (lateness.passes_at, lateness.fails_at, lateness.ended) == (0, 1, "break")
    assert (ties.ended, ties.runs) == ("unfinished", 10)
    assert ties.passes_at is not None
    assert margin_text(ties).endswith("events at one instant, not measured to the end")
    assert [margin.runs for margin in rest] == [0, 0]


def test_who_takes_too_much_real_time_is_not_asked_again():
    def hangs(feed):
        since = feed.checkpoint or 1
        while page := get(feed, {"since_id": since, "limit": feed.page_size}):
            while max(Counter(row["created_at"] for row in page).values()) > 4:
                pass
            for row in page:
                feed.deliver(row)
            since = page[-1]["id"]
            feed.save(since)

    (margin,) = measure_margins(
        hangs, dialect="haravan", promise=PROMPT, only=["ties"], poll_seconds_max=0.5
    )
    assert (margin.fails_at, margin.rule, margin.ended) == (5, "STUCK", "unfinished")


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="can't measure 'late'; known are late_by_ms, ties"):
        measure_margins(by_id, dialect="haravan", only=["late"])
    profile = find_dialect("haravan").profile("default")
    with pytest.raises(UsageError, match="belongs to 'haravan', not 'saleschannel'"):
        measure_margins(by_id, dialect="saleschannel", profile=profile)
    with pytest.raises(ProfileError):
        measure_margins(by_id, dialect="haravan", profile="nope")


def test_it_is_a_public_name():
    assert fakeserver.measure_margins is measure_margins


# The worlds


def setup(dialect, **options):
    profile = find_dialect(dialect).profile(options.pop("profile", "default"))
    return Setup(**{"profile": profile, "page_size": 5, "asked": 5, **options})


@pytest.mark.parametrize("profile", ["default", "documented", "adversarial"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("number", range(6))
class TestWorlds:
    def test_one_event_is_late(self, dialect, profile, number):
        for ms in (1, 999, 60_000, LATE_BY_MS_LIMIT):
            world = worlds.late(setup(dialect, profile=profile), ms, number)
            (late,) = [event for event in world.events if event.late_by_ms]
            assert late.late_by_ms == ms
            missed = [poll for poll in world.polls if late.visible_at > poll.starts_at]
            tick = find_dialect(dialect).stamp_ms
            assert 0 < late.visible_at - missed[-1].starts_at <= tick
            find_dialect(dialect).check(world)

    def test_none_is_late_at_zero(self, dialect, profile, number):
        world = worlds.late(setup(dialect, profile=profile), 0, number)
        assert not any(event.late_by_ms for event in world.events)

    def test_so_many_are_tied(self, dialect, profile, number):
        for count in (1, 2, 17):
            world = worlds.tied(setup(dialect, profile=profile), count, number)
            stamps = Counter(event.recorded_at for event in world.events)
            assert sorted(stamps.values())[-2:] == [1, count]
            assert max(stamps) > stamps.most_common(1)[0][0] or count == 1
            assert not any(event.late_by_ms for event in world.events)

    def test_so_many_appear_between_two_requests(self, dialect, profile, number):
        for rate in (0, 1, 20):
            world = worlds.appended(setup(dialect, profile=profile), rate, number)
            start = world.polls[0].starts_at
            seen = [event.visible_at - start for event in world.events]
            later = Counter(max(0, at - 1) // REQUEST_MS for at in seen if at >= 0)
            assert sum(later.values()) == rate * APPEND_REQUESTS
            assert set(later) <= set(range(APPEND_REQUESTS))
            assert max(later.values(), default=0) <= 2 * rate
            assert not any(event.late_by_ms for event in world.events)

    def test_there_is_more_than_a_page_a_poll(self, dialect, profile, number):
        for cap in (2, 3, 5):
            world = worlds.capped(setup(dialect, profile=profile), cap, number)
            assert world.settings["limit_max"] == cap
            assert len(world.events) > len(world.polls) * 5
            assert len({event.recorded_at for event in world.events}) == len(world.events)
            find_dialect(dialect).check(world)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_ties_nothing_shares_a_stamp(dialect):
    for number in range(6):
        for has_ties in (True, False):
            world = worlds.late(setup(dialect, has_ties=has_ties), 60_000, number)
            stamps = [event.recorded_at for event in world.events]
            assert (len(set(stamps)) < len(stamps)) == (has_ties and number == 0)


# The report


def test_margins_are_told_after_the_verdict():
    margins = measure_margins(by_id, dialect="haravan", promise=PROMPT, only=["late_by_ms"])
    verdict = Verdict(
        outcome="kept", dialect="haravan", profile="default", promise=PROMPT, margins=margins
    )
    text = verdict.text(width=80)
    assert "  Margins  stands no lateness, breaks at 1 ms (LOST, never-asked)\n" in text
    assert "All else was calm, pages of 50 rows were suggested. No accusation.\n" in text
    assert max(map(len, text.splitlines())) <= 80
    report = json.loads(verdict.to_json())
    assert report["margins"]["late_by_ms"]["passes_at"] == 0
    assert report["margins"]["late_by_ms"]["fails_at"] == 1
    assert "scenario" not in report["margins"]["late_by_ms"]
    assert verdict.exit_status == 0


@pytest.mark.parametrize(
    ("axis", "unit", "values", "says"),
    [
        ("late_by_ms", "ms", (359_000, 360_000), "lateness up to 5 min 59 s, breaks at 6 min"),
        ("ties", "events", (249, 250), "249 events at one instant, breaks at 250"),
        ("ties", "events", (1, 2), "no two events at one instant, breaks at 2"),
        (
            "appends_per_request",
            "events",
            (0, 1),
            "nothing appended between two requests, breaks at 1",
        ),
        (
            "appends_per_request",
            "events",
            (1, 2),
            "1 event appended between two requests, breaks at 2",
        ),
        ("limit_max", "rows", (50, 49), "a cap of 50 rows a page, breaks at 49"),
    ],
)
def test_a_margin_is_one_line(axis, unit, values, says):
    passes_at, fails_at = values
    margin = Margin(
        axis=axis,
        unit=unit,
        passes_at=passes_at,
        fails_at=fails_at,
        ended="break",
        end=1_000,
        why="",
        page_size=50,
    )
    assert margin_text(margin) == f"stands {says}"
