"""A server in miniature: appends, asks and delivers in a loop, and says what was acknowledged.

``python appender.py STATE`` reads seeds, one a line. For each it starts a child, which prints one
JSON object a line (its own process id first) until somebody kills it; then it prints how it ended.
"""

import json
import os
import sys
from random import Random

from fakeserver.app import ORIGIN
from fakeserver.doors import call
from fakeserver.serving.options import ServeOptions
from fakeserver.serving.site import Site

OPTIONS = ServeOptions(dialect="haravan", seed=3, backlog=20, clock="simulated", rate_per_s=0.5)
HEADERS = {"Authorization": "Bearer fakeserver-token", "Content-Type": "application/json"}


def say(**what: object) -> None:
    """Write one line at once: what is longer than a pipe takes in one go would be cut by a kill."""
    os.write(1, json.dumps(what).encode() + b"\n")


def live(path: str, random: Random) -> None:
    """Do one thing after the other, for ever."""
    site = Site(OPTIONS, wall=lambda: 0, state=path)

    def ask(method: str, target: str, body: object = None) -> dict:
        data = b"" if body is None else json.dumps(body).encode()
        reply = call(site, method, ORIGIN + target, HEADERS, data)
        assert reply.status < 300, reply.body
        return json.loads(reply.body)

    while True:
        kind = random.choice(["append", "ask", "advance", "deliver"])
        if kind == "append":
            body = {"events": [{}] * random.randint(1, 3)}
            rows = ask("POST", "/_fakeserver/events", body)["events"]
            say(append=[[row["number"], row["id"], row["visible_at"]] for row in rows])
        elif kind == "ask":
            page = ask("GET", "/com/events.json?limit=3")["events"]
            say(ask=[event["id"] for event in page])
        elif kind == "advance":
            body = {"seconds": random.randint(0, 5)}
            say(advance=ask("POST", "/_fakeserver/clock/advance", body)["now_ms"])
        else:
            body = {"events": [random.randrange(99)]}
            say(deliver=ask("POST", "/_fakeserver/delivered", body)["delivered"])


def main() -> None:
    for seed in sys.stdin:
        child = os.fork()
        if child == 0:
            say(pid=os.getpid())
            live(sys.argv[1], Random(int(seed)))
        _, status = os.waitpid(child, 0)
        say(ended=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
