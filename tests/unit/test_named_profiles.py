"""The named profiles at work: what a client meets in each, and that drawn worlds keep to theirs."""

import json

import pytest
from msgspec.structs import replace

from fakeserver.armed_faults import Outcome
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.dialects.base import TOKEN, Answer, Ask
from fakeserver.generate import generate_scenario
from fakeserver.profile import check_settings
from fakeserver.scenario import Scenario
from fakeserver.world import TRANSIENT_EVERY, World

EVERY_PROFILE = [
    (name, profile.name) for name in DIALECTS for profile in find_dialect(name).profiles
]
EVENTS = 300


def full_world(profile: str) -> World:
    """An open world of Haravan with many events, all visible."""
    settings = find_dialect("haravan").profile(profile).settings_default
    drawn = next(
        world
        for example in range(100)
        if (world := generate_scenario(dialect="haravan", example=example)).events
    )
    events = tuple(
        replace(
            drawn.events[0],
            id=number,
            recorded_at=drawn.starts_at - 1_000 * (EVENTS - number),
            visible_at=drawn.starts_at,
        )
        for number in range(1_001, 1_001 + EVENTS)
    )
    world = replace(drawn, events=events, polls=(), calm_from=0, settings=settings)
    return World(replace(world, request_ms=1_000))


def ask(world: World, target: str) -> Outcome:
    path, _, query = target.partition("?")
    headers = {"authorization": f"Bearer {TOKEN}"}
    return world.ask(Ask(path=path, query=query, headers=headers))[0]


def get(world: World, target: str) -> Answer:
    return ask(world, target).answer


def ids(answer: Answer) -> list[int]:
    return [event["id"] for event in json.loads(answer.body)["events"]]


@pytest.mark.parametrize(
    ("profile", "cap", "downwards"),
    [
        ("haravan-live-2026", 50, True),
        ("shopify-legacy", 250, False),
        ("shopify-cursor", 250, False),
    ],
)
def test_how_many_rows_a_page_has_and_which_come_first(profile, cap, downwards):
    world = full_world(profile)
    assert len(ids(get(world, "/com/events.json?limit=1000"))) == cap
    first = ids(get(world, "/com/events.json"))
    assert len(first) == 50
    assert first == sorted(first, reverse=downwards)
    assert ids(get(world, "/com/events.json?since_id=1290"))[0] == 1_291


class TestLive:
    def test_says_how_full_the_bucket_is_and_writes_times_in_utc(self):
        outcome = ask(full_world("haravan-live-2026"), "/com/events.json?limit=1")
        answer = outcome.answer
        assert outcome.header == ("X-Haravan-Api-Call-Limit", "1/80")
        assert json.loads(answer.body)["events"][0]["created_at"].endswith("Z")

    def test_takes_an_empty_parameter_for_an_absent_one(self):
        world = full_world("haravan-live-2026")
        assert ids(get(world, "/com/events.json?since_id=")) == ids(get(world, "/com/events.json"))

    def test_refuses_a_right_request_now_and_then_and_takes_it_again(self):
        world = full_world("haravan-live-2026")
        requests = 2 * TRANSIENT_EVERY + 1
        statuses = [get(world, "/com/events.json?limit=1").status for _ in range(requests)]
        refused = [number for number, status in enumerate(statuses, 1) if status != 200]
        assert refused == [TRANSIENT_EVERY, 2 * TRANSIENT_EVERY]
        assert {statuses[number - 1] for number in refused} == {422}
        marked = [step for step in world.history if step.fault is not None]
        assert [step.fault for step in marked] == ["transient-422"] * 2
        assert [step.problem for step in marked] == [None] * 2

    def test_a_planned_world_has_no_refusal_but_the_planned_ones(self):
        """Else one would come in the calm, where a client may fail at nothing."""
        scenario = generate_scenario(dialect="haravan", profile="haravan-live-2026", example=3)
        world = World(replace(scenario, settings={"transient_422": "now-and-then"}))
        requests = range(TRANSIENT_EVERY + 1)
        assert {get(world, "/com/events.json").status for _ in requests} == {200}


def test_the_ancestor_s_paths_have_a_version():
    world = full_world("shopify-legacy")
    assert get(world, "/admin/api/2019-04/events.json").status == 200
    assert get(full_world("default"), "/admin/api/2019-04/events.json").status == 404


def test_pages_are_numbered_before_2019_and_linked_afterwards():
    assert ids(get(full_world("shopify-legacy"), "/com/events.json?page=2&limit=3"))[0] == 1_004
    cursor = full_world("shopify-cursor")
    assert get(cursor, "/com/events.json?page=2&limit=3").status == 422
    first = get(cursor, "/com/events.json?limit=3")
    assert ids(get(cursor, f"/com/events.json?{dict(first.links)['next']}"))[0] == 1_004


@pytest.mark.parametrize(("dialect", "profile"), EVERY_PROFILE)
class TestDrawn:
    def test_a_world_is_the_same_every_time_and_reads_back_from_its_file(self, dialect, profile):
        for example in range(15):
            world = generate_scenario(dialect=dialect, profile=profile, seed=4, example=example)
            again = generate_scenario(dialect=dialect, profile=profile, seed=4, example=example)
            assert world == again
            assert Scenario.from_json(world.to_json()) == world
            World(world)

    def test_a_world_has_settings_that_the_profile_allows(self, dialect, profile):
        found = find_dialect(dialect)
        allowed = found.profile(profile).allowed
        for example in range(30):
            world = generate_scenario(dialect=dialect, profile=profile, seed=4, example=example)
            check_settings(found.switches, world.settings)
            settings = found.settings(world.settings)
            assert [name for name in settings if settings[name] not in allowed[name]] == []

    def test_every_value_that_the_profile_allows_comes_up(self, dialect, profile):
        found = find_dialect(dialect)
        seen: dict[str, set] = {switch.name: set() for switch in found.switches}
        for example in range(60):
            world = generate_scenario(dialect=dialect, profile=profile, seed=4, example=example)
            for name, value in found.settings(world.settings).items():
                seen[name].add(value)
        assert seen == {name: set(v) for name, v in found.profile(profile).allowed.items()}

    def test_no_event_is_later_than_the_world_promises(self, dialect, profile):
        for example in range(30):
            world = generate_scenario(dialect=dialect, profile=profile, seed=4, example=example)
            settings = find_dialect(dialect).settings(world.settings)
            assert world.late_by_ms_max == find_dialect(dialect).late_by_ms_max(settings)
            assert all(event.late_by_ms <= world.late_by_ms_max for event in world.events)
