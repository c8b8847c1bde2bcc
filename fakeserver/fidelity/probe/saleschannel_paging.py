"""How the sales channel's pages are cut and ordered."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, pairwise
from math import factorial

from fakeserver.fidelity.probe.asking import Reply
from fakeserver.fidelity.probe.saleschannel import (
    LONG_AGO,
    OVER_ANY_CAP,
    Row,
    SalesChannelProbe,
    ids_of,
    moment_of,
)

CANDIDATES = (100, 5, 50, 250)
"""Caps that are likely; the others are found by halving."""
LISTED_MAX = 100
"""The largest cap or default that the switches list."""
STAMPS_MAX = 20
"""So many fit into an address."""
REPEATS_MAX = 4
CHANCE_MAX = 1e-4
"""So improbable must be what was seen, if the order were new each time."""
PRECISE_MIN = 2
"""Of a thousand stamps with microseconds one ends in 000: two different ones are no chance."""
WINDOWS = (0.5, 0.25, 0.75)
"""Where in the log is looked, of the moments that are known."""
DESCENTS_MIN = 3
"""Rows that are inserted out of turn are few; so many steps back in time are an order."""


def limits(probe: SalesChannelProbe) -> None:
    """limit_max, limit_over_max, limit_default."""
    order = ("createdAt", "asc")
    reply = probe.ask(limit=OVER_ANY_CAP, order=order)
    rows = probe.listed(reply)
    if rows is None:
        _cap_of_refusals(probe, reply)
        reply = probe.ask(limit=probe.page_max, order=order)
        rows = probe.listed(reply) or []
    elif (is_cut := _is_cut(probe, rows)) is None or (not is_cut and len(rows) < OVER_ANY_CAP):
        _whole(probe, reply, rows)
    elif len(rows) >= OVER_ANY_CAP:
        says = f"$limit={OVER_ANY_CAP} returned as many rows: no cap up to there"
        probe.decisions.decide("limit_max", None, says, reply)
        probe.decisions.leave("limit_over_max", "no limit is above a cap", reply)
    else:
        says = f"{len(rows)} rows came for $limit={OVER_ANY_CAP}, and there are more"
        probe.decisions.decide("limit_max", len(rows), says, reply)
        probe.decisions.decide("limit_over_max", "clamp", says, reply)
        probe.page_max = len(rows)
    probe.longest, probe.longest_reply = rows, reply
    _default_limit(probe)


def _whole(probe: SalesChannelProbe, reply: Reply, rows: list[Row]) -> None:
    """Note what a page shows that has all rows, or may have."""
    got = len(rows)
    says = f"$limit={OVER_ANY_CAP} returned all {got} rows"
    if got > LISTED_MAX:
        probe.decisions.decide("limit_max", None, f"{says}: no cap up to there", reply)
        probe.decisions.leave("limit_over_max", "no limit is above a cap", reply)
        return
    left = (None, *(size for size in (100, 5) if size >= got))
    probe.decisions.narrow("limit_max", left, f"{says}, and can't show more", reply)
    probe.decisions.leave("limit_over_max", "nothing was cut: the log is too short", reply)


def _is_cut(probe: SalesChannelProbe, rows: list[Row]) -> bool | None:
    """Return whether there are rows behind a page in ascending order, or None if unknown.

    Asked with a filter from the last stamp on, whose rows are shown or are not.
    """
    if not rows:
        return False
    stamped = [row for row in rows if row.get("createdAt")]
    last = str(stamped[-1]["createdAt"]) if stamped else LONG_AGO
    shown = set(ids_of(rows))
    beyond = probe.ask(limit=2, order=("createdAt", "asc"), where=("createdAt", "gte", last))
    found = probe.listed(beyond)
    if found is None:
        return None
    if any(row_id not in shown for row_id in ids_of(found)):
        return True
    newest = probe.listed(probe.ask(limit=2, order=("createdAt", "desc")))
    if newest is not None and any(row_id not in shown for row_id in ids_of(newest)):
        return True
    return False if newest is not None or len(found) < 2 else None


def _cap_of_refusals(probe: SalesChannelProbe, reply: Reply) -> None:
    """Find the largest $limit that is not refused."""
    asked: list[Reply] = [reply]

    def takes(limit: int) -> bool:
        asked.append(probe.ask(limit=limit))
        return probe.listed(asked[-1]) is not None

    low, high = 1, OVER_ANY_CAP
    guesses = list(CANDIDATES)
    while high - low > 1:
        guess = next((size for size in guesses if low < size < high), (low + high) // 2)
        guesses = [size for size in guesses if size != guess]
        if takes(guess):
            low = guess
            if high - low > 1 and guess in CANDIDATES and not takes(guess + 1):
                high = guess + 1
        else:
            high = guess
    says = f"$limit={low} is taken, {low + 1} refused with {reply.status}"
    probe.decisions.decide("limit_max", low, says, *asked)
    probe.decisions.decide("limit_over_max", "reject", says, *asked)
    probe.page_max = low


def _default_limit(probe: SalesChannelProbe) -> None:
    """Ask without a limit, from a moment on since which there are not too many rows."""
    cap = probe.decisions.findings.get("limit_max")
    known = cap.values[0] if cap is not None and cap.status == "decided" else None
    if isinstance(known, int) and known <= LISTED_MAX:
        why = f"the cap is {known}, and a default is never larger"
        probe.decisions.narrow("limit_default", (None, 100), why)
        return
    if len(probe.longest) >= OVER_ANY_CAP:
        why = "the log is so long that nobody should ask for all of it"
        probe.decisions.leave("limit_default", why)
        return
    reply = probe.ask(limit=None, order=("createdAt", "asc"))
    rows = probe.listed(reply)
    if rows is None:
        probe.decisions.contradict("limit_default", f"without $limit comes {reply.status}", reply)
        return
    got, there = len(rows), len(probe.longest)
    says = f"without $limit {got} of {there} rows came"
    if got < there:
        probe.decisions.decide("limit_default", got, says, reply)
    elif got > LISTED_MAX:
        probe.decisions.decide("limit_default", None, says, reply)
    else:
        probe.decisions.leave("limit_default", f"{says}: the log is too short", reply)


def orders(probe: SalesChannelProbe) -> None:
    """order_default, order_by, nulls."""
    plain = probe.ask(limit=probe.page_max)
    probe.plain = probe.listed(plain) or []
    _default_order(probe, plain)
    _directions(probe)
    _nulls(probe)


def _default_order(probe: SalesChannelProbe, reply: Reply) -> None:
    """Look for two neighbours of which the later is the newer one: no such are newest first."""
    known = sorted({str(row["createdAt"]) for row in probe.rows.values() if row["createdAt"]})
    asked, rows, descents = [reply], probe.plain, 0
    for share in (0, *WINDOWS):
        if share:  # a small page may have no two moments: look from another one on
            since = known[int(share * len(known))] if known else LONG_AGO
            where = ("createdAt", "gte", since)
            asked.append(probe.ask(limit=probe.page_max, where=where))
            rows = probe.listed(asked[-1]) or []
        moments = [moment for row in rows if (moment := moment_of(row)) is not None]
        says = f"{len(moments)} rows without an order"
        if any(a < b for a, b in pairwise(moments)):
            says += ": not newest first"
            probe.decisions.decide("order_default", "insertion", says, *asked)
            return
        descents += max(0, len(set(moments)) - 1)
        if descents >= DESCENTS_MIN:
            probe.decisions.decide("order_default", "newest-first", says, *asked)
            return
    why = "too few moments among the rows that come without an order"
    probe.decisions.leave("order_default", why, *asked)


def _directions(probe: SalesChannelProbe) -> None:
    """Order by id downwards: a column by which nothing is ordered unless it is asked for."""
    reply = probe.ask(limit=probe.page_max, order=("id", "desc"))
    rows = probe.listed(reply)
    if rows is None:
        probe.decisions.decide("order_by", "asc-only", f"desc gets {reply.status}", reply)
        return
    ids, moments = ids_of(rows), [moment for row in rows if (moment := moment_of(row)) is not None]
    # Where ids rise with time, newest first is highest id first as well.
    is_newest_first = all(a >= b for a, b in pairwise(moments))
    may_be_usual = (
        ids == ids_of(probe.plain)
        if probe.decisions.is_decided("order_default", "insertion")
        else is_newest_first
    )
    if ids != sorted(ids, reverse=True):
        probe.decisions.decide("order_by", "asc-only", "desc is ignored", reply)
    elif len(ids) > 1 and not may_be_usual:
        probe.decisions.decide("order_by", "asc-desc", "desc by id is kept", reply)
    elif probe.decisions.is_decided("unparsable_query", "reject"):
        probe.decisions.decide("order_by", "asc-desc", "desc is not refused", reply)
    else:
        why = "the order by id downwards is that without any order"
        probe.decisions.leave("order_by", why, reply)


def _nulls(probe: SalesChannelProbe) -> None:
    """A null that comes first is first; one that comes behind a stamp is last."""
    reply, rows = probe.longest_reply, probe.longest
    assert reply is not None  # noqa: S101 - `limits` comes before
    stamped = [row.get("createdAt") is not None for row in rows]
    if not all(stamped) and any(stamped):
        value = "last" if stamped[0] else "first"
        says = f"where rows without createdAt stand among {len(rows)} in ascending order"
        probe.decisions.decide("nulls", value, says, reply)
        return
    if probe.decisions.is_decided("order_by", "asc-desc"):
        down = probe.ask(limit=1, order=("createdAt", "desc"))
        first = probe.listed(down) or []
        if first and first[0].get("createdAt") is None and any(stamped):
            says = "a row without createdAt is the first in descending order"
            probe.decisions.decide("nulls", "last", says, down, reply)
            return
    probe.decisions.leave("nulls", f"none of {len(rows)} rows is without createdAt", reply)


def ties(probe: SalesChannelProbe) -> None:
    """ties: a page is read again, where shuffled ones change places."""
    first, chance = probe.longest, 1.0
    runs = [(k, list(run)) for k, run in groupby(first, key=lambda row: row.get("createdAt"))]
    sizes = [len(run) for _, run in runs]
    # Stamps that are finer than they are shown don't tie; rows without any always do.
    is_shown_whole = probe.decisions.is_decided("stamp_precision", "ms")
    # A group at the end of the page may go on behind it, and have other rows the next time.
    same = 1.0
    for (stamp, _), size in list(zip(runs, sizes, strict=True))[: -1 if len(runs) > 1 else None]:
        if is_shown_whole or stamp is None:
            same /= factorial(min(size, 20))
    assert probe.longest_reply is not None  # noqa: S101 - `limits` comes before
    asked = [probe.longest_reply]
    if same == 1.0:
        probe.decisions.leave(
            "ties", f"no two of {len(first)} rows are known to share createdAt", *asked
        )
        return
    whole = len(first) - (sizes[-1] if len(sizes) > 1 else 0)
    for _ in range(REPEATS_MAX):
        asked.append(probe.ask(limit=max(1, len(first)), order=("createdAt", "asc")))
        again = probe.listed(asked[-1]) or []
        if ids_of(again)[:whole] != ids_of(first)[:whole]:
            if {*ids_of(again)[:whole]} == {*ids_of(first)[:whole]}:
                says = "rows that share createdAt change places"
                probe.decisions.decide("ties", "shuffled", says, *asked)
                return
            break  # the log has changed
        chance *= same
        if chance < CHANCE_MAX:
            says = f"rows that share createdAt keep their places, {len(asked)} times over"
            probe.decisions.decide("ties", "insertion", says, *asked)
            return
    probe.decisions.leave("ties", "too few rows share createdAt", *asked)


def precision(probe: SalesChannelProbe) -> None:
    """stamp_precision: whether a row is found by the very stamp that it shows."""
    shared = Counter(str(row["createdAt"]) for row in probe.rows.values() if row["createdAt"])
    # Those that no other row shares first: a small page has room for more of them.
    texts = sorted(shared, key=lambda text: (shared[text], text))[:STAMPS_MAX]
    if not probe.decisions.is_decided("operators", "all"):
        why = "it takes an operator besides gte"
        probe.decisions.leave("stamp_precision", why)
        return
    reply = probe.ask(limit=probe.page_max, where=("createdAt", "in", ",".join(texts)))
    rows = probe.listed(reply)
    if rows is None:
        probe.decisions.leave("stamp_precision", f"a list of stamps gets {reply.status}", reply)
        return
    found = len({row.get("createdAt") for row in rows})
    says = f"of {len(texts)} shown stamps {found} find their rows"
    if found < len(texts) and len(rows) < probe.page_max:
        probe.decisions.decide("stamp_precision", "us", says, reply)
    elif found >= PRECISE_MIN:
        probe.decisions.decide("stamp_precision", "ms", says, reply)
    else:
        probe.decisions.leave("stamp_precision", says, reply)
