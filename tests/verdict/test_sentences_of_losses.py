"""Why an event was lost, word for word: what was asked, what came, what is allowed, what helps."""

import pytest
from msgspec.structs import replace

from fakeserver.dialects import find_dialect
from fakeserver.fault import Fault
from fakeserver.history import Exchange
from fakeserver.verifier.causes import explain_loss
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run

from .worlds import event, get, oldest_first, poll, world

LATE = Promise(delivery="at-least-once")
BORN = "{} (id {}) was recorded at 00:00:0{} and visible at once."
NO_MORE = "The client took that page for the last one and never asked again."
GO_ON = "Go on from the last row received, with its stamp or id, until a page brings nothing new."
NOT_THE_END = (
    "Go on from the last row received until a page brings nothing new; a page shorter than the "
    "limit asked for does not prove the end."
)


def at_first(*queries, swallow=False):
    """A client whose first poll delivers what these requests bring; later ones do nothing."""

    def client(feed):
        if feed.checkpoint:
            return
        for query in queries:
            try:
                rows = get(feed, query)
            except OSError:
                if not swallow:
                    raise
                continue
            for row in rows:
                feed.deliver(row)
        feed.save(1)

    return client


def loss(scenario, history, cause):
    """The finding of the events that were lost for this cause, the last of them alone."""
    found = judge(scenario, history, LATE).findings
    (finding,) = (each for each in found if each.rule == "LOST" and each.cause == cause)
    return finding


def lost_by(scenario, client, cause):
    return loss(scenario, run(scenario, client), cause)


def explained(scenario, client, cause):
    """The same without clues, which may know better: what the requests and answers show alone."""
    evidence = Evidence(scenario, run(scenario, client), LATE)
    missing = (each for each in evidence.owed() if each.id not in evidence.first_delivery)
    (found,) = (explain_loss(evidence, each) for each in missing)
    assert found.cause == cause
    return found


def promised(dialect, says, word):
    return f'{says} ({find_dialect(dialect).promises_at}, "{word}").'


def ids(*numbers):
    return [event(number, number - 1) for number in numbers]


# Cut by the limit


@pytest.mark.parametrize(
    ("rows", "cap", "queries", "said", "allowed", "would"),
    [
        (
            (2, 3, 4),
            50,
            [{"since_id": 1, "limit": 2}],
            ["the page ended after 2 rows, and e3 was not among them.", NO_MORE],
            None,
            GO_ON,
        ),
        (
            (2, 3),
            50,
            [{"since_id": 1, "limit": 1}],
            ["the page ended after 1 row, and e2 was not among them.", NO_MORE],
            None,
            GO_ON,
        ),
        (
            (2, 3, 4),
            2,
            [{"since_id": 1, "limit": 3}],
            [
                "the page ended after 2 rows, and e3 was not among them.",
                "It asked for 3 rows; the server never returns more than 2.",
                NO_MORE,
            ],
            promised("haravan", "A server may return fewer rows than were asked for", "limit"),
            NOT_THE_END,
        ),
        (
            (2, 3, 4),
            50,
            [{"since_id": 1, "limit": 2}, {"since_id": 9, "limit": 2}],
            [
                "the page ended after 2 rows, and e3 was not among them.",
                "After that every request asked for ids above 9, lowest first, which leaves out e3 "
                "(id 4).",
            ],
            None,
            GO_ON,
        ),
    ],
    ids=["full", "one-row", "clamped", "went-on-elsewhere"],
)
def test_cut_by_the_limit(rows, cap, queries, said, allowed, would):
    scenario = world(ids(*rows), limit_max=cap)
    finding = lost_by(scenario, at_first(*queries), "cut-by-limit")
    asked = "The last request that covered it, in poll 1, asked for ids above 1, lowest first; "
    born = BORN.format(f"e{len(rows)}", rows[-1], rows[-1] - 1)
    assert finding.why == (born, asked + said[0], *said[1:])
    assert (finding.allowed, finding.would) == (allowed, would)


