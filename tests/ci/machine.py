"""A machine on which a job is run: a fresh environment, and pip without a network."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parents[2]
SECONDS_MAX = 1800
"""Only what hangs takes that long."""
MODULES = ("pip", "pytest")


class Done(NamedTuple):
    """Exit status, and output with the error output."""

    status: int
    log: str


class Machine(NamedTuple):
    """A folder with a virtual environment in which fakeserver is not installed.

    What fakeserver depends on can be imported there, as the environment of this test has it, so
    the real pip installs the checkout without asking an index: it builds and unpacks it, and looks
    for no dependencies. Nothing is known of the project whose test this is.
    """

    folder: Path

    @classmethod
    def new(cls, folder: Path) -> "Machine":
        """A machine in `folder`, which is made."""
        folder.mkdir(parents=True)
        machine = cls(folder)
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        for name in MODULES:
            script = machine.programs / name
            script.write_text(f'#!/bin/sh\nexec "{machine.programs}/python" -m {name} "$@"\n')
            script.chmod(0o755)
        machine.packages.mkdir()
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if not path.name.startswith(("fakeserver", "__editable__")) and path.suffix != ".pth":
                (machine.packages / path.name).symlink_to(path)
        return machine

    @property
    def programs(self) -> Path:
        """The folder of the environment's programs."""
        return self.folder / "venv" / "bin"

    @property
    def packages(self) -> Path:
        """What can be imported there and in each environment that is made there."""
        return self.folder / "packages"

    def environment(self) -> dict[str, str]:
        """What its programs find in their environment."""
        foreign = str(Path(sys.executable).parent)
        path = [each for each in os.environ["PATH"].split(os.pathsep) if each != foreign]
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        return kept | {
            "PATH": os.pathsep.join([str(self.programs), *path]),
            "PYTHONPATH": str(self.packages),
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as the value of --build-isolation
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "FAKESERVER": str(CHECKOUT),
        }

    def run(self, shell: list[str], folder: Path, more: Mapping[str, str]) -> Done:
        """Run a command in a folder; `more` is in its environment besides."""
        done = subprocess.run(
            shell,
            cwd=folder,
            env=self.environment() | dict(more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        return Done(done.returncode, done.stdout)
