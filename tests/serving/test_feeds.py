"""Feeds: isolated worlds under their own prefix."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakeserver.generate import generate_scenario
from fakeserver.serving import feeds
from tests.serving.asking import CONTROL, Wall, a_site, ask, control, faked, refused


def prefix(feed_id: str) -> str:
    return f"{CONTROL}/feeds/{feed_id}"


def below(site, method: str, feed_id: str, path: str, body=None):
    """Ask the control API of a feed."""
    return control(site, method, f"feeds/{feed_id}{CONTROL}/{path}", body)


@pytest.fixture
def site():
    return a_site(backlog=5, seed=1)


def test_answers_under_its_prefix(site):
    feed = control(site, "POST", "feeds", {"id": "w-1", "seed": 2, "backlog": 9})
    assert feed["base_url"].endswith(prefix("w-1"))
    assert feed["control_url"] == feed["base_url"] + CONTROL
    events = faked(site, "/com/events.json?limit=50", prefix=prefix("w-1"))["events"]
    assert len(events) == 9
    assert events != faked(site, "/com/events.json?limit=50")["events"]
    health = below(site, "GET", "w-1", "health")
    assert (health["feed"], health["seed"], health["api"]["base_url"]) == (
        "w-1",
        2,
        feed["base_url"],
    )
    [request] = below(site, "GET", "w-1", "requests")["requests"]
    assert request["target"] == "/com/events.json?limit=50"


def test_the_answer_says_where_it_is(site):
    reply = ask(site, "POST", f"{CONTROL}/feeds", {})
    assert reply.headers["Location"] == reply.json["control_url"]


def test_what_is_left_out_is_as_in_the_main_world():
    wall = Wall()
    site = a_site(wall=wall, seed=4, backlog=7, clock="paced", pace=60.0, late_by_ms_max=1_000)
    control(site, "POST", "feeds", {"id": "same"})
    assert below(site, "GET", "same", "truth") == control(site, "GET", "truth")
    assert below(site, "GET", "same", "clock") == control(site, "GET", "clock")
    control(site, "POST", "feeds", {"id": "other", "dialect": "saleschannel", "clock": "simulated"})
    health = below(site, "GET", "other", "health")
    assert (health["dialect"], health["seed"], health["events"]["total"]) == ("saleschannel", 4, 7)
    assert health["clock"]["mode"] == "simulated"


def test_another_profile_is_not_called_by_what_was_measured():
    """Its name and its lateness are those of the main world, and of feeds that change no switch."""
    site = a_site(seed=4, backlog=3, measured="traced-2020-01-01")
    for asked, name in (
        ({}, "traced-2020-01-01"),
        ({"seed": 5}, "traced-2020-01-01"),
        ({"profile": "documented"}, "documented"),
        ({"dialect": "saleschannel"}, "default"),
    ):
        feed = control(site, "POST", "feeds", asked)
        assert below(site, "GET", feed["id"], "scenario")["profile"] == name


def test_a_scenario_can_be_a_feed(site):
    scenario = json.loads(generate_scenario(dialect="saleschannel", seed=2).to_json())
    feed = control(site, "POST", "feeds", {"scenario": scenario})
    assert (feed["dialect"], feed["seed"]) == ("saleschannel", None)
    assert below(site, "GET", feed["id"], "truth")["total"] == len(scenario["events"])


def test_are_counted_listed_and_freed(site):
    control(site, "POST", "feeds", {"id": "feed-2"})
    ids = [control(site, "POST", "feeds")["id"] for _ in range(2)]
    assert ids == ["feed-1", "feed-3"]
    listed = control(site, "GET", "feeds")["feeds"]
    assert [feed["id"] for feed in listed] == ["feed-2", "feed-1", "feed-3"]
    assert ask(site, "DELETE", prefix("feed-1")).status == 204
    assert refused(site, "GET", "feeds/feed-1")["status"] == 404
    assert ask(site, "GET", f"{prefix('feed-1')}/com/events.json").status == 404
    assert refused(site, "DELETE", "feeds/feed-1")["code"] == "no-feed"
    assert control(site, "GET", "feeds/feed-3") == listed[2]


def test_hold_less_history_than_a_server_of_its_own(monkeypatch):
    monkeypatch.setattr(feeds, "FEED_BACKLOG_MAX", 6)
    site = a_site(backlog=7)
    problem = refused(site, "POST", "feeds", {"id": "as-the-main-one"})
    assert problem["status"] == 422
    assert "backlog: expected 0 to 6 events for a feed, got 7" in problem["detail"]
    control(site, "POST", "feeds", {"id": "less", "backlog": 6})
    assert below(site, "GET", "less", "health")["events"]["total"] == 6


def test_have_no_feeds_and_end_no_server():
    site = a_site(on_shutdown=lambda: pytest.fail("a feed ended the server"))
    control(site, "POST", "feeds", {"id": "f"})
    for method, path in (("POST", "feeds"), ("GET", "feeds"), ("POST", "shutdown")):
        problem = refused(
            site, method, f"feeds/f{CONTROL}/{path}", {} if method == "POST" else None
        )
        assert problem["code"] == "unknown-endpoint"
        assert not any(path in endpoint for endpoint in problem["endpoints"])


@pytest.mark.parametrize(
    "body",
    [
        {"id": ""},
        {"id": "a/b"},
        {"id": "../x"},
        {"id": "-a"},
        {"id": "ü"},
        {"id": "a" * 65},
        {"id": "a b"},
        {"id": "a\n"},
        {"dialect": "none"},
        {"profile": "none"},
        {"settings": {"limit_max": "x"}},
        {"settings": {"limitmax": 5}},
        {"backlog": -1},
        {"backlog": 1_000_000_000},
        {"clock": "fast"},
        {"clock": "simulated", "pace": 5},
        {"starts_at": "now"},
        {"clock": "real", "starts_at": "2026-01-01T00:00:00Z"},
        {"scenario": {"dialect": "haravan"}},
        {"sead": 4},
        {"token": "x"},
    ],
)
def test_refuses_what_makes_no_sense(site, body):
    assert refused(site, "POST", "feeds", body)["status"] == 422
    assert control(site, "GET", "feeds") == {"feeds": []}


def test_an_id_is_taken_once(site):
    control(site, "POST", "feeds", {"id": "f"})
    problem = refused(site, "POST", "feeds", {"id": "f", "seed": 9})
    assert (problem["status"], problem["code"]) == (409, "id-taken")
    assert control(site, "GET", "feeds/f")["seed"] == 1


def test_there_is_a_bound(site, monkeypatch):
    monkeypatch.setattr(feeds, "FEEDS_MAX", 3)
    for _ in range(3):
        control(site, "POST", "feeds")
    assert refused(site, "POST", "feeds")["code"] == "too-many-feeds"
    control(site, "DELETE", "feeds/feed-2")
    control(site, "POST", "feeds")


def test_a_reset_leaves_the_others_alone(site):
    control(site, "POST", "feeds", {"id": "a"})
    control(site, "POST", "feeds", {"id": "b"})
    for feed_id in ("a", "b"):
        below(site, "POST", feed_id, "events", {"events": [{}]})
    below(site, "POST", "a", "reset")
    control(site, "POST", "reset")
    totals = [below(site, "GET", each, "health")["events"]["total"] for each in ("a", "b")]
    assert totals == [5, 6]


def test_twenty_at_once_do_not_hear_each_other(site):
    """Each worker does what a test does, in its own world, and finds there only its own."""

    def work(number: int) -> list[int]:
        feed_id = f"worker-{number}"
        control(site, "POST", "feeds", {"id": feed_id, "backlog": 0})
        mine = [10_000 * (number + 1) + place for place in range(20)]
        seen: list[int] = []
        for event_id in mine:
            below(site, "POST", feed_id, "events", {"events": [{"id": event_id}]})
            below(site, "POST", feed_id, "clock/advance", {"seconds": number + 1})
            target = f"/com/events.json?since_id={seen[-1] if seen else 1}"
            page = faked(site, target, prefix=prefix(feed_id))["events"]
            seen += [event["id"] for event in page]
            below(site, "POST", feed_id, "delivered", {"events": page})
        journal = below(site, "GET", feed_id, "requests")
        assert [entry["event_ids"] for entry in journal["requests"]] == [[i] for i in mine]
        health = below(site, "GET", feed_id, "health")
        assert health["events"]["total"] == health["requests"] == 20
        verdict = below(site, "POST", feed_id, "verdict", {"poll_gap_s": 0.5})
        assert (verdict["findings"], verdict["polls"]) == ([], 20)
        return seen

    with ThreadPoolExecutor(20) as pool:
        seen = list(pool.map(work, range(20)))
    assert [len(set(ids)) for ids in seen] == [20] * 20
    assert control(site, "GET", "requests")["total"] == 0
