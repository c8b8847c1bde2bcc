"""The search: run a client in drawn worlds until one breaks its promise, and shrink that one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.drawing.plan import HAZARD_ODDS
from fakeserver.errors import UsageError
from fakeserver.generate import check_whole, generate_scenario
from fakeserver.history import Exchange, Saved
from fakeserver.profile import Profile
from fakeserver.profile_file import find_profile
from fakeserver.scenario import Scenario
from fakeserver.verifier.changes import Change
from fakeserver.verifier.clients import Client, keeps_state
from fakeserver.verifier.clues.elsewhere import WORLDS_MAX, needs_more_rows, with_pattern
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.doorkeeper import Doorkeeper, doorkeeper
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.hazards import HAZARDS, possible
from fakeserver.verifier.impossible import over_worlds
from fakeserver.verifier.judge import judge, notes, sentences
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.remedies import with_tried
from fakeserver.verifier.runner import run
from fakeserver.verifier.shrink import shrink
from fakeserver.verifier.untried import untried
from fakeserver.verifier.verdict import Requests, Verdict
from fakeserver.verifier.watchdog import POLL_SECONDS_MAX

EXAMPLES_DEFAULT = 200
"""Half of our faulty clients are caught within two, and the usual seed catches each within forty
(contracts/GALLERY.md)."""
EXAMPLES_MAX = 1_000_000
"""A night on one core."""

Progress = Callable[[int, Counter[str]], bool]
"""Called after each world with the number of worlds and the hazards so far; False ends it all."""

Shrinking = Callable[[int, int], None]
"""Called before each try to make a broken world smaller: how many it is, and the events left."""


def verify(  # noqa: PLR0913 - keyword only, each with a default
    client: Client,
    *,
    dialect: str,
    profile: Profile | str = "default",
    promise: Promise | None = None,
    examples: int = EXAMPLES_DEFAULT,
    seed: int = 0,
    page_size: int | None = None,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    poll_seconds_max: float = POLL_SECONDS_MAX,
    progress: Progress | None = None,
    shrinking: Shrinking | None = None,
) -> Verdict:
    """Run `client` in up to `examples` generated worlds and return the verdict.

    `client` is a callable taking one `Feed`, plain or ``async``, a generator of events, or a class
    whose instances have ``poll(feed)``; it runs once per poll. `page_size` pins what it is told to
    ask for. `only` and `without` choose among the hazards that are planted; some others come up by
    chance all the same (`drawing.plan.HAZARD_ODDS`). A poll that takes
    more than `poll_seconds_max` of real time is ended. The verdict is
    ``broken`` with the first world that breaks `promise`, shrunk; ``inconclusive`` when no hazard
    came up, none of a part of the promise, or Ctrl-C ended the search; else ``kept``, for as many
    worlds as `progress` let it try. `shrinking` hears of each try to make a broken world smaller.
    Raises `UsageError` and `ProfileError` for arguments that do not fit, and `HarnessError` for a
    slip of ours.

        verdict = verify(follow, dialect="haravan", examples=500)
        verdict.check()
    """
    check_whole(seed=seed, examples=examples)
    if not 1 <= examples <= EXAMPLES_MAX:
        raise UsageError(f"examples: expected 1 to {EXAMPLES_MAX}, got {examples}")
    chosen = find_profile(dialect, profile) if isinstance(profile, str) else profile
    if chosen.dialect != dialect:
        raise UsageError(f"profile {chosen.name!r} belongs to {chosen.dialect!r}, not {dialect!r}")
    promise = promise or Promise()
    check_promise(promise, chosen)
    check_instances(promise, client)
    hazards = chosen_hazards(only, without, chosen, promise)
    with doorkeeper(poll_seconds_max=poll_seconds_max) as keeper:
        return _Search(
            client=client,
            profile=chosen,
            promise=promise,
            seed=seed,
            page_size=page_size,
            hazards=hazards,
            keeper=keeper,
            shrinking=shrinking,
        ).run(examples, progress)


def check_promise(promise: Promise, profile: Profile) -> None:
    """Raise `UsageError` for a promise that no client can keep in every world of `profile`."""
    dialect, usual = find_dialect(profile.dialect), profile.settings_default
    if promise.late_by_ms_max is None:  # a world's lateness is that of its settings
        for switch, values in profile.allowed.items():
            for value in values:
                promise.check_possible(dialect.late_by_ms_max({**usual, switch: value}))


def check_instances(promise: Promise, client: Client) -> None:
    """Raise `UsageError` for a client of which there can't be as many at once as promised."""
    if promise.instances > 1 and isinstance(client, CommandClient) and client.keeps_state:
        raise UsageError(
            f"instances={promise.instances}: a persistent command is one process, and two instances"
            " would be two; promise it without persistent, one process for each poll"
        )


