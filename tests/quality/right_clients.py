"""The clients that no rule may ever accuse, and what each of them can promise.

A client is right only under a promise: one that takes no account of lateness is right where nothing
is late. `fixtures/clients/README.md` says the same for people.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.profile import Profile, SwitchValue
from fakeserver.verifier.clients import load_client
from fakeserver.verifier.promise import Delivery, Mode, Order, Promise
from fakeserver.verifier.runner import Client

FOLDER = Path(__file__).parents[2] / "fixtures" / "clients"

AT_LEAST_ONCE: tuple[Delivery, ...] = ("at-least-once",)
EFFECTIVELY_ONCE: tuple[Delivery, ...] = ("effectively-once", *AT_LEAST_ONCE)
EXACTLY_ONCE: tuple[Delivery, ...] = ("exactly-once", *EFFECTIVELY_ONCE)
"""The strongest first: who keeps it keeps all that follow."""
UP_TO_FIVE_MINUTES = (300_000, 20_000, 0)
"""The longest lateness that these clients stand, a short one and none, ms; worlds differ."""
NO_LATENESS = (0,)
HELD_BACK = 300_000
"""As long as a client holds events back that stands five minutes of lateness, ms."""

BY_NUMBERS = frozenset({"default", "documented", "adversarial", "haravan-live-2026"}) | {
    "shopify-legacy"
}
"""The profiles of Haravan that have page numbers."""
BY_CURSOR = frozenset({"shopify-cursor"})
EVERY_PROFILE = BY_NUMBERS | BY_CURSOR | {"transactional"}


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """A client in `fixtures/clients` with the profiles and promises that it can meet.

    `deliveries` has the strongest first. `orders` are kept with every lateness, `orders_if_prompt`
    only where nothing is late and nothing stamped ahead. `delay_ms_max` is the shortest delay that
    it keeps: 0 for all that deliver what they read. A snapshot has none. `meets` names the
    profiles; `pins` narrows all but ``default``, and `pins_adversarial` that profile besides, to
    what the client needs.
    """

    file: str
    dialect: str
    name: str = "follow"
    deliveries: tuple[Delivery, ...]
    orders: tuple[Order, ...] = ("none",)
    orders_if_prompt: tuple[Order, ...] = ()
    late_by_ms_max: tuple[int, ...]
    delay_ms_max: int = 0
    mode: Mode = "incremental"
    meets: frozenset[str] = EVERY_PROFILE
    pins: dict[str, SwitchValue] = {}
    pins_adversarial: dict[str, SwitchValue] = {}

    @property
    def client(self) -> Client:
        return load_client(f"{FOLDER / self.file}:{self.name}")

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Every profile that the client can meet."""
        met = (p for p in find_dialect(self.dialect).profiles if p.name in self.meets)
        return tuple(profile.narrowed(**self._pins(profile.name)) for profile in met)

    def _pins(self, profile: str) -> dict[str, SwitchValue]:
        pins = {} if profile == "default" else self.pins
        return pins | self.pins_adversarial if profile == "adversarial" else pins

    def promises(self, profile: Profile) -> tuple[Promise, ...]:
        """Every promise that the client can meet in worlds of `profile`, each delay or none."""
        return tuple(
            self._promise(delivery, order, late, delay)
            for late in self.late_by_ms_max
            for delivery, order in product(self.deliveries, self._orders(profile, late))
            for delay in dict.fromkeys((None, self._delay(profile)))
        )

    def strongest_promises(self, profile: Profile) -> tuple[Promise, ...]:
        """For each lateness the promises that no other one here contains."""
        return tuple(
            self._promise(self.deliveries[0], order, late, self._delay(profile))
            for late in self.late_by_ms_max
            for order in self._orders(profile, late)
            if order != "none" or len(self._orders(profile, late)) == 1
        )

    def _promise(self, delivery: Delivery, order: Order, late: int, delay: int | None) -> Promise:
        return Promise(
            delivery=delivery, order=order, late_by_ms_max=late, delay_ms_max=delay, mode=self.mode
        )

    def _delay(self, profile: Profile) -> int | None:
        """The shortest delay that it keeps, ms; from a stamp that lies ahead nobody can tell."""
        stamps_lie = "some" in profile.allowed.get("future_stamps", ())
        is_any = self.mode == "snapshot" or (stamps_lie and self.delay_ms_max)
        return None if is_any else self.delay_ms_max

    def _orders(self, profile: Profile, late: int) -> tuple[Order, ...]:
        is_prompt = late == 0 and "some" not in profile.allowed.get("future_stamps", ())
        return (*self.orders, *(self.orders_if_prompt if is_prompt else ()))


