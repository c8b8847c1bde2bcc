"""What else a report shows of a mistake, it says of the clients that have it, and of no others.

One world of each faulty client is looked at. Its report must hold the sentences that are drawn up
for it here, and no other one of the list: so each sentence has its culprits, and all the rest of
the gallery for innocents.
"""

import re

from .faulty import Faulty
from .power import hunt
from .test_power import every_faulty_client

SENTENCES = {
    # A page that was cut
    "page of ties": r"the same request again brings the same rows\.",
    "failed page": r"The page before it, .*, had failed: ",
    "new order": r"e\d+ came as row \d+ and again as row \d+: equal stamps come in another order",
    "saved too soon": r"It saved before its walk had come down to the oldest row",
    "from the last row": r"began at its last row, .*, as if the rows below that had been read\.",
    "raised bottom": r"the next request asked for nothing below ",
    "two orders": r"page (?:before it )?came .* first, (?:this one|and the next one of its walk) ",
    "two keys": r"That page came by id, and the next request went on from a stamp",
    "stepped over": r"The next request began at .* after the last row of that page",
    "old count": r"When it asked for the count, at .*; when it asked for that page, ",
    "so many pages": r"No poll asked for more than \d+ pages?, though the last of them was full\.",
    "known page": r"That page was full \(.*\), and all of its rows had been delivered before",
    "ids and time": r"ids don't grow with time here\.",
    # An event that nobody asked for
    "of the newest": r"that is the stamp of e\d+, the newest that it had read",
    "of the start": r"that is the start of poll \d+, the last that succeeded",
    "before the start": r"that is [\w ]+ before the start of poll \d+, the last that succeeded",
    "before the end": r"that is 5 min before the end of poll \d+",
    "before the newest": r"that is 5 min before the stamp of e\d+, the newest",
    "before itself": r"that is 10 min before its own start, as in poll \d+",
    "filter dropped": r"had a filter that leaves out e\d+, and a later page of it had none\.",
    "empty window": r"asked up to .* only, got no rows, and asked for nothing later\.",
    "ids back": r"It went back by \d+ from the highest id that it had read",
    "highest id": r"\d+ is the highest id that it had read",
    "future stamp": r"which lay ahead of the time when it was read",
    "ahead": r"the bound lay .* ahead\.",
    "fold": r"that hour comes twice",
    "brought": r"The first request of this world asked for ids above \d+, though nothing had been",
    "outlived": r"began a new life of the client and asked for ids above \d+, though nothing had",
    "outlived a failure": r"came after one that raised and asked for ids above \d+, though nothing",
    "left over": r"Played twice in a row with ids that no other world has, this world came out",
    # A row that was served
    "first rows": r"The first row of a page was not delivered where it was new, ",
    "later first rows": r"The first row of a page after the first of its poll was not delivered",
    "same stamp": r"It has the stamp of e\d+, .*, which had been delivered by then\.",
    "id as text": r"and below it if the two are compared as text\.",
    "lower id": r"Its id is below that of e\d+, which had been delivered by then\.",
    "same content": r"It differs from e\d+, .*, by its .* alone\.",
    "saved unread": r"Poll \d+ had saved before it asked for anything",
    # A repeat
    "one answer": r"It was served once by then: both deliveries are of that one answer\.",
    "begun again": r"and the client sent again what had been answered before it\.",
    "partly known": r"delivered before as well: it was dropped\.",
    "null key": r"has no stamp: its createdAt is null\.",
    "bound dropped": r"this one came without that bound\.",
    "not read back": r"The id of e\d+ was in what it had saved\.",
    "nothing saved": r"Nothing was ever saved \(feed\.save was never called\)",
    "null saved": r"All that was saved is null, so each poll began from nothing",
    "others known": r"In poll \d+ it read .* again as well, and dropped (?:it|them)\.",
    "key as text": r"was saved as a key, and keys are texts in JSON: \d+ came back as ",
    # Other rules
    "keys as texts": r"has keys that were numbers, and keys are texts in JSON",
    "another field": r"It is the \w+ of e\d+, which was served",
    "visible later": r"became visible at .*, after e\d+ had been delivered, at ",
    "empty page": r"came again and again\.",
    "standing": r"lies beyond where the request began, and yet the same request was sent again\.",
    "cut stamp": r"cut to the (?:second|minute): so the page began with the same rows again\.",
    "by turns": r"By turns it asked for ",
    "largest as text": r"from which it asked again and again, the largest as text\.",
    "parameter": r"This API has no parameter ",
    "had a token": r"Requests before it were answered: they had one\.",
    "seconds": r"the \d+ of Retry-After are seconds\.",
}

