"""Requests: what each one means, and what is refused instead of being answered with rows."""

import json
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakeserver.clock import at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, TOKEN_WITHOUT_ROLE, Answer, Ask
from fakeserver.dialects.haravan.parse import _query, _read
from fakeserver.dialects.haravan.terms import LIST_PARAMETERS
from fakeserver.dialects.wire import QUERY_CHARS_MAX
from fakeserver.log import EventLog
from fakeserver.query import Query
from fakeserver.scenario import LoggedEvent

from .understood import understood

DIALECT = find_dialect("haravan")
NOON = at("2026-03-01T05:00:00Z")
"""12:00 in Ho Chi Minh City."""
BEARER = {"authorization": f"Bearer {TOKEN}"}


def event(event_id: int, *, minute: int = 0, **fields: object) -> LoggedEvent:
    told = {
        "arguments": [],
        "body": None,
        "subject_id": 7,
        "subject_type": "Order",
        "verb": "placed",
        "message": "Order was placed",
        "author": "haravan",
        "description": "Order was placed",
        "path": "/admin/orders/7",
    }
    recorded_at = NOON + minute * 60_000
    return LoggedEvent(
        id=event_id, recorded_at=recorded_at, visible_at=recorded_at, fields=told | fields
    )


PRODUCT = {"subject_type": "Product", "subject_id": 9, "verb": "create"}
LOG = EventLog(
    [
        event(10),
        event(20, minute=1, **PRODUCT),
        event(30, minute=2),
        event(40, minute=2, verb="closed"),
        event(50, minute=3, **PRODUCT | {"verb": "destroy"}),
    ]
)
AT = NOON + 3_600_000


def answer(target: str, *, method: str = "GET", headers: dict | None = None, **settings) -> Answer:
    path, _, query = target.partition("?")
    ask = Ask(path=path, query=query, method=method, headers=BEARER if headers is None else headers)
    return DIALECT.answer(ask, LOG, AT, DIALECT.settings(settings))


def ids(query: str = "", **settings) -> list[int]:
    got = answer(f"/com/events.json?{query}", **settings)
    assert got.problem is None
    return list(got.event_ids)


BAD_QUERIES = [
    # limit and page
    ("limit=", "empty-parameter"),
    ("limit", "empty-parameter"),
    ("limit=+", "empty-parameter"),
    ("limit=0", "bad-number"),
    ("limit=-1", "bad-number"),
    ("limit=ten", "bad-number"),
    ("limit=5.0", "bad-number"),
    ("limit=1e3", "bad-number"),
    ("limit=%D9%A5", "bad-number"),  # an Arabic five: a digit, but none of ours
    ("limit=5&limit=5", "repeated-parameter"),
    ("limit=9223372036854775808", "bad-number"),
    ("limit=" + "9" * 5000, "bad-number"),
    ("page=", "empty-parameter"),
    ("page=-1", "bad-number"),
    ("page=one", "bad-number"),
    ("page=" + "9" * 30, "bad-number"),
    # ids
    ("since_id=", "empty-parameter"),
    ("since_id=-5", "bad-number"),
    ("since_id=null", "bad-number"),
    ("since_id=0x10", "bad-number"),
    ("since_id=+5", "bad-number"),
    ("since_id=99999999999999999999", "bad-number"),
    ("since_id=%7B%22id%22%3A5%7D", "bad-number"),
    # times
    ("created_at_min=", "empty-parameter"),
    ("created_at_min=yesterday", "bad-time"),
    ("created_at_min=2026-03-01", "bad-time"),
    ("created_at_min=2026-03-01T", "bad-time"),
    ("created_at_min=1772341200", "bad-time"),
    ("created_at_min=2026-13-01+12:00", "bad-time"),
    ("created_at_min=2026-02-29+12:00", "bad-time"),
    ("created_at_min=2026-03-01+24:00", "bad-time"),
    ("created_at_min=2026-03-01+12:60", "bad-time"),
    ("created_at_min=01.03.2026+12:00", "bad-time"),
    ("created_at_min=2026-03-01+12", "bad-time"),
    ("created_at_min=2026-03-01+12:00+PST", "bad-time"),
    ("created_at_min=2026-03-01T12:00:00%2B99:00", "bad-time"),
    ("created_at_min=0000-01-01+00:00", "bad-time"),
    ("created_at_min=0001-01-01+00:00", "bad-time"),  # is before the year 1 in UTC
    ("created_at_max=9999-12-31T23:59:59-23:00", "bad-time"),
    ("created_at_min=2026-03-01T12:00:00+07:00", "lost-plus"),
    ("created_at_max=2026-03-01+12:00:00+0700", "lost-plus"),
    ("created_at_min=2026-03-01+12:00&created_at_min=2026-03-01+12:00", "repeated-parameter"),
    # words
    ("filter=", "empty-parameter"),
    ("filter=Product,,Order", "empty-word"),
    ("filter=Product,", "empty-word"),
    ("verb=,", "empty-word"),
    ("verb=%20", "empty-parameter"),
    ("fields=", "empty-parameter"),
    ("fields=title", "unknown-fields"),
    ("fields=ID", "unknown-fields"),
    # names and encoding
    ("sinceid=30", "unknown-parameter"),
    ("Limit=5", "unknown-parameter"),
    ("limit[]=5", "unknown-parameter"),
    ("=5", "unknown-parameter"),
    ("page_info=abc", "unknown-parameter"),
    ("limit=%", "broken-encoding"),
    ("limit=%5", "broken-encoding"),
    ("filter=%ZZ", "broken-encoding"),
    ("filter=%FF", "broken-encoding"),
    ("filter=%00", None),  # legal, and no subject type: nothing is found
]


