"""The leaky bucket, against a model that counts in fractions."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from fakeserver.dialects import find_dialect
from fakeserver.rate_limit import Bucket, RateLimit

LIMIT = RateLimit(size=3, leak_per_s=2, header="X-Limit", retry_after="1")


def test_it_fills_overflows_and_leaks():
    bucket = Bucket(LIMIT, now=1_000)
    assert [bucket.take(1_000) for _ in range(5)] == [True, True, True, False, False]
    assert bucket.header(1_000) == ("X-Limit", "3/3")
    assert bucket.take(1_499) is False
    assert bucket.take(1_500) is True
    assert bucket.used(9_999) == 0


def test_a_clock_that_is_set_back_fills_nothing():
    bucket = Bucket(LIMIT, now=10_000)
    assert bucket.take(10_000)
    assert bucket.used(5_000) == 1
    assert bucket.used(5_500) == 0


@given(
    size=st.integers(1, 5),
    leak=st.integers(1, 7),
    gaps=st.lists(st.integers(0, 700), max_size=40),
)
def test_it_lets_through_what_a_model_in_fractions_does(size, leak, gaps):
    limit = RateLimit(size=size, leak_per_s=leak, header="X-Limit", retry_after="1")
    bucket, now, level = Bucket(limit, now=0), 0, Fraction(0)
    for gap in gaps:
        now += gap
        level = max(Fraction(0), level - Fraction(gap * leak, 1000))
        fits = level + 1 <= size
        level += fits
        assert bucket.take(now) is fits
        assert bucket.used(now) == -(-level.numerator // level.denominator)


def test_who_has_a_limit():
    haravan, channel = find_dialect("haravan"), find_dialect("saleschannel")
    on = haravan.settings({"rate_limit": "bucket-80-4"})
    limit = haravan.rate_limit(on)
    assert limit is not None
    assert (limit.size, limit.leak_per_s, limit.retry_after) == (80, 4, "2.0")
    assert limit.header == "X-Haravan-Api-Call-Limit"
    assert haravan.rate_limit(haravan.settings({})) is None
    assert channel.rate_limit(channel.settings({})) is None
