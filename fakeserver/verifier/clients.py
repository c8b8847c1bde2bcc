"""The client under test: finding it by its name, and calling it."""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import inspect
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext, suppress
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from fakeserver.errors import ClientNotFound, RunStopped, UsageError
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.feed import Feed
from fakeserver.verifier.patched_time import PatchedTime, simulated_time

Client = Callable[..., Any]
"""A callable taking one `Feed`, plain or async, or a class whose instances have ``poll(feed)``.

One that takes no feed may name what it wants to be told: `TOLD`."""

TOLD = ("base_url", "token", "headers", "page_size", "checkpoint")
"""What a client that knows nothing of feeds may take, by the names of its parameters."""

HERE = ""
"""The current folder, in `sys.path`."""
FORM = "path.py:name or package.module:name"
SHOWN_NAMES_MAX = 8
"""A module's callables are listed when the asked one is missing; a longer list helps nobody."""


def load_client(spec: str) -> Client:
    """Return the client called `spec`: a function, an async function, or a class with `poll`.

    A file is imported under a name of its own, with its folder importable, as ``python path.py``
    would have it. Raises `ClientNotFound` that says what was expected and what is there.
    """
    place, separator, name = spec.rpartition(":")
    if not separator or not place or not name:
        raise ClientNotFound(f"expected {FORM}, got {spec!r}")
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    return _client_in(module, place, name)


def load_source(spec: str, source: bytes) -> Client:
    """Return the client called `spec`, as `load_client` does, from the text of its file.

    For a machine that has not the file: what is beside it can't be imported. Raises
    `ClientNotFound`.
    """
    place, _, name = spec.rpartition(":")
    module = ModuleType(_module_name(Path(place)))
    module.__file__ = place
    with _imported(module, place):
        exec(compile(source, place, "exec"), vars(module))  # noqa: S102 - as an import does
    return _client_in(module, place, name)


def _client_in(module: ModuleType, place: str, name: str) -> Client:
    client = getattr(module, name, None)
    if client is None:
        raise ClientNotFound(f"{place} has nothing called {name!r}{_hint(module, place, name)}")
    return check_client(client, where=f"{place}:{name}")


def check_client(client: Any, *, where: str | None = None) -> Client:
    """Return `client` if it can be run, else raise `ClientNotFound`."""
    whole, client = client, _unpatched(client)
    where = where or f"the client {getattr(client, '__qualname__', repr(client)):.200}"
    if whole is not client and isinstance(client, CommandClient):
        raise ClientNotFound(f"{where}: expected a Python client, for a program has its own time")
    if is_built(client) and not callable(getattr(_class_of(client), "poll", None)):
        raise ClientNotFound(f"{where} is a class without a method poll(feed)")
    if not callable(client):
        hint = "; pass its class instead" if callable(getattr(client, "poll", None)) else ""
        raise ClientNotFound(
            f"{where}: expected a function taking a feed, or a class with poll(feed), "
            f"got {type(client).__name__}{hint}"
        )
    if not is_built(client):
        _check_takes_feed(client, where)
    result: Client = whole
    return result


def _check_takes_feed(client: Client, where: str) -> None:
    """Raise `ClientNotFound` for what can't be called with a feed alone."""
    try:
        signature = inspect.signature(client)
    except (TypeError, ValueError):  # something built in, which tells nothing about itself
        return
    if _told(signature):
        return
    try:
        signature.bind("a feed")
    except TypeError as error:
        raise ClientNotFound(
            f"{where}: expected a function that can be called with one argument, the feed, got "
            f"{getattr(client, '__name__', 'one')}{signature}: {error}; or one that takes base_url "
            f"and others of {', '.join(TOLD[1:])} by these names"
        ) from error


