"""What a client is given: what it may hand over, what it may save, and how it dies."""

import datetime
import decimal
import enum
from typing import Any

import pytest
import werkzeug.test

from fakeserver.app import FakeServer
from fakeserver.clock import SECOND_MS, at
from fakeserver.dialects.base import TOKEN
from fakeserver.errors import ClientKilled, FeedClosed, HarnessError, UsageError
from fakeserver.history import Delivered, Exchange, Killed, Saved, Slept
from fakeserver.scenario import Crash, LoggedEvent, Poll, Scenario
from fakeserver.verifier.feed import SLEEP_S_MAX, Feed

NOON = at("2026-03-01T05:00:00Z")
LIVE = "http://127.0.0.1:1"


def world(dialect: str = "haravan") -> Scenario:
    fields = {
        "haravan": {
            "arguments": ["#1001"],
            "body": None,
            "subject_id": 7,
            "subject_type": "Order",
            "verb": "placed",
            "message": "Order was placed",
            "author": "haravan",
            "description": None,
            "path": "/admin/orders/7",
        },
        "saleschannel": {"eventType": "TRANSACTION_STATUS_CHANGE", "eventAt": NOON},
    }
    ids = {"haravan": (7, 8, 9), "saleschannel": ("c7", "8", "c9")}
    return Scenario(
        dialect=dialect,
        starts_at=NOON,
        request_ms=250,
        page_size=2,
        late_by_ms_max=0,
        events=tuple(
            LoggedEvent(id=id_, recorded_at=NOON, visible_at=NOON, fields=fields[dialect])
            for id_ in ids[dialect]
        ),
        polls=tuple(Poll(starts_at=NOON + number * SECOND_MS) for number in range(3)),
        calm_from=0,
    )


def new_feed(dialect: str = "haravan", *, crash: Crash | None = None) -> tuple[Feed, FakeServer]:
    server = FakeServer(world(dialect))
    feed = Feed(server, live_url=lambda: LIVE)
    feed.begin_poll(crash)
    return feed, server


def served(server: FakeServer, place: int = 0) -> dict[str, Any]:
    """An event as a request would have it."""
    return server.world.dialect.render_event(server.scenario.events[place], server.world.settings)


def steps(server: FakeServer, kind: type) -> list[Any]:
    return [step for step in server.history if isinstance(step, kind)]


class Number(enum.IntEnum):
    SEVEN = 7


class Like7:
    """As numbers of other libraries are: no int, but a whole number."""

    def __index__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "Like7()"


class Thing:
    """No JSON, and with a name that is the same in every process."""

    def __repr__(self) -> str:
        return "Thing()"


