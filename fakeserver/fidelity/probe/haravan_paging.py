"""How Haravan's lists are cut and ordered."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from fakeserver.fidelity.probe.asking import Reply
from fakeserver.fidelity.probe.haravan import (
    COUNT,
    OVER_ANY_CAP,
    PAGE_USUAL,
    REFUSED,
    HaravanProbe,
    Row,
    id_of,
    ids_of,
    stamp_of,
)

CANDIDATES = (50, 250, 5, 100)
"""Caps that are likely; the others are found by halving."""
REPEATS_MAX = 3
CHANCE_MAX = 1e-4
"""So improbable must be what was seen, if the order were new each time."""
CAPPED_COUNT = 10_000


def limits(probe: HaravanProbe) -> None:
    """limit_max, limit_over_max, limit_default: how many rows come, whatever is asked for."""
    reply = probe.ask(limit=OVER_ANY_CAP)
    rows = probe.listed(reply)
    if rows is None:
        probe.longest, probe.longest_reply = probe.first, probe.first_reply
        if reply.status in REFUSED:
            _cap_of_refusals(probe, reply)
    else:
        probe.longest, probe.longest_reply = rows, reply
        _cap_of_rows(probe, reply, len(rows))
    cap = probe.decisions.findings.get("limit_max")
    known = cap.values[0] if cap is not None and cap.status == "decided" else None
    if isinstance(known, int):
        probe.page_max = min(PAGE_USUAL, known)
    _default_limit(probe, known if isinstance(known, int) else None)


def _cap_of_rows(probe: HaravanProbe, reply: Reply, got: int) -> None:
    """Tell the cap from a page that came in place of a larger one."""
    decisions, count = probe.decisions, probe.count
    if got < OVER_ANY_CAP and count is not None and got < count:
        says = f"of {count} events {got} came for limit={OVER_ANY_CAP}, with status 200"
        decisions.decide("limit_max", got, says, reply)
        decisions.decide("limit_over_max", "clamp", says, reply)
        return
    says = f"limit={OVER_ANY_CAP} returned all {got} rows"
    if got >= OVER_ANY_CAP:
        says = f"limit={OVER_ANY_CAP} returned as many rows"
    if got > max(CANDIDATES):
        decisions.decide("limit_max", None, f"{says}: no cap up to there", reply)
        decisions.leave("limit_over_max", "no limit is above a cap", reply)
        return
    decisions.narrow(
        "limit_max",
        (None, *(size for size in CANDIDATES if size >= got)),
        f"{says}, and a log that short can't show more",
        reply,
    )
    decisions.leave("limit_over_max", "nothing was cut: the log is too short", reply)


def _cap_of_refusals(probe: HaravanProbe, reply: Reply) -> None:
    """Find the largest limit that is not refused."""
    asked: list[Reply] = [reply]

    def takes(limit: int) -> bool:
        asked.append(probe.ask(limit=limit))
        return probe.listed(asked[-1]) is not None

    low, high = max(1, min(len(probe.first), OVER_ANY_CAP - 1)), OVER_ANY_CAP
    guesses = [low, *(size for size in CANDIDATES if low < size)]
    while high - low > 1 or asked == [reply]:
        guess = next((size for size in guesses if low <= size < high), None)
        if guess is None:
            middle = (low + high) // 2
            low, high = (middle, high) if takes(middle) else (low, middle)
            continue
        guesses.remove(guess)
        if guess == low or takes(guess):
            low = guess
            if not takes(guess + 1):
                high = guess + 1
            else:
                low = guess + 1
        else:
            high = guess
    says = f"limit={low} is taken, limit={low + 1} refused with {reply.status}"
    probe.decisions.decide("limit_max", low, says, *asked)
    probe.decisions.decide("limit_over_max", "reject", says, *asked)


def _default_limit(probe: HaravanProbe, cap: int | None) -> None:
    got, count, reply = len(probe.first), probe.count, probe.first_reply
    switch_values = (50, 250)
    if count is None or got >= count:
        probe.decisions.narrow(
            "limit_default",
            tuple(size for size in switch_values if size >= got),
            f"without a limit all {got} rows came: the log is too short to show more",
            reply,
        )
    elif cap is not None and got >= cap:
        probe.decisions.narrow(
            "limit_default",
            tuple(size for size in switch_values if size >= cap),
            f"without a limit {got} rows came, which is the cap: a default below it is none",
            reply,
        )
    else:
        says = f"without a limit {got} of {count} rows came"
        probe.decisions.decide("limit_default", got, says, reply)


def pages(probe: HaravanProbe) -> None:
    """paging, page_below_one, since_id_with_page: numbers, or cursors in a header."""
    decisions = probe.decisions
    second = probe.ask(limit=1, page=2)
    rows = probe.listed(second)
    if rows is None:
        one = probe.ask(limit=1)
        if "page_info" in one.headers.get("link", ""):
            says = f"page=2 is refused ({second.status}), and a link header has page_info"
            decisions.decide("paging", "cursor", says, second, one)
        else:
            decisions.leave("paging", f"page=2 gets {second.status}, and no cursor is shown", one)
        for name in ("page_below_one", "since_id_with_page"):
            decisions.leave(name, "there are no page numbers", second)
        return
    decisions.decide("paging", "page", "page=2 is answered", second)
    zeroth = probe.ask(limit=1, page=0)
    top = probe.listed(zeroth)
    if top is None:
        decisions.decide("page_below_one", "reject", f"page=0 gets {zeroth.status}", zeroth)
    elif rows and ids_of(top) == ids_of(rows) and ids_of(top) != ids_of(probe.first[:1]):
        decisions.contradict("page_below_one", "pages 0 and 2 are the same", zeroth, second)
    else:
        decisions.decide("page_below_one", "first", "page=0 is answered", zeroth)
    both = probe.ask(since_id=1, limit=1, page=1)
    value = "reject" if probe.listed(both) is None else "page-after"
    says = f"since_id with page gets {both.status}"
    decisions.decide("since_id_with_page", value, says, both)


def since_ids(probe: HaravanProbe) -> None:
    """since_id_order and since_id_zero, from the lowest ids on."""
    decisions = probe.decisions
    reply = probe.ask(since_id=1, limit=probe.page_max)
    rows = probe.upwards = probe.listed(reply)
    if rows is None:
        decisions.contradict("since_id_order", f"since_id=1 gets {reply.status}", reply)
        return
    ids = ids_of(rows)
    if probe.decisions.is_decided("paging", "cursor"):
        decisions.leave("since_id_order", "with cursors every list goes by id upwards", reply)
    elif len(ids) < 2:
        decisions.leave("since_id_order", "the log has fewer than two events", reply)
    elif ids in (sorted(ids), sorted(ids, reverse=True)):
        value = "asc" if ids[0] < ids[-1] else "desc"
        decisions.decide("since_id_order", value, f"{len(ids)} rows after since_id=1", reply)
    else:
        decisions.contradict("since_id_order", "the ids after since_id=1 are in no order", reply)
    _since_zero(probe, reply, ids)


def _since_zero(probe: HaravanProbe, above_one: Reply, ids: list[int]) -> None:
    zero = probe.ask(since_id=0, limit=probe.page_max)
    plain = probe.ask(limit=probe.page_max)
    from_zero, usual = probe.listed(zero), probe.listed(plain)
    if from_zero is None or usual is None:
        probe.decisions.contradict("since_id_zero", f"since_id=0 gets {zero.status}", zero)
        return
    asked = (above_one, zero, plain)
    found = [number for number in ids_of(from_zero) if number > 1]
    is_above = found == ids[: len(found)] and len(found) >= len(ids) - 1
    is_usual = ids_of(from_zero) == ids_of(usual)
    if is_above and is_usual:
        probe.decisions.leave(
            "since_id_zero", "the list with since_id and the list without it are the same", *asked
        )
    elif is_above:
        says = "since_id=0 lists the ids above it in their order"
        probe.decisions.decide("since_id_zero", "from-start", says, *asked)
    elif is_usual or found != ids:
        says = "since_id=0 does not list what since_id=1 does, but the usual list"
        probe.decisions.decide("since_id_zero", "ignored", says, *asked)


def order(probe: HaravanProbe) -> None:
    """order_default and created_at_ties, from the longest page and reading it again."""
    decisions, reply = probe.decisions, probe.longest_reply
    assert reply is not None  # noqa: S101 - `limits` comes before
    if decisions.is_decided("paging", "cursor"):
        for name in ("order_default", "created_at_ties"):
            decisions.leave(name, "with cursors every list goes by id upwards", reply)
        return
    rows = [row for row in probe.longest if id_of(row) is not None and stamp_of(row)]
    fits = tuple(name for name, is_kept in _ORDERS.items() if is_kept(rows))
    says = f"{len(rows)} rows in the order in which they came"
    if not fits:
        decisions.contradict("order_default", f"{says}: neither by id nor by created_at", reply)
        return
    decisions.narrow("order_default", fits, says, reply)
    is_by_time = all(name.startswith("created_at") for name in fits)
    if not is_by_time:
        decisions.leave("created_at_ties", "no list is known to go by created_at", reply)
        return
    _ties(probe, rows, reply)


def _by_id(rows: list[Row], *, down: bool) -> bool:
    ids = ids_of(rows)
    return ids == sorted(ids, reverse=down)


def _by_time(rows: list[Row], *, down: bool) -> bool:
    stamps = [stamp_of(row) for row in rows]
    return all((a >= b if down else a <= b) for a, b in pairwise(stamps) if a and b)


_ORDERS: dict[str, Callable[[list[Row]], bool]] = {
    "id-desc": lambda rows: _by_id(rows, down=True),
    "id-asc": lambda rows: _by_id(rows, down=False),
    "created_at-asc": lambda rows: _by_time(rows, down=False),
    "created_at-desc": lambda rows: _by_time(rows, down=True),
}


def _tied(rows: list[Row]) -> list[tuple[int, int]]:
    """Return the ids of neighbours that share a stamp."""
    return [(id_of(a) or 0, id_of(b) or 0) for a, b in pairwise(rows) if stamp_of(a) == stamp_of(b)]


def _ties(probe: HaravanProbe, rows: list[Row], reply: Reply) -> None:
    """Tell ties by id from ties that are shuffled: the former are the same each time."""
    asked, chance = [reply], 1.0
    for _ in range(REPEATS_MAX + 1):
        tied = _tied(rows)
        if any(a < b for a, b in tied):
            says = "rows that share created_at do not stand highest id first"
            probe.decisions.decide("created_at_ties", "shuffled", says, *asked)
            return
        chance *= 0.5 ** len(tied)
        if chance < CHANCE_MAX:
            says = f"rows that share created_at stand highest id first, {len(asked)} times over"
            probe.decisions.decide("created_at_ties", "id", says, *asked)
            return
        if not tied:
            break
        asked.append(probe.ask(limit=max(1, len(probe.longest))))
        rows = probe.listed(asked[-1]) or []
    probe.decisions.leave("created_at_ties", "too few rows share created_at", *asked)


def count(probe: HaravanProbe) -> None:
    """count_filters, count_cap, and what can't be said of count_lag."""
    decisions, counted = probe.decisions, probe.count
    decisions.leave("count_lag", "whether a count trails shows only while events come in")
    if counted is None:
        for name in ("count_filters", "count_cap"):
            decisions.leave(name, "there is no count")
        return
    if probe.rows:
        reply = probe.ask(COUNT, since_id=max(probe.rows))
        above = probe.counted(reply)
        if above is not None:
            value = "honour" if above < counted else "ignore"
            says = f"above the highest id that was seen it counts {above}, in all {counted}"
            decisions.decide("count_filters", value, says, reply)
    else:
        decisions.leave("count_filters", "the log is empty")
    if counted > CAPPED_COUNT:
        decisions.decide("count_cap", None, f"the count is {counted}")
    elif counted == CAPPED_COUNT and decisions.is_decided("paging", "page"):
        beyond = probe.ask(limit=1, page=CAPPED_COUNT + 1)
        value_at = CAPPED_COUNT if probe.listed(beyond) else None
        decisions.decide("count_cap", value_at, f"the count is {counted}", beyond)
    else:
        decisions.leave("count_cap", f"the count is {counted}, below any cap that is known of")


def more_rows(probe: HaravanProbe) -> None:
    """Read on upwards, and again from the start, with what is left of the requests.

    More rows show more of the log's words, and more requests a refusal that passes by itself.
    """
    since = max(ids_of(probe.upwards or []), default=1)
    while probe.asker.left > 1:  # one that is refused is sent again
        rows = probe.listed(probe.ask(since_id=since, limit=probe.page_max)) or []
        highest = max(ids_of(rows), default=1)
        since = highest if len(rows) == probe.page_max and highest > since else 1
