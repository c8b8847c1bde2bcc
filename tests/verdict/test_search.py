"""The search: the same seed finds the same, hazards can be chosen, a client's own size is met."""

import json

import msgspec
import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.drawing.faults import DRAWN
from fakeserver.drawing.plan import HAZARD_ODDS
from fakeserver.errors import ContractBroken, ProfileError, UsageError
from fakeserver.fault import Fault
from fakeserver.generate import generate_scenario
from fakeserver.scenario import Scenario
from fakeserver.verifier import hunting, playing, search
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify
from fakeserver.verifier.untried import untried

from .worlds import by_id, get

PROMPT = Promise(late_by_ms_max=0)
DOCUMENTS = {name: find_dialect(name).document_client for name in DIALECTS}


def found(client, **options):
    return verify(client, **{"dialect": "haravan", "examples": 60, "seed": 7, **options})


# Seeds


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_seed_gives_the_same_verdict(dialect):
    first, second = (found(DOCUMENTS[dialect], dialect=dialect) for _ in range(2))
    assert first.outcome == "broken"
    assert first.to_json() == second.to_json()
    assert first.text() == second.text()


def test_another_seed_draws_other_worlds():
    first, second = (found(by_id, promise=PROMPT, seed=seed, examples=20) for seed in (1, 2))
    assert (first.outcome, second.outcome) == ("kept", "kept")
    assert first.requests != second.requests


def test_a_broken_verdict_says_where_it_is_from():
    verdict = found(DOCUMENTS["haravan"])
    assert verdict.seed == 7
    assert verdict.found_at == verdict.examples - 1
    assert len(verdict.scenario.events) <= verdict.shrunk_from
    assert sum(verdict.exercised.values()) > len(verdict.exercised)
    assert f"seed 7 · example {verdict.found_at}" in " ".join(verdict.text().split())


def test_the_world_of_a_broken_verdict_can_be_run_again():
    verdict = found(DOCUMENTS["haravan"])
    again = Scenario.from_json(verdict.scenario.to_json())
    assert run(again, DOCUMENTS["haravan"]) == verdict.history


def test_a_kept_verdict_counts_all_worlds():
    verdict = found(by_id, promise=PROMPT, examples=12)
    assert (verdict.outcome, verdict.examples, verdict.found_at) == ("kept", 12, None)
    assert (verdict.scenario, verdict.history, verdict.findings) == (None, (), ())
    assert verdict.requests.count >= verdict.requests.lower_bound > 12
    assert verdict.check() is verdict


def test_notes_are_added_up():
    def again_and_again(feed):
        for row in get(feed, {"limit": 250}):
            feed.deliver(row)

    verdict = found(
        again_and_again, promise=Promise(delivery="at-least-once"), page_size=3, examples=9
    )
    assert verdict.outcome == "kept"
    (note,) = verdict.notes
    assert note == f"{verdict.counted['repeats']} repeats allowed by at-least-once"


# Hazards


def test_only_names_what_may_be_planted():
    verdict = found(by_id, promise=PROMPT, only=["exact-multiple-of-limit"], examples=15)
    assert verdict.exercised["exact-multiple-of-limit"] > 0
    assert not {"crash-before-save", "crash-after-save", "restart"} & set(verdict.exercised)
    assert not (set(HAZARD_ODDS) - {"exact-multiple-of-limit"}) & set(verdict.not_exercised)


@pytest.mark.parametrize(
    ("dialect", "hazard"), [("saleschannel", "late-visible"), ("haravan", "zone-shift")]
)
def test_only_refuses_what_can_not_occur(dialect, hazard):
    with pytest.raises(UsageError, match=f"{hazard} can't occur: {dialect} with profile default"):
        verify(DOCUMENTS[dialect], dialect=dialect, only=[hazard])


def test_without_names_what_may_not():
    everything = found(by_id, promise=PROMPT, examples=40)
    assert everything.exercised["crash-before-save"]
    verdict = found(by_id, promise=PROMPT, without=["crash-before-save"], examples=40)
    assert "crash-before-save" not in {*verdict.exercised, *verdict.not_exercised}
    assert verdict.exercised["crash-after-save"]


