"""A client that nobody here calls is accused of a loss only where it had its chance."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from fakeserver.clock import as_datetime
from fakeserver.dialects.base import TOKEN
from fakeserver.serving.site import Site
from tests.serving.asking import Wall, a_site, ask, control, faked

TOKEN_HEADER = {"Authorization": f"Bearer {TOKEN}"}


class Window:
    """A right client: each poll looks back five minutes from the start of the last whole one."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.seen: set[int] = set()
        self.last: int | None = None

    def poll(self, **query: object) -> None:
        start, new = self.site.world.now, []
        if self.last is not None:
            zone = ZoneInfo(str(self.site.world.settings["shop_zone"]))
            low = as_datetime(self.last - 300_000).astimezone(zone)
            query["created_at_min"] = f"{low:%Y-%m-%d %H:%M}"
        for event in self.walk(query):
            if event["id"] not in self.seen:
                self.seen.add(event["id"])
                new.append(event)
        control(self.site, "POST", "delivered", {"events": new})
        self.last = start

    def walk(self, query: dict[str, object]) -> Iterator[dict]:
        since = 0
        while page := self.page(since_id=since, limit=50, **query):
            yield from page
            since = page[-1]["id"]

    def page(self, **query: object) -> list[dict]:
        return faked(self.site, f"/com/events.json?{urlencode(query)}")["events"]


class SlowWindow(Window):
    """A right client to which the clock is moved while it reads: 15 s after each full page."""

    def page(self, **query: object) -> list[dict]:
        page = super().page(**query)
        if len(page) == query["limit"]:
            control(self.site, "POST", "clock/advance", {"seconds": 15})
        return page


