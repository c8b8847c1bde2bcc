"""How Haravan reads and writes times: zone, forms, bounds, clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fakeserver.clock import zone
from fakeserver.dialects import find_dialect
from fakeserver.fidelity.probe.asking import Reply
from fakeserver.fidelity.probe.haravan import REFUSED, HaravanProbe, Row, stamp_of

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
YEAR = timedelta(days=366)
CHANGES_MAX = 2
"""Clock changes that are looked at, the latest ones. Each costs two requests at most."""


def times(probe: HaravanProbe) -> None:
    """time_output, time_forms, shop_zone, bounds, lost_plus, ambiguous_time."""
    rows = [row for row in probe.rows.values() if stamp_of(row)]
    if not rows:
        for name in ("time_output", "shop_zone", "bounds", "ambiguous_time"):
            probe.decisions.leave(name, "no event with a readable created_at was seen")
    else:
        output(probe, rows)
    _forms(probe)
    if rows:
        _zone(probe, _plain(rows))
        _bounds(probe, _plain(rows))
    _lost_plus(probe)
    if rows:
        _clock_changes(probe)


def _zones() -> list[str]:
    return [str(value) for value in find_dialect("haravan").switch("shop_zone").values]


def output(probe: HaravanProbe, rows: list[Row]) -> None:
    """time_output: how created_at is written."""
    in_utc = [str(row["created_at"]).endswith("Z") for row in rows]
    if all(in_utc) or not any(in_utc):
        value = "utc" if all(in_utc) else "offset"
        probe.decisions.decide("time_output", value, f"created_at of {len(rows)} rows")
    else:
        probe.decisions.contradict("time_output", "some rows have Z and some an offset")


def _local(moment: datetime, zone_name: str) -> str:
    return f"{moment.astimezone(zone(zone_name)):%Y-%m-%d %H:%M:%S}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def _plain(rows: list[Row]) -> datetime:
    """Return the instant of a row near which no zone changes its clocks."""
    stamps = sorted(stamp for row in rows if (stamp := stamp_of(row)))
    for moment in (*stamps[len(stamps) // 2 :], *stamps):
        near = (moment - 2 * HOUR, moment, moment + 2 * HOUR)
        if all(len({t.astimezone(zone(name)).utcoffset() for t in near}) == 1 for name in _zones()):
            return moment
    return stamps[len(stamps) // 2]


def _between(probe: HaravanProbe, low: str, high: str) -> tuple[Reply, list[datetime] | None]:
    """Ask for a window; return the stamps of its rows, or None where it is refused."""
    reply = probe.ask(created_at_min=low, created_at_max=high, limit=probe.page_max)
    rows = probe.listed(reply)
    return reply, None if rows is None else [stamp for row in rows if (stamp := stamp_of(row))]


def _forms(probe: HaravanProbe) -> None:
    reply = probe.ask(created_at_min="2008-12-31T03:00:00Z", limit=1)
    if probe.listed(reply) is not None:
        probe.decisions.decide("time_forms", "all", "a time with Z is taken", reply)
    elif reply.status in REFUSED:
        says = f"a time with Z gets {reply.status}"
        probe.decisions.decide("time_forms", "document-only", says, reply)


def _zone(probe: HaravanProbe, moment: datetime) -> None:
    """Ask for two seconds of local time in one zone after the other, the shown one first."""
    shown = next(
        (
            datetime.fromisoformat(row["created_at"]).utcoffset()
            for row in probe.rows.values()
            if stamp_of(row) == moment
        ),
        None,
    )
    names = sorted(_zones(), key=lambda name: moment.astimezone(zone(name)).utcoffset() != shown)
    asked: list[Reply] = []
    for name in names:
        low, high = _local(moment - SECOND, name), _local(moment + SECOND, name)
        reply, stamps = _between(probe, low, high)
        asked.append(reply)
        if stamps is None:
            probe.decisions.contradict("shop_zone", f"a local time gets {reply.status}", reply)
            return
        if moment in stamps:
            says = f"a local time of {name} finds the event of that moment"
            probe.decisions.decide("shop_zone", name, says, *asked)
            return
    probe.decisions.contradict("shop_zone", "local times are of none of the known zones", *asked)


def _bounds(probe: HaravanProbe, moment: datetime) -> None:
    if probe.decisions.is_decided("time_forms", "all"):
        text = _utc(moment)
    elif (finding := probe.decisions.findings.get("shop_zone")) and finding.status == "decided":
        text = _local(moment, str(finding.values[0]))
    else:
        return
    reply, stamps = _between(probe, text, text)
    if stamps is None or any(stamp != moment for stamp in stamps):
        says = "a window of one moment has other rows, or is refused"
        probe.decisions.contradict("bounds", says, reply)
        return
    value = "inclusive" if stamps else "exclusive"
    says = (
        f"a window that begins and ends at the moment of a row {'has it' if stamps else 'is empty'}"
    )
    probe.decisions.decide("bounds", value, says, reply)


def _lost_plus(probe: HaravanProbe) -> None:
    if probe.decisions.is_decided("time_forms", "document-only"):
        probe.decisions.leave("lost_plus", "offsets are refused, with a + and without")
        return
    reply = probe.ask(created_at_min="2008-12-31T03:00:00 07:00", limit=1)
    value = "reject" if probe.listed(reply) is None else "mend"
    says = f"a time whose + became a space gets {reply.status}"
    probe.decisions.decide("lost_plus", value, says, reply)


def _clock_changes(probe: HaravanProbe) -> None:
    """Look into the hours that a local clock repeats or skips, where the log has events."""
    finding = probe.decisions.findings.get("shop_zone")
    if finding is None or finding.status != "decided":
        probe.decisions.leave("ambiguous_time", "the shop's zone is unknown")
        return
    name = str(finding.values[0])
    stamps = sorted(stamp for row in probe.rows.values() if (stamp := stamp_of(row)))
    asked: list[Reply] = []
    changes = _changes(zone(name), stamps[-1] - YEAR, stamps[-1])
    for change, is_repeated in changes[:CHANGES_MAX]:
        value = _reading(probe, name, change, is_repeated=is_repeated, asked=asked)
        if value is not None:
            kind = "repeats" if is_repeated else "skips"
            says = f"a local time that a clock change {kind}, as a lower bound"
            probe.decisions.decide("ambiguous_time", value, says, *asked)
            return
    why = "no event was seen in an hour that the shop's clocks repeat or skip"
    probe.decisions.leave("ambiguous_time", why, *asked)


def _changes(there: ZoneInfo, first: datetime, last: datetime) -> list[tuple[datetime, bool]]:
    """Return the instants at which clocks change, the latest first; True for a repeated hour."""
    found: list[tuple[datetime, bool]] = []
    moment = first.replace(minute=0, second=0, microsecond=0) - HOUR
    step = timedelta(days=1)
    while moment <= last + HOUR:
        before, after = (t.astimezone(there).utcoffset() for t in (moment, moment + step))
        if before is not None and after is not None and before != after:
            hour = moment
            while (hour + HOUR).astimezone(there).utcoffset() == before:
                hour += HOUR
            found.append((hour + HOUR, after < before))
        moment += step
    return found[::-1]


def _reading(
    probe: HaravanProbe, name: str, change: datetime, *, is_repeated: bool, asked: list[Reply]
) -> str | None:
    """Return which instant the first local time at `change` means, or None without an event.

    The two readings lie an hour apart. What lies between them is listed under the one, and not
    under the other.
    """
    there = zone(name)
    # The first local time that comes twice is what the new offset makes of the change; the first
    # that never comes is what the old one does.
    known_at = change if is_repeated else change - SECOND
    offset = known_at.astimezone(there).utcoffset()
    assert offset is not None  # noqa: S101 - every zone has one
    text = f"{change.astimezone(UTC).replace(tzinfo=None) + offset:%Y-%m-%d %H:%M:%S}"
    end = _local(change + HOUR if is_repeated else change, name)
    reply, stamps = _between(probe, text, end)
    asked.append(reply)
    if stamps is None:
        return None
    if any(change - HOUR < stamp < change for stamp in stamps):
        return "earlier" if is_repeated else "later"
    reply, stamps = _between(probe, _local(change - HOUR - SECOND, name), end)
    asked.append(reply)
    if stamps is None or not any(change - HOUR < stamp < change for stamp in stamps):
        return None
    return "later" if is_repeated else "earlier"
