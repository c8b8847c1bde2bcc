"""What Haravan's events tell: the lives of a shop's products, pages and, above all, orders.

The law is in two tables. `_TOLD` has the 50 rows of the document: which verbs there are and how
each is worded. `_LIVES` says which verb may follow which. Messages are worded as the document's
samples where there is one, as its tables (their typing errors mended) elsewhere, and are HTML:
names and titles in them are escaped. Descriptions are the same in plain text, but None for
products, as in the samples. Only the order of the verbs is told: when each happens is not ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from html import escape
from itertools import accumulate
from random import Random
from types import MappingProxyType
from typing import Any

import msgspec

from fakeserver.clock import Instant
from fakeserver.dialects.base import Settings
from fakeserver.scenario import EventId
from fakeserver.vocabulary import Vocabulary, vocabulary

LOCALE = "vi_VN"
ORDER_SHARE = 0.6
"""Of all events: in a shop's log the orders drown the rest."""
OPEN_MAX = 4
"""Orders (and as many other subjects) under way at once, at most: enough to interleave."""
ID_MIN = 2
"""Leaves room below the first id for a client that starts at ``since_id=1``."""
ID_EDGES = (ID_MIN, 10, 100, 1_000, 10**9, 164_748_010)
"""The run of ids crosses one of these: all but the first and the last change the digit count."""
ID_GAPS_MAX = (1, 3, 25)
"""The widest gap between neighbouring ids; the ids of a real log have holes too."""
ORDER_NUMBER_FIRST = 1_001
PRICE_MIN, PRICE_STEP, PRICE_STEPS = 29_000, 1_000, 4_900
"""In VND, which has no smaller unit."""
CARDS = ("Visa", "Mastercard", "JCB")
CARRIERS = ("Chim Én Express", "Giao Nhanh 24h", "S&G Logistics", "Kho 'Ba Miền'")
"""Third-party fulfillment services; invented."""
TRANSACTIONS = ("authorization", "capture", "refund", "sale", "void")
"""The kinds of money movement; each order has one id for each."""

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

_END = "end"
_NEW = "new"

_SHOWN_OR_HIDDEN = {
    _NEW: "create hidden 1",
    "hidden": "published shown 6, update hidden 2, destroy end 1",
    "shown": "update shown 4, unpublished hidden 2, destroy end 2",
}

