"""Whatever comes over HTTP: never a 5xx, always JSON, and never a silent full list.

The oracle is written from the documents, not from the code: it starts from a right request and
makes one change that is known to be wrong. The fake may then answer anything but rows.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fakeserver.app import FakeServer
from fakeserver.clock import at
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.base import TOKEN, TOKEN_WITHOUT_ROLE, Ask
from fakeserver.doors import ORIGIN, Reply, call
from fakeserver.history import Exchange
from fakeserver.scenario import LoggedEvent, Poll, Scenario

BEARER = {"Authorization": f"Bearer {TOKEN}"}
NOON = at("2026-03-01T05:00:00Z")
"""12:00 in Ho Chi Minh City."""
COUNT = 260
"""Above every cap that a profile knows."""
FIELDS = {
    "haravan": {
        "arguments": [],
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
LISTS = {"haravan": "/com/events.json", "saleschannel": "/saleschannel-services/v1/events"}

Settings = dict[str, Any]
Pair = tuple[str, str]


@lru_cache(maxsize=8)
def world(dialect: str) -> Scenario:
    """Events a second apart, all of them visible."""
    events = tuple(
        LoggedEvent(
            id=number if dialect == "haravan" else f"c{number:04d}",
            recorded_at=NOON + number * 1_000,
            visible_at=NOON,
            fields=FIELDS[dialect],
        )
        for number in range(1, COUNT + 1)
    )
    return Scenario(
        dialect=dialect,
        starts_at=NOON,
        request_ms=0,
        page_size=50,
        late_by_ms_max=0,
        events=events,
        polls=tuple(Poll(starts_at=NOON + n) for n in range(3)),
        calm_from=0,
    )


SHAPES = (
    {"errors"},
    {"message"},
    {"statusCode", "error", "message"},
    {"type", "title", "status", "detail"},
    set(),
)
"""The keys of a refusal: of each dialect, by its switch ``error_body``."""


def send(
    dialect: str,
    path: str,
    query: str = "",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    chosen: Settings | None = None,
) -> tuple[Reply, Exchange]:
    """Send a request and check what must hold for every answer.

    `path` is decoded and `query` raw, both latin-1, as WSGI has them: so what no URL library would
    let through comes through.
    """
    server = FakeServer(msgspec.structs.replace(world(dialect), settings=chosen or {}))

    def app(environ: Any, start_response: Any) -> Any:
        return server(environ | {"PATH_INFO": path, "QUERY_STRING": query}, start_response)

    reply = call(app, method, ORIGIN + "/", BEARER if headers is None else headers)
    (step,) = server.history
    assert isinstance(step, Exchange)
    assert reply.status == step.status
    assert reply.status in (200, *range(400, 500))
    assert (step.problem is None) == (reply.status == 200)
    assert dict(reply.headers)["Content-Type"] == "application/json; charset=utf-8"
    if method == "HEAD":
        assert reply.body == b""
    else:
        body = json.loads(reply.body)
        assert reply.status == 200 or set(body) in SHAPES
        assert list(step.event_ids) == ids_in(body)
    assert reply.status == 200 or step.event_ids == ()
    msgspec.json.encode(step)  # a history must be writable, whatever was asked
    return reply, step


def ids_in(body: Any) -> list[Any]:
    """The ids of the events in a body; of one cut to other fields there is only the number."""
    if isinstance(body, dict):
        rows = body.get("events", [body["event"]] if "event" in body else [])
    else:
        rows = body
    return [int(row["id"]) if str(row["id"]).isdecimal() else row["id"] for row in rows]


def settings_of(dialect: str, profile: str | None) -> st.SearchStrategy[Settings]:
    """Some switches set to values that the profile allows; with None, to any value there is."""
    found = find_dialect(dialect)
    allowed = (
        {switch.name: switch.values for switch in found.switches}
        if profile is None
        else found.profile(profile).allowed
    )
    choices = [(name, value) for name, values in allowed.items() for value in values[1:]]
    if not choices:
        return st.just({})
    return st.lists(st.sampled_from(choices), max_size=6).map(dict)


# Anything at all

LATIN = st.characters(max_codepoint=255)
RAW = st.text(LATIN, max_size=60)
PIECES = {
    "haravan": [
        *["limit", "page", "since_id", "created_at_min", "created_at_max", "filter", "verb"],
        *["fields", "=", "&", "1", "-1", "2026-03-01+12:00", "Order", "id", ",", "%2B", "%", "%FF"],
    ],
    "saleschannel": [
        *["$limit", "$orderBy", "$filter", "[createdAt]", "[id]", "[gte]", "[in]", "[notIn]"],
        *["=", "&", "1", "-1", "asc", "2026-03-01T05:00:00Z", '{"id":', '"c0001"', "}", "[", "]"],
        *["{}", "%7B", "%", "%FF", ","],
    ],
}
PATHS = {
    "haravan": ["/com/", "/admin/", "events", ".json", "/events", "/count", "/1", "orders/7", "/"],
    "saleschannel": ["/saleschannel-services", "/v1", "/events", "/", "//", "%2F", ".."],
}
METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT", "get", "OPTIONS"]) | st.text(
    st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=9
)
HEADERS = st.dictionaries(
    st.sampled_from(["Authorization", "X-Haravan-Access-Token", "Accept", "Content-Length", "X-É"]),
    RAW | st.sampled_from([f"Bearer {TOKEN}", TOKEN, f"Bearer {TOKEN_WITHOUT_ROLE}", "Basic eA=="]),
)


def soup(pieces: list[str]) -> st.SearchStrategy[str]:
    """Text of pieces that mean something, and of any bytes."""
    return st.lists(st.sampled_from(pieces) | st.text(LATIN, max_size=3), max_size=9).map("".join)


@pytest.mark.parametrize("dialect", DIALECTS)
class TestAnything:
    @settings(deadline=None, max_examples=150)
    @given(data=st.data())
    def test_gets_json_and_never_a_5xx(self, dialect, data):
        path = data.draw(st.just(LISTS[dialect]) | soup(PATHS[dialect]) | RAW, label="path")
        query = data.draw(soup(PIECES[dialect]) | RAW, label="query")
        chosen = data.draw(settings_of(dialect, None), label="settings")
        method = data.draw(METHODS, label="method")
        headers = data.draw(st.just(BEARER) | HEADERS, label="headers")
        send(dialect, path, query, method=method, headers=headers, chosen=chosen)

    @settings(deadline=None, max_examples=150)
    @given(data=st.data())
    def test_asked_for_the_list_it_lists_or_refuses(self, dialect, data):
        """With the right path and token, the query alone decides."""
        query = data.draw(soup(PIECES[dialect]), label="query")
        chosen = data.draw(settings_of(dialect, "documented"), label="settings")
        reply, _ = send(dialect, LISTS[dialect], query, chosen=chosen)
        assert reply.status in ((200, 422, 414) if dialect == "haravan" else (200, 400, 414))

    @settings(deadline=None)
    @given(value=RAW, name=st.sampled_from(["Authorization", "X-Haravan-Access-Token"]))
    def test_a_header_without_the_token_lists_nothing(self, dialect, value, name):
        assume(TOKEN not in value)
        reply, step = send(dialect, LISTS[dialect], headers={name: value})
        assert reply.status == 401
        assert step.event_ids == ()

    @settings(deadline=None)
    @given(method=METHODS)
    def test_another_method_lists_nothing(self, dialect, method):
        reply, step = send(dialect, LISTS[dialect], method=method)
        assert reply.status == (200 if method in ("GET", "HEAD") else 405)
        assert bool(step.event_ids) == (method == "GET")  # HEAD answers without a body


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("size", [8_192, 8_193, 200_000], ids=lambda size: f"{size} characters")
def test_a_huge_query_is_no_trouble(dialect, size):
    for filler in ("a", "&", "%41", "=", "[", "{", "%", "\xff"):
        query = (filler * size)[:size]
        reply, _ = send(dialect, LISTS[dialect], query)
        assert reply.status == 414 if size > 8_192 else reply.status in (200, 400, 414, 422)


# Right requests, and one thing wrong with them

ORDERS = ("asc", "desc")
COLUMNS = ("id", "eventType", "createdAt", "eventAt")
OPERATORS = ("equals", "not", "in", "notIn", "lt", "lte", "gt", "gte")
TOPS = ("$limit", "$orderBy", "$filter")
PARAMETERS = ("limit", "page", "since_id", "created_at_min", "created_at_max")
WORDS = ("filter", "verb", "fields")
TIMES = ("2026-03-01 12:00", "2026-03-01 12:01:00", "2008-12-31 03:00")
"""The document's two forms, which every setting takes."""
STAMPS = ("2020-01-01T00:00:00.000Z", "2026-03-01T05:00:30.000Z", "2026-03-01T05:01:00.500Z")

