"""Random histories: what clients without any sense did, and what was changed about it afterwards.

Three sources, mixed: a client that asks and delivers at random, a right client whose hands slip,
and the history of either with steps dropped, repeated, moved, put in and changed. The worlds are
those of the generator, of both dialects and all profiles, with and without faults; at times with a
cap on the limit that no right client can pass. An open world is the same seen by somebody who only
hears the requests.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request

from msgspec.structs import replace

from contracts._requests import draw_request
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.history import (
    AnyStep,
    Delivered,
    Exchange,
    Killed,
    PollEnded,
    Restarted,
    Saved,
)
from fakeserver.scenario import Scenario
from fakeserver.verifier.promise import Delivery, Order, Promise
from fakeserver.verifier.runner import Client, doorkeeper, run

from .brute_evidence import Case
from .faults import with_faults
from .right_clients import RIGHT

PAGE_MAX = 8
ACTS_MAX = 6
CHANGES = (0, 1, 1, 2, 3, 6)
LATENESS: tuple[int | None, ...] = (None, None, 0, 1_000, 5_000, 60_000, 300_000)
DELIVERIES: tuple[Delivery, ...] = ("at-least-once", "effectively-once", "exactly-once")
DELAYS: tuple[int | None, ...] = (None, 0, 0, 1_000, 60_000, 300_000)
ORDERS: tuple[Order, ...] = ("none", "none", "recorded", "id")


class SlipError(Exception):
    """What a random client raises."""


class Erratic:
    """A client that asks, delivers, saves, sleeps and raises at random."""

    def __init__(self, random: Random, scenario: Scenario) -> None:
        self.random = random
        self.scenario = scenario
        self.rows: list[dict[str, Any]] = []

    def poll(self, feed: Any) -> None:
        self.last: Request | None = None
        acts = (self.ask, self.ask, self.hand_over, self.hand_over, self.save, self.odd, self.again)
        for _ in range(self.random.randint(1, ACTS_MAX)):
            self.random.choice(acts)(feed)

    def again(self, feed: Any) -> None:
        """Send the last request again, once or until nobody can take it for a walk."""
        if self.last is None:
            return
        pause_s = self.random.choice((0, 0.02, 0.1, 1, 2))
        for _ in range(self.random.choice((1, 1, 2, 25))):
            self.ask(feed, self.last)
            feed.sleep(pause_s)

    def ask(self, feed: Any, request: Request | None = None) -> None:
        self.last = request or self.request(feed)
        try:
            with feed.urllib_opener().open(self.last) as response:
                body = json.loads(response.read())
        except (OSError, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()
            if self.random.random() < 0.3:
                raise SlipError("what failed was not caught") from error
        else:
            found = body.get("events", []) if isinstance(body, dict) else body
            self.rows = [row for row in found if isinstance(row, dict) and "id" in row]

    def request(self, feed: Any) -> Request:
        """A request of which nobody knows the sense, or one that pages."""
        if self.random.random() < 0.3:
            drawn = draw_request(self.random, self.scenario)
            url = f"{feed.url(drawn.path)}?{quote(drawn.query, safe='/&=%+$[]:{}')}"
            return Request(url, headers=dict(drawn.headers), method=drawn.method)
        path = find_dialect(feed.dialect).list_path
        page = self.page_of_haravan() if feed.dialect == "haravan" else self.page_of_saleschannel()
        return Request(f"{feed.url(path)}?{urlencode(page)}", headers=feed.headers)

    def page_of_haravan(self) -> dict[str, Any]:
        random, ids = self.random, [0, 1, *(event.id for event in self.scenario.events)]
        place = random.choice(
            ({"since_id": random.choice(ids)}, {"page": random.randint(1, 3)}, {})
        )
        limit = random.choice(({"limit": random.randint(1, PAGE_MAX)}, {"limit": 100}, {}))
        kind = random.choice(({}, {}, {}, {"filter": "Order"}))
        return {**place, **limit, **kind}

    def page_of_saleschannel(self) -> dict[str, Any]:
        random = self.random
        known = [row["createdAt"] for row in self.rows if row.get("createdAt")]
        operator = random.choice(("gte", "gte", "gte", "gt"))
        return {
            "$limit": random.choice((random.randint(1, PAGE_MAX), 100)),
            "$orderBy[createdAt]": "asc",
            f"$filter[createdAt][{operator}]": random.choice((*known, "2020-01-01T00:00:00.000Z")),
        }

    def hand_over(self, feed: Any) -> None:
        """Deliver what came, most of it as it came; save before, after, or not at all."""
        named = [row for row in self.rows if "id" in row]  # some `fields` leave it out
        kept = [row for row in named if self.random.random() < 0.9]
        if self.random.random() < 0.3:
            self.save(feed)
        if self.random.random() < 0.2:
            self.random.shuffle(kept)
        for row in kept:
            feed.deliver(touched(self.random, row, odds=0.03))
        if self.random.random() < 0.7:
            self.save(feed)

    def save(self, feed: Any) -> None:
        feed.save(len(self.rows))

    def odd(self, feed: Any) -> None:
        act = self.random.random()
        if act < 0.1:
            raise SlipError("for no reason")
        if act < 0.15:
            feed.deliver(self.random.choice((404, "404", {"id": "no such id"})))
        elif act < 0.3 and self.scenario.events:
            feed.deliver(self.random.choice(self.scenario.events).id)
        elif act < 0.4:
            feed.commit(self.rows, None)
        elif act < 0.6:
            feed.sleep(self.random.choice((0.5, 20, 400)))


def touched(random: Random, row: dict[str, Any], *, odds: float) -> dict[str, Any]:
    """The row as it came; with those odds a field more, less or other, or another id."""
    if random.random() >= odds:
        return row
    name = random.choice([name for name in row if name != "id"] or ["id"])
    changes = ({"new": 1}, {name: "other"}, {"id": "nobody's"}, {"id": str(row["id"])})
    less = {key: what for key, what in row.items() if key == "id" or key != name}
    return random.choice((less, *({**row, **change} for change in changes)))


class Slipping:
    """A feed whose client's hands slip now and then."""

    def __init__(self, feed: Any, random: Random, odds: float) -> None:
        self.feed = feed
        self.random = random
        self.odds = odds

    def __getattr__(self, name: str) -> Any:
        return getattr(self.feed, name)

    def slips(self) -> bool:
        return self.random.random() < self.odds

    def deliver(self, event: Any) -> None:
        for _ in range(self.times()):
            self.feed.deliver(touched(self.random, event, odds=self.odds))
        if self.slips():
            raise SlipError("while it delivered")

    def commit(self, events: Any, checkpoint: Any) -> None:
        kept = [event for event in events for _ in range(self.times())]
        self.feed.commit(kept, checkpoint)

    def save(self, checkpoint: Any) -> None:
        for _ in range(self.times()):
            self.feed.save(checkpoint)

    def times(self) -> int:
        return self.random.choice((0, 2)) if self.slips() else 1


