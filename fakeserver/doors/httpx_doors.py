"""The doors for httpx: a transport for its `Client`, and one for its `AsyncClient`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from fakeserver.app import ORIGIN, AnswerTimedOut, ConnectionDropped
from fakeserver.dialects.base import TOKEN
from fakeserver.doors.wsgi import Reply, authorization, call
from fakeserver.errors import UsageError

if TYPE_CHECKING:
    import httpx
    from _typeshed.wsgi import WSGIApplication


def httpx_client(app: WSGIApplication, *, token: str = TOKEN) -> httpx.Client:
    """Return an `httpx.Client` that reaches `app` without a socket. Raises `UsageError`."""
    library = _import_httpx()

    class Door(library.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            return _response(app, request, request.read())

    client: httpx.Client = library.Client(
        transport=Door(), base_url=ORIGIN, headers=authorization(token), trust_env=False
    )
    return client


def httpx_async_client(app: WSGIApplication, *, token: str = TOKEN) -> httpx.AsyncClient:
    """Return an `httpx.AsyncClient` that reaches `app` without a socket. Raises `UsageError`."""
    library = _import_httpx()

    class Door(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            body = await request.aread()
            await asyncio.sleep(0)  # a request is where an async client lets others run
            return _response(app, request, body)

    client: httpx.AsyncClient = library.AsyncClient(
        transport=Door(), base_url=ORIGIN, headers=authorization(token), trust_env=False
    )
    return client


def _response(app: WSGIApplication, request: Any, body: bytes) -> Any:
    library = _import_httpx()
    # The raw path is what a socket would be sent; the text of a httpx.URL is prettier than that.
    url = f"{request.url.scheme}://{request.url.netloc.decode()}{request.url.raw_path.decode()}"
    timeout_s = request.extensions.get("timeout", {}).get("read")
    try:
        reply = call(app, request.method, url, dict(request.headers), body, timeout_s=timeout_s)
    except ConnectionDropped as error:
        raise library.RemoteProtocolError(
            "Server disconnected without sending a response.", request=request
        ) from error
    except AnswerTimedOut as error:
        raise library.ReadTimeout("timed out", request=request) from error
    content = {"stream": _cut_body(reply)} if reply.missing else {"content": reply.body}
    return library.Response(
        reply.status,
        headers=reply.headers,
        **content,
        request=request,
        extensions={"http_version": b"HTTP/1.1", "reason_phrase": reply.reason.encode("latin-1")},
    )


def _cut_body(reply: Reply) -> Any:
    """Return a stream that breaks off: whoever reads so far is told as httpx would tell it."""
    library = _import_httpx()
    came = len(reply.body)
    broken = library.RemoteProtocolError(
        "peer closed connection without sending complete message body "
        f"(received {came} bytes, expected {came + reply.missing})"
    )

    class CutBody(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Iterator[bytes]:
            yield reply.body
            raise broken

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield reply.body
            raise broken

    return CutBody()


def _import_httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise UsageError(
            "this door needs httpx, which is not installed; pip install 'fakeserver[httpx]'"
        ) from error
    return httpx
