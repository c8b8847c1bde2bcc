"""What outlives the process: own events, the journal, the clock, in one SQLite file.

Everything is committed before it is acknowledged, in the write-ahead log, without waiting for the
disk: it outlives the process and ``kill -9``; a power cut may take the last moments. Feeds are not
kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from fakeserver.clock import Instant
from fakeserver.errors import HarnessError, UsageError
from fakeserver.fault import Fault
from fakeserver.history import AnyStep, Exchange, History, from_lines, to_lines
from fakeserver.scenario import LoggedEvent, Scenario
from fakeserver.serving.options import STEPS_MAX, ClockMode, ServeOptions

APPLICATION_ID = 0x66616B65
"""``fake``, in the header of the file: tells it from any other SQLite file."""
FORMAT = 1
"""Raised when older versions can no longer read the file."""
PRUNE_EVERY = 1_000
"""Steps beyond the kept ones are deleted in bunches: one by one would double the work."""
AFRESH = "name another file, or delete this one to start afresh"
"""Advised only where the file is known to be ours, and nobody else's."""
_MAGIC = b"SQLite format 3\x00"

_SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE appended (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, event BLOB NOT NULL);
CREATE TABLE steps (number INTEGER PRIMARY KEY, exchange INTEGER NOT NULL, step BLOB NOT NULL);
COMMIT;
"""


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of the world in a file besides its events and steps.

    `options` are those of the start, `scenario` the one that was loaded since, if any.
    `fingerprint` tells whether the stream still is what it was. `trial_from` is the number of the
    last step before the present client began.
    """

    options: ServeOptions
    scenario: Scenario | None
    starts_at: Instant
    fingerprint: str
    resets: int


class ClockFact(msgspec.Struct, frozen=True, kw_only=True):
    """How the clock was last set, and to what."""

    mode: ClockMode
    pace: float
    now: Instant


