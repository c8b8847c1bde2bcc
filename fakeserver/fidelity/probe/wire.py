"""A real server behind a URL, asked with requests: no redirects, no proxies, bounded answers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import requests

from fakeserver.errors import UsageError
from fakeserver.fidelity.probe.asking import Reply, Send, Unreachable

TIMEOUT_S = 30
BODY_BYTES_MAX = 32 * 2**20
"""A thousand events of the longest kind have some 3 MB."""
CHUNK_BYTES = 65_536


def send_to(url: str) -> Send:
    """Return a function that sends a GET to the server at `url`, a base without path parameters.

    Raises `UsageError` for what is no HTTP address. The function raises `Unreachable`.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"expected a base URL such as https://shop.example: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"expected a base URL such as https://shop.example, got {url!r}")
    if parts.username or parts.password:
        raise UsageError("expected a URL without a password in it; name a variable: --token-env")
    base = url.rstrip("/")
    session = requests.Session()
    session.trust_env = False  # a .netrc of the machine would send another token

    def send(target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            with session.get(
                base + target,
                headers=dict(headers),
                data=body or None,
                timeout=TIMEOUT_S,
                allow_redirects=False,  # another host must not see the token
                stream=True,
            ) as answer:
                content = bytearray()
                for chunk in answer.iter_content(CHUNK_BYTES):
                    content += chunk
                    if len(content) > BODY_BYTES_MAX:
                        raise Unreachable(f"an answer has more than {BODY_BYTES_MAX} bytes")
                names = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(status=answer.status_code, headers=names, body=bytes(content))
        except (requests.RequestException, OSError) as error:
            # The text of the error may hold the whole request; its type says enough.
            raise Unreachable(f"no answer from {parts.hostname}: {type(error).__name__}") from error

    return send
