"""The files in which clients record: read whole, or refused with what is wrong and where."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from fakeserver.dialects import find_dialect
from fakeserver.errors import UsageError
from fakeserver.fidelity.trace.readings import Readings
from fakeserver.fidelity.trace.recordings import Recorded, read_recordings
from fakeserver.fidelity.trace.tracing import trace
from fakeserver.history import to_lines
from tests.fidelity.traced import Reader, as_cassette, as_har, drawn_world


@pytest.fixture(scope="module")
def entries() -> list[dict[str, Any]]:
    """What somebody recorded."""
    return Reader(drawn_world("haravan", 3), 3).read()


def recordings(path: Path, content: bytes, **options: Any) -> list[Recorded]:
    path.write_bytes(content)
    found = find_dialect("haravan")
    permissive = Readings(found, frozenset()).permissive
    return list(read_recordings([str(path)], found, permissive, **options))


@pytest.mark.parametrize("packed", [False, True])
def test_a_cassette_says_the_same_as_an_archive(
    tmp_path: Path, entries: list[dict[str, Any]], packed: bool
) -> None:
    found = recordings(tmp_path / "r.yaml", as_cassette(entries, packed=packed).encode())
    har = recordings(tmp_path / "r.har", as_har(entries))
    assert [each.body for each in found] == [each.body for each in har]
    assert [each.ask for each in found] == [each.ask for each in har]
    assert trace(found, dialect="haravan").contradiction is None


def test_a_history_of_ours_is_a_recording(tmp_path: Path) -> None:
    reader = Reader(drawn_world("haravan", 3), 3)
    read = reader.read()
    found = recordings(tmp_path / "h.jsonl", to_lines(reader.server.history))
    result = trace(found, dialect="haravan")
    assert result.contradiction is None
    whole = trace(recordings(tmp_path / "r.har", as_har(read)), dialect="haravan")
    assert result.events.keys() == whole.events.keys()


def test_what_is_not_ours_is_left_out(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    first = entries[0]
    foreign = [
        {**first, "request": {"method": "GET", "url": "https://cdn.example/pixel.gif"}},
        {**first, "request": {**first["request"], "method": "POST"}},
    ]
    assert len(recordings(tmp_path / "r.har", as_har([*foreign, *entries]))) == len(entries)
    url = "https://b.example/com/events.json"
    content = as_har([{**first, "request": {**first["request"], "url": url}}, *entries])
    with pytest.raises(UsageError, match=r"several hosts: b\.example, shop\.example; choose"):
        recordings(tmp_path / "r.har", content)
    chosen = recordings(tmp_path / "r.har", content, host="shop.example")
    assert len(chosen) == len(entries)


def packed_entry(text: str, *, encoding: str = "gzip") -> bytes:
    """An archive with one answer that says it is base64, of a body in some encoding."""
    request = {"method": "GET", "url": "https://a.example/com/events.json"}
    response = {
        "status": 200,
        "headers": [{"name": "Content-Encoding", "value": encoding}],
        "content": {"encoding": "base64", "text": text},
    }
    return json.dumps({"log": {"entries": [{"request": request, "response": response}]}}).encode()


BROKEN: dict[str, tuple[bytes, str]] = {
    "nothing of ours": (
        json.dumps({"log": {"entries": [{"request": {}, "response": {}}]}}).encode(),
        "no request to /com/events.json",
    ),
    "another JSON": (b'{"a": 1}', "expected a HAR or a VCR cassette"),
    "a text": (b"hello", "expected a HAR, a VCR cassette"),
    "nothing": (b"", "expected a HAR, a VCR cassette"),
    "no response": (b'{"log": {"entries": [{"request": {}}]}}', "entry 1: expected a request"),
    "a broken gzip": (packed_entry("H4sIAAAA"), "entry 1: the body is packed"),
    "brotli": (packed_entry("iwaAeyJldmVudHMiOltdfQM=", encoding="br"), "entry 1: .* got br; let"),
    "no base64": (packed_entry("%"), "entry 1: the body says that it is base64"),
    "a class in YAML": (
        b"interactions:\n- !!python/object/apply:os.system ['true']\n",
        "interaction 1: expected a request",
    ),
    "no interactions": (b"interactions: []\n", "expected a list of interactions, got none"),
}


def test_what_a_browser_has_unpacked_is_read(tmp_path: Path) -> None:
    """It keeps the header of the answer, and shows the text that was in it."""
    text = base64.b64encode(b'{"events": []}').decode()
    (found,) = recordings(tmp_path / "r.har", packed_entry(text, encoding="br"))
    assert found.body == b'{"events": []}'


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str) -> None:
    content, says = BROKEN[name]
    with pytest.raises(UsageError, match=says):
        recordings(tmp_path / "recorded", content)


def test_what_is_cut_is_said(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    whole = as_har(entries)
    for share in (0.3, 0.6, 0.99):
        with pytest.raises(UsageError, match=r"no whole JSON: \d+ entries were read"):
            recordings(tmp_path / "r.har", whole[: int(len(whole) * share)])
    cassette = as_cassette(entries).encode()
    middle = cassette.index(b"created_at", len(cassette) // 2)
    with pytest.raises(UsageError, match=r"no whole YAML: \d+ interactions were read"):
        recordings(tmp_path / "r.yaml", cassette[:middle])


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't read"):
        list(read_recordings([str(tmp_path / "no.har")], find_dialect("haravan"), {}))
