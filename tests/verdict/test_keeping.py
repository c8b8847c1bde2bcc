"""Where broken worlds are kept: a folder that git leaves out, unless somebody wants otherwise."""

import shutil
import subprocess

import pytest

from fakeserver.generate import generate_scenario
from fakeserver.verifier.keeping import write_world

WORLD = generate_scenario(dialect="haravan", seed=1)


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_git_leaves_the_folder_out(tmp_path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "my_client.py").touch()
    write_world(tmp_path / ".fakeserver" / "lost-1f3a.json", WORLD)
    status = ["git", "-C", str(tmp_path), "status", "--short", "--untracked-files=all"]
    found = subprocess.run(status, check=True, capture_output=True, text=True)
    assert found.stdout == "?? my_client.py\n"


def test_what_somebody_wrote_there_stays(tmp_path):
    (tmp_path / ".gitignore").write_text("# kept on purpose\n")
    write_world(tmp_path / "lost-1f3a.json", WORLD)
    assert (tmp_path / ".gitignore").read_text() == "# kept on purpose\n"
