"""Recordings of honest servers are explained, those of lying ones refused, by two requests."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fakeserver.cli import main
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.fidelity.trace.findings import profile_of
from fakeserver.fidelity.trace.lateness import intervals
from fakeserver.fidelity.trace.recordings import read_recordings
from fakeserver.fidelity.trace.report import refusal
from fakeserver.fidelity.trace.tracing import Traced, trace
from fakeserver.generate import draw_scenario
from tests.fidelity.lies import LIES, OF_ONE, Entries, exceed_cap, of, vanish
from tests.fidelity.traced import Reader, as_har, drawn_world, lateness_of, readable, rows_of

FEW, MANY = range(8), range(8, 508)


def traced(folder: Path, dialect: str, entries: Entries) -> Traced:
    path = folder / "recorded.har"
    path.write_bytes(as_har(entries))
    found = find_dialect(dialect)
    return trace(read_recordings([str(path)], found), dialect=dialect)


def explain(folder: Path, dialect: str, seed: int) -> None:
    """An honest recording is explained; what is found of it is true."""
    scenario = drawn_world(dialect, seed)
    found = traced(folder, dialect, Reader(scenario, seed).read())
    assert found.contradiction is None, (found.contradiction, scenario.settings)
    for event_id, _, visible_at in lateness_of(scenario):
        visibility = found.visible.get(event_id)
        if visibility is not None:
            assert visibility.not_before is None or visibility.not_before < visible_at
            assert visibility.not_after is None or visible_at <= visibility.not_after
    truth = find_dialect(dialect).settings(scenario.settings)
    for name, finding in profile_of(found, seen="2026-11-26").switches.items():
        assert finding.status != "contradicted", (name, finding)
        if finding.values:
            assert truth[name] in finding.values, (name, finding)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seed", FEW)
def test_honest_recordings_are_explained(tmp_path: Path, dialect: str, seed: int) -> None:
    explain(tmp_path, dialect, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seed", MANY)
def test_a_thousand_honest_recordings_are_explained(
    tmp_path: Path, dialect: str, seed: int
) -> None:
    explain(tmp_path, dialect, seed)


def lies(dialect: str, lie: str, seeds: range) -> Iterator[tuple[Entries, Entries]]:
    """Honest recordings, each with the same one in which a lie was planted."""
    for seed in seeds:
        honest = Reader(drawn_world(dialect, seed), seed).read()
        lying = LIES[lie](honest, Random(f"lie {seed}")) if len(of(honest, "")) >= 4 else None
        if lying is not None:
            yield honest, lying


def changed(honest: Entries, lying: Entries) -> list[int]:
    """The places of the answers that are not what they were."""
    return [n for n, (a, b) in enumerate(zip(honest, lying, strict=True)) if a != b]


def refuse(folder: Path, dialect: str, lie: str, seeds: range) -> int:
    """Plant a lie in recordings; it is never explained. Returns in how many it could be planted."""
    planted = 0
    for honest, lying in lies(dialect, lie, seeds):
        planted += 1
        found = traced(folder, dialect, lying).contradiction
        assert found is not None
        assert len(found.places) >= 2 or lie == "an id changes", found
        places = changed(honest, lying)
        assert {*places} & {*found.places}
        if lie in OF_ONE:
            assert len(found.places) == 2, found
            assert found.places[-1] == places[0], found
        # Fewer requests are not enough: that each is needed is the point of naming it.
        cut = [lying[place] for place in sorted(found.places)]
        assert traced(folder, dialect, cut).contradiction is not None or lie in HALVED, found
    return planted


HALVED = {"an event vanishes", "a hidden event was on page 2", "an id changes"}
"""What these rest on, an event's other fields, other requests may have shown as well."""


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(tmp_path: Path, lie: str) -> None:
    assert refuse(tmp_path, "haravan", lie, range(12))
    refuse(tmp_path, "saleschannel", lie, range(6))


@pytest.mark.parametrize("lie", sorted(OF_ONE))
def test_an_answer_that_contradicts_itself_is_named_alone(tmp_path: Path, lie: str) -> None:
    """Where no other request bears on it, none is named beside it."""
    honest, lying = next(lies("haravan", lie, range(20)))
    (place,) = changed(honest, lying)
    found = traced(tmp_path, "haravan", [lying[place]])
    assert found.contradiction is not None
    assert found.contradiction.places == (0,)
    says = "this one answer contradicts itself: "
    assert f"{says}{tmp_path / 'recorded.har'}, entry 1 and its own parameters" in (
        found.contradiction.says
    )


CAP = 5


def test_a_cap_that_no_request_names_is_named_by_who_showed_it(tmp_path: Path) -> None:
    """An answer has more rows than another one was cut to; that there were more, a third shows."""
    profile = readable("haravan").narrowed(limit_max=CAP, limit_over_max="clamp")
    planted = 0
    for seed in range(12):
        reader = Reader(draw_scenario(Random(seed), profile=profile, page_size=3), seed)
        reader.read()
        for _ in range(2):
            first = len(reader.entries)
            reader.walk(limit=50)
        if len(rows_of(reader.entries[first])) < CAP:
            continue
        lying = exceed_cap(reader.entries, first)
        if lying is None:
            continue
        planted += 1
        found = traced(tmp_path, "haravan", lying).contradiction
        assert found is not None
        assert first in found.places
        assert len(found.places) > 1
        assert f"entry {first + 1}" in found.says
    assert planted


