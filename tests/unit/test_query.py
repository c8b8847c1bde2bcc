"""Conditions: what each operator means, and that a null meets none of them."""

import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver.query import ID, RECORDED_AT, Condition, Query, SortKey, value_of
from fakeserver.scenario import LoggedEvent


def event(**fields: object) -> LoggedEvent:
    return LoggedEvent(id=7, recorded_at=1_000, visible_at=2_000, fields=fields)


class TestValueOf:
    def test_finds_the_two_fields_of_every_event_and_those_of_the_dialect(self):
        row = event(verb="placed", none=None)
        assert value_of(row, ID) == 7
        assert value_of(row, RECORDED_AT) == 1_000
        assert value_of(row, "verb") == "placed"
        assert value_of(row, "none") is None
        assert value_of(row, "missing") is None

    def test_a_field_of_the_dialect_can_t_hide_them(self):
        row = event(id=8, recorded_at=9)
        assert (value_of(row, ID), value_of(row, RECORDED_AT)) == (7, 1_000)

    def test_when_an_event_becomes_visible_is_no_field(self):
        """A client can't ask for what no API shows."""
        assert value_of(event(), "visible_at") is None


CONDITIONS = [
    ("=", 1_000, True),
    ("=", 999, False),
    (">", 999, True),
    (">", 1_000, False),
    (">=", 1_000, True),
    (">=", 1_001, False),
    ("<", 1_001, True),
    ("<", 1_000, False),
    ("<=", 1_000, True),
    ("<=", 999, False),
    ("in", (5, 1_000), True),
    ("in", (5, 6), False),
    ("in", (), False),
    ("not in", (5, 6), True),
    ("not in", (5, 1_000), False),
    ("not in", (), True),
]


@pytest.mark.parametrize(("name", "value", "expected"), CONDITIONS)
def test_what_an_operator_means(name, value, expected):
    assert Condition(RECORDED_AT, name, value).holds(event()) is expected


@pytest.mark.parametrize(("name", "value", "_"), CONDITIONS)
def test_a_null_meets_no_condition(name, value, _):
    unstamped = LoggedEvent(id=7, recorded_at=None, visible_at=2_000)
    assert Condition(RECORDED_AT, name, value).holds(unstamped) is False
    assert Condition("missing", name, value).holds(event()) is False


@settings(deadline=None)
@given(st.integers(), st.integers())
def test_a_comparison_and_its_opposite_divide_what_has_a_value(stamp, bound):
    row = LoggedEvent(id=7, recorded_at=stamp, visible_at=0)
    for name, opposite in ((">", "<="), (">=", "<"), ("in", "not in")):
        value = (bound,) if name == "in" else bound
        holds = Condition(RECORDED_AT, name, value).holds(row)
        assert holds is not Condition(RECORDED_AT, opposite, value).holds(row)
    assert Condition(RECORDED_AT, "=", bound).holds(row) is operator.eq(stamp, bound)


class TestQuery:
    def test_all_conditions_must_hold(self):
        both = (Condition(ID, "=", 7), Condition("verb", "in", ("placed",)))
        assert Query(conditions=both).matches(event(verb="placed"))
        assert not Query(conditions=both).matches(event(verb="closed"))
        assert not Query(conditions=both[::-1]).matches(event())

    def test_without_conditions_everything_matches_whatever_the_cut(self):
        assert Query().matches(event())
        assert Query(limit=0, offset=10**6).matches(event())

    def test_equal_queries_are_one_key(self):
        """The judge groups and remembers by query."""
        one = Query(conditions=(Condition(ID, "in", (1, 2)),), order=(SortKey(ID),))
        other = Query(conditions=(Condition(ID, "in", (1, 2)),), order=(SortKey(ID),))
        assert one == other
        assert hash(one) == hash(other)
        assert one != Query(conditions=one.conditions, order=(SortKey(ID, descending=True),))
