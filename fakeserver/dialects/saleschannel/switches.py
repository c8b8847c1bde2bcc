"""What the sales channel's document leaves open, one switch a question.

Not switches, for there is one answer: ``$skip`` and ``$offset`` are unknown parameters, for a walk
by key needs none and no document names them; and a list is a bare array without a total.
"""

from __future__ import annotations

from fakeserver.dialects.saleschannel.origins import (
    DATABASES,
    DOCUMENT,
    INVENTED,
    ORM,
    PAGE,
    PARSERS,
    SILENT,
    SPEC,
    VENDOR,
)
from fakeserver.profile import Switch

NAME = "saleschannel"

SWITCHES: tuple[Switch, ...] = (
    Switch(
        name="unparsable_query",
        about="What a filter or order that can't be read gets: 400, or the full unfiltered list.",
        default="reject",
        beyond=("ignore",),
        origins={"reject": INVENTED, "ignore": PARSERS},
        source=f"{SILENT}; ignoring is what lenient query parsers do, and the dangerous case",
    ),
    Switch(
        name="unknown_parameter",
        about="What an unknown parameter ($skip, $offset, a typo) gets: 400, or nothing.",
        default="reject",
        beyond=("ignore",),
        origins={"reject": INVENTED, "ignore": PARSERS},
        source=SILENT,
    ),
    Switch(
        name="alias_without_version",
        about="Whether the path without /v1, as the pseudo-code writes it, is served too.",
        default=False,
        documented=(False, True),
        origins={False: PAGE, True: PAGE},
        source=f"{DOCUMENT}: curl has /v1, the pseudo-code has not",
    ),
    Switch(
        name="encodings",
        about="How the nested $filter and $orderBy may be encoded in the query string.",
        default="both",
        beyond=("brackets", "json"),
        origins={"both": PARSERS, "brackets": PARSERS, "json": PARSERS},
        source=f"{DOCUMENT} shows the nesting and no encoding; brackets and JSON are what common "
        "HTTP clients send. A client is written against a server that reads its encoding, so a "
        "server that reads only the other is left to whoever asks for it",
    ),
    Switch(
        name="operators",
        about="Which comparison operators a filter may use.",
        default="all",
        documented=("all", "gte-only"),
        origins={"all": ORM, "gte-only": PAGE},
        source=f"{DOCUMENT} shows gte alone; the shape is that of an ORM which has all eight",
    ),
    Switch(
        name="order_by",
        about="Which directions $orderBy may take.",
        default="asc-desc",
        documented=("asc-desc", "asc-only"),
        origins={"asc-desc": ORM, "asc-only": PAGE},
        source=f"{DOCUMENT} shows asc alone",
    ),
    Switch(
        name="nulls",
        about="Where rows without createdAt stand in an ascending order.",
        default="last",
        beyond=("first",),
        origins={"last": DATABASES, "first": DATABASES},
        source=f"{DOCUMENT} lets createdAt be null; databases differ in where they put it",
    ),
    Switch(
        name="null_created_at",
        about="Whether a row may come without createdAt. Such a row no filter ever finds.",
        default=False,
        beyond=(True,),
        origins={False: INVENTED, True: PAGE},
        source=f"{DOCUMENT}: 'string or null', and it pages by this column all the same",
    ),
    Switch(
        name="future_stamps",
        about="Whether a createdAt may lie ahead of the moment at which its row can be read.",
        default="none",
        beyond=("some",),
        origins={"none": PAGE, "some": INVENTED},
        source=f"{DOCUMENT}: 'time when the event was recorded'; writers with a clock of their own "
        "stamp ahead of it",
    ),
    Switch(
        name="created_at",
        about="What createdAt stands for: when the row is written, and can be read; or when its "
        "transaction began. Rows of one transaction then share it and can be read from its commit "
        "on, within a minute.",
        default="insert",
        beyond=("transaction-start",),
        origins={"insert": PAGE, "transaction-start": DATABASES},
        source=f"{DOCUMENT}: 'time when the event was recorded'; now() as the default of a column "
        "is the start of the transaction in common SQL databases",
    ),
    Switch(
        name="event_at",
        about="How eventAt, when the event became effective, stands to createdAt.",
        default="before",
        documented=("before", "null-sometimes", "any"),
        origins={"before": PAGE, "null-sometimes": PAGE, "any": PAGE},
        source=f"{DOCUMENT}: 'string or null'; two different times",
    ),
    Switch(
        name="details_key",
        about="The name of the details object, whose name and fields the document lost.",
        default="details",
        origins={"details": INVENTED},
        source=f"{DOCUMENT} says 'required object' without a name; the fields follow the "
        "transaction of the vendor's other pages",
    ),
    Switch(
        name="event_types",
        about="Whether event types unknown today turn up.",
        default="one",
        documented=("one", "expanding"),
        origins={"one": PAGE, "expanding": PAGE},
        source=f"{DOCUMENT}: 'in the future the list of supported events will expand'",
    ),
    Switch(
        name="limit_default",
        about="The page size without $limit; none means the whole list.",
        default=None,
        documented=(None, 100),
        origins={None: PAGE, 100: INVENTED},
        source=f"{DOCUMENT}: the list 'will grow too large to query at once', so no default",
    ),
    Switch(
        name="limit_max",
        about="The most rows that one page returns, whatever $limit says.",
        default=None,
        documented=(None, 100),
        beyond=(5,),
        origins={None: PAGE, 100: INVENTED, 5: INVENTED},
        source=f"{SILENT}; 100 is the document's own page size",
        whole_from=1,
    ),
    Switch(
        name="limit_over_max",
        about="What a $limit above the cap gets: the cap in silence, or 400.",
        default="clamp",
        documented=("clamp", "reject"),
        origins={"clamp": INVENTED, "reject": INVENTED},
        source=SILENT,
    ),
    Switch(
        name="order_default",
        about="The order without $orderBy.",
        default="insertion",
        documented=("insertion", "newest-first"),
        origins={"insertion": DATABASES, "newest-first": INVENTED},
        source=f"{SILENT}; an append-only log suggests the order of insertion",
    ),
    Switch(
        name="ties",
        about="The order of rows that share createdAt: by age in the log, or new each request.",
        default="insertion",
        documented=("insertion", "shuffled"),
        origins={"insertion": INVENTED, "shuffled": DATABASES},
        source=f"{SILENT}; a database without a second sort key promises none",
    ),
    Switch(
        name="lateness",
        about="Whether a recorded event may be readable only later, by up to five minutes.",
        default="none",
        beyond=("minutes",),
        origins={"none": PAGE, "minutes": INVENTED},
        source=f"{DOCUMENT} speaks of an append-only log and of no delay; another lateness can be "
        "asked for with --late-by-max",
    ),
    Switch(
        name="stamp_precision",
        about="Whether stored stamps are finer than the milliseconds that are shown. Then gt of a "
        "shown stamp finds its row again, and lt, lte and equals miss it.",
        default="ms",
        beyond=("us",),
        origins={"ms": PAGE, "us": DATABASES},
        source=f"{DOCUMENT} shows milliseconds; databases store microseconds",
    ),
    Switch(
        name="naive_times",
        about="What a time without an offset means in a filter: nothing (400), or UTC.",
        default="reject",
        documented=("reject", "utc"),
        origins={"reject": INVENTED, "utc": INVENTED},
        source=f"{DOCUMENT} shows Z alone",
    ),
    Switch(
        name="without_role",
        about="What a caller without the role EVENT_VIEWER gets.",
        default=403,
        documented=(403, 404),
        origins={403: VENDOR, 404: VENDOR},
        source=f"{DOCUMENT} names the role; {SPEC} allow 403 and 404",
    ),
    Switch(
        name="request_body",
        about="What a GET with a body gets ({'query': ...} can be read so): an answer to its query "
        "string alone, or 400.",
        default="ignored",
        beyond=("reject",),
        origins={"ignored": INVENTED, "reject": INVENTED},
        source=f"{DOCUMENT}: ambiguous pseudo-code; a body on GET has no meaning in HTTP",
    ),
    Switch(
        name="statuses",
        about="Which states a transaction may take: the five of the vendor's pages, or CANCELLED "
        "and EXPIRED too.",
        default="five",
        beyond=("more",),
        origins={"five": VENDOR, "more": INVENTED},
        source=f"{SPEC}: STARTED, PENDING, SUCCESS, FAILED, REJECTED; a list of words grows",
    ),
    Switch(
        name="id_order",
        about="Whether ids rise with time. They are unique, and no document calls them ordered.",
        default="time-ordered",
        documented=("time-ordered", "random"),
        origins={"time-ordered": PAGE, "random": PAGE},
        source=f"{DOCUMENT}: 'string <cuid>'; its first characters hold a time",
    ),
    Switch(
        name="error_body",
        about="The shape of an error: {statusCode, error, message}; {type, title, status, detail}; "
        "or {}.",
        default="message",
        beyond=("problem", "empty"),
        origins={"message": INVENTED, "problem": INVENTED, "empty": INVENTED},
        source=SILENT,
    ),
)
