"""The commands end to end: a fake is probed over a socket, and what was found is served again."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from fakeserver.app import FakeServer
from fakeserver.cli import main
from fakeserver.doors import live
from fakeserver.fidelity.probe.asking import Unreachable
from fakeserver.fidelity.probe.wire import send_to
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
    "half a URL": (["http://["], "expected a base URL"),
    "a line break": (["http://127.0.0.1:9"], "a line break at its end"),
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
    tokens = {"no token": "", "a line break": "top-secret\n"}
    monkeypatch.setenv("SHOP_TOKEN", tokens.get(name, "top-secret"))
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


BAD_ANSWERS = {
    "a broken gzip": b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
    "half a body": b"Content-Length: 900\r\n\r\n{",
    "half a chunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_that_cannot_be_read_is_said(name: str) -> None:
    """Whatever is wrong with it, also where it breaks off long after its head."""

    class Bad(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + BAD_ANSWERS[name])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Bad) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(Unreachable, match=r"no answer from 127\.0\.0\.1"):
            send_to(f"http://127.0.0.1:{server.server_port}")("/x", {}, b"")
        thread.join()
