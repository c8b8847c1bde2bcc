"""What a probe has decided so far, and what it leaves open and why."""

from __future__ import annotations

import msgspec

from fakeserver.dialects.base import Dialect
from fakeserver.fidelity.probe.asking import Reply
from fakeserver.fidelity.values import printable
from fakeserver.profile import SwitchValue
from fakeserver.profile_file import SwitchFinding

EVIDENCE_CHARS_MAX = 300
"""A sentence; of what an answer holds a word may stand in it, and is cut where it is long."""


class Decisions:
    """Findings by switch; the first one about a switch stands."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.findings: dict[str, SwitchFinding] = {}

    def decide(self, name: str, value: SwitchValue, evidence: str, *replies: Reply) -> None:
        """Note the value of a switch; one that it can't take is a contradiction.

        What failed, or leads elsewhere, decides nothing.
        """
        if self._failed(name, evidence, replies):
            return
        if not self._dialect.switch(name).takes(value):
            self.contradict(name, f"{evidence}: {value!r} is none of its values", *replies)
            return
        self._note(
            name,
            SwitchFinding(
                status="decided", values=(value,), evidence=evidence, requests=_numbers(replies)
            ),
        )

    def narrow(
        self, name: str, values: tuple[SwitchValue, ...], evidence: str, *replies: Reply
    ) -> None:
        """Note which values are left; the usual one comes first.

        One that is left is the value; all that are left say nothing; none is a contradiction.
        """
        switch = self._dialect.switch(name)
        left = tuple(value for value in switch.values if value in values)
        if not left:
            self.contradict(name, evidence, *replies)
        elif len(left) == 1 and len(switch.values) > 1:
            self.decide(name, left[0], evidence, *replies)
        elif len(left) == len(switch.values):
            self.leave(name, evidence, *replies)
        else:
            self._note(
                name,
                SwitchFinding(
                    status="narrowed", values=left, evidence=evidence, requests=_numbers(replies)
                ),
            )

    def leave(self, name: str, why: str, *replies: Reply) -> None:
        """Note why a switch is left open."""
        self._note(
            name, SwitchFinding(status="undecided", evidence=why, requests=_numbers(replies))
        )

    def contradict(self, name: str, evidence: str, *replies: Reply) -> None:
        """Note that the service does what no value of the switch describes; failing is no such."""
        if self._failed(name, evidence, replies):
            return
        self._note(
            name,
            SwitchFinding(status="contradicted", evidence=evidence, requests=_numbers(replies)),
        )

    def _failed(self, name: str, evidence: str, replies: tuple[Reply, ...]) -> bool:
        """Whether an answer failed, or leads elsewhere; then the switch is left open."""
        strange = next((r.status for r in replies if r.status // 100 not in (2, 4)), None)
        if strange is not None:
            self.leave(name, f"{evidence}; a status {strange} decides nothing", *replies)
        return strange is not None

    def is_decided(self, name: str, value: SwitchValue) -> bool:
        """Whether a switch is known to have that value."""
        finding = self.findings.get(name)
        return finding is not None and finding.status == "decided" and finding.values == (value,)

    def _note(self, name: str, finding: SwitchFinding) -> None:
        self._dialect.switch(name)
        evidence = printable(finding.evidence)[:EVIDENCE_CHARS_MAX]
        self.findings.setdefault(name, msgspec.structs.replace(finding, evidence=evidence))

    def complete(self, why: str) -> dict[str, SwitchFinding]:
        """Return a finding for every switch in the order of the dialect; the rest is open."""
        left = SwitchFinding(status="undecided", evidence=why)
        return {s.name: self.findings.get(s.name, left) for s in self._dialect.switches}


def _numbers(replies: tuple[Reply, ...]) -> tuple[int, ...]:
    return tuple(sorted({reply.number for reply in replies}))