@pytest.mark.parametrize(("query", "code"), BAD_QUERIES, ids=lambda value: str(value)[:50])
@pytest.mark.parametrize("path", ["/com/events.json", "/com/orders/7/events.json"])
def test_a_bad_query_is_refused_and_lists_nothing(path, query, code):
    got = answer(f"{path}?{query}")
    assert got.rows == ()
    if code is None:
        assert (got.status, json.loads(got.body)) == (200, {"events": []})
        return
    assert got.status == 422
    assert got.problem is not None
    assert got.problem.startswith(f"{code}: ")
    assert list(json.loads(got.body)) == ["errors"]


def test_a_query_beyond_8_kib_is_refused():
    got = answer("/com/events.json?filter=" + "a" * 9_000)
    assert (got.status, got.rows) == (414, ())


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/com/events",
        "/com/events.json/",
        "/com//events.json",
        "/com/Events.json",
        "/com/events/.json",
        "/com/events/abc.json",
        "/com/events/-1.json",
        "/com/events/1.5.json",
        "/com/events/" + "9" * 20 + ".json",
        "/com/events/count",
        "/com/orders/events.json",
        "/com/orders//events.json",
        "/com/orders/%23%7Bid%7D/events.json",
        "/com/customers/1/events.json",
        "/com/articles/1/events.json",
        "/com/orders/1/events/count.json",
        "/com/orders.json",
        "/web/events.json",
        "/admin/api/2026-01/events.json",
        "/com/events.json\n",
        "/com/events/٣.json",
    ],
)
def test_an_unknown_path_is_404(path):
    got = answer(path)
    assert (got.status, got.rows) == (404, ())
    assert got.problem is not None
    assert got.problem.startswith("unknown-path: expected /com/events.json, ")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "get"])
def test_the_log_is_read_only(method):
    got = answer("/com/events.json", method=method)
    assert got.status == 405
    assert ("Allow", "GET, HEAD") in got.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Basic abc"}, 401),
        ({"x-haravan-access-token": "wrong"}, 401),
        ({"authorization": f"Bearer {TOKEN_WITHOUT_ROLE}"}, 403),
        ({"x-haravan-access-token": TOKEN}, 200),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"Bearer {TOKEN}", "x-haravan-access-token": TOKEN}, 200),
        ({"authorization": f"Bearer {TOKEN}", "x-haravan-access-token": "wrong"}, 401),
    ],
)
def test_a_request_needs_the_token(headers, status):
    got = answer("/com/events.json", headers=headers)
    assert got.status == status
    assert bool(got.rows) == (status == 200)
    assert TOKEN.encode() not in got.body


@pytest.mark.parametrize(("alias", "status"), [(True, 200), (False, 401)])
def test_clients_of_the_ancestor_have_a_header_of_their_own(alias, status):
    headers = {"x-shopify-access-token": TOKEN}
    assert answer("/com/events.json", headers=headers, version_alias=alias).status == status


@pytest.mark.parametrize(("alias", "status"), [(True, 401), (False, 200)])
def test_a_wrong_token_beside_the_right_one_is_refused_where_its_header_is_read(alias, status):
    headers = BEARER | {"x-shopify-access-token": "wrong"}
    assert answer("/com/events.json", headers=headers, version_alias=alias).status == status


def test_a_wrong_method_is_refused_though_the_token_is_right():
    assert answer("/com/events.json", method="POST").status == 405
    assert answer("/com/elsewhere.json", method="POST").status == 404


