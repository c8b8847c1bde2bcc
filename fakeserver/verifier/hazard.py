"""What a hazard is: something in a world that trips clients up."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from fakeserver.dialects.base import Dialect
from fakeserver.profile import Profile
from fakeserver.verifier.evidence import Evidence

Detector = Callable[[Evidence], bool]
Possible = Callable[[Dialect, Profile, int], bool]


class Hazard(msgspec.Struct, frozen=True, kw_only=True):
    """One hazard: what it is, its fault classes and source, when it can occur, whether it did."""

    name: str
    about: str
    source: str
    possible: Possible
    exercised: Detector


def always(_dialect: Dialect, _profile: Profile, _late: int) -> bool:
    """Whether it can occur: everywhere."""
    return True