_LIVES: Mapping[str, Mapping[str, str]] = {
    "Article": _SHOWN_OR_HIDDEN
    | {"shown": "Comment.create shown 4, update shown 2, unpublished hidden 1, destroy end 1"},
    "Blog": {_NEW: "create open 1", "open": "update open 3, destroy end 1"},
    "Collection": _SHOWN_OR_HIDDEN,
    "Page": _SHOWN_OR_HIDDEN,
    "Product": _SHOWN_OR_HIDDEN,
    "Order": {
        _NEW: "placed placed 1",
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

_OTHERS = ("Product",) * 5 + ("Article",) * 4 + ("Collection",) * 2 + ("Page",) * 2 + ("Blog",)
"""What else a shop begins, by frequency."""
_BY_STAFF = frozenset({"cancelled", "closed", "re_opened", "restock_line_items", "update"})
"""What a person does to an order; the rest the shop does by itself, as author ``haravan``."""


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    subject_type: str
    verb: str
    say: Callable[[Mapping[str, str]], str]
    arguments: tuple[str, ...]
    author: str
    following: str


def _steps(subject_type: str, moves: str) -> tuple[_Step, ...]:
    """Read one line of `_LIVES`; a step stands in the answer as often as its weight says."""
    steps: list[_Step] = []
    for move in moves.split(","):
        row, following, weight = move.split()
        owner, _, name = row.rpartition(".")
        message, arguments = _TOLD[owner or subject_type][name]
        verb = name.partition("/")[0]
        shop = subject_type == "Order" and verb not in _BY_STAFF
        step = _Step(
            subject_type=owner or subject_type,
            verb=verb,
            say=message.format_map,
            arguments=arguments,
            author="shop" if shop else "staff",
            following=following,
        )
        steps += [step] * int(weight)
    return tuple(steps)


_STEPS = {
    subject_type: {state: _steps(subject_type, moves) for state, moves in life.items()}
    for subject_type, life in _LIVES.items()
}


def tell(
    random: Random, settings: Settings, stamps: Sequence[Instant | None]
) -> list[tuple[EventId, dict[str, Any]]]:
    """Return id and fields of one event for each of `stamps`, in the order of the log.

    `fields` are those of the document but ``id`` and ``created_at``. Setting read: ``id_order``,
    ``monotonic`` (ids rise) or else a random permutation of such ids. Ids are `ID_MIN` or more.
    """
    # One draw feeds all details: a choice costs Hypothesis a thousand times what it costs Random,
    # and nobody needs a shrunken title. The story comes first, so that a log with fewer events
    # tells the beginning of the same one, and shrinks.
    details = Random(random.getrandbits(64))  # noqa: S311 - seeded from the argument, no secret
    shop = _Shop(details)
    told = [shop.next_event() for _ in stamps]
    shuffled = settings.get("id_order", "monotonic") != "monotonic"
    # A shuffled run of equally long ids would show no mix of lengths: let it cross an edge.
    edge = random.choice(ID_EDGES[1:-1] if shuffled else ID_EDGES)
    ids = _ids(details, len(told), edge=edge, gap_max=random.choice(ID_GAPS_MAX))
    if shuffled:
        random.shuffle(ids)
    return list(zip(ids, told, strict=True))


def _ids(random: Random, count: int, *, edge: int, gap_max: int) -> list[int]:
    """Return `count` rising ids, the first below `edge` and the last not, if there are two."""
    if count == 0:
        return []
    gaps = (1 + int(random.random() * gap_max) for _ in range(count - 1))
    rises = list(accumulate(gaps, initial=0))
    crossing = 1 + int(random.random() * (count - 1)) if count > 1 else 0
    first = max(ID_MIN, edge - rises[crossing])
    return [first + rise for rise in rises]


_Words = dict[str, str]


class _Subject:
    """One thing in the shop: its words, as they are and escaped, and how far its life has come."""

    __slots__ = ("html", "id", "path", "plain", "state", "steps")

    def __init__(self, subject_type: str, subject_id: int, plain: _Words, html: _Words) -> None:
        self.id = subject_id
        self.path = f"/admin/{subject_type.lower()}s/{subject_id}"
        self.steps = _STEPS.get(subject_type, {})
        self.state = _NEW
        self.plain = {**plain, "link": plain["title"]}
        self.html = {**plain, **html}
        self.html["link"] = f'<a href="{self.path}">{self.html["title"]}</a>'


class _Shop:
    """All subjects under way; each call tells one step of one of them."""

    def __init__(self, random: Random) -> None:
        self._chance = random.random
        self._words = _escaped_words()
        self._open_max = 1 + int(random.random() * OPEN_MAX)
        self._orders: list[_Subject] = []
        self._others: list[_Subject] = []
        self._subject_id = 10**8 + int(random.random() * 9 * 10**8)
        self._transaction_id = 10**8 + int(random.random() * 9 * 10**8)
        self._order_number = ORDER_NUMBER_FIRST

    def next_event(self) -> dict[str, Any]:
        chance = self._chance
        is_order = chance() < ORDER_SHARE
        subjects = self._orders if is_order else self._others
        place = int(chance() * self._open_max)
        if place >= len(subjects):
            place = len(subjects)
            subjects.append(self._order() if is_order else self._other())
        subject = subjects[place]
        steps = subject.steps[subject.state]
        step = steps[int(chance() * len(steps))]
        subject.state = step.following
        if step.following == _END:
            del subjects[place]
        return _fields(self._comment(subject) if step.subject_type == "Comment" else subject, step)

    def _pick(self, kind: str) -> tuple[str, str]:
        words = self._words[kind]
        return words[int(self._chance() * len(words))]

    def _next_subject_id(self) -> int:
        self._subject_id += 1 + int(self._chance() * 5_000)
        return self._subject_id

    def _other(self) -> _Subject:
        subject_type = _OTHERS[int(self._chance() * len(_OTHERS))]
        title, title_html = self._pick(subject_type)
        staff, staff_html = self._pick("people") if self._chance() < 0.5 else ("haravan",) * 2
        return _Subject(
            subject_type,
            self._next_subject_id(),
            {"title": title, "staff": staff},
            {"title": title_html, "staff": staff_html},
        )

    def _comment(self, article: _Subject) -> _Subject:
        excerpt, excerpt_html = self._pick("Comment")
        comment = _Subject("Comment", self._next_subject_id(), article.plain, article.html)
        # The shop's own staff do not comment, and the link leads to the article.
        comment.plain |= {"excerpt": excerpt, "staff": "haravan"}
        comment.html |= {"excerpt": excerpt_html, "link": article.html["link"]}
        return comment

    def _order(self) -> _Subject:
        chance = self._chance
        (customer, customer_html), (staff, staff_html) = self._pick("people"), self._pick("people")
        title, title_html = self._pick("Product")
        (carrier, carrier_html) = self._pick("carriers")
        amount = PRICE_MIN + PRICE_STEP * int(chance() * chance() * PRICE_STEPS)
        quantity = 1 + int(chance() * 3)
        plain = {
            "title": f"#{self._order_number}",
            "shop": "haravan",
            "customer": customer,
            "staff": staff,
            "carrier": carrier,
            "items": f"{quantity} × {title}",  # noqa: RUF001 - a sign of multiplication is meant
            "amount": str(amount),
            "currency": "VND",
            "money": f"{amount:,}₫ VND",
            "card": f"{CARDS[int(chance() * len(CARDS))]} •••• •••• •••• {int(chance() * 1e4):04}",
        }
        for kind in TRANSACTIONS:
            self._transaction_id += 1 + int(chance() * 100)
            plain[kind] = str(self._transaction_id)
        self._order_number += 1
        html = {
            "customer": customer_html,
            "staff": staff_html,
            "carrier": carrier_html,
            "items": f"{quantity} × {title_html}",  # noqa: RUF001
        }
        return _Subject("Order", self._next_subject_id(), plain, html)


def _fields(subject: _Subject, step: _Step) -> dict[str, Any]:
    plain = subject.plain
    return {
        "arguments": [plain[name] for name in step.arguments],
        "body": None,
        "subject_id": subject.id,
        "subject_type": step.subject_type,
        "verb": step.verb,
        "message": step.say(subject.html),
        "author": plain[step.author],
        "description": None if step.subject_type == "Product" else step.say(plain),
        "path": subject.path,
    }


@lru_cache(maxsize=1)
def _escaped_words() -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the words of the shop by what they name, each as it is and escaped for HTML."""
    words: Vocabulary = vocabulary(LOCALE)
    plain = {
        "people": words.people,
        "Product": words.product_titles,
        "Collection": words.collection_titles,
        "Article": words.article_titles,
        "Blog": words.blog_titles,
        "Page": words.page_titles,
        "Comment": words.comment_excerpts,
        "carriers": CARRIERS,
    }
    return {kind: tuple((word, escape(word)) for word in all_) for kind, all_ in plain.items()}