def test_without_the_hazard_the_fault_is_not_found():
    assert found(DOCUMENTS["haravan"]).outcome == "broken"
    assert found(DOCUMENTS["haravan"], promise=PROMPT).outcome == "kept"


def test_without_means_none_at_all():
    """Lateness and ties, which draw themselves, and what is planted and nothing else."""

    class Right:
        def poll(self, feed):
            find_dialect("haravan").reference_client(feed)

    kept_out = {
        *("late-visible", "tie-at-page-edge", "tie-group-over-limit"),
        *("restart", "crash-before-save", "crash-after-save", "long-outage"),
    }
    usual = found(Right)
    assert kept_out <= set(usual.exercised)
    calm = found(Right, without=kept_out)
    assert calm.examples == 60
    assert not kept_out & {*calm.exercised, *calm.not_exercised}
    groups = found(Right, without=["tie-group-over-limit"])
    assert "tie-group-over-limit" not in groups.exercised
    assert groups.exercised["tie-at-page-edge"]


def test_without_lateness_no_row_of_a_transaction_is_late():
    only = [name for name in HAZARD_ODDS if name != "late-visible"]
    for example in range(30):
        world = generate_scenario(
            dialect="saleschannel", profile="transactional", example=example, hazards=only
        )
        assert world.late_by_ms_max
        assert not any(event.late_by_ms for event in world.events)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", DRAWN)
def test_a_fault_can_be_chosen_and_kept_out(dialect, kind):
    client = find_dialect(dialect).reference_client
    alone = found(client, dialect=dialect, only=[kind])
    assert alone.outcome == "kept"
    assert alone.exercised[kind]
    assert not (set(DRAWN) - {kind}) & {*alone.exercised, *alone.not_exercised}
    spared = found(client, dialect=dialect, without=[kind])
    assert kind not in {*spared.exercised, *spared.not_exercised}
    assert set(DRAWN) - {kind} <= {*spared.exercised, *spared.not_exercised}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_fault_that_is_not_to_blame_is_not_shown(dialect):
    """Several of these worlds had one when they were found."""
    found_with, late = 0, {"haravan": None, "saleschannel": PROMPT}[dialect]
    for seed in range(12):
        verdict = found(DOCUMENTS[dialect], dialect=dialect, seed=seed, promise=late)
        assert verdict.outcome == "broken"
        drawn = generate_scenario(
            dialect=dialect,
            seed=seed,
            example=verdict.found_at,
            late_by_ms_max=late and late.late_by_ms_max,
        )
        found_with += any(poll.faults for poll in drawn.polls)
        assert not any(poll.faults for poll in verdict.scenario.polls), verdict.text()
    assert found_with >= 3


def test_only_and_without_can_not_name_the_same():
    with pytest.raises(UsageError, match="backlog: expected in only or in without, got it"):
        found(by_id, only=["backlog", "long-outage"], without=["backlog"])


@pytest.mark.parametrize("option", ["only", "without"])
def test_a_hazard_that_can_not_be_chosen_is_refused(option):
    comes = (
        "can't choose the hazard 'order-flip': it comes with the profile, or .* known are tie-at"
    )
    with pytest.raises(UsageError, match=comes):
        found(by_id, **{option: ["order-flip"]})
    with pytest.raises(UsageError, match="there is none of that name; known are tie-at"):
        found(by_id, **{option: ["oder-flip"]})


def test_what_the_kind_of_client_rules_out_is_not_missed():
    class Follower:
        def poll(self, feed):
            by_id(feed)

    def forgetful(feed):
        for row in get(feed, {"since_id": 1, "limit": 250}):
            feed.deliver(row)

    loose = Promise(delivery="at-least-once", late_by_ms_max=0)
    assert "restart" not in found(by_id, promise=PROMPT, examples=1).not_exercised
    assert "crash-after-save" not in found(forgetful, promise=loose, examples=1).not_exercised
    missed = found(Follower, promise=PROMPT, examples=1, only=["restart"], seed=1)
    assert "restart" in {*missed.exercised, *missed.not_exercised}


