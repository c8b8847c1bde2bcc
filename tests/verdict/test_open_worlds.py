"""Open scenarios: a client that nobody here calls is judged by what it had the chance to read."""

import pytest
from msgspec.structs import replace

from fakeserver.errors import ScenarioError, UsageError
from fakeserver.history import AnyStep, Delivered, Exchange, PollEnded, PollStarted, Restarted
from fakeserver.scenario import PATIENCE_MS, Scenario
from fakeserver.verifier import open_world
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from tests.verdict.worlds import event, ms, world


def opened(*events) -> Scenario:
    return world(events, polls=(), calm_from=0)


def poll(number: int, at: float, *steps: AnyStep, ended: bool = True) -> list[AnyStep]:
    """One poll of a history, as whoever watches the requests writes it down."""
    end = [PollEnded(at=ms(at), poll=number, ending="returned")] if ended else []
    return [PollStarted(at=ms(at), poll=number), *steps, *end]


def asked(at: float, since_id: int, *ids: int) -> Exchange:
    target = f"/com/events.json?since_id={since_id}&limit=2"
    return Exchange(at=ms(at), method="GET", target=target, status=200, event_ids=ids)


def delivered(at: float, *ids: int) -> list[Delivered]:
    return [Delivered(at=ms(at), event_id=event_id) for event_id in ids]


LATE = (event(1, 0, visible=20), event(2, 1))


def test_who_never_asked_again_is_accused():
    history = (
        *poll(1, 10, asked(10, 0, 2), *delivered(10, 2), asked(10, 2)),
        *poll(2, 30, asked(30, 2)),
    )
    verdict = judge(opened(*LATE), tuple(history))
    assert [(f.rule, f.cause, f.event_ids) for f in verdict.findings] == [
        ("LOST", "never-asked", (1,))
    ]


def test_who_looked_back_is_spared():
    history = (
        *poll(1, 10, asked(10, 0, 2), *delivered(10, 2), asked(10, 2)),
        *poll(2, 30, asked(30, 0, 1, 2), *delivered(30, 1)),
    )
    assert judge(opened(*LATE), tuple(history)).outcome == "kept"


@pytest.mark.parametrize("ended", [True, False])
def test_what_appeared_in_the_last_poll_is_not_owed_yet(ended):
    history = poll(1, 10, asked(10, 0, 2), *delivered(10, 2), asked(25, 2), ended=ended)
    verdict = judge(opened(*LATE), tuple(history))
    assert verdict.findings == ()


def test_a_poll_under_way_owes_nothing():
    history = poll(1, 30, asked(30, 0, 1, 2), ended=False)
    verdict = judge(opened(*LATE), tuple(history))
    assert (verdict.outcome, verdict.findings) == ("inconclusive", ())


def test_polls_still_count_up():
    history = (*poll(1, 10), *poll(3, 20))
    with pytest.raises(ScenarioError, match="starts poll 3, but poll 2 comes next"):
        judge(opened(*LATE), history)


def test_an_open_scenario_has_no_calm():
    with pytest.raises(ScenarioError, match="without polls there is no calm"):
        world(LATE, polls=(), calm_from=2)


def test_nobody_knows_when_to_call_a_client():
    with pytest.raises(UsageError, match="expected a scenario with polls, got an open one"):
        run(opened(*LATE), lambda feed: None)


def test_the_file_is_read_back():
    scenario = opened(*LATE)
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert scenario.is_open
    assert not world(LATE).is_open


def test_a_restart_and_a_failure_excuse_a_repeat_each():
    first = (asked(10, 0, 2), *delivered(10, 2))
    failed = Exchange(at=ms(30), method="GET", target="/com/events.json", status=503)
    history = (
        *poll(1, 10, *first),
        Restarted(at=ms(20)),
        *poll(2, 30, asked(30, 0, 2), *delivered(30, 2), replace(failed, fault="server-error")),
        *poll(3, 50, asked(50, 0, 2), *delivered(50, 2)),
    )
    assert judge(opened(event(2, 1)), history).findings == ()
    once_more = poll(4, 70, asked(70, 0, 2), *delivered(70, 2))
    verdict = judge(opened(event(2, 1)), (*history, *once_more))
    assert [(f.rule, f.event_ids) for f in verdict.findings] == [("DUPLICATED", (2,))]


