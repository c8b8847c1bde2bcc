"""Every switch matters: each of its values changes what the fake does, or there is only one."""

import json
from random import Random

import pytest
from msgspec.structs import replace

from fakeserver.clock import at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, TOKEN_WITHOUT_ROLE, Answer, Ask
from fakeserver.dialects.saleschannel.parse import PATH, PATH_WITHOUT_VERSION
from fakeserver.dialects.saleschannel.stories import EVENT_TYPE
from fakeserver.errors import ProfileError
from fakeserver.log import EventLog
from fakeserver.profile import check_settings
from fakeserver.query import RECORDED_US
from fakeserver.scenario import LoggedEvent

DIALECT = find_dialect("saleschannel")
NOON = at("2026-03-01T12:00:00Z")
SINCE = "2026-03-01T12:00:01.000Z"


def event(event_id: str, second: int | None) -> LoggedEvent:
    stamp = None if second is None else NOON + second * 1_000
    fields = {"eventType": EVENT_TYPE, "eventAt": None}
    return LoggedEvent(id=event_id, recorded_at=stamp, visible_at=NOON, fields=fields)


LOG = EventLog([event("cb", 0), event("ca", 0), event("cd", 2), event("cc", 1)])
"""Appended in another order than stamped, so that no two orders look alike."""
ALL = ["cb", "ca", "cd", "cc"]


def answer(query: str = "", *, path: str = PATH, salt: int = 0, log: EventLog = LOG, **settings):
    ask = Ask(path=path, query=query, headers={"authorization": f"Bearer {TOKEN}"})
    return DIALECT.answer(ask, log, NOON + 10_000, DIALECT.settings(settings), salt=salt)


def listed(query: str = "", **settings) -> list[str] | int:
    """Return the ids of a list, or the status of a refusal."""
    got: Answer = answer(query, **settings)
    return got.status if got.status != 200 else list(got.event_ids)


BY_TIME = "$orderBy[createdAt]=asc"
BRACKETS = f"$filter[createdAt][gte]={SINCE}"
IN_JSON = f'$filter={{"createdAt":{{"gte":"{SINCE}"}}}}'
ORDER_IN_JSON = '$orderBy={"createdAt":"asc"}'
LISTS = [
    # switch, its value, more settings, query, what the default lists, what this value lists
    ("unparsable_query", "ignore", {}, "$filter=createdAt", 400, ALL),
    ("unparsable_query", "ignore", {}, "$filter=[object Object]", 400, ALL),
    ("unparsable_query", "ignore", {}, "$filter[createdAt][since]=2026", 400, ALL),
    ("unparsable_query", "ignore", {}, f"$orderBy=createdAt&{BRACKETS}", 400, ["cd", "cc"]),
    ("unparsable_query", "ignore", {}, "$limit=ten", 400, 400),
    ("unparsable_query", "ignore", {}, BRACKETS, ["cd", "cc"], ["cd", "cc"]),
    ("unknown_parameter", "ignore", {}, "$skip=2", 400, ALL),
    ("unknown_parameter", "ignore", {}, f"$where[id]=x&{BRACKETS}", 400, ["cd", "cc"]),
    ("encodings", "brackets", {}, IN_JSON, ["cd", "cc"], 400),
    ("encodings", "brackets", {}, ORDER_IN_JSON, ["cb", "ca", "cc", "cd"], 400),
    ("encodings", "brackets", {}, BRACKETS, ["cd", "cc"], ["cd", "cc"]),
    ("encodings", "json", {}, BRACKETS, ["cd", "cc"], 400),
    ("encodings", "json", {}, BY_TIME, ["cb", "ca", "cc", "cd"], 400),
    ("encodings", "json", {}, IN_JSON, ["cd", "cc"], ["cd", "cc"]),
    ("operators", "gte-only", {}, f"$filter[createdAt][gt]={SINCE}", ["cd"], 400),
    ("operators", "gte-only", {}, "$filter[id]=ca", ["ca"], 400),
    ("operators", "gte-only", {}, BRACKETS, ["cd", "cc"], ["cd", "cc"]),
    ("order_by", "asc-only", {}, "$orderBy[createdAt]=desc", ["cd", "cc", "cb", "ca"], 400),
    ("order_by", "asc-only", {}, BY_TIME, ["cb", "ca", "cc", "cd"], ["cb", "ca", "cc", "cd"]),
    ("limit_max", 5, {}, "$limit=6", ALL, ALL),
    ("limit_over_max", "reject", {"limit_max": 5}, "$limit=6", ALL, 400),
    ("limit_over_max", "reject", {"limit_max": 5}, "$limit=5", ALL, ALL),
    ("limit_over_max", "reject", {"limit_max": 5}, "", ALL, ALL),
    ("order_default", "newest-first", {}, "", ALL, ["cd", "cc", "cb", "ca"]),
    ("order_default", "newest-first", {}, BY_TIME, ["cb", "ca", "cc", "cd"],
     ["cb", "ca", "cc", "cd"]),
    ("naive_times", "utc", {}, "$filter[createdAt][gte]=2026-03-01T12:00:01", 400, ["cd", "cc"]),
    ("naive_times", "utc", {}, "$filter[createdAt][lt]=2026-03-01", 400, []),
    ("naive_times", "utc", {}, f"$filter[createdAt][gte]={SINCE}", ["cd", "cc"], ["cd", "cc"]),
]  # fmt: skip


