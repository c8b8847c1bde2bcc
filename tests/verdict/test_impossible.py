"""What nobody can do: said in a sentence, with the events, and held against no right client."""

import json

import pytest
from msgspec.structs import replace

from fakeserver.clock import at
from fakeserver.fault import Fault
from fakeserver.verifier.clients import load_client
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.impossible import is_out_of_reach, over_worlds
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.theory import IMPOSSIBLE, order_and_delay
from tests.quality.right_clients import FOLDER, RIGHT

from .worlds import by_id, by_key, event, get, oldest_first, poll, world

DATE_MS = at("2026-03-02T00:00:00Z")
EXACTLY_ONCE = Promise(delivery="exactly-once")
NOT_IN_A_WORLD = {"I6", "I7", "I8", "I9", "I10"}
"""A promise that contradicts itself, claims that no client makes here, and worlds that none has."""


def judged(scenario, client, promise=None):
    return judge(scenario, run(scenario, client), promise)


def names(verdict):
    return [each.name for each in verdict.impossible]


def in_2026(scenario):
    """The same at a date from which every right client reads."""
    return replace(
        scenario,
        starts_at=scenario.starts_at + DATE_MS,
        events=tuple(
            replace(e, recorded_at=e.recorded_at + DATE_MS, visible_at=e.visible_at + DATE_MS)
            for e in scenario.events
        ),
        polls=tuple(replace(each, starts_at=each.starts_at + DATE_MS) for each in scenario.polls),
    )


def tied(count, *, behind=0, cap=5, page_size=2, **settings):
    """So many events at one stamp, and some behind, with a cap on the limit."""
    events = [event(f"c{number:02}", 1) for number in range(count)]
    events += [event(f"d{number:02}", 2 + number) for number in range(behind)]
    settings = {"limit_max": cap, **settings}
    patient = (10, 120, 180, 4000)
    return in_2026(
        world(
            events,
            dialect="saleschannel",
            late=0,
            page_size=page_size,
            polls=patient,
            **settings,
        )
    )


def nudges(feed):
    """Goes on behind a page of ties that is as large as pages get, for lack of anything better."""
    key, seen = feed.checkpoint or ("1960-01-01T00:00:00.000Z", [])
    while True:
        page = get(feed, oldest_first(key, 1000))
        fresh = [row for row in page if row["id"] not in seen]
        seen = [*seen, *(row["id"] for row in fresh)]
        last = page[-1]["createdAt"] if page else key
        feed.commit(fresh, (last, seen))
        if last != key:
            key = last
        elif len({row["createdAt"] for row in page}) == 1 and len(page) > 1:
            key = f"{last[:-2]}1Z"  # a millisecond on
        else:
            return


RIGHT_BY_KEY = [
    (each.client, Promise(delivery=each.deliveries[0], late_by_ms_max=0, mode=each.mode))
    for each in RIGHT
    if each.dialect == "saleschannel"
]
"""With what each promises where nothing is late."""


# I1


def test_rows_beyond_the_cap_are_named_and_held_against_nobody():
    verdict = judged(tied(7, behind=3), nudges)
    assert verdict.outcome == "kept"
    (told,) = verdict.impossible
    assert (told.name, told.event_ids) == ("I1", ("c05", "c06"))
    assert told.sentence in verdict.notes
    assert told.sentence == (
        "no client can read e6 and e7: 7 events share the stamp 00:00:01, and the server never "
        "returns more than 5 (I1)"
    )


@pytest.mark.parametrize(("client", "promise"), RIGHT_BY_KEY)
@pytest.mark.parametrize("settings", [{}, {"ties": "shuffled"}])
def test_no_right_client_is_accused_of_them(client, promise, settings):
    """Those that stop at such a page lose nothing by it: nothing that can be read lies behind."""
    verdict = judged(tied(8, **settings), client, promise)
    assert verdict.findings == ()
    assert set(names(verdict)) <= {"I1", "I1b"}
    assert len(verdict.impossible) == (1 if len(delivered(verdict)) < 8 else 0)


def delivered(verdict):
    return {step.event_id for step in verdict.history if type(step).__name__ == "Delivered"}


