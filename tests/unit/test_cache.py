"""The cache: what was kept comes back, within its bounds, the longest unasked-for goes first."""

import pytest

from fakeserver.cache import BLOCK_BODIES, BODY_COSTS, Bodies, Cache


def kept(cache: Cache[str], keys: str) -> str:
    return "".join(key for key in keys if cache.get(key) is not None)


def test_what_was_kept_comes_back():
    cache = Cache[str]()
    cache.keep(("a", 1), "one", 3)
    assert cache.get(("a", 1)) == "one"
    assert cache.get(("a", 2)) is None


def test_what_was_not_asked_for_the_longest_goes_first():
    cache = Cache[str](entries_max=3)
    for key in "abc":
        cache.keep(key, key, 1)
    cache.get("a")
    cache.keep("d", "d", 1)
    assert kept(cache, "abcd") == "acd"


def test_large_values_push_out_many_small_ones():
    cache = Cache[str](bytes_max=10)
    for key in "abcde":
        cache.keep(key, key, 2)
    assert kept(cache, "abcde") == "abcde"
    cache.keep("f", "f", 5)
    assert kept(cache, "abcdef") == "def"


@pytest.mark.parametrize("size", [11, 10**9])
def test_what_is_too_large_is_not_kept_and_the_room_is_free_again(size):
    cache = Cache[str](bytes_max=10)
    cache.keep("a", "a", size)
    assert cache.get("a") is None
    cache.keep("b", "b", 10)
    assert cache.get("b") == "b"


class TestBodies:
    def test_each_is_written_once(self):
        bodies, written = Bodies(), []

        def write(row: int) -> bytes:
            written.append(row)
            return str(row).encode()

        assert bodies.of([7, 300, 2], write) == [b"7", b"300", b"2"]
        assert bodies.of(range(1, 3), write) == [b"1", b"2"]
        assert bodies.of(range(3, 0, -1), write) == [b"3", b"2", b"1"]
        assert bodies.of(range(299, 302), write) == [b"299", b"300", b"301"]
        assert bodies.of([], write) == []
        assert written == [7, 300, 2, 1, 3, 299, 301]

    def test_each_way_of_writing_is_another(self):
        bodies = Bodies()
        assert bodies.of([1], lambda _: b"whole") == [b"whole"]
        assert bodies.of([1], lambda _: b"part", way="part") == [b"part"]
        assert bodies.of([1], lambda _: b"?") == [b"whole"]

    @pytest.mark.parametrize("given", [BLOCK_BODIES, 3 * BLOCK_BODIES, 2 * BLOCK_BODIES + 7])
    def test_a_run_is_cut_out_of_what_is_known(self, given):
        known = [b"%d" % row * (row % 5 + 1) for row in range(given)]

        def joined(rows) -> bytes:
            return bodies.joined(rows, known.__getitem__, within=(b"[", b"]"), size=given)

        bodies = Bodies()
        edges = (0, 1, BLOCK_BODIES - 1, BLOCK_BODIES, BLOCK_BODIES + 1, given - 1, given)
        for _ in range(3):  # as parts, with those beside them, and as one text
            for rows in (range(a, b) for a in edges for b in edges if a < b <= given):
                wanted = b"[" + b",".join(known[row] for row in rows) + b"]"
                assert joined(rows) == joined(list(rows)) == wanted
                turned = b"[" + b",".join(known[row] for row in rows[::-1]) + b"]"
                assert joined(rows[::-1]) == turned

    def test_who_comes_back_to_neighbours_has_those_beside_them_written(self):
        bodies, size = Bodies(), 2 * BLOCK_BODIES + 7
        written: list[int] = []

        def ask(rows: range) -> None:
            bodies.joined(
                rows, lambda row: written.append(row) or b"x", within=(b"", b""), size=size
            )

        ask(range(10, 20))
        assert written == [*range(10, 20)]
        ask(range(20, 30))
        assert sorted(written) == [*range(BLOCK_BODIES)]
        for _ in range(2):
            ask(range(2 * BLOCK_BODIES, size - 1))  # nothing is beyond the end
        assert len(written) == BLOCK_BODIES + 6

    def test_what_was_cut_out_is_forgotten_too(self):
        half = 2 * BLOCK_BODIES * (BODY_COSTS + 4)
        bodies, written = Bodies(bytes_max=2 * half), []

        def ask(block: int) -> bytes:
            rows = range(block * BLOCK_BODIES, (block + 1) * BLOCK_BODIES)
            return bodies.joined(
                rows,
                lambda _: written.append(block) or b"x",
                within=(b"", b""),
                size=9 * BLOCK_BODIES,
            )

        page = ask(0)
        assert page == b",".join([b"x"] * BLOCK_BODIES)
        for block in (*range(1, 9), 0):
            assert ask(block) == page
        assert written.count(0) == 2 * BLOCK_BODIES

    def test_what_nobody_asks_for_is_forgotten_and_what_is_asked_for_is_not(self):
        bodies = Bodies(bytes_max=20 * (BODY_COSTS + 1))
        wanted: list[int] = []
        rows = [row * BLOCK_BODIES for row in range(101)]
        for row in rows[:-1]:
            bodies.of([row], lambda _: b"x")
            bodies.of(rows[-1:], lambda row: wanted.append(row) or b"y")
        assert wanted == rows[-1:]
        again: list[int] = []
        bodies.of(rows[:-1], lambda row: again.append(row) or b"x")
        assert 75 <= len(again) < 100
        assert again == rows[: len(again)]
