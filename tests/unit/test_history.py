"""Histories: one JSON object a line, the same bytes everywhere, a broken line named by number."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import ScenarioError
from fakeserver.generate import generate_scenario
from fakeserver.history import (
    Delivered,
    Exchange,
    Killed,
    PollEnded,
    PollStarted,
    Restarted,
    Saved,
    Slept,
    from_lines,
    load_history,
    to_lines,
)
from fakeserver.verifier.runner import run

EVERY_STEP = (
    PollStarted(at=1, poll=1),
    Exchange(at=2, method="GET", target="/p?a=1", status=200, event_ids=(3, 2, 1)),
    Exchange(at=3, method="GET", target="/p", status=422, problem="bad-number: limit: é"),
    Exchange(at=4, method="GET", target="/p", status=200, event_ids=("ca", "cb")),
    Delivered(at=5, event_id=3),
    Delivered(at=6, event_id="ca", event={"id": "ca", "extra": [1, {"x": None}]}),
    Saved(at=7, checkpoint=None),
    Saved(at=8, checkpoint={"b": 1, "a": [1.5, "é"], "7": 0}, keys_made_text=("int",)),
    Slept(at=9, ms=1_000),
    Killed(at=10, point="before-save"),
    PollEnded(at=11, poll=1, ending="killed"),
    Restarted(at=12),
    PollEnded(at=13, poll=2, ending="raised", error="ValueError: two\nlines"),
)
LINES = to_lines(EVERY_STEP)


def test_every_kind_of_step_survives():
    assert from_lines(LINES) == EVERY_STEP
    assert to_lines(from_lines(LINES)) == LINES


def test_a_line_is_a_step_and_says_which():
    lines = LINES.splitlines()
    assert len(lines) == len(EVERY_STEP)
    assert lines[0] == b'{"step":"poll-started","at":1,"poll":1}'
    kinds = {json.loads(line)["step"] for line in lines}
    assert kinds == {
        "poll-started",
        "exchange",
        "delivered",
        "saved",
        "slept",
        "killed",
        "poll-ended",
        "restarted",
    }


def test_what_is_usual_is_left_out():
    assert b"problem" not in to_lines([EVERY_STEP[1]])
    assert b'"event"' not in to_lines([EVERY_STEP[4]])
    assert b'"checkpoint":null' in to_lines([EVERY_STEP[6]])


def test_the_order_of_keys_makes_no_difference():
    one = to_lines([Saved(at=1, checkpoint={"b": {"d": 1, "c": 2}, "a": 3})])
    other = to_lines([Saved(at=1, checkpoint={"a": 3, "b": {"c": 2, "d": 1}})])
    assert one == other


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_real_history_survives(dialect):
    client = find_dialect(dialect).reference_client
    for example in range(5):
        history = run(generate_scenario(dialect=dialect, example=example), client)
        assert len(history) > 5
        assert from_lines(to_lines(history)) == history


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    st.text(),
)
def test_any_checkpoint_and_any_error_stay_on_their_line(checkpoint, error):
    """Line ends of every kind are inside JSON strings, so they can't split a line."""
    history = (
        Saved(at=1, checkpoint=checkpoint),
        PollEnded(at=2, poll=1, ending="raised", error=error),
    )
    assert from_lines(to_lines(history)) == history
    assert to_lines(history).count(b"\n") == 2


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\n\n", b" \n\t\n"])
def test_blank_lines_and_windows_line_ends_are_fine(newline):
    assert from_lines(LINES.replace(b"\n", newline)) == EVERY_STEP
    assert from_lines(LINES.rstrip()) == EVERY_STEP


def test_an_empty_history_is_empty():
    assert from_lines(b"") == from_lines(b"\n \n") == ()
    assert to_lines(()) == b""


BROKEN = [
    (b"{", "not JSON: "),
    (b'{"step":"saved","at":1,"checkpoint":', "not JSON: "),
    (b"not json", "not JSON: "),
    (b"\xff", "not JSON: "),
    (b'{"step":"saved","at":1,"checkpoint":"\xff"}', "not JSON: "),
    (b"[]", "Expected `object`, got `array`"),
    (b"{}", "missing required field `step`"),
    (b'{"step":"jumped","at":1}', "killed, restarted, got 'jumped' - at `$.step`"),
    (b'{"step":"slept","ms":1}', "missing required field `at`"),
    (b'{"step":"slept","at":1}', "missing required field `ms`"),
    (b'{"step":"slept","at":"1","ms":1}', "Expected `int`, got `str` - at `$.at`"),
    (b'{"step":"slept","at":1,"ms":1,"s":1}', "unknown field `s`"),
    (b'{"step":"slept","at":1,"ms":1}{"step":"restarted","at":1}', "not JSON: "),
    (b'{"step":"poll-ended","at":1,"poll":1,"ending":"slowly"}', "`$.ending`"),
    (b'{"step":"killed","at":1,"point":"never"}', "`$.point`"),
    (b'{"step":"exchange","at":1,"method":"GET","target":"/","status":"ok"}', "`$.status`"),
    (b'{"step":"exchange","at":1,"method":"GET","target":"/","status":200,"event_ids":[null]}',
     "`$.event_ids[0]`"),
    (b'{"step":"saved","at":1,"checkpoint":' + b"[" * 100_000, "not JSON: "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "says"), BROKEN, ids=[f"{n} {row[1]}" for n, row in enumerate(BROKEN)]
)
@pytest.mark.parametrize(("before", "number"), [(b"", 1), (LINES, 14), (b"\n\n" + LINES, 16)])
def test_a_broken_line_is_named_by_number_and_field(before, number, line, says):
    with pytest.raises(ScenarioError) as caught:
        from_lines(before + line + b"\n" + LINES, where="lost.jsonl")
    assert str(caught.value).startswith(f"lost.jsonl, line {number}: ")
    assert says in str(caught.value)


class TestLoad:
    def test_reads_what_was_written(self, tmp_path):
        path = tmp_path / "h.jsonl"
        path.write_bytes(LINES)
        assert load_history(path) == load_history(str(path)) == EVERY_STEP

    def test_names_the_file_of_a_broken_line(self, tmp_path):
        path = tmp_path / "h.jsonl"
        path.write_bytes(LINES + b"{}\n")
        with pytest.raises(ScenarioError) as caught:
            load_history(path)
        assert str(caught.value).startswith(f"{path}, line 14: ")

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(ScenarioError, match=r"can't read the history .*none.*: No such file"):
            load_history(tmp_path / "none")

    def test_a_folder(self, tmp_path):
        with pytest.raises(ScenarioError, match="Is a directory"):
            load_history(tmp_path)
