"""The state file: what was acknowledged is there, whatever became of the process."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from fakeserver.app import HOLD, ORIGIN, AnswerTimedOut
from fakeserver.dialects.base import Ask
from fakeserver.doors import call
from fakeserver.errors import HarnessError, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.serving import state as state_module
from fakeserver.serving.site import Site
from fakeserver.serving.state import APPLICATION_ID, State
from tests.serving.appender import OPTIONS
from tests.serving.asking import CONTROL, Wall, a_site, ask, control, faked

APPENDER = Path(__file__).with_name("appender.py")
KILLS = 50
LINES_MAX = 40
"""A run is killed after at most so many acknowledgements: enough to be in the middle of any."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.sqlite"


@pytest.fixture
def opened(path):
    """Open a site on the state file; the one before is closed first."""
    sites: list[Site] = []

    def open_site(**options) -> Site:
        while sites:
            sites.pop().close()
        sites.append(a_site(**{"state": path, "backlog": 10, **options}))
        return sites[-1]

    yield open_site
    while sites:
        sites.pop().close()


def everything(site: Site) -> dict:
    """What can be seen of a world."""
    found = {name: control(site, "GET", name) for name in ("truth", "requests", "clock", "faults")}
    found["health"] = control(site, "GET", "health")
    found["verdict"] = control(site, "POST", "verdict", {"evidence": True})
    return found


def a_life(site: Site) -> None:
    """A bit of everything that is kept."""
    control(site, "POST", "clock/advance", {"seconds": 100})
    page = faked(site, "/com/events.json?limit=3")["events"]
    control(site, "POST", "events", {"events": [{}, {"late_by_s": 500}]})
    control(site, "POST", "delivered", {"events": page, "checkpoint": {"since_id": 5}})
    control(site, "POST", "clock/advance", {"seconds": 7.5})
    faults = [{"kind": "server-error", "nth": 2, "times": 3}, {"kind": "transient-422"}]
    control(site, "PUT", "faults", {"faults": faults})
    assert ask(site, "GET", "/com/events.json", headers=HEADERS).status == 422
    control(site, "POST", "events", {"events": [{"id": 77, "fields": {"verb": "placed"}}]})


HEADERS = {"Authorization": "Bearer fakeserver-token"}
PATIENCE = {"HTTP_AUTHORIZATION": "Bearer fakeserver-token", HOLD: lambda ms: False}
"""A live server whose client has gone when the answer is ready."""


