"""The stories of both dialects: repeatable, possible, complete, and awkward where it counts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeserver.clock import INSTANT_MAX, INSTANT_MIN, at
from fakeserver.dialects.haravan import lives
from fakeserver.dialects.haravan import stories as haravan
from fakeserver.dialects.haravan.terms import FIELDS
from fakeserver.dialects.saleschannel import stories as saleschannel
from fakeserver.errors import UsageError
from fakeserver.vocabulary import Vocabulary, vocabulary

NOON = at("2026-03-01T12:00:00Z")
STAMPS = [NOON + 1_000 * (number // 2) for number in range(60)]
"""Two events a second: every stamp is shared by two."""
SEEDS = range(200)

Events = list[tuple[int | str, dict[str, Any]]]


@pytest.fixture(scope="module")
def shop_worlds() -> list[Events]:
    return [haravan.tell(Random(seed), {}, STAMPS) for seed in SEEDS]


@pytest.fixture(scope="module")
def market_worlds() -> list[Events]:
    return [saleschannel.tell(Random(seed), {}, STAMPS) for seed in SEEDS]


# The words that the stories draw on


def test_the_vocabulary_is_drawn_once_and_never_differs() -> None:
    words = vocabulary("vi_VN")
    assert words is vocabulary("vi_VN")
    vocabulary.cache_clear()
    assert vocabulary("vi_VN") == words


def test_every_kind_of_word_is_plentiful_and_distinct() -> None:
    words = vocabulary("vi_VN")
    kinds = {name: getattr(words, name) for name in Vocabulary.__struct_fields__}
    assert all(len(set(kind)) == len(kind) >= 5 for kind in kinds.values())
    assert sum(map(len, kinds.values())) >= 200


@pytest.mark.parametrize("awkward", ["'", '"', "&", "<", ">", "ạ"])
def test_some_words_are_awkward(awkward: str) -> None:
    words = vocabulary("vi_VN")
    assert any(awkward in title for title in words.product_titles)
    assert any(awkward in excerpt for excerpt in words.comment_excerpts)


def test_a_language_without_words_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"vi_VN.*'xx_XX'"):
        vocabulary("xx_XX")


# What both dialects keep


def _digest_code(seeds: int) -> str:
    return (
        "import hashlib, json, sys\n"
        "from random import Random\n"
        "from fakeserver.dialects.haravan import stories as one\n"
        "from fakeserver.dialects.saleschannel import stories as two\n"
        "assert 'faker' not in sys.modules, 'Faker must be imported only when it is needed'\n"
        f"told = [m.tell(Random(s), dict(id_order=o), [None, 7, 7] * 20) for s in range({seeds})\n"
        "        for m in (one, two) for o in ('monotonic', 'time-ordered', 'random')]\n"
        "print(hashlib.sha256(json.dumps(told).encode()).hexdigest())\n"
    )


def test_the_same_seed_tells_the_same_in_every_process() -> None:
    digests = []
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", _digest_code(3)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert run.returncode == 0, run.stderr
        digests.append(run.stdout)
    assert len(digests[0].strip()) == 64
    assert digests[0] == digests[1]


@pytest.mark.parametrize("tell", [haravan.tell, saleschannel.tell], ids=["haravan", "saleschannel"])
def test_another_seed_tells_something_else(tell: Any) -> None:
    assert tell(Random(1), {}, STAMPS) != tell(Random(2), {}, STAMPS)


@pytest.mark.parametrize("tell", [haravan.tell, saleschannel.tell], ids=["haravan", "saleschannel"])
def test_a_shorter_log_tells_the_beginning_of_the_same_story(tell: Any) -> None:
    whole = [fields for _, fields in tell(Random(7), {}, STAMPS)]
    for count in (0, 1, 20):
        assert [fields for _, fields in tell(Random(7), {}, STAMPS[:count])] == whole[:count]


stamps_drawn = st.lists(
    st.none() | st.integers(min_value=INSTANT_MIN, max_value=INSTANT_MAX), max_size=30
)


@settings(deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    id_order=st.sampled_from(["monotonic", "shuffled"]),
    extra_verbs=st.sampled_from(["none", "categories"]),
    stamps=stamps_drawn,
)
def test_any_shop_is_possible(
    random: Random, id_order: str, extra_verbs: str, stamps: list[int | None]
) -> None:
    events = haravan.tell(random, {"id_order": id_order, "extra_verbs": extra_verbs}, stamps)
    assert len({event_id for event_id, _ in events}) == len(stamps)
    assert list(shop_slips(events)) == []
    assert json.loads(json.dumps(events)) == [list(event) for event in events]


@settings(deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    chosen=st.fixed_dictionaries(
        {
            "id_order": st.sampled_from(["time-ordered", "random"]),
            "event_at": st.sampled_from(["before", "null-sometimes", "any"]),
            "event_types": st.sampled_from(["one", "expanding"]),
            "statuses": st.sampled_from(["five", "more"]),
        }
    ),
    stamps=stamps_drawn,
)
def test_any_market_is_possible(
    random: Random, chosen: dict[str, str], stamps: list[int | None]
) -> None:
    events = saleschannel.tell(random, chosen, stamps)
    assert len({event_id for event_id, _ in events}) == len(stamps)
    assert list(market_slips(events)) == []
    assert json.loads(json.dumps(events)) == [list(event) for event in events]
    for _, fields in events:
        assert fields["eventAt"] is None or INSTANT_MIN <= fields["eventAt"] <= INSTANT_MAX


# What may follow what at Haravan. Written from the meaning of the words, not from the tables.

PAID = {"capture_success", "sale_success"}
NEEDS: Mapping[str, tuple[set[str], ...]] = {
    "capture": ({"authorization_success"},),
    "fulfillment": (PAID,),
    "fulfillment_cancelled": ({"fulfillment_pending"},),
    "void": ({"authorization_success"}, {"cancelled"}),
    "refund": (PAID,),
    "restock": ({"cancelled", "refund_success"},),
    "re": ({"closed"},),
}
"""By verb or by its first word: of each set, one must have gone before."""
ENDS: Mapping[str, set[str]] = {
    "placed": {"placed"},
    "confirmed": {"confirmed"},
    "authorization": PAID | {"authorization_success", "cancelled"},
    "capture": PAID | {"void_success", "cancelled"},
    "sale": PAID | {"authorization_success", "cancelled"},
    "fulfillment": {"fulfillment_success", "cancelled", "refund_success"},
    "void": {"void_success", "capture_success"},
    "refund": {"refund_success"},
    "restock": {"restock_line_items"},
    "cancelled": {"cancelled", "fulfillment_success"},
}
"""None of these may have gone before."""


def order_slips(verbs: Sequence[str]) -> Iterator[str]:
    """Say what is impossible in the life of one order."""
    if list(verbs[:2]) != ["placed", "confirmed"][: len(verbs)]:
        yield f"an order starts placed, confirmed; not {verbs[:2]}"
    pending = ""
    is_closed = False
    for number, verb in enumerate(verbs):
        past = set(verbs[:number])
        kind = verb.partition("_")[0]
        for needed in (*NEEDS.get(kind, ()), *(NEEDS.get(verb, ()) if verb != kind else ())):
            if not needed & past:
                yield f"{verb} without {needed}"
        if ENDS.get(kind, set()) & past:
            yield f"{verb} after {ENDS[kind] & past}"
        if pending and kind != pending:
            yield f"{verb} while {pending} is pending"
        if verb == f"{pending}_pending":
            yield f"{verb} twice"
        pending = kind if verb.endswith("_pending") else ""
        if is_closed != (verb == "re_opened"):
            yield f"{verb} while the order is {'closed' if is_closed else 'open'}"
        is_closed = verb == "closed"


def content_slips(verbs: Sequence[str]) -> Iterator[str]:
    """Say what is impossible in the life of anything but an order."""
    is_shown = False
    for number, verb in enumerate(verbs):
        if (verb == "create") != (number == 0):
            yield f"{verb} as number {number + 1}"
        if "destroy" in verbs[:number]:
            yield f"{verb} after destroy"
        if verb in ("published", "unpublished"):
            if is_shown == (verb == "published"):
                yield f"{verb} without a change"
            is_shown = verb == "published"


def shop_slips(events: Events) -> Iterator[str]:
    """Say what is impossible in one world."""
    lives: dict[tuple[str, int], list[str]] = defaultdict(list)
    for _, fields in events:
        lives[fields["subject_type"], fields["subject_id"]].append(fields["verb"])
        if fields["subject_type"] == "Comment":
            article = int(re.findall(r"/admin/articles/(\d+)", fields["message"])[0])
            told = [verb for verb in lives["Article", article] if verb != "update"]
            if told[-1:] != ["published"]:
                yield f"a comment on article {article}, which is not shown: {told}"
    for (subject_type, _), verbs in lives.items():
        if not verbs:
            continue
        yield from order_slips(verbs) if subject_type == "Order" else content_slips(verbs)
    if len({subject_id for _, subject_id in lives}) != len(lives):
        yield "two subjects share an id"


IMPOSSIBLE_ORDERS = [
    "confirmed",
    "placed placed",
    "placed confirmed capture_success",
    "placed confirmed capture_pending",
    "placed confirmed fulfillment_pending",
    "placed confirmed authorization_success void_success",
    "placed confirmed authorization_pending capture_success",
    "placed confirmed sale_success sale_success",
    "placed confirmed sale_success fulfillment_cancelled",
    "placed confirmed sale_pending update sale_success",
    "placed confirmed sale_pending sale_pending",
    "placed confirmed refund_success",
    "placed confirmed restock_line_items",
    "placed confirmed re_opened",
    "placed confirmed sale_success fulfillment_success closed update",
    "placed confirmed sale_success cancelled fulfillment_success",
    "placed confirmed sale_success refund_success refund_success",
]


@pytest.mark.parametrize("verbs", IMPOSSIBLE_ORDERS)
def test_the_checker_catches_an_impossible_order(verbs: str) -> None:
    assert list(order_slips(verbs.split())) != []


@pytest.mark.parametrize(
    "verbs", ["update", "create destroy update", "create unpublished", "create create"]
)
def test_the_checker_catches_an_impossible_product(verbs: str) -> None:
    assert list(content_slips(verbs.split())) != []


def test_the_checker_spares_a_possible_order() -> None:
    verbs = "placed confirmed authorization_pending authorization_success capture_failure"
    verbs += " capture_success fulfillment_pending fulfillment_cancelled fulfillment_success"
    verbs += " closed re_opened refund_pending refund_success restock_line_items closed"
    assert list(order_slips(verbs.split())) == []


def test_no_shop_tells_the_impossible(shop_worlds: list[Events]) -> None:
    assert [slip for events in shop_worlds for slip in shop_slips(events)] == []


# What a whole Haravan log shows


SHOWN_OR_HIDDEN = "create destroy published unpublished update"
MONEY = ("authorization", "capture", "refund", "sale", "void")
DOCUMENTED = {
    "Article": SHOWN_OR_HIDDEN.split(),
    "Blog": ["create", "destroy", "update"],
    "Collection": SHOWN_OR_HIDDEN.split(),
    "Comment": ["create"],
    "Order": [
        *("cancelled", "closed", "confirmed", "mail_sent", "placed", "re_opened", "update"),
        *("fulfillment_cancelled", "fulfillment_pending", "fulfillment_success"),
        "restock_line_items",
        *(f"{kind}_{how}" for kind in MONEY for how in ("failure", "pending", "success")),
    ],
    "Page": SHOWN_OR_HIDDEN.split(),
    "Product": SHOWN_OR_HIDDEN.split(),
}


def test_the_table_has_the_fifty_rows_of_the_document() -> None:
    assert {name: sorted(verbs) for name, verbs in lives.VERBS.items()} == {
        name: sorted(verbs) for name, verbs in DOCUMENTED.items()
    }
    assert [len(lives.VERBS[name]) for name in DOCUMENTED] == [5, 3, 5, 1, 26, 5, 5]
    assert sum(map(len, lives.VERBS.values())) == 50


def test_every_row_is_told(shop_worlds: list[Events]) -> None:
    told = {(f["subject_type"], f["verb"]) for events in shop_worlds for _, f in events}
    assert told == {(name, verb) for name, verbs in lives.VERBS.items() for verb in verbs}


def test_orders_dominate_and_subjects_interleave(shop_worlds: list[Events]) -> None:
    types = Counter(f["subject_type"] for events in shop_worlds for _, f in events)
    assert 0.55 < types["Order"] / types.total() < 0.65
    subjects = [[f["subject_id"] for _, f in events] for events in shop_worlds]
    returned_to = [
        world
        for world in subjects
        if any(a == c != b for a, b, c in zip(world, world[1:], world[2:], strict=False))
    ]
    assert len(returned_to) > len(shop_worlds) / 2


def test_an_event_has_the_fields_of_the_document(shop_worlds: list[Events]) -> None:
    for events in shop_worlds:
        for _, fields in events:
            assert [*fields] == [name for name in FIELDS if name not in ("id", "created_at")]
            assert isinstance(fields["subject_id"], int)
            assert fields["body"] is None
            word = fields["subject_type"].lower()
            assert fields["path"] == f"/admin/{word}s/{fields['subject_id']}"
            assert all(isinstance(argument, str) for argument in fields["arguments"])
            is_product = fields["subject_type"] == "Product"
            assert (fields["description"] is None) == is_product


def test_the_author_is_haravan_or_one_of_the_staff(shop_worlds: list[Events]) -> None:
    people = {*vocabulary("vi_VN").people}
    authors: dict[tuple[str, str], set[str]] = defaultdict(set)
    for events in shop_worlds:
        for _, fields in events:
            assert fields["author"] in people | {"haravan"}
            authors[fields["subject_type"], fields["verb"]].add(fields["author"])
            if fields["verb"] == "cancelled":
                assert fields["description"] == f"Order was cancelled by {fields['author']}."
    assert authors["Order", "placed"] == authors["Comment", "create"] == {"haravan"}
    assert "haravan" in authors["Product", "create"]
    assert authors["Product", "create"] & people
    assert "haravan" not in authors["Order", "cancelled"]


def test_amounts_stay_the_same_within_an_order(shop_worlds: list[Events]) -> None:
    for events in shop_worlds:
        amounts: dict[int, set[str]] = defaultdict(set)
        for _, fields in events:
            if fields["arguments"][2:] == ["VND"]:
                amounts[fields["subject_id"]].add(fields["arguments"][1])
            for money in re.findall(r"([0-9,]+)₫ VND", fields["message"]):
                amounts[fields["subject_id"]].add(money.replace(",", ""))
        assert amounts
        assert all(len(amount) == 1 for amount in amounts.values())


def test_the_samples_wording(shop_worlds: list[Events]) -> None:
    fields = [f for events in shop_worlds for _, f in events]
    by_row = {(f["subject_type"], f["verb"]): f for f in fields}
    assert by_row["Order", "placed"]["message"] == "Order was placed"
    confirmed = by_row["Order", "confirmed"]
    name, customer = confirmed["arguments"]
    assert name.startswith("#10")
    assert confirmed["description"] == f"Received new order {name} by {customer}"
    assert f'order <a href="{confirmed["path"]}">{name}</a> by ' in confirmed["message"]
    assert re.fullmatch(
        r"The customer successfully authorized [0-9,]+₫ VND on \w+ •••• •••• •••• \d{4}",
        by_row["Order", "authorization_success"]["message"],
    )
    created = by_row["Product", "create"]
    assert created["message"].startswith(f'created a new product: <a href="{created["path"]}">')
    assert created["message"].endswith("</a>.")


# The HTML in Haravan's messages


class _Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_messages_are_html_with_everything_but_the_link_escaped(
    shop_worlds: list[Events],
) -> None:
    awkward = set()
    for events in shop_worlds:
        for _, fields in events:
            read = _Reader(fields["message"])
            assert [tag for tag, _ in read.tags] in ([], ["a"])
            if read.tags and fields["subject_type"] != "Comment":
                assert read.tags[0][1] == [("href", fields["path"])]
            if fields["description"] is not None:
                assert read.text == fields["description"]
            else:
                assert fields["arguments"][0] in read.text
            awkward |= set("<>&\"'") & set(read.text)
    assert awkward == set("<>&\"'")


# The ids of Haravan's events


def _shop_ids(seed: int, id_order: str, count: int) -> list[int]:
    ids = [i for i, _ in haravan.tell(Random(seed), {"id_order": id_order}, [None] * count)]
    assert all(type(event_id) is int for event_id in ids)
    return [int(event_id) for event_id in ids]


@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_monotonic_ids_rise_from_two_on(count: int) -> None:
    for seed in SEEDS:
        ids = _shop_ids(seed, "monotonic", count)
        assert len(ids) == count
        assert all(event_id >= 2 for event_id in ids)
        assert ids == sorted(set(ids))


@pytest.mark.parametrize("edge", [10, 100, 1_000, 10**9])
def test_ids_cross_a_change_of_digit_count(shop_worlds: list[Events], edge: int) -> None:
    spans = [(events[0][0], events[-1][0]) for events in shop_worlds]
    assert any(int(first) < edge <= int(last) for first, last in spans)


def test_shuffled_ids_are_unique_disordered_and_of_several_lengths() -> None:
    disordered = 0
    for seed in SEEDS:
        ids = _shop_ids(seed, "shuffled", 5)
        assert len(set(ids)) == 5
        assert min(ids) >= 2
        assert len({len(str(i)) for i in ids}) > 1
        disordered += ids != sorted(ids)
    assert disordered > len(SEEDS) / 2


# The transactions of the sales channel

FOLLOWS = {
    None: {"STARTED"},
    "STARTED": {"PENDING", "SUCCESS", "FAILED"},
    "PENDING": {"SUCCESS", "FAILED", "REJECTED"},
}
MORE = {"STARTED": {"CANCELLED"}, "PENDING": {"CANCELLED", "EXPIRED"}}
"""Where the settings have more statuses; they are ends, so nothing follows on them."""


def market_slips(events: Events) -> Iterator[str]:
    """Say what is impossible in one world."""
    statuses: dict[str, str] = {}
    for _, fields in events:
        if "details" not in fields:
            continue
        details = fields["details"]
        transaction = details["transactionId"]
        before = statuses.get(transaction)
        if details["previousStatus"] != before:
            yield f"{transaction} was {before}, not {details['previousStatus']}"
        if details["status"] not in FOLLOWS.get(before, set()) | MORE.get(before, set()):
            yield f"{details['status']} after {before}"
        statuses[transaction] = details["status"]


def _change(status: str, previous: str | None) -> tuple[str, dict[str, Any]]:
    details = {"transactionId": "t", "status": status, "previousStatus": previous}
    return status, {"eventType": "TRANSACTION_STATUS_CHANGE", "eventAt": 0, "details": details}


@pytest.mark.parametrize(
    "changes",
    [
        [_change("SUCCESS", None)],
        [_change("STARTED", None), _change("SUCCESS", "PENDING")],
        [_change("STARTED", None), _change("REJECTED", "STARTED")],
        [_change("STARTED", None), _change("FAILED", "STARTED"), _change("PENDING", "FAILED")],
    ],
)
def test_the_checker_catches_an_impossible_transaction(changes: Events) -> None:
    assert list(market_slips(changes)) != []


def test_no_market_tells_the_impossible_and_every_change_is_told(
    market_worlds: list[Events],
) -> None:
    assert [slip for events in market_worlds for slip in market_slips(events)] == []
    details = [f["details"] for events in market_worlds for _, f in events]
    told = {(change["previousStatus"], change["status"]) for change in details}
    assert told == {(before, after) for before, afters in FOLLOWS.items() for after in afters}


def test_a_change_has_the_fields_of_the_document(market_worlds: list[Events]) -> None:
    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    for events in market_worlds:
        for _, fields in events:
            assert [*fields] == ["eventType", "eventAt", "details"]
            assert fields["eventType"] == "TRANSACTION_STATUS_CHANGE"
            assert [*fields["details"]] == ["transactionId", "status", "previousStatus"]
            assert uuid.fullmatch(fields["details"]["transactionId"])


@pytest.mark.parametrize("number", [0, 2**128 - 1, *map(Random(1).getrandbits, [128] * 50)])
def test_a_transaction_id_is_a_uuid_of_version_4(number: int) -> None:
    assert saleschannel._uuid4(number) == str(UUID(int=number, version=4))


def test_ids_are_cuids_that_hold_the_stamp_and_rise(market_worlds: list[Events]) -> None:
    for events in market_worlds:
        ids = [str(event_id) for event_id, _ in events]
        assert ids == sorted(set(ids))
        assert all(re.fullmatch(r"c[0-9a-z]{24}", event_id) for event_id in ids)
        assert [int(event_id[1:9], 36) for event_id in ids] == STAMPS


def test_time_ordered_ids_rise_where_stamps_fall_or_are_missing() -> None:
    stamps = [None, NOON, NOON - 5, None, NOON, INSTANT_MIN, INSTANT_MAX, NOON]
    ids = [str(event_id) for event_id, _ in saleschannel.tell(Random(1), {}, stamps)]
    assert ids == sorted(set(ids))
    assert {len(event_id) for event_id in ids} == {25}


def test_random_ids_do_not_rise() -> None:
    ids = [str(i) for i, _ in saleschannel.tell(Random(1), {"id_order": "random"}, STAMPS)]
    assert len(set(ids)) == len(STAMPS)
    assert ids != sorted(ids)


def _event_times(event_at: str) -> list[tuple[int, int | None]]:
    return [
        (stamp, fields["eventAt"])
        for seed in SEEDS
        for stamp, (_, fields) in zip(
            STAMPS,
            saleschannel.tell(Random(seed), {"event_at": event_at}, STAMPS),
            strict=True,
        )
    ]


def test_event_at_before_is_never_null_nor_later() -> None:
    times = _event_times("before")
    assert all(moment is not None and moment <= stamp for stamp, moment in times)
    assert any(moment is not None and moment < stamp for stamp, moment in times)


def test_event_at_before_rises_within_a_transaction(market_worlds: list[Events]) -> None:
    for events in market_worlds:
        latest: dict[str, int] = {}
        for _, fields in events:
            transaction = fields["details"]["transactionId"]
            assert fields["eventAt"] >= latest.get(transaction, 0)
            latest[transaction] = fields["eventAt"]


def test_event_at_null_sometimes_is_null_or_not_later() -> None:
    times = _event_times("null-sometimes")
    nulls = sum(moment is None for _, moment in times)
    assert 0.1 < nulls / len(times) < 0.3
    assert all(moment is None or moment <= stamp for stamp, moment in times)


def test_event_at_any_is_null_earlier_and_later() -> None:
    times = _event_times("any")
    assert any(moment is None for _, moment in times)
    assert any(moment is not None and moment < stamp for stamp, moment in times)
    assert any(moment is not None and moment > stamp for stamp, moment in times)


def test_expanding_event_types_come_without_details() -> None:
    for seed in range(20):
        chosen = {"event_types": "expanding"}
        told = [f for _, f in saleschannel.tell(Random(seed), chosen, [*STAMPS, *STAMPS])]
        future = [f for f in told if f["eventType"] != "TRANSACTION_STATUS_CHANGE"]
        assert 0 < len(future) < len(told) / 2
        assert all([*f] == ["eventType", "eventAt"] for f in future)
        assert all("details" in f for f in told if f not in future)