ASKED_FOR_PAGE = "The last request that covered it, in poll 1, asked for everything, {}, rows {}; "


def test_a_page_behind_the_event():
    """One of two rows that came, and none at all: there the page was not the trouble."""
    scenario = world(ids(2, 3, 4), order_default="id-desc")
    finding = lost_by(scenario, at_first({"page": 2, "limit": 2}), "cut-by-limit")
    assert finding.event_ids == (3, 4)
    assert finding.why[1:] == (
        ASKED_FOR_PAGE.format("highest id first", "3 to 4")
        + "the answer ended after 1 row, and e2 was not among them.",
        NO_MORE,
    )
    assert finding.would == GO_ON
    for more, after in (
        ([], ()),
        (
            [{"since_id": 9}],
            (
                "After that every request asked for ids above 9, lowest first, which leaves out e1 "
                "(id 2).",
            ),
        ),
    ):
        client = at_first({"page": 3, "limit": 2}, *more)
        finding = lost_by(scenario, client, "cut-by-limit")
        assert finding.why[1:] == (
            ASKED_FOR_PAGE.format("highest id first", "5 to 6")
            + "no rows came back, for e1 stood at row 3 by then, before that page.",
            *after,
        )
        assert finding.would == (
            "Paging by since_id from 1 on as long as no poll has succeeded, reads e1 in poll 1."
        )


def test_a_page_that_nobody_limited():
    """No server of ours does that: it leaves a row out though there was room."""
    scenario = world(
        [event("a", 1), event("b", 2)], dialect="saleschannel", late=0, limit_default=None
    )
    long_ago = {"$filter[createdAt][gte]": "1969-12-25T00:00:00.000Z"}
    history = run(scenario, at_first(long_ago))
    history = tuple(
        replace(step, event_ids=("a",))
        if isinstance(step, Exchange)
        else replace(step, event_id="a")
        if getattr(step, "event_id", None) == "b"
        else step
        for step in history
    )
    finding = loss(scenario, history, "cut-by-limit")
    assert finding.why[1] == (
        "The last request that covered it, in poll 1, asked for createdAt from 1969-12-25 "
        "00:00:00; the answer ended after 1 row, and e2 was not among them."
    )


def test_what_allows_that_an_event_was_behind_the_page():
    late = world([event(2, 1, visible=9), event(3, 2)], order_default="created_at-desc")
    finding = lost_by(late, at_first({"limit": 1}), "cut-by-limit")
    says = "An event may become visible up to 1 min after it was recorded"
    assert finding.allowed == promised("haravan", says, "late")
    tied = world([event(2, 1), event(3, 1)])
    finding = lost_by(tied, at_first({"since_id": 1, "limit": 1}), "cut-by-limit")
    says = "Stamps need not be unique, and e1 and e2 share one"
    assert finding.allowed == promised("haravan", says, "ties")


# Cut within a group of equal stamps

FROM = "1970-01-01T00:00:0{}Z"
BEHIND_TIES = "Ask from the last row's stamp on, itself included (>=){}, and drop by id what was "


def after(at, operator="gt", **more):
    return {**oldest_first(FROM.format(at), 2, operator), **more}


@pytest.mark.parametrize(
    ("later", "cap", "would"),
    [
        (after("2.000"), 3, ", with a limit above the 2 rows that share it"),
        (after("2.001", "gte"), 3, ", with a limit above the 2 rows that share it"),
        (
            {**after("2.001", "gte"), "$filter[createdAt][gt]": FROM.format("2.000")},
            3,
            ", with a limit above the 2 rows that share it",
        ),
        (after("2.000", **{"$limit": 3}), 3, ""),
        (after("2.000"), 2, None),
        (after("2.000", **{"$filter[eventType][equals]": "OTHER"}), 3, None),
    ],
    ids=["after", "later", "both", "large-enough", "under-the-cap", "another-filter-too"],
)
def test_a_page_that_ended_within_ties(later, cap, would):
    rows = [event("a", 1), event("b", 2), event("c", 2)]
    scenario = world(rows, dialect="saleschannel", late=0, limit_max=cap)
    client = at_first(oldest_first(FROM.format("0.000"), 2), later)
    finding = lost_by(scenario, client, "cut-by-limit")
    assert finding.event_ids == ("c",)
    helps = GO_ON if would is None else BEHIND_TIES.format(would) + "delivered already."
    assert finding.would == helps


