"""Sentences of a proof about what a client had in hand: refusals, pages, orders, exceptions."""

import re
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run

from .test_proofs import proof, stamp
from .worlds import event, get, oldest_first, world

# A refusal


@pytest.mark.parametrize(
    ("target", "why", "would"),
    [
        ("/com/events.json?nonsense=1", "has no parameter 'nonsense'.", "Leave 'nonsense' out"),
        ("/com/events.json?created_at_min=2026-03-02T18:55:00+07:00", "arrived as a space", "%2B"),
        ("/com/events.json?since_id=a;%20b", "'a; b'", "Send what the sentence above expects."),
        ("/com/events.json?limit=0", "got 0", "1 or more: 0 does not mean all."),
        ("/com/events.json?since_id=1.0", "got '1.0'", "Send since_id as a whole number, as it"),
        ("/com/events.json?since_id=1&since_id=2", "more than once", "Send 'since_id' once: "),
    ],
)
def test_the_advice_of_a_refusal_is_said_once(target, why, would):
    def asks(feed):
        with suppress(OSError):
            urlopen(Request(feed.base_url + target, headers=feed.headers))

    said, finding = proof(world([event(2, 1)]), asks, "ILLEGAL_REQUEST")
    assert why in said
    assert would in finding.would
    assert finding.would.rstrip(".").lower() not in said.lower()


# What was read and came to nothing


def test_who_delivers_nothing_at_all_is_told_so():
    def reads(feed):
        get(feed, {"since_id": 1})

    why, finding = proof(world([event(2, 1)]), reads, "LOST")
    assert "as row 1 of 1. The client delivered nothing in any poll. e1 was the first row" in why
    assert finding.would.startswith("Look at what happens between the answer and the delivery.")


def test_an_id_that_stands_in_the_place_of_another_is_named():
    def renames(feed):
        for row in get(feed, {"since_id": feed.checkpoint or 1}):
            feed.deliver({**row, "id": 900 + row["id"]} if row["id"] != 3 else row)
            feed.save(row["id"])

    rows = [event(2, 1), event(3, 2), event(4, 3)]
    scenario = world(rows)
    invented, lost = judge(scenario, run(scenario, renames)).findings
    assert (invented.rule, lost.rule) == ("INVENTED", "LOST")
    assert invented.message == "2 ids were delivered that no event has"
    assert invented.why == (
        "Ids 902 and 904 were delivered from poll 1 on; no event of the log has them.",
    )
    assert "the client delivered id 902 in its place, which no event has." in " ".join(lost.why)
    assert lost.would == "Deliver events as they were served, with their own ids."

    def drops_and_invents(feed):
        for row in get(feed, {"since_id": feed.checkpoint or 1}):
            if row["id"] == 3:
                feed.deliver(903)
            feed.save(row["id"])

    scenario = world(rows)
    invented, lost = judge(scenario, run(scenario, drops_and_invents)).findings
    assert invented.message == "id 903 was delivered, and no event has it"
    assert "and the client dropped it." in " ".join(lost.why)


def test_rows_that_a_cut_page_shares_its_last_stamp_with():
    def after(feed):
        key = feed.checkpoint or stamp(0)
        for row in get(feed, oldest_first(key, 2, "gt")):
            feed.deliver(row)
            feed.save(row["createdAt"])

    tied = [event("ca", 1), event("cb", 2), event("cc", 2)]
    why, finding = proof(world(tied, dialect="saleschannel", late=0), after, "LOST")
    assert why.endswith("oldest first, which leaves out e3 (00:00:02).")
    assert finding.would == (
        "Ask from the last row's stamp on, itself included (>=), with a limit above the 2 rows "
        "that share it, and drop by id what was delivered already."
    )


# An order


def in_order(rows, client, order="recorded"):
    scenario = world(rows)
    return proof(scenario, client, "OUT_OF_ORDER", Promise(order=order))


def test_rows_that_came_right_are_to_be_delivered_so():
    def backwards(feed):
        for row in reversed(get(feed, {"since_id": feed.checkpoint or 1})):
            feed.deliver(row)
        feed.save(99)

    why, finding = in_order([event(2, 1), event(3, 2)], backwards)
    assert why.endswith(
        "Poll 1 had both in one answer, e1 in row 1 and e2 in row 2, and delivered e2 first."
    )
    assert finding.would == "Deliver the rows of an answer in their order: these came right."


def test_rows_that_came_wrong_are_to_be_sorted():
    def as_served(feed):
        for row in get(feed, {"since_id": feed.checkpoint or 1}):
            feed.deliver(row)
        feed.save(99)

    why, finding = in_order([event(2, 2), event(3, 1)], as_served)
    assert "e1 in row 1 and e2 in row 2, and delivered e1 first." in why
    assert finding.would == "Sort what a poll has read before it delivers any of it."


def test_what_was_not_visible_yet_is_waited_for():
    def by_largest(feed):
        seen = feed.checkpoint or []
        fresh = [row for row in get(feed, {"since_id": 1}) if row["id"] not in seen]
        for row in fresh:
            feed.deliver(row)
        feed.save([*seen, *(row["id"] for row in fresh)])

    _, finding = in_order([event(2, 1, visible=50), event(3, 2)], by_largest)
    assert "theorem T3" in finding.would


# An exception


def test_an_exception_is_told_with_the_answer_before_it():
    def last_row(feed):
        page = get(feed, {"since_id": feed.checkpoint or 1})
        feed.save(page[-1]["id"])

    why, finding = proof(world([]), last_row, "CRASHED")
    assert why == "The answer just before was an empty page; no fault was on in poll 2."
    assert finding.would == "Check for an empty page before you take its last row."

    def no_such_field(feed):
        return [row["nothing"] for row in get(feed, {"since_id": 1})]

    why, finding = proof(world([event(2, 1)]), no_such_field, "CRASHED")
    assert why == "The answer just before held e1; no fault was on in poll 2."
    place = re.escape(f"{Path(__file__).name}:")
    assert re.fullmatch(
        rf"Look at {place}\d+: the client's own code was there last\.", finding.would
    )
