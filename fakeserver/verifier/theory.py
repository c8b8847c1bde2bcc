"""The theorems and impossibilities that reports refer to, in words.

`contracts/THEORY.md` has them too, letter for letter, with the model that they speak of.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fakeserver.clock import duration_text


class Theorem(msgspec.Struct, frozen=True, kw_only=True):
    """A way to follow a log that is provably right, and under which assumptions."""

    name: str
    title: str
    says: str


class Impossibility(msgspec.Struct, frozen=True, kw_only=True):
    """A situation in which no client can be right: why, and what the judge makes of it."""

    name: str
    situation: str
    because: str
    so: str


_THEOREMS = (
    Theorem(
        name="T1",
        title="boundary ids",
        says="With an inclusive stamp as key and nothing late (D = 0): ask from the last key on; "
        "drop the ids already delivered *at that key*; go on from the last stamp of the page. "
        "Complete, and nothing twice, whatever the order among equal stamps, if fewer than L "
        "events share a stamp. If L or more do and another event follows, no request of this form "
        "ever gets past them.",
    ),
    Theorem(
        name="T2",
        title="anchored look-back",
        says="With late events (D > 0): start each poll at s(j-1) - D, the *start* of the last "
        "poll that succeeded, and drop ids delivered since then. Complete. Anchors that look as "
        "good and are not: the end of the walk, the newest stamp seen, now minus a fixed span.",
    ),
    Theorem(
        name="T3",
        title="hold-back",
        says="Deliver only what is older than s(j) - D. Complete, in order, with a memory of one "
        "group of equal stamps; the price is a delay of D.",
    ),
    Theorem(
        name="T4",
        title="growing limit",
        says="When a full page ends at the key that it was asked from, ask again with twice the "
        "limit. With T1 or T2 this passes any group of equal stamps below the server's cap.",
    ),
    Theorem(
        name="T5",
        title="highest id seen",
        says="Go on from it (`since_id`). Complete only if no event ever appears after one with a "
        "higher id.",
    ),
    Theorem(
        name="T6",
        title="rewound id",
        says="Deliver at once and drop repeats, but persist the highest id whose stamp is at most "
        "s(j) - D. Complete if ids follow stamps.",
    ),
    Theorem(
        name="T7",
        title="window and ids",
        says="Ask for stamps from s(j-1) - D on, rounded down to what the filter resolves and "
        "written in the zone in which the server reads it; inside the window page by id, and drop "
        "ids already delivered. Complete without any assumption on ids.",
    ),
    Theorem(
        name="T8",
        title="page numbers",
        says="A row that appears before a position shifts everything behind it by one. In a log "
        "that only grows, walking newest first repeats rows and misses the new one until the next "
        "walk; a look-back and dropping known ids make it complete.",
    ),
    Theorem(
        name="L1",
        title="delivery deadline",
        says="A client owes a delay d if, whenever a poll begins at s(j), all that was visible at "
        "s(j) - d has been delivered by the end of that poll. When polls begin is not the client's "
        "to decide, so time in which nobody calls it is not part of d. Whoever delivers what it "
        "reads keeps d = 0 under T1, T2, T5, T6, T7 and T8, each under its own assumptions: what "
        "is visible at s(j) is read in poll j. A hold-back (T3) by H keeps d = H and nothing "
        "shorter, since a stamp is never later than the moment at which its event became visible.",
    ),
)
THEOREMS: Mapping[str, Theorem] = {theorem.name: theorem for theorem in _THEOREMS}
"""What is provably right, by name."""

_IMPOSSIBLE = (
    Impossibility(
        name="I1",
        situation="rows that no page by stamp can show: those of one stamp beyond the server's "
        "cap, and those without a stamp",
        because="An inclusive stamp is the only key: two logs that differ only in such a row give "
        "the same answer to every request.",
        so="Such rows are never held against a client, and a note names them. It must still go on "
        "behind them: what follows can be read, and asking for them for ever is STUCK.",
    ),
    Impossibility(
        name="I1b",
        situation="rows of one stamp beyond the server's cap, in an order that changes with each "
        "request",
        because="Each row is seen with some chance in each answer, and no number of requests makes "
        "it certain.",
        so="None of them is held against a client; a note names those that it missed.",
    ),
    Impossibility(
        name="I2",
        situation="pages of one row, and an inclusive stamp is the only key",
        because="The row at the key fills the page, so the key never moves on.",
        so="Ask for two rows or more. Where the server's cap is one row, no event is held against "
        "a client that never saw it.",
    ),
    Impossibility(
        name="I3",
        situation="events that are late by more than any bound",
        because="An event can always appear right behind the place that was read last.",
        so="A promise names a lateness. What came later is counted in a note and held against "
        "nobody.",
    ),
    Impossibility(
        name="I4",
        situation="an event that appears after one with a higher id, and a client that goes by ids "
        "alone",
        because="This is I3 with ids: from whatever id the client goes on, the late one can be "
        "lower.",
        so="It is held against the client, for a window of stamps finds the event (T7); a note "
        "says that ids alone never will.",
    ),
    Impossibility(
        name="I5",
        situation="exactly-once across a crash, with delivering and saving in two steps",
        because="A crash in between leaves one without the other, whichever comes first.",
        so="`Feed.commit` is one step. Who promises exactly-once and does it in two is broken, and "
        "the finding says why.",
    ),
    Impossibility(
        name="I6",
        situation="order by stamp with a delay below the lateness",
        because="The older event is not visible yet when the younger one is due.",
        so="Promise one of the two: both at once are refused.",
    ),
    Impossibility(
        name="I7",
        situation="a claim to have everything up to now, while events may be late",
        because="Nobody can see that nothing more will appear.",
        so="Only what is older than the lateness is settled (T3). No client is asked for such a "
        "claim here.",
    ),
    Impossibility(
        name="I8",
        situation="a look-back by the client's own clock, which may be wrong by any amount",
        because="What the client takes for past may lie in the server's future.",
        so="Go by stamps that the server issued. Here `Feed.now` is the server's time, and no "
        "client is judged by another.",
    ),
    Impossibility(
        name="I9",
        situation="events that are deleted before a client asks",
        because="No answer ever holds them.",
        so="Neither document speaks of it, so no world here deletes anything.",
    ),
    Impossibility(
        name="I10",
        situation="a feed that is a sample and no log",
        because="No request brings what the server does not list.",
        so="Out of contract: both documents describe logs.",
    ),
)
IMPOSSIBLE: Mapping[str, Impossibility] = {each.name: each for each in _IMPOSSIBLE}
"""What nobody can do, by name; `verifier/impossible.py` says where it happened."""


def order_and_delay(late_by_ms_max: int, delay_ms_max: int) -> str:
    """Say why a promise of an order and of that delay can't be kept (I6)."""
    return (
        f"an event may be late by up to {duration_text(late_by_ms_max)}, so who delivers in order "
        f"must wait as long, and can't promise a delay of {duration_text(delay_ms_max)} (I6)"
    )
