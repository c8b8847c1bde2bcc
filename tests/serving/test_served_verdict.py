"""Judging a client that nobody here calls: a stream under way, polls told apart by pauses."""

import contextlib
import json
from random import Random

import pytest

from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN
from fakeserver.generate import generate_scenario
from fakeserver.history import Delivered, Exchange, PollStarted, Slept, from_lines
from fakeserver.profile import Profile
from fakeserver.scenario import Scenario
from fakeserver.serving.polls import with_polls
from fakeserver.serving.site import Site
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import Client
from tests.quality.right_clients import RIGHT, Right
from tests.serving.asking import Wall, a_site, ask, control, faked
from tests.serving.following import SiteFeed, follow

SEEDS = range(3)
POLLS = 12
TOKEN_HEADER = {"Authorization": f"Bearer {TOKEN}"}


def a_world(
    dialect: str, seed: int, *, late_by_ms_max: int, profile: Profile | None = None
) -> Site:
    """A stream under way: a backlog, and an event every few seconds."""
    settings = {} if profile is None else {name: v[0] for name, v in profile.allowed.items()}
    return a_site(
        dialect=dialect,
        seed=seed,
        settings=settings,
        backlog=12,
        rate_per_s=0.05,
        late_by_ms_max=late_by_ms_max,
    )


def asked_verdict(site: Site, promise: Promise, **more) -> dict:
    body = {"promise": {"delivery": promise.delivery, "order": promise.order}, **more}
    return control(site, "POST", "verdict", body)


def cases():
    for right in RIGHT:
        if right.mode == "snapshot":  # that is not judged here
            continue
        for profile in right.profiles:
            if profile.name in ("default", "documented") or len(right.profiles) == 1:
                yield from (
                    pytest.param(right, profile, late, id=f"{right.file}-{profile.name}-{late}")
                    for late in {max(right.late_by_ms_max), min(right.late_by_ms_max)}
                )


@pytest.mark.parametrize(("right", "profile", "late"), list(cases()))
def test_innocents(right: Right, profile: Profile, late: int):
    """Every right client, with the strongest promises that it can keep, in a few worlds."""
    kept = 0
    for seed in SEEDS:
        for promise in right.strongest_promises(profile):
            if promise.late_by_ms_max == late:
                site = a_world(right.dialect, seed, late_by_ms_max=late, profile=profile)
                follow(site, right.client, Random(seed), polls=POLLS)
                verdict = asked_verdict(site, promise)
                assert verdict["findings"] == [], verdict["report"]
                kept += verdict["outcome"] == "kept"
    assert kept


def only_the_newest(feed: SiteFeed) -> None:
    """Wrong: reads one page, newest first."""
    seen = set(feed.checkpoint or [])
    page = feed.requests_session().get(feed.url("/com/events.json"), params={"limit": 3}).json()
    for event in page["events"]:
        if event["id"] not in seen:
            feed.deliver(event)
    feed.save(sorted(seen | {event["id"] for event in page["events"]}))


def without_look_back(feed: SiteFeed) -> None:
    """Wrong where events are late: goes on from the highest id that it has seen."""
    since = feed.checkpoint or 1
    http = feed.requests_session()
    while True:
        params = {"since_id": since, "limit": feed.page_size}
        page = http.get(feed.url("/com/events.json"), params=params).json()["events"]
        for event in page:
            feed.deliver(event)
            since = event["id"]
        feed.save(since)
        if len(page) < feed.page_size:
            return


def everything_again(feed: SiteFeed) -> None:
    """Wrong: reads and delivers the whole log every time."""
    since, http = 1, feed.requests_session()
    while True:
        params = {"since_id": since, "limit": 50}
        page = http.get(feed.url("/com/events.json"), params=params).json()["events"]
        for event in page:
            feed.deliver(event)
            since = event["id"]
        if len(page) < 50:
            return


