"""What was promised and not tried: told where it could have come up, and only then."""

import pytest

from fakeserver.verifier.promise import Promise
from fakeserver.verifier.untried import untried

LATENESS = "no event was late when the client asked: its promise to stand lateness was not tried"
STOPPED = "the client was never stopped: what it makes of its checkpoint was not tried"
ORDER = (
    "events never came in another order than they were recorded: the promised order was not tried"
)
TURNS = "two instances never took turns: what one makes of the other's checkpoint was not tried"
EVERYTHING = {"late-visible", "restart", "order-flip", "two-instances"}
BOLD = Promise(order="id", instances=2)


@pytest.mark.parametrize(
    ("promise", "late_by_ms_max", "met", "missed", "says"),
    [
        (BOLD, 1, set(), EVERYTHING, [LATENESS, STOPPED, ORDER, TURNS]),
        (BOLD, 1, EVERYTHING, set(), []),
        (BOLD, 1, {"crash-after-save", "late-visible"}, EVERYTHING, [TURNS]),
        (BOLD, 1, set(), {"restart"}, [STOPPED]),
        (BOLD, 1, set(), {"rate-limited"}, []),
        (Promise(), 0, set(), EVERYTHING, [STOPPED]),
        (Promise(), 1, set(), EVERYTHING, [LATENESS, STOPPED]),
        (Promise(), 0, {"restart"}, EVERYTHING, []),
    ],
    ids=[
        "nothing-came-up",
        "all-came-up",
        "one-of-several-is-enough",
        "the-others-could-not",
        "none-could",
        "not-promised",
        "lateness-of-the-worlds",
        "not-promised-and-stopped",
    ],
)
def test_what_was_not_tried(promise, late_by_ms_max, met, missed, says):
    assert list(untried(promise, late_by_ms_max, met=met, missed=missed)) == says
