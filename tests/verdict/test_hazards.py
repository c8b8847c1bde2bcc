"""Hazards are read from what happened: each has a world that shows it and one that nearly does."""

from typing import Any

import msgspec
import pytest

from fakeserver.clock import at
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.drawing.faults import DRAWN
from fakeserver.drawing.plan import HAZARD_ODDS
from fakeserver.fault import Fault
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.hazards import HAZARDS, exercised, possible
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run

from .worlds import by_id, by_key, event, get, oldest_first, poll, world


class ById:
    """The same as `by_id`, built anew after a restart."""

    def poll(self, feed: Any) -> None:
        by_id(feed)


def silent(feed):
    """Sends no request."""


def first_poll_only(feed):
    if feed.checkpoint is None:
        by_key(feed)
        feed.save({})


def in_both_orders(feed):
    by_id(feed)
    get(feed, {"limit": 10})


def asks_for_ten(feed):
    since = feed.checkpoint or 1
    for row in get(feed, {"since_id": since, "limit": 10}):
        feed.deliver(row)
        feed.save(row["id"])


def only_known_types(feed):
    query = oldest_first("1960-01-01T00:00:00.000Z", 10)
    get(feed, {**query, "$filter[eventType]": "TRANSACTION_STATUS_CHANGE"})


def counts(feed):
    get_count = f"{feed.url('/com/events/count.json')}?since_id=1"
    with feed.urllib_opener().open(get_count):
        pass


def asks_in_a_hurry(feed):
    for since_id in range(1, 82):
        get(feed, {"since_id": since_id, "limit": 1})


def waits_five_seconds(feed):
    feed.requests_session().get(feed.url("/com/events.json"), timeout=5)


def hit(kind: str, **fields: Any) -> Any:
    """A world in which that goes wrong with the first request of the storm."""
    return haravan(1, polls=(poll(10, faults=[Fault(kind=kind, **fields)]), 120, 180, 240))


def haravan(*ats: float, **more: Any) -> Any:
    return world([event(number, at) for number, at in enumerate(ats, start=2)], **more)


def saleschannel(*ats: float, **more: Any) -> Any:
    rows = [event(f"c{number}", at) for number, at in enumerate(ats)]
    return world(rows, dialect="saleschannel", **{"late": 0, **more})


def in_new_york(first_day: str) -> Any:
    start = at(first_day)
    polls = [(start + hours * 3_600_000) / 1000 for hours in (0, 1, 2, 3)]
    return world(polls=polls, shop_zone="America/New_York")


