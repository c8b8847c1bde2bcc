"""The log: visible at the very instant, ordered, cut; and equal to a slow, obvious oracle.

What it does for long logs must be what it does for short ones, so its limits are lowered here until
a few rows make a tree with several blocks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import MappingProxyType
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver import log as log_module
from fakeserver import order as order_module
from fakeserver import sorting as sorting_module
from fakeserver.clock import to_text
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.base import TOKEN, Ask, Refused
from fakeserver.errors import ScenarioError
from fakeserver.log import EventLog
from fakeserver.query import ID, RECORDED_AT, Condition, Query, SortKey
from fakeserver.scenario import LoggedEvent
from fakeserver.stream import Stream


def event(
    event_id: int, stamp: int | None = 0, *, visible_at: int = 0, **fields: object
) -> LoggedEvent:
    return LoggedEvent(id=event_id, recorded_at=stamp, visible_at=visible_at, fields=fields)


def ids(log: EventLog, *, at: int = 0, salt: int = 0, **query: object) -> list[int]:
    return [row.id for row in log.select(Query(**query), at, salt=salt).rows]


class TestVisibility:
    LOG = EventLog([event(1, visible_at=10), event(2, visible_at=11), event(3, visible_at=9)])

    @pytest.mark.parametrize(
        ("at", "expected"), [(8, []), (9, [3]), (10, [1, 3]), (11, [1, 2, 3]), (10**9, [1, 2, 3])]
    )
    def test_an_event_is_there_from_its_very_instant_on(self, at, expected):
        assert ids(self.LOG, at=at) == expected
        assert self.LOG.select(Query(limit=1), at).matched == len(expected)

    def test_the_stamp_has_no_say_in_it(self):
        log = EventLog([event(1, 100, visible_at=5), event(2, None, visible_at=5)])
        assert ids(log, at=5) == [1, 2]

    def test_find_looks_at_all_events(self):
        assert self.LOG.find(2) is self.LOG.events[1]
        assert self.LOG.find(4) is None
        assert self.LOG.find("2") is None


class TestAppend:
    def test_comes_after_what_is_there(self):
        log = EventLog([event(2), event(1)])
        log.append([event(0), event(3)])
        assert (ids(log), len(log)) == ([2, 1, 0, 3], 4)
        assert [row.id for row in log.events] == [2, 1, 0, 3]
        assert log.find(3) is log.events[3]

    @pytest.mark.parametrize("new", [[4, 1], [4, 5, 4]])
    def test_is_whole_or_not_at_all(self, new):
        log = EventLog([event(1)])
        with pytest.raises(ScenarioError, match=f"there is an event {new[-1]} already"):
            log.append([event(number) for number in new])
        assert (ids(log), log.find(4)) == ([1], None)


class TestVisibleCount:
    def test_counts_from_the_very_instant_on(self):
        assert [TestVisibility.LOG.visible_count(at) for at in (8, 9, 10, 11)] == [0, 1, 2, 3]

    def test_counts_what_was_appended(self):
        log = EventLog([event(1, visible_at=10)])
        assert log.visible_count(10) == 1
        log.append([event(2, visible_at=5), event(3, visible_at=15)])
        assert [log.visible_count(at) for at in (5, 10, 15)] == [1, 2, 3]


class TestCut:
    LOG = EventLog([event(number) for number in range(1, 6)])

    @pytest.mark.parametrize(
        ("offset", "limit", "expected"),
        [
            (0, None, [1, 2, 3, 4, 5]),
            (0, 0, []),
            (0, 1, [1]),
            (0, 5, [1, 2, 3, 4, 5]),
            (0, 2**63, [1, 2, 3, 4, 5]),
            (2, None, [3, 4, 5]),
            (2, 2, [3, 4]),
            (4, 2, [5]),
            (5, 2, []),
            (2**126, 2**63, []),
        ],
    )
    def test_offset_and_limit(self, offset, limit, expected):
        assert ids(self.LOG, offset=offset, limit=limit) == expected
        assert self.LOG.select(Query(offset=offset, limit=limit), 0).matched == 5

    def test_what_matched_is_counted_before_the_cut_and_after_the_conditions(self):
        found = self.LOG.select(Query(conditions=(Condition(ID, ">", 2),), limit=1), 0)
        assert ([row.id for row in found.rows], found.matched) == ([3], 3)


class TestOrder:
    LOG = EventLog(
        [
            event(5, 2, kind="b"),
            event(1, 1, kind="b"),
            event(4, 2, kind="a"),
            event(2, 1, kind="a"),
            event(3, 1, kind="b"),
        ]
    )

    def test_without_keys_it_is_the_order_of_insertion(self):
        assert ids(self.LOG) == [5, 1, 4, 2, 3]

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ([SortKey(ID)], [1, 2, 3, 4, 5]),
            ([SortKey(ID, descending=True)], [5, 4, 3, 2, 1]),
            ([SortKey(RECORDED_AT)], [1, 2, 3, 5, 4]),
            ([SortKey(RECORDED_AT, descending=True)], [5, 4, 1, 2, 3]),
            ([SortKey(RECORDED_AT), SortKey(ID)], [1, 2, 3, 4, 5]),
            ([SortKey(RECORDED_AT), SortKey(ID, descending=True)], [3, 2, 1, 5, 4]),
            ([SortKey(RECORDED_AT, descending=True), SortKey(ID)], [4, 5, 1, 2, 3]),
            ([SortKey("kind"), SortKey(RECORDED_AT, descending=True)], [4, 2, 5, 1, 3]),
            ([SortKey("kind", descending=True), SortKey(RECORDED_AT), SortKey(ID)],
             [1, 3, 5, 2, 4]),
            ([SortKey("missing")], [5, 1, 4, 2, 3]),
        ],
    )  # fmt: skip
    def test_by_several_keys_and_ties_by_age(self, order, expected):
        assert ids(self.LOG, order=tuple(order)) == expected

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("nulls", ["first", "last"])
    def test_nulls_stand_first_or_last_in_both_directions(self, nulls, descending):
        log = EventLog([event(1, 5), event(2, None), event(3, 4), event(4, None)])
        filled = [1, 3] if descending else [3, 1]
        expected = [2, 4, *filled] if nulls == "first" else [*filled, 2, 4]
        order = (SortKey(RECORDED_AT, descending=descending),)
        assert ids(log, order=order, nulls=nulls) == expected

    def test_nulls_in_a_second_key(self):
        log = EventLog([event(1, 1, k=None), event(2, 0, k=2), event(3, 0), event(4, 0, k=1)])
        order = (SortKey(RECORDED_AT), SortKey("k"))
        assert ids(log, order=order, nulls="first") == [3, 4, 2, 1]
        assert ids(log, order=order, nulls="last") == [4, 2, 3, 1]


class TestShuffledTies:
    LOG = EventLog([event(number, number // 3) for number in range(9)])
    QUERY = MappingProxyType({"order": (SortKey(RECORDED_AT),), "ties_shuffled": True})

    def test_the_same_salt_gives_the_same_order(self):
        for salt in range(20):
            assert ids(self.LOG, salt=salt, **self.QUERY) == ids(self.LOG, salt=salt, **self.QUERY)

    def test_other_salts_give_others_and_only_within_a_tie(self):
        orders = [ids(self.LOG, salt=salt, **self.QUERY) for salt in range(50)]
        assert len({tuple(order) for order in orders}) > 20
        for order in orders:
            assert [number // 3 for number in order] == [0, 0, 0, 1, 1, 1, 2, 2, 2]

    def test_the_log_itself_stays_as_it_is(self):
        ids(self.LOG, salt=1, **self.QUERY)
        assert ids(self.LOG, salt=1) == list(range(9))

    def test_the_salt_matters_only_where_the_query_shuffles(self):
        assert {tuple(ids(self.LOG, salt=salt)) for salt in range(20)} == {tuple(range(9))}

    def test_a_page_and_the_next_may_repeat_and_skip_a_row(self):
        """The hazard that it is there for."""
        pages = [
            ids(self.LOG, salt=salt, limit=2, offset=2 * salt, **self.QUERY) for salt in range(4)
        ]
        assert len({number for page in pages for number in page}) < 8


# The oracle: every definition, one at a time, as slowly as it likes

FIELDS = [ID, RECORDED_AT, "kind", "size"]
SMALL = st.integers(0, 4)
EVENTS = st.lists(
    st.builds(
        lambda stamp, visible_at, fields: (stamp, visible_at, fields),
        st.none() | SMALL,
        SMALL,
        st.fixed_dictionaries({}, optional={"kind": st.none() | SMALL, "size": SMALL}),
    ),
    max_size=8,
).flatmap(
    lambda rows: st.permutations(range(len(rows))).map(
        lambda numbers: [
            LoggedEvent(id=number, recorded_at=stamp, visible_at=visible_at, fields=fields)
            for number, (stamp, visible_at, fields) in zip(numbers, rows, strict=True)
        ]
    )
)
COMPARISONS = ["=", ">", ">=", "<", "<="]
CONDITIONS = st.one_of(
    st.builds(Condition, st.sampled_from(FIELDS), st.sampled_from(COMPARISONS), SMALL),
    st.builds(
        Condition,
        st.sampled_from(FIELDS),
        st.sampled_from(["in", "not in"]),
        st.lists(SMALL, max_size=3).map(tuple),
    ),
)  # fmt: skip
QUERIES = st.builds(
    Query,
    conditions=st.lists(CONDITIONS, max_size=2).map(tuple),
    order=st.lists(st.builds(SortKey, st.sampled_from(FIELDS), st.booleans()), max_size=3).map(
        tuple
    ),
    nulls=st.sampled_from(["first", "last"]),
    ties_shuffled=st.booleans(),
    offset=SMALL,
    limit=st.none() | SMALL,
)


def read(row: LoggedEvent, field: str) -> int | None:
    if field == "id":
        return row.id
    return row.recorded_at if field == "recorded_at" else row.fields.get(field)


def meets(row: LoggedEvent, condition: Condition) -> bool:
    value, wanted = read(row, condition.field), condition.value
    if value is None:
        return False
    if condition.operator in ("in", "not in"):
        is_there = any(value == one for one in wanted)
        return is_there == (condition.operator == "in")
    # "<=" is met by what is less and by what is equal: the signs of the operator, one by one.
    signs = {"=": value == wanted, "<": value < wanted, ">": value > wanted}
    return any(signs[sign] for sign in condition.operator)


def stands_before(one: LoggedEvent, other: LoggedEvent, query: Query) -> bool:
    """Whether the order demands that `one` stands before `other`; False for a tie."""
    for key in query.order:
        left, right = read(one, key.field), read(other, key.field)
        if left == right:
            continue
        if left is None or right is None:
            return (left is None) == (query.nulls == "first")
        return (left > right) if key.descending else (left < right)
    return False


def oracle(events: list[LoggedEvent], query: Query, at: int) -> list[LoggedEvent]:
    """All rows that match, in order, ties by age: insert each where nothing before it is larger."""
    ordered: list[LoggedEvent] = []
    for row in events:
        if row.visible_at > at or not all(meets(row, c) for c in query.conditions):
            continue
        place = len(ordered)
        while place > 0 and stands_before(row, ordered[place - 1], query):
            place -= 1
        ordered.insert(place, row)
    return ordered


def cut(rows: list[LoggedEvent], query: Query) -> list[LoggedEvent]:
    rest = [row for number, row in enumerate(rows) if number >= query.offset]
    return [row for number, row in enumerate(rest) if query.limit is None or number < query.limit]


@settings(deadline=None, max_examples=400)
@given(EVENTS, QUERIES, SMALL, st.integers(0, 3))
def test_select_is_what_the_definitions_say(events, query, at, salt):
    found = EventLog(events).select(query, at, salt=salt)
    expected = oracle(events, query, at)
    assert found.matched == len(expected)
    assert len(found.rows) == len(cut(expected, query))
    if not query.ties_shuffled:
        assert list(found.rows) == cut(expected, query)
        return
    # Shuffled, a row may stand anywhere in its group of ties, and nowhere else.
    for row, usual in zip(found.rows, cut(expected, query), strict=True):
        assert not stands_before(row, usual, query)
        assert not stands_before(usual, row, query)
    whole = EventLog(events).select(
        Query(
            conditions=query.conditions, order=query.order, nulls=query.nulls, ties_shuffled=True
        ),
        at,
        salt=salt,
    )
    assert sorted(row.id for row in whole.rows) == sorted(row.id for row in expected)
    assert cut(list(whole.rows), query) == list(found.rows)


def test_the_oracle_tells_right_from_wrong():
    """An oracle that agrees with anything proves nothing."""
    log = [event(1, 2), event(2, None), event(3, 1)]
    query = Query(order=(SortKey(RECORDED_AT),), nulls="last")
    assert [row.id for row in oracle(log, query, 0)] == [3, 1, 2]
    assert [row.id for row in oracle(log, Query(), 0)] == [1, 2, 3]
    shuffled = Random(1).sample(log, 3)
    assert [row.id for row in oracle(shuffled, query, 0)] == [3, 1, 2]


# The index: what the scan finds, for logs that grow


@contextmanager
def tiny_blocks() -> Iterator[None]:
    """Let even two rows be found by index, in trees whose nodes split all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, "SCANNED_MAX", 0)
        patch.setattr(order_module, "BLOCK_ROWS", 2)
        patch.setattr(sorting_module, "CHUNK_ROWS", 2)
        yield


