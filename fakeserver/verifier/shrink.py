"""Makes a broken world small: fewer events, fewer polls, rounder times, as long as it stays broken.

Hypothesis can shrink only choices that it drew itself, and drawing a world through it costs forty
times as much (ARCHITECTURE.md, "Decisions"). A world is plain data, so we shrink the data: each
pass proposes simpler scenarios, and the first one that still breaks the same rule is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise, product

import msgspec

from fakeserver.clock import HOUR_MS, MINUTE_MS, SECOND_MS, Instant, at
from fakeserver.dialects import find_dialect
from fakeserver.errors import ScenarioError
from fakeserver.fault import Fault
from fakeserver.oddities import without_finer
from fakeserver.scenario import CALM_POLLS_MIN, PATIENCE_MS, EventId, LoggedEvent, Poll, Scenario

RUNS_MAX = 600
"""Enough for any world we draw; a client that takes a second a world must still come to an end."""
NOON = at("2026-03-02T12:00:00Z")
"""Shrunk worlds start here where they can: a Monday noon, far from any change of the clock."""
ROUND_GAPS_MS = (
    0,
    SECOND_MS,
    10 * SECOND_MS,
    MINUTE_MS,
    5 * MINUTE_MS,
    HOUR_MS,
)

Test = Callable[[Scenario], bool]
Pass = Callable[[Scenario], Iterator[Scenario]]


def shrink(scenario: Scenario, still_broken: Test, *, runs_max: int = RUNS_MAX) -> Scenario:
    """Return a small scenario for which `still_broken` holds, as it does for `scenario`.

    Calls `still_broken` at most `runs_max` times. Deterministic: no chance, no clock.
    """
    budget = runs_max
    tried: set[bytes] = set()
    improved = True
    while improved and budget > 0:
        improved = False
        for propose in PASSES:
            again = True
            while again and budget > 0:
                again = False
                for candidate in propose(scenario):
                    key = msgspec.json.encode(candidate)
                    if key in tried:
                        continue
                    tried.add(key)
                    if budget == 0:
                        break
                    budget -= 1
                    if still_broken(candidate):
                        scenario, again, improved = candidate, True, True
                        break
    return scenario


def _changed(scenario: Scenario, **fields: object) -> Iterator[Scenario]:
    """Yield `scenario` with other fields, unless that contradicts itself or changes nothing.

    Nor where it would cut the patience at the end short: then a client that is only slow would be
    accused of what another one lost, and would be still when that is mended.
    """
    try:
        candidate = msgspec.structs.replace(scenario, **fields)
    except ScenarioError:
        return
    if candidate != scenario and _patience(candidate) >= _patience(scenario):
        yield candidate


def _patience(scenario: Scenario) -> int:
    """How long the last poll waits after the one before, as far as that matters, ms."""
    return min(PATIENCE_MS, scenario.polls[-1].starts_at - scenario.polls[-2].starts_at)


def _fewer_events(scenario: Scenario) -> Iterator[Scenario]:
    events = scenario.events
    size = len(events)
    while size >= 1:
        for start in range(0, len(events), size):
            yield from _changed(scenario, events=events[:start] + events[start + size :])
        size //= 2
    # Where the end of a page matters, only whole pages can go.
    for fewer in _without_blocks(scenario, scenario.page_size):
        yield from _changed(scenario, events=fewer)


def _without_blocks(scenario: Scenario, size: int) -> Iterator[tuple[LoggedEvent, ...]]:
    """Yield the events without each run of `size` neighbours."""
    events = scenario.events
    for start in range(len(events) - size + 1):
        yield events[:start] + events[start + size :]


def _fewer_polls(scenario: Scenario) -> Iterator[Scenario]:
    polls, calm = scenario.polls, scenario.calm_from
    for number in range(calm):
        yield from _changed(
            scenario, polls=polls[:number] + polls[number + 1 :], calm_from=calm - 1
        )
    if len(polls) - calm > CALM_POLLS_MIN:
        for number in range(calm, len(polls)):
            yield from _changed(scenario, polls=polls[:number] + polls[number + 1 :])
    if calm > 0 and polls[calm - 1].crash is None:
        # The last poll of the storm may as well be the first of the calm.
        yield from _changed(scenario, calm_from=calm - 1, polls=polls[:-1])


def _fewer_crashes(scenario: Scenario) -> Iterator[Scenario]:
    for number, poll in enumerate(scenario.polls):
        for simpler in (
            Poll(starts_at=poll.starts_at, faults=poll.faults),
            msgspec.structs.replace(poll, instance=1),
            msgspec.structs.replace(poll, restart=False),
            msgspec.structs.replace(poll, crash=None),
        ):
            if simpler != poll:
                polls = (*scenario.polls[:number], simpler, *scenario.polls[number + 1 :])
                yield from _changed(scenario, polls=polls)


def _fewer_faults(scenario: Scenario) -> Iterator[Scenario]:
    """Drop all faults, then those of a poll, then one; then make one plainer, and hit earlier."""
    yield from _changed(scenario, polls=tuple(_with_faults(poll, ()) for poll in scenario.polls))
    for number, poll in enumerate(scenario.polls):
        for faults in ((), *_fewer_or_plainer(poll.faults)):
            polls = list(scenario.polls)
            polls[number] = _with_faults(poll, faults)
            yield from _changed(scenario, polls=tuple(polls))


def _with_faults(poll: Poll, faults: tuple[Fault, ...]) -> Poll:
    return msgspec.structs.replace(poll, faults=faults)


def _fewer_or_plainer(faults: tuple[Fault, ...]) -> Iterator[tuple[Fault, ...]]:
    for place in range(len(faults)):
        yield faults[:place] + faults[place + 1 :]
    for place, fault in enumerate(faults):
        for changes in (
            {"times": 1},
            {"nth": 1},
            {"nth": fault.nth - 1},
            {"status": None},
            {"retry_after_s": None},
        ):
            if any(getattr(fault, name) != value for name, value in changes.items()):
                with suppress(ScenarioError):
                    plainer = msgspec.structs.replace(fault, **changes)
                    yield (*faults[:place], plainer, *faults[place + 1 :])


def _fewer_requests_before_trouble(scenario: Scenario) -> Iterator[Scenario]:
    """Drop a page of events, and let a fault or a kill behind it hit one request earlier."""
    polls = tuple(map(_one_earlier, scenario.polls))
    if polls == scenario.polls:
        return
    for fewer in _without_blocks(scenario, _rows_of_a_page(scenario)):
        yield from _changed(scenario, events=fewer, polls=polls)


def _one_earlier(poll: Poll) -> Poll:
    faults = tuple(msgspec.structs.replace(f, nth=max(1, f.nth - 1)) for f in poll.faults)
    crash = poll.crash
    if crash is not None:
        crash = msgspec.structs.replace(crash, nth=max(1, crash.nth - 1))
    return msgspec.structs.replace(poll, faults=faults, crash=crash)


def _fewer_settings(scenario: Scenario) -> Iterator[Scenario]:
    dialect = find_dialect(scenario.dialect)
    late = dialect.late_by_ms_max(dialect.settings(scenario.settings))
    for name in scenario.settings:
        settings = {key: value for key, value in scenario.settings.items() if key != name}
        # What promises the lateness stays: without it an event would be later than promised.
        if dialect.late_by_ms_max(dialect.settings(settings)) < late:
            continue
        events = without_finer(scenario.events) if name == "stamp_precision" else scenario.events
        yield from _changed(scenario, settings=settings, events=events)


def _small_pages(scenario: Scenario) -> Iterator[Scenario]:
    """Before events go: large pages need many of them."""
    yield from _paged(scenario, (2, 3, 4, 5))


def _smaller_pages(scenario: Scenario) -> Iterator[Scenario]:
    """After events have gone: a client that counts with its limit may need as many events more."""
    yield from _paged(scenario, (scenario.page_size // 2, scenario.page_size - 1))


def _paged(scenario: Scenario, sizes: Iterable[int]) -> Iterator[Scenario]:
    for size in sizes:
        if 1 < size < scenario.page_size:
            yield from _changed(scenario, page_size=size)


def _quicker_requests(scenario: Scenario) -> Iterator[Scenario]:
    for request_ms in (0, SECOND_MS):
        if request_ms < scenario.request_ms:
            yield from _changed(scenario, request_ms=request_ms)


def _prompt_events(scenario: Scenario) -> Iterator[Scenario]:
    for number, event in enumerate(scenario.events):
        if event.recorded_at is not None and event.visible_at != event.recorded_at:
            prompt = msgspec.structs.replace(event, visible_at=event.recorded_at)
            events = (*scenario.events[:number], prompt, *scenario.events[number + 1 :])
            yield from _changed(scenario, events=events)


def _earlier_events(scenario: Scenario) -> Iterator[Scenario]:
    """Let an event that appears during a poll, or after it, be there when it starts."""
    for number, (before, event) in enumerate(pairwise(scenario.events), start=1):
        if before.recorded_at is None or event.recorded_at is None:
            continue
        for poll in scenario.polls:  # not before its neighbour: ids may rise with time
            if before.recorded_at <= poll.starts_at < event.recorded_at:
                moved = _moved(event, by=before.recorded_at - event.recorded_at)
                events = (*scenario.events[:number], moved, *scenario.events[number + 1 :])
                yield from _changed(scenario, events=events)
                break


def _smaller_ids(scenario: Scenario) -> Iterator[Scenario]:
    """Renumber integer ids from 2 on, keeping their order; some APIs give 0 and 1 a meaning."""
    ids = [event.id for event in scenario.events]
    if not ids or not all(isinstance(event_id, int) for event_id in ids):
        return
    ranks: dict[EventId, int] = {event_id: rank for rank, event_id in enumerate(sorted(ids), 2)}
    events = tuple(msgspec.structs.replace(event, id=ranks[event.id]) for event in scenario.events)
    yield from _changed(scenario, events=events)


def _start_at_noon(scenario: Scenario) -> Iterator[Scenario]:
    first = min([scenario.starts_at, *_instants(scenario)])
    yield from _shifted(scenario, after=first - 1, by=NOON - first)


def _fewer_ties(scenario: Scenario) -> Iterator[Scenario]:
    """Part events that share a stamp by a second: what remains tied is what the failure needs."""
    events = scenario.events
    for number, (before, event) in enumerate(pairwise(events), start=1):
        stamp = event.recorded_at
        if stamp is None or stamp != before.recorded_at:
            continue
        for parted in _shifted(scenario, after=stamp, by=SECOND_MS, polls_after=stamp - 1):
            moved = tuple(
                _moved(event, by=SECOND_MS) if event.recorded_at == stamp else event
                for event in parted.events[number:]
            )
            yield from _changed(parted, events=parted.events[:number] + moved)


def _moved(event: LoggedEvent, *, by: int) -> LoggedEvent:
    """Stamp an event anew; one that was visible at once, or too early for that, is so again."""
    assert event.recorded_at is not None  # noqa: S101 - the caller compared it with a stamp
    recorded_at = event.recorded_at + by
    prompt = event.visible_at == event.recorded_at
    visible_at = recorded_at if prompt else max(event.visible_at, recorded_at)
    return msgspec.structs.replace(event, recorded_at=recorded_at, visible_at=visible_at)


def _rounder_gaps(scenario: Scenario) -> Iterator[Scenario]:
    """Bring neighbouring instants closer together, to round distances, keeping their order.

    What is closer than a second is brought a second apart.
    """
    taken = set(_instants(scenario))
    instants = sorted({scenario.starts_at, *taken})
    for before, after in pairwise(instants):
        gap = after - before
        rounded = (gap - gap % MINUTE_MS, gap - gap % SECOND_MS)
        for wanted in dict.fromkeys((*ROUND_GAPS_MS, *rounded)):
            # Never down to nothing: a tie that the failure does not need would mislead a reader.
            is_rounder = wanted < gap or gap < wanted == SECOND_MS
            if is_rounder and (wanted > 0 or before not in taken):
                yield from _shifted(scenario, after=before, by=wanted - gap)


def _shorter_walks(scenario: Scenario) -> Iterator[Scenario]:
    """Drop a page of events, and let what follows an instant come one request earlier.

    Without the second half, what must happen in the middle of a walk would come after its end.
    Neighbouring pages may share a row, so a page counts one event less there.
    """
    first = scenario.polls[0].starts_at
    instants = sorted({at for at in _instants(scenario) if first <= at < scenario.calm_at})
    for fewer in _without_blocks(scenario, _rows_of_a_page(scenario)):
        for without in _changed(scenario, events=fewer):
            for instant, by in product(instants, _request_steps(scenario)):
                yield from _shifted(without, after=instant, by=-by)


def _rows_of_a_page(scenario: Scenario) -> int:
    """How many rows a page brings that no page before it had."""
    return max(1, scenario.page_size - find_dialect(scenario.dialect).overlap_rows)


def _request_steps(scenario: Scenario) -> tuple[int, ...]:
    """What a request costs, in steps that keep the API's granularity of stamps, ms."""
    stamp_ms = find_dialect(scenario.dialect).stamp_ms
    below = scenario.request_ms - scenario.request_ms % stamp_ms
    steps = dict.fromkeys((scenario.request_ms, below, below + stamp_ms))
    return tuple(step for step in steps if step)


