"""What nobody could have done in a world: decided from the log, and never held against a client.

`theory.IMPOSSIBLE` says what each name means; this module says where it applies.
"""

from __future__ import annotations

from fakeserver.scenario import LoggedEvent
from fakeserver.verifier.evidence import Evidence


def is_out_of_reach(evidence: Evidence, event: LoggedEvent) -> bool:
    """Whether no legal request can return `event` (impossibility I1).

    With an inclusive stamp as the only key and a cap on the limit, the rows of one stamp beyond the
    cap are out of reach; where ties are shuffled, each of them is reached by luck only. A row
    without a stamp is found by no key at all. A dialect that pages by id reaches every visible
    event (`overlap_rows` 0).
    """
    cap = evidence.dialect.limit_max(evidence.settings)
    if not evidence.dialect.overlap_rows:
        return False
    if event.recorded_at is None:
        return True
    if cap is None:
        return False
    same = [other.id for other in evidence.by_stamp[event.recorded_at]]
    if evidence.settings.get("ties") == "shuffled":
        return len(same) > cap
    return same.index(event.id) >= cap
