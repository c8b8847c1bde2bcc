"""The reference client keeps every promise; the document's client loses what appears late."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import OpenerDirector
from zoneinfo import ZoneInfo

import pytest

from fakeserver.app import FakeServer
from fakeserver.clock import MINUTE_MS, SECOND_MS, as_datetime, at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.haravan.clients import document_client, reference_client, shop_minute
from fakeserver.doors import ORIGIN, urllib_opener
from fakeserver.generate import generate_scenario
from fakeserver.history import Delivered, Exchange, Killed, PollEnded
from fakeserver.scenario import LoggedEvent, Poll, Scenario
from fakeserver.verifier.runner import doorkeeper, run

NOON = at("2026-03-01T12:00:00Z")
FIELDS = {
    "arguments": [],
    "body": None,
    "subject_id": 7,
    "subject_type": "Order",
    "verb": "placed",
    "message": "Order was placed",
    "author": "haravan",
    "description": None,
    "path": None,
}


def event(event_id: int, *, at_s: float, late_s: float = 0, start: int = NOON) -> LoggedEvent:
    stamp = start + int(at_s * SECOND_MS)
    return LoggedEvent(
        id=event_id,
        recorded_at=stamp,
        visible_at=stamp + int(late_s * SECOND_MS),
        fields=FIELDS,
    )


def world(
    *events: LoggedEvent, page_size: int = 2, start: int = NOON, request_ms: int = 40, **settings
) -> Scenario:
    """Polls five minutes apart from `start`; the events must be visible within ten."""
    return Scenario(
        dialect="haravan",
        settings=settings,
        starts_at=start - 60 * MINUTE_MS,
        request_ms=request_ms,
        page_size=page_size,
        late_by_ms_max=5 * MINUTE_MS,
        events=events,
        polls=tuple(Poll(starts_at=start + n * 5 * MINUTE_MS) for n in range(8)),
        calm_from=3,
    )


class TinyFeed:
    """A feed with a plug to pull: after `dies_after` requests the connection is gone."""

    def __init__(self, scenario: Scenario) -> None:
        self.server = FakeServer(scenario)
        self.page_size = scenario.page_size
        self.zone = "Asia/Ho_Chi_Minh"
        self.dies_after: int | None = None
        self.delivered: list[int] = []
        self.saved: str = "null"

    def _ask(self) -> None:
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                raise ConnectionResetError("unplugged")

    def urllib_opener(self) -> OpenerDirector:
        opener = urllib_opener(self.server)
        send = opener.open

        def unreliable(url: str) -> object:
            self._ask()
            return send(url)

        opener.open = unreliable
        return opener

    def url(self, path: str) -> str:
        return ORIGIN + path

    @property
    def checkpoint(self) -> object:
        return json.loads(self.saved)

    def save(self, value: object) -> None:
        self.saved = json.dumps(value)

    def deliver(self, served: dict) -> None:
        self.delivered.append(int(served["id"]))

    def now(self) -> datetime:
        return as_datetime(self.server.now)


def delivered(scenario: Scenario, client) -> Counter:
    history = run(scenario, client)
    endings = {step.ending for step in history if isinstance(step, PollEnded)}
    assert endings == {"returned"}
    assert not [step for step in history if isinstance(step, Exchange) and step.problem]
    return Counter(step.event_id for step in history if isinstance(step, Delivered))


ONCE = {10: 1, 20: 1, 30: 1}


class TestLateEvent:
    WORLD = world(event(10, at_s=-9), event(20, at_s=-8, late_s=60), event(30, at_s=-7))

    def test_is_lost_by_the_document_s_client(self):
        assert delivered(self.WORLD, document_client) == {10: 1, 30: 1}

    def test_is_delivered_once_by_the_reference(self):
        assert delivered(self.WORLD, reference_client) == ONCE

    def test_the_document_s_client_is_right_where_nothing_is_late(self):
        """The innocent's twin: it is the lateness that breaks it."""
        calm = world(event(10, at_s=-9), event(20, at_s=-8), event(30, at_s=400))
        assert delivered(calm, document_client) == ONCE
        assert delivered(calm, reference_client) == ONCE

    @pytest.mark.parametrize("late_s", [0.001, 8, 299.999, 300])
    def test_is_delivered_however_late_within_the_promise(self, late_s):
        scenario = world(event(10, at_s=-9), event(20, at_s=-8, late_s=late_s), event(30, at_s=-7))
        assert delivered(scenario, reference_client) == ONCE

    @pytest.mark.parametrize("at_s", [0, 0.04, 0.08, 0.12])
    def test_that_appears_during_the_walk_is_not_lost(self, at_s):
        """Its id is below the walk's, and it was recorded as early as the promise allows."""
        appears = [event(n * 10, at_s=-9) for n in (2, 3, 4, 5, 6)]
        late = LoggedEvent(
            id=10,
            recorded_at=NOON - 299 * SECOND_MS,
            visible_at=NOON + int(at_s * 1000) + 1,
            fields=FIELDS,
        )
        got = delivered(world(*appears, late), reference_client)
        assert got == {n * 10: 1 for n in range(1, 7)}

    def test_that_appears_during_a_long_walk_is_not_lost(self):
        """The walk takes four minutes: a window anchored at its end would start too late."""
        walked = [event(n * 10, at_s=-9) for n in (2, 3, 4, 5, 6)]
        late = event(10, at_s=-290, late_s=291)
        got = delivered(world(*walked, late, request_ms=60_000), reference_client)
        assert got == {n * 10: 1 for n in range(1, 7)}


