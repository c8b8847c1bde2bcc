"""Faults in the storm: drawn last, so that a world is the same with and without them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from fakeserver.clock import SECOND_MS
from fakeserver.fault import Fault, Kind
from fakeserver.scenario import LoggedEvent, Poll

DRAWN: tuple[Kind, ...] = (
    "server-error",
    "rate-limited",
    "dropped-connection",
    "truncated-body",
    "slow-answer",
    "token-expired",
)
"""The kinds that are drawn, each a hazard of its name.

The others are not. An answer older than its request, the first time or sent again, withholds
events: beyond the promised lateness they are no longer owed, and such a world would show less. A
``transient-422`` comes with the switch `transient_422`.
"""
FAULT_ODDS: Mapping[str, float] = dict.fromkeys(DRAWN, 0.22)
"""How often each goes into a world: a fifth of all worlds have none."""
NTH = (1, 1, 2, 2, 2, 3)
"""Which request of its poll a fault hits first: most walks have two or three of them."""
NEWS_WEIGHT = 10
"""A poll with news is hit so much more often than an idle one, where little can be lost."""
NTH_EXPIRED = (2, 2, 3)
"""A token that expires in mid-walk is the one that trips clients up."""
TIMES = (1, 1, 1, 2, 3, None)
"""How often: once, a few times for clients that try again, or until the next poll."""
TIMES_EXPIRED = (1, 1, 1, 1, 2, None)
"""Usually once: a client that renews its token is given one that works."""
STATUSES = (500, 502, 503, 503)
RETRY_AFTER_S = (1.0, 2.0, 5.0)
"""Short: who waits in real time waits so long in every such world."""
SLOW_MS = tuple(seconds * SECOND_MS for seconds in (2, 6, 6, 11, 31, 61))
"""A second more than the time-outs that are in use: 1, 5 (httpx), 10, 30 and 60 s."""


def planted_faults(
    random: Random,
    polls: tuple[Poll, ...],
    calm_from: int,
    hazards: Collection[str] | None,
    pages: Sequence[int],
    undisturbed: int | None = None,
) -> tuple[Poll, ...]:
    """Return `polls` with a fault in the storm for each of the hazards that the world has.

    Each goes into one of the first `calm_from` polls; of those that are there already it takes
    nothing away. `hazards` are those that the world may have (None: all). `pages` says how many
    pages of news each poll finds (`pages_of_news`). The poll at the place `undisturbed` is hit as
    seldom as one without news.
    """
    changed = list(polls)
    for kind in DRAWN:
        if (hazards is None or kind in hazards) and random.random() < FAULT_ODDS[kind]:
            weights = _weights(kind, pages[:calm_from], undisturbed)
            place = random.choices(range(calm_from), weights)[0]
            faults = (*changed[place].faults, _draw_fault(random, kind, pages[place]))
            changed[place] = msgspec.structs.replace(changed[place], faults=faults)
    return tuple(changed)


def pages_of_news(
    polls: Sequence[Poll], events: Sequence[LoggedEvent], limit: int
) -> tuple[int, ...]:
    """Return for each poll how many pages of `limit` rows have appeared since the one before."""
    starts = [poll.starts_at for poll in polls]
    news = Counter(bisect_left(starts, event.visible_at) for event in events)
    return tuple(-(-news[number] // limit) for number in range(len(polls)))


def _weights(kind: Kind, pages: Sequence[int], undisturbed: int | None) -> list[int]:
    """Return for each poll how likely it is hit, by how many pages of news it finds."""
    # The more pages a walk has, the likelier a token expires in the middle.
    worth = pages if kind == "token-expired" else [min(news, 1) for news in pages]
    return [
        1 + (0 if place == undisturbed else NEWS_WEIGHT * news) for place, news in enumerate(worth)
    ]


def _draw_fault(random: Random, kind: Kind, pages: int) -> Fault:
    more: dict[str, Any] = {}
    if kind == "server-error":
        more["status"] = random.choice(STATUSES)
    if kind == "rate-limited" or more.get("status") == 503:
        more["retry_after_s"] = random.choice((None, *RETRY_AFTER_S))
    if kind == "slow-answer":
        more["ms"] = random.choice(SLOW_MS)
    nth = random.choice(NTH_EXPIRED if kind == "token-expired" else NTH)
    if pages:  # behind its last page a walk has nothing to lose, but what it has may come again
        nth = min(nth, pages + (1 if kind == "token-expired" else random.choice((0, 1, 1, 1))))
    times = random.choice(TIMES_EXPIRED if kind == "token-expired" else TIMES)
    return Fault(kind=kind, nth=nth, times=times, **more)
