"""Queries: what each one means, what is refused, and what ordinary HTTP clients make of a dict."""

import json
from random import Random
from urllib.parse import quote, urlencode

import httpx
import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from fakeserver.clock import at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, TOKEN_WITHOUT_ROLE, Answer, Ask
from fakeserver.dialects.saleschannel.parse import (
    CONDITIONS_MAX,
    LIST_VALUES_MAX,
    OPERATORS,
    PATH,
    PATH_WITHOUT_VERSION,
    _query,
    _read,
)
from fakeserver.dialects.wire import QUERY_CHARS_MAX
from fakeserver.log import EventLog
from fakeserver.query import Condition, SortKey
from fakeserver.scenario import LoggedEvent

from .understood import understood

DIALECT = find_dialect("saleschannel")
NOON = at("2026-03-01T12:00:00Z")
BEARER = {"authorization": f"Bearer {TOKEN}"}
CHANGE = "TRANSACTION_STATUS_CHANGE"


def event(event_id: str, second: int, *, event_at: int | None = 0, kind: str = CHANGE):
    stamp = NOON + second * 1_000
    fields = {"eventType": kind, "eventAt": None if event_at is None else stamp - event_at * 1_000}
    return LoggedEvent(id=event_id, recorded_at=stamp, visible_at=stamp, fields=fields)


LOG = EventLog(
    [
        event("ca", 0),
        event("cb", 1, event_at=None),
        event("cc", 2, event_at=2),
        event("cd", 2, kind="ASSET_RETIRED"),
        event("ce", 3),
    ]
)
ALL = ["ca", "cb", "cc", "cd", "ce"]
AT = NOON + 3_600_000


def ask_for(query: str, *, path: str = PATH, method: str = "GET", headers=None) -> Ask:
    return Ask(
        path=path, query=query, method=method, headers=BEARER if headers is None else headers
    )


def answer(
    query: str, *, path: str = PATH, method: str = "GET", headers=None, **settings
) -> Answer:
    ask = ask_for(query, path=path, method=method, headers=headers)
    return DIALECT.answer(ask, LOG, AT, DIALECT.settings(settings))


def ids(query: str, **settings) -> list[str]:
    got = answer(query, **settings)
    assert got.problem is None
    assert got.status == 200
    return list(got.event_ids)


def in_json(**trees: object) -> str:
    """`$filter` and `$orderBy` as JSON: ``in_json(filter={"id": "ca"})``."""
    return urlencode({f"${name}": json.dumps(tree) for name, tree in trees.items()})


def raw_filter(text: str) -> str:
    return "$filter=" + quote(text)


GTE = "$filter[createdAt][gte]="
NOON_TEXT = "2026-03-01T12:00:00Z"

GOOD = [
    # the whole list, and how much of it
    ("", ALL),
    ("&", ALL),
    ("$limit=1", ["ca"]),
    ("$limit=2", ["ca", "cb"]),
    ("$limit=%32", ["ca", "cb"]),
    ("%24limit=2", ["ca", "cb"]),
    ("$limit=%2B2", ["ca", "cb"]),
    ("$limit=0002", ["ca", "cb"]),
    ("$limit=5", ALL),
    ("$limit=2147483647", ALL),
    # order
    ("$orderBy[createdAt]=asc", ALL),
    ("$orderBy[createdAt]=desc", ["ce", "cc", "cd", "cb", "ca"]),
    ("$orderBy[id]=desc&$limit=2", ["ce", "cd"]),
    ("$orderBy[eventType]=asc", ["cd", "ca", "cb", "cc", "ce"]),
    ("$orderBy[eventAt]=asc", ["ca", "cc", "cd", "ce", "cb"]),
    (in_json(orderBy={"createdAt": "desc"}), ["ce", "cc", "cd", "cb", "ca"]),
    # every operator, with the bound itself in the log
    (GTE + "2026-03-01T12:00:02Z", ["cc", "cd", "ce"]),
    ("$filter[createdAt][gt]=2026-03-01T12:00:02Z", ["ce"]),
    ("$filter[createdAt][lte]=2026-03-01T12:00:02Z", ["ca", "cb", "cc", "cd"]),
    ("$filter[createdAt][lt]=2026-03-01T12:00:02Z", ["ca", "cb"]),
    ("$filter[createdAt][equals]=2026-03-01T12:00:02Z", ["cc", "cd"]),
    ("$filter[createdAt]=2026-03-01T12:00:02Z", ["cc", "cd"]),
    ("$filter[createdAt][not]=2026-03-01T12:00:02Z", ["ca", "cb", "ce"]),
    ("$filter[createdAt][in]=2026-03-01T12:00:00Z,2026-03-01T12:00:03Z", ["ca", "ce"]),
    ("$filter[createdAt][notIn]=2026-03-01T12:00:02Z,2026-03-01T12:00:03Z", ["ca", "cb"]),
    ("$filter[id]=cb", ["cb"]),
    ("$filter[id][in]=cb,ce", ["cb", "ce"]),
    ("$filter[id][notIn]=cb,ce", ["ca", "cc", "cd"]),
    ("$filter[id][gt]=cc", ["cd", "ce"]),
    ("$filter[id]=nobody", []),
    ("$filter[eventType]=ASSET_RETIRED", ["cd"]),
    ("$filter[eventType][not]=ASSET_RETIRED", ["ca", "cb", "cc", "ce"]),
    # a null matches nothing, not even "not"
    ("$filter[eventAt][lte]=9999-01-01T00:00:00Z", ["ca", "cc", "cd", "ce"]),
    ("$filter[eventAt][not]=2026-03-01T12:00:00Z", ["cd", "ce"]),
    # several conditions: all of them
    (GTE + NOON_TEXT + "&$filter[createdAt][lt]=2026-03-01T12:00:02Z", ["ca", "cb"]),
    (GTE + NOON_TEXT + "&$filter[eventType]=ASSET_RETIRED", ["cd"]),
    (in_json(filter={"createdAt": {"gt": NOON_TEXT, "lte": "2026-03-01T12:00:02Z"}}),
     ["cb", "cc", "cd"]),
    (in_json(filter={"id": {"in": ["cb", "ce"]}}), ["cb", "ce"]),
    (in_json(filter={"id": "cb"}), ["cb"]),
    (in_json(filter={"id": {"in": "cb,ce"}}), ["cb", "ce"]),
    # one in brackets, the other in JSON
    ("$orderBy[createdAt]=desc&" + in_json(filter={"createdAt": {"lt": "2026-03-01T12:00:02Z"}}),
     ["cb", "ca"]),
    (raw_filter(' { "id" : "cb" } '), ["cb"]),
    (raw_filter(r'{"\u0069d":"c\u0062"}'), ["cb"]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), GOOD)