def test_garbage_never_breaks_the_server():
    """Whatever comes, the answer is one of a client's own making, and a refusal lists nothing."""
    random = Random(7)
    signs = [*"=&+%,;:-TZ01'\"\\\x00٣💥", "%2B", "2026-03-01", "12:00", "07:00", "Order", "id"]
    pieces = [*LIST_PARAMETERS, *signs]
    statuses = set()
    for _ in range(3_000):
        query = "".join(random.choices(pieces, k=random.randint(1, 9)))
        got = answer(f"/com/events.json?{query}")
        assert got.status in (200, 422), query
        assert got.status == 200 or not got.rows, query
        statuses.add(got.status)
    assert statuses == {200, 422}


class TestPaths:
    @pytest.mark.parametrize("prefix", ["/com", "/admin"])
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/events.json", (50, 40, 30, 20, 10)),
            ("/events/30.json", (30,)),
            ("/orders/7/events.json", (40, 30, 10)),
            ("/products/9/events.json", (50, 20)),
            ("/products/7/events.json", ()),
        ],
    )
    def test_both_prefixes_answer_alike(self, prefix, path, expected):
        assert answer(prefix + path).event_ids == expected

    @pytest.mark.parametrize("prefix", ["/com", "/admin"])
    def test_the_count_is_a_number_without_rows(self, prefix):
        got = answer(f"{prefix}/events/count.json")
        assert (json.loads(got.body), got.rows) == ({"count": 5}, ())

    def test_a_missing_event_is_404(self):
        got = answer("/com/events/11.json")
        assert (got.status, got.rows) == (404, ())
        assert got.problem == "no-such-event: there is no event 11 (yet)"

    def test_an_event_is_missing_until_it_is_visible(self):
        ask = Ask(path="/com/events/50.json", headers=BEARER)
        settings = DIALECT.settings({})
        assert DIALECT.answer(ask, LOG, NOON, settings).status == 404
        assert DIALECT.answer(ask, LOG, NOON + 180_000, settings).status == 200

    def test_a_single_event_takes_fields_and_nothing_else(self):
        got = answer("/com/events/30.json?fields=id")
        assert json.loads(got.body) == {"event": {"id": 30}}
        assert answer("/com/events/30.json?limit=5").status == 422

    def test_head_is_answered_as_get(self):
        assert answer("/com/events.json", method="HEAD").status == 200


class TestPaging:
    def test_newest_id_first_without_since_id_and_lowest_first_with_it(self):
        assert ids() == [50, 40, 30, 20, 10]
        assert ids("since_id=20") == [30, 40, 50]

    def test_since_id_is_exclusive(self):
        assert ids("since_id=49") == [50]
        assert ids("since_id=50") == []

    def test_pages_count_from_one_and_end_empty(self):
        assert [ids(f"limit=2&page={page}") for page in (1, 2, 3, 4)] == [
            [50, 40],
            [30, 20],
            [10],
            [],
        ]

    def test_a_page_of_what_is_above_since_id(self):
        assert ids("since_id=10&limit=2&page=2") == [40, 50]

    def test_the_largest_numbers_are_harmless(self):
        most = 2**63 - 1
        assert ids(f"limit={most}&page={most}") == []
        assert ids(f"limit={most}&page={most}", limit_max=None) == []
        assert ids(f"since_id={most}") == []
        assert len(ids(f"limit={most}", limit_max=None)) == 5

    def test_the_query_remembers_what_was_asked(self):
        ask = Ask(path="/com/events.json", query="limit=250", headers=BEARER)
        query = DIALECT.parse(ask, DIALECT.settings({}))
        assert (query.limit_asked, query.limit) == (250, 50)
        assert isinstance(query, Query)


class TestTimes:
    @pytest.mark.parametrize(
        "text",
        [
            "2026-03-01+12:02",
            "2026-03-01%2012:02",
            "2026-03-01 12:02",
            "2026-03-01+12:02:00",
            "2026-03-01T12:02",
            "2026-03-01T12:02:00",
            "2026-03-01T12:02:00.000",
            "2026-03-01T05:02:00Z",
            "2026-03-01+05:02:00Z",
            "2026-03-01T12:02:00%2B07:00",
            "2026-03-01T12:02:00%2B0700",
            "2026-03-01+12:02:00%2B07:00",
            "2026-03-01T00:02:00-05:00",
        ],
    )
    def test_every_form_names_the_same_instant_and_includes_it(self, text):
        assert ids(f"created_at_min={text}") == [50, 40, 30]
        assert ids(f"created_at_max={text}") == [40, 30, 20, 10]
        assert ids(f"created_at_min={text}&created_at_max={text}") == [40, 30]

    @pytest.mark.parametrize(("fold", "count"), [("earlier", 1), ("later", 0)])
    def test_the_repeated_hour(self, fold, count):
        """In New York, 01:30 on 2026-11-01 is 05:30Z and again 06:30Z."""
        stamp = at("2026-11-01T06:00:00Z")
        log = EventLog([LoggedEvent(id=1, recorded_at=stamp, visible_at=stamp)])
        ask = Ask(
            path="/com/events/count.json", query="created_at_min=2026-11-01+01:30", headers=BEARER
        )
        settings = DIALECT.settings({"shop_zone": "America/New_York", "ambiguous_time": fold})
        assert json.loads(DIALECT.answer(ask, log, stamp, settings).body) == {"count": count}

    @pytest.mark.parametrize(("fold", "utc"), [("earlier", "07:30"), ("later", "06:30")])
    def test_the_skipped_hour(self, fold, utc):
        """In New York, 02:30 on 2026-03-08 never comes; the offset before is -5, after it -4 h."""
        ask = Ask(path="/com/events.json", query="created_at_min=2026-03-08+02:30", headers=BEARER)
        settings = DIALECT.settings({"shop_zone": "America/New_York", "ambiguous_time": fold})
        (bound, _) = DIALECT.parse(ask, settings).conditions
        assert bound.value == at(f"2026-03-08T{utc}:00Z")


