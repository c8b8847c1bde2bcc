"""How a client gets to another process: by its name, as its file, as a command, or pickled."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from fakeserver.errors import ClientNotFound, UsageError
from fakeserver.verifier.clients import Client, check_client, load_client, load_source
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.commands.protocols import Protocol
from fakeserver.verifier.patched_time import PatchedTime

SOURCE_BYTES_MAX = 10_000_000
"""A client's own file; what is larger is no program that somebody wrote."""

Pickle = Callable[[Any], bytes]


class SentCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A program: the arguments of `CommandClient`."""

    argv: tuple[str, ...]
    protocol: Protocol
    persistent: bool
    env: Mapping[str, str]


class SentClient(msgspec.Struct, frozen=True, kw_only=True):
    """A client as another process can load it: one of `name`, `command` and `pickled`.

    `name` is what a command line says, `source` the text of its file where the other process may
    not have that. `is_patched` says that its time is simulated (`PatchedTime`).
    """

    name: str | None = None
    source: bytes | None = None
    command: SentCommand | None = None
    pickled: bytes | None = None
    is_patched: bool = False

    def load(self) -> Client:
        """Return the client. Raises `ClientNotFound`."""
        client = self._load()
        return PatchedTime(client) if self.is_patched else client

    def _load(self) -> Client:
        if self.command is not None:
            sent = self.command
            return CommandClient(
                sent.argv, protocol=sent.protocol, persistent=sent.persistent, env=sent.env
            )
        if self.name is not None:
            if self.source is not None:
                return load_source(self.name, self.source)
            return load_client(self.name)
        try:
            return check_client(pickle.loads(self.pickled or b""))  # noqa: S301 - our own parent's
        except (AttributeError, ImportError) as error:
            raise ClientNotFound(f"the client is not there in another process: {error}") from error


def sent_client(
    client: Client, *, name: str | None, with_source: bool, pickled_by: Pickle = pickle.dumps
) -> SentClient:
    """Return `client` as it is sent; `name` is what a command line called it, if one did.

    `with_source` sends a file's text along. Raises `UsageError` for what can't be sent.
    """
    is_patched = isinstance(client, PatchedTime)
    inner: Any = client.client if isinstance(client, PatchedTime) else client
    if isinstance(inner, CommandClient):
        command = SentCommand(
            argv=inner.argv, protocol=inner.protocol, persistent=inner.persistent, env=inner.env
        )
        return SentClient(command=command)
    if name is not None:
        source = _source(name) if with_source else None
        return SentClient(name=name, source=source, is_patched=is_patched)
    try:
        return SentClient(pickled=pickled_by(inner), is_patched=is_patched)
    except Exception as error:
        shown = getattr(inner, "__qualname__", repr(inner))
        raise UsageError(
            f"the client {shown:.200} can't be sent to another process: {error}; expected a "
            "function or a class at the top of a module, which the other process imports"
        ) from error


def _source(name: str) -> bytes | None:
    """Return the text of the file that a name begins with; None for a module."""
    place = name.rpartition(":")[0]
    if not place.endswith(".py"):
        return None
    source = Path(place).read_bytes()
    if len(source) > SOURCE_BYTES_MAX:
        raise UsageError(f"{place} has {len(source)} bytes, more than the {SOURCE_BYTES_MAX} sent")
    return source
