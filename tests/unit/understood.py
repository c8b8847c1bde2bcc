"""What a parser makes of a request, its refusal included: so two ways of reading are compared."""

from collections.abc import Callable
from typing import Any

from fakeserver.dialects.base import Refused


def understood(read: Callable[..., Any], *arguments: Any) -> Any:
    """What `read` returns, or status, code and sentence of what it refuses."""
    try:
        return read(*arguments)
    except Refused as refused:
        return refused.status, refused.code, refused.says