class TestDeliver:
    @pytest.mark.parametrize(
        "event", [7, "7", {"id": 7}, {"id": "7"}, Number.SEVEN, Like7()], ids=repr
    )
    def test_a_mapping_or_its_bare_id_as_a_number_or_as_text(self, event):
        feed, server = new_feed()
        feed.deliver(event)
        assert server.history == (Delivered(at=NOON, event_id=7),)
        assert type(server.history[0].event_id) is int

    def test_what_was_served_with_more_fields(self):
        feed, server = new_feed()
        feed.deliver(served(server) | {"seen_by": "us"})
        assert steps(server, Delivered) == [Delivered(at=NOON, event_id=7)]

    def test_a_field_that_differs_is_kept_for_the_judge(self):
        feed, server = new_feed()
        feed.deliver({"id": 7, "verb": "paid", "when": datetime.date(2026, 3, 1)})
        assert steps(server, Delivered)[0].event == {"id": 7, "verb": "paid", "when": "2026-03-01"}

    @pytest.mark.parametrize(
        ("dialect", "event", "known"),
        [
            ("haravan", 10, 10),
            ("haravan", "07", "07"),
            ("haravan", "\u0667", "\u0667"),
            ("haravan", "x", "x"),
            ("haravan", "9" * 5_000, "9" * 5_000),
            ("saleschannel", 8, "8"),
            ("saleschannel", "c8", "c8"),
        ],
    )
    def test_ids_that_are_only_like_one_are_not_it(self, dialect, event, known):
        feed, server = new_feed(dialect)
        feed.deliver(event)
        assert steps(server, Delivered)[0].event_id == known

    @pytest.mark.parametrize(
        "event",
        [
            None,
            True,
            {},
            {"id": None},
            {"id": 7.0},
            7.5,
            b"7",
            [7],
            ({"id": 7},),
            Thing(),
            {"id": []},
        ],
        ids=repr,
    )
    def test_anything_else_is_refused_with_what_was_expected(self, event):
        feed, server = new_feed()
        with pytest.raises(UsageError, match="expected a mapping with its 'id', or the bare id"):
            feed.deliver(event)
        assert server.history == ()

    def test_values_that_are_no_json_are_refused(self):
        feed, _ = new_feed()
        loop: dict[str, Any] = {"id": 10}
        loop["self"] = loop
        with pytest.raises(UsageError, match="expected JSON values"):
            feed.deliver(loop)

    def test_values_that_can_not_be_compared_are_refused(self):
        class Array:
            def __eq__(self, other):
                raise ValueError("the truth value of an array is ambiguous")

            __hash__ = None

        feed, _ = new_feed()
        with pytest.raises(UsageError, match=r"expected plain values.*ambiguous"):
            feed.deliver({"id": 7, "verb": Array()})

    def test_an_endless_repr_is_cut(self):
        feed, _ = new_feed()
        with pytest.raises(UsageError) as caught:
            feed.deliver(["x" * 10_000])
        assert len(str(caught.value)) < 400

    def test_a_slip_of_the_fake_is_not_the_clients(self, monkeypatch):
        feed, server = new_feed()
        monkeypatch.setattr(server.world, "settings", {})
        with pytest.raises(HarnessError, match="failed to show event 7"):
            feed.deliver({"id": 7, "created_at": "x"})
        assert isinstance(server.failure, HarnessError), "a client may have swallowed it"


class TestSave:
    def test_it_goes_through_json(self):
        feed, server = new_feed()
        feed.save({"low": (1, 2), 3: None})
        assert feed.checkpoint == {"low": [1, 2], "3": None}
        assert steps(server, Saved)[0].checkpoint == {"low": [1, 2], "3": None}

    @pytest.mark.parametrize(
        ("value", "types"),
        [
            ({"a": [{"b": {}}]}, ()),
            ({"a": [({7: 1}, {None: 2, 1.5: {True: 3}})]}, ("NoneType", "bool", "float", "int")),
        ],
    )
    def test_the_history_knows_which_keys_were_no_text(self, value, types):
        feed, server = new_feed()
        feed.save(value)
        feed.commit([7], value)
        assert [step.keys_made_text for step in steps(server, Saved)] == [types, types]

    @pytest.mark.parametrize("value", [0, "", False, [], {}, 2**70, 1.5, "Đơn hàng", "\x00"])
    def test_every_json_value_comes_back(self, value):
        feed, _ = new_feed()
        feed.save(value)
        assert feed.checkpoint == value

    def test_nothing_saved_is_none_and_none_can_be_saved(self):
        feed, server = new_feed()
        assert feed.checkpoint is None
        feed.save(None)
        assert feed.checkpoint is None
        assert len(steps(server, Saved)) == 1

    def test_changing_what_was_saved_or_read_changes_nothing(self):
        feed, _ = new_feed()
        mine = {"seen": [1]}
        feed.save(mine)
        mine["seen"].append(2)
        feed.checkpoint["seen"].append(3)
        assert feed.checkpoint == {"seen": [1]}

    @pytest.mark.parametrize(
        "value",
        [
            {1},
            b"x",
            Thing(),
            float("nan"),
            float("inf"),
            datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC),
            decimal.Decimal(1),
            {(1, 2): 3},
            "\ud800",
            len,
        ],
        ids=repr,
    )
    def test_what_is_no_json_is_refused_and_nothing_is_saved(self, value):
        feed, server = new_feed()
        feed.save("before")
        with pytest.raises(UsageError, match="save: expected a JSON value"):
            feed.save(value)
        assert feed.checkpoint == "before"
        assert len(server.history) == 1

    def test_a_value_that_contains_itself_is_refused(self):
        feed, _ = new_feed()
        loop: list[Any] = []
        loop.append(loop)
        with pytest.raises(UsageError, match="expected a JSON value"):
            feed.save(loop)


