"""Every switch matters: each of its values changes what the fake does, or there is only one."""

import json
from random import Random

import pytest

from fakeserver.clock import at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Answer, Ask
from fakeserver.drawing.plan import WORLD_ODDS
from fakeserver.errors import ProfileError
from fakeserver.generate import generate_scenario
from fakeserver.log import EventLog
from fakeserver.profile import check_settings
from fakeserver.scenario import LoggedEvent

DIALECT = find_dialect("haravan")
NOON = at("2026-11-01T05:30:00Z")
"""12:30 in Ho Chi Minh City; 01:30 in New York, for the first time on that day."""


def event(event_id: int, second: int, subject_type: str, subject_id: int, verb: str) -> LoggedEvent:
    stamp = NOON + second * 1_000
    fields = {
        "arguments": ["#1001", "Trần Ân"],
        "body": None,
        "subject_id": subject_id,
        "subject_type": subject_type,
        "verb": verb,
        "message": "a/b",
        "author": "haravan",
        "description": None,
        "path": f"/admin/things/{subject_id}",
    }
    return LoggedEvent(id=event_id, recorded_at=stamp, visible_at=stamp, fields=fields)


LOG = EventLog(
    [
        event(30, 0, "Order", 7, "placed"),
        event(40, 0, "Order", 7, "closed"),
        event(10, 1, "Product", 9, "create"),
        event(20, 2, "Page", 5, "create"),
    ]
)


def answer(target: str, *, salt: int = 0, token: bool = True, **settings) -> Answer:
    path, _, query = target.partition("?")
    headers = {"authorization": f"Bearer {TOKEN}"} if token else {}
    ask = Ask(path=path, query=query, headers=headers)
    return DIALECT.answer(ask, LOG, NOON + 10_000, DIALECT.settings(settings), salt=salt)


def listed(target: str, **settings) -> list[int] | int:
    """Return the ids of a list, or the status of a refusal."""
    got = answer(target, **settings)
    return got.status if got.status != 200 else [row.id for row in got.rows]


def first(target: str, field: str, **settings) -> object:
    return json.loads(answer(target, **settings).body)["events"][0].get(field, "absent")


EVENTS = "/com/events.json"
NEW_YORK = {"shop_zone": "America/New_York"}
LISTS = [
    # switch, its value, more settings, request, what the default lists, what this value lists
    ("version_alias", True, {}, "/admin/api/2026-01/events.json?limit=1", 404, [40]),
    ("nested", "all-seven", {}, "/com/pages/5/events.json", 404, [20]),
    ("nested_unknown_parent", "404", {}, "/com/orders/8/events.json", [], 404),
    ("unknown_parameter", "ignore", {}, f"{EVENTS}?sinceid=30", 422, [40, 30, 20, 10]),
    ("limit_over_max", "reject", {"limit_max": 5}, f"{EVENTS}?limit=6", [40, 30, 20, 10], 422),
    ("page_below_one", "reject", {}, f"{EVENTS}?limit=1&page=0", [40], 422),
    ("since_id_zero", "ignored", {}, f"{EVENTS}?since_id=0&limit=2", [10, 20], [40, 30]),
    ("since_id_order", "desc", {}, f"{EVENTS}?since_id=15&limit=2", [20, 30], [40, 30]),
    ("since_id_with_page", "reject", {}, f"{EVENTS}?since_id=10&page=1", [20, 30, 40], 422),
    ("since_id_with_page", "reject", {}, f"{EVENTS}?limit=1&page=2", [30], [30]),
    ("order_default", "created_at-asc", {}, EVENTS, [40, 30, 20, 10], [40, 30, 10, 20]),
    ("order_default", "id-asc", {}, EVENTS, [40, 30, 20, 10], [10, 20, 30, 40]),
    ("order_default", "created_at-desc", {}, EVENTS, [40, 30, 20, 10], [20, 10, 40, 30]),
    ("shop_zone", "America/New_York", {}, f"{EVENTS}?created_at_min=2026-11-01+12:00",
     [40, 30, 20, 10], []),
    ("shop_zone", "UTC", {}, f"{EVENTS}?created_at_max=2026-11-01+05:30", [], [40, 30]),
    ("time_forms", "document-only", {}, f"{EVENTS}?created_at_max=2026-11-01T05:30Z",
     [40, 30], 422),
    ("time_forms", "document-only", {}, f"{EVENTS}?created_at_max=2026-11-01T05:30-00:00",
     [40, 30], 422),
    ("time_forms", "document-only", {}, f"{EVENTS}?created_at_max=2026-11-01+12:30",
     [40, 30], [40, 30]),
    ("ambiguous_time", "later", NEW_YORK, f"{EVENTS}?created_at_max=2026-11-01+01:30",
     [40, 30], [40, 30, 20, 10]),
    ("bounds", "exclusive", {}, f"{EVENTS}?created_at_min=2026-11-01+12:30:00",
     [40, 30, 20, 10], [20, 10]),
    ("bounds", "exclusive", {}, f"{EVENTS}?created_at_max=2026-11-01+12:30:01",
     [40, 30, 10], [40, 30]),
    ("unknown_filter", "reject", {}, f"{EVENTS}?filter=Order,Customer", [40, 30], 422),
    ("unknown_filter", "reject", {}, f"{EVENTS}?verb=exploded", [], 422),
    ("filter_case", "insensitive", {}, f"{EVENTS}?filter=order,PAGE", [], [40, 30, 20]),
    ("filter_case", "insensitive", {}, f"{EVENTS}?verb=Closed", [], [40]),
    ("limit_default", 250, {"limit_max": None}, EVENTS, [40, 30, 20, 10], [40, 30, 20, 10]),
    ("empty_parameter", "ignore", {}, f"{EVENTS}?since_id=&filter=Page", 422, [20]),
    ("empty_parameter", "ignore", {}, f"{EVENTS}?limit=%20", 422, [40, 30, 20, 10]),
    ("lost_plus", "mend", {}, f"{EVENTS}?created_at_max=2026-11-01T05:30:00+00:00", 422, [40, 30]),
    ("lost_plus", "mend", {}, f"{EVENTS}?created_at_max=2026-11-01+12:30+0700", 422, [40, 30]),
    ("lost_plus", "mend", {}, f"{EVENTS}?created_at_max=2026-11-01+12:30", [40, 30], [40, 30]),
    ("paging", "cursor", {}, EVENTS, [40, 30, 20, 10], [10, 20, 30, 40]),
    ("paging", "cursor", {}, f"{EVENTS}?page=1", [40, 30, 20, 10], 422),
    ("extra_verbs", "categories", {"unknown_filter": "reject"},
     f"{EVENTS}?verb=fulfillment_update,placed", 422, [30]),
]  # fmt: skip


