"""The law of Haravan's stories: which verbs there are, how each is worded, what may follow what.

`_TOLD` has the 50 rows of the document and `EXTRA_ORDER` two that only its categories name.
`_LIVES` says which row may follow which. Messages are worded as the document's samples where there
is one, as its tables (their typing errors mended) elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

_Row = tuple[str, tuple[str, ...]]
"""The message, and the names of its arguments."""


def _titled(create: str, hidden: str, update: str = "{link} was updated.") -> dict[str, _Row]:
    return {
        "create": (create, ("title",)),
        "destroy": ("{title} was destroyed.", ("title",)),
        "published": ("{link} was published.", ("title",)),
        "unpublished": (hidden, ("title",)),
        "update": (update, ("title",)),
    }


def _money(kind: str) -> tuple[str, ...]:
    return (kind, "amount", "currency")


_ORDER: dict[str, _Row] = {
    "authorization_failure": (
        "The customer, unsuccessfully, tried to authorize {money} on {card}",
        _money("authorization"),
    ),
    "authorization_pending": ("Authorization for {money} is pending.", _money("authorization")),
    "authorization_success": (
        "The customer successfully authorized {money} on {card}",
        _money("authorization"),
    ),
    "cancelled": ("Order was cancelled by {staff}.", ("staff",)),
    "capture_failure": ("We failed to capture {money}.", _money("capture")),
    "capture_pending": ("Capture for {money} is pending.", _money("capture")),
    "capture_success": ("We successfully captured {money}.", _money("capture")),
    "closed": ("Order was closed.", ()),
    "confirmed": ("Received new order {link} by {customer}", ("title", "customer")),
    "fulfillment_cancelled": (
        "We cancelled {items} from being fulfilled by the third party fulfillment service"
        " {carrier}.",
        ("items", "carrier"),
    ),
    "fulfillment_pending": (
        "We submitted {items} to the third party service {carrier}.",
        ("items", "carrier"),
    ),
    "fulfillment_success": ("We successfully fulfilled {items}.", ("items",)),
    "mail_sent/confirmation": ("Order confirmation email was sent to the customer.", ("title",)),
    "mail_sent/shipping": ("Shipping confirmation email was sent to the customer.", ("title",)),
    "mail_sent/cancellation": ("Order cancellation email was sent to the customer.", ("title",)),
    "placed": ("Order was placed", ()),
    "re_opened": ("Order was re-opened.", ()),
    "refund_failure": ("We failed to refund {money}.", _money("refund")),
    "refund_pending": ("Refund of {money} is still pending.", _money("refund")),
    "refund_success": ("We successfully refunded {money}.", _money("refund")),
    "restock_line_items": ("We restocked {items}.", ("items",)),
    "sale_failure": ("The customer failed to pay {money}.", _money("sale")),
    "sale_pending": ("The sale of {money} is pending.", _money("sale")),
    "sale_success": ("We successfully captured {money}.", _money("sale")),
    "update": ("{link} was updated.", ("title",)),
    "void_failure": ("We failed to void the authorization.", _money("void")),
    "void_pending": ("Authorization void is pending.", _money("void")),
    "void_success": ("We successfully voided the authorization.", _money("void")),
}

EXTRA_ORDER: dict[str, _Row] = {
    "fulfillment_failure": (
        "The third party service {carrier} failed to fulfill {items}.",
        ("items", "carrier"),
    ),
    "fulfillment_update": (
        "The third party service {carrier} updated the fulfillment of {items}.",
        ("items", "carrier"),
    ),
}
"""Rows that the document's categories name ("Fulfillment: success, failure, ... and update") and
its table lacks. Their wording is invented."""

_TOLD: Mapping[str, dict[str, _Row]] = {
    "Article": _titled(
        "New article created: {link}",
        "{link} was unpublished.",
        "{link} was updated (but its published state was not changed).",
    ),
    "Blog": {
        "create": ("New blog created: {link}", ("title",)),
        "destroy": ("{title} was destroyed.", ("title",)),
        "update": ("{link} was updated.", ("title",)),
    },
    "Collection": _titled("New collection created: {link}", "{link} was hidden."),
    "Comment": {"create": ("New comment for {link}: {excerpt}", ("title", "excerpt"))},
    "Order": _ORDER,
    "Page": _titled("New page created: {link}", "{link} was hidden."),
    "Product": _titled("created a new product: {link}.", "{link} was hidden."),
}
"""Every row by subject type; a verb that is worded in several ways has the occasion after ``/``."""

VERBS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        subject_type: tuple(dict.fromkeys(name.partition("/")[0] for name in rows))
        for subject_type, rows in _TOLD.items()
    }
)
"""The verbs of each subject type, as the tests and the tables above know them: 50 in all."""

END = "end"
NEW = "new"
"""The states after the last step of a life, and before the first."""

_SHOWN_OR_HIDDEN = {
    NEW: "create hidden 1",
    "hidden": "published shown 6, update hidden 2, destroy end 1",
    "shown": "update shown 4, unpublished hidden 2, destroy end 2",
}

_LIVES: Mapping[str, Mapping[str, str]] = {
    "Article": _SHOWN_OR_HIDDEN
    | {"shown": "Comment.create shown 4, update shown 2, unpublished hidden 1, destroy end 1"},
    "Blog": {NEW: "create open 1", "open": "update open 3, destroy end 1"},
    "Collection": _SHOWN_OR_HIDDEN,
    "Page": _SHOWN_OR_HIDDEN,
    "Product": _SHOWN_OR_HIDDEN,
    "Order": {
        NEW: "placed placed 1",
        "placed": "confirmed greeted 2, confirmed unpaid 1",
        "greeted": "mail_sent/confirmation unpaid 1",
        # Money comes in two ways: authorized and captured later, or in one go (a sale).
        "unpaid": "authorization_pending authorizing 6, authorization_success authorized 4,"
        "sale_pending selling 5, sale_success paid 2, update unpaid 1, cancelled dropped 2",
        "authorizing": "authorization_success authorized 4, authorization_failure unpaid 1",
        "authorized": "capture_pending capturing 4, capture_success paid 4,"
        "capture_failure authorized 1, update authorized 1, cancelled held 2",
        "capturing": "capture_success paid 4, capture_failure authorized 1",
        "selling": "sale_success paid 4, sale_failure unpaid 1",
        "paid": "fulfillment_pending fulfilling 7, fulfillment_success fulfilled 3,"
        "update paid 1, cancelled owing 2",
        "fulfilling": "fulfillment_success fulfilled 5, fulfillment_cancelled paid 1",
        "fulfilled": "mail_sent/shipping shipped 6, closed end 1",
        "shipped": "closed end 6, closed closed 2, update shipped 1,"
        "refund_pending returning 1, refund_success returned 1",
        "closed": "re_opened reopened 1",
        "reopened": "update reopened 2, closed end 4, refund_pending returning 2",
        "returning": "refund_success returned 4, refund_failure shipped 1",
        "returned": "restock_line_items settled 3, closed end 1",
        "settled": "closed end 1",
        # Cancelled: with nothing paid, with money authorized (held), or with money to give back.
        "dropped": "restock_line_items restocked 2, mail_sent/cancellation end 3",
        "held": "void_pending voiding 4, void_success released 3, void_failure held 1",
        "voiding": "void_success released 4, void_failure held 1",
        "owing": "refund_pending refunding 4, refund_success released 3, refund_failure owing 1",
        "refunding": "refund_success released 4, refund_failure owing 1",
        "released": "restock_line_items restocked 3, mail_sent/cancellation end 2",
        "restocked": "mail_sent/cancellation end 1",
    },
}
"""By subject type and state: ``row next-state weight``. A comment is part of its article's life."""

