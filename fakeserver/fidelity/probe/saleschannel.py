"""The sales channel's log, asked: access, encodings, refusals, and what a row shows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from fakeserver.clock import Instant
from fakeserver.dialects.base import Dialect
from fakeserver.errors import UsageError
from fakeserver.fidelity.probe.asking import Asker, Query, Reply
from fakeserver.fidelity.probe.decisions import Decisions
from fakeserver.fidelity.values import instant_of
from fakeserver.profile import SwitchValue

LIST = "/saleschannel-services/v1/events"
LIST_WITHOUT_VERSION = "/saleschannel-services/events"
OVER_ANY_CAP = 1_000
"""Asked for to find the cap: ten times what the document asks for."""
FAR_AHEAD = "2150-01-01T00:00:00.000Z"
LONG_AGO = "1990-01-01T00:00:00.000Z"
ASC: Query = (("$orderBy[createdAt]", "asc"),)
STATUSES = frozenset({"STARTED", "PENDING", "SUCCESS", "FAILED", "REJECTED"})
EVENT_TYPE = "TRANSACTION_STATUS_CHANGE"
ROWS_IN_TURN_MIN = 12
"""So many ids that rise in the order of the log are no chance."""

STEPS_MIN, RANDOM_SHARE, ODD_SHARE = 60, 0.38, 0.25
"""Random ids fall at half of the steps in time; a few stamps that are wrong make a few fall."""

Row = dict[str, Any]


class SalesChannelProbe:
    """What is known of one log while it is probed.

    `longest` is the longest page that came, in ascending order; `plain` one without an order.
    `bracketed` says whether brackets are read; JSON is sent otherwise.
    """

    def __init__(self, dialect: Dialect, asker: Asker) -> None:
        self.asker = asker
        self.decisions = Decisions(dialect)
        self.bracketed = True
        self.longest: list[Row] = []
        self.longest_reply: Reply | None = None
        self.plain: list[Row] = []
        self.rows: dict[str, Row] = {}
        self.page_max = 100
        self.at: Instant | None = None

    def ask(
        self,
        *,
        limit: int | None = 1,
        order: tuple[str, str] | None = None,
        where: tuple[str, str, str] | None = None,
        more: Query = (),
        body: bytes = b"",
    ) -> Reply:
        """Send a request with the token, nested in the way that is known to be read.

        `order` is a column and a direction, `where` a column, an operator and a value.
        """
        query: list[tuple[str, str]] = []
        if limit is not None:
            query.append(("$limit", str(limit)))
        if order is not None:
            column, direction = order
            query.append(
                (f"$orderBy[{column}]", direction)
                if self.bracketed
                else ("$orderBy", json.dumps({column: direction}))
            )
        if where is not None:
            column, operator, value = where
            query.append(
                (f"$filter[{column}][{operator}]", value)
                if self.bracketed
                else ("$filter", json.dumps({column: {operator: value}}))
            )
        return self.asker.ask(LIST, [*query, *more], body=body)

    def listed(self, reply: Reply) -> list[Row] | None:
        """Return the rows of a list, or None for any other answer; they are remembered."""
        rows = reply.json
        if reply.status != 200 or not isinstance(rows, list):
            return None
        if not all(
            isinstance(row, dict)
            and "id" in row
            and isinstance(row.get("createdAt", 0), str | None)
            for row in rows
        ):
            return None
        self.rows |= {str(row["id"]): row for row in rows}
        return rows

    def begin(self) -> None:
        """Find the encoding that is read. Raises `UsageError` where there is no such API."""
        reply = self.asker.ask(LIST, [("$limit", "1")])
        if reply.status in (401, 403):
            raise UsageError(f"the server refuses the token ({reply.status}); is it the right one?")
        if self.listed(reply) is None:
            raise UsageError(
                f"expected a list of events at {LIST}, got status {reply.status} and no such list"
            )
        self.at = reply.at
        self._encodings(has_rows=bool(self.listed(reply)))

    def _encodings(self, *, has_rows: bool) -> None:
        """A filter that matches nothing is empty where it is read, full where it is ignored."""
        brackets = self.ask(where=("createdAt", "gte", FAR_AHEAD))
        self.bracketed = False
        as_json = self.ask(where=("createdAt", "gte", FAR_AHEAD))
        read = [self.listed(reply) == [] for reply in (brackets, as_json)]
        self.bracketed = read[0]
        says = f"brackets get {brackets.status}, JSON {as_json.status}"
        if not has_rows and brackets.status == as_json.status == 200:
            self.decisions.leave("encodings", "an empty log does not show whether a filter is read")
        elif any(read):
            value = "both" if all(read) else "brackets" if read[0] else "json"
            self.decisions.decide("encodings", value, says, brackets, as_json)
        else:
            self.bracketed = True
            says = "a filter for the far future is read in neither encoding"
            self.decisions.contradict("encodings", says, brackets, as_json)


def moment_of(row: Row, field: str = "createdAt") -> Instant | None:
    """Return a time of a row, ms since the epoch, or None where there is none to read."""
    return instant_of(row.get(field))


def ids_of(rows: Iterable[Row]) -> list[str]:
    """Return the ids in their order."""
    return [str(row["id"]) for row in rows]


def access(probe: SalesChannelProbe) -> None:
    """alias_without_version, request_body, unknown_parameter, and the token."""
    alias = probe.asker.ask(LIST_WITHOUT_VERSION, [("$limit", "1")])
    says = f"the path without a version gets {alias.status}"
    probe.decisions.decide("alias_without_version", probe.listed(alias) is not None, says, alias)
    with_body = probe.ask(body=b'{"query": {}}')
    value = "ignored" if probe.listed(with_body) is not None else "reject"
    says = f"a GET with a body gets {with_body.status}"
    probe.decisions.decide("request_body", value, says, with_body)
    unknown = probe.ask(more=[("nonesuch", "1")])
    value = "ignore" if probe.listed(unknown) is not None else "reject"
    says = f"an unknown parameter gets {unknown.status}"
    probe.decisions.decide("unknown_parameter", value, says, unknown)
    probe.decisions.leave("without_role", "it takes a second token, one without the role")


def refusals(probe: SalesChannelProbe) -> None:
    """unparsable_query and error_body."""
    reply = probe.asker.ask(LIST, [("$limit", "1"), ("$filter", "createdAt")])
    value = "ignore" if probe.listed(reply) is not None else "reject"
    says = f"$filter=createdAt gets {reply.status}"
    probe.decisions.decide("unparsable_query", value, says, reply)
    refused = probe.asker.ask(f"{LIST}/nonesuch")
    body = refused.json
    shapes = {
        "message": {"statusCode", "error", "message"},
        "problem": {"type", "title", "status", "detail"},
        "empty": set[str](),
    }
    keys = set(body) if isinstance(body, dict) else None
    shape = next((name for name, expected in shapes.items() if keys == expected), None)
    says = f"of a {refused.status}"
    if shape is None or refused.status < 400:
        probe.decisions.contradict("error_body", f"{says}: a body of another shape", refused)
    else:
        probe.decisions.decide("error_body", shape, says, refused)


def comparisons(probe: SalesChannelProbe) -> None:
    """operators, naive_times: told apart by filters that keep nothing."""
    decisions = probe.decisions
    if not probe.rows:
        for name in ("operators", "naive_times"):
            decisions.leave(name, "an empty log does not show whether a filter is read")
        return
    less = probe.ask(where=("createdAt", "lt", LONG_AGO))
    rows = probe.listed(less)
    value = "all" if rows == [] else "gte-only"
    says = f"lt gets {less.status}" + (", and is ignored" if rows else "")
    decisions.decide("operators", value, says, less)
    naive = probe.ask(where=("createdAt", "gte", FAR_AHEAD.removesuffix("Z")))
    rows = probe.listed(naive)
    value = "utc" if rows == [] else "reject"
    says = f"a time without an offset gets {naive.status}" + (", and is ignored" if rows else "")
    decisions.decide("naive_times", value, says, naive)


def rows_seen(probe: SalesChannelProbe) -> None:
    """What rows show by themselves: what was seen is decided, what was not is left open."""
    rows, decisions = list(probe.rows.values()), probe.decisions
    count = len(rows)
    keys = {
        key
        for row in rows
        for key, value in row.items()
        if isinstance(value, dict) and row.get("eventType") == EVENT_TYPE
    }
    if len(keys) == 1:
        decisions.decide("details_key", keys.pop(), "the object of a row")
    elif keys:
        decisions.contradict("details_key", "rows have several objects")
    details = [value for row in rows for value in row.values() if isinstance(value, dict)]
    statuses = {str(each.get("status")) for each in details if each.get("status")}
    ahead = [
        row
        for row in rows
        if probe.at is not None and (moment_of(row) or probe.at) > probe.at + 1_000
    ]
    seen: dict[str, tuple[SwitchValue, bool]] = {
        "null_created_at": (True, any(row.get("createdAt") is None for row in rows)),
        "event_types": ("expanding", any(row.get("eventType") != EVENT_TYPE for row in rows)),
        "statuses": ("more", bool(statuses - STATUSES)),
        "future_stamps": ("some", bool(ahead)),
    }
    for name, (value, is_seen) in seen.items():
        if is_seen:
            decisions.decide(name, value, f"seen among {count} rows")
        else:
            decisions.leave(name, f"not seen among {count} rows; the next one may show it")
    _event_at(probe, rows)
    _id_order(probe)
    for name in ("lateness", "created_at"):
        why = "when a row became visible no read tells; a recorded client does: fakeserver trace"
        decisions.leave(name, why)


def _event_at(probe: SalesChannelProbe, rows: list[Row]) -> None:
    after = [row for row in rows if (moment_of(row, "eventAt") or 0) > (moment_of(row) or 1 << 60)]
    says = f"eventAt of {len(rows)} rows"
    if after:
        # A stamp that is wrong is not ahead of eventAt, it is behind: so this is eventAt's doing.
        probe.decisions.decide("event_at", "any", f"{says}: some are after createdAt")
    elif any("eventAt" in row and row["eventAt"] is None for row in rows):
        probe.decisions.narrow("event_at", ("null-sometimes", "any"), f"{says}: some are null")
    else:
        probe.decisions.leave("event_at", f"{says}: none is null, none after createdAt")


def _id_order(probe: SalesChannelProbe) -> None:
    """Compare ids in the order of insertion, or by createdAt, which may differ from it a little."""
    if probe.decisions.is_decided("order_default", "insertion"):
        ids = ids_of(probe.plain)
        if any(a > b for a, b in pairwise(ids)):
            probe.decisions.decide("id_order", "random", "ids fall in the order of the log")
        elif len(ids) >= ROWS_IN_TURN_MIN:
            probe.decisions.decide("id_order", "time-ordered", f"{len(ids)} ids rise in turn")
        else:
            probe.decisions.leave("id_order", f"only {len(ids)} rows, whose ids rise")
        return
    pairs = sorted((m, str(r["id"])) for r in probe.rows.values() if (m := moment_of(r)))
    falls = [a[1] > b[1] for a, b in pairwise(pairs) if a[0] < b[0]]
    says = f"over {len(falls)} steps in time ids fall {sum(falls)} times"
    if len(falls) >= STEPS_MIN and sum(falls) >= RANDOM_SHARE * len(falls):
        probe.decisions.decide("id_order", "random", says)
    elif len(falls) >= STEPS_MIN and sum(falls) <= ODD_SHARE * len(falls):
        probe.decisions.decide("id_order", "time-ordered", says)
    else:
        probe.decisions.leave("id_order", says)
