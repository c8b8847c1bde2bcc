"""The control API, endpoint by endpoint: what it does, and what it says to slips.

Every answer is held to ``contracts/control/openapi.json`` by `asking.ask`.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from random import Random

import pytest
from openapi_spec_validator import validate

from fakeserver.app import ORIGIN
from fakeserver.clock import at, to_text
from fakeserver.dialects import DIALECTS
from fakeserver.doors import call
from fakeserver.generate import generate_scenario
from fakeserver.serving import documents
from fakeserver.serving.bodies import BODY_BYTES_MAX
from fakeserver.serving.endpoints import ROUTES
from fakeserver.serving.options import SIMULATED_START, ServeOptions
from fakeserver.serving.site import Site
from tests.serving.asking import CONTROL, DOCUMENT, Wall, a_site, ask, control, faked, refused


@pytest.fixture
def site() -> Site:
    return a_site(backlog=30)


def seconds_after_start(seconds: float) -> str:
    return to_text(SIMULATED_START + round(seconds * 1000))


class TestHealth:
    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_tells_which_world_it_is(self, dialect):
        site = a_site(dialect=dialect, seed=5, backlog=12)
        health = control(site, "GET", "health")
        assert (health["status"], health["dialect"], health["seed"]) == ("ready", dialect, 5)
        assert health["events"]["total"] == 12
        assert health["clock"]["now"] == seconds_after_start(0)

    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_tells_how_to_ask_the_faked_api(self, dialect):
        site = a_site(dialect=dialect, backlog=3)
        api = control(site, "GET", "health")["api"]
        reply = ask(
            site, "GET", api["list_path"], headers={"Authorization": f"Bearer {api['token']}"}
        )
        assert reply.status == 200

    def test_counts_what_is_hidden(self, site):
        control(site, "POST", "events", {"events": [{"late_by_s": 60}, {}]})
        before = control(site, "GET", "health")["events"]
        control(site, "POST", "clock/advance", {"seconds": 3600})
        after = control(site, "GET", "health")["events"]
        assert before["hidden"] >= 1
        assert after == {"visible": 32, "hidden": 0, "total": 32}


class TestClock:
    def test_advances_by_fractions(self, site):
        assert control(site, "POST", "clock/advance", {"seconds": 0.25})["now"] == (
            seconds_after_start(0.25)
        )

    def test_is_set(self, site):
        then = seconds_after_start(90)
        assert control(site, "PUT", "clock", {"now": then})["now"] == then

    def test_never_goes_back(self, site):
        problem = refused(site, "PUT", "clock", {"now": seconds_after_start(-1)})
        assert (problem["status"], problem["code"]) == (409, "clock-back")

    def test_runs_as_fast_as_is_said(self):
        wall = Wall()
        site = a_site(wall=wall)
        assert control(site, "PUT", "clock", {"pace": 60})["mode"] == "paced"
        wall.now += 1_000
        assert control(site, "GET", "clock")["now"] == seconds_after_start(60)
        control(site, "PUT", "clock", {"mode": "simulated"})
        wall.now += 1_000
        assert control(site, "GET", "clock")["now"] == seconds_after_start(60)

    def test_a_real_one_that_is_moved_goes_on_as_a_paced_one(self):
        wall = Wall()
        site = a_site(wall=wall, clock="real")
        assert control(site, "GET", "clock") == {
            "now": to_text(wall.now),
            "now_ms": wall.now,
            "mode": "real",
            "pace": 1,
        }
        moved = control(site, "POST", "clock/advance", {"seconds": 5})
        assert (moved["mode"], moved["pace"], moved["now_ms"]) == ("paced", 1, wall.now + 5_000)

    def test_one_that_never_rests_advances_by_nothing(self):
        class Running(Wall):
            def __call__(self) -> int:
                self.now += 1
                return self.now

        site = a_site(wall=Running(), clock="paced", pace=60.0)
        moved = [control(site, "POST", "clock/advance", {"seconds": 0})["now_ms"] for _ in range(3)]
        assert moved == sorted(set(moved))

    def test_one_behind_the_present_catches_up(self):
        wall = Wall(SIMULATED_START + 60_000)
        site = a_site(wall=wall)
        assert control(site, "PUT", "clock", {"mode": "real"})["now_ms"] == wall.now

    def test_one_ahead_of_the_present_can_not_be_real(self):
        site = a_site(wall=Wall(SIMULATED_START - 1))
        assert refused(site, "PUT", "clock", {"mode": "real"})["code"] == "clock-back"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "invalid"),
            ({"now": "2026-03-02"}, "invalid"),
            ({"now": "soon"}, "invalid"),
            ({"now": 5}, "invalid"),
            ({"mode": "fast"}, "invalid"),
            ({"pace": 0}, "invalid"),
            ({"pace": 1e9}, "invalid"),
            ({"mode": "real", "pace": 2}, "no-pace"),
            ({"mode": "real", "now": "2027-01-01T00:00:00Z"}, "no-now"),
            ({"nwo": "2027-01-01T00:00:00Z"}, "unknown-field"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, site, body, code):
        problem = refused(site, "PUT", "clock", body)
        assert (problem["status"], problem["code"]) == (422, code)

    def test_says_what_it_takes(self, site):
        problem = refused(site, "POST", "clock/advance", {"minutes": 1})
        assert problem["detail"] == "expected seconds, got 'minutes'"

    @pytest.mark.parametrize("seconds", [-1, 1e9, "60", None])
    def test_advance_refuses_what_is_no_span(self, site, seconds):
        assert refused(site, "POST", "clock/advance", {"seconds": seconds})["status"] == 422

    def test_a_jump_over_too_many_events_is_refused(self):
        site = a_site(rate_per_s=1000)
        assert refused(site, "POST", "clock/advance", {"seconds": 604_800})["code"] == "too-far"
        assert refused(site, "PUT", "clock", {"pace": 1000})["code"] == "too-fast"

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "clock/advance", {"seconds": 604_800}),
            ("PUT", "clock", {"now": seconds_after_start(604_800)}),
        ],
    )
    def test_a_jump_leaves_nothing_to_be_drawn_for_the_next_client(self, method, path, body):
        site = a_site(rate_per_s=0.01)
        control(site, method, path, body)
        assert site.world.joined_until == site.world.now
        assert len(site.world.log) > 1_000

    def test_the_stream_is_there_after_a_jump(self):
        site = a_site(rate_per_s=1)
        control(site, "POST", "clock/advance", {"seconds": 600})
        assert control(site, "GET", "health")["events"]["total"] > 100


class TestEvents:
    def test_everything_may_be_left_out(self, site):
        [row] = control(site, "POST", "events", {"events": [{}]})["events"]
        assert row["number"] == 31
        assert row["recorded_at"] == seconds_after_start(0)
        assert row["visible"]
        assert faked(site, "/com/events.json?limit=1")["events"] == [row["event"]]

    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_ids_rise(self, dialect):
        site = a_site(dialect=dialect, backlog=5, rate_per_s=1)
        rows = control(site, "POST", "events", {"events": [{}] * 40})["events"]
        more = control(site, "POST", "events", {"events": [{}] * 40})["events"]
        ids = [row["id"] for row in rows + more]
        assert len(set(ids)) == 80
        if dialect == "haravan":
            assert ids == sorted(ids)

    def test_none_takes_the_place_of_one_of_the_stream(self):
        """Nor do the ids stop rising with time: a client that pages by them loses nothing."""
        alone, shared = (a_site(rate_per_s=0.5, late_by_ms_max=0) for _ in range(2))
        for _ in range(3):
            control(shared, "POST", "events", {"events": [{}] * 400})
            for site in (alone, shared):
                control(site, "POST", "clock/advance", {"seconds": 20})
        theirs = [row["id"] for row in control(alone, "GET", "truth")["events"]]
        both = [row["id"] for row in control(shared, "GET", "truth?limit=10000")["events"]]
        assert len(both) == 1_200 + len(theirs) > 1_200
        assert set(theirs) < set(both)
        assert both == sorted(both)

    def test_the_ids_of_the_stream_are_left_out(self):
        site = a_site(rate_per_s=0.5)
        stream = site.world.stream
        least = next(i for i in range(10**9, 2 * 10**9) if stream.may_take(i + 1))
        rows = control(site, "POST", "events", {"events": [{"id": least}, {}]})["events"]
        assert rows[1]["id"] == next(i for i in range(least + 1, 2**40) if not stream.may_take(i))

    def test_says_when_it_appears(self, site):
        asked = {"recorded_at": seconds_after_start(-5), "late_by_s": 65}
        [row] = control(site, "POST", "events", {"events": [asked]})["events"]
        assert (row["visible"], row["late_by_ms"]) == (False, 65_000)
        assert row["visible_at"] == seconds_after_start(60)
        control(site, "POST", "clock/advance", {"seconds": 60})
        assert control(site, "GET", "truth?last=1")["events"][0]["visible"]

    def test_history_can_be_written_before_the_first_request(self, site):
        asked = {"recorded_at": "2020-01-01T00:00:00Z"}
        [row] = control(site, "POST", "events", {"events": [asked]})["events"]
        assert (row["visible"], row["late_by_ms"]) == (True, 0)

    def test_but_not_after_it(self, site):
        faked(site, "/com/events.json")
        asked = {"recorded_at": "2020-01-01T00:00:00Z"}
        [row] = control(site, "POST", "events", {"events": [asked]})["events"]
        assert row["late_by_ms"] > 0
        assert at(row["visible_at"]) > SIMULATED_START

    @pytest.mark.parametrize("verb", ["placed", "cancelled", "create"])
    def test_the_story_fits_what_is_said(self, site, verb):
        asked = {"fields": {"verb": verb, "message": "<b>mine</b>"}}
        [row] = control(site, "POST", "events", {"events": [asked]})["events"]
        assert (row["event"]["verb"], row["event"]["message"]) == (verb, "<b>mine</b>")
        assert (row["event"]["subject_type"] == "Order") == (verb in ("placed", "cancelled"))

    def test_the_same_requests_make_the_same_events(self):
        bodies = [
            control(a_site(seed=3), "POST", "events", {"events": [{}, {"late_by_s": 3}]})
            for _ in range(2)
        ]
        assert bodies[0] == bodies[1]

    def test_an_id_that_is_taken_is_refused_with_all_the_others(self, site):
        taken = control(site, "GET", "truth?last=1")["events"][0]["id"]
        problem = refused(site, "POST", "events", {"events": [{}, {"id": taken}]})
        assert (problem["status"], problem["code"]) == (409, "id-taken")
        assert control(site, "GET", "health")["events"]["total"] == 30

    @pytest.mark.parametrize(
        "events",
        [
            [],
            [{}] * 1_001,
            [{"id": "text"}],
            [{"id": 0}],
            [{"id": 2**64}],
            [{"id": True}],
            [{"id": 7}, {"id": 7}],
            [{"fields": {"verbs": "placed"}}],
            [{"fields": {"subject_id": "many"}}],
            [{"fields": []}],
            [{"recorded_at": "yesterday"}],
            [{"recorded_at": "2026-03-02T09:00:00"}],
            [{"visible_at": "2026-03-02T09:00:00Z", "late_by_s": 1}],
            [{"late_by_s": -1}],
            [{"late": 1}],
            {},
        ],
    )
    def test_refuses_what_can_not_be_an_event(self, site, events):
        assert refused(site, "POST", "events", {"events": events})["status"] == 422
        assert control(site, "GET", "health")["events"]["total"] == 30


class TestTruth:
    def test_pages_are_the_whole_log(self, site):
        whole = control(site, "GET", "truth")
        assert (whole["total"], whole["next_after"]) == (30, 30)
        assert [row["number"] for row in whole["events"]] == list(range(1, 31))
        pages, after = [], 0
        while page := control(site, "GET", f"truth?after={after}&limit=7")["events"]:
            pages += page
            after = page[-1]["number"]
        assert pages == whole["events"]
        assert control(site, "GET", "truth?last=4")["events"] == whole["events"][-4:]
        assert control(site, "GET", "truth?after=30")["next_after"] == 30

    @pytest.mark.parametrize(
        "query",
        ["after=-1", "after=x", "limit=0", "limit=10001", "last=0", "last=1&after=1", "afer=1"],
    )
    def test_refuses_bad_parameters(self, site, query):
        assert refused(site, "GET", f"truth?{query}")["status"] == 400

    def test_shows_what_the_api_shows(self, site):
        truth = {row["id"]: row["event"] for row in control(site, "GET", "truth")["events"]}
        served = faked(site, "/com/events.json?limit=30")["events"]
        assert served
        assert all(truth[event["id"]] == event for event in served)


class TestScenario:
    def test_is_loaded_and_served(self, site):
        scenario = generate_scenario(dialect="saleschannel", seed=4)
        health = control(site, "PUT", "scenario", json.loads(scenario.to_json()))
        assert (health["dialect"], health["seed"], health["resets"]) == ("saleschannel", None, 1)
        assert health["clock"]["now_ms"] == scenario.starts_at
        assert health["clock"]["mode"] == "simulated"
        loaded = control(site, "GET", "scenario")
        assert loaded["events"] == json.loads(scenario.to_json())["events"]

    def test_what_is_got_can_be_put(self, site):
        control(site, "POST", "events", {"events": [{}]})
        before = control(site, "GET", "scenario")
        control(site, "PUT", "scenario", before)
        assert control(site, "GET", "scenario") == before

    def test_of_a_log_that_is_too_long_there_is_none(self, site, monkeypatch):
        monkeypatch.setattr("fakeserver.serving.endpoints.EVENTS_MAX", 29)
        assert refused(site, "GET", "scenario")["code"] == "too-many-events"
        monkeypatch.setattr("fakeserver.serving.verdict.EVENTS_MAX", 29)
        verdict = control(site, "POST", "verdict")
        assert verdict["says"].startswith("The log has 30 events, and 29 can be judged.")

    def test_a_bad_one_leaves_the_world_alone(self, site):
        good = json.loads(generate_scenario(seed=1, hazards=["tie-at-page-edge"]).to_json())
        shown = good["events"][0]["fields"]
        for change in (
            {"dialect": "none"},
            {"page_size": 0},
            {"settings": {"limit_max": "many"}},
            {"events": [{**good["events"][0], "fields": {}}]},
            {"events": [{**good["events"][0], "fields": {**shown, "subject_id": "x"}}]},
            {"unknown": 1},
        ):
            assert refused(site, "PUT", "scenario", {**good, **change})["status"] == 422
        assert control(site, "GET", "health")["resets"] == 0


class TestReset:
    def test_goes_back_to_the_start(self, site):
        start = control(site, "GET", "truth")
        control(site, "POST", "clock/advance", {"seconds": 60})
        control(site, "POST", "events", {"events": [{}]})
        control(site, "PUT", "faults", {"faults": [{"kind": "transient-422", "nth": 50}]})
        faked(site, "/com/events.json")
        control(site, "POST", "delivered", {"events": [1]})
        health = control(site, "POST", "reset")
        assert (health["resets"], health["requests"]) == (1, 0)
        assert control(site, "GET", "truth") == start
        assert control(site, "GET", "faults") == {"faults": []}
        assert control(site, "POST", "delivered", {}) == {"delivered": 0}

    def test_forgets_a_loaded_scenario(self, site):
        start = control(site, "GET", "truth")
        control(site, "PUT", "scenario", json.loads(generate_scenario(seed=1).to_json()))
        control(site, "POST", "reset")
        assert control(site, "GET", "truth") == start

    def test_takes_no_options(self, site):
        assert refused(site, "POST", "reset", {"seed": 8})["code"] == "unknown-field"
        assert control(site, "POST", "reset", {})["resets"] == 1


FAULT = {"kind": "server-error", "nth": 2, "status": 502}


class TestFaults:
    def test_hit_what_they_are_armed_for(self, site):
        armed = control(site, "PUT", "faults", {"faults": [FAULT]})
        assert armed == {"faults": [{**FAULT, "times": 1, "requests_left": 1}]}
        target = "/com/events.json"
        headers = {"Authorization": "Bearer fakeserver-token"}
        statuses = [ask(site, "GET", target, headers=headers).status for _ in range(3)]
        assert statuses == [200, 502, 200]
        assert control(site, "GET", "faults") == {"faults": []}
        journal = control(site, "GET", "requests")["requests"]
        assert [entry["fault"] for entry in journal] == [None, "server-error", None]

    def test_what_is_got_can_be_put(self, site):
        body = {"faults": [FAULT, {"kind": "slow-answer", "ms": 5, "times": None}]}
        armed = control(site, "PUT", "faults", body)
        assert control(site, "PUT", "faults", armed) == armed

    def test_are_disarmed(self, site):
        control(site, "PUT", "faults", {"faults": [FAULT]})
        assert ask(site, "DELETE", f"{CONTROL}/faults").status == 204
        assert control(site, "GET", "faults") == {"faults": []}

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "explosion"},
            {"kind": "slow-answer"},
            {"kind": "server-error", "nth": 0},
            {"kind": "server-error", "status": 404},
            {"nth": 2},
        ],
    )
    def test_refuses_what_is_no_fault(self, site, fault):
        assert refused(site, "PUT", "faults", {"faults": [fault]})["status"] == 422

    def test_refuses_too_many(self, site):
        assert refused(site, "PUT", "faults", {"faults": [FAULT] * 101})["status"] == 422


def test_many_at_once_with_resets(tmp_path):
    """Requests, appends, jumps and resets from all sides: one order, and the file agrees."""
    site = a_site(backlog=5, rate_per_s=0.5, state=tmp_path / "state")
    kinds = [
        lambda: faked(site, "/com/events.json?limit=3"),
        lambda: control(site, "POST", "events", {"events": [{}, {"late_by_s": 9}]}),
        lambda: control(site, "POST", "clock/advance", {"seconds": 1}),
        lambda: control(site, "POST", "delivered", {"events": [1], "checkpoint": 2}),
        lambda: control(site, "POST", "verdict", {"evidence": True}),
        lambda: control(site, "GET", "requests"),
        lambda: control(site, "DELETE", "delivered"),
    ]

    def work(seed: int) -> None:
        random = Random(seed)
        for _ in range(40):
            if random.random() < 0.03:
                control(site, "POST", "reset")
            random.choice(kinds)()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    seen = [control(site, "GET", name) for name in ("truth", "requests", "health")]
    history = site.world.history
    assert [step.at for step in history] == sorted(step.at for step in history)
    site.close()
    site = a_site(backlog=5, rate_per_s=0.5, state=tmp_path / "state")
    assert [control(site, "GET", name) for name in ("truth", "requests", "health")] == seen
    site.close()


class TestSlips:
    @pytest.mark.parametrize(
        ("data", "kind", "status"),
        [
            (b"checkpoint=1", "application/x-www-form-urlencoded", 415),
            (b"{}", "text/plain", 415),
            (b"", "application/json", 400),
            (b"{", "application/json", 400),
            (b'{"checkpoint": "\xff"}', "application/json", 400),
            (b'{"checkpoint": "\\ud800"}', "application/json", 400),
            (b'{"checkpoint": ' + b"[" * 100_000, "application/json", 400),
            (b'{"checkpoint": NaN}', "application/json", 400),
            (b"[]", "application/json", 422),
            (b"null", "application/json", 422),
        ],
    )
    def test_a_body_that_is_no_json(self, site, data, kind, status):
        headers = {"Content-Type": kind}
        problem = refused(site, "POST", "delivered", data=data, headers=headers)
        assert problem["status"] == status

    def test_charset_is_welcome(self, site):
        headers = {"Content-Type": "application/json; charset=utf-8"}
        assert control(site, "PUT", "clock", data=b'{"pace": 2}', headers=headers)["pace"] == 2

    def test_a_body_that_is_too_large(self, site):
        headers = {"Content-Type": "application/json", "Content-Length": str(BODY_BYTES_MAX + 1)}
        problem = refused(site, "PUT", "clock", data=b"{}", headers=headers)
        assert (problem["status"], problem["code"]) == (413, "too-large")

    @pytest.mark.parametrize("path", ["clocks", "health/x", "%00", "x" * 5000, "feeds/none"])
    def test_an_unknown_endpoint(self, site, path):
        assert refused(site, "GET", path)["status"] == 404

    def test_the_unknown_lists_the_known(self, site):
        problem = refused(site, "GET", "clok")
        assert f"GET {CONTROL}/clock" in problem["endpoints"]
        assert f"did you mean {CONTROL}/clock?" in problem["detail"]

    @pytest.mark.parametrize("method", ["PATCH", "DELETE", "OPTIONS", "BREW"])
    def test_a_wrong_method(self, site, method):
        reply = ask(site, method, f"{CONTROL}/health")
        assert reply.status == 405
        assert reply.headers["Allow"] == "GET, HEAD"

    @pytest.mark.parametrize("path", ["health", "clock", "faults", "openapi.json"])
    def test_a_parameter_where_none_is_read(self, site, path):
        assert refused(site, "GET", f"{path}?x=1")["code"] == "unknown-parameter"

    def test_the_token_is_never_in_an_answer_of_the_control_api_but_health(self, site):
        faked(site, "/com/events.json")
        assert b"fakeserver-token" not in ask(site, "GET", f"{CONTROL}/requests").body

    def test_without_control_there_is_nothing(self):
        site = a_site(control=False, backlog=1)
        for path in ("/", "/health", "/feeds/x/health", "x"):
            body = call(site, "GET", f"{ORIGIN}{CONTROL}{path}", {"Accept": "text/html"}).body
            assert "expected /com/events.json" in json.loads(body)["errors"]
        assert len(faked(site, "/com/events.json")["events"]) == 1

    @pytest.mark.parametrize("path", ["/_fakeserve", "/_fakeserverx", "/_FAKESERVER/health"])
    def test_other_paths_belong_to_the_faked_api(self, site, path):
        body = call(site, "GET", ORIGIN + path, {}).body
        assert "expected /com/events.json" in json.loads(body)["errors"]

    def test_head_is_get_without_a_body(self, site):
        reply = ask(site, "HEAD", f"{CONTROL}/health")
        assert (reply.status, reply.body) == (200, b"")


def test_random_bytes_are_answered_with_a_problem(site):
    """Nothing that can be sent makes the control API fail, and the world stays whole."""
    random = Random(5)
    answers: list[str] = []
    words = [f"{CONTROL}{path}".encode() for _, path, _ in ROUTES] + [
        b"\xff",
        b"%",
        b"//",
        b"feeds/x/",
    ]
    for _ in range(3_000):
        parts = random.choices(words, k=1) + [random.randbytes(random.randrange(4)) for _ in "ab"]
        body = random.choice([b"", b"{}", b'{"events": [{}]}', random.randbytes(9)])
        environ = {
            "REQUEST_METHOD": random.choice(["GET", "PUT", "POST", "DELETE", "G\xeb"]),
            "PATH_INFO": b"".join(parts).decode("latin-1"),
            "QUERY_STRING": random.choice(["", random.randbytes(5).decode("latin-1")]),
            "CONTENT_TYPE": random.choice(["application/json", "", "x\xff; ="]),
            "CONTENT_LENGTH": random.choice([str(len(body)), "", "-1", "x", "9" * 30]),
            "HTTP_HOST": "localhost",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
        }
        list(site(environ, lambda status, *_: answers.append(status)))
        assert answers[-1] < "5", (environ, answers[-1])
    assert len(answers) == 3_000
    assert control(site, "GET", "health")["status"] == "ready"


class TestDocuments:
    def test_every_route_is_documented_and_the_other_way_round(self):
        routes = {
            (verb.lower(), (f"{CONTROL}{path}" or "/").replace("<", "{").replace(">", "}"))
            for verb, path, _ in ROUTES
        }
        routes = {(verb, path.replace("feed_id", "id")) for verb, path in routes}
        routes = {(verb, f"{CONTROL}/" if path == CONTROL else path) for verb, path in routes}
        documented = {
            (verb, path)
            for path, item in DOCUMENT["paths"].items()
            for verb in item
            if verb != "parameters"
        }
        assert routes == documented

    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_both_apis_in_one_valid_document(self, dialect):
        site = a_site(dialect=dialect)
        merged = control(site, "GET", "openapi.json")
        validate(merged)
        parts = [control(site, "GET", f"openapi/{name}.json") for name in ("control", dialect)]
        assert set(merged["paths"]) == set(parts[0]["paths"]) | set(parts[1]["paths"])
        for path, item in merged["paths"].items():
            of = parts[0] if path in parts[0]["paths"] else parts[1]
            for verb in item.keys() - {"parameters"}:
                assert item[verb]["security"] == item[verb].get("security", of["security"])
                assert item[verb]["security"]
        refs = {line for line in json.dumps(merged).split('"') if line.startswith("#/components")}
        for ref in refs:
            found = merged
            for name in ref.split("/")[1:]:
                found = found[name]
            assert found

    def test_a_clash_of_names_is_settled(self):
        ours = {
            "components": {"schemas": {"Problem": {"type": "object"}, "Clock": {}}},
            "paths": {"/x": {"get": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        }
        renamed = documents._renamed(ours, {"schemas": {"Problem": {}}})
        assert set(renamed["components"]["schemas"]) == {"ControlProblem", "Clock"}
        assert "#/components/schemas/ControlProblem" in json.dumps(renamed["paths"])

    def test_the_document_of_a_feed_names_its_prefix(self, site):
        url = control(site, "POST", "feeds", {"id": "f"})["base_url"]
        found = control(site, "GET", f"feeds/f{CONTROL}/openapi.json")
        assert url.endswith(found["servers"][0]["url"])

    def test_an_unknown_document(self, site):
        assert refused(site, "GET", "openapi/none.json")["code"] == "no-document"


class TestEnd:
    def test_the_host_is_told_after_the_answer(self):
        told = []
        site = a_site(on_shutdown=lambda: told.append("now"))
        assert control(site, "POST", "shutdown") == {"status": "stopping"}
        assert told == ["now"]

    def test_without_a_host_there_is_nothing_to_end(self, site):
        assert refused(site, "POST", "shutdown")["code"] == "no-server"


class TestBrowser:
    def test_is_sent_on_to_the_page(self, site):
        reply = ask(site, "GET", "/", headers={"Accept": "text/html,*/*"})
        assert (reply.status, reply.headers["Location"]) == (302, f"{CONTROL}/")

    def test_others_are_not(self, site):
        assert ask(site, "GET", "/", headers={"Accept": "*/*"}).status == 404


def test_options_say_what_is_wrong():
    for change, says in {
        "dialect": ("none", "dialect"),
        "profile": ("none", "profile"),
        "backlog": (10**7 + 1, "backlog: expected 0 to 10000000 events, got 10000001"),
        "rate_per_s": (1e9, "rate_per_s"),
        "clock": ("fast", "clock"),
        "pace": (2.0, "pace"),
        "late_by_ms_max": (-1, "late_by_ms_max"),
    }.items():
        value, word = says
        with pytest.raises(ValueError, match=word):
            ServeOptions(**{"dialect": "haravan", "clock": "simulated", change: value})


def test_the_world_outlives_the_end_of_the_calendar():
    site = a_site(dialect="saleschannel", backlog=0)
    control(site, "PUT", "clock", {"now": "9999-12-31T23:59:59.999Z"})
    faked(site, "/saleschannel-services/v1/events")
    control(site, "POST", "events", {"events": [{}]})
    assert control(site, "GET", "clock")["now"] == "9999-12-31T23:59:59.999Z"
    assert len(faked(site, "/saleschannel-services/v1/events")) == 1
