"""Two instances that take turns over one checkpoint: who reads it anew each time is spared."""

from typing import Any

import msgspec
import pytest

from fakeserver.drawing.polls import draw_instances
from fakeserver.errors import ScenarioError, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.history import PollStarted, Restarted
from fakeserver.scenario import Scenario
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.report.text import verdict_text
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify

from .faulty import TAKING_TURNS
from .faulty_crashes import ReadsItsPlaceOnce, ReadsItsWindowOnce
from .right_clients import RIGHT, Right

EXAMPLES = 40
KEEPS_ITS_MEMORY = "haravan_class_window.py"
"""Right as long as it runs alone: it reads the checkpoint when it is built."""


def told(client: type) -> str:
    dialect = "haravan" if client is ReadsItsWindowOnce else "saleschannel"
    return verdict_text(verify(client, dialect=dialect, promise=TAKING_TURNS))


def taking_turns(*turns: int) -> Scenario:
    """A world of Haravan whose polls are by these instances, in turn, the first one last."""
    scenario = generate_scenario(seed=3, hazards=())
    polls = tuple(
        msgspec.structs.replace(poll, instance=turns[number % len(turns)])
        for number, poll in enumerate(scenario.polls)
    )
    return msgspec.structs.replace(scenario, polls=polls)


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.file)
def test_who_reads_its_checkpoint_is_spared(right: Right) -> None:
    profile = right.profiles[0]
    promise = msgspec.structs.replace(right.strongest_promises(profile)[-1], instances=2)
    verdict = verify(
        right.client, dialect=right.dialect, profile=profile, promise=promise, examples=EXAMPLES
    )
    if right.file == KEEPS_ITS_MEMORY:
        assert verdict.findings[0].rule == "DUPLICATED"
        return
    verdict.check()
    if promise.mode == "incremental":
        assert verdict.exercised["two-instances"] > EXAMPLES / 8


def test_the_report_says_who_repeated_what() -> None:
    for client in (ReadsItsPlaceOnce, ReadsItsWindowOnce):
        report = told(client)
        assert "C39" in report
        assert "instance 2: GET" in report
        assert "had saved its checkpoint when instance" in report
        assert "Two instances may take turns over one checkpoint" in report


def test_each_instance_keeps_its_memory_and_shares_the_checkpoint() -> None:
    class Counting:
        def __init__(self) -> None:
            self.own = 0

        def poll(self, feed: Any) -> None:
            self.own += 1
            seen.append((self.own, feed.checkpoint))
            feed.save((feed.checkpoint or 0) + 1)

    seen: list[tuple[int, int | None]] = []
    history = run(taking_turns(1, 2, 2), Counting)
    turns = [step.instance for step in history if isinstance(step, PollStarted)]
    assert len(turns) > 3
    assert turns == [(1, 2, 2)[number % 3] for number in range(len(turns))]
    assert [checkpoint or 0 for _, checkpoint in seen] == list(range(len(seen)))
    own = {1: 0, 2: 0}
    for turn, (count, _) in zip(turns, seen, strict=True):
        own[turn] += 1
        assert count == own[turn]


def test_a_restart_is_that_of_one_instance() -> None:
    class Remembering:
        def __init__(self) -> None:
            built.append(self)
            self.polls = 0

        def poll(self, feed: Any) -> None:
            self.polls += 1

    built: list[Remembering] = []
    scenario = generate_scenario(seed=3, hazards=())
    storm = [
        msgspec.structs.replace(
            scenario.polls[0], starts_at=scenario.starts_at + number, instance=turn, restart=again
        )
        for number, (turn, again) in enumerate([(1, False), (2, True), (2, True), (1, False)])
    ]
    calm = scenario.polls[scenario.calm_from :]
    history = run(
        msgspec.structs.replace(scenario, polls=(*storm, *calm), calm_from=4), Remembering
    )
    assert sum(isinstance(step, Restarted) for step in history) == 1  # a new one starts anyway
    assert [each.polls for each in built] == [2 + len(calm), 1, 1]


def test_a_loop_of_its_own_goes_on_as_the_instance_that_it_is() -> None:
    def loop(feed: Any) -> None:
        while True:
            feed.sleep(3_600)

    history = run(taking_turns(1, 2), loop)
    turns = [step.instance for step in history if isinstance(step, PollStarted)]
    assert len(turns) > 1
    assert set(turns) == {1}


def test_worlds_are_the_same_but_for_the_turns() -> None:
    for example in range(20):
        alone = generate_scenario(example=example)
        turns = generate_scenario(example=example, instances=2)
        polls = tuple(msgspec.structs.replace(poll, instance=1) for poll in turns.polls)
        assert msgspec.structs.replace(turns, polls=polls) == alone
        assert turns.polls[0].instance == 1


def test_who_promises_nothing_of_it_meets_one_instance() -> None:
    from random import Random

    polls = generate_scenario().polls
    assert draw_instances(Random(0), polls, 1) is polls


def test_what_can_not_be_is_refused() -> None:
    with pytest.raises(UsageError, match="instances: expected 1 to 2, got 3"):
        Promise(instances=3)
    scenario = taking_turns(1, 2)
    history = run(scenario, ReadsItsWindowOnce)
    with pytest.raises(UsageError, match="polls of 2 instances of the client, and the promise"):
        judge(scenario, history, Promise())
    judge(scenario, history, TAKING_TURNS)
    with pytest.raises(ScenarioError, match="instance of poll 2 is 1 to 2, got 3"):
        taking_turns(1, 3)
    with pytest.raises(UsageError, match="a persistent command is one process"):
        verify(
            CommandClient(["true"], persistent=True),
            dialect="haravan",
            promise=TAKING_TURNS,
        )
