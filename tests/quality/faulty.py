"""What a faulty client is: one mistake, the worlds that show it, and what must be found there."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.profile import Profile, SwitchValue
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.verdict import RuleName

LATE_BY = timedelta(minutes=5)
PROMPT = Promise(late_by_ms_max=0)
"""Nothing is late: theorem T1's world."""
LATE = Promise(late_by_ms_max=300_000)
"""Late by up to five minutes: the world of theorems T2, T3 and T7."""
IN_ORDER = Promise(order="recorded", late_by_ms_max=0)
IN_ORDER_LATE = Promise(order="recorded", late_by_ms_max=300_000)
BY_ID = Promise(order="id", late_by_ms_max=0)
TAKING_TURNS = Promise(late_by_ms_max=0, instances=2)
"""Two instances poll in turns, and share one checkpoint."""
EXACTLY_ONCE = Promise(delivery="exactly-once", late_by_ms_max=0)


class Faulty(msgspec.Struct, frozen=True, kw_only=True):
    """A faulty client with the world that shows its mistake, and what must be found there.

    `fault` is the class of the mistake (contracts/THEORY.md). `causes` are those of which one must
    be named, for what a kill makes of a mistake may be another; empty for a rule that has none.
    `page_size` pins the world's to that of a client that can't be told one. `events_max` and
    `storm_max` bound the shrunk world; where they are not the usual ones, the docstring of the
    client says why.
    """

    client: type
    fault: str
    dialect: str
    profile: Profile
    promise: Promise
    rule: RuleName
    causes: tuple[str, ...]
    page_size: int | None
    events_max: int
    storm_max: int

    @property
    def name(self) -> str:
        return self.client.__name__


class Gallery:
    """The faulty clients of one dialect, each registered by the line above it."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.clients: list[Faulty] = []

    def shows(
        self,
        rule: RuleName,
        *causes: str,
        fault: str,
        promise: Promise,
        profile: str = "default",
        pins: Mapping[str, SwitchValue] | None = None,
        page_size: int | None = None,
        events_max: int = 5,
        storm_max: int = 3,
    ) -> Callable[[type], type]:
        """Register the class below: what must be found, under which promise, in which worlds."""

        def register(client: type) -> type:
            faulty = Faulty(
                client=client,
                fault=fault,
                dialect=self.dialect,
                profile=find_dialect(self.dialect).profile(profile).narrowed(**(pins or {})),
                promise=promise,
                rule=rule,
                causes=causes,
                page_size=page_size,
                events_max=events_max,
                storm_max=storm_max,
            )
            self.clients.append(faulty)
            return client

        return register
