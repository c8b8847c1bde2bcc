"""Faults in a scenario: played, judged fairly, told in reports, replayed, shrunk."""

import http.client
import json
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
import pytest

from fakeserver.dialects import find_dialect
from fakeserver.errors import ScenarioError
from fakeserver.fault import Fault
from fakeserver.history import Exchange, PollEnded, PollStarted, from_lines, to_lines
from fakeserver.scenario import Scenario
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.judge import judge
from fakeserver.verifier.pace import SAME_ANSWERS_MAX
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.shrink import shrink

from .worlds import by_id, by_key, event, get, ms, poll, world

ROWS = [event(number, number) for number in range(2, 9)]
WHAT_CAN_FAIL = (HTTPError, http.client.HTTPException, OSError, ValueError)
REFUSED = Fault(kind="server-error", status=503, retry_after_s=2)
KINDS = {
    "server-error": Fault(kind="server-error", nth=2),
    "rate-limited": Fault(kind="rate-limited", nth=2, retry_after_s=2),
    "transient-422": Fault(kind="transient-422", nth=2),
    "token-expired": Fault(kind="token-expired", nth=2),
    "dropped-connection": Fault(kind="dropped-connection", nth=2),
    "truncated-body": Fault(kind="truncated-body", nth=2),
}
"""Faults that leave no page, of the second request."""


def stormy(*faults: Fault, polls=(120, 180, 240), late=60, **options) -> Scenario:
    """Seven rows, two a page, and one poll with `faults` before the calm."""
    return world(ROWS, polls=(poll(10, faults=faults), *polls), late=late, **options)


def long_after(*faults: Fault) -> Scenario:
    """The same, ten minutes after the rows, so that windows to the minute don't touch."""
    return world(ROWS, polls=(poll(600, faults=faults), 720, 780, 840), late=60)


def exchanges(history) -> list[Exchange]:
    return [step for step in history if isinstance(step, Exchange)]


def accusations(scenario, client, promise=None) -> list[tuple[str, str | None]]:
    found = judge(scenario, run(scenario, client), promise).findings
    return [(finding.rule, finding.cause) for finding in found]


# Culprits and innocents


def window(feed, *, page=get, save_before=False) -> None:
    """Read once all that is new since the last poll: right, as long as every page comes."""
    low = feed.checkpoint or "1970-01-01 00:00"
    since = 1
    if save_before:
        feed.save(f"{feed.now():%Y-%m-%d %H:%M}")
    while rows := page(feed, {"created_at_min": low, "since_id": since, "limit": feed.page_size}):
        for row in rows:
            feed.deliver(row)
        since = rows[-1]["id"]
    feed.save(f"{feed.now():%Y-%m-%d %H:%M}")


def takes_a_failure_for_the_end(feed) -> None:
    def page(feed, query):
        try:
            return get(feed, query)
        except WHAT_CAN_FAIL:
            return []

    window(feed, page=page)


def saves_before_it_reads(feed) -> None:
    window(feed, save_before=True)


def raises_and_comes_back(feed) -> None:
    seen = set(feed.checkpoint["seen"] if feed.checkpoint else ())
    since = 1
    while rows := get(feed, {"since_id": since, "limit": feed.page_size}):
        new = [row for row in rows if row["id"] not in seen]
        seen |= {row["id"] for row in new}
        feed.commit(new, {"seen": sorted(seen)})
        since = rows[-1]["id"]


def waits_and_tries_again(feed, *, pause: float | None = 5, tries: int | None = None) -> None:
    def page(feed, query):
        left = tries
        while True:
            try:
                return get(feed, query)
            except WHAT_CAN_FAIL:
                if left is not None:
                    left -= 1
                    if not left:
                        raise
                if pause is not None:
                    feed.sleep(pause)

    since = feed.checkpoint or 1
    while rows := page(feed, {"since_id": since, "limit": feed.page_size}):
        for row in rows:
            feed.deliver(row)
        since = rows[-1]["id"]
        feed.save(since)


def starts_its_walk_again(feed) -> None:
    """The retry wraps the walk, not the page, and delivers all that went before again."""
    for _ in range(3):
        since = feed.checkpoint or 1
        try:
            while rows := get(feed, {"since_id": since, "limit": feed.page_size}):
                for row in rows:
                    feed.deliver(row)
                since = rows[-1]["id"]
        except WHAT_CAN_FAIL:
            continue
        feed.save(since)
        return


