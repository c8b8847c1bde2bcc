"""What a long recording takes: the room of the log that it shows, not of the file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fidelity.huge import peak_bytes, write_cassette, write_har, write_history

MB = 2**20


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "write", "size"),
    [
        ("shop.har", write_har, 10 * MB),
        ("shop.yaml", write_cassette, 5 * MB),
        ("history.jsonl", write_history, 3 * MB // 2),
    ],
)
def test_ten_times_the_file_is_no_ten_times_the_memory(
    tmp_path: Path, name: str, write: Callable[[Path, int], None], size: int
) -> None:
    path = tmp_path / name
    peaks = []
    for bytes_min in (size, 10 * size):
        write(path, bytes_min)
        peaks.append(peak_bytes(path))
    assert peaks[1] < 1.5 * peaks[0], peaks
