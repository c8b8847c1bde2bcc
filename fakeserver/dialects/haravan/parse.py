"""From a request to a `Query`. What can't be read is refused: never guessed, never a full list."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec.structs import replace

from fakeserver.clock import Instant, zone
from fakeserver.dialects.base import Ask, FixedSettings, Refused, Settings, fixed
from fakeserver.dialects.haravan.cursor import (
    BESIDE_PAGE_INFO,
    PAGE_INFO,
    Place,
    cursor_query,
    read_place,
)
from fakeserver.dialects.haravan.routes import Route, Rules, route_of, rules_of
from fakeserver.dialects.haravan.terms import (
    ANCESTOR_TOKEN_HEADER,
    FIELDS,
    LIST_PARAMETERS,
    SINGLE_PARAMETERS,
    SUBJECT_TYPES,
    TOKEN_HEADER,
    VERBS_ALL,
    VERBS_EXTRA,
)
from fakeserver.dialects.wire import (
    QUERY_CHARS_MAX,
    WHOLE_NUMBER_MAX,
    check_token,
    is_usual,
    only_get,
    read_time,
    reject_repeated,
    shown,
    split_query,
    unknown_parameter,
    whole_number,
)
from fakeserver.query import ID, RECORDED_AT, Condition, Query, SortKey

STATUS = 422
"""The status of a value that can't be read; the vendor's pages show it on other resources."""

_BY_ID = {
    "asc": (SortKey(ID),),
    "desc": (SortKey(ID, descending=True),),
}
_ORDERS = {
    "id-asc": _BY_ID["asc"],
    "id-desc": _BY_ID["desc"],
    "created_at-asc": (SortKey(RECORDED_AT), SortKey(ID, descending=True)),
    "created_at-desc": (SortKey(RECORDED_AT, descending=True), SortKey(ID, descending=True)),
}
COUNT_LAG_MS = {"none": 0, "5s": 5_000}
"""How far the count trails behind the list, by the switch ``count_lag``."""

_TOKEN_HEADERS = (TOKEN_HEADER.lower(), ANCESTOR_TOKEN_HEADER.lower())
_SINCE = re.compile(r"(?:^|&)since_id=([1-9][0-9]{0,17})(?:&|$)", re.ASCII)
"""Where a walk goes on. No refusal quotes such a number: it is one that the API can have."""
_FROM_ONE = (Condition(ID, ">", 1),)


def parse(ask: Ask, settings: Settings) -> Query:
    """Return what `ask` means under `settings`.

    Raises `Refused`: 404 for a path, 405 for a method, 401 and 403 for a token, 422 for a
    parameter, 414 for a query beyond 8 KiB; looked at in this order.
    """
    settings = fixed(settings)
    if not is_usual(ask, *_TOKEN_HEADERS):
        route_of(ask.path, settings)
        only_get(ask, ask.path)
        if settings["auth"] == "token":
            ancestor = rules_of(settings).version_alias
            ancestor = ancestor and ANCESTOR_TOKEN_HEADER.lower() in ask.headers
            check_token(ask, header=ANCESTOR_TOKEN_HEADER if ancestor else TOKEN_HEADER)
    return _query(ask.path, ask.query, settings)


@lru_cache(maxsize=4096)
def _query(path: str, raw: str, settings: FixedSettings) -> Query:
    """Return what a query string means at a path: of a walk all but where it goes on is known."""
    found = _SINCE.search(raw)
    if found is not None and len(raw) <= QUERY_CHARS_MAX:
        start, end = found.span(1)
        walk = _walk(path, f"{raw[:start]}1{raw[end:]}", settings)
        if walk is not None:
            query, others = walk
            return replace(query, conditions=(Condition(ID, ">", int(found[1])), *others))
    return _read(path, raw, settings)


@lru_cache(maxsize=512)
def _walk(
    path: str, raw: str, settings: FixedSettings
) -> tuple[Query, tuple[Condition, ...]] | None:
    """Return the query of a walk that begins behind the id 1, and its conditions but that one.

    None for what is no such walk. Raises what `_read` raises.
    """
    query = _read(path, raw, settings)
    if type(query) is not Query or query.conditions[:1] != _FROM_ONE:
        return None
    return query, query.conditions[1:]


def _read(path: str, raw: str, settings: FixedSettings) -> Query:
    route, rules = route_of(path, settings), rules_of(settings)
    given = _parameters(route, raw, rules)
    if route.endpoint == "single":
        return Query(
            endpoint="single", conditions=route.conditions, limit=1, fields=_fields(given, rules)
        )
    given, place = _unpacked(given, rules)
    conditions = (*_bounds(given, rules), *_filters(given, rules), *route.conditions)
    since = _since_id(given, rules)
    if since is not None:
        conditions = (Condition(ID, ">", since), *conditions)
    if route.endpoint == "count":
        # The number of matches is wanted, no row: so nothing is sorted, and nothing returned.
        lag_ms = COUNT_LAG_MS[rules.count_lag]
        return Query(endpoint="count", conditions=conditions, limit=0, lag_ms=lag_ms)
    asked, limit = _limit(given, rules)
    fields = _fields(given, rules)
    if rules.paging == "cursor":
        return cursor_query(conditions, given, place, limit_asked=asked, limit=limit, fields=fields)
    order = _order(since, rules)
    return Query(
        conditions=conditions,
        order=order,
        ties_shuffled=rules.created_at_ties == "shuffled" and order[-1].field != ID,
        offset=(_page(given, rules) - 1) * limit,
        limit=limit,
        limit_asked=asked,
        fields=fields,
    )


def _parameters(route: Route, raw: str, rules: Rules) -> dict[str, str]:
    """Return the parameters that this endpoint reads. Refuses unknown, repeated and empty ones."""
    known = SINGLE_PARAMETERS if route.endpoint == "single" else LIST_PARAMETERS
    if rules.paging == "cursor" and route.endpoint == "list":
        known = (*known, PAGE_INFO)
    pairs = split_query(raw, status=STATUS)
    for name, _ in pairs:
        if name not in known and rules.unknown_parameter == "reject":
            raise unknown_parameter(name, known, status=STATUS)
    given = reject_repeated([pair for pair in pairs if pair[0] in known], status=STATUS)
    if route.endpoint == "count":
        read = {"created_at_min", "created_at_max"}
        if rules.count_filters == "honour":
            read |= {"filter", "verb", "since_id"}
        given = {name: value for name, value in given.items() if name in read}
    empty = [name for name, value in given.items() if not value.strip()]
    if not empty:
        return given
    if rules.empty_parameter == "reject":
        raise Refused(
            STATUS,
            "empty-parameter",
            f"{empty[0]}: expected a value, got {shown(given[empty[0]])}; leave out what you don't "
            "ask for",
        )
    return {name: value for name, value in given.items() if name not in empty}


def _unpacked(given: dict[str, str], rules: Rules) -> tuple[dict[str, str], Place | None]:
    """Return the parameters with those that a cursor brings along, and the place that it marks."""
    if rules.paging == "cursor" and "page" in given:
        raise Refused(
            STATUS,
            "page-removed",
            "page: this API has no page numbers any more; follow the addresses in the link header",
        )
    if PAGE_INFO not in given:
        return given, None
    beside = [name for name in given if name not in BESIDE_PAGE_INFO]
    if beside:
        raise Refused(
            STATUS,
            "beside-page-info",
            f"expected only limit and fields beside page_info, got {beside[0]} too; a page_info "
            "holds what the list was first asked with",
        )
    place = read_place(given[PAGE_INFO], status=STATUS)
    return {**place.parameters, **given}, place


def _limit(given: dict[str, str], rules: Rules) -> tuple[int | None, int]:
    """Return the limit as asked and the limit that holds."""
    cap = WHOLE_NUMBER_MAX if rules.limit_max is None else rules.limit_max
    if "limit" not in given:
        return None, min(rules.limit_default, cap)
    asked = whole_number("limit", given["limit"], least=1, status=STATUS)
    if asked > cap and rules.limit_over_max == "reject":
        raise Refused(STATUS, "limit-over-max", f"limit: expected at most {cap}, got {asked}")
    return asked, min(asked, cap)


def _page(given: dict[str, str], rules: Rules) -> int:
    if "page" not in given:
        return 1
    least = 0 if rules.page_below_one == "first" else 1
    page = whole_number("page", given["page"], least=least, status=STATUS)
    if "since_id" in given and rules.since_id_with_page == "reject":
        raise Refused(
            STATUS, "since-id-with-page", "expected since_id or page, got both; leave page out"
        )
    return max(1, page)


def _since_id(given: dict[str, str], rules: Rules) -> int | None:
    if "since_id" not in given:
        return None
    since = whole_number("since_id", given["since_id"], least=0, status=STATUS)
    return None if since == 0 and rules.since_id_zero == "ignored" else since


def _order(since: int | None, rules: Rules) -> tuple[SortKey, ...]:
    if since is not None:
        return _BY_ID[rules.since_id_order]
    order = _ORDERS[rules.order_default]
    if rules.created_at_ties == "shuffled" and order[0].field == RECORDED_AT:
        return order[:1]
    return order


def _bounds(given: dict[str, str], rules: Rules) -> tuple[Condition, ...]:
    inclusive = rules.bounds == "inclusive"
    conditions: list[Condition] = []
    if "created_at_min" in given:
        since = _time("created_at_min", given["created_at_min"], rules)
        conditions.append(Condition(RECORDED_AT, ">=" if inclusive else ">", since))
    if "created_at_max" in given:
        until = _time("created_at_max", given["created_at_max"], rules)
        conditions.append(Condition(RECORDED_AT, "<=" if inclusive else "<", until))
    return tuple(conditions)


def _time(name: str, text: str, rules: Rules) -> Instant:
    """Read a time; one without an offset is the shop's."""
    instant = read_time(
        name,
        text,
        naive_zone=zone(rules.shop_zone),
        naive_fold=int(rules.ambiguous_time == "later"),
        mend_plus=rules.lost_plus == "mend",
        status=STATUS,
    )
    clock = text[len("2008-12-31") :]
    if not clock:
        raise Refused(
            STATUS,
            "bad-time",
            f"{name}: expected a time of day too, as in 2008-12-31 03:00, got {shown(text)}",
        )
    if rules.time_forms == "document-only" and any(mark in clock for mark in "Z+-"):
        raise Refused(
            STATUS,
            "bad-time",
            f"{name}: expected the shop's local time without an offset, as in 2008-12-31 03:00, "
            f"got {shown(text)}",
        )
    return instant


