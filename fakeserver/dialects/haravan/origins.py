"""Where the answers of the switches come from, each with the date on which it was so.

The names in capitals stand in the sources of switches; the others are the `Origin` of one value.
"""

from __future__ import annotations

from fakeserver.profile import INVENTED, Origin

DOCUMENT = "the API document"
SAMPLES = "the samples of the API document"
SILENT = "the document does not say"
SISTER = "the document of the API that this one descends from"
LIVE = "observations of the live service that its users have published"

_CRAWLED = "2025-10-26"
"""The date of a public copy of the page; the page itself shows none but "Version: 1.0"."""

PAGE = Origin("document", "the page on events", _CRAWLED)
SAMPLE = Origin("samples", "the samples on the page on events", _CRAWLED)
VENDOR = Origin("vendor", "other pages of the vendor's documents", _CRAWLED)
EVENTS_SEEN = Origin("live", "a user's journal of reading the events of a shop", "2026-04-27")
PRODUCTS_SEEN = Origin("live", "another user's notes on reading products", "2026-08-17")
CLIENT = Origin("client", "the clients that the vendor publishes")
OTHER_CLIENT = Origin("client", "a command line client of this API, published by a user")
ANCESTOR = Origin("ancestor", "the client libraries and the document of the ancestor")
ANCESTOR_FIXTURES = Origin("ancestor", "the fixtures in the ancestor's own client", "2022-10")
ANCESTOR_CHANGE = Origin("ancestor", "the ancestor's change log", "2017-09-18")
ANCESTOR_CURSOR = Origin("ancestor", "the ancestor's version that dropped page numbers", "2019-07")
ANCESTOR_NEXT = Origin("ancestor", "the ancestor's newer API", "2025-10")
ANCESTOR_CLIENT = Origin(
    "ancestor", "its own client (ShopifyAPI 12.7.0) sends what it means for itself along"
)
CUSTOM = Origin("custom", "what such servers usually do")

__all__ = [
    "ANCESTOR",
    "ANCESTOR_CHANGE",
    "ANCESTOR_CLIENT",
    "ANCESTOR_CURSOR",
    "ANCESTOR_FIXTURES",
    "ANCESTOR_NEXT",
    "CLIENT",
    "CUSTOM",
    "DOCUMENT",
    "EVENTS_SEEN",
    "INVENTED",
    "LIVE",
    "OTHER_CLIENT",
    "PAGE",
    "PRODUCTS_SEEN",
    "SAMPLE",
    "SAMPLES",
    "SILENT",
    "SISTER",
    "VENDOR",
]
