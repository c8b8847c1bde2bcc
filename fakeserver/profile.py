"""Switches and profiles: what a document leaves open, and which answers a fake may give.

A `Switch` is one open question of a document, with every answer and the `Origin` of each. A
`Profile` allows some answers for each; a scenario then picks exactly one (its *settings*).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from fakeserver.errors import ProfileError

SwitchValue = str | int | bool | None
OriginKind = Literal[
    "document", "samples", "vendor", "live", "ancestor", "client", "custom", "invented"
]
"""The API's own document, its samples, other pages of its vendor, somebody's observation of the
live service, the API that this one descends from, the code of a published client, what such
servers usually do, and nobody at all."""
Values = Literal["default", "documented", "every"]


class Origin(msgspec.Struct, frozen=True):
    """Where an answer comes from: the class of source, what it is, and when it said so.

    `seen` is an ISO date, possibly cut to year and month, or empty where none is known.
    """

    kind: OriginKind
    says: str
    seen: str = ""

    def __str__(self) -> str:
        """``live: users' published observations (2026-04-27)``."""
        when = f" ({self.seen})" if self.seen else ""
        return f"{self.kind}: {self.says}{when}"


INVENTED = Origin("invented", "stands in no document")


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """One question that a document leaves open.

    `default` is the answer by the best evidence, `documented` all answers that the document
    allows, `beyond` those that it does not; `origins` says of each where it comes from. `source`
    tells the whole story in a sentence; `about` asks the question in another. Where `whole_from`
    is a number, a scenario may have any whole number from there on as well, though no profile
    picks one: that is for measuring how far a client stands.
    """

    name: str
    about: str
    default: SwitchValue
    documented: tuple[SwitchValue, ...] = ()
    beyond: tuple[SwitchValue, ...] = ()
    origins: Mapping[SwitchValue, Origin]
    source: str
    whole_from: int | None = None

    @property
    def values(self) -> tuple[SwitchValue, ...]:
        """Every value that this switch can take, the default first."""
        return tuple(dict.fromkeys((self.default, *self.documented, *self.beyond)))

    @property
    def invented(self) -> tuple[SwitchValue, ...]:
        """The values that stand in no document at all."""
        return tuple(value for value in self.values if self.origins[value].kind == "invented")

    def takes(self, value: object) -> bool:
        """Whether a scenario may have `value`; ``True`` is not ``1``."""
        if any(value is v or (value == v and type(value) is type(v)) for v in self.values):
            return True
        return self.whole_from is not None and type(value) is int and value >= self.whole_from

    def allowed(self, values: Values) -> tuple[SwitchValue, ...]:
        """Return the default alone, the documented values, or every one; the default first."""
        if values == "every":
            return self.values
        documented = self.documented if values == "documented" else ()
        return documented or (self.default,)


QUANTILES: Mapping[str, float] = MappingProxyType(
    {"half": 0.5, "90%": 0.9, "99%": 0.99, "all": 1.0}
)
"""Names of shares of all events."""


