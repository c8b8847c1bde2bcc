"""What a request covers, in words, and the request that would have read a missed event."""

from urllib.parse import quote

import pytest

from fakeserver.clock import INSTANT_MIN, MINUTE_MS, SECOND_MS, Instant, at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Ask, Remedy
from fakeserver.dialects.saleschannel.parse import PATH
from fakeserver.generate import generate_scenario
from fakeserver.history import Delivered, PollStarted
from fakeserver.log import EventLog
from fakeserver.scenario import LoggedEvent, Poll, Scenario
from fakeserver.verifier.runner import doorkeeper, run

DIALECT = find_dialect("saleschannel")
BEARER = {"authorization": f"Bearer {TOKEN}"}
NOON = at("2026-03-01T12:00:00Z")

WORDS = [
    ("", "everything"),
    ("$limit=5", "everything"),
    ("$orderBy[createdAt]=asc", "everything, oldest first"),
    ("$orderBy[createdAt]=desc", "everything, newest first"),
    ("$filter[createdAt][gte]=2026-03-01T12:05:00Z", "createdAt from 12:05:00"),
    ("$filter[createdAt][gt]=2026-03-01T12:05:00Z", "createdAt after 12:05:00"),
    ("$filter[createdAt][lte]=2026-03-01T12:05:00Z", "createdAt up to 12:05:00"),
    ("$filter[createdAt][lt]=2026-03-01T12:05:00.250Z", "createdAt before 12:05:00.250"),
    ("$filter[createdAt]=2026-03-01T12:05:00Z", "createdAt at 12:05:00"),
    ("$filter[createdAt][not]=2026-03-01T12:05:00Z", "createdAt not at 12:05:00"),
    (
        "$filter[createdAt][in]=2026-03-01T12:05:00Z,2026-03-01T12:06:00Z",
        "createdAt at one of 12:05:00, 12:06:00",
    ),
    (
        "$filter[createdAt][notIn]=2026-03-01T12:05:00Z,2026-03-01T12:06:00Z",
        "createdAt not at 12:05:00, 12:06:00",
    ),
    ("$filter[eventAt][gte]=2026-03-01T12:05:00Z", "eventAt from 12:05:00"),
    ("$filter[id]=ca", "id = ca"),
    (
        "$filter[createdAt][gte]=2020-01-01T00:00:00Z&$orderBy[createdAt]=asc",
        "createdAt from 2020-01-01 00:00:00, oldest first",
    ),
    (
        "$filter[createdAt][gte]=0001-01-01T00:00:00Z&$filter[eventAt][lt]=2026-03-01T12:00:01Z",
        "createdAt from 0001-01-01 00:00:00, eventAt before 12:00:01",
    ),
]


@pytest.mark.parametrize(("query", "expected"), WORDS)
def test_what_a_request_covers(query, expected):
    parsed = DIALECT.parse(Ask(path=PATH, query=query, headers=BEARER), DIALECT.settings({}))
    assert DIALECT.words(parsed, NOON) == expected


def test_both_encodings_have_the_same_words():
    in_json = "$filter=" + quote('{"createdAt":{"gte":"2026-03-01T12:05:00Z"}}')
    parsed = DIALECT.parse(Ask(path=PATH, query=in_json, headers=BEARER), DIALECT.settings({}))
    assert DIALECT.words(parsed, NOON) == "createdAt from 12:05:00"


def test_the_default_order_has_words_where_it_goes_by_time():
    settings = DIALECT.settings({"order_default": "newest-first"})
    parsed = DIALECT.parse(Ask(path=PATH, headers=BEARER), settings)
    assert DIALECT.words(parsed, NOON) == "everything, newest first"


def event(
    event_id: str, *, before_s: float | None, late_s: float = 0, start: Instant = NOON
) -> LoggedEvent:
    """An event stamped `before_s` ahead of `start` (None: without a stamp)."""
    stamp = None if before_s is None else start - int(before_s * SECOND_MS)
    return LoggedEvent(
        id=event_id,
        recorded_at=stamp,
        visible_at=(start if stamp is None else stamp) + int(late_s * SECOND_MS),
        fields={"eventType": "TRANSACTION_STATUS_CHANGE", "eventAt": None},
    )


def world(*events: LoggedEvent, late: int = 5 * MINUTE_MS, start: Instant = NOON, **settings):
    calm_at = start + 60 * MINUTE_MS
    starts = (start, start + 10 * MINUTE_MS, *(calm_at + n * 5 * MINUTE_MS for n in range(3)))
    return Scenario(
        dialect="saleschannel",
        settings=settings,
        starts_at=start - 10 * MINUTE_MS,
        request_ms=40,
        page_size=2,
        late_by_ms_max=late,
        events=events,
        polls=tuple(Poll(starts_at=poll) for poll in starts),
        calm_from=2,
    )


LATE = event("cb", before_s=10, late_s=60)


def remedy(scenario: Scenario, missed: LoggedEvent, asked_from: Instant) -> Remedy | None:
    return DIALECT.remedy(scenario, missed, asked_from, DIALECT.settings(scenario.settings))


def reads(scenario: Scenario, found: Remedy, missed: LoggedEvent, when: Instant) -> bool:
    """Whether the request is accepted and returns `missed`, whatever the order of ties."""
    settings = DIALECT.settings(scenario.settings)
    log = EventLog(scenario.events)
    answers = [DIALECT.answer(found.ask, log, when, settings, salt=salt) for salt in range(5)]
    assert [got.problem for got in answers] == [None] * 5
    return all(missed.id in got.event_ids for got in answers)