def test_nothing_exercised_proves_nothing(monkeypatch):
    monkeypatch.setattr(playing, "generate_scenario", lambda **_: quiet())
    verdict = found(by_id, examples=2)
    assert (verdict.outcome, verdict.exit_status) == ("inconclusive", 3)
    assert verdict.notes == ("no hazard came up, so nothing was proved",)
    with pytest.raises(ContractBroken, match="INCONCLUSIVE"):
        verdict.check()


def test_a_promise_whose_hazards_never_came_up_is_not_kept_yet(monkeypatch):
    """Ties came up, but nobody was late and nobody was killed."""
    monkeypatch.setattr(playing, "generate_scenario", lambda **_: tied())
    verdict = found(by_id, examples=2)
    assert verdict.exercised["tie-at-page-edge"] == 2
    assert (verdict.outcome, verdict.exit_status) == ("inconclusive", 3)
    late, stopped = verdict.notes
    assert late.startswith("in 2 worlds no event was late when the client asked")
    assert stopped.startswith("in 2 worlds the client was never stopped")
    assert verdict.text().startswith(
        "INCONCLUSIVE  not all was tried; the promise held in 2 worlds"
    )


def test_what_is_ruled_out_need_not_be_tried(monkeypatch):
    monkeypatch.setattr(playing, "generate_scenario", lambda **_: tied())
    crashes = ["crash-before-save", "crash-after-save", "restart"]
    assert found(by_id, promise=PROMPT, without=crashes, examples=2).outcome == "kept"
    assert found(by_id, promise=PROMPT, examples=2).outcome == "inconclusive"


def test_the_promised_order_must_be_tried():
    promise = Promise(order="recorded", late_by_ms_max=0)
    says = list(untried(promise, 0, met=["restart"], missed=["tie-at-page-edge"]))
    assert [text.rpartition(": ")[2] for text in says] == ["the promised order was not tried"]
    assert list(untried(promise, 0, met=["restart", "order-flip"], missed=["late-visible"])) == []
    assert list(untried(PROMPT, 0, met=["restart"], missed=["tie-at-page-edge"])) == []


def tied():
    from .worlds import event, world

    return world([event(2, 1), event(3, 1), event(4, 1)], page_size=2)


def quiet():
    from .worlds import event, world

    return world([event(2, 1)], page_size=10)


# Refusals


@pytest.mark.parametrize("examples", [0, -1, search.EXAMPLES_MAX + 1])
def test_a_number_of_examples_out_of_range_is_refused(examples):
    with pytest.raises(UsageError, match=f"examples: expected 1 to .*, got {examples}"):
        found(by_id, examples=examples)


def test_unknown_names_are_refused():
    with pytest.raises(ProfileError, match="no dialect is called 'shopify'"):
        found(by_id, dialect="shopify")
    with pytest.raises(ProfileError, match="has no profile 'wild'"):
        found(by_id, profile="wild")


def test_a_profile_of_another_dialect_is_refused():
    profile = find_dialect("saleschannel").profile("default")
    with pytest.raises(UsageError, match="belongs to 'saleschannel', not 'haravan'"):
        found(by_id, profile=profile)


# A client's own page size


def own_size(limit, seen):
    def client(feed):
        since = feed.checkpoint or 1
        while True:
            page = get(feed, {"since_id": since, "limit": limit})
            seen.append((feed.page_size, len(page)))
            for row in page:
                feed.deliver(row)
                since = row["id"]
            feed.save(since)
            if not page:
                return

    return client


def test_worlds_grow_around_the_size_that_a_client_asks_for():
    seen = []
    profile = find_dialect("haravan").profile("default").narrowed(limit_max=None)
    verdict = found(own_size(40, seen), promise=PROMPT, profile=profile, examples=30)
    assert verdict.outcome == "kept"
    assert {size for size, _ in seen[-20:]} == {40}
    assert max(rows for _, rows in seen) == 40
    assert verdict.exercised["exact-multiple-of-limit"]
    assert verdict.exercised["tie-at-page-edge"]