class MeasuredLateness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How late events became visible, ms: so many (`QUANTILES`) were hidden for no longer.

    The truth lies between `least` and `most`, for nobody looks all the time. `events` is how many
    it was measured on. `share_over_minute` is the least and the most share of them that was hidden
    for more than a minute.
    """

    events: int
    least: dict[str, int]
    most: dict[str, int]
    share_over_minute: tuple[float, float]

    def check(self) -> None:
        """Raise `ProfileError` for what is no distribution."""
        for bounds in (self.least, self.most):
            ms = [bounds.get(name, -1) for name in QUANTILES]
            if bounds.keys() != QUANTILES.keys() or ms != sorted(ms) or ms[0] < 0:
                raise ProfileError(
                    f"lateness: expected rising ms for {', '.join(QUANTILES)}, got {bounds}"
                )
        if any(self.least[name] > self.most[name] for name in QUANTILES):
            raise ProfileError("lateness: expected least to be at most most, it is above")

    def at(self, share: float, between: float) -> int:
        """Return how long an event is hidden, ms, where a `share` of all is hidden for less.

        `between` (0 to 1) says where the truth lies between the least and the most.
        """
        least, most = (_interpolated(bounds, share) for bounds in (self.least, self.most))
        return round(least + (most - least) * between)


def _interpolated(bounds: Mapping[str, int], share: float) -> float:
    """Return the value at a share, on a line from each quantile to the next, from 0 on."""
    share_before, before = 0.0, 0
    for name, at in QUANTILES.items():
        if share <= at:
            break
        share_before, before = at, bounds[name]
    return before + (bounds[name] - before) * (share - share_before) / (at - share_before)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """For each switch of one dialect, the values that a scenario may pick.

    ``find_dialect("haravan").profile("documented")`` finds a known one;
    ``profile.narrowed(limit_max=50)`` pins switches to one value each. `source` says what the
    choice of values rests on, and `seen` when that was so (an ISO date, or empty). `lateness` is
    how late events were where that was measured, else None.
    """

    dialect: str
    name: str
    about: str
    source: str = ""
    seen: str = ""
    switches: tuple[Switch, ...]
    allowed: Mapping[str, tuple[SwitchValue, ...]]
    lateness: MeasuredLateness | None = None

    @property
    def settings_default(self) -> dict[str, SwitchValue]:
        """The first allowed value of every switch."""
        return {name: values[0] for name, values in self.allowed.items()}

    @property
    def unusual(self) -> dict[str, tuple[SwitchValue, ...]]:
        """What this profile allows, where that is not just the default."""
        return {
            switch.name: self.allowed[switch.name]
            for switch in self.switches
            if self.allowed[switch.name] != (switch.default,)
        }

    def narrowed(self, **settings: SwitchValue) -> Profile:
        """Return the same profile with the given switches pinned. Raises `ProfileError`."""
        check_settings(self.switches, settings)
        pins = ",".join(f"{name}={value}" for name, value in sorted(settings.items()))
        allowed = {**self.allowed, **{name: (value,) for name, value in settings.items()}}
        name = f"{self.name}[{pins}]" if pins else self.name
        return msgspec.structs.replace(self, name=name, allowed=allowed)


def build_profile(
    *,
    dialect: str,
    name: str,
    about: str,
    source: str = "",
    seen: str = "",
    switches: tuple[Switch, ...],
    values: Values = "default",
    changes: Mapping[str, tuple[SwitchValue, ...]] = MappingProxyType({}),
) -> Profile:
    """Return a profile that allows `values` of each switch, but for some `changes`.

    Raises `ProfileError` when a change names no switch, or a value that it can't take.
    """
    allowed = {switch.name: switch.allowed(values) for switch in switches}
    unknown = sorted(set(changes) - set(allowed))
    if unknown:
        raise ProfileError(f"profile {name!r} of {dialect!r} sets unknown switches: {unknown}")
    for switch_name, chosen in changes.items():
        for value in chosen:
            check_settings(switches, {switch_name: value})
    return Profile(
        dialect=dialect,
        name=name,
        about=about,
        source=source,
        seen=seen,
        switches=switches,
        allowed={**allowed, **changes},
    )


def check_settings(switches: Iterable[Switch], settings: Mapping[str, SwitchValue]) -> None:
    """Raise `ProfileError` for a switch that does not exist or a value that it can't take."""
    known = {switch.name: switch for switch in switches}
    for name, value in settings.items():
        if name not in known:
            raise ProfileError(
                f"no switch is called {name!r}; known are {', '.join(sorted(known))}"
            )
        switch = known[name]
        if not switch.takes(value):
            allowed = ", ".join(map(repr, switch.values))
            if switch.whole_from is not None:
                allowed += f", or any whole number from {switch.whole_from} on"
            raise ProfileError(f"switch {name!r} can't be {value!r}; it takes {allowed}")
