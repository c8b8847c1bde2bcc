"""The vendor's own client package, unmodified, reads the fake over a socket.

Why it matters: its users ask for 250 rows a page and stop at a short page, as the vendor's own
documents taught them; the live servers cut a page at 50 rows without a word.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakeserver import Promise, verify
from fakeserver.clock import SECOND_MS, at
from fakeserver.dialects.base import TOKEN
from fakeserver.history import Delivered, Exchange, PollEnded
from fakeserver.scenario import LoggedEvent, Poll, Scenario
from fakeserver.verifier.feed import Feed
from fakeserver.verifier.runner import run

haravan = pytest.importorskip("haravan", reason="the vendor's package is in the group 'test'")

NOON = at("2026-03-01T05:00:00Z")
COUNT = 120
CAP = 50
"""Rows that the fake gives at most, as the live servers do."""


@pytest.fixture(autouse=True)
def a_proxy_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package uses urllib, which takes the proxy of the machine where nobody says not to."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def the_package_as_it_was() -> Iterator[None]:
    """The package keeps its session in class attributes; give them back as they were."""
    protocol = haravan.Session.protocol
    yield
    haravan.HaravanResource.clear_session()
    haravan.HaravanResource.site = None
    haravan.Session.setup(protocol=protocol)


def client_asking_for(limit: int) -> Callable[[Feed], None]:
    """Read all events in every poll, as the package's users do, and deliver the new ones."""

    def follow(feed: Feed) -> None:
        haravan.Session.setup(protocol="http")
        session = haravan.Session(feed.base_url.removeprefix("http://"), feed.token)
        haravan.HaravanResource.activate_session(session)
        seen = set(feed.checkpoint or ())
        for event in all_events(limit):
            if event.id not in seen:
                feed.deliver(event.to_dict())
                seen.add(event.id)
                feed.save(sorted(seen))

    return follow


def all_events(limit: int) -> Iterator[Any]:
    """The loop that they write: page after page until one is short."""
    since_id = 1
    while True:
        page = haravan.Event.find(since_id=since_id, limit=limit)
        yield from page
        if len(page) < limit:
            return
        since_id = page[-1].id


def log_of(count: int) -> Scenario:
    """A log whose events are all visible before the first poll."""
    return Scenario(
        dialect="haravan",
        starts_at=NOON,
        request_ms=250,
        page_size=CAP,
        late_by_ms_max=0,
        events=tuple(
            LoggedEvent(
                id=100 + number,
                recorded_at=NOON - (count - number) * SECOND_MS,
                visible_at=NOON - (count - number) * SECOND_MS,
                fields={
                    "arguments": ["#1001"],
                    "body": None,
                    "subject_id": number,
                    "subject_type": "Order",
                    "verb": "placed",
                    "message": "Order was placed",
                    "author": "haravan",
                    "description": None,
                    "path": f"/admin/orders/{number}",
                },
            )
            for number in range(count)
        ),
        polls=tuple(Poll(starts_at=NOON + number * 60 * SECOND_MS) for number in range(1, 4)),
        calm_from=0,
    )


def delivered_to(client: Callable[[Feed], None]) -> list[Any]:
    history = run(log_of(COUNT), client)
    assert {step.status for step in history if isinstance(step, Exchange)} == {200}
    assert {step.ending for step in history if isinstance(step, PollEnded)} == {"returned"}
    delivered = [step for step in history if isinstance(step, Delivered)]
    assert {step.event for step in delivered} == {None}, "what it makes of an event was served"
    return [step.event_id for step in delivered]


def test_asking_for_50_it_reads_all():
    assert delivered_to(client_asking_for(CAP)) == [100 + number for number in range(COUNT)]


def test_asking_for_250_it_ends_after_50_without_an_error():
    assert delivered_to(client_asking_for(250)) == [100 + number for number in range(CAP)]


def test_verify_finds_the_cut(capsys):
    verdict = verify(
        client_asking_for(250),
        dialect="haravan",
        examples=20,
        promise=Promise(late_by_ms_max=0),  # there is enough to find without lateness
        only=["clamped-limit"],
    )
    finding = verdict.findings[0]
    assert (verdict.outcome, finding.rule, finding.cause) == ("broken", "LOST", "cut-by-limit")
    assert TOKEN not in verdict.text()
    assert capsys.readouterr() == ("", "")


# Where a connection breaks, the package leaves its socket to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_verify_spares_the_one_that_asks_for_no_more_than_the_cap():
    verdict = verify(client_asking_for(CAP), dialect="haravan", examples=10)
    assert verdict.outcome == "kept", verdict.text()


def test_session_and_protocol_are_given_back():
    """The fixture above did its work after the tests before this one."""
    assert haravan.Session.protocol == "https"
    assert haravan.HaravanResource.site is None
    assert TOKEN not in haravan.HaravanResource.headers.values()