@pytest.mark.parametrize("kind", KINDS)
def test_who_takes_a_failure_for_the_end_loses_the_rest(kind):
    scenario = long_after(KINDS[kind])
    verdict = judge(scenario, run(scenario, takes_a_failure_for_the_end))
    (finding,) = verdict.findings
    assert (finding.rule, finding.cause) == ("LOST", "failed-not-retried")
    assert finding.event_ids == (4, 5, 6, 7, 8)
    failed = [n for n, step in enumerate(verdict.history) if getattr(step, "fault", None)]
    assert list(finding.steps) == failed
    text = " ".join(verdict.text().split())
    assert "Any request over a network can fail." in text
    assert "The last request that covered it, in poll 1, asked for ids above 3" in text


def test_a_time_out_that_is_taken_for_the_end_is_seen_too():
    """The client's own time-out counts in simulated time."""

    def impatient(feed) -> None:
        def page(feed, query):
            try:
                request = Request(f"{feed.url('/com/events.json')}?{urlencode(query)}")
                with feed.urllib_opener().open(request, timeout=30) as response:
                    return json.load(response)["events"]
            except TimeoutError:
                return []

        window(feed, page=page)

    slow = Fault(kind="slow-answer", nth=2, ms=30_001)
    assert accusations(long_after(slow), impatient) == [("LOST", "failed-not-retried")]
    bearable = Fault(kind="slow-answer", nth=2, ms=30_000)
    assert accusations(long_after(bearable), impatient) == []


@pytest.mark.parametrize("kind", KINDS)
def test_who_saves_before_it_has_read_loses_the_rest(kind):
    scenario = long_after(KINDS[kind])
    history = run(scenario, saves_before_it_reads)
    assert next(step.ending for step in history if isinstance(step, PollEnded)) == "raised"
    (finding,) = judge(scenario, history).findings
    assert (finding.rule, finding.cause) == ("LOST", "failed-not-retried")


def test_who_walks_again_from_the_start_repeats():
    fault = Fault(kind="server-error")
    assert accusations(stormy(fault), starts_its_walk_again) == []
    late = msgspec.structs.replace(fault, nth=3)
    assert accusations(stormy(late), starts_its_walk_again) == [("DUPLICATED", None)]


RIGHT = {
    "raises": raises_and_comes_back,
    "window, raises": window,
    "tries again": waits_and_tries_again,
    "by id, raises": by_id,
}


@pytest.mark.parametrize("client", RIGHT.values(), ids=list(RIGHT))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("times", [1, 3, 30, None])
def test_who_comes_back_is_spared(kind, times, client):
    """Though it raises in the storm, however long the fault lasts."""
    fault = msgspec.structs.replace(KINDS[kind], times=times)
    promise = Promise(delivery="at-least-once")  # one of them repeats what it had not saved
    scenario = stormy(fault)
    history = run(scenario, client)
    assert any(step.fault for step in exchanges(history))
    assert judge(scenario, history, promise).findings == ()


# Waiting and asking again


def asked_in(history, number: int) -> int:
    """How many requests a poll sent."""
    count = here = 0
    for step in history:
        here = getattr(step, "poll", here)
        count += isinstance(step, Exchange) and here == number
    return count


@pytest.mark.parametrize("after_success", [False, True], ids=["new", "has returned before"])
def test_who_waits_as_long_as_it_takes_is_not_stuck(after_success):
    """A poll's faults end when the next poll is due, so a patient client gets there."""
    endless = Fault(kind="server-error", times=None)
    before = (poll(5),) if after_success else ()
    scenario = world(
        ROWS,
        polls=(*before, poll(10, faults=[endless]), 3_600, 3_700, 3_800),
        calm_from=1 + after_success,
    )
    history = run(scenario, waits_and_tries_again)
    assert judge(scenario, history).findings == ()
    assert asked_in(history, 1 + after_success) > 700, "far more than ten times the log"
    assert {step.status for step in exchanges(history)} == {503, 200}