CASES = {
    "tie-at-page-edge": (
        (haravan(1, 2, 2), by_id),
        (haravan(1, 1, 2, page_size=3), by_id),  # the tie lies within the page
    ),
    "tie-group-over-limit": (
        (saleschannel(1, 1), by_key),
        (saleschannel(1, 1, page_size=3), by_key),
    ),
    "unstable-ties": (
        (saleschannel(1, 1, 1, page_size=2, ties="shuffled"), by_key),
        (saleschannel(1, 1, 1, page_size=2), by_key),
    ),
    "late-visible": (
        (world([event(2, 1, visible=20)]), by_id),
        (world([event(2, 1, visible=9)]), by_id),  # there before the first request
    ),
    "append-during-walk": (
        (haravan(1, 2, 11, request=2), by_id),  # requests at 10, 12 and 14
        (haravan(1, 2, 19, request=2), by_id),
    ),
    "order-flip": (
        (haravan(1), in_both_orders),
        (haravan(1), by_id),
    ),
    "clamped-limit": (
        (haravan(*range(7), limit_max=5), asks_for_ten),
        (haravan(*range(4), limit_max=5), asks_for_ten),  # the cap cut nothing off
    ),
    "exact-multiple-of-limit": (
        (haravan(1, 2, 3, 4), by_id),
        (haravan(1, 2, 3), by_id),
    ),
    "empty-log": (
        (haravan(20), by_id),
        (haravan(9), by_id),
    ),
    "unknown-event-type": (
        (world([event("ca", 1, eventType="NEW")], dialect="saleschannel", late=0), by_key),
        (saleschannel(1), by_key),
    ),
    "null-key": (
        (world([event("ca", None, visible=5)], dialect="saleschannel", late=0), by_key),
        (saleschannel(5), by_key),
    ),
    "future-stamp": (
        (world([event("ca", 20, visible=5)], dialect="saleschannel", late=0), by_key),
        (world([event("ca", 10, visible=5)], dialect="saleschannel", late=0), by_key),
    ),
    "ids-not-in-time-order": (
        (world([event(9, 1), event(2, 1), event(5, 2)]), by_id),
        (world([event(9, 1), event(2, 1), event(10, 2)]), by_id),  # a tie has no order
    ),
    "restart": (
        (haravan(1, polls=(10, poll(120, restart=True), 180, 240, 300), calm_from=2), ById),
        (haravan(1, polls=(10, poll(120, restart=True), 180, 240, 300), calm_from=2), by_id),
    ),
    "crash-before-save": (
        (haravan(1, polls=(poll(10, crash="before-save"), 120, 180, 240)), by_id),
        (haravan(1, polls=(poll(10, crash="before-save", nth=2), 120, 180, 240)), by_id),
    ),
    "crash-after-save": (
        (haravan(1, polls=(poll(10, crash="after-save"), 120, 180, 240)), by_id),
        (haravan(1, polls=(poll(10, crash="after-deliver"), 120, 180, 240)), by_id),
    ),
    "two-instances": (
        (haravan(1, 100, polls=(10, poll(120, instance=2), 180, 240)), by_id),
        (haravan(1, polls=(10, *(poll(at, instance=2) for at in (120, 180, 240)))), by_id),
    ),
    "zone-shift": (
        (in_new_york("2026-03-08T06:00:00Z"), by_id),  # an hour before the clocks change
        (in_new_york("2026-03-08T07:00:00Z"), by_id),
    ),
    "long-outage": (
        (haravan(1, polls=(10, 3610, 3700, 3800, 3900), calm_from=2), by_id),
        (haravan(1, polls=(10, 3609, 7300, 7400, 7500), calm_from=2), by_id),
    ),
    "backlog": (
        (haravan(1, 2, 10), by_id),
        (haravan(1, 2, 11), by_id),
    ),
    # What is no request for rows is not needed, whatever becomes of it.
    "server-error": ((hit("server-error"), by_id), (hit("server-error"), counts)),
    "rate-limited": ((hit("rate-limited"), by_id), (hit("rate-limited"), counts)),
    "dropped-connection": (
        (hit("dropped-connection"), by_id),
        (hit("dropped-connection", nth=2), counts),  # it never sends a second one
    ),
    "truncated-body": ((hit("truncated-body"), by_id), (hit("truncated-body"), counts)),
    "slow-answer": ((hit("slow-answer", ms=9_000), by_id), (hit("stale-read", ms=9_000), by_id)),
    "token-expired": ((hit("token-expired"), by_id), (hit("server-error"), by_id)),
}