def test_a_good_query_lists(query, expected):
    assert ids(query) == expected


BAD = [
    # $limit
    ("$limit=", "bad-number", "$limit"),
    ("$limit", "bad-number", "$limit"),
    ("$limit=0", "bad-number", "from 1"),
    ("$limit=-0", "bad-number", "from 1"),
    ("$limit=-1", "bad-number", "from 1"),
    ("$limit=2147483648", "bad-number", "to 2147483647"),
    ("$limit=" + "9" * 5_000, "bad-number", "whole number"),
    ("$limit=10.0", "bad-number", "whole number"),
    ("$limit=1e2", "bad-number", "whole number"),
    ("$limit=1_0", "bad-number", "whole number"),
    ("$limit=0x10", "bad-number", "whole number"),
    ("$limit=NaN", "bad-number", "whole number"),
    ("$limit=Infinity", "bad-number", "whole number"),
    ("$limit=null", "bad-number", "whole number"),
    ("$limit=true", "bad-number", "whole number"),
    ("$limit=%D9%A5", "bad-number", "whole number"),  # an Arabic five
    ("$limit=%EF%BC%95", "bad-number", "whole number"),  # a full-width five
    ("$limit=%C2%B2", "bad-number", "whole number"),  # a superscript two
    ("$limit=+5", "bad-number", "whole number"),  # a space and a five
    ("$limit=5%0A", "bad-number", "whole number"),
    ("$limit=5%00", "bad-number", "whole number"),
    ("$limit=5;$limit=6", "bad-number", "whole number"),
    ("$limit[max]=5", "bad-number", "nested"),
    ("$limit=5&$limit=5", "repeated-parameter", "$limit"),
    ("$limit=5&$limit[max]=5", "repeated-parameter", "$limit"),
    # $orderBy
    ("$orderBy=", "unparsable-query", "$orderBy[createdAt]=asc"),
    ("$orderBy", "unparsable-query", "$orderBy[createdAt]=asc"),
    ("$orderBy=asc", "unparsable-query", "$orderBy[createdAt]=asc"),
    ("$orderBy=createdAt asc", "unparsable-query", "$orderBy[createdAt]=asc"),
    ("$orderBy=-createdAt", "unparsable-query", "$orderBy[createdAt]=asc"),
    ("$orderBy=[]", "unparsable-query", "JSON object"),
    (in_json(orderBy=[{"createdAt": "asc"}]), "unparsable-query", "JSON object"),
    (in_json(orderBy={}), "unparsable-query", "one column, got 0"),
    (in_json(orderBy=None), "unparsable-query", "JSON object"),
    ("$orderBy[createdAt]=", "unparsable-query", "asc or desc"),
    ("$orderBy[createdAt]=ASC", "unparsable-query", "asc or desc"),
    ("$orderBy[createdAt]=ascending", "unparsable-query", "asc or desc"),
    ("$orderBy[createdAt]=1", "unparsable-query", "asc or desc"),
    (in_json(orderBy={"createdAt": 1}), "unparsable-query", "asc or desc, got 1"),
    (in_json(orderBy={"createdAt": None}), "unparsable-query", "asc or desc, got null"),
    (in_json(orderBy={"createdAt": ["asc"]}), "unparsable-query", "asc or desc, got a list"),
    (in_json(orderBy={"createdAt": {"sort": "asc"}}), "unparsable-query", "got an object"),
    ("$orderBy[createdAt]=asc&$orderBy[id]=asc", "unparsable-query", "one column, got 2"),
    ("$orderBy[createdAt]=asc&$orderBy[createdAt]=asc", "repeated-parameter", "once"),
    ("$orderBy[CreatedAt]=asc", "unparsable-query", "createdAt"),
    ("$orderBy[created_at]=asc", "unparsable-query", "createdAt"),
    ("$orderBy[recorded_at]=asc", "unparsable-query", "createdAt"),
    ("$orderBy[details]=asc", "unparsable-query", "createdAt"),
    ("$orderBy[]=asc", "unparsable-query", "between the brackets"),
    # $filter: columns and operators
    ("$filter=", "unparsable-query", "$filter[createdAt][gte]="),
    ("$filter", "unparsable-query", "$filter[createdAt][gte]="),
    (in_json(filter={}), "unparsable-query", "1 to 20 conditions, got 0"),
    (in_json(filter=[]), "unparsable-query", "JSON object"),
    (in_json(filter="createdAt"), "unparsable-query", "JSON object"),
    (in_json(filter={"createdAt": {}}), "unparsable-query", "expected a condition"),
    (in_json(filter={"id": "ca", "createdAt": {}}), "unparsable-query", "expected a condition"),
    ("$filter[created_at][gte]=" + NOON_TEXT, "unparsable-query", "createdAt"),
    ("$filter[details][status]=SUCCESS", "unparsable-query", "createdAt"),
    ("$filter[recorded_at][gte]=" + NOON_TEXT, "unparsable-query", "createdAt"),
    ("$filter[]=" + NOON_TEXT, "unparsable-query", "between the brackets"),
    ("$filter[][gte]=" + NOON_TEXT, "unparsable-query", "createdAt"),
    ("$filter[createdAt][]=" + NOON_TEXT, "unparsable-query", "between the brackets"),
    ("$filter[createdAt][$gte]=" + NOON_TEXT, "unknown-operator", "gte"),
    ("$filter[createdAt][GTE]=" + NOON_TEXT, "unknown-operator", "gte"),
    ("$filter[createdAt][ge]=" + NOON_TEXT, "unknown-operator", "gte"),
    ("$filter[createdAt][contains]=2026", "unknown-operator", "gte"),
    ("$filter[id][startsWith]=c", "unknown-operator", "equals"),
    ("$filter[AND][0][id]=ca", "not-imitated", "AND"),
    (in_json(filter={"AND": [{"id": "ca"}]}), "not-imitated", "AND"),
    (in_json(filter={"OR": [{"id": "ca"}, {"id": "cb"}]}), "not-imitated", "OR"),
    (in_json(filter={"NOT": {"id": "ca"}}), "not-imitated", "NOT"),
    (in_json(filter={"id": "ca", "NOT": {"id": "ca"}}), "not-imitated", "NOT"),
    (in_json(filter={"id": {"not": {"equals": "ca"}}}), "unparsable-query", "got an object"),
    # $filter: values
    (in_json(filter={"createdAt": None}), "unparsable-query", "text, got null"),
    (in_json(filter={"createdAt": {"gte": None}}), "unparsable-query", "text, got null"),
    (in_json(filter={"createdAt": {"gte": 1772366400000}}), "unparsable-query", "1772366400000"),
    (in_json(filter={"createdAt": {"gte": 10**30}}), "unparsable-query", "expected text"),
    (in_json(filter={"createdAt": {"gte": True}}), "unparsable-query", "text, got true"),
    (in_json(filter={"createdAt": {"gte": [NOON_TEXT]}}), "unparsable-query", "got a list"),
    (in_json(filter={"createdAt": {"gte": {"id": "ca", "createdAt": NOON_TEXT}}}),
     "unparsable-query", "the pagination key is the event's createdAt"),
    ("$filter[createdAt][gte][id]=ca&$filter[createdAt][gte][createdAt]=" + NOON_TEXT,
     "unparsable-query", "the pagination key is the event's createdAt"),
    (in_json(filter={"createdAt": {"gte": ""}}), "empty-value", "expected a value"),
    (GTE, "empty-value", "leave out"),
    (GTE + "+", "empty-value", "leave out"),
    ("$filter[id]=", "empty-value", "leave out"),
    ("$filter[id][not]=", "empty-value", "leave out"),
    ("$filter[id][not]=%20%09", "empty-value", "leave out"),
    ("$filter[eventType][not]", "empty-value", "leave out"),
    ("$filter[id][notIn]=", "empty-value", "leave out"),
    ("$filter[id][notIn]=ca,,cb", "empty-value", "leave out"),
    (in_json(filter={"id": {"notIn": []}}), "unparsable-query", "1 to 200 values, got 0"),
    (in_json(filter={"id": {"notIn": None}}), "unparsable-query", "expected a list, got null"),
    (in_json(filter={"id": {"in": 5}}), "unparsable-query", "expected a list, got 5"),
    (in_json(filter={"id": {"in": [5]}}), "unparsable-query", "expected text, got 5"),
    (in_json(filter={"id": {"in": [["ca"]]}}), "unparsable-query", "expected text, got a list"),
    ("$filter[id][notIn][0]=ca&$filter[id][notIn][1]=cb", "unparsable-query", "send it as a,b"),
    ("$filter[id][notIn][]=ca&$filter[id][notIn][]=cb", "unparsable-query", "send a list as a,b"),
    ("$filter[id][in]=" + "a," * LIST_VALUES_MAX + "a", "unparsable-query", "got 201"),
    # twice the same, and two encodings that contradict each other
    (GTE + NOON_TEXT + "&" + GTE + NOON_TEXT, "repeated-parameter", "once"),
    (in_json(filter={"id": "ca"}) + "&" + in_json(filter={"id": "cb"}), "repeated-parameter",
     "$filter once"),
    (in_json(filter={"id": "ca"}) + "&$filter[id]=cb", "repeated-parameter", "contradicts"),
    ("$filter[id]=cb&" + in_json(filter={"id": "ca"}), "repeated-parameter", "$filter once"),
    ("$filter[id]=ca&$filter[id][in]=cb", "repeated-parameter", "contradicts"),
    ("$filter[id][in]=cb&$filter[id]=ca", "repeated-parameter", "once"),
    (raw_filter('{"id":"ca","id":"cb"}'), "repeated-parameter", "'id' once"),
    (raw_filter('{"createdAt":{"gte":"2026-03-01T12:00:03Z","gte":"0001-01-01T00:00:00Z"}}'),
     "repeated-parameter", "'gte' once"),
    # JSON that is none
    (raw_filter('{"id":"ca"'), "unparsable-query", "JSON object"),
    (raw_filter('{"id":"ca"}}'), "unparsable-query", "JSON object"),
    (raw_filter('{id:"ca"}'), "unparsable-query", "JSON object"),
    (raw_filter('{"id":"ca",}'), "unparsable-query", "JSON object"),
    (raw_filter('{"id":NaN}'), "unparsable-query", "JSON object"),
    (raw_filter(r'{"id":"\ud800"}'), "unparsable-query", "JSON object"),
    (raw_filter('"{\\"id\\":\\"ca\\"}"'), "unparsable-query", "JSON object"),  # encoded twice
    # names that do not exist
    ("$skip=5", "unknown-parameter", "$limit"),
    ("$offset=5", "unknown-parameter", "$limit"),
    ("$take=5", "unknown-parameter", "$limit"),
    ("$Limit=5", "unknown-parameter", "did you mean $limit?"),
    ("limit=5", "unknown-parameter", "did you mean $limit?"),
    ("$orderby[createdAt]=asc", "unknown-parameter", "$orderBy"),
    ("$order[createdAt]=asc", "unknown-parameter", "$orderBy"),
    ("$where[createdAt][gte]=" + NOON_TEXT, "unknown-parameter", "$filter"),
    ("filter[createdAt][gte]=" + NOON_TEXT, "unknown-parameter", "$filter"),
    ("createdAt[gte]=" + NOON_TEXT, "unknown-parameter", "$filter"),
    ("$filter[createdAt][gte=" + NOON_TEXT, "unknown-parameter", "$filter"),
    ("$filter[createdAt]gte]=" + NOON_TEXT, "unknown-parameter", "$filter"),
    ("$filter[[createdAt]][gte]=" + NOON_TEXT, "unknown-parameter", "$filter"),
    ("$filter.createdAt.gte=" + NOON_TEXT, "unknown-parameter", "$filter"),
    ("$filter [createdAt][gte]=" + NOON_TEXT, "unknown-parameter", "$filter"),
    ("$limit%00=5", "unknown-parameter", "$limit"),
    ("query[$limit]=5", "unknown-parameter", "stands for the query string"),
    ("=5", "unknown-parameter", "$limit"),
    ("=", "unknown-parameter", "$limit"),
    ("?$limit=5", "unknown-parameter", "$limit"),
    ("access_token=" + TOKEN, "unknown-parameter", "$limit"),
    ("\u0024\uff4cimit=5", "unknown-parameter", "$limit"),
    # percent-encoding
    ("$limit=%", "broken-encoding", "%25"),
    ("$limit=%5", "broken-encoding", "%25"),
    ("$limit=%ZZ", "broken-encoding", "%25"),
    ("%=5", "broken-encoding", "%25"),
    ("$filter[id]=%FF", "broken-encoding", "UTF-8"),
    ("$filter[id]=%C3", "broken-encoding", "UTF-8"),
    ("$filter[id]=%ED%A0%80", "broken-encoding", "UTF-8"),  # half a surrogate pair
    ("%FF=5", "broken-encoding", "UTF-8"),
    ("%2524limit=5", "unknown-parameter", "$limit"),  # encoded twice
    # depth
    ("$filter" + "[a]" * 2_600 + "=1", "unparsable-query", "createdAt"),
    ("$filter[id][in]" + "[a]" * 2_600 + "=1", "unparsable-query", "expected a list"),
    ("$filter[id][gte]" + "[a]" * 2_600 + "=1", "unparsable-query", "got an object"),
    ("$orderBy[id]" + "[a]" * 2_600 + "=1", "unparsable-query", "got an object"),
    ("$limit" + "[a]" * 2_600 + "=1", "bad-number", "nested"),
    ("$filter=" + "[" * 8_000, "unparsable-query", "JSON object"),
    ('$filter={"id":' * 500, "unparsable-query", "JSON object"),
    ('$filter={"id":' + "[" * 900 + "]" * 900 + "}", "unparsable-query", "got a list"),
    ('$filter={"id":' + "9" * 5_000 + "}", "unparsable-query", "JSON object"),
    ('$filter={"id":' + "9" * 4_000 + "}", "unparsable-query", "expected text"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "code", "words"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_query_is_refused_with_a_sentence_and_lists_nothing(query, code, words):
    got = answer(query)
    assert (got.status, got.rows) == (400, ())
    assert got.problem is not None
    found, _, says = got.problem.partition(": ")
    assert found == code
    assert words in says
    body = json.loads(got.body)
    assert body == {"statusCode": 400, "error": "Bad Request", "message": says}


@pytest.mark.parametrize(("query", "code", "words"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_query_spoils_a_good_one(query, code, words):
    """Whatever right stands around it, nothing is listed."""
    good = "$filter[eventAt][gte]=0001-01-01T00:00:00Z"
    for both in (f"{query}&{good}", f"{good}&{query}"):
        if len(both) <= QUERY_CHARS_MAX:
            assert answer(both).status == 400


BAD_TIMES = [
    ("yesterday", "bad-time"),
    ("0", "bad-time"),
    ("1772366400", "bad-time"),
    ("1772366400000", "bad-time"),
    ("2026-03-01", "bad-time"),
    ("2026-03-01T12:00:00", "bad-time"),
    ("2026-03-01 12:00:00", "bad-time"),
    ("2026-03-01T12Z", "bad-time"),
    ("2026-03-01T", "bad-time"),
    ("2026-3-1T12:00:00Z", "bad-time"),
    ("01.03.2026 12:00", "bad-time"),
    ("Sun, 01 Mar 2026 12:00:00 GMT", "bad-time"),
    ("20260301T120000Z", "bad-time"),
    ("2026-W09-7T12:00:00Z", "bad-time"),
    ("2026-060T12:00:00Z", "bad-time"),
    ("2026-03-01T12:00:00 UTC", "bad-time"),
    ("2026-03-01T12:00:00z", "bad-time"),
    ("2026-03-01t12:00:00Z", "bad-time"),
    ("2026-03-01T12:00:00.Z", "bad-time"),
    ("2026-03-01T12:00:00,5Z", "bad-time"),
    ("2026-03-01T12:00:00.1234567890Z", "bad-time"),
    ("2026-03-01T12:00:00-05:00Z", "bad-time"),
    ("2026-03-01T12:00:00+07", "bad-time"),
    ("2026-03-01T12:00:00[UTC]", "bad-time"),
    ("2026-03-01T12:00:00Z ", "bad-time"),
    (" 2026-03-01T12:00:00Z", "bad-time"),
    ("2026-03-01T12:00:00Z\n", "bad-time"),
    ("\u0662\u0660\u0662\u0666-03-01T12:00:00Z", "bad-time"),
    ("+2026-03-01T12:00:00Z", "bad-time"),
    ("-0001-03-01T12:00:00Z", "bad-time"),
    ("12026-03-01T12:00:00Z", "bad-time"),
    ("0000-01-01T00:00:00Z", "bad-time"),
    ("2026-00-01T12:00:00Z", "bad-time"),
    ("2026-13-01T12:00:00Z", "bad-time"),
    ("2026-02-29T12:00:00Z", "bad-time"),
    ("2026-04-31T12:00:00Z", "bad-time"),
    ("2026-03-01T24:00:00Z", "bad-time"),
    ("2026-03-01T25:00:00Z", "bad-time"),
    ("2026-03-01T12:60:00Z", "bad-time"),
    ("2026-03-01T12:00:60Z", "bad-time"),
    ("2026-03-01T12:00:00+24:00", "bad-time"),
    ("2026-03-01T12:00:00+99:00", "bad-time"),
    ("2026-03-01T12:00:00+00:60", "bad-time"),
    ("2026-03-01T12:00:00+0760", "bad-time"),
    ("0001-01-01T00:00:00+00:01", "bad-time"),
    ("9999-12-31T23:59:59-00:01", "bad-time"),
    # a + that was sent unencoded is a space by the time it arrives
    ("2026-03-01T12:00:00 07:00", "lost-plus"),
    ("2026-03-01T12:00:00.000 07:00", "lost-plus"),
    ("2026-03-01T12:00:00 0700", "lost-plus"),
    ("2026-03-01T12:00 00:00", "lost-plus"),
    ("2026-03-01 12:00:00 00:00", "lost-plus"),
]


@pytest.mark.parametrize(("text", "code"), BAD_TIMES)
@pytest.mark.parametrize("column", ["createdAt", "eventAt"])
def test_a_bad_time_is_refused_by_its_place(column, text, code):
    for operator in ("gte", "in"):
        got = answer(f"$filter[{column}][{operator}]={quote(text)}")
        assert (got.status, got.rows) == (400, ())
        assert got.problem is not None
        assert got.problem.startswith(f"{code}: $filter[{column}][{operator}]: ")
        if code == "lost-plus":
            assert "send it as %2B" in got.problem


def test_an_unencoded_plus_is_found_where_it_was_lost():
    got = answer(GTE + "2026-03-01T19:00:02+07:00")
    assert got.problem is not None
    assert got.problem.startswith("lost-plus: ")
    assert ids(GTE + "2026-03-01T19:00:02%2B07:00") == ["cc", "cd", "ce"]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:02Z",
        "2026-03-01T12:00:02.000Z",
        "2026-03-01T12:00:02.000000000Z",
        "2026-03-01T12:00:02.0004Z",
        "2026-03-01 12:00:02Z",
        "2026-03-01T12:00:02+00:00",
        "2026-03-01T12:00:02-00:00",
        "2026-03-01T12:00:02 +00:00",
        "2026-03-01T19:00:02+0700",
        "2026-02-28T20:00:02-16:00",
    ],
)
def test_every_good_form_of_a_time_names_the_same_instant(text):
    assert ids(GTE + quote(text)) == ["cc", "cd", "ce"]
    assert ids("$filter[createdAt]=" + quote(text)) == ["cc", "cd"]
    assert ids(in_json(filter={"createdAt": {"lt": text}})) == ["ca", "cb"]


def test_the_edges_of_the_calendar_are_times():
    assert ids(GTE + "0001-01-01T00:00:00Z") == ALL
    assert ids(GTE + "9999-12-31T23:59:59.999Z") == []


# What ordinary HTTP clients make of the document's nested dict

PAGE = {
    "$limit": 100,
    "$orderBy": {"createdAt": "asc"},
    "$filter": {"createdAt": {"gte": "2026-03-01T12:00:02.000Z"}},
}
SINCE = ["cc", "cd", "ce"]


def by_requests(params: object) -> str:
    """The query string that requests really sends."""
    url = requests.Request("GET", "http://fakeserver.test/", params=params).prepare().url
    assert url is not None
    return url.partition("?")[2]


def by_httpx(params: object) -> str:
    """The query string that httpx really sends."""
    return httpx.Request("GET", "http://fakeserver.test/", params=params).url.query.decode()


def flattened(tree: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in tree.items():
        name = f"{prefix}[{key}]" if prefix else key
        flat |= flattened(value, name) if isinstance(value, dict) else {name: value}
    return flat


def dumped(tree: dict) -> dict:
    return {k: json.dumps(v) if isinstance(v, dict) else v for k, v in tree.items()}


BRACKETS_ENCODED = (
    "%24limit=100&%24orderBy%5BcreatedAt%5D=asc"
    "&%24filter%5BcreatedAt%5D%5Bgte%5D=2026-03-01T12%3A00%3A02.000Z"
)
"""What qs, superagent, jQuery and PHP's http_build_query make of the nested object."""
BRACKETS_HALF_ENCODED = (
    "$limit=100&$orderBy%5BcreatedAt%5D=asc"
    "&$filter%5BcreatedAt%5D%5Bgte%5D=2026-03-01T12:00:02.000Z"
)
"""What axios 1 makes of it: $ and : raw, the brackets encoded."""
JSON_ENCODED = (
    "$limit=100&$orderBy=%7B%22createdAt%22:%22asc%22%7D"
    "&$filter=%7B%22createdAt%22:%7B%22gte%22:%222026-03-01T12:00:02.000Z%22%7D%7D"
)
"""What axios 0.27 makes of it."""


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(BRACKETS_ENCODED, id="qs"),
        pytest.param(BRACKETS_HALF_ENCODED, id="axios 1"),
        pytest.param(JSON_ENCODED, id="axios 0.27"),
        pytest.param(by_requests(flattened(PAGE)), id="requests, flattened by hand"),
        pytest.param(by_httpx(flattened(PAGE)), id="httpx, flattened by hand"),
        pytest.param(by_requests(dumped(PAGE)), id="requests, json.dumps by hand"),
        pytest.param(by_httpx(dumped(PAGE)), id="httpx, json.dumps by hand"),
        pytest.param(urlencode(flattened(PAGE)), id="urllib, flattened by hand"),
    ],
)
def test_a_client_that_keeps_the_nesting_is_understood(query):
    query = DIALECT.parse(ask_for(query), DIALECT.settings({}))
    assert (query.limit, query.order) == (100, (SortKey("recorded_at"),))
    assert query.conditions == (Condition("recorded_at", ">=", NOON + 2_000),)
    assert [row.id for row in LOG.select(query, AT).rows] == SINCE


TWO_COLUMNS = PAGE | {"$filter": {"createdAt": {"gte": NOON_TEXT}, "eventType": CHANGE}}
WHOLE_EVENT = {"$filter[createdAt][gte]": {"id": "cb", "createdAt": NOON_TEXT}}
BROKEN_CLIENTS = [
    # name, what it sends, what went wrong
    ("requests", by_requests(PAGE), "the operator and the value are lost"),
    ("requests, two columns", by_requests(TWO_COLUMNS), "expected $filter once"),
    ("requests, order alone", by_requests({"$orderBy": PAGE["$orderBy"]}), "are lost"),
    ("requests, the document's query", by_requests({"query": PAGE}), "stands for the query string"),
    ("requests, page[-1]", by_requests(WHOLE_EVENT), "of an event, its createdAt"),
    ("httpx", by_httpx(PAGE), "Python's notation of a dict, not JSON"),
    ("httpx, filter alone", by_httpx({"$filter": PAGE["$filter"]}), "Python's notation of a dict"),
    ("httpx, the document's query", by_httpx({"query": PAGE}), "stands for the query string"),
    ("httpx, page[-1]", by_httpx(WHOLE_EVENT), "expected a time such as"),
    ("urllib", urlencode(PAGE), "Python's notation of a dict"),
    (
        "URLSearchParams",
        "%24limit=100&%24orderBy=%5Bobject+Object%5D&%24filter=%5Bobject+Object%5D",
        "a JavaScript object turned into text loses its content",
    ),
    ("node's querystring", "%24limit=100&%24orderBy=&%24filter=", "neither nested in brackets nor"),
    ("Java's toString", "$filter=%7BcreatedAt=%7Bgte=2026%7D%7D", "neither nested in brackets nor"),
    ("dots", "$limit=100&$orderBy.createdAt=asc&$filter.createdAt.gte=2026", "expected one of"),
    ("Feathers", "$limit=100&$sort[createdAt]=1&createdAt[$gte]=2026", "expected one of"),
]


@pytest.mark.parametrize(("client", "query", "words"), BROKEN_CLIENTS, ids=lambda v: str(v)[:30])
def test_a_client_that_loses_the_nesting_is_told_so(client, query, words):
    got = answer(query)
    assert (got.status, got.rows) == (400, ()), client
    message = json.loads(got.body)["message"]
    assert words in message


@pytest.mark.parametrize(
    "query", [row[1] for row in BROKEN_CLIENTS if row[2] not in ("expected one of",)]
)
def test_the_sentence_shows_how_to_send_it(query):
    """The request, the value, or the parameters themselves: something to copy."""
    message = json.loads(answer(query).body)["message"]
    assert any(
        way in message for way in ("$filter[createdAt][gte]=2020-01-01", "createdAt)", "such as")
    )


def test_requests_really_loses_operator_and_value():
    """If a future release does better, the sentence about it is out of date."""
    assert "gte" not in by_requests(PAGE)
    assert "2026" not in by_requests(PAGE)
    assert "%27gte%27" in by_httpx(PAGE)


# The rest of HTTP


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/events",
        PATH + "/",
        PATH + ".json",
        PATH + "/ca",
        PATH.upper(),
        "/saleschannel-services/v2/events",
        "/saleschannel-services//v1/events",
        PATH + "%20",
        PATH + "\n",
        "/com/events.json",
        PATH_WITHOUT_VERSION,
    ],
)
def test_an_unknown_path_is_404(path):
    got = answer("", path=path)
    assert (got.status, got.rows) == (404, ())
    assert got.problem is not None
    assert got.problem.startswith(f"unknown-path: expected {PATH}, got ")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "", "X"])
