"""Programs that the tests run as clients: Python, because every machine that runs them has it."""

import sys
import textwrap
from pathlib import Path

ONE_A_POLL = """
import json, os, sys, urllib.request

def say(value):
    print(json.dumps(value), flush=True)

env = {name[len("FAKESERVER_"):]: value for name, value in os.environ.items()}
since = json.loads(env["CHECKPOINT"]) or 0
while True:
    url = f"{env['BASE_URL']}/com/events.json?since_id={since}&limit={env['PAGE_SIZE']}"
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + env["TOKEN"]})
    with urllib.request.urlopen(request) as answer:
        page = json.load(answer)["events"]
    if not page:
        break
    for event in page:
        say(DELIVER)
    since = page[-1]["id"]
    SAVE
"""
JSONL = ONE_A_POLL.replace("DELIVER", '{"deliver": event}').replace("SAVE", 'say({"save": since})')
EVENTS = (
    ONE_A_POLL.replace("DELIVER", "event")
    .replace("SAVE", "keep(since)")
    .replace(
        'since = json.loads(env["CHECKPOINT"]) or 0',
        """
from pathlib import Path

kept = Path(env["STATE_DIR"], "since")
since = int(kept.read_text()) if kept.exists() else 0

def keep(since):
    kept.write_text(str(since))
""",
    )
)
"""It keeps its own state, for its protocol has no checkpoints."""
SINGER = ONE_A_POLL.replace(
    "DELIVER", '{"type": "RECORD", "stream": "events", "record": event}'
).replace("SAVE", 'say({"type": "STATE", "value": since})')
AIRBYTE = (
    ONE_A_POLL.replace(
        "DELIVER", '{"type": "RECORD", "record": {"stream": "events", "data": event}}'
    )
    .replace("SAVE", 'say({"type": "STATE", "state": since})')
    .replace('json.loads(env["CHECKPOINT"])', 'json.loads(env["CHECKPOINT"])')
)
FOLLOW = """
import json, os, sys, time, urllib.request

def follow(poll):
    since = poll["checkpoint"] or 0
    while True:
        url = f"{poll['base_url']}/com/events.json?since_id={since}&limit={poll['page_size']}"
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + poll["token"]})
        with urllib.request.urlopen(request) as answer:
            page = json.load(answer)["events"]
        if not page:
            break
        for event in page:
            print(json.dumps({"deliver": event}), flush=True)
        since = page[-1]["id"]
        print(json.dumps({"save": since}), flush=True)
"""
PERSISTENT = f"""{FOLLOW}
for line in sys.stdin:
    follow(json.loads(line)["poll"])
    print(json.dumps({{"done": True}}), flush=True)
"""


def program(folder: Path, text: str, name: str = "poll.py") -> list[str]:
    """Write a program and return what starts it."""
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return [sys.executable, str(path)]
