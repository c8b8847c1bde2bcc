"""The rules: what a client can be accused of, on which evidence, and what never counts.

A rule is a function from evidence to findings. It accuses only on what the history shows; where
the history leaves doubt it is silent. Every rule has a faulty client that it must catch and all
right clients that it must spare, in `tests/quality`.
"""

from __future__ import annotations

from collections.abc import Mapping

from fakeserver.verifier.rules.content import ALTERED, INVENTED
from fakeserver.verifier.rules.duplicated import DUPLICATED
from fakeserver.verifier.rules.freshness import LATE
from fakeserver.verifier.rules.lost import LOST
from fakeserver.verifier.rules.order import OUT_OF_ORDER
from fakeserver.verifier.rules.politeness import IMPOLITE
from fakeserver.verifier.rules.progress import CRASHED, STUCK
from fakeserver.verifier.rules.requests import ILLEGAL_REQUEST
from fakeserver.verifier.rules.rule import Rule

_ALL = (
    ILLEGAL_REQUEST,
    CRASHED,
    STUCK,
    INVENTED,
    LOST,
    DUPLICATED,
    ALTERED,
    OUT_OF_ORDER,
    LATE,
    IMPOLITE,
)

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _ALL}
"""Every rule by its name. Findings are told in this order: what stops a client explains what it
lost, and so does an id that was made up; what it lost explains what it repeats; manners come
last."""