@pytest.mark.parametrize(("switch", "value", "more", "query", "default", "expected"), LISTS)
def test_what_a_request_lists(switch, value, more, query, default, expected):
    assert listed(query, **more) == default
    assert listed(query, **more, **{switch: value}) == expected


def test_alias_without_version_serves_the_pseudo_code_s_path_too():
    assert answer(path=PATH_WITHOUT_VERSION).status == 404
    assert answer(path=PATH_WITHOUT_VERSION, alias_without_version=True).body == answer().body
    assert answer(alias_without_version=True).body == answer().body
    assert answer(path=PATH_WITHOUT_VERSION + "/x", alias_without_version=True).status == 404


@pytest.mark.parametrize(
    ("value", "ascending", "descending"),
    [
        ("last", ["ca", "cb", "null1", "null2"], ["null1", "null2", "cb", "ca"]),
        ("first", ["null1", "null2", "ca", "cb"], ["cb", "ca", "null1", "null2"]),
    ],
)
def test_nulls_stand_where_the_switch_says_in_an_ascending_order(value, ascending, descending):
    """As databases have it: a null is either the lowest value or the highest."""
    log = EventLog([event("null1", None), event("ca", 0), event("null2", None), event("cb", 1)])
    assert list(answer(BY_TIME, log=log, nulls=value).event_ids) == ascending
    assert list(answer("$orderBy[createdAt]=desc", log=log, nulls=value).event_ids) == descending
    assert listed(f"$filter[createdAt][lt]={SINCE}", log=log, nulls=value) == ["ca"]


@pytest.mark.parametrize(
    ("default", "cap", "rows"),
    [(None, None, 300), (100, None, 100), (None, 100, 100), (100, 5, 5), (None, 5, 5)],
)
def test_limit_default_and_limit_max(default, cap, rows):
    log = EventLog([event(f"c{number:03d}", number) for number in range(300)])
    settings = {"limit_default": default, "limit_max": cap}
    assert len(answer(log=log, **settings).rows) == rows
    assert len(answer("$limit=2", log=log, **settings).rows) == 2
    assert len(answer("$limit=250", log=log, **settings).rows) == (250 if cap is None else cap)
    assert DIALECT.limit_max(DIALECT.settings(settings)) == cap


def test_limit_over_max_has_its_own_code():
    """A verifier tells it from a slip: the client could not know the cap."""
    got = answer("$limit=101", limit_max=100, limit_over_max="reject")
    assert got.problem == "limit-over-max: $limit: expected at most 100, got 101"