def test_the_log_is_read_only(method):
    got = answer("", method=method)
    assert (got.status, got.rows) == (405, ())
    assert ("Allow", "GET, HEAD") in got.headers


def test_head_is_answered_as_get():
    assert answer("", method="HEAD").event_ids == answer("").event_ids


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "no-token"),
        ({"authorization": ""}, 401, "wrong-token"),
        ({"authorization": "Bearer"}, 401, "wrong-token"),
        ({"authorization": "Bearer "}, 401, "wrong-token"),
        ({"authorization": "Bearer wrong"}, 401, "wrong-token"),
        ({"authorization": TOKEN}, 401, "wrong-token"),
        ({"authorization": f"Basic {TOKEN}"}, 401, "wrong-token"),
        ({"authorization": f"Bearer {TOKEN}x"}, 401, "wrong-token"),
        ({"authorization": f"Bearer {TOKEN}, Bearer {TOKEN}"}, 401, "wrong-token"),
        ({"x-haravan-access-token": TOKEN}, 401, "no-token"),
        ({"authorization": f"Bearer {TOKEN_WITHOUT_ROLE}"}, 403, "no-role"),
    ],
)
def test_a_request_needs_the_token(headers, status, code):
    got = answer("", headers=headers)
    assert (got.status, got.rows) == (status, ())
    assert got.problem is not None
    assert got.problem.startswith(f"{code}: ")
    assert (("WWW-Authenticate", "Bearer") in got.headers) == (status == 401)
    assert TOKEN.encode() not in got.body


