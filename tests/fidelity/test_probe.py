"""The probe decides what is so, leaves open what reads can't decide, and is no burden."""

import re
from collections.abc import Callable, Mapping
from random import Random

import pytest

from fakeserver.app import FakeServer
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import UsageError
from fakeserver.fault import Fault
from fakeserver.fidelity.probe.asking import Asker, ProbeStopped, Reply, without_ids
from fakeserver.fidelity.table import table
from fakeserver.profile import SwitchValue
from fakeserver.profile_file import ProfileFile
from tests.fidelity.probed import Clock, Wire, drawn_settings, probed, rich_scenario

REQUESTS_MAX = 60
NEVER: Mapping[str, set[str]] = {
    "haravan": {"lateness", "count_lag"},
    "saleschannel": {"lateness", "created_at", "without_role"},
}
"""What no read decides, in any log."""
ABSENT: Mapping[str, Mapping[str, SwitchValue]] = {
    "haravan": {"transient_422": "never", "extra_verbs": "none", "count_cap": None},
    "saleschannel": {
        "null_created_at": False,
        "event_types": "one",
        "statuses": "five",
        "future_stamps": "none",
        "event_at": "before",
    },
}
"""Values that say of something that there is none: what was not seen may still come."""
ALWAYS: Mapping[str, set[str]] = {
    "haravan": {
        "auth",
        "version_alias",
        "unknown_parameter",
        "empty_parameter",
        "paging",
        "limit_max",
        "shop_zone",
        "time_forms",
        "bounds",
        "unknown_filter",
        "filter_case",
        "count_filters",
        "fields_id",
        "id_type",
        "arguments_type",
        "author",
        "time_output",
        "slashes",
        "rate_limit",
        "nested_unknown_parent",
    },
    "saleschannel": {
        "unparsable_query",
        "unknown_parameter",
        "alias_without_version",
        "encodings",
        "operators",
        "naive_times",
        "request_body",
        "error_body",
        "details_key",
    },
}
"""What every log with a few rows decides, whatever the other switches are."""


Settings = Mapping[str, SwitchValue]

SOMETIMES: Mapping[str, tuple[tuple[Callable[[Settings], bool], set[str]], ...]] = {
    "haravan": (
        (
            lambda s: s["paging"] == "page",
            {"page_below_one", "since_id_with_page", "since_id_order"},
        ),
        (lambda s: s["limit_max"] is None or above(s), {"limit_default"}),
        (lambda s: s["limit_max"] is not None, {"limit_over_max"}),
        (lambda s: s["time_forms"] == "all", {"lost_plus"}),
        (lambda s: s["error_body"] in ("errors-base", "message", "empty"), {"error_body"}),
        (
            lambda s: s["limit_max"] is not None and s["limit_over_max"] == "reject",
            {"error_body"},
        ),
        (lambda s: s["transient_422"] == "now-and-then", {"transient_422"}),
        (lambda s: s["unknown_filter"] == "reject", {"extra_verbs"}),
        (
            lambda s: s["id_order"] == "shuffled" and s["limit_max"] != 5,
            {"id_order"},
        ),
        (
            lambda s: s["id_order"] == "shuffled" and s["limit_max"] != 5 and is_paged(s),
            {"order_default"},
        ),
        (
            lambda s: s["id_order"] == "shuffled" and s["limit_max"] in (250, None) and is_timed(s),
            {"created_at_ties"},
        ),
    ),
    "saleschannel": (
        (lambda s: s["limit_max"] != 5, {"limit_max", "order_default"}),
        (lambda s: s["limit_max"] is None, {"limit_default"}),
        (lambda s: s["limit_max"] == 100, {"limit_over_max"}),
        (lambda s: s["operators"] == "all" and s["limit_max"] != 5, {"stamp_precision"}),
        (
            lambda s: (
                s["operators"] == "all" and s["limit_max"] is None and s["stamp_precision"] == "ms"
            ),
            {"ties"},
        ),
        (
            lambda s: bool(s["null_created_at"]) and s["nulls"] == "first" and s["limit_max"] != 5,
            {"nulls", "null_created_at"},
        ),
    ),
}
"""What a rich log decides besides: switches hide each other."""


