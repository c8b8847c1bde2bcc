"""What the rules say that look at single steps, word for word: histories are written by hand."""

import pytest

from fakeserver.history import OVERRAN, AnyStep, Delivered, Exchange, PollEnded, PollStarted
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise

from .worlds import event, ms, world

NOT_LOST = Promise(delivery="at-least-once")
STARTS = (10, 120, 180, 240)
ROWS = tuple(event(number, number - 1) for number in range(2, 11))
"""``e1`` to ``e9``."""


def request(query: str, *ids: int, path: str = "/com/events.json", **fields) -> Exchange:
    """A request of poll 2."""
    answer = {"status": 200, **fields}
    return Exchange(at=ms(120), method="GET", target=path + query, event_ids=ids, **answer)


def ended(ending="returned", error=None, *, number=2, at=120) -> PollEnded:
    return PollEnded(at=ms(at), poll=number, ending=ending, error=error)


def delivered(*ids, **fields) -> list[Delivered]:
    return [Delivered(at=ms(120), event_id=event_id, **fields) for event_id in ids]


def second(*steps: AnyStep, end: PollEnded | None = None) -> tuple[AnyStep, ...]:
    """A history whose second poll has these steps, and whose other polls have none."""
    history: list[AnyStep] = []
    for number, at in enumerate(STARTS, start=1):
        history.append(PollStarted(at=ms(at), poll=number))
        history += steps if number == 2 else ()
        history.append(end or ended() if number == 2 else ended(number=number, at=at))
    return tuple(history)


def only(history, rule, *, rows=ROWS, promise=NOT_LOST):
    found = judge(world(rows), history, promise).findings
    (finding,) = (each for each in found if each.rule == rule)
    return finding


# CRASHED

LIST, COUNT = request("?since_id=1", 2, 3), request("", path="/com/events/count.json")
EMPTY = request("?since_id=99")
NOTHING = "IndexError: list index out of range"
FIND = "Find the cause in the exception above."


@pytest.mark.parametrize(
    ("steps", "error", "before", "would"),
    [
        ([], "ValueError: no", "It had sent no request", FIND),
        ([], NOTHING, "It had sent no request", FIND),
        ([EMPTY], "ValueError: no", "The answer just before was an empty page", FIND),
        (
            [EMPTY],
            NOTHING,
            "The answer just before was an empty page",
            "Check for an empty page before you take its last row.",
        ),
        ([LIST], NOTHING, "The answer just before held e1 and e2", FIND),
        (
            [request("?since_id=1", *range(2, 11))],
            "ValueError: no",
            "The answer just before held e1, e2, e3, e4, e5 and 4 more",
            FIND,
        ),
        ([COUNT], "ValueError: no", "The answer just before held no rows", FIND),
        (
            [request("?limit=0", status=422, problem="bad-number: expected 1 or more")],
            "ValueError: no",
            "The answer just before was 422",
            FIND,
        ),
        (
            [LIST],
            "ValueError: look, at once, at shop.py:7 (follow)",
            "The answer just before held e1 and e2",
            "Look at shop.py:7 (follow): the client's own code was there last.",
        ),
    ],
)
def test_an_exception_in_the_calm(steps, error, before, would):
    finding = only(second(*steps, end=ended("raised", error)), "CRASHED")
    assert finding.message == f"poll 2 raised {error}"
    assert finding.why == (f"{before}; no fault was on in poll 2.",)
    assert finding.would == would


def test_an_exception_in_the_calm_after_a_fault():
    """There is none in the calm of our worlds; an armed one may come at any time."""
    refused = request("?since_id=1", status=503, fault="server-error")
    finding = only(second(refused, end=ended("raised", "OSError: 503")), "CRASHED")
    assert finding.why == (
        "The request just before failed: 503; everything was visible in poll 2.",
    )


def test_a_poll_that_was_told_to_ask_more_slowly_hides_no_other():
    slower = request("?since_id=1", status=429)
    history = (
        *second(slower, end=ended("raised", "OSError: 429"))[:-1],
        ended("raised", "ValueError: no", number=4, at=240),
    )
    assert only(history, "CRASHED").message == "poll 4 raised ValueError: no"


# STUCK