class TestRemedy:
    def test_is_the_rule_of_the_reference_client(self):
        scenario = world(event("ca", before_s=20), LATE, event("cc", before_s=5))
        found = remedy(scenario, LATE, NOON)
        assert found is not None
        assert found.says == (
            "createdAt gte (start of the last successful poll - 5 min), walked with a limit above "
            "the largest group of equal createdAt, and dropping ids already delivered"
        )
        assert found.ask.target == (
            f"{PATH}?$limit=4&$orderBy[createdAt]=asc"
            "&$filter[createdAt][gte]=2026-03-01T11:55:00.000Z"
        )

    @pytest.mark.parametrize("when_s", [50, 51, 600, 10**6])
    def test_reads_the_event_at_any_later_time_and_not_before(self, when_s):
        crowd = [event(f"c{n}", before_s=100 - n, late_s=n % 7) for n in range(20)]
        scenario = world(*crowd, LATE, event("cc", before_s=5))
        found = remedy(scenario, LATE, NOON)
        assert found is not None
        assert reads(scenario, found, LATE, NOON + when_s * SECOND_MS)
        assert not reads(scenario, found, LATE, LATE.visible_at - 1)

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"encodings": "json"},
            {"encodings": "brackets"},
            {"operators": "gte-only", "order_by": "asc-only"},
            {"limit_max": 5},
            {"limit_max": 5, "limit_over_max": "reject"},
            {"limit_max": 5, "limit_over_max": "reject", "ties": "shuffled"},
            {"limit_max": 100, "limit_default": 100},
            {"ties": "shuffled", "order_default": "newest-first", "nulls": "first"},
            {"alias_without_version": True, "naive_times": "utc"},
            {"request_body": "reject", "unparsable_query": "ignore", "error_body": "empty"},
            {"lateness": "minutes", "created_at": "transaction-start", "null_created_at": True},
        ],
        ids=str,
    )
    def test_reads_the_event_under_every_setting(self, settings):
        crowd = [event(f"c{n:02d}", before_s=100 - n) for n in range(40)]
        ties = [event(f"d{n}", before_s=10) for n in range(4)]
        scenario = world(*crowd, *ties, LATE, event("cc", before_s=5), **settings)
        found = remedy(scenario, LATE, NOON)
        assert found is not None
        assert reads(scenario, found, LATE, NOON + MINUTE_MS)

    def test_there_is_none_where_more_ties_than_a_page_holds_hide_it(self):
        ties = [event(f"d{n}", before_s=10) for n in range(5)]
        capped = world(*ties, LATE, limit_max=5)
        assert remedy(capped, LATE, NOON) is None
        assert remedy(world(*ties, LATE), LATE, NOON) is not None

    def test_a_capped_page_starts_with_whole_groups_of_ties(self):
        """Its key is a stamp; the ties of an earlier event must not push the missed one out."""
        before = [event(f"a{n}", before_s=12) for n in range(3)]
        between = [event(f"b{n}", before_s=11) for n in range(3)]
        scenario = world(*before, *between, LATE, limit_max=5)
        found = remedy(scenario, LATE, NOON)
        assert found is not None
        assert "2026-03-01T11:59:49.000Z" in found.ask.query
        assert reads(scenario, found, LATE, NOON + MINUTE_MS)

    def test_says_nothing_of_zero_lateness(self):
        during_walk = event("cb", before_s=-1)
        found = remedy(world(during_walk, late=0), during_walk, NOON)
        assert found is not None
        assert found.says.startswith("createdAt gte (start of the last successful poll), walked")

    def test_the_window_includes_its_first_instant_and_nothing_earlier(self):
        edge = event("cb", before_s=300, late_s=301)
        scenario = world(edge)
        found = remedy(scenario, edge, NOON)
        assert found is not None
        assert reads(scenario, found, edge, NOON + MINUTE_MS)
        too_late = event("cb", before_s=300.001, late_s=301)
        assert remedy(world(too_late), too_late, NOON) is None

    def test_there_is_none_without_a_stamp(self):
        unstamped = event("cb", before_s=None)
        assert remedy(world(unstamped), unstamped, NOON) is None

    @pytest.mark.parametrize("year", ["0001-01-01T00:20:00Z", "1969-12-31T23:59:00Z"])
    def test_works_before_1970_and_at_the_edge_of_the_calendar(self, year):
        start = at(year)
        missed = event("cb", before_s=10, late_s=60, start=start)
        scenario = world(missed, start=start, late=5 * MINUTE_MS)
        found = remedy(scenario, missed, start)
        assert found is not None
        assert reads(scenario, found, missed, start + MINUTE_MS)
        early = remedy(scenario, missed, INSTANT_MIN)
        assert early is not None
        assert "0001-01-01T00:00:00.000Z" in early.ask.query

    @pytest.mark.parametrize("profile", ["default", "documented", "transactional"])
    def test_would_have_read_what_the_document_s_client_loses(self, profile):
        """In drawn worlds, and at every poll that starts after the event is visible."""
        lost = 0
        with doorkeeper() as keeper:
            for example in range(60):
                scenario = generate_scenario(
                    dialect="saleschannel",
                    profile=profile,
                    seed=1,
                    example=example,
                    late_by_ms_max=2 * MINUTE_MS,
                )
                history = run(scenario, DIALECT.document_client, keeper=keeper)
                delivered = {step.event_id for step in history if isinstance(step, Delivered)}
                polls = [step.at for step in history if isinstance(step, PollStarted)]
                for missed in scenario.events:
                    before = [start for start in polls if start < missed.visible_at]
                    if missed.id in delivered or not before:
                        continue
                    found = remedy(scenario, missed, before[-1])
                    after = [start for start in polls if start >= missed.visible_at]
                    assert found is not None
                    assert all(reads(scenario, found, missed, start) for start in after)
                    lost += bool(after)  # none where the client had to be stopped before
        assert lost > 5
