"""What the document leaves open about requests: who may ask, for what, and how it is read.

A value that is `INVENTED` stands in no document; it is the plainest reading, or its rival.
"""

from __future__ import annotations

from fakeserver.dialects.haravan.origins import (
    ANCESTOR,
    ANCESTOR_CHANGE,
    ANCESTOR_CLIENT,
    ANCESTOR_CURSOR,
    ANCESTOR_FIXTURES,
    CLIENT,
    CUSTOM,
    DOCUMENT,
    EVENTS_SEEN,
    INVENTED,
    LIVE,
    PAGE,
    PRODUCTS_SEEN,
    SAMPLE,
    SAMPLES,
    SILENT,
    SISTER,
    VENDOR,
)
from fakeserver.profile import Switch

WHO_AND_WHERE: tuple[Switch, ...] = (
    Switch(
        name="auth",
        about="Whether a request needs a token (Authorization: Bearer, or the vendor's header).",
        default="token",
        beyond=("off",),
        origins={"token": CLIENT, "off": INVENTED},
        source=f"{SILENT}; the vendor's published clients send both headers",
    ),
    Switch(
        name="version_alias",
        about="Whether /admin/api/VERSION/... is served too; /com/... and /admin/... always are.",
        default=False,
        beyond=(True,),
        origins={False: PAGE, True: ANCESTOR},
        source=f"{SISTER} has versions in its paths, this one has none ('Version: 1.0')",
    ),
    Switch(
        name="nested",
        about="Which resources have a list of their own events, such as /com/orders/1/events.json.",
        default="orders-products",
        beyond=("all-seven",),
        origins={"orders-products": PAGE, "all-seven": INVENTED},
        source=f"{DOCUMENT} shows orders and products; its full list of actions is lost",
    ),
    Switch(
        name="nested_unknown_parent",
        about="What the list of an unknown order or product answers: [], or 404. The fake knows a "
        "resource only by its events, so 404 means that nobody has seen one.",
        default="empty",
        documented=("empty", "404"),
        origins={"empty": INVENTED, "404": INVENTED},
        source=SILENT,
    ),
    Switch(
        name="unknown_parameter",
        about="What a parameter that does not exist gets: 422, or nothing.",
        default="reject",
        beyond=("ignore",),
        origins={"reject": INVENTED, "ignore": ANCESTOR_CLIENT},
        source=f"{SILENT}; ignoring it would answer a misspelt filter with the full list",
    ),
    Switch(
        name="empty_parameter",
        about="What a parameter without a value (?since_id=) gets: 422, or it is taken for absent.",
        default="reject",
        beyond=("ignore",),
        origins={"reject": INVENTED, "ignore": PRODUCTS_SEEN},
        source=f"{SILENT}; {LIVE}: products?sku= lists any products",
    ),
)

PAGING: tuple[Switch, ...] = (
    Switch(
        name="paging",
        about="How a list is walked: by page numbers, or by the cursors of a Link header. With "
        "cursors a list goes by id upwards whatever order_default says, page is refused, and a "
        "page_info goes with limit and fields only. since_id works either way.",
        default="page",
        beyond=("cursor",),
        origins={"page": PAGE, "cursor": ANCESTOR_CURSOR},
        source=f"{DOCUMENT} has page; {SISTER} replaced it by cursors, and its header is called "
        "link",
    ),
    Switch(
        name="limit_default",
        about="Rows of a page when the request has no limit. Never more than limit_max.",
        default=50,
        documented=(50,),
        beyond=(250,),
        origins={50: ANCESTOR, 250: VENDOR},
        source=f"{SISTER}: 50; the vendor's page on comments: 250",
        whole_from=1,
    ),
    Switch(
        name="limit_max",
        about="The most rows of a page, or none. The document names no cap; a small one shows the "
        "same fault in a small world.",
        default=50,
        documented=(50, 250, None, 5),
        origins={50: EVENTS_SEEN, 250: ANCESTOR, None: PAGE, 5: INVENTED},
        source=f"{LIVE}: 50, in silence; {SISTER}: 250; {SILENT}, so none is possible too",
        whole_from=1,
    ),
    Switch(
        name="limit_over_max",
        about="What a limit above limit_max gets: the cap in silence, or 422.",
        default="clamp",
        documented=("clamp",),
        beyond=("reject",),
        origins={"clamp": EVENTS_SEEN, "reject": EVENTS_SEEN},
        source=f"{LIVE}: 250 asked, 50 returned, status 200; but 422 for more than 50 variants",
    ),
    Switch(
        name="page_below_one",
        about="What page=0 gets: the first page, or 422. A negative page is always 422.",
        default="first",
        documented=("first", "reject"),
        origins={"first": INVENTED, "reject": INVENTED},
        source=f"{SILENT}; the sample page=2 of limit=1 shows that pages count from 1",
    ),
    Switch(
        name="since_id_zero",
        about="What since_id=0 means: from the lowest id upwards, or nothing, as if it were absent "
        "(then the default order applies).",
        default="from-start",
        documented=("from-start", "ignored"),
        origins={"from-start": EVENTS_SEEN, "ignored": ANCESTOR},
        source=f"{SILENT}; reports about {SISTER} contradict each other",
    ),
    Switch(
        name="since_id_order",
        about="The order of ids when since_id is given.",
        default="asc",
        documented=("asc",),
        beyond=("desc",),
        origins={"asc": SAMPLE, "desc": INVENTED},
        source=f"{SAMPLES}: since_id=164748010 lists 365755215 before 677313116",
    ),
    Switch(
        name="since_id_with_page",
        about="What since_id together with page gets: that page of the ids above, or 422.",
        default="page-after",
        documented=("page-after",),
        beyond=("reject",),
        origins={"page-after": INVENTED, "reject": INVENTED},
        source=SILENT,
    ),
    Switch(
        name="order_default",
        about="The order without since_id. Rows that share created_at stand highest id first in "
        "created_at-asc and created_at-desc.",
        default="id-desc",
        documented=("id-desc", "created_at-asc"),
        beyond=("id-asc", "created_at-desc"),
        origins={
            "id-desc": SAMPLE,
            "created_at-asc": SAMPLE,
            "id-asc": ANCESTOR_FIXTURES,
            "created_at-desc": INVENTED,
        },
        source=f"{SAMPLES}: both documented orders fit every one; {LIVE}: id descending on a "
        f"sister resource; {SISTER}: id ascending",
    ),
    Switch(
        name="created_at_ties",
        about="The order of rows that share created_at, where order_default goes by created_at: "
        "by id, or new with each request.",
        default="id",
        documented=("id",),
        beyond=("shuffled",),
        origins={"id": SAMPLE, "shuffled": ANCESTOR_CHANGE},
        source=f"{SAMPLES} hold a tie and show it by id; {SISTER} once broke ties at random",
    ),
)

