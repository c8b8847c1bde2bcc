"""What users read, word for word: each sentence is chosen by a fact, and the wrong one is not."""

import pytest
from msgspec.structs import replace

from fakeserver.dialects import find_dialect
from fakeserver.fault import Fault
from fakeserver.history import Exchange
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.rules.politeness import IDLE_ASKS_MAX
from fakeserver.verifier.runner import run

from .worlds import event, get, poll, world

RECORDED = Promise(order="recorded")
SNAPSHOT = Promise(mode="snapshot")
TWO = (event(2, 1), event(3, 2))
SORT = "Sort what a poll has read before it delivers any of it."
READ_ALL = "Read everything that can be read before anything is delivered, and sort it."
HOLD_BACK = (
    "Hold events back until nothing earlier can still appear: deliver up to the start of the poll "
    "minus the promised lateness, sorted (theorem T3)."
)


def only(scenario, history, rule, promise=None):
    """The finding of `rule`: there is one."""
    found = judge(scenario, history, promise).findings
    (finding,) = (each for each in found if each.rule == rule)
    return finding


def once(client):
    """A client that does this in its first poll, and nothing later."""

    def only_at_first(feed):
        if not feed.checkpoint:
            client(feed)
            feed.save(1)

    return only_at_first


# OUT_OF_ORDER


@once
def second_page_first(feed):
    """Ask for what comes after the first row, deliver that, and then read the first row."""
    for since_id in (2, 1):
        for row in get(feed, {"since_id": since_id, "limit": 1}):
            feed.deliver(row)


@once
def two_pages_backwards(feed):
    rows = [*get(feed, {"since_id": 1, "limit": 1}), *get(feed, {"since_id": 2, "limit": 1})]
    for row in reversed(rows):
        feed.deliver(row)


@pytest.mark.parametrize(
    ("promise", "said"),
    [
        (RECORDED, "e1, recorded 00:00:01, came after e2, recorded 00:00:02."),
        (Promise(order="id"), "e1, with id 2, came after e2, with id 3."),
    ],
    ids=["recorded", "id"],
)
def test_out_of_order_across_the_pages_of_a_poll(promise, said):
    scenario = world(TWO)
    finding = only(scenario, run(scenario, two_pages_backwards), "OUT_OF_ORDER", promise)
    assert finding.message == "e1 was delivered after e2"
    assert finding.event_ids == (2, 3)
    assert finding.why == (
        f"The promise is order={promise.order}, but {said}",
        "Poll 1 was served e1 before it delivered e2.",
    )
    assert finding.would == SORT


def test_out_of_order_in_a_snapshot():
    scenario = world(TWO)
    promise = Promise(mode="snapshot", order="recorded")
    finding = only(scenario, run(scenario, second_page_first), "OUT_OF_ORDER", promise)
    assert finding.why[1:] == ()
    assert finding.would == "Read the whole log before anything is delivered, and sort it."


@pytest.mark.parametrize(("visible", "would"), [(10, READ_ALL), (10.001, HOLD_BACK)])
def test_out_of_order_by_what_could_be_read(visible, would):
    scenario = world([event(2, 1, visible=visible), event(3, 2)], request=1)
    history = run(scenario, second_page_first)
    at = next(step.at for step in history if isinstance(step, Exchange))
    scenario = world([event(2, 1, visible=visible - 10 + at / 1_000), event(3, 2)], request=1)
    finding = only(scenario, run(scenario, second_page_first), "OUT_OF_ORDER", RECORDED)
    could = ("e1 could be read before e2 was delivered.",) if would == READ_ALL else ()
    assert (finding.why[1:], finding.would) == (could, would)


def test_out_of_order_though_the_answer_was_an_old_one():
    scenario = world(TWO)
    history = list(run(scenario, second_page_first))
    place = next(n for n, step in enumerate(history) if isinstance(step, Exchange))
    history[place] = replace(history[place], as_of=history[place].at - 1)
    finding = only(scenario, tuple(history), "OUT_OF_ORDER", RECORDED)
    assert (finding.why[1:], finding.would) == ((), HOLD_BACK)


def test_out_of_order_by_a_row_that_was_never_served():
    @once
    def from_elsewhere(feed):
        feed.deliver(3)
        for row in get(feed, {"since_id": 1, "limit": 1}):
            feed.deliver(row)

    scenario = world(TWO)
    finding = only(scenario, run(scenario, from_elsewhere), "OUT_OF_ORDER", RECORDED)
    assert (finding.why[1:], finding.would) == ((), HOLD_BACK)


# A snapshot that lacks an event


def asks(*queries):
    """A client that in every poll delivers what these requests bring."""

    def client(feed):
        for query in queries:
            for row in get(feed, query):
                feed.deliver(row)

    return client


THERE = "e{} (id {}) was visible from 00:00:0{} on, so it was there when poll 1 began, at 00:00:10."


