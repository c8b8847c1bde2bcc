"""Switches and profiles: what a document leaves open, and which answers a fake may give.

A `Switch` is one open question of a document, with every answer and where it comes from. A
`Profile` allows some answers for each; a scenario then picks exactly one (its *settings*).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from fakeserver.errors import ProfileError

SwitchValue = str | int | bool | None


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """One question that a document leaves open.

    `default` is the answer by the best evidence, `documented` all answers that the document
    allows, `beyond` those that it does not. A value in `invented` stands in no document at all.
    `source` says where the answers come from; `about` asks the question in one sentence.
    """

    name: str
    about: str
    default: SwitchValue
    documented: tuple[SwitchValue, ...] = ()
    beyond: tuple[SwitchValue, ...] = ()
    invented: tuple[SwitchValue, ...] = ()
    source: str

    @property
    def values(self) -> tuple[SwitchValue, ...]:
        """Every value that this switch can take, the default first."""
        return tuple(dict.fromkeys((self.default, *self.documented, *self.beyond)))


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """For each switch of one dialect, the values that a scenario may pick.

    ``find_dialect("haravan").profile("documented")`` finds a known one;
    ``profile.narrowed(limit_max=50)`` pins switches to one value each.
    """

    dialect: str
    name: str
    about: str
    switches: tuple[Switch, ...]
    allowed: Mapping[str, tuple[SwitchValue, ...]]

    @property
    def settings_default(self) -> dict[str, SwitchValue]:
        """The first allowed value of every switch."""
        return {name: values[0] for name, values in self.allowed.items()}

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
    switches: tuple[Switch, ...],
    documented: bool = False,
    changes: Mapping[str, tuple[SwitchValue, ...]] = MappingProxyType({}),
) -> Profile:
    """Return a profile with one value a switch, or every `documented` one, and some `changes`.

    Raises `ProfileError` when a change names no switch.
    """
    allowed = {
        switch.name: (switch.documented or (switch.default,)) if documented else (switch.default,)
        for switch in switches
    }
    unknown = sorted(set(changes) - set(allowed))
    if unknown:
        raise ProfileError(f"profile {name!r} of {dialect!r} sets unknown switches: {unknown}")
    return Profile(
        dialect=dialect,
        name=name,
        about=about,
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
        values = known[name].values
        if not any(value is v or (value == v and type(value) is type(v)) for v in values):
            allowed = ", ".join(map(repr, values))
            raise ProfileError(f"switch {name!r} can't be {value!r}; it takes {allowed}")
