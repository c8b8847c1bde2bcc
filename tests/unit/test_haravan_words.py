"""What a request covers, in words, and the request that would have read a missed event."""

import pytest

from fakeserver.clock import MINUTE_MS, Instant, at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Ask, Remedy
from fakeserver.generate import generate_scenario
from fakeserver.history import Delivered, PollStarted
from fakeserver.log import EventLog
from fakeserver.scenario import LoggedEvent, Poll, Scenario
from fakeserver.verifier.runner import doorkeeper, run

DIALECT = find_dialect("haravan")
BEARER = {"authorization": f"Bearer {TOKEN}"}
NOON = at("2026-03-01T12:00:00Z")

WORDS = [
    ("/com/events.json", "", "everything, highest id first"),
    ("/com/events.json", "page=2&limit=10", "everything, highest id first, rows 11 to 20"),
    ("/com/events.json", "since_id=3", "ids above 3, lowest first"),
    ("/com/events.json", "since_id=3&limit=2&page=3", "ids above 3, lowest first, rows 5 to 6"),
    (
        "/com/events.json",
        "created_at_min=2026-03-01+19:05",
        "events created from 12:05:00 on, highest id first",
    ),
    (
        "/com/events.json",
        "created_at_max=2026-03-01T12:05:01.250Z&since_id=3",
        "ids above 3, events created until 12:05:01.250, lowest first",
    ),
    (
        "/com/events.json",
        "filter=Product,Order&verb=destroy",
        "only the type Product or Order, only the verb destroy, highest id first",
    ),
    ("/com/orders/7/events.json", "", "events of Order 7, highest id first"),
    ("/com/events/7.json", "", "the event 7"),
    ("/com/events/count.json", "", "the count of everything"),
    (
        "/com/events/count.json",
        "created_at_min=2026-03-01+19:05",
        "the count of events created from 12:05:00 on",
    ),
]


@pytest.mark.parametrize(("path", "query", "expected"), WORDS)
def test_what_a_request_covers(path, query, expected):
    parsed = DIALECT.parse(Ask(path=path, query=query, headers=BEARER), DIALECT.settings({}))
    assert DIALECT.words(parsed, NOON) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"order_default": "id-asc"}, "everything, lowest id first"),
        ({"order_default": "created_at-asc"}, "everything, oldest first"),
        ({"order_default": "created_at-desc"}, "everything, newest first"),
        ({"created_at_ties": "shuffled", "order_default": "created_at-asc"},
         "everything, oldest first"),
    ],
)  # fmt: skip
def test_the_order_in_words(settings, expected):
    parsed = DIALECT.parse(Ask(path="/com/events.json", headers=BEARER), DIALECT.settings(settings))
    assert DIALECT.words(parsed, NOON) == expected


def test_a_time_on_another_day_has_its_date():
    ask = Ask(path="/com/events.json", query="created_at_min=2026-02-27+19:05", headers=BEARER)
    said = DIALECT.words(DIALECT.parse(ask, DIALECT.settings({})), NOON)
    assert said == "events created from 2026-02-27 12:05:00 on, highest id first"


def test_exclusive_bounds_in_words():
    parsed = DIALECT.parse(
        Ask(
            path="/com/events.json",
            query="created_at_min=2026-03-01+19:05&created_at_max=2026-03-01+19:06",
            headers=BEARER,
        ),
        DIALECT.settings({"bounds": "exclusive"}),
    )
    assert DIALECT.words(parsed, NOON).startswith(
        "events created after 12:05:00, events created before 12:06:00, "
    )


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


def world(
    *events: LoggedEvent, page_size: int = 2, late: int = 5 * MINUTE_MS, **settings
) -> Scenario:
    calm_at = NOON + 60 * MINUTE_MS
    starts = (NOON, NOON + 10 * MINUTE_MS, *(calm_at + n * 5 * MINUTE_MS for n in range(3)))
    return Scenario(
        dialect="haravan",
        settings=settings,
        starts_at=NOON - 10 * MINUTE_MS,
        request_ms=40,
        page_size=page_size,
        late_by_ms_max=late,
        events=events,
        polls=tuple(Poll(starts_at=start) for start in starts),
        calm_from=2,
    )


def event(event_id: int, *, before_s: int, late_s: int = 0, **fields) -> LoggedEvent:
    stamp = NOON - before_s * 1_000
    return LoggedEvent(
        id=event_id,
        recorded_at=stamp,
        visible_at=stamp + late_s * 1_000,
        fields=FIELDS | fields,
    )


LATE = event(20, before_s=10, late_s=60)


def remedy(scenario: Scenario, missed: LoggedEvent, asked_from: Instant) -> Remedy | None:
    return DIALECT.remedy(scenario, missed, asked_from, DIALECT.settings(scenario.settings))


def reads(scenario: Scenario, found: Remedy, missed: LoggedEvent, when: Instant) -> bool:
    got = DIALECT.answer(
        found.ask, EventLog(scenario.events), when, DIALECT.settings(scenario.settings)
    )
    assert got.problem is None
    return missed.id in got.event_ids