@pytest.mark.parametrize(
    ("limit", "limit_max", "came", "clamped"),
    [(1, 50, "1 row", False), (2, 2, "2 rows", False), (3, 2, "2 rows", True)],
)
def test_a_snapshot_that_was_cut(limit, limit_max, came, clamped):
    rows = [event(number + 1, number) for number in range(1, limit + 1 + (not clamped))]
    scenario = world(rows, limit_max=limit_max)
    client = asks({"since_id": 1, "limit": limit})
    finding = only(scenario, run(scenario, client), "LOST", SNAPSHOT)
    n = len(rows)
    assert finding.why == (
        THERE.format(n, n + 1, n),
        "The last request of the poll that covered it asked for ids above 1, lowest first; "
        f"{came} came, and e{n} was not among them.",
    )
    document = find_dialect("haravan").promises_at
    assert finding.allowed == (
        f'A server may return fewer rows than were asked for ({document}, "limit").'
        if clamped
        else None
    )
    assert finding.would == (
        "Go on from the last row received, in the same poll, until a page brings nothing new; a "
        "short page does not prove the end."
    )


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ((), "The poll sent no request for rows."),
        (
            (2, 3, 4),
            "No request of the poll covered it: it asked for ids above 2, lowest first, ids above "
            "3, lowest first and ids above 4, lowest first.",
        ),
        (
            (2, 3, 4, 5),
            "No request of the poll covered it: it asked for ids above 2, lowest first, then … ids "
            "above 5, lowest first.",
        ),
    ],
    ids=["nothing", "three", "four"],
)
def test_a_snapshot_that_never_asked(above, said):
    scenario = world([event(2, 1)])
    client = asks(*({"since_id": since_id} for since_id in above))
    finding = only(scenario, run(scenario, client), "LOST", SNAPSHOT)
    assert finding.why == (THERE.format(1, 2, 1), said)
    assert finding.would == (
        "Begin every poll at the start of the log, not where the last one ended: a snapshot has "
        "all that is visible."
    )


@pytest.mark.parametrize("was_delivered", [True, False])
def test_a_snapshot_that_dropped_a_row(was_delivered):
    def drops_the_second(feed):
        for row in get(feed, {"since_id": 1, "limit": 10}):
            if row["id"] != 3 or (was_delivered and not feed.checkpoint):
                feed.deliver(row)
        feed.save(1)

    scenario = world(TWO)
    finding = only(scenario, run(scenario, drops_the_second), "LOST", SNAPSHOT)
    known = " It was delivered in poll 1, but each poll is a snapshot of its own."
    assert finding.why[1] == (
        "e2 was row 2 of 2 of a page in that poll, and the client dropped it."
        + (known if was_delivered else "")
    )
    assert finding.would == (
        "Deliver every row of the log in every poll, whatever earlier polls delivered; drop, by "
        "its id, only what this poll has delivered."
    )


# IMPOLITE


@once
def hasty(feed):
    """Send a request again after a second, whatever the answer says."""
    opener = feed.urllib_opener()
    url = feed.url("/com/events.json?since_id=1")
    for pause_s in (1, 0):
        try:
            opener.open(url).close()
        except OSError:
            feed.sleep(pause_s)


def test_asked_again_too_soon():
    polls = (poll(10, faults=[Fault(kind="server-error", retry_after_s=3)]), 120, 180, 240)
    scenario = world(polls=polls)
    finding = only(scenario, run(scenario, hasty), "IMPOLITE")
    assert finding.message == (
        "poll 1 asked again after 1 s, and not after the 3 s that the server had asked for"
    )
    assert finding.why == (
        "GET /com/events.json?since_id=1 was answered 503 at 00:00:10, with Retry-After: wait 3 s.",
        "The same request was sent again at 00:00:11, 1 s later.",
    )
    assert finding.allowed == (
        "A server may ask for a pause (RFC 9110, section 10.2.3); one that is asked on all the "
        "same may lock the client out."
    )
    assert finding.would == (
        "Send the request again not before 00:00:13, when the 3 s of Retry-After are over "
        "(feed.sleep costs no real time); or let the poll fail, and come back in the next one."
    )


def test_asked_again_before_a_pause_that_ends_on_the_next_day():
    """It counts from the second of the answer, as everybody does who reads its ``Date``."""
    polls = (
        poll(86_399.5, faults=[Fault(kind="server-error", retry_after_s=3)]),
        *(86_520, 86_580, 86_640),
    )
    scenario = world(polls=polls)
    finding = only(scenario, run(scenario, hasty), "IMPOLITE")
    assert finding.would == (
        "Send the request again not before 1970-01-02 00:00:02, when the 3 s of Retry-After are "
        "over (feed.sleep costs no real time); or let the poll fail, and come back in the next one."
    )


@pytest.mark.parametrize(
    ("since_id", "brought"), [(2, "no rows"), (1, "no row that it had not brought before")]
)
@pytest.mark.parametrize(
    ("pause_s", "slept", "until"),
    [(0, "did not wait at all", "00:00:10"), (0.05, "slept 950 ms in all", "00:00:10.950")],
)
def test_hammered(since_id, brought, pause_s, slept, until):
    @once
    def hammers(feed):
        for row in get(feed, {"since_id": 1, "limit": 2}):
            feed.deliver(row)
        for _ in range(IDLE_ASKS_MAX):
            get(feed, {"since_id": since_id, "limit": 2})
            feed.sleep(pause_s)

    scenario = world([event(2, 1)])
    finding = only(scenario, run(scenario, hammers), "IMPOLITE")
    assert finding.message == f"poll 1 asked an idle feed the same 20 times and {slept}"
    assert finding.why == (
        f"From 00:00:10 to {until} it sent GET /com/events.json?since_id={since_id}&limit=2 20 "
        f"times, and it brought {brought}.",
    )
    assert finding.allowed is None
    assert finding.would == (
        "When nothing is new, wait some seconds before asking again (feed.sleep costs no real "
        "time); or return, and be called for the next poll."
    )


# How many


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (1, "1 of 1 event was never delivered"),
        (2, "2 of 2 events were never delivered"),
    ],
)
def test_how_many_were_lost(events, message):
    scenario = world([event(number + 1, number) for number in range(1, events + 1)])
    assert only(scenario, run(scenario, lambda feed: None), "LOST").message == message
