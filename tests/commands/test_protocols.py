"""What a line means, in each protocol; what is none is refused with what was expected."""

import json

import pytest

from fakeserver.errors import UsageError
from fakeserver.verifier.commands.protocols import EXPECTED, read_line

EVENT = {"id": 7, "verb": "create"}
CASES = [
    ("jsonl", {"deliver": EVENT}, "deliver", EVENT),
    ("jsonl", {"deliver": 7}, "deliver", 7),
    ("jsonl", {"save": None}, "save", None),
    ("jsonl", {"done": True}, "done", None),
    ("events", {"done": True, "resets": True}, "done", None),
    ("singer", {"failed": "status 503", "resets": False}, "failed", "status 503"),
    ("events", EVENT, "deliver", EVENT),
    ("singer", {"type": "RECORD", "stream": "e", "record": EVENT}, "deliver", EVENT),
    ("singer", {"type": "STATE", "value": {"since": 7}}, "save", {"since": 7}),
    ("singer", {"type": "SCHEMA", "stream": "e", "schema": {}}, "nothing", None),
    ("airbyte", {"type": "RECORD", "record": {"stream": "e", "data": EVENT}}, "deliver", EVENT),
    ("airbyte", {"type": "STATE", "state": {"data": 7}}, "save", {"data": 7}),
    ("airbyte", {"type": "LOG", "log": {"level": "INFO", "message": "hi"}}, "nothing", None),
]


@pytest.mark.parametrize(("protocol", "message", "kind", "value"), CASES)
def test_a_line_means_one_thing(protocol, message, kind, value):
    action = read_line(protocol, json.dumps(message).encode(), 1)
    assert (action.kind, action.value) == (kind, value)
    assert action.resets is message.get("resets", False)


@pytest.mark.parametrize("protocol", EXPECTED)
@pytest.mark.parametrize("line", [b"", b"  ", b"\r"])
def test_an_empty_line_is_nothing(protocol, line):
    assert read_line(protocol, line, 1).kind == "nothing"


@pytest.mark.parametrize("protocol", EXPECTED)
@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"[1]",
        b"{}",
        b'{"done": false}',
        b'{"done": true, "resets": 3}',
        b"\xff",
        b'{"type": "RECORD"}',
        b"[" * 10_000,
    ],
)
def test_what_is_no_message_is_refused(protocol, line):
    with pytest.raises(UsageError) as caught:
        read_line(protocol, line, 12)
    assert str(caught.value).startswith(
        f"line 12 of the command's stdout: expected {EXPECTED[protocol]}"
    )
    assert "write what is for people to stderr" in str(caught.value)
    assert len(str(caught.value)) < 700