@pytest.mark.parametrize("profile", [p.name for p in find_dialect("haravan").profiles])
def test_the_reference_delivers_everything_in_drawn_worlds(profile):
    """Once, but for a crash; and the document's client fails in some of the same worlds."""
    lost = 0
    with doorkeeper() as keeper:
        for example in range(60):
            scenario = generate_scenario(profile=profile, seed=11, example=example)
            history = run(scenario, reference_client, keeper=keeper)
            counts = Counter(step.event_id for step in history if isinstance(step, Delivered))
            assert set(counts) == {row.id for row in scenario.events}, scenario.origin
            if not any(isinstance(step, Killed) for step in history):
                assert set(counts.values()) <= {1}, scenario.origin
            assert not [s for s in history if isinstance(s, Delivered) and s.event is not None]
            assert not [s for s in history if isinstance(s, Exchange) and s.problem]
            history = run(scenario, document_client, keeper=keeper)
            got = {step.event_id for step in history if isinstance(step, Delivered)}
            lost += got != {row.id for row in scenario.events}
    assert lost > 5


CHANGE = at("2026-11-01T06:00:00Z")
"""In New York 01:00 to 02:00 comes twice on this day; this is the second 01:00."""


class TestClockChange:
    @pytest.mark.parametrize("ambiguous", ["earlier", "later"])
    @pytest.mark.parametrize("minutes", range(-70, 75, 5))
    def test_loses_nothing_and_repeats_nothing(self, ambiguous, minutes):
        start = CHANGE + minutes * MINUTE_MS
        scenario = world(
            event(10, at_s=-9, start=start),
            event(20, at_s=-200, late_s=290, start=start),
            event(30, at_s=-7, start=start),
            start=start,
            shop_zone="America/New_York",
            ambiguous_time=ambiguous,
            time_forms="document-only",
        )
        assert delivered(scenario, reference_client) == ONCE

    def test_a_client_that_forgets_it_is_caught(self, monkeypatch):
        """The culprit writes the shop's wall clock as it is; the server reads it an hour later."""

        def wall_clock(moment: datetime, zone: str) -> str:
            return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"

        monkeypatch.setattr("fakeserver.dialects.haravan.clients.shop_minute", wall_clock)
        start = CHANGE - 45 * MINUTE_MS
        late = event(10, at_s=-9, late_s=60, start=start)
        in_the_hour = {"shop_zone": "America/New_York", "ambiguous_time": "later"}
        history = run(world(late, start=start, **in_the_hour), reference_client)
        assert not [step for step in history if isinstance(step, Delivered)]