def test_a_page_that_ended_within_ties_before_one_without_a_limit():
    rows = [event("a", 1), event("b", 2), event("c", 2)]
    scenario = world(rows, dialect="saleschannel", late=0, limit_default=None)
    later = {"$orderBy[createdAt]": "asc", "$filter[createdAt][gt]": FROM.format("2.000")}
    finding = lost_by(
        scenario, at_first(oldest_first(FROM.format("0.000"), 2), later), "cut-by-limit"
    )
    assert finding.would == BEHIND_TIES.format("") + "delivered already."


def test_a_page_that_ended_before_another_stamp():
    rows = [event("a", 1), event("b", 2), event("c", 3)]
    scenario = world(rows, dialect="saleschannel", late=0)
    client = at_first(oldest_first(FROM.format("0.000"), 2), after("5.000"))
    assert explained(scenario, client, "cut-by-limit").would == GO_ON


# Failed, and not asked again

COVERED = "The last request that covered it, in poll 1, asked for {}, "
NO_REQUEST = "The client sent no request for rows after that."


def failing(fault, client, *rows, **options):
    scenario = world(rows or ids(2), polls=(poll(10, faults=[fault]), 120, 180, 240), **options)
    return lost_by(scenario, client, "failed-not-retried")


@pytest.mark.parametrize(
    ("more", "then"),
    [
        ([], NO_REQUEST),
        (
            [{"since_id": 9}],
            "After that every request asked for ids above 9, lowest first, which leaves out e1 "
            "(id 2).",
        ),
    ],
    ids=["nothing-more", "asked-for-others"],
)
def test_a_failure_that_was_taken_for_the_end(more, then):
    client = at_first({"since_id": 1}, *more, swallow=True)
    finding = failing(Fault(kind="server-error"), client)
    assert finding.why == (
        BORN.format("e1", 2, 1),
        COVERED.format("ids above 1, lowest first") + "and failed: 503.",
        then,
    )
    assert finding.allowed == "Any request over a network can fail."
    assert finding.would == (
        "Take only a whole answer with the status 200 for a page. After anything else move nothing "
        "on, and send the same request again, now or in the next poll."
    )


def test_a_failure_of_long_ago_is_dated():
    query = oldest_first("1969-12-25T00:00:00.000Z", 2)
    fault = Fault(kind="server-error")
    client = at_first(query, swallow=True)
    finding = failing(fault, client, event("a", 1), dialect="saleschannel", late=0)
    assert finding.why[1] == (
        COVERED.format("createdAt from 1969-12-25 00:00:00, oldest first") + "and failed: 503."
    )


def test_an_old_answer_that_was_taken_for_a_new_one():
    fault = Fault(kind="stale-read", ms=5_000)
    finding = failing(fault, at_first({"since_id": 1}), event(2, 1, visible=9))
    assert finding.why[1:] == (
        COVERED.format("ids above 1, lowest first") + "and was answered from the log of 00:00:05.",
        NO_REQUEST,
    )
    says = "An event may become visible up to 1 min after it was recorded"
    assert finding.allowed == promised("haravan", says, "late")
    assert finding.would == (
        "Paging by since_id from 1 on as long as no poll has succeeded, reads e1 in poll 1."
    )


