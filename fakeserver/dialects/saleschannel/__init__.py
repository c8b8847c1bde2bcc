"""The sales channel's event log: pages by ``createdAt``, each overlapping the last by one row."""

from __future__ import annotations

from fakeserver.dialects.base import Dialect, Settings
from fakeserver.dialects.saleschannel.clients import document_client, reference_client
from fakeserver.dialects.saleschannel.parse import PATH, parse
from fakeserver.dialects.saleschannel.render import refusal_body, render, render_event
from fakeserver.dialects.saleschannel.stories import tell
from fakeserver.dialects.saleschannel.switches import NAME, PROFILES, SWITCHES
from fakeserver.dialects.saleschannel.words import remedy, words


def _late_by_ms_max(settings: Settings) -> int:  # noqa: ARG001
    """No lateness is documented, so none is promised: 0 ms."""
    return 0


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
    tell=tell,
    words=words,
    remedy=remedy,
    reference_client=reference_client,
    document_client=document_client,
)
