"""Armed faults count requests, and the first that hits decides; `FakeServer.arm` arms them."""

import pytest

from fakeserver import FakeServer, Fault
from fakeserver.armed_faults import LOST_MAX, ArmedFaults, Outcome
from fakeserver.dialects.base import Answer, Ask, Refused
from fakeserver.doors import requests_session
from fakeserver.errors import ScenarioError
from fakeserver.fault import FAULTS_MAX
from fakeserver.generate import generate_scenario

NOW = 1_000_000


class Server:
    """What stands behind the faults: it answers with the instant that it was asked about."""

    def __init__(self, *faults: Fault) -> None:
        self.armed = ArmedFaults(faults)
        self.computed = 0

    def ask(
        self,
        target: str = "/a",
        *,
        method: str = "GET",
        at: int = NOW,
        timeout_ms: int | None = None,
    ) -> Outcome:
        return self.armed.meet(
            Ask(path=target, method=method),
            at,
            answer=self.answer,
            refuse=self.refuse,
            timeout_ms=timeout_ms,
        )

    def answer(self, as_of: int) -> Answer:
        self.computed += 1
        return Answer(status=200, body=str(as_of).encode())

    def refuse(self, refused: Refused) -> Answer:
        return Answer(status=refused.status, body=refused.says.encode(), headers=refused.headers)


def test_the_first_fault_that_hits_decides():
    server = Server(
        Fault(kind="server-error", nth=2, times=2, status=500),
        Fault(kind="rate-limited", nth=1, times=4),
    )
    assert [server.ask().answer.status for _ in range(5)] == [429, 500, 500, 429, 200]


def test_what_is_refused_is_not_computed():
    server = Server(Fault(kind="token-expired"), Fault(kind="dropped-connection", nth=2))
    assert server.ask().answer.status == 401
    assert server.computed == 0
    assert server.ask().ending == "dropped"
    assert server.computed == 1


def test_left_counts_down_and_what_is_over_is_gone():
    short, endless = Fault(kind="transient-422", nth=2, times=2), Fault(kind="slow-answer", ms=1)
    endless = Fault(kind="slow-answer", ms=1, nth=4, times=None)
    server = Server(short, endless)
    seen = []
    for _ in range(4):
        seen.append(dict(server.armed.left()).get(short))
        server.ask()
    assert seen == [2, 2, 1, None]
    assert server.armed.left() == ((endless, None),)


@pytest.mark.parametrize(
    ("seconds", "text"), [(2, "2"), (2.0, "2"), (0.5, "0.5"), (0, "0"), (86_400, "86400")]
)
def test_retry_after_is_written_plainly(seconds, text):
    answer = Server(Fault(kind="rate-limited", retry_after_s=seconds)).ask().answer
    assert answer.headers == (("Retry-After", text),)


def test_without_it_none_is_spoken_of():
    answer = Server(Fault(kind="rate-limited")).ask().answer
    assert answer.headers == ()
    assert b"Retry-After" not in answer.body
    assert b"too many requests" in answer.body


@pytest.mark.parametrize(
    ("timeout_ms", "ending", "wait_ms"),
    [(None, "whole", 500), (501, "whole", 500), (500, "whole", 500), (499, "timed-out", 499)],
)
def test_a_client_gives_up_only_before_the_answer_is_there(timeout_ms, ending, wait_ms):
    outcome = Server(Fault(kind="slow-answer", ms=500)).ask(timeout_ms=timeout_ms)
    assert (outcome.ending, outcome.wait_ms, outcome.as_of) == (ending, wait_ms, NOW)


def test_a_repeated_answer_is_that_of_the_same_request():
    server = Server(Fault(kind="repeated-answer", times=2))
    assert [server.ask("/a").ending, server.ask("/b", at=NOW + 1).ending] == ["dropped"] * 2
    again = [server.ask(target, at=NOW + 9) for target in ("/c", "/b", "/a", "/a")]
    assert [outcome.as_of - NOW for outcome in again] == [9, 1, 0, 9]
    assert [int(outcome.answer.body) - NOW for outcome in again] == [9, 1, 0, 9]
    assert [outcome.fault is None for outcome in again] == [True, False, False, True]


def test_a_repeated_answer_without_end_loses_every_request_once():
    server = Server(Fault(kind="repeated-answer", times=None))
    assert [server.ask().ending for _ in range(4)] == ["dropped", "whole"] * 2


def test_a_patient_client_loses_nothing():
    server = Server(Fault(kind="repeated-answer", ms=500))
    assert server.ask(timeout_ms=None).ending == "whole"
    assert server.ask(at=NOW + 1).as_of == NOW + 1


def test_lost_answers_are_not_kept_for_ever():
    server = Server(Fault(kind="repeated-answer", times=LOST_MAX + 1))
    for number in range(LOST_MAX + 1):
        server.ask(f"/{number}")
    assert server.ask("/0", at=NOW + 1).as_of == NOW + 1
    assert server.ask("/1", at=NOW + 1).as_of == NOW


def test_a_stale_read_never_leaves_the_calendar():
    outcome = Server(Fault(kind="stale-read", ms=3_600_000)).ask(at=-62_135_596_800_000 + 5)
    assert outcome.as_of == -62_135_596_800_000


def test_too_many_faults_are_refused():
    Server(*[Fault(kind="server-error")] * FAULTS_MAX)
    with pytest.raises(ScenarioError, match="at most 100 faults at a time, got 101"):
        Server(*[Fault(kind="server-error")] * (FAULTS_MAX + 1))


def test_a_test_arms_faults_by_hand():
    """As the docstring of `FakeServer.arm` shows."""
    server = FakeServer(generate_scenario(dialect="haravan", seed=7))
    session, url = requests_session(server), server.url("/com/events.json")
    error = Fault(kind="server-error", status=503, retry_after_s=2, times=3)
    server.arm(error)
    assert server.armed == ((error, 3),)
    assert session.get(url).headers["Retry-After"] == "2"
    assert server.armed == ((error, 2),)
    server.arm()
    assert server.armed == ()
    assert session.get(url).status_code == 200
    server.arm(Fault(kind="rate-limited", nth=2))
    assert [session.get(url).status_code for _ in range(3)] == [200, 429, 200]
