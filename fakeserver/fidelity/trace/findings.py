"""What a recording decides of the switches, as a measured profile."""

from __future__ import annotations

from collections.abc import Mapping

from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import Dialect
from fakeserver.fidelity.probe import haravan_times, haravan_words, saleschannel
from fakeserver.fidelity.probe.asking import Asker, Reply, Unreachable
from fakeserver.fidelity.probe.decisions import Decisions
from fakeserver.fidelity.probe.haravan import HaravanProbe
from fakeserver.fidelity.probe.saleschannel import SalesChannelProbe
from fakeserver.fidelity.trace.lateness import is_late, measured
from fakeserver.fidelity.trace.readings import PERMISSIVE, Readings, meant
from fakeserver.fidelity.trace.tracing import Traced
from fakeserver.profile import MeasuredLateness, SwitchValue
from fakeserver.profile_file import ProfileFile

LATE: Mapping[str, SwitchValue] = {"haravan": "documented", "saleschannel": "minutes"}
"""The value of ``lateness`` under which events may be late at all."""
WHOLE_ROW = frozenset({"id", "created_at", "verb", "message"})
"""A row with these came without ``fields``."""
BESIDE_STRICTNESS = ("limit_max", "paging", "filter_case")
"""Switches that decide with a strict one whether a request is refused."""
SIZES = ("limit_max", "limit_default")
"""Switches that take any number: what is left of those that were tried is not all there is."""


def profile_of(traced: Traced, *, seen: str) -> ProfileFile:
    """Return what an explained recording decides. `seen` is an ISO date: when it was recorded."""
    dialect = find_dialect(traced.dialect)
    decisions = _shown(dialect, traced)
    _read(traced, decisions)
    _accepted(dialect, traced, decisions)
    found = measured(traced)
    _late(traced, decisions, found)
    return ProfileFile(
        dialect=traced.dialect,
        made="traced",
        seen=seen,
        switches=decisions.complete("nothing that was recorded depends on it"),
        lateness=found,
    )


def _read(traced: Traced, decisions: Decisions) -> None:
    """Decide switches of which all values but one contradict an answer."""
    for name, tried in traced.tried.items():
        left = {dict(chosen).get(name, _ANY) for chosen in traced.chosen}
        if _ANY in left:
            decisions.leave(name, "whether it matters depends on switches that are not decided")
            continue
        values = tuple(value for value in tried if value in left)
        refuted = len(tried) - len(values)
        says = f"{refuted} of {len(tried)} values contradict the answers"
        if not refuted:
            decisions.leave(name, f"all {len(tried)} values explain the answers")
        elif len(values) == 1:
            decisions.decide(name, values[0], says)
        elif name in SIZES:
            most = max((each.page.raw for each in traced.answered if each.page), default=0)
            decisions.leave(name, f"{says}; {most} rows came at most, and more may")
        else:
            decisions.narrow(name, values, says)


_ANY = object()
"""In the place of a value: with the others that are left, this switch does not matter."""


def _accepted(dialect: Dialect, traced: Traced, decisions: Decisions) -> None:
    """Decide switches whose strict value would have refused what was answered."""
    base = Readings(dialect, frozenset()).permissive
    asks = (each.recorded.ask for each in traced.answered if each.recorded.status == 200)
    answered = {(ask.path, ask.query): ask for ask in asks}.values()
    # Whether a request is refused may depend on what is left of other switches as well.
    left = {
        tuple(pair for pair in chosen if pair[0] in BESIDE_STRICTNESS) for chosen in traced.chosen
    }
    for name, lenient in PERMISSIVE[dialect.name].items():
        others = [value for value in dialect.switch(name).values if value != lenient]
        if len(others) != 1:
            continue
        stricts = [{**base, **dict(chosen), name: others[0]} for chosen in left]
        count = sum(
            all(meant(dialect, ask, strict) is None for strict in stricts) for ask in answered
        )
        if stricts and count:
            says = f"{count} different requests were answered that {others[0]!r} refuses"
            decisions.decide(name, lenient, says)


def _shown(dialect: Dialect, traced: Traced) -> Decisions:
    """Decide what rows show by themselves, as a probe does."""
    whole = [row for row in traced.rows.values() if row.keys() >= WHOLE_ROW]
    if dialect.name == "haravan":
        state = HaravanProbe(dialect, _nobody())
        state.rows = {int(row["id"]): row for row in whole}
        state.letters = traced.letters
        if whole:
            haravan_times.output(state, whole)
            haravan_words.shapes(state)
        return state.decisions
    other = SalesChannelProbe(dialect, _nobody())
    other.rows = {str(row["id"]): row for row in traced.rows.values() if "eventType" in row}
    if other.rows:
        saleschannel.rows_seen(other)
        for name in ("lateness", "created_at"):
            del other.decisions.findings[name]
    return other.decisions


def _nobody() -> Asker:
    def refuse(*_: object) -> Reply:
        raise Unreachable("a recording answers nothing new")

    return Asker(refuse, headers={}, now=lambda: 0.0, sleep=lambda _: None)


def _late(traced: Traced, decisions: Decisions, found: MeasuredLateness | None) -> None:
    if found is None:
        decisions.leave("lateness", "no event was recorded while somebody looked")
        return
    says = f"of {found.events} events one was hidden for at least {found.least['all']} ms"
    if not is_late(found):
        why = f"none of {found.events} events is known to have been hidden"
        decisions.leave("lateness", why)
    elif traced.dialect == "saleschannel":
        why = f"{says}; it was late, or its transaction took so long"
        decisions.leave("lateness", why)
        decisions.leave("created_at", why)
    else:
        decisions.decide("lateness", LATE[traced.dialect], says)