# What a failed or old answer leaves in doubt

DOUBTFUL = "1 event not delivered: no whole poll could read it yet"
FIRST_POLL = poll(1, 10, asked(10, 0, 2), *delivered(10, 2), asked(10, 2))


def failed(at: float, since_id: int) -> Exchange:
    return replace(asked(at, since_id), status=503, fault="server-error")


def old(at: float, as_of: float, since_id: int, *ids: int) -> Exchange:
    return replace(asked(at, since_id, *ids), as_of=ms(as_of), fault="stale-read")


def paged(exchange: Exchange, page: int) -> Exchange:
    return replace(exchange, target=f"/com/events.json?page={page}&limit=2")


@pytest.mark.parametrize(
    "steps",
    [
        (failed(30, 0), asked(30, 2)),
        (asked(30, 0, 1, 2), failed(30, 0), asked(30, 2)),
        (old(30, 15, 0, 2), asked(30, 2)),
        (paged(failed(30, 0), 1), paged(asked(30, 0), 2)),
    ],
    ids=["failed", "failed-the-second-time", "old", "then-the-next-page"],
)
def test_what_a_bad_answer_was_for_is_in_doubt(steps):
    verdict = judge(opened(*LATE), (*FIRST_POLL, *poll(2, 30, *steps)))
    assert (verdict.findings, verdict.notes) == ((), (DOUBTFUL,))


@pytest.mark.parametrize(
    "steps",
    [
        (failed(30, 0), asked(30, 0, 1, 2), asked(30, 2)),
        (failed(30, 2), asked(30, 2)),
        (old(30, 25, 0, 1, 2), asked(30, 2)),
        (old(30, 15, 0, 2), asked(30, 0, 1, 2), asked(30, 2)),
        (paged(failed(30, 0), 2), paged(asked(30, 0, 2, 1), 1), asked(30, 2)),
    ],
    ids=["asked-again", "for-others", "old-but-whole", "old-then-new", "an-earlier-page"],
)
def test_a_bad_answer_excuses_nothing_else(steps):
    verdict = judge(opened(*LATE), (*FIRST_POLL, *poll(2, 30, *steps)))
    assert [(f.rule, f.event_ids) for f in verdict.findings] == [("LOST", (1,))]


def test_repeats_are_noted_in_an_open_world_too():
    history = poll(1, 10, asked(10, 0, 2), *delivered(10, 2, 2), asked(10, 2))
    verdict = judge(opened(event(2, 1)), tuple(history), Promise(delivery="at-least-once"))
    assert (verdict.findings, verdict.notes) == ((), ("1 repeat allowed by at-least-once",))


@pytest.mark.parametrize(("status", "is_excused"), [(200, False), (400, True)])
def test_a_refused_request_may_have_ended_a_poll(status, is_excused):
    refused = replace(asked(10, 2), status=status)
    again = poll(2, 30, asked(30, 0, 2), *delivered(30, 2), asked(30, 2))
    history = (*poll(1, 10, asked(10, 0, 2), *delivered(10, 2), refused), *again)
    rules = {finding.rule for finding in judge(opened(event(2, 1)), history).findings}
    assert ("DUPLICATED" not in rules) == is_excused


# What an old page of a numbered list lacked


def numbered(at: float, page: int, *ids: int, as_of: float | None = None) -> Exchange:
    """One page of the list by page numbers, newest first; an old one with `as_of`."""
    whole = paged(asked(at, 0, *ids), page)
    return whole if as_of is None else replace(whole, as_of=ms(as_of), fault="stale-read")


def charged(scenario: Scenario, history, promise=None) -> tuple[list[int], tuple[str, ...]]:
    """The events that the client is accused of, and the notes."""
    verdict = judge(scenario, tuple(history), promise)
    assert {finding.rule for finding in verdict.findings} <= {"LOST"}
    found = sorted(event_id for finding in verdict.findings for event_id in finding.event_ids)
    return found, verdict.notes


