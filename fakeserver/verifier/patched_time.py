"""Simulated time for a Python client that asks `time` and `asyncio` and knows of no feed.

Only public names are changed, only while a client runs, and all are put back afterwards.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import ModuleType
from typing import Any

from fakeserver.clock import SECOND_MS, from_datetime
from fakeserver.errors import UsageError
from fakeserver.verifier.feed import SLEEP_S_MAX, Feed
from fakeserver.verifier.raised import LIBRARIES


class PatchedTime:
    """A Python client whose time is simulated: ``verify(PatchedTime(follow), …)``.

    For a program with a loop and a clock of its own. While it runs,

    - `time.time`, `datetime.now`, `date.today` and their like tell the simulated time, in the
      whole process (by time-machine: ``pip install 'fakeserver[time]'``);
    - `time.sleep` and `asyncio.sleep`, called in the thread that runs the client, are
      `Feed.sleep`: one ends a poll and starts the next, and after the last raises `FeedClosed`.
      Modules of the client's own that have imported ``sleep`` by name are included.

    Other threads sleep in earnest, and `time.monotonic` stays real, for event loops live by it; so
    does whatever waits by other means (`threading.Event.wait`). Sleeps of several coroutines are
    simulated one after the other. Raises `UsageError` for a command: it has a clock of its own.
    """

    def __init__(self, client: Callable[..., Any]) -> None:
        self.client = client

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the client as it is, in real time."""
        return self.client(*arguments, **named)


@contextmanager
def simulated_time(feed: Feed) -> Iterator[None]:
    """Let the calling thread live in the time of `feed` while the block runs."""
    with ExitStack() as undo:
        _tell_time(feed, undo)
        thread, sleep, sleep_async = threading.get_ident(), time.sleep, asyncio.sleep

        def patched_sleep(seconds: float, /) -> None:
            if threading.get_ident() != thread:
                return sleep(seconds)
            if not isinstance(seconds, (int, float)) or not seconds >= 0:
                return sleep(seconds)  # which raises what Python raises
            feed.sleep(min(seconds, SLEEP_S_MAX))
            return None

        async def patched_sleep_async(delay: float, result: Any = None) -> Any:
            if threading.get_ident() != thread or not delay > 0:
                return await sleep_async(delay, result)
            await feed.sleep(min(delay, SLEEP_S_MAX))
            return result

        for real, patched in ((sleep, patched_sleep), (sleep_async, patched_sleep_async)):
            for module, name in list(_places(real)):
                undo.callback(setattr, module, name, real)
                setattr(module, name, patched)
        yield


def _tell_time(feed: Feed, undo: ExitStack) -> None:
    """Let all clocks show the time of `feed` until `undo`."""
    try:
        import time_machine
    except ImportError as error:
        raise UsageError(
            "patched time needs time-machine, which is not installed; "
            "pip install 'fakeserver[time]'"
        ) from error
    shown = from_datetime(feed.now()) // SECOND_MS * SECOND_MS
    traveller = undo.enter_context(time_machine.travel(shown // SECOND_MS, tick=False))

    def show() -> None:
        nonlocal shown
        now = from_datetime(feed.now())
        traveller.shift(timedelta(milliseconds=now - shown))
        shown = now

    show()
    feed.on_time = show
    undo.callback(setattr, feed, "on_time", None)


def _places(function: Callable[..., Any]) -> Iterator[tuple[ModuleType, str]]:
    """Yield where `function` is found: its public home, and modules that are no library's."""
    for module in (time, asyncio):
        if vars(module).get("sleep") is function:
            yield module, "sleep"
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType):
            continue
        file = vars(module).get("__file__")
        if isinstance(file, str) and not file.startswith(LIBRARIES):
            for name in [name for name, value in vars(module).items() if value is function]:
                yield module, name
