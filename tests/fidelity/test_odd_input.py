"""Whatever a file or a server holds: a result, or an error that says what is wrong."""

import json
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import FakeserverError, HarnessError
from fakeserver.fidelity.importing.pages import import_pages
from fakeserver.fidelity.probe.asking import Asker, Reply
from fakeserver.fidelity.probe.probing import probe
from fakeserver.fidelity.table import table
from fakeserver.fidelity.trace.findings import profile_of
from fakeserver.fidelity.trace.recordings import read_recordings
from fakeserver.fidelity.trace.report import head, lateness_lines, refusal
from fakeserver.fidelity.trace.tracing import trace
from fakeserver.profile_file import load_profile_file
from fakeserver.scenario import Scenario
from tests.fidelity.traced import PATHS

SEEN = "2026-11-26"
QUIET = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
FEW, MANY = settings(QUIET, max_examples=15), settings(QUIET, max_examples=500)

WORDS = st.sampled_from(
    [
        *("", "0", "5", "-1", "9" * 30, "asc", "desc", "createdAt", "\ud800", "\x1b[31m", "c1"),
        *("Order", "placed", "Nonesuch", "é", "null", "cxyz", "2026-03-02 12:00"),
        *("2026-03-02T12:00:00Z", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00Z"),
    ]
)
NUMBERS = st.integers(-3, 300) | st.sampled_from([10**18, 10**400, 1.5, 1e300, float("inf")])
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)
FIELDS = {
    "haravan": "id created_at subject_id subject_type verb arguments body message author "
    "description path",
    "saleschannel": "id createdAt eventAt eventType details",
}
PARAMETERS = {
    "haravan": "limit page since_id created_at_min created_at_max filter verb fields page_info "
    "access_token",
    "saleschannel": "$limit $orderBy[createdAt] $orderBy[id] $filter[createdAt][gte] $filter "
    "$filter[eventType][in] $filter[createdAt][notIn]",
}


@st.composite
def rows(draw: st.DrawFn, dialect: str) -> dict[str, Any]:
    """Something like a row: mostly of the right shape, with an odd value here and there."""
    number = draw(st.integers(1, 6))
    names = FIELDS[dialect].split()
    right: dict[str, Any] = dict.fromkeys(names, "Word")
    right["id"] = number if dialect == "haravan" else f"c{number:024}"
    right["subject_id"], right["arguments"], right["body"] = number, ["#1"], None
    right["created_at"] = right["createdAt"] = f"2026-03-02T12:0{number}:00Z"
    right["eventAt"], right["details"] = None, {"status": "SUCCESS", "amount": 5.5}
    row = {name: right[name] for name in names}
    if not draw(st.integers(0, 2)):
        row[draw(st.sampled_from(names))] = draw(VALUES)
    if not draw(st.integers(0, 4)):
        del row[draw(st.sampled_from(names))]
    return row


@st.composite
def targets(draw: st.DrawFn, dialect: str) -> str:
    """A path of the API, or nearly, with a query that may hold anything."""
    path = draw(
        st.sampled_from(
            [PATHS[dialect]] * 6
            + ["/com/events/3.json", "/com/events/count.json", "/com/orders/5/events.json", "/x"]
        )
    )
    pairs = draw(
        st.lists(st.tuples(st.sampled_from(PARAMETERS[dialect].split()), WORDS), max_size=3)
    )
    query = "&".join(f"{name}={value}" for name, value in pairs)
    return f"{path}?{query}".encode("utf-8", "replace").decode()


@st.composite
def bodies(draw: st.DrawFn, dialect: str) -> Any:
    """A list of rows, or anything else."""
    found = draw(st.lists(rows(dialect), max_size=6))
    usual = {"events": found} if dialect == "haravan" else found
    return draw(
        st.sampled_from([usual] * 8 + [{"count": len(found)}, {"event": found[0] if found else 1}])
        | VALUES
    )


@st.composite
def archives(draw: st.DrawFn, dialect: str) -> Any:
    """An archive whose entries are nearly right."""
    entries = []
    for _ in range(draw(st.integers(0, 6))):
        status = draw(st.sampled_from([200, 200, 200, 404, 422]))
        text = json.dumps(draw(bodies(dialect)))
        entry: dict[str, Any] = {
            "request": {"method": "GET", "url": "https://a.example" + draw(targets(dialect))},
            "response": {"status": status, "content": {"text": text}},
        }
        if draw(st.booleans()):
            entry["startedDateTime"], entry["time"] = draw(WORDS), draw(SCALARS)
        if not draw(st.integers(0, 9)):
            part = draw(st.sampled_from(["request", "response"]))
            entry[part][
                draw(st.sampled_from(["url", "status", "headers", "content", "method"]))
            ] = draw(VALUES)
        entries.append(entry)
    return {"log": {"entries": entries}}


