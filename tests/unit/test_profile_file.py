"""Measured profiles: read strictly, pinned as they say, and not young for ever."""

from datetime import date
from pathlib import Path

import pytest

from fakeserver.errors import ProfileError
from fakeserver.generate import generate_scenario
from fakeserver.profile_file import (
    ProfileFile,
    SwitchFinding,
    age_note,
    find_profile,
    load_profile_file,
)

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


BROKEN = {
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