FIVE = tuple(event(number, number) for number in range(1, 6))
NEWEST = event(200, 29, visible=31)
NEWEST_DELIVERED = (asked(31, 100, 200), *delivered(31, 200))
"""By this a client shows that it holds nothing back."""


@pytest.mark.parametrize(
    ("late", "old", "in_doubt"),
    [
        # Full: rows 3 and 2 came, and 4 and 3 were due.
        ((event(6, 6, visible=30),), numbered(30, 2, 3, 2, as_of=25), {4, 6}),
        # Not full, so it was taken for the last page: all that is due from there on was missed.
        (
            tuple(event(number, number, visible=28) for number in (6, 7, 8)),
            numbered(30, 3, 1, as_of=25),
            {2, 3, 4, 6, 7, 8},
        ),
    ],
    ids=["full", "short"],
)
def test_an_old_page_lacks_what_was_pushed_onto_it(late, old, in_doubt):
    """Of what it did not lack, nothing was delivered."""
    found, notes = charged(opened(*FIVE, *late, NEWEST), poll(1, 30, old, *NEWEST_DELIVERED))
    assert set(found) == {each.id for each in (*FIVE, *late)} - in_doubt
    assert notes == (f"{len(in_doubt)} events not delivered: no whole poll could read it yet",)


def test_an_old_refusal_lacks_what_appeared_since():
    refused = replace(numbered(30, 1, as_of=25), target="/com/events.json?page=one", status=422)
    late = event(6, 6, visible=28)
    history = poll(1, 30, refused, *NEWEST_DELIVERED)
    assert charged(opened(*FIVE, late, NEWEST), history)[0] == []
    evidence = Evidence(opened(*FIVE, late, NEWEST), tuple(history), Promise())
    assert list(evidence.lacking(refused)) == [6]


def test_where_ties_come_in_any_order_an_old_page_may_lack_any_row():
    shuffled = world(
        (*FIVE, event(6, 0, visible=30), NEWEST),
        polls=(),
        calm_from=0,
        created_at_ties="shuffled",
        order_default="created_at-desc",
    )
    old = numbered(30, 2, 3, 2, as_of=25)
    assert charged(shuffled, poll(1, 30, old, *NEWEST_DELIVERED))[0] == [2, 3]
    first = numbered(30, 1, 3, 2, as_of=25)
    assert charged(shuffled, poll(1, 30, first, *NEWEST_DELIVERED))[0] == [1, 2, 3, 4, 5]


# At the very bound


def test_what_is_visible_when_a_poll_begins_was_to_be_read_in_it():
    for visible, owed in ((30, [1]), (30.001, [])):
        events = (event(1, 0, visible=visible), event(2, 1))
        history = (*FIRST_POLL, *poll(2, 30, asked(31, 2)))
        assert charged(opened(*events), history)[0] == owed


def test_what_appears_with_the_last_request_for_rows_is_undecided():
    """A request for a number of rows, after it, asks for none of them."""
    counted = replace(asked(40, 0), target="/com/events/count.json")
    for visible, notes in ((31, (DOUBTFUL,)), (31.001, ())):
        events = (event(1, 0, visible=visible), event(2, 1))
        history = (*FIRST_POLL, *poll(2, 30, asked(31, 2), counted))
        assert charged(opened(*events), history) == ([], notes)


def test_a_verdict_in_the_middle_of_a_walk_waits_for_the_page_after_a_full_one():
    first, second = asked(30, 0, 1, 2), asked(30, 2)
    assert charged(opened(*LATE), (*FIRST_POLL, *poll(2, 30, first))) == ([], (DOUBTFUL,))
    assert charged(opened(*LATE), (*FIRST_POLL, *poll(2, 30, first, second)))[0] == [1]
    over = (*FIRST_POLL, *poll(2, 30, first), *poll(3, 50))
    assert charged(opened(*LATE), over)[0] == [1]


