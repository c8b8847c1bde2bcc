"""What the sales channel's events tell: transactions on their way from STARTED to an end.

The status words are those of the vendor's transactions page. A transaction may wait in PENDING for
the seller, who alone rejects; without an approval it completes almost at once. The fields of
``details`` are invented: the document lost them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from fakeserver.clock import HOUR_MS, INSTANT_MAX, INSTANT_MIN, Instant
from fakeserver.dialects.base import Settings
from fakeserver.scenario import EventId

EVENT_TYPE = "TRANSACTION_STATUS_CHANGE"
"""The one type that the document has today."""
EVENT_TYPES_FUTURE = ("ASSET_RETIRED", "TRADER_ONBOARDED", "TRANSACTION_DOCUMENT_ADDED")
"""Invented: types that the list might "expand" to. They come without the details object."""

NEXT_STATUSES = MappingProxyType(
    {
        None: ("STARTED",),
        "STARTED": ("PENDING", "PENDING", "PENDING", "SUCCESS", "SUCCESS", "FAILED"),
        "PENDING": ("SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "REJECTED"),
        "SUCCESS": (),
        "FAILED": (),
        "REJECTED": (),
    }
)
"""Which status may follow which; an entry that stands twice is twice as likely."""
MORE_STATUSES = MappingProxyType({"STARTED": ("CANCELLED",), "PENDING": ("CANCELLED", "EXPIRED")})
"""Invented: states that a later version might add, all of them ends."""

OPEN_MAX = 6
"""Transactions under way at once, at most: enough to interleave, few enough to follow by eye."""
FUTURE_TYPE_SHARE = 0.1
NULL_SHARE = 0.2
"""Of the events, how many have an unknown type or no eventAt where the settings allow them."""
EFFECT_BEFORE_MS_MAX = 2_000
"""How long before it was recorded a change became effective, at most."""
STAMP_WITHOUT = 1_647_350_729_000
"""Stands in where no event has had a stamp yet: 2022-03-15, as in the vendor's samples."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIR = 36**2
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
_BLOCK = 36**4
_UUID_BITS = 4 << 76 | 0b10 << 62
_UUID_MASK = ~(0xF << 76 | 0b11 << 62)
"""Where version and variant stand in a UUID."""
_CUID_TIME_MIN, _CUID_TIME_MAX = 36**7, 36**8 - 1
"""The times that fill exactly eight base-36 digits: 1972 to 2059."""


def tell(
    random: Random,
    settings: Settings,
    stamps: Sequence[Instant | None],
    told_before: int = 0,  # noqa: ARG001 - nothing is numbered
) -> list[tuple[EventId, dict[str, Any]]]:
    """Return id and fields of one event for each of `stamps` (ms, or None), in their order.

    `fields` are ``eventType``, ``eventAt`` (ms since the epoch, or None) and, for a type that is
    known today, ``details``: ``transactionId``, ``status`` and ``previousStatus``. Settings read:
    ``event_at``, ``event_types``, ``id_order``, ``statuses``.
    """
    # One draw feeds all details: a choice costs Hypothesis a thousand times what it costs Random,
    # and nobody needs a shrunken transaction id. The story comes first, so that a log with fewer
    # events tells the beginning of the same one, and shrinks.
    details = Random(random.getrandbits(64))  # noqa: S311 - seeded from the argument, no secret
    known = _without_gaps(stamps)
    market = _Market(details, settings)
    told = [market.next_event(stamp) for stamp in known]
    ids = _cuids(details, known)
    if settings.get("id_order", "time-ordered") == "random":
        random.shuffle(ids)
    return list(zip(ids, told, strict=True))


class _Transaction:
    __slots__ = ("changed_at", "id", "status")

    def __init__(self, transaction_id: str) -> None:
        self.id = transaction_id
        self.status: str | None = None
        self.changed_at = INSTANT_MIN


