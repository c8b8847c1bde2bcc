"""Every question that the document leaves open; `profiles.py` has the sets of answers.

What is decided for good, because no other reading helps anybody:

- Bodies are valid JSON. The samples are not: they leave the quotes inside messages bare.
- `body` is null, `description` text or null, as in the samples.
- The verbs are those of the vendor's present page; the document's tables have lost the column.
  Their texts (with their slips: an authorization that is pending "failed") describe, they are
  no messages: messages follow the wording of the samples.
- Amounts agree within one generated event; in the sample, 210.94 and $409.94 do not.
- Events marked ``scoped_only`` appear in the list of their order or product and by their id, and
  in no other list and no count: that is how five ids, a list of three and a count of three can
  all be true. Only the document's own data are marked.
- ``#{id}`` in a path is the document's placeholder; a real request has the number.
- A single event that does not exist is 404. An empty list is 200.
- Custom and smart collections share the subject type ``Collection``.
- ``/com`` and ``/admin`` answer alike; there is no version in the path (but see `version_alias`).
- The body of a refusal, ``{"errors": "a sentence"}``, is not from the document, which shows no
  error at all; the vendor's pages show that shape for 422. Neither are the statuses: 401 and 403
  for the token, 404, 405, 414 and 422.
- A raw space in a query string, as in the samples, is read like ``+`` and ``%20``.
"""

from __future__ import annotations

from fakeserver.dialects.haravan.origins import (
    ANCESTOR_FIXTURES,
    ANCESTOR_NEXT,
    DOCUMENT,
    EVENTS_SEEN,
    INVENTED,
    LIVE,
    OTHER_CLIENT,
    PAGE,
    SAMPLE,
    SAMPLES,
    SILENT,
    SISTER,
    VENDOR,
)
from fakeserver.dialects.haravan.request_switches import REQUEST_SWITCHES
from fakeserver.profile import Switch

THE_LOG: tuple[Switch, ...] = (
    Switch(
        name="lateness",
        about="Whether events appear late: most at once or within seconds, fewer than one in a "
        "hundred within 'a few minutes', read as 5. 'none' is for tests of other things.",
        default="documented",
        documented=("documented",),
        beyond=("none",),
        origins={"documented": PAGE, "none": INVENTED},
        source=f"{DOCUMENT}: 'should not be considered to be realtime'. A fake that hides it would "
        "certify wrong clients",
    ),
    Switch(
        name="id_order",
        about="Whether ids grow with time.",
        default="monotonic",
        documented=("monotonic", "shuffled"),
        origins={"monotonic": ANCESTOR_FIXTURES, "shuffled": SAMPLE},
        source=f"{SAMPLES}: the lowest id, 164748010, has the latest created_at; {SISTER} shows "
        "the same ids in the order of time",
    ),
    Switch(
        name="extra_verbs",
        about="Whether orders have the verbs that the document's categories name and its table "
        "lacks: fulfillment_failure and fulfillment_update.",
        default="none",
        beyond=("categories",),
        origins={"none": VENDOR, "categories": PAGE},
        source=f"{DOCUMENT}: the categories name more than the table",
    ),
    Switch(
        name="count_lag",
        about="Whether the count trails behind the list, and by how much.",
        default="none",
        beyond=("5s",),
        origins={"none": INVENTED, "5s": INVENTED},
        source=f"{SILENT}; a count is often kept apart from the rows that it counts",
    ),
    Switch(
        name="count_cap",
        about="The largest number that the count returns, or none.",
        default=None,
        documented=(None,),
        beyond=(10_000,),
        origins={None: PAGE, 10_000: ANCESTOR_NEXT},
        source=f"{SISTER} caps its count at 10000; {DOCUMENT}: 'a count of all Events'",
    ),
)

