"""What Haravan's events tell: the lives of a shop's products, pages and, above all, orders.

What may follow what is in `lives.py`. Messages are HTML: names and titles in them are escaped.
Descriptions are the same in plain text, but None for products, as in the samples. Only the order of
the verbs is told: when each happens is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from itertools import accumulate
from random import Random
from typing import Any

from fakeserver.clock import Instant
from fakeserver.dialects.base import Settings
from fakeserver.dialects.haravan.lives import END, NEW, STEPS, Step, Steps
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

_OTHERS = ("Product",) * 5 + ("Article",) * 4 + ("Collection",) * 2 + ("Page",) * 2 + ("Blog",)
"""What else a shop begins, by frequency."""


def tell(
    random: Random, settings: Settings, stamps: Sequence[Instant | None], told_before: int = 0
) -> list[tuple[EventId, dict[str, Any]]]:
    """Return id and fields of one event for each of `stamps`, in the order of the log.

    `fields` are those of the document but ``id`` and ``created_at``. Settings read: ``id_order``,
    ``monotonic`` (ids rise) or else a random permutation of such ids, and ``extra_verbs``. Ids are
    `ID_MIN` or more. Orders are numbered as in a shop that has had `told_before` of them.
    """
    # One draw feeds all details: a choice costs Hypothesis a thousand times what it costs Random,
    # and nobody needs a shrunken title. The story comes first, so that a log with fewer events
    # tells the beginning of the same one, and shrinks.
    details = Random(random.getrandbits(64))  # noqa: S311 - seeded from the argument, no secret
    shop = _Shop(details, STEPS[str(settings.get("extra_verbs", "none"))], told_before)
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

    def __init__(
        self,
        subject_type: str,
        subject_id: int,
        plain: _Words,
        html: _Words,
        steps: Mapping[str, tuple[Step, ...]],
    ) -> None:
        self.id = subject_id
        self.path = f"/admin/{subject_type.lower()}s/{subject_id}"
        self.steps = steps
        self.state = NEW
        self.plain = {**plain, "link": plain["title"]}
        self.html = {**plain, **html}
        self.html["link"] = f'<a href="{self.path}">{self.html["title"]}</a>'


class _Shop:
    """All subjects under way; each call tells one step of one of them."""

    def __init__(self, random: Random, lives: Steps, orders_before: int) -> None:
        self._lives = lives
        self._chance = random.random
        self._words = _escaped_words()
        self._open_max = 1 + int(random.random() * OPEN_MAX)
        self._orders: list[_Subject] = []
        self._others: list[_Subject] = []
        self._subject_id = 10**8 + int(random.random() * 9 * 10**8)
        self._transaction_id = 10**8 + int(random.random() * 9 * 10**8)
        self._order_number = ORDER_NUMBER_FIRST + orders_before

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
        if step.following == END:
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
            self._lives[subject_type],
        )

    def _comment(self, article: _Subject) -> _Subject:
        excerpt, excerpt_html = self._pick("Comment")
        # It has no life of its own: nothing follows on a comment.
        comment = _Subject("Comment", self._next_subject_id(), article.plain, article.html, {})
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
        return _Subject("Order", self._next_subject_id(), plain, html, self._lives["Order"])


def _fields(subject: _Subject, step: Step) -> dict[str, Any]:
    plain = subject.plain
    return {
        "arguments": list(map(plain.__getitem__, step.arguments)),
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
