"""Proxies of the machine: none is asked for the address of a live fake, which only we know."""

from __future__ import annotations

import os
from threading import Lock

HOST = "127.0.0.1"
_CHANGING = Lock()
"""Fakes may open and close in several threads; each reads the variable and writes it anew."""


def bypass_proxies() -> str:
    """Add `HOST` to the variable ``no_proxy`` of this process; return the name it goes by here.

    requests, urllib, httpx and aiohttp heed it. Each call adds one entry, which is no change where
    there is one already, and `heed_proxies` takes one away: so many fakes may come and go. A lone
    ``*``, which bypasses every proxy, stays alone, for only so it is understood.
    """
    with _CHANGING:
        name = _heeded()
        os.environ[name] = _bypassing(_entries(name), HOST)
        return name


def heed_proxies(name: str) -> None:
    """Take away what `bypass_proxies` added to the variable `name`, if it is still there."""
    with _CHANGING:
        entries = _entries(name)
        if HOST in entries:
            entries.remove(HOST)
        if entries:
            os.environ[name] = ",".join(entries)
        else:
            os.environ.pop(name, None)


def variables_without_proxy() -> dict[str, str]:
    """Return what a program of its own is told, in both spellings, for it may know only one."""
    value = _bypassing(_entries(_heeded()), HOST, "localhost")
    return dict.fromkeys(("NO_PROXY", "no_proxy"), value)


def _heeded() -> str:
    """Return which of the two spellings counts: the small letters, where they say something."""
    is_upper = "NO_PROXY" in os.environ and not os.environ.get("no_proxy")
    return "NO_PROXY" if is_upper else "no_proxy"


def _bypassing(entries: list[str], *hosts: str) -> str:
    return ",".join(entries if entries == ["*"] else [*entries, *hosts])


def _entries(name: str) -> list[str]:
    return [entry.strip() for entry in os.environ.get(name, "").split(",") if entry.strip()]