@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN} "])
def test_the_token_is_taken(value):
    assert answer("", headers={"authorization": value}).status == 200


def test_the_missing_role_is_named_and_may_be_404():
    headers = {"authorization": f"Bearer {TOKEN_WITHOUT_ROLE}"}
    for status in (403, 404):
        got = answer("", headers=headers, without_role=status)
        assert got.status == status
        assert "EVENT_VIEWER" in json.loads(got.body)["message"]
        assert answer("", headers={}, without_role=status).status == 401


def test_the_token_is_looked_at_before_the_query():
    """A stranger learns nothing about parameters."""
    assert answer("$limit=0", headers={}).status == 401


def test_the_limits_of_size():
    head, tail = "$filter[id]=", "c"
    fitting = head + tail * (QUERY_CHARS_MAX - len(head))
    assert ids(fitting) == []
    got = answer(fitting + "c")
    assert (got.status, got.rows) == (414, ())
    assert got.problem is not None
    assert "8193 characters, over 8192" in got.problem
    assert json.loads(got.body)["error"]


def test_the_limits_of_number():
    fitting = ",".join(["cb"] * LIST_VALUES_MAX)
    assert ids(f"$filter[id][in]={fitting}") == ["cb"]
    tests = {name: "cb" for name in OPERATORS if name not in ("in", "notIn")}
    times = dict.fromkeys(OPERATORS, NOON_TEXT)
    tree = {"id": tests, "eventType": tests, "createdAt": times}
    assert sum(map(len, tree.values())) == CONDITIONS_MAX
    assert ids(in_json(filter=tree)) == []
    got = answer(in_json(filter=tree | {"eventAt": NOON_TEXT}))
    assert got.problem is not None
    assert "1 to 20 conditions, got 21" in got.problem