RIGHT = (
    Right(
        file="saleschannel_boundary_escalating.py",
        dialect="saleschannel",
        deliveries=EXACTLY_ONCE,
        orders=("none", "recorded"),
        late_by_ms_max=NO_LATENESS,
        # It goes on from the last stamp it saw, so one ahead of the others is as bad as lateness.
        pins_adversarial={"future_stamps": "none"},
    ),
    Right(
        file="saleschannel_look_back.py",
        dialect="saleschannel",
        deliveries=EFFECTIVELY_ONCE,
        orders_if_prompt=("recorded",),
        late_by_ms_max=UP_TO_FIVE_MINUTES,
    ),
    Right(
        file="saleschannel_async_look_back.py",
        dialect="saleschannel",
        deliveries=EFFECTIVELY_ONCE,
        orders_if_prompt=("recorded",),
        late_by_ms_max=UP_TO_FIVE_MINUTES,
    ),
    Right(
        file="saleschannel_polite_look_back.py",
        dialect="saleschannel",
        deliveries=EFFECTIVELY_ONCE,
        orders_if_prompt=("recorded",),
        late_by_ms_max=UP_TO_FIVE_MINUTES,
    ),
    Right(
        file="saleschannel_hold_back.py",
        dialect="saleschannel",
        deliveries=EXACTLY_ONCE,
        orders=("none", "recorded"),
        late_by_ms_max=UP_TO_FIVE_MINUTES,
        delay_ms_max=HELD_BACK,
    ),
    Right(
        file="saleschannel_snapshot.py",
        dialect="saleschannel",
        deliveries=EXACTLY_ONCE,
        orders=("none", "recorded"),
        late_by_ms_max=UP_TO_FIVE_MINUTES,
        mode="snapshot",
    ),
    Right(
        file="haravan_document.py",
        dialect="haravan",
        deliveries=EFFECTIVELY_ONCE,
        orders=("none", "id", "recorded"),
        late_by_ms_max=NO_LATENESS,
        pins={"id_order": "monotonic"},
    ),
    Right(
        file="haravan_rewound_since_id.py",
        dialect="haravan",
        deliveries=EFFECTIVELY_ONCE,
        orders_if_prompt=("id", "recorded"),
        late_by_ms_max=UP_TO_FIVE_MINUTES,
        pins={"id_order": "monotonic"},
    ),
    Right(
        file="haravan_window_since_id.py",
        dialect="haravan",
        deliveries=EFFECTIVELY_ONCE,
        late_by_ms_max=UP_TO_FIVE_MINUTES,
    ),
    Right(
        file="haravan_class_window.py",
        dialect="haravan",
        name="Follower",
        deliveries=EFFECTIVELY_ONCE,
        late_by_ms_max=UP_TO_FIVE_MINUTES,
    ),
    Right(
        file="haravan_polite_window.py",
        dialect="haravan",
        deliveries=EFFECTIVELY_ONCE,
        late_by_ms_max=UP_TO_FIVE_MINUTES,
    ),
    Right(
        file="haravan_window_pages.py",
        dialect="haravan",
        deliveries=EXACTLY_ONCE,
        late_by_ms_max=UP_TO_FIVE_MINUTES,
        meets=BY_NUMBERS,
        # Page numbers count rows in the order of one request; the next must have the same.
        pins_adversarial={"created_at_ties": "id"},
    ),
    Right(
        file="haravan_window_cursor.py",
        dialect="haravan",
        deliveries=EXACTLY_ONCE,
        late_by_ms_max=UP_TO_FIVE_MINUTES,
        meets=BY_CURSOR,
    ),
    Right(
        file="haravan_snapshot_since_id.py",
        dialect="haravan",
        deliveries=EXACTLY_ONCE,
        orders=("none", "id"),
        late_by_ms_max=UP_TO_FIVE_MINUTES,
        mode="snapshot",
    ),
    Right(
        file="haravan_snapshot_pages.py",
        dialect="haravan",
        deliveries=EXACTLY_ONCE,
        late_by_ms_max=UP_TO_FIVE_MINUTES,
        mode="snapshot",
        meets=BY_NUMBERS,
        pins_adversarial={"created_at_ties": "id"},  # as for haravan_window_pages.py
    ),
)

WRONG = {"saleschannel_document.py"}
"""Shown because the document has it; `haravan_document.py` is right where nothing is late."""


def cases() -> Iterator[tuple[Right, Profile, Promise]]:
    """Every right client with every profile and each of the strongest promises that it can meet."""
    for right in RIGHT:
        for profile in right.profiles:
            yield from product((right,), (profile,), right.strongest_promises(profile))


def worlds() -> Iterator[tuple[Right, Profile, int]]:
    """Every right client with every profile and lateness (ms): all that makes worlds differ."""
    for right in RIGHT:
        yield from product((right,), right.profiles, right.late_by_ms_max)