def chosen_hazards(
    only: Collection[str] | None, without: Collection[str], profile: Profile, promise: Promise
) -> frozenset[str] | None:
    """Return the hazards that may be planted in worlds of `profile`; None means all.

    Raises `UsageError` for one that can't be chosen or can't occur, and one that is in both.
    """
    for name in (*(only or ()), *without):
        if name not in HAZARD_ODDS:
            raise UsageError(_why_not(name))
    both = sorted({*(only or ())} & {*without})
    if both:
        raise UsageError(f"{', '.join(both)}: expected in only or in without, got it in both")
    _check_possible(only or (), profile, promise)
    if only is None and not without:
        return None
    return frozenset(only or HAZARD_ODDS) - frozenset(without)


def _why_not(name: str) -> str:
    """Say why a hazard can't be chosen, and which ones can."""
    comes = "it comes with the profile, or with what the client asks for"
    reason = comes if name in HAZARDS else "there is none of that name"
    return f"can't choose the hazard {name!r}: {reason}; known are {', '.join(HAZARD_ODDS)}"


def _late_by_ms_max(profile: Profile, promise: Promise) -> int:
    """The lateness that worlds may have: the promise's, or what the profile documents, ms."""
    if promise.late_by_ms_max is not None:
        return promise.late_by_ms_max
    return find_dialect(profile.dialect).late_by_ms_max(profile.settings_default)


def _check_possible(only: Collection[str], profile: Profile, promise: Promise) -> None:
    """Raise `UsageError` when worlds are to hold only what they can't hold."""
    dialect = find_dialect(profile.dialect)
    there = possible(dialect, profile, _late_by_ms_max(profile, promise))
    for name in only:
        if name not in there:
            raise UsageError(
                f"{name} can't occur: {dialect.name} with profile {profile.name} and this promise "
                f"rules it out; possible are {', '.join(there)}"
            )