def test_what_lies_behind_them_is_owed():
    """It can be read, and who stops at the ties is told that no limit helps."""
    verdict = judged(tied(7, behind=3, page_size=6), by_key)
    (lost,) = verdict.findings
    assert (lost.rule, lost.cause) == ("LOST", "cut-by-limit")
    assert lost.event_ids == ("d00", "d01", "d02")
    assert "I1" in names(verdict)
    assert lost.would.startswith(
        "No limit helps, for the server never returns more than 5 rows (I1)"
    )


def for_ever(feed):
    """Never takes a page of ties for the end."""
    key = "1960-01-01T00:00:00.000Z"
    while page := get(feed, oldest_first(key, 5)):
        for row in page:
            feed.deliver(row)
        key = page[-1]["createdAt"]


def test_a_client_must_not_ask_for_them_for_ever():
    verdict = judged(tied(7), for_ever, Promise(delivery="at-least-once"))
    assert [finding.rule for finding in verdict.findings] == ["STUCK"]
    assert names(verdict) == ["I1"]
    assert "report that rows may be missing" in verdict.findings[0].would


def test_where_all_fit_into_a_page_nothing_is_said():
    verdict = judged(tied(5, behind=3), nudges)
    assert (verdict.outcome, verdict.impossible) == ("kept", ())


def test_in_a_new_order_each_time_it_is_luck():
    verdict = judged(tied(40, ties="shuffled"), nudges)
    (told,) = verdict.impossible
    assert told.name == "I1b"
    assert verdict.findings == ()
    assert set(told.event_ids).isdisjoint(delivered(verdict))
    assert len(told.event_ids) + len(delivered(verdict)) == 40
    assert "can be read by luck only: 40 events share the stamp" in told.sentence
    assert " more can be read" in told.sentence


def test_rows_without_a_stamp_are_named():
    scenario = world([event("ca", 1), event("cb", None, visible=2)], dialect="saleschannel", late=0)
    verdict = judged(scenario, by_key)
    assert verdict.outcome == "kept"
    assert verdict.notes == ("no filter on stamps finds e2, which has none (I1)",)


def stampless(count, *, visible=2, before=()):
    rows = [*before, *(event(f"c{number}", None, visible=visible) for number in range(count))]
    return world(rows, dialect="saleschannel", late=0, limit_max=2)


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (2, "e1 and e2"),
        (5, "e1, e2, e3, e4 and e5"),
        (6, "e1, e2, e3, e4, e5 and 1 more"),
        (8, "e1, e2, e3, e4, e5 and 3 more"),
    ],
)
def test_so_many_are_named_and_the_rest_is_counted(count, named):
    (told,) = judged(stampless(count), by_key).impossible
    assert told.sentence == f"no filter on stamps finds {named}, which have none (I1)"
    assert len(told.event_ids) == count


def test_they_are_told_by_their_stamps_and_those_without_one_last():
    """Whatever order the log has them in."""
    stamps = (4, 1, 4, 1, 1, 4)
    rows = [event(f"d{number}", at, visible=5) for number, at in enumerate(stamps)]
    first = event("cc", None, visible=5)
    scenario = world([first, *rows], dialect="saleschannel", late=10, limit_max=2)
    told = judged(scenario, by_key, Promise(late_by_ms_max=10_000)).impossible
    assert [each.event_ids for each in told] == [("d4",), ("d5",), ("cc",)]


@pytest.mark.parametrize(("visible", "told"), [(120, 1), (120.001, 0)])
def test_what_appears_with_the_last_request_could_have_been_returned(visible, told):
    def twice(feed):
        if feed.now().timestamp() < 150:
            by_key(feed)

    scenario = world(
        [event("cc", None, visible=visible)],
        dialect="saleschannel",
        polls=(10, 120, 180, 240, 300),
        calm_from=2,
        late=0,
    )
    assert len(judged(scenario, twice).impossible) == told


def test_what_was_delivered_without_a_page_was_not_out_of_reach():
    def guesses(feed):
        by_key(feed)
        if feed.now().timestamp() < 100:
            feed.deliver("c0")

    assert judged(stampless(1), guesses).impossible == ()