class Clumsy:
    """A right client with slipping hands."""

    def __init__(self, random: Random, client: Client, odds: float) -> None:
        self.random = random
        self.odds = odds
        self.call = client().poll if isinstance(client, type) else client

    def poll(self, feed: Any) -> Any:
        return self.call(Slipping(feed, self.random, self.odds))


# Histories changed afterwards


def changed(random: Random, case: Case) -> Case:
    """Drop, repeat, move, put in and change steps; at times cut the history short."""
    steps = list(case.history)
    for _ in range(random.choice(CHANGES)):
        random.choice((moved, moved, put_in, other_ending, old_answer, other_answer))(random, steps)
    scenario = case.scenario
    if random.random() < 0.3:
        scenario = replace(scenario, polls=(), calm_from=0)
        ends = [place for place, step in enumerate(steps, 1) if isinstance(step, PollEnded)]
        del steps[random.choice(ends or [None]) :]  # nobody knows what else it will do
        steps = [heard(step) for step in steps if not isinstance(step, Killed)]
    elif random.random() < 0.05:
        del steps[random.randint(1, len(steps)) :]
    return Case(scenario, tuple(steps), draw_promise(random, scenario))


def draw_promise(random: Random, scenario: Scenario) -> Promise:
    """Any promise that can be judged, and does not exclude itself (impossibility I6)."""
    late, order = random.choice(LATENESS), random.choice(ORDERS)
    is_snapshot = random.random() < 0.25 and not scenario.is_open
    delay = None if is_snapshot or scenario.is_open else random.choice(DELAYS)
    stands = scenario.late_by_ms_max if late is None else late
    return Promise(
        delivery=random.choice(DELIVERIES),
        order="none" if delay is not None and delay < stands else order,
        late_by_ms_max=late,
        delay_ms_max=delay,
        mode="snapshot" if is_snapshot else "incremental",
    )


