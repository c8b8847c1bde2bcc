"""Lines of the log: whatever a stranger sends, one request is one line."""

import json

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakeserver.dialects.base import TOKEN
from fakeserver.doors import call
from fakeserver.doors.wsgi import authorization
from fakeserver.serving.appending import NewEvent
from fakeserver.serving.journal import flags
from fakeserver.serving.logs import Line, Refusal, RequestLog
from tests.serving.asking import a_site


def test_a_target_neither_begins_a_line_nor_steers_a_terminal() -> None:
    line = Line(method="POST", target="/x\n12:00:00 forged\x1b[2J\x9b", status=404)
    assert line.as_text() == "control  POST /x\\x0a12:00:00 forged\\x1b[2J\\x9b  404"
    assert "\n" not in line.as_json()


def test_what_was_no_request_is_a_line_too() -> None:
    line = Refusal(status=400, problem="Bad request syntax ('\x1b[2J\n')")
    assert line.as_text() == "refused  400  Bad request syntax ('\\x1b[2J\\x0a')"
    assert json.loads(line.as_json()) == {"refused": {"status": 400, "problem": line.problem}}


TARGETS = (
    "/com/events.json?limit=3",
    "/com/events.json?since_id=0&limit=4",
    "/com/events.json?limit=2&page=2",
)
OWN = {
    "now": {},
    "late": {"late_by_s": 90},
    "of tomorrow": {"recorded_at": "2026-03-03T09:00:00Z"},
    "of tomorrow and late": {"recorded_at": "2026-03-03T09:00:00Z", "late_by_s": 7_200},
}
MOVES = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(TARGETS)),
    st.tuples(st.just("append"), st.sampled_from(sorted(OWN))),
    st.tuples(st.just("advance"), st.sampled_from([1, 30, 90, 86_400])),
)


NEWEST = ("ask", TARGETS[0])


@settings(deadline=None, max_examples=60)
@example([("append", "of tomorrow and late"), NEWEST, ("advance", 86_400), NEWEST], 0)
@example([("append", "late"), NEWEST, ("advance", 90), NEWEST], 0)
@given(st.lists(MOVES, min_size=1, max_size=25), st.sampled_from([0, 1]))
def test_a_page_is_flagged_as_if_looked_at_each_time(moves, rate_per_s) -> None:
    """What is remembered of a page must not outlive an event that appears, or comes to be late."""
    site = a_site(backlog=5, rate_per_s=rate_per_s, seed=2)
    lines: list[str] = []
    log = RequestLog(site, lines.append, as_json=True)
    for move, what in moves:
        if move == "append":
            site.served.append([msgspec.convert(OWN[what], NewEvent)])
        elif move == "advance" and rate_per_s * what < 1_000:
            site.world.advance(what * 1_000)
        elif move == "ask":
            for _ in range(2):
                call(log, "GET", f"http://fakeserver.test{what}", authorization(TOKEN))
                expected = flags(site.world, site.world.last_exchange)
                assert json.loads(lines[-1]).get("flags", []) == expected
