"""The clients that no rule may ever accuse, and what each of them can promise.

A client is right only under a promise: one that takes no account of lateness is right where nothing
is late. `fixtures/clients/README.md` says the same for people.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.profile import Profile
from fakeserver.verifier.clients import load_client
from fakeserver.verifier.promise import Delivery, Order, Promise
from fakeserver.verifier.runner import Client

FOLDER = Path(__file__).parents[2] / "fixtures" / "clients"

AT_LEAST_ONCE: tuple[Delivery, ...] = ("at-least-once",)
EFFECTIVELY_ONCE: tuple[Delivery, ...] = ("effectively-once", *AT_LEAST_ONCE)
EXACTLY_ONCE: tuple[Delivery, ...] = ("exactly-once", *EFFECTIVELY_ONCE)
"""The strongest first: who keeps it keeps all that follow."""
UP_TO_FIVE_MINUTES = (300_000, 20_000, 0)
"""The longest lateness that these clients stand, a short one and none, ms; worlds differ."""
NO_LATENESS = (0,)


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """A client in `fixtures/clients` with the profiles and promises that it can meet.

    `deliveries` has the strongest first. `orders` are kept with every lateness, `orders_if_prompt`
    only where nothing is late. `pins` narrows the profile ``documented`` to what the client needs.
    """

    file: str
    dialect: str
    name: str = "follow"
    deliveries: tuple[Delivery, ...]
    orders: tuple[Order, ...] = ("none",)
    orders_if_prompt: tuple[Order, ...] = ()
    late_by_ms_max: tuple[int, ...]
    pins: dict[str, str] = {}

    @property
    def client(self) -> Client:
        return load_client(f"{FOLDER / self.file}:{self.name}")

    @property
    def profiles(self) -> tuple[Profile, ...]:
        dialect = find_dialect(self.dialect)
        return dialect.profile("default"), dialect.profile("documented").narrowed(**self.pins)

    @property
    def promises(self) -> tuple[Promise, ...]:
        """Every promise that the client can meet."""
        return tuple(
            Promise(delivery=delivery, order=order, late_by_ms_max=late)
            for late in self.late_by_ms_max
            for delivery, order in product(self.deliveries, self._orders(late))
        )

    @property
    def strongest_promises(self) -> tuple[Promise, ...]:
        """For each lateness the promises that no other one here contains."""
        return tuple(
            Promise(delivery=self.deliveries[0], order=order, late_by_ms_max=late)
            for late in self.late_by_ms_max
            for order in self._orders(late)
            if order != "none" or len(self._orders(late)) == 1
        )

    def _orders(self, late: int) -> tuple[Order, ...]:
        is_prompt = late == 0
        return (*self.orders, *(self.orders_if_prompt if is_prompt else ()))


RIGHT = (
    Right(
        file="saleschannel_boundary_escalating.py",
        dialect="saleschannel",
        deliveries=EXACTLY_ONCE,
        orders=("none", "recorded"),
        late_by_ms_max=NO_LATENESS,
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
        file="saleschannel_hold_back.py",
        dialect="saleschannel",
        deliveries=EXACTLY_ONCE,
        orders=("none", "recorded"),
        late_by_ms_max=UP_TO_FIVE_MINUTES,
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
        file="haravan_window_pages.py",
        dialect="haravan",
        deliveries=EXACTLY_ONCE,
        late_by_ms_max=UP_TO_FIVE_MINUTES,
    ),
)

WRONG = {"saleschannel_document.py"}
"""Shown because the document has it; `haravan_document.py` is right where nothing is late."""


def cases() -> Iterator[tuple[Right, Profile, Promise]]:
    """Every right client with every profile and each of the strongest promises that it can meet."""
    for right in RIGHT:
        yield from product((right,), right.profiles, right.strongest_promises)


def worlds() -> Iterator[tuple[Right, Profile, int]]:
    """Every right client with every profile and lateness (ms): all that makes worlds differ."""
    for right in RIGHT:
        yield from product((right,), right.profiles, right.late_by_ms_max)