class FaultsFact(msgspec.Struct, frozen=True, kw_only=True):
    """Which faults were armed, and after how many requests."""

    faults: tuple[Fault, ...]
    armed_after: int


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A world as it was left: what `State.read` found.

    `appended` are the events of one's own with the instants at which they were appended. Before
    the first of `steps` there were `steps_before` others, with `exchanges_before` requests.
    """

    facts: Facts
    clock: ClockFact
    faults: FaultsFact
    trial_from: int
    appended: tuple[tuple[Instant, LoggedEvent], ...]
    steps: History
    steps_before: int
    exchanges_before: int


class State:
    """One open state file. Not for several threads at once: hold the lock of the world.

    Raises `UsageError` for a file that is no state of ours, is newer, damaged or in use, and later
    `HarnessError` where nothing can be written, on a full disk for instance.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            _check_place(self.path)
            self._db = sqlite3.connect(
                self.path, timeout=0, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"state: can't open {self.path}: {error}") from error
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        with self._blaming():
            # Held until the file is closed or its process dies: two servers would mix worlds.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables:
                self._check_ours()  # before anything is written: even the mode below is
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("COMMIT")
            self.is_new = not tables
            if tables:
                self._check()
            else:
                self._db.executescript(_SCHEMA)

    def _check_ours(self) -> None:
        """Raise `UsageError` for the file of another program, or of a later version."""
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise self._refused("it is the SQLite file of another program")
        if version > FORMAT:
            raise self._refused(
                f"a newer fakeserver wrote it: its format is {version}, this one reads {FORMAT}"
            )

    def _check(self) -> None:
        """Raise `UsageError` for a file that can't be read."""
        (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise self._refused(f"it is damaged: {found}", AFRESH)
        # A process that died between making the file and its first world left nothing behind.
        self.is_new = not self._db.execute("SELECT count(*) FROM facts").fetchone()[0]

    def close(self) -> None:
        """Close the file; what was committed is in it."""
        self._db.close()

    # Writing

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit everything that is written inside at once, or nothing of it."""
        if self._db.in_transaction:
            yield
            return
        with self._writing():
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._writing():
                self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have ended it
                self._db.execute("ROLLBACK")
            raise

    def begin(self, facts: Facts, clock: ClockFact) -> None:
        """Forget everything and start with a world of these facts."""
        with self.together(), self._writing():
            for table in ("facts", "appended", "steps"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - three names of ours
            self._put("facts", facts)
            self.put_clock(clock)
            self.put_faults(FaultsFact(faults=(), armed_after=0))
            self.put_trial(0)
        self.is_new = False

    def put_clock(self, clock: ClockFact) -> None:
        """Remember how the clock is set."""
        self._put("clock", clock)

    def put_faults(self, faults: FaultsFact) -> None:
        """Remember which faults are armed."""
        self._put("faults", faults)

    def put_trial(self, number: int) -> None:
        """Remember the number of the last step before the present client began."""
        self._put("trial", number)

    def append(self, at: Instant, events: Iterable[LoggedEvent]) -> None:
        """Keep events of one's own that were appended at the instant `at`."""
        rows = [(at, msgspec.json.encode(event)) for event in events]
        with self.together(), self._writing():
            self._db.executemany("INSERT INTO appended (at, event) VALUES (?, ?)", rows)

    def record(self, number: int, exchanges: int, step: AnyStep) -> None:
        """Keep step `number`, with which there have been so many `exchanges`."""
        with self._writing():
            self._db.execute(
                "INSERT INTO steps VALUES (?, ?, ?) "
                "ON CONFLICT (number) DO UPDATE SET step = excluded.step",  # it is corrected
                (number, exchanges, to_lines((step,))),
            )
            if number % PRUNE_EVERY == 0:
                self._db.execute("DELETE FROM steps WHERE number <= ?", (number - STEPS_MAX,))

    def _put(self, name: str, value: object) -> None:
        with self._writing():
            self._db.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, msgspec.json.encode(value))
            )

    # Reading

    def read(self) -> Stored:
        """Return the world in the file. Raises `UsageError` for contents that make no sense."""
        try:
            return self._read()
        except UsageError:
            raise
        except (KeyError, ValueError, TypeError) as error:  # a damaged row may hold anything
            damage = f"it is damaged: {type(error).__name__}: {error}"
            raise self._refused(damage, AFRESH) from error

    def _read(self) -> Stored:
        with self._blaming():
            values = dict(self._db.execute("SELECT name, value FROM facts"))
            appended = self._db.execute("SELECT at, event FROM appended ORDER BY number").fetchall()
            rows = self._db.execute(
                "SELECT number, exchange, step FROM steps ORDER BY number DESC LIMIT ?",
                (STEPS_MAX,),
            ).fetchall()[::-1]
        steps = from_lines(b"".join(step for _, _, step in rows), where=str(self.path))
        before = rows[0][:2] if rows else (1, 0)
        own = int(bool(steps) and isinstance(steps[0], Exchange))
        return Stored(
            facts=msgspec.json.decode(values["facts"], type=Facts),
            clock=msgspec.json.decode(values["clock"], type=ClockFact),
            faults=msgspec.json.decode(values["faults"], type=FaultsFact),
            trial_from=msgspec.json.decode(values["trial"], type=int),
            appended=tuple(
                (at, msgspec.json.decode(event, type=LoggedEvent)) for at, event in appended
            ),
            steps=steps,
            steps_before=before[0] - 1,
            exchanges_before=before[1] - own,
        )

    # Blaming

    @contextmanager
    def _blaming(self) -> Iterator[None]:
        """Turn errors of SQLite into sentences."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._refused(_reason(error)) from error
        except UnicodeDecodeError as error:  # it quotes what it found, and that is no text
            raise self._refused("it is damaged: its schema is no text") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn errors of SQLite into ours: no client is to blame for a full disk."""
        try:
            yield
        except sqlite3.Error as error:
            raise HarnessError(
                f"state: can't write to {self.path}: {_reason(error)}; what was acknowledged so "
                "far is in it, this is not"
            ) from error

    def _refused(self, reason: str, advice: str = "name another file") -> UsageError:
        return UsageError(f"state: {self.path} can't be used: {reason}; {advice}")


def _reason(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text:
        return "another process has it open"
    if "malformed" in text or "not a database" in text or "corrupt" in text:
        return f"it is damaged: {text}"
    return text


def _check_place(path: Path) -> None:
    """Raise `UsageError` where no state can be: a folder, or a file of another kind."""
    if path.is_dir():
        raise UsageError(f"state: expected a file, but {path} is a folder")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"state: there is no folder {path.parent}; make it first")
    with suppress(FileNotFoundError), path.open("rb") as file:
        if file.read(len(_MAGIC)) not in (b"", _MAGIC):
            raise UsageError(
                f"state: {path} is no state file, but something else; name another file"
            )
