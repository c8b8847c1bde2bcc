"""The commands end to end: a fake is probed over a socket, and what was found is served again."""

from pathlib import Path

import pytest

from fakeserver.app import FakeServer
from fakeserver.cli import main
from fakeserver.doors import live
from fakeserver.profile_file import load_profile_file
from tests.fidelity.probed import rich_scenario

SETTINGS = {"limit_max": 5, "since_id_zero": "ignored", "shop_zone": "America/New_York"}


@pytest.fixture
def probed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Path:
    """A profile that was probed over a socket."""
    path = tmp_path / "profile.json"
    monkeypatch.setenv("SHOP_TOKEN", FakeServer.token)
    monkeypatch.setenv("COLUMNS", "80")
    server = FakeServer(rich_scenario("haravan", SETTINGS, 5))
    with live(server) as url:
        arguments = ["probe", url, "--dialect", "haravan", "--token-env", "SHOP_TOKEN"]
        main([*arguments, "--per-second", "1000", "--output", str(path)])
    out = capfd.readouterr().out
    assert "of 40 switches decided" in out
    assert FakeServer.token not in out
    return path


def test_what_was_probed_is_verified_against(
    probed_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found = load_profile_file(probed_file)
    assert {name: found.switches[name].values[0] for name in SETTINGS} == SETTINGS
    old = probed_file.with_name("old.json")
    old.write_bytes(probed_file.read_bytes().replace(found.seen.encode(), b"2020-01-01"))
    client = Path(__file__).parents[2] / "fixtures/clients/haravan_window_since_id.py"
    for path, is_old in ((probed_file, False), (old, True)):
        arguments = ["verify", "--dialect", "haravan", "--profile", str(path), "--examples", "3"]
        with pytest.raises(SystemExit):
            main([*arguments, f"{client}:follow"])
        out = capfd.readouterr().out
        assert ("days old" in " ".join(out.split())) is is_old


BROKEN = {
    "no token": (["http://127.0.0.1:9"], "SHOP_TOKEN, it is empty"),
    "no URL": (["shop.example"], "expected a base URL"),
    "a password": (["http://me:secret@127.0.0.1:9"], "without a password"),
    "nobody there": (["http://127.0.0.1:9"], "no answer from 127.0.0.1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_asked_is_said(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    arguments, says = BROKEN[name]
    monkeypatch.setenv("SHOP_TOKEN", "" if name == "no token" else "top-secret")
    output = tmp_path / "profile.json"
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "probe",
                *arguments,
                "--dialect",
                "haravan",
                "--token-env",
                "SHOP_TOKEN",
                "--output",
                str(output),
            ]
        )
    assert ended.value.code == 2
    err = capfd.readouterr().err
    assert says in err
    assert "secret" not in err
    assert not output.exists()
