"""Haravan's event log: pages by id, newest id first or upwards from one; events may appear late."""

from __future__ import annotations

from fakeserver.dialects.base import Dialect, Settings
from fakeserver.dialects.haravan.clients import document_client, reference_client
from fakeserver.dialects.haravan.parse import parse
from fakeserver.dialects.haravan.profiles import PROFILES
from fakeserver.dialects.haravan.render import refusal_body, render, render_event
from fakeserver.dialects.haravan.routes import LIST_PATH
from fakeserver.dialects.haravan.stories import tell
from fakeserver.dialects.haravan.switches import SWITCHES
from fakeserver.dialects.haravan.terms import FIELDS, NAME, SCOPED_ONLY
from fakeserver.dialects.haravan.words import remedy, words
from fakeserver.query import ID, RECORDED_AT
from fakeserver.rate_limit import RateLimit

LATE_BY_MS_MAX = 300_000
"""The document's "a few minutes", read as five."""
BUCKET = RateLimit(size=80, leak_per_s=4, header="X-Haravan-Api-Call-Limit", retry_after="2.0")
"""From the vendor's page on the call limit; the document of the events names none."""


def _late_by_ms_max(settings: Settings) -> int:
    return LATE_BY_MS_MAX if settings["lateness"] == "documented" else 0


def _rate_limit(settings: Settings) -> RateLimit | None:
    return BUCKET if settings["rate_limit"] == "bucket-80-4" else None


DIALECT = Dialect(
    name=NAME,
    title="Haravan events",
    list_path=LIST_PATH,
    switches=SWITCHES,
    profiles=PROFILES,
    stamp_ms=1_000,
    id_type=int,
    fields_required=frozenset(FIELDS) - {"id", "created_at"},
    overlap_rows=0,
    parse=parse,
    render=render,
    render_event=render_event,
    refusal_body=refusal_body,
    late_by_ms_max=_late_by_ms_max,
    rate_limit=_rate_limit,
    tell=tell,
    words=words,
    remedy=remedy,
    reference_client=reference_client,
    document_client=document_client,
    labels=("subject_type", "verb", SCOPED_ONLY),
    numbers=("subject_id",),
    bounds={RECORDED_AT: "created_at_min", ID: "since_id"},
)