_BY_STAFF = frozenset({"cancelled", "closed", "re_opened", "restock_line_items", "update"})
"""What a person does to an order; the rest the shop does by itself, as author ``haravan``."""


_EXTRA_MOVES = MappingProxyType(
    {("Order", "fulfilling"): "fulfillment_failure paid 1, fulfillment_update fulfilling 1"}
)
"""What may happen besides, where there are extra verbs."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a life: `say` words it, `author` is ``shop`` or ``staff``."""

    subject_type: str
    verb: str
    say: Callable[[Mapping[str, str]], str]
    arguments: tuple[str, ...]
    author: str
    following: str


Steps = Mapping[str, Mapping[str, tuple[Step, ...]]]
"""By subject type and state the steps that may follow, each as often as its weight says."""


def _read(subject_type: str, moves: str) -> tuple[Step, ...]:
    """Read one line of `_LIVES`."""
    steps: list[Step] = []
    for move in moves.split(",") if moves else ():
        row, following, weight = move.split()
        owner, _, name = row.rpartition(".")
        message, arguments = (_TOLD[owner or subject_type] | EXTRA_ORDER)[name]
        verb = name.partition("/")[0]
        shop = subject_type == "Order" and verb not in _BY_STAFF
        step = Step(
            subject_type=owner or subject_type,
            verb=verb,
            say=message.format_map,
            arguments=arguments,
            author="shop" if shop else "staff",
            following=following,
        )
        steps += [step] * int(weight)
    return tuple(steps)


def _lives(extra_moves: Mapping[tuple[str, str], str]) -> Steps:
    return {
        subject_type: {
            state: _read(subject_type, moves)
            + _read(subject_type, extra_moves.get((subject_type, state), ""))
            for state, moves in life.items()
        }
        for subject_type, life in _LIVES.items()
    }


STEPS: Mapping[str, Steps] = MappingProxyType(
    {"none": _lives({}), "categories": _lives(_EXTRA_MOVES)}
)
"""By the switch ``extra_verbs``."""
