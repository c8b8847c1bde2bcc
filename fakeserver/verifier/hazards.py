"""What a world contained that trips clients up: read from the history, not from intentions.

A hazard that was planted and never met by the client was not exercised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from fakeserver.clock import HOUR_MS, INSTANT_MIN, as_datetime, at, zone
from fakeserver.dialects.base import Dialect
from fakeserver.history import Exchange
from fakeserver.profile import Profile
from fakeserver.query import Query
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.fault_hazards import FAULT_HAZARDS
from fakeserver.verifier.hazard import Hazard, Possible, always
from fakeserver.verifier.life_hazards import LIFE_HAZARDS

KNOWN_EVENT_TYPES = ("TRANSACTION_STATUS_CHANGE",)

WINTER, SUMMER = as_datetime(at("2026-01-05T00:00:00Z")), as_datetime(at("2026-07-01T00:00:00Z"))
"""A zone whose clocks change has different offsets on these days."""


def exercised(evidence: Evidence) -> tuple[str, ...]:
    """Return the names of the hazards that the client met in this world."""
    met = (hazard.name for hazard in HAZARDS.values() if hazard.exercised(evidence))
    return tuple(name for name in met if name not in evidence.promise.harmless)


def possible(dialect: Dialect, profile: Profile, late_by_ms_max: int) -> tuple[str, ...]:
    """Return the names of the hazards that worlds of `profile` can contain at all."""
    return tuple(
        hazard.name
        for hazard in HAZARDS.values()
        if hazard.possible(dialect, profile, late_by_ms_max)
    )


def _pages(evidence: Evidence) -> Iterator[tuple[Exchange, Query]]:
    for _, exchange, query, _ in evidence.asked:
        if exchange.is_sound and query is not None and query.endpoint == "list":
            yield exchange, query


def _tie_at_page_edge(evidence: Evidence) -> bool:
    for exchange, query in _pages(evidence):
        if not exchange.event_ids or query.limit is None:
            continue
        edge = evidence.log.find(exchange.event_ids[-1])
        if edge is None:
            continue
        for event in evidence.scenario.events:
            if (
                event.recorded_at == edge.recorded_at
                and event.id != edge.id
                and event.visible_at <= exchange.at
                and query.matches(event)
            ):
                return True
    return False


def _tie_group_over_limit(evidence: Evidence) -> bool:
    for exchange, query in _pages(evidence):
        if query.limit is None or len(exchange.event_ids) < query.limit:
            continue
        stamps = {
            event.recorded_at
            for event_id in exchange.event_ids
            if (event := evidence.log.find(event_id)) is not None
        }
        if len(stamps) == 1 and query.limit > 1:
            return True
    return False


def _unstable_ties(evidence: Evidence) -> bool:
    return any(query.ties_shuffled for _, query in _pages(evidence)) and _tie_at_page_edge(evidence)


def _late_visible(evidence: Evidence) -> bool:
    asked = [exchange.at for exchange, _ in _pages(evidence)]
    return any(
        event.recorded_at is not None
        and any(event.recorded_at <= instant < event.visible_at for instant in asked)
        for event in evidence.scenario.events
    )


def _append_during_walk(evidence: Evidence) -> bool:
    for poll in evidence.polls:
        if len(poll.exchanges) < 2:
            continue
        first = evidence.exchange(poll.exchanges[0]).at
        last = evidence.exchange(poll.exchanges[-1]).at
        if any(first < event.visible_at <= last for event in evidence.scenario.events):
            return True
    return False


def _order_flip(evidence: Evidence) -> bool:
    orders = {query.order for _, query in _pages(evidence) if query.order}
    return len(orders) > 1


def _clamped_limit(evidence: Evidence) -> bool:
    return any(
        query.limit_asked is not None
        and query.limit is not None
        and query.limit < query.limit_asked
        and len(exchange.event_ids) == query.limit
        for exchange, query in _pages(evidence)
    )


def _exact_multiple(evidence: Evidence) -> bool:
    for exchange, query in _pages(evidence):
        if not query.limit or len(exchange.event_ids) != query.limit:
            continue
        selection = evidence.log.select(query, exchange.at)
        if selection.matched == query.offset + query.limit:
            return True
    return False


def _empty_log(evidence: Evidence) -> bool:
    first = min((event.visible_at for event in evidence.scenario.events), default=None)
    return any(
        not exchange.event_ids and (first is None or exchange.at < first)
        for exchange, _ in _pages(evidence)
    )


def _null_key(evidence: Evidence) -> bool:
    last = max((exchange.at for exchange, _ in _pages(evidence)), default=INSTANT_MIN)
    return any(e.recorded_at is None and e.visible_at <= last for e in evidence.scenario.events)


def _future_stamp(evidence: Evidence) -> bool:
    return any(
        row is not None and row.recorded_at is not None and row.recorded_at > exchange.at
        for exchange, _ in _pages(evidence)
        for row in map(evidence.log.find, exchange.event_ids)
    )


def _ids_not_in_time_order(evidence: Evidence) -> bool:
    seen = [
        (event.recorded_at, event.id)
        for event in evidence.scenario.events
        if event.recorded_at is not None
    ]
    # By stamp, then by id: so the last of one stamp and the first of the next are what must differ.
    seen.sort()
    return any(
        earlier[0] < later[0] and earlier[1] > later[1]  # type: ignore[operator]
        for earlier, later in pairwise(seen)
    )


def _unknown_event_type(evidence: Evidence) -> bool:
    unknown = {
        event.id
        for event in evidence.scenario.events
        if event.fields.get("eventType", KNOWN_EVENT_TYPES[0]) not in KNOWN_EVENT_TYPES
    }
    return any(not unknown.isdisjoint(exchange.event_ids) for exchange, _ in _pages(evidence))


def _zone_shift(evidence: Evidence) -> bool:
    name = evidence.settings.get("shop_zone")
    if name is None:
        return False
    offsets = {
        as_datetime(poll.started_at).astimezone(zone(str(name))).utcoffset()
        for poll in evidence.polls
    }
    return len(offsets) > 1


def _long_outage(evidence: Evidence) -> bool:
    storm = [poll for poll in evidence.polls if not evidence.in_calm(poll.number)]
    return any(after.started_at - before.started_at >= HOUR_MS for before, after in pairwise(storm))


def _backlog(evidence: Evidence) -> bool:
    if not evidence.polls:
        return False
    start = evidence.polls[0].started_at
    waiting = sum(event.visible_at <= start for event in evidence.scenario.events)
    return waiting > evidence.scenario.page_size


def _where(switch: str, *values: object) -> Possible:
    def check(_dialect: Dialect, profile: Profile, _late: int) -> bool:
        return any(value in values for value in profile.allowed.get(switch, ()))

    return check


def _nulls(_dialect: Dialect, profile: Profile, _late: int) -> bool:
    return True in profile.allowed.get("null_created_at", ())


def _shuffled(_dialect: Dialect, profile: Profile, _late: int) -> bool:
    return any("shuffled" in profile.allowed.get(n, ()) for n in ("ties", "created_at_ties"))


def _capped(_dialect: Dialect, profile: Profile, _late: int) -> bool:
    return any(cap is not None for cap in profile.allowed.get("limit_max", ()))


def _shifting_zone(_dialect: Dialect, profile: Profile, _late: int) -> bool:
    def shifts(name: str) -> bool:
        return len({moment.astimezone(zone(name)).utcoffset() for moment in (WINTER, SUMMER)}) > 1

    return any(shifts(str(name)) for name in profile.allowed.get("shop_zone", ()))


def _late_allowed(_dialect: Dialect, _profile: Profile, late_by_ms_max: int) -> bool:
    return late_by_ms_max > 0


_ALL = (
    Hazard(
        name="tie-at-page-edge",
        about="The last event of a page shares its stamp with another one.",
        source="fault classes C01, C02; kafka-connect-jdbc#1093, estuary/connectors#5205",
        possible=always,
        exercised=_tie_at_page_edge,
    ),
    Hazard(
        name="tie-group-over-limit",
        about="A full page holds one stamp only: an inclusive key can't move past it.",
        source="fault class C03, theorem T4; airbytehq/airbyte#43317, teambtcmap/btcmap.org#1189",
        possible=always,
        exercised=_tie_group_over_limit,
    ),
    Hazard(
        name="unstable-ties",
        about="The order among events that share a stamp differs from request to request.",
        source="fault class C04; getlago/lago-api#5587, datagouv/api-tabular#122",
        possible=_shuffled,
        exercised=_unstable_ties,
    ),
    Hazard(
        name="late-visible",
        about="The client asked while an event was recorded already and not yet visible.",
        source="fault classes C06, C09, theorem T2; estuary/connectors#3911",
        possible=_late_allowed,
        exercised=_late_visible,
    ),
    Hazard(
        name="append-during-walk",
        about="An event became visible between two requests of one walk.",
        source="fault classes C08, C12, theorem T8; airbytehq/airbyte#21500",
        possible=always,
        exercised=_append_during_walk,
    ),
    Hazard(
        name="order-flip",
        about="Two requests of the client were answered in different orders.",
        source="fault class C21; Shopify/shopify_python_api#367",
        possible=_where("since_id_order", "asc"),
        exercised=_order_flip,
    ),
    Hazard(
        name="clamped-limit",
        about="The server returned fewer rows than asked for, because of its cap, and had more.",
        source="fault classes C15, C18; ohdearquant/khive#894",
        possible=_capped,
        exercised=_clamped_limit,
    ),
    Hazard(
        name="exact-multiple-of-limit",
        about="The last page of a walk was full.",
        source="fault class C17; airbytehq/airbyte#28226",
        possible=always,
        exercised=_exact_multiple,
    ),
    Hazard(
        name="empty-log",
        about="The client asked while there was nothing to read.",
        source="fault class C16, the first document's page[-1]",
        possible=always,
        exercised=_empty_log,
    ),
    Hazard(
        name="unknown-event-type",
        about="An event of a type that no client knows today.",
        source="the sales channel's document: 'the list of supported events will expand'",
        possible=_where("event_types", "expanding"),
        exercised=_unknown_event_type,
    ),
    Hazard(
        name="null-key",
        about="There was an event without a stamp, which no filter on the stamp finds.",
        source="fault class C35; PostHog/posthog#76090",
        possible=_nulls,
        exercised=_null_key,
    ),
    Hazard(
        name="future-stamp",
        about="A page held an event whose stamp lay ahead of the moment of the request.",
        source="fault class C36; vscarpenter/gsd-task-manager#284",
        possible=_where("future_stamps", "some"),
        exercised=_future_stamp,
    ),
    Hazard(
        name="ids-not-in-time-order",
        about="A later event has a lower id.",
        source="fault class C05; Haravan's own sample",
        possible=_where("id_order", "shuffled", "random"),
        exercised=_ids_not_in_time_order,
    ),
    Hazard(
        name="zone-shift",
        about="The clocks of the shop changed between two polls.",
        source="fault class C32; beestat/app#190",
        possible=_shifting_zone,
        exercised=_zone_shift,
    ),
    Hazard(
        name="long-outage",
        about="The client did not run for an hour or more.",
        source="fault class C08; utmstack/UTMStack#2435",
        possible=always,
        exercised=_long_outage,
    ),
    Hazard(
        name="backlog",
        about="More than a page was waiting when the client ran for the first time.",
        source="fault class C08, theorem T2 (wrong anchors)",
        possible=always,
        exercised=_backlog,
    ),
)

HAZARDS: Mapping[str, Hazard] = {
    hazard.name: hazard for hazard in (*_ALL, *LIFE_HAZARDS, *FAULT_HAZARDS)
}
"""Every hazard that this version can put into a world, by name."""
