"""Drawing worlds. Chance is an argument; the same chance draws the same scenario on every machine.

Each world has its own subset of hazards (swarm testing): most faults need one hazard and are
hidden by others, so a world with all of them at once finds less than many worlds with a few each.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Dialect, Settings
from fakeserver.drawing.faults import pages_of_news, planted_faults
from fakeserver.drawing.moments import draw_lateness, draw_stamps, make_late
from fakeserver.drawing.plan import draw_plan
from fakeserver.drawing.polls import draw_instances, draw_kills_at_requests, draw_polls
from fakeserver.errors import UsageError
from fakeserver.oddities import made_odd, transient_faults
from fakeserver.profile import Profile, SwitchValue
from fakeserver.profile_file import find_profile
from fakeserver.scenario import LoggedEvent, Scenario


def generate_scenario(
    *,
    dialect: str = "haravan",
    profile: Profile | str = "default",
    seed: int = 0,
    example: int = 0,
    page_size: int | None = None,
    late_by_ms_max: int | None = None,
    hazards: Collection[str] | None = None,
    instances: int = 1,
) -> Scenario:
    """Return the world number `example` of `seed`: the same one on every machine.

    See `draw_scenario` for the other arguments. Raises `ProfileError` and `UsageError`.
    """
    check_whole(seed=seed, example=example)
    chosen = find_profile(dialect, profile) if isinstance(profile, str) else profile
    scenario = draw_scenario(
        Random(f"fakeserver {chosen.dialect} {chosen.name} {seed} {example}"),  # noqa: S311
        profile=chosen,
        page_size=page_size,
        late_by_ms_max=late_by_ms_max,
        hazards=hazards,
        instances=instances,
    )
    return msgspec.structs.replace(scenario, origin=f"seed {seed}, example {example}")


def check_whole(**numbers: object) -> None:
    """Raise `UsageError` for what is no whole number: a seed is part of a text, and 7.0 not 7."""
    for name, number in numbers.items():
        if type(number) is not int:
            raise UsageError(f"{name}: expected a whole number, got {number!r}")


def draw_scenario(
    random: Random,
    *,
    profile: Profile,
    page_size: int | None = None,
    late_by_ms_max: int | None = None,
    hazards: Collection[str] | None = None,
    instances: int = 1,
) -> Scenario:
    """Draw a world of `profile`.

    `page_size` pins the suggested page size (rows), `late_by_ms_max` the lateness that the server
    keeps (ms; default: what the API documents; a lateness that the profile has measured is how
    events are hidden within it), and `hazards` those that a world may have
    (default: all; the others are kept out where the world decides). `instances` of the client
    take turns to poll. `random` may be anything with the methods of `random.Random`, Hypothesis'
    ``st.randoms()`` among them. Raises `UsageError` for an unknown hazard.
    """
    dialect = find_dialect(profile.dialect)
    settings = {
        name: values[0] if len(values) == 1 else random.choice(values)
        for name, values in profile.allowed.items()
    }
    plan = draw_plan(random, dialect, settings, page_size, late_by_ms_max, hazards)
    stamps = draw_stamps(random, plan, settings)
    events = tuple(
        LoggedEvent(
            id=event_id,
            recorded_at=stamp,
            visible_at=stamp + draw_lateness(random, plan.hidden_ms_max, profile.lateness),
            fields=fields,
        )
        for stamp, (event_id, fields) in zip(
            stamps, dialect.tell(random, settings, stamps), strict=True
        )
    )
    if "late-visible" in plan.hazards:
        events = make_late(random, plan, events)
    events = made_odd(random, settings, events, plan.hidden_ms_max)
    polls, calm_from = draw_polls(random, plan, events)
    polls = transient_faults(random, settings, polls, calm_from)
    polls = draw_kills_at_requests(random, polls)
    pages = pages_of_news(polls, events, plan.limit)
    polls = planted_faults(random, polls, calm_from, hazards, pages, plan.undisturbed)
    return Scenario(
        dialect=dialect.name,
        profile=profile.name,
        settings=_changed(settings, dialect),
        starts_at=plan.starts_at,
        request_ms=plan.request_ms,
        page_size=plan.page_size,
        late_by_ms_max=plan.late_by_ms_max,
        events=events,
        polls=draw_instances(random, polls, instances),
        calm_from=calm_from,
    )


def _changed(settings: Settings, dialect: Dialect) -> dict[str, SwitchValue]:
    """Return only what differs from the defaults: that is what a reader wants to know."""
    return {
        switch.name: settings[switch.name]
        for switch in dialect.switches
        if settings[switch.name] != switch.default
    }