@pytest.mark.parametrize(("switch", "value", "more", "target", "default", "expected"), LISTS)
def test_what_a_request_lists(switch, value, more, target, default, expected):
    assert listed(target, **more) == default
    assert listed(target, **more, **{switch: value}) == expected


FIRSTS = [
    ("id_type", "string", "id", 40, "40"),
    ("id_type", "string", "subject_id", 7, "7"),
    ("arguments_type", "string", "arguments", ["#1001", "Trần Ân"], "#1001, Trần Ân"),
    ("author", "omit", "author", "haravan", "absent"),
    ("path_form", "null", "path", "/admin/things/7", None),
    ("time_output", "utc", "created_at", "2026-11-01T12:30:00+07:00", "2026-11-01T05:30:00Z"),
    ("shop_zone", "UTC", "created_at", "2026-11-01T12:30:00+07:00", "2026-11-01T05:30:00+00:00"),
]


@pytest.mark.parametrize(("switch", "value", "field", "default", "expected"), FIRSTS)
def test_what_an_event_looks_like(switch, value, field, default, expected):
    assert first(EVENTS, field) == default
    assert first(EVENTS, field, **{switch: value}) == expected


TEXTS = [
    ("slashes", "escaped", EVENTS, b'"a/b"', rb'"a\/b"'),
    ("ascii", "escaped", EVENTS, "Trần Ân".encode(), rb"Tr\u1ea7n \u00c2n"),
    ("fields_id", "keep", f"{EVENTS}?limit=1&fields=verb", b'{"verb":"closed"}',
     b'{"id":40,"verb":"closed"}'),
    ("count_filters", "honour", "/com/events/count.json?filter=Order", b'{"count":4}',
     b'{"count":2}'),
    ("count_filters", "honour", "/com/events/count.json?since_id=30&verb=closed", b'{"count":4}',
     b'{"count":1}'),
    ("author", "omit", f"{EVENTS}?limit=1&fields=author,id", b'"author"', b'[{"id":40}]'),
]  # fmt: skip


@pytest.mark.parametrize(("switch", "value", "target", "default", "expected"), TEXTS)
def test_what_a_body_says(switch, value, target, default, expected):
    assert default in answer(target).body
    changed = answer(target, **{switch: value}).body
    assert expected in changed
    assert default not in changed