@pytest.mark.parametrize(
    ("error", "first", "would"),
    [
        (
            f"10 s {OVERRAN} in one poll",
            ("It neither returned nor asked on: it waited, or was busy with itself.",),
            "Wait with feed.sleep, which costs no real time, and return when nothing is new.",
        ),
        (
            "the same request had the same answer 10 times in a row without a sleep",
            (),
            "End the poll when a page brings nothing new, and go on in the next one.",
        ),
        (None, (), "End the poll when a page brings nothing new, and go on in the next one."),
    ],
    ids=["time", "requests", "untold"],
)
def test_a_poll_that_had_to_be_stopped(error, first, would):
    """What appeared as it was stopped was never reached either; what comes later may yet be."""
    rows = (event(2, 1), event(3, 2), event(4, 110, visible=120), event(5, 110, visible=120.001))
    stopped = second(LIST, *delivered(2), end=ended("stopped", error))
    rows_asked = (
        "Its last request asked for ids above 1, lowest first and got e1 and e2.",
        "It never reached e2 and e3.",
    )
    scenario = world(rows, polls=(10, 120, 180, 240, 300), calm_from=2)
    (finding,) = judge(scenario, stopped[: stopped.index(ended("stopped", error)) + 1]).findings
    assert finding.message == f"poll 2 never ended: {error}"
    assert finding.why == (*first, *rows_asked)
    assert finding.would == would


# INVENTED and ALTERED

AS_SERVED = "Deliver events as they were served, with their own ids."


@pytest.mark.parametrize(
    ("ids", "message", "why"),
    [
        (
            (77,),
            "id 77 was delivered, and no event has it",
            "Id 77 was delivered in poll 2; no event of the log has it.",
        ),
        (
            (75, 76, 77, 78, 79),
            "5 ids were delivered that no event has",
            "Ids 75, 76, 77, 78 and 79 were delivered from poll 2 on; no event of the log has "
            "them.",
        ),
        (
            (71, 72, 73, "x", 75, 76, 77),
            "7 ids were delivered that no event has",
            "Ids 71, 72, 73, 'x', 75 and 2 more were delivered from poll 2 on; no event of the "
            "log has them.",
        ),
    ],
    ids=["one", "five", "seven"],
)
def test_ids_that_no_event_has(ids, message, why):
    finding = only(second(*delivered(*ids)), "INVENTED")
    assert (finding.message, finding.why, finding.would) == (message, (why,), AS_SERVED)
    assert finding.event_ids == ids


def test_a_field_that_was_changed():
    """The id as text is no change, and hides none behind it."""
    history = second(
        *delivered(99),
        *delivered(4),
        *delivered(2, event={"id": "2"}),
        *delivered(3, event={"id": 3, "verb": "destroy", "seen": "today"}),
    )
    finding = only(history, "ALTERED")
    assert finding.message == "e2 was delivered with other content than was served"
    assert finding.why == ("verb: served 'create', delivered 'destroy'.",)
    assert finding.would == (
        "Deliver the fields of an event as they were served; add new ones beside them."
    )


# DUPLICATED


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ((2, 2), "1 event was delivered more than once"),
        ((2, 3, 2, 3), "2 events were delivered more than once"),
    ],
)
def test_how_many_were_repeated(ids, message):
    assert only(second(*delivered(*ids)), "DUPLICATED", promise=Promise()).message == message


def test_an_id_that_no_event_has_goes_by_itself():
    finding = only(second(*delivered("x", "x")), "DUPLICATED", promise=Promise())
    assert finding.why == ("'x' (id x) was delivered twice in poll 2.",)


# ILLEGAL_REQUEST


@pytest.mark.parametrize(
    ("says", "what", "would"),
    [
        ("expected one, got 'a; b'", "expected one, got 'a; b'", None),
        ("expected one, got two; send one", "expected one, got two", "Send one."),
        ("expected one; got two; send one", "expected one; got two", "Send one."),
        ("got 'a; b'; did you mean 'a'?", "got 'a; b'", "Did you mean 'a'?"),
        ("got two; since_id is one", "got two", "since_id is one."),
    ],
)
def test_a_refusal_and_its_advice(says, what, would):
    refused = request("?limit=0", status=422, problem=f"bad-number: {says}")
    finding = only(second(LIST, refused), "ILLEGAL_REQUEST")
    assert finding.message == "the API refuses what poll 2 asked: bad-number"
    assert finding.why == (f"Request 2 of poll 2 was answered 422: {what}.",)
    assert finding.would == (would or "Send what the sentence above expects.")


def test_a_refusal_that_a_right_client_may_meet_hides_none_behind_it():
    capped = request("?limit=999", status=422, problem="limit-over-max: expected at most 250")
    refused = request("?limit=0", status=422, problem="bad-number: expected 1 or more")
    assert only(second(capped, LIST, refused), "ILLEGAL_REQUEST").cause == "bad-number"
    found = judge(world(ROWS), second(capped, LIST), NOT_LOST).findings
    assert {finding.rule for finding in found} == {"LOST"}
