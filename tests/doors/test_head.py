"""HEAD brings no rows: neither to the client, nor in the history, nor as evidence."""

from fakeserver.app import FakeServer
from fakeserver.doors import requests_session
from fakeserver.history import Exchange, PollEnded, PollStarted
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


def test_who_only_looked_at_heads_was_served_nothing():
    steps = (
        PollStarted(at=10_000, poll=1),
        Exchange(at=10_000, method="HEAD", target="/com/events.json?limit=5", status=200),
        PollEnded(at=10_000, poll=1, ending="returned"),
    )
    verdict = judge(world([event(1, 0)], polls=(), calm_from=0), steps)
    assert [(f.rule, f.cause) for f in verdict.findings] == [("LOST", "never-asked")]