ZONES = ["America/New_York", "Australia/Lord_Howe", "Asia/Ho_Chi_Minh", "UTC", "Europe/Dublin"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "day", ["2026-03-08", "2026-03-29", "2026-04-04", "2026-10-03", "2026-10-25", "2026-11-01"]
)
def test_shop_minute_is_never_read_as_later_and_seldom_as_much_earlier(zone, day):
    """For every five minutes of the day on which some zone changes its clocks."""
    midnight = datetime.fromisoformat(f"{day}T00:00:30+00:00")
    for minutes in range(0, 36 * 60, 5):
        moment = midnight + timedelta(minutes=minutes)
        local = datetime.fromisoformat(shop_minute(moment, zone))
        readings = [
            local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)
        ]
        assert max(readings) <= moment
        assert moment - min(readings) < timedelta(hours=2)
        plain = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, second=0)
        if readings[0] == readings[1] and local == plain:
            assert moment - readings[0] == timedelta(seconds=30)


class TestReferenceCheckpoint:
    def test_stays_bounded(self):
        """Ids are kept while their event may come again, and no longer."""
        feed = TinyFeed(world(*(event(n, at_s=n * 10 - 1_500) for n in range(2, 150))))
        feed.server.world.advance_to(NOON)
        reference_client(feed)
        in_window = {str(n) for n in range(2, 150) if -300 <= n * 10 - 1_500 <= 0}
        assert set(feed.checkpoint["seen"]) == in_window
        feed.server.advance(3_600)
        reference_client(feed)
        assert feed.checkpoint["seen"] == {}
        assert sorted(feed.delivered) == list(range(2, 150))

    @pytest.mark.parametrize("requests_before", range(6))
    def test_survives_a_failure_at_any_request(self, requests_before):
        """What was delivered before the connection broke is not delivered again."""
        feed = TinyFeed(world(*(event(n, at_s=-9) for n in range(2, 11))))
        feed.server.world.advance_to(NOON)
        feed.dies_after = requests_before
        with pytest.raises(ConnectionResetError, match="unplugged"):
            reference_client(feed)
        assert len(feed.delivered) == min(9, 2 * requests_before)
        feed.dies_after = None
        feed.server.advance(60)
        reference_client(feed)
        assert feed.delivered == list(range(2, 11))

    def test_a_failed_poll_does_not_move_the_window(self):
        """The late event appears after a failed poll started: the anchor is the last good one."""
        feed = TinyFeed(world(event(20, at_s=-9), event(10, at_s=-8, late_s=200)))
        feed.server.world.advance_to(NOON)
        reference_client(feed)
        feed.server.advance(180)
        feed.dies_after = 0
        with pytest.raises(ConnectionResetError, match="unplugged"):
            reference_client(feed)
        feed.dies_after = None
        feed.server.advance(1_200)
        reference_client(feed)
        assert feed.delivered == [20, 10]


@pytest.mark.parametrize("client", [reference_client, document_client])
class TestBothClients:
    def test_raise_for_an_answer_that_is_none(self, client):
        feed = TinyFeed(world(event(10, at_s=-9)))
        feed.page_size = 0
        with pytest.raises(HTTPError, match="422"):
            client(feed)
        assert feed.delivered == []

    def test_raise_instead_of_walking_in_circles(self, client):
        """A server that ignores since_id, as if it were unknown to it."""
        feed = TinyFeed(world(event(10, at_s=-9), event(20, at_s=-8)))
        feed.server.world.advance_to(NOON)
        opener = urllib_opener(feed.server)
        send = opener.open
        opener.open = lambda url: send(url.partition("?")[0])
        feed.urllib_opener = lambda: opener
        with pytest.raises(RuntimeError, match="asked for ids above"):
            client(feed)

    def test_stop_at_the_empty_page_not_at_a_short_one(self, client):
        """The cap of 5 makes every page short of the 100 asked."""
        scenario = world(*(event(n, at_s=-9) for n in range(2, 30)), page_size=100, limit_max=5)
        assert delivered(scenario, client) == dict.fromkeys(range(2, 30), 1)