def test_who_asks_again_at_once_may_do_so_for_a_while():
    """Where the server orders no pause; where it does, that is impolite from the first time on."""
    often = 3 * SAME_ANSWERS_MAX
    impatient = lambda feed: waits_and_tries_again(feed, pause=None)  # noqa: E731
    assert accusations(stormy(Fault(kind="server-error", times=often)), impatient) == []
    ordered = msgspec.structs.replace(REFUSED, times=often)
    assert accusations(stormy(ordered), impatient) == [("IMPOLITE", None)]


def test_who_asks_again_at_once_for_ever_is_stuck():
    endless = Fault(kind="server-error", times=None)
    impatient = lambda feed: waits_and_tries_again(feed, pause=None)  # noqa: E731
    verdict = judge(stormy(endless), run(stormy(endless), impatient))
    assert [finding.rule for finding in verdict.findings] == ["STUCK"]
    text = " ".join(verdict.text().split())
    assert "lowest first and got 503." in text
    assert "Wait before" in text


def test_a_fault_is_over_with_its_poll():
    """Also for a client that overslept the next one's start."""
    scenario = stormy(Fault(kind="server-error", nth=3, times=None))
    history = run(scenario, by_id)
    assert [step.status for step in exchanges(history)] == [200, 200, 503, *(3 * [200]), 200, 200]

    def sleeper(feed):
        feed.sleep(1_000)
        by_id(feed)

    slept = exchanges(run(stormy(Fault(kind="server-error", times=None)), sleeper))
    assert {step.status for step in slept} == {200}


def test_faults_count_the_requests_of_their_own_poll():
    faults = [poll(10, faults=[REFUSED]), poll(20), poll(30, faults=[REFUSED])]
    scenario = world(ROWS, polls=(*faults, 120, 180, 240), calm_from=3)
    history = run(scenario, by_id)
    assert [asked_in(history, number) for number in (1, 2, 3)] == [1, 5, 1]


def test_a_429_of_the_rate_limit_is_no_crash_in_the_calm():
    """A limit is there in the calm as well; its refusals come from asking fast."""
    rows = [event(number, number / 10) for number in range(20, 120)]
    scenario = world(rows, polls=(20, 60, 120, 180), calm_from=0, page_size=1, rate_limit="off")
    limited = msgspec.structs.replace(
        scenario, settings={**scenario.settings, "rate_limit": "bucket-80-4"}
    )
    history = run(limited, by_id)
    assert [s.ending for s in history if isinstance(s, PollEnded)][:2] == ["raised", "returned"]
    assert judge(limited, history).findings == ()
    assert judge(scenario, run(scenario, by_id)).findings == ()


# What an old answer proves


def test_an_old_answer_is_no_evidence_of_what_was_not_there():
    """Nor is it one of a full page: a report must not say that the limit cut it."""
    old = Fault(kind="stale-read", ms=5_000, nth=1)
    scenario = stormy(old, late=5)
    evidence = Evidence(scenario, run(scenario, by_id), Promise())
    first = exchanges(evidence.history)[0]
    assert (first.as_of, first.event_ids) == (5_000, (2, 3))
    assert evidence.query(first) is None
    assert evidence.meant(first) is not None
    # e7 (id 8), of second 8, was missing in second 10: two seconds and a millisecond late.
    late = {e.id: evidence.late_by_ms(e) for e in scenario.events}
    assert late == {2: 0, 3: 0, 4: 0, 5: 0, 6: 4_001, 7: 3_001, 8: 2_001}
    assert [e.id for e in evidence.owed()] == [2, 3, 4, 5, 6, 7, 8]
    prompt = Evidence(scenario, evidence.history, Promise(late_by_ms_max=3_000))
    assert [e.id for e in prompt.owed()] == [2, 3, 4, 5, 8]


def by_page_number(feed) -> None:
    """Newest first, in one poll; what an old page moves away is missing."""
    seen, number = set(feed.checkpoint or ()), 1
    while rows := get(feed, {"page": number, "limit": 2}):
        fresh = [row for row in rows if row["id"] not in seen]
        seen |= {row["id"] for row in fresh}
        feed.commit(fresh, sorted(seen))
        number += 1


