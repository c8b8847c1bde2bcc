"""The fault class of a finding: told where the traces fit one mistake, and untold where two do."""

from fakeserver.clock import to_text
from fakeserver.fault import Fault
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run

from .worlds import by_id, event, get, ms, oldest_first, poll, world


def class_of(scenario, client, rule, promise=None, cause=None):
    """The class of the first finding, which must be of that rule."""
    finding = judge(scenario, run(scenario, client), promise).findings[0]
    assert (finding.rule, finding.cause) == (rule, cause)
    return finding.fault_class


def stamp(seconds):
    return to_text(ms(seconds))


# Behind the cursor


def looks_back(span, anchor):
    """Polls from `span` seconds before a moment of the last poll, its start or its end."""

    def client(feed):
        state = feed.checkpoint or {"low": -3600, "seen": []}
        moments = {"start": feed.now().timestamp()}
        for row in get(feed, oldest_first(stamp(state["low"]), 100)):
            if row["id"] not in state["seen"]:
                feed.deliver(row)
                state["seen"].append(row["id"])
        moments["end"] = feed.now().timestamp()
        feed.save({**state, "low": moments[anchor] - span})

    return client


def lately(*events, polls=(100, 160, 400, 700), **kwargs):
    return world(events, dialect="saleschannel", polls=polls, **{"late": 50, **kwargs})


def test_no_look_back_from_the_start_of_the_last_poll():
    scenario = lately(event("e", 90, visible=120), request=2)
    assert class_of(scenario, looks_back(0, "start"), "LOST", cause="never-asked") == "C06"


def test_a_look_back_that_is_too_short():
    scenario = lately(event("e", 71, visible=120), request=2)
    assert class_of(scenario, looks_back(20, "start"), "LOST", cause="never-asked") == "C07"


def test_the_clock_at_the_end_of_the_walk_as_the_key():
    scenario = lately(event("e", 101, visible=110), request=2)
    assert class_of(scenario, looks_back(0, "end"), "LOST", cause="never-asked") == "C36"


def test_a_look_back_from_the_end_of_the_walk():
    scenario = lately(event("e", 51, visible=101), request=2)
    assert class_of(scenario, looks_back(50, "end"), "LOST", cause="never-asked") == "C08"


def test_one_bound_alone_shows_no_span():
    scenario = lately(event("e", 71, visible=120), request=2)

    def twice(feed):
        if feed.checkpoint is None or feed.now().timestamp() < 200:
            looks_back(20, "start")(feed)

    assert class_of(scenario, twice, "LOST", cause="never-asked") is None


def test_a_key_ahead_of_the_clock_comes_from_a_stamp_in_the_future():
    scenario = lately(event("f", 900, visible=90), event("e", 150), late=0, future_stamps="some")

    def newest(feed):
        key = feed.checkpoint or stamp(0)
        for row in get(feed, oldest_first(key, 100)):
            if row["createdAt"] != feed.checkpoint:
                feed.deliver(row)
            feed.save(row["createdAt"])

    assert class_of(scenario, newest, "LOST", cause="never-asked") == "C36"


def test_a_lower_id_is_late_or_just_lower():
    late = world([event(2, 2, visible=50), event(3, 3)])
    assert class_of(late, by_id, "LOST", cause="never-asked") == "C09"
    scattered = world([event(3, 3), event(2, 50)])
    assert class_of(scattered, by_id, "LOST", cause="never-asked") == "C05"


def test_who_begins_above_an_id_that_nobody_read_is_not_told():
    def from_ten(feed):
        for row in get(feed, {"since_id": feed.checkpoint or 10}):
            feed.deliver(row)
            feed.save(row["id"])

    scenario = world([event(2, 2), event(11, 3)])
    assert class_of(scenario, from_ten, "LOST", cause="never-asked") is None


# Failures and old answers


def test_an_error_taken_for_the_end_and_one_that_was_raised():
    def window(feed, error):
        low = feed.checkpoint or "1970-01-01 00:00:00"
        feed.save(f"{feed.now():%Y-%m-%d %H:%M:%S}")
        try:
            for row in get(feed, {"since_id": 1, "created_at_min": low}):
                feed.deliver(row)
        except OSError:
            if error == "raised":
                raise

    for kind, error, wanted in (
        ("server-error", "swallowed", "C26"),
        ("server-error", "raised", "C24"),  # it had saved before it asked
        ("token-expired", "swallowed", "C29"),
    ):
        polls = (poll(10, faults=[Fault(kind=kind)]), 120, 180, 240)
        scenario = world([event(2, 1)], polls=polls)
        client = lambda feed, error=error: window(feed, error)  # noqa: E731
        assert class_of(scenario, client, "LOST", cause="failed-not-retried") == wanted


# Served, and dropped


def follows(drops):
    """Reads everything in each poll, and delivers what is new and not dropped."""

    def client(feed):
        seen = feed.checkpoint or []
        rows = get(feed, {"since_id": 1, "limit": 10})
        for place, row in enumerate(rows):
            if row["id"] not in seen and not drops(place, row, rows):
                feed.deliver(row)
                seen.append(row["id"])
        feed.save(seen)

    return client


