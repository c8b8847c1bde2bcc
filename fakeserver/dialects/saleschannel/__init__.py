"""The sales channel's event log: pages by ``createdAt``, each overlapping the last by one row."""

from __future__ import annotations

from fakeserver.dialects.base import Dialect, Settings
from fakeserver.dialects.saleschannel.clients import document_client, reference_client
from fakeserver.dialects.saleschannel.parse import PATH, parse
from fakeserver.dialects.saleschannel.profiles import PROFILES
from fakeserver.dialects.saleschannel.render import refusal_body, render, render_event
from fakeserver.dialects.saleschannel.stories import tell
from fakeserver.dialects.saleschannel.switches import NAME, SWITCHES
from fakeserver.dialects.saleschannel.words import remedy, words
from fakeserver.query import RECORDED_AT

LATE_BY_MS_MAX = 300_000
"""Invented, after the other dialect's "a few minutes"."""
TRANSACTION_MS_MAX = 60_000
"""Invented: no transaction of the fake takes longer than a minute to commit."""


def _late_by_ms_max(settings: Settings) -> int:
    """Return the lateness of the settings, ms. None is documented, so by default it is 0."""
    late = LATE_BY_MS_MAX if settings["lateness"] == "minutes" else 0
    commit = TRANSACTION_MS_MAX if settings["created_at"] == "transaction-start" else 0
    return max(late, commit)


def _rate_limit(settings: Settings) -> None:
    """No limit is documented, so none is imitated."""


DIALECT = Dialect(
    name=NAME,
    title="Sales channel events",
    list_path=PATH,
    switches=SWITCHES,
    profiles=PROFILES,
    stamp_ms=1,
    id_type=str,
    fields_required=frozenset({"eventType"}),
    overlap_rows=1,
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
    labels=("eventType",),
    numbers=("eventAt",),
    bounds={RECORDED_AT: "createdAt"},
)