def test_the_query_remembers_what_was_asked():
    parsed = DIALECT.parse(ask_for("$limit=250"), DIALECT.settings({"limit_max": 100}))
    assert (parsed.limit_asked, parsed.limit) == (250, 100)
    nothing = DIALECT.parse(ask_for(""), DIALECT.settings({}))
    assert (nothing.limit_asked, nothing.limit, nothing.order, nothing.conditions) == (
        None,
        None,
        (),
        (),
    )


def test_settings_do_not_leak_between_requests():
    """Parsed queries are remembered; the same text under other settings is read anew."""
    query = "$limit=5"
    assert len(ids(query, limit_max=None)) == 5
    assert len(ids(query, limit_max=100)) == 5
    assert answer(query, limit_max=5).status == 200
    assert answer("$limit=6", limit_max=5, limit_over_max="reject").status == 400
    assert len(ids("$limit=6", limit_max=5)) == 5
    assert answer("$limit=6", limit_max=5, limit_over_max="reject").status == 400


def test_garbage_never_breaks_the_server():
    """Whatever comes, the answer is 200 or 400, and a refusal lists nothing."""
    random = Random(7)
    signs = [
        *"=&+%,;:-[]{}\"'$\\\x00\u0663\U0001f4a5",
        "%2B",
        "%5B",
        "%22",
        "gte",
        "id",
        "in",
        "asc",
    ]
    pieces = ["$limit", "$orderBy", "$filter", "[createdAt]", "5", NOON_TEXT, *signs]
    statuses = set()
    for _ in range(4_000):
        query = "".join(random.choices(pieces, k=random.randint(1, 9)))
        got = answer(query)
        assert got.status in (200, 400), query
        assert got.status == 200 or not got.rows, query
        statuses.add(got.status)
    assert statuses == {200, 400}


