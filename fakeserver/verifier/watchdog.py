"""Ending a client that never ends, by real time."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from fakeserver.errors import BudgetSpent

POLL_SECONDS_MAX = 60.0
"""Real time. A poll of a generated world takes milliseconds; over a socket, perhaps a second."""
TICK_S = 0.25
REPEAT_S = 0.01
"""A client that caught what was to end it is told again, until it hears it outside of its `try`."""
SHOTS_WITH_MERCY = 20
"""After so many it is not even left the time to clean up."""


class Watchdog:
    """Ends a poll that takes too much real time.

    It counts its own ticks instead of reading a clock, so that a laptop that sleeps accuses nobody.
    One daemon thread serves all polls of a verification; a poll costs it a few assignments.

    In the main thread of a POSIX system the client is interrupted by a signal (SIGURG: one that
    comes late does no harm), and so ends even in `time.sleep` or while it waits for a socket.
    Elsewhere an exception is raised in its thread, which Python does only between two bytecodes: a
    call of C that never returns can't be ended there. Nor can one anywhere that keeps the
    interpreter to itself, such as a regular expression without end; Ctrl-C does end that.
    """

    def __init__(self, seconds_max: float) -> None:
        self.seconds_max = seconds_max
        self.watched: int | None = None
        self._tick_s = min(TICK_S, seconds_max / 4)
        self._ticks_max = round(seconds_max / self._tick_s)
        self._shots = 0
        self._poll = 0
        self._hurried = 0
        self._thread_id = 0
        self._on_overrun: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._handler_before: Any = None
        self._has_handler = False

    def begin(self, on_overrun: Callable[[], None]) -> None:
        """Watch the calling thread; when it is too late call `on_overrun` and interrupt it.

        Whoever calls this sets `watched` to None when the client has ended, and then calls `end`.
        """
        if self._thread is None:
            self._start()
        self._shots = 0
        self._poll += 1  # a shot at the poll before must not hit this one
        self._on_overrun = on_overrun
        self._thread_id = self.watched = threading.get_ident()

    def end(self) -> None:
        """Watch no longer. Nothing is raised in the thread once this has returned."""
        with self._lock:
            if self._shots:
                self._raise_in_thread(None)
                self._shots = 0

    def hurry(self) -> None:
        """Leave a dead client two ticks to end, or end it now if it is in another thread."""
        self._hurried = self._poll
        if threading.current_thread() is not self._thread and (
            threading.get_ident() != self.watched
        ):
            self._shoot(self._poll)

    def close(self) -> None:
        """Stop the thread and put the signal back."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        if self._has_handler:
            signal.signal(signal.SIGURG, self._handler_before or signal.SIG_DFL)
            self._has_handler = False

    def _start(self) -> None:
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGURG"):
            self._handler_before = signal.signal(signal.SIGURG, self._on_signal)
            self._has_handler = True
        self._thread = threading.Thread(target=self._keep, name="fakeserver-watchdog", daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        pause_s, ticks, poll = self._tick_s, 0, 0
        while not self._closing.wait(pause_s):
            ticks = ticks + 1 if poll == self._poll else 0
            poll = self._poll
            if self.watched is not None and ticks > self._ticks_max:
                self._shoot(poll, on_hit=self._on_overrun)
            elif self._hurried == poll:
                ticks = self._ticks_max
            pause_s = REPEAT_S if self._shots else self._tick_s
            if self._shots > SHOTS_WITH_MERCY:
                self._shoot_until_it_ends(poll)

    def _shoot(
        self, poll: int, *, on_hit: Callable[[], None] | None = None, twice: bool = False
    ) -> bool:
        with self._lock:
            if self.watched is None or self._poll != poll:
                return False
            if on_hit is not None:
                on_hit()
            self._shots += 1
            by_signal = self._has_handler and self._thread_id == threading.main_thread().ident
            if by_signal:
                signal.pthread_kill(self._thread_id, signal.SIGURG)
            if twice or not by_signal:
                self._raise_in_thread(BudgetSpent)
            return True

    def _shoot_until_it_ends(self, poll: int) -> None:
        """Interrupt between any two bytecodes: the `except` that catches one misses the next."""
        interval_s = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            while self._shoot(poll, twice=True):
                pass
        finally:
            sys.setswitchinterval(interval_s)

    def _raise_in_thread(self, error: type[BaseException] | None) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread_id), None if error is None else ctypes.py_object(error)
        )

    def _on_signal(self, *_: object) -> None:
        if self.watched is not None and self._shots:
            raise BudgetSpent
