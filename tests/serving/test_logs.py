"""Lines of the log: whatever a stranger sends, one request is one line."""

import json

from fakeserver.serving.logs import Line, Refusal


def test_a_target_neither_begins_a_line_nor_steers_a_terminal() -> None:
    line = Line(method="POST", target="/x\n12:00:00 forged\x1b[2J\x9b", status=404)
    assert line.as_text() == "control  POST /x\\x0a12:00:00 forged\\x1b[2J\\x9b  404"
    assert "\n" not in line.as_json()


def test_what_was_no_request_is_a_line_too() -> None:
    line = Refusal(status=400, problem="Bad request syntax ('\x1b[2J\n')")
    assert line.as_text() == "refused  400  Bad request syntax ('\\x1b[2J\\x0a')"
    assert json.loads(line.as_json()) == {"refused": {"status": 400, "problem": line.problem}}
