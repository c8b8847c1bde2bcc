"""Sentences of a proof: the facts in them are true, and a wrong one is not said."""

from fakeserver.fault import Fault
from fakeserver.history import Restarted
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run

from .worlds import event, get, oldest_first, poll, world


def proof(scenario, client, rule, promise=None):
    """The sentences of the first finding, which is of `rule`."""
    finding = judge(scenario, run(scenario, client), promise).findings[0]
    assert finding.rule == rule
    return " ".join(finding.why), finding


def stamp(seconds):
    return f"1970-01-01T00:00:{seconds:02}.000Z"


# A loss


def test_what_would_have_read_a_late_event_is_tried_before_it_is_said():
    def by_largest_id(feed):
        since = feed.checkpoint or 1
        for row in get(feed, {"since_id": since, "limit": 10}):
            feed.deliver(row)
            feed.save(row["id"])

    late = [event(2, 2, visible=50), event(3, 3)]
    why, finding = proof(world(late), by_largest_id, "LOST")
    assert "became visible at 00:00:50, 48 s later" in why
    assert "asked for ids above 3" in why
    assert finding.would.endswith("reads e1 in poll 2.")
    assert "up to 1 min after it was recorded" in finding.allowed
    older = world([event(2, -70, visible=50), event(3, 3)], late=20)
    why, finding = proof(older, by_largest_id, "LOST", Promise(late_by_ms_max=120_000))
    assert finding.would is None, "20 s of look-back, to the minute, are too few for two minutes"


def test_a_filter_that_keeps_an_event_out_is_named():
    def orders_later_on(feed):
        kind = {} if feed.checkpoint is None else {"filter": "Order"}
        since = feed.checkpoint or 1
        for row in get(feed, {**kind, "since_id": since, "limit": 10}):
            feed.deliver(row)
        feed.save(1 if feed.checkpoint is None else since)

    rows = [event(2, 20, subject_type="Page")]
    why, finding = proof(world(rows), orders_later_on, "LOST")
    assert finding.cause == "never-asked"
    assert "only the type Order" in why
    assert "Its subject_type is Page." in why


def test_many_requests_are_told_by_the_first_and_the_last():
    def ever_further(feed):
        since = feed.checkpoint or 10
        for _ in range(3):
            since += 1
            get(feed, {"since_id": since})
        feed.save(since)

    why, finding = proof(world([event(2, 1)]), ever_further, "LOST")
    assert "they asked for ids above 11, lowest first; then … ids above 22, lowest first" in why
    assert len(finding.steps) == 3


def test_a_client_that_asks_nothing_is_told_so():
    why, _ = proof(world([event(2, 1)]), lambda feed: None, "LOST")
    assert "the client sent no request for rows" in why


def test_a_clamped_limit_is_named_as_the_reason():
    def first_page(feed):
        for row in get(feed, {"limit": 10}):
            if row["id"] > (feed.checkpoint or 0):
                feed.deliver(row)
        feed.save(99)

    rows = [event(number, number) for number in range(2, 9)]
    why, finding = proof(world(rows, limit_max=5), first_page, "LOST")
    assert "It asked for 10 rows; the server never returns more than 5." in why
    assert "A server may return fewer rows than were asked for" in finding.allowed
    why, _ = proof(world(rows, limit_max=None), lambda feed: get(feed, {"limit": 5}), "LOST")
    assert "never returns more" not in why


def test_who_never_succeeded_is_told_to_read_the_whole_log():
    why, finding = proof(world([event(2, 1)]), lambda feed: None, "LOST")
    assert "the client sent no request for rows" in why
    assert finding.would.startswith("Paging by since_id from 1 on as long as no poll has succeeded")
    assert finding.would.endswith("reads e1 in poll 1.")


def test_a_page_behind_the_event_says_where_it_stood():
    def pages(feed):
        if feed.checkpoint is None:
            for number in (1, 2, 3):
                for row in get(feed, {"page": number, "limit": 2}):
                    feed.deliver(row)
            feed.save(1)

    rows = [event(2, 1), event(3, 2), event(4, 11), event(5, 12)]
    verdict = judge(world(rows, request=5), run(world(rows, request=5), pages))
    loss = next(finding for finding in verdict.findings if finding.rule == "LOST")
    assert loss.cause == "cut-by-limit"
    why = " ".join(loss.why)
    assert "no rows came back, for e3 stood at row 2 by then, before that page" in why
    assert "never asked again" not in why


def test_a_lateness_that_was_asked_for_is_not_laid_to_the_document():
    def by_largest_id(feed):
        since = feed.checkpoint or 1
        for row in get(feed, {"since_id": since, "limit": 10}):
            feed.deliver(row)
            feed.save(row["id"])

    scenario = world([event(2, 2, visible=50), event(3, 3)], late=600, polls=(10, 120, 180, 900))
    _, finding = proof(scenario, by_largest_id, "LOST", Promise(late_by_ms_max=600_000))
    assert "(--late-by-max)" in finding.allowed
    assert "PROMISES.md" not in finding.allowed


