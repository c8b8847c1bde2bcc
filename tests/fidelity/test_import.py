"""Imported pages: a scenario that is served and replayed, with nothing of anybody in it."""

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fakeserver.app import FakeServer
from fakeserver.cli import main
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import call
from fakeserver.fidelity.importing.pages import import_pages
from fakeserver.fidelity.importing.scrubbing import Scrubber, cuids_in_order, numbers_in_order
from fakeserver.fidelity.trace.recordings import read_recordings
from fakeserver.fidelity.trace.tracing import Traced, trace
from fakeserver.scenario import Scenario
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from tests.fidelity.traced import PATHS, Reader, as_har, drawn_world, rows_of, with_rows

OF_THE_API = {"id", "created_at", "createdAt", "eventAt", "eventType", "subject_type", "verb"}
OF_THE_API |= {"status", "previousStatus"}
"""Fields whose values stay: stamps, and words of the API. Ids are looked at one by one."""
RESOURCES = {"admin", "orders", "products", "articles", "blogs", "collections", "pages", "href"}


def traced(folder: Path, dialect: str, entries: list[dict[str, Any]]) -> Traced:
    path = folder / "recorded.har"
    path.write_bytes(as_har(entries))
    found = find_dialect(dialect)
    return trace(read_recordings([str(path)], found), dialect=dialect)