NUMBER_WRONG = [
    *["-1", "1.5", "1e1", "ten", "0x10", "1_0", "1,5", "1 0", "\u0665", "\uff15", "\u00b2"],
    *["5\n", "5\x00", "\t5", "9" * 19 + "9", "9" * 400, "NaN", "null", "true", "{}", "[1]", "%"],
]
TIME_WRONG = [
    *["now", "0", "1772341200", "2026-02-30 12:00", "2026-13-01 12:00", "2026-03-01 25:00"],
    *["2026-03-01 12:60", "03/01/2026 12:00", "2026-3-1 12:00", "2026-03-01 12:00 PST", "null"],
    *["2026-03-01T12:00:00 07:00", "2026-03-01T12:00:00+07:60", "2026-03-01T24:00:00Z"],
    *["\u0662\u0660\u0662\u0666-03-01 12:00", "2026-03-01 12:00\x00", "0000-00-00 00:00", "{}"],
    *['{"id": 1, "created_at": "2026-03-01T12:00:00Z"}', "2026-03-01 12:00,2026-03-02 12:00"],
]
ODD = [" ", "\x00", "\n", "\x1f", "\x7f", "\u00e9", "\u200b", "\u0130", "\U0001f4a5", ".", "_", "s"]
"""What, added to a name, makes another name."""
NOT_TEXT = ["%", "%G1", "%F", "%u20AC", "%FF", "%C3", "%ED%A0%80", "\xff", "\xc3"]
"""What, added to a raw query, makes it broken: percent garbage, and bytes that are not UTF-8."""