def heard(step: AnyStep) -> AnyStep:
    """The step as somebody tells it who only hears the requests, and is told of a restart."""
    is_end = isinstance(step, PollEnded)
    return replace(step, ending="returned", error=None) if is_end else step


def moved(random: Random, steps: list[AnyStep]) -> None:
    """Drop, repeat or move a delivery or a save."""
    places = [place for place, step in enumerate(steps) if isinstance(step, (Delivered, Saved))]
    if not places:
        return
    place, how = random.choice(places), random.choice(("drop", "repeat", "move"))
    step = steps[place]
    if how != "repeat":
        del steps[place]
    if how != "drop":
        steps.insert(random.randint(1, len(steps)), step)


def put_in(random: Random, steps: list[AnyStep]) -> None:
    """Put in an invention, a save, a restart, or a kill: most of those right after a save."""
    step: AnyStep = random.choice(
        (
            Delivered(at=0, event_id="nobody's"),
            Killed(at=0, point="after-save"),
            Restarted(at=0),
            Saved(at=0, checkpoint=None),
        )
    )
    place = random.randint(1, len(steps))
    saves = [place for place, other in enumerate(steps, start=1) if isinstance(other, Saved)]
    if isinstance(step, Killed) and saves:
        place = random.choice((place, *saves))
    steps.insert(place, step)


def other_ending(random: Random, steps: list[AnyStep]) -> None:
    places = [place for place, step in enumerate(steps) if isinstance(step, PollEnded)]
    if places:
        place = random.choice((random.choice(places), places[-1]))
        ending = random.choice(("returned", "raised", "killed", "stopped", "slept"))
        steps[place] = replace(steps[place], ending=ending, error="why")


def old_answer(random: Random, steps: list[AnyStep]) -> None:
    """Let an answer be older than its request, and lack what is younger."""
    places = [place for place, step in enumerate(steps) if isinstance(step, Exchange)]
    if places:
        place = random.choice(places)
        step = steps[place]
        older = step.at - random.choice((1, 1_000, 60_000, 400_000))
        steps[place] = replace(step, as_of=older, fault="stale-read")


def other_answer(random: Random, steps: list[AnyStep]) -> None:
    """Let an answer be lost, cut or refused, or lack a row."""
    places = [place for place, step in enumerate(steps) if isinstance(step, Exchange)]
    if not places:
        return
    place = random.choice((random.choice(places), places[-1]))
    step = steps[place]
    assert isinstance(step, Exchange)
    steps[place] = random.choice(
        (
            replace(step, event_ids=step.event_ids[:-1]),
            replace(step, status=0, event_ids=(), fault="dropped-connection"),
            replace(step, status=429, event_ids=(), fault=None),
            replace(step, status=503, event_ids=(), fault="server-error", retry_after_s=2.5),
            replace(step, event_ids=(), fault="truncated-body"),
            replace(step, problem="limit-over-max: too many"),
        )
    )


# Worlds


def draw_world(random: Random, dialect: str, seed: int, example: int) -> Scenario:
    profile = random.choice(find_dialect(dialect).profiles)
    has_caps = dialect == "saleschannel" and random.random() < 0.3
    scenario = generate_scenario(
        dialect=dialect,
        profile=profile,
        seed=seed,
        example=example,
        hazards=("tie-group-over-limit", "late-visible") if has_caps else None,
    )
    if has_caps:  # more ties than any client can pass
        scenario = replace(scenario, settings={**scenario.settings, "limit_max": 5})
    return with_faults(scenario, random) if random.random() < 0.4 else scenario


def draw_client(random: Random, scenario: Scenario) -> Client:
    right = [each for each in RIGHT if each.dialect == scenario.dialect]
    if random.random() < 0.5:
        return functools.partial(Erratic, random, scenario)
    odds = random.choice((0, 0.02, 0.1))
    return functools.partial(Clumsy, random, random.choice(right).client, odds)


def cases(count: int, *, seed: int, changes_each: int = 5) -> Iterator[Case]:
    """Yield `count` random histories; each run is changed `changes_each` times."""
    with doorkeeper() as keeper:
        for number in range(count):
            if number % changes_each == 0:
                random = Random(f"histories {seed} {number}")
                scenario = draw_world(random, random.choice(list(DIALECTS)), seed, number)
                history = run(scenario, draw_client(random, scenario), keeper=keeper)
                case = Case(scenario, history, Promise())
            yield changed(random, case)