class TestRemedy:
    def test_is_the_rule_of_the_reference_client(self):
        scenario = world(event(10, before_s=20), LATE, event(30, before_s=5))
        found = remedy(scenario, LATE, NOON)
        assert found is not None
        assert found.says == (
            "created_at_min = start of the last successful poll - 5 min (in the shop's local "
            "time, without an offset), paged by since_id and dropping ids already delivered"
        )
        assert found.ask.target == (
            "/com/events.json?created_at_min=2026-03-01+18%3A55&since_id=1&limit=2"
        )

    @pytest.mark.parametrize(
        ("settings", "form"),
        [
            ({}, " (in the shop's local time, without an offset),"),
            ({"shop_zone": "UTC"}, ","),
            ({"shop_zone": "UTC", "time_forms": "document-only"}, " (in the shop's local time, w"),
            ({"time_forms": "document-only"}, " (in the shop's local time, without an offset),"),
        ],
    )
    def test_says_how_the_time_is_written_where_that_matters(self, settings, form):
        scenario = world(event(10, before_s=20), LATE, event(30, before_s=5), **settings)
        found = remedy(scenario, LATE, NOON)
        assert found is not None
        assert f"start of the last successful poll - 5 min{form}" in found.says

    @pytest.mark.parametrize("when_s", [50, 51, 600, 10**6])
    def test_reads_the_event_at_any_later_time(self, when_s):
        crowd = [event(number, before_s=100, late_s=number % 7) for number in range(2, 20)]
        scenario = world(*crowd, LATE, event(30, before_s=5))
        found = remedy(scenario, LATE, NOON)
        assert found is not None
        assert "since_id=19" in found.ask.query
        assert reads(scenario, found, LATE, NOON + when_s * 1_000)
        assert not reads(scenario, found, LATE, LATE.visible_at - 1)

    @pytest.mark.parametrize(
        "settings",
        [
            {"limit_max": 5, "limit_over_max": "reject"},
            {"limit_max": None},
            {"time_forms": "document-only"},
            {"since_id_zero": "ignored"},
            {"since_id_with_page": "reject"},
            {"order_default": "created_at-asc"},
            {"shop_zone": "America/New_York", "ambiguous_time": "later"},
            {"bounds": "exclusive"},
            {"paging": "cursor", "order_default": "created_at-desc"},
            {"lost_plus": "mend", "empty_parameter": "ignore", "count_lag": "5s"},
        ],
        ids=str,
    )
    def test_is_legal_under_every_setting(self, settings):
        scenario = world(event(10, before_s=20), LATE, page_size=60, **settings)
        found = remedy(scenario, LATE, NOON)
        assert found is not None
        assert reads(scenario, found, LATE, NOON + MINUTE_MS)

    def test_says_nothing_of_zero_lateness(self):
        """Without lateness the window starts where the last poll did."""
        during_walk = event(20, before_s=-1)
        scenario = world(during_walk, late=0, lateness="none")
        found = remedy(scenario, during_walk, NOON)
        assert found is not None
        assert found.says.startswith("created_at_min = start of the last successful poll (in the ")

    def test_there_is_none_for_an_event_later_than_promised(self):
        too_late = event(20, before_s=400, late_s=460)
        assert remedy(world(too_late), too_late, NOON) is None

    def test_there_is_none_for_an_event_that_no_list_shows(self):
        hidden = event(20, before_s=10, late_s=60, scoped_only=True)
        assert remedy(world(hidden), hidden, NOON) is None

    def test_there_is_none_where_the_walk_does_not_arrive(self):
        """Under the undocumented descending order, a page above an id starts at the far end."""
        crowd = [event(number, before_s=9) for number in range(21, 30)]
        scenario = world(LATE, *crowd, since_id_order="desc")
        assert remedy(scenario, LATE, NOON) is None

    def test_there_is_none_before_the_calendar(self):
        assert remedy(world(LATE), LATE, at("0001-01-01T00:01:00Z")) is None

    @pytest.mark.parametrize("profile", [profile.name for profile in DIALECT.profiles])
    def test_would_have_read_what_the_document_s_client_loses(self, profile):
        """In drawn worlds, and at every poll that starts after the event is visible."""
        lost = 0
        with doorkeeper() as keeper:
            for example in range(40):
                scenario = generate_scenario(profile=profile, seed=1, example=example)
                history = run(scenario, DIALECT.document_client, keeper=keeper)
                delivered = {step.event_id for step in history if isinstance(step, Delivered)}
                polls = [step.at for step in history if isinstance(step, PollStarted)]
                for missed in scenario.events:
                    before = [start for start in polls if start < missed.visible_at]
                    if missed.id in delivered or not before:
                        continue
                    found = remedy(scenario, missed, before[-1])
                    assert found is not None
                    after = [start for start in polls if start >= missed.visible_at]
                    assert after
                    assert all(reads(scenario, found, missed, start) for start in after)
                    lost += 1
        assert lost > 5