class _Market:
    """The transactions that are under way; each call moves one of them a step."""

    def __init__(self, random: Random, settings: Settings) -> None:
        self._random = random
        self._chance: Callable[[], float] = random.random
        self._expanding = settings.get("event_types", "one") == "expanding"
        self._event_at = settings.get("event_at", "before")
        self._more = MORE_STATUSES if settings.get("statuses", "five") == "more" else {}
        self._open_max = 1 + int(random.random() * OPEN_MAX)
        self._open: list[_Transaction] = []

    def next_event(self, stamp: Instant) -> dict[str, Any]:
        chance = self._chance
        if self._expanding and chance() < FUTURE_TYPE_SHARE:
            future = EVENT_TYPES_FUTURE[int(chance() * len(EVENT_TYPES_FUTURE))]
            return {"eventType": future, "eventAt": self._effective_at(stamp, INSTANT_MIN)}
        place = int(chance() * self._open_max)
        if place >= len(self._open):
            place = len(self._open)
            self._open.append(_Transaction(_uuid4(self._random.getrandbits(128))))
        transaction = self._open[place]
        before = transaction.status
        following = (*NEXT_STATUSES[before], *self._more.get(before or "", ()))
        status = transaction.status = following[int(chance() * len(following))]
        event_at = self._effective_at(stamp, transaction.changed_at)
        if event_at is not None:
            transaction.changed_at = event_at
        if not NEXT_STATUSES.get(status):
            del self._open[place]
        return {
            "eventType": EVENT_TYPE,
            "eventAt": event_at,
            "details": {
                "transactionId": transaction.id,
                "status": status,
                "previousStatus": before,
            },
        }

    def _effective_at(self, stamp: Instant, not_before: Instant) -> Instant | None:
        """Return when the change took effect: as a rule a little before its stamp, and in turn."""
        chance = self._chance
        if self._event_at != "before" and chance() < NULL_SHARE:
            return None
        if self._event_at == "any":
            moment = stamp + int((chance() * 2 - 1) * HOUR_MS)
            return min(max(moment, INSTANT_MIN), INSTANT_MAX)
        return min(stamp, max(not_before, stamp - int(chance() * EFFECT_BEFORE_MS_MAX)))


def _without_gaps(stamps: Sequence[Instant | None]) -> list[Instant]:
    """Return `stamps` with the one before in the place of each None."""
    last = STAMP_WITHOUT
    filled: list[Instant] = []
    for stamp in stamps:
        last = last if stamp is None else stamp
        filled.append(last)
    return filled


def _cuids(random: Random, stamps: Sequence[Instant]) -> list[EventId]:
    """Return one 25-character cuid (version 1) for each stamp, rising as strings.

    ``c``, 8 digits of time, 4 of a counter, 4 that name the writer, 8 random ones, in base 36. A
    row gets its id when it is written, so the time never falls, even where stamps do.
    """
    writer = _base36(int(random.random() * _BLOCK), 4)
    # Half of the counter's range is left above it: it never wraps in one log.
    counter = int(random.random() * (_BLOCK // 2))
    latest, time_text = 0, ""
    ids: list[EventId] = []
    for count, stamp in enumerate(stamps, start=counter):
        written_at = min(max(stamp, latest, _CUID_TIME_MIN), _CUID_TIME_MAX)
        if written_at != latest:
            latest, time_text = written_at, _base36(written_at, 8)
        noise = _base36(int(random.random() * _BLOCK**2), 8)
        ids.append(f"c{time_text}{_base36(count, 4)}{writer}{noise}")
    return ids


def _base36(number: int, width: int) -> str:
    """Write `number` with exactly four or eight (`width`) base-36 digits; it must fit."""
    if width == 4:
        high, low = divmod(number, _PAIR)
        return _PAIRS[high] + _PAIRS[low]
    left, right = divmod(number, _BLOCK)
    first, second = divmod(left, _PAIR)
    third, fourth = divmod(right, _PAIR)
    return _PAIRS[first] + _PAIRS[second] + _PAIRS[third] + _PAIRS[fourth]


def _uuid4(number: int) -> str:
    """Write a random number of 128 bits as a UUID of version 4, as `uuid.UUID` would."""
    digits = f"{number & _UUID_MASK | _UUID_BITS:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