def test_a_first_request_that_fails_tells_the_size_as_well(monkeypatch):
    fault = Fault(kind="server-error", times=None)

    def failing(**name):
        scenario = generate_scenario(**name)
        first = msgspec.structs.replace(scenario.polls[0], faults=(fault,))
        return msgspec.structs.replace(scenario, polls=(first, *scenario.polls[1:]))

    monkeypatch.setattr(playing, "generate_scenario", failing)
    seen = []
    found(own_size(40, seen), promise=PROMPT, examples=10)
    assert seen[-1][0] == 40


def test_a_client_that_always_asks_for_250_meets_the_cap():
    seen = []
    verdict = found(own_size(250, seen), promise=PROMPT, examples=30)
    assert verdict.outcome == "kept"
    assert max(rows for _, rows in seen) == 50
    assert verdict.exercised["clamped-limit"]


def test_a_client_that_does_as_it_is_told_keeps_small_worlds():
    sizes = set()

    def obedient(feed):
        sizes.add(feed.page_size)
        by_id(feed)

    found(obedient, promise=PROMPT, examples=30, without=["clamped-limit"])
    assert len(sizes) > 2
    assert max(sizes) <= 6


def test_a_page_size_that_is_given_is_used_in_every_world():
    seen = []
    found(own_size(3, seen), promise=PROMPT, page_size=9, examples=10)
    assert {size for size, _ in seen} == {9}


# Ends


def test_the_progress_is_told_and_can_end_the_search():
    calls = []

    def progress(done, hazards):
        calls.append((done, dict(hazards)))
        return done < 4

    verdict = found(by_id, promise=PROMPT, progress=progress)
    assert [done for done, _ in calls] == [1, 2, 3, 4]
    assert (verdict.outcome, verdict.examples) == ("kept", 4)
    assert verdict.exercised == calls[-1][1]


def test_a_search_that_was_ended_before_any_hazard_proves_nothing(monkeypatch):
    monkeypatch.setattr(playing, "generate_scenario", lambda **_: quiet())
    verdict = found(by_id, progress=lambda done, hazards: False)
    assert (verdict.outcome, verdict.examples) == ("inconclusive", 1)


def test_ctrl_c_ends_the_search_without_a_verdict():
    runs = 0

    def interrupted(feed):
        nonlocal runs
        runs += feed.checkpoint is None
        if runs > 3:
            raise KeyboardInterrupt
        by_id(feed)

    verdict = found(interrupted, promise=PROMPT, without=["crash-before-save"])
    assert (verdict.outcome, verdict.exit_status) == ("inconclusive", 3)
    assert verdict.notes[0].startswith("interrupted after ")
    assert verdict.notes[0].endswith(" of 60 worlds")
    assert verdict.examples < 4


def test_ctrl_c_while_shrinking_still_tells_what_was_found(monkeypatch):
    def impatient(scenario, still_broken):
        assert still_broken(scenario)
        raise KeyboardInterrupt

    monkeypatch.setattr(hunting, "shrink", impatient)
    verdict = found(DOCUMENTS["haravan"])
    assert verdict.outcome == "broken"
    assert verdict.notes[-1] == "interrupted before the world was as small as it can be"
    assert len(verdict.scenario.events) == verdict.shrunk_from


def test_a_client_that_breaks_only_once_is_still_told_broken():
    runs = 0

    def flaky(feed):
        nonlocal runs
        runs += 1
        if runs == 1:
            feed.deliver("nobody's")
        by_id(feed)

    verdict = found(flaky, promise=PROMPT)
    assert verdict.outcome == "broken"
    assert [finding.rule for finding in verdict.findings] == ["INVENTED"]


def test_check_raises_the_report():
    verdict = found(DOCUMENTS["saleschannel"], dialect="saleschannel")
    with pytest.raises(ContractBroken) as caught:
        verdict.check()
    assert str(caught.value) == verdict.text()
    assert isinstance(caught.value, AssertionError)


def test_shrinking_keeps_the_rule_and_the_cause():
    verdict = found(DOCUMENTS["haravan"])
    assert verdict.findings[0].rule == "LOST"
    assert verdict.findings[0].cause == "never-asked"
    assert len(verdict.scenario.events) <= 2
    report = json.loads(verdict.to_json())
    assert report["scenario"]["profile"] == "default"
    assert msgspec.json.decode(verdict.scenario.to_json())["dialect"] == "haravan"
