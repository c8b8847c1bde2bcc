"""Which fault classes (contracts/THEORY.md) apply to which API, and why some have no client.

`MARKED` is what can happen to a client of the API by its document. What is marked must have a
faulty client, or stand in `NOT_SHOWN` with the reason.
"""

from collections.abc import Mapping

HARAVAN, SALESCHANNEL = "haravan", "saleschannel"
BOTH = (HARAVAN, SALESCHANNEL)

_ONE_ONLY: Mapping[str, tuple[str, ...]] = {
    "C09": (HARAVAN,),  # the other API has no ids that could be a cursor
    "C12": (HARAVAN,),  # … no page numbers
    "C13": (HARAVAN,),
    "C16": (HARAVAN,),  # … no windows that could be empty
    "C17": (HARAVAN,),  # its document says how a walk ends
    "C22": (HARAVAN,),  # … shows ascending order alone
    "C32": (HARAVAN,),  # … has times in UTC alone
    "C34": (HARAVAN,),  # … ids that are text
    "C35": (SALESCHANNEL,),  # Haravan's created_at is never null
}
MARKED: Mapping[str, tuple[str, ...]] = {
    f"C{number:02}": _ONE_ONLY.get(f"C{number:02}", BOTH) for number in range(1, 41)
}

_APPEND_ONLY = (
    "both logs only grow: no row is deleted, changed or expires, so nothing moves up in a walk, and"
    " no cursor outlives its data"
)
_OLD_ANSWERS = (
    "an old answer is a fault of the server (stale-read), and no drawn world holds one; that the"
    " judge tells what it hides from a loss is tested by hand-written histories"
)
NOT_SHOWN: Mapping[tuple[str, str], str] = {
    ("C10", HARAVAN): _OLD_ANSWERS,
    ("C10", SALESCHANNEL): _OLD_ANSWERS,
    ("C13", HARAVAN): _APPEND_ONLY,
    ("C40", HARAVAN): _APPEND_ONLY,
    ("C40", SALESCHANNEL): _APPEND_ONLY,
}
"""What is marked and can't be shown, with the reason."""

MUTANTS: Mapping[str, tuple[str, ...] | str] = {
    "M01 gt": ("Gt",),
    "M02 key + 1 ms": ("PlusOneMs",),
    "M03 key + 1 s": ("PlusOneSecond",),
    "M04 drops the first row": ("DropsFirstRow", "DropsFirstOfWindow"),
    "M05 no dedup": ("NoDedup", "DeliversTheSeamTwice"),
    "M06 dedup by createdAt": ("DedupByTime", "DedupBySecond"),
    "M07 dedup against the page before": ("KnowsThePageBefore",),
    "M08 dedup across but not within a page": "no page of either API holds a row twice",
    "M09 forgets known ids too soon": ("ForgetsSoon", "RemembersTwoIds"),
    "M10 never prunes": "what a client keeps is its own affair as long as it delivers rightly",
    "M11 stops at a page without news": ("StopsWhenNothingIsNew",),
    "M12 nudges by 1 ms": ("NudgesPastTies", "StepsOverSecondOfTies"),
    "M13 no look-back": ("NoLookBack", "WindowWithoutLookBack"),
    "M14 half look-back": ("HalfLookBack", "HalfHoldBack", "HalfWindow"),
    "M15 seconds read as ms": ("SecondsReadAsMs",),
    "M16 anchored at the end of the walk": ("AnchoredAtWalkEnd", "WindowFromWalkEnd"),
    "M17 anchored at the newest seen": ("AnchoredAtNewest", "WindowFromNewest"),
    "M18 anchored at now": ("FixedWindow", "WindowOfTenMinutes"),
    "M19 since_id = last row of an unsorted page": ("StartsWithoutSinceId",),
    "M20 since_id = largest seen": ("LargestSeen", "TakesIdsForTime"),
    "M21 ids compared as text": ("IdsAsText", "LargestIdAsText"),
    "M22 ids as floats": ("IdsAsFloats",),
    "M23 pages while rows expire": _APPEND_ONLY,
    "M24 pages newest first without dedup": ("TrustsPagesToBeDisjoint",),
    "M25 stride by the asked limit": ("StridesByAskedLimit",),
    "M26 probes with limit + 1": ("ProbesWithOneMore",),
    "M27 limit 0 or 1": ("AsksForNoRows", "OneRowAPage"),
    "M28 stops at a short page": ("StopsAtShortPage", "StopsAtCappedPage"),
    "M29 stops at an empty page": ("StopsAtEmptySlice",),
    "M30 never stops at n = k * limit": ("EndlessOnExactMultiple",),
    "M31 max_pages, then success": ("StopsAfterTwoPages", "StopsAfterThreePages"),
    "M32 checkpoint before delivery": ("SavesBeforeDelivering",),
    "M33 checkpoint per page of a descending walk": ("SavesTheHeadFirst", "SavesTheTopFirst"),
    "M34 checkpoint = last row": ("LastRowOfUnsortedPage", "LastRowOfDescendingWalk"),
    "M35 checkpoint reset on an empty poll": ("ForgetsWhenIdle",),
    "M36 except: break": ("TakesAnErrorForTheEnd", "ServerErrorIsTheEnd", "RateLimitIsTheEnd"),
    "M37 retry delivers the page again": ("RetriesTheWholeStep", "RetriesTheWholePoll"),
    "M38 ignores Retry-After": ("AsksAgainAtOnce", "WaitsAsItLikes", "ReadsSecondsAsMs"),
    "M39 new token, new walk, no dedup": ("NewTokenNewWalk", "NewTokenNewPoll"),
    "M40 filter dropped after page 1": ("DropsFilterAfterFirstPage", "DropsWindowAfterFirstPage"),
    "M41 rounds stamps": ("RoundsKeyUp", "RoundsWindowUp", "RoundsStampUp", "CutsKeyToSecond"),
    "M42 UTC sent as shop time": ("UtcAsShopTime", "SummerTimeAllYear"),
    "M43 the later instant of a repeated hour": ("ForgetsTheFold",),
    "M44 raw +": ("LosesThePlus", "LosesThePlusOfKey"),
    "M45 null createdAt": ("CrashesOnNullKey", "NullAsKey"),
    "M46 trusts a future stamp": ("TrustsFutureStamps",),
    "M47 the client's now() as cursor": ("ClockAsKey", "ClockAsWindow"),
    "M48 two pollers, one checkpoint": ("ReadsItsPlaceOnce", "ReadsItsWindowOnce"),
    "M49 410, then on from now": _APPEND_ONLY,
    "M50 one validator for all pages": "neither API has ETags, and the fake sends none",
    "M51 now() as the bound of each page": ("MovesTheUpperBound",),
    "M52 the whole row as key": ("WholeEventAsKey",),
}
"""Mutants of right clients that a good harness kills: who stands for each, or why nobody can."""
