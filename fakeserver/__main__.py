"""``python -m fakeserver`` is the command line."""

from fakeserver.cli import main

main()
