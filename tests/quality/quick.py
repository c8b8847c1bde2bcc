"""A session of requests without what the gallery never uses: most of the cost of a world.

No cookies, no redirects, no environment: a GET is prepared in a tenth of the time. Answers and
exceptions are those of requests.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import requests
from requests.structures import CaseInsensitiveDict


class QuickSession:
    """What a faulty client needs of a `requests.Session`: its headers, and `get`."""

    def __init__(self, session: requests.Session) -> None:
        self.headers = session.headers
        self._door = session.get_adapter("http://")

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> requests.Response:
        """Return the whole answer. Raises as `requests.Session.get` does."""
        request = requests.PreparedRequest()
        request.method = "GET"
        request.url = f"{url}?{urlencode(params, doseq=True)}" if params else url
        request.headers = CaseInsensitiveDict({**self.headers, **(headers or {})})
        response = self._door.send(request, timeout=timeout)
        response.content  # noqa: B018 - read now, so that a cut body is told here
        return response
