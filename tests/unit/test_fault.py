"""What a fault can say, and which requests it hits."""

import math

import msgspec
import pytest

from fakeserver import Fault
from fakeserver.errors import ScenarioError, UsageError
from fakeserver.fault import (
    FAULT_KINDS,
    MS_MAX,
    RETRY_AFTER_S_MAX,
    SERVER_ERRORS,
    TIMES_MAX,
)

LEAST = {"slow-answer": {"ms": 1}, "stale-read": {"ms": 1}}
"""What a kind can't lack."""


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_kind_goes_through_json(kind):
    values = {"status": 502, "retry_after_s": 2.5, "ms": 7}
    takes = {name: values[name] for name in FAULT_KINDS[kind].takes}
    for fault in (
        Fault(kind=kind, **LEAST.get(kind, {})),
        Fault(kind=kind, nth=3, times=None, **takes),
    ):
        assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault


def test_the_default_is_the_next_request_once():
    assert msgspec.json.decode(b'{"kind": "dropped-connection"}', type=Fault) == Fault(
        kind="dropped-connection", nth=1, times=1
    )


@pytest.mark.parametrize("kind", FAULT_KINDS)
@pytest.mark.parametrize("field", ["status", "retry_after_s", "ms"])
def test_a_field_that_means_nothing_is_refused(kind, field):
    values = {"status": 503, "retry_after_s": 1.0, "ms": 5}
    fields = {**LEAST.get(kind, {}), field: values[field]}
    if field in FAULT_KINDS[kind].takes:
        assert getattr(Fault(kind=kind, **fields), field) == values[field]
    else:
        with pytest.raises(ScenarioError, match=rf"the fault '{kind}': {field} means nothing here"):
            Fault(kind=kind, **fields)


@pytest.mark.parametrize("kind", LEAST)
def test_a_field_that_is_needed_is_missed(kind):
    with pytest.raises(ScenarioError, match=f"the fault '{kind}': ms is missing"):
        Fault(kind=kind)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "nonsense"}, "no such kind; known are server-error, "),
        ({"nth": 0}, f"nth counts requests from 1 to {TIMES_MAX}, got 0"),
        ({"nth": TIMES_MAX + 1}, "nth counts requests"),
        ({"times": 0}, f"times must be 1 to {TIMES_MAX}, or null for no end, got 0"),
        ({"times": TIMES_MAX + 1}, "times must be"),
        ({"status": 504}, "status must be 500, 502, 503, got 504"),
        ({"retry_after_s": -1}, "retry_after_s must be 0 to 86400"),
        ({"retry_after_s": RETRY_AFTER_S_MAX + 1}, "retry_after_s must be"),
        ({"retry_after_s": math.nan}, "retry_after_s must be"),
        ({"kind": "slow-answer", "ms": 0}, f"ms must be 1 to {MS_MAX}"),
        ({"kind": "slow-answer", "ms": MS_MAX + 1}, "ms must be"),
    ],
)
def test_a_number_out_of_range_is_named(fields, says):
    with pytest.raises(UsageError, match=says.replace("(", r"\(")):
        Fault(**{"kind": "server-error", **fields})


def test_the_limits_themselves_are_fine():
    for status in SERVER_ERRORS:
        Fault(kind="server-error", status=status, retry_after_s=RETRY_AFTER_S_MAX, nth=TIMES_MAX)
    Fault(kind="rate-limited", times=TIMES_MAX, retry_after_s=0)
    Fault(kind="stale-read", ms=MS_MAX)


@pytest.mark.parametrize(
    ("nth", "times", "hit"),
    [(1, 1, [1]), (3, 1, [3]), (2, 3, [2, 3, 4]), (4, None, [4, 5, 6])],
)
def test_it_hits_as_many_requests_as_it_says(nth, times, hit):
    fault = Fault(kind="server-error", nth=nth, times=times)
    assert [number for number in range(1, 7) if fault.hits(number)] == hit
    for asked in range(7):
        left = None if times is None else sum(number > asked for number in hit)
        assert fault.left(asked) == left


@pytest.mark.parametrize("kind", FAULT_KINDS.values(), ids=list(FAULT_KINDS))
def test_a_kind_explains_itself(kind):
    assert kind.about.endswith(".")
    assert "fault class" in kind.source
    assert set(kind.needs) <= set(kind.takes) <= set(Fault.__struct_fields__)
