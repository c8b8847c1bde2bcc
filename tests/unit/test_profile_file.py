"""Measured profiles: read strictly, pinned as they say, and not young for ever."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from fakeserver.clock import at
from fakeserver.dialects import find_dialect
from fakeserver.errors import ProfileError
from fakeserver.generate import generate_scenario
from fakeserver.profile import QUANTILES, MeasuredLateness
from fakeserver.profile_file import (
    ProfileFile,
    SwitchFinding,
    age_note,
    find_profile,
    load_profile_file,
)
from fakeserver.stream import Stream

FOUND = ProfileFile(
    dialect="haravan",
    made="probed",
    seen="2026-08-01",
    switches={
        "limit_max": SwitchFinding(status="decided", values=(73,), evidence="seen"),
        "order_default": SwitchFinding(
            status="narrowed", values=("id-asc", "created_at-asc"), evidence="either"
        ),
        "limit_default": SwitchFinding(status="narrowed", values=(50, 250), evidence="either"),
        "lateness": SwitchFinding(status="undecided", evidence="not by reads"),
    },
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "profile.json"
    path.write_bytes(FOUND.to_json())
    return path


def test_a_file_is_read_as_it_was_written(path: Path) -> None:
    assert load_profile_file(path) == FOUND


def test_decided_switches_are_pinned_and_open_ones_documented(path: Path) -> None:
    profile = find_profile("haravan", str(path))
    assert profile.name == "probed-2026-08-01"
    assert profile.allowed["limit_max"] == (73,)
    assert profile.allowed["order_default"] == ("id-asc", "created_at-asc")
    documented = find_profile("haravan", "documented")
    assert profile.allowed["shop_zone"] == documented.allowed["shop_zone"]
    drawn = generate_scenario(dialect="haravan", profile=str(path), seed=1)
    assert drawn.settings["limit_max"] == 73
    assert drawn.profile == "probed-2026-08-01"


def test_a_fake_is_pinned_where_the_usual_value_is_ruled_out() -> None:
    assert FOUND.pins() == {"limit_max": 73, "order_default": "id-asc", "limit_default": 50}


def test_age_is_noted_after_ninety_days() -> None:
    assert age_note("probed-2026-08-01", date(2026, 10, 30)) is None
    note = age_note("probed-2026-08-01[limit_max=5]", date(2026, 10, 31))
    assert note is not None
    assert "91 days old" in note
    assert age_note("default", date(2036, 1, 1)) is None


LATE = msgspec.structs.replace(
    FOUND,
    made="traced",
    switches={},
    lateness=MeasuredLateness(
        events=40,
        least={"half": 0, "90%": 20_000, "99%": 40_000, "all": 900_000},
        most={"half": 10_000, "90%": 30_000, "99%": 50_000, "all": 1_000_000},
        share_over_minute=(0.01, 0.02),
    ),
)
"""Most events were nearly in time, and one later than any document says."""
DOCUMENTED_MS = 300_000


def test_a_measured_lateness_lies_between_its_quantiles() -> None:
    lateness = LATE.lateness
    assert lateness is not None
    assert [lateness.at(share, 0) for share in (0, 0.5, 0.9, 1)] == [0, 0, 20_000, 900_000]
    assert [lateness.at(share, 1) for share in (0, 0.25, 0.5, 1)] == [0, 5_000, 10_000, 1_000_000]
    assert lateness.at(0.7, 0) == 10_000
    assert lateness.at(0.5, 0.5) == 5_000


def test_what_was_measured_is_drawn_and_the_document_is_promised(tmp_path: Path) -> None:
    """The promise stays that of the document, unless somebody asks for another one."""
    path = tmp_path / "profile.json"
    path.write_bytes(LATE.to_json())
    worlds = [
        generate_scenario(dialect="haravan", profile=str(path), seed=seed) for seed in range(60)
    ]
    assert {world.late_by_ms_max for world in worlds} == {DOCUMENTED_MS}
    late = [event.late_by_ms for world in worlds for event in world.events]
    assert max(late) <= DOCUMENTED_MS
    at_once = sum(ms == 0 for ms in late) / len(late)
    soon = sum(ms <= 10_000 for ms in late) / len(late)
    assert at_once < 0.2  # where nothing was measured, eight of ten are
    assert 0.3 < soon < 0.6
    asked = generate_scenario(dialect="haravan", profile=str(path), seed=1, late_by_ms_max=15_000)
    assert asked.late_by_ms_max == 15_000
    assert max(event.late_by_ms for event in asked.events) <= 15_000


def test_a_stream_is_as_late_as_was_measured() -> None:
    dialect = find_dialect("haravan")
    stream = Stream(dialect, {}, 1, 1.0, None, LATE.lateness)
    late = [event.late_by_ms for event in stream.backlog(2_000, at("2026-03-02T12:00:00Z"))]
    assert max(late) <= DOCUMENTED_MS
    for name, share in QUANTILES.items():
        if name != "all":
            bounds = LATE.lateness.least[name], LATE.lateness.most[name]  # type: ignore[union-attr]
            below, above = (sum(ms <= bound for ms in late) / len(late) for bound in bounds)
            assert below <= share + 0.02
            assert above >= share - 0.02


BROKEN = {
    "a value of what is open": (
        FOUND.to_json().replace(
            b'"undecided",\n      "values": []',
            b'"undecided",\n      "values": ["none", "documented"]',
        ),
        "lateness.* is undecided with 2 values",
    ),
    "a lateness that falls": (
        LATE.to_json().replace(b'"half": 10000', b'"half": 40000'),
        "expected rising ms",
    ),
    "a lateness of another share": (
        LATE.to_json().replace(b'"90%": 20000', b'"95%": 20000'),
        "expected rising ms for half, 90%",
    ),
    "more at least than at most": (
        LATE.to_json().replace(b'"all": 900000', b'"all": 2000000'),
        "expected least to be at most most",
    ),
    "no JSON": (b"{", "not JSON"),
    "another thing": (b"{}", "expected what 'fakeserver probe' writes"),
    "a switch that there is not": (
        FOUND.to_json().replace(b"limit_max", b"limit_most"),
        "unknown switches",
    ),
    "a value that it can't take": (FOUND.to_json().replace(b"73", b"-3"), "limit_max"),
    "no date": (FOUND.to_json().replace(b"2026-08-01", b"2026-13-01"), "month must be in 1..12"),
}


@pytest.mark.parametrize(("text", "says"), BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_profile_is_refused(tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(text)
    with pytest.raises(ProfileError, match=says):
        load_profile_file(path)


def test_a_missing_file_and_another_api_are_refused(path: Path) -> None:
    with pytest.raises(ProfileError, match="can't read"):
        find_profile("haravan", "nowhere/profile.json")
    with pytest.raises(ProfileError, match="got one of haravan"):
        find_profile("saleschannel", str(path))