def assert_index_finds(log: EventLog, query: Query, at: int) -> None:
    scanned = EventLog(log.events).select(query, at)
    with tiny_blocks():
        found = log.select(query, at)
        assert found.rows == scanned.rows
        assert found.matched == scanned.matched


@settings(deadline=None, max_examples=400)
@given(EVENTS, EVENTS, st.lists(st.tuples(QUERIES, SMALL), min_size=1, max_size=4))
def test_an_index_finds_what_a_scan_finds_also_after_appends(events, more, asked):
    for growth in (0.0, 1.0):  # never built anew, or always
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(log_module, "GROWTH_MAX", growth)
            log = EventLog(events)
            for row in [*more, None]:
                for query, at in asked:
                    assert_index_finds(log, query, at)
                if row is not None:
                    log.append([LoggedEvent(
                        id=row.id + 100, recorded_at=row.recorded_at, visible_at=row.visible_at,
                        fields=row.fields,
                    )])  # fmt: skip


NOON = 1_772_366_405_000
HEADERS = {"authorization": f"Bearer {TOKEN}"}


def haravan_targets(draw: st.DrawFn, rows: tuple[LoggedEvent, ...]) -> tuple[str, str]:
    row = draw(st.sampled_from(rows))
    paths = ["/com/events.json", "/com/events/count.json", f"/com/events/{row.id}.json"]
    paths.append(f"/com/orders/{row.fields['subject_id']}/events.json")
    path = draw(st.sampled_from(paths))
    if path == paths[2]:
        return path, ""
    stamp = to_text(draw(st.sampled_from(rows)).recorded_at)
    parameters = {
        "since_id": st.sampled_from([0, 1, row.id - 1, row.id, row.id + 1]),
        "created_at_min": st.just(to_text(row.recorded_at)),
        "created_at_max": st.just(stamp),
        "limit": st.integers(1, 6),
        "page": st.integers(1, 5),
        "filter": st.sampled_from(["Order", "Product,Article", "Page"]),
        "verb": st.sampled_from(["placed", "create,update", "destroy"]),
    }
    return path, urlencode(draw(st.fixed_dictionaries({}, optional=parameters)))


