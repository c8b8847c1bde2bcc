"""The files in which clients record: read whole, or refused with what is wrong and where."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from fakeserver.dialects import find_dialect
from fakeserver.errors import UsageError
from fakeserver.fidelity.trace.lateness import intervals
from fakeserver.fidelity.trace.recordings import Recorded, read_recordings
from fakeserver.fidelity.trace.report import head
from fakeserver.fidelity.trace.tracing import Traced, trace
from fakeserver.history import Exchange, to_lines
from tests.fidelity.traced import Reader, as_cassette, as_har, drawn_world


@pytest.fixture(scope="module")
def entries() -> list[dict[str, Any]]:
    """What somebody recorded."""
    return Reader(drawn_world("haravan", 3), 3).read()


def recordings(path: Path, content: bytes, **options: Any) -> list[Recorded]:
    path.write_bytes(content)
    found = find_dialect("haravan")
    return list(read_recordings([str(path)], found, **options))


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
    "cassettes of lists": (
        b'{"http_interactions": [[{"headers": ["Date"]}]]}',
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
        list(read_recordings([str(tmp_path / "no.har")], find_dialect("haravan")))


GET = {"method": "GET", "url": "https://a.example/com/events.json?limit=5"}
ROW = {"id": 3, "created_at": "2026-03-02T12:00:00Z", "subject_type": "Order", "verb": "placed"}


def entry(*ids: int, **more: Any) -> dict[str, Any]:
    """An answer that shows events, as an entry of an archive."""
    text = json.dumps({"events": [{**ROW, "id": event_id} for event_id in ids]})
    return {"request": GET, "response": {"status": 200, "content": {"text": text}}, **more}


def test_a_mark_before_the_file_is_skipped(tmp_path: Path) -> None:
    assert len(recordings(tmp_path / "r.har", b"\xef\xbb\xbf" + as_har([entry(3)]))) == 1


@pytest.mark.parametrize("took", [1e300, -1, "5", None, True])
def test_a_time_that_is_none_took_nothing(tmp_path: Path, took: Any) -> None:
    start = "2026-03-02T12:00:00+00:00"
    (found,) = recordings(tmp_path / "r.har", as_har([entry(3, startedDateTime=start, time=took)]))
    assert found.starts is not None
    assert found.ends is not None
    assert 0 <= found.ends - found.starts <= 2


def test_headers_of_a_cassette_may_be_odd(tmp_path: Path) -> None:
    answer = {"status": {"code": "9" * 5_000}, "headers": ["Date"], "body": {"string": "{}"}}
    cassette = {"interactions": [{"request": {"method": "GET", "uri": GET["url"]}}]}
    for status in (answer["status"], 200):
        cassette["interactions"][0]["response"] = {**answer, "status": status}
        content = json.dumps(cassette).encode()
        if status == 200:
            assert len(recordings(tmp_path / "r.json", content)) == 1
        else:
            with pytest.raises(UsageError, match="no request to"):
                recordings(tmp_path / "r.json", content)


def test_a_host_is_one_in_any_case(tmp_path: Path) -> None:
    other = {**entry(3), "request": {**GET, "url": GET["url"].replace("a.ex", "A.EX")}}
    content = as_har([entry(3), other])
    assert {each.host for each in recordings(tmp_path / "r.har", content)} == {"a.example"}
    assert len(recordings(tmp_path / "r.har", content, host="A.example")) == 2


def test_an_archive_without_contents_is_no_evidence(tmp_path: Path) -> None:
    empty = {"request": GET, "response": {"status": 200, "content": {"size": 900}}}
    with pytest.raises(UsageError, match="recorded without contents"):
        trace(recordings(tmp_path / "r.har", as_har([empty, empty])), dialect="haravan")
    found = trace(recordings(tmp_path / "r.har", as_har([empty, entry(3)])), dialect="haravan")
    assert found.unread == 1
    assert "1 bodies can't be read" in head(found)


def test_nobody_knows_the_order_of_two_files_without_times(tmp_path: Path) -> None:
    """An event that one shows, and the other does not, may have come in between."""
    for name, ids in (("a.har", [()]), ("b.har", [(3,)]), ("both.har", [(3,), ()])):
        (tmp_path / name).write_bytes(as_har([entry(*each) for each in ids]))
    found = find_dialect("haravan")

    def traced(*names: str) -> Traced:
        paths = [str(tmp_path / name) for name in names]
        return trace(read_recordings(paths, found), dialect="haravan")

    assert traced("a.har", "b.har").contradiction is None
    assert traced("b.har", "a.har").contradiction is None
    assert traced("both.har").contradiction is not None


def test_what_comes_at_one_instant_comes_in_its_order(tmp_path: Path) -> None:
    """Nobody is accused where an event is appended between two requests of one millisecond."""
    steps = [
        Exchange(at=5, method="GET", target="/com/events.json?limit=5", status=200, event_ids=ids)
        for ids in ((), (3,))
    ]
    for order, is_explained in ((steps, True), (steps[::-1], False)):
        found = trace(recordings(tmp_path / "h.jsonl", to_lines(order)), dialect="haravan")
        assert (found.contradiction is None) is is_explained


def test_requests_that_overlap_have_no_order(tmp_path: Path) -> None:
    """Of two that were on their way at once, either may have been answered first."""
    start = "2026-03-02T12:00:00+00:00"
    for took, is_explained in ((0, False), (30, True)):
        entries = [entry(*ids, startedDateTime=start, time=took) for ids in ((3,), ())]
        found = trace(recordings(tmp_path / "r.har", as_har(entries)), dialect="haravan")
        assert (found.contradiction is None) is is_explained


def test_without_a_date_no_lateness_is_measured(tmp_path: Path) -> None:
    """The clock of the client is another one, and may be wrong."""
    start = "2026-03-02T12:00:05+00:00"
    (found,) = recordings(tmp_path / "r.har", as_har([entry(3, startedDateTime=start)]))
    assert (found.seen_from, found.seen_until) == (None, None)
    assert list(intervals(trace([found], dialect="haravan"))) == []
