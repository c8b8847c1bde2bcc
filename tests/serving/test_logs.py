"""Lines of the log: whatever a stranger sends, one request is one line."""

from fakeserver.serving.logs import Line


def test_a_target_neither_begins_a_line_nor_steers_a_terminal() -> None:
    line = Line(method="POST", target="/x\n12:00:00 forged\x1b[2J\x9b", status=404)
    assert line.as_text() == "control  POST /x\\x0a12:00:00 forged\\x1b[2J\\x9b  404"
    assert "\n" not in line.as_json()
