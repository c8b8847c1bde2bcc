"""What a client keeps outside of the feed: from one world to the next, or past an exception."""

import pytest

from fakeserver.fault import Fault
from fakeserver.verifier import hunting
from fakeserver.verifier.clues.carried import BEGIN_FROM_CHECKPOINT
from fakeserver.verifier.clues.leftovers import may_be_left_over, with_left_over, with_new_ids
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify

from .worlds import by_id, event, get, oldest_first, poll, world

TWICE = "Played twice in a row with ids that no other world has, this world came out differently: "
OUTLIVED = "Poll 2 came after one that raised and asked for ids above 3, though nothing had been"
PROMPT = Promise(late_by_ms_max=0)


def knowing(known):
    """A client that reads the whole log in each poll and drops, by id, what is in `known`."""

    def client(feed):
        since = 1
        while page := get(feed, {"since_id": since, "limit": 50}):
            for row in page:
                if row["id"] not in known:
                    feed.deliver(row)
                    known.add(row["id"])
            since = page[-1]["id"]

    return client


def test_ids_that_are_known_from_another_world_are_told():
    lost = verify(knowing(set()), dialect="haravan", promise=PROMPT).findings[0]
    assert (lost.rule, lost.cause) == ("LOST", "served-not-delivered")
    assert f"{TWICE}e1 was delivered the first time only. So the client keeps" in lost.why[-1]
    assert lost.would == BEGIN_FROM_CHECKPOINT
    assert lost.tried is None


def test_so_they_are_where_ids_are_texts():
    known = set()

    def client(feed):
        for row in get(feed, oldest_first("1970-01-01T00:00:00.000Z", 9)):
            if row["id"] not in known:
                feed.deliver(row)
                known.add(row["id"])

    scenario = world([event("a", 1), event("b", 2)], dialect="saleschannel")
    run(scenario, client)
    broken = judge(scenario, run(scenario, client))
    told = with_left_over(broken, lambda again: judge(again, run(again, client)))
    assert f"{TWICE}e1 and e2 were delivered the first time only." in told.findings[0].why[-1]


def forgetful(feed):
    """Remembers in the checkpoint, and never delivers an id that ends in 3."""
    known = feed.checkpoint or []
    since = 1
    while page := get(feed, {"since_id": since, "limit": 50}):
        for row in page:
            if row["id"] % 10 != 3 and row["id"] not in known:
                feed.deliver(row)
                known.append(row["id"])
        since = page[-1]["id"]
    feed.save(known)


class Remembering:
    """Remembers in memory, which is gone with each new life, and drops the first row it reads."""

    def __init__(self):
        self.known = None

    def poll(self, feed):
        rows = get(feed, {"since_id": 1, "limit": 50})
        self.known = {rows[0]["id"]} if rows and self.known is None else self.known
        for row in rows:
            if row["id"] not in self.known:
                feed.deliver(row)
                self.known.add(row["id"])


@pytest.mark.parametrize("client", [by_id, forgetful, Remembering, lambda feed: None])
def test_a_mistake_within_a_world_is_not_told_of_others(client):
    lost = verify(client, dialect="haravan").findings[0]
    assert lost.rule == "LOST"
    assert "Played twice" not in " ".join(lost.why)
    assert lost.would != BEGIN_FROM_CHECKPOINT


def reads_from(since_id):
    """A client that asks for what lies above an id, and delivers nothing of it."""

    def client(feed):
        get(feed, {"since_id": since_id})

    return client


def lost_in(scenario, client=None, promise=None):
    return judge(scenario, run(scenario, client or reads_from(1)), promise)


def test_only_what_came_the_first_time_alone_is_told():
    """More the second time, or something else, is not what was kept."""
    scenario = world([event(2, 1), event(3, 2)])
    broken = lost_in(scenario)

    def delivering(*runs):
        runs = list(runs)

        def judged(again):
            places = runs.pop(0)
            return lost_in(again, lambda feed: [again.events[place].id for place in places])

        return judged

    assert with_left_over(broken, delivering([0], [0])) is broken
    assert with_left_over(broken, delivering([0], [0, 1])) is broken
    assert with_left_over(broken, delivering([0], [1])) is broken
    assert with_left_over(broken, delivering([0, 1], [1])) is not broken


def test_new_ids_stand_in_the_same_order():
    ids = [event.id for event in with_new_ids(world([event(3, 1), event(2, 2)])).events]
    assert ids[0] == ids[1] + 1 > 2**40
    texts = world([event("a", 1), event("b", 2)], dialect="saleschannel")
    assert [event.id for event in with_new_ids(texts).events] == ["an", "bn"]


def test_only_losses_that_nothing_has_explained_are_looked_at():
    rows = [event(2, 1)]
    assert may_be_left_over(lost_in(world(rows)))
    assert not may_be_left_over(lost_in(world(rows), promise=Promise(mode="snapshot")))
    assert not may_be_left_over(lost_in(world(rows), by_id)), "kept"
    assert not may_be_left_over(lost_in(world(rows), reads_from(9)))


def test_a_slip_of_ours_costs_no_verdict(monkeypatch):
    def slips(broken, judged):
        raise ZeroDivisionError

    monkeypatch.setattr(hunting, "with_left_over", slips)
    verdict = verify(knowing(set()), dialect="haravan", promise=PROMPT)
    assert verdict.findings[0].rule == "LOST"
    assert "Played twice" not in " ".join(verdict.findings[0].why)


# Past a poll that raised


def storing(store, *, deliver):
    """A client whose place is in `store`; it delivers when its walk is over, or row by row."""

    def client(feed):
        read = []
        while page := get(feed, {"since_id": store.get("id", 1), "limit": 2}):
            for row in page:
                read.append(row)
                if deliver:
                    feed.deliver(row)
            store["id"] = page[-1]["id"]
        for row in () if deliver else read:
            feed.deliver(row)

    return client


def failing():
    fault = Fault(kind="server-error", nth=2, times=9)
    return world([event(2, 1), event(3, 2)], polls=(poll(10, faults=[fault]), 120, 180, 240))


def test_a_place_that_outlived_a_failure():
    verdict = lost_in(failing(), storing({}, deliver=False))
    lost = verdict.findings[0]
    assert (lost.rule, lost.cause, lost.event_ids) == ("LOST", "served-not-delivered", (2, 3))
    assert lost.why[-1].startswith(OUTLIVED)
    assert lost.would.startswith("Keep the place with feed.save")


def test_a_place_that_outlived_a_failure_is_no_mistake_by_itself():
    assert lost_in(failing(), storing({}, deliver=True)).findings == ()


def test_a_place_that_was_saved_did_not_outlive_the_failure_elsewhere():
    def saves(feed):
        store = {"id": feed.checkpoint or 1}
        rows = get(feed, {"since_id": store["id"], "limit": 2})
        feed.save(rows[-1]["id"] if rows else store["id"])
        get(feed, {"since_id": 9, "limit": 2})
        for row in rows:
            feed.deliver(row)

    lost = lost_in(failing(), saves).findings[0]
    assert lost.rule == "LOST"
    assert "came after one that raised" not in " ".join(lost.why)
