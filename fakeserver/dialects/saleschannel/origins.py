"""Where the answers of the switches come from, each with its date where one is known.

The names in capitals stand in the sources of switches; the others are the `Origin` of one value.
"""

from __future__ import annotations

from fakeserver.profile import INVENTED, Origin

DOCUMENT = "the document's events page"
SPEC = "the vendor's API specification and its product pages"
SILENT = "no document says"

PAGE = Origin("document", "the page on events; it shows no date")
VENDOR = Origin("vendor", "the specification and product pages, versions 2.2.0 to 2.9.1")
ORM = Origin("custom", "the ORM whose vocabulary the page uses")
PARSERS = Origin("custom", "what common HTTP clients send and query parsers read")
DATABASES = Origin("custom", "what databases do where nobody orders otherwise")

__all__ = [
    "DATABASES",
    "DOCUMENT",
    "INVENTED",
    "ORM",
    "PAGE",
    "PARSERS",
    "SILENT",
    "SPEC",
    "VENDOR",
]
