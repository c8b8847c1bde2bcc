"""What a dialect is: functions from a request to a query and from rows to an answer. Pure.

No clock, no world, no chance that is not an argument. Everything that differs between two APIs is
a field of `Dialect`; everything that they share (log, order, cut, judge) knows only `Query`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from importlib.resources.abc import Traversable
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from fakeserver.cache import ENTRIES_MAX, Bodies, Cache
from fakeserver.clock import Instant
from fakeserver.errors import ProfileError, ScenarioError
from fakeserver.log import EventLog, Selection
from fakeserver.profile import Profile, Switch, SwitchValue, check_settings
from fakeserver.query import Query
from fakeserver.rate_limit import RateLimit
from fakeserver.resources import contract_path, document_in
from fakeserver.rows import Rows, ids_of
from fakeserver.scenario import EventId, LoggedEvent

if TYPE_CHECKING:
    from fakeserver.scenario import Scenario

Settings = Mapping[str, SwitchValue]
"""One value for every switch of the dialect."""


class FixedSettings(dict[str, SwitchValue]):
    """Settings that nobody changes: what was made of them can be remembered under them."""

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none because it changes
        return self._items.__hash__()

    @cached_property
    def _items(self) -> frozenset[tuple[str, SwitchValue]]:
        return frozenset(self.items())


def fixed(settings: Settings) -> FixedSettings:
    """Return `settings` as something to remember by."""
    return settings if isinstance(settings, FixedSettings) else FixedSettings(settings)


TOKEN = "fakeserver-token"  # noqa: S105 - the fake's own token, a secret of nobody
"""The token that the fake accepts."""
TOKEN_WITHOUT_ROLE = "fakeserver-token-without-role"  # noqa: S105
"""A token that the fake knows but that may not read events (403)."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request without HTTP around it.

    `query` is the raw query string, undecoded: what is wrong with it is part of the answer.
    `headers` has lower-case names. Of a body it is known only whether there was one.
    """

    path: str
    query: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = {}
    has_body: bool = False

    @property
    def target(self) -> str:
        """Path and query, as on the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer without HTTP around it: `body` is the JSON text, `rows` the events in it.

    `links` are ``rel`` and query string of other pages at the same address, for a ``link`` header.
    `problem` is ``code: sentence`` for a request that the settings do not accept.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    rows: Rows = ()
    problem: str | None = None

    @property
    def event_ids(self) -> tuple[EventId, ...]:
        """The ids of the rows in their order."""
        return ids_of(self.rows)


class Known:
    """What was answered and written before, of one log and under one choice of settings."""

    def __init__(self) -> None:
        self.answers: Cache[Answer] = Cache()
        self.bodies = Bodies()
        self._asked: OrderedDict[Hashable, None] = OrderedDict()

    def is_asked_again(self, key: Hashable) -> bool:
        """Whether somebody asked for this before: most pages of a walk are never wanted again."""
        if key in self._asked:
            return True
        self._asked[key] = None
        if len(self._asked) > ENTRIES_MAX:
            self._asked.popitem(last=False)
        return False


