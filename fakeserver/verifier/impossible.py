"""What nobody could have done in a world: decided from the log, and said in one sentence each.

`theory.IMPOSSIBLE` has what each name means. I1 to I5 are decided here; I6 is a promise that can't
be kept, and the others can't happen to a client of ours. What is out of reach is never held
against a client. I4 and I5 are: another client can do it, and the sentence says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from fakeserver.clock import clock_text, duration_text
from fakeserver.history import Killed, Restarted, Saved
from fakeserver.query import ID, RECORDED_AT
from fakeserver.scenario import EventId, LoggedEvent
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.theory import IMPOSSIBLE
from fakeserver.verifier.verdict import Finding, Impossible, few_of

NAMES_MAX = 5
"""Events that a sentence names; the rest is counted."""


def is_out_of_reach(evidence: Evidence, event: LoggedEvent) -> bool:
    """Whether no legal request is sure to return `event` (impossibilities I1, I1b and I2).

    With an inclusive stamp as the only key and a cap on the limit, the rows of one stamp beyond the
    cap are out of reach; where ties are shuffled, each of them is reached by luck only; and pages
    of one row never move on. A row without a stamp is found by no key at all. A dialect that pages
    by id reaches every visible event (`overlap_rows` 0).
    """
    cap = evidence.dialect.limit_max(evidence.settings)
    if not evidence.dialect.overlap_rows:
        return False
    if event.recorded_at is None or cap == 1:
        return True
    if cap is None:
        return False
    same = [other.id for other in evidence.by_stamp[event.recorded_at]]
    if evidence.settings.get("ties") == "shuffled":
        return len(same) > cap
    return same.index(event.id) >= cap


def impossible(evidence: Evidence, findings: Iterable[Finding]) -> tuple[Impossible, ...]:
    """Return what nobody could have done in this world, and what the accused could not as it tried.

    Silent about what is impossible and harmed nobody: an event beyond the cap that was delivered
    all the same, one that no request could have shown yet, a crash that repeated nothing.
    """
    missing = list(_missing(evidence))
    return (
        *_out_of_reach(evidence, missing),
        *_one_row_asked(evidence, missing),
        *_too_late(evidence),
        *_by_ids_alone(evidence, findings),
        *_in_two_steps(evidence, findings),
    )


def over_worlds(counts: Mapping[str, int]) -> tuple[Impossible, ...]:
    """Say how often each impossibility came up in many worlds; `counts` has the worlds by name."""
    return tuple(
        Impossible(
            name=name,
            sentence=f"{each.situation}, in {counts[name]} world{'s' if counts[name] > 1 else ''} "
            f"({name})",
            worlds=counts[name],
        )
        for name, each in IMPOSSIBLE.items()
        if counts.get(name)
    )


def _missing(evidence: Evidence) -> Iterator[LoggedEvent]:
    """Yield what was there for the client, within the promise, and neither served nor delivered."""
    if not evidence.exchanges:
        return
    last = evidence.exchange(evidence.exchanges[-1]).at
    gone = [
        event
        for event in evidence.scenario.events
        if event.id not in evidence.first_delivery and event.visible_at <= last
    ]
    if not gone:
        return
    served = {event_id for asked in evidence.asked for event_id in asked.ids}
    for event in gone:
        in_time = evidence.late_by_ms(event) <= evidence.late_by_ms_max
        if event.id not in served and in_time and evidence.in_scope(event):
            yield event


def _out_of_reach(evidence: Evidence, missing: Sequence[LoggedEvent]) -> Iterator[Impossible]:
    gone = [event for event in missing if is_out_of_reach(evidence, event)]
    cap = evidence.dialect.limit_max(evidence.settings)
    if cap == 1 and gone:
        yield _told(
            "I2",
            f"the server never returns more than one row, so a key that includes its own row never "
            f"moves on, and no client is sure to read {_names(evidence, gone)}",
            gone,
        )
        return
    gone.sort(key=lambda event: math.inf if event.recorded_at is None else event.recorded_at)
    for stamp, group in groupby(gone, key=lambda event: event.recorded_at):
        events = list(group)
        names = _names(evidence, events)
        if stamp is None:
            has = "has" if len(events) == 1 else "have"
            yield _told("I1", f"no filter on stamps finds {names}, which {has} none", events)
            continue
        share = f"{len(evidence.by_stamp[stamp])} events share the stamp {clock_text(stamp)}"
        most = f"the server never returns more than {cap}"
        if evidence.settings.get("ties") == "shuffled":
            luck = f"{names} can be read by luck only: {share}, in a new order each time"
            yield _told("I1b", f"{luck}, and {most}", events)
        else:
            yield _told("I1", f"no client can read {names}: {share}, and {most}", events)


def _one_row_asked(evidence: Evidence, missing: Sequence[LoggedEvent]) -> Iterator[Impossible]:
    """I2 by the client's own choice: it is held against it, for a larger limit helps."""
    limits = {query.limit_asked for query in evidence.list_queries}
    cap = evidence.dialect.limit_max(evidence.settings)
    if evidence.dialect.overlap_rows and limits == {1} and cap != 1 and missing:
        yield _told(
            "I2",
            "every request asked for one row, and a key that includes its own row never moves on "
            "from that: ask for two or more",
            missing,
        )


