"""Long recordings of one log, written piece by piece, and what it takes to trace them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from fakeserver.history import Exchange, to_lines

EVENTS, PAGE = 200, 100
ROW_CHARS = 900
HOST = "https://shop.example/com/events.json"
MEASURED = """
import resource, sys
from fakeserver.cli import main
path, dialect = sys.argv[1:]
try:
    main(["trace", path, "--dialect", dialect])
except SystemExit as ended:
    assert not ended.code, ended.code
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def rows() -> list[dict[str, object]]:
    """A log of long rows, none of which ties."""
    return [
        {
            "id": number,
            "created_at": f"2026-03-02T{number // 60:02}:{number % 60:02}:00Z",
            "subject_id": number + 1_000,
            "subject_type": "Order",
            "verb": "placed",
            "arguments": ["#1"],
            "body": None,
            "message": "m" * ROW_CHARS,
            "author": "A",
            "description": "d",
            "path": f"/admin/orders/{number + 1_000}",
        }
        for number in range(1, EVENTS + 1)
    ]


def asked() -> Iterator[int]:
    """Ids after which is asked, over and over."""
    while True:
        yield from range(0, EVENTS, 7)


def write_har(path: Path, size: int) -> None:
    """Write an archive of at least `size` bytes: a client that reads the same log over and over."""
    log = rows()
    with path.open("w") as file:
        file.write('{"log": {"version": "1.2", "entries": [')
        for number, since in enumerate(asked()):
            body = json.dumps({"events": log[since : since + PAGE]})
            entry = {
                "startedDateTime": f"2026-03-03T{number // 3600 % 24:02}:{number // 60 % 60:02}:"
                f"{number % 60:02}.000Z",
                "time": 5,
                "request": {"method": "GET", "url": f"{HOST}?since_id={since}&limit={PAGE}"},
                "response": {"status": 200, "headers": [], "content": {"text": body}},
            }
            file.write(("," if number else "") + json.dumps(entry))
            if file.tell() > size:
                break
        file.write("]}}")


def write_cassette(path: Path, size: int) -> None:
    """Write a cassette in YAML of at least `size` bytes, with the same requests."""
    log = rows()
    with path.open("w") as file:
        file.write("interactions:\n")
        for since in asked():
            body = json.dumps(json.dumps({"events": log[since : since + PAGE]}))
            file.write(
                f"- request: {{method: GET, uri: '{HOST}?since_id={since}&limit={PAGE}'}}\n"
                f"  response:\n    status: {{code: 200}}\n    body: {{string: {body}}}\n"
            )
            if file.tell() > size:
                break


def write_history(path: Path, size: int) -> None:
    """Write a history of at least `size` bytes, with the same requests."""
    with path.open("wb") as file:
        for number, since in enumerate(asked()):
            ids = tuple(range(since + 1, min(since + PAGE, EVENTS) + 1))
            target = f"/com/events.json?since_id={since}&limit={PAGE}"
            step = Exchange(
                at=number * 1000, method="GET", target=target, status=200, event_ids=ids
            )
            file.write(to_lines([step]))
            if file.tell() > size:
                break


def peak_bytes(path: Path) -> int:
    """Trace a file in a process of its own, and return what it held at most."""
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path), "haravan"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return int(ended.stdout.rsplit(" ", 1)[1])