def touched(feed: SiteFeed) -> None:
    """Wrong: changes what it hands on."""
    for event in faked(feed._site, "/com/events.json?limit=50")["events"]:
        feed.deliver({**event, "verb": event["verb"].upper()})


CULPRITS = {
    only_the_newest: ("LOST", 0),
    without_look_back: ("LOST", 300_000),
    everything_again: ("DUPLICATED", 0),
    touched: ("ALTERED", 0),
}


@pytest.mark.parametrize("client", CULPRITS, ids=lambda client: client.__name__)
def test_culprits(client):
    rule, late = CULPRITS[client]
    found: set[str] = set()
    for seed in range(6):
        site = a_world("haravan", seed, late_by_ms_max=late)
        follow(site, client, Random(seed), polls=POLLS)
        verdict = asked_verdict(site, Promise())
        found |= {finding["rule"] for finding in verdict["findings"]}
        if rule in found:
            assert verdict["outcome"] == "broken"
            assert verdict["report"].startswith("BROKEN")
            return
    pytest.fail(f"{client.__name__} was never accused of {rule}, only of {found}")


def test_what_was_not_owed_yet_is_owed_after_the_next_poll():
    """A late event costs nothing until the client has polled past it; then it must be there."""
    site = a_world("haravan", 1, late_by_ms_max=300_000)
    feed = follow(site, without_look_back, Random(1), polls=2)
    control(site, "POST", "events", {"events": [{"late_by_s": 60}, {}]})
    without_look_back(feed)
    assert asked_verdict(site, Promise())["findings"] == []
    control(site, "POST", "clock/advance", {"seconds": 400})
    assert asked_verdict(site, Promise())["findings"] == []
    without_look_back(feed)
    verdict = asked_verdict(site, Promise())
    assert [(each["rule"], len(each["event_ids"])) for each in verdict["findings"]] == [("LOST", 1)]


class TestInconclusive:
    def test_nothing_was_asked(self):
        site = a_site(backlog=3)
        verdict = control(site, "POST", "verdict")
        assert verdict["outcome"] == "inconclusive"
        assert "has not asked for anything" in verdict["says"]
        assert verdict["says"] in verdict["report"]
        control(site, "POST", "delivered", {"events": [1]})
        assert control(site, "POST", "verdict")["outcome"] == "inconclusive"

    def test_nothing_was_delivered(self):
        site = a_site(backlog=3)
        faked(site, "/com/events.json")
        verdict = control(site, "POST", "verdict")
        assert (verdict["outcome"], verdict["findings"]) == ("inconclusive", [])
        assert "Nothing was reported as delivered" in verdict["says"]

    def test_nothing_hazardous_came_up(self):
        site = a_site(backlog=0)
        control(site, "POST", "events", {"events": [{}]})
        for _ in range(2):
            [event] = faked(site, "/com/events.json")["events"]
            control(site, "POST", "clock/advance", {"seconds": 60})
        control(site, "POST", "delivered", {"events": [event]})
        verdict = control(site, "POST", "verdict")
        assert (verdict["outcome"], verdict["polls"]) == ("inconclusive", 2)
        assert "nothing hazardous came up" in verdict["says"]

    @pytest.mark.parametrize("promise", [{"mode": "snapshot"}, {"delay_ms_max": 60_000}])
    def test_what_a_report_can_not_tell_is_not_judged(self, promise):
        site = a_site(backlog=3)
        faked(site, "/com/events.json")
        control(site, "POST", "delivered", {"events": [1]})
        verdict = control(site, "POST", "verdict", {"promise": promise})
        assert (verdict["outcome"], verdict["findings"]) == ("inconclusive", [])
        assert "can't be judged in an open world" in verdict["says"]
        assert verdict["says"] in verdict["report"]

    def test_a_new_client_is_judged_alone(self):
        site = a_site(backlog=3)
        faked(site, "/com/events.json")
        control(site, "POST", "delivered", {"events": [1]})
        assert control(site, "POST", "verdict")["outcome"] == "broken"
        control(site, "DELETE", "delivered")
        assert "has not asked" in control(site, "POST", "verdict")["says"]
        assert control(site, "GET", "requests")["total"] == 1