def _instants(scenario: Scenario) -> Iterator[Instant]:
    for event in scenario.events:
        if event.recorded_at is not None:
            yield event.recorded_at
        yield event.visible_at
    for poll in scenario.polls:
        yield poll.starts_at


def _shifted(
    scenario: Scenario, *, after: Instant, by: int, polls_after: Instant | None = None
) -> Iterator[Scenario]:
    """Move every instant later than `after` (polls: `polls_after`) by `by` ms.

    Proposes nothing where a stamp would lose the granularity of the API.
    """

    def move(instant: Instant, limit: Instant = after) -> Instant:
        return instant + by if instant > limit else instant

    def move_event(event: LoggedEvent) -> LoggedEvent:
        recorded_at = None if event.recorded_at is None else move(event.recorded_at)
        return msgspec.structs.replace(
            event, recorded_at=recorded_at, visible_at=move(event.visible_at)
        )

    events = tuple(map(move_event, scenario.events))
    stamp_ms = find_dialect(scenario.dialect).stamp_ms
    if any(event.recorded_at is not None and event.recorded_at % stamp_ms for event in events):
        return
    limit = after if polls_after is None else polls_after
    polls = tuple(
        msgspec.structs.replace(poll, starts_at=move(poll.starts_at, limit))
        for poll in scenario.polls
    )
    yield from _changed(scenario, starts_at=move(scenario.starts_at), events=events, polls=polls)


PASSES: tuple[Pass, ...] = (
    _small_pages,
    _fewer_events,
    _fewer_polls,
    _fewer_crashes,
    _fewer_faults,
    _fewer_requests_before_trouble,
    _prompt_events,
    _earlier_events,
    _fewer_settings,
    _smaller_pages,
    _quicker_requests,
    _smaller_ids,
    _start_at_noon,
    _fewer_ties,
    _rounder_gaps,
    _shorter_walks,
)
"""In the order of what they save a reader."""
