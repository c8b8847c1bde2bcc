"""Reading what came over the wire: query strings, numbers and times, or a refusal that helps."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver.clock import INSTANT_MAX, INSTANT_MIN, at, to_text
from fakeserver.dialects.base import TOKEN, TOKEN_WITHOUT_ROLE, Ask, Refused
from fakeserver.dialects.wire import (
    QUERY_CHARS_MAX,
    SHOWN_CHARS_MAX,
    WHOLE_NUMBER_MAX,
    check_token,
    only_get,
    read_time,
    reject_repeated,
    shown,
    split_query,
    unknown_parameter,
    whole_number,
)


def refusal(read: Callable[..., Any], *args: Any, **options: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        read(*args, **options)
    return caught.value


class TestSplitQuery:
    @pytest.mark.parametrize(
        ("raw", "pairs"),
        [
            ("", []),
            ("&&", []),
            ("a", [("a", "")]),
            ("a=", [("a", "")]),
            ("=a", [("", "a")]),
            ("a=b=c", [("a", "b=c")]),
            ("b=1&a=2&b=1", [("b", "1"), ("a", "2"), ("b", "1")]),
            ("a+b=c+d", [("a b", "c d")]),
            ("a%2Bb=c%20d", [("a+b", "c d")]),
            ("a;b=c;d", [("a;b", "c;d")]),
            ("%26=%3D", [("&", "=")]),
            ("a=%25", [("a", "%")]),
            ("a=%E2%82%AC", [("a", "€")]),
            ("a=€", [("a", "€")]),
            ("a=%00", [("a", "\0")]),
        ],
    )
    def test_decodes_into_pairs_in_their_order(self, raw, pairs):
        assert split_query(raw) == pairs

    @pytest.mark.parametrize("raw", ["%", "a=%", "a=%5", "a=%5G", "%%20", "a=%u20AC", "a=% 20"])
    def test_refuses_a_broken_percent_sign(self, raw):
        refused = refusal(split_query, raw)
        assert (refused.status, refused.code) == (400, "broken-encoding")
        assert "send a literal % as %25" in refused.says

    @pytest.mark.parametrize("raw", ["a=%FF", "%C3=a", "a=%C0%80", "a=%ED%A0%80", "a=%F5%80%80%80"])
    def test_refuses_what_is_not_utf_8(self, raw):
        refused = refusal(split_query, raw, status=422)
        assert (refused.status, refused.code) == (422, "broken-encoding")

    def test_refuses_more_than_8_kib(self):
        assert split_query("a" * QUERY_CHARS_MAX) == [("a" * QUERY_CHARS_MAX, "")]
        refused = refusal(split_query, "a" * (QUERY_CHARS_MAX + 1), status=422)
        assert (refused.status, refused.code) == (414, "query-too-long")
        assert len(refused.says) < 200

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=8))
    def test_reads_back_whatever_was_encoded(self, pairs):
        pairs = [pair for pair in pairs if pair != ("", "")]
        raw = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
        assert split_query(raw) == pairs


def test_a_name_may_come_once():
    assert reject_repeated([("a", "1"), ("b", "1")]) == {"a": "1", "b": "1"}
    refused = refusal(reject_repeated, [("a", "1"), ("b", "1"), ("a", "1")], status=422)
    assert (refused.status, refused.code) == (422, "repeated-parameter")
    assert "'a'" in refused.says


def test_an_unknown_name_is_told_the_known_ones_and_the_nearest():
    refused = unknown_parameter("limt", ("limit", "page"), status=422)
    assert refused.says == "expected one of limit, page, got 'limt'; did you mean limit?"
    assert unknown_parameter("zzz", ("limit", "page")).says == (
        "expected one of limit, page, got 'zzz'"
    )


def test_what_is_shown_is_short_and_visible():
    assert shown("a\n\0") == r"'a\n\x00'"
    assert len(shown("a" * 10_000)) == SHOWN_CHARS_MAX + len("'…'")


class TestWholeNumber:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("0", 0),
            ("5", 5),
            ("+5", 5),
            ("-3", -3),
            ("007", 7),
            ("-0", 0),
            ("9223372036854775807", WHOLE_NUMBER_MAX),
        ],
    )
    def test_reads(self, text, number):
        assert whole_number("n", text, least=-3) == number

    @pytest.mark.parametrize(
        "text",
        [
            *["", " ", " 5", "5 ", "5\n", "+", "-", "--5", "5.0", "5,0", "1e3", "0x5", "1_000"],
            *["five", "\u0665", "\uff15", "\u00b2", "5\u0665", "NaN", "inf"],
            *["9" * 21, "9" * 100_000],
        ],
        ids=lambda text: f"{text[:10]!r}, {len(text)} characters",
    )
    def test_refuses(self, text):
        refused = refusal(whole_number, "n", text, least=0, status=422)
        assert (refused.status, refused.code) == (422, "bad-number")
        assert refused.says.startswith("n: expected a whole number, got ")
        assert len(refused.says) < 200

    @pytest.mark.parametrize(("text", "least", "most"), [("0", 1, 9), ("10", 1, 9), ("-1", 0, 9)])
    def test_refuses_beyond_its_bounds(self, text, least, most):
        refused = refusal(whole_number, "n", text, least=least, most=most)
        assert refused.says == f"n: expected a whole number from {least} to {most}, got {text}"

    @settings(deadline=None)
    @given(st.integers(0, WHOLE_NUMBER_MAX))
    def test_reads_back_every_number(self, number):
        assert whole_number("n", str(number), least=0) == number
        assert refusal(whole_number, "n", str(number + WHOLE_NUMBER_MAX + 1), least=0)


NEW_YORK = ZoneInfo("America/New_York")
TIMES = [
    # with an offset the zone does not matter
    ("2026-03-01T12:00:05Z", None, 0, "2026-03-01T12:00:05Z"),
    ("2026-03-01 12:00:05Z", None, 0, "2026-03-01T12:00:05Z"),
    ("2026-03-01T12:00Z", NEW_YORK, 0, "2026-03-01T12:00:00Z"),
    ("2026-03-01T12:00:05-05:00", NEW_YORK, 0, "2026-03-01T17:00:05Z"),
    ("2026-03-01T12:00:05-0500", None, 0, "2026-03-01T17:00:05Z"),
    ("2026-03-01 12:00:05 +0530", None, 0, "2026-03-01T06:30:05Z"),
    ("2026-03-01T12:00:05-00:00", None, 0, "2026-03-01T12:00:05Z"),
    ("2026-03-01T12:00:05+23:59", None, 0, "2026-02-28T12:01:05Z"),
    ("2024-02-29T12:00:00Z", None, 0, "2024-02-29T12:00:00Z"),
    # a fraction is cut, never rounded
    ("2026-03-01T12:00:05.1Z", None, 0, "2026-03-01T12:00:05.100Z"),
    ("2026-03-01T12:00:05.12Z", None, 0, "2026-03-01T12:00:05.120Z"),
    ("2026-03-01T12:00:05.9999Z", None, 0, "2026-03-01T12:00:05.999Z"),
    ("2026-03-01T12:00:05.999999999Z", None, 0, "2026-03-01T12:00:05.999Z"),
    ("2026-03-01T12:00:59.9999999Z", None, 0, "2026-03-01T12:00:59.999Z"),
    ("1969-12-31T23:59:59.9996Z", None, 0, "1969-12-31T23:59:59.999Z"),
    ("0001-01-01T00:00:00.0009Z", None, 0, "0001-01-01T00:00:00.000Z"),
    ("9999-12-31T23:59:59.9999Z", None, 0, "9999-12-31T23:59:59.999Z"),
    # without an offset it is local
    ("2026-03-01", NEW_YORK, 0, "2026-03-01T05:00:00Z"),
    ("2026-03-01 12:00", NEW_YORK, 0, "2026-03-01T17:00:00Z"),
    ("2026-07-01T12:00:00.5", NEW_YORK, 0, "2026-07-01T16:00:00.500Z"),
    # 01:30 on 2026-11-01 comes twice in New York
    ("2026-11-01 01:29:59.999", NEW_YORK, 0, "2026-11-01T05:29:59.999Z"),
    ("2026-11-01 01:30", NEW_YORK, 0, "2026-11-01T05:30:00Z"),
    ("2026-11-01 01:30", NEW_YORK, 1, "2026-11-01T06:30:00Z"),
    ("2026-11-01 00:59", NEW_YORK, 1, "2026-11-01T04:59:00Z"),
    ("2026-11-01 02:00", NEW_YORK, 0, "2026-11-01T07:00:00Z"),
    ("2026-11-01 02:00", NEW_YORK, 1, "2026-11-01T07:00:00Z"),
    # 02:30 on 2026-03-08 never comes: the offset before the change (fold 0), or after it
    ("2026-03-08 01:59", NEW_YORK, 0, "2026-03-08T06:59:00Z"),
    ("2026-03-08 02:30", NEW_YORK, 0, "2026-03-08T07:30:00Z"),
    ("2026-03-08 02:30", NEW_YORK, 1, "2026-03-08T06:30:00Z"),
    ("2026-03-08 03:00", NEW_YORK, 0, "2026-03-08T07:00:00Z"),
    # half an hour of summer time, and a country that skipped a whole day
    ("2026-04-05 01:45", ZoneInfo("Australia/Lord_Howe"), 0, "2026-04-04T14:45:00Z"),
    ("2026-04-05 01:45", ZoneInfo("Australia/Lord_Howe"), 1, "2026-04-04T15:15:00Z"),
    ("2011-12-30 12:00", ZoneInfo("Pacific/Apia"), 0, "2011-12-30T22:00:00Z"),
    # the edges of the calendar
    ("0001-01-01T00:00:00Z", None, 0, "0001-01-01T00:00:00Z"),
    ("0001-01-01T14:00:00+14:00", None, 0, "0001-01-01T00:00:00Z"),
    ("9999-12-31T09:59:59-14:00", None, 0, "9999-12-31T23:59:59Z"),
    ("0001-01-01 00:00", ZoneInfo("UTC"), 0, "0001-01-01T00:00:00Z"),
    ("9999-12-31 23:59:59.999", ZoneInfo("UTC"), 0, "9999-12-31T23:59:59.999Z"),
]  # fmt: skip


NEARLY_A_TIME = st.from_regex(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?"
    r"([+-][0-2][0-9]:?[0-6][0-9]|Z)?",
    fullmatch=True,
)


def read_or_code(text: str) -> bool | str:
    """Whether what was read lies in the calendar, or the code of the refusal."""
    try:
        return INSTANT_MIN <= read_time("t", text, naive_zone=NEW_YORK) <= INSTANT_MAX
    except Refused as refused:
        return refused.code


class TestReadTime:
    @pytest.mark.parametrize(("text", "naive_zone", "fold", "expected"), TIMES)
    def test_reads(self, text, naive_zone, fold, expected):
        assert to_text(read_time("t", text, naive_zone=naive_zone, naive_fold=fold)) == to_text(
            at(expected)
        )

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("0001-01-01 00:00", "Asia/Ho_Chi_Minh"),
            ("0001-01-01 04:59", "Asia/Tokyo"),
            ("9999-12-31 23:59", "America/New_York"),
            ("9999-12-31 19:00", "America/New_York"),
        ],
    )
    def test_refuses_a_local_time_beyond_the_calendar(self, text, place):
        refused = refusal(read_time, "t", text, naive_zone=ZoneInfo(place), status=422)
        assert (refused.status, refused.code) == (422, "bad-time")
        assert "year from 1 to 9999" in refused.says

    def test_refuses_a_naive_time_without_a_zone(self):
        refused = refusal(read_time, "t", "2026-03-01T12:00:05", naive_zone=None)
        assert "expected an offset or Z at the end" in refused.says

    @pytest.mark.parametrize(
        "text",
        [
            "2026-03-01T24:00:00Z",
            "2026-03-01T24:00Z",
            "2026-03-01T12:00:00+00:60",
            "2026-03-01T12:00:00-0099",
            "2026-03-01T99:99:99Z",
            "2026-02-30T00:00:00Z",
        ],
    )
    def test_refuses_times_that_no_clock_shows(self, text):
        refused = refusal(read_time, "t", text, naive_zone=None)
        assert refused.says.startswith(f"t: no such date and time as {text!r}")

    @pytest.mark.parametrize("text", ["2026-03-01T12:00:00 07:00", "2026-03-01 12:00 0700"])
    def test_puts_a_lost_plus_back_where_it_may(self, text):
        assert refusal(read_time, "t", text, naive_zone=None).code == "lost-plus"
        assert to_text(read_time("t", text, naive_zone=None, mend_plus=True)) == (
            "2026-03-01T05:00:00.000Z"
        )

    @settings(deadline=None)
    @given(st.integers(INSTANT_MIN, INSTANT_MAX))
    def test_reads_back_every_instant(self, instant):
        assert read_time("t", to_text(instant), naive_zone=None) == instant
        assert read_time("t", to_text(instant)[:-1], naive_zone=ZoneInfo("UTC")) == instant

    @settings(deadline=None)
    @given(st.text(max_size=40) | NEARLY_A_TIME)
    def test_never_fails_otherwise(self, text):
        assert read_or_code(text) in (True, "bad-time", "lost-plus")


class TestTokenAndMethod:
    def test_a_vendor_s_header_counts_where_it_is_named(self):
        ask = Ask(path="/", headers={"x-token": TOKEN})
        assert check_token(ask, header="X-Token") is None
        assert refusal(check_token, ask).code == "no-token"

    @pytest.mark.parametrize(
        ("token", "status", "code"),
        [(TOKEN_WITHOUT_ROLE, 403, "no-role"), ("", 401, "wrong-token"), ("x", 401, "wrong-token")],
    )
    def test_the_wrong_token(self, token, status, code):
        refused = refusal(check_token, Ask(path="/", headers={"x-token": token}), header="X-Token")
        assert (refused.status, refused.code) == (status, code)

    @pytest.mark.parametrize("secret", ["hunter2", "Bearer hunter2", "Basic hunter2", "hunter2 a"])
    def test_the_token_that_came_is_never_quoted(self, secret):
        assert (
            "hunter2"
            not in refusal(check_token, Ask(path="/", headers={"authorization": secret})).says
        )

    def test_only_get_and_head(self):
        assert only_get(Ask(path="/p"), "/p") is None
        assert only_get(Ask(path="/p", method="HEAD"), "/p") is None
        refused = refusal(only_get, Ask(path="/p", method="POST"), "/p")
        assert (refused.status, refused.headers) == (405, (("Allow", "GET, HEAD"),))
        assert "expected GET /p, got 'POST'" in refused.says