# Which requests are for rows

REFUSED = "unparsable: since_id: expected a whole number"


@pytest.mark.parametrize(
    ("target", "is_for_rows"),
    [
        ("/com/events.json?since_id=what", True),
        ("/com/events.json?since_id=what?", True),
        ("/com/strange.json?since_id=0", False),
    ],
)
def test_a_refused_request_for_rows_may_have_ended_a_poll(target, is_for_rows):
    """So the polls in which it came last give no chance, whether others follow or not."""
    refused = replace(asked(31, 0), target=target, status=400, problem="unknown-path: " + REFUSED)
    second = poll(2, 30, asked(30, 2), refused)
    for history in ((*FIRST_POLL, *second), (*FIRST_POLL, *second, *poll(3, 50))):
        assert charged(opened(*LATE), history)[0] == ([] if is_for_rows else [1])


def test_a_posted_query_is_no_request_for_rows():
    posted = replace(asked(31, 0), method="POST", status=405, problem="unknown-path: expected GET")
    history = (*FIRST_POLL, *poll(2, 30, asked(30, 2), posted))
    assert charged(opened(*LATE), history)[0] == [1]


def test_the_events_of_one_product_are_rows_too():
    def of_product(at: float, *ids: int) -> Exchange:
        return replace(asked(at, 0, *ids), target="/com/products/7/events.json?limit=2")

    history = (
        *poll(1, 10, of_product(10, 2), *delivered(10, 2)),
        *poll(2, 30, of_product(30, 1, 2), of_product(30, 1, 2)),
        *poll(3, 50),
    )
    assert charged(opened(*LATE), history)[0] == [1]


# What heals a bad answer


@pytest.mark.parametrize(
    ("bad", "later", "is_healed"),
    [
        (paged(failed(30, 0), 2), numbered(30, 2), True),
        (paged(failed(30, 0), 2), numbered(30, 3), False),
        (replace(failed(30, 0), target="/com/events.json?page=one", status=400), 1, True),
        (replace(failed(30, 0), target="/com/events.json?page=one", status=400), 2, False),
    ],
    ids=["the-same-page", "the-next-page", "not-understood", "not-understood-and-the-next-page"],
)
def test_a_page_heals_those_behind_it(bad, later, is_healed):
    """Of a request that nobody understands only the start of the list is sure to heal all."""
    if isinstance(later, int):
        target = f"/com/events.json?page={later}&limit=1"
        later = replace(asked(30, 0, *((2,) if later == 1 else (1,))), target=target)
    history = (*FIRST_POLL, *poll(2, 30, bad, later, asked(30, 2)))
    assert charged(opened(*LATE), history)[0] == ([1] if is_healed else [])


# Who may be holding back

HELD_BACK = "1 event not delivered yet: perhaps held back, not counted"
AT_ONCE = Promise(late_by_ms_max=0)
HOUR = PATIENCE_MS / 1_000


def test_of_one_stamp_a_poll_delivers_all():
    """What has the newest stamp that was delivered was to come with it, or in the next poll."""
    three = tuple(event(number, 5) for number in (1, 2, 3))
    history = (
        *poll(1, 10, asked(10, 0, 1, 2), *delivered(10, 1)),
        *poll(2, 20, asked(20, 0, 1, 2), asked(20, 2, 3), asked(20, 3)),
        *poll(3, 30, asked(30, 0, 1, 2), *delivered(30, 2), failed(30, 2)),
    )
    # Poll 2 came after the first of them was delivered, whenever the second one was.
    assert charged(opened(*three), history) == ([3], ())
    in_one = poll(1, 10, asked(10, 0, 1, 2), *delivered(10, 1, 2), asked(10, 2, 3), asked(10, 3))
    assert charged(opened(*three), in_one) == ([3], ())
    cut_short = (
        *poll(1, 10, asked(10, 0, 1, 2), asked(10, 2, 3), asked(10, 3)),
        *poll(2, 20, asked(20, 0, 1, 2), *delivered(20, 1, 2), failed(20, 2)),
    )
    assert charged(opened(*three), cut_short) == ([], (HELD_BACK,))