@pytest.mark.parametrize(
    ("age_s", "withheld"),
    [
        pytest.param(4, {8, 7, 6, 5}, id="a full page, two rows on"),
        pytest.param(8.5, {8, 7, 6, 5, 4, 3, 2}, id="an empty page, and all that follow"),
    ],
)
def test_with_page_numbers_an_old_page_withholds_what_it_moved_away(age_s, withheld):
    scenario = stormy(Fault(kind="stale-read", nth=2, ms=ms(age_s)), late=0)
    evidence = Evidence(scenario, run(scenario, by_page_number), Promise())
    assert {e.id for e in scenario.events if evidence.late_by_ms(e)} >= withheld
    assert {e.id for e in evidence.owed()}.isdisjoint(withheld)


def test_where_ties_come_in_any_order_an_old_page_may_withhold_any_row():
    """Page 2 should have held one of two rows that share a stamp; nobody knows which."""
    shuffled = {"order_default": "created_at-desc", "created_at_ties": "shuffled"}
    scenario = world([event(1, 0), event(2, 0), event(3, 1, visible=30)], **shuffled)
    target = "/com/events.json?page=2&limit=2"
    old = Exchange(at=ms(40), method="GET", target=target, status=200, as_of=ms(20))
    evidence = Evidence(scenario, (PollStarted(at=ms(40), poll=1), old), Promise())
    assert [evidence.late_by_ms(row) for row in scenario.events] == [40_001, 40_001, 39_001]


def test_a_repeated_answer_is_as_old_as_its_first_computation():
    """The rows that it has were served; what it lacks says nothing."""
    lost = Fault(kind="repeated-answer", nth=4)
    scenario = world([*ROWS, event(9, 13)], polls=(poll(10, faults=[lost]), 120, 180, 240), late=60)
    history = run(scenario, waits_and_tries_again)
    first, again, after = exchanges(history)[3:6]
    assert (first.status, first.event_ids, first.fault) == (0, (), "repeated-answer")
    assert (again.status, again.event_ids, again.as_of) == (200, (8,), first.at)
    assert after.event_ids == (9,)
    assert judge(scenario, history).findings == ()


# Histories and files


def all_faults() -> Scenario:
    faults = [
        *(msgspec.structs.replace(fault, nth=n) for n, fault in enumerate(KINDS.values(), 1)),
        Fault(kind="slow-answer", nth=7, ms=2_000),
        Fault(kind="stale-read", nth=8, ms=4_000),
        Fault(kind="repeated-answer", nth=9),
    ]
    return stormy(*faults, request=0.5)


def test_a_scenario_with_faults_and_its_history_go_through_files():
    scenario = all_faults()
    history = run(scenario, waits_and_tries_again)
    assert len({step.fault for step in exchanges(history)}) == 1 + 9
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert from_lines(to_lines(history)) == history
    again = Scenario.from_json(scenario.to_json())
    assert to_lines(run(again, waits_and_tries_again)) == to_lines(history)
    assert judge(scenario, history).findings == ()


def test_steps_without_faults_are_written_as_before():
    history = run(stormy(), by_id)
    keys = {key for line in to_lines(history).splitlines() for key in json.loads(line)}
    assert keys.isdisjoint({"fault", "as_of", "took_ms", "retry_after_s", "faults"})
    assert b"faults" not in stormy().to_json()


def test_no_faults_in_the_calm():
    with pytest.raises(ScenarioError, match="poll 2 belongs to the calm, so it can't have faults"):
        world(ROWS, polls=(10, poll(120, faults=[REFUSED]), 180, 240))


def test_too_many_faults_are_a_contradiction():
    with pytest.raises(ScenarioError, match="at most 100 faults a poll, got 101 in 1"):
        stormy(*[REFUSED] * 101)


# In reports


def test_a_report_tells_each_fault_in_the_timeline():
    def follow(feed):
        waits_and_tries_again(feed)
        feed.deliver(99)  # so that there is something to report

    scenario = all_faults()
    verdict = judge(scenario, run(scenario, follow))
    text = verdict.text()
    for line in (
        "→ 503",
        "→ 429, Retry-After 2",
        "→ 422",
        "→ 401",
        "→ connection dropped",
        "→ body cut",
    ):
        assert f"{line}   slept 5 s" in text, line
    assert max(map(len, text.splitlines())) <= 100
    rest = " ".join(judge(scenario, run(with_only(scenario, from_nth=7), follow)).text().split())
    assert "→ e1 e2 (after 2 s)" in rest
    assert "→ e3 e4 (the log of 00:00:0" in rest
    assert "→ answer lost" in rest