def _filters(given: dict[str, str], rules: Rules) -> tuple[Condition, ...]:
    conditions: list[Condition] = []
    if "filter" in given:
        types = _words("filter", given["filter"], SUBJECT_TYPES, rules)
        conditions.append(Condition("subject_type", "in", types))
    if "verb" in given:
        known = VERBS_ALL if rules.extra_verbs == "none" else (*VERBS_ALL, *VERBS_EXTRA)
        verbs = _words("verb", given["verb"], known, rules)
        conditions.append(Condition("verb", "in", verbs))
    return tuple(conditions)


def _words(name: str, text: str, known: tuple[str, ...], rules: Rules) -> tuple[str, ...]:
    """Read a list of subject types or verbs, in the document's own spelling where possible."""
    words = _comma_list(name, text)
    if rules.filter_case == "insensitive":
        spelling = {word.lower(): word for word in known}
        words = tuple(spelling.get(word.lower(), word) for word in words)
    unknown = [word for word in words if word not in known]
    if unknown and rules.unknown_filter == "reject":
        raise Refused(
            STATUS,
            "unknown-word",
            f"{name}: expected {', '.join(known)}, got {shown(unknown[0])}",
        )
    return words


def _fields(given: dict[str, str], rules: Rules) -> tuple[str, ...] | None:
    """Return the known fields that are asked for, in the order of the samples."""
    if "fields" not in given:
        return None
    known = FIELDS if rules.author == "include" else tuple(f for f in FIELDS if f != "author")
    asked = _comma_list("fields", given["fields"])
    if not any(field in known for field in asked):
        raise Refused(
            STATUS,
            "unknown-fields",
            f"fields: expected at least one of {', '.join(known)}, got {shown(given['fields'])}",
        )
    kept = {*asked, ID} if rules.fields_id == "keep" else set(asked)
    return tuple(field for field in known if field in kept)


def _comma_list(name: str, text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise Refused(
            STATUS,
            "empty-word",
            f"{name}: expected words between commas, as in Product,Order, got {shown(text)}",
        )
    return tuple(dict.fromkeys(words))
