"""Where ``fakeserver`` and ``python -m fakeserver`` begin: from here on Ctrl-C ends in one line.

The command line takes a moment to import, and whoever has mistyped is quicker.
"""

from __future__ import annotations

import os

INTERRUPTED = 3
"""Exit status: nothing was proved. The command line itself ends so."""


def main() -> None:
    """Import the command line and run it, with the arguments of the process."""
    try:
        _run()
    except KeyboardInterrupt:
        os.write(2, b"interrupted\n")
        raise SystemExit(INTERRUPTED) from None


def _run() -> None:
    import signal

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else it is ignored, or another's business
        # Not an exception: Python drops one that hits the clean-up after an import, with a
        # traceback, and a module may catch one.
        signal.signal(signal.SIGINT, _end)
    from fakeserver.cli import main as command_line

    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, before)
    command_line()


def _end(*_: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
