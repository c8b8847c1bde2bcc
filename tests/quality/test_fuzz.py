"""Random bytes as paths and queries: no 5xx, no traceback, every answer in the documents.

A few thousand of them by default, 200,000 in a nightly run. The seed is fixed, and a failure shows
the request. Run with ``-s`` to see how many answers there were of each status.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from contracts._checks import problems
from contracts._requests import BEARER, draw_request
from fakeserver.app import FakeServer
from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.doors import ORIGIN, call
from fakeserver.generate import generate_scenario
from fakeserver.scenario import Scenario

CASES = 1_500
CASES_NIGHTLY = 100_000
"""Of each dialect."""
CASES_PER_WORLD = 250
SEED = 20_261_124
LENGTH_MAX = 80
ANY_BYTE = bytes(range(256))
MEANINGFUL = b"&=%[]{}\"',;:+-. /?#$_0123456789limtsnceadprvb\x00\xff\xc3\xa9"
"""Bytes that mean something in a path, a query, JSON or UTF-8."""


class Case(NamedTuple):
    """A request as WSGI has it: the path decoded and the query raw, one character a byte."""

    method: str
    path: str
    query: str
    headers: Any


def draw_case(random: Random, scenario: Scenario) -> Case:
    """Draw bytes without sense, bytes with some, or a drawn request with a few bytes changed."""
    list_path = find_dialect(scenario.dialect).list_path
    kind = random.random()
    if kind < 0.25:
        path, query = draw_bytes(random, ANY_BYTE), draw_bytes(random, ANY_BYTE)
        return Case("GET", random.choice((f"/{path}", list_path, list_path)), query, BEARER)
    if kind < 0.5:
        path, query = draw_bytes(random, MEANINGFUL), draw_bytes(random, MEANINGFUL)
        return Case("GET", random.choice((f"/{path}", list_path, list_path)), query, BEARER)
    asked = draw_request(random, scenario)
    path, query = mutated(random, asked.path), mutated(random, asked.query)
    return Case(asked.method, path, query, asked.headers)


def draw_bytes(random: Random, alphabet: bytes) -> str:
    return bytes(random.choices(alphabet, k=random.randint(0, LENGTH_MAX))).decode("latin-1")


def mutated(random: Random, text: str) -> str:
    """Replace, drop, double or insert a byte in a few places; often in none."""
    for _ in range(random.choice((0, 0, 0, 1, 1, 3))):
        place = random.randint(0, len(text))
        kept, rest = text[:place], text[place:]
        byte = draw_bytes(random, ANY_BYTE)[:1]
        text = kept + random.choice((byte + rest, rest[1:], byte + rest[1:], rest[:1] + rest))
    return text


def send(server: FakeServer, case: Case) -> int:
    """Send it, raise for a slip of the fake, and return the status."""

    def app(environ: Any, start_response: Any) -> Any:
        raw = {"PATH_INFO": case.path, "QUERY_STRING": case.query}
        return server({**environ, **raw}, start_response)

    reply = call(app, case.method, ORIGIN + "/", case.headers)
    path = quote(case.path.encode("latin-1"), safe="/")
    assert reply.status < 500, case
    assert problems(server.scenario.dialect, case.method, path, reply) == [], case
    return reply.status


def fuzz(dialect: str, cases: int) -> Counter[int]:
    """Send `cases` requests to worlds of all profiles and count the statuses."""
    random = Random(f"{SEED} {dialect}")
    profiles = find_dialect(dialect).profiles
    statuses: Counter[int] = Counter()
    for number in range(0, cases, CASES_PER_WORLD):
        profile = profiles[number // CASES_PER_WORLD % len(profiles)]
        server = FakeServer(generate_scenario(dialect=dialect, profile=profile, example=number))
        server.advance(3600)
        for _ in range(min(CASES_PER_WORLD, cases - number)):
            statuses[send(server, draw_case(random, server.scenario))] += 1
        assert server.failure is None
    return statuses


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "cases", [CASES, pytest.param(CASES_NIGHTLY, marks=pytest.mark.nightly)], ids=str
)
def test_nothing_breaks_it(dialect: str, cases: int) -> None:
    statuses = fuzz(dialect, cases)
    print(f"\n{dialect}: {cases} random requests, by status {dict(sorted(statuses.items()))}")
    assert sum(statuses.values()) == cases
    assert statuses[200] > cases // 20  # were nearly all refused, this would test refusals alone
    assert len(statuses) >= 5
