"""The smallest change that would have helped, found by trying it.

The unchanged client plays the shrunk world again, and the harness changes its traffic
(`verifier.changes`): the smallest changes first, alone and then together, until the judge finds
nothing. What is said was seen: with so much the world is kept, with a step less it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from fakeserver.clock import duration_text
from fakeserver.history import Exchange, Killed, PollEnded, Restarted, Saved
from fakeserver.query import ID, RECORDED_AT, Query
from fakeserver.verifier.changes import Change
from fakeserver.verifier.diagnosis.traces import is_page_of_ties, rows_asked
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.failures import is_failure
from fakeserver.verifier.verdict import Finding, Tried, Verdict

RUNS_MAX = 120
"""A fifth of what shrinking may take. To halve a year down to a millisecond takes 35 runs, and two
changes are halved so, with repeats dropped and without."""

Judge = Callable[[Change], Verdict]

NAMES = {
    "saves_last": "save-last",
    "in_one_step": "one-step",
    "sends_again": "retry",
    "is_inclusive": "inclusive-bound",
    "limit_min": "raise-limit",
    "look_back_ms": "look-back",
    "drops_repeats": "drop-repeats",
}
"""The parts of a change, by its fields, in the order in which they are said."""


def with_tried(broken: Verdict, judge_with: Judge) -> Verdict:
    """Return a verdict that says in its first finding with which change its world is kept.

    `judge_with` plays the same world with the same client under a change. Where nothing helps, or
    anything goes wrong while it is tried, the verdict comes back as it was: this is advice, and a
    slip of ours must not speak against a client.
    """
    if broken.scenario is None or not broken.findings:
        return broken
    try:
        found = _Trial(broken, judge_with).find()
    except Exception:
        return broken
    first: Finding = msgspec.structs.replace(broken.findings[0], tried=found)
    return msgspec.structs.replace(broken, findings=(first, *broken.findings[1:]))


class _Trial:
    """Tries changes on one broken world; nothing more once `RUNS_MAX` are spent."""

    def __init__(self, broken: Verdict, judge_with: Judge) -> None:
        assert broken.scenario is not None  # noqa: S101 - the caller looked
        self._evidence = Evidence(broken.scenario, broken.history, broken.promise)
        self._finding = broken.findings[0]
        self._judge_with = judge_with
        self._runs_left = RUNS_MAX
        self._known: dict[Change, bool] = {}

    def find(self) -> Tried | None:
        singles = list(self._singles())
        for change in [Change(drops_repeats=True), *singles]:
            if (found := self._smallest(change)) is not None:
                return found
        for change in singles:
            if (found := self._smallest(_and(change, drops_repeats=True))) is not None:
                return found
        if len(singles) > 1:
            for change in _pairs(singles):
                if (found := self._smallest(_and(change, drops_repeats=True))) is not None:
                    return found
        return None

    def _singles(self) -> Iterator[Change]:
        """Yield the changes that can make a difference here, each as large as it can be."""
        history, queries = self._evidence.history, self._evidence.list_queries
        stops = [step for step in history if isinstance(step, (Killed, Restarted))]
        raised = any(isinstance(step, PollEnded) and step.ending == "raised" for step in history)
        if (stops or raised) and any(isinstance(step, Saved) for step in history):
            yield Change(saves_last=True)
        if stops or raised:
            yield Change(in_one_step=True)
        if any(isinstance(step, Exchange) and is_failure(step) for step in history):
            yield Change(sends_again=True)
        if any(c.field == RECORDED_AT and c.operator == ">" for q in queries for c in q.conditions):
            yield Change(is_inclusive=True)
        limit_max, limit = self._limit_max, self._limit_usual
        if limit is not None and limit < limit_max and self._ties_fill_a_page:
            yield Change(limit_min=limit_max)
        if self._lies_behind and self._bounds():
            yield Change(look_back_ms=self._reach_ms())

    @property
    def _limit_usual(self) -> int | None:
        """The fewest rows that a request of the client asked for."""
        limits = [q.limit for q in self._evidence.list_queries]
        return min((limit for limit in limits if limit is not None), default=None)

    @property
    def _lies_behind(self) -> bool:
        """Whether looking back can be the remedy: nobody asked for what is missing any more."""
        is_snapshot = self._evidence.promise.mode == "snapshot"
        return self._finding.cause == "never-asked" and not is_snapshot

    @property
    def _ties_fill_a_page(self) -> bool:
        """Whether a larger limit can be the remedy (theorem T4), not just room for a small log."""
        asked = rows_asked(self._evidence)
        return any(is_page_of_ties(self._evidence, page) for page in asked)

    @property
    def _limit_max(self) -> int:
        """What the server lets through, or one row more than there are."""
        cap = self._evidence.dialect.limit_max(self._evidence.settings)
        most = len(self._evidence.scenario.events) + 1
        return most if cap is None else min(cap, most)

    def _bounds(self) -> dict[str, str]:
        """The fields by which polls start behind some event, with their parameters."""
        names, found = self._evidence.dialect.bounds, set()
        for poll in self._evidence.polls:
            asked = rows_asked(self._evidence, poll)
            query = asked[0].query if asked else None
            found |= {
                condition.field
                for condition in (query.conditions if query else ())
                if condition.operator in (">", ">=")
                and not all(map(condition.holds, self._evidence.scenario.events))
            }
        kinds = (RECORDED_AT, ID)
        return {field: names[field] for field in kinds if field in found and field in names}

    def _reach_ms(self) -> int:
        """How far a bound must go back to be before everything, ms, in the stamps' granularity."""
        scenario = self._evidence.scenario
        stamps = [e.recorded_at for e in scenario.events if e.recorded_at is not None]
        latest = max([scenario.ends_at, *stamps, *_stamps_asked_for(self._evidence.list_queries)])
        unit = self._unit_ms
        return -((min(stamps, default=latest) - latest) // unit) * unit + unit

    @property
    def _unit_ms(self) -> int:
        return self._evidence.dialect.stamp_ms

    def _keeps(self, change: Change) -> bool:
        """Whether the judge finds nothing under `change`, in a run that came to its end."""
        if change in self._known:
            return self._known[change]
        if self._runs_left == 0:
            return False
        self._runs_left -= 1
        verdict = self._judge_with(change)
        assert verdict.scenario is not None  # noqa: S101 - the judge names the world it judged
        whole = Evidence(verdict.scenario, verdict.history, verdict.promise).is_complete
        self._known[change] = whole and not verdict.findings
        return self._known[change]

    def _smallest(self, change: Change) -> Tried | None:
        """Make a change that helps as small as it can be, and say so; None if it does not help."""
        if not self._keeps(change):
            return None
        less: Change | None = None
        for field, low, unit in (
            ("look_back_ms", 0, self._unit_ms),
            ("limit_min", self._limit_usual or 0, 1),
        ):
            if getattr(change, field):
                smaller = self._halved(change, field, low, unit)
                if smaller is None:
                    return None
                change, less = smaller
        return self._told(*self._without_needless(change, less))

    def _without_needless(
        self, change: Change, less: Change | None
    ) -> tuple[Change, Change | None]:
        """Let repeats be, where only a larger change than the smallest one made them drop."""
        plain = _and(change, drops_repeats=False)
        if less is None or not change.drops_repeats or not self._keeps(plain):
            return change, less
        plain_less = _and(less, drops_repeats=False)
        if self._runs_left == 0 or self._keeps(plain_less):
            return change, less
        return plain, plain_less

    def _halved(
        self, change: Change, field: str, low: int, unit: int
    ) -> tuple[Change, Change] | None:
        """Return the change with the least amount that helps, and with a `unit` less.

        `low` is an amount that changes nothing. None where no runs are left to be sure.
        """
        amount = int(getattr(change, field))
        while amount - low > unit:
            middle = low + (amount - low) // (2 * unit) * unit
            if self._runs_left == 0:
                return None
            if self._keeps(_and(change, **{field: middle})):
                amount = middle
            else:
                low = middle
        return _and(change, **{field: amount}), _and(change, **{field: low})

    def _told(self, change: Change, less: Change | None) -> Tried:
        names = [field for field in NAMES if getattr(change, field)]
        said = [self._words(field, change) for field in names]
        sentence = f"With {_listed(said)}, the promise holds in this world"
        if less is not None and less.look_back_ms != change.look_back_ms:
            if less.look_back_ms:
                sentence += f"; with {duration_text(less.look_back_ms)} it does not"
        elif less is not None and less.limit_min is not None:
            sentence += f"; with {less.limit_min} it does not"
        return Tried(
            changes=tuple(NAMES[field] for field in names),
            amount_ms=change.look_back_ms or None,
            limit=change.limit_min,
            sentence=f"{sentence}.{self._elsewhere(change)}",
        )

    def _elsewhere(self, change: Change) -> str:
        """Say that a look-back shorter than the lateness is too short for others (theorem T2)."""
        late = self._evidence.late_by_ms_max
        is_snapshot = self._evidence.promise.mode == "snapshot"
        if is_snapshot or not 0 < change.look_back_ms < late:
            return ""
        return f" Other worlds may need all of {duration_text(late)}."

    def _words(self, field: str, change: Change) -> str:
        if field == "look_back_ms":
            return self._further_back(duration_text(change.look_back_ms))
        if field == "limit_min":
            return f"a limit of at least {change.limit_min} in every request"
        return {
            "saves_last": "every save put off to the end of its poll",
            "in_one_step": "each save and the deliveries before it made durable in one step",
            "sends_again": "every failed request sent again after a wait (not before Retry-After) "
            "until it was answered",
            "is_inclusive": "every lower bound inclusive (>= in place of >)",
            "drops_repeats": "repeats dropped by id",
        }[field]

    def _further_back(self, span: str) -> str:
        """Say from where each poll asked. An id has no distance in time, its events have."""
        bounds = self._bounds()
        said = []
        if name := bounds.get(RECORDED_AT):
            said.append(f"the lower bound of each poll ({name}) {span} earlier")
        if name := bounds.get(ID):
            events = f"the events of the {span} before the newest that it had passed"
            said.append(f"each poll asking again, by a lower {name}, for {events}")
        return ", and ".join(said)


def _listed(said: list[str]) -> str:
    """Join parts that may hold commas of their own."""
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])}, and {said[-1]}"


def _and(change: Change, **fields: object) -> Change:
    return msgspec.structs.replace(change, **fields)


def _pairs(singles: list[Change]) -> Iterator[Change]:
    """Yield every two changes together."""
    for place, one in enumerate(singles):
        for other in singles[place + 1 :]:
            fields = [f for f in NAMES if getattr(other, f)]
            yield _and(one, **{f: getattr(other, f) for f in fields})


def _stamps_asked_for(queries: tuple[Query, ...]) -> Iterator[int]:
    for query in queries:
        yield from (int(c.value) for c in query.conditions if c.field == RECORDED_AT and c.value)
