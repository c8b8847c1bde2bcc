"""The judge's answer: an outcome, its findings, and what was exercised."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from fakeserver.errors import ContractBroken
from fakeserver.history import History
from fakeserver.scenario import EventId, Scenario
from fakeserver.verifier.promise import Promise

Outcome = Literal["kept", "broken", "inconclusive"]
RuleName = Literal[
    "LOST",
    "DUPLICATED",
    "INVENTED",
    "ALTERED",
    "OUT_OF_ORDER",
    "LATE",
    "STUCK",
    "CRASHED",
    "ILLEGAL_REQUEST",
    "IMPOLITE",
]
MarginAxis = Literal["late_by_ms", "ties", "appends_per_request", "limit_max"]
EXIT_STATUS: dict[Outcome, int] = {"kept": 0, "broken": 1, "inconclusive": 3}
"""Exit status of the command line; 2 is a usage error."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest change to a client's traffic with which the world is kept, found by trying it.

    `changes` are its parts (`verifier.remedies`), `amount_ms` how much further back each poll began
    and `limit` the fewest rows that were asked for, where they are among them; `sentence` says it.
    """

    changes: tuple[str, ...]
    amount_ms: int | None = None
    limit: int | None = None
    sentence: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One accusation.

    `message` is one sentence, `why` the proof in sentences, `allowed` what the API may do and
    where it says so, `would` what would have helped. `event_ids` and `steps` (places in the
    history, from 0) are the evidence. `fault_class` (``C06``) names the mistake behind it where the
    history shows that, and `thread` a public thread where the same happened. `tried` says with
    which change the world is kept, where one was looked for and found.
    """

    rule: RuleName
    cause: str | None = None
    event_ids: tuple[EventId, ...] = ()
    steps: tuple[int, ...] = ()
    message: str
    why: tuple[str, ...] = ()
    allowed: str | None = None
    would: str | None = None
    fault_class: str | None = None
    thread: str | None = None
    tried: Tried | None = None


