"""A long log, most of whose events are drawn again when wanted, answers as the list of them does.

Limits are lowered until a few events make such a log: none drawn is kept, and blocks have two rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fakeserver import log as log_module
from fakeserver import order as order_module
from fakeserver import sorting as sorting_module
from fakeserver import table as table_module
from fakeserver.bounds import Bounds, met
from fakeserver.columns import Column, Kinds, Texts, joined
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.base import Ask, Refused
from fakeserver.errors import ScenarioError
from fakeserver.log import EventLog
from fakeserver.query import ID, RECORDED_AT, Condition, Query, SortKey
from fakeserver.scenario import LoggedEvent
from fakeserver.serving.options import ServeOptions, build_world
from fakeserver.stream import Stream
from tests.unit.test_log import HEADERS, NOON, TARGETS


@contextmanager
def tiny() -> Iterator[None]:
    """Let a log of a few events do what a log of millions does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, "SCANNED_MAX", 0)
        patch.setattr(log_module, "KEPT_MAX", 0)
        patch.setattr(order_module, "BLOCK_ROWS", 2)
        patch.setattr(sorting_module, "CHUNK_ROWS", 2)
        patch.setattr(table_module, "TAIL_MAX", 3)
        patch.setattr(table_module, "IDS_PACKED_FROM", 6)
        yield


def empty_log(stream: Stream) -> EventLog:
    return EventLog(
        labels=stream.dialect.labels, numbers=stream.dialect.numbers, redraw=stream.redraw
    )


def drawn_log(stream: Stream, count: int) -> EventLog:
    log = empty_log(stream)
    for drawn in stream.backlog_pieces(count, NOON):
        log.append_drawn(*drawn)
    return log