class _Search:
    def __init__(
        self,
        *,
        client: Client,
        profile: Profile,
        promise: Promise,
        seed: int,
        page_size: int | None,
        hazards: frozenset[str] | None,
        keeper: Doorkeeper,
        shrinking: Shrinking | None = None,
    ) -> None:
        self._client = client
        self._profile = profile
        self._promise = promise
        self._seed = seed
        self._page_size = page_size
        self._hazards = hazards
        self._keeper = keeper
        self._shrinking = shrinking
        self._exercised: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()
        self._impossible: Counter[str] = Counter()
        self._requests = [0, 0]
        self._saves = False
        self._limits: set[tuple[int, int | None]] = set()

    def run(self, examples: int, progress: Progress | None) -> Verdict:
        done = 0
        try:
            for example in range(examples):
                scenario = self._draw(example)
                verdict = self._judge(scenario)
                done += 1
                self._learn(verdict)
                if verdict.outcome == "broken":
                    self._check_reset(scenario)
                    return self._shrunk(verdict, example)
                if progress is not None and not progress(done, self._exercised):
                    break
        except KeyboardInterrupt:
            return self._summary(done, doubt=f"interrupted after {done} of {examples} worlds")
        return self._summary(done)

    def _draw(self, example: int) -> Scenario:
        return generate_scenario(
            dialect=self._profile.dialect,
            profile=self._profile,
            seed=self._seed,
            example=example,
            page_size=self._page_size,
            late_by_ms_max=self._promise.late_by_ms_max,
            hazards=self._hazards,
            instances=self._promise.instances,
        )

    def _judge(self, scenario: Scenario, change: Change | None = None) -> Verdict:
        history = run(scenario, self._client, keeper=self._keeper, change=change)
        return judge(scenario, history, self._promise)

    def _check_reset(self, scenario: Scenario) -> None:
        """Raise `UsageError` if a program broke its promise because a reset left it something."""
        command = self._client
        if not isinstance(command, CommandClient) or not command.was_reset:
            return
        command.close()
        if self._judge(scenario).outcome != "broken":
            raise UsageError(
                "the program keeps its promise in a new process, and breaks it in one that was "
                'reset: something of another world was left; mend that, or leave out "resets"'
            )

    def _learn(self, verdict: Verdict) -> None:
        """Count what came up, and notice a client that asks for its own page size."""
        self._exercised.update(verdict.exercised)
        self._counted.update(verdict.counted)
        self._impossible.update({each.name for each in verdict.impossible})
        self._requests[0] += verdict.requests.count
        self._requests[1] += verdict.requests.lower_bound
        self._saves = self._saves or any(isinstance(step, Saved) for step in verdict.history)
        if self._page_size is not None or verdict.scenario is None:
            return
        evidence = Evidence(verdict.scenario, verdict.history, self._promise)
        first = next((step for step in verdict.history if isinstance(step, Exchange)), None)
        query = None if first is None else evidence.meant(first)  # it may have failed
        if query is None or query.limit_asked == verdict.scenario.page_size:
            self._limits.clear()
            return
        self._limits.add((verdict.scenario.page_size, query.limit_asked))
        suggested = {suggestion for suggestion, _ in self._limits}
        asked = {limit for _, limit in self._limits}
        if len(suggested) > 1 and len(asked) == 1:
            # It can't be told its page size: build the worlds around the one that it uses.
            self._page_size = asked.pop()

    def _shrunk(self, found: Verdict, example: int) -> Verdict:
        assert found.scenario is not None  # noqa: S101 - the judge names the world it judged
        wanted = (found.findings[0].rule, found.findings[0].cause)
        best = found
        tries = 0

        def still_broken(candidate: Scenario) -> bool:
            nonlocal best, tries
            tries += 1
            if self._shrinking is not None:
                self._shrinking(tries, len((best.scenario or candidate).events))
            verdict = self._judge(candidate)
            same = [(finding.rule, finding.cause) for finding in verdict.findings[:1]] == [wanted]
            best = verdict if same else best
            return same

        cut_short: tuple[str, ...] = ()
        try:
            shrink(found.scenario, still_broken)
            best = self._with_what_helps(best)
            best = self._with_a_pattern(best, example)
        except KeyboardInterrupt:  # it is broken, small or not
            cut_short = ("interrupted before the world was as small as it can be",)
        return msgspec.structs.replace(
            best,
            notes=(*best.notes, *cut_short),
            profile=self._profile.name,
            seed=self._seed,
            examples=example + 1,
            found_at=example,
            shrunk_from=len(found.scenario.events),
            exercised=dict(sorted(self._exercised.items())),
            not_exercised=self._missed(),
            requests=Requests(count=self._requests[0], lower_bound=self._requests[1]),
        )

    def _with_what_helps(self, broken: Verdict) -> Verdict:
        """Return the verdict with the smallest change with which its world is kept, if any."""
        if self._keeper.overran is not None:
            return broken  # nothing is run after a client that took too much real time

        def judge_with(change: Change) -> Verdict:
            assert broken.scenario is not None  # noqa: S101 - the judge names the world it judged
            return self._judge(broken.scenario, change)

        return with_tried(broken, judge_with)

    def _with_a_pattern(self, broken: Verdict, example: int) -> Verdict:
        """Return the verdict with what larger worlds show of rows that are dropped, if need be."""
        if self._keeper.overran is not None or not needs_more_rows(broken):
            return broken
        numbers = range(example + 1, example + 1 + WORLDS_MAX)
        try:
            return with_pattern(broken, ((n, self._judge(self._draw(n))) for n in numbers))
        except Exception:  # a slip of ours must not speak against a client, nor for it
            return broken

    def _summary(self, done: int, doubt: str | None = None) -> Verdict:
        doubts = [doubt] if doubt else list(self._doubts(done))
        nobody = over_worlds(self._impossible)
        return Verdict(
            outcome="inconclusive" if doubts else "kept",
            dialect=self._profile.dialect,
            profile=self._profile.name,
            promise=self._promise,
            notes=(*doubts, *notes(self._counted), *sentences(nobody)),
            counted=dict(self._counted),
            impossible=nobody,
            seed=self._seed,
            examples=done,
            exercised=dict(sorted(self._exercised.items())),
            not_exercised=self._missed(),
            requests=Requests(count=self._requests[0], lower_bound=self._requests[1]),
        )

    def _doubts(self, done: int) -> Iterator[str]:
        """Say why worlds in which nothing was broken do not prove the promise."""
        if not self._exercised:
            yield "no hazard came up, so nothing was proved"
            return
        if self._counted["no-snapshot"] == done:
            yield "no poll could be judged as a snapshot, so nothing was proved"
        late = _late_by_ms_max(self._profile, self._promise)
        for part in untried(self._promise, late, met=self._exercised, missed=self._missed()):
            worlds = "1 world" if done == 1 else f"{done} worlds"
            yield f"in {worlds} {part}"

    def _missed(self) -> tuple[str, ...]:
        """Hazards that could have come up and did not."""
        dialect = find_dialect(self._profile.dialect)
        late = _late_by_ms_max(self._profile, self._promise)
        ruled_out = set() if self._hazards is None else set(HAZARD_ODDS) - self._hazards
        if not keeps_state(self._client):
            ruled_out.add("restart")
        if not self._saves:
            ruled_out |= {"crash-before-save", "crash-after-save"}
        if self._promise.instances == 1:
            ruled_out.add("two-instances")
        ruled_out |= self._promise.harmless
        ruled_out.add("order-flip")  # which orders are asked for is the client's choice alone
        return tuple(
            name
            for name in possible(dialect, self._profile, late)
            if name not in self._exercised and name not in ruled_out
        )