SAID = {
    "page of ties": {"StopsAtPageOfTies", "SnapshotUpToTheTies"},
    "failed page": {"SkipsTheFailedPage"},
    "new order": {"PagesOfShuffledTies"},
    "saved too soon": {
        *("SavesTheTopFirst", "SavesTheHeadFirst"),
        *("ResumesFromDestination", "ResumesFromNewest"),
    },
    "from the last row": {"TrustsTheDefaultOrder"},
    "raised bottom": {"RaisesTheBottom", "FiltersByWhatItRead"},
    "two orders": {"OrdersTheFirstPageOnly", "StartsWithoutSinceId"},
    "two keys": {"LastRowOfUnsortedPage"},
    "stepped over": {
        *("PlusOneMs", "NudgesPastTies", "RoundsKeyUp"),
        *("PlusOneSecond", "StepsOverSecondOfTies", "RoundsStampUp"),
    },
    "old count": {"StridesByAskedLimit"},
    "so many pages": {
        *("FirstPageOfLookBack", "StopsAfterThreePages"),
        *("FirstPageOnly", "StopsAfterTwoPages"),
    },
    "known page": {
        *("StopsWhenNothingIsNew", "StopsWhenFewAreFresh"),
        *("StopsAtKnownEvent", "CountsFreshRows", "StopsAtOldRow"),
    },
    "ids and time": {"StopsAtOldRow", "TakesIdsForTime"},
    "of the newest": {"NoLookBack", "HalfHoldBack"},
    "of the start": {"ClockAsKey", "ClockAsWindow", "WindowWithoutLookBack"},
    "before the start": {"HalfLookBack", "SecondsReadAsMs", "HalfWindow", "RoundsWindowUp"},
    "before the end": {"AnchoredAtWalkEnd", "WindowFromWalkEnd"},
    "before the newest": {"AnchoredAtNewest", "WindowFromNewest"},
    "before itself": {"FixedWindow", "WindowOfTenMinutes"},
    "filter dropped": {"DropsFilterAfterFirstPage"},
    "empty window": {"StopsAtEmptySlice"},
    "ids back": {"RewindsTwoIds"},
    "highest id": {"LargestSeen", "TakesIdsForTime"},
    "future stamp": {"TrustsFutureStamps"},
    "ahead": {"UtcAsShopTime", "SummerTimeAllYear", "ForgetsTheFold"},
    "fold": {"ForgetsTheFold"},
    "first rows": {"DropsFirstRow", "DropsFirstOfWindow"},
    "later first rows": {"DropsAsManyAsItKnows"},
    "same stamp": {
        *("DedupByTime", "DedupByTransaction", "DedupBySecond"),
        *("DropsAsManyAsItKnows", "TakesIdsForOrder"),  # both facts, and either may be the reason
    },
    "id as text": {"IdsAsText"},
    "lower id": {"TakesIdsForOrder"},
    "same content": {"DedupByContent"},
    "saved unread": {"SavesTheWindowFirst"},
    "one answer": {"RetriesTheWholeStep"},
    "begun again": {"RetriesTheWholePoll", "NewTokenNewPoll", "NewTokenNewWalk"},
    "partly known": {"TrustsOneRowOfOverlap"},
    "null key": {"NullAsKey", "CrashesOnNullKey"},
    "bound dropped": {"DropsWindowAfterFirstPage"},
    "not read back": {"KnowsThePageBefore"},
    "others known": {"ForgetsSoon", "RemembersTwoIds", "LastRowOfDescendingWalk"},
    "another field": {"DeliversSubjectId"},
    "visible later": {"HoldsNothingBack"},
    "empty page": {"EndlessOnExactMultiple"},
    "standing": {"FirstRowAsKey", "NeverMovesOn"},
    # Whose culprits are in tests/verdict/test_clues*.py: here all are innocent.
    "key as text": set(),
    "keys as texts": set(),
    "cut stamp": set(),  # `CutsKeyToSecond`, in worlds with fractions
    "nothing saved": set(),
    "null saved": set(),
    "brought": set(),
    "outlived": set(),
    "outlived a failure": set(),
    "left over": set(),
    "by turns": {"FollowsTheFirstLink"},
    "largest as text": {"LargestIdAsText"},
    "parameter": {"SendsUnknownParameter"},
    "had a token": {"SendsNoToken"},
    "seconds": {"ReadsSecondsAsMs"},
}
"""For each sentence the clients whose reports say it."""


def said_of(faulty: Faulty) -> set[str]:
    why = " ".join(hunt(faulty, 0).verdict.findings[0].why)
    return {name for name, pattern in SENTENCES.items() if re.search(pattern, why)}


@every_faulty_client
def test_a_report_says_what_its_client_does_and_nothing_else(faulty: Faulty) -> None:
    wanted = {name for name, clients in SAID.items() if faulty.name in clients}
    assert said_of(faulty) == wanted, hunt(faulty, 0).verdict.text()


def test_each_sentence_has_a_culprit() -> None:
    assert SENTENCES.keys() == SAID.keys()
    elsewhere = {
        *("cut stamp", "nothing saved", "null saved", "brought", "outlived"),
        *("key as text", "keys as texts", "outlived a failure", "left over"),
    }
    assert {name for name, clients in SAID.items() if not clients} == elsewhere
