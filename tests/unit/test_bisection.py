"""The search for a boundary finds it exactly, and notices a row that is not monotone."""

import pytest

from fakeserver.verifier.margins.bisection import Bisection


def played(last, stands, steps_max=1_000_000):
    """Play the search with the rule `stands`; return it and the steps it took."""
    search, tried = Bisection(last), []
    while (step := search.next_step()) is not None and len(tried) < steps_max:
        assert 0 <= step <= last
        assert step not in tried
        tried.append(step)
        search.learn(step, stood=stands(step))
    return search, tried


@pytest.mark.parametrize("last", range(20))
def test_every_boundary_is_found(last):
    for boundary in range(last + 1):
        search, _ = played(last, lambda step, least=boundary: step < least)
        assert search.stands == (boundary - 1 if boundary else None)
        assert search.breaks == boundary
        assert search.stands_again == ()


@pytest.mark.parametrize("last", range(20))
def test_where_everything_stands_the_last_step_was_tried(last):
    search, tried = played(last, lambda _: True)
    assert (search.stands, search.breaks, search.stands_again) == (last, None, ())
    assert last in tried


def test_a_long_row_takes_few_steps():
    last = 605_799
    for boundary in (1, 2, 1_000, 300_000, last):
        search, tried = played(last, lambda step, least=boundary: step < least)
        assert search.breaks == boundary
        assert len(tried) <= 2 * last.bit_length() + 5


def test_where_the_first_step_breaks_nothing_else_is_tried():
    search, tried = played(100, lambda _: False)
    assert (search.stands, search.breaks, tried) == (None, 0, [0])


def test_what_stands_beyond_the_break_is_told():
    search, _ = played(100, lambda step: step < 10 or step == 100)
    assert (search.stands, search.breaks, search.stands_again) == (9, 10, (100,))


def test_a_break_below_what_stood_is_followed():
    """Doubling steps over it and a check hits it: then the boundary lies there."""
    search, tried = played(64, lambda step: not 45 <= step <= 50)
    assert tried.index(64) < tried.index(48)
    assert (search.stands, search.breaks) == (44, 45)
    assert {64} <= set(search.stands_again) <= set(range(51, 65))


@pytest.mark.parametrize("steps", range(12))
def test_what_is_known_is_there_at_any_moment(steps):
    search, tried = played(100, lambda step: step < 10, steps_max=steps)
    stood = [step for step in tried if step < 10]
    broke = [step for step in tried if step >= 10]
    assert search.stands == max(stood, default=None)
    assert search.breaks == min(broke, default=None)
