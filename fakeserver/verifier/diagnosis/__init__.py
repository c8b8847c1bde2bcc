"""The diagnosis: the fault class of a finding, where the history shows it, else nothing.

A class names the mistake behind what was found; several mistakes can leave the same traces. So each
function here returns a class only where the traces fit no other one, and None is a good answer: a
wrong class sends people to the wrong line of their program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from fakeserver.verifier.diagnosis import lost, others, repeated
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.verdict import Finding

Diagnosis = Callable[[Evidence, Finding], str | None]

DIAGNOSES: Mapping[str, Diagnosis] = {
    "LOST": lost.diagnose,
    "DUPLICATED": repeated.diagnose,
    "INVENTED": others.invented,
    "ALTERED": others.altered,
    "OUT_OF_ORDER": others.out_of_order,
    "STUCK": others.stuck,
    "CRASHED": others.crashed,
    "ILLEGAL_REQUEST": others.illegal_request,
    "IMPOLITE": others.impolite,
}
"""For each rule what names the class of its findings. A rule that is missing has none to tell."""


def diagnosed(evidence: Evidence, finding: Finding) -> Finding:
    """Return `finding` with its fault class, and a thread where the same happened, if it shows."""
    diagnose = DIAGNOSES.get(finding.rule)
    fault_class = None if diagnose is None else diagnose(evidence, finding)
    if fault_class is None:
        return finding
    thread = FAULT_CLASSES[fault_class].threads[0]
    return msgspec.structs.replace(finding, fault_class=fault_class, thread=thread)