def _too_late(evidence: Evidence) -> Iterator[Impossible]:
    late = [
        event
        for event in evidence.scenario.events
        if evidence.late_by_ms(event) > evidence.late_by_ms_max
    ]
    if late and evidence.promise.mode == "incremental":  # a snapshot has what is visible by then
        span = duration_text(evidence.late_by_ms_max)
        yield _told(
            "I3",
            f"{_names(evidence, late)} came later than the {span} that were promised, and nobody "
            "is complete without a bound on the lateness",
            late,
        )


def _by_ids_alone(evidence: Evidence, findings: Iterable[Finding]) -> Iterator[Impossible]:
    """I4: the client lost what appeared after a higher id, and its requests name ids alone."""
    ids = [
        i for f in findings if f.rule == "LOST" and f.cause == "never-asked" for i in f.event_ids
    ]
    queries = evidence.list_queries
    fields = [{condition.field for condition in query.conditions} for query in queries]
    by_ids = all(ID in each and RECORDED_AT not in each for each in fields)
    if not queries or not by_ids:
        return
    events = [event for event in map(evidence.log.find, ids) if event is not None]
    behind = [event for event in events if _appeared_behind(evidence, event)]
    if behind:
        yield _told(
            "I4",
            f"{_names(evidence, behind)} appeared after a higher id had been read: a client that "
            "asks again for a window of time finds that (T7), one that goes on from ids alone "
            "never does",
            behind,
        )


def _appeared_behind(evidence: Evidence, event: LoggedEvent) -> bool:
    """Whether a higher id was served before `event` could be."""
    return any(
        served > event.id  # type: ignore[operator]  # the ids of a log are of one type
        for asked in evidence.asked
        if asked.exchange.at < event.visible_at
        for served in asked.ids
    )


def _in_two_steps(evidence: Evidence, findings: Iterable[Finding]) -> Iterator[Impossible]:
    """I5: exactly-once was promised, and a crash fell between delivering and saving."""
    if evidence.promise.delivery != "exactly-once":
        return
    ids: list[EventId] = []
    for finding in findings:
        if finding.rule == "LOST" and finding.cause == "saved-before-delivered":
            ids += finding.event_ids
        elif finding.rule == "DUPLICATED":
            pairs = zip(finding.steps[::2], finding.steps[1::2], strict=True)
            ids += [
                evidence.delivered(first).event_id
                for first, again in pairs
                if _killed_unsaved(evidence, first, again)
            ]
    if ids:
        events = [event for event in evidence.scenario.events if event.id in ids]
        yield _told(
            "I5",
            f"{_names(evidence, events)} fell between delivering and saving, which in two steps no "
            "client makes exactly-once across a crash; feed.commit is one step",
            events,
        )


def _killed_unsaved(evidence: Evidence, first: int, again: int) -> bool:
    """Whether the client was killed between two deliveries of an event, and before it saved."""
    for step in evidence.history[first:again]:
        if isinstance(step, (Killed, Restarted, Saved)):
            return isinstance(step, Killed)
    return False


def _names(evidence: Evidence, events: Sequence[LoggedEvent]) -> str:
    return few_of((evidence.name(event.id) for event in events), NAMES_MAX)


def _told(name: str, sentence: str, events: Iterable[LoggedEvent]) -> Impossible:
    ids = tuple(event.id for event in events)
    return Impossible(name=name, sentence=f"{sentence} ({name})", event_ids=ids)
