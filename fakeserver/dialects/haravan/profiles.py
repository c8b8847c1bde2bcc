"""The named sets of answers: what a client may be up against, each with its source and date."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fakeserver.dialects.haravan.switches import SWITCHES
from fakeserver.dialects.haravan.terms import NAME
from fakeserver.profile import Profile, SwitchValue, build_profile

ANOTHER_API = MappingProxyType(
    {
        "auth": ("token",),
        "paging": ("page",),
        "since_id_order": ("asc",),
        "bounds": ("inclusive",),
        "lateness": ("documented",),
    }
)
"""What even `adversarial` leaves alone. The other values make it another API, to which no client
of this one is right (or, without a token and lateness, one that is easier)."""

DEFAULT = build_profile(
    dialect=NAME,
    name="default",
    about="one answer to every question, by the best evidence",
    source="the document, its samples and, where they are silent, the switch's own source",
    switches=SWITCHES,
)
DOCUMENTED = build_profile(
    dialect=NAME,
    name="documented",
    about="every answer that the document allows; a right client stands them all",
    source="the document, read as widely as its words go",
    switches=SWITCHES,
    values="documented",
)
ADVERSARIAL = build_profile(
    dialect=NAME,
    name="adversarial",
    about="beyond the document: unstable order, odd errors, counts that trail; as hard as a server "
    "can be on a client that still is right",
    source="every value of every switch that leaves it the same API",
    switches=SWITCHES,
    values="every",
    changes=ANOTHER_API,
)
LIVE_2026 = build_profile(
    dialect=NAME,
    name="haravan-live-2026",
    about="the live service as its users have described it: 50 rows whatever is asked, ids "
    "downwards, times in UTC, a bucket of 80, and a 422 now and then",
    source="published journals and code of three users; nobody has checked it from here",
    seen="2026-04-27 to 2026-08-19",
    switches=SWITCHES,
    changes={
        "limit_max": (50,),
        "limit_over_max": ("clamp",),
        "order_default": ("id-desc",),
        "since_id_zero": ("from-start",),
        "empty_parameter": ("ignore",),
        "time_output": ("utc",),
        "rate_limit": ("bucket-80-4",),
        "transient_422": ("now-and-then",),
    },
)
_ANCESTOR: Mapping[str, tuple[SwitchValue, ...]] = MappingProxyType(
    {
        "version_alias": (True,),
        "unknown_parameter": ("ignore",),
        "limit_default": (50,),
        "limit_max": (250,),
        "since_id_zero": ("from-start", "ignored"),
        "order_default": ("id-asc",),
        "shop_zone": ("America/New_York",),
    }
)
LEGACY = build_profile(
    dialect=NAME,
    name="shopify-legacy",
    about="the API that this one descends from, with page numbers: 50 rows, 250 at most, ids "
    "upwards, versions in the path",
    source="the ancestor's document and fixtures; its clients contradict each other on since_id=0",
    seen="before 2019-07; fixtures of 2022-10",
    switches=SWITCHES,
    changes=_ANCESTOR,
)
CURSOR = build_profile(
    dialect=NAME,
    name="shopify-cursor",
    about="the ancestor since it has cursors: a link header with page_info, page is refused",
    source="the ancestor's document on pagination and its change log",
    seen="2019-07 on; fixtures of 2022-10",
    switches=SWITCHES,
    changes={**_ANCESTOR, "paging": ("cursor",)},
)

PROFILES: tuple[Profile, ...] = (DEFAULT, DOCUMENTED, ADVERSARIAL, LIVE_2026, LEGACY, CURSOR)