def assert_same(log: EventLog, rows: list[LoggedEvent], query: Query, at: int, salt: int) -> None:
    """The log answers as a list of the same rows does, of which each is looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, "SCANNED_MAX", len(rows))
        expected = EventLog(rows).select(query, at, salt=salt)
    found = log.select(query, at, salt=salt)
    assert found.rows == expected.rows
    assert found.matched == expected.matched
    assert found.rows[::-1] == expected.rows[::-1]


@settings(deadline=None, max_examples=120)
@given(st.data())
@pytest.mark.parametrize("name", DIALECTS)
def test_it_answers_as_a_list_does(name, data):
    """By every setting, in pieces of any size, with own events between them that tie, come early
    or late, with what is asked while it grows."""
    dialect = find_dialect(name)
    chosen = {
        switch: data.draw(st.sampled_from(values), label=switch)
        for switch, values in dialect.profile("documented").allowed.items()
    }
    late = data.draw(st.sampled_from([None, 90_000]), label="late")
    stream = Stream(dialect, chosen, data.draw(st.integers(0, 9), label="seed"), 1.0, late)
    rows = list(stream.backlog(40, NOON))
    asks = [data.draw(st.composite(TARGETS[name])(tuple(rows)), label="ask") for _ in range(3)]
    queries = []
    for path, raw in asks:
        try:
            queries.append(dialect.parse(Ask(path=path, query=raw, headers=HEADERS), chosen))
        except Refused:
            continue
    whole: list[LoggedEvent] = []
    with tiny():
        log = empty_log(stream)
        for drawn in stream.backlog_pieces(40, NOON):
            cut = data.draw(st.integers(0, len(drawn.events)), label="cut")
            for start, end in ((0, cut), (cut, len(drawn.events))):
                log.append_drawn(drawn.piece, drawn.place + start, drawn.events[start:end])
                whole += drawn.events[start:end]
                if whole and data.draw(st.booleans(), label="own"):
                    own = as_own(data.draw(st.sampled_from(rows), label="like"), len(whole))
                    log.append([own])
                    whole.append(own)
                at = data.draw(st.integers(rows[0].visible_at, NOON + 60_000), label="at")
                for query in queries:
                    assert_same(log, whole, query, at, salt=len(whole))
                assert log.visible_count(at) == sum(row.visible_at <= at for row in whole)
        assert log.events == tuple(whole)
        assert [log.find(row.id) for row in whole] == whole


def as_own(event: LoggedEvent, number: int) -> LoggedEvent:
    """An event like another one, under an id of its own."""
    event_id = f"own{number:022}" if isinstance(event.id, str) else 7 + number
    return replace(event, id=event_id)


FIELDS = ("kind", "size")
VALUES = st.none() | st.integers(0, 4)
QUERIES = st.builds(
    Query,
    conditions=st.lists(
        st.builds(
            Condition,
            st.sampled_from([ID, RECORDED_AT, *FIELDS]),
            st.sampled_from(["=", ">", ">=", "<", "<="]),
            st.integers(0, 6),
        )
        | st.builds(
            Condition,
            st.sampled_from([ID, RECORDED_AT, *FIELDS]),
            st.sampled_from(["in", "not in"]),
            st.lists(st.integers(0, 6), min_size=1, max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    order=st.lists(
        st.builds(SortKey, st.sampled_from([ID, RECORDED_AT, *FIELDS]), st.booleans()), max_size=2
    ).map(tuple),
    nulls=st.sampled_from(["first", "last"]),
    ties_shuffled=st.booleans(),
    offset=st.integers(0, 9),
    limit=st.none() | st.integers(0, 4),
)


@settings(deadline=None, max_examples=250)
@given(
    st.lists(st.tuples(VALUES, st.integers(0, 6), VALUES, VALUES), min_size=1, max_size=14),
    st.permutations(range(14)),
    st.lists(st.integers(1, 5), min_size=14, max_size=14),
    st.lists(QUERIES, min_size=1, max_size=3),
    st.integers(0, 6),
    st.sampled_from([((), ()), (("kind",), ()), ((), ("size",)), (("kind",), ("size",))]),
)
def test_whatever_the_rows_and_the_queries(values, ids, sizes, queries, at, fields):
    """Nulls anywhere, ids that rise or not, and fields that the log was told of or not."""
    events = [
        LoggedEvent(
            id=number, recorded_at=stamp, visible_at=seen, fields={"kind": kind, "size": size}
        )
        for number, (stamp, seen, kind, size) in zip(ids, values, strict=False)
    ]
    pieces = {}
    with tiny():
        log = EventLog(labels=fields[0], numbers=fields[1], redraw=lambda piece: pieces[piece])
        start = 0
        for piece, size in enumerate(sizes):
            part = events[start : start + size]
            pieces[piece] = part
            log.append_drawn(piece, 0, part)
            start += size
            for query in queries if part else ():
                assert_same(log, events[:start], query, at, salt=1)
        assert log.events == tuple(events)
        assert [log.find(number) for number in range(14)] == [
            next((event for event in events if event.id == number), None) for number in range(14)
        ]
        with pytest.raises(ScenarioError, match=f"an event {events[0].id} already"):
            log.append([events[0]])


@pytest.mark.parametrize("name", DIALECTS)
def test_with_its_own_limits(name):
    """More events than are kept, over several blocks and buckets, and new ones as time passes."""
    options = ServeOptions(
        dialect=name, seed=3, backlog=log_module.KEPT_MAX + 3_000, rate_per_s=5, clock="simulated"
    )
    world = build_world(options, lambda: 0)
    world.advance(120_000)
    rows = list(world.truth)
    assert len(rows) > options.backlog + 400
    assert rows == [
        *world.stream.backlog(options.backlog, world.scenario.starts_at),
        *world.stream.between(world.scenario.starts_at, world.now),
    ]
    random = Random(1)
    middle, late = rows[len(rows) // 2], rows[-200]
    label = world.dialect.labels[0]
    for conditions in (
        (),
        (Condition(RECORDED_AT, ">=", middle.recorded_at),),
        (Condition(ID, ">", late.id), Condition(label, "=", late.fields[label])),
        (Condition(label, "not in", (late.fields[label],)),),
        (Condition(ID, "not in", (middle.id, late.id)),),
    ):
        for key in (ID, RECORDED_AT):
            order = (SortKey(key, descending=random.random() < 0.5),)
            offset = random.choice([0, 100, len(rows) // 2, len(rows) - 50])
            query = Query(conditions=conditions, order=order, offset=offset, limit=100)
            assert_same(world.log, rows, query, random.choice([late.recorded_at, world.now]), 0)


@pytest.mark.parametrize("name", DIALECTS)
def test_the_next_page_of_a_walk_is_found_by_one_look(name, monkeypatch):
    """No plan is made for it, and it is the page that a plan finds."""
    dialect = find_dialect(name)
    stream = Stream(dialect, dialect.settings({}), 3, 1.0)
    log, rows = drawn_log(stream, 2_000), stream.backlog(2_000, NOON)
    latest = max(row.visible_at for row in rows)
    ids = sorted(row.id for row in rows)
    plans = []
    plan = order_module.Order.plan
    monkeypatch.setattr(
        order_module.Order, "plan", lambda *given: plans.append(given) or plan(*given)
    )
    for place in range(0, 1_800, 90):
        after = (Condition(ID, ">", ids[place]),)
        query = Query(conditions=after, order=(SortKey(ID),), limit=100)
        assert [row.id for row in log.select(query, latest).rows] == ids[place + 1 : place + 101]
    assert plans == []
    hidden = [row.id for row in rows if row.visible_at > latest - 60_000]
    assert hidden
    found = [row.id for row in log.select(query, latest - 60_000).rows]
    assert found == [each for each in ids[place + 1 :] if each not in hidden][:100]


def test_ids_that_do_not_rise_are_kept():
    """Pieces whose ids overlap can't be told apart by them, so such events stay as they are."""
    pieces = {n: [LoggedEvent(id=i, recorded_at=0, visible_at=0) for i in ids]
              for n, ids in enumerate([(1, 5), (3, 9), (10, 11), (4, 2)])}  # fmt: skip
    with tiny():
        log = EventLog(redraw=lambda piece: pieces[piece])
        for piece, events in pieces.items():
            log.append_drawn(piece, 0, events)
        for events in pieces.values():
            assert [log.find(event.id) for event in events] == events
            assert log.find(events[0].id) is events[0]
        assert (log.find(7), log.find("5"), log.find(0), log.find(5.5)) == (None,) * 4
        assert log.highest_id == 11


