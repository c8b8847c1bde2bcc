"""The named sets of answers: what a client may be up against, each with its source."""

from __future__ import annotations

from fakeserver.dialects.saleschannel.switches import NAME, SWITCHES
from fakeserver.profile import Profile, build_profile

DEFAULT = build_profile(
    dialect=NAME,
    name="default",
    about="one answer to every question, by the best evidence",
    source="the document and, where it is silent, the switch's own source",
    switches=SWITCHES,
)
DOCUMENTED = build_profile(
    dialect=NAME,
    name="documented",
    about="every answer that the document allows; a right client stands them all",
    source="the document, read as widely as its words go",
    switches=SWITCHES,
    values="documented",
)
ADVERSARIAL = build_profile(
    dialect=NAME,
    name="adversarial",
    about="beyond the document: late rows, rows without a stamp or stamped ahead, stamps finer "
    "than they are shown; as hard as a server can be on a client that still is right",
    source="every value of every switch that leaves it the same API",
    switches=SWITCHES,
    values="every",
    changes={
        # A client is written against a server that reads its encoding.
        "encodings": ("both",),
        "lateness": ("minutes",),
    },
)
TRANSACTIONAL = build_profile(
    dialect=NAME,
    name="transactional",
    about="createdAt is the start of a transaction, and its rows can be read from its commit on, "
    "all at once and up to a minute later",
    source="how common SQL databases stamp rows; kafka-connect-jdbc#1015 and #172 lose rows by it",
    seen="undated: a property of the databases, observed at no service in particular",
    switches=SWITCHES,
    changes={"created_at": ("transaction-start",)},
)

PROFILES: tuple[Profile, ...] = (DEFAULT, DOCUMENTED, ADVERSARIAL, TRANSACTIONAL)