class TestPolls:
    """Where a poll ends and the next begins."""

    @staticmethod
    def count(*steps: str | int, limit: int = 2) -> int:
        """How many polls are told apart: numbers are pauses in seconds, text what is asked."""
        site = a_site(backlog=7, late_by_ms_max=0, wall=Wall(), clock="paced")
        wall = site.served._wall
        for step in steps:
            if isinstance(step, int):
                wall.now += step * 1000
            else:
                faked(site, f"/com/events.json?limit={limit}{step}")
        world = site.world
        history = with_polls(world, world.history, gap_ms=5_000, now=world.now)
        return sum(isinstance(step, PollStarted) for step in history)

    @staticmethod
    def ids() -> list[int]:
        site = a_site(backlog=7, late_by_ms_max=0, wall=Wall(), clock="paced")
        return sorted(row["id"] for row in control(site, "GET", "truth")["events"])

    def test_a_pause_tells_them_apart(self):
        assert self.count("", 4, "") == 1
        assert self.count("", 5, "") == 2

    def test_a_slow_walk_is_one_poll(self):
        ids = self.ids()
        assert self.count("&since_id=1", 9, f"&since_id={ids[1]}", 9, f"&since_id={ids[3]}") == 1
        assert self.count("&page=1", 9, "&page=2", 9, "&page=3") == 1

    def test_a_walk_ends_with_a_page_that_is_not_full(self):
        ids = self.ids()
        walk = (f"&since_id={ids[4]}", f"&since_id={ids[6]}")
        assert self.count(*walk, 9, f"&since_id={ids[6]}") == 2
        assert self.count(f"&since_id={ids[5]}", 9, f"&since_id={ids[6]}") == 2

    def test_the_same_first_page_again_is_another_poll(self):
        assert self.count("", 9, "", 9, "") == 3

    def test_who_asks_again_after_a_failure_is_in_the_same_poll(self):
        site = a_site(backlog=3)
        control(site, "PUT", "faults", {"faults": [{"kind": "rate-limited", "retry_after_s": 9}]})
        site.server(
            {"REQUEST_METHOD": "GET", "PATH_INFO": "/com/events.json", "QUERY_STRING": ""},
            lambda *_: None,
        )
        control(site, "POST", "clock/advance", {"seconds": 9})
        faked(site, "/com/events.json")
        control(site, "POST", "delivered", {"events": [1]})
        assert control(site, "POST", "verdict")["polls"] == 1

    def test_a_moved_clock_tells_them_apart_however_little(self):
        site = a_site(backlog=1)
        for _ in range(3):
            faked(site, "/com/events.json")
            control(site, "POST", "clock/advance", {"seconds": 0.01})
        control(site, "POST", "delivered", {"events": [1]})
        assert control(site, "POST", "verdict")["polls"] == 3

    def test_deliveries_belong_to_the_poll_before(self):
        steps = (
            Exchange(at=1_000, method="GET", target="/com/events.json", status=200),
            Delivered(at=2_000, event_id=1),
            Slept(at=2_000, ms=60_000),
            Delivered(at=62_000, event_id=2),
            Exchange(at=63_000, method="GET", target="/com/events.json", status=200),
        )
        told = with_polls(a_site().world, steps, gap_ms=5_000, now=70_000)
        assert [type(step).__name__ for step in told] == [
            "PollStarted",
            "Exchange",
            "Delivered",
            "Slept",
            "Delivered",
            "PollEnded",
            "PollStarted",
            "Exchange",
            "PollEnded",
        ]
        assert [step.at for step in told if isinstance(step, PollStarted)] == [1_000, 63_000]