class TestReopened:
    @pytest.mark.parametrize("rate_per_s", [0, 0.5])
    @pytest.mark.parametrize("dialect", ["haravan", "saleschannel"])
    def test_everything_is_there(self, opened, dialect, rate_per_s):
        site = opened(dialect=dialect, rate_per_s=rate_per_s)
        if dialect == "haravan":
            a_life(site)
        else:
            control(site, "POST", "events", {"events": [{}, {"late_by_s": 9}]})
            faked(site, "/saleschannel-services/v1/events")
        control(site, "PUT", "faults", {"faults": [{"kind": "slow-answer", "ms": 1, "nth": 9}]})
        before = everything(site)
        assert everything(opened(dialect=dialect, rate_per_s=rate_per_s)) == before

    def test_and_it_goes_on_alike(self, opened):
        lasting, broken = a_site(backlog=10, rate_per_s=0.5), opened(rate_per_s=0.5)
        for site in (lasting, broken):
            a_life(site)
        broken = opened(rate_per_s=0.5)
        for site in (lasting, broken):
            control(site, "POST", "clock/advance", {"seconds": 300})
            assert ask(site, "GET", "/com/events.json?limit=9", headers=HEADERS).status == 503
            control(site, "PUT", "faults", {"faults": []})
            faked(site, "/com/events.json?limit=9")
            control(site, "POST", "events", {"events": [{}]})
        assert everything(broken) == everything(lasting)

    def test_faults_hit_what_is_left_of_them(self, opened):
        site = opened()
        faults = [{"kind": "transient-422", "nth": 2, "times": 2}]
        control(site, "PUT", "faults", {"faults": faults})
        statuses = []
        for _ in range(4):
            statuses.append(ask(site, "GET", "/com/events.json", headers=HEADERS).status)
            site = opened()
        assert statuses == [200, 422, 422, 200]

    def test_a_new_client_stays_new(self, opened):
        site = opened()
        faked(site, "/com/events.json?limit=3")
        control(site, "POST", "delivered", {"events": [1]})
        control(site, "DELETE", "delivered")
        assert control(opened(), "POST", "delivered", {"events": [2]}) == {"delivered": 1}

    def test_a_loaded_scenario_stays_loaded_until_a_reset(self, opened):
        site = opened()
        control(site, "PUT", "scenario", json.loads(generate_scenario(seed=3).to_json()))
        before = everything(site)
        site = opened()
        assert everything(site) == before
        control(site, "POST", "reset")
        total = control(opened(), "GET", "health")["events"]["total"]
        assert total == 10

    def test_a_reset_forgets(self, opened):
        site = opened()
        fresh = everything(site)
        a_life(site)
        control(site, "POST", "reset")
        after = everything(opened())
        fresh["health"]["resets"] += 1
        assert after == fresh

    def test_a_request_to_a_world_that_was_replaced_meanwhile_leaves_no_trace(self, opened):
        site = opened()
        world = site.world
        control(site, "POST", "reset")
        world.ask(Ask(path="/com/events.json"))
        assert world.exchanges_recorded == 1
        assert control(opened(), "GET", "requests")["total"] == 0

    def test_an_answer_that_its_client_gave_up_on_is_corrected(self, opened):
        site = opened()
        control(site, "PUT", "faults", {"faults": [{"kind": "slow-answer", "ms": 5}]})
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/com/events.json", **PATIENCE}
        with pytest.raises(AnswerTimedOut):
            site(environ, lambda *_: None)
        faked(site, "/com/events.json")
        before = control(site, "GET", "requests")
        assert [entry["status"] for entry in before["requests"]] == [0, 200]
        assert control(opened(), "GET", "requests") == before

    def test_a_paced_clock_goes_on_where_it_was_left(self, path):
        wall = Wall()
        options = {"state": path, "clock": "paced", "pace": 60.0, "wall": wall}
        site = a_site(**options)
        wall.now += 1_000
        faked(site, "/com/events.json")
        left = control(site, "GET", "clock")
        site.close()
        wall.now += 3_600_000
        site = a_site(**options)
        assert control(site, "GET", "clock") == left
        wall.now += 1_000
        assert control(site, "GET", "clock")["now_ms"] == left["now_ms"] + 60_000
        site.close()

    def test_a_real_clock_shows_the_present(self, path):
        wall = Wall()
        options = {"state": path, "clock": "real", "rate_per_s": 1.0, "wall": wall}
        site = a_site(**options)
        before = control(site, "GET", "health")["events"]["total"]
        site.close()
        wall.now += 600_000
        site = a_site(**options)
        assert control(site, "GET", "clock")["now_ms"] == wall.now
        assert control(site, "GET", "health")["events"]["total"] > before + 100
        site.close()

    def test_the_clock_may_be_asked_to_run_differently(self, opened):
        control(opened(), "POST", "clock/advance", {"seconds": 9})
        clock = control(opened(clock="paced", pace=2.0), "GET", "clock")
        assert (clock["mode"], clock["pace"]) == ("paced", 2)
        assert clock["now"].endswith("09:00:09.000Z")

    def test_own_events_keep_their_place_in_a_stream_that_never_rests(self, path):
        class Running(Wall):
            def __call__(self) -> int:
                self.now += 1
                return self.now

        def truth() -> list:
            site = a_site(
                wall=Running(),
                state=path,
                dialect="saleschannel",
                clock="paced",
                pace=10.0,
                rate_per_s=100,
            )
            made = [control(site, "POST", "events", {"events": [{}]}) for _ in range(20)]
            rows = control(site, "GET", "truth?limit=10000")["events"]
            site.close()
            told = {row["id"]: row["number"] for each in made for row in each["events"]}
            assert {row["id"]: row["number"] for row in rows if row["id"] in told} == told
            return rows

        before = truth()
        after = truth()
        assert [row["id"] for row in after[: len(before)]] == [row["id"] for row in before]

    def test_feeds_are_not_kept(self, opened):
        control(opened(), "POST", "feeds", {"id": "f"})
        assert control(opened(), "GET", "feeds") == {"feeds": []}

    def test_only_so_many_steps_are_kept(self, opened, monkeypatch):
        monkeypatch.setattr(state_module, "STEPS_MAX", 20)
        monkeypatch.setattr(state_module, "PRUNE_EVERY", 7)
        site = opened()
        for limit in range(1, 51):
            faked(site, f"/com/events.json?limit={limit}")
        journal = control(opened(), "GET", "requests")
        assert (journal["total"], journal["dropped"]) == (50, 30)
        numbered = [(entry["number"], entry["target"]) for entry in journal["requests"]]
        assert numbered == [(n, f"/com/events.json?limit={n}") for n in range(31, 51)]
        verdict = control(opened(), "POST", "verdict")
        assert verdict["outcome"] == "inconclusive"
        assert "30 steps are no longer kept" in verdict["says"]