THE_EVENT: tuple[Switch, ...] = (
    Switch(
        name="id_type",
        about="Whether id and subject_id are JSON numbers or strings.",
        default="integer",
        documented=("integer", "string"),
        origins={"integer": SAMPLE, "string": PAGE},
        source=f"{SAMPLES} have numbers; {DOCUMENT} types them as string",
    ),
    Switch(
        name="arguments_type",
        about="Whether arguments is an array of strings, or one string (joined by a comma).",
        default="array",
        documented=("array", "string"),
        origins={"array": SAMPLE, "string": PAGE},
        source=f"{SAMPLES} have arrays; {DOCUMENT} types it as string",
    ),
    Switch(
        name="author",
        about="Whether events have the field author.",
        default="include",
        documented=("include", "omit"),
        origins={"include": SAMPLE, "omit": PAGE},
        source=f"{SAMPLES} have it; the list of properties has not",
    ),
    Switch(
        name="path_form",
        about="Whether path holds the resource's path or null.",
        default="clean",
        documented=("clean", "null"),
        origins={"clean": PAGE, "null": PAGE},
        source=f"{DOCUMENT}: 'may be null'. The samples' own order paths are malformed; generated "
        "ones are not",
    ),
    Switch(
        name="time_output",
        about="How created_at is written: with the shop's offset, or in UTC with Z.",
        default="offset",
        documented=("offset", "utc"),
        origins={"offset": SAMPLE, "utc": VENDOR},
        source=f"{SAMPLES}: 2008-01-10T11:00:00-05:00; other resources of the vendor: ...Z",
    ),
)

THE_ANSWER: tuple[Switch, ...] = (
    Switch(
        name="slashes",
        about="Whether a slash in a JSON string is written / or \\/ (the same after parsing).",
        default="plain",
        documented=("plain", "escaped"),
        origins={"plain": ANCESTOR_FIXTURES, "escaped": SAMPLE},
        source=f"{SAMPLES} write \\/",
    ),
    Switch(
        name="ascii",
        about="Whether other letters than ASCII are written as UTF-8 or as \\u escapes.",
        default="utf-8",
        documented=("utf-8", "escaped"),
        origins={"utf-8": SAMPLE, "escaped": INVENTED},
        source=f"{SAMPLES} hold bullets as they are",
    ),
    Switch(
        name="error_body",
        about="The body of a refusal: {'errors': 'a sentence'}, {'errors': {'base': [...]}}, "
        "{'message': ...}, {}, or the first with a limit over the cap refused in Vietnamese.",
        default="errors-sentence",
        beyond=("errors-base", "message", "empty", "vietnamese"),
        origins={
            "errors-sentence": VENDOR,
            "errors-base": VENDOR,
            "vietnamese": EVENTS_SEEN,
            "message": OTHER_CLIENT,
            "empty": VENDOR,
        },
        source=f"{SILENT}; on other resources the vendor's pages show the first two for 422, and "
        "{} for 403; published clients look for message as well",
    ),
    Switch(
        name="rate_limit",
        about="Whether requests are limited: a bucket of 80 that leaks 4 a second, 429 with "
        "Retry-After: 2.0, and X-Haravan-Api-Call-Limit on every answer.",
        default="off",
        beyond=("bucket-80-4",),
        origins={"off": PAGE, "bucket-80-4": VENDOR},
        source=f"{DOCUMENT} names no limit; the vendor's page on the call limit has these numbers "
        "(and a sum that fits 2 a second)",
    ),
    Switch(
        name="transient_422",
        about="Whether a right request is now and then answered 422, and 200 when it is repeated. "
        "In a drawn world that is a fault, so it ends with the storm.",
        default="never",
        beyond=("now-and-then",),
        origins={"never": PAGE, "now-and-then": EVENTS_SEEN},
        source=f"{LIVE}: the same page, 422 and then 200",
    ),
)

SWITCHES: tuple[Switch, ...] = (*REQUEST_SWITCHES, *THE_LOG, *THE_EVENT, *THE_ANSWER)