def in_raw(pairs: list[Pair], space: str = "%20") -> str:
    encode: Callable[..., str] = quote if space == "%20" else quote_plus
    return "&".join(f"{encode(name, safe='')}={encode(value, safe='')}" for name, value in pairs)


def subset(draw: Any, options: dict[str, st.SearchStrategy[Pair]]) -> list[Pair]:
    """Some of the options, at least one, in any order."""
    names = draw(st.lists(st.sampled_from(sorted(options)), min_size=1, unique=True))
    return [draw(options[name]) for name in names]


@st.composite
def haravan_pairs(draw: Any) -> list[Pair]:
    number = st.integers(1, 300).map(str)
    return subset(
        draw,
        {
            "limit": number.map(lambda n: ("limit", n)),
            "since_id": number.map(lambda n: ("since_id", n)),
            "page": number.map(lambda n: ("page", n)),
            "created_at_min": st.sampled_from(TIMES).map(lambda t: ("created_at_min", t)),
            "created_at_max": st.sampled_from(TIMES).map(lambda t: ("created_at_max", t)),
            "filter": st.sampled_from(["Order", "Product,Order"]).map(lambda w: ("filter", w)),
            "verb": st.sampled_from(["placed", "closed,placed"]).map(lambda w: ("verb", w)),
            "fields": st.just(("fields", "id,verb,created_at")),
        },
    )