def test_what_was_served_is_not_impossible():
    """All rows were there at the first request but the last two, so the first ones came alone."""
    early = [event(f"c{number}", 1, visible=20) for number in range(5)]
    late = [event(f"d{number}", 1) for number in range(2)]
    scenario = world([*early, *late], dialect="saleschannel", late=60, page_size=2, limit_max=5)
    verdict = judged(scenario, drops_all)
    assert {i for f in verdict.findings for i in f.event_ids} == {
        "c0",
        "c1",
        "c2",
        "c3",
        "c4",
        "d0",
        "d1",
    }
    assert verdict.impossible == ()


def drops_all(feed):
    get(feed, oldest_first("1960-01-01T00:00:00.000Z", 5))


def test_ids_reach_every_row():
    scenario = world([event(number, 1) for number in range(2, 9)], limit_max=5)
    verdict = judged(scenario, by_id)
    assert (verdict.outcome, verdict.impossible) == ("kept", ())


# I2


def test_a_cap_of_one_row_is_nobodys_fault():
    for client, promise in [(nudges, EXACTLY_ONCE), *RIGHT_BY_KEY]:
        verdict = judged(tied(3, behind=3, cap=1), client, promise)
        assert [f.rule for f in verdict.findings if f.rule != "STUCK"] == []
        assert names(verdict) == ["I2"]
        assert "the server never returns more than one row" in verdict.notes[-1]


def one_row(feed):
    key = feed.checkpoint or "1960-01-01T00:00:00.000Z"
    for row in get(feed, oldest_first(key, 1)):
        if row["createdAt"] != key:
            feed.deliver(row)
            feed.save(row["createdAt"])


def test_a_limit_of_one_is_the_clients_own():
    verdict = judged(tied(1, behind=3, cap=100), one_row)
    assert [(f.rule, f.cause) for f in verdict.findings] == [("LOST", "cut-by-limit")]
    (told,) = verdict.impossible
    assert told.name == "I2"
    assert told.sentence == (
        "every request asked for one row, and a key that includes its own row never moves on from "
        "that: ask for two or more (I2)"
    )


@pytest.mark.parametrize(("cap", "ask_for_more"), [(1, False), (2, True)])
def test_under_a_cap_of_one_row_it_is_not(cap, ask_for_more):
    (told,) = judged(tied(1, behind=3, cap=cap), one_row).impossible
    assert told.name == "I2"
    assert ("ask for two or more" in told.sentence) == ask_for_more


# I3


def test_what_came_too_late_is_named():
    events = [event(2, 1, visible=100), event(3, 2)]
    verdict = judged(world(events, late=30), by_id)
    (told,) = verdict.impossible
    assert (told.name, told.event_ids) == ("I3", (2,))
    assert told.sentence == (
        "e1 came later than the 30 s that were promised, and nobody is complete without a bound on "
        "the lateness (I3)"
    )
    assert verdict.notes == ("1 event later than promised, not counted",)


def test_what_an_old_answer_withheld_too_long_is_too_late():
    stale = poll(119, faults=(Fault(kind="stale-read", ms=110_000, times=None),))
    verdict = judged(world([event(2, 10)], polls=(5, stale, 180, 240, 300), calm_from=2), by_id)
    assert names(verdict) == ["I3"]
    assert verdict.findings == ()


# I4


def test_ids_alone_never_find_what_appears_behind():
    verdict = judged(world([event(2, 1, visible=20), event(3, 2)]), by_id)
    assert verdict.outcome == "broken"
    (told,) = verdict.impossible
    assert (told.name, told.event_ids) == ("I4", (2,))
    assert told.sentence in verdict.notes
    assert (
        "a client that asks again for a window of time finds that (T7), one that" in told.sentence
    )


