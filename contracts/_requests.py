"""Drawing requests, right and wrong, at a world's own ids and times. Chance is an argument.

`random` may be a seeded `random.Random` or Hypothesis' ``st.randoms()``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

from fakeserver.clock import as_datetime, to_text
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN, TOKEN_WITHOUT_ROLE
from fakeserver.scenario import Scenario

from ._documents import openapi

BEARER = {"Authorization": f"Bearer {TOKEN}"}
CREATED_AT = ("created_at_min", "created_at_max")
HEADERS_WRONG: Sequence[Mapping[str, str]] = (
    {},
    {"Authorization": f"Bearer {TOKEN_WITHOUT_ROLE}"},
    {"Authorization": "Basic eDp5"},
    {"Authorization": "Bearer wrong"},
    {**BEARER, "X-Haravan-Access-Token": "wrong"},
)
METHODS_WRONG = ("POST", "DELETE", "get", "BREW")
NUMBERS = ("1", "2", "3", "5", "50", "51", "250", "9223372036854775807")
NUMBERS_WRONG = ("0", "-1", "1.5", "ten", "", "\u0665", "9" * 30, "1 0", "5\x00", "1e3")
TIMES_WRONG = ("now", "2026-02-30 12:00", "2026-03-01T12:00:00 07:00", "2026-03-01 25:00", "0")
WORDS = {
    "filter": ("Product,Order", "Order", "Blog", "order", "Nothing", "\U0001f4a5"),
    "verb": ("placed", "create,destroy", "CREATE", "no_such_verb"),
    "fields": ("id", "id,verb", "created_at,author,message", "id,nothing"),
}
WORDS_WRONG = (",", "Product,,Order", " ", "nothing")
NAMES_WRONG = ("order", "Limit", "since_id ", "page_info", "", "$skip", "limit[]", "$filter[id]")
DIRECTIONS_WRONG = ("ASC", "", "-1")
OPERATORS = ("equals", "not", "lt", "lte", "gt", "gte", "in", "notIn")
COLUMNS = ("id", "eventType", "createdAt", "createdAt", "eventAt")
PATHS = {
    "haravan": (
        *(["/com/events.json"] * 4),
        "/com/events/count.json",
        "/com/events/{id}.json",
        "/com/orders/{subject}/events.json",
        "/com/products/{subject}/events.json",
        "/admin/events.json",
    ),
    "saleschannel": ("/saleschannel-services/v1/events",),
}
PATHS_WRONG = {
    "haravan": (
        "/com/blogs/{subject}/events.json",
        "/admin/api/2024-01/events.json",
        "/com/orders/#{{id}}/events.json",
        "/com/events",
        "/com//events.json",
        "/",
    ),
    "saleschannel": (
        "/saleschannel-services/events",
        "/saleschannel-services/v1/events/",
        "/saleschannel-services/v2/events",
        "/",
    ),
}
WRONG_ODDS = (0.0, 0.0, 0.1, 0.5)
"""How likely each part of a request is wrong; half of the requests are right in all of them."""


class Request(msgspec.Struct, frozen=True):
    """What goes on the wire: `path` and `query` are encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