def above(settings: Settings) -> bool:
    """Whether the cap is larger than the default, which shows the default."""
    return int(settings["limit_max"] or 0) > int(settings["limit_default"] or 0)


def is_paged(settings: Settings) -> bool:
    """With cursors, every list goes by id."""
    return settings["paging"] == "page"


def is_timed(settings: Settings) -> bool:
    """Only where a list goes by time, rows tie."""
    return is_paged(settings) and str(settings["order_default"]).startswith("created_at")


def expected(dialect: str, settings: Settings) -> set[str]:
    """What must be decided of a rich log."""
    found = [names for holds, names in SOMETIMES[dialect] if holds(settings)]
    return ALWAYS[dialect].union(*found)


def assert_true(found: ProfileFile, settings: Mapping[str, SwitchValue]) -> set[str]:
    """Hold findings against the truth; return the switches that were decided."""
    dialect = found.dialect
    assert found.switches.keys() == {switch.name for switch in find_dialect(dialect).switches}
    decided = {name for name, each in found.switches.items() if each.status == "decided"}
    for name, finding in found.switches.items():
        assert finding.status != "contradicted", (name, finding, settings)
        if finding.values:
            assert settings[name] in finding.values, (name, finding, settings)
    assert not decided & NEVER[dialect]
    for name, value in ABSENT[dialect].items():
        if settings[name] == value and name != "extra_verbs":
            assert name not in decided, (name, found.switches[name])
    return decided


def recover(dialect: str, number: int) -> None:
    settings = drawn_settings(dialect, Random(f"drawn {number}"))
    found = probed(rich_scenario(dialect, settings, number))
    assert len(found.requests) <= REQUESTS_MAX
    missed = expected(dialect, settings) - assert_true(found, settings)
    missing = {name: found.switches[name].evidence for name in missed}
    assert not missing, (missing, settings)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("number", range(4))
def test_drawn_profiles_are_recovered(dialect: str, number: int) -> None:
    recover(dialect, number)


@pytest.mark.nightly
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("number", range(4, 104))
def test_a_hundred_drawn_profiles_are_recovered(dialect: str, number: int) -> None:
    recover(dialect, number)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("events", [0, 1, 2, 7])
def test_a_short_log_decides_nothing_wrong(dialect: str, events: int) -> None:
    for number in range(5):
        settings = drawn_settings(dialect, Random(f"short {number}"))
        assert_true(probed(rich_scenario(dialect, settings, number, events)), settings)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_few_requests_leave_the_rest_open(dialect: str) -> None:
    settings = drawn_settings(dialect, Random("few"))
    found = probed(rich_scenario(dialect, settings, 1), requests_max=9)
    assert len(found.requests) == 9
    assert_true(found, settings)
    left = [each.evidence for each in found.switches.values() if each.status == "undecided"]
    assert "not asked: all 9 requests are spent" in left


def test_a_cap_that_no_document_names_is_found() -> None:
    for over in ("clamp", "reject"):
        settings: dict[str, SwitchValue] = {"limit_max": 73, "limit_over_max": over}
        found = probed(rich_scenario("haravan", settings, 1))
        assert found.switches["limit_max"].values == (73,)
        assert found.switches["limit_over_max"].values == (over,)