@pytest.mark.parametrize(("visible", "told"), [(10, []), (10.001, ["I4"])])
def test_what_appeared_with_the_request_was_not_behind_it(visible, told):
    """A request from 2 on can't have returned 2, be it there or not."""

    def from_two(feed):
        for row in get(feed, {"since_id": feed.checkpoint or 2}):
            feed.deliver(row)
            feed.save(row["id"])

    verdict = judged(world([event(2, 1, visible=visible), event(3, 2)]), from_two)
    assert [finding.event_ids for finding in verdict.findings] == [(2,)]
    assert names(verdict) == told


def test_what_was_served_after_all_is_another_mistake():
    def drops_two(feed):
        for row in get(feed, {"since_id": 1}):
            if row["id"] > max(2, feed.checkpoint or 0):
                feed.deliver(row)
                feed.save(row["id"])

    verdict = judged(world([event(2, 1, visible=20), event(3, 2)]), drops_two)
    assert [finding.cause for finding in verdict.findings] == ["served-not-delivered"]
    assert verdict.impossible == ()


def test_who_asked_for_no_list_did_not_go_on_from_ids():
    def one_by_one(feed):
        if feed.checkpoint is None:
            feed.urllib_opener().open(feed.url("/com/events/3.json")).close()
            feed.deliver(3)
            feed.save(3)

    verdict = judged(world([event(2, 1, visible=20), event(3, 2)]), one_by_one)
    assert [finding.cause for finding in verdict.findings] == ["never-asked"]
    assert verdict.impossible == ()


def by_short_window(feed):
    """A window by stamps that does not look back."""
    low = feed.checkpoint or 0
    for row in get(feed, {"created_at_min": f"1970-01-01 00:{low:02}", "since_id": 1}):
        if feed.checkpoint is None:
            feed.deliver(row)
    feed.save(5)


def test_a_window_that_is_too_short_is_another_mistake():
    verdict = judged(world([event(2, 1, visible=20), event(3, 2)]), by_short_window)
    assert [finding.cause for finding in verdict.findings] == ["never-asked"]
    assert verdict.impossible == ()


def test_who_skips_ids_is_not_excused():
    def skips(feed):
        for row in get(feed, {"since_id": 2}):
            if not feed.checkpoint:
                feed.deliver(row)
        feed.save(True)

    verdict = judged(world([event(2, 1), event(3, 2)]), skips)
    assert [finding.event_ids for finding in verdict.findings] == [(2,)]
    assert verdict.impossible == ()


# I5


CRASH = (poll(10, crash="before-save"), 120, 180, 240)


def test_two_steps_are_not_exactly_once():
    scenario = world([event(2, 1)], polls=CRASH)
    verdict = judged(scenario, by_id, EXACTLY_ONCE)
    (finding,) = verdict.findings
    assert finding.rule == "DUPLICATED"
    assert finding.why[-1].endswith("can't be exactly-once across a crash (I5).")
    (told,) = verdict.impossible
    assert (told.name, told.event_ids) == ("I5", (2,))
    assert told.sentence == (
        "e1 fell between delivering and saving, which in two steps no client makes exactly-once "
        "across a crash; feed.commit is one step (I5)"
    )
    assert judged(scenario, by_id).impossible == ()


def saves_first(feed):
    since = feed.checkpoint or 1
    page = get(feed, {"since_id": since})
    if page:
        feed.save(page[-1]["id"])
    for row in page:
        feed.deliver(row)


def test_in_the_other_order_neither():
    scenario = world([event(2, 1)], polls=(poll(10, crash="after-save"), 120, 180, 240))
    verdict = judged(scenario, saves_first, EXACTLY_ONCE)
    (finding,) = verdict.findings
    assert (finding.rule, finding.cause) == ("LOST", "saved-before-delivered")
    assert finding.why[-1].endswith("(I5).")
    assert names(verdict) == ["I5"]
    assert "(I5)" not in judged(scenario, saves_first).text()


def test_one_step_is():
    client = load_client(f"{FOLDER / 'saleschannel_boundary_escalating.py'}:follow")
    for point in ("before-commit", "after-commit", "after-request"):
        polls = (poll(10, crash=point), 120, 180, 240)
        scenario = in_2026(world([event("ca", 1)], dialect="saleschannel", late=0, polls=polls))
        verdict = judged(scenario, client, EXACTLY_ONCE)
        assert (verdict.outcome, verdict.impossible) == ("kept", ())


