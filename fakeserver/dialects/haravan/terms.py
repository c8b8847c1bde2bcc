"""The terms of the document: fields, parameters, resources, types, verbs. Data, no decisions."""

from __future__ import annotations

from fakeserver.dialects.haravan.lives import EXTRA_ORDER, VERBS

NAME = "haravan"
"""What the dialect is called on the command line and in scenarios."""
TOKEN_HEADER = "X-Haravan-Access-Token"  # noqa: S105 - the name of a header, not a token
"""The vendor's own header; its published client sends it beside ``Authorization: Bearer``."""
ANCESTOR_TOKEN_HEADER = "X-Shopify-Access-Token"  # noqa: S105
"""What clients of the API that this one descends from send in its place."""

FIELDS = (
    "arguments",
    "body",
    "created_at",
    "id",
    "subject_id",
    "subject_type",
    "verb",
    "message",
    "author",
    "description",
    "path",
)
"""The fields of an event in the order of the document's samples."""

SCOPED_ONLY = "scoped_only"
"""Marks an event that only its order's or product's own list shows, and its own address."""

LIST_PARAMETERS = (
    "limit",
    "page",
    "since_id",
    "created_at_min",
    "created_at_max",
    "filter",
    "verb",
    "fields",
)
"""The parameters of a list, in the order of the document."""
SINGLE_PARAMETERS = ("fields",)
"""The one parameter of a single event."""

NESTED = {"orders": "Order", "products": "Product"}
"""Resources whose own lists of events the document shows, by their word in the path."""
NESTED_ALL = {
    **NESTED,
    "articles": "Article",
    "blogs": "Blog",
    "collections": "Collection",
    "custom_collections": "Collection",
    "smart_collections": "Collection",
    "comments": "Comment",
    "pages": "Page",
}
"""The same for all seven types. Both kinds of collection have the subject type ``Collection``."""

SUBJECT_TYPES = tuple(VERBS)
"""The seven subject types, as the document lists them."""
VERBS_EXTRA = tuple(EXTRA_ORDER)
"""Verbs of orders that the document's categories name and its table lacks."""
VERBS_ALL = tuple(dict.fromkeys(verb for verbs in VERBS.values() for verb in verbs))
"""Every verb once."""
