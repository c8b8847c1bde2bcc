"""Clients of the tests of many workers, as a user's file has them."""

import os
import signal
import time
from pathlib import Path

from fakeserver.dialects import find_dialect

right = find_dialect("haravan").reference_client
wrong = find_dialect("haravan").document_client


def own_size(feed):
    """Asks for 40, whatever it is told."""
    since_id = feed.checkpoint or 0
    http = feed.requests_session()
    while True:
        query = {"since_id": since_id, "limit": 40}
        page = http.get(feed.url("/com/events.json"), params=query).json()["events"]
        for event in page:
            feed.deliver(event)
            since_id = event["id"]
        feed.save(since_id)
        if not page:
            return


def is_marked(feed):
    """Whether this is the world that the test has in mind: by when its first poll starts."""
    return feed.now().isoformat() == os.environ.get("MARKED")


def mortal(feed):
    """Takes its process with it in the marked world, each time."""
    if is_marked(feed):
        os._exit(7)
    right(feed)


def killed_once(feed):
    """Its worker is killed from outside in the marked world, once."""
    if is_marked(feed) and not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    right(feed)


def slow(feed):
    """Leaves word of the process that it runs in, and takes its time."""
    Path(f"pid-{os.getpid()}").touch()
    time.sleep(0.05)
    right(feed)


def stuck(feed):
    """Never comes back in the marked world."""
    if is_marked(feed):
        time.sleep(60)
    right(feed)


def at_home_only(feed):
    """Can be imported by the process that was started by hand, and by no other."""
    right(feed)


if os.environ.get("AT_HOME") not in (None, str(os.getpid())):
    raise RuntimeError("no file of mine is here")