TIMES: tuple[Switch, ...] = (
    Switch(
        name="shop_zone",
        about="The shop's time zone: times without an offset are read in it.",
        default="Asia/Ho_Chi_Minh",
        documented=("Asia/Ho_Chi_Minh", "America/New_York", "UTC"),
        origins={"Asia/Ho_Chi_Minh": VENDOR, "America/New_York": SAMPLE, "UTC": CUSTOM},
        source="the vendor's shop page: '(GMT+07:00) Hanoi'; the samples fit only -05:00",
    ),
    Switch(
        name="time_forms",
        about="Which times created_at_min and created_at_max take: with or without T, seconds, Z "
        "and offset; or only without an offset, as the document writes them.",
        default="all",
        documented=("all", "document-only"),
        origins={"all": SAMPLE, "document-only": PAGE},
        source=f"{DOCUMENT}: 'format: 2008-12-31 03:00', its samples have seconds too; {SISTER} "
        "takes an offset",
    ),
    Switch(
        name="ambiguous_time",
        about="Which instant a local time means that a clock change repeats. A time that a clock "
        "change skips is read with the offset before the change under 'earlier', and with the "
        "one after it under 'later' (what zoneinfo does with fold 0 and 1).",
        default="earlier",
        documented=("earlier", "later"),
        origins={"earlier": INVENTED, "later": INVENTED},
        source=SILENT,
    ),
    Switch(
        name="bounds",
        about="Whether created_at_min and created_at_max include their own instant.",
        default="inclusive",
        documented=("inclusive",),
        beyond=("exclusive",),
        origins={"inclusive": PAGE, "exclusive": VENDOR},
        source=f"{DOCUMENT}: 'at or after', 'at or before'; other pages of the vendor: 'after'",
    ),
    Switch(
        name="lost_plus",
        about="What a time gets whose + arrived as a space: 422 with a hint, or the + back.",
        default="reject",
        beyond=("mend",),
        origins={"reject": CUSTOM, "mend": INVENTED},
        source=f"{SILENT}; an unencoded + is a space in every query string",
    ),
)

FILTERS: tuple[Switch, ...] = (
    Switch(
        name="unknown_filter",
        about="What an unknown subject type in filter, or an unknown verb, gets: no rows, or 422.",
        default="empty",
        documented=("empty", "reject"),
        origins={"empty": INVENTED, "reject": INVENTED},
        source=SILENT,
    ),
    Switch(
        name="filter_case",
        about="Whether filter and verb tell capital letters from small ones.",
        default="sensitive",
        documented=("sensitive", "insensitive"),
        origins={"sensitive": INVENTED, "insensitive": INVENTED},
        source=SILENT,
    ),
    Switch(
        name="count_filters",
        about="Whether the count honours filter, verb and since_id, or ignores them.",
        default="ignore",
        documented=("ignore", "honour"),
        origins={"ignore": PAGE, "honour": INVENTED},
        source=f"{DOCUMENT} lists created_at_min and created_at_max for the count, and no other",
    ),
    Switch(
        name="fields_id",
        about="Whether fields returns exactly what it names, or the id as well.",
        default="as-asked",
        documented=("as-asked", "keep"),
        origins={"as-asked": PAGE, "keep": INVENTED},
        source=f"{DOCUMENT}: 'fields to include in the response'",
    ),
)

REQUEST_SWITCHES = (*WHO_AND_WHERE, *PAGING, *TIMES, *FILTERS)
