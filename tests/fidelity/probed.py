"""Fakes to probe: rich logs under any settings, asked in process on a clock of their own."""

from collections.abc import Mapping
from random import Random

from fakeserver.app import FakeServer
from fakeserver.clock import at
from fakeserver.dialects import find_dialect
from fakeserver.dialects.base import TOKEN
from fakeserver.doors import call
from fakeserver.fidelity.probe.asking import Asker, Reply
from fakeserver.fidelity.probe.probing import READ_AGAIN, probe
from fakeserver.oddities import made_odd
from fakeserver.profile import SwitchValue
from fakeserver.profile_file import ProfileFile
from fakeserver.scenario import LoggedEvent, Scenario

TODAY = "2026-11-26"
DAY_MS = 86_400_000
SPRING, AUTUMN = at("2026-03-08T07:00:00Z"), at("2026-11-01T06:00:00Z")
"""Clocks in New York skip an hour, and repeat one."""
EVENTS = 420
"""More than any cap or default that is known: else a cap can't be told from the end of the log."""


class Wire:
    """Sends to a fake in this process, and keeps what was sent."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.targets: list[str] = []

    def __call__(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.targets.append(target)
        answer = call(self.server, "GET", self.server.url(target), headers, body)
        names = {name.lower(): value for name, value in answer.headers}
        return Reply(status=answer.status, headers=names, body=answer.body)


class Clock:
    """Seconds that pass only when somebody sleeps; a fake that is slept for goes along."""

    def __init__(self, server: FakeServer | None = None) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        self.server = server

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        if self.server is not None:
            self.server.advance(seconds)


def drawn_settings(dialect: str, random: Random) -> dict[str, SwitchValue]:
    """One value of each switch, of all that it can take."""
    return {switch.name: random.choice(switch.values) for switch in find_dialect(dialect).switches}


def rich_scenario(
    dialect: str, settings: Mapping[str, SwitchValue], seed: int, events: int = EVENTS
) -> Scenario:
    """A log in which everything can be seen: ties, all types, events while clocks change."""
    random = Random(f"rich {seed}")
    found = find_dialect(dialect)
    whole = found.settings(settings)
    step = 1_000 if dialect == "haravan" else 1
    first = at("2026-02-20T00:00:00Z")
    stamps = [first + random.randrange(270 * DAY_MS // step) * step for _ in range(events * 3 // 4)]
    stamps += [
        middle - random.randrange(1_000, 3_500_000) // step * step
        for middle in (SPRING, AUTUMN)
        for _ in range(4)
    ][:events]
    while len(stamps) < events:
        stamps.append(random.choice(stamps))
    stamps = sorted(stamps[:events])
    told = found.tell(random, whole, stamps)
    logged = tuple(
        LoggedEvent(id=event_id, recorded_at=stamp, visible_at=stamp, fields=fields)
        for stamp, (event_id, fields) in zip(stamps, told, strict=True)
    )
    return Scenario(
        dialect=dialect,
        settings=dict(settings),
        starts_at=at("2026-11-26T12:00:00Z"),
        request_ms=0,
        page_size=50,
        late_by_ms_max=0,
        events=made_odd(random, whole, logged, found.late_by_ms_max(whole)),
        polls=(),
        calm_from=0,
    )


def probed(scenario: Scenario, *, requests_max: int = 60, per_second: float = 2.0) -> ProfileFile:
    """Probe a fake that plays `scenario`, as if in real time."""
    server = FakeServer(scenario)
    clock = Clock(server)
    asker = Asker(
        Wire(server),
        headers={"Authorization": f"Bearer {TOKEN}"},
        now=clock.now,
        sleep=clock.sleep,
        requests_max=requests_max,
        per_second=per_second,
        read_again=READ_AGAIN[scenario.dialect],
    )
    return probe(asker, dialect=scenario.dialect, seen=TODAY)