def test_a_repeat_without_a_crash_is_no_impossibility():
    def twice(feed):
        for row in get(feed, {"since_id": 1}):
            feed.deliver(row)
        feed.save(True)

    verdict = judged(world([event(2, 1)]), twice, EXACTLY_ONCE)
    assert [finding.rule for finding in verdict.findings] == ["DUPLICATED"]
    assert verdict.impossible == ()


def test_both_orders_in_one_client():
    """What is lost and what is repeated by a crash are told together, and no other loss is."""
    polls_begun = []

    def wavers(feed):
        polls_begun.append(feed.now())
        page = [row for row in get(feed, {"since_id": feed.checkpoint or 1}) if row["id"] != 4]
        if page and len(polls_begun) == 3:
            feed.save(page[-1]["id"])
        for row in page:
            feed.deliver(row)
        if page:
            feed.save(page[-1]["id"])

    events = [event(2, 1), event(4, 2), event(5, 3), event(6, 100)]
    polls = (poll(10, crash="before-save"), poll(20), poll(120, crash="after-save"), 180, 240, 300)
    verdict = judged(world(events, polls=polls, calm_from=3), wavers, EXACTLY_ONCE)
    assert [(f.rule, f.cause, f.event_ids) for f in verdict.findings] == [
        ("LOST", "served-not-delivered", (4,)),
        ("LOST", "saved-before-delivered", (6,)),
        ("DUPLICATED", None, (2, 5)),
    ]
    assert [(each.name, each.event_ids) for each in verdict.impossible] == [("I5", (2, 5, 6))]


def test_a_crash_after_a_repeat_did_not_bring_it_about():
    lives = []

    def twice_in_its_first_life(feed):
        lives.append(feed.now())
        for row in get(feed, {"since_id": feed.checkpoint or 1}):
            if len(lives) == 1:
                feed.deliver(row)
                feed.deliver(row)
            feed.save(row["id"])

    scenario = world([event(2, 1)], polls=CRASH)
    verdict = judged(scenario, twice_in_its_first_life, EXACTLY_ONCE)
    assert [finding.rule for finding in verdict.findings] == ["DUPLICATED"]
    assert verdict.impossible == ()


# All of them


def test_an_order_and_a_delay_exclude_each_other():
    says = order_and_delay(300_000, 60_000)
    assert "late by up to 5 min" in says
    assert "a delay of 1 min (I6)" in says


def test_the_report_and_its_json_say_the_same():
    verdict = judged(tied(7, behind=1), nudges)
    report = json.loads(verdict.to_json())
    (told,) = report["impossible"]
    assert told["sentence"] in report["notes"]
    assert told["sentence"] in " ".join(verdict.text().split())
    assert (told["name"], told["event_ids"], told["worlds"]) == ("I1", ["c05", "c06"], 1)


def test_many_worlds_are_counted():
    one, two, many = over_worlds({"I3": 12, "I1": 1, "I2": 2, "I4": 0})
    assert (one.name, one.worlds, one.event_ids) == ("I1", 1, ())
    assert one.sentence == f"{IMPOSSIBLE['I1'].situation}, in 1 world (I1)"
    assert two.sentence.endswith(", in 2 worlds (I2)")
    assert many.sentence.endswith(", in 12 worlds (I3)")
    assert (two.worlds, many.worlds) == (2, 12)


def test_nothing_else_is_told_of_a_world():
    assert set(IMPOSSIBLE) == {"I1", "I1b", "I2", "I3", "I4", "I5"} | NOT_IN_A_WORLD


def test_an_event_of_no_tie_is_in_reach():
    scenario = tied(3, behind=1)
    evidence = Evidence(scenario, (), Promise())
    assert not any(is_out_of_reach(evidence, each) for each in scenario.events)
    capped = replace(scenario, settings={"limit_max": 2})
    evidence = Evidence(capped, (), Promise())
    assert [e.id for e in capped.events if is_out_of_reach(evidence, e)] == ["c02"]
