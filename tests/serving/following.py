"""Letting a client follow a served fake, over its faked and its control API alone."""

import json
from datetime import datetime
from random import Random
from typing import Any

from fakeserver import doors
from fakeserver.app import ORIGIN
from fakeserver.clock import as_datetime
from fakeserver.dialects.base import TOKEN
from fakeserver.serving.site import Site
from fakeserver.verifier.clients import Life
from fakeserver.verifier.runner import Client
from tests.serving.asking import control


class SiteFeed:
    """What `fakeserver.Feed` is to a client, made of HTTP: everything goes through the site."""

    token = TOKEN

    def __init__(self, site: Site, *, prefix: str = "", page_size: int = 5) -> None:
        health = control(site, "GET", f"{prefix}health")
        self._site = site
        self._prefix = prefix
        self._checkpoint: bytes | None = None
        self.base_url = ORIGIN + health["api"]["base_url"].removeprefix(ORIGIN)
        self.page_size = page_size
        self.dialect = health["dialect"]
        zone = site.world.settings.get("shop_zone")
        self.zone = None if zone is None else str(zone)
        self.headers = {"Authorization": f"Bearer {TOKEN}"}

    def url(self, path: str) -> str:
        return self.base_url + path

    def requests_session(self) -> Any:
        return doors.requests_session(self._site)

    def httpx_async_client(self) -> Any:
        return doors.httpx_async_client(self._site)

    def urllib_opener(self) -> Any:
        return doors.urllib_opener(self._site)

    @property
    def checkpoint(self) -> Any:
        return None if self._checkpoint is None else json.loads(self._checkpoint)

    def now(self) -> datetime:
        return as_datetime(control(self._site, "GET", f"{self._prefix}clock")["now_ms"])

    def deliver(self, event: Any) -> None:
        self._report({"events": [event]})

    def save(self, checkpoint: Any) -> None:
        self._checkpoint = json.dumps(checkpoint).encode()
        self._report({"checkpoint": checkpoint})

    def commit(self, events: Any, checkpoint: Any) -> None:
        self._checkpoint = json.dumps(checkpoint).encode()
        self._report({"events": list(events), "checkpoint": checkpoint})

    def _report(self, body: dict[str, Any]) -> None:
        control(self._site, "POST", f"{self._prefix}delivered", body)


def follow(
    site: Site, client: Client, random: Random, *, polls: int, page_size: int = 5
) -> SiteFeed:
    """Let a client poll a few times at irregular intervals, as the world moves on meanwhile.

    What it raises in a poll is its own affair: it is called again for the next one.
    """
    feed = SiteFeed(site, page_size=page_size)
    life = Life(client)
    try:
        for _ in range(polls):
            seconds = random.choice((10, 30, 60, 120, 300))
            control(site, "POST", "clock/advance", {"seconds": seconds + random.random()})
            if random.random() < 0.3:
                stir(site, random)
            life.poll(feed)  # type: ignore[arg-type]
    finally:
        life.close()
    return feed


def stir(site: Site, random: Random) -> None:
    """Append what is hard to follow: ties, and one that appears late."""
    most = site.world.scenario.late_by_ms_max / 1000
    events: list[dict[str, Any]] = [{}] * random.randint(2, 4)
    if most:
        events.append({"late_by_s": round(random.uniform(0, most), 3)})
    control(site, "POST", "events", {"events": events})
