"""Ways into an application: each library through our door without a socket, and over one."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any

import httpx
import requests

from fakeserver import doors
from fakeserver.dialects.base import TOKEN
from fakeserver.serving.host import Host

BEARER = {"Authorization": f"Bearer {TOKEN}"}
OF_THE_CONNECTION = {"connection"}
"""Headers that belong to a socket and not to the answer."""

Answer = tuple[int, dict[str, str], bytes]
Send = Callable[..., Answer]
"""``send(url, method=…, headers=…, body=…)`` → status, headers with lower-case names, body.

More options, such as ``timeout``, are those of the library."""


def by_requests(session: requests.Session) -> Send:
    def send(
        url: str, *, method: str = "GET", headers: Any = None, body: Any = None, **options: Any
    ) -> Answer:
        got = session.request(method, url, headers=headers, data=body, **options)
        return got.status_code, lower(got.headers), got.content

    return send


def by_httpx(client: httpx.Client) -> Send:
    def send(
        url: str, *, method: str = "GET", headers: Any = None, body: Any = None, **options: Any
    ) -> Answer:
        got = client.request(method, url, headers=headers, content=body, **options)
        return got.status_code, lower(got.headers), got.content

    return send


def by_httpx_async(client: httpx.AsyncClient, runner: asyncio.Runner) -> Send:
    def send(
        url: str, *, method: str = "GET", headers: Any = None, body: Any = None, **options: Any
    ) -> Answer:
        got = runner.run(client.request(method, url, headers=headers, content=body, **options))
        return got.status_code, lower(got.headers), got.content

    return send


def by_urllib(opener: urllib.request.OpenerDirector) -> Send:
    def send(
        url: str, *, method: str = "GET", headers: Any = None, body: Any = None, **options: Any
    ) -> Answer:
        request = urllib.request.Request(url, method=method, headers=headers or {}, data=body)
        try:
            with opener.open(request, **options) as got:
                return got.status, lower(got.headers), got.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, lower(error.headers), error.read()

    return send


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    names = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in names.items() if name not in OF_THE_CONNECTION}


@contextmanager
def in_process(name: str, make: Callable[[str], Any]) -> Iterator[Send]:
    """One of our doors; `make` makes it, given the name of the function that does."""
    if name == "requests":
        with make("requests_session") as session:
            yield by_requests(session)
    elif name == "httpx":
        with make("httpx_client") as client:
            yield by_httpx(client)
    elif name == "httpx-async":
        with asyncio.Runner() as runner:
            client = make("httpx_async_client")
            yield by_httpx_async(client, runner)
            runner.run(client.aclose())
    else:
        yield by_urllib(make("urllib_opener"))


@contextmanager
def over_socket(name: str) -> Iterator[Send]:
    """The library's own way through a socket, told to ignore the proxies of the machine."""
    if name == "requests":
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update(BEARER)
            yield by_requests(session)
    elif name == "httpx":
        with httpx.Client(trust_env=False, headers=BEARER) as client:
            yield by_httpx(client)
    else:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.addheaders = [*BEARER.items()]
        yield by_urllib(opener)


DOORS = ["requests", "httpx", "httpx-async", "urllib"]
SOCKETS = ["requests", "httpx", "urllib"]
WAYS = [f"{name} in process" for name in DOORS] + [f"{name} over a socket" for name in SOCKETS]
HOSTED = [f"{name} from a server" for name in SOCKETS]
"""Through the socket of ``fakeserver serve``, which keeps connections."""


@contextmanager
def hosted(app: Any) -> Iterator[str]:
    """What ``fakeserver serve`` uses, in a thread; gives the address."""
    host = Host(app)
    thread = Thread(target=host.serve)
    thread.start()
    try:
        yield host.url
    finally:
        host.stop()
        thread.join()
    if host.failure is not None:
        raise host.failure


@contextmanager
def way_into(app: Any, way: str) -> Iterator[Callable[..., Answer]]:
    """``send(target)`` to an application, without the address."""
    name, _, where = way.partition(" ")
    with ExitStack() as stack:
        if where == "in process":
            origin = doors.ORIGIN
            send = stack.enter_context(in_process(name, lambda door: getattr(doors, door)(app)))
        else:
            serve = doors.live if where == "over a socket" else hosted
            origin = stack.enter_context(serve(app))
            send = stack.enter_context(over_socket(name))
        yield lambda target, **options: send(origin + target, **options)
