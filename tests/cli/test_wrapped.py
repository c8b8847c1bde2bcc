"""What `explain` shows on a terminal fits it, and loses no word."""

import pytest

from fakeserver.cli.terminal import wrapped
from fakeserver.verifier.explain import explain, overview

TEXT = """\
LATE is a rule.
  spares   time in which nobody calls the client
  source   T3

switches of x:  one two-three four
"""
NARROW = """\
LATE is a rule.
  spares   time in which nobody
           calls the client
  source   T3

switches of x:  one two-three
                four
"""


def test_what_goes_on_hangs_below_the_text_of_its_line():
    assert wrapped(TEXT, 32) == NARROW


def test_what_fits_stays_as_it_is():
    assert wrapped(TEXT, 60) == TEXT


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("text", [overview(), explain("late"), explain("limit_max"), explain("T7")])
def test_every_line_fits_and_no_word_is_lost(text, width):
    lines = wrapped(text, width).splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(lines).split() == text.split()