def with_only(scenario: Scenario, *, from_nth: int) -> Scenario:
    """The scenario with its later faults only, the first of them at the first request."""
    faults = tuple(
        msgspec.structs.replace(fault, nth=fault.nth - from_nth + 1)
        for fault in scenario.polls[0].faults
        if fault.nth >= from_nth
    )
    return msgspec.structs.replace(
        scenario,
        polls=(msgspec.structs.replace(scenario.polls[0], faults=faults), *scenario.polls[1:]),
    )


# Over a socket


def test_who_gave_up_over_a_socket_was_not_served():
    """The live door notices, and the run waits for it."""

    def follow(feed):
        opener = build_opener(ProxyHandler({}))
        since = feed.checkpoint or 1
        while True:
            query = urlencode({"since_id": since, "limit": 2})
            request = Request(f"{feed.url('/com/events.json')}?{query}", headers=feed.headers)
            with opener.open(request, timeout=0.2) as response:
                rows = json.load(response)["events"]
            if not rows:
                return
            for row in rows:
                feed.deliver(row)
            since = rows[-1]["id"]
            feed.save(since)

    scenario = stormy(Fault(kind="slow-answer", nth=2, ms=1_900))
    history = run(scenario, follow)
    assert exchanges(history)[1].status == 0
    assert judge(scenario, history).findings == ()


# Small worlds


def test_a_world_with_faults_shrinks_to_the_one_that_matters():
    many = [event(number, number) for number in range(2, 12)]
    faults = [
        Fault(kind="slow-answer", ms=1_000),
        Fault(kind="server-error", nth=3, times=4, retry_after_s=9, status=500),
        Fault(kind="dropped-connection", nth=8),
    ]
    scenario = world(
        many,
        polls=(poll(20, faults=faults), poll(50, faults=faults[:1]), 120, 180, 240),
        calm_from=2,
        request=1,
    )

    def still_broken(candidate: Scenario) -> bool:
        return ("LOST", "failed-not-retried") in accusations(candidate, walks_afresh)

    assert still_broken(scenario)
    small = shrink(scenario, still_broken)
    (fault,) = [fault for poll in small.polls for fault in poll.faults]
    assert fault == Fault(kind="server-error")
    assert len(small.events) == 1
    assert small.calm_from == 1


def walks_afresh(feed) -> None:
    """Each poll walks all the log, and gives up for good at the first server error."""
    if feed.checkpoint == "done":
        return
    seen = set(feed.checkpoint or ())
    since = 1
    try:
        while rows := get(feed, {"since_id": since, "limit": feed.page_size}):
            fresh = [row for row in rows if row["id"] not in seen]
            seen |= {row["id"] for row in fresh}
            feed.commit(fresh, sorted(seen))
            since = rows[-1]["id"]
    except HTTPError:
        feed.save("done")


def test_what_does_not_need_its_faults_loses_them():
    rows = [event(2, 1, visible=30), event(3, 2)]
    scenario = world(rows, polls=(poll(10, faults=[REFUSED]), 20, 120, 180, 240), calm_from=2)

    def still_broken(candidate: Scenario) -> bool:
        return ("LOST", "never-asked") in accusations(candidate, by_id)

    assert still_broken(scenario)
    assert all(poll.faults == () for poll in shrink(scenario, still_broken).polls)


# The other dialect


@pytest.mark.parametrize("kind", KINDS)
def test_the_sales_channel_fails_alike(kind):
    rows = [event(f"c{number}", number) for number in range(1, 8)]
    scenario = world(
        rows,
        dialect="saleschannel",
        polls=(poll(10, faults=[KINDS[kind]]), 120, 180, 240),
        late=0,
        page_size=3,
    )
    history = run(scenario, by_key)
    assert [step.fault for step in exchanges(history)][1] == kind
    assert judge(scenario, history).findings == ()
    reference = find_dialect("saleschannel").reference_client
    assert accusations(scenario, reference) == []
