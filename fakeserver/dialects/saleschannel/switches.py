"""What the sales channel's document leaves open, one switch a question, and the profiles."""

from __future__ import annotations

from fakeserver.profile import Switch, build_profile

DOCUMENT = "the document's events page"
SPEC = "the vendor's API specification and its product pages"
SILENT = "no document says"

NAME = "saleschannel"

SWITCHES: tuple[Switch, ...] = (
    Switch(
        name="unparsable_query",
        about="What a filter or order that can't be read gets: 400, or the full unfiltered list.",
        default="reject",
        beyond=("ignore",),
        source=f"{SILENT}; ignoring is what lenient query parsers do, and the dangerous case",
    ),
    Switch(
        name="unknown_parameter",
        about="What an unknown parameter ($skip, $offset, a typo) gets: 400, or nothing.",
        default="reject",
        beyond=("ignore",),
        source=SILENT,
    ),
    Switch(
        name="alias_without_version",
        about="Whether the path without /v1, as the pseudo-code writes it, is served too.",
        default=False,
        documented=(False, True),
        source=f"{DOCUMENT}: curl has /v1, the pseudo-code has not",
    ),
    Switch(
        name="encodings",
        about="How the nested $filter and $orderBy may be encoded in the query string.",
        default="both",
        beyond=("brackets", "json"),
        source=f"{DOCUMENT} shows the nesting and no encoding; brackets and JSON are what common "
        "HTTP clients send. A client is written against a server that reads its encoding, so a "
        "server that reads only the other is left to whoever asks for it",
    ),
    Switch(
        name="operators",
        about="Which comparison operators a filter may use.",
        default="all",
        documented=("all", "gte-only"),
        source=f"{DOCUMENT} shows gte alone; the shape is that of an ORM which has all eight",
    ),
    Switch(
        name="order_by",
        about="Which directions $orderBy may take.",
        default="asc-desc",
        documented=("asc-desc", "asc-only"),
        source=f"{DOCUMENT} shows asc alone",
    ),
    Switch(
        name="nulls",
        about="Where rows without createdAt stand in an ascending order.",
        default="last",
        beyond=("first",),
        source=f"{DOCUMENT} lets createdAt be null; databases differ in where they put it",
    ),
    Switch(
        name="null_created_at",
        about="Whether a row may come without createdAt. Such a row no filter ever finds.",
        default=False,
        source=f"{DOCUMENT}: 'string or null'; not imitated yet",
    ),
    Switch(
        name="event_at",
        about="How eventAt, when the event became effective, stands to createdAt.",
        default="before",
        documented=("before", "null-sometimes", "any"),
        source=f"{DOCUMENT}: 'string or null'; two different times",
    ),
    Switch(
        name="details_key",
        about="The name of the details object, whose name and fields the document lost.",
        default="details",
        invented=("details",),
        source=f"{DOCUMENT} says 'required object' without a name; the fields follow the "
        "transaction of the vendor's other pages",
    ),
    Switch(
        name="event_types",
        about="Whether event types unknown today turn up.",
        default="one",
        documented=("one", "expanding"),
        source=f"{DOCUMENT}: 'in the future the list of supported events will expand'",
    ),
    Switch(
        name="limit_default",
        about="The page size without $limit; none means the whole list.",
        default=None,
        documented=(None, 100),
        invented=(100,),
        source=f"{DOCUMENT}: the list 'will grow too large to query at once', so no default",
    ),
    Switch(
        name="limit_max",
        about="The most rows that one page returns, whatever $limit says.",
        default=None,
        documented=(None, 100),
        beyond=(5,),
        invented=(100, 5),
        source=f"{SILENT}; 100 is the document's own page size",
    ),
    Switch(
        name="limit_over_max",
        about="What a $limit above the cap gets: the cap in silence, or 400.",
        default="clamp",
        documented=("clamp", "reject"),
        source=SILENT,
    ),
    Switch(
        name="order_default",
        about="The order without $orderBy.",
        default="insertion",
        documented=("insertion", "newest-first"),
        source=f"{SILENT}; an append-only log suggests the order of insertion",
    ),
    Switch(
        name="ties",
        about="The order of rows that share createdAt: by age in the log, or new each request.",
        default="insertion",
        documented=("insertion", "shuffled"),
        source=f"{SILENT}; a database without a second sort key promises none",
    ),
    Switch(
        name="lateness",
        about="Whether a recorded event may be readable only later.",
        default="none",
        source=f"{SILENT}; ask for it with --late-by-max",
    ),
    Switch(
        name="stamp_precision",
        about="Whether stored stamps are finer than the milliseconds that are shown.",
        default="ms",
        source=f"{DOCUMENT} shows milliseconds; finer storage is not imitated yet",
    ),
    Switch(
        name="naive_times",
        about="What a time without an offset means in a filter: nothing (400), or UTC.",
        default="reject",
        documented=("reject", "utc"),
        source=f"{DOCUMENT} shows Z alone",
    ),
    Switch(
        name="without_role",
        about="What a caller without the role EVENT_VIEWER gets.",
        default=403,
        documented=(403, 404),
        source=f"{DOCUMENT} names the role; {SPEC} allow 403 and 404",
    ),
    Switch(
        name="request_body",
        about="What a query sent as the body of a GET means; {'query': ...} can be read so.",
        default="ignored",
        source=f"{DOCUMENT}: ambiguous pseudo-code; a body on GET has no meaning in HTTP",
    ),
    Switch(
        name="statuses",
        about="Which states a transaction may take.",
        default="five",
        source=f"{SPEC}: STARTED, PENDING, SUCCESS, FAILED, REJECTED",
    ),
    Switch(
        name="id_order",
        about="Whether ids rise with time. They are unique, and no document calls them ordered.",
        default="time-ordered",
        documented=("time-ordered", "random"),
        source=f"{DOCUMENT}: 'string <cuid>'; its first characters hold a time",
    ),
    Switch(
        name="error_body",
        about="The shape of an error: {statusCode, error, message}.",
        default="message",
        invented=("message",),
        source=SILENT,
    ),
)

PROFILES = (
    build_profile(
        dialect=NAME,
        name="default",
        about="One value for each open question, by the best evidence.",
        switches=SWITCHES,
    ),
    build_profile(
        dialect=NAME,
        name="documented",
        about="Every value that the document allows.",
        switches=SWITCHES,
        documented=True,
    ),
)