@pytest.mark.parametrize(("at", "found"), [(61.999, []), (62, [1])])
def test_an_event_is_kept_for_the_lateness_and_no_longer(at, found):
    """Nothing later was delivered, so it may wait for one that comes earlier still, until 62 s."""
    history = (*poll(1, at, asked(at, 1)), *poll(2, 500, failed(500, 0)))
    notes = () if found else (HELD_BACK,)
    assert charged(opened(event(1, 2)), history) == (found, notes)


def test_an_event_that_nobody_could_be_late_for_is_not_kept_at_all():
    history = poll(1, 10, asked(10, 1))
    assert charged(opened(event(1, 10)), history, AT_ONCE)[0] == [1]
    assert charged(opened(event(1, 10)), history, Promise(late_by_ms_max=1))[0] == []


@pytest.mark.parametrize(("at", "found"), [(HOUR + 1.999, []), (HOUR + 2, [2])])
def test_who_is_seen_to_hold_back_has_an_hour(at, found):
    """It was served the first event in one poll and delivered it in the next."""
    scenario = opened(event(1, 1), event(2, 2))
    first, last = poll(1, 10, asked(10, 0, 1)), poll(3, at, asked(at, 5))
    held = (*first, *poll(2, 20, *delivered(20, 1), asked(20, 5)), *last)
    assert charged(scenario, held)[0] == found
    at_once = (*first[:-1], *delivered(10, 1), first[-1], *poll(2, 20, asked(20, 5)), *last)
    assert charged(scenario, at_once)[0] == [2]


@pytest.mark.parametrize(
    ("at", "last", "found"),
    [
        (HOUR + 1.999, ([2], []), []),
        (HOUR + 2, ([2], []), [2]),
        (HOUR + 1.999, ([1, 2], [1]), [2]),
    ],
    ids=["kept", "an-hour-is-over", "not-the-last-that-it-was-served"],
)
def test_who_keeps_what_it_was_served_last_has_an_hour(at, last, found):
    """The last page with rows decides: it had a later one than all that was delivered."""
    walk = [asked(at, 5, *ids) for ids in last]
    history = (*poll(1, 10, asked(10, 0, 1), *delivered(10, 1)), *poll(2, at, *walk))
    assert charged(opened(event(1, 1), event(2, 2)), history)[0] == found


def test_what_is_kept_and_what_is_undecided_are_told_apart():
    """3 has been read, 4 appeared after the last poll had begun, and 1 was to be read in it."""
    _, kept, undecided, owed = events = (
        event(2, 1),
        event(3, 29),
        event(4, 0, visible=30.5),
        event(1, 0, visible=20),
    )
    history = (*FIRST_POLL, *poll(2, 30, asked(30, 2, 3), asked(31, 3)))
    missing = open_world.missing(Evidence(opened(*events), tuple(history), Promise()))
    assert missing == open_world.Missing(owed=(owed,), held_back=(kept,), undecided=(undecided,))


def test_a_world_with_doubts_proves_nothing():
    events = (event(2, 1), event(3, 1), event(4, 1), event(1, 0, visible=30.5))
    history = (
        *poll(1, 10, asked(10, 0, 2, 3), asked(10, 3, 4), *delivered(10, 2, 3, 4), asked(10, 4)),
        *poll(2, 30, asked(30, 4), asked(31, 4)),
    )
    verdict = judge(opened(*events), history)
    assert verdict.exercised
    assert (verdict.outcome, verdict.notes) == ("inconclusive", (DOUBTFUL,))
    whole = (*history, *poll(3, 40, asked(40, 0, 1, 2), *delivered(40, 1), asked(40, 2)))
    assert judge(opened(*events), whole).outcome == "kept"


def test_a_poll_that_asked_nothing_is_followed_by_the_next():
    history = (PollStarted(at=0, poll=1), PollStarted(at=0, poll=2), *FIRST_POLL[1:-1])
    assert judge(opened(event(2, 1)), history).findings == ()
