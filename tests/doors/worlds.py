"""A small world that the tests of this folder share."""

from fakeserver.clock import SECOND_MS, at
from fakeserver.scenario import LoggedEvent, Poll, Scenario

START = at("2026-03-01T12:00:00Z")


def small_world(dialect: str) -> Scenario:
    """Three events of which one appears only later."""
    fields = {
        "haravan": {
            "arguments": [],
            "body": None,
            "subject_id": 7,
            "subject_type": "Order",
            "verb": "placed",
            "message": "Đơn hàng đã được đặt",
            "author": "haravan",
            "description": None,
            "path": "/admin/orders/7",
        },
        "saleschannel": {"eventType": "TRANSACTION_STATUS_CHANGE", "eventAt": START},
    }
    return Scenario(
        dialect=dialect,
        starts_at=START,
        request_ms=250,
        page_size=2,
        late_by_ms_max=0,
        events=tuple(
            LoggedEvent(
                id=number if dialect == "haravan" else f"c{number}",
                recorded_at=START - SECOND_MS,
                visible_at=START + (SECOND_MS if number == 3 else 0),
                fields=fields[dialect],
            )
            for number in (1, 2, 3)
        ),
        polls=tuple(Poll(starts_at=START + number * 10_000) for number in range(1, 4)),
        calm_from=0,
    )


LIST = {"haravan": "/com/events.json", "saleschannel": "/saleschannel-services/v1/events"}