class TestColumns:
    @pytest.mark.parametrize(
        "values",
        [
            [3, 1, 2],
            [3, None, 2],
            [1, 2.5],
            [1, 2**70],
            ["ab", "cd"],
            ["ab", "c"],
            ["ab", "đă"],
            ["", ""],
            ["ab", None],
            [1, "ab"],
            ["ab", 1],
            [None],
            [],
        ],
    )
    @pytest.mark.parametrize("parts", [1, 2])
    @pytest.mark.parametrize("packed_from", [0, 2])
    def test_what_was_put_in_comes_out(self, values, parts, packed_from):
        column = Column(packed_from)
        for part in [values] if parts == 1 else [[value] for value in values]:
            column.extend(part)
        assert list(column.values(range(len(values)))) == values
        assert [column[row] for row in range(len(values))] == values
        assert list(column.values(range(len(values) - 1, -1, -1))) == values[::-1]
        assert column.has_null == (None in values)
        assert [column.find(value, 0, len(values)) for value in values] == [
            values.index(value) for value in values
        ]

    def test_a_text_is_found_where_it_stands_alone(self):
        texts = Texts(["aba", "bab", "aab"])
        assert [texts.index(text) for text in ("aba", "bab", "aab")] == [0, 1, 2]
        for absent in ("baa", "ab", "", 3):
            with pytest.raises(ValueError, match="is not there"):
                texts.index(absent)
        with pytest.raises(ValueError, match="is not there"):
            texts.index("aba", 1)

    def test_there_can_be_more_kinds_than_two_bytes_tell(self):
        kinds = Kinds(("label",))
        labels = [(number,) for number in range(2**16 + 2)]
        kinds.extend(labels)
        assert [kinds.known[code] for code in kinds.codes] == labels
        assert kinds.admitted((Condition("label", ">=", 2**16),)) == {2**16, 2**16 + 1}
        assert kinds.admitted((Condition("label", ">=", 0),)) is None


