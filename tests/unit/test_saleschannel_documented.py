"""The document's requests: the curl line, the paging query in two encodings, the overlap, the end.

The data lie in ``fixtures/documented/saleschannel``: a scenario with seven events, and one file for
each exchange. The document's own sample answer is ``[{}]``, so the events are made up and every
file says so; where the document contradicts itself, the file's notes name the contradiction.
"""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest

from fakeserver.clock import at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Answer, Ask
from fakeserver.log import EventLog
from fakeserver.scenario import Scenario

FOLDER = Path(__file__).parents[2] / "fixtures" / "documented" / "saleschannel"
FILES = sorted(FOLDER.glob("[0-9]*.json"))
SCENARIO = Scenario.load(FOLDER / "scenario.json")
DIALECT = find_dialect("saleschannel")
AT = SCENARIO.starts_at
PATH = "/saleschannel-services/v1/events"
PATH_WITHOUT_VERSION = "/saleschannel-services/events"
LONG_AGO = "2020-01-01T00:00:00.000Z"


def answer(request: str, **settings: object) -> Answer:
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    headers = {"accept": "application/json", "authorization": f"Bearer {TOKEN}"}
    ask = Ask(method=method, path=path, query=query, headers=headers)
    chosen = DIALECT.settings({**SCENARIO.settings, **settings})
    return DIALECT.answer(ask, EventLog(SCENARIO.events), AT, chosen)