def use(path: Path, dialect: str) -> None:
    """Do all that the commands do with a file."""
    found = find_dialect(dialect)
    traced = trace(read_recordings([str(path)], found), dialect=dialect)
    if traced.contradiction is not None:
        assert refusal(traced, width=80)
    else:
        profile = profile_of(traced, seen=SEEN)
        assert head(traced)
        assert lateness_lines(profile.lateness, width=80)
        assert table(profile, width=80, command="traced")
        path.write_bytes(profile.to_json())
        assert load_profile_file(path) == profile
    scenario = import_pages(traced, random=Random(1), seen=SEEN).scenario
    assert Scenario.from_json(scenario.to_json()) == scenario


def survives(path: Path, content: bytes, dialect: str) -> None:
    """Use a file, or get a clear error: none of ours."""
    path.write_bytes(content)
    with suppress(FakeserverError):
        try:
            use(path, dialect)
        except HarnessError as error:
            raise AssertionError("a slip of ours") from error


def odd_archives(path: Path, dialect: str, data: st.DataObject) -> None:
    """An archive that could nearly be one."""
    content = json.dumps(data.draw(archives(dialect))).encode()
    survives(path, content, dialect)


def odd_cassettes(path: Path, dialect: str, data: st.DataObject) -> None:
    """A cassette, in JSON or YAML, with an odd value here and there."""
    interactions = []
    for _ in range(data.draw(st.integers(0, 4))):
        answer: dict[str, Any] = {
            "status": {"code": data.draw(st.sampled_from([200, "200", 404]))},
            "headers": {"Date": [data.draw(WORDS)]},
            "body": {"string": json.dumps(data.draw(bodies(dialect)))},
        }
        if not data.draw(st.integers(0, 3)):
            answer[data.draw(st.sampled_from([*answer]))] = data.draw(VALUES)
        uri = "https://a.example" + data.draw(targets(dialect))
        interactions.append({"request": {"method": "GET", "uri": uri}, "response": answer})
    text = json.dumps(interactions)
    form = data.draw(
        st.sampled_from(['{"http_interactions": %s}', "interactions: %s", "interactions: &a %s"])
    )
    survives(path, (form % text).encode(), dialect)


BEGINNINGS = (
    b"",
    b'{"log": {"entries": [',
    b'{"http_interactions": [',
    b'{"step": "exchange", "at": 1, "method": "GET", "status": 200, "target": "/com/events.json"',
    b"interactions:\n- request: {method: GET, uri: 'https://a.example/com/events.json'}\n",
    b"http_interactions:\n- ",
    b'{"format": 1, "dialect": "haravan", ',
)


def odd_bytes(path: Path, dialect: str, data: st.DataObject) -> None:
    """Any bytes, some of them behind the beginning of a file that is known."""
    texts = VALUES.map(lambda value: json.dumps(value).encode())
    content = data.draw(st.sampled_from(BEGINNINGS)) + data.draw(st.binary(max_size=60) | texts)
    survives(path, content, dialect)
    path.write_bytes(content)
    with suppress(FakeserverError):
        load_profile_file(path)


def odd_server(_path: Path, dialect: str, data: st.DataObject) -> None:
    """A server whose answers are a few that were drawn, in any order."""
    statuses = st.sampled_from([200] * 12 + [401, 404, 422, 429, 500, 302])
    names = st.sampled_from(["date", "retry-after", "link", "x-haravan-api-call-limit"])
    headers = st.dictionaries(names, WORDS, max_size=2)
    chance = Random(data.draw(st.integers(0, 10**6)))
    drawn = [
        Reply(
            status=data.draw(statuses),
            headers=data.draw(headers),
            body=json.dumps(data.draw(bodies(dialect))).encode(),
        )
        for _ in range(data.draw(st.integers(1, 5)))
    ]
    asker = Asker(
        lambda *_: chance.choice(drawn), headers={}, now=lambda: 0.0, sleep=lambda _: None
    )
    with suppress(FakeserverError):
        found = probe(asker, dialect=dialect, seen=SEEN)
        assert table(found, width=80, command="probed")
        found.as_profile()


KINDS = (odd_archives, odd_cassettes, odd_bytes, odd_server)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_nothing_odd_ends_in_a_traceback(
    tmp_path: Path, dialect: str, kind: Any, data: st.DataObject
) -> None:
    kind(tmp_path / "odd", dialect, data)


@pytest.mark.nightly
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", KINDS)
@MANY
@given(data=st.data())
def test_nothing_odd_ends_in_a_traceback_ever(
    tmp_path: Path, dialect: str, kind: Any, data: st.DataObject
) -> None:
    kind(tmp_path / "odd", dialect, data)