@pytest.mark.parametrize(("cap", "rows"), [(50, 50), (250, 250), (None, 300), (5, 5)])
def test_limit_max_caps_what_is_asked_and_what_is_not(cap, rows):
    log = EventLog([event(number, 0, "Order", 1, "placed") for number in range(1, 301)])
    settings = DIALECT.settings({"limit_max": cap})
    for query, expected in (("limit=300", rows), ("", min(50, rows)), ("limit=2", 2)):
        ask = Ask(path=EVENTS, query=query, headers={"authorization": f"Bearer {TOKEN}"})
        assert len(DIALECT.answer(ask, log, NOON, settings).rows) == expected
    assert DIALECT.limit_max(settings) == cap


def test_limit_default_holds_without_a_limit():
    log = EventLog([event(number, 0, "Order", 1, "placed") for number in range(1, 301)])
    ask = Ask(path=EVENTS, headers={"authorization": f"Bearer {TOKEN}"})
    settings = DIALECT.settings({"limit_max": None, "limit_default": 250})
    assert len(DIALECT.answer(ask, log, NOON, settings).rows) == 250


def test_limit_over_max_has_its_own_code():
    """A verifier tells it from a slip: the client could not know the cap."""
    got = answer(f"{EVENTS}?limit=251", limit_max=250, limit_over_max="reject")
    assert got.problem == "limit-over-max: limit: expected at most 250, got 251"


def test_count_cap_cuts_the_number_only():
    log = EventLog([event(number, 0, "Order", 1, "placed") for number in range(1, 10_003)])
    ask = Ask(path="/com/events/count.json", headers={"authorization": f"Bearer {TOKEN}"})
    for cap, count in ((None, 10_002), (10_000, 10_000)):
        got = DIALECT.answer(ask, log, NOON, DIALECT.settings({"count_cap": cap}))
        assert json.loads(got.body) == {"count": count}


@pytest.mark.parametrize(("value", "counts"), [("none", [2, 3, 4, 4, 4]), ("5s", [0, 0, 0, 2, 4])])
def test_count_lag_lets_the_count_trail_behind_the_list(value, counts):
    """Events appear at second 0 (two), 1 and 2; the list shows them at once."""
    settings = DIALECT.settings({"count_lag": value})
    path = "/com/events/count.json"
    ask = Ask(path=path, headers={"authorization": f"Bearer {TOKEN}"})
    instants = [NOON + second * 1_000 for second in (0, 1, 4, 5, 7)]
    answers = [DIALECT.answer(ask, LOG, instant, settings) for instant in instants]
    assert [json.loads(got.body)["count"] for got in answers] == counts
    ask = Ask(path=EVENTS, headers={"authorization": f"Bearer {TOKEN}"})
    assert len(DIALECT.answer(ask, LOG, NOON + 2_000, settings).rows) == 4


def test_extra_verbs_show_in_the_stories():
    def told(value: str) -> set[str]:
        settings = DIALECT.settings({"extra_verbs": value})
        rows = DIALECT.tell(Random(1), settings, [NOON] * 3_000)
        return {fields["verb"] for _, fields in rows if fields["subject_type"] == "Order"}

    assert told("categories") - told("none") == {"fulfillment_failure", "fulfillment_update"}


def test_transient_422_shows_in_drawn_worlds_and_never_in_the_calm():
    def faults(**settings) -> list:
        profile = DIALECT.profile("default").narrowed(**settings)
        worlds = [
            generate_scenario(dialect="haravan", profile=profile, example=n, hazards=WORLD_ODDS)
            for n in range(30)
        ]
        return [
            (fault.kind, number < world.calm_from)
            for world in worlds
            for number, poll in enumerate(world.polls)
            for fault in poll.faults
        ]

    assert faults() == []
    planted = faults(transient_422="now-and-then")
    assert len(planted) > 5
    assert set(planted) == {("transient-422", True)}


def test_rate_limit_is_the_bucket_of_the_vendor_s_page():
    assert DIALECT.rate_limit(DIALECT.settings({})) is None
    bucket = DIALECT.rate_limit(DIALECT.settings({"rate_limit": "bucket-80-4"}))
    assert (bucket.size, bucket.leak_per_s) == (80, 4)


def test_created_at_ties_shuffled_changes_with_the_request_and_only_within_a_tie():
    by_id = [listed(EVENTS, order_default="created_at-asc", salt=salt) for salt in range(20)]
    assert by_id == [[40, 30, 10, 20]] * 20
    orders = {
        tuple(listed(EVENTS, salt=salt, order_default="created_at-asc", created_at_ties="shuffled"))
        for salt in range(20)
    }
    assert orders == {(40, 30, 10, 20), (30, 40, 10, 20)}