def saleschannel_targets(draw: st.DrawFn, rows: tuple[LoggedEvent, ...]) -> tuple[str, str]:
    row = draw(st.sampled_from(rows))
    values = {
        "id": row.id,
        "eventType": row.fields["eventType"],
        "createdAt": to_text(row.recorded_at if row.recorded_at is not None else NOON),
        "eventAt": to_text(row.recorded_at if row.recorded_at is not None else NOON),
    }
    column = draw(st.sampled_from(sorted(values)))
    operator = draw(st.sampled_from(["equals", "gt", "gte", "lt", "lte", "in", "notIn", "not"]))
    order = draw(st.sampled_from(sorted(values)))
    parameters = {
        "$limit": st.integers(1, 9),
        f"$orderBy[{order}]": st.sampled_from(["asc", "desc"]),
        f"$filter[{column}][{operator}]": st.just(values[column]),
    }
    query = urlencode(draw(st.fixed_dictionaries({}, optional=parameters)))
    return "/saleschannel-services/v1/events", query


TARGETS = {"haravan": haravan_targets, "saleschannel": saleschannel_targets}


@settings(deadline=None, max_examples=300)
@given(st.data())
@pytest.mark.parametrize("name", DIALECTS)
def test_an_index_finds_what_a_scan_finds_for_real_requests(name, data):
    dialect = find_dialect(name)
    profile = dialect.profile("documented")
    chosen = {
        switch: data.draw(st.sampled_from(values), label=switch)
        for switch, values in profile.allowed.items()
    }
    rows = Stream(dialect, chosen, data.draw(st.integers(0, 5)), 1.0).backlog(40, NOON)
    log = EventLog(rows[:30])
    ask = data.draw(st.composite(TARGETS[name])(rows))
    try:
        query = dialect.parse(Ask(path=ask[0], query=ask[1], headers=HEADERS), chosen)
    except Refused:
        return
    if query.is_shuffled:
        return
    for row in rows[30:]:
        assert_index_finds(log, query, data.draw(st.integers(rows[0].visible_at, NOON + 60_000)))
        log.append([row])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", [ID, RECORDED_AT])
def test_long_logs_are_found_in_order_whole_and_page_by_page(field, descending):
    """With its own limits, over all levels of the tree, rows coming in any order."""
    rows = [event(number, number // 7, visible_at=number % 5) for number in range(20_000)]
    Random(1).shuffle(rows)
    log = EventLog(rows[:15_000])
    order = (SortKey(field, descending=descending), SortKey(ID))
    assert log.select(Query(order=order, limit=1), 9).matched == 15_000
    log.append(rows[15_000:])
    expected = [
        row.id
        for row in sorting_module.in_order([r for r in rows if r.visible_at <= 3], order, "first")
    ]
    assert ids(log, at=3, order=order) == expected
    for offset in (0, 1, 127, 7_777, 15_990, 16_000):
        assert ids(log, at=3, order=order, offset=offset, limit=100) == expected[offset:][:100]
    bounds = (Condition(ID, ">", 5_000), Condition(RECORDED_AT, "<=", 2_000))
    found = log.select(Query(conditions=bounds, order=order, limit=3), 3)
    assert found.matched == sum(r > 5_000 and r // 7 <= 2_000 for r in expected)
