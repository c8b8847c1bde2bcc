"""Whatever comes back first, and whoever dies, the worlds are handed on in their order."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeserver.errors import ClientNotFound, HarnessError, UsageError
from fakeserver.verifier.crew.batch import Batch, Died, Done, Failure
from fakeserver.verifier.crew.in_order import InOrder
from fakeserver.verifier.playing import Played, Unplayed
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.tally import Tally
from fakeserver.verifier.verdict import Verdict

BROKEN = Verdict(outcome="broken", dialect="haravan", profile="default", promise=Promise())


class Lottery:
    """A crew whose workers finish in any order, and die now and then; `bad` worlds kill each one.

    It plays nothing: a world is broken if it is one of `broken`, and fails if it is `failing`.
    """

    seconds_of_batch = 1.0

    def __init__(self, random, workers=3, *, broken=(), failing=(), bad=(), deaths=0):
        self.random, self.workers = random, workers
        self.broken, self.failing, self.bad, self.deaths = broken, failing, bad, deaths
        self.out: list[Batch] = []
        self.given: list[Batch] = []

    def has_room(self):
        return len(self.out) < self.workers

    def give(self, batch):
        assert self.has_room()
        self.out.append(batch)
        self.given.append(batch)

    def wait(self):
        batch = self.out.pop(self.random.randrange(len(self.out)))
        if set(batch.worlds) & set(self.bad):
            return [Died(batch=batch, how="ended by signal 9")]
        if self.deaths and self.random.random() < 0.3:
            self.deaths -= 1
            return [Died(batch=batch, how="ended by signal 9")]
        played: list[Played] = []
        for world in batch.worlds:
            if world in self.failing:
                failure = Failure(blame="usage", message=f"no world {world}")
                return [Done(batch=batch, played=tuple(played), failure=failure, seconds=0.1)]
            broken = BROKEN if world in self.broken else None
            played.append(Played(world=world, tally=Tally(), asked=None, broken=broken))
            if broken:
                break
        return [Done(batch=batch, played=tuple(played), seconds=self.random.random())]

    def close(self):
        pass


def heard(crew, worlds):
    return [
        (each.world, getattr(each, "broken", None) is not None)
        for each in InOrder(crew).play(worlds, None)
    ]


@given(
    seed=st.integers(0, 2**32),
    workers=st.integers(1, 5),
    count=st.integers(0, 200),
    broken=st.sets(st.integers(0, 199), max_size=4),
    deaths=st.integers(0, 1),
)
def test_worlds_come_in_order_up_to_the_first_broken_one(seed, workers, count, broken, deaths):
    crew = Lottery(Random(seed), workers, broken=broken, deaths=deaths)
    first = min((world for world in broken if world < count), default=None)
    last = count - 1 if first is None else first
    assert heard(crew, range(count)) == [(world, world == first) for world in range(last + 1)]


@given(seed=st.integers(0, 2**32), bad=st.integers(0, 99), broken=st.integers(0, 99))
def test_a_deadly_world_is_skipped_once_it_is_known(seed, bad, broken):
    """A broken world that was begun by then is heard of all the same."""
    crew = Lottery(Random(seed), broken={broken}, bad={bad})
    came = list(InOrder(crew).play(range(100), None))
    worlds = [each.world for each in came]
    assert worlds == list(range(worlds[-1] + 1))
    assert [each.world for each in came if isinstance(each, Unplayed)] == [bad][
        : bad < broken or bad in worlds
    ]
    if broken < bad:
        assert worlds[-1] == broken


@given(seed=st.integers(0, 2**32), failing=st.integers(0, 60), broken=st.integers(0, 60))
def test_a_failure_is_raised_at_the_turn_of_its_world(seed, failing, broken):
    crew = Lottery(Random(seed), failing={failing}, broken={broken})
    came = []
    if failing <= broken:
        with pytest.raises(UsageError, match=f"no world {failing}"):
            came.extend(each.world for each in InOrder(crew).play(range(61), None))
        return
    came.extend(each.world for each in InOrder(crew).play(range(61), None))
    assert came == list(range(broken + 1))


def test_a_dead_workers_worlds_are_played_again_one_by_one():
    crew = Lottery(Random(0), 1, deaths=1)
    crew.random.random = lambda: 0.0  # it dies at the first chance, then never
    order = InOrder(crew)
    assert [each.world for each in order.play(range(5), None)] == [0, 1, 2, 3, 4]
    assert order.notes == ["a worker ended by signal 9 in world 0, which another one played again"]


def test_a_batch_that_its_dead_worker_had_not_begun_is_blamed_for_nothing():
    crew = Lottery(Random(0), 1)
    once = [Died(batch=Batch(worlds=(0,), page_size=None), how="ended", begun=False)]
    play, crew.wait = crew.wait, lambda: [crew.out.clear(), once.pop()][1:] if once else play()
    order = InOrder(crew)
    assert [each.world for each in order.play(range(3), None)] == [0, 1, 2]
    assert order.notes == []


def test_batches_grow_while_worlds_are_quick():
    crew = Lottery(Random(1), 1)
    list(InOrder(crew).play(range(300), None))
    sizes = [len(batch.worlds) for batch in crew.given]
    assert sizes[0] == 1
    assert max(sizes) > 8


@pytest.mark.parametrize(
    "error",
    [UsageError("a"), ClientNotFound("b"), HarnessError("c")],
    ids=lambda e: type(e).__name__,
)
def test_an_error_comes_back_as_what_it_was(error):
    again = Failure.of(error).error()
    assert (type(again), str(again)) == (type(error), str(error))


def test_any_other_error_is_a_slip_of_ours():
    again = Failure.of(KeyError("x")).error()
    assert isinstance(again, HarnessError)
    assert str(again) == "KeyError('x')"