@pytest.mark.nightly
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("lie", LIES)
def test_many_lies_are_refused(tmp_path: Path, dialect: str, lie: str) -> None:
    planted = refuse(tmp_path, dialect, lie, range(14, 160))
    assert planted > 20 or dialect == "saleschannel"


def test_lateness_is_measured(tmp_path: Path) -> None:
    """Some of the drawn worlds have events that are known to have been hidden."""
    counted = 0
    for seed in range(12, 17):
        scenario = drawn_world("haravan", seed)
        found = traced(tmp_path, "haravan", Reader(scenario, seed).read(polls=9))
        counted += sum(least > 0 for least, _ in intervals(found))
    assert counted


def test_the_command_says_which_requests_and_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    worlds = (Reader(drawn_world("haravan", seed), seed).read() for seed in FEW)
    entries: Any = next(each for each in worlds if vanish(each, Random(1)) is not None)
    for entry in entries:
        url = entry["request"]["url"]
        entry["request"]["url"] = url + ("&" if "?" in url else "?") + "access_token=s3cr3t"
    path, output = Path("shop.har"), Path("profile.json")
    path.write_bytes(as_har(entries))
    main(["trace", str(path), "--dialect", "haravan", "--output", str(output)])
    out = capsys.readouterr().out
    assert out.startswith("EXPLAINED")
    assert max(map(len, out.splitlines())) <= 80
    path.write_bytes(as_har(vanish(entries, Random(1)) or []))
    with pytest.raises(SystemExit) as ended:
        main(["trace", str(path), "--dialect", "haravan"])
    assert ended.value.code == 1
    refused = capsys.readouterr().out
    assert refused.startswith("CONTRADICTED")
    assert refused.count("GET /com/events.json") == 2
    assert "access_token=…" in refused
    for text in (out, refused, output.read_text()):
        assert "s3cr3t" not in text
        assert "fakeserver-token" not in text


def answered(query: str, *rows: dict[str, Any]) -> dict[str, Any]:
    """An entry with an answer that has some rows."""
    target = f"https://a.example/com/events.json?{query}"
    content = {"text": json.dumps({"events": rows})}
    return {
        "request": {"method": "GET", "url": target},
        "response": {"status": 200, "headers": [], "content": content},
    }


def test_what_has_no_name_is_not_shown(tmp_path: Path) -> None:
    """A token may stand in an address without any name, or be the name."""
    entry = answered("s3cr3t&limit=1&t0ken=x&key=hush", {"id": 1}, {"id": 2})
    said = refusal(traced(tmp_path, "haravan", [entry]), width=80)
    assert "GET /com/events.json?…&limit=1&…&key=…" in said
    for secret in ("s3cr3t", "t0ken", "hush"):
        assert secret not in said


def test_no_sign_of_an_answer_steers_a_terminal(tmp_path: Path) -> None:
    entry = answered("limit=1", {"id": 1}, {"id": 2})
    rows = [{"id": "c\x1b[31m", "createdAt": "2026-03-02T12:00:00Z", "eventType": "A"}] * 2
    entry["response"]["content"]["text"] = json.dumps(rows)
    entry["request"]["url"] = "https://a.example/saleschannel-services/v1/events?$limit=9"
    said = refusal(traced(tmp_path, "saleschannel", [entry]), width=80)
    assert "stands on it twice" in said
    assert "\x1b" not in said


def test_a_limit_that_may_be_below_the_cap_tells_nothing_of_limits_above(tmp_path: Path) -> None:
    rows = [{"id": number, "created_at": "2026-03-02T12:00:00Z"} for number in range(1, 101)]
    found = traced(tmp_path, "haravan", [answered("since_id=0&limit=100", *rows)])
    assert found.contradiction is None
    switches = profile_of(found, seen="2026-11-26").switches
    assert switches["limit_max"].status == "undecided"
    assert switches["limit_over_max"].status == "undecided"


def test_a_field_that_another_answer_shows_counts(tmp_path: Path) -> None:
    """A row whose answer was cut to its id is outside of a filter, as another answer shows."""
    verb = {"id": 1, "verb": "create", "subject_type": "Product"}
    lying = [answered("limit=5", verb), answered("filter=Order&fields=id", {"id": 1})]
    found = traced(tmp_path, "haravan", lying).contradiction
    assert found is not None
    assert found.places == (0, 1)
    assert "does not meet subject_type in Order" in found.says


def test_a_time_is_written_as_one(tmp_path: Path) -> None:
    row = {"id": 1, "created_at": "2026-03-02T12:00:00Z"}
    entry = answered("created_at_min=2026-03-02T13:00:00Z", row)
    said = refusal(traced(tmp_path, "haravan", [entry]), width=200)
    assert "the event 1 does not meet recorded_at >= 2026-03-02T13:00:00.000Z" in said
    assert "this one answer contradicts itself" in said


def test_an_event_that_is_shown_twice_at_once_names_the_one_answer(tmp_path: Path) -> None:
    entries = [
        answered("limit=5"),
        answered("limit=5", {"id": 1, "verb": "a"}, {"id": 1, "verb": "b"}),
    ]
    found = traced(tmp_path, "haravan", entries).contradiction
    assert found is not None
    assert found.places == (1,)
    assert "stands on it twice, each time with another verb" in found.says


def test_an_id_is_one_as_a_number_and_as_text(tmp_path: Path) -> None:
    """A history of ours has numbers where the service may have shown text."""
    found = traced(tmp_path, "haravan", [answered("page=1", {"id": each}) for each in (1, "1")])
    assert found.contradiction is None
    assert found.events.keys() == {1}