class TestRefused:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"seed": 8}, "seed 0 (asked for: 8)"),
            ({"backlog": 11}, "backlog 10 (asked for: 11)"),
            ({"rate_per_s": 2.0}, "rate_per_s 0.0 (asked for: 2.0)"),
            ({"dialect": "saleschannel"}, "dialect 'haravan' (asked for: 'saleschannel')"),
            ({"settings": {"limit_max": 5}}, "settings {} (asked for: {'limit_max': 5})"),
            ({"late_by_ms_max": 5}, "late_by_ms_max unset"),
            ({"starts_at": 0}, "starts_at unset"),
        ],
    )
    def test_options_of_another_world(self, opened, change, says):
        opened()
        with pytest.raises(UsageError) as caught:
            opened(**change)
        assert says in str(caught.value)
        assert "ask for the same, or name another file" in str(caught.value)

    def test_another_scenario(self, opened):
        opened(scenario=generate_scenario(seed=1))
        with pytest.raises(UsageError, match=r"scenario a world of \d+ events \(asked for: unset"):
            opened()

    def test_a_file_of_somebody_else(self, path):
        for content in (b"hello", b"SQLite format 2\x00" * 9):
            path.write_bytes(content)
            with pytest.raises(UsageError, match="is no state file"):
                State(path)
            assert path.read_bytes() == content

    def test_a_database_of_somebody_else(self, path):
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE mine (x)")
        database.close()
        content = path.read_bytes()
        with pytest.raises(UsageError, match=r"of another program; name another file$"):
            State(path)
        assert path.read_bytes() == content

    def test_a_newer_format(self, path):
        State(path).close()
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 99")
        database.close()
        with pytest.raises(UsageError, match="a newer fakeserver wrote it: its format is 99"):
            State(path)

    @pytest.mark.parametrize("seed", range(8))
    def test_a_damaged_file(self, opened, path, seed):
        """Whatever is overwritten, it is refused with a sentence or still reads the same."""
        site = opened()
        for _ in range(30):
            a_site_page(site)
        before = everything(site)
        site.close()
        content = bytearray(path.read_bytes())
        random = Random(seed)
        place = random.randrange(100, len(content) - 2_000)
        content[place : place + 2_000] = random.randbytes(2_000)
        path.write_bytes(bytes(content))
        try:
            after = everything(opened())
        except UsageError as error:
            after = str(error)
        assert after == before or f"state: {path} can't be used: it is damaged" in after

    def test_half_a_file(self, opened, path):
        site = opened()
        for _ in range(30):
            a_site_page(site)
        site.close()
        path.write_bytes(path.read_bytes()[:8_192])
        with pytest.raises(UsageError, match="damaged"):
            opened()

    def test_contents_that_make_no_sense(self, opened, path):
        opened().close()
        database = sqlite3.connect(path)
        database.execute("UPDATE facts SET value = '{}' WHERE name = 'clock'")
        database.commit()
        database.close()
        with pytest.raises(UsageError, match=r"damaged: ValidationError: .* or delete this one"):
            opened()

    def test_a_schema_that_is_no_text(self, opened, path):
        opened().close()
        content = path.read_bytes()
        assert b"CREATE TABLE steps" in content
        path.write_bytes(content.replace(b"CREATE TABLE steps", b"CREATE \xd6ABLE steps"))
        with pytest.raises(UsageError, match="damaged"):
            opened()

    def test_rows_of_another_type(self, opened, path):
        opened().close()
        database = sqlite3.connect(path)
        database.execute("INSERT INTO steps VALUES (1, 1, 'text')")
        database.commit()
        database.close()
        with pytest.raises(UsageError, match="damaged: TypeError"):
            opened()

    def test_another_stream(self, opened, path):
        opened().close()
        database = sqlite3.connect(path)
        [(value,)] = database.execute("SELECT value FROM facts WHERE name = 'facts'")
        facts = json.loads(value) | {"fingerprint": "another"}
        database.execute("UPDATE facts SET value = ? WHERE name = 'facts'", (json.dumps(facts),))
        database.commit()
        database.close()
        with pytest.raises(UsageError, match="its stream is no longer the same"):
            opened()

    def test_a_file_that_is_in_use(self, opened, path):
        opened()
        with pytest.raises(UsageError, match=r"another process has it open; name another file$"):
            State(path)

    def test_places_where_no_file_can_be(self, tmp_path):
        with pytest.raises(UsageError, match="is a folder"):
            State(tmp_path)
        with pytest.raises(UsageError, match="there is no folder"):
            State(tmp_path / "none" / "state")