CONDITIONS = {
    ("createdAt", "gte"): STAMPS,
    ("createdAt", "lt"): STAMPS,
    ("createdAt", "notIn"): [",".join(STAMPS)],
    ("eventAt", "lte"): STAMPS,
    ("id", "notIn"): ["c0001,c0002", "c0003"],
    ("id", "in"): ["c0001,c0002"],
    ("id", "not"): ["c0001"],
    ("eventType", "not"): ["ASSET_RETIRED"],
    ("eventType", "equals"): ["TRANSACTION_STATUS_CHANGE"],
}
"""Columns and operators, with values they take; negations above all, which list nearly all."""


@st.composite
def saleschannel_pairs(draw: Any) -> list[Pair]:
    keys = draw(st.lists(st.sampled_from(sorted(CONDITIONS)), min_size=1, max_size=3, unique=True))
    tests = {key: draw(st.sampled_from(CONDITIONS[key])) for key in keys}
    order: Pair = ("$orderBy[createdAt]", "asc")
    if draw(st.booleans()):
        order = ("$orderBy", json.dumps({"createdAt": "asc"}))
    pairs = subset(
        draw,
        {
            "limit": st.integers(1, 100).map(lambda n: ("$limit", str(n))),
            "order": st.just(order),
            "filter": st.just(("$filter", "")),
        },
    )
    if ("$filter", "") not in pairs:
        return pairs
    pairs.remove(("$filter", ""))
    if draw(st.booleans()):
        return [*((f"$filter[{c}][{op}]", value) for (c, op), value in tests.items()), *pairs]
    tree: dict[str, dict[str, str]] = {}
    for (column, operator), value in tests.items():
        tree.setdefault(column, {})[operator] = value
    return [*pairs, ("$filter", json.dumps(tree))]


RIGHT = {"haravan": haravan_pairs(), "saleschannel": saleschannel_pairs()}
HARAVAN_LISTS = ("/com/events.json", "/admin/events.json", "/com/orders/7/events.json")


def paths_of(dialect: str) -> st.SearchStrategy[str]:
    return st.sampled_from(HARAVAN_LISTS if dialect == "haravan" else (LISTS[dialect],))


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_a_right_request_is_right(dialect, data):
    """The innocent: what the mutations start from is accepted, in both ways to write a space."""
    pairs = data.draw(RIGHT[dialect])
    chosen = data.draw(settings_of(dialect, "documented"))
    chosen.pop("operators", None)  # the document shows gte alone; the pairs have all of them
    path = data.draw(paths_of(dialect))
    got = [send(dialect, path, in_raw(pairs, space), chosen=chosen)[1] for space in ("%20", "+")]
    assert [step.status for step in got] == [200, 200]
    # Ties would be shuffled anew with each request, but no two events here share a stamp.
    assert got[0].event_ids == got[1].event_ids


# Mutations. Each takes the right pairs and a place among them, and returns a raw query, or None
# where it does not apply.

Mutation = Callable[[Any, list[Pair], int], str | None]


def doubled(draw: Any, pairs: list[Pair], place: int) -> str | None:
    where = draw(st.integers(0, len(pairs)))
    return in_raw([*pairs[:where], pairs[place], *pairs[where:]])


def blank(draw: Any, pairs: list[Pair], place: int) -> str | None:
    value = draw(st.sampled_from(["", " ", "\t", "  "]))
    return in_raw([*pairs[:place], (pairs[place][0], value), *pairs[place + 1 :]])


def without_value(draw: Any, pairs: list[Pair], place: int) -> str | None:
    raw = [in_raw([pair]) for pair in pairs]
    raw[place] = raw[place].partition("=")[0]
    return "&".join(raw)


def not_text(draw: Any, pairs: list[Pair], place: int) -> str | None:
    raw = in_raw(pairs)
    cuts = [0, len(raw), *(n for n, sign in enumerate(raw) if sign in "=&")]
    cut = draw(st.sampled_from(cuts))
    return raw[:cut] + draw(st.sampled_from(NOT_TEXT)) + raw[cut:]