NEARLY = {
    "tie-at-page-edge: the other one is hidden yet": (
        world([event(2, 1), event(3, 2), event(4, 2, visible=20)]),
        by_id,
    ),
    "tie-group-over-limit: one row has always one stamp": (haravan(1, 2, page_size=1), by_id),
    "late-visible: asked at the very instant": (world([event(2, 1, visible=10)]), by_id),
    "append-during-walk: there from the first request on": (haravan(1, 2, 10, request=2), by_id),
    "unstable-ties: ids settle the order": (
        haravan(1, 1, 2, order_default="created_at-asc", created_at_ties="shuffled"),
        by_id,
    ),
    "null-key: there after the last request": (
        world([event("ca", None, visible=11)], dialect="saleschannel", late=0),
        first_poll_only,
    ),
}
JUST = {
    "append-during-walk: at the instant of the last request": (
        haravan(1, 2, 14, request=2),  # requests at 10, 12 and, for the third event, 14
        in_both_orders,
    ),
    "late-visible: asked at the very instant of its stamp": (
        world([event(2, 10, visible=20)]),
        by_id,
    ),
    "unstable-ties: in an order by time": (
        haravan(1, 1, 2, order_default="created_at-asc", created_at_ties="shuffled", page_size=1),
        lambda feed: get(feed, {"limit": 1}),
    ),
    "rate-limited: by the limit of the API, and no fault": (
        haravan(*range(9), rate_limit="bucket-80-4"),
        asks_in_a_hurry,
    ),
    "slow-answer: so slow that the client gave up": (
        hit("slow-answer", ms=9_000),
        waits_five_seconds,
    ),
    "exact-multiple-of-limit: on a page that was asked for by number": (
        haravan(1, 2, 3, 4),
        lambda feed: get(feed, {"page": 2, "limit": 2}),
    ),
}


def met(case):
    scenario, client = case
    return exercised(Evidence(scenario, run(scenario, client), Promise()))


def test_every_hazard_has_its_two_worlds():
    assert set(CASES) == set(HAZARDS)


@pytest.mark.parametrize("name", HAZARDS)
def test_it_is_seen_where_it_was_met(name):
    assert name in met(CASES[name][0])


@pytest.mark.parametrize("name", HAZARDS)
def test_it_is_not_seen_where_it_was_not_met(name):
    assert name not in met(CASES[name][1])


@pytest.mark.parametrize("name", NEARLY)
def test_it_is_not_seen_at_the_very_edge(name):
    assert name.partition(":")[0] not in met(NEARLY[name])


@pytest.mark.parametrize("name", JUST)
def test_it_is_seen_at_the_very_edge(name):
    assert name.partition(":")[0] in met(JUST[name])


def test_what_the_client_never_asked_for_was_not_exercised():
    needs_requests = set(HAZARDS) - {
        "ids-not-in-time-order",
        "restart",
        "zone-shift",
        "long-outage",
        "backlog",
    }
    for name in sorted(needs_requests):
        assert name not in met((CASES[name][0][0], silent)), name


def test_an_unknown_type_that_a_filter_keeps_out_was_not_exercised():
    assert "unknown-event-type" not in met((CASES["unknown-event-type"][0][0], only_known_types))


def test_a_kill_is_no_restart_between_polls():
    scenario = haravan(1, polls=(poll(10, crash="after-deliver"), 120, 180, 240))
    assert "restart" not in met((scenario, ById))
    assert "crash-before-save" in met((scenario, ById))


@pytest.mark.parametrize(
    "point",
    ["before-request", "after-request", "before-deliver", "after-deliver", "before-save"],
)
def test_every_kill_short_of_the_save_counts_as_before_it(point):
    found = met((haravan(1, polls=(poll(10, crash=point), 120, 180, 240)), by_id))
    assert {"crash-before-save", "crash-after-save"} & set(found) == {"crash-before-save"}


@pytest.mark.parametrize(
    ("point", "side"), [("before-commit", "before"), ("after-commit", "after")]
)
def test_a_kill_at_a_commit_counts_as_one_at_a_save(point, side):
    def commits(feed):
        if feed.checkpoint is None:
            feed.commit(get(feed, {"since_id": 1}), "done")

    found = met((haravan(1, polls=(poll(10, crash=point), 120, 180, 240)), commits))
    assert [name for name in found if name.startswith("crash")] == [f"crash-{side}-save"]


def test_they_are_listed_in_one_order():
    for case in (case for pair in CASES.values() for case in pair):
        found = met(case)
        assert list(found) == [name for name in HAZARDS if name in found]