def _told(signature: inspect.Signature) -> tuple[str, ...]:
    """Return which of `TOLD` a client takes, all by these names; none for one that takes a feed."""
    needed = {
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    if "base_url" not in needed or needed - set(TOLD):
        return ()
    return tuple(name for name in TOLD if name in signature.parameters)


def _called_with(client: Client) -> Client:
    """Return `client` as something that takes a feed."""
    try:
        names = _told(inspect.signature(client))
    except (TypeError, ValueError):
        names = ()
    if not names:
        return client
    return lambda feed: client(**{name: getattr(feed, name) for name in names})


def name_of(client: Client) -> str:
    """Return what a report calls a client: ``module:name``, or what is typed for a program."""
    whole = _unpatched(client)
    if isinstance(whole, CommandClient):
        return shlex.join(["--", *whole.argv])
    whole = getattr(whole, "func", whole)  # a partial call
    return f"{getattr(whole, '__module__', '')}:{getattr(whole, '__qualname__', repr(whole))}"


def is_built(client: Any) -> bool:
    """Whether `client` is a class, or a partial call of one: built anew after each restart."""
    return isinstance(_class_of(client), type)


def keeps_state(client: Any) -> bool:
    """Whether something of `client` lives from poll to poll, which a restart takes away."""
    return is_built(client) or (isinstance(client, CommandClient) and client.keeps_state)


def _unpatched(client: Any) -> Any:
    return client.client if isinstance(client, PatchedTime) else client


def _class_of(client: Any) -> Any:
    client = _unpatched(client)
    return client.func if isinstance(client, functools.partial) else client


def _hint(module: ModuleType, place: str, name: str) -> str:
    public = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
    near = get_close_matches(name, public, n=1)
    if near:
        return f"; did you mean {place}:{near[0]}?"
    own = [key for key in public if getattr(vars(module)[key], "__module__", "") == module.__name__]
    return f"; it has {', '.join(own[:SHOWN_NAMES_MAX])}" if own else "; it defines no function"


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ClientNotFound(f"there is no file {path}")
    found = importlib.util.spec_from_file_location(_module_name(path), path)
    if found is None or found.loader is None:
        raise ClientNotFound(f"{path} is not a Python file")
    _import_first_from(_folder_of(path))
    module = importlib.util.module_from_spec(found)
    with _imported(module, path):
        found.loader.exec_module(module)
    return module


def _module_name(path: Path) -> str:
    return f"_fakeserver_client_{path.stem}"


@contextmanager
def _imported(module: ModuleType, place: str | Path) -> Iterator[None]:
    """Let the block import `module`. Raises `ClientNotFound` for whatever that raises."""
    sys.modules[module.__name__] = module  # so that annotations of classes in it can be resolved
    try:
        yield
    except (Exception, SystemExit) as error:
        raise ClientNotFound(f"importing {place} raised {type(error).__name__}: {error}") from error


def _load_module(name: str) -> ModuleType:
    _import_first_from(HERE)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise ClientNotFound(f"importing {name} raised {type(error).__name__}: {error}") from error


def _folder_of(path: Path) -> str:
    return str(path.resolve().parent)


def _import_first_from(folder: str) -> None:
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)


def path_without_client(spec: str) -> list[str]:
    """Return `sys.path` with the folder that `load_client` put first for `spec` put last.

    For a process that imports what is ours before it loads the client: a module beside the client
    may have the name of one of our libraries.
    """
    place = spec.rpartition(":")[0]
    folder = _folder_of(Path(place)) if place.endswith(".py") else HERE
    return [*(entry for entry in sys.path if entry != folder), folder]


class Life:
    """One life of a client, from its start to its crash or restart.

    Its instance, if it is a class, is built in the first poll; its event loop, if it is async, is
    made when first needed. Both end with `close`. An instance that can't be built is a usage error
    at the `first` life, and a failed poll later on.
    """

    def __init__(self, client: Client, *, first: bool = True) -> None:
        self._is_patched = isinstance(client, PatchedTime)
        self._client: Client = _unpatched(client)
        self._first = first
        self._target: Client | None = None
        self._runner: asyncio.Runner | None = None

    def time(self, feed: Feed) -> AbstractContextManager[None]:
        """Return what gives the client its time while it runs: simulated, or as it is."""
        return simulated_time(feed) if self._is_patched else nullcontext()

    def poll(self, feed: Feed) -> None:
        """Call the client once; deliver what it returns or yields, one by one.

        Text, bytes, mappings and what can't be iterated are no events: a client may return those.
        Raises what the client raises, and `UsageError` for an async one inside a running loop.
        """
        if self._target is None:
            self._target = _called_with(self._build())
        result = self._target(feed)
        if inspect.isawaitable(result):
            result = self._loop(result).run(_await(result))
        if inspect.isasyncgen(result):
            self._loop(result).run(_drain(result, feed))
        elif isinstance(result, Iterable) and not isinstance(result, (str, bytes, Mapping)):
            _deliver_all(result, feed)

    def close(self) -> None:
        """End the event loop with what is still running in it, and this life of a command."""
        if isinstance(self._client, CommandClient):
            self._client.end_life()
        if self._runner is not None:
            # What a dying client's tasks still raise is nobody's news.
            self._runner.get_loop().set_exception_handler(lambda *_: None)
            with suppress(Exception, RunStopped):
                self._runner.close()
            self._runner = None

    def _build(self) -> Client:
        if not is_built(self._client):
            return self._client
        name = _class_of(self._client).__qualname__
        try:
            poll: Client = self._client().poll
        except Exception as error:
            if not self._first:
                raise
            raise ClientNotFound(
                f"building {name}() raised {type(error).__name__}: {error}; a class is built "
                "without arguments, functools.partial may give it some"
            ) from error
        if self._first:
            _check_takes_feed(poll, f"{name}.poll")
        return poll

    def _loop(self, work: Any) -> asyncio.Runner:
        if self._runner is None:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                self._runner = asyncio.Runner()
            else:
                if inspect.iscoroutine(work):
                    work.close()  # or it warns that it was never awaited
                raise UsageError(
                    "an async client can't be run inside a running event loop; "
                    "call it from plain code, or through asyncio.to_thread"
                )
        return self._runner


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _drain(events: AsyncIterator[Any], feed: Feed) -> None:
    async with aclosing(events) as open_events:  # type: ignore[type-var]  # a generator
        async for event in open_events:
            feed.deliver(event)


def _deliver_all(events: Iterable[Any], feed: Feed) -> None:
    try:
        for event in events:
            feed.deliver(event)
    except BaseException:
        if inspect.isgenerator(events):
            # Now, not when it is collected: a stubborn one complains, and then out of nowhere.
            with suppress(Exception, RunStopped):
                events.close()
        raise
