"""Scenarios: no contradiction gets in, the file is the same bytes everywhere, slips are named."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver.clock import DAY_MS, INSTANT_MAX, INSTANT_MIN, at
from fakeserver.dialects import DIALECTS
from fakeserver.errors import ScenarioError, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.scenario import (
    DETAIL_LINES_MAX,
    EVENTS_MAX,
    POLLS_MAX,
    Crash,
    LoggedEvent,
    Poll,
    Scenario,
)

NOON = at("2026-03-01T12:00:00Z")


def event(event_id: int | str = 1, *, recorded_at: int | None = NOON, visible_at: int = NOON):
    return LoggedEvent(id=event_id, recorded_at=recorded_at, visible_at=visible_at)


def polls(*starts: int) -> tuple[Poll, ...]:
    return tuple(Poll(starts_at=start) for start in starts)


def world(**changes: Any) -> Scenario:
    right = {
        "dialect": "haravan",
        "starts_at": NOON,
        "request_ms": 40,
        "page_size": 2,
        "late_by_ms_max": 1_000,
        "events": (event(),),
        "polls": polls(*(NOON + n * 1_000 for n in range(4))),
        "calm_from": 1,
    }
    return Scenario(**{**right, **changes})


def test_a_right_one_is_taken():
    scenario = world()
    assert (scenario.calm_at, scenario.ends_at) == (NOON + 1_000, NOON + 3_000)
    assert scenario.event(1) is scenario.events[0]
    with pytest.raises(KeyError):
        scenario.event(2)


@pytest.mark.parametrize(
    "changes",
    [
        {"events": ()},
        {"events": (event("ca"), event("cb"))},
        {"events": (event(recorded_at=None),)},
        {"events": (event(recorded_at=NOON + DAY_MS),)},  # a stamp in the future
        {"events": (event(visible_at=NOON + 1_000),)},  # visible as the calm starts
        {"events": (event(recorded_at=INSTANT_MIN, visible_at=INSTANT_MIN),)},
        {"request_ms": 0},
        {"request_ms": 3_600_000},
        {"page_size": 1},
        {"late_by_ms_max": 0},
        {"late_by_ms_max": 2_000},  # as long as the calm
        {"starts_at": INSTANT_MIN},
        {"polls": polls(NOON, NOON + 1, NOON + 2), "calm_from": 0, "late_by_ms_max": 2},
        {"polls": (Poll(starts_at=NOON, restart=True, crash=Crash(point="after-save", nth=3)),
                   *world().polls[1:])},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_odd_but_possible_is_taken(changes):
    assert world(**changes)


LATER = tuple(NOON + n * 1_000 for n in range(4))
CONTRADICTIONS = [
    ({"page_size": 0}, "page_size must be 1 or more, got 0"),
    ({"page_size": -1}, "page_size must be 1 or more, got -1"),
    ({"request_ms": -1}, "request_ms must be 0 to 3600000 (an hour), got -1"),
    ({"request_ms": 3_600_001}, "request_ms must be 0 to 3600000 (an hour), got 3600001"),
    ({"late_by_ms_max": -1}, "late_by_ms_max must be 0 or more, got -1"),
    ({"starts_at": INSTANT_MIN - 1}, "starts_at must lie in the years 1 to 9999, got -6213559680"),
    ({"starts_at": INSTANT_MAX + 1}, "starts_at must lie in the years 1 to 9999"),
    ({"events": (event(1), event(2), event(1))}, "ids are unique, but 1 stands 2 times in events"),
    ({"events": (event("c"),) * 3}, "ids are unique, but 'c' stands 3 times in events"),
    ({"events": (event(1), event("1"))}, "events mixes the two"),
    ({"events": (event(5, recorded_at=INSTANT_MAX + 1),)}, "event 5 has an instant outside"),
    ({"events": (event(5, recorded_at=INSTANT_MIN - 1),)}, "event 5 has an instant outside"),
    ({"events": (event(5, visible_at=INSTANT_MIN - 1),)}, "event 5 has an instant outside"),
    ({"events": (event(5, visible_at=10**18),)}, "event 5 has an instant outside"),
    ({"events": (event(visible_at=10**18),)}, "visible only at 1000000000000000000 ms"),
    ({"events": (event(visible_at=NOON + 1_001),)},
     "the calm starts at 2026-03-01T12:00:01.000Z, but an event becomes visible only at "
     "2026-03-01T12:00:01.001Z"),
    ({"calm_from": 2}, "the calm needs 3 polls or more: calm_from is 2, and there are 4 polls"),
    ({"calm_from": -1}, "calm_from is -1"),
    ({"calm_from": 99}, "calm_from is 99"),
    ({"polls": ()}, "without polls there is no calm: calm_from must be 0, got 1"),
    ({"polls": polls(NOON, NOON + 1)}, "calm_from is 1, and there are 2 polls"),
    ({"polls": polls(NOON - 1, *LATER[1:])}, "the first poll starts before the scenario does"),
    ({"polls": polls(*LATER[:2], *LATER[1:])}, "polls start one after the other, but "
     "2026-03-01T12:00:01.000Z follows 2026-03-01T12:00:01.000Z"),
    ({"polls": polls(LATER[0], LATER[2], LATER[1], LATER[3])}, "polls start one after the other"),
    ({"polls": polls(*LATER[:3], 10**18)}, "poll 4 starts outside the years 1 to 9999"),
    ({"polls": polls(*LATER[:2], 10**18, 10**18)}, "1000000000000000000 ms follows"),
    ({"polls": (*polls(*LATER[:3]), Poll(starts_at=LATER[3], restart=True))},
     "poll 4 belongs to the calm, so it can't crash or restart"),
    ({"polls": (*polls(*LATER[:3]), Poll(starts_at=LATER[3], crash=Crash(point="after-save")))},
     "poll 4 belongs to the calm, so it can't crash or restart"),
    ({"polls": (Poll(starts_at=NOON, crash=Crash(point="after-save", nth=0)), *polls(*LATER[1:]))},
     "the crash of poll 1 counts from 1, got nth=0"),
    ({"late_by_ms_max": 2_001},
     "the calm lasts 2000 ms, less than the promised lateness of 2001 ms"),
]  # fmt: skip

IDS = [f"{number} {says[:50]}" for number, (_, says) in enumerate(CONTRADICTIONS)]


@pytest.mark.parametrize(("changes", "says"), CONTRADICTIONS, ids=IDS)
class TestContradiction:
    def test_is_refused_by_name(self, changes, says):
        with pytest.raises(ScenarioError, match=r"^the scenario contradicts itself:") as caught:
            world(**changes)
        assert says in str(caught.value)

    def test_is_refused_in_a_file_too(self, changes, says):
        """The same sentence, after the name of the file."""
        tree = msgspec.to_builtins(world()) | msgspec.to_builtins(changes)
        with pytest.raises(ScenarioError, match=r"^lost\.json: the scenario contra") as caught:
            Scenario.from_json(json.dumps(tree), where="lost.json")
        assert says in str(caught.value)


def test_size_has_its_limits():
    many = tuple(event(number) for number in range(EVENTS_MAX + 1))
    with pytest.raises(ScenarioError, match=f"expected at most {EVENTS_MAX} events, got 100001"):
        world(events=many)
    assert world(events=many[1:])
    often = polls(*range(NOON, NOON + POLLS_MAX + 1))
    with pytest.raises(ScenarioError, match=f"expected at most {POLLS_MAX} polls, got 10001"):
        world(polls=often, late_by_ms_max=0)
    assert world(polls=often[1:], late_by_ms_max=0, calm_from=5_000)


def test_only_the_first_contradictions_are_spelt_out():
    twice = tuple(event(number) for number in range(9)) * 2
    with pytest.raises(ScenarioError) as caught:
        world(events=twice, page_size=0)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + DETAIL_LINES_MAX + 1
    assert lines[1] == "  - page_size must be 1 or more, got 0"
    assert lines[-1] == "  - and 5 more"


def test_a_contradiction_is_the_caller_s_fault():
    assert issubclass(ScenarioError, UsageError)
    assert issubclass(UsageError, ValueError)


def test_lateness_of_an_event():
    assert event(visible_at=NOON + 5).late_by_ms == 5
    assert event(visible_at=NOON).late_by_ms == 0
    assert event(visible_at=NOON - 5).late_by_ms == 0
    assert event(recorded_at=None, visible_at=NOON + 5).late_by_ms == 0


class TestJson:
    @pytest.mark.parametrize("dialect", DIALECTS)
    @pytest.mark.parametrize("profile", ["default", "documented"])
    def test_round_trip_is_byte_identical(self, dialect, profile):
        for example in range(15):
            scenario = generate_scenario(dialect=dialect, profile=profile, example=example)
            text = scenario.to_json()
            again = Scenario.from_json(text)
            assert again == scenario
            assert again.to_json() == text
            assert Scenario.from_json(text.decode()).to_json() == text

    def test_is_meant_to_be_read(self):
        text = world(origin="Trần Ân").to_json()
        assert text.startswith(b'{\n  "format": 1,\n  "dialect": "haravan",\n')
        assert text.endswith(b"}\n")
        assert "Trần Ân".encode() in text
        assert b"restart" not in text  # what is usual is left out of the polls

    def test_whatever_the_order_of_its_keys_the_bytes_are_the_same(self):
        def keys_reversed(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: keys_reversed(value[key]) for key in reversed(value)}
            return [keys_reversed(item) for item in value] if isinstance(value, list) else value

        fields = {"b": {"z": 1, "a": None}, "a": [1.5, "é", True, {}]}
        text = world(
            settings={"z": None, "b": True, "a": 5},
            events=(LoggedEvent(id=1, recorded_at=None, visible_at=NOON, fields=fields),),
        ).to_json()
        other = json.dumps(keys_reversed(json.loads(text)))
        assert Scenario.from_json(other).to_json() == text

    JSON_VALUES = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )  # fmt: skip

    @settings(deadline=None)
    @given(
        fields=st.dictionaries(st.text(), JSON_VALUES, max_size=4),
        origin=st.text(),
        stamp=st.none() | st.integers(INSTANT_MIN, INSTANT_MAX),
    )
    def test_any_field_survives(self, fields, origin, stamp):
        row = LoggedEvent(id=1, recorded_at=stamp, visible_at=NOON, fields=fields)
        scenario = world(events=(row,), origin=origin)
        assert Scenario.from_json(scenario.to_json()) == scenario
        assert Scenario.from_json(scenario.to_json()).to_json() == scenario.to_json()


def changed(path: str, value: Any) -> bytes:
    """The right scenario's JSON with one place changed: ``changed("polls.0.crash", 5)``."""
    tree = json.loads(world().to_json())
    node = tree
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        node = node[part]
    node[last] = value
    return json.dumps(tree).encode()