class TestTies:
    def test_are_by_age_or_new_with_each_request(self):
        assert {tuple(listed(BY_TIME, salt=salt)) for salt in range(20)} == {
            ("cb", "ca", "cc", "cd")
        }
        shuffled = {tuple(listed(BY_TIME, salt=salt, ties="shuffled")) for salt in range(20)}
        assert shuffled == {("cb", "ca", "cc", "cd"), ("ca", "cb", "cc", "cd")}

    def test_without_an_order_nothing_ties(self):
        """The whole list in the order of insertion, not the whole list at random."""
        lists = [listed(salt=salt, ties="shuffled") for salt in range(20)]
        assert lists == [ALL] * 20

    def test_the_default_order_newest_first_has_ties_too(self):
        settings = {"ties": "shuffled", "order_default": "newest-first"}
        lists = {tuple(listed(salt=salt, **settings)) for salt in range(20)}
        assert lists == {("cd", "cc", "cb", "ca"), ("cd", "cc", "ca", "cb")}


def test_without_role_is_403_or_404():
    ask = Ask(path=PATH, headers={"authorization": f"Bearer {TOKEN_WITHOUT_ROLE}"})
    for status in (403, 404):
        settings = DIALECT.settings({"without_role": status})
        assert DIALECT.answer(ask, LOG, NOON, settings).status == status


STAMPS = [NOON + second * 1_000 for second in range(60)]


def told(**settings) -> list:
    return DIALECT.tell(Random(1), DIALECT.settings(settings), STAMPS)


def test_event_at_shows_in_the_stories():
    def differences(value: str) -> list[int | None]:
        return [
            None if fields["eventAt"] is None else fields["eventAt"] - stamp
            for stamp, (_, fields) in zip(STAMPS, told(event_at=value), strict=True)
        ]

    before, nulls, any_ = (differences(v) for v in ("before", "null-sometimes", "any"))
    assert None not in before
    assert max(before) <= 0
    assert None in nulls
    assert max(d for d in nulls if d is not None) <= 0
    assert None in any_
    assert max(d for d in any_ if d is not None) > 0 > min(d for d in any_ if d is not None)


@pytest.mark.parametrize(("value", "only"), [("one", True), ("expanding", False)])
def test_event_types_shows_in_the_stories(value, only):
    assert ({f["eventType"] for _, f in told(event_types=value)} == {EVENT_TYPE}) is only


@pytest.mark.parametrize(("value", "in_order"), [("time-ordered", True), ("random", False)])
def test_id_order_shows_in_the_stories(value, in_order):
    ids = [event_id for event_id, _ in told(id_order=value)]
    assert (ids == sorted(ids)) is in_order
    assert len(set(ids)) == len(ids)


SHOWN = {
    *((row[0], row[1]) for row in LISTS),
    ("alias_without_version", True),
    ("nulls", "first"),
    ("limit_default", 100),
    *(("limit_max", cap) for cap in (100, 5)),
    ("ties", "shuffled"),
    ("without_role", 404),
    ("event_at", "null-sometimes"),
    ("event_at", "any"),
    ("event_types", "expanding"),
    ("id_order", "random"),
    ("statuses", "more"),
    ("lateness", "minutes"),
    ("created_at", "transaction-start"),
    ("future_stamps", "some"),
    ("null_created_at", True),
    ("stamp_precision", "us"),
    ("request_body", "reject"),
    ("error_body", "problem"),
    ("error_body", "empty"),
}
"""What the tests above show to make a difference; for the bodies of errors and the odd stamps of
drawn worlds see test_saleschannel_render and test_oddities."""

ONE_ANSWER = {"details_key"}
"""The name of what the document lost: any other would do, and none would show more."""


@pytest.mark.parametrize("switch", DIALECT.switches, ids=lambda switch: switch.name)
class TestSwitch:
    def test_each_value_is_shown_to_change_something_or_there_is_only_one(self, switch):
        others = [value for value in switch.values if value != switch.default]
        assert {(switch.name, value) for value in others} <= SHOWN
        assert (switch.name in ONE_ANSWER) == (not others)

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


@pytest.mark.parametrize(
    ("settings", "late_by_ms_max"),
    [
        ({}, 0),
        ({"lateness": "minutes"}, 300_000),
        ({"created_at": "transaction-start"}, 60_000),
        ({"created_at": "transaction-start", "lateness": "minutes"}, 300_000),
    ],
)
def test_a_lateness_is_promised_where_there_is_one_and_none_is_documented(settings, late_by_ms_max):
    assert DIALECT.late_by_ms_max(DIALECT.settings(settings)) == late_by_ms_max


