"""How fast a poll goes on: progress told from standing still."""

from __future__ import annotations

from typing import Any

from fakeserver.history import Exchange
from fakeserver.scenario import EventId
from fakeserver.verifier.failures import is_failure

SAME_ANSWERS_MAX = 10
"""The same request with the same answer so often in a row, without a sleep, is going nowhere."""
REQUESTS_SPARE = 50
"""What a poll may always spend, however small the log."""
REQUESTS_PER_EVENT = 10
"""Ten times a walk with pages of one row, the most that any right client needs."""
IDLE_ROUNDS_MAX = 30
"""An endless client that so often in a row found nothing new is waiting for the next poll."""
QUIET_SLEEPS_MAX = 2_000
"""So many sleeps without a request are no walk either: half an hour in steps of a second."""
SLEEPS_MAX = 20_000
"""And so many in one poll are going nowhere: two days in steps of ten seconds."""


class Pace:
    """Counts what a client does in a poll, to tell progress from standing still."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._requests_max = REQUESTS_SPARE + REQUESTS_PER_EVENT * (events + 1)
        self._noted: Exchange | None = None
        self.start_poll()

    def start_poll(self) -> None:
        """Count anew."""
        self.requests = 0
        self.sleeps = 0
        self._served: set[EventId] = set()
        self._start_round()
        self._idle_rounds = 0
        self._quiet_sleeps = 0

    def note_request(self, last: Exchange | None) -> str | None:
        """Count a request that follows the exchange `last`; say why it is one too many, if so."""
        self._note_answer(last)
        self.requests += 1
        self._asked = True
        if self.requests > self._requests_max:
            return f"{self._requests_max} requests in one poll over a log of {self._events} events"
        if self._same_answers >= SAME_ANSWERS_MAX:
            return f"the same request had the same answer {SAME_ANSWERS_MAX} times in a row"
        return None

    def note_sleep(self, last: Exchange | None) -> bool:
        """Count a sleep; return whether the client has long found nothing new."""
        self._note_answer(last)
        self.sleeps += 1
        if self._asked and self._failed:
            self.requests -= 1  # to wait and try again is polite, however often
            self._quiet_sleeps = 0
        elif self._asked:
            self._idle_rounds = 0 if self._found_new else self._idle_rounds + 1
            self._quiet_sleeps = 0
        else:
            self._quiet_sleeps += 1
        self._start_round()
        return self._idle_rounds >= IDLE_ROUNDS_MAX or self._quiet_sleeps >= QUIET_SLEEPS_MAX

    def _start_round(self) -> None:
        self._asked = False
        self._found_new = False
        self._failed = False
        self._same_answers = 0
        self._answer: tuple[Any, ...] | None = None

    def _note_answer(self, last: Exchange | None) -> None:
        if last is None or last is self._noted or not self._asked:
            return
        self._noted = last
        self._failed = is_failure(last)
        if self._failed:
            return  # what comes again and again in an outage says nothing about the client
        answer = (last.target, last.status, last.event_ids)
        self._same_answers = self._same_answers + 1 if answer == self._answer else 1
        self._answer = answer
        if not self._served.issuperset(last.event_ids):
            self._served.update(last.event_ids)
            self._found_new = True