class TestCommit:
    def test_it_delivers_and_saves(self):
        feed, server = new_feed()
        feed.commit((event for event in (7, {"id": 8})), 8)
        assert [type(step) for step in server.history] == [Delivered, Delivered, Saved]
        assert feed.checkpoint == 8

    @pytest.mark.parametrize("events", [{"id": 7}, "7", b"7", 7, None], ids=repr)
    def test_one_event_is_no_list(self, events):
        feed, server = new_feed()
        with pytest.raises(UsageError, match="commit: expected a list of events"):
            feed.commit(events, 7)
        assert server.history == ()

    @pytest.mark.parametrize(("events", "checkpoint"), [([7, None], 7), ([7], {1})])
    def test_what_is_refused_has_not_happened_at_all(self, events, checkpoint):
        feed, server = new_feed()
        with pytest.raises(UsageError):
            feed.commit(events, checkpoint)
        assert server.history == ()
        assert feed.checkpoint is None


def two_pages(feed: Feed) -> None:
    for event in (7, 8):
        feed.deliver(event)
        feed.save(event)


class TestCrash:
    @pytest.mark.parametrize(
        ("point", "nth", "delivered", "saved"),
        [
            ("before-deliver", 1, [], None),
            ("after-deliver", 1, [7], None),
            ("before-save", 1, [7], None),
            ("after-save", 1, [7], 7),
            ("before-deliver", 2, [7], 7),
            ("after-deliver", 2, [7, 8], 7),
            ("before-save", 2, [7, 8], 7),
            ("after-save", 2, [7, 8], 8),
        ],
    )
    def test_each_point(self, point, nth, delivered, saved):
        feed, server = new_feed(crash=Crash(point=point, nth=nth))
        with pytest.raises(ClientKilled, match=f"killed {point} number {nth}"):
            two_pages(feed)
        assert [step.event_id for step in steps(server, Delivered)] == delivered
        assert feed.checkpoint == saved
        assert server.history[-1] == Killed(at=NOON, point=point)

    def test_a_point_that_is_not_reached_does_not_happen(self):
        feed, server = new_feed(crash=Crash(point="before-save", nth=3))
        two_pages(feed)
        assert steps(server, Killed) == []

    @pytest.mark.parametrize(("point", "happened"), [("before-save", False), ("after-save", True)])
    def test_a_commit_is_done_whole_or_not_at_all(self, point, happened):
        feed, server = new_feed(crash=Crash(point=point))
        with pytest.raises(ClientKilled):
            feed.commit([7, 8], 8)
        assert len(steps(server, Delivered)) == (2 if happened else 0)
        assert feed.checkpoint == (8 if happened else None)

    @pytest.mark.parametrize(
        ("point", "happened"), [("before-commit", False), ("after-commit", True)]
    )
    def test_a_commit_has_points_of_its_own(self, point, happened):
        feed, _ = new_feed(crash=Crash(point=point, nth=2))
        two_pages(feed)
        feed.commit([9], 9)
        with pytest.raises(ClientKilled, match=f"killed {point} number 2"):
            feed.commit([10], 10)
        assert feed.checkpoint == (10 if happened else 9)

    def test_a_commit_counts_as_a_save(self):
        feed, _ = new_feed(crash=Crash(point="before-save", nth=2))
        feed.commit([7], 7)
        with pytest.raises(ClientKilled):
            feed.save(8)

    @pytest.mark.parametrize("point", ["before-deliver", "after-deliver"])
    def test_a_commit_has_no_deliver_to_crash_at(self, point):
        feed, server = new_feed(crash=Crash(point=point))
        feed.commit([7, 8], 8)
        assert steps(server, Killed) == []

    def test_the_count_starts_anew_with_each_poll(self):
        feed, server = new_feed(crash=Crash(point="after-save", nth=3))
        two_pages(feed)
        feed.begin_poll(Crash(point="after-save", nth=3))
        two_pages(feed)
        assert steps(server, Killed) == []


