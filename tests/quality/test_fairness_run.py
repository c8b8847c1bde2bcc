"""The long run of fairness: its page is of this tree's clients, and it does find an accusation."""

import re

from fakeserver.verifier.promise import Promise

from . import fairness_run
from .fairness_run import COMMAND, PAGE, WORLDS, Chunk, chunks, play, summary
from .right_clients import AT_LEAST_ONCE, NO_LATENESS, RIGHT, Right, worlds


def test_every_case_has_its_share_of_the_worlds():
    cases = len(list(worlds()))
    found = list(chunks(250 * cases - 1, seed=3))
    for case in range(cases):
        own = [(chunk.first, chunk.count) for chunk in found if chunk.case == case]
        assert own == [(0, 100), (100, 100), (200, 50)]


def test_a_chunk_is_played_and_told():
    tally = play(Chunk(case=0, first=0, count=3, seed=5))
    assert tally.accused is None
    assert tally.worlds == 3
    assert sum(tally.met.values()) > 0
    page = summary([tally], asked=3, seed=5)
    assert f"| `{tally.file}` |" in page
    assert f"{COMMAND} --worlds 3 --seed 5 --write" in page


def test_an_accusation_is_reported(monkeypatch):
    wrong = Right(
        file="saleschannel_document.py",
        dialect="saleschannel",
        deliveries=AT_LEAST_ONCE,
        late_by_ms_max=NO_LATENESS,
    )
    profile = wrong.profiles[0]
    assert wrong.promises(profile)[0] == Promise(delivery="at-least-once", late_by_ms_max=0)
    monkeypatch.setattr(fairness_run, "worlds", lambda: [(wrong, profile, 0)])
    tally = play(Chunk(case=0, first=0, count=20, seed=5))
    assert tally.accused is not None
    assert "BROKEN" in tally.accused


def test_the_page_is_of_these_clients_and_long_enough():
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^[|] `([a-z_]+[.]py)` [|].*[|] ([0-9,]+) [|] [0-9,]+ [|]$", page, re.M)
    assert [file for file, _ in rows] == [right.file for right in RIGHT]
    played = [int(count.replace(",", "")) for _, count in rows]
    assert min(played) > 0
    assert sum(played) >= WORLDS
