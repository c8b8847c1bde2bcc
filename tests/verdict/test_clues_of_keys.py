"""Keys of a checkpoint that were numbers: told where they are the reason, and not elsewhere."""

import json

import pytest

from fakeserver.history import from_lines, to_lines
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.report.as_json import verdict_json
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify

from .worlds import event, get, poll, world

CAME_BACK = 'The id of e1 was saved as a key, and keys are texts in JSON: 2 came back as "2", which'
RAISED = "What it had saved by then has keys that were numbers, and keys are texts in JSON"
NUMBERS = "Make numbers of such keys again where the checkpoint is read, {int(key): value"
TWO = (event(2, 1), event(3, 100))


def storing(read, *, known=lambda store, row: row["id"] in store, key=lambda row: row["id"]):
    """A client that reads the whole log in each poll, and what it delivered are keys."""

    def client(feed):
        store = read(feed.checkpoint or {})
        for row in get(feed, {"since_id": 1, "limit": 10}):
            if not known(store, row):
                feed.deliver(row)
                store[key(row)] = row["message"]
        feed.save(store)

    return client


def numbers(saved):
    return {int(key): value for key, value in saved.items()}


def first_finding(client, scenario=None, promise=None):
    scenario = scenario or world(TWO, page_size=10)
    found = judge(scenario, run(scenario, client), promise).findings
    return found[0] if found else None


def test_a_repeat_is_told_that_its_key_came_back_as_a_text():
    repeat = first_finding(storing(dict))
    assert repeat.rule == "DUPLICATED"
    assert repeat.why[-1].startswith(CAME_BACK)
    assert repeat.would.startswith(NUMBERS)


def filled(feed, store):
    """A function of somebody's own: it reads the whole log into a store, over what is there."""
    for row in get(feed, {"since_id": 1, "limit": 10}):
        store["events"].setdefault(row["id"], row)


@pytest.mark.parametrize(("key", "is_told"), [(int, False), (str, True)])
def test_a_function_that_fills_a_store_is_wrapped_as_the_first_page_says(key, is_told):
    def one_poll(feed):
        store = feed.checkpoint or {"events": {}}
        old = {key(i): row for i, row in store["events"].items()}
        store["events"] = dict(old)
        filled(feed, store)
        feed.commit([row for i, row in store["events"].items() if i not in old], store)

    repeat = first_finding(one_poll)
    assert (repeat is not None) is is_told
    assert repeat is None or repeat.why[-1].startswith(CAME_BACK)


def test_after_a_restart_too():
    polls = (10, poll(120, restart=True), 180, 240, 300)
    repeat = first_finding(storing(dict), world(TWO, page_size=10, polls=polls, calm_from=2))
    assert repeat.rule == "DUPLICATED"
    assert repeat.why[-1].startswith(CAME_BACK)


def test_who_makes_numbers_of_them_again_is_spared():
    assert first_finding(storing(numbers)) is None
    verdict = verify(
        storing(numbers), dialect="haravan", promise=Promise(late_by_ms_max=0), examples=20
    )
    assert "keys" not in verdict.text()


@pytest.mark.parametrize(
    "client",
    [
        storing(numbers, known=lambda store, row: row["id"] in store and row["id"] != 2),
        storing(dict, known=lambda store, row: False, key=lambda row: str(row["id"])),
        storing(dict, known=lambda store, row: False, key=lambda row: row["subject_id"]),
    ],
    ids=["copes with another", "saved a text", "saved another number"],
)
def test_a_repeat_for_another_reason_is_not_told_of_keys(client):
    repeat = first_finding(client, world([event(2, 1), event(3, 2)], page_size=10))
    assert repeat.rule == "DUPLICATED"
    assert "texts in JSON" not in " ".join(repeat.why)
    assert not repeat.would.startswith(NUMBERS)


def test_a_loop_that_reads_no_checkpoint_is_not_told_of_keys():
    def endless(feed):
        delivered = {}
        while True:
            for row in get(feed, {"since_id": 1, "limit": 10}):
                feed.deliver(row)
                delivered[row["id"]] = 1
            feed.save(delivered)
            feed.sleep(60)

    repeat = first_finding(endless)
    assert repeat.rule == "DUPLICATED"
    assert "texts in JSON" not in " ".join(repeat.why)


def largest(store):
    max([*store, 5])
    return store


def of_two(store):
    return {**store, **({2: store[2]} if store else {})}


@pytest.mark.parametrize("read", [largest, of_two], ids=["TypeError", "KeyError"])
def test_an_exception_over_such_keys_is_told_of_them(read):
    crash = first_finding(storing(read))
    assert crash.rule == "CRASHED"
    assert crash.why[-1].startswith(RAISED)
    assert crash.would.startswith(NUMBERS)


def raising(error, save):
    def client(feed):
        get(feed, {"since_id": 1, "limit": 10})
        if feed.checkpoint:
            raise error
        feed.save(save)

    return client


@pytest.mark.parametrize(
    "client",
    [
        raising(TypeError("'>' not supported between instances of 'str' and 'int'"), {"2": 1}),
        raising(TypeError("'>' not supported between instances of 'NoneType' and 'int'"), {2: 1}),
        raising(KeyError(9), {2: 1}),
        raising(KeyError("2"), {2: 1}),
        raising(ValueError("2: str, int"), {2: 1}),
    ],
    ids=["keys were texts", "no text", "no such key", "asked for a text", "another error"],
)
def test_another_exception_is_not_told_of_them(client):
    crash = first_finding(client, world(TWO, page_size=10, polls=(10, 120, 180, 240)))
    assert crash.rule == "CRASHED"
    assert "texts in JSON" not in " ".join(crash.why)


def test_the_fact_travels_with_the_history():
    scenario = world(TWO, page_size=10)
    verdict = judge(scenario, run(scenario, storing(dict)))
    steps = json.loads(verdict_json(verdict))["history"]
    assert next(s["keys_made_text"] for s in steps if s["step"] == "saved") == ["int"]
    again = judge(scenario, from_lines(to_lines(verdict.history)))
    assert again.findings == verdict.findings