def misspelt(draw: Any, word: str, known: tuple[str, ...]) -> str:
    """The word with a letter dropped, doubled, in the other case, or with an odd one added."""
    place = draw(st.integers(0, len(word) - 1))
    head, sign, tail = word[:place], word[place], word[place + 1 :]
    wrong = draw(
        st.sampled_from([head + tail, head + sign + sign + tail, head + sign.swapcase() + tail])
        | st.sampled_from(ODD).map(lambda odd: head + sign + odd + tail)
    )
    assume(wrong not in known)
    return wrong


def unknown_added(known: Callable[[str], bool]) -> Mutation:
    def add(draw: Any, pairs: list[Pair], place: int) -> str | None:
        name = draw(st.text(max_size=8) | st.sampled_from(["offset", "$skip", "sort", "query", ""]))
        value = draw(st.text(max_size=4))
        assume(not known(name) and (name or value))
        try:
            return in_raw([*pairs[:place], (name, value), *pairs[place:]])
        except UnicodeEncodeError:  # half a surrogate pair can't be sent
            return None

    return add


def value_wrong(applies: Callable[[str], bool], values: list[str]) -> Mutation:
    def change(draw: Any, pairs: list[Pair], place: int) -> str | None:
        name, _ = pairs[place]
        if not applies(name):
            return None
        pair = (name, draw(st.sampled_from(values)))
        return in_raw([*pairs[:place], pair, *pairs[place + 1 :]])

    return change


def haravan_name_wrong(draw: Any, pairs: list[Pair], place: int) -> str | None:
    name, value = pairs[place]
    wrong = misspelt(draw, name, (*PARAMETERS, *WORDS))
    return in_raw([*pairs[:place], (wrong, value), *pairs[place + 1 :]])


def haravan_lost_plus(draw: Any, pairs: list[Pair], place: int) -> str | None:
    name, _ = pairs[place]
    if not name.startswith("created_at"):
        return None
    raw = [in_raw([pair]) for pair in pairs]
    raw[place] = f"{name}=2026-03-01T12:00:00+07:00"
    return "&".join(raw)


def bracket_wrong(draw: Any, pairs: list[Pair], place: int) -> str | None:
    """One part of ``$filter[createdAt][gte]`` misspelt, or one of its brackets dropped."""
    name, value = pairs[place]
    parts = name.replace("]", "").split("[")
    if draw(st.booleans()):
        known = (TOPS, COLUMNS, OPERATORS)
        number = draw(st.integers(0, len(parts) - 1))
        parts[number] = misspelt(draw, parts[number], known[number])
        name = parts[0] + "".join(f"[{part}]" for part in parts[1:])
    elif len(parts) > 1:
        cut = draw(st.sampled_from([n for n, sign in enumerate(name) if sign in "[]"]))
        name = name[:cut] + name[cut + 1 :]
    else:
        return None
    return in_raw([*pairs[:place], (name, value), *pairs[place + 1 :]])


def json_wrong(draw: Any, pairs: list[Pair], place: int) -> str | None:
    """Broken JSON, JSON that says something else, and what stands in for JSON by mistake."""
    name, value = pairs[place]
    if not value.startswith("{"):
        return None
    tree = json.loads(value)
    column, inner = next(iter(tree.items()))
    word = misspelt(draw, column, COLUMNS)
    others = [
        *[None, 5, True, 1.5, "", " ", [], ["2026-03-01T05:00:00Z"], {}, {"x": inner}],
        *[{"gte": inner if isinstance(inner, dict) else {"x": inner}}, {"gte": None}],
        *[{"notIn": []}, {"notIn": None}, {"notIn": 5}, {"notIn": {"0": "c0001"}}, {"notIn": [""]}],
        *[{"notIn": ["c0001", None]}, {"not": ""}, {"not": None}, {"not": ["c0001"]}],
    ]
    wrong = draw(
        st.integers(1, len(value) - 1).map(lambda cut: value[:cut])
        | st.sampled_from(others).map(lambda other: json.dumps({column: other}))
        | st.sampled_from(
            [
                *["[object Object]", "createdAt", "null", "[]", "{}", str(tree), value + "}"],
                *[json.dumps([tree]), json.dumps(value), value.replace('"', "'"), f"?{value}"],
                json.dumps({word: inner}),
                json.dumps(tree | {word: inner}),
                json.dumps(tree | {"AND": [tree]}),
                value[:-1] + "," + value[1:],  # the same key twice
            ]
        )
    )
    return in_raw([*pairs[:place], (name, wrong), *pairs[place + 1 :]])


