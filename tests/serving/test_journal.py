"""The journal: what each request covered, what was special about its page, and near misses."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from fakeserver.clock import to_text
from fakeserver.serving.journal import flags
from fakeserver.serving.options import SIMULATED_START
from tests.serving.asking import a_site, ask, control, faked, refused

HEADERS = {"Authorization": "Bearer fakeserver-token"}
HARAVAN = "/com/events.json"
SALESCHANNEL = "/saleschannel-services/v1/events"


def site_with(*seconds: float, late: dict[int, float] | None = None, **options):
    """A log of events recorded so many seconds before the start, some of them late (by place)."""
    site = a_site(late_by_ms_max=300_000, **options)
    events = [
        {"recorded_at": to_text(SIMULATED_START - round(1000 * each))}
        | ({"late_by_s": late[place]} if late and place in late else {})
        for place, each in enumerate(seconds)
    ]
    rows = control(site, "POST", "events", {"events": events})["events"]
    return site, [row["id"] for row in rows]


def journalled(site, target: str, **more) -> dict:
    """Send one request and return its entry."""
    ask(site, "GET", target, headers=more.pop("headers", HEADERS), **more)
    return control(site, "GET", "requests?last=1")["requests"][0]


class TestEntry:
    def test_tells_what_was_asked_and_answered(self):
        site, ids = site_with(30, 20, 10)
        entry = journalled(site, f"{HARAVAN}?since_id={ids[0]}&limit=2")
        assert entry == {
            "number": 1,
            "at": to_text(SIMULATED_START),
            "method": "GET",
            "target": f"{HARAVAN}?since_id={ids[0]}&limit=2",
            "status": 200,
            "event_ids": ids[1:],
            "first_id": ids[1],
            "last_id": ids[2],
            "rows": 2,
            "fault": None,
            "problem": None,
            "flags": [],
            "hints": [],
            "covers": f"ids above {ids[0]}, lowest first",
        }

    def test_of_a_refused_request(self):
        site, _ = site_with(10)
        entry = journalled(site, f"{HARAVAN}?limit=0")
        assert (entry["status"], entry["covers"], entry["rows"]) == (422, None, 0)
        assert entry["problem"].startswith("bad-number: limit")

    def test_of_an_answer_that_never_arrived(self):
        site, _ = site_with(10)
        control(site, "PUT", "faults", {"faults": [{"kind": "dropped-connection"}]})
        with pytest.raises(ConnectionResetError):
            faked(site, HARAVAN)
        [entry] = control(site, "GET", "requests")["requests"]
        assert (entry["status"], entry["fault"], entry["rows"], entry["flags"]) == (
            0,
            "dropped-connection",
            0,
            [],
        )

    def test_control_is_not_in_it(self):
        site, _ = site_with(10)
        control(site, "GET", "truth")
        assert control(site, "GET", "requests")["total"] == 0


@pytest.fixture
def site():
    """A site that was asked 25 times."""
    site, _ = site_with(10)
    for limit in range(1, 26):
        faked(site, f"{HARAVAN}?limit={limit}")
    return site


class TestPages:
    def test_are_the_whole_in_order(self, site):
        whole = control(site, "GET", "requests")["requests"]
        assert [entry["number"] for entry in whole] == list(range(1, 26))
        pages, after = [], 0
        while page := control(site, "GET", f"requests?after={after}&limit=7"):
            if not page["requests"]:
                break
            pages += page["requests"]
            after = page["next_after"]
        assert pages == whole

    def test_the_newest(self, site):
        page = control(site, "GET", "requests?last=3")
        assert [entry["number"] for entry in page["requests"]] == [23, 24, 25]
        assert (page["next_after"], page["total"], page["dropped"]) == (25, 25, 0)
        assert len(control(site, "GET", "requests?last=1000")["requests"]) == 25

    def test_past_the_end(self, site):
        page = control(site, "GET", "requests?after=25")
        assert (page["requests"], page["next_after"]) == ([], 25)
        assert control(site, "GET", "requests?after=999")["requests"] == []

    @pytest.mark.parametrize(
        "query", ["after=x", "after=-1", "limit=0", "limit=1001", "last=2&limit=1", "page=2"]
    )
    def test_bad_parameters(self, site, query):
        assert refused(site, "GET", f"requests?{query}")["status"] == 400

    def test_the_oldest_are_dropped(self, monkeypatch):
        monkeypatch.setattr("fakeserver.serving.options.STEPS_MAX", 10)
        site, _ = site_with(10)
        for limit in range(1, 26):
            faked(site, f"{HARAVAN}?limit={limit}")
        page = control(site, "GET", "requests?limit=3")
        assert [entry["number"] for entry in page["requests"]] == [16, 17, 18]
        assert page["requests"][0]["target"].endswith("limit=16")
        assert (page["next_after"], page["total"], page["dropped"]) == (18, 25, 15)
        assert "no longer kept" in control(site, "POST", "verdict")["says"]


class TestFlags:
    """Each flag with a page that has it and one that has not."""

    @pytest.mark.parametrize(
        ("query", "flags"),
        [
            ("limit=3", []),
            ("limit=4", ["short"]),
            ("limit=2", []),
            ("since_id=9007199254740991", ["empty"]),
            ("created_at_max=2020-01-01T00:00:00Z", ["empty"]),
        ],
    )
    def test_short_and_empty(self, query, flags):
        site, _ = site_with(30, 20, 10)
        assert journalled(site, f"{HARAVAN}?{query}")["flags"] == flags

    @pytest.mark.parametrize(
        ("stamps", "query", "tied"),
        [
            ((30, 20, 20, 10), "limit=2", True),
            ((30, 30, 20, 10), "limit=2", False),
            ((30, 20, 20, 10), "limit=3", False),
            ((30, 20, 20, 10), "limit=2&page=2", True),
            ((20, 20), "limit=2", False),
            ((20, 20, 20), "limit=1", True),
        ],
    )
    def test_tie_at_the_edge(self, stamps, query, tied):
        site, _ = site_with(*stamps)
        entry = journalled(site, f"{HARAVAN}?since_id=1&{query}")
        assert ("tie-at-edge" in entry["flags"]) == tied

    @pytest.mark.parametrize(
        ("late", "query", "hidden"),
        [
            ({1: 60}, "since_id=1", True),
            ({1: 25}, "since_id=1", True),
            ({1: 5}, "since_id=1", False),
            ({}, "since_id=1", False),
            ({2: 60}, "since_id=1&limit=1", False),
            ({0: 60}, "since_id=1&limit=1", True),
            ({0: 60}, "created_at_min=2026-03-02T08:59:45Z", False),
            ({1: 60}, "created_at_min=2026-03-02T08:59:35Z", True),
        ],
    )
    def test_late_and_hidden(self, late, query, hidden):
        site, _ = site_with(30, 20, 10, late=late)
        entry = journalled(site, f"{HARAVAN}?{query}")
        assert ("late-hidden" in entry["flags"]) == hidden

    def test_what_is_not_recorded_yet_is_not_hidden(self):
        site, _ = site_with(10, -60)
        assert journalled(site, HARAVAN)["flags"] == ["short"]

    @pytest.mark.parametrize("path", ["/com/events/count.json", "/com/events/5.json"])
    def test_only_lists_have_flags(self, path):
        site, _ = site_with(20, 20, 10, late={0: 60})
        assert journalled(site, path)["flags"] == []

    def test_of_the_sales_channel(self):
        site, _ = site_with(30, 20, 20, 10, late={3: 60}, dialect="saleschannel")
        query = "$orderBy[createdAt]=asc&$limit="
        assert journalled(site, f"{SALESCHANNEL}?{query}2")["flags"] == ["tie-at-edge"]
        assert journalled(site, f"{SALESCHANNEL}?{query}9")["flags"] == ["short", "late-hidden"]

    def test_hold_the_log_still(self, monkeypatch):
        """Log lines are made beside other requests, and asking a log changes its indexes."""
        site, _ = site_with(30, 20, 10)
        faked(site, f"{HARAVAN}?limit=2")
        world, was_free = site.world, []
        select = world.log.select

        def watched(*arguments):
            was_free.append(pool.submit(world.lock.acquire, blocking=False).result())
            return select(*arguments)

        with ThreadPoolExecutor(1) as pool:
            monkeypatch.setattr(world.log, "select", watched)
            flags(world, world.last_exchange)
        assert set(was_free) == {False}


NOW_S, NOW_MS = SIMULATED_START // 1000, SIMULATED_START

HINTS = {
    f"{HARAVAN}?created_at_min=2026-03-01T12:00:00+00:00": "created_at_min had an unencoded +",
    f"{HARAVAN}?created_at_mni=2026-03-01T12:00:00Z": "did you mean created_at_min?",
    f"{HARAVAN}?limit=99999": "the limit was clamped: asked for 99999, the server gives at most",
    f"{HARAVAN}?since_id={NOW_S}": "looks like a time (seconds since 1970",
    f"{HARAVAN}?since_id={NOW_MS}": "looks like a time (milliseconds since 1970",
    f"{HARAVAN}?created_at_min=2026-03-02T10:00:00Z": "lies in the future: here it is 2026",
    "/com/events": "the path lacks .json",
    "/events.json": "the path lacks /com",
    "/com/events.json/": "no slash at its end",
    "/com/event.json": f"the list is at {HARAVAN}",
}
HINTS_SALESCHANNEL = {
    "/saleschannel-services/event": f"the list is at {SALESCHANNEL}",
    "/v1/events": "the path lacks /saleschannel-services",
    f"{SALESCHANNEL}?$limi=5": "did you mean $limit?",
    f"{SALESCHANNEL}?$filter[createdAt][gte]=2026-03-01T12:00:00+01:00": "had an unencoded +",
}


class TestHints:
    @pytest.mark.parametrize("target", HINTS)
    def test_culprit(self, target):
        site, _ = site_with(30, 20, 10, settings={"limit_over_max": "clamp"})
        [hint] = journalled(site, target)["hints"]
        assert HINTS[target] in hint

    @pytest.mark.parametrize("target", HINTS_SALESCHANNEL)
    def test_culprit_of_the_sales_channel(self, target):
        site, _ = site_with(30, 20, 10, dialect="saleschannel")
        [hint] = journalled(site, target)["hints"]
        assert HINTS_SALESCHANNEL[target] in hint

    def test_a_missing_token(self):
        site, _ = site_with(10)
        [hint] = journalled(site, HARAVAN, headers={})["hints"]
        assert "send the header" in hint
        wrong = journalled(site, HARAVAN, headers={"Authorization": "Bearer secret-of-mine"})
        assert "send the header" in wrong["hints"][0]
        assert "secret-of-mine" not in str(wrong)

    def test_a_parameter_that_is_ignored(self):
        site, _ = site_with(10, settings={"unknown_parameter": "ignore"})
        entry = journalled(site, f"{HARAVAN}?limt=5")
        assert entry["status"] == 200
        assert "did you mean limit?" in entry["hints"][0]

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "limit=50",
            "since_id=1",
            "created_at_min=2026-03-01T12:00:00%2B00:00",
            "created_at_max=2030-01-01T00:00:00Z",
            "filter=Product,Order",
        ],
    )
    def test_innocent(self, query):
        site, _ = site_with(30, 20, 10)
        assert journalled(site, f"{HARAVAN}?{query}")["hints"] == []

    def test_an_id_that_looks_like_a_time_is_innocent(self):
        site = a_site()
        control(site, "POST", "events", {"events": [{"id": NOW_S}]})
        assert journalled(site, f"{HARAVAN}?since_id={NOW_S}")["hints"] == []
