"""The document's samples: each of its requests gets its answer.

The data lie in ``fixtures/documented/haravan``: a scenario with the five events of the samples, and
one file for each exchange. The expected bodies are the document's, made valid JSON; where it
contradicts itself, the file's notes say so.
"""

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, Answer, Ask
from fakeserver.log import EventLog
from fakeserver.scenario import Scenario

FOLDER = Path(__file__).parents[2] / "fixtures" / "documented" / "haravan"
FILES = sorted(FOLDER.glob("[0-9]*.json"))
SCENARIO = Scenario.load(FOLDER / "scenario.json")
DIALECT = find_dialect("haravan")
AT = SCENARIO.starts_at


def answer(request: str, **settings: object) -> Answer:
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    ask = Ask(method=method, path=path, query=query, headers={"x-haravan-access-token": TOKEN})
    chosen = DIALECT.settings({**SCENARIO.settings, **settings})
    return DIALECT.answer(ask, EventLog(SCENARIO.events), AT, chosen)


def read(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8"))


def test_all_eleven_sample_exchanges_are_here():
    assert len(FILES) == 11
    assert len({read(file)["request"] for file in FILES}) == 11


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
class TestSampleRequest:
    def test_gets_the_sample_answer_with_its_keys_in_the_same_order(self, file):
        sample = read(file)
        got = answer(sample["request"])
        assert got.status == sample["status"]
        assert json.dumps(json.loads(got.body)) == json.dumps(sample["body"])
        assert got.problem is None

    @pytest.mark.parametrize("space", ["+", "%20"])
    def test_may_be_encoded(self, file, space):
        sample = read(file)
        assert (
            json.loads(answer(sample["request"].replace(" 21:", f"{space}21:")).body)
            == (sample["body"])
        )

    def test_may_be_encoded_to_the_last_character(self, file):
        method, _, target = read(file)["request"].partition(" ")
        path, mark, query = target.partition("?")
        encoded = f"{method} {path}{mark}{quote(query, safe='=&')}"
        assert json.loads(answer(encoded).body) == read(file)["body"]

    @pytest.mark.parametrize(
        "settings",
        [
            {"order_default": "created_at-asc"},
            {"slashes": "escaped"},
            {"ascii": "escaped"},
            {"limit_max": None},
            {"limit_max": 5},
            {"time_forms": "document-only"},
        ],
        ids=str,
    )
    def test_gets_it_under_other_answers_that_the_document_allows(self, file, settings):
        assert json.loads(answer(read(file)["request"], **settings).body) == read(file)["body"]


def test_the_escaped_body_looks_like_the_document_s():
    """With its slashes escaped, only the quotes that the document forgot make a difference."""
    body = answer("GET /com/events/677313116.json", slashes="escaped").body.decode()
    assert r"<a href=\"\/admin\/products\/921728736\">IPod Touch 8GB<\/a>" in body
    assert r'"path":"\/admin\/products\/921728736"' in body


def test_another_zone_refutes_the_sample():
    """Read in UTC, 21:00 would leave out nothing: the samples hold in the shop's zone alone."""
    request = "GET /com/events/count.json?created_at_min=2007-12-31 21:00:00"
    assert json.loads(answer(request).body) == {"count": 1}
    assert json.loads(answer(request, shop_zone="UTC").body) == {"count": 3}


@pytest.mark.parametrize("event_id", [852065041, 103105390])
class TestScopedOnlyEvent:
    def test_is_found_by_its_id_and_under_its_order(self, event_id):
        assert answer(f"GET /com/events/{event_id}.json").event_ids == (event_id,)
        assert event_id in answer("GET /com/orders/450789469/events.json").event_ids

    def test_is_in_no_other_list(self, event_id):
        for query in ("", "?since_id=1", "?filter=Order", "?created_at_min=2008-01-01+00:00"):
            assert event_id not in answer(f"GET /com/events.json{query}").event_ids


def test_the_placeholder_of_the_document_is_not_a_path():
    got = answer("GET /com/orders/#{id}/events.json")
    assert got.status == 404
    assert b"put the number in the place of #{id}" in got.body


def test_the_document_contradicts_itself_where_the_notes_say_so():
    """Each note that can be computed is: a fixture that lies is worse than none."""
    rows = {event.id: event for event in SCENARIO.events}
    by_time = sorted(rows, key=lambda event_id: rows[event_id].recorded_at)
    assert by_time != sorted(rows)
    assert "210.94" in rows[103105390].fields["arguments"]
    assert "$409.94" in rows[103105390].fields["message"]
    assert rows[852065041].fields["path"].endswith("/transactions/")
    assert rows[164748010].fields["path"].endswith("/transactions/#1001")
    assert len(rows) == 5
    assert json.loads(answer("GET /com/events/count.json").body) == {"count": 3}
