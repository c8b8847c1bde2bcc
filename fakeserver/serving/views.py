"""What the control API shows of a world, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any

from fakeserver.clock import Instant, to_text
from fakeserver.dialects.base import TOKEN
from fakeserver.scenario import LoggedEvent
from fakeserver.serving.bodies import Paging
from fakeserver.serving.journal import entry, exchanges_of
from fakeserver.serving.served import Served
from fakeserver.world import World

View = dict[str, Any]


@lru_cache(maxsize=1)
def package_version() -> str:
    """Return the version of this package, ``unknown`` where it was never installed."""
    try:
        return version("fakeserver")
    except PackageNotFoundError:
        return "unknown"


def clock_view(served: Served) -> View:
    """Show the clock: the instant twice, how it runs, and how fast (0: not by itself)."""
    with served.playing() as world:
        now = world.now
        return {"now": to_text(now), "now_ms": now, "mode": served.mode, "pace": world.pace}


def health_view(served: Served, *, base_url: str, feed: str | None) -> View:
    """Show which world is loaded, how much is in it, and how it is asked."""
    with served.playing() as world:
        world.catch_up()
        total, visible = len(world.log), world.log.visible_count(world.now)
        return {
            "status": "ready",
            "version": package_version(),
            "dialect": world.dialect.name,
            "profile": world.scenario.profile,
            "seed": served.seed,
            "clock": clock_view(served),
            "events": {"visible": visible, "hidden": total - visible, "total": total},
            "requests": served.exchanges_recorded,
            "resets": served.resets,
            "feed": feed,
            "api": {
                "base_url": base_url,
                "list_path": world.dialect.list_path,
                "token": TOKEN,
            },
        }


def rows_view(world: World, events: Iterable[LoggedEvent], first: int, now: Instant) -> list[View]:
    """Show events of the log, hidden ones too; `first` is the number of the first of them."""
    return [
        {
            "number": number,
            "id": event.id,
            "recorded_at": None if event.recorded_at is None else to_text(event.recorded_at),
            "visible_at": to_text(event.visible_at),
            "visible": event.visible_at <= now,
            "late_by_ms": event.late_by_ms,
            "event": world.dialect.render_event(event, world.settings),
        }
        for number, event in enumerate(events, first)
    ]


def truth_view(served: Served, paging: Paging) -> View:
    """Show a page of the log."""
    with served.playing() as world:
        world.catch_up()
        total, now = len(world.log), world.now
        start, end = paging.bounds(total)
        events = world.log.between(start, end)
    return {
        "events": rows_view(world, events, start + 1, now),
        "next_after": end,
        "total": total,
        "now_ms": now,
    }


def journal_view(served: Served, paging: Paging) -> View:
    """Show a page of the journal."""
    with served.playing() as world:
        total = served.exchanges_recorded
        kept = exchanges_of(world.history)
        dropped = total - len(kept)
        start, end = paging.bounds(total, first=dropped + 1)
        asked = islice(kept, start - dropped, end - dropped)
        # The log must not change meanwhile: it is asked again for what each page might have held.
        requests = [entry(world, number, step) for number, step in enumerate(asked, start + 1)]
    return {"requests": requests, "next_after": end, "total": total, "dropped": dropped}


def faults_view(served: Served) -> View:
    """Show the faults that can still hit."""
    return {
        "faults": [
            {
                "kind": fault.kind,
                "nth": fault.nth,
                "times": fault.times,
                **{
                    name: value
                    for name in ("status", "retry_after_s", "ms")
                    if (value := getattr(fault, name)) is not None
                },
                "requests_left": left,
            }
            for fault, left in served.world.armed
        ]
    }


def feed_view(served: Served, feed: str, base_url: str) -> View:
    """Show a feed: its id, where it answers, and what it is."""
    return {
        "id": feed,
        "base_url": base_url,
        "control_url": f"{base_url}/_fakeserver",
        "dialect": served.world.dialect.name,
        "profile": served.world.scenario.profile,
        "seed": served.seed,
    }