def saves_first(feed):
    """Counts the request as done before its answer has come."""
    if not feed.checkpoint:
        feed.save(1)
        try:
            rows = get(feed, {"since_id": 1})
        except OSError:
            feed.save(2)
            return
        for row in rows:
            feed.deliver(row)


def test_an_answer_that_a_kill_kept_from_the_client():
    killed = world(ids(2), polls=(poll(10, crash="after-request"), 120, 180, 240))
    finding = explained(killed, saves_first, "failed-not-retried")
    assert finding.why[1:] == (
        COVERED.format("ids above 1, lowest first")
        + "and the client was killed before it heard the answer.",
        NO_REQUEST,
    )
    assert finding.allowed == "A program can be killed between any two of its steps."
    assert finding.would == (
        "Save only what was delivered; start again from there, and send the same request."
    )


@pytest.mark.parametrize(
    ("kind", "crash"),
    [("dropped-connection", "after-save"), ("server-error", "before-save")],
)
def test_a_failure_that_a_killed_client_had_heard_of(kind, crash):
    polls = (poll(10, crash=crash, nth=2, faults=[Fault(kind=kind)]), 120, 180, 240)
    finding = lost_by(world(ids(2), polls=polls), saves_first, "failed-not-retried")
    assert finding.allowed == "Any request over a network can fail."


# What never was for rows


def test_a_refused_request_and_a_count_cover_nothing():
    """They explain no loss, and hide none of the requests behind them."""
    count = {"count": 1}

    def client(*queries):
        def ask(feed):
            if feed.checkpoint:
                return
            feed.save(1)
            for query in queries:
                path = "/com/events/count.json" if query is count else "/com/events.json?limit=x"
                try:
                    if query in ("refused", count):
                        feed.urllib_opener().open(feed.url(path)).close()
                    else:
                        get(feed, query)
                except OSError:
                    continue

        return ask

    dropped, elsewhere = {"since_id": 1}, {"since_id": 9}
    fault = Fault(kind="server-error", times=None)
    for queries, faults, cause in (
        (["refused", dropped], (), "served-not-delivered"),
        ([count, dropped], (), "served-not-delivered"),
        ([count, elsewhere], (), "never-asked"),
        (["refused"], (fault,), "never-asked"),
        (["refused", dropped], (fault,), "failed-not-retried"),
    ):
        scenario = world(ids(2), polls=(poll(10, faults=faults), 120, 180, 240))
        finding = lost_by(scenario, client(*queries), cause)
        assert finding.event_ids == (2,), queries


# What would have read it


@pytest.mark.parametrize(("visible", "number"), [(10, 1), (10.001, 2)])
def test_the_first_poll_that_could_read_it(visible, number):
    scenario = world([event(2, 1, visible=visible)])
    finding = lost_by(scenario, lambda feed: None, "never-asked")
    start = (
        "Paging by since_id from 1 on as long as no poll has succeeded"
        if number == 1
        else "created_at_min = start of the last successful poll - 1 min, paged by since_id and "
        "dropping ids already delivered"
    )
    assert finding.would == f"{start}, reads e1 in poll {number}."


def test_who_asks_for_times_is_told_to_leave_them_out():
    finding = lost_by(
        world([event(2, 1)]), at_first({"created_at_min": "1970-01-01 00:00:05"}), "never-asked"
    )
    assert finding.would == (
        "Without created_at_min as long as no poll has succeeded, paging by since_id from 1 on, "
        "reads e1 in poll 1."
    )


def test_a_poll_that_ended_in_a_sleep_was_a_successful_one():
    def endless(feed):
        while True:
            feed.sleep(25)

    scenario = world([event(2, 100, visible=141)], polls=(10, 120, 180, 240, 300), calm_from=2)
    assert lost_by(scenario, endless, "never-asked").would == (
        "created_at_min = start of the last successful poll - 1 min, paged by since_id and "
        "dropping ids already delivered, reads e1 in poll 3."
    )
