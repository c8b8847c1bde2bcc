"""The door for urllib: a handler for its `OpenerDirector`."""

from __future__ import annotations

import re
import socket
from http.client import IncompleteRead, InvalidURL, RemoteDisconnected
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.request import BaseHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor, OpenerDirector
from urllib.response import addinfourl

from fakeserver.app import AnswerTimedOut, ConnectionDropped
from fakeserver.dialects.base import TOKEN
from fakeserver.doors.wsgi import Reply, as_bytes, authorization, call

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def urllib_opener(app: WSGIApplication, *, token: str = TOKEN) -> OpenerDirector:
    """Return a `urllib.request.OpenerDirector` that reaches `app` without a socket."""
    opener = OpenerDirector()
    for handler in (_Door(app), HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    opener.addheaders = [*authorization(token).items()]
    return opener


class _Door(BaseHandler):
    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def http_open(self, request: Any) -> addinfourl:
        from email.message import Message

        reply = self._call(request)
        message = Message()
        for name, value in reply.headers:
            message.add_header(name, value)
        body = _CutBody(reply) if reply.missing else BytesIO(reply.body)
        response = addinfourl(body, message, request.full_url, reply.status)
        response.msg = reply.reason  # type: ignore[attr-defined]  # what HTTPErrorProcessor reads
        return response

    https_open = http_open

    def _call(self, request: Any) -> Reply:
        _check_target(request.selector)
        try:
            return call(
                self._app,
                request.get_method(),
                request.full_url,
                dict(self.parent.addheaders) | dict(request.header_items()),
                as_bytes(request.data),
                timeout_s=_timeout_s(request.timeout),
            )
        except ConnectionDropped as error:
            raise RemoteDisconnected("Remote end closed connection without response") from error
        except AnswerTimedOut as error:
            raise TimeoutError("timed out") from error


class _CutBody(BytesIO):
    """A body that ends before its end. As in `http.client`, only who reads all of it is told."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body)
        self._missing = reply.missing

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if size is None or size < 0:
            raise IncompleteRead(data, self._missing)
        return data


def _timeout_s(timeout: Any) -> float | None:
    """Return how long urllib would wait; where it was not told, the default of sockets counts."""
    return timeout if isinstance(timeout, (int, float)) else socket.getdefaulttimeout()


def _check_target(target: str) -> None:
    """Refuse what `http.client` refuses, with its errors: it does not encode for its caller."""
    if re.search(r"[\x00-\x20\x7f]", target):
        raise InvalidURL(f"URL can't contain control characters or spaces: {target!r}")
    target.encode("ascii")