def test_what_the_fake_cannot_do_is_a_contradiction() -> None:
    """A body of another shape, and a zone that no switch has."""

    class Strange(Wire):
        def __call__(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
            reply = super().__call__(target, headers, body)
            answer = reply.body if reply.status == 200 else b'{"fault": {"code": 7}}'
            return Reply(status=reply.status, headers=reply.headers, body=answer)

    server, clock = FakeServer(rich_scenario("haravan", {}, 1)), Clock()
    found = probed_over(Strange(server), clock, "haravan")
    assert found.switches["error_body"].status == "contradicted"
    assert "contradicted: the service does what the fake can't" in shown(found)


@pytest.mark.parametrize("status", [302, 500])
def test_what_fails_decides_nothing(status: int) -> None:
    """A server that stumbles over a parameter does not refuse it."""

    class Stumbling(Wire):
        def __call__(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
            reply = super().__call__(target, headers, body)
            stumbles = "nonesuch" in target.lower() or "page=0" in target
            return Reply(status=status, headers={}, body=b"") if stumbles else reply

    for dialect, names in (
        ("haravan", ("unknown_parameter", "unknown_filter", "page_below_one")),
        ("saleschannel", ("unknown_parameter",)),
    ):
        server, clock = FakeServer(rich_scenario(dialect, {}, 1)), Clock()
        found = probed_over(Stumbling(server), clock, dialect)
        for name in names:
            assert found.switches[name].status == "undecided", (name, found.switches[name])
            assert f"{status} decides nothing" in found.switches[name].evidence


def probed_over(wire: Wire, clock: Clock, dialect: str) -> ProfileFile:
    from fakeserver.fidelity.probe.probing import probe

    return probe(asker_of(wire, clock), dialect=dialect, seen="2026-11-26")


def asker_of(wire: Wire, clock: Clock, **options: float) -> Asker:
    headers = {"Authorization": f"Bearer {FakeServer.token}"}
    return Asker(wire, headers=headers, now=clock.now, sleep=clock.sleep, **options)  # type: ignore[arg-type]


def shown(found: ProfileFile) -> str:
    return table(found, width=80, command="probed")


def test_requests_keep_their_distance() -> None:
    server, clock = FakeServer(rich_scenario("haravan", {"rate_limit": "bucket-80-4"}, 1)), Clock()
    found = probed_over(Wire(server), clock, "haravan")
    assert clock.seconds >= (len(found.requests) - 1) * 0.5


def test_retry_after_is_kept() -> None:
    server, clock = FakeServer(rich_scenario("haravan", {}, 1)), Clock()
    asker = asker_of(Wire(server), clock)
    server.arm(Fault(kind="rate-limited", retry_after_s=7, times=2))
    assert asker.ask("/com/events.json").status == 200
    assert clock.seconds >= 14
    server.arm(Fault(kind="rate-limited", retry_after_s=3_000, times=1))
    with pytest.raises(ProbeStopped, match="3000 s"):
        asker.ask("/com/events.json")


def test_a_bucket_that_is_nearly_full_slows_the_probe() -> None:
    wire = Wire(FakeServer(rich_scenario("haravan", {"rate_limit": "bucket-80-4"}, 1)))
    clock = Clock()
    asker = asker_of(wire, clock, per_second=1_000, requests_max=70)
    for _ in range(65):
        asker.ask("/com/events.json", [("limit", "1")])
    assert clock.slept[-1] > 3 * clock.slept[0]


def test_a_token_that_is_refused_is_said() -> None:
    server, clock = FakeServer(rich_scenario("haravan", {}, 1)), Clock()
    asker = Asker(
        Wire(server), headers={"Authorization": "Bearer wrong"}, now=clock.now, sleep=clock.sleep
    )
    from fakeserver.fidelity.probe.probing import probe

    with pytest.raises(UsageError, match="refuses the token"):
        probe(asker, dialect="haravan", seen="2026-11-26")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_file_holds_no_token_and_nothing_of_an_event(dialect: str) -> None:
    scenario = rich_scenario(dialect, {}, 3)
    text = probed(scenario).to_json().decode()
    assert FakeServer.token not in text
    assert re.search(r"since_id=[0-9]{2}|/[0-9]{2,}\\.json", text) is None
    for event in scenario.events:
        assert f'"{event.id}"' not in text
        for value in event.fields.values():
            if isinstance(value, str) and len(value) > 12 and value != "TRANSACTION_STATUS_CHANGE":
                assert value not in text


def test_ids_are_left_out_of_targets() -> None:
    assert without_ids("/com/orders/123456/events.json") == "/com/orders/ID/events.json"
    assert without_ids("/com/events.json?since_id=0&limit=50") == (
        "/com/events.json?since_id=0&limit=50"
    )
    assert without_ids("/com/events.json?since_id=164748010") == "/com/events.json?since_id=ID"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_table_fits_and_has_every_switch(dialect: str) -> None:
    found = probed(rich_scenario(dialect, {}, 3))
    text = shown(found)
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"  {name} " in text for name in found.switches)
