"""Near misses: what a client probably meant, or probably does not know, in one sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from fakeserver.clock import DAY_MS, SECOND_MS, to_text
from fakeserver.dialects.base import TOKEN, Ask, Refused
from fakeserver.history import Exchange
from fakeserver.query import ID, RECORDED_AT, Query
from fakeserver.world import World

LIKE_A_PATH = 0.6
"""A path that shares so much with the right one is a slip; another is something else."""
NEAR_NOW_MS = 30 * DAY_MS
"""A number that names an instant of the last or next month is taken for a time."""


def hints(world: World, exchange: Exchange, query: Query | None) -> list[str]:
    """Return the hints for one request; `query` is what it meant, None where it is refused."""
    found = list(_of_a_refusal(world, exchange))
    if query is not None:
        found += [*_of_limits(query), *_of_ids(world, exchange, query)]
        found += [*_of_times(exchange, query), *_of_ignored(world, exchange)]
    return found


def _of_a_refusal(world: World, exchange: Exchange) -> Iterator[str]:
    code, _, says = (exchange.problem or "").partition(": ")
    name = says.partition(":")[0]
    if code == "lost-plus":
        yield f"{name} had an unencoded +, which is a space in a query string; send it as %2B"
    elif code in ("no-token", "wrong-token"):
        yield f"send the header 'Authorization: Bearer {TOKEN}': the token of every fake"
    elif code == "unknown-path":
        yield from _of_a_path(world, exchange.target.partition("?")[0])
    elif "did you mean" in says:
        came = re.search(r"got '(.*?)'", says)
        meant = says.rpartition("did you mean ")[2].rstrip("?")
        yield f"unknown parameter {came[1] if came else ''!r}; did you mean {meant}?"


def _of_a_path(world: World, path: str) -> Iterator[str]:
    right = world.dialect.list_path
    missing = [part for part in right.split("/") if part not in path.split("/")]
    if path.rstrip("/") == right:
        yield f"the path has no slash at its end: {right}"
    elif right.removesuffix(".json") == path:
        yield f"the path lacks .json: the list is at {right}"
    elif len(missing) == 1 and right.replace(f"/{missing[0]}", "", 1) == path:
        yield f"the path lacks /{missing[0]}: the list is at {right}"
    elif SequenceMatcher(None, path, right).ratio() >= LIKE_A_PATH:
        yield f"the list is at {right}"


def _of_limits(query: Query) -> Iterator[str]:
    asked, limit = query.limit_asked, query.limit
    if query.endpoint == "list" and asked is not None and limit is not None and limit < asked:
        yield f"the limit was clamped: asked for {asked}, the server gives at most {limit}"


def _of_ids(world: World, exchange: Exchange, query: Query) -> Iterator[str]:
    for condition in query.conditions:
        value = condition.value
        if condition.field != ID or condition.operator != ">" or not isinstance(value, int):
            continue
        if world.log.has(value):
            continue
        for unit, ms in (("seconds", SECOND_MS), ("milliseconds", 1)):
            if abs(value * ms - exchange.at) < NEAR_NOW_MS:
                yield (
                    f"since_id {value} looks like a time ({unit} since 1970: "
                    f"{to_text(value * ms)}); it takes the id of an event"
                )


def _of_times(exchange: Exchange, query: Query) -> Iterator[str]:
    for condition in query.conditions:
        value = condition.value
        if (
            condition.field == RECORDED_AT
            and condition.operator in (">", ">=")
            and value > exchange.at
        ):
            yield (
                f"the lower bound {to_text(int(value))} lies in the future: here it is "
                f"{to_text(exchange.at)}; is it a matter of time zones?"
            )


def _of_ignored(world: World, exchange: Exchange) -> Iterator[str]:
    """Tell of a parameter that the profile ignores in silence."""
    if world.settings.get("unknown_parameter") != "ignore":
        return
    path, _, query = exchange.target.partition("?")
    ask = Ask(path=path, query=query, headers={"authorization": f"Bearer {TOKEN}"})
    try:
        world.dialect.parse(ask, {**world.settings, "unknown_parameter": "reject"})
    except Refused as refused:
        if refused.code == "unknown-parameter":
            yield f"a parameter was ignored: {refused.says}"