def both_encodings(draw: Any, pairs: list[Pair], place: int) -> str | None:
    name, value = pairs[place]
    top = name.partition("[")[0]
    if top == "$limit":
        return None
    in_brackets = ("$orderBy[id]", "asc") if top == "$orderBy" else ("$filter[id]", "c0001")
    in_json = (top, json.dumps({"id": in_brackets[1]}))
    other = in_brackets if value.startswith("{") else in_json
    where = draw(st.integers(0, len(pairs)))
    return in_raw([*pairs[:where], other, *pairs[where:]])


def whole_event_as_key(draw: Any, pairs: list[Pair], place: int) -> str | None:
    name, value = pairs[place]
    if not name.startswith("$filter[createdAt]["):
        return None
    event = [(f"{name}[id]", "c0001"), (f"{name}[createdAt]", value)]
    return in_raw([*pairs[:place], *event, *pairs[place + 1 :]])


def list_in_names(draw: Any, pairs: list[Pair], place: int) -> str | None:
    """What libraries make of a list: ``[0]`` and ``[1]``, or ``[]`` twice."""
    name, value = pairs[place]
    if not name.lower().endswith("in]"):
        return None
    ends = draw(st.sampled_from([["[]", "[]"], ["[0]", "[1]"], ["[0]"], ["[]"]]))
    listed = [(name + end, item) for end, item in zip(ends, value.split(",") * 2, strict=False)]
    return in_raw([*pairs[:place], *listed, *pairs[place + 1 :]])


def deeper(draw: Any, pairs: list[Pair], place: int) -> str | None:
    name, value = pairs[place]
    name += "[x]" * draw(st.sampled_from([1, 2, 700]))
    return in_raw([*pairs[:place], (name, value), *pairs[place + 1 :]])


ANY_DIALECT: list[Mutation] = [doubled, blank, without_value, not_text]
MUTATIONS: dict[str, list[Mutation]] = {
    "haravan": [
        *ANY_DIALECT,
        unknown_added(lambda name: name in (*PARAMETERS, *WORDS)),
        value_wrong(lambda name: name in ("limit", "page", "since_id"), NUMBER_WRONG),
        value_wrong(lambda name: name == "limit", ["0", "-0", "+0"]),
        value_wrong(lambda name: name.startswith("created_at"), TIME_WRONG),
        value_wrong(lambda name: name in WORDS, [",", "Order,", ",id", "placed,,closed", " , "]),
        value_wrong(lambda name: name == "fields", ["title", "ID", "*", "id\x00", "id;verb"]),
        haravan_name_wrong,
        haravan_lost_plus,
    ],
    "saleschannel": [
        *ANY_DIALECT,
        unknown_added(lambda name: name.startswith(TOPS)),
        value_wrong(lambda name: name == "$limit", [*NUMBER_WRONG, "0", "-0", str(2**31)]),
        value_wrong(lambda name: name.endswith(("At][gte]", "At][lt]", "At][lte]")), TIME_WRONG),
        value_wrong(lambda name: name.endswith("At][gte]"), ["2026-03-01T12:00:00Z\n", "now"]),
        value_wrong(lambda name: name == "$orderBy[createdAt]", ["ASC", "up", "1", "-1", "asc,"]),
        bracket_wrong,
        json_wrong,
        both_encodings,
        value_wrong(lambda name: name.lower().endswith("in]"), [",", "a,,b", "a,", " ,a"]),
        whole_event_as_key,
        list_in_names,
        deeper,
    ],
}


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_one_wrong_thing_is_refused_and_lists_nothing(dialect, data):
    pairs = data.draw(RIGHT[dialect], label="right")
    place = data.draw(st.integers(0, len(pairs) - 1), label="place")
    mutation = data.draw(st.sampled_from(MUTATIONS[dialect]), label="mutation")
    query = mutation(data.draw, pairs, place)
    assume(query is not None)
    chosen = data.draw(settings_of(dialect, "documented"), label="settings")
    path = data.draw(paths_of(dialect), label="path")
    reply, step = send(dialect, path, query, chosen=chosen)
    assert reply.status == (422 if dialect == "haravan" else 400), query
    assert step.event_ids == ()