def read(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8"))


def exchange(stem: str) -> dict:
    return read(FOLDER / f"{stem}.json")


def page(limit: int, since: str, **settings: object) -> list[dict]:
    query = f"$limit={limit}&$orderBy[createdAt]=asc&$filter[createdAt][gte]={since}"
    return json.loads(answer(f"GET {PATH}?{query}", **settings).body)


def test_every_exchange_is_here_once():
    assert len(FILES) == len({read(file)["request"] for file in FILES}) == 11


def test_the_scenario_is_written_as_the_package_writes_one():
    assert Scenario.from_json(SCENARIO.to_json()) == SCENARIO
    assert json.loads((FOLDER / "scenario.json").read_bytes()) == json.loads(SCENARIO.to_json())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
class TestExchange:
    def test_gets_its_answer_with_its_keys_in_the_same_order(self, file):
        sample = read(file)
        got = answer(sample["request"])
        assert got.status == sample["status"]
        assert json.dumps(json.loads(got.body)) == json.dumps(sample["body"])
        assert (got.problem is None) == (sample["status"] == 200)

    def test_may_be_encoded_to_the_last_character(self, file):
        method, _, target = read(file)["request"].partition(" ")
        path, mark, query = target.partition("?")
        pairs = [pair.split("=", 1) for pair in query.split("&")] if query else []
        encoded = "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in pairs)
        assert json.loads(answer(f"{method} {path}{mark}{encoded}").body) == read(file)["body"]

    @pytest.mark.parametrize(
        "settings",
        [
            {"operators": "gte-only", "order_by": "asc-only"},
            {"limit_max": 100, "limit_default": 100, "limit_over_max": "reject"},
            {"naive_times": "utc"},
            {"event_at": "any"},
            {"without_role": 404},
            {"unparsable_query": "reject", "unknown_parameter": "ignore"},
        ],
        ids=str,
    )
    def test_gets_it_under_other_answers_that_the_document_allows(self, file, settings):
        assert json.loads(answer(read(file)["request"], **settings).body) == read(file)["body"]

    def test_says_that_its_rows_are_made_up(self, file):
        sample = read(file)
        has_rows = sample["status"] == 200 and sample["body"] != []
        assert any("made up: the document's own sample is [{}]" in n for n in sample["notes"]) == (
            has_rows
        )


CONTRADICTIONS = {
    "01-list-events": ("required, and both are 'string or null'", "lost its name"),
    "05-page-2": ("the operator is gte",),
    "07-page-4-is-short": ("page_size is never defined",),
    "08-ties-fill-the-page": ("'one message of overlap' holds while",),
    "09-path-without-version": ("no /v1",),
    "10-whole-event-as-key": ("becomes page[-1], a whole event",),
    "11-empty-page": ("never gets an empty page",),
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_notes_name_the_document_s_contradictions(file):
    named = [n for n in read(file)["notes"] if n.startswith("Contradiction: ")]
    phrases = CONTRADICTIONS.get(file.stem, ())
    assert len(named) == len(phrases)
    assert all(phrase in note for phrase, note in zip(phrases, named, strict=True))


class TestTheNotesAreTrue:
    """Each contradiction that can be computed is: a fixture that lies is worse than none."""

    def test_required_but_null(self):
        events = exchange("01-list-events")["body"]
        assert [event["eventAt"] for event in events].count(None) == 1
        assert all(set(e) >= {"id", "eventType", "createdAt", "eventAt"} for e in events)
        everything = answer(f"GET {PATH}?$filter[eventAt][gte]=0001-01-01T00:00:00Z")
        assert len(everything.rows) == len(events) - 1

    def test_the_details_have_the_invented_name(self):
        assert "details" in DIALECT.switch("details_key").invented
        assert all("details" in event for event in exchange("01-list-events")["body"])

    def test_one_message_of_overlap_only_without_ties(self):
        pages = [exchange(stem)["body"] for stem in ("04-page-1", "05-page-2", "06-page-3")]
        for before, after in pairwise(pages):
            shared = [event for event in after if event in before]
            assert shared == [before[-1]] == [after[0]]
        stuck = exchange("08-ties-fill-the-page")["body"]
        assert stuck[0]["createdAt"] == stuck[-1]["createdAt"]
        assert page(2, stuck[-1]["createdAt"]) == stuck

    def test_newer_is_newer_or_equal(self):
        since = exchange("05-page-2")["body"][0]["createdAt"]
        assert since in exchange("05-page-2")["request"]

    def test_a_short_page_ends_the_loop_too_early_under_a_cap(self):
        short = page(100, LONG_AGO, limit_max=5)
        assert len(short) == 5 < len(SCENARIO.events)

    def test_a_page_of_one_never_ends_it(self):
        (last,) = page(1, SCENARIO_LAST)
        assert page(1, last["createdAt"]) == [last]

    def test_a_whole_event_is_no_key_and_its_created_at_is(self):
        event = exchange("07-page-4-is-short")["body"][-1]
        assert event["createdAt"] in exchange("10-whole-event-as-key")["request"]
        assert page(100, event["createdAt"]) == [event]

    def test_the_path_of_the_pseudo_code_is_served_under_the_switch(self):
        query = exchange("02-first-page-in-brackets")["request"].partition("?")[2]
        target = f"GET {PATH_WITHOUT_VERSION}?{query}"
        assert answer(target).status == 404
        served = answer(target, alias_without_version=True)
        assert json.loads(served.body) == exchange("02-first-page-in-brackets")["body"]
        with_version = f"GET {PATH}?{query}"
        assert answer(with_version, alias_without_version=True).body == served.body

    def test_an_inclusive_loop_gets_no_empty_page_but_the_first(self):
        last = exchange("01-list-events")["body"][-1]["createdAt"]
        assert page(100, last) != []
        assert exchange("11-empty-page")["body"] == []


SCENARIO_LAST = "2022-03-16T09:41:07.120Z"


def test_the_two_encodings_get_the_same_bytes():
    brackets = answer(exchange("02-first-page-in-brackets")["request"])
    in_json = answer(exchange("03-first-page-in-json")["request"])
    assert brackets.body == in_json.body


@pytest.mark.parametrize(("limit", "requests"), [(3, 4), (4, 3), (5, 2), (7, 2), (100, 1)])
def test_the_document_s_loop_with_a_break_reads_every_event(limit, requests):
    """With its slips mended: the key is the createdAt, `page_size` is the limit."""
    seen: Counter[str] = Counter()
    pagination_key, count = LONG_AGO, 0
    while True:
        rows = page(limit, pagination_key)
        count += 1
        seen.update(event["id"] for event in rows)
        pagination_key = rows[-1]["createdAt"]
        if len(rows) < limit:
            break
    assert set(seen) == {event.id for event in SCENARIO.events}
    assert count == requests


def test_ids_look_like_the_vendor_s_cuids():
    """25 characters, the first nine hold the time: c, and base-36 milliseconds."""
    for event in SCENARIO.events:
        assert len(event.id) == 25
        assert event.id[0] == "c"
        assert int(event.id[1:9], 36) == event.recorded_at
    assert at(SCENARIO_LAST) == SCENARIO.events[-1].recorded_at