def without(name: str) -> bytes:
    tree = json.loads(world().to_json())
    del tree[name]
    return json.dumps(tree).encode()


BROKEN = [
    (b"", "not JSON: "),
    (b"{", "not JSON: "),
    (b"nothing", "not JSON: "),
    (b"\xff\xfe", "not JSON: "),
    (b"\xef\xbb\xbf{}", "not JSON: "),
    (b'{"origin": "\xff"}', "not JSON: "),
    (world().to_json()[:-20], "not JSON: "),
    (world().to_json() + b"{}", "not JSON: "),
    (
        b'{"request": "GET /", "status": 200}',
        "this is no scenario: expected an object",
    ),
    (b'{"request": "GET /", "sta', "not JSON: Input data was truncated"),
    (b"[]", "Expected `object`, got `array`"),
    (b"null", "Expected `object`, got `null`"),
    (without("dialect"), "missing required field `dialect`"),
    (without("events"), "missing required field `events`"),
    (changed("format", 2), "expected 1, got 2 - at `$.format`; a newer fakeserver made it"),
    (changed("format", "1"), "`$.format`"),
    (changed("formt", 1), "got 'formt'; did you mean format?"),
    (changed("dialect", 5), "Expected `str`, got `int` - at `$.dialect`"),
    (changed("page_size", "2"), "Expected `int`, got `str` - at `$.page_size`"),
    (changed("page_size", 2.5), "Expected `int`, got `float` - at `$.page_size`"),
    (changed("page_size", True), "Expected `int`, got `bool` - at `$.page_size`"),
    (changed("starts_at", "2026-03-01T12:00:00Z"), "Expected `int`, got `str` - at `$.starts_at`"),
    (changed("events", {}), "Expected `array`, got `object` - at `$.events`"),
    (changed("events.0.id", None), "`$.events[0].id`"),
    (changed("events.0.id", 1.5), "`$.events[0].id`"),
    (changed("events.0.id", True), "`$.events[0].id`"),
    (changed("events.0.recorded_at", "noon"), "`$.events[0].recorded_at`"),
    (changed("events.0.visible_at", None), "`$.events[0].visible_at`"),
    (changed("events.0.fields", []), "`$.events[0].fields`"),
    (changed("events.0.visible", 5), "got 'visible' - at `$.events[0]`; did you mean visible_at?"),
    (changed("settings.limit_max", [50]), "`$.settings[...]`"),
    (changed("polls.1", {}), "missing required field `starts_at` - at `$.polls[1]`"),
    (changed("polls.1.restart", "yes"), "`$.polls[1].restart`"),
    (changed("polls.0.crash", {"point": "never"}), "`$.polls[0].crash.point`"),
    (changed("polls.0.crash", {"point": "after-save", "nth": "1"}), "`$.polls[0].crash.nth`"),
    (
        changed("polls.0.crash", {"point": "after-save", "when": 1}),
        "of point, nth, got 'when'",
    ),
    (changed("events.0.fields", "[").replace(b'"["', b'{"a": ' + b"[" * 100_000), "not JSON: "),
]


@pytest.mark.parametrize(
    ("text", "says"), BROKEN, ids=[f"{n} {row[1]}" for n, row in enumerate(BROKEN)]
)
def test_a_broken_file_is_refused_with_its_name_and_the_place(tmp_path, text, says):
    path = tmp_path / "lost.json"
    path.write_bytes(text)
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


class TestLoad:
    def test_reads_what_was_written(self, tmp_path):
        path = tmp_path / "world.json"
        path.write_bytes(world().to_json())
        assert Scenario.load(path) == Scenario.load(str(path)) == world()

    def test_a_missing_file(self, tmp_path):
        path = tmp_path / "none.json"
        with pytest.raises(ScenarioError, match="No such file") as caught:
            Scenario.load(path)
        assert str(path) in str(caught.value)

    def test_a_folder(self, tmp_path: Path):
        with pytest.raises(ScenarioError, match=r"can't read the scenario .*: Is a directory"):
            Scenario.load(tmp_path)


def test_nothing_in_it_can_be_changed():
    scenario = world()
    with pytest.raises(AttributeError):
        scenario.page_size = 5  # type: ignore[misc]
    with pytest.raises(AttributeError):
        scenario.events[0].id = 5  # type: ignore[misc]
