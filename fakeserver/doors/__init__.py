"""Ways into a fake: without a socket for requests, httpx and urllib, and a live one for the rest.

Each door stands on a public seam of its library (an adapter, a transport, a handler) and patches
nothing. All of them send what a socket would, so the history of a client does not depend on the
door; and what a fault does to an answer, each raises as its library would. A door ignores the host:
everything that goes through it reaches the fake.
"""

from __future__ import annotations

from fakeserver.app import ORIGIN
from fakeserver.doors.httpx_doors import httpx_async_client, httpx_client
from fakeserver.doors.live import Holds, LiveServer, live
from fakeserver.doors.requests_door import requests_session
from fakeserver.doors.urllib_door import urllib_opener
from fakeserver.doors.wsgi import Reply, call

__all__ = [
    "ORIGIN",
    "Holds",
    "LiveServer",
    "Reply",
    "call",
    "httpx_async_client",
    "httpx_client",
    "live",
    "requests_session",
    "urllib_opener",
]
