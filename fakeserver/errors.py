"""Who is to blame.

Every error says what was expected, what came, where, and what to do next.

    FakeserverError
    ├── UsageError (ValueError)      you asked for something that does not exist
    │   ├── ScenarioError            a scenario contradicts itself or can't be read
    │   ├── ProfileError             no such dialect, profile, switch or value
    │   └── ClientNotFound           the client under test can't be loaded
    ├── ContractBroken (AssertionError)   your client broke its promise
    └── HarnessError                 we failed; never held against a client

    BaseException
    └── RunStopped                   thrown *into* a client; a broad ``except`` must not eat it
        ├── FeedClosed               there are no more polls
        ├── ClientKilled             the scenario crashes the client here
        └── BudgetSpent              more requests than any right client needs
"""

from __future__ import annotations


class FakeserverError(Exception):
    """Anything that this package raises on purpose."""


class UsageError(FakeserverError, ValueError):
    """The caller asked for something that does not exist or can't be done."""


class ScenarioError(UsageError):
    """A scenario or history contradicts itself, or its file can't be read."""


class ProfileError(UsageError):
    """An unknown dialect, profile, switch or value; the message lists the known ones."""


class ClientNotFound(UsageError):  # noqa: N818 - the design's name
    """The client under test can't be found, imported or called."""


class ContractBroken(FakeserverError, AssertionError):  # noqa: N818 - the design's name
    """The client under test broke its promise; the message is the whole report."""


class HarnessError(FakeserverError):
    """The judge or the fake failed. The verdict is ``inconclusive``, never ``broken``."""


class RunStopped(BaseException):
    """Ends a poll from outside. Not an ``Exception``: a client must not be able to eat it."""


class FeedClosed(RunStopped):
    """The scenario has no more polls; an endless client ends here."""


class ClientKilled(RunStopped):
    """The scenario kills the client at this point, as ``kill -9`` would."""


class BudgetSpent(RunStopped):
    """The poll has sent more requests than ten times what any right client needs."""