class Impossible(msgspec.Struct, frozen=True, kw_only=True):
    """What nobody could have done: the `name` that `fakeserver explain` knows, and a `sentence`.

    `event_ids` are the events of one world that it speaks of; over many worlds it has none, and
    `worlds` counts those in which it came up.
    """

    name: str
    sentence: str
    event_ids: tuple[EventId, ...] = ()
    worlds: int = 1


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests the client sent, the fewest that any client needs, and the ratio."""

    count: int = 0
    lower_bound: int = 0

    @property
    def ratio(self) -> float | None:
        """`count` by `lower_bound`, or None where nothing had to be asked."""
        return round(self.count / self.lower_bound, 2) if self.lower_bound else None


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """How far a client stands on one axis, in worlds where everything else is calm.

    Information, never an accusation: what lies beyond the promise was never promised. `passes_at`
    is the hardest value at which the promise (with the lateness widened to it) held in all worlds,
    `fails_at` the mildest at which it did not in one; either is None where there is no such value.
    `ended` says why nothing beyond was tried: a ``break``; all that there is was ``tried``; harder
    values are impossible for every client because of the ``api``; or it was left ``unfinished``,
    and then the two may lie apart. `end` is the hardest value of the axis, and `why` says why it
    is. `stands_again` lists values that stood beyond `fails_at`: harder was not always harder.
    `rule` and `cause` are those of the break, `scenario` the world that shows it, to be judged
    under `promise`. `runs` counts the worlds, `page_size` is what the client was told (rows).
    """

    axis: MarginAxis
    unit: Literal["ms", "events", "rows"]
    passes_at: int | None = None
    fails_at: int | None = None
    ended: Literal["break", "tried", "api", "unfinished"]
    end: int
    why: str
    stands_again: tuple[int, ...] = ()
    rule: RuleName | None = None
    cause: str | None = None
    scenario: Scenario | None = None
    promise: Promise | None = None
    runs: int = 0
    page_size: int
    replay: str | None = None


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """What a search was asked for, and what of its verdict can be added to that of another one.

    `version` is the release that drew the worlds, `examples_max` the worlds of all shards together;
    `page_size` (rows), `only` and `without` are as they were given.
    `shards` are the numbers (from 1, of `shards_of`) of those whose worlds were tried. `counted`
    and `impossible` are numbers over all worlds, by name. `doubts` say why the worlds that were
    tried prove nothing, `notes` what happened to the search itself, and `notes_of_world` are those
    of the broken world alone.
    """

    version: str
    examples_max: int
    page_size: int | None = None
    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    shards_of: int = 1
    shards: tuple[int, ...] = (1,)
    counted: dict[str, int] = {}
    impossible: dict[str, int] = {}
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    notes_of_world: tuple[str, ...] = ()


class BrokenWorld(msgspec.Struct, frozen=True, kw_only=True):
    """One more world that broke the promise in another way: its fields are those of `Verdict`."""

    found_at: int | None
    shrunk_from: int | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    impossible: tuple[Impossible, ...]
    scenario: Scenario
    history: History
    replay: str | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge found, over one world or many.

    `outcome` is ``kept``, ``broken`` or ``inconclusive``. `findings` speak of `scenario` and
    `history`: the smallest broken world (or the one world judged). `exercised` counts, for each
    hazard, the worlds in which it came up; `not_exercised` lists those that could have and did not.
    `shrunk_from` is the number of events in the world as first found, `found_at` its number (from
    0, as in ``fakeserver scenario --example``).
    `notes` say what is worth knowing and no accusation; `counted` holds their numbers. `impossible`
    lists what nobody could have done, and `notes` have its sentences. `margins` are empty unless
    they were measured. `search` is there after many worlds, and lets verdicts be merged; then
    `others` are worlds that break the promise by another rule or cause than the first one.
    """

    outcome: Outcome
    dialect: str
    profile: str
    promise: Promise
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    counted: dict[str, int] = {}
    impossible: tuple[Impossible, ...] = ()
    seed: int | None = None
    examples: int = 1
    exercised: dict[str, int] = {}
    not_exercised: tuple[str, ...] = ()
    requests: Requests = Requests()
    scenario: Scenario | None = None
    history: History = ()
    shrunk_from: int | None = None
    found_at: int | None = None
    client: str | None = None
    replay: str | None = None
    margins: tuple[Margin, ...] = ()
    search: Searched | None = None
    others: tuple[BrokenWorld, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 kept, 1 broken, 3 inconclusive."""
        return EXIT_STATUS[self.outcome]

    def text(self, *, width: int = 100, with_map: bool = False) -> str:
        """The report for people, lines at most `width` characters where words allow.

        `with_map` draws the coverage map of the world in plain characters.
        """
        from fakeserver.verifier.report.text import verdict_text

        return verdict_text(self, width=width, with_map=with_map)

    def to_json(self) -> bytes:
        """The report for programs: the JSON of ``--json``."""
        from fakeserver.verifier.report.as_json import verdict_json

        return verdict_json(self)

    def to_junit(self) -> bytes:
        """The report for a CI server: the XML of ``--junit``."""
        from fakeserver.verifier.report.as_junit import verdict_junit

        return verdict_junit(self)

    def to_html(self) -> bytes:
        """The report as one page with the coverage map: the HTML of ``--html``."""
        from fakeserver.verifier.report.page.as_html import verdict_html

        return verdict_html(self)

    def noting(self, note: str | None) -> Verdict:
        """Return the verdict with one more note; with None itself."""
        return self if note is None else msgspec.structs.replace(self, notes=(*self.notes, note))

    def check(self) -> Verdict:
        """Return the verdict itself if it is ``kept``; raise `ContractBroken` with the report."""
        if self.outcome != "kept":
            raise ContractBroken(self.text())
        return self


def lines_of(values: Any) -> str:
    """Join short values with commas for a sentence: ``e1, e2 and e3``."""
    items = [str(value) for value in values]
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def few_of(values: Any, most: int) -> str:
    """Join the first `most` of some short values for a sentence: ``e1, e2 and 3 more``."""
    items = list(values)
    more = len(items) - most
    return lines_of([*items[:most], f"{more} more"] if more > 0 else items)