def a_site_page(site: Site) -> None:
    faked(site, "/com/events.json?limit=9")
    control(site, "POST", "events", {"events": [{}] * 3})


def test_an_empty_file_is_a_new_one(path):
    path.touch()
    state = State(path)
    assert state.is_new
    state.close()


def test_a_process_may_die_while_it_makes_the_file(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
    database.close()
    assert path.read_bytes()
    a_site(state=path).close()
    State(path).close()


def test_the_file_says_what_it_is(path):
    a_site(state=path).close()
    assert path.read_bytes()[68:72] == APPLICATION_ID.to_bytes(4, "big") == b"fake"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the appender forks, to start soon")
def test_what_was_acknowledged_survives_kill_9(path):
    """A server is killed at 50 moments; what was ever acknowledged is there at the end."""
    random = Random(20261)
    acknowledged: list[dict] = []
    with subprocess.Popen(
        [sys.executable, str(APPENDER), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(KILLS):
            process.stdin.write(b"%d\n" % number)
            process.stdin.flush()
            child = json.loads(process.stdout.readline())["pid"]
            for _ in range(random.randrange(LINES_MAX)):
                acknowledged.append(json.loads(process.stdout.readline()))
                assert "ended" not in acknowledged[-1], "it should have lived on"
            os.kill(child, signal.SIGKILL)
            while "ended" not in (line := json.loads(process.stdout.readline())):
                acknowledged.append(line)
            assert line["ended"] == -signal.SIGKILL
        process.stdin.close()
    site = Site(OPTIONS, wall=lambda: 0, state=path)
    try:
        check_acknowledged(site, acknowledged)
    finally:
        site.close()


def check_acknowledged(site: Site, acknowledged: list[dict]) -> None:
    truth = control(site, "GET", "truth?limit=10000")["events"]
    rows = [row for each in acknowledged for row in each.get("append", ())]
    assert len(rows) > KILLS
    by_number = {row["number"]: [row["number"], row["id"], row["visible_at"]] for row in truth}
    assert [by_number.get(row[0]) for row in rows] == rows
    pages = [each["ask"] for each in acknowledged if "ask" in each]
    journal, after = [], 0
    while page := control(site, "GET", f"requests?after={after}&limit=1000")["requests"]:
        journal += [entry["event_ids"] for entry in page]
        after = page[-1]["number"]
    assert is_subsequence(pages, journal)
    # What was answered but not yet said when the process died is there as well: one a kill.
    assert len(pages) <= len(journal) <= len(pages) + KILLS
    moved = max(each["advance"] for each in acknowledged if "advance" in each)
    assert control(site, "GET", "clock")["now_ms"] >= moved
    delivered = max(each["deliver"] for each in acknowledged if "deliver" in each)
    assert control(site, "POST", "delivered", {})["delivered"] >= delivered > KILLS


def is_subsequence(part: list, whole: list) -> bool:
    rest = iter(whole)
    return all(item in rest for item in part)


def test_an_append_that_was_not_kept_is_not_acknowledged(opened, monkeypatch):
    site = opened()

    def fail(*_):
        raise HarnessError("state: the disk is full")

    monkeypatch.setattr(State, "append", fail)
    headers = {"Content-Type": "application/json"}
    reply = call(site, "POST", f"{ORIGIN}{CONTROL}/events", headers, b'{"events": [{}]}')
    assert reply.status == 500
    assert json.loads(reply.body)["detail"] == "state: the disk is full"


def test_a_disk_that_is_full_is_said_and_the_server_goes_on(opened):
    site = opened()
    db = site._state._db
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    headers = {"Content-Type": "application/json"}
    data = json.dumps({"events": [{}] * 300}).encode()
    reply = call(site, "POST", f"{ORIGIN}{CONTROL}/events", headers, data)
    assert reply.status == 500
    assert "disk is full" in json.loads(reply.body)["detail"]
    db.execute("PRAGMA max_page_count = 100000")
    assert len(control(site, "POST", "events", {"events": [{}]})["events"]) == 1