@pytest.mark.parametrize(("value", "status"), [("ignored", 200), ("reject", 400)])
def test_a_body_with_a_get_means_nothing_or_is_refused(value, status):
    ask = Ask(path=PATH, headers={"authorization": f"Bearer {TOKEN}"}, has_body=True)
    got = DIALECT.answer(ask, LOG, NOON, DIALECT.settings({"request_body": value}))
    assert got.status == status
    assert (got.problem or "").startswith("unexpected-body: " if status == 400 else "")
    assert answer(request_body=value).status == 200


def test_statuses_show_in_the_stories():
    def statuses(value: str) -> set[str]:
        settings = DIALECT.settings({"statuses": value})
        rows = DIALECT.tell(Random(1), settings, [NOON] * 500)
        return {fields["details"]["status"] for _, fields in rows}

    assert statuses("five") == {"STARTED", "PENDING", "SUCCESS", "FAILED", "REJECTED"}
    assert statuses("more") - statuses("five") == {"CANCELLED", "EXPIRED"}


FINER = [
    ("gte", ["ca", "cb"]),
    ("gt", ["ca", "cb"]),
    ("lte", []),
    ("lt", []),
    ("equals", []),
    ("not", ["ca", "cb"]),
]


@pytest.mark.parametrize(("operator", "found"), FINER)
def test_a_stamp_that_is_stored_finer_than_shown_meets_other_comparisons(operator, found):
    """The client sends back what it was shown, which lies before what is stored."""
    rows = [event("ca", 1), event("cb", 1)]
    log = EventLog(replace(row, fields={**row.fields, RECORDED_US: 250}) for row in rows)
    assert listed(f"$filter[createdAt][{operator}]={SINCE}", log=log) == found
    assert SINCE in answer(log=log).body.decode()
    assert RECORDED_US not in answer(log=log).body.decode()


def test_what_is_stored_decides_the_order():
    rows = [event("ca", 1), event("cb", 1), event("cc", 1)]
    finer = [replace(row, fields={**row.fields, RECORDED_US: us})
             for row, us in zip(rows, (900, 0, 1), strict=True)]  # fmt: skip
    assert listed(BY_TIME, log=EventLog(rows)) == ["ca", "cb", "cc"]
    assert listed(BY_TIME, log=EventLog(finer)) == ["cb", "cc", "ca"]
    assert listed("$orderBy[createdAt]=desc", log=EventLog(finer)) == ["ca", "cc", "cb"]


def test_the_details_have_their_key_and_the_error_its_shape():
    log = EventLog([LoggedEvent(id="ca", recorded_at=NOON, visible_at=NOON, fields=told()[0][1])])
    key = DIALECT.switch("details_key").default
    assert key in json.loads(answer(log=log).body)[0]
    assert set(json.loads(answer("$limit=0").body)) == {"statusCode", "error", "message"}


class TestProfiles:
    def test_their_names(self):
        names = [profile.name for profile in DIALECT.profiles]
        assert names == ["default", "documented", "adversarial", "transactional"]

    def test_default_and_documented(self):
        default, documented = DIALECT.profiles[:2]
        assert all(len(values) == 1 for values in default.allowed.values())
        assert documented.settings_default == default.settings_default == DIALECT.settings({})
        for switch in DIALECT.switches:
            assert not set(documented.allowed[switch.name]) & set(switch.beyond)
        assert documented.allowed["limit_max"] == (None, 100)

    def test_adversarial_stays_the_same_api(self):
        allowed = DIALECT.profile("adversarial").allowed
        kept = {switch.name for switch in DIALECT.switches if len(allowed[switch.name]) == 1}
        assert kept == {"encodings", "lateness", "details_key"}

    def test_transactional_promises_a_lateness_so_that_there_is_a_remedy(self):
        transactional = DIALECT.profile("transactional")
        assert transactional.unusual == {"created_at": ("transaction-start",)}
        assert DIALECT.late_by_ms_max(transactional.settings_default) == 60_000