@settings(deadline=None, max_examples=80)
@given(
    pairs=st.sampled_from([("created_at_min", TIMES[0]), ("created_at_max", TIMES[1])]).map(list),
    data=st.data(),
)
@pytest.mark.parametrize("path", ["/com/events/count.json", "/com/events/7.json"])
def test_a_count_and_a_single_event_are_as_strict(path, pairs, data):
    """A count of everything is a silent full list too."""
    right = [tuple(pairs)] if "count" in path else [("fields", "id,verb")]
    names = ("title", "ID", "*")
    mutations: list[Mutation] = [
        *ANY_DIALECT,
        unknown_added(lambda name: name in (*PARAMETERS, *WORDS)),
        value_wrong(lambda name: True, TIME_WRONG if "count" in path else list(names)),
        haravan_name_wrong,
    ]
    query = data.draw(st.sampled_from(mutations))(data.draw, right, 0)
    assume(query is not None)
    reply, _ = send("haravan", path, query)
    assert reply.status == 422


@pytest.mark.parametrize(("name", "word"), [("filter", "Order"), ("verb", "placed")])
@settings(deadline=None)
@given(data=st.data())
def test_a_misspelt_word_finds_nothing_or_is_refused(name, word, data):
    """A word that nobody knows is legal: no event has that type. It must not widen the list."""
    wrong = misspelt(data.draw, word, (word,))
    chosen = data.draw(settings_of("haravan", "documented"))
    _, step = send("haravan", LISTS["haravan"], in_raw([(name, wrong)]), chosen=chosen)
    same = wrong.strip() == word or (
        chosen.get("filter_case") == "insensitive" and wrong.strip().lower() == word.lower()
    )
    assert bool(step.event_ids) == same


# The cap

ANY_LIMIT = st.integers(1, 400) | st.sampled_from([2**31 - 1])
PROFILES = [(d, p.name) for d in DIALECTS for p in find_dialect(d).profiles]


@pytest.mark.parametrize(("dialect", "profile"), [*PROFILES, *((d, None) for d in DIALECTS)])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_answer_is_longer_than_the_cap(dialect, profile, data):
    """Under every profile, and (None) under every value that any switch can take."""
    found = find_dialect(dialect)
    chosen = data.draw(settings_of(dialect, profile))
    asked = data.draw(st.none() | ANY_LIMIT)
    name = "limit" if dialect == "haravan" else "$limit"
    query = "" if asked is None else f"{name}={asked}"
    reply, step = send(dialect, LISTS[dialect], query, chosen=chosen)
    cap = found.limit_max(found.settings(chosen))
    over = asked is not None and cap is not None and asked > cap
    if over and chosen.get("limit_over_max") == "reject":
        assert reply.status in (400, 422)
        return
    bounds = [COUNT, *(bound for bound in (cap, asked) if bound is not None)]
    if asked is None:
        default = found.settings(chosen)["limit_default"]
        bounds.append(COUNT if default is None else int(str(default)))
    assert reply.status == 200
    assert len(step.event_ids) == min(bounds)
    ask = Ask(path=LISTS[dialect], query=query, headers={"authorization": f"Bearer {TOKEN}"})
    limit = found.parse(ask, found.settings(chosen)).limit
    assert cap is None or (limit is not None and limit <= cap)
    assert asked is None or limit is None or limit <= asked