def test_a_restart_is_told_and_excuses_a_repeat():
    def life(restarted: bool) -> dict:
        site = a_site(backlog=3, late_by_ms_max=0)
        events = faked(site, "/com/events.json")["events"]
        control(site, "POST", "delivered", {"events": events})
        control(site, "POST", "clock/advance", {"seconds": 60})
        faked(site, "/com/events.json")
        control(site, "POST", "delivered", {"restarted": restarted, "events": events})
        return control(site, "POST", "verdict")

    assert [finding["rule"] for finding in life(False)["findings"]] == ["DUPLICATED"]
    assert life(True)["findings"] == []


def test_the_promise_is_the_clients():
    site = a_site(backlog=3, late_by_ms_max=0)
    events = faked(site, "/com/events.json")["events"]
    control(site, "POST", "delivered", {"events": events + events})
    assert control(site, "POST", "verdict")["outcome"] == "broken"
    lenient = {"promise": {"delivery": "at-least-once"}}
    verdict = control(site, "POST", "verdict", lenient)
    assert (verdict["findings"], verdict["promise"]["delivery"]) == ([], "at-least-once")


def test_what_is_judged_can_be_judged_elsewhere():
    """With the evidence anybody comes to the same verdict, by ``fakeserver judge``."""
    site = a_world("haravan", 2, late_by_ms_max=300_000)
    follow(site, without_look_back, Random(2), polls=POLLS)
    verdict = asked_verdict(site, Promise(), evidence=True)
    scenario = Scenario.from_json(json.dumps(verdict["scenario"]))
    history = from_lines("\n".join(map(json.dumps, verdict["history"])).encode())
    again = judge(scenario, history)
    assert again.outcome == verdict["outcome"]
    assert [finding.rule for finding in again.findings] == [
        finding["rule"] for finding in verdict["findings"]
    ]


def test_a_scenario_with_a_plan_is_judged_without_it():
    scenario = generate_scenario(dialect="haravan", seed=5)
    site = a_site(scenario=scenario)
    control(site, "PUT", "clock", {"now": "2035-01-01T00:00:00Z"})
    page = faked(site, "/com/events.json?limit=250")["events"]
    control(site, "POST", "delivered", {"events": page})
    verdict = control(site, "POST", "verdict")
    assert verdict["findings"] == [], verdict["report"]