BLOCKS = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=8)


@settings(deadline=None, max_examples=200)
@given(BLOCKS, BLOCKS, st.sampled_from(["=", ">", ">=", "<", "<=", "in", "not in"]),
       st.lists(st.integers(0, 9), min_size=1, max_size=3), st.booleans())  # fmt: skip
def test_bounds_say_of_no_block_what_is_not_so(first, then, operator, values, rising):
    """Of blocks whose values rise and of such as do not, and when some have changed."""
    bounds = None
    for blocks in (first, first[: len(first) // 2] + then):
        if rising:
            flat = iter(sorted(value for block in blocks for value in block))
            blocks = [[next(flat) for _ in block] for block in blocks]  # noqa: PLW2901
        extremes = [(min(block), max(block)) for block in blocks]
        if bounds is None or rising:
            bounds = Bounds(extremes)
        else:
            start = len(first) // 2
            bounds.lows[start:] = [low for low, _ in extremes[start:]]
            bounds.highs[start:] = [high for _, high in extremes[start:]]
            bounds.refresh(start)
        wanted = tuple(values) if operator in ("in", "not in") else values[0]
        test = met(Condition("size", operator, wanted))
        pieces = bounds.pieces(test)
        assert [low for low, _, _ in pieces] == [0, *(high for _, high, _ in pieces)][:-1]
        assert pieces[-1][1] == len(blocks)
        open_blocks = 0
        for low, high, share in pieces:
            passing = [test.admits(value) for block in blocks[low:high] for value in block]
            assert share != "all" or all(passing)
            assert share != "none" or not any(passing)
            open_blocks += (high - low) * (share == "some")
        if rising and operator not in ("=", "in", "not in"):
            assert open_blocks <= 1  # elsewhere the extremes decide


class TestTexts:
    ROWS = ("ab", "cd", "ef", "gh")

    def test_is_what_the_list_is(self):
        texts = Texts(self.ROWS)
        for cut in (slice(1, 3), slice(None), slice(3, 0, -1), slice(None, None, 2), slice(2, 2)):
            assert texts[cut] == list(self.ROWS[cut])
        assert [texts[row] for row in range(4)] == list(self.ROWS)
        assert texts.among([3, 0, 2]) == ["gh", "ab", "ef"]
        assert Texts(self.ROWS * 50).among([199, 0]) == ["gh", "ab"]
        for outside in (4, -1):
            with pytest.raises(IndexError):
                texts[outside]

    def test_takes_no_text_of_several_lines(self):
        with pytest.raises(ValueError, match="several lines"):
            Texts(["a\nb", "abc"])

    @pytest.mark.parametrize("wanted", ["bc", "b", "abc", 7, "b\n"])
    def test_finds_whole_texts_only(self, wanted):
        assert Texts(self.ROWS).index("cd") == 1
        with pytest.raises(ValueError, match="not there"):
            Texts(self.ROWS).index(wanted)


@pytest.mark.parametrize("first", [range(2, 5), [2, 3, 4], range(4, 1, -1)])
@pytest.mark.parametrize("second", [range(5, 7), [5, 6], range(1, 0, -1), range(9, 10)])
def test_rows_one_after_the_other_are_a_range_where_that_goes_on(first, second):
    expected = [*first, *second]
    found = joined(first, second)
    assert list(found) == expected
    goes_on = (first, second) in ((range(2, 5), range(5, 7)), (range(4, 1, -1), range(1, 0, -1)))
    assert isinstance(found, range) == goes_on
