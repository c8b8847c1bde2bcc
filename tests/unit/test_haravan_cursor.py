"""Cursors: each list is walked whole in both directions, and what is no cursor is refused."""

import base64
import json
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeserver.clock import at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Answer, Ask
from fakeserver.dialects.haravan.cursor import Place, read_place
from fakeserver.log import EventLog
from fakeserver.scenario import LoggedEvent

DIALECT = find_dialect("haravan")
NOON = at("2026-03-01T05:00:00Z")
LIST = "/com/events.json"


def event(event_id: int, verb: str = "placed", visible_at: int = NOON) -> LoggedEvent:
    fields = {
        "arguments": [],
        "body": None,
        "subject_id": 7,
        "subject_type": "Order",
        "verb": verb,
        "message": "",
        "author": "haravan",
        "description": None,
        "path": None,
    }
    return LoggedEvent(id=event_id, recorded_at=NOON, visible_at=visible_at, fields=fields)


LOG = EventLog(event(number, "placed" if number % 2 else "closed") for number in range(10, 21))


def ask(query: str = "", *, path: str = LIST, log: EventLog = LOG, when: int = NOON) -> Answer:
    settings = DIALECT.settings({"paging": "cursor"})
    headers = {"authorization": f"Bearer {TOKEN}"}
    return DIALECT.answer(Ask(path=path, query=query, headers=headers), log, when, settings)


def walk(query: str, rel: str = "next", **given) -> list[list[int]]:
    """Return the ids of each page, from the one that `query` asks for on, as far as links lead."""
    pages = []
    while True:
        got = ask(query, **given)
        assert got.problem is None
        pages.append([int(row.id) for row in got.rows])
        links = dict(got.links)
        if rel not in links:
            return pages
        query = links[rel]


def cut(ids: list[int], size: int) -> list[list[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)] or [[]]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 10, 11, 12])
class TestWalk:
    def test_reads_everything_once_upwards_and_ends_without_an_empty_page(self, limit):
        assert walk(f"limit={limit}") == cut(list(range(10, 21)), limit)

    def test_leads_back_to_the_start_over_the_same_rows(self, limit):
        pages = walk(f"limit={limit}")
        end = dict(ask(f"limit={limit}").links)
        for _ in pages[1:-1]:
            end = dict(ask(end["next"]).links)
        if len(pages) > 1:
            back = walk(end["next"], rel="previous")
            assert sorted(number for page in back for number in page) == list(range(10, 21))
            assert all(page == sorted(page) for page in back)

    def test_a_filter_goes_along(self, limit):
        odd = [number for number in range(10, 21) if number % 2]
        assert walk(f"limit={limit}&verb=placed") == cut(odd, limit)
        since = [number for number in odd if number > 12]
        assert walk(f"limit={limit}&verb=placed&since_id=12") == cut(since, limit)


class TestLinks:
    def test_one_page_has_none(self):
        assert ask("limit=11").links == ()
        assert ask("").links == ()
        assert ask("since_id=99").links == ()

    def test_the_first_page_has_a_next_the_last_a_previous_and_those_between_both(self):
        first = ask("limit=4")
        middle = ask(dict(first.links)["next"])
        last = ask(dict(middle.links)["next"])
        rels = [[rel for rel, _ in got.links] for got in (first, middle, last)]
        assert rels == [["next"], ["previous", "next"], ["previous"]]

    def test_they_hold_limit_fields_and_cursor_and_nothing_else(self):
        (rel, query), *_ = ask("limit=4&fields=verb,id&verb=placed&since_id=2").links
        assert rel == "next"
        assert parse_qs(query) == {
            "limit": ["4"],
            "fields": ["id,verb"],
            "page_info": parse_qs(query)["page_info"],
        }
        assert json.loads(ask(query).body)["events"][0].keys() == {"id", "verb"}

    def test_the_limit_in_them_is_the_one_that_holds(self):
        log = EventLog(event(number) for number in range(1, 100))
        assert "limit=50&" in dict(ask("limit=1000", log=log).links)["next"]

    def test_the_limit_beside_a_cursor_may_change(self):
        query = dict(ask("limit=2").links)["next"].replace("limit=2", "limit=5")
        assert [row.id for row in ask(query).rows] == [12, 13, 14, 15, 16]

    def test_the_same_request_has_the_same_cursor(self):
        assert ask("limit=4").links == ask("limit=4").links
        assert ask("limit=4").links != ask("limit=4&verb=placed,closed").links

    def test_an_order_s_own_list_has_its_own(self):
        path = "/com/orders/7/events.json"
        assert walk("limit=4", path=path) == cut(list(range(10, 21)), 4)

    def test_a_single_event_and_a_count_have_none(self):
        assert ask(path="/com/events/12.json").links == ()
        assert ask(path="/com/events/count.json").links == ()

    def test_with_page_numbers_there_are_none(self):
        settings = DIALECT.settings({})
        headers = {"authorization": f"Bearer {TOKEN}"}
        got = DIALECT.answer(Ask(path=LIST, query="limit=2", headers=headers), LOG, NOON, settings)
        assert got.links == ()