class TestNoFairChance:
    """What no poll could have read is not lost, and as long as it is out no promise is proved."""

    @pytest.fixture
    def site(self) -> Site:
        site = a_site(late_by_ms_max=300_000)
        control(site, "POST", "events", {"events": [{"late_by_s": 60}, {}]})
        return site

    @pytest.fixture
    def client(self, site: Site) -> Window:
        client = Window(site)
        client.poll()
        self.later(site, 90)
        client.poll()
        return client

    @staticmethod
    def later(site: Site, seconds: int) -> None:
        control(site, "POST", "clock/advance", {"seconds": seconds})

    @staticmethod
    def verdict(site: Site) -> tuple[str, list]:
        verdict = control(site, "POST", "verdict")
        return verdict["outcome"], verdict["findings"]

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/com/events/count.json"),
            ("HEAD", "/com/events.json"),
            ("GET", "/com/events/1002.json"),
            ("GET", "/favicon.ico"),
            ("GET", "/"),
        ],
    )
    def test_a_stray_request_is_no_poll(self, site: Site, client: Window, method: str, path: str):
        control(site, "POST", "events", {"events": [{}]})
        self.later(site, 600)
        ask(site, method, path, headers=TOKEN_HEADER if "." in path else {})
        assert self.verdict(site) == ("kept", [])

    def test_a_walk_is_under_way(self, site: Site, client: Window):
        control(site, "POST", "events", {"events": [{}] * 120})
        self.later(site, 600)
        page = [e for e in client.page(since_id=0, limit=50) if e["id"] not in client.seen]
        control(site, "POST", "delivered", {"events": page})
        assert self.verdict(site) == ("inconclusive", [])
        assert "seems to be under way" in control(site, "POST", "verdict")["says"]

    def test_an_event_becomes_visible_during_the_last_poll(self, site: Site):
        client = SlowWindow(site)
        control(site, "POST", "events", {"events": [{"late_by_s": 30}]})
        self.later(site, 20)
        control(site, "POST", "events", {"events": [{}] * 60})
        client.poll()
        says = control(site, "POST", "verdict")["says"]
        assert self.verdict(site) == ("inconclusive", [])
        assert "it became visible during the last poll" in says
        self.later(site, 60)
        client.poll()
        assert self.verdict(site) == ("kept", [])

    def test_who_reads_a_page_a_minute_has_not_lost_the_rest(self):
        """It is slow, and nothing was proved: not that it loses events, nor that it does not."""
        site = a_site(backlog=30, late_by_ms_max=0)
        window, since = Window(site), 0
        for _ in range(4):
            page = window.page(since_id=since, limit=5)
            control(site, "POST", "delivered", {"events": page})
            since = page[-1]["id"]
            self.later(site, 60)
        verdict = control(site, "POST", "verdict")
        assert (verdict["outcome"], verdict["findings"]) == ("inconclusive", [])
        assert "10 events not delivered: no whole poll could read it yet" in verdict["notes"]

    def test_an_old_answer(self, site: Site, client: Window):
        stale = {"kind": "stale-read", "ms": 9_000, "times": None}
        control(site, "POST", "events", {"events": [{"late_by_s": 30}]})
        self.later(site, 2)
        control(site, "POST", "events", {"events": [{}]})
        self.later(site, 33)
        control(site, "PUT", "faults", {"faults": [stale]})
        client.poll()
        assert self.verdict(site) == ("inconclusive", [])
        control(site, "DELETE", "faults")
        self.later(site, 60)
        client.poll()
        assert self.verdict(site) == ("kept", [])

    def test_old_answers_for_ever_prove_nothing(self, site: Site):
        """A replica that trails: who then loses events has not kept its promise."""
        since = 0
        stale = {"kind": "stale-read", "ms": 2_000, "times": None}
        control(site, "PUT", "faults", {"faults": [stale]})
        for _ in range(5):
            control(site, "POST", "events", {"events": [{"late_by_s": 60}, {}]})
            self.later(site, 30)
            while page := Window(site).page(since_id=since, limit=50):
                control(site, "POST", "delivered", {"events": page})
                since = page[-1]["id"]
            self.later(site, 600)
        assert self.verdict(site)[0] != "kept"

    def test_one_of_two_kinds_failed(self):
        site = a_site(late_by_ms_max=0)
        window, since = Window(site), {"Order": 0, "Product": 0}

        def poll() -> None:
            for kind, after in since.items():
                with contextlib.suppress(AssertionError):  # the next poll tries again
                    for event in window.page(filter=kind, since_id=after, limit=50):
                        since[kind] = event["id"]
                        control(site, "POST", "delivered", {"events": [event]})

        both = {"events": [{"fields": {"subject_type": kind}} for kind in since]}
        for faults in ([], [{"kind": "server-error"}]):
            control(site, "POST", "events", both)
            self.later(site, 600)
            control(site, "PUT", "faults", {"faults": faults})
            poll()
        assert self.verdict(site) == ("inconclusive", [])
        self.later(site, 600)
        poll()
        assert self.verdict(site)[1] == []

    @pytest.mark.parametrize("pace", [1, 60])
    def test_a_poll_takes_real_time(self, pace: int):
        """Five seconds without a request end a poll: of the reader's time, not of the fake's."""
        wall = Wall()
        site = a_site(clock="paced", pace=pace, wall=wall, late_by_ms_max=0)
        window = Window(site)

        def events(*kinds: str) -> None:
            own = [{"fields": {"subject_type": kind}} for kind in kinds]
            control(site, "POST", "events", {"events": own})

        def read(kind: str) -> None:
            control(site, "POST", "delivered", {"events": window.page(filter=kind, limit=50)})

        events("Order", "Product")
        wall.now += 60_000
        read("Order")
        wall.now += 1_000
        events("Order")
        wall.now += 1_000
        read("Product")
        verdict = control(site, "POST", "verdict")
        assert (verdict["polls"], verdict["findings"]) == (1, [])

    def test_repeats_are_excused_once_for_each_failure(self, site: Site):
        """Who was served an event after the failure can't have lost it by that failure."""
        window = Window(site)
        for _ in range(4):
            control(site, "PUT", "faults", {"faults": [{"kind": "server-error"}]})
            with contextlib.suppress(AssertionError):
                window.page(since_id=0, limit=50)
            events = window.page(since_id=0, limit=50)
            control(site, "POST", "delivered", {"events": events})
            self.later(site, 60)
        outcome, findings = self.verdict(site)
        assert (outcome, findings[0]["rule"]) == ("broken", "DUPLICATED")