def test_pages_that_were_saved_before_any_was_delivered_are_lost_with_the_poll():
    def saves_each_page(feed):
        since, rows = feed.checkpoint or 1, []
        while page := get(feed, {"since_id": since, "limit": 1}):
            rows += page
            since = page[-1]["id"]
            feed.save(since)
        for row in rows:
            feed.deliver(row)

    rows = [event(2, 1), event(3, 2)]
    killed = world(rows, polls=(poll(10, crash="before-deliver"), 120, 180, 240))
    why, finding = proof(killed, saves_each_page, "LOST")
    assert (finding.cause, finding.event_ids) == ("saved-before-delivered", (2, 3))
    assert "Poll 1 received e1, saved its checkpoint, and was killed before it delivered." in why
    assert "went on from that checkpoint, and no later request covered e1." in why
    assert finding.allowed == "A program can be killed between any two of its steps."

    fault = Fault(kind="server-error", nth=2)
    failed = world(rows, polls=(poll(10, faults=[fault]), 120, 180, 240))
    why, finding = proof(failed, saves_each_page, "LOST")
    assert (finding.cause, finding.event_ids) == ("saved-before-delivered", (2,))
    assert "Poll 1 received e1, saved its checkpoint, and raised before it delivered." in why
    assert "The next poll went on from that checkpoint" in why
    assert finding.allowed == "Any request over a network can fail."


# A repeat


def test_a_repeat_is_told_with_the_request_that_brought_it():
    def wider_and_wider(feed):
        number = feed.checkpoint or 0
        since = (4, 2, 3, 1)[number]
        for row in get(feed, {"since_id": since, "limit": 10}):
            if number in (1, 2) and row["id"] == 5:
                feed.deliver(row)
        feed.save(number + 1)

    rows = [event(number, number) for number in range(2, 6)]
    verdict = judge(world(rows), run(world(rows), wider_and_wider))
    repeat = verdict.findings[-1]
    assert repeat.rule == "DUPLICATED"
    assert repeat.why[0] == "e4 (id 5) was delivered in poll 2 and again in poll 3."
    assert repeat.why[1] == (
        "The second time it was row 2 of a request for ids above 3, lowest first."
    )


def test_twice_in_one_poll():
    def stutter(feed):
        for row in get(feed, {"since_id": feed.checkpoint or 1}):
            feed.deliver(row)
            feed.deliver(row)
            feed.save(row["id"])

    why, _ = proof(world([event(2, 1)]), stutter, "DUPLICATED")
    assert "e1 (id 2) was delivered twice in poll 1." in why


def test_a_shift_is_told_only_of_an_event_that_came_in_between():
    def pages(feed):
        if feed.checkpoint is None:
            for number in (1, 2):
                for row in get(feed, {"page": number, "limit": 2}):
                    feed.deliver(row)
            feed.save(1)

    rows = [event(2, 1), event(3, 2), event(4, 3), event(5, 11), event(6, 30)]
    verdict = judge(world(rows, request=2), run(world(rows, request=2), pages))
    repeat = next(finding for finding in verdict.findings if finding.rule == "DUPLICATED")
    assert repeat.why[-1] == "e4 appeared in between and moved the rows behind."

    def same_page_twice(feed):
        if feed.checkpoint is None:
            for _ in range(2):
                for row in get(feed, {"page": 2, "limit": 2}):
                    feed.deliver(row)
            feed.save(1)

    verdict = judge(world(rows), run(world(rows), same_page_twice))
    repeat = next(finding for finding in verdict.findings if finding.rule == "DUPLICATED")
    assert not any("appeared in between" in sentence for sentence in repeat.why)


def test_a_shift_is_told_of_a_client_that_reads_all_pages_first():
    def collect(feed):
        if feed.checkpoint is None:
            rows = [row for page in (1, 2) for row in get(feed, {"page": page, "limit": 2})]
            for row in rows:
                feed.deliver(row)
            feed.save(1)

    rows = [event(2, 1), event(3, 2), event(4, 3), event(5, 11), event(6, 30)]
    verdict = judge(world(rows, request=2), run(world(rows, request=2), collect))
    repeat = next(finding for finding in verdict.findings if finding.rule == "DUPLICATED")
    assert repeat.why[-1] == "e4 appeared in between and moved the rows behind."
    assert repeat.would == "Drop, by id, what this poll has read already."
    assert '"appends"' in repeat.allowed


