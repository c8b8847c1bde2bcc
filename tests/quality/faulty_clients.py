"""Clients with one mistake each, which the judge must catch.

The right ones among them (`BASES`) are written so that every step is a method, and a faulty one
overrides one step: what it shows is the mistake and nothing else. A test proves that the bases are
spared, so it is the mistake that is caught.

The line above each class says which rule and cause the judge must name, what is promised, and in
which worlds the mistake shows: the profile ``default`` wherever it can show there at all; where it
can't, the docstring says why.
"""

from fakeserver.dialects import find_dialect
from fakeserver.profile import Profile
from fakeserver.verifier.promise import Promise

from . import (
    faulty_crashes,
    faulty_faults,
    faulty_haravan,
    faulty_haravan_state,
    faulty_haravan_walks,
    faulty_promises,
    faulty_saleschannel,
    faulty_saleschannel_state,
    faulty_saleschannel_walks,
)
from .faulty import IN_ORDER_LATE, LATE, PROMPT, Faulty

FAULTY: tuple[Faulty, ...] = (
    *faulty_saleschannel.GALLERY.clients,
    *faulty_saleschannel_walks.GALLERY.clients,
    *faulty_saleschannel_state.GALLERY.clients,
    *faulty_haravan.GALLERY.clients,
    *faulty_haravan_walks.GALLERY.clients,
    *faulty_haravan_state.GALLERY.clients,
    *faulty_crashes.SALESCHANNEL.clients,
    *faulty_crashes.HARAVAN.clients,
    *faulty_promises.HARAVAN.clients,
    *faulty_promises.SALESCHANNEL.clients,
    *faulty_faults.SALESCHANNEL.clients,
    *faulty_faults.HARAVAN.clients,
)

BASES: tuple[tuple[type, str, Promise], ...] = (
    (faulty_saleschannel.ByKey, "saleschannel", PROMPT),
    (faulty_saleschannel.LookBack, "saleschannel", faulty_promises.AT_ONCE),
    (faulty_saleschannel.HoldBack, "saleschannel", IN_ORDER_LATE),
    (faulty_haravan.ByWindow, "haravan", faulty_promises.AT_ONCE),
    (faulty_haravan.ByPage, "haravan", faulty_promises.AT_ONCE),
    (faulty_haravan.ByLargestId, "haravan", PROMPT),
    *faulty_crashes.COMMITTING,
    (faulty_promises.WholeByPage, "haravan", faulty_promises.SNAPSHOT),
    (faulty_promises.WholeById, "haravan", faulty_promises.SNAPSHOT),
    (faulty_promises.WholeByKey, "saleschannel", faulty_promises.SNAPSHOT_IN_ORDER),
    (faulty_faults.ByDisjointPages, "haravan", LATE),
    (faulty_faults.FromPollToPoll, "haravan", PROMPT),
    (faulty_faults.FromStartToStart, "saleschannel", PROMPT),
    (faulty_faults.Impatient, "haravan", PROMPT),
    (faulty_saleschannel_walks.Downwards, "saleschannel", LATE),
    (faulty_saleschannel_walks.UnfilteredFirst, "saleschannel", PROMPT),
    (faulty_haravan_walks.ByStamp, "haravan", PROMPT),
    (faulty_haravan_walks.BySlices, "haravan", LATE),
    (faulty_haravan_walks.ByFrozenPages, "haravan", PROMPT),
    (faulty_haravan_state.BySecond, "haravan", LATE),
)
"""The right clients that the faulty ones vary, with their dialect and what they promise."""

BASES_ELSEWHERE: tuple[tuple[type, Profile, Promise], ...] = (
    (
        faulty_saleschannel_walks.UnfilteredFirst,
        find_dialect("saleschannel").profile("default").narrowed(null_created_at=True),
        PROMPT,
    ),
    (faulty_haravan_walks.ByCursor, find_dialect("haravan").profile("shopify-cursor"), LATE),
)
"""Those whose worlds the profile ``default`` does not hold."""