class Refused(Exception):  # noqa: N818 - it is an answer, not an error of ours
    """A request that is answered with an error status. Raised by `Dialect.parse` and `render`.

    `code` is a stable word, `says` one sentence that names what was expected, what came and how to
    send it right.
    """

    def __init__(
        self, status: int, code: str, says: str, *, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(says)
        self.status = status
        self.code = code
        self.says = says
        self.headers = headers


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """A request that would have returned an event, and the rule by which a client arrives at it.

    `plainly` is the rule for a client that never asked for times, where `says` tells it to leave
    them out; None: that says the same to all.
    """

    ask: Ask
    says: str
    plainly: str | None = None


class Tell(Protocol):
    """Returns id and fields of an event for each of the `stamps`, in the order of the log.

    `told_before` is how many events others have told of the same log: what is numbered in it, and
    is no id, goes on from there.
    """

    def __call__(
        self,
        random: Random,
        settings: Settings,
        stamps: Sequence[Instant | None],
        told_before: int = 0,
        /,
    ) -> list[tuple[EventId, dict[str, Any]]]:
        """Tell the story."""


def no_rate_limit(settings: Settings) -> None:
    """Let any number of requests through, whatever the settings."""


def no_remedy(
    scenario: Scenario,
    event: LoggedEvent,
    asked_from: Instant | None,
    settings: Settings,
) -> None:
    """Know no request that reads a missed event; the report then gives no such advice."""


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One API, whole.

    | field | meaning |
    |---|---|
    | `name`, `title` | on the command line; for people |
    | `list_path` | where the whole log is listed |
    | `switches`, `profiles` | what the document leaves open, and the named sets of answers |
    | `stamp_ms` | granularity of the stamps that the log shows, ms |
    | `id_type`, `fields_required` | what every event of a scenario must have |
    | `overlap_rows` | rows that two neighbouring pages of a right walk share at least |
    | `parse` | request → query; raises `Refused` |
    | `render` | query, its rows, settings → answer; raises `Refused` |
    | `render_event` | one event as the API shows it: the truth that deliveries are compared with |
    | `refusal_body` | status, code, sentence, settings → the body of an error |
    | `late_by_ms_max` | lateness that the settings promise, ms |
    | `rate_limit` | how many requests the settings let through, or None (the default) for any |
    | `tell` | chance, settings, stamps → id and fields of each event, in log order (`Tell`) |
    | `labels`, `numbers` | fields that queries ask for: of few values; other whole numbers |
    | `bounds` | the parameter that is a lower bound on stamps, on ids (`RECORDED_AT`, `ID`) |
    | `words` | what a query covers, in words; times of another day than the given one are dated |
    | `remedy` | the request that reads a missed event in a poll, or None (the default) |
    | `reference_client` | a client that every rule must spare |
    | `document_client` | the algorithm that the document (or its readers) use, for the tour |
    | `documents` | the folder of its documents; None: ``contracts/<name>`` of this package |
    """

    name: str
    title: str
    list_path: str
    switches: tuple[Switch, ...]
    profiles: tuple[Profile, ...]
    stamp_ms: int
    id_type: type[int] | type[str]
    fields_required: frozenset[str]
    parse: Callable[[Ask, Settings], Query]
    render: Callable[[Query, Selection, Settings], Answer]
    render_event: Callable[[LoggedEvent, Settings], dict[str, Any]]
    refusal_body: Callable[[Refused, Settings], bytes]
    late_by_ms_max: Callable[[Settings], int]
    tell: Tell
    words: Callable[[Query, Instant], str]
    reference_client: Callable[[Any], Any]
    document_client: Callable[[Any], Any]
    overlap_rows: int = 0
    labels: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    bounds: Mapping[str, str] = {}
    rate_limit: Callable[[Settings], RateLimit | None] = no_rate_limit
    remedy: Callable[[Scenario, LoggedEvent, Instant | None, Settings], Remedy | None] = no_remedy
    documents: Traversable | None = None

    def document(self, name: str) -> Traversable:
        """Return the document called `name`, such as ``openapi.json``. Raises `UsageError`."""
        if self.documents is None:
            return contract_path(self.name, name)
        return document_in(self.documents, self.name, name)

    @property
    def promises_at(self) -> str:
        """Where a report sends a reader who asks what the API promises."""
        if self.documents is None:
            return f"contracts/{self.name}/PROMISES.md"
        return f"PROMISES.md of {self.name}"

    def profile(self, name: str) -> Profile:
        """Return the profile called `name`. Raises `ProfileError`, listing the known ones."""
        for profile in self.profiles:
            if profile.name == name:
                return profile
        known = ", ".join(profile.name for profile in self.profiles)
        raise ProfileError(f"{self.name} has no profile {name!r}; known are {known}")

    def switch(self, name: str) -> Switch:
        """Return the switch called `name`. Raises `ProfileError`."""
        for switch in self.switches:
            if switch.name == name:
                return switch
        raise ProfileError(f"{self.name} has no switch {name!r}")

    def settings(self, chosen: Settings) -> FixedSettings:
        """Return `chosen` with the default of every other switch."""
        return FixedSettings(
            {switch.name: switch.default for switch in self.switches} | dict(chosen)
        )

    def limit_max(self, settings: Settings) -> int | None:
        """Return the server's cap on the limit (rows), the switch ``limit_max``; None is no cap."""
        cap = settings.get("limit_max")
        return None if cap is None else int(cap)

    def check(self, scenario: Scenario) -> None:
        """Raise `ScenarioError` or `ProfileError` for what this API can't have.

        That is a switch or a value that does not exist, an id of the wrong type, and an event
        without the fields that it is shown with.
        """
        check_settings(self.switches, scenario.settings)
        for event in scenario.events:
            self.check_event(event)

    def check_event(self, event: LoggedEvent) -> None:
        """Raise `ScenarioError` for an event that this API can't have."""
        if not isinstance(event.id, self.id_type):
            word = "whole numbers" if self.id_type is int else "text"
            raise ScenarioError(f"ids of {self.name} are {word}, got {event.id!r} in events")
        if not self.fields_required <= event.fields.keys():
            missing = ", ".join(sorted(self.fields_required - event.fields.keys()))
            raise ScenarioError(f"event {event.id!r} lacks the fields {missing}")

    def answer(
        self,
        ask: Ask,
        log: EventLog,
        at: Instant,
        settings: Settings,
        *,
        salt: int = 0,
        known: Known | None = None,
        change: Callable[[Query], Query] | None = None,
    ) -> Answer:
        """Answer `ask` from the rows visible at `at`: parse, order and cut, render.

        `salt` tells requests apart where the settings let the order of ties change. `known` has
        what this log answered before, and gets what is new. `change` returns what is
        answered in place of what was understood.
        """
        try:
            query = self.parse(ask, settings)
            if change is not None:
                query = change(query)
            as_of = at - query.lag_ms
            if known is None or query.is_shuffled:
                return self.render(query, log.select(query, as_of, salt=salt), settings)
            return self._recalled(query, log, as_of, settings, known)
        except Refused as refused:
            return Answer(
                status=refused.status,
                body=self.refusal_body(refused, settings),
                headers=refused.headers,
                problem=f"{refused.code}: {refused.says}",
            )

    def _recalled(
        self, query: Query, log: EventLog, as_of: Instant, settings: Settings, known: Known
    ) -> Answer:
        """Return what is known to be the answer; find it out and remember it otherwise."""
        # What is asked and what is there decide an answer, and nothing else does.
        key = (query, log.visible_count(as_of))
        is_known = known.is_asked_again(key)
        answer = known.answers.get(key) if is_known else None
        if answer is None:
            selection = log.select(query, as_of)
            selection.bodies = known.bodies
            answer = self.render(query, selection, settings)
            if is_known:
                known.answers.keep(key, answer, len(answer.body))
        return answer
