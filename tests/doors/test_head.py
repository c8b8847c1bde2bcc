"""HEAD brings no rows: neither to the client, nor in the history, nor as evidence."""

from itertools import chain

from fakeserver.app import FakeServer
from fakeserver.doors import requests_session
from fakeserver.history import AnyStep, Exchange, PollEnded, PollStarted
from fakeserver.verifier.judge import judge
from tests.verdict.worlds import event, world


def asked(method: str) -> Exchange:
    server = FakeServer(world([event(1, 0)]))
    server.advance(seconds=10)
    requests_session(server).request(method, server.url("/com/events.json?limit=5"))
    step = server.history[-1]
    assert isinstance(step, Exchange)
    return step


def test_the_history_tells_what_arrived():
    assert (asked("GET").event_ids, asked("GET").is_sound) == ((1,), True)
    assert (asked("HEAD").event_ids, asked("HEAD").is_sound) == ((), False)


def only_looked(number: int, at: int) -> tuple[AnyStep, ...]:
    return (
        PollStarted(at=at, poll=number),
        Exchange(at=at, method="HEAD", target="/com/events.json?limit=5", status=200),
        PollEnded(at=at, poll=number, ending="returned"),
    )


def test_who_only_looked_at_heads_was_served_nothing():
    scenario = world([event(1, 0)])
    polls = (only_looked(n, poll.starts_at) for n, poll in enumerate(scenario.polls, start=1))
    verdict = judge(scenario, tuple(chain.from_iterable(polls)))
    assert [(f.rule, f.cause) for f in verdict.findings] == [("LOST", "never-asked")]


def test_in_an_open_world_who_only_looked_at_heads_is_neither_accused_nor_certified():
    events = [event(1, 0), event(2, 1), event(3, 2)]  # more than a page: a backlog
    verdict = judge(world(events, polls=(), calm_from=0), only_looked(1, 100_000))
    assert verdict.exercised == {"backlog": 1}
    assert (verdict.outcome, verdict.counted) == ("inconclusive", {"undecided": 3})