class TestAfterAFailure:
    """Nobody hears that a poll raised; so a failed request is no proof that the client gave up."""

    @staticmethod
    def polled(feed: SiteFeed, client: Client) -> None:
        with contextlib.suppress(Exception):  # the client's own affair
            client(feed)

    def test_a_last_poll_that_failed_accuses_nobody_yet(self):
        client = find_dialect("haravan").reference_client
        site = a_site(backlog=5, late_by_ms_max=0, rate_per_s=0.2, seed=3)
        feed = SiteFeed(site, page_size=2)
        for _ in range(3):
            client(feed)
            control(site, "POST", "clock/advance", {"seconds": 60})
        control(site, "PUT", "faults", {"faults": [{"kind": "server-error"}]})
        self.polled(feed, client)
        verdict = asked_verdict(site, Promise())
        assert (verdict["outcome"], verdict["findings"]) == ("inconclusive", [])
        assert "The last request failed (503)" in verdict["says"]
        client(feed)
        assert asked_verdict(site, Promise())["outcome"] == "kept"

    def test_who_never_comes_back_for_it_is_accused(self):
        site = a_site(backlog=5, late_by_ms_max=0)
        ids = [row["id"] for row in control(site, "GET", "truth")["events"]]
        control(site, "PUT", "faults", {"faults": [{"kind": "transient-422"}]})
        ask(site, "GET", "/com/events.json?since_id=1", headers=TOKEN_HEADER)
        control(site, "POST", "clock/advance", {"seconds": 60})
        faked(site, f"/com/events.json?since_id={max(ids) - 1}")
        control(site, "POST", "delivered", {"events": [max(ids)]})
        assert asked_verdict(site, Promise())["findings"] == []
        control(site, "POST", "clock/advance", {"seconds": 60})
        faked(site, f"/com/events.json?since_id={max(ids)}")
        found = asked_verdict(site, Promise())["findings"]
        assert [(f["rule"], f["cause"]) for f in found] == [("LOST", "failed-not-retried")]

    def test_what_was_not_saved_may_be_delivered_again(self):
        client = next(r for r in RIGHT if r.file == "saleschannel_look_back.py").client
        site = a_site(dialect="saleschannel", backlog=8, late_by_ms_max=0)
        feed = SiteFeed(site, page_size=3)
        control(site, "PUT", "faults", {"faults": [{"kind": "server-error", "nth": 2}]})
        self.polled(feed, client)
        control(site, "POST", "clock/advance", {"seconds": 60})
        client(feed)
        assert asked_verdict(site, Promise())["findings"] == []
        assert asked_verdict(site, Promise(delivery="exactly-once"))["outcome"] == "broken"

    def test_a_refusal_may_have_stopped_it_too(self):
        site = a_site(dialect="saleschannel", backlog=2, late_by_ms_max=0)
        page = faked(site, "/saleschannel-services/v1/events")
        control(site, "POST", "delivered", {"events": page})
        wrong = "/saleschannel-services/v1/events?$limit=0"
        assert ask(site, "GET", wrong, headers=TOKEN_HEADER).status == 400
        control(site, "POST", "clock/advance", {"seconds": 60})
        page = faked(site, "/saleschannel-services/v1/events")
        control(site, "POST", "delivered", {"events": page})
        found = asked_verdict(site, Promise())["findings"]
        assert [finding["rule"] for finding in found] == ["ILLEGAL_REQUEST"]


@pytest.mark.parametrize("clock", ["simulated", "paced"])
def test_events_of_ones_own_are_owed_where_nothing_is_late(clock: str):
    site = a_site(dialect="saleschannel", backlog=6, clock=clock)
    events = faked(site, "/saleschannel-services/v1/events")
    control(site, "POST", "delivered", {"events": events})
    own = control(site, "POST", "events", {"events": [{}, {}]})["events"]
    assert [event["late_by_ms"] for event in own] == [0, 0]


def test_what_may_be_held_back_is_said():
    site = a_site(backlog=4, late_by_ms_max=0)
    *older, _ = faked(site, "/com/events.json?since_id=1")["events"]
    control(site, "POST", "delivered", {"events": older})
    control(site, "POST", "clock/advance", {"seconds": 60})
    faked(site, "/com/events.json?since_id=1")
    verdict = asked_verdict(site, Promise())
    assert verdict["notes"] == ["1 event not delivered yet: perhaps held back, not counted"]


def test_what_nobody_could_read_is_said():
    """Seven events of one instant, and never more than five in a page."""
    site = a_site(dialect="saleschannel", settings={"limit_max": 5}, backlog=0)
    stamp = control(site, "GET", "clock")["now"]
    control(site, "POST", "events", {"events": [{"recorded_at": stamp}] * 7})
    path = "/saleschannel-services/v1/events?$limit=100&$orderBy[createdAt]=asc"
    rows = faked(site, path)
    control(site, "POST", "delivered", {"events": rows})
    control(site, "POST", "clock/advance", {"seconds": 60})
    faked(site, f"{path}&$filter[createdAt][gte]={rows[-1]['createdAt']}")
    verdict = asked_verdict(site, Promise())
    assert verdict["findings"] == []
    (told,) = verdict["impossible"]
    assert (told["name"], len(told["event_ids"])) == ("I1", 2)
    assert "7 events share the stamp" in told["sentence"]
    assert told["sentence"] in verdict["notes"]
    assert told["sentence"] in " ".join(verdict["report"].split())