class TestStopped:
    def dead(self) -> tuple[Feed, FakeServer]:
        feed, server = new_feed()
        feed.save("before")
        feed.stop(ClientKilled("killed"))
        return feed, server

    @pytest.mark.parametrize(
        "use",
        [
            lambda feed: feed.deliver(7),
            lambda feed: feed.save(1),
            lambda feed: feed.commit([7], 1),
            lambda feed: feed.sleep(1),
        ],
        ids=["deliver", "save", "commit", "sleep"],
    )
    def test_the_dead_do_nothing(self, use):
        feed, server = self.dead()
        for _ in range(3):
            with pytest.raises(ClientKilled, match="killed"):
                use(feed)
        assert len(server.history) == 1
        assert feed.checkpoint == "before"

    def test_the_first_reason_counts(self):
        feed, _ = self.dead()
        feed.stop(FeedClosed("closed"))
        assert isinstance(feed.stopped, ClientKilled)

    def test_who_stops_it_is_told_once(self):
        told = []
        feed = Feed(FakeServer(world()), live_url=lambda: LIVE, on_stop=lambda: told.append(True))
        feed.stop(ClientKilled("killed"))
        feed.stop(FeedClosed("closed"))
        assert told == [True]

    def test_a_dead_generator_is_closed_without_a_complaint(self):
        """`finally: feed.save(…)` runs when Python collects it, and may only raise GeneratorExit;
        anything else would be printed out of nowhere (and is an error here)."""
        feed, server = new_feed()

        def pages():
            try:
                yield 7
            finally:
                feed.save("too late")

        walk = pages()
        next(walk)
        feed.stop(ClientKilled("killed"))
        walk.close()
        assert server.history == ()

    def test_a_swallowed_end_is_raised_anew_and_does_not_grow(self):
        feed, _ = self.dead()
        depths = []
        for _ in range(3):
            try:
                feed.save(1)
            except ClientKilled as error:
                trace, depth = error.__traceback__, 0
                while trace is not None:
                    trace, depth = trace.tb_next, depth + 1
                depths.append(depth)
        assert len(set(depths)) == 1


class TestSleep:
    def test_it_takes_simulated_time_only(self):
        feed, server = new_feed()
        feed.sleep(90.25)
        assert server.now == NOON + 90_250
        assert server.history == (Slept(at=NOON, ms=90_250),)
        assert feed.now() == datetime.datetime(2026, 3, 1, 5, 1, 30, 250_000, tzinfo=datetime.UTC)

    @pytest.mark.parametrize(
        "seconds",
        [-1, SLEEP_S_MAX + 1, float("nan"), float("inf"), "1", None, datetime.timedelta(seconds=1)],
    )
    def test_what_is_no_time_to_sleep_is_refused(self, seconds):
        feed, server = new_feed()
        with pytest.raises(UsageError, match=f"sleep: expected 0 to {SLEEP_S_MAX} seconds"):
            feed.sleep(seconds)
        assert server.history == ()


class TestWhereToAsk:
    def test_the_live_address_until_a_door_is_opened(self):
        feed, server = new_feed()
        assert feed.url("/com/events.json") == f"{LIVE}/com/events.json"
        with feed.requests_session() as session:
            assert feed.base_url != LIVE
            assert session.get(feed.url("/com/events.json")).status_code == 200
        assert len(steps(server, Exchange)) == 1

    def test_whoever_brings_a_client_of_wsgi_is_given_the_application(self):
        feed, server = new_feed()
        client = werkzeug.test.Client(feed.wsgi_app)
        answer = client.get("/com/events.json", base_url=feed.base_url, headers=feed.headers)
        assert answer.status_code == 200
        assert [step.status for step in steps(server, Exchange)] == [200]

    def test_what_it_says_about_the_world(self):
        feed, _ = new_feed()
        assert (feed.dialect, feed.page_size, feed.token) == ("haravan", 2, TOKEN)
        assert feed.headers == {"Authorization": f"Bearer {TOKEN}"}
        assert feed.zone
        assert new_feed("saleschannel")[0].zone is None
