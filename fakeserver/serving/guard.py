"""Who may steer: programs and pages of this machine, and with a token only those that have it.

A page that a stranger wrote runs in the browsers of people who also run this server. It can send
requests to 127.0.0.1, and by a name that it makes point there it can read the answers as well. Both
show in the headers ``Origin`` and ``Host``, which a page can't forge.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fakeserver.app import ORIGIN
from fakeserver.errors import UsageError
from fakeserver.serving.problems import Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""The names that lead to this machine from this machine and from nowhere else."""
WITHOUT_SOCKET = urlsplit(ORIGIN).netloc
"""Whoever comes through a door in the same process; no browser gets there."""
SHOWN_CHARS_MAX = 80
"""A message quotes a strange header, but not all of a huge one."""
TOKEN_CHARS_MIN = 8
"""A shorter token is guessed sooner than the server is restarted."""

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.%]+\]|[^:\[\]/@]+)(?::[0-9]{1,5})?")


class Guard:
    """Lets requests to the control API pass, or raises a `Problem`.

    `hosts` are names that may stand in ``Host`` besides the loopback ones, without a port (an IPv6
    address in brackets or without). `token`, where given, is asked of everybody. Raises
    `UsageError` for what can't be a host, and for a token that is no token.
    """

    def __init__(self, hosts: Iterable[str] = (), token: str | None = None) -> None:
        self.hosts = frozenset(
            (*LOOPBACK, WITHOUT_SOCKET, *(_checked_host(host) for host in hosts))
        )
        if token is not None and (len(token) < TOKEN_CHARS_MIN or not _is_header_text(token)):
            # It is not quoted: it may be a right one with a slip of the pen.
            raise UsageError(
                f"token: expected {TOKEN_CHARS_MIN} or more visible ASCII characters without spaces"
            )
        self._token = None if token is None else token.encode()

    @property
    def asks_for_token(self) -> bool:
        """Whether there is a token."""
        return self._token is not None

    def check_source(self, environ: WSGIEnvironment) -> None:
        """Raise `Problem` (403) for a strange ``Host`` or ``Origin``.

        A request without a ``Host`` passes: only programs that speak HTTP/1.0 send such.
        """
        host = environ.get("HTTP_HOST")
        if host is None and "HTTP_ORIGIN" not in environ:
            return
        found = _HOST.fullmatch(host or "")
        if found is None or found["name"].lower().removesuffix(".") not in self.hosts:
            known = ", ".join(sorted(self.hosts - {WITHOUT_SOCKET}))
            raise Problem(
                403,
                "foreign-host",
                f"expected a Host of this server ({known}), got {_shown(host or 'none')}; "
                "start it with --allow-host NAME to allow another name",
            )
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return
        scheme, _, rest = origin.partition("://")
        if scheme not in ("http", "https") or rest.lower() != (host or "").lower():
            raise Problem(
                403,
                "foreign-origin",
                f"expected no Origin, or that of this server's own page (http://{host}), "
                f"got {_shown(origin)}: pages of others may not steer it",
            )

    def check_token(self, environ: WSGIEnvironment) -> None:
        """Raise `Problem` (401) unless the request has the token, if there is one."""
        if self._token is None:
            return
        scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        given = [value.strip()] if scheme.lower() == "bearer" else []
        given.append(environ.get("HTTP_X_FAKESERVER_TOKEN", "").strip())
        # Comparing takes as long for any wrong token.
        if not any(hmac.compare_digest(each.encode(), self._token) for each in given):
            raise Problem(
                401,
                "no-token",
                "expected the header 'Authorization: Bearer TOKEN' or 'X-Fakeserver-Token: TOKEN' "
                "with the token that this server was started with",
                headers=[("WWW-Authenticate", 'Bearer realm="fakeserver control"')],
            )


def _checked_host(host: str) -> str:
    name = f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
    found = _HOST.fullmatch(name)
    if found is None or found["name"] != name or not _is_header_text(name):
        raise UsageError(f"allow host: expected a name or address without a port, got {host!r}")
    return name.lower().removesuffix(".")


def _is_header_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…")