class Drawing:
    """Draws the parts of one request to the API of `scenario`."""

    def __init__(self, random: Random, scenario: Scenario) -> None:
        self.random = random
        self.scenario = scenario
        self.wrong = random.choice(WRONG_ODDS)

    def pick(self, right: Sequence[Any], wrong: Sequence[Any]) -> Any:
        """Return one of the right values, or now and then one of the wrong."""
        return self.random.choice(wrong if self.random.random() < self.wrong else right)

    def path(self) -> str:
        """Return a path, decoded, with ids of the world's events or others in it."""
        name = self.scenario.dialect
        listed = find_dialect(name).list_path
        right, wrong = PATHS.get(name, (listed,)), PATHS_WRONG.get(name, ("/", f"{listed}/"))
        paths = self.pick([right], [wrong])
        event = self.pick(self.scenario.events, [None]) if self.scenario.events else None
        event_id = self.random.choice((0, 1, 10**18)) if event is None else event.id
        subject = 7 if event is None else event.fields.get("subject_id", 7)
        return str(self.random.choice(paths).format(id=event_id, subject=subject))

    def haravan_pair(self) -> tuple[str, str]:
        """Return a parameter and its value, decoded."""
        name = self.pick(("limit", "page", "since_id", *CREATED_AT, *WORDS), NAMES_WRONG)
        if name in WORDS:
            return name, self.pick(WORDS[name], WORDS_WRONG)
        if name in CREATED_AT:
            return name, self.time()
        ids = [str(event.id) for event in self.scenario.events] if name == "since_id" else []
        return name, self.pick((*NUMBERS, *ids), NUMBERS_WRONG)

    def saleschannel_pair(self) -> tuple[str, str]:
        """Return a parameter and its value, decoded, in brackets or in JSON."""
        top = self.pick(("$limit", "$orderBy", "$filter", "$filter"), NAMES_WRONG)
        in_json = self.random.random() < 0.5
        column = self.pick(COLUMNS, ("details", "AND", ""))
        if top == "$orderBy":
            direction = self.pick(("asc", "desc"), DIRECTIONS_WRONG)
            if in_json:
                return top, json.dumps({column: direction})
            return f"{top}[{column}]", direction
        if top == "$filter":
            operator = self.pick(OPERATORS, ("like", "GTE", ""))
            value = self.time() if column.endswith("At") else self.word()
            if in_json:
                many = operator in ("in", "notIn")
                return top, json.dumps({column: {operator: [value] if many else value}})
            return f"{top}[{column}][{operator}]", value
        return top, self.pick(NUMBERS[:-1], NUMBERS_WRONG)

    def other_pair(self) -> tuple[str, str]:
        """Return a parameter that the document of any other dialect has, and a value, decoded."""
        document = openapi(self.scenario.dialect)
        known = document["components"]["parameters"].values()
        parameter = self.random.choice([each for each in known if each["in"] == "query"])
        name = self.pick([parameter["name"]], NAMES_WRONG)
        if parameter["schema"].get("type") != "integer":
            return name, self.pick([str(parameter["example"])], [self.word()])
        stamps = [e.recorded_at for e in self.scenario.events if e.recorded_at is not None]
        seconds = [str(stamp // 1000) for stamp in stamps]
        return name, self.pick((*NUMBERS[:-1], *seconds), NUMBERS_WRONG)

    def word(self) -> str:
        """Return an id, an event type or any other text."""
        ids = [str(event.id) for event in self.scenario.events]
        right = (*ids, "TRANSACTION_STATUS_CHANGE", "\U0001f4a5")
        return str(self.pick(right, ("[object Object]", " ", "")))

    def time(self) -> str:
        """Return a time near the events of the world, in one of the forms that are seen."""
        stamps = [e.recorded_at for e in self.scenario.events if e.recorded_at is not None]
        instant = self.random.choice((*stamps, self.scenario.starts_at))
        instant += self.random.choice((0, 0, 0, -1, 1, -1_000, 1_000, 3_600_000))
        moment = as_datetime(instant)
        right = [to_text(instant), f"{moment:%Y-%m-%dT%H:%M:%S+00:00}"]
        if self.scenario.dialect == "haravan":
            right.append(f"{moment:%Y-%m-%d %H:%M}")
        return str(self.pick(right, TIMES_WRONG))


def draw_request(random: Random, scenario: Scenario) -> Request:
    """Draw a request to the API of `scenario`."""
    draw = Drawing(random, scenario)
    pairs_of = {"haravan": draw.haravan_pair, "saleschannel": draw.saleschannel_pair}
    pair = pairs_of.get(scenario.dialect, draw.other_pair)
    pairs = [pair() for _ in range(random.choice((0, 1, 1, 2, 2, 3)))]
    right = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs)
    soup = ["%", "%FF", "=", "&", "+", "%00", "\xff", *(part for pair in pairs for part in pair)]
    return Request(
        draw.pick(("GET", "GET", "GET", "HEAD"), METHODS_WRONG),
        quote(draw.path(), safe="/"),
        draw.pick([right], [_raw(random.choice(soup) for _ in range(random.randint(1, 8)))]),
        draw.pick([BEARER], HEADERS_WRONG),
    )


def _encoded(text: str) -> str:
    return quote_plus(text, safe="")


def _raw(parts: Iterable[str]) -> str:
    """Return text as its bytes, one character a byte: what a client sends that encodes nothing."""
    return "".join(parts).encode("utf-8").decode("latin-1")