def test_a_tie_is_told_where_the_page_started_at_it():
    def without_ids(feed):
        key = feed.checkpoint or stamp(0)
        for row in get(feed, oldest_first(key, 10)):
            feed.deliver(row)
            feed.save(row["createdAt"])

    tied = [event("ca", 1), event("cb", 2), event("cc", 2)]
    why, finding = proof(world(tied, dialect="saleschannel", late=0), without_ids, "DUPLICATED")
    assert "share the stamp 00:00:02, so every page from there on begins with them." in why
    assert why.startswith("e2 (id cb) was delivered 4 times: once in each of polls 1, 2, 3 and 4. ")
    assert finding.would.startswith("Drop, by id, every row delivered before; keep with the ")
    assert "Stamps need not be unique, and e2 and e3 share one" in finding.allowed
    alone = [event("ca", 1), event("cb", 2)]
    why, finding = proof(world(alone, dialect="saleschannel", late=0), without_ids, "DUPLICATED")
    assert "share" not in why
    assert finding.allowed is None


class FromTheStart:
    """Delivers everything once in its life, and saves before or after."""

    def __init__(self, save_first=False):
        self.done = False

    def poll(self, feed):
        if not self.done:
            for row in get(feed, {"since_id": 1}):
                feed.deliver(row)
            self.done = True
            feed.save(None)


def test_a_stop_before_the_save_is_told_apart_from_one_after_it():
    polls = (poll(10, crash="before-save"), 120, 180, 240)
    once = Promise(delivery="exactly-once")
    why, finding = proof(world([event(2, 1)], polls=polls), FromTheStart, "DUPLICATED", once)
    assert "In between it was killed, before it had saved that e1 was delivered." in why
    assert "feed.commit" in finding.would
    polls = (poll(10, crash="after-save"), 120, 180, 240)
    why, finding = proof(world([event(2, 1)], polls=polls), FromTheStart, "DUPLICATED", once)
    assert "It had saved after e1; then it was killed, and delivered e1 again." in why
    assert "feed.checkpoint" in finding.would


def test_a_save_after_the_stop_is_not_one_before_it():
    scenario = world([event(2, 1)], polls=(poll(10, crash="before-save"), 120, 180, 240))
    history = list(run(scenario, FromTheStart))
    place = next(n for n, step in enumerate(history) if isinstance(step, Restarted))
    saved = next(step for step in history if type(step).__name__ == "Saved")
    history.insert(place + 1, saved)
    (finding,) = judge(scenario, history, Promise(delivery="exactly-once")).findings
    assert "before it had saved" in " ".join(finding.why)


def test_a_restart_is_called_so():
    polls = (10, poll(50, restart=True), 120, 180, 240)
    scenario = world([event(2, 1)], polls=polls, calm_from=2)
    why, _ = proof(scenario, FromTheStart, "DUPLICATED")
    assert "then it was restarted" in why


# Standing still


def ever_the_same(**query):
    def client(feed):
        while True:
            get(feed, query)

    return client


def test_what_was_not_visible_yet_was_not_missed():
    rows = [event(2, 1), event(3, 30)]
    why, _ = proof(world(rows), ever_the_same(since_id=1, limit=10), "STUCK")
    assert "It never reached e1." in why
    assert "e2" not in why


def test_only_a_full_page_of_one_stamp_is_a_trap_of_ties():
    tied = [event("ca", 1), event("cb", 1), event("cc", 2)]
    trap = "share one stamp and fill the page"
    full = world(tied, dialect="saleschannel", late=0)
    why, finding = proof(full, ever_the_same(**oldest_first(stamp(1), 2)), "STUCK")
    assert trap in why
    assert "theorem T4" in finding.would
    short = world(tied[:2], dialect="saleschannel", late=0)
    why, finding = proof(short, ever_the_same(**oldest_first(stamp(1), 3)), "STUCK")
    assert trap not in why
    assert finding.allowed is None
    mixed = world(tied, dialect="saleschannel", late=0)
    why, _ = proof(mixed, ever_the_same(**oldest_first(stamp(1), 3)), "STUCK")
    assert trap not in why


def test_a_page_by_id_is_no_trap_of_ties():
    why, _ = proof(world([event(2, 1), event(3, 1)]), ever_the_same(since_id=1, limit=2), "STUCK")
    assert "share one stamp" not in why


def test_a_long_list_of_missed_events_is_cut():
    rows = [event(number, 1) for number in range(2, 10)]
    why, _ = proof(world(rows), ever_the_same(since_id=99, limit=2), "STUCK")
    assert "It never reached e1, e2, e3, e4, e5 and 3 more." in why


def test_a_refused_request_is_shown_as_sent():
    def asks_wrong(feed):
        while True:
            try:
                get(feed, {"limit": 0})
            except OSError:
                continue

    scenario = world([event(2, 1)])
    findings = {f.rule: f for f in judge(scenario, run(scenario, asks_wrong)).findings}
    assert "/com/events.json?limit=0 and got no rows" in " ".join(findings["STUCK"].why)
    (why,) = findings["ILLEGAL_REQUEST"].why
    assert why.startswith("Request 1 of poll 1 was answered 422: limit: expected a whole number")