def test_a_row_that_appears_behind_the_cursor_does_not_move_the_others():
    late = EventLog([*LOG.events, event(5, visible_at=NOON + 1)])
    first = ask("limit=4", log=late)
    second = ask(dict(first.links)["next"], log=late, when=NOON + 1)
    assert [row.id for row in second.rows] == [14, 15, 16, 17]
    assert [row.id for row in ask("limit=4", log=late, when=NOON + 1).rows] == [5, 10, 11, 12]


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BROKEN = [
    "x",
    "abc",
    "%00",
    "é",
    "a b",
    "=",
    "_" * 4_000,
    encoded({}),
    encoded([]),
    encoded({"side": "after"}),
    encoded({"side": "beside", "id": 3}),
    encoded({"side": "after", "id": -1}),
    encoded({"side": "after", "id": 2**63}),
    encoded({"side": "after", "id": "3"}),
    encoded({"side": "after", "id": 3, "given": {"page": "2"}}),
    encoded({"side": "after", "id": 3, "given": {"verb": 2}}),
    encoded({"side": "after", "id": 3, "more": 1}),
    base64.urlsafe_b64encode(b"[" * 3_000).decode(),
    base64.urlsafe_b64encode(b'{"side":"after","id":3,"given":{"verb":"\xff"}}').decode(),
]


@pytest.mark.parametrize("page_info", BROKEN, ids=map(str, range(len(BROKEN))))
def test_what_is_no_cursor_is_refused_with_a_sentence(page_info):
    got = ask(urlencode({"page_info": page_info}))
    assert got.status == 422
    assert (got.problem or "").startswith("bad-page-info: page_info: expected one from a link")


def test_a_forged_filter_is_read_like_any_other():
    forged = encoded({"side": "after", "id": 3, "given": {"since_id": "ten"}})
    assert (ask(f"page_info={forged}").problem or "").startswith("bad-number: since_id: ")


@pytest.mark.parametrize("name", ["since_id", "created_at_min", "created_at_max", "filter", "verb"])
def test_beside_a_cursor_only_limit_and_fields_may_stand(name):
    query = dict(ask("limit=4").links)["next"]
    got = ask(f"{query}&{name}=1")
    assert got.status == 422
    assert (got.problem or "").startswith("beside-page-info: ")
    assert name in (got.problem or "")


def test_a_page_number_is_refused_and_told_what_came_instead():
    for query in ("page=1", "page=2&limit=5", "page=1&page_info=x"):
        got = ask(query)
        assert got.status == 422
        assert (got.problem or "").startswith("page-removed: page: ")
        assert "link header" in (got.problem or "")


def test_without_cursors_a_page_info_is_unknown():
    headers = {"authorization": f"Bearer {TOKEN}"}
    request = Ask(path=LIST, query="page_info=x", headers=headers)
    got = DIALECT.answer(request, LOG, NOON, DIALECT.settings({}))
    assert (got.problem or "").startswith("unknown-parameter: ")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=4", "everything, lowest id first"),
        ("limit=4&page_info={after}", "ids above 13, lowest first"),
        ("limit=4&page_info={before}", "ids below 18, highest first"),
    ],
)
def test_the_words_of_a_page(query, words):
    cursors = {"after": Place("after", 13).write(), "before": Place("before", 18).write()}
    request = Ask(
        path=LIST, query=query.format(**cursors), headers={"authorization": f"Bearer {TOKEN}"}
    )
    parsed = DIALECT.parse(request, DIALECT.settings({"paging": "cursor"}))
    assert DIALECT.words(parsed, NOON) == words


places = st.builds(
    Place,
    st.sampled_from(["after", "before"]),
    st.integers(min_value=0, max_value=2**63 - 1),
    st.dictionaries(
        st.sampled_from(["since_id", "created_at_min", "created_at_max", "filter", "verb"]),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
)


@given(places)
def test_a_cursor_reads_as_it_was_written(place):
    assert read_place(place.write(), status=422) == place


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reading_of_a_cursor(junk):
    got = ask(urlencode({"page_info": junk}))
    assert got.status in (200, 422)
