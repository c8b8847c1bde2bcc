"""A client that is a program, and lives through all polls: it notes its process in a file."""

import json
import os
import sys
import urllib.request
from pathlib import Path

Path(f"pid-{os.getpid()}").touch()
for line in sys.stdin:
    poll = json.loads(line)["poll"]
    since_id = poll["checkpoint"] or 0
    while True:
        request = urllib.request.Request(
            f"{poll['base_url']}/com/events.json?since_id={since_id}&limit={poll['page_size']}",
            headers={"Authorization": f"Bearer {poll['token']}"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                page = json.load(answer)["events"]
        except OSError:
            print(json.dumps({"failed": "no answer"}), flush=True)
            break
        for event in page:
            since_id = event["id"]
            print(json.dumps({"deliver": event}))
        if not page:
            print(json.dumps({"save": since_id}))
            print(json.dumps({"done": True, "resets": True}), flush=True)
            break