class TestFilters:
    def test_types_and_verbs_are_lists(self):
        assert ids("filter=Product") == [50, 20]
        assert ids("filter=Product,Order") == [50, 40, 30, 20, 10]
        assert ids("verb=closed,create") == [40, 20]
        assert ids("filter=Order&verb=closed") == [40]
        assert ids("filter=Product,+Order") == [50, 40, 30, 20, 10]

    def test_a_nested_list_takes_them_too(self):
        assert answer("/com/orders/7/events.json?verb=closed").event_ids == (40,)
        assert answer("/com/orders/7/events.json?filter=Product").event_ids == ()
        assert answer("/com/orders/7/events.json?since_id=10&limit=1").event_ids == (30,)

    def test_fields_are_cut_to_the_known_ones_in_the_order_of_the_samples(self):
        got = json.loads(answer("/com/events.json?limit=1&fields=verb,nonsense,id").body)
        assert got == {"events": [{"id": 50, "verb": "destroy"}]}
        assert list(got["events"][0]) == ["id", "verb"]

    def test_the_count_takes_times_and_ignores_what_else_a_list_takes(self):
        def count(query: str) -> int:
            return json.loads(answer(f"/com/events/count.json?{query}").body)["count"]

        assert count("created_at_min=2026-03-01+12:02") == 3
        assert count("created_at_max=2026-03-01+12:01") == 2
        assert count("limit=1&filter=Product&since_id=30&page=9") == 5

    def test_the_count_refuses_what_nobody_takes(self):
        assert answer("/com/events/count.json?status=any").status == 422
        assert answer("/com/events/count.json?created_at_min=soon").status == 422


PARTS = [
    *("since_id=7", "since_id=1", "since_id=0", "since_id=", "since_id=-3", "since_id=%31"),
    *("since_id=999999999999999999", "since_id=9999999999999999999", "since_id=12x", "Since_id=4"),
    *("limit=5", "limit=0", "page=2", "page=x", "order=asc", "filter=Order", "verb=placed", ""),
    *("created_at_min=2026-03-01 12:00", "created_at_max=1", "fields=id", "page_info=e30", "a=1"),
    *("fields=since_id=5", "page_info=since_id=6"),
]
PATHS = ["events.json", "events/count.json", "events/20.json", "orders/7/events.json", "else"]


@given(
    path=st.sampled_from(PATHS),
    parts=st.lists(st.sampled_from(PARTS), max_size=4),
    settings=st.sampled_from(
        [
            {},
            {"paging": "cursor"},
            {"unknown_parameter": "ignore", "empty_parameter": "ignore"},
            {"since_id_order": "desc", "count_filters": "honour"},
        ]
    ),
)
@example(path="events.json", parts=["since_id=7", "a" * (QUERY_CHARS_MAX - 1)], settings={})
def test_a_walk_is_read_as_everything_else(path, parts, settings):
    """What is known of its other pages changes neither what a page means nor a refusal."""
    chosen = DIALECT.settings(settings)
    raw = "&".join(parts)
    for query in (raw, raw.replace("since_id=7", "since_id=70")):
        known = understood(_query, f"/com/{path}", query, chosen)
        assert known == understood(_read, f"/com/{path}", query, chosen)


def test_a_walk_is_known_by_its_other_words():
    chosen = DIALECT.settings({})
    one, other = (_query("/com/events.json", f"since_id={id_}&limit=5", chosen) for id_ in (7, 70))
    assert (one.conditions[0].value, other.conditions[0].value) == (7, 70)
    assert one.conditions[1:] == other.conditions[1:]
