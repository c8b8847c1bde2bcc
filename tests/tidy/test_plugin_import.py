"""The plugin imports next to nothing: who installs it pays in every run of pytest."""

import json
import subprocess
import sys

SCRIPT = """\
import json, sys
import pytest
before = set(sys.modules)
import {module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def added_by(module: str) -> list[str]:
    """What a fresh interpreter with pytest loads for one more module, without the stdlib."""
    command = [sys.executable, "-c", SCRIPT.format(module=module)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    added = json.loads(done.stdout)
    return [name for name in added if name.partition(".")[0] not in sys.stdlib_module_names]


def test_plugin_imports_next_to_nothing() -> None:
    added = added_by("fakeserver.pytest_plugin")
    assert "fakeserver.pytest_plugin" in added
    assert [name for name in added if not name.startswith("fakeserver.pytest_plugin")] == [
        "fakeserver"
    ]
    assert "fakeserver.pytest_plugin.checks" not in added  # that would be everything


def test_culprit_is_seen() -> None:
    added = added_by("fakeserver.scenario")
    assert {"msgspec", "fakeserver.clock"} <= set(added)
