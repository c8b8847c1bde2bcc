"""Worlds that somebody reads and records: what an honest server answers, and what a lying one."""

import base64
import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import quote

from fakeserver.app import FakeServer
from fakeserver.clock import as_datetime
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import call
from fakeserver.generate import draw_scenario
from fakeserver.profile import Profile
from fakeserver.scenario import Scenario

HOST = "https://shop.example"
PATHS = {"haravan": "/com/events.json", "saleschannel": "/saleschannel-services/v1/events"}
TOOK_MS = 40


def readable(dialect: str) -> Profile:
    """Every value of every switch that leaves requests readable."""
    found = find_dialect(dialect)
    profile = found.profile("adversarial")
    if dialect == "haravan":
        return profile.narrowed(paging="page", count_lag="none", transient_422="never")
    return profile.narrowed(unparsable_query="reject")


def drawn_world(dialect: str, seed: int) -> Scenario:
    """A world with late events, under drawn settings, that nobody has a plan for."""
    random = Random(f"traced {dialect} {seed}")
    return draw_scenario(random, profile=readable(dialect))


class Reader:
    """Reads a fake as clients do, and records it as a browser would."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.server = FakeServer(
            Scenario(
                dialect=scenario.dialect,
                settings=scenario.settings,
                starts_at=scenario.starts_at,
                request_ms=TOOK_MS,
                page_size=scenario.page_size,
                late_by_ms_max=scenario.late_by_ms_max,
                events=scenario.events,
                polls=(),
                calm_from=0,
            )
        )
        self.random = Random(f"reader {seed}")
        self.entries: list[dict[str, Any]] = []
        self.dialect = scenario.dialect
        self.scenario = scenario

    def get(self, query: str) -> list[dict[str, Any]]:
        """Ask, record, return the rows."""
        target = PATHS[self.dialect] + (f"?{query}" if query else "")
        at = self.server.now
        reply = call(
            self.server, "GET", self.server.url(target), {"Authorization": f"Bearer {TOKEN}"}
        )
        headers = [{"name": n, "value": v} for n, v in reply.headers]
        self.entries.append(
            {
                "startedDateTime": as_datetime(at).isoformat(timespec="milliseconds"),
                "time": TOOK_MS,
                "request": {
                    "method": "GET",
                    "url": HOST + target,
                    "headers": [{"name": "Authorization", "value": f"Bearer {TOKEN}"}],
                },
                "response": {
                    "status": reply.status,
                    "headers": headers,
                    "content": {"text": reply.body.decode()},
                },
            }
        )
        if reply.status != 200:
            return []
        found = json.loads(reply.body)
        return found["events"] if isinstance(found, dict) else found

    def read(self, polls: int = 6) -> list[dict[str, Any]]:
        """Poll with pauses until everything is visible, and read it all once more."""
        last = max((e.visible_at for e in self.scenario.events), default=self.server.now)
        span = max(last - self.server.now, 0)
        for _ in range(polls):
            self.poll()
            self.server.world.advance(self.random.randrange(1, 2 * span // polls + 2))
        self.server.world.advance_to(last + 1)
        first = len(self.entries)
        self.walk(limit=50)
        for entry in self.entries[first:]:
            entry["is_last"] = True
        return self.entries

    def poll(self) -> None:
        choices = [self.walk, self.window, self.plain]
        self.random.choice(choices)(limit=self.random.choice([1, 2, 3, 5, 50]))

    def plain(self, limit: int) -> None:
        name = "limit" if self.dialect == "haravan" else "$limit"
        for query in self.random.sample(["", f"{name}={limit}", f"{name}=50"], 2):
            self.get(query)
        if self.dialect == "haravan":
            for page in (1, 2):
                self.get(f"limit={limit}&page={page}")

    def walk(self, limit: int) -> None:
        if self.dialect == "saleschannel":
            self._walk_by_time(limit)
            return
        since = self.random.choice([0, 1])
        for _ in range(100):
            rows = self.get(f"since_id={since}&limit={limit}")
            highest = max((int(row["id"]) for row in rows), default=0)
            if highest <= since:
                return
            since = highest

    def _walk_by_time(self, limit: int) -> None:
        since = "2000-01-01T00:00:00.000Z"
        for _ in range(100):
            rows = self.get(
                f"$limit={limit}&$orderBy[createdAt]=asc&$filter[createdAt][gte]={since}"
            )
            stamps = [row["createdAt"] for row in rows if row["createdAt"]]
            if not stamps or max(stamps) <= since:
                return
            since = max(stamps)

    def window(self, limit: int) -> None:
        middle = as_datetime(self.server.now)
        if self.dialect == "haravan":
            low = quote(f"{middle - timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}")
            self.get(f"created_at_min={low}&limit={limit}")
            self.get(f"filter=Order&limit={limit}")
            return
        low = f"{middle - timedelta(minutes=10):%Y-%m-%dT%H:%M:%S}.000Z"
        self.get(f"$filter[createdAt][gte]={low}")


def as_har(entries: list[dict[str, Any]]) -> bytes:
    """The archive with these entries."""
    return json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()


def as_cassette(entries: list[dict[str, Any]], *, packed: bool = False) -> str:
    """What vcrpy would have written; of packed answers it writes the bytes."""
    lines = ["interactions:"]
    for entry in entries:
        date = next(h["value"] for h in entry["response"]["headers"] if h["name"] == "Date")
        text = entry["response"]["content"]["text"]
        body = json.dumps(text)
        if packed:
            body = "!!binary " + json.dumps(base64.b64encode(gzip.compress(text.encode())).decode())
        lines += [
            "- request:",
            "    body: null",
            "    headers:",
            f"      Authorization: ['Bearer {TOKEN}']",
            "    method: GET",
            f"    uri: {json.dumps(entry['request']['url'])}",
            "  response:",
            f"    body: {{string: {body}}}",
            f"    headers: {{Date: [{json.dumps(date)}]}}",
            f"    status: {{code: {entry['response']['status']}, message: x}}",
        ]
    return "\n".join([*lines, "version: 1", ""])


def rows_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows in an entry, or none."""
    if entry["response"]["status"] != 200:
        return []
    found = json.loads(entry["response"]["content"]["text"])
    return found.get("events", []) if isinstance(found, dict) else found


def with_rows(entry: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The entry with other rows in its place."""
    found = json.loads(entry["response"]["content"]["text"])
    body = {"events": rows} if isinstance(found, dict) else rows
    response = {**entry["response"], "content": {"text": json.dumps(body)}}
    return {**entry, "response": response}


def lateness_of(scenario: Scenario) -> Iterator[tuple[Any, int, int]]:
    """Id, stamp and moment of every event that has a stamp."""
    for event in scenario.events:
        if event.recorded_at is not None:
            yield event.id, event.recorded_at, event.visible_at


if __name__ == "__main__":
    print(as_har(Reader(drawn_world("haravan", 12), 12).read()).decode())