def test_auth_off_asks_for_no_token():
    assert answer(EVENTS, token=False).status == 401
    assert answer(EVENTS, token=False, auth="off").status == 200


def test_nested_unknown_parent_404_spares_a_narrow_request_for_a_known_one():
    assert (
        answer("/com/orders/7/events.json?since_id=40", nested_unknown_parent="404").status == 200
    )
    assert answer("/com/orders/7/events.json?page=9", nested_unknown_parent="404").status == 200
    narrow = "/com/orders/8/events.json?filter=Order"
    assert answer(narrow, nested_unknown_parent="404").status == 200


def test_lateness_is_five_minutes_as_documented():
    assert DIALECT.late_by_ms_max(DIALECT.settings({})) == 300_000
    assert DIALECT.late_by_ms_max(DIALECT.settings({"lateness": "none"})) == 0


@pytest.mark.parametrize(("value", "in_order"), [("monotonic", True), ("shuffled", False)])
def test_id_order_shows_in_the_stories(value, in_order):
    stamps = [NOON + second * 1_000 for second in range(40)]
    ids = [row[0] for row in DIALECT.tell(Random(1), DIALECT.settings({"id_order": value}), stamps)]
    assert (ids == sorted(ids)) is in_order


SHOWN = {
    *((row[0], row[1]) for rows in (LISTS, FIRSTS, TEXTS) for row in rows),
    *(("limit_max", cap) for cap in (250, None, 5)),
    ("count_cap", 10_000),
    ("count_lag", "5s"),
    ("rate_limit", "bucket-80-4"),
    ("transient_422", "now-and-then"),
    *(("error_body", shape) for shape in ("errors-base", "message", "empty", "vietnamese")),
    ("created_at_ties", "shuffled"),
    ("auth", "off"),
    ("lateness", "none"),
    ("id_order", "shuffled"),
}
"""What the tests above show to make a difference (the bodies of errors: test_haravan_render)."""


@pytest.mark.parametrize("switch", DIALECT.switches, ids=lambda switch: switch.name)
class TestSwitch:
    def test_each_value_is_shown_to_change_something(self, switch):
        others = [value for value in switch.values if value != switch.default]
        assert others
        assert {(switch.name, value) for value in others} <= SHOWN

    def test_is_well_formed(self, switch):
        assert switch.about.endswith(".")
        assert switch.source
        assert not set(switch.documented) & set(switch.beyond)
        assert not switch.documented or switch.documented[0] == switch.default

    def test_refuses_other_values(self, switch):
        with pytest.raises(ProfileError, match=switch.name):
            check_settings(DIALECT.switches, {switch.name: "no such value"})


def test_names_are_unique():
    names = [switch.name for switch in DIALECT.switches]
    assert len(names) == len(set(names))


class TestProfiles:
    def test_their_names(self):
        assert [profile.name for profile in DIALECT.profiles] == [
            "default",
            "documented",
            "adversarial",
            "haravan-live-2026",
            "shopify-legacy",
            "shopify-cursor",
        ]

    def test_default_and_documented(self):
        default, documented = DIALECT.profiles[:2]
        assert all(len(values) == 1 for values in default.allowed.values())
        assert documented.settings_default == default.settings_default == DIALECT.settings({})
        for switch in DIALECT.switches:
            assert not set(documented.allowed[switch.name]) & set(switch.beyond)
        assert documented.allowed["limit_max"] == (50, 250, None, 5)

    def test_adversarial_stays_the_same_api(self):
        allowed = DIALECT.profile("adversarial").allowed
        kept = {switch.name for switch in DIALECT.switches if len(allowed[switch.name]) == 1}
        assert kept == {"auth", "paging", "since_id_order", "bounds", "lateness"}

    @pytest.mark.parametrize(
        ("name", "settings"),
        [
            ("haravan-live-2026", {"limit_max": 50, "order_default": "id-desc"}),
            ("haravan-live-2026", {"rate_limit": "bucket-80-4", "transient_422": "now-and-then"}),
            ("haravan-live-2026", {"time_output": "utc", "limit_over_max": "clamp"}),
            ("shopify-legacy", {"limit_default": 50, "limit_max": 250, "order_default": "id-asc"}),
            ("shopify-legacy", {"paging": "page", "rate_limit": "off"}),
            ("shopify-cursor", {"limit_max": 250, "order_default": "id-asc", "paging": "cursor"}),
        ],
    )
    def test_the_named_ones_have_the_facts_of_their_sources(self, name, settings):
        allowed = DIALECT.profile(name).allowed
        assert {switch: allowed[switch] for switch in settings} == {
            switch: (value,) for switch, value in settings.items()
        }