PARTS = [
    *(
        "$filter[id][gt]=ca",
        "$filter[id][gt]=",
        "$filter[id][lte]=0",
        "$filter%5Bid%5D%5Bgt%5D=c%2B",
    ),
    *(
        "$filter[createdAt][gte]=2026-03-01T12:00:00Z",
        "$filter[createdAt][gte]=2000-01-01T00:00:00Z",
    ),
    *(
        "%24filter%5BcreatedAt%5D%5Bgte%5D=2026-03-01T12%3A00%3A00.000Z",
        "$filter[createdAt][gt]=no",
    ),
    *("$filter[createdAt][lt]=2026-03-01T12:00:00", "$filter[id][x]=1", "$filter[id]=ca"),
    *('$filter={"id":{"gt":"0"}}', "$filter[eventType][equals]=A", "$filter[id][in]=ca,cb"),
    *("$orderBy[id]=asc", "$orderBy[createdAt]=desc", "$limit=2", "$limit=0", "a=1", "x]=1", ""),
]


@given(
    parts=st.lists(st.sampled_from(PARTS), max_size=4),
    settings=st.sampled_from(
        [
            {},
            {"unparsable_query": "ignore", "unknown_parameter": "ignore"},
            {"operators": "gte-only", "naive_times": "utc"},
            {"encodings": "json"},
        ]
    ),
)
@example(parts=["a" * (QUERY_CHARS_MAX - 1), "$filter[id][gt]=ca"], settings={})
def test_a_walk_is_read_as_everything_else(parts, settings):
    """What is known of its other pages changes neither what a page means nor a refusal."""
    chosen = DIALECT.settings(settings)
    raw = "&".join(parts)
    for query in (raw, raw.replace("=ca", "=cb")):
        assert understood(_query, query, chosen) == understood(_read, query, chosen)


def test_a_walk_is_known_by_its_other_words():
    chosen = DIALECT.settings({})
    words = "$limit=2&$orderBy[id]=asc&$filter[id][gt]="
    one, other = (_query(words + id_, chosen) for id_ in ("ca", "cb"))
    assert (one.conditions[0].value, other.conditions[0].value) == ("ca", "cb")
    assert one.order is other.order