ALWAYS = {
    "tie-at-page-edge",
    "tie-group-over-limit",
    "append-during-walk",
    "exact-multiple-of-limit",
    "empty-log",
    "restart",
    "crash-before-save",
    "crash-after-save",
    "long-outage",
    "backlog",
    "two-instances",
    *DRAWN,
}
POSSIBLE = {
    ("haravan", "default"): {"late-visible", "order-flip", "clamped-limit"},
    ("haravan", "documented"): {
        "late-visible",
        "order-flip",
        "clamped-limit",
        "ids-not-in-time-order",
        "zone-shift",
    },
    ("haravan", "adversarial"): {
        "late-visible",
        "order-flip",
        "clamped-limit",
        "ids-not-in-time-order",
        "zone-shift",
        "unstable-ties",
    },
    ("haravan", "haravan-live-2026"): {"late-visible", "order-flip", "clamped-limit"},
    ("haravan", "shopify-legacy"): {
        "late-visible",
        "order-flip",
        "clamped-limit",
        "zone-shift",
    },
    ("haravan", "shopify-cursor"): {"late-visible", "order-flip", "clamped-limit", "zone-shift"},
    ("saleschannel", "default"): set(),
    ("saleschannel", "transactional"): {"late-visible"},
    ("saleschannel", "adversarial"): {
        "unstable-ties",
        "late-visible",
        "clamped-limit",
        "unknown-event-type",
        "null-key",
        "future-stamp",
        "ids-not-in-time-order",
    },
    ("saleschannel", "documented"): {
        "unstable-ties",
        "clamped-limit",
        "unknown-event-type",
        "ids-not-in-time-order",
    },
}


@pytest.mark.parametrize(("name", "profile"), POSSIBLE)
def test_what_worlds_of_a_profile_can_hold(name, profile):
    dialect = find_dialect(name)
    late = dialect.late_by_ms_max(dialect.profile(profile).settings_default)
    found = possible(dialect, dialect.profile(profile), late)
    assert set(found) == ALWAYS | POSSIBLE[name, profile]
    assert list(found) == [hazard for hazard in HAZARDS if hazard in found]


def test_the_profiles_above_are_all_there_are():
    found = {(name, profile.name) for name in DIALECTS for profile in find_dialect(name).profiles}
    assert found == set(POSSIBLE)


@pytest.mark.parametrize("name", DIALECTS)
def test_late_events_are_possible_only_where_lateness_is(name):
    dialect = find_dialect(name)
    profile = dialect.profile("default")
    assert "late-visible" not in possible(dialect, profile, 0)
    assert "late-visible" in possible(dialect, profile, 1)


def test_a_zone_whose_clocks_never_change_has_no_shift():
    dialect = find_dialect("haravan")
    profile = dialect.profile("default")
    for zone, shifts in (("UTC", False), ("Asia/Ho_Chi_Minh", False), ("America/New_York", True)):
        found = possible(dialect, profile.narrowed(shop_zone=zone), 0)
        assert ("zone-shift" in found) == shifts


def test_without_a_cap_no_limit_is_clamped():
    dialect = find_dialect("haravan")
    profile = dialect.profile("default").narrowed(limit_max=None)
    assert "clamped-limit" not in possible(dialect, profile, 0)


def test_the_generator_plants_only_hazards_that_are_known():
    assert set(HAZARD_ODDS) <= set(HAZARDS)


@pytest.mark.parametrize("name", HAZARDS)
def test_each_says_what_it_is_and_where_it_is_from(name):
    hazard = HAZARDS[name]
    assert hazard.name == name
    assert hazard.about.endswith(".")
    assert hazard.source


def test_a_verdict_counts_them():
    scenario, client = CASES["backlog"][0]
    verdict = judge(scenario, run(scenario, client))
    assert verdict.exercised == dict.fromkeys(met((scenario, client)), 1)
    assert msgspec.json.decode(verdict.to_json())["hazards"]["exercised"] == verdict.exercised