def test_what_a_dropped_event_was_taken_for():
    rows = [event(2, 1), event(3, 2), event(4, 2), event(10, 5)]
    scenario = world(rows)
    for drops, wanted in (
        (lambda place, row, rows: place == 0, "C02"),
        (lambda place, row, rows: row["id"] == 4, "C37"),
        (lambda place, row, rows: row["id"] == 10, "C34"),
    ):
        promise = Promise(late_by_ms_max=0)
        client = follows(drops)
        assert class_of(scenario, client, "LOST", promise, "served-not-delivered") == wanted


def test_a_dropped_event_that_fits_two_mistakes_is_not_told():
    tied_and_first = world([event(2, 1), event(3, 1)])
    client = follows(lambda place, row, rows: place == 0)
    assert class_of(tied_and_first, client, "LOST", cause="served-not-delivered") is None


def test_nothing_is_said_of_who_delivers_nothing():
    client = follows(lambda place, row, rows: True)
    assert class_of(world([event(2, 1)]), client, "LOST", cause="served-not-delivered") is None


# Repeats


def test_a_walk_that_is_begun_again_after_an_error():
    def again(feed):
        for _ in range(2):
            try:
                since = 1
                while page := get(feed, {"since_id": since, "limit": 1}):
                    for row in page:
                        feed.deliver(row)
                    since = page[-1]["id"]
            except OSError:
                continue
            return

    polls = (poll(10, faults=[Fault(kind="server-error", nth=2)]), 120, 180, 240)
    scenario = world([event(2, 1)], polls=polls)
    assert class_of(scenario, again, "DUPLICATED") == "C27"


def test_who_saves_nothing_starts_over():
    def forgetful(feed):
        for row in get(feed, {"since_id": 1}):
            feed.deliver(row)

    assert class_of(world([event(2, 1)]), forgetful, "DUPLICATED") == "C25"


# What stops a client


def test_the_same_rows_again_and_again():
    def circles(feed):
        for row in get(feed, {"since_id": 1}):
            feed.deliver(row)
        while True:
            get(feed, {"since_id": 1})

    assert class_of(world([event(2, 1), event(3, 2)]), circles, "STUCK") == "C19"


def test_a_client_that_is_busy_with_itself_is_not_told():
    def ever_further(feed):
        for number in range(10_000):
            get(feed, {"since_id": number})

    assert class_of(world(), ever_further, "STUCK") is None


def test_a_key_that_is_null():
    def sorts(feed):
        rows = get(feed, {"$limit": 10})
        for row in sorted(rows, key=lambda row: row["createdAt"]):
            feed.deliver(row)

    rows = [event("a", 1), event("b", None, visible=2)]
    scenario = world(rows, dialect="saleschannel")
    promise = Promise(delivery="at-least-once")
    assert class_of(scenario, sorts, "CRASHED", promise) == "C35"


def test_an_exception_after_a_page_with_rows_is_not_told():
    def fails(feed):
        for row in get(feed, {"since_id": 1}):
            raise LookupError(row["id"])

    assert class_of(world([event(2, 1)]), fails, "CRASHED") is None


# Content and order


def test_an_id_that_lost_its_digits_is_told_where_it_was_invented():
    def rounds(feed):
        for row in get(feed, {"since_id": feed.checkpoint or 1}):
            feed.deliver({**row, "id": int(float(row["id"]))})
            feed.deliver(row)
            feed.save(row["id"])

    assert class_of(world([event(2**53 + 1, 1)]), rounds, "INVENTED") == "C34"


def test_stamps_that_were_changed():
    def moves(text):
        def client(feed):
            for row in get(feed, {"since_id": feed.checkpoint or 1}):
                feed.deliver({**row, "created_at": text})
                feed.save(row["id"])

        return client

    scenario = world([event(2, 61)], polls=(100, 200, 300, 400))
    for text, wanted in (
        ("1970-01-01T00:01:00+00:00", "C31"),
        ("1970-01-01T00:02:00+00:00", "C31"),
        ("1970-01-01T07:01:01+00:00", "C32"),
        ("1970-01-01T00:01:07+00:00", None),
        ("yesterday", None),
    ):
        assert class_of(scenario, moves(text), "ALTERED") == wanted, text


def test_an_event_out_of_turn_was_there_or_not():
    recorded, by_id_order = Promise(order="recorded"), Promise(order="id")

    def newest_first(feed):
        seen = feed.checkpoint or []
        for row in get(feed, {"limit": 10}):
            if row["id"] not in seen:
                feed.deliver(row)
                seen.append(row["id"])
        feed.save(seen)

    assert class_of(world([event(2, 1), event(3, 2)]), newest_first, "OUT_OF_ORDER", recorded) == (
        "C21"
    )
    late = world([event(2, 2, visible=50), event(3, 3)])
    assert class_of(late, newest_first, "OUT_OF_ORDER", recorded) is None, "who looks back too"
    assert class_of(late, newest_first, "OUT_OF_ORDER", by_id_order) == "C09"
    lower = world([event(3, 2), event(2, 50)])
    assert class_of(lower, newest_first, "OUT_OF_ORDER", by_id_order) == "C05"