def texts(value: Any) -> list[str]:
    """All text and numbers in a value but what is the API's own."""
    if isinstance(value, dict):
        return [t for name, v in value.items() if name not in OF_THE_API for t in texts(v)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [] if value is None else [str(value)]


def personal(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with what people write in its texts: an address, an amount."""
    rows = rows_of(entry)
    for row in rows:
        for name in ("description", "message"):
            if row.get(name):
                row[name] = f"{row[name]} anna.nguyen@mail.example 1,234,567.89 VND"
    return with_rows(entry, rows) if rows else entry


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seed", range(6))
def test_no_original_value_is_left(tmp_path: Path, dialect: str, seed: int) -> None:
    entries = [personal(entry) for entry in Reader(drawn_world(dialect, seed), seed).read()]
    rows = [row for entry in entries for row in rows_of(entry)]
    if not rows:
        pytest.skip("this world shows no event")
    imported = import_pages(
        traced(tmp_path, dialect, entries), random=Random("import"), seen="2026-11-26"
    )
    made = imported.scenario.to_json().decode()
    fields = [dict(event.fields) for event in imported.scenario.events]
    assert not words(rows) & words(fields) - RESOURCES
    assert "anna" not in made
    assert "mail.example" not in made
    for row in rows:
        assert f'"id": {json.dumps(row["id"])},' not in made


def words(value: Any) -> set[str]:
    """The words and numbers of three letters or more, but three digits are too few to avoid."""
    found = {word for text in texts(value) for word in re.findall(r"[^\W_]+", text)}
    return {word for word in found if len(word) > 2 and not re.fullmatch("[0-9]{3}", word)}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_order_ties_and_shape_are_kept(tmp_path: Path, dialect: str) -> None:
    worlds = (drawn_world(dialect, seed) for seed in range(30))
    scenario = next(world for world in worlds if len(world.events) > 5)
    found = traced(tmp_path, dialect, Reader(scenario, 4).read())
    imported = import_pages(found, random=Random(1), seen="2026-11-26").scenario
    known = [event for event in scenario.events if event.id in found.rows]
    assert len(imported.events) == len(known)

    def by_id(events: Any) -> list[tuple[Any, int]]:
        return [(event.recorded_at, len(str(event.id))) for event in sorted(events, key=id_of)]

    def id_of(event: Any) -> Any:
        return event.id

    assert by_id(imported.events) == by_id(known)


def test_an_imported_world_is_served_and_kept(tmp_path: Path) -> None:
    worlds = (drawn_world("haravan", seed) for seed in range(30))
    scenario = next(world for world in worlds if len(world.events) > 12)
    found = traced(tmp_path, "haravan", Reader(scenario, 4).read())
    imported = import_pages(found, random=Random(1), seen="2026-11-26").scenario
    assert Scenario.from_json(imported.to_json()) == imported
    client = find_dialect("haravan").reference_client
    history = run(imported, client)
    assert not judge(imported, history, Promise()).findings
    server = FakeServer(imported)
    server.world.advance_to(imported.ends_at)
    url, headers = server.url(PATHS["haravan"]), {"Authorization": f"Bearer {TOKEN}"}
    assert json.loads(call(server, "GET", url, headers).body)["events"]


def test_the_same_word_becomes_the_same_in_its_shape() -> None:
    text = 'Received <a href="/admin/orders/450789469">#1001</a> by Bob Norman, bob@mail.example'
    scrubber = Scrubber(Random(1), [text])
    made = scrubber.text(text)
    assert f" {scrubber.text('Bob')} " in made
    assert scrubber.text("450789469") in made
    pattern = (
        r'[A-Z][a-z]{7} <a href="/admin/orders/\d{9}">#\d{4}</a> [a-z]{2} '
        r"[A-Z][a-z]{2} [A-Z][a-z]{5}, [a-z]{3}@[a-z]{4}\.[a-z]{7}"
    )
    assert re.fullmatch(pattern, made)
    assert scrubber.text("Lê Thị Ánh") != "Lê Thị Ánh"
    assert scrubber.value({"amount": 210.5, "paid": True, "n": None}).keys() == {
        "amount",
        "paid",
        "n",
    }
    number = scrubber.number(210.25)
    assert isinstance(number, float)
    assert 100 < number < 1_000


def test_an_address_in_angle_brackets_is_no_tag() -> None:
    text = "Anna Nguyen <anna.nguyen@mail.example> wrote <strong>Thanks</strong><br/>"
    made = Scrubber(Random(1), [text]).text(text)
    for word in ("anna", "Anna", "nguyen", "mail", "Thanks"):
        assert word not in made
    assert made.endswith("</strong><br/>")


def test_odd_values_are_changed_too() -> None:
    """Numbers that are none, letters that no file can hold, and names that somebody entered."""
    scrubber = Scrubber(Random(1), [])
    odd = [float("inf"), float("nan"), 10**400, "\ud800 Anna", {"anna@mail.example": 1, "note": 2}]
    made = scrubber.value(odd)
    assert made[:2] == [0.0, 0.0]
    assert len(str(made[2])) >= 401
    assert "note" in made[4]
    text = json.dumps(made, ensure_ascii=False)
    assert text.encode()
    assert "nna" not in text
    assert "mail" not in text


def test_words_of_the_api_stay_only_where_they_look_like_it(tmp_path: Path) -> None:
    row = {
        "id": "c" + "1" * 24,
        "eventType": "TRANSACTION_STATUS_CHANGE",
        "createdAt": "2026-03-02T12:00:00.000Z",
        "eventAt": None,
        "details": {"status": "Anna", "previousStatus": "PENDING", "note": {"status": "Anna"}},
    }
    entry = {
        "request": {"method": "GET", "url": "https://a.example" + PATHS["saleschannel"]},
        "response": {"status": 200, "headers": [], "content": {"text": json.dumps([row])}},
    }
    found = traced(tmp_path, "saleschannel", [entry])
    (event,) = import_pages(found, random=Random(1), seen="2026-11-26").scenario.events
    assert event.fields["eventType"] == "TRANSACTION_STATUS_CHANGE"
    assert event.fields["details"]["previousStatus"] == "PENDING"
    assert "Anna" not in str(event.fields)


def test_numbers_stay_different_and_in_order() -> None:
    """Also where there are more of a length than there are others of it."""
    for ids in (
        [5, 7, 12, 164748010],
        list(range(1, 100)),
        [10**17, 10**17 + 1],
        [2**63 - 1, 10**18],
    ):
        changed = numbers_in_order(Random(3), ids)
        assert list(changed) == sorted(ids)
        assert sorted(changed.values()) == list(changed.values())
        assert len(set(changed.values())) == len(ids)
        assert not set(changed.values()) & set(ids)
    cuids = [f"c{n:024d}" for n in range(50)]
    changed_cuids = list(cuids_in_order(Random(3), cuids).values())
    assert changed_cuids == sorted(changed_cuids)
    assert {len(each) for each in changed_cuids} == {25}
    many = [str(number) for number in range(10, 100)]
    scrubber = Scrubber(Random(1), many)
    assert len({scrubber.text(each) for each in many}) == len(many)


def test_the_command_writes_a_scenario_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.har").write_bytes(as_har(Reader(drawn_world("haravan", 4), 4).read()))
    main(["import", "shop.har", "--dialect", "haravan"])
    assert "written to scenario.json" in capsys.readouterr().out
    assert Scenario.load("scenario.json").events
    text = Path("scenario.json").read_text(encoding="utf-8")
    assert TOKEN not in text
    assert "shop" not in text
